//! A trained policy as bytes: what a checkpoint's `policy.safetensors` and `meta.json` contain.
//!
//! This module turns a network and what is known about it into two byte strings and back, and refuses whatever is not exactly what was written: a wrong checksum, an unknown schema, another type or shape, a tensor
//! too many or too few, a number that is not finite, a scenario with other entries or actions.
//!
//! A checkpoint to go on from has more files, and `meta.json` vouches for each of them. A reader of the policy reads none
//! of them.
//!
//! | file | |
//! |---|---|
//! | `policy.safetensors` | the network: all that acting needs |
//! | `trainer.safetensors` | the run: nets, optimisers, generators, environments, see `learn::train` |
//! | `replay.safetensors` | the replay buffer of a learner that has one |
//! | `log.json` | where the program's logs stand |
//!
//! Schema 2 vouches for any of these, schema 1 for the policy alone; otherwise they are the same.
//!
//! | tensor (f32) | shape | |
//! |---|---|---|
//! | `hidden.N.weight`, `hidden.N.bias` | `[outputs, inputs]`, `[outputs]` | layer N, as PyTorch's `nn.Linear` keeps it |
//! | `head.weight`, `head.bias` | `[actions, inputs]`, `[actions]` | logits, action values, or advantages of a dueling network |
//! | `value.weight`, `value.bias` | `[1, inputs]`, `[1]` | the state value of a dueling network |

use crate::net_policy::{Dense, Mlp};
use meta::{json, meta_checksum, read_meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use thiserror::Error;
use thoughtcache_env::gym::api::EnvSpec;
use thoughtcache_env::message::shown;
use weights::{net_from_bytes, net_to_bytes};

mod meta;
mod weights;

pub use meta::{Meta, hexadecimal, sha256, sha256_of_reader, verify_checksum};
#[cfg(feature = "torch")]
pub(crate) use weights::{named_layers, net_to_state};

/// The version of [`Meta`] that this program writes.
pub const SCHEMA: u32 = 2;

/// The oldest version of [`Meta`] that this program reads.
pub const OLDEST_SCHEMA: u32 = 1;

/// The file of the weights, as [`Meta::checksums`] names it.
pub const POLICY_FILE: &str = "policy.safetensors";
/// The file of the run's state.
pub const TRAINER_FILE: &str = "trainer.safetensors";
/// The file of the replay buffer.
pub const REPLAY_FILE: &str = "replay.safetensors";
/// The file of the logs' positions.
pub const LOG_FILE: &str = "log.json";
/// The files that a checkpoint may have beside its policy and its description.
pub const EXTRA_FILES: [&str; 3] = [TRAINER_FILE, REPLAY_FILE, LOG_FILE];

/// The description, with the checksums of all other files.
pub const META_FILE: &str = "meta.json";

/// The algorithm that trained a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Proximal policy optimisation: the head's numbers are logits.
    Ppo,
    /// Deep Q-learning: the head's numbers are action values.
    Dqn,
}

impl Algorithm {
    /// The name in tables, files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ppo => "ppo",
            Self::Dqn => "dqn",
        }
    }
}

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
    /// A file is not what was written: the message names it, what was found and what is needed.
    #[error("{0}")]
    Damaged(String),
    /// The scenario shows other entries or offers other actions than the policy was trained with.
    #[error("{0}; evaluate it where it was trained, or train anew")]
    OtherScenario(String),
}

/// A network and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    meta: Meta,
    net: Mlp,
}

/// The bytes of a checkpoint's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointBytes {
    /// `policy.safetensors`.
    pub policy: Vec<u8>,
    /// `meta.json`.
    pub meta: Vec<u8>,
}

impl Checkpoint {
    /// A checkpoint of a network that was trained in environments with this spec, after `decisions` decisions, with the
    /// mean cost per slot on the validation episodes where there is one.
    ///
    /// # Panics
    /// When the network does not fit the spec.
    pub fn new(
        net: Mlp,
        algorithm: Algorithm,
        spec: &EnvSpec,
        decisions: u64,
        validation_cost: Option<f64>,
    ) -> Self {
        assert_eq!(net.num_entries(), spec.num_entries(), "the network reads the rows of its environment");
        assert_eq!(net.num_actions(), spec.num_actions(), "the network has a number for every action");
        let entries: Vec<String> = spec.entries.iter().map(|entry| entry.name.clone()).collect();
        let meta = Meta {
            schema: SCHEMA,
            algorithm,
            trained_on: spec.id.clone(),
            ignore_entries: net.ignore().iter().map(|&entry| entries[entry].clone()).collect(),
            entries,
            actions: spec.actions.clone(),
            hidden: net.hidden().iter().map(Dense::outputs).collect(),
            activation: net.activation(),
            dueling: net.value().is_some(),
            decisions,
            validation_cost: validation_cost.filter(|cost| cost.is_finite()),
            checksums: BTreeMap::new(),
            meta_sha256: String::new(),
        };
        Self { meta, net }
    }

    /// The description of the network.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The network.
    pub fn net(&self) -> &Mlp {
        &self.net
    }

    /// The bytes to write: equal for equal checkpoints.
    pub fn to_bytes(&self) -> CheckpointBytes {
        self.with_checksums(self.meta.clone())
    }

    /// The bytes to write beside these files, by name of [`EXTRA_FILES`]; `meta.json` vouches for them.
    ///
    /// # Panics
    /// When a file has another name.
    pub fn to_bytes_with(&self, files: &[(&str, &[u8])]) -> CheckpointBytes {
        let mut meta = Meta { schema: SCHEMA, checksums: BTreeMap::new(), ..self.meta.clone() };
        for (file, bytes) in files {
            assert!(EXTRA_FILES.contains(file), "{file} is no file of a checkpoint");
            meta.checksums.insert((*file).to_owned(), sha256(bytes));
        }
        self.with_checksums(meta)
    }

    fn with_checksums(&self, mut meta: Meta) -> CheckpointBytes {
        let policy = net_to_bytes(&self.net);
        meta.checksums.insert(POLICY_FILE.into(), sha256(&policy));
        meta.meta_sha256 = meta_checksum(&meta);
        CheckpointBytes { policy, meta: json(&meta) }
    }

    /// The checkpoint that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When the bytes are not exactly that, see [`CheckpointError`].
    pub fn from_bytes(policy: &[u8], meta: &[u8]) -> Result<Self, CheckpointError> {
        let meta = read_meta(meta)?;
        verify_checksum(&meta, POLICY_FILE, policy)?;
        let net = net_from_bytes(policy, &meta)?;
        Ok(Self { meta, net })
    }

    /// Reads the policy of a folder: a checkpoint, or a run, of which it is `checkpoints/best`. The only function of this
    /// crate that reads files.
    ///
    /// # Errors
    /// When a file cannot be read, and as [`from_bytes`](Self::from_bytes).
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let folder = folder.as_ref();
        let best = folder.join("checkpoints").join("best");
        let place = if best.is_dir() { best } else { folder.to_owned() };
        let read = |file: &str| {
            let path = place.join(file);
            fs::read(&path)
                .map_err(|source| CheckpointError::Read { path: path.display().to_string(), source })
        };
        Self::from_bytes(&read(POLICY_FILE)?, &read(META_FILE)?)
    }

    /// Whether `meta.json` vouches for a file of this name.
    pub fn has_file(&self, file: &str) -> bool {
        self.meta.checksums.contains_key(file)
    }

    /// Makes sure that the bytes of a file of [`EXTRA_FILES`] are those that were written with this checkpoint.
    ///
    /// # Errors
    /// When the checkpoint has no such file, or it has other bytes.
    pub fn verify(&self, file: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        verify_checksum(&self.meta, file, bytes)
    }

    /// Makes sure that a scenario shows the entries and offers the actions that the policy was trained with.
    ///
    /// # Errors
    /// Names the first difference.
    pub fn check_spec(&self, spec: &EnvSpec) -> Result<(), CheckpointError> {
        let entries: Vec<&str> = spec.entries.iter().map(|entry| entry.name.as_str()).collect();
        let actions: Vec<&str> = spec.actions.iter().map(String::as_str).collect();
        self.check_names(spec, ["entry", "entries"], &self.meta.entries, &entries)?;
        self.check_names(spec, ["action", "actions"], &self.meta.actions, &actions)
    }

    fn check_names(
        &self,
        spec: &EnvSpec,
        [one, many]: [&'static str; 2],
        expected: &[String],
        found: &[&str],
    ) -> Result<(), CheckpointError> {
        let (trained_on, scenario) = (shown(&self.meta.trained_on), shown(&spec.id));
        if let Some(position) = expected.iter().zip(found).position(|(expected, found)| expected != found) {
            let (expected, found) = (shown(&expected[position]), shown(found[position]));
            return Err(CheckpointError::OtherScenario(format!(
                "checkpoint was trained on `{trained_on}`, where {one} {position} is `{expected}`; the scenario `{scenario}` \
                 has `{found}` there"
            )));
        }
        if expected.len() != found.len() {
            let (expected, found) = (expected.len(), found.len());
            return Err(CheckpointError::OtherScenario(format!(
                "checkpoint was trained on `{trained_on}` with {expected} {many}, the scenario `{scenario}` has {found}"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
