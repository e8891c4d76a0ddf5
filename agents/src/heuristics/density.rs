//! *Rule.* Evicts the entry with the least rate per byte, and loads a service only if its rate exceeds `margin` times the
//! summed rate of the entries that have to leave for it.
//!
//! *State.* The last batch that each resident entry served, for ties; rates are the observation's.
//!
//! *Cost per decision.* O(services); a miss that needs memory sorts the resident entries.
//!
//! *Reference.* Ours: the greedy rule for the fractional knapsack (Dantzig, 1957) applied to estimated request rates.

use super::admission::{MARGIN, ranked};
use super::rule::{Entry, Factory};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "density",
    "keeps what is asked for most per byte; loads only what exceeds its victims' summed rate",
    &[MARGIN],
    prepare,
)];

fn prepare(name: &'static str, scenario: &Arc<Scenario>, values: &[f64]) -> Factory {
    ranked(name, scenario, values, |scene, service| scene.rate(service) / scene.bytes(service))
}
