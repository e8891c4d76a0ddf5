//! Worlds whose answer is known: probe worlds that each isolate one fault of a learner.
//!
//! A learner that fails on `tight` tells little; a learner that fails on one of these says which line is wrong. Every
//! world is a table of a few states ([`table`]), and its exact action values stand beside it ([`probes`]).
//!
//! ```text
//! for probe in probe_registry() {
//!     train an agent on copies of probe.env() with the discount probe.gamma;
//!     compare its values and its greedy actions with probe.answers
//! }
//! ```
#![cfg_attr(not(feature = "torch"), allow(dead_code, reason = "half of the worlds are for learners"))]

pub(crate) mod probes;
pub(crate) mod table;

#[cfg(feature = "torch")]
pub(crate) use probes::{Audience, Probe, probe_registry};
#[cfg(feature = "torch")]
pub(crate) use table::TableState;
pub(crate) use table::TableWorld;
