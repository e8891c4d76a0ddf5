//! The checkpoints of a run on disk: each is a folder that is put in place at once.
//!
//! ```text
//! best/      the policy with the least validation cost
//! last/      the newest state of the whole run: what `--resume` goes on from
//! step-N/    the same after N decisions, as many as `keep_checkpoints` asks for
//! ```
//! A folder `NAME` is written as `.NAME.new`, every file and the folder itself synced; then the one before moves to
//! `.NAME.old`, the new one takes its place, and the old one is removed. Whenever a crash comes, one of the three is whole:
//! [`Checkpoints::find`] takes the newest that is, [`Checkpoints::recover`] puts it in its place.

use super::files::{sync_folder, write_synced};
use anyhow::{Context, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The description beside the other files; it is written last, and has their checksums.
pub(crate) const META_FILE: &str = "meta.json";
/// What the checkpoints of single moments are called, before their number.
const STEP: &str = "step-";

/// A file of a checkpoint: its name and its bytes.
pub(crate) type CheckpointFile<'a> = (&'a str, &'a [u8]);

/// The folder `checkpoints` of a run.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    root: PathBuf,
}

/// The three places that one checkpoint can be in.
struct Places {
    place: PathBuf,
    fresh: PathBuf,
    stale: PathBuf,
}

impl Checkpoints {
    /// Those of the run in this folder.
    pub(crate) fn of(run: &Path) -> Self {
        Self { root: run.join("checkpoints") }
    }

    /// Where the checkpoint of this name stands.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn places(&self, name: &str) -> Places {
        Places {
            place: self.place(name),
            fresh: self.root.join(format!(".{name}.new")),
            stale: self.root.join(format!(".{name}.old")),
        }
    }

    /// Puts a checkpoint in place of the one of this name; the last of the files is the one that names the others.
    ///
    /// # Errors
    /// When it cannot be written; the checkpoint before is still there then.
    pub(crate) fn write(&self, name: &str, files: &[CheckpointFile]) -> Result<PathBuf> {
        let Places { place, fresh, stale } = self.places(name);
        let put = || -> io::Result<()> {
            fs::create_dir_all(&self.root)?;
            remove(&fresh)?;
            fs::create_dir(&fresh)?;
            for (file, bytes) in files {
                // A folder counts as whole once it has the description, so that one must not be there in part.
                let beside = fresh.join(format!(".{file}.part"));
                write_synced(&beside, bytes)?;
                fs::rename(&beside, fresh.join(file))?;
            }
            sync_folder(&fresh)?;
            if place.exists() {
                remove(&stale)?;
                fs::rename(&place, &stale)?;
            }
            fs::rename(&fresh, &place)?;
            sync_folder(&self.root)?;
            remove(&stale)
        };
        put().with_context(|| format!("cannot write the checkpoint {}", place.display()))?;
        Ok(place)
    }

    /// Puts a copy of a checkpoint in place of another one.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn copy(&self, place: &Path, name: &str) -> Result<()> {
        let context = || format!("cannot read the checkpoint {}", place.display());
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for entry in fs::read_dir(place).with_context(context)? {
            let path = entry.with_context(context)?.path();
            let file = path.file_name().map_or_else(String::new, |file| file.to_string_lossy().into_owned());
            files.push((file, fs::read(&path).with_context(context)?));
        }
        // The description last, as ever.
        files.sort_by_key(|(file, _)| (file == META_FILE, file.clone()));
        let files: Vec<CheckpointFile> =
            files.iter().map(|(file, bytes)| (file.as_str(), bytes.as_slice())).collect();
        self.write(name, &files).map(drop)
    }

    /// The newest whole checkpoint of this name: in its place, or beside it after a crash between two renames.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let Places { place, fresh, stale } = self.places(name);
        // The description is written last and synced: a folder that has it was whole before the crash.
        let is_whole = |place: &PathBuf| place.join(META_FILE).is_file();
        // What stands in its place was whole when it was put there: without its description it was damaged since.
        if place.exists() { Some(place).filter(is_whole) } else { [fresh, stale].into_iter().find(is_whole) }
    }

    /// Whether anything of a checkpoint of this name is there, whole or not.
    pub(crate) fn is_there(&self, name: &str) -> bool {
        let Places { place, fresh, stale } = self.places(name);
        [place, fresh, stale].iter().any(|place| place.exists())
    }

    /// Whether the checkpoint of this name stands in its place and has lost its description.
    pub(crate) fn is_damaged(&self, name: &str) -> bool {
        self.place(name).exists() && self.find(name).is_none()
    }

    /// Puts the newest whole checkpoint of every name in its place, and removes what a crash has left.
    ///
    /// # Errors
    /// When a folder cannot be renamed or removed.
    pub(crate) fn recover(&self) -> Result<()> {
        let context = || format!("cannot tidy {}", self.root.display());
        for name in self.names_beside().with_context(context)? {
            let Places { place, fresh, stale } = self.places(&name);
            let put = || -> io::Result<()> {
                if !place.exists() {
                    let whole = [&fresh, &stale].into_iter().find(|beside| beside.join(META_FILE).is_file());
                    if let Some(whole) = whole {
                        fs::rename(whole, &place)?;
                        sync_folder(&self.root)?;
                    }
                }
                remove(&fresh)?;
                remove(&stale)
            };
            put().with_context(context)?;
        }
        Ok(())
    }

    /// The names of which something stands beside.
    fn names_beside(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let beside = name.strip_prefix('.');
            let beside = beside.and_then(|n| n.strip_suffix(".new").or_else(|| n.strip_suffix(".old")));
            names.extend(beside.map(str::to_owned));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether a crash has left something beside a checkpoint.
    pub(crate) fn is_untidy(&self) -> bool {
        self.names_beside().is_ok_and(|names| !names.is_empty())
    }

    /// The name of the checkpoint after so many decisions.
    pub(crate) fn step_name(decisions: u64) -> String {
        format!("{STEP}{decisions}")
    }

    /// The decisions of the checkpoints of single moments, in order.
    pub(crate) fn steps(&self) -> Vec<u64> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut steps: Vec<u64> = entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(STEP)?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// Removes the checkpoints of single moments but for the newest `keep`.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(crate) fn retain(&self, keep: usize) -> Result<()> {
        let steps = self.steps();
        for &step in &steps[..steps.len().saturating_sub(keep)] {
            self.forget(&Self::step_name(step))?;
        }
        Ok(())
    }

    /// Removes the checkpoints of moments after so many decisions: a run that goes on from there takes them again.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(crate) fn forget_after(&self, decisions: u64) -> Result<()> {
        for step in self.steps().into_iter().filter(|&step| step > decisions) {
            self.forget(&Self::step_name(step))?;
        }
        Ok(())
    }

    /// Removes a checkpoint, its description first: whatever a crash leaves of it is not taken for a whole one.
    fn forget(&self, name: &str) -> Result<()> {
        let place = self.place(name);
        let removed = match fs::remove_file(place.join(META_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => remove(&place),
        };
        removed.with_context(|| format!("cannot remove the checkpoint {}", place.display()))
    }
}

/// Removes a folder with all that is in it, if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "policy.safetensors";

    fn files(policy: &str) -> [(&'static str, Vec<u8>); 2] {
        [(POLICY, policy.as_bytes().to_vec()), (META_FILE, b"{}".to_vec())]
    }

    fn write(checkpoints: &Checkpoints, name: &str, policy: &str) -> PathBuf {
        let files = files(policy);
        let files: Vec<CheckpointFile> =
            files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        checkpoints.write(name, &files).unwrap()
    }

    /// A folder as a crash leaves it.
    fn leave(run: &Path, name: &str, files: &[(&str, Vec<u8>)]) {
        let folder = run.join("checkpoints").join(name);
        fs::create_dir_all(&folder).unwrap();
        for (file, bytes) in files {
            fs::write(folder.join(file), bytes).unwrap();
        }
    }

    fn policy(checkpoints: &Checkpoints, name: &str) -> Option<String> {
        checkpoints.find(name).map(|place| fs::read_to_string(place.join(POLICY)).unwrap())
    }

    fn names(run: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(run.join("checkpoints"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_checkpoint_takes_the_place_of_the_old_one_and_leaves_nothing_beside() {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(run.path());
        assert_eq!(policy(&checkpoints, "best"), None);
        write(&checkpoints, "best", "one");
        write(&checkpoints, "best", "two");
        assert_eq!(policy(&checkpoints, "best").unwrap(), "two");
        assert_eq!(names(run.path()), ["best"]);
    }

    #[test]
    fn whenever_a_crash_comes_the_newest_whole_checkpoint_is_found_and_put_in_its_place() {
        type Left<'a> = Option<&'a [(&'static str, Vec<u8>)]>;
        let half = [(POLICY, b"ha".to_vec())];
        let (old, new) = (files("old"), files("new"));
        // What stands in the place, fresh and stale, after each step of a write; and which is to be found.
        let crashes: [(Left, Left, Left, Option<&str>); 7] = [
            (None, Some(&half), None, None),
            (None, Some(&new), None, Some("new")),
            (Some(&old), Some(&half), None, Some("old")),
            (Some(&old), Some(&new), None, Some("old")),
            (None, Some(&new), Some(&old), Some("new")),
            (Some(&new), None, Some(&old), Some("new")),
            (None, Some(&half), Some(&old), Some("old")), // a folder that lost a file, or a hand that removed the place
        ];
        for (number, (place, fresh, stale, expected)) in crashes.into_iter().enumerate() {
            let run = tempfile::tempdir().unwrap();
            let checkpoints = Checkpoints::of(run.path());
            for (name, left) in [("last", place), (".last.new", fresh), (".last.old", stale)] {
                if let Some(files) = left {
                    leave(run.path(), name, files);
                }
            }
            assert_eq!(policy(&checkpoints, "last").as_deref(), expected, "found after crash {number}");
            checkpoints.recover().unwrap();
            assert_eq!(policy(&checkpoints, "last").as_deref(), expected, "in place after crash {number}");
            assert!(!checkpoints.is_untidy());
            write(&checkpoints, "last", "next");
            assert_eq!(names(run.path()), ["last"]);
        }
    }

    #[test]
    fn a_checkpoint_in_its_place_that_lost_its_description_is_damaged_and_nothing_beside_stands_for_it() {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(run.path());
        assert!(!checkpoints.is_damaged("last"), "it is not there");
        leave(run.path(), ".last.old", &files("old"));
        assert!(!checkpoints.is_damaged("last"), "a crash between two renames");
        leave(run.path(), "last", &[(POLICY, b"new".to_vec())]);
        assert_eq!((policy(&checkpoints, "last"), checkpoints.is_damaged("last")), (None, true));
    }

    #[test]
    fn a_write_after_a_crash_needs_no_recovery() {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(run.path());
        leave(run.path(), ".best.new", &[(POLICY, b"half".to_vec())]);
        leave(run.path(), ".best.old", &files("old"));
        write(&checkpoints, "best", "whole");
        assert_eq!(policy(&checkpoints, "best").unwrap(), "whole");
    }

    #[test]
    fn the_newest_moments_are_kept_by_number_and_not_by_name() {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(run.path());
        for step in [900, 1_000, 10_000] {
            write(&checkpoints, &Checkpoints::step_name(step), "policy");
        }
        write(&checkpoints, "last", "policy");
        checkpoints.retain(2).unwrap();
        assert_eq!(checkpoints.steps(), [1_000, 10_000]);
        checkpoints.forget_after(1_000).unwrap();
        assert_eq!(checkpoints.steps(), [1_000]);
        checkpoints.retain(0).unwrap();
        assert_eq!(names(run.path()), ["last"]);
    }
}
