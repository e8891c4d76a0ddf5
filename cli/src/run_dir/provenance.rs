//! `provenance.toml`: what a number of a run depends on beside its config.

use super::files::write_whole;
use crate::clock;
use crate::console::quoted;
use crate::machine::Machine;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) const FILE: &str = "provenance.toml";

/// The starts of a run and its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    #[serde(flatten)]
    first: Start,
    /// When it ended, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// How: `done`, `interrupted`, `time limit` or `failed`; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<String>,
    /// Whether the run has kept its state at least once; absent where an older version did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) has_state: Option<bool>,
    /// The starts that went on from a checkpoint, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resumed: Vec<Resumed>,
}

/// Facts about a start of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Start {
    /// The program's version.
    version: String,
    /// The commit of the checkout that the program lies in, `+changes` when files differ from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// The command line.
    command: String,
    /// The version of libtorch, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    libtorch: Option<String>,
    /// The SHA-256 of the recording that the scenario replays, or of the digests of all files that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_sha256: Option<String>,
    /// When, UTC.
    started: String,
    machine: Machine,
}

/// A start that went on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Resumed {
    /// The decisions of the checkpoint; 0 when there was none yet.
    from_decisions: u64,
    #[serde(flatten)]
    start: Start,
}

impl Start {
    fn now(libtorch: Option<String>, recording_sha256: Option<String>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
            command: command_line(),
            libtorch,
            recording_sha256,
            started: clock::utc_now(),
            machine: Machine::this(),
        }
    }
}

impl Provenance {
    /// Returns the provenance of a run that starts.
    pub(crate) fn at_start(libtorch: Option<String>, recording_sha256: Option<String>) -> Self {
        Self {
            first: Start::now(libtorch, recording_sha256),
            ended: None,
            ending: None,
            has_state: Some(false),
            resumed: Vec::new(),
        }
    }

    /// What is known when a run goes on after so many decisions: its first start, and one more. Where the file is gone or
    /// not ours, this start is the first that is known.
    pub(crate) fn at_resume(
        run: &Path,
        from_decisions: u64,
        libtorch: Option<String>,
        recording_sha256: Option<String>,
    ) -> Self {
        let Some(mut provenance) = Self::read(run) else {
            return Self::at_start(libtorch, recording_sha256);
        };
        provenance.resumed.push(Resumed { from_decisions, start: Start::now(libtorch, recording_sha256) });
        Self { ended: None, ending: None, ..provenance }
    }

    /// Reads the provenance of the run in a folder, where there is one of ours.
    pub(crate) fn read(run: &Path) -> Option<Self> {
        toml::from_str(&fs::read_to_string(run.join(FILE)).ok()?).ok()
    }

    /// Whether the run in a folder has come to its end, as far as is known.
    pub(crate) fn is_of_a_done_run(run: &Path) -> bool {
        Self::read(run).is_some_and(|provenance| provenance.is_done())
    }

    fn is_done(&self) -> bool {
        self.ending.as_deref() == Some("done")
    }

    /// Returns the provenance with a note whether the run has kept its state.
    #[must_use]
    pub(crate) fn with_state(self, has_state: bool) -> Self {
        Self { has_state: Some(has_state), ..self }
    }

    /// Notes that a run has kept its state, in the folder of a run that is going on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn note_state(run: &Path) -> Result<()> {
        // Where the file was taken away, a state is not ruled out either.
        Self::read(run).map_or(Ok(()), |provenance| provenance.with_state(true).write(run))
    }

    /// Whether all of the run was done by this program on this machine.
    pub(crate) fn is_done_here(&self) -> bool {
        let here = Start::now(None, None);
        let place = |start: &Start| {
            let Start { version, commit, machine: Machine { cpu, system, .. }, .. } = start.clone();
            (version, commit, cpu, system)
        };
        let mut starts = self.resumed.iter().map(|resumed| &resumed.start).chain([&self.first]);
        self.is_done() && starts.all(|start| place(start) == place(&here))
    }

    /// Returns the provenance with the end of the run.
    #[must_use]
    pub(crate) fn at_end(self, ending: &str) -> Self {
        Self { ended: Some(clock::utc_now()), ending: Some(ending.to_owned()), ..self }
    }

    /// Writes it into the run's folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, run: &Path) -> Result<()> {
        let text = toml::to_string(self).context("cannot write provenance.toml")?;
        write_whole(&run.join(FILE), text.as_bytes())
    }
}

/// The command as one could type it again.
fn command_line() -> String {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or(&program).to_owned();
    let words = std::iter::once(program).chain(words);
    words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
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

    #[test]
    fn a_run_remembers_its_first_start_and_each_that_went_on() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let first = Provenance::at_start(Some("2.11.0".into()), None);
        first.clone().at_end("interrupted").write(run).unwrap();
        Provenance::at_resume(run, 64, None, None).write(run).unwrap();
        Provenance::at_resume(run, 128, None, None).at_end("done").write(run).unwrap();
        let text = fs::read_to_string(run.join(FILE)).unwrap();
        let read: Provenance = toml::from_str(&text).unwrap();
        assert_eq!(read.first, first.first);
        assert_eq!(read.resumed.iter().map(|start| start.from_decisions).collect::<Vec<_>>(), [64, 128]);
        assert_eq!(read.ending.as_deref(), Some("done"));
        assert_eq!(text.matches("[[resumed]]").count(), 2, "{text}");
    }

    #[test]
    fn a_run_has_a_state_once_that_is_noted_and_an_older_version_did_not_say() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let read = || Provenance::read(run).unwrap().has_state;
        Provenance::at_start(None, None).at_end("failed").write(run).unwrap();
        assert_eq!(read(), Some(false));
        Provenance::note_state(run).unwrap();
        assert_eq!(read(), Some(true));
        let resumed = Provenance::at_resume(run, 64, None, None);
        assert_eq!(resumed.has_state, Some(true), "what was noted stays");
        assert_eq!(resumed.with_state(false).has_state, Some(false), "it begins again");
        let text = fs::read_to_string(run.join(FILE)).unwrap();
        fs::write(run.join(FILE), text.replace("has_state = true\n", "")).unwrap();
        assert_eq!(read(), None);
        fs::remove_file(run.join(FILE)).unwrap();
        Provenance::note_state(run).unwrap();
        assert!(Provenance::read(run).is_none(), "nothing is made up");
    }

    #[test]
    fn a_file_that_is_not_ours_does_not_keep_a_run_from_going_on() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        fs::write(run.join(FILE), "mine = true").unwrap();
        assert_eq!(Provenance::at_resume(run, 64, None, None).resumed, []);
    }
}
