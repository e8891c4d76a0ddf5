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
use super::rule::{BoxedPolicy, Entry, Kind};
use crate::policy::Policy;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::SimRng;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "least-aot",
        description: "evicts the entry with the least age of thought (the paper's algorithm)",
        kind: Kind::Cache,
        parameters: &[],
        prepare: |_, _| Box::new(|| Box::new(LeastAot { has_admission: false }) as BoxedPolicy),
    },
    Entry {
        name: "least-aot-admit",
        description: "least-aot that loads only what is asked for more often than the residents on average",
        kind: Kind::Cache,
        parameters: &[],
        prepare: |_, _| Box::new(|| Box::new(LeastAot { has_admission: true }) as BoxedPolicy),
    },
];

#[derive(Clone, Debug)]
struct LeastAot {
    has_admission: bool,
}

impl Policy<DecisionEnv> for LeastAot {
    fn name(&self) -> &'static str {
        ENTRIES[usize::from(self.has_admission)].name
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
