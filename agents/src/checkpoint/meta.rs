//! `meta.json`: what stands beside the weights, and the checksums that vouch for every file.

use super::{Algorithm, CheckpointError, EXTRA_FILES, OLDEST_SCHEMA, POLICY_FILE, SCHEMA};
use crate::net_policy::Activation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use thoughtcache_env::message::{one_line, shown};

/// What stands beside the weights: everything needed to refuse them where they do not belong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// The version of this description, [`OLDEST_SCHEMA`] to [`SCHEMA`].
    pub schema: u32,
    /// The algorithm that trained the policy.
    pub algorithm: Algorithm,
    /// The name of the environment or scenario that it was trained on.
    pub trained_on: String,
    /// The names of the entries of a row, in order.
    pub entries: Vec<String>,
    /// The names of the actions, in order.
    pub actions: Vec<String>,
    /// The widths of the hidden layers, in order.
    pub hidden: Vec<usize>,
    /// The activation after each hidden layer.
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

/// Makes sure that the bytes of one of the checkpoint's files are those on record.
///
/// # Errors
/// When the file is not on record or has other bytes.
pub fn verify_checksum(meta: &Meta, file: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
    let Some(expected) = meta.checksums.get(file) else {
        return Err(damaged(&format!("it has no checksum of {file}")));
    };
    check_sha256(file, &sha256(bytes), expected)
}

fn check_sha256(file: &str, found: &str, expected: &str) -> Result<(), CheckpointError> {
    if found == expected {
        return Ok(());
    }
    let expected = shown(expected);
    Err(CheckpointError::Damaged(format!(
        "{file} is damaged: its SHA-256 is {found}, meta.json says {expected}"
    )))
}

/// The error of a description that is not one of ours.
pub(super) fn damaged(reason: &str) -> CheckpointError {
    CheckpointError::Damaged(format!("meta.json is damaged or not ours: {reason}"))
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

/// A digest in hexadecimal digits.
pub fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

pub(super) fn json(meta: &Meta) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(meta).expect("strings, numbers and lists are always JSON");
    bytes.push(b'\n');
    bytes
}

pub(super) fn meta_checksum(meta: &Meta) -> String {
    sha256(&json(&Meta { meta_sha256: String::new(), ..meta.clone() }))
}

pub(super) fn read_meta(bytes: &[u8]) -> Result<Meta, CheckpointError> {
    /// The version alone: another version may have other fields.
    #[derive(Deserialize)]
    struct Version {
        schema: u64,
    }
    let no_json = |error: serde_json::Error| damaged(&one_line(&error.to_string()));
    let Version { schema } = serde_json::from_slice(bytes).map_err(no_json)?;
    if !(u64::from(OLDEST_SCHEMA)..=u64::from(SCHEMA)).contains(&schema) {
        return Err(CheckpointError::Damaged(format!(
            "meta.json has schema {schema}, this program reads schemas {OLDEST_SCHEMA} to {SCHEMA}; use the program that \
             wrote it"
        )));
    }
    let meta: Meta = serde_json::from_slice(bytes).map_err(no_json)?;
    check_sha256("meta.json", &meta_checksum(&meta), &meta.meta_sha256)?;
    let known = |file: &str| file == POLICY_FILE || (schema > 1 && EXTRA_FILES.contains(&file));
    if let Some(file) = meta.checksums.keys().find(|file| !known(file)) {
        let file = shown(file);
        return Err(damaged(&format!(
            "it names `{file}`, which is no file of a checkpoint with schema {schema}"
        )));
    }
    // The checksum is one of the content; spaces and the order of fields stand outside it.
    if json(&meta) != bytes {
        return Err(damaged("the same content, written in another way; copy the file as it was"));
    }
    Ok(meta)
}
