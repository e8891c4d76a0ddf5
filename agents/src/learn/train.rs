//! The loop of a run: explore, step, record, learn, and now and then validate.
//!
//! Nothing here knows files or clocks: an [`Observer`] hears what happens and says how good a policy is. The budget is
//! exact, and the same seed and configuration give the same bytes.

use super::agent::{Agent, AgentError, Metrics};
use super::config::{AgentConfig, ConfigError, LearnerConfig, WarmStartConfig};
use super::dqn::DqnAgent;
use super::ppo::PpoAgent;
use super::warm_start::{self, Teacher, WarmStartReport};
use crate::net_policy::Mlp;
use std::error::Error;
use thiserror::Error as ThisError;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{ActionId, Counters, Env, EnvError, EnvSpec};
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed};

/// What belongs to a run and not to its learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainSettings {
    /// Decisions of all lanes together; a multiple of the number of lanes.
    pub budget: u64,
    /// Decisions between two validations; 0: only at the end, where there is always one.
    pub eval_freq: u64,
    /// The number of the run, `--seed`.
    pub run: u64,
}

/// An episode that ended during training, played by the exploring learner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// What was counted.
    pub counters: Counters,
}

impl Episode {
    /// Minus the sum of the rewards, a slot; of the whole episode if it took no slot.
    pub fn cost_per_slot(&self) -> f64 {
        -self.reward / self.slots.max(1) as f64
    }
}

/// Who hears of a run.
pub trait Observer {
    /// The learner has learnt, after so many decisions of all lanes together.
    fn on_update(&mut self, _decisions: u64, _metrics: &Metrics) {}

    /// The learner has learnt from a rule, before the first decision of the run.
    fn on_warm_start(&mut self, _report: &WarmStartReport) {}

    /// An episode has ended; in the order of the lanes when several end in one step.
    fn on_episode(&mut self, _decisions: u64, _episode: &Episode) {}

    /// Whether to end the run here.
    fn should_stop(&mut self) -> bool {
        false
    }

    /// The mean cost of the greedy policy on validation episodes; the least decides which policy is the best.
    ///
    /// # Errors
    /// Whatever keeps the policy from being validated ends the run.
    fn validate(&mut self, policy: &Mlp, decisions: u64) -> Result<f64, Box<dyn Error + Send + Sync>>;
}

/// The best policy of a run so far.
#[derive(Clone, Debug)]
pub struct Best {
    /// The policy.
    pub policy: Mlp,
    /// Its mean cost in validation.
    pub score: f64,
    /// The decisions after which it was the learner's policy.
    pub decisions: u64,
}

/// What a run has made.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The policy with the least validation cost; the earliest of equals.
    pub best: Best,
    /// The policy at the end.
    pub last: Mlp,
    /// The decisions taken: the budget, unless the observer stopped the run.
    pub decisions: u64,
    /// A digest of all that happened in the lanes.
    pub trajectory_hash: u64,
}

/// What ends a run early.
#[derive(Debug, ThisError)]
pub enum TrainError {
    /// A value of the configuration or of the settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The environment refused.
    #[error("after {decisions} decisions")]
    Env {
        /// When.
        decisions: u64,
        /// Why.
        source: EnvError,
    },
    /// The learner failed.
    #[error("after {decisions} decisions")]
    Agent {
        /// When.
        decisions: u64,
        /// Why.
        source: AgentError,
    },
    /// The rule could not be watched.
    #[error("while the rule of the warm start was watched")]
    WarmStart {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Stopped before the first decision.
    #[error(
        "stopped while the rule of the warm start was watched: nothing has been learnt yet that could be kept"
    )]
    StoppedInWarmStart,
    /// The policy could not be validated.
    #[error("validation after {decisions} decisions")]
    Validation {
        /// When.
        decisions: u64,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A validation cost that is not a number.
    #[error("validation after {decisions} decisions: the mean cost is NaN")]
    Score {
        /// When.
        decisions: u64,
    },
}

impl AgentConfig {
    /// Makes the learner for environments with this spec.
    ///
    /// # Errors
    /// When the configuration cannot be meant.
    pub fn build(&self, spec: &EnvSpec, budget: u64, seed: Seed) -> Result<Box<dyn Agent>, ConfigError> {
        Ok(match &self.learner {
            LearnerConfig::Ppo(config) => Box::new(PpoAgent::new(config, spec, budget, seed)?),
            LearnerConfig::Dqn(config) => Box::new(DqnAgent::new(config, spec, budget, seed)?),
        })
    }
}

/// Trains a learner on copies of an environment; `make_env` makes the copy of a lane.
///
/// # Errors
/// [`TrainError`]: a value that cannot be meant, an environment or a learner that fails, a policy that cannot be
/// validated. A warm start needs its rule: see [`train_after`].
pub fn train<E: Env<Action = ActionId> + Send>(
    config: &AgentConfig,
    make_env: impl FnMut(usize) -> E,
    settings: TrainSettings,
    observer: &mut impl Observer,
) -> Result<Trained, TrainError> {
    train_after(config, make_env, |_| None, settings, observer)
}

/// Trains a learner that may begin with a warm start; `make_teacher` makes an instance of the rule of this name.
///
/// # Errors
/// As [`train`], and when the configuration names a rule that `make_teacher` does not know.
pub fn train_after<E: Env<Action = ActionId> + Send>(
    config: &AgentConfig,
    mut make_env: impl FnMut(usize) -> E,
    mut make_teacher: impl FnMut(&str) -> Option<Teacher<E>>,
    settings: TrainSettings,
    observer: &mut impl Observer,
) -> Result<Trained, TrainError> {
    config.validate()?;
    let lanes = config.num_lanes();
    check_budget(settings.budget, lanes as u64)?;
    let seed = Seed::new(Purpose::Train, settings.run);
    let mut vec_env = VecEnv::new((0..lanes).map(&mut make_env).collect(), seed);
    let mut agent = config.build(vec_env.spec(), settings.budget, seed)?;
    if let Some(WarmStartConfig { policy, decisions }) = &config.warm_start {
        let teachers: Option<Vec<Teacher<E>>> = (0..lanes).map(|_| make_teacher(policy)).collect();
        let mut teachers = teachers.ok_or_else(|| ConfigError {
            key: "warm_start".into(),
            value: format!("\"{policy}\""),
            allowed: "a rule that plays in this environment".into(),
        })?;
        let envs = (0..lanes).map(&mut make_env).collect();
        warm_start::imitate(agent.as_mut(), envs, &mut teachers, *decisions, settings.run, observer)?;
    }
    let mut buffers = StepBuffers::new(lanes, vec_env.spec());
    let mut actions = vec![ActionId::default(); lanes];
    let mut episodes = vec![Episode::default(); lanes];
    let mut best = None;
    let (mut decisions, mut validated) = (0, 0);

    let first = buffers.rows();
    vec_env
        .observe_into(first.observations, first.masks)
        .map_err(|source| TrainError::Env { decisions, source })?;
    while decisions < settings.budget && !observer.should_stop() {
        let now = buffers.rows();
        agent
            .explore(now.observations, now.masks, &mut actions)
            .map_err(|source| TrainError::Agent { decisions, source })?;
        vec_env
            .step_into(&actions, &mut buffers.rows())
            .map_err(|source| TrainError::Env { decisions, source })?;
        decisions += lanes as u64;
        let learnt = agent
            .record(&actions, &buffers)
            .and_then(|()| agent.update())
            .map_err(|source| TrainError::Agent { decisions, source })?;
        count_episodes(&mut episodes, &buffers, |episode| observer.on_episode(decisions, episode));
        if let Some(metrics) = learnt {
            observer.on_update(decisions, &metrics);
        }
        let freq = settings.eval_freq;
        if freq > 0 && decisions / freq > validated / freq {
            validated = decisions;
            best = Some(validate(agent.as_ref(), decisions, observer, best)?);
        }
    }
    let best = match best {
        Some(best) if validated == decisions => best,
        earlier => validate(agent.as_ref(), decisions, observer, earlier)?,
    };
    let last = frozen(agent.as_ref(), decisions)?;
    Ok(Trained { best, last, decisions, trajectory_hash: vec_env.trajectory_hash() })
}

fn check_budget(budget: u64, lanes: u64) -> Result<(), ConfigError> {
    if budget > 0 && budget.is_multiple_of(lanes) {
        return Ok(());
    }
    let below = budget / lanes * lanes;
    let nearest = match (below, below.checked_add(lanes)) {
        (0, _) => format!("the least is {lanes}"),
        (below, Some(above)) => format!("the nearest are {below} and {above}"),
        (below, None) => format!("the greatest is {below}"),
    };
    Err(ConfigError {
        key: "decisions".into(),
        value: budget.to_string(),
        allowed: format!("multiples of n_envs = {lanes}; {nearest}"),
    })
}

fn count_episodes(episodes: &mut [Episode], step: &StepBuffers, mut ended: impl FnMut(&Episode)) {
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

fn frozen(agent: &dyn Agent, decisions: u64) -> Result<Mlp, TrainError> {
    agent.policy().map_err(|source| TrainError::Agent { decisions, source })
}

/// Freezes and validates the policy of this moment; gives the better of it and the best before.
fn validate(
    agent: &dyn Agent,
    decisions: u64,
    observer: &mut impl Observer,
    earlier: Option<Best>,
) -> Result<Best, TrainError> {
    let policy = frozen(agent, decisions)?;
    let score = observer
        .validate(&policy, decisions)
        .map_err(|source| TrainError::Validation { decisions, source })?;
    if score.is_nan() {
        return Err(TrainError::Score { decisions });
    }
    Ok(match earlier {
        Some(earlier) if earlier.score <= score => earlier,
        _ => Best { policy, score, decisions },
    })
}

#[cfg(test)]
mod tests;
