//! The world of LLM agents served at the edge of a 6G network, and the environments that learners play in it.
//!
//! The modules read like one slot of the physical system, in order: who asks for what (`workload`), how good the answers
//! are (`llm`), what context is worth (`thought`), what is in memory (`cache`), where a request runs (`placement`), what it
//! costs (`cost`), and the order of all that (`world`). `gym` is the learning view on top, and knows nothing of learners.

pub mod units;
pub mod random;
pub mod digest;
pub mod message;
pub mod invalid;
pub mod text;
pub mod counters;
pub mod cost;
pub(crate) mod kept;
pub mod csv;

pub mod radio;
pub mod workload;
pub mod llm;
pub mod thought;
pub mod twin;

pub mod placement;
pub mod scenario;
pub mod cache;
pub mod world;

pub mod gym;

/// Keeps the README's example compiling and running.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
