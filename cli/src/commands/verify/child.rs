//! Training runs as programs of their own, in a folder that is thrown away.

use crate::clock::Stopwatch;
use crate::experiment::Experiment;
use crate::interrupt::Stop;
use crate::run_dir::write_whole;
use crate::tensorboard::EVENTS_FOLDER;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long a child may take before its run shows a sign of life.
const PATIENCE: Duration = Duration::from_secs(600);

/// When a child is to be killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Whether the time counts from when the program starts; else from when its run goes on.
    pub(super) is_at_start: bool,
    pub(super) after: Duration,
}

/// A folder for the runs of one proof, which is removed with what is in it, and the signals that end the proof.
pub(super) struct Scratch<'a> {
    root: TempDir,
    stop: &'a Stop,
}

impl<'a> Scratch<'a> {
    /// A new folder in the system's place for such, of a name that nobody can know before.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(stop: &'a Stop) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("thoughtcache-verify-").tempdir();
        Ok(Self { root: root.context("cannot make a folder for the runs of this proof")?, stop })
    }

    /// A place in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes an experiment into it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, name: &str, experiment: &Experiment) -> Result<PathBuf> {
        let path = self.path(name);
        write_whole(&path, experiment.to_toml()?.as_bytes())?;
        Ok(path)
    }

    /// Trains in a child until it ends, or until it is killed: a new run of a config, else the run that is there. Returns
    /// whether it was killed.
    ///
    /// # Errors
    /// After Ctrl-C, and when the child cannot be started or says that it could not work.
    pub(super) fn train(
        &self,
        run: &Path,
        config: Option<&Path>,
        threads: Option<usize>,
        moment: Option<Moment>,
    ) -> Result<bool> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(["train", "--quiet"]);
        match config {
            Some(config) => command.arg("--config").arg(config).arg("--out").arg(run),
            None => command.arg("--resume").arg(run),
        };
        if let Some(threads) = threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        let complaints = run.with_extension("stderr");
        let errors =
            File::create(&complaints).with_context(|| format!("cannot write {}", complaints.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let events = run.join(EVENTS_FOLDER);
        let before = count(&events);
        let mut child = command.spawn().context("cannot start a child")?;
        let is_to_be_killed = self.watch(&mut child, moment, || count(&events) > before);
        if !matches!(is_to_be_killed, Ok(false)) {
            let _ = child.kill(); // it may have ended by itself
        }
        let status = child.wait().context("cannot wait for a child")?;
        let is_killed = is_to_be_killed?;
        if !is_killed && !status.success() {
            let said = fs::read_to_string(&complaints).unwrap_or_default();
            bail!("the run in {} ended with {status}: {}", run.display(), said.trim());
        }
        Ok(is_killed)
    }

    /// Waits until a child has ended or is to be killed. Returns whether it is.
    fn watch(&self, child: &mut Child, moment: Option<Moment>, is_alive: impl Fn() -> bool) -> Result<bool> {
        let mut since = Stopwatch::start();
        let mut is_counting = moment.is_some_and(|moment| moment.is_at_start);
        loop {
            if let Some(reason) = self.stop.reason() {
                return Err(reason.into());
            }
            if child.try_wait().context("cannot wait for a child")?.is_some() {
                return Ok(false);
            }
            if let Some(Moment { after, .. }) = moment {
                if is_counting && since.elapsed() >= after {
                    return Ok(true);
                }
                if !is_counting && is_alive() {
                    (is_counting, since) = (true, Stopwatch::start());
                } else if !is_counting && since.elapsed() > PATIENCE {
                    bail!("a run showed no sign of life within {} s", PATIENCE.as_secs());
                }
            }
            thread::sleep(LOOK);
        }
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
