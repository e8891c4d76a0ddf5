//! *Rule.* Evicts the entry that saves least per byte, and loads a service only if it saves anything at all and more than
//! `margin` times what the entries that have to leave save together. What a service saves per slot is the formula in
//! `value`; it knows the age of thought that an entry settles at, and what its reloads cost. Victims that save nothing count
//! as 0.
//!
//! *State.* The last batch that each resident entry served, for ties; rates are the observation's.
//!
//! *Cost per decision.* O(services); a miss that needs memory sorts the resident entries.
//!
//! *Reference.* Ours: the strongest rule found on `tight`.

use super::admission::MARGIN;
use super::cache_rule::{CacheRule, Scene, factory};
use super::registry::Entry;
use super::value::EdgeValue;
use std::sync::Arc;
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "worth",
    description: "keeps what saves most per byte; loads only what saves more than its victims together",
    parameters: &[MARGIN],
    prepare: |scenario, values| {
        let value = Arc::new(EdgeValue::new(scenario));
        factory("worth", scenario, Worth { value, margin: values[0] })
    },
}];

#[derive(Clone, Debug)]
struct Worth {
    value: Arc<EdgeValue>,
    margin: f64,
}

impl Worth {
    fn value(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.value.per_slot(service, scene.rate(service))
    }
}

impl CacheRule for Worth {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.value(scene, service) / scene.bytes(service)
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        let leaving: f64 = victims.iter().map(|&victim| self.value(scene, victim).max(0.0)).sum();
        let own = self.value(scene, scene.service());
        own > 0.0 && own > self.margin * leaving
    }
}
