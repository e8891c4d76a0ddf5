//! *Rule.* `least-aot` serves everything at the edge that the mask allows and evicts the entry with the least age of thought,
//! the one with the least fresh context: the plain action `edge`, whose victims the world chooses so. `least-aot-admit`
//! evicts the same, but when something has to leave it loads only a service whose rate exceeds the mean rate of the resident
//! entries. A prefetch decision is passed.
//!
//! *State.* None.
//!
//! *Cost per decision.* O(placements); with admission O(services).
//!
//! *Reference.* The least-age-of-thought algorithm of P1 (arXiv 2403.05826), the baseline that every policy is compared
//! with; the admission is ours.

use super::cache_rule::{edge, elsewhere};
use super::rule::{Entry, copies};
use crate::policy::Policy;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::SimRng;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache(
        "least-aot",
        "evicts the entry with the least age of thought (the paper's algorithm)",
        &[],
        |name, _, _| copies(LeastAot { name, has_admission: false }),
    ),
    Entry::cache(
        "least-aot-admit",
        "least-aot that loads only what is asked for more often than the residents on average",
        &[],
        |name, _, _| copies(LeastAot { name, has_admission: true }),
    ),
];

#[derive(Clone, Debug)]
struct LeastAot {
    name: &'static str,
    has_admission: bool,
}

impl Policy<DecisionEnv> for LeastAot {
    fn name(&self) -> &str {
        self.name
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        match edge(observation) {
            Some((_, action)) if !self.has_admission || admits(observation) => action,
            _ => elsewhere(observation),
        }
    }
}

fn admits(observation: &DecisionObservation) -> bool {
    if observation.is_hit() || observation.missing_bytes == 0 {
        return true;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (demand, residency) in observation.demand.iter().zip(&observation.residency) {
        if residency.is_resident {
            sum += demand.request_rate;
            count += 1.0;
        }
    }
    observation.demand[observation.service.index()].request_rate * count > sum
}
