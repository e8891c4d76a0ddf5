//! `metrics.jsonl`: the authoritative record of a run, and the trait that it shares with TensorBoard.
//!
//! A line is a JSON object: `decisions` first, then tags. Numbers that are not finite are written as `null`. Times stand
//! under `time/`: without them, the files of two runs of one config and seed are equal.

use crate::run_dir::files;
use anyhow::{Context, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The key of a line that says when it was written.
pub(crate) const DECISIONS: &str = "decisions";

/// Where named numbers of a run go.
pub(crate) trait MetricSink {
    /// Takes the number of `tag` after so many decisions; decisions never decrease.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn scalar(&mut self, tag: &str, decisions: u64, value: f64) -> Result<()>;

    /// Makes sure that everything taken so far outlives the program.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<()>;
}

/// The file `metrics.jsonl`.
#[derive(Debug)]
pub(crate) struct MetricsLog {
    path: PathBuf,
    out: BufWriter<File>,
    /// Bytes in the file once what is buffered is written.
    bytes: u64,
    decisions: u64,
    line: Map<String, Value>,
}

impl MetricsLog {
    /// A log that goes on behind its first `bytes` bytes: 0 begins a new file, or an old one anew.
    ///
    /// # Errors
    /// When it cannot be made, or is not the file that had these bytes.
    pub(crate) fn open(path: &Path, bytes: u64) -> Result<Self> {
        let file = files::cut(path, bytes)?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), bytes, decisions: 0, line: Map::new() })
    }

    /// Forgets what was logged behind the first `bytes` bytes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn cut_back(&mut self, bytes: u64) -> Result<()> {
        self.line.clear();
        self.out.flush().with_context(|| format!("cannot write {}", self.path.display()))?;
        *self = Self::open(&self.path, bytes)?;
        Ok(())
    }

    /// The bytes of the lines so far; all of them are in the file after a [`flush`](MetricSink::flush).
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn end_line(&mut self) -> Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert(DECISIONS.to_owned(), self.decisions.into());
        line.append(&mut self.line);
        let context = || format!("cannot write {}", self.path.display());
        let mut text = serde_json::to_vec(&line).with_context(context)?;
        text.push(b'\n');
        self.out.write_all(&text).with_context(context)?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

impl MetricSink for MetricsLog {
    fn scalar(&mut self, tag: &str, decisions: u64, value: f64) -> Result<()> {
        if decisions != self.decisions || self.line.contains_key(tag) {
            self.end_line()?;
            self.decisions = decisions;
        }
        self.line.insert(tag.to_owned(), Value::from(value)); // null unless finite
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.end_line()?;
        let written = self.out.flush().and_then(|()| self.out.get_ref().sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn numbers_of_one_moment_share_a_line_and_nan_is_null() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        for (tag, decisions, value) in
            [("train/loss", 64, 0.5), ("eval/mean_reward", 64, f64::NAN), ("train/loss", 128, 0.1)]
        {
            log.scalar(tag, decisions, value).unwrap();
        }
        log.flush().unwrap();
        let lines: Vec<Value> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            serde_json::json!({"decisions": 64, "train/loss": 0.5, "eval/mean_reward": null})
        );
        assert_eq!(lines[1]["train/loss"], 0.1);
    }

    #[test]
    fn a_log_goes_on_where_it_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        log.scalar("time/fps", 1, 1.0).unwrap();
        log.flush().unwrap();
        let (bytes, kept) = (log.bytes(), fs::read_to_string(&path).unwrap());
        assert_eq!(bytes, kept.len() as u64);
        log.scalar("time/fps", 2, 1.0).unwrap();
        log.flush().unwrap();
        drop(log);
        fs::write(&path, format!("{}{{\"decisions\":3,\"tor", fs::read_to_string(&path).unwrap())).unwrap();
        let mut log = MetricsLog::open(&path, bytes).unwrap();
        log.scalar("time/fps", 2, 7.0).unwrap();
        log.flush().unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{kept}{{\"decisions\":2,\"time/fps\":7.0}}\n")
        );
    }

    #[test]
    fn a_tag_that_comes_again_at_the_same_moment_begins_a_new_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        log.scalar("time/fps", 1, 1.0).unwrap();
        log.scalar("time/fps", 1, 2.0).unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "nothing is lost");
    }
}
