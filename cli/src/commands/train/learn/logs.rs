//! The files that a run writes line by line, as one: cut back together, flushed together.

use super::log_state::Files;
use crate::metrics_log::{METRICS_FILE, MetricsLog};
use crate::run_dir::RunDir;
use crate::run_dir::files::Log;
use crate::tensorboard::{EVENTS_FOLDER, TensorBoard};
use anyhow::Result;
use thoughtcache_env::cost::CostBreakdown;

const EVAL_FILE: &str = "eval.csv";

/// `metrics.jsonl`, `eval.csv` and TensorBoard's file.
pub(super) struct Logs {
    metrics: MetricsLog,
    /// One line a validation.
    pub(super) eval: Log,
    board: TensorBoard,
}

impl Logs {
    /// Makes sure that the files begin with what they held; nothing is changed.
    ///
    /// # Errors
    /// When one of them cannot be written, or is not the file that was there.
    pub(super) fn check(folder: &RunDir, files: &Files) -> Result<()> {
        Log::check(&folder.path(METRICS_FILE), &files.metrics)?;
        Log::check(&folder.path(EVAL_FILE), &files.eval)
    }

    /// Opens the logs of a run that goes on after so many decisions, 0 for a new one; what the files hold behind this is cut
    /// off.
    ///
    /// # Errors
    /// When one of them cannot be written, or is not the file that was there.
    pub(super) fn open(folder: &RunDir, files: &Files, decisions: u64, config: &str) -> Result<Self> {
        let mut logs = Self {
            metrics: MetricsLog::open(&folder.path(METRICS_FILE), &files.metrics)?,
            eval: Log::open(&folder.path(EVAL_FILE), &files.eval)?,
            board: TensorBoard::begin(&folder.path(EVENTS_FOLDER), decisions, config)?,
        };
        if logs.eval.is_empty() {
            let components = CostBreakdown::NAMES.join(",");
            let head = format!("decisions,mean_cost,relative_to_least_aot,hit_ratio,{components}");
            logs.eval.line(&head)?;
        }
        Ok(logs)
    }

    /// Takes a number; TensorBoard, which cannot forget half of a step, only if it is shown.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) fn scalar(&mut self, tag: &str, decisions: u64, value: f64, is_shown: bool) -> Result<()> {
        self.metrics.scalar(tag, decisions, value)?;
        if is_shown { self.board.scalar(tag, decisions, value) } else { Ok(()) }
    }

    /// Waits until everything so far is on the disk. Returns what the files hold then.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn flush(&mut self) -> Result<Files> {
        self.board.flush()?;
        Ok(Files { metrics: self.metrics.flush()?, eval: self.eval.flush()? })
    }
}
