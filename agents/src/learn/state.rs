//! The state of a learner and its run, as named flat arrays: a resumed run goes on as if nothing had happened.
//!
//! A [`StateDict`] becomes the bytes of a safetensors file and is made of them again. Whoever restores takes every entry
//! by its name, its type and its shape; what is missing, of another type or shape, or left over at the end is an error
//! that names it. So is a number that cannot be meant: bytes with a right checksum may still be nonsense.

use thoughtcache_env::random::SimRng;

mod dict;
mod plain;

pub use dict::{StateDict, StateError};
pub use plain::Plain;

/// The state of a learner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentState {
    /// Nets, optimisers, generators, counters and what has not been learnt from yet.
    pub trainer: StateDict,
    /// The replay buffer of a learner that has one: large, and therefore apart.
    pub replay: Option<StateDict>,
}

/// Adds what states hold since their first version and what is the same in all of them: no minibatch was left out and the
/// step size was never halved.
pub fn put_reserved(state: &mut StateDict) {
    state.put_value("nan.learning_rate_factor", 1.0);
    state.put_list("nan.counts", &[0_u64; 3]);
}

/// Takes what [`put_reserved`] added.
///
/// # Errors
/// When it is something else, as in states of programs that could go on after numbers that are not finite.
pub fn take_reserved(state: &mut StateDict) -> Result<(), StateError> {
    let factor: f64 = state.take_value("nan.learning_rate_factor")?;
    let counts: Vec<u64> = state.take("nan.counts", &[3])?;
    if factor == 1.0 && counts == [0; 3] {
        return Ok(());
    }
    let reason =
        "says that the run met numbers that are not finite and went on; this program ends such a run";
    Err(state.refuse("nan.counts", reason))
}

/// Takes the generators of this many lanes.
///
/// # Errors
/// When they are missing, are not so many, or are none.
pub fn take_generators(state: &mut StateDict, name: &str, lanes: usize) -> Result<Vec<SimRng>, StateError> {
    let generators: Vec<SimRng> = state.take_object(name)?;
    if generators.len() == lanes {
        Ok(generators)
    } else {
        let reason = format!("has the generators of {} lanes, {lanes} are needed", generators.len());
        Err(state.refuse(name, &reason))
    }
}
