//! Who hears of a run, and what an episode was.

use crate::learn::agent::Metrics;
use crate::net_policy::Mlp;
use serde::{Deserialize, Serialize};
use std::error::Error;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::Counters;
use thoughtcache_env::gym::vec_env::StepBuffers;

/// An episode that ended during training, played by the exploring learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The lane that played it.
    pub lane: usize,
    /// The sum of its rewards, undiscounted.
    pub reward: f64,
    /// The decisions it took.
    pub decisions: u64,
    /// The slots it lasted.
    pub slots: u64,
    /// Its costs by component.
    pub cost: CostBreakdown,
    /// The counters of the episode.
    pub counters: Counters,
}

impl Episode {
    /// Minus the sum of the rewards, a slot; of the whole episode if it took no slot.
    pub fn cost_per_slot(&self) -> f64 {
        -self.reward / self.slots.max(1) as f64
    }
}

/// A run as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainerState {
    /// The policy of this moment.
    pub policy: Mlp,
    /// The decisions of all lanes together.
    pub decisions: u64,
    /// Whether the run was stopped in the validation of this policy, which is to be repeated.
    pub must_validate: bool,
    /// `trainer.safetensors`: everything but the replay buffer.
    pub trainer: Vec<u8>,
    /// `replay.safetensors`, of a learner that has a replay buffer.
    pub replay: Option<Vec<u8>>,
}

/// What is known while a rule is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmStartReport {
    /// Decisions of the rule that have been watched.
    pub decisions: u64,
    /// The share of the decisions since the last report in which the learner would have done the same.
    pub agreement: f64,
    /// The losses of the last update.
    pub metrics: Metrics,
}

/// Who hears of a run.
pub trait Observer {
    /// The learner has learnt, after so many decisions of all lanes together.
    fn on_update(&mut self, _decisions: u64, _metrics: &Metrics) {}

    /// The learner has learnt from a rule, before the first decision of the run.
    fn on_warm_start(&mut self, _report: &WarmStartReport) {}

    /// An episode has ended; in the order of the lanes when several end in one step.
    fn on_episode(&mut self, _decisions: u64, _episode: &Episode) {}

    /// Keeps everything that the run needs to go on from here, [`resume`](super::train::resume) does. Nothing is reported between the step that
    /// led here and this call, and a run that is stopped is kept before anything else happens.
    ///
    /// # Errors
    /// When the state cannot be written; the run ends.
    fn checkpoint(&mut self, _state: &TrainerState) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    /// Whether to end the run here.
    fn should_stop(&mut self) -> bool {
        false
    }

    /// Returns the mean cost of the greedy policy on validation episodes; the least decides which policy is the best. `None`
    /// says that the validation was stopped before its end: [`should_stop`](Self::should_stop) is asked next, and the
    /// validation is repeated when the run goes on.
    ///
    /// # Errors
    /// When the policy cannot be validated; the run ends.
    fn validate(&mut self, policy: &Mlp, decisions: u64)
    -> Result<Option<f64>, Box<dyn Error + Send + Sync>>;
}

/// Adds a step to the episodes that the lanes play; `ended` hears of those that it ended.
pub(super) fn count_episodes(episodes: &mut [Episode], step: &StepBuffers, mut ended: impl FnMut(&Episode)) {
    for (lane, episode) in episodes.iter_mut().enumerate() {
        episode.lane = lane;
        episode.reward += step.rewards[lane];
        episode.decisions += 1;
        episode.slots += u64::from(step.slots_elapsed[lane]);
        episode.cost += step.infos[lane].cost;
        episode.counters += step.infos[lane].counters;
        if step.terminated[lane] || step.truncated[lane] {
            ended(episode);
            *episode = Episode::default();
        }
    }
}
