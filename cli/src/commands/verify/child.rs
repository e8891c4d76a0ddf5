//! Training runs as programs of their own, in a folder that is thrown away.

use crate::clock::Stopwatch;
use crate::experiment::Experiment;
use crate::interrupt::Interrupt;
use crate::run_dir::write_whole;
use anyhow::{Context, Error, Result, anyhow, bail};
use std::env;
use std::fmt::{self, Display};
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

/// Ctrl-C, or a request of the system to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted;

impl Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// A folder for the runs of one proof, which is removed with what is in it, and the signals that end the proof.
pub(super) struct Scratch {
    root: TempDir,
    interrupt: Interrupt,
}

impl Scratch {
    /// A new folder in the system's place for such, of a name that nobody can know before.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new() -> Result<Self> {
        let interrupt = Interrupt::listen()?;
        let root = tempfile::Builder::new().prefix("thoughtcache-verify-").tempdir();
        Ok(Self { root: root.context("cannot make a folder for the runs of this proof")?, interrupt })
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
}

/// How a child begins.
#[derive(Clone, Copy)]
pub(super) enum Begin<'a> {
    /// A new run of this config.
    New(&'a Path),
    /// The run that is there.
    Resume,
}

/// When a child is to be killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Whether the time counts from when the program starts; else from when its run goes on.
    pub(super) is_at_start: bool,
    pub(super) after: Duration,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Done,
    /// By us.
    Killed,
}

impl Scratch {
    /// Trains in a child until it ends, or until it is killed.
    ///
    /// # Errors
    /// [`Interrupted`], and when the child cannot be started or says that it could not work.
    pub(super) fn train(
        &self,
        run: &Path,
        begin: Begin,
        threads: Option<usize>,
        moment: Option<Moment>,
    ) -> Result<Ended> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(["train", "--quiet"]);
        match begin {
            Begin::New(config) => command.arg("--config").arg(config).arg("--out").arg(run),
            Begin::Resume => command.arg("--resume").arg(run),
        };
        if let Some(threads) = threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        let complaints = run.with_extension("stderr");
        let errors =
            File::create(&complaints).with_context(|| format!("cannot write {}", complaints.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let events = run.join("tensorboard");
        let before = count(&events);
        let mut child = command.spawn().context("cannot start a child")?;
        let ended = self.watch(&mut child, moment, || count(&events) > before);
        if !matches!(ended, Ok(Ended::Done)) {
            let _ = child.kill(); // it may have ended by itself
        }
        let status = child.wait().context("cannot wait for a child")?;
        if ended? == Ended::Killed {
            return Ok(Ended::Killed);
        }
        if status.success() {
            return Ok(Ended::Done);
        }
        let said = fs::read_to_string(&complaints).unwrap_or_default();
        Err(anyhow!("the run in {} ended with {status}: {}", run.display(), said.trim()))
    }

    /// Waits until a child has ended or is to be killed.
    fn watch(&self, child: &mut Child, moment: Option<Moment>, is_alive: impl Fn() -> bool) -> Result<Ended> {
        let mut since = Stopwatch::start();
        let mut is_counting = moment.is_some_and(|moment| moment.is_at_start);
        loop {
            if self.interrupt.is_pressed() {
                return Err(Error::new(Interrupted));
            }
            if child.try_wait().context("cannot wait for a child")?.is_some() {
                return Ok(Ended::Done);
            }
            if let Some(Moment { after, .. }) = moment {
                if is_counting && since.elapsed() >= after {
                    return Ok(Ended::Killed);
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
