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

use super::admission::{MARGIN, ranked};
use super::rule::{Entry, Factory};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache("lfu", "evicts the entry that has served the fewest requests since its load", &[], prepare),
    Entry::cache(
        "lfu-admit",
        "lfu that loads only what is asked for more often than its victims",
        &[MARGIN],
        prepare,
    ),
];

fn prepare(name: &'static str, scenario: &Arc<Scenario>, values: &[f64]) -> Factory {
    ranked(name, scenario, values, |scene, service| scene.stay(service).num_requests as f64)
}
