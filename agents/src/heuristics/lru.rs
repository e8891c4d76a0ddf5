//! *Rule.* `lru` loads whatever it can and evicts the entry that served longest ago. `lru-admit` evicts the same, but loads
//! only what is asked for more often than its victims together (`admission`).
//!
//! *State.* The last batch that each resident entry served.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries.
//!
//! *Reference.* Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970.

use super::admission::{MARGIN, ranked};
use super::rule::{Entry, Factory};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache("lru", "evicts the entry that served longest ago", &[], prepare),
    Entry::cache(
        "lru-admit",
        "lru that loads only what is asked for more often than its victims",
        &[MARGIN],
        prepare,
    ),
];

fn prepare(name: &'static str, scenario: &Arc<Scenario>, values: &[f64]) -> Factory {
    ranked(name, scenario, values, |scene, service| scene.stay(service).last_access as f64)
}
