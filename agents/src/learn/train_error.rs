//! Errors that end a run early.

use crate::learn::agent::AgentError;
use crate::learn::state::StateError;
use std::error::Error;
use thiserror::Error as ThisError;
use thoughtcache_env::invalid::Invalid;

/// An error that ends a run early.
#[derive(Debug, ThisError)]
pub enum TrainError {
    /// A value of the configuration or of the settings cannot be meant.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// The state is not one that this run can go on from.
    #[error(transparent)]
    State(#[from] StateError),
    /// The run was stopped before its first decision.
    #[error(
        "stopped while the rule of the warm start was watched: nothing has been learnt yet that could be kept"
    )]
    StoppedInWarmStart,
    /// The environment, the learner or the observer failed.
    #[error("{at}")]
    Failed {
        /// Where in the run: after how many decisions, in a validation, in a checkpoint.
        at: String,
        /// The error underneath.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl TrainError {
    /// Returns the end of a run at this place, for this reason.
    pub(super) fn failed(at: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed { at: at.into(), source: source.into() }
    }

    /// Returns the batch of a number that is not finite, as the bytes of a safetensors file, with the number of its update.
    pub fn offending_batch(&self) -> Option<(u64, &[u8])> {
        let Self::Failed { source, .. } = self else { return None };
        match source.downcast_ref() {
            Some(AgentError::NotFinite { update, batch, .. }) => Some((*update, batch)),
            _ => None,
        }
    }
}
