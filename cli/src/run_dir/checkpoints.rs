//! The checkpoints of a run on disk: each is a folder that is put in place at once.
//!
//! ```text
//! best/        the policy with the least validation cost
//! last/        the newest state of the whole run: what `--resume` goes on from
//! step-N/      the same after N decisions, as many as `keep_checkpoints` asks for
//! .removed-N/  a folder that is being removed
//! ```
//! A folder `NAME` is written as `.NAME.new`, every file and the folder itself synced; then the one before moves to
//! `.NAME.old` and the new one takes its place. Whatever goes wrong, one of the three is whole: [`Checkpoints::find`] returns
//! the newest that is, [`Checkpoints::recover`] puts it in its place. A folder is renamed before it is removed, so that no
//! part of one stands under its name; what cannot be removed is tried again later and stops nothing.

use super::files::{sync_folder, write_synced};
use anyhow::{Context, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The description beside the other files; it is written last, and has their checksums.
pub(crate) const META_FILE: &str = "meta.json";
/// The policy with the least validation cost.
pub(crate) const BEST: &str = "best";
/// The newest state of a run.
pub(crate) const LAST: &str = "last";
/// The prefix of checkpoints of single moments, before their number.
const STEP: &str = "step-";
/// The prefix of folders that are being removed, before their number.
const REMOVED: &str = ".removed-";

/// A file of a checkpoint: its name and its bytes.
pub(crate) type CheckpointFile<'a> = (&'a str, &'a [u8]);

/// The folder `checkpoints` of a run.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoints {
    root: PathBuf,
}

impl Checkpoints {
    /// Returns the checkpoints of the run in this folder.
    pub(crate) fn of(run: &Path) -> Self {
        Self { root: run.join("checkpoints") }
    }

    /// Where the checkpoint of this name stands.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The three places that one checkpoint can be in: its own, the fresh one's and the stale one's.
    fn places(&self, name: &str) -> [PathBuf; 3] {
        [name, &format!(".{name}.new"), &format!(".{name}.old")].map(|name| self.root.join(name))
    }

    /// Puts a checkpoint in place of the one of this name; the last of the files is the one that names the others.
    ///
    /// # Errors
    /// When it cannot be written; the checkpoint before is still there then.
    pub(crate) fn write(&self, name: &str, files: &[CheckpointFile]) -> Result<PathBuf> {
        let [place, fresh, stale] = self.places(name);
        let put = || -> io::Result<()> {
            fs::create_dir_all(&self.root)?;
            self.set_aside(&fresh)?;
            disk(|| fs::create_dir(&fresh))?;
            for (file, bytes) in files {
                // A folder counts as whole once it has the description, so that one must not be there in part.
                let beside = fresh.join(format!(".{file}.part"));
                write_synced(&beside, bytes)?;
                disk(|| fs::rename(&beside, fresh.join(file)))?;
            }
            disk(|| sync_folder(&fresh))?;
            if place.exists() {
                self.set_aside(&stale)?;
                disk(|| fs::rename(&place, &stale))?;
            }
            disk(|| fs::rename(&fresh, &place))?;
            disk(|| sync_folder(&self.root))
        };
        let written = put();
        // The one before goes back to its place where the new one did not come to it.
        if place.exists() || disk(|| fs::rename(&stale, &place)).is_ok() {
            // What cannot be set aside now is set aside by the next write.
            let _ = self.set_aside(&fresh).and(self.set_aside(&stale));
            let _ = self.sweep();
        }
        written.with_context(|| format!("cannot write the checkpoint {}", place.display()))?;
        Ok(place)
    }

    /// Puts a copy of a checkpoint in place of another one.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn copy(&self, place: &Path, name: &str) -> Result<()> {
        let context = || format!("cannot read the checkpoint {}", place.display());
        let mut names = names_in(place).with_context(context)?;
        // The description last, as ever.
        names.sort_by_key(|file| (file == META_FILE, file.clone()));
        let bytes = names.iter().map(|file| fs::read(place.join(file)));
        let bytes = bytes.collect::<io::Result<Vec<_>>>().with_context(context)?;
        let files: Vec<CheckpointFile> =
            names.iter().map(String::as_str).zip(bytes.iter().map(Vec::as_slice)).collect();
        self.write(name, &files).map(drop)
    }

    /// The newest whole checkpoint of this name: in its place, or beside it where it was not brought to its place.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        let [place, fresh, stale] = self.places(name);
        // What stands in its place was whole when it was put there: without its description it was damaged since.
        if place.exists() {
            Some(place).filter(|place| is_whole(place))
        } else {
            [fresh, stale].into_iter().find(|place| is_whole(place))
        }
    }

    /// Whether anything of a checkpoint of this name is there, whole or not.
    pub(crate) fn is_there(&self, name: &str) -> bool {
        self.places(name).iter().any(|place| place.exists())
    }

    /// Whether the checkpoint of this name stands in its place and has lost its description.
    pub(crate) fn is_damaged(&self, name: &str) -> bool {
        self.place(name).exists() && self.find(name).is_none()
    }

    /// Puts the newest whole checkpoint of every name in its place, and removes what was left beside.
    ///
    /// # Errors
    /// When a folder cannot be renamed.
    pub(crate) fn recover(&self) -> Result<()> {
        let recover = || -> io::Result<()> {
            for beside in self.beside()? {
                let name = beside.strip_suffix(".new").or_else(|| beside.strip_suffix(".old"));
                let Some(name) = name.and_then(|name| name.strip_prefix('.')) else { continue };
                let [place, fresh, stale] = self.places(name);
                if !place.exists()
                    && let Some(whole) = self.find(name)
                {
                    disk(|| fs::rename(&whole, &place))?;
                    disk(|| sync_folder(&self.root))?;
                }
                self.set_aside(&fresh)?;
                self.set_aside(&stale)?;
            }
            Ok(())
        };
        recover().with_context(|| format!("cannot tidy {}", self.root.display()))?;
        let _ = self.sweep(); // what cannot be removed stops no run
        Ok(())
    }

    /// Whether something was left beside a checkpoint.
    pub(crate) fn is_untidy(&self) -> bool {
        self.beside().is_ok_and(|names| !names.is_empty())
    }

    /// The names of the folders that are no checkpoints, in order.
    fn beside(&self) -> io::Result<Vec<String>> {
        let mut names = match names_in(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        names.retain(|name| name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    /// Renames a folder, if it is there, so that nothing takes it or a part of it for a checkpoint.
    fn set_aside(&self, folder: &Path) -> io::Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        let mut number = 0_u64;
        while self.root.join(format!("{REMOVED}{number}")).exists() {
            number += 1;
        }
        disk(|| fs::rename(folder, self.root.join(format!("{REMOVED}{number}"))))
    }

    /// Removes what was set aside.
    ///
    /// # Errors
    /// When one of the folders cannot be removed; the others are, and it is tried again at the next occasion.
    pub(crate) fn sweep(&self) -> Result<()> {
        let (mut removed, context) = (Ok(()), || format!("cannot tidy {}", self.root.display()));
        for name in self.beside().with_context(context)?.iter().filter(|name| name.starts_with(REMOVED)) {
            removed = removed.and(disk(|| fs::remove_dir_all(self.root.join(name))));
        }
        removed.with_context(context)
    }

    /// The name of the checkpoint after so many decisions.
    pub(crate) fn step_name(decisions: u64) -> String {
        format!("{STEP}{decisions}")
    }

    /// The decisions of the checkpoints of single moments, in order.
    pub(crate) fn steps(&self) -> Vec<u64> {
        // An entry that cannot be read hides no other.
        let names = fs::read_dir(&self.root).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let mut steps: Vec<u64> =
            names.filter_map(|name| name.to_str()?.strip_prefix(STEP)?.parse().ok()).collect();
        steps.sort_unstable();
        steps
    }

    /// Removes the checkpoints of single moments but for the newest `keep`.
    ///
    /// # Errors
    /// When a folder cannot be removed; the others are removed.
    pub(crate) fn retain(&self, keep: usize) -> Result<()> {
        let steps = self.steps();
        self.forget(&steps[..steps.len().saturating_sub(keep)]).and(self.sweep())
    }

    /// Removes the checkpoints of moments after so many decisions: a run that goes on from there writes them again.
    ///
    /// # Errors
    /// When a folder cannot be renamed away. A renamed folder that cannot be removed stops no run.
    pub(crate) fn forget_after(&self, decisions: u64) -> Result<()> {
        let mut steps = self.steps();
        steps.retain(|&step| step > decisions);
        self.forget(&steps)?;
        let _ = self.sweep(); // what cannot be removed is tried again
        Ok(())
    }

    /// Takes the names of checkpoints away.
    fn forget(&self, steps: &[u64]) -> Result<()> {
        let mut forgotten = Ok(());
        for &step in steps {
            let place = self.place(&Self::step_name(step));
            let set_aside = self.set_aside(&place);
            let context = || format!("cannot remove the checkpoint {}", place.display());
            forgotten = forgotten.and(set_aside.with_context(context));
        }
        forgotten
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Whether a folder is a whole checkpoint: the description is written last, when everything else is on the disk.
fn is_whole(place: &Path) -> bool {
    place.join(META_FILE).is_file()
}

/// A call that changes folders. In tests any of them can fail.
fn disk(call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    #[cfg(test)]
    tests::may_fail()?;
    call()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const POLICY: &str = "policy.safetensors";

    /// When the disk fails, by the number of the call.
    #[derive(Clone, Copy)]
    struct Failing {
        calls: u32,
        at: u32,
        /// Whether all later calls fail too.
        lasts: bool,
    }

    const WORKING: Failing = Failing { calls: 0, at: u32::MAX, lasts: false };

    thread_local! {
        static FAILING: Cell<Failing> = const { Cell::new(WORKING) };
    }

    /// Fails as a disk does, when a test has asked for it.
    pub(super) fn may_fail() -> io::Result<()> {
        let Failing { calls, at, lasts } = FAILING.get();
        FAILING.set(Failing { calls: calls + 1, at, lasts });
        if calls == at || (lasts && calls > at) {
            Err(io::Error::other("input/output error"))
        } else {
            Ok(())
        }
    }

    /// Does something while the disk fails. Returns `None` when there were fewer calls than that.
    fn fail<T>(at: u32, lasts: bool, what: impl FnOnce() -> T) -> Option<T> {
        FAILING.set(Failing { calls: 0, at, lasts });
        let done = what();
        (FAILING.replace(WORKING).calls > at).then_some(done)
    }

    fn files(policy: &str) -> [(&'static str, Vec<u8>); 2] {
        [(POLICY, policy.as_bytes().to_vec()), (META_FILE, b"{}".to_vec())]
    }

    fn try_write(checkpoints: &Checkpoints, name: &str, policy: &str) -> Result<PathBuf> {
        let files = files(policy);
        let files: Vec<CheckpointFile> =
            files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        checkpoints.write(name, &files)
    }

    fn write(checkpoints: &Checkpoints, name: &str, policy: &str) -> PathBuf {
        try_write(checkpoints, name, policy).unwrap()
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

    #[test]
    fn whichever_call_fails_the_state_before_or_the_new_one_stands_and_the_next_write_works() {
        for lasts in [false, true] {
            let mut failures = 0;
            for at in 0.. {
                let run = tempfile::tempdir().unwrap();
                let checkpoints = Checkpoints::of(run.path());
                write(&checkpoints, "last", "old");
                leave(run.path(), ".last.old", &files("older")); // the leftovers of an earlier failure
                leave(run.path(), ".last.new", &[(POLICY, b"ha".to_vec())]);
                let Some(written) = fail(at, lasts, || try_write(&checkpoints, "last", "new")) else { break };
                failures += 1;
                let found = policy(&checkpoints, "last");
                let is_new = found.as_deref() == Some("new");
                assert!(is_new || found.as_deref() == Some("old"), "{found:?} after failure {at}");
                assert!(is_new || written.is_err(), "failure {at} is not reported");
                assert!(lasts || checkpoints.place("last").exists(), "failure {at} leaves its place empty");
                checkpoints.recover().unwrap();
                assert_eq!(policy(&checkpoints, "last"), found, "recovered after failure {at}");
                assert_eq!(names(run.path()), ["last"]);
                write(&checkpoints, "last", "next");
                assert_eq!(policy(&checkpoints, "last").as_deref(), Some("next"));
            }
            assert!(failures > 10, "{failures} failures");
        }
    }

    #[test]
    fn a_state_that_cannot_be_put_back_is_found_beside_its_place_and_recovered() {
        for at in 0.. {
            let run = tempfile::tempdir().unwrap();
            let checkpoints = Checkpoints::of(run.path());
            leave(run.path(), ".last.old", &files("old"));
            let Some(recovered) = fail(at, false, || checkpoints.recover()) else { break };
            assert!(recovered.is_err() || names(run.path()) == ["last"]);
            assert_eq!(policy(&checkpoints, "last").as_deref(), Some("old"));
            checkpoints.recover().unwrap();
            assert_eq!(names(run.path()), ["last"]);
        }
    }

    #[test]
    fn a_later_state_that_lost_its_name_and_cannot_be_removed_stops_no_run() {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::of(run.path());
        for step in [1, 2] {
            write(&checkpoints, &Checkpoints::step_name(step), "policy");
        }
        // The first call renames, the second one removes.
        fail(1, true, || checkpoints.forget_after(1)).unwrap().unwrap();
        assert_eq!(names(run.path()), [".removed-0", "step-1"]);
        fail(0, true, || checkpoints.forget_after(1)).unwrap().unwrap();
        checkpoints.forget_after(1).unwrap();
        assert_eq!(names(run.path()), ["step-1"]);
    }

    #[test]
    fn a_state_that_cannot_be_removed_is_whole_or_has_no_name_and_goes_at_the_next_occasion() {
        for lasts in [false, true] {
            for at in 0.. {
                let run = tempfile::tempdir().unwrap();
                let checkpoints = Checkpoints::of(run.path());
                for step in [1, 2, 3, 4] {
                    write(&checkpoints, &Checkpoints::step_name(step), "policy");
                }
                let Some(retained) = fail(at, lasts, || checkpoints.retain(1)) else { break };
                let error = retained.unwrap_err().to_string();
                assert!(
                    error.starts_with("cannot remove the checkpoint") || error.starts_with("cannot tidy")
                );
                for step in checkpoints.steps() {
                    assert!(checkpoints.find(&Checkpoints::step_name(step)).is_some(), "step {step}");
                }
                checkpoints.retain(1).unwrap();
                assert_eq!(names(run.path()), ["step-4"]);
            }
        }
    }
}
