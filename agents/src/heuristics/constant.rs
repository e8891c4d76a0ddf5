//! *Rule.* One placement for everything: `cloud-only`, `device-only`, `edge-only`. Nothing is loaded ahead, and the first two
//! load nothing at all; `edge-only` loads whatever it can, and the world evicts by least age of thought for it. Where the
//! placement is illegal (a service that does not fit now, say), the first legal one that needs no residency.
//!
//! *State.* None.
//!
//! *Cost per decision.* O(placements).
//!
//! *Reference.* The cloud-only baseline of P1 (arXiv 2403.05826) and P2 (arXiv 2501.14205); the others show what one site can do
//! alone.

use super::cache_rule::elsewhere;
use super::rule::{Entry, Kind, copies};
use crate::policy::Policy;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::SimRng;

/// The rule that serves every request in the cloud: every scenario with a cloud is compared with it.
pub(super) const CLOUD: &[Entry] = &[Entry {
    name: "cloud-only",
    description: "everything runs in the cloud",
    kind: Kind::Constant(Placement::Cloud),
    parameters: &[],
    prepare: |name, _, _| copies(Constant { name, placement: Placement::Cloud }),
}];

/// What physical scenarios are compared with beside it.
pub(super) const OTHERS: &[Entry] = &[
    Entry {
        name: "device-only",
        description: "everything runs on the users' devices",
        kind: Kind::Constant(Placement::Device),
        parameters: &[],
        prepare: |name, _, _| copies(Constant { name, placement: Placement::Device }),
    },
    Entry {
        name: "edge-only",
        description: "everything that can be runs at the edge, victims by least age of thought",
        kind: Kind::Constant(Placement::Edge),
        parameters: &[],
        prepare: |name, _, _| copies(Constant { name, placement: Placement::Edge }),
    },
];

#[derive(Clone, Copy, Debug)]
struct Constant {
    name: &'static str,
    placement: Placement,
}

impl Policy<DecisionEnv> for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        let there = observation.place(self.placement).filter(|_| !observation.is_prefetch);
        there.unwrap_or_else(|| elsewhere(observation))
    }
}
