//! What the logs of a run remember beside their files: `log.json` of a checkpoint.
//!
//! With it a run that is resumed writes the lines that it would have written anyway: files are cut back to where they were
//! at the checkpoint, and means over several updates or episodes go on where they stopped.

use crate::run_dir::files::Prefix;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use thoughtcache_agents::learn::train::Episode;

/// Everything that is kept of the logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogState {
    pub(super) inputs: Inputs,
    pub(super) files: Files,
    pub(super) time: Times,
    pub(super) seen: Seen,
}

/// What a run is made of; the same for all of its starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inputs {
    /// The SHA-256 of the lines of `config.toml`, comments left out.
    pub(super) config_sha256: String,
    /// The SHA-256 of the recording that the scenario replays.
    pub(super) recording_sha256: Option<String>,
}

/// The part of each file that belongs to the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// That of `metrics.jsonl`.
    pub(super) metrics: Prefix,
    /// That of `eval.csv`.
    pub(super) eval: Prefix,
}

/// Seconds so far, over all starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Times {
    /// Exploring, stepping and learning.
    pub(super) training_s: f64,
    /// Since the run began, while a program was at it.
    pub(super) elapsed_s: f64,
}

/// What has been seen and goes into lines to come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    /// The baseline's mean cost per slot on the validation episodes.
    #[serde(with = "exact")]
    pub(super) baseline_cost: f64,
    /// The least validation cost so far.
    pub(super) best_cost: Option<f64>,
    /// Whether the run was stopped in the validation of the policy of this moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) must_validate: bool,
    pub(super) updates: u64,
    /// The decisions of the last line.
    pub(super) logged: u64,
    /// Numbers of the updates since the last line.
    pub(super) means: Vec<Mean>,
    /// Numbers that the next line holds as they are.
    pub(super) once: Vec<(String, Exact)>,
    /// The last episodes that ended.
    pub(super) episodes: VecDeque<Episode>,
}

/// A mean in the making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mean {
    pub(super) tag: String,
    #[serde(with = "exact")]
    pub(super) sum: f64,
    pub(super) count: u64,
}

/// A number that JSON keeps whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Exact(#[serde(with = "exact")] pub(super) f64);

impl LogState {
    /// The bytes of `log.json`.
    ///
    /// # Errors
    /// When a number of an episode is not finite, which no environment lets pass.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self).context("cannot write log.json")?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When it is not that.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let state: Self = serde_json::from_slice(bytes).context("log.json is not one of ours")?;
        ensure!(state.seen.means.iter().all(|mean| mean.count > 0), "log.json has a mean of nothing");
        let Times { training_s, elapsed_s } = state.time;
        ensure!(training_s >= 0.0 && elapsed_s >= 0.0, "log.json has a time below 0");
        Ok(state)
    }
}

/// Numbers in JSON, those that are not finite as words.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        Number(f64),
        Word(String),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if number.is_finite() { serializer.serialize_f64(*number) } else { serializer.collect_str(number) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Kept::deserialize(deserializer)? {
            Kept::Number(number) => Ok(number),
            Kept::Word(word) => {
                word.parse().map_err(|_| D::Error::custom(format!("\"{word}\" is no number")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> LogState {
        let mean = |tag: &str, sum: f64| Mean { tag: tag.into(), sum, count: 3 };
        LogState {
            inputs: Inputs { config_sha256: "ab".into(), recording_sha256: None },
            files: Files { metrics: Prefix { bytes: 7, sha256: "c".into() }, eval: Prefix::default() },
            time: Times { training_s: 0.1, elapsed_s: 1.0 },
            seen: Seen {
                baseline_cost: 0.1 + 0.2,
                best_cost: Some(1.0 / 3.0),
                must_validate: false,
                updates: 5,
                logged: 64,
                means: vec![
                    mean("one", f64::INFINITY),
                    mean("two", f64::NEG_INFINITY),
                    mean("three", f64::MIN_POSITIVE / 3.0),
                    mean("four", -0.0),
                ],
                once: vec![("warm_start/agreement".into(), Exact(1.0))],
                episodes: VecDeque::from([Episode { reward: -1e-300, decisions: 9, ..Episode::default() }]),
            },
        }
    }

    #[test]
    fn what_is_kept_comes_back_to_the_last_bit() {
        let bytes = state().to_bytes().unwrap();
        let read = LogState::from_bytes(&bytes).unwrap();
        assert_eq!(read, state());
        assert!(read.seen.means[3].sum.is_sign_negative());
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn nan_is_kept_too() {
        let mut nan = state();
        nan.seen.means[0].sum = f64::NAN;
        let read = LogState::from_bytes(&nan.to_bytes().unwrap()).unwrap();
        assert!(read.seen.means[0].sum.is_nan());
    }

    #[test]
    fn what_nobody_would_write_is_refused() {
        assert!(LogState::from_bytes(b"{}").is_err());
        let text = String::from_utf8(state().to_bytes().unwrap()).unwrap();
        for (from, to) in [
            ("\"count\":3", "\"count\":0"),
            ("\"inf\"", "\"infinite\""),
            ("0.1,", "-0.1,"),
            ("{\"inputs", "{\"more\":1,\"inputs"),
        ] {
            assert!(LogState::from_bytes(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }
}
