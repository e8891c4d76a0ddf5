//! *Rule.* Everything runs in the cloud (the first placement that needs no residency); nothing is ever loaded.
//!
//! *State.* None.
//!
//! *Cost per decision.* O(placements).
//!
//! *Reference.* The cloud-only baseline of P1 (arXiv 2403.05826) and P2 (arXiv 2501.14205).

use super::cache_rule::elsewhere;
use super::registry::{BoxedPolicy, Entry};
use crate::policy::Policy;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::SimRng;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "cloud-only",
    description: "everything runs in the cloud",
    parameters: &[],
    prepare: |_, _| Box::new(|| Box::new(CloudOnly) as BoxedPolicy),
}];

#[derive(Clone, Debug)]
struct CloudOnly;

impl Policy<DecisionEnv> for CloudOnly {
    fn name(&self) -> &'static str {
        ENTRIES[0].name
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        elsewhere(observation)
    }
}
