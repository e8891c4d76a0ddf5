//! The files that a run writes line by line, as one: cut back together, flushed together.

use super::log_state::Positions;
use crate::metrics_log::{MetricSink, MetricsLog};
use crate::run_dir::{RunDir, files};
use crate::tensorboard::TensorBoard;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use thoughtcache_env::cost::CostBreakdown;

const METRICS_FILE: &str = "metrics.jsonl";
const EVAL_FILE: &str = "eval.csv";

/// `metrics.jsonl`, `eval.csv` and TensorBoard's file.
pub(super) struct Logs {
    metrics: MetricsLog,
    eval: EvalCsv,
    board: TensorBoard,
}

impl Logs {
    /// Makes sure that all of the files hold what they held at these positions; nothing is changed.
    ///
    /// # Errors
    /// When one of them cannot be written, or is not the file that was there.
    pub(super) fn check(folder: &RunDir, positions: Positions) -> Result<()> {
        files::check(&folder.path(METRICS_FILE), positions.metrics_bytes)?;
        files::check(&folder.path(EVAL_FILE), positions.eval_bytes)
    }

    /// Opens the logs of a run that goes on after so many decisions, 0 for a new one; what the files hold behind these
    /// positions is cut off.
    ///
    /// # Errors
    /// When one of them cannot be written, or is not the file that was there.
    pub(super) fn open(folder: &RunDir, positions: Positions, decisions: u64, config: &str) -> Result<Self> {
        Ok(Self {
            metrics: MetricsLog::open(&folder.path(METRICS_FILE), positions.metrics_bytes)?,
            eval: EvalCsv::open(&folder.path(EVAL_FILE), positions.eval_bytes)?,
            board: TensorBoard::begin(&folder.path("tensorboard"), decisions, config)?,
        })
    }

    /// Goes back to where the files once were, after so many decisions.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn go_back(&mut self, positions: Positions, decisions: u64) -> Result<()> {
        self.metrics.cut_back(positions.metrics_bytes)?;
        self.eval.cut_back(positions.eval_bytes)?;
        self.board.go_back(decisions)
    }

    /// Takes a number; TensorBoard, which cannot forget half of a step, only if it is shown.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) fn scalar(&mut self, tag: &str, decisions: u64, value: f64, is_shown: bool) -> Result<()> {
        self.metrics.scalar(tag, decisions, value)?;
        if is_shown { self.board.scalar(tag, decisions, value) } else { Ok(()) }
    }

    /// Adds a line to `eval.csv`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn validation(&mut self, line: &str) -> Result<()> {
        self.eval.line(line)
    }

    /// Makes sure that everything so far is on the disk, and says where the files are then.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn flush(&mut self) -> Result<Positions> {
        self.metrics.flush()?;
        self.eval.flush()?;
        self.board.flush()?;
        Ok(Positions { metrics_bytes: self.metrics.bytes(), eval_bytes: self.eval.bytes })
    }
}

/// One line a validation.
struct EvalCsv {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EvalCsv {
    fn open(path: &Path, bytes: u64) -> Result<Self> {
        let mut csv = Self { path: path.to_owned(), file: files::cut(path, bytes)?, bytes };
        if bytes == 0 {
            let components = CostBreakdown::NAMES.join(",");
            csv.line(&format!("decisions,mean_cost,relative_to_least_aot,hit_ratio,{components}"))?;
        }
        Ok(csv)
    }

    fn cut_back(&mut self, bytes: u64) -> Result<()> {
        *self = Self::open(&self.path, bytes)?;
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        self.file
            .write_all(line.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.sync_data().with_context(|| format!("cannot write {}", self.path.display()))
    }
}
