//! Training runs as programs of their own, in a folder that is thrown away.

use crate::clock::Stopwatch;
use crate::experiment::Experiment;
use crate::run_dir::write_whole;
use anyhow::{Context, Result, anyhow, bail};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long a child may take before its run shows a sign of life.
const PATIENCE: Duration = Duration::from_secs(600);

/// A folder for the runs of one proof; gone when the proof is.
pub(super) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// A new folder in the system's place for such.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new() -> Result<Self> {
        let root = env::temp_dir().join(format!("thoughtcache-verify-{}", process::id()));
        fs::create_dir(&root).with_context(|| format!("cannot make the folder {}", root.display()))?;
        Ok(Self { root })
    }

    /// A place in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
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

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root); // the system clears its place for such in time
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

/// Trains in a child until it ends, or until it is killed.
///
/// # Errors
/// When the child cannot be started, or ends by itself and says that it could not work.
pub(super) fn train(
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
    let ended = watch(&mut child, moment, || count(&events) > before);
    if ended.is_err() {
        let _ = child.kill().and_then(|()| child.wait().map(drop)); // it has just been reported
    }
    match ended? {
        Ended::Killed => Ok(Ended::Killed),
        Ended::Done => {
            let status = child.wait().context("cannot wait for a child")?;
            if status.success() {
                return Ok(Ended::Done);
            }
            let said = fs::read_to_string(&complaints).unwrap_or_default();
            Err(anyhow!("the run in {} ended with {status}: {}", run.display(), said.trim()))
        }
    }
}

fn watch(child: &mut Child, moment: Option<Moment>, is_alive: impl Fn() -> bool) -> Result<Ended> {
    let Some(Moment { is_at_start, after }) = moment else {
        child.wait().context("cannot wait for a child")?;
        return Ok(Ended::Done);
    };
    let mut since = Stopwatch::start();
    let mut is_counting = is_at_start;
    loop {
        if child.try_wait().context("cannot wait for a child")?.is_some() {
            return Ok(Ended::Done);
        }
        if is_counting && since.elapsed() >= after {
            child.kill().context("cannot kill a child")?;
            child.wait().context("cannot wait for a child")?;
            return Ok(Ended::Killed);
        }
        if !is_counting && is_alive() {
            (is_counting, since) = (true, Stopwatch::start());
        } else if !is_counting && since.elapsed() > PATIENCE {
            bail!("a run showed no sign of life within {} s", PATIENCE.as_secs());
        }
        let rest = if is_counting { after.saturating_sub(since.elapsed()) } else { LOOK };
        thread::sleep(rest.min(LOOK));
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
