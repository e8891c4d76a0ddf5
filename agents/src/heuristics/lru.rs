//! *Rule.* `lru` loads whatever it can and evicts the entry that served longest ago. `lru-admit` evicts the same, but loads
//! only what is asked for more often than its victims together (`admission`).
//!
//! *State.* The last batch that each resident entry served.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries.
//!
//! *Reference.* Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970.

use super::admission::{Admission, MARGIN};
use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Entry, Kind};
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "lru",
        description: "evicts the entry that served longest ago",
        kind: Kind::Cache,
        parameters: &[],
        prepare: |scenario, _| factory("lru", scenario, Lru { admission: Admission::Always }),
    },
    Entry {
        name: "lru-admit",
        description: "lru that loads only what is asked for more often than its victims",
        kind: Kind::Cache,
        parameters: &[MARGIN],
        prepare: |scenario, values| {
            factory("lru-admit", scenario, Lru { admission: Admission::ByRate { margin: values[0] } })
        },
    },
];

#[derive(Clone, Debug)]
struct Lru {
    admission: Admission,
}

impl CacheRule for Lru {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        scene.stay(service).last_access as f64
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        self.admission.admits(scene, victims)
    }
}
