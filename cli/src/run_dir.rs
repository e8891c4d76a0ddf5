//! The folder of a run: what is written where, and when.
//!
//! ```text
//! config.toml         the resolved config; repeats the run
//! provenance.toml     version, commit, command, machine, libtorch, times; whether a state was kept; the starts that went on
//! metrics.jsonl       every number, authoritative
//! eval.csv            one line a validation
//! tensorboard/        the same numbers for TensorBoard
//! checkpoints/        best, last, step-N
//! nan/                the batch of a number that was not finite
//! ```
//! A folder that holds something is never made a run's; only `--resume` goes on in one. One program writes into a run at a
//! time: the folder is locked. Files that stand for something whole are written beside and renamed, and a checkpoint is a
//! folder that is put in place at once: a crash never leaves half of one.

pub(crate) mod checkpoints;
pub(crate) mod files;
mod provenance;

use anyhow::{Context, Result, bail, ensure};
use checkpoints::Checkpoints;
use fs4::{FileExt, TryLockError};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use files::write_whole;
pub(crate) use provenance::{FILE as PROVENANCE_FILE, Provenance};

/// Where runs without `--out` are put.
const RUNS: &str = "runs";
/// The resolved config: a folder without it is no run's.
pub(crate) const CONFIG_FILE: &str = "config.toml";
/// The config while it is being written.
const UNFINISHED_CONFIG: &str = "config.toml.new";

/// A run's folder, held by this program alone.
#[derive(Debug)]
pub(crate) struct RunDir {
    root: PathBuf,
    /// The folder, opened: the lock is gone when the program is, however it ends.
    _lock: File,
}

impl RunDir {
    /// Opens the folder of a run that is to go on.
    ///
    /// # Errors
    /// When it is no run's folder, or another program writes into it.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        check_is_run(root)?;
        Self::lock(root)
    }

    /// Holds a folder, whatever is in it.
    ///
    /// # Errors
    /// When another program holds it, or it cannot be opened.
    pub(crate) fn lock(root: &Path) -> Result<Self> {
        let context = || format!("cannot lock the run's folder {}", root.display());
        let folder = File::open(root).with_context(context)?;
        match FileExt::try_lock(&folder) {
            Err(TryLockError::WouldBlock) => bail!(
                "another thoughtcache is writing into {}: wait until it has ended, or end it with Ctrl-C",
                root.display()
            ),
            Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                Err(error).with_context(context)
            }
            // A file system without locks is trusted to have one user.
            Err(TryLockError::Error(_)) | Ok(()) => Ok(Self { root: root.to_owned(), _lock: folder }),
        }
    }

    /// Makes the folder that the user names. It may hold what a start leaves that was ended before its config was written.
    ///
    /// # Errors
    /// When something else is in it already, its name cannot stand in files and commands, or it cannot be made.
    pub(crate) fn create(root: &Path) -> Result<Self> {
        check_name(root)?;
        match fs::read_dir(root) {
            Ok(mut entries) => ensure!(
                entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == UNFINISHED_CONFIG)),
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
        Self::lock(root)
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
                Ok(()) => return Self::lock(&root),
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

    /// Its checkpoints.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.root)
    }
}

/// Makes sure that the name of a folder can stand in files and in commands that are printed.
///
/// # Errors
/// When it is no text, or has control characters.
pub(crate) fn check_name(root: &Path) -> Result<()> {
    ensure!(
        root.to_str().is_some_and(|name| !name.contains(char::is_control)),
        "{} cannot be a run's folder: its name must be UTF-8 text without control characters",
        root.display()
    );
    Ok(())
}

/// Makes sure that a folder is a run's.
///
/// # Errors
/// When it is not there, cannot be looked into, or has no config.
pub(crate) fn check_is_run(root: &Path) -> Result<()> {
    let (name, hint) = (root.display(), "name the folder of a run, as `train` printed it");
    let look = |path: &Path| match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).with_context(|| format!("cannot look into {name}")),
    };
    let Some(folder) = look(root)? else { bail!("no folder {name}: {hint}") };
    ensure!(folder.is_dir(), "{name} is a file: {hint}");
    if look(&root.join(CONFIG_FILE))?.is_some_and(|config| config.is_file()) {
        return Ok(());
    }
    ensure!(
        !root.join(UNFINISHED_CONFIG).exists(),
        "the run in {name} was ended before it began: start it again with train --config FILE --out {name}"
    );
    bail!("{name} is no run's folder: it has no {CONFIG_FILE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RunDir::create(folder.path()).is_ok(), "an empty folder is fine");
        fs::write(folder.path().join("config.toml.new"), "name = ").unwrap();
        assert!(RunDir::create(folder.path()).is_ok(), "so is one whose run was ended before it began");
        let error = RunDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("was ended before it began: start it again"), "{error}");
        fs::write(folder.path().join("notes"), "mine").unwrap();
        let error = RunDir::create(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not empty: a run is never overwritten"), "{error}");
    }

    #[test]
    fn a_run_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        run.write(CONFIG_FILE, "").unwrap();
        let error = RunDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("another thoughtcache is writing into "), "{error}");
        drop(run);
        assert!(RunDir::open(folder.path()).is_ok());
    }

    #[test]
    fn what_is_no_run_cannot_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("is no run's folder: it has no config.toml"), "{error}");
        let error = RunDir::open(&folder.path().join("absent")).unwrap_err().to_string();
        assert!(error.starts_with("no folder "), "{error}");
    }

    #[test]
    fn a_folder_is_not_called_something_else_because_it_cannot_be_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        // Permissions do not bind root: a name that is too long cannot be looked up by anybody.
        let error = format!("{:#}", RunDir::open(&folder.path().join("x".repeat(300))).unwrap_err());
        assert!(error.starts_with("cannot look into ") && !error.contains("no run's folder"), "{error}");
        fs::write(folder.path().join("file"), "").unwrap();
        let error = format!("{:#}", RunDir::open(&folder.path().join("file/run")).unwrap_err());
        assert!(error.starts_with("cannot look into "), "{error}");
    }

    #[test]
    fn names_that_break_a_config_or_a_command_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a\nb", "a\u{1b}[31m", "tab\t"] {
            let error = RunDir::create(&folder.path().join(name)).unwrap_err().to_string();
            assert!(error.ends_with("its name must be UTF-8 text without control characters"), "{error}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let name = std::ffi::OsStr::from_bytes(b"\xff");
            assert!(RunDir::create(&folder.path().join(name)).is_err());
        }
        assert!(RunDir::create(&folder.path().join("größe 2")).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
