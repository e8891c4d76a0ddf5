//! `metrics.jsonl`: the authoritative record of a run.
//!
//! A line is a JSON object: `decisions` first, then tags. Numbers that are not finite are written as `null`. Times stand
//! under `time/`: without them, the files of two runs of one config and seed are equal.

use crate::run_dir::files::{Log, Prefix};
use anyhow::Result;
use serde_json::{Map, Value};
use std::path::Path;

/// What the file is called.
pub(crate) const METRICS_FILE: &str = "metrics.jsonl";
/// The key of a line that says when it was written.
pub(crate) const DECISIONS: &str = "decisions";

/// The file `metrics.jsonl`.
#[derive(Debug)]
pub(crate) struct MetricsLog {
    log: Log,
    decisions: u64,
    line: Map<String, Value>,
}

impl MetricsLog {
    /// A log that goes on behind a part of a file.
    ///
    /// # Errors
    /// When it cannot be made, or does not begin with this part.
    pub(crate) fn open(path: &Path, prefix: &Prefix) -> Result<Self> {
        Ok(Self { log: Log::open(path, prefix)?, decisions: 0, line: Map::new() })
    }

    /// Takes the number of `tag` after so many decisions; decisions never decrease.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn scalar(&mut self, tag: &str, decisions: u64, value: f64) -> Result<()> {
        if decisions != self.decisions || self.line.contains_key(tag) {
            self.end_line()?;
            self.decisions = decisions;
        }
        self.line.insert(tag.to_owned(), Value::from(value)); // null unless finite
        Ok(())
    }

    /// Waits until all lines are on the disk. Returns the part of the file that they are.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<Prefix> {
        self.end_line()?;
        self.log.flush()
    }

    fn end_line(&mut self) -> Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert(DECISIONS.to_owned(), self.decisions.into());
        line.append(&mut self.line);
        self.log.line(&Value::from(line).to_string())
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
        let mut log = MetricsLog::open(&path, &Prefix::default()).unwrap();
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
        let mut log = MetricsLog::open(&path, &Prefix::default()).unwrap();
        log.scalar("time/fps", 1, 1.0).unwrap();
        let (prefix, kept) = (log.flush().unwrap(), fs::read_to_string(&path).unwrap());
        assert_eq!(prefix.bytes, kept.len() as u64);
        log.scalar("time/fps", 2, 1.0).unwrap();
        log.flush().unwrap();
        drop(log);
        fs::write(&path, format!("{}{{\"decisions\":3,\"tor", fs::read_to_string(&path).unwrap())).unwrap();
        let mut log = MetricsLog::open(&path, &prefix).unwrap();
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
        let mut log = MetricsLog::open(&path, &Prefix::default()).unwrap();
        log.scalar("time/fps", 1, 1.0).unwrap();
        log.scalar("time/fps", 1, 2.0).unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "nothing is lost");
    }
}
