//! *Rule.* `fifo` loads whatever it can and evicts the entry that was loaded first, whoever uses it since. `fifo-admit`
//! evicts the same, but loads only what is asked for more often than its victims together (`admission`).
//!
//! *State.* The batch that loaded each resident entry. A reload after an exhausted window is a new insertion.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries.
//!
//! *Reference.* Belady, "A study of replacement algorithms for virtual-storage computers", IBM Systems Journal 5(2), 1966.

use super::admission::{Admission, MARGIN};
use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Entry, Kind};
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "fifo",
        description: "evicts the entry that was loaded first",
        kind: Kind::Cache,
        parameters: &[],
        prepare: |scenario, _| factory("fifo", scenario, Fifo { admission: Admission::Always }),
    },
    Entry {
        name: "fifo-admit",
        description: "fifo that loads only what is asked for more often than its victims",
        kind: Kind::Cache,
        parameters: &[MARGIN],
        prepare: |scenario, values| {
            factory("fifo-admit", scenario, Fifo { admission: Admission::ByRate { margin: values[0] } })
        },
    },
];

#[derive(Clone, Debug)]
struct Fifo {
    admission: Admission,
}

impl CacheRule for Fifo {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        scene.stay(service).loaded_at as f64
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        self.admission.admits(scene, victims)
    }
}
