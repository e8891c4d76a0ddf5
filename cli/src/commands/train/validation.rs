//! The validation episodes, the same for every policy and every run, and what is added up of them.

use crate::experiment::Experiment;
use anyhow::Result;
use std::sync::Arc;
use thoughtcache_agents::evaluate::{Contender, EpisodeResult, PolicyKind, Protocol, evaluate};
use thoughtcache_agents::heuristics::registry;
use thoughtcache_agents::net_policy::{Mlp, NetPolicy};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::Counters;

/// The policy whose validation cost everything is compared with.
const BASELINE: &str = "least-aot";

/// Costs, counts and lengths of validation episodes, added up.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) cost: CostBreakdown,
    counters: Counters,
    slots: u64,
    decisions: u64,
    episodes: u64,
}

impl Sums {
    fn of(episodes: &[EpisodeResult]) -> Self {
        let mut sums = Self::default();
        for episode in episodes {
            sums.cost += episode.cost;
            sums.counters += episode.counters;
            sums.slots += u64::from(episode.slots);
            sums.decisions += episode.decisions;
            sums.episodes += 1;
        }
        sums
    }

    pub(super) fn per_slot(&self, cost: f64) -> f64 {
        cost / self.slots as f64
    }

    pub(super) fn cost_per_slot(&self) -> f64 {
        self.per_slot(self.cost.total())
    }

    pub(super) fn mean_reward(&self) -> f64 {
        -self.cost.total() / self.episodes as f64
    }

    pub(super) fn mean_length(&self) -> f64 {
        self.decisions as f64 / self.episodes as f64
    }

    pub(super) fn hit_ratio(&self) -> f64 {
        hit_ratio(&self.counters)
    }
}

/// Requests served by an entry that was resident before their batch, over all requests.
pub(super) fn hit_ratio(counters: &Counters) -> f64 {
    counters.hits as f64 / counters.requests as f64
}

/// Lets the baseline play.
///
/// # Errors
/// When it cannot play in this scenario.
pub(super) fn of_baseline(experiment: &Experiment) -> Result<Sums> {
    let prepared = registry::Prepared::new(BASELINE, &experiment.scenario.scenario)?;
    play(experiment, Contender::new(BASELINE, PolicyKind::Heuristic, move || prepared.instance()))
}

/// Lets the learner's greedy policy play.
///
/// # Errors
/// When the environment refuses.
pub(super) fn of_policy(experiment: &Experiment, policy: &Mlp) -> Result<Sums> {
    let algorithm = experiment.agent.algorithm();
    let (net, name) = (Arc::new(policy.clone()), algorithm.name());
    let make = move || -> thoughtcache_agents::evaluate::AnyPolicy {
        Box::new(NetPolicy::new(name, Arc::clone(&net)))
    };
    play(experiment, Contender::new(name, algorithm.into(), make))
}

/// The logs want components and counts, of which `evaluate::validate` keeps only the mean cost.
fn play(experiment: &Experiment, contender: Contender) -> Result<Sums> {
    let scenario = Arc::clone(&experiment.scenario.scenario);
    let protocol = Protocol::validation(scenario, experiment.eval_seed, experiment.eval_episodes);
    let evaluation = evaluate(&[contender], &protocol, None, &|| {})?;
    Ok(Sums::of(&evaluation.policies[0].episodes))
}
