//! The validation episodes, the same for every policy and every run.

use crate::experiment::Experiment;
use anyhow::Result;
use std::sync::Arc;
use thoughtcache_agents::evaluate::{AnyPolicy, EvaluateError, Totals, validate};
use thoughtcache_agents::heuristics::registry;
use thoughtcache_agents::net_policy::{Mlp, NetPolicy};
use thoughtcache_env::gym::api::Counters;

/// The policy whose validation cost everything is compared with.
const BASELINE: &str = "least-aot";

/// Whether to stop; asked from any thread.
pub(super) type ShouldStop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Requests served by an entry that was resident before their batch, over all requests.
pub(super) fn hit_ratio(counters: &Counters) -> Option<f64> {
    (counters.requests > 0).then(|| counters.hits as f64 / counters.requests as f64)
}

/// Returns how much more a policy costs than the baseline, as a share of it; nothing where the baseline costs nothing.
pub(super) fn relative(cost: f64, baseline_cost: f64) -> Option<f64> {
    Some(cost / baseline_cost - 1.0).filter(|relative| relative.is_finite())
}

/// Lets the baseline play; `None` when it was stopped.
///
/// # Errors
/// When it cannot play in this scenario.
pub(super) fn of_baseline(experiment: &Experiment, should_stop: ShouldStop<'_>) -> Result<Option<Totals>> {
    let prepared = registry::Prepared::new(BASELINE, &experiment.scenario.scenario)?;
    play(experiment, &|| prepared.instance(), should_stop)
}

/// Lets the learner's greedy policy play; `None` when it was stopped.
///
/// # Errors
/// When the environment refuses.
pub(super) fn of_policy(
    experiment: &Experiment,
    policy: &Mlp,
    should_stop: ShouldStop<'_>,
) -> Result<Option<Totals>> {
    let (net, name) = (Arc::new(policy.clone()), experiment.agent.algorithm().name());
    play(experiment, &|| Box::new(NetPolicy::new(name, Arc::clone(&net))), should_stop)
}

fn play(
    experiment: &Experiment,
    make: &(dyn Fn() -> AnyPolicy + Sync),
    should_stop: ShouldStop<'_>,
) -> Result<Option<Totals>> {
    let Experiment { scenario, eval_seed, eval_episodes, .. } = experiment;
    match validate(&scenario.scenario, *eval_seed, *eval_episodes, make, should_stop) {
        Ok(totals) => Ok(Some(totals)),
        Err(EvaluateError::Stopped) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
