//! *Rule.* `fifo` loads whatever it can and evicts the entry that was loaded first, whoever uses it since. `fifo-admit`
//! evicts the same, but loads only what is asked for more often than its victims together (`admission`).
//!
//! *State.* The batch that loaded each resident entry. A reload after an exhausted window is a new insertion.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries.
//!
//! *Reference.* Belady, "A study of replacement algorithms for virtual-storage computers", IBM Systems Journal 5(2), 1966.

use super::admission::{MARGIN, ranked};
use super::rule::{Entry, Factory};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache("fifo", "evicts the entry that was loaded first", &[], prepare),
    Entry::cache(
        "fifo-admit",
        "fifo that loads only what is asked for more often than its victims",
        &[MARGIN],
        prepare,
    ),
];

fn prepare(name: &'static str, scenario: &Arc<Scenario>, values: &[f64]) -> Factory {
    ranked(name, scenario, values, |scene, service| scene.stay(service).loaded_at as f64)
}
