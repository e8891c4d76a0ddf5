//! What happens when a loss, a gradient, a logit or an action value is not a finite number.
//!
//! ```text
//! abort      the run ends with an error
//! skip       the minibatch is left out; the run ends when 100 in a row had to be
//! rollback   the run goes back to the last state it kept, with half the step size; the run ends when 5 times did not help
//! ```
//! In each case the parameters stay what they were before the step, and the offending batch is handed out. While a rule is
//! watched nothing has been kept yet: a run that goes back begins its warm start again. Counts and the step size go on from
//! the warm start into the run.

use super::agent::{AgentError, Metrics};
use super::state::{StateDict, StateError};
use serde::{Deserialize, Serialize};

/// The most minibatches left out in a row.
pub const MAX_SKIPPED_IN_A_ROW: u64 = 100;
/// The most times that a run goes back.
pub const MAX_ROLLBACKS: u64 = 5;
/// What becomes of the step size when a run goes back.
pub const ROLLBACK_FACTOR: f64 = 0.5;

/// What to do; see the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNan {
    /// End the run.
    #[default]
    Abort,
    /// Go back to the last state that was kept.
    Rollback,
    /// Leave the minibatch out.
    Skip,
}

/// A number that is not finite, and what it came of.
#[derive(Clone, Debug, PartialEq)]
pub struct NanReport {
    /// What is not a finite number.
    pub quantity: &'static str,
    /// What it is instead.
    pub value: f64,
    /// The number of the update, from 1.
    pub update: u64,
    /// The decisions of all lanes together when it happened; those of the rule in a warm start.
    pub decisions: u64,
    /// What is done about it: `Abort` too when the patience with the other two has ended.
    pub action: OnNan,
    /// Where the run goes on when it goes back, in decisions.
    pub back_to: Option<u64>,
    /// The batch as the bytes of a safetensors file.
    pub batch: Vec<u8>,
}

/// What a learner remembers of such numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct NanGuard {
    on_nan: OnNan,
    learning_rate_factor: f64,
    skipped: u64,
    skipped_in_a_row: u64,
    rollbacks: u64,
    reports: Vec<NanReport>,
}

impl Default for NanGuard {
    fn default() -> Self {
        Self {
            on_nan: OnNan::Abort,
            learning_rate_factor: 1.0,
            skipped: 0,
            skipped_in_a_row: 0,
            rollbacks: 0,
            reports: Vec::new(),
        }
    }
}

impl NanGuard {
    /// Sets what to do.
    pub fn set_on_nan(&mut self, on_nan: OnNan) {
        self.on_nan = on_nan;
    }

    /// What to do.
    pub fn on_nan(&self) -> OnNan {
        self.on_nan
    }

    /// What the step size is multiplied by: 1 before the first time that the run went back.
    pub fn learning_rate_factor(&self) -> f64 {
        self.learning_rate_factor
    }

    /// The minibatches that were left out.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How often the run went back.
    pub fn rollbacks(&self) -> u64 {
        self.rollbacks
    }

    /// Notes that a minibatch was learnt from.
    pub fn accept(&mut self) {
        self.skipped_in_a_row = 0;
    }

    /// Decides about a minibatch with a number that is not finite: `Ok` when it is to be left out. The first of a row is
    /// reported with its batch.
    ///
    /// # Errors
    /// `error`, when the run is to end or to go back.
    pub fn leave_out(
        &mut self,
        error: AgentError,
        decisions: u64,
        batch: impl FnOnce() -> StateDict,
    ) -> Result<(), AgentError> {
        let is_left_out = self.on_nan == OnNan::Skip && self.skipped_in_a_row < MAX_SKIPPED_IN_A_ROW;
        if !is_left_out {
            return Err(self.refuse(error, decisions, batch));
        }
        if self.skipped_in_a_row == 0 {
            self.report(&error, OnNan::Skip, decisions, batch);
        }
        self.skipped += 1;
        self.skipped_in_a_row += 1;
        Ok(())
    }

    /// Reports a number that is not finite where nothing can be left out; gives `error` back.
    pub fn refuse(
        &mut self,
        error: AgentError,
        decisions: u64,
        batch: impl FnOnce() -> StateDict,
    ) -> AgentError {
        let action = if self.on_nan == OnNan::Rollback { OnNan::Rollback } else { OnNan::Abort };
        self.report(&error, action, decisions, batch);
        error
    }

    fn report(
        &mut self,
        error: &AgentError,
        action: OnNan,
        decisions: u64,
        batch: impl FnOnce() -> StateDict,
    ) {
        if let AgentError::NotFinite { quantity, value, update } = *error {
            let batch = batch().into_bytes();
            let report = NanReport { quantity, value, update, decisions, action, back_to: None, batch };
            self.reports.push(report);
        }
    }

    /// Adds the counts to the metrics of an update, once there is something to count.
    pub fn report_counts(&self, metrics: &mut Metrics) {
        if self.skipped > 0 {
            metrics.push("train/skipped_updates", self.skipped as f64);
        }
        if self.rollbacks > 0 {
            metrics.push("train/rollbacks", self.rollbacks as f64);
        }
    }

    /// What has been reported since the last call, in order.
    pub fn take_reports(&mut self) -> Vec<NanReport> {
        std::mem::take(&mut self.reports)
    }

    /// What the guard of the state that a run has gone back to has to know of `failed`, the guard of the run until then.
    pub fn go_back(&mut self, failed: &Self) {
        self.on_nan = failed.on_nan;
        self.skipped = failed.skipped;
        self.skipped_in_a_row = 0;
        self.rollbacks = failed.rollbacks + 1;
        self.learning_rate_factor = failed.learning_rate_factor * ROLLBACK_FACTOR;
    }

    /// Adds what is remembered to a state; what to do is a setting and not among it.
    pub fn save(&self, state: &mut StateDict) {
        state.put_value("nan.learning_rate_factor", self.learning_rate_factor);
        state.put_list("nan.counts", &[self.skipped, self.skipped_in_a_row, self.rollbacks]);
    }

    /// Takes what [`save`](Self::save) added.
    ///
    /// # Errors
    /// When it is not what a guard can remember.
    pub fn load(&mut self, state: &mut StateDict) -> Result<(), StateError> {
        let factor: f64 = state.take_value("nan.learning_rate_factor")?;
        let counts: Vec<u64> = state.take("nan.counts", &[3])?;
        let (skipped, in_a_row, rollbacks) = (counts[0], counts[1], counts[2]);
        if in_a_row > skipped || in_a_row > MAX_SKIPPED_IN_A_ROW || rollbacks > MAX_ROLLBACKS {
            return Err(StateError::value("nan.counts", format!("is {counts:?}, which cannot be")));
        }
        if factor != ROLLBACK_FACTOR.powi(rollbacks as i32) {
            let reason = format!("is {factor} after {rollbacks} times that the run went back");
            return Err(StateError::value("nan.learning_rate_factor", reason));
        }
        (self.learning_rate_factor, self.skipped) = (factor, skipped);
        (self.skipped_in_a_row, self.rollbacks) = (in_a_row, rollbacks);
        self.reports.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> AgentError {
        AgentError::NotFinite { quantity: "train/loss", value: f64::INFINITY, update: 3 }
    }

    fn guard(on_nan: OnNan) -> NanGuard {
        NanGuard { on_nan, ..NanGuard::default() }
    }

    #[test]
    fn a_hundred_minibatches_in_a_row_are_left_out_and_the_first_of_a_row_is_reported() {
        let mut guard = guard(OnNan::Skip);
        assert_eq!(guard.leave_out(error(), 7, StateDict::default), Ok(()));
        guard.accept();
        for _ in 0..MAX_SKIPPED_IN_A_ROW {
            assert_eq!(guard.leave_out(error(), 8, StateDict::default), Ok(()));
        }
        assert_eq!(guard.leave_out(error(), 9, StateDict::default), Err(error()));
        let seen: Vec<(u64, OnNan)> =
            guard.take_reports().iter().map(|report| (report.decisions, report.action)).collect();
        assert_eq!(seen, [(7, OnNan::Skip), (8, OnNan::Skip), (9, OnNan::Abort)]);
        assert_eq!((guard.skipped(), guard.take_reports().len()), (101, 0));
    }

    #[test]
    fn nothing_is_left_out_unless_told_so() {
        for on_nan in [OnNan::Abort, OnNan::Rollback] {
            let mut guard = guard(on_nan);
            assert_eq!(guard.leave_out(error(), 7, StateDict::default), Err(error()));
            assert_eq!(guard.take_reports()[0].action, on_nan);
            assert_eq!(guard.skipped(), 0);
        }
    }

    #[test]
    fn going_back_halves_the_step_size_each_time_and_is_remembered() {
        let mut failed = guard(OnNan::Rollback);
        for times in 1..=3 {
            let mut restored = guard(OnNan::Abort);
            restored.go_back(&failed);
            assert_eq!((restored.rollbacks(), restored.on_nan()), (times, OnNan::Rollback));
            failed = restored;
        }
        assert_eq!(failed.learning_rate_factor(), 0.125);
        let mut state = StateDict::default();
        failed.save(&mut state);
        let mut read = guard(OnNan::Rollback);
        read.load(&mut state.clone()).unwrap();
        assert_eq!(read, failed);
        let mut other = StateDict::default();
        other.put_value("nan.learning_rate_factor", 0.25);
        other.put_list("nan.counts", &[0_u64, 0, 3]);
        assert!(read.load(&mut other).is_err(), "the factor does not fit the count");
    }
}
