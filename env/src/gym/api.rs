//! The contract between a world and whoever decides in it.
//!
//! An [`Env`] is anything with numbered actions, a mask of the legal ones and rows of bounded numbers: the decision
//! environment, the probe worlds of the tests, an anchor task. One *step* is one decision; time passes in *slots*, and a
//! step says how many of them it took.

use super::snapshot::{Snapshot, SnapshotError};
pub use super::spec::{Entry, EnvSpec};
pub use crate::counters::Counters;

use crate::cost::CostBreakdown;
use crate::digest::mix;
use crate::random::Seed;
use crate::units::CellId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The state of the episode after a step: three values that are never mixed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The episode goes on.
    #[default]
    No,
    /// The world has reached a state without a future: nothing is earned after it.
    Terminated,
    /// A clock cut the episode: the world would have gone on, and its value counts.
    Truncated,
}

impl End {
    /// The end that the two flags of a step tell: a world that has terminated has no future, whether a clock cuts it or not.
    pub const fn from_flags(terminated: bool, truncated: bool) -> Self {
        match (terminated, truncated) {
            (true, _) => Self::Terminated,
            (false, true) => Self::Truncated,
            (false, false) => Self::No,
        }
    }

    /// The weight of the value that follows: 0 only when the world terminated.
    pub const fn bootstrap(self) -> f64 {
        match self {
            Self::Terminated => 0.0,
            Self::No | Self::Truncated => 1.0,
        }
    }

    /// Whether a new episode has to begin.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::No)
    }
}

/// The number of a discrete action, from 0; [`EnvSpec::actions`] names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActionId(pub u32);

impl ActionId {
    /// The position of this action in a mask or in a row of logits.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The action at a position.
    pub const fn from_index(index: usize) -> Self {
        Self(index as u32)
    }
}

/// The costs and counts of a step, for people and tables; no policy sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepInfo {
    /// The cost of the step by component; their sum is minus the reward.
    pub cost: CostBreakdown,
    /// The counts of the step.
    pub counters: Counters,
    /// The cost that the same requests would have had outside the cell's memory, had nothing been decided before them; 0 unless the
    /// environment was made to [tell](Env::tell_input_costs) it.
    pub input_cost: f64,
    /// The cell that was decided for. What is decided for one cell changes nothing at another.
    pub cell: CellId,
    /// The cell of the row that follows: of the final row where the episode ended.
    pub next_cell: CellId,
}

/// The answer to an action.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Minus the cost caused by the decision.
    pub reward: f64,
    /// Whether and how the episode ended.
    pub end: End,
    /// Slots that passed: 0 while decisions of the same slot are pending, more than 1 over empty slots.
    /// Learners discount what follows with `gamma ^ slots_elapsed`.
    pub slots_elapsed: u32,
    /// Named costs and counters.
    pub info: StepInfo,
}

impl Step {
    /// A step after which the episode goes on.
    pub fn running(reward: f64, slots_elapsed: u32) -> Self {
        Self { reward, end: End::No, slots_elapsed, info: StepInfo::default() }
    }

    /// Adds the step and the action that led to it to a trajectory's digest.
    #[must_use]
    pub const fn digest(&self, trajectory: u64, action: ActionId) -> u64 {
        let word = (action.0 as u64) << 34 | (self.slots_elapsed as u64) << 2 | self.end as u64;
        mix(mix(trajectory, word), self.reward.to_bits())
    }

    /// A step into a state without a future.
    pub fn terminated(reward: f64, slots_elapsed: u32) -> Self {
        Self { end: End::Terminated, ..Self::running(reward, slots_elapsed) }
    }

    /// A step at which a clock cuts the episode.
    pub fn truncated(reward: f64, slots_elapsed: u32) -> Self {
        Self { end: End::Truncated, ..Self::running(reward, slots_elapsed) }
    }
}

/// A mistake of the caller of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvError {
    /// The action's number is beyond the last one.
    #[error("action {action} does not exist; {id} has actions 0 to {last}")]
    UnknownAction {
        /// The environment's name.
        id: String,
        /// The number that was given; below 0 and beyond `u32` where other languages number actions.
        action: i64,
        /// The greatest number.
        last: usize,
    },
    /// The mask forbids the action.
    #[error("action {action} ({name}) is illegal here; the mask allows {allowed}")]
    IllegalAction {
        /// The number that was given.
        action: u32,
        /// Its name.
        name: String,
        /// The legal actions by number.
        allowed: String,
    },
    /// The episode has ended, or none has begun.
    #[error("step without a running episode; call reset first")]
    NotRunning,
    /// The situation that was to be imagined does not exist.
    #[error(
        "nobody can imagine {what} in {id}: one of its services, in one of its phases, in a running episode without \
         prefetch decisions"
    )]
    Unimaginable {
        /// The environment's name.
        id: String,
        /// The situation that was asked for.
        what: String,
    },
    /// One lane of a vector environment failed.
    #[error("lane {lane}: {source}")]
    Lane {
        /// The lane's number.
        lane: usize,
        /// The mistake there.
        source: Box<EnvError>,
    },
    /// A buffer given to a vector environment has the wrong length.
    #[error("{what} has {got} elements, {expected} are needed")]
    BufferLength {
        /// The name of the buffer.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The right length.
        expected: usize,
    },
}

impl EnvError {
    /// The error for `action` under `mask`: unknown beyond its end, else illegal.
    pub fn refuse(spec: &EnvSpec, action: ActionId, mask: &[bool]) -> Self {
        if action.index() >= spec.num_actions() {
            return Self::UnknownAction {
                id: spec.id.clone(),
                action: action.0.into(),
                last: spec.num_actions().saturating_sub(1),
            };
        }
        let allowed: Vec<String> =
            (0..mask.len()).filter(|&index| mask[index]).map(|index| index.to_string()).collect();
        Self::IllegalAction {
            action: action.0,
            name: spec.actions[action.index()].clone(),
            allowed: allowed.join(", "),
        }
    }
}

/// An observation that can be written as the rows that learners see. Heuristics read its fields, learners its rows:
/// neither knows more than the other.
pub trait Rows {
    /// Writes the observation as `spec().num_entries()` numbers within their bounds.
    fn encode(&self, row: &mut [f32]);

    /// Writes which of the `spec().num_actions()` actions are legal; at least one is.
    fn mask(&self, legal: &mut [bool]);
}

/// A world in which one decision follows another.
///
/// ```text
/// reset -> (observation, encode, mask) -> step -> (observation, encode, mask) -> step ... until Step::end.is_end()
/// ```
/// After the end, [`observation`](Env::observation), [`encode`](Env::encode) and [`mask`](Env::mask) still describe the
/// final state: a truncated episode is bootstrapped from it.
pub trait Env {
    /// The knowledge of a policy, with named fields.
    type Observation: Rows;
    /// The decision of a policy.
    type Action;

    /// Names, bounds and sizes; constant over the life of the environment.
    fn spec(&self) -> &EnvSpec;

    /// Begins the episode at these coordinates and advances to its first decision.
    fn reset(&mut self, seed: Seed);

    /// Carries out one decision.
    ///
    /// # Errors
    /// When the action is unknown or illegal, or when no episode is running; the state is unchanged then.
    fn step(&mut self, action: &Self::Action) -> Result<Step, EnvError>;

    /// The knowledge before the pending decision.
    fn observation(&self) -> &Self::Observation;

    /// The whole state: [`restore`](Env::restore) comes back to it, and then the same actions lead to the same future.
    fn snapshot(&self) -> Snapshot;

    /// Comes back to a snapshot of an environment of the same kind.
    ///
    /// # Errors
    /// When it is damaged or of another kind; the state is unchanged then.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError>;

    /// Keeps the present as far as it is observed and draws a new future from these coordinates: what has not happened yet is
    /// drawn anew, and so is everything that happened and that no observation tells. A policy may look ahead this way; looking
    /// ahead without it is looking at the true future.
    fn reseed_future(&mut self, seed: Seed);

    /// Makes every following step tell its [`StepInfo::input_cost`], which takes some time; whether this environment can.
    fn tell_input_costs(&mut self) -> bool {
        false
    }

    /// The row of the present [`observation`](Env::observation).
    fn encode(&self, row: &mut [f32]) {
        self.observation().encode(row);
    }

    /// The mask of the present [`observation`](Env::observation).
    fn mask(&self, legal: &mut [bool]) {
        self.observation().mask(legal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_termination_stops_the_bootstrap() {
        assert_eq!(End::No.bootstrap(), 1.0);
        assert_eq!(End::Truncated.bootstrap(), 1.0);
        assert_eq!(End::Terminated.bootstrap(), 0.0);
        assert!(End::Truncated.is_end() && End::Terminated.is_end() && !End::No.is_end());
    }

    #[test]
    fn what_terminates_at_the_cut_of_a_clock_has_terminated() {
        let ends = [(false, false), (false, true), (true, false), (true, true)];
        let ends = ends.map(|(terminated, truncated)| End::from_flags(terminated, truncated));
        assert_eq!(ends, [End::No, End::Truncated, End::Terminated, End::Terminated]);
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let spec = EnvSpec { id: "toy".into(), entries: vec![], actions: vec!["stay".into(), "go".into()] };
        let illegal = EnvError::refuse(&spec, ActionId(1), &[true, false]);
        assert_eq!(illegal.to_string(), "action 1 (go) is illegal here; the mask allows 0");
        let unknown = EnvError::refuse(&spec, ActionId(5), &[true, false]);
        assert_eq!(unknown.to_string(), "action 5 does not exist; toy has actions 0 to 1");
    }
}
