//! What a learner and its run remember, as named flat arrays: to go on later as if nothing had happened.
//!
//! A [`StateDict`] becomes the bytes of a safetensors file and is made of them again. Whoever restores takes every entry
//! by its name, its type and its shape; what is missing, of another type or shape, or left over at the end is an error
//! that names it. So is a number that cannot be meant: bytes with a right checksum may still be nonsense.

use super::run_print::RunDifference;
use thiserror::Error;
use thoughtcache_env::gym::snapshot::SnapshotError;
use thoughtcache_env::random::SimRng;

mod dict;
mod plain;

pub use dict::StateDict;
pub use plain::Plain;

/// What a learner remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentState {
    /// Nets, optimisers, generators, counters and what has not been learnt from yet.
    pub trainer: StateDict,
    /// The replay buffer of a learner that has one: large, and therefore apart.
    pub replay: Option<StateDict>,
}

/// Why a state is refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StateError {
    /// The bytes are no safetensors file.
    #[error("the state cannot be read: {reason}")]
    Format {
        /// What the reader met.
        reason: String,
    },
    /// An entry that is needed is not there.
    #[error("the state has no `{entry}`")]
    Missing {
        /// Its name.
        entry: String,
    },
    /// An entry that nobody asked for.
    #[error("the state has `{entry}`, which nothing here needs")]
    Unknown {
        /// Its name.
        entry: String,
    },
    /// An entry of another type or shape.
    #[error("`{entry}` of the state is {found}, {expected} is needed")]
    Form {
        /// Its name.
        entry: String,
        /// Its type and shape.
        found: String,
        /// The right ones.
        expected: String,
    },
    /// A number that cannot be meant.
    #[error("`{entry}` of the state {reason}")]
    Value {
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The state is that of another run.
    #[error("the state is of another run: {0}")]
    Run(#[from] RunDifference),
    /// There is nothing left to do.
    #[error("the run is complete: its state is that after all {decisions} decisions of the budget")]
    Finished {
        /// The decisions taken.
        decisions: u64,
    },
    /// A learner without a replay buffer was given one, or one with a replay buffer none.
    #[error("{0}")]
    Replay(&'static str),
    /// The lanes refuse their snapshot.
    #[error("`run.lanes` of the state: {0}")]
    Lanes(#[from] SnapshotError),
}

impl StateError {
    /// The refusal of an entry's value.
    pub fn value(entry: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Value { entry: entry.into(), reason: reason.into() }
    }
}

/// Refuses numbers of an entry that are NaN or infinite.
///
/// # Errors
/// Names the first.
pub fn check_finite<T: Copy + Into<f64>>(entry: &str, values: &[T]) -> Result<(), StateError> {
    match values.iter().position(|&value| !value.into().is_finite()) {
        None => Ok(()),
        Some(at) => {
            let value: f64 = values[at].into();
            Err(StateError::value(
                entry,
                format!("has {value} at position {at}; every number must be finite"),
            ))
        }
    }
}

/// Names the entry of an error by its place in the whole state: behind `prefix` and a dot.
///
/// # Errors
/// That of `outcome`.
pub fn inside<T>(prefix: &str, outcome: Result<T, StateError>) -> Result<T, StateError> {
    outcome.map_err(|mut error| {
        match &mut error {
            StateError::Missing { entry }
            | StateError::Unknown { entry }
            | StateError::Form { entry, .. }
            | StateError::Value { entry, .. } => *entry = format!("{prefix}.{entry}"),
            _ => {}
        }
        error
    })
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
    Err(StateError::value("nan.counts", reason))
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
        Err(StateError::value(name, reason))
    }
}
