//! *Rule.* Evicts the entry with the least rate per byte, and loads a service only if its rate exceeds `margin` times the
//! summed rate of the entries that have to leave for it.
//!
//! *State.* The last batch that each resident entry served, for ties; rates are the observation's.
//!
//! *Cost per decision.* O(services); a miss that needs memory sorts the resident entries.
//!
//! *Reference.* Ours: the greedy rule for the fractional knapsack (Dantzig, 1957) applied to estimated request rates.

use super::admission::{Admission, MARGIN};
use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Entry, Kind};
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "density",
    description: "keeps what is asked for most per byte; loads only what exceeds its victims' summed rate",
    kind: Kind::Cache,
    parameters: &[MARGIN],
    prepare: |scenario, values| {
        factory("density", scenario, Density { admission: Admission::ByRate { margin: values[0] } })
    },
}];

#[derive(Clone, Debug)]
struct Density {
    admission: Admission,
}

impl CacheRule for Density {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        scene.rate(service) / scene.bytes(service)
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        self.admission.admits(scene, victims)
    }
}
