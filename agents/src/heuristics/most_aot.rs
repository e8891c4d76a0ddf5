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

use super::admission::{MARGIN, ranked};
use super::rule::{Entry, Factory};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache("most-aot", "evicts the entry with the largest age of thought", &[], prepare),
    Entry::cache(
        "most-aot-admit",
        "most-aot that loads only what is asked for more often than its victims",
        &[MARGIN],
        prepare,
    ),
];

fn prepare(name: &'static str, scenario: &Arc<Scenario>, values: &[f64]) -> Factory {
    ranked(name, scenario, values, |scene, service| -scene.observation.thoughts[service.index()].age_tokens)
}
