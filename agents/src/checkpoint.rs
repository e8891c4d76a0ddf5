//! A trained policy as bytes: what a checkpoint's `policy.safetensors` and `meta.json` contain.
//!
//! Files are the program's; this module turns a network and what is known about it into two byte strings and back, and
//! refuses whatever is not exactly what was written: a wrong checksum, an unknown schema, another type or shape, a tensor
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

use crate::net_policy::{Activation, Dense, Mlp};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use thoughtcache_env::gym::api::EnvSpec;
use thoughtcache_env::message::{one_line, shown};

mod error;

pub use error::CheckpointError;

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

/// What trained a policy.
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

/// What stands beside the weights: everything needed to refuse them where they do not belong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The version of this description, [`OLDEST_SCHEMA`] to [`SCHEMA`].
    pub schema: u32,
    /// What trained the policy.
    pub algorithm: Algorithm,
    /// The name of the environment or scenario that it was trained on.
    pub trained_on: String,
    /// The names of the entries of a row, in order.
    pub entries: Vec<String>,
    /// The names of the actions, in order.
    pub actions: Vec<String>,
    /// The widths of the hidden layers, in order.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// Whether there is a value head beside the head of advantages.
    pub dueling: bool,
    /// The names of the entries that the network does not see.
    pub ignore_entries: Vec<String>,
    /// The decisions that the training had taken.
    pub decisions: u64,
    /// The mean cost per slot of the validation episodes that chose this checkpoint; `None` before the first validation.
    pub validation_cost: Option<f64>,
    /// The SHA-256 of the checkpoint's other files by name, in hexadecimal digits.
    pub checksums: BTreeMap<String, String>,
    /// The SHA-256 of this description with this field empty.
    pub meta_sha256: String,
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

    /// What is known about the network.
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
            return Err(CheckpointError::Name { trained_on, scenario, what: one, position, expected, found });
        }
        if expected.len() != found.len() {
            let (expected, found) = (expected.len(), found.len());
            return Err(CheckpointError::Count { trained_on, scenario, what: many, expected, found });
        }
        Ok(())
    }
}

/// Makes sure that the bytes of one of the checkpoint's files are those on record.
///
/// # Errors
/// When the file is not on record or has other bytes.
pub fn verify_checksum(meta: &Meta, file: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
    let Some(expected) = meta.checksums.get(file) else {
        return Err(CheckpointError::Meta { reason: format!("it has no checksum of {file}") });
    };
    let found = sha256(bytes);
    if found == *expected {
        Ok(())
    } else {
        Err(CheckpointError::Checksum { file: file.into(), found, expected: shown(expected) })
    }
}

/// The SHA-256 of some bytes in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The SHA-256 of all that a source gives, in hexadecimal digits; it is not held in memory.
///
/// # Errors
/// When the source cannot be read to its end.
pub fn sha256_of_reader(mut source: impl std::io::Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&hasher.finalize())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

fn json(meta: &Meta) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(meta).expect("strings, numbers and lists are always JSON");
    bytes.push(b'\n');
    bytes
}

fn meta_checksum(meta: &Meta) -> String {
    sha256(&json(&Meta { meta_sha256: String::new(), ..meta.clone() }))
}

fn read_meta(bytes: &[u8]) -> Result<Meta, CheckpointError> {
    /// The version alone: another version may have other fields.
    #[derive(Deserialize)]
    struct Version {
        schema: u64,
    }
    let damaged = |error: serde_json::Error| CheckpointError::Meta { reason: one_line(&error.to_string()) };
    let Version { schema } = serde_json::from_slice(bytes).map_err(damaged)?;
    if !(u64::from(OLDEST_SCHEMA)..=u64::from(SCHEMA)).contains(&schema) {
        return Err(CheckpointError::Schema { found: schema });
    }
    let meta: Meta = serde_json::from_slice(bytes).map_err(damaged)?;
    let found = meta_checksum(&meta);
    if found != meta.meta_sha256 {
        return Err(CheckpointError::Checksum {
            file: "meta.json".into(),
            found,
            expected: shown(&meta.meta_sha256),
        });
    }
    let known = |file: &str| file == POLICY_FILE || (schema > 1 && EXTRA_FILES.contains(&file));
    if let Some(file) = meta.checksums.keys().find(|file| !known(file)) {
        let file = shown(file);
        let reason = format!("it names `{file}`, which is no file of a checkpoint with schema {schema}");
        return Err(CheckpointError::Meta { reason });
    }
    // The checksum is one of the content; spaces and the order of fields stand outside it.
    if json(&meta) != bytes {
        let reason = "the same content, written in another way; copy the file as it was".into();
        return Err(CheckpointError::Meta { reason });
    }
    Ok(meta)
}

/// The layers of a network with the first part of their tensors' names.
pub(crate) fn named_layers(net: &Mlp) -> impl Iterator<Item = (String, &Dense)> {
    let hidden = net.hidden().iter().enumerate().map(|(index, layer)| (format!("hidden.{index}"), layer));
    let heads = std::iter::once(("head".to_owned(), net.head()));
    hidden.chain(heads).chain(net.value().map(|layer| ("value".to_owned(), layer)))
}

fn net_to_bytes(net: &Mlp) -> Vec<u8> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, layer) in named_layers(net) {
        let shape = vec![layer.outputs(), layer.inputs()];
        tensors.push((format!("{name}.weight"), shape, to_le_bytes(&layer.transposed_weight())));
        tensors.push((format!("{name}.bias"), vec![layer.outputs()], to_le_bytes(layer.bias())));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("a layer fills its shape");
        (name.as_str(), view)
    });
    safetensors::serialize(views, None).expect("a network of validated layers is always writable")
}

fn to_le_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn net_from_bytes(bytes: &[u8], meta: &Meta) -> Result<Mlp, CheckpointError> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| CheckpointError::Format { reason: one_line(&error.to_string()) })?;
    let mut unread: BTreeSet<String> = tensors.names().into_iter().map(str::to_owned).collect();
    let mut read = |name: String, shape: Vec<usize>| -> Result<Vec<f32>, CheckpointError> {
        let Ok(view) = tensors.tensor(&name) else {
            return Err(CheckpointError::MissingTensor { tensor: name });
        };
        unread.remove(&name);
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let found = format!("{:?} {:?}", view.dtype(), view.shape());
            let expected = format!("{:?} {shape:?}", Dtype::F32);
            return Err(CheckpointError::Tensor { tensor: name, found, expected });
        }
        let (numbers, _) = view.data().as_chunks();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    let mut layer = |name: &str, inputs: usize, outputs: usize| -> Result<Dense, CheckpointError> {
        let weight = read(format!("{name}.weight"), vec![outputs, inputs])?;
        let bias = read(format!("{name}.bias"), vec![outputs])?;
        Ok(Dense::from_transposed(name, inputs, outputs, &weight, bias)?)
    };
    let mut width = meta.entries.len();
    let mut hidden = Vec::new();
    for (index, &outputs) in meta.hidden.iter().enumerate() {
        hidden.push(layer(&format!("hidden.{index}"), width, outputs)?);
        width = outputs;
    }
    let head = layer("head", width, meta.actions.len())?;
    let value = if meta.dueling { Some(layer("value", width, 1)?) } else { None };
    if let Some(tensor) = unread.pop_first() {
        return Err(CheckpointError::ExtraTensor { tensor: shown(&tensor) });
    }
    let mut ignore = Vec::with_capacity(meta.ignore_entries.len());
    for name in &meta.ignore_entries {
        let Some(entry) = meta.entries.iter().position(|entry| entry == name) else {
            let reason = format!("the ignored entry `{}` is no entry", shown(name));
            return Err(CheckpointError::Meta { reason });
        };
        ignore.push(entry);
    }
    let net = Mlp::new(hidden, head, value, meta.activation, ignore)?;
    // Another order of tensors, or notes beside them, would be lost without a word when the policy is written again.
    if net_to_bytes(&net) != bytes {
        let reason = "the tensors are right, but the file is not laid out as this program writes it".into();
        return Err(CheckpointError::Format { reason });
    }
    Ok(net)
}

#[cfg(test)]
mod tests;
