//! Rules that need no training: what a learned policy has to beat.
//!
//! One rule is one file, with its admission variants; [`registry`] lists them all and is the only way to make one. All see
//! exactly what the learners see: the typed observation of a decision and its mask.
//!
//! Reading order: `state` (what happened to each entry so far), `cache_rule` (the decision that all cache rules share: hit,
//! admission, victims one after another), `admission`, `value` and `savings` (what an entry saves), then any rule.
//! `myopic` puts the choice of a placement beneath any of them.
//!
//! Adding a rule: write its file with the headings *Rule, State, Cost per decision, Reference* and an `ENTRIES` list, add the
//! list to `registry`, and write its naive sibling in `tests/naive.rs`.

mod admission;
mod cache_rule;
mod greedy_dual;
mod knapsack;
pub mod registry;
mod savings;
mod state;
mod value;

mod amortised;
mod constant;
mod density;
mod fifo;
mod gdsf;
mod least_aot;
mod lfu;
mod lru;
mod most_aot;
mod myopic;
mod random;
mod rent_or_buy;
mod static_set;
mod worth;

#[cfg(test)]
pub(crate) mod tests;

pub use registry::{BoxedPolicy, PolicyError, Prepared, build, check_parameters};
