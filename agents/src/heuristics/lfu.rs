//! *Rule.* `lfu` loads whatever it can and evicts the entry that has served the fewest requests since its load; among equals
//! the one that served longest ago. `lfu-admit` evicts the same, but loads only what is asked for more often than its
//! victims together (`admission`).
//!
//! *State.* Requests served by each resident entry since its load. The requests of the loading batch count, so a single
//! request starts the count at 1; an eviction or an exhausted window throws the count away.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries.
//!
//! *Reference.* In-cache LFU, as in Breslau et al., "Web caching and Zipf-like distributions", INFOCOM 1999.

use super::admission::{Admission, MARGIN};
use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Entry, Kind};
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "lfu",
        description: "evicts the entry that has served the fewest requests since its load",
        kind: Kind::Cache,
        parameters: &[],
        prepare: |scenario, _| factory("lfu", scenario, Lfu { admission: Admission::Always }),
    },
    Entry {
        name: "lfu-admit",
        description: "lfu that loads only what is asked for more often than its victims",
        kind: Kind::Cache,
        parameters: &[MARGIN],
        prepare: |scenario, values| {
            factory("lfu-admit", scenario, Lfu { admission: Admission::ByRate { margin: values[0] } })
        },
    },
];

#[derive(Clone, Debug)]
struct Lfu {
    admission: Admission,
}

impl CacheRule for Lfu {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        scene.stay(service).num_requests as f64
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        self.admission.admits(scene, victims)
    }
}
