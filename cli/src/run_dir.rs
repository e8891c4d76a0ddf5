//! The folder of a run: what is written where, and when.
//!
//! ```text
//! config.toml         the resolved config; repeats the run
//! provenance.toml     version, commit, command, machine, libtorch, times
//! metrics.jsonl       every number, authoritative
//! eval.csv            one line a validation
//! tensorboard/        the same numbers for TensorBoard
//! checkpoints/best/   policy.safetensors, meta.json
//! ```
//! A folder that holds something is never written into. Files that stand for something whole are written beside and
//! renamed, and a checkpoint is a folder that is put in place at once: a crash never leaves half of one.

use crate::clock;
use crate::machine::Machine;
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use thoughtcache_agents::checkpoint::{CheckpointBytes, POLICY_FILE, sha256_of_reader};

/// Where runs without `--out` are put.
const RUNS: &str = "runs";
/// The description beside the weights.
const META_FILE: &str = "meta.json";

/// A run's folder, made for one run and new.
#[derive(Clone, Debug)]
pub(crate) struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Makes the folder that the user names.
    ///
    /// # Errors
    /// When something is in it already, or it cannot be made.
    pub(crate) fn create(root: &Path) -> Result<Self> {
        match fs::read_dir(root) {
            Ok(mut entries) => ensure!(
                entries.next().is_none(),
                "{} is not empty: a run is never overwritten; name another folder with --out, or remove that one",
                root.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(root)
                    .with_context(|| format!("cannot make the run's folder {}", root.display()))?;
            }
            Err(_) if root.is_file() => bail!("{} is a file; name a folder for the run", root.display()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot use {} as the run's folder", root.display()));
            }
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Makes `runs/NAME-N` with the least N that is free.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create_numbered(name: &str) -> Result<Self> {
        let context = |path: &Path| format!("cannot make the run's folder {}", path.display());
        fs::create_dir_all(RUNS).with_context(|| context(Path::new(RUNS)))?;
        for number in 1_u32.. {
            let root = Path::new(RUNS).join(format!("{name}-{number}"));
            match fs::create_dir(&root) {
                Ok(()) => return Ok(Self { root }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| context(&root)),
            }
        }
        bail!("{RUNS}/ holds every number of {name}; remove some")
    }

    /// Where it is, as the user would type it.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The place of one of its files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a whole file, beside and renamed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        write_whole(&self.path(name), text.as_bytes())
    }

    /// Puts a checkpoint in place of the one of this name: the new folder is written beside, the old one is moved away,
    /// the new one takes its place.
    ///
    /// # Errors
    /// When it cannot be written; the checkpoint before is still there then.
    pub(crate) fn write_checkpoint(&self, name: &str, bytes: &CheckpointBytes) -> Result<PathBuf> {
        let all = self.path("checkpoints");
        let (place, fresh, stale) =
            (all.join(name), all.join(format!(".{name}.new")), all.join(format!(".{name}.old")));
        let put = || -> io::Result<()> {
            for leftover in [&fresh, &stale] {
                if leftover.exists() {
                    fs::remove_dir_all(leftover)?;
                }
            }
            fs::create_dir_all(&fresh)?;
            write_synced(&fresh.join(POLICY_FILE), &bytes.policy)?;
            write_synced(&fresh.join(META_FILE), &bytes.meta)?;
            if place.exists() {
                fs::rename(&place, &stale)?;
            }
            fs::rename(&fresh, &place)?;
            if stale.exists() {
                fs::remove_dir_all(&stale)?;
            }
            Ok(())
        };
        put().with_context(|| format!("cannot write the checkpoint {}", place.display()))?;
        Ok(place)
    }
}

/// Writes a file beside its place and renames it.
///
/// # Errors
/// When it cannot be written; what was there before is still there then.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    write_synced(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `provenance.toml`: what a number of this run depends on beside its config.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Provenance {
    /// The program's version.
    version: &'static str,
    /// The commit of the checkout that the program lies in, `+changes` when files differ from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// What was typed.
    command: String,
    /// The version of libtorch, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    libtorch: Option<String>,
    /// The SHA-256 of the recording that the scenario replays.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_sha256: Option<String>,
    /// When the run began, UTC.
    started: String,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// How: `done`, `interrupted` or `failed`; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<&'static str>,
    machine: Machine,
}

impl Provenance {
    /// What is known at the start of a run.
    pub(crate) fn at_start(libtorch: Option<String>, recording: Option<&Path>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            command: command_line(),
            libtorch,
            recording_sha256: recording
                .and_then(|path| File::open(path).ok())
                .and_then(|file| sha256_of_reader(file).ok()),
            started: clock::utc_now(),
            ended: None,
            ending: None,
            machine: Machine::this(),
        }
    }

    /// The same at its end.
    #[must_use]
    pub(crate) fn at_end(self, ending: &'static str) -> Self {
        Self { ended: Some(clock::utc_now()), ending: Some(ending), ..self }
    }

    /// Writes it into the run's folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, run: &RunDir) -> Result<()> {
        let text = toml::to_string(self).context("cannot write provenance.toml")?;
        run.write("provenance.toml", &text)
    }
}

/// The command as one could type it again.
fn command_line() -> String {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let program =
        Path::new(&program).file_name().map_or(program.clone(), |name| name.to_string_lossy().into_owned());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    std::iter::once(program)
        .chain(words.map(|word| {
            let needs_quotes = word.is_empty() || !word.chars().all(is_plain);
            if needs_quotes { format!("'{}'", word.replace('\'', "'\\''")) } else { word }
        }))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The commit of the checkout that holds this very program; nothing when it was installed elsewhere.
fn commit() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(program.parent()?).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        let output = git.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+changes") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(policy: &str) -> CheckpointBytes {
        CheckpointBytes { policy: policy.into(), meta: b"{}".to_vec() }
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RunDir::create(folder.path()).is_ok(), "an empty folder is fine");
        fs::write(folder.path().join("notes"), "mine").unwrap();
        let error = RunDir::create(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not empty: a run is never overwritten"), "{error}");
    }

    #[test]
    fn a_new_checkpoint_takes_the_place_of_the_old_one_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        run.write_checkpoint("best", &checkpoint("one")).unwrap();
        let place = run.write_checkpoint("best", &checkpoint("two")).unwrap();
        assert_eq!(fs::read_to_string(place.join(POLICY_FILE)).unwrap(), "two");
        assert_eq!(fs::read_dir(run.path("checkpoints")).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_beside_does_not_keep_a_checkpoint_from_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        fs::create_dir_all(run.path("checkpoints/.best.new")).unwrap();
        fs::write(run.path("checkpoints/.best.new/policy.safetensors"), "half").unwrap();
        let place = run.write_checkpoint("best", &checkpoint("whole")).unwrap();
        assert_eq!(fs::read_to_string(place.join(POLICY_FILE)).unwrap(), "whole");
    }
}
