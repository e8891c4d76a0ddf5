//! What ends a run early.

use crate::learn::agent::AgentError;
use crate::learn::state::StateError;
use std::error::Error;
use thiserror::Error as ThisError;
use thoughtcache_env::gym::api::EnvError;
use thoughtcache_env::invalid::Invalid;

/// What ends a run early.
#[derive(Debug, ThisError)]
pub enum TrainError {
    /// A value of the configuration or of the settings.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// The environment refused.
    #[error("after {decisions} decisions")]
    Env {
        /// When.
        decisions: u64,
        /// Why.
        source: EnvError,
    },
    /// The learner failed.
    #[error("after {decisions} decisions")]
    Agent {
        /// When.
        decisions: u64,
        /// Why.
        source: AgentError,
    },
    /// The rule could not be watched.
    #[error("while the rule of the warm start was watched")]
    WarmStart {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Stopped before the first decision.
    #[error(
        "stopped while the rule of the warm start was watched: nothing has been learnt yet that could be kept"
    )]
    StoppedInWarmStart,
    /// The policy could not be validated.
    #[error("validation after {decisions} decisions")]
    Validation {
        /// When.
        decisions: u64,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The state could not be kept.
    #[error("checkpoint after {decisions} decisions")]
    Checkpoint {
        /// When.
        decisions: u64,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The state is not one that this run can go on from.
    #[error(transparent)]
    State(#[from] StateError),
    /// A validation cost that is not a number.
    #[error("validation after {decisions} decisions: the mean cost is NaN")]
    Score {
        /// When.
        decisions: u64,
    },
}

impl TrainError {
    /// The batch of a number that is not finite, as the bytes of a safetensors file, with the number of its update.
    pub fn offending_batch(&self) -> Option<(u64, &[u8])> {
        let source = match self {
            Self::Agent { source, .. } => Some(source),
            Self::WarmStart { source } => source.downcast_ref(),
            _ => None,
        };
        match source {
            Some(AgentError::NotFinite { update, batch, .. }) => Some((*update, batch)),
            _ => None,
        }
    }
}
