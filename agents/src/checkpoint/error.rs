//! What keeps bytes from being a checkpoint, or a checkpoint from fitting a scenario.

use super::{OLDEST_SCHEMA, POLICY_FILE, SCHEMA};
use crate::net_policy::NetError;
use thiserror::Error;

/// Why bytes are not a checkpoint, or not one for this scenario.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The description cannot be read.
    #[error("meta.json is damaged or not ours: {reason}")]
    Meta {
        /// What the reader met.
        reason: String,
    },
    /// The description has another version.
    #[error(
        "meta.json has schema {found}, this program reads schemas {OLDEST_SCHEMA} to {SCHEMA}; use the program that wrote it"
    )]
    Schema {
        /// The version found.
        found: u64,
    },
    /// The bytes are not those that were written.
    #[error("{file} is damaged: its SHA-256 is {found}, meta.json says {expected}")]
    Checksum {
        /// Which file.
        file: String,
        /// The checksum of the bytes.
        found: String,
        /// The checksum on record.
        expected: String,
    },
    /// The weights are not in the safetensors format.
    #[error("{POLICY_FILE} cannot be read: {reason}")]
    Format {
        /// What the reader met.
        reason: String,
    },
    /// A tensor that the network needs is not there.
    #[error("{POLICY_FILE} has no tensor `{tensor}`")]
    MissingTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor that the network does not have.
    #[error("{POLICY_FILE} has a tensor `{tensor}` that the network described in meta.json does not have")]
    ExtraTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor of another type or shape.
    #[error("{POLICY_FILE}: tensor `{tensor}` is {found}, {expected} is needed")]
    Tensor {
        /// Its name.
        tensor: String,
        /// Its type and shape.
        found: String,
        /// The right ones.
        expected: String,
    },
    /// Numbers that make no network.
    #[error("{POLICY_FILE}: {0}")]
    Net(#[from] NetError),
    /// The scenario has another number of entries or actions.
    #[error(
        "checkpoint was trained on `{trained_on}` with {expected} {what}, the scenario `{scenario}` has {found}; \
         evaluate it where it was trained, or train anew"
    )]
    Count {
        /// What the policy was trained on.
        trained_on: String,
        /// What it meets now.
        scenario: String,
        /// `entries` or `actions`.
        what: &'static str,
        /// The checkpoint's number.
        expected: usize,
        /// The scenario's number.
        found: usize,
    },
    /// The scenario has other entries or actions.
    #[error(
        "checkpoint was trained on `{trained_on}`, where {what} {position} is `{expected}`; \
         the scenario `{scenario}` has `{found}` there; evaluate it where it was trained, or train anew"
    )]
    Name {
        /// What the policy was trained on.
        trained_on: String,
        /// What it meets now.
        scenario: String,
        /// `entry` or `action`.
        what: &'static str,
        /// The first position that differs, from 0.
        position: usize,
        /// The checkpoint's name.
        expected: String,
        /// The scenario's name.
        found: String,
    },
}
