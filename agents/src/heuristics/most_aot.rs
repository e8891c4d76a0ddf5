//! *Rule.* `most-aot` loads whatever it can and evicts the entry with the largest age of thought, the one with the freshest
//! context; among equals the one that served longest ago. `most-aot-admit` evicts the same, but loads only what is asked for
//! more often than its victims together (`admission`).
//!
//! *State.* The last batch that each resident entry served, for ties.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries.
//!
//! *Reference.* P2 (arXiv 2501.14205) describes its least-age-of-thought baseline as evicting the largest; P1 (arXiv
//! 2403.05826) evicts the smallest, which is `least-aot`. Both are here, so that nobody has to guess.

use super::admission::{Admission, MARGIN};
use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Entry, Kind};
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "most-aot",
        description: "evicts the entry with the largest age of thought",
        kind: Kind::Cache,
        parameters: &[],
        prepare: |scenario, _| factory("most-aot", scenario, MostAot { admission: Admission::Always }),
    },
    Entry {
        name: "most-aot-admit",
        description: "most-aot that loads only what is asked for more often than its victims",
        kind: Kind::Cache,
        parameters: &[MARGIN],
        prepare: |scenario, values| {
            factory(
                "most-aot-admit",
                scenario,
                MostAot { admission: Admission::ByRate { margin: values[0] } },
            )
        },
    },
];

#[derive(Clone, Debug)]
struct MostAot {
    admission: Admission,
}

impl CacheRule for MostAot {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        -scene.observation.thoughts[service.index()].age_tokens
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        self.admission.admits(scene, victims)
    }
}
