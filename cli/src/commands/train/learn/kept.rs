//! Checkpoints of a run that can go on: the policy, the trainer, the replay buffer where there is one, and the logs.

use super::log_state::LogState;
use crate::console::pasted;
use crate::run_dir::checkpoints::{CheckpointFile, Checkpoints, LAST, META_FILE};
use crate::run_dir::{CONFIG_FILE, RunDir};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use thoughtcache_agents::checkpoint::{Checkpoint, LOG_FILE, POLICY_FILE, REPLAY_FILE, TRAINER_FILE};
use thoughtcache_agents::learn::train::TrainerState;

/// A state that was read and whose checksums are right.
pub(super) struct Kept {
    /// Where it was found.
    pub(super) place: PathBuf,
    pub(super) decisions: u64,
    pub(super) trainer: Vec<u8>,
    pub(super) replay: Option<Vec<u8>>,
    pub(super) log: LogState,
}

/// Writes the state of a run as `last`, and under its own name first where the newest `keep` are kept.
///
/// # Errors
/// When a file cannot be written; what was there before is still there then.
pub(super) fn write(
    checkpoints: &Checkpoints,
    keep: usize,
    checkpoint: &Checkpoint,
    state: &TrainerState,
    log: &LogState,
) -> Result<()> {
    let log = log.to_bytes()?;
    let mut others: Vec<CheckpointFile> = vec![(TRAINER_FILE, &state.trainer), (LOG_FILE, &log)];
    others.extend(state.replay.as_deref().map(|replay| (REPLAY_FILE, replay)));
    let bytes = checkpoint.to_bytes_with(&others);
    let mut files: Vec<CheckpointFile> = vec![(POLICY_FILE, &bytes.policy)];
    files.append(&mut others);
    files.push((META_FILE, &bytes.meta));
    if keep > 0 {
        checkpoints.write(&Checkpoints::step_name(state.decisions), &files)?;
    }
    checkpoints.write(LAST, &files).map(drop)
}

/// Writes a policy that is no state of a run.
///
/// # Errors
/// When a file cannot be written; what was there before is still there then.
pub(super) fn write_policy(checkpoints: &Checkpoints, name: &str, checkpoint: &Checkpoint) -> Result<()> {
    let bytes = checkpoint.to_bytes();
    checkpoints.write(name, &[(POLICY_FILE, &bytes.policy), (META_FILE, &bytes.meta)]).map(drop)
}

/// Reads the state that a run goes on from: the one that is named, else `last`, else the newest whole one that is kept;
/// nothing where there is none.
///
/// # Errors
/// When there is none of this name, or a file is missing or damaged; the message says what else there is.
pub(super) fn read(folder: &RunDir, from: Option<&str>) -> Result<Option<Kept>> {
    let checkpoints = folder.checkpoints();
    let advice = |name: &str| advice(folder, &checkpoints, name);
    let named = from.unwrap_or(LAST);
    if checkpoints.is_damaged(named) {
        bail!(
            "{} is damaged: it has no {META_FILE}, which every checkpoint is written with{}",
            checkpoints.place(named).display(),
            advice(named)
        );
    }
    let candidates = from.map_or_else(|| states(&checkpoints), |name| vec![name.to_owned()]);
    let found = candidates.iter().find_map(|name| Some((name, checkpoints.find(name)?)));
    match (found, from) {
        (Some((name, place)), _) => read_place(&place)
            .map(Some)
            .map_err(|error| anyhow!("{}: {error:#}{}", place.display(), advice(name))),
        (None, Some(name)) => {
            bail!("{} has no checkpoint `{name}`{}", folder.root().display(), advice(name))
        }
        (None, None) => Ok(None),
    }
}

/// The names of the states that a run may have, the newest first; a kill while one was being removed leaves a part of it.
fn states(checkpoints: &Checkpoints) -> Vec<String> {
    let steps = checkpoints.steps().into_iter().rev().map(Checkpoints::step_name);
    iter::once(LAST.to_owned()).chain(steps).collect()
}

/// Makes a state the newest one of its run, so that a run that goes back to it and is killed goes on from there.
///
/// # Errors
/// When it cannot be copied.
pub(super) fn make_last(checkpoints: &Checkpoints, place: &Path) -> Result<()> {
    if checkpoints.find(LAST).as_deref() == Some(place) {
        return Ok(());
    }
    checkpoints.copy(place, LAST)
}

/// What to type when a checkpoint cannot be used.
fn advice(folder: &RunDir, checkpoints: &Checkpoints, not: &str) -> String {
    let (run, config) = (pasted(folder.root()), pasted(&folder.path(CONFIG_FILE)));
    let mut names = states(checkpoints);
    names.retain(|name| name != not && checkpoints.find(name).is_some());
    match names.first() {
        Some(name) => {
            format!("; there is also {}: thoughtcache train --resume {run} --from {name}", names.join(", "))
        }
        None => format!(
            "; there is no other state of this run; train it anew: thoughtcache train --config {config}"
        ),
    }
}

fn read_place(place: &Path) -> Result<Kept> {
    let bytes = |file: &str| fs::read(place.join(file)).with_context(|| format!("cannot read {file}"));
    let checkpoint = Checkpoint::from_bytes(&bytes(POLICY_FILE)?, &bytes(META_FILE)?)?;
    if !checkpoint.has_file(TRAINER_FILE) {
        bail!("this is a policy alone; a run cannot go on from it");
    }
    let whole = |file: &str| -> Result<Vec<u8>> {
        let bytes = bytes(file)?;
        checkpoint.verify(file, &bytes)?;
        Ok(bytes)
    };
    let replay = checkpoint.has_file(REPLAY_FILE).then(|| whole(REPLAY_FILE)).transpose()?;
    Ok(Kept {
        place: place.to_owned(),
        decisions: checkpoint.meta().decisions,
        trainer: whole(TRAINER_FILE)?,
        replay,
        log: LogState::from_bytes(&whole(LOG_FILE)?)?,
    })
}
