//! *Rule.* Evicts the entry that saves least per byte, and loads a service only if it saves anything at all and more than
//! `margin` times what the entries that have to leave save together. What a service saves per slot is the formula in
//! `value`; it knows the age of thought that an entry settles at, and what its reloads cost. In physical scenarios it is the
//! rate times what the edge would have saved on the requests seen so far (`savings`). Victims that save nothing count as 0.
//!
//! *State.* The last batch that each resident entry served, for ties; rates are the observation's. In physical scenarios the
//! mean saving of each service.
//!
//! *Cost per decision.* O(services); a miss that needs memory sorts the resident entries. In physical scenarios an estimate of
//! every placement.
//!
//! *Reference.* Ours: the strongest rule found on `tight`.

use super::admission::MARGIN;
use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::Entry;
use super::savings::Savings;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "worth",
    "keeps what saves most per byte; loads only what saves more than its victims together",
    &[MARGIN],
    |name, scenario, values| {
        factory(name, scenario, Worth { savings: Savings::new(scenario), margin: values[0] })
    },
)];

#[derive(Clone, Debug)]
struct Worth {
    savings: Savings,
    margin: f64,
}

impl CacheRule for Worth {
    fn begin_episode(&mut self) {
        self.savings.clear();
    }

    fn meet(&mut self, observation: &DecisionObservation) {
        self.savings.observe(observation);
    }

    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.savings.value(scene, service) / scene.bytes(service)
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        let leaving = self.savings.value_of_all(scene, victims);
        let own = self.savings.value(scene, scene.service());
        own > 0.0 && own > self.margin * leaving
    }
}
