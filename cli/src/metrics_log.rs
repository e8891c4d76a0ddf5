//! `metrics.jsonl`: the authoritative record of a run, and the trait that it shares with TensorBoard.
//!
//! A line is a JSON object: `decisions` first, then tags. Numbers that are not finite are written as `null`. Times stand
//! under `time/`: without them, the files of two runs of one config and seed are equal.

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
    decisions: u64,
    line: Map<String, Value>,
}

impl MetricsLog {
    /// A new file.
    ///
    /// # Errors
    /// When it exists, or cannot be made.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), decisions: 0, line: Map::new() })
    }

    fn end_line(&mut self) -> Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert(DECISIONS.to_owned(), self.decisions.into());
        line.append(&mut self.line);
        let context = || format!("cannot write {}", self.path.display());
        serde_json::to_writer(&mut self.out, &line).with_context(context)?;
        self.out.write_all(b"\n").with_context(context)
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
        self.out.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Both at once, the authoritative one first.
impl<A: MetricSink, B: MetricSink> MetricSink for (A, B) {
    fn scalar(&mut self, tag: &str, decisions: u64, value: f64) -> Result<()> {
        self.0.scalar(tag, decisions, value)?;
        self.1.scalar(tag, decisions, value)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()?;
        self.1.flush()
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
        let mut log = MetricsLog::create(&path).unwrap();
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
        assert!(MetricsLog::create(&path).is_err(), "a log is never overwritten");
    }

    #[test]
    fn a_tag_that_comes_again_at_the_same_moment_begins_a_new_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::create(&path).unwrap();
        log.scalar("time/fps", 1, 1.0).unwrap();
        log.scalar("time/fps", 1, 2.0).unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "nothing is lost");
    }
}
