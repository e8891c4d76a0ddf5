//! The trait of a learner: it explores, records what followed, and from time to time learns.
//!
//! ```text
//! before: demonstrate, record, imitate        only with a warm start: a rule acts, the learner learns to do the same
//! loop: explore(rows, masks) -> actions     the learner's own draws, by our generator
//!       record(actions, step)               what the environment answered
//!       update() -> metrics, or None        nothing while there is not enough to learn from
//! policy(): the frozen greedy policy of this moment; acting and learning are different types
//! ```
//! An agent is made for a number of lanes and a budget of decisions: schedules end with the budget.

use super::state::{AgentState, StateError};
use crate::net_policy::{Mlp, NetError};
use thiserror::Error;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::vec_env::StepBuffers;

/// A learner of numbered actions under masks.
pub trait Agent {
    /// Chooses one legal action a lane, exploring as the algorithm does.
    ///
    /// # Errors
    /// When a lane has no legal action, or when the net no longer puts out numbers.
    fn explore(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        actions: &mut [ActionId],
    ) -> Result<(), AgentError>;

    /// Takes note of what followed the last [`explore`](Self::explore), one row a lane.
    ///
    /// # Errors
    /// When a reward is not a finite number.
    fn record(&mut self, actions: &[ActionId], step: &StepBuffers) -> Result<(), AgentError>;

    /// Learns if it is time to; to be called after every [`record`](Self::record).
    ///
    /// # Errors
    /// When a loss, a gradient or a parameter after the step is not a finite number: the parameters stay those before the
    /// step, and the error holds the batch.
    fn update(&mut self) -> Result<Option<Metrics>, AgentError>;

    /// Takes note that a rule chooses `actions` in these rows, instead of [`explore`](Self::explore): what followed is
    /// recorded as ever, and [`imitate`](Self::imitate) learns from it. Says in how many lanes the learner would have done
    /// the same.
    ///
    /// # Errors
    /// As [`explore`](Self::explore).
    fn demonstrate(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        actions: &[ActionId],
    ) -> Result<usize, AgentError>;

    /// Learns to do as the rule did, if it is time to; to be called after every recorded demonstration.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    fn imitate(&mut self) -> Result<Option<Metrics>, AgentError>;

    /// Ends the imitation: what was learnt stays, the count of decisions and all schedules begin at 0.
    fn begin_learning(&mut self);

    /// The network of this moment, frozen; [`NetPolicy`](crate::net_policy::NetPolicy) acts greedily by it.
    ///
    /// # Errors
    /// When a parameter is not a finite number.
    fn policy(&self) -> Result<Mlp, AgentError>;

    /// The decisions of all lanes together that have been recorded.
    fn decisions(&self) -> u64;

    /// Everything that the learner remembers between two steps.
    fn save(&self) -> AgentState;

    /// Goes on from a state, in a learner of the same configuration, budget and environment: everything that follows is
    /// as if the learner that was saved had gone on.
    ///
    /// # Errors
    /// When the state is not one of such a learner. What the learner does after an error means nothing.
    fn load(&mut self, state: AgentState) -> Result<(), StateError>;
}

/// The greatest reward that is learnt from, scaled.
pub const MAX_REWARD: f64 = 1e30;

/// Named numbers of one update, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<(&'static str, f64)>);

impl Metrics {
    /// Adds a number.
    pub fn push(&mut self, name: &'static str, value: f64) {
        self.0.push((name, value));
    }

    /// The numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        self.0.iter().copied()
    }

    /// The number of this name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }
}

/// An error while learning.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AgentError {
    /// What was handed to the learner is nothing it can learn from; the sentence names the lane or the buffer.
    #[error("{0}")]
    Refused(String),
    /// The learning has diverged.
    #[error("{quantity} is {value} in update {update}; lower learning_rate or reward_scale")]
    NotFinite {
        /// The name of the number that is not finite.
        quantity: &'static str,
        /// Its value.
        value: f64,
        /// The number of the update, from 1.
        update: u64,
        /// The batch that it came of, as the bytes of a safetensors file.
        batch: Vec<u8>,
    },
    /// The parameters make no network.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl AgentError {
    /// Returns the refusal of a mask that forbids everything in this lane.
    pub fn no_legal_action(lane: usize) -> Self {
        Self::Refused(format!(
            "lane {lane} has no legal action; an environment must always allow at least one"
        ))
    }

    /// Refuses a buffer of another length.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with both lengths.
    pub fn check_len(what: &str, got: usize, expected: usize) -> Result<(), Self> {
        if got == expected {
            return Ok(());
        }
        Err(Self::Refused(format!("{what} has {got} elements, {expected} are needed")))
    }

    /// Refuses rewards that are not finite numbers, or that are beyond [`MAX_REWARD`] when multiplied by `scale`: so no sum
    /// of them leaves the numbers that a net computes with.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with the first such lane.
    pub fn check_rewards(rewards: &[f64], scale: f64) -> Result<(), Self> {
        let bad = rewards.iter().enumerate().find(|(_, value)| {
            let scaled: f64 = **value * scale;
            !value.is_finite() || scaled.abs() > MAX_REWARD
        });
        let Some((lane, value)) = bad else { return Ok(()) };
        let reason = if value.is_finite() {
            format!(", which times reward_scale = {scale} is beyond 1e30; lower reward_scale")
        } else {
            "; a reward must be a finite number".to_owned()
        };
        Err(Self::Refused(format!("lane {lane} gave the reward {value}{reason}")))
    }
}

/// A number of an update and what it is called.
pub type Named = (&'static str, f64);

/// Makes sure that these numbers are finite.
///
/// # Errors
/// The first that is NaN or infinite.
pub fn check_finite(numbers: &[Named]) -> Result<(), Named> {
    numbers.iter().find(|(_, value)| !value.is_finite()).map_or(Ok(()), |&number| Err(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_keep_their_order_and_are_found_by_name() {
        let mut metrics = Metrics::default();
        metrics.push("train/loss", 2.0);
        metrics.push("train/approx_kl", 0.5);
        assert_eq!(
            metrics.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["train/loss", "train/approx_kl"]
        );
        assert_eq!(metrics.value("train/approx_kl"), Some(0.5));
        assert_eq!(metrics.value("train/fps"), None);
    }

    #[test]
    fn errors_say_what_where_and_what_to_do() {
        let (quantity, value) =
            check_finite(&[("train/loss", 1.0), ("train/value_loss", f64::NAN)]).unwrap_err();
        let error = AgentError::NotFinite { quantity, value, update: 3, batch: vec![] };
        assert_eq!(
            error.to_string(),
            "train/value_loss is NaN in update 3; lower learning_rate or reward_scale"
        );
        let error = AgentError::check_rewards(&[0.0, f64::INFINITY], 1.0).unwrap_err();
        assert_eq!(error.to_string(), "lane 1 gave the reward inf; a reward must be a finite number");
        let error = AgentError::check_rewards(&[1e28, -1e29], 30.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "lane 1 gave the reward -100000000000000000000000000000, which times reward_scale = 30 is beyond 1e30; \
             lower reward_scale"
        );
        assert_eq!(
            AgentError::no_legal_action(2).to_string(),
            "lane 2 has no legal action; an environment must always allow at least one"
        );
    }
}
