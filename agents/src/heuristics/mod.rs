//! Rules that need no training: what a learned policy has to beat.
//!
//! One rule is one file, with its admission variants; [`registry`] lists them all. Every rule sees exactly what the learners
//! see: the typed observation of a decision and its mask.
//!
//! Reading order: `rule` (what the registry lists), `state` (what happened to each entry so far), `cache_rule` (the decision that all cache rules share: hit,
//! admission, victims one after another), `admission`, `value` and `savings` (what an entry saves), `context` (whose context is there), then any rule.
//! `myopic` puts the choice of a placement beneath any of them.
//!
//! A rule of your own needs no entry: a [`CacheRule`] or any [`Policy`](crate::policy::Policy) is compared with the others by
//! [`evaluate`](crate::evaluate::evaluate). Adding a rule to this project: write its file with the headings *Rule, State, Cost per decision, Reference* and an `ENTRIES` list, add the
//! list to `registry`, and write its naive sibling in `tests/naive.rs`.

mod admission;
mod cache_rule;
mod context;
mod greedy_dual;
mod knapsack;
pub mod registry;
mod rule;
mod savings;
mod state;
mod value;

mod affinity;
mod amortised;
mod commit;
mod constant;
mod density;
mod fifo;
mod gdsf;
mod keep_alive;
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

pub(crate) use greedy_dual::Inflation;

pub use cache_rule::{CachePolicy, CacheRule, Choice, Scene, elsewhere};
pub use myopic::CheapestPlacement;
pub use registry::{BoxedPolicy, PolicyError, Prepared, build, check_parameters};
pub use state::Stay;
