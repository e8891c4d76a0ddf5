//! Classic cache rules on traces of objects: the requests of one cache, without a world around it.
//!
//! This is how the field judges cache rules: a file of (object, size) in order, a capacity in bytes, and the count of misses.
//! Traces are libCacheSim's `oracleGeneral`, so that counts can be held against those of others. The rules are the same as in
//! [`heuristics`](crate::heuristics), which decide in worlds with batches, contexts and prices.
//!
//! Reading order: `trace` (what is replayed), `cache` (the loop that all rules share), `lists` and `ranking` (what rules are
//! made of), then any rule; `bound`, `optimum` and `flow` say what no rule can beat.
//!
//! Adding a rule: write its file with the headings *Rule, State, Cost per request, Reference* and an `ENTRY`, add it to
//! [`ENTRIES`], and write its naive sibling in `tests/naive.rs`.

mod cache;
mod flow;
mod lists;
mod optimum;
mod ranking;
mod trace;

mod arc;
mod bound;
mod fifo;
mod gdsf;
mod hyperbolic;
mod lfu;
mod lru;
mod lru_2;
mod min;
mod sieve;

#[cfg(test)]
mod tests;

pub use cache::{Entry, Kind, Tally};
pub use trace::{MAX_RECORDS, ObjectTrace, Sizes, TraceError};

use thiserror::Error;
use thoughtcache_env::message::{did_you_mean, shown};

/// All rules, in the order of tables: online, then those that know the future, then what none can beat.
pub const ENTRIES: [Entry; 11] = [
    fifo::ENTRY,
    lru::ENTRY,
    lru_2::ENTRY,
    lfu::ENTRY,
    sieve::ENTRY,
    arc::ENTRY,
    gdsf::ENTRY,
    hyperbolic::ENTRY,
    min::ENTRY,
    min::BYPASS,
    bound::ENTRY,
];

/// A name that no rule has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UnknownRule(String);

/// The rule of this name.
///
/// # Errors
/// An unknown name, with the nearest that is known and all of them.
pub fn entry(name: &str) -> Result<&'static Entry, UnknownRule> {
    const { &ENTRIES }.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        let meant = did_you_mean(name, known.iter().copied());
        let (name, known) = (shown(name), known.join(", "));
        UnknownRule(format!("no rule of object caches is called \"{name}\"{meant}; there are {known}"))
    })
}
