//! TensorBoard: a view of what `metrics.jsonl` keeps, written by tensorboard-rs. Nothing else here knows that crate.
//!
//! Its habits, and what is done about them:
//! - it panics where a file cannot be made or written: the folder is tried first; should it fail later (a full disk), the
//!   panic is caught, silent, and reported as an error;
//! - it names files by the second and truncates what has that name: the folder of a run is new and has one writer, and a
//!   second writer of this process waits for the next second;
//! - its thread writes later: everything is on disk once the writer is dropped;
//! - NaN and infinities break charts: they are left out here (`metrics.jsonl` has them as `null`).

use crate::metrics_log::MetricSink;
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::thread;
use std::time::Duration;
use tensorboard_rs::summary_writer::SummaryWriter;

/// The event file of a run.
pub(crate) struct TensorBoard {
    folder: PathBuf,
    writer: Option<SummaryWriter>,
}

impl TensorBoard {
    /// Begins an event file in a folder, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let context = || failure(folder);
        fs::create_dir_all(folder).with_context(context)?;
        let probe = folder.join(".writable");
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).with_context(context)?;
        if fs::read_dir(folder).with_context(context)?.next().is_some() {
            thread::sleep(Duration::from_millis(1_050)); // a new second, a new name
        }
        let writer = caught(|| SummaryWriter::new(folder)).with_context(context)?;
        Ok(Self { folder: folder.to_owned(), writer: Some(writer) })
    }

    /// Does something with the writer; one that fails is given up, so that its end does not fail again.
    fn with(&mut self, act: impl FnOnce(&mut SummaryWriter)) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let Err(error) = caught(|| act(writer)) else { return Ok(()) };
        std::mem::forget(self.writer.take());
        Err(error.context(failure(&self.folder)))
    }
}

impl MetricSink for TensorBoard {
    fn scalar(&mut self, tag: &str, decisions: u64, value: f64) -> Result<()> {
        if !value.is_finite() {
            return Ok(());
        }
        let step = usize::try_from(decisions).context("more decisions than TensorBoard can count")?;
        self.with(|writer| writer.add_scalar(tag, value as f32, step))
    }

    fn flush(&mut self) -> Result<()> {
        self.with(SummaryWriter::flush)
    }
}

impl Drop for TensorBoard {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = caught(|| drop(writer)); // the authoritative log has it all
        }
    }
}

fn failure(folder: &Path) -> String {
    format!("cannot write TensorBoard's file in {}", folder.display())
}

/// Runs a call into tensorboard-rs whose panics are errors.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T> {
    silence();
    panic::catch_unwind(AssertUnwindSafe(call)).map_err(|_| anyhow!("is the disk full?"))
}

/// Panics of tensorboard-rs, in its own thread too, print nothing: they are reported as errors.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_theirs = panic.location().is_some_and(|place| place.file().contains("tensorboard-rs"));
            if !is_theirs {
                usual(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn two_writers_of_one_folder_within_a_second_keep_both_files() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut board = TensorBoard::create(folder.path()).unwrap();
            board.scalar("time/fps", 64, 1.0).unwrap();
            board.flush().unwrap();
        }
        let files = event_files(folder.path());
        assert_eq!(files.len(), 2, "{files:?}");
        for file in files {
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.windows(8).any(|window| window == b"time/fps"), "{}", file.display());
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path()).unwrap();
        board.scalar("train/loss", 64, f64::NAN).unwrap();
        board.scalar("train/loss", 65, f64::INFINITY).unwrap();
        drop(board);
        let bytes = fs::read(&event_files(folder.path())[0]).unwrap();
        assert!(!bytes.windows(10).any(|window| window == b"train/loss"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = TensorBoard::create(&file.join("tensorboard")).err().unwrap();
        assert!(error.to_string().starts_with("cannot write TensorBoard's file in"), "{error:#}");
    }
}
