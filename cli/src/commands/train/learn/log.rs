//! The numbers of a run: what has been seen of it since the last line, and the files that the lines go into.
//!
//! Names are those of Stable-Baselines3 (`rollout/ train/ eval/ time/`) and, for what it has no name for, ours (`cost/`).
//! `rollout/` and `cost/` are means over the last 100 episodes that the exploring learner played.

use super::log_state::{Exact, Inputs, LogState, Mean, Seen, Times};
use super::logs::Logs;
use super::validation::{hit_ratio, relative};
use crate::clock::Stopwatch;
use anyhow::{Context, Result};
use thoughtcache_agents::evaluate::Totals;
use thoughtcache_agents::learn::agent::Metrics;
use thoughtcache_agents::learn::train::{Episode, WarmStartReport};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::Counters;

/// Episodes that `rollout/` averages, as in Stable-Baselines3.
const WINDOW: usize = 100;
/// Numbers of an update that count or state something: the last one is logged, not the mean.
const STATES: [&str; 3] = ["train/n_updates", "train/learning_rate", "rollout/exploration_rate"];

/// The numbers of a run.
pub(super) struct RunLog {
    /// Open once the first step is about to be taken.
    pub(super) logs: Option<Logs>,
    /// Whether TensorBoard shows what is logged. What is said of a stopped run is said again when it goes on.
    pub(super) is_shown: bool,
    /// Runs while the learner does, not while it is validated or kept.
    pub(super) training: Stopwatch,
    whole: Stopwatch,
    /// Those of the last step.
    pub(super) decisions: u64,
    pub(super) seen: Seen,
}

/// What a validation has shown.
pub(super) struct Validation {
    pub(super) cost: f64,
    /// Cost relative to least-aot on the same episodes; negative is cheaper, absent where least-aot costs nothing.
    pub(super) relative: Option<f64>,
    /// Whether no policy of the run was as cheap before.
    pub(super) is_best: bool,
}

impl RunLog {
    /// The numbers of a run that goes on after so many decisions.
    pub(super) fn new(decisions: u64, times: Times, seen: Seen) -> Self {
        Self {
            logs: None,
            is_shown: true,
            training: Stopwatch::resumed(times.training_s),
            whole: Stopwatch::resumed(times.elapsed_s),
            decisions,
            seen,
        }
    }

    /// Decisions per second so far, validation left out.
    pub(super) fn decisions_per_s(&self) -> f64 {
        self.training.rate_per_s(self.decisions)
    }

    /// Takes the numbers of an update.
    pub(super) fn update(&mut self, decisions: u64, metrics: &Metrics) {
        self.decisions = decisions;
        self.seen.updates += 1;
        for (tag, value) in metrics.iter() {
            match self.seen.means.iter_mut().find(|mean| mean.tag == tag) {
                Some(mean) if STATES.contains(&tag) => (mean.sum, mean.count) = (value, 1),
                Some(mean) => (mean.sum, mean.count) = (mean.sum + value, mean.count + 1),
                None => self.seen.means.push(Mean { tag: tag.to_owned(), sum: value, count: 1 }),
            }
        }
    }

    /// Takes the numbers of a warm start.
    pub(super) fn warm_start(&mut self, report: &WarmStartReport) {
        self.seen.once = std::iter::once(("warm_start/agreement", report.agreement))
            .chain(report.metrics.iter())
            .map(|(tag, value)| (tag.to_owned(), Exact(value)))
            .collect();
        // What the run takes is counted from its first decision.
        self.training = Stopwatch::start();
    }

    /// Takes an episode that has ended.
    pub(super) fn episode(&mut self, episode: &Episode) {
        if self.seen.episodes.len() == WINDOW {
            self.seen.episodes.pop_front();
        }
        self.seen.episodes.push_back(*episode);
    }

    /// Whether so many decisions were taken since the last line.
    pub(super) fn is_due(&self, decisions: u64) -> bool {
        self.decisions - self.seen.logged >= decisions
    }

    /// Writes a line of everything known at this moment.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn line(&mut self) -> Result<()> {
        self.seen.logged = self.decisions;
        for (tag, Exact(value)) in std::mem::take(&mut self.seen.once) {
            self.scalar(&tag, value)?;
        }
        for Mean { tag, sum, count } in std::mem::take(&mut self.seen.means) {
            self.scalar(&tag, sum / count as f64)?;
        }
        if !self.seen.episodes.is_empty() {
            let mut cost = CostBreakdown::default();
            let mut counters = Counters::default();
            let (mut reward, mut length, mut slots) = (0.0, 0, 0);
            for episode in &self.seen.episodes {
                cost += episode.cost;
                counters += episode.counters;
                reward += episode.reward;
                length += episode.decisions;
                slots += episode.slots;
            }
            let episodes = self.seen.episodes.len() as f64;
            self.scalar("rollout/ep_rew_mean", reward / episodes)?;
            self.scalar("rollout/ep_len_mean", length as f64 / episodes)?;
            self.ratio("rollout/hit_ratio", hit_ratio(&counters))?;
            self.scalar("cost/total", cost.total() / slots as f64)?;
            for (name, component) in CostBreakdown::NAMES.into_iter().zip(cost.components()) {
                self.scalar(&format!("cost/{name}"), component / slots as f64)?;
            }
        }
        self.scalar("time/fps", self.decisions_per_s())?;
        self.scalar("time/iterations", self.seen.updates as f64)?;
        self.scalar("time/time_elapsed", self.whole.elapsed_s())?;
        self.scalar("time/total_timesteps", self.decisions as f64)
    }

    fn scalar(&mut self, tag: &str, value: f64) -> Result<()> {
        let Some(logs) = &mut self.logs else { return Ok(()) };
        logs.scalar(tag, self.decisions, value, self.is_shown)
    }

    /// Logs a ratio unless there is nothing to divide by.
    fn ratio(&mut self, tag: &str, ratio: Option<f64>) -> Result<()> {
        ratio.map_or(Ok(()), |ratio| self.scalar(tag, ratio))
    }

    /// Logs the validation of the policy of this moment.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn validation(&mut self, totals: &Totals) -> Result<Validation> {
        let cost = totals.cost_per_slot();
        let relative = relative(cost, self.seen.baseline_cost);
        let hit_ratio = hit_ratio(&totals.counters);
        let (episodes, slots) = (totals.episodes as f64, totals.slots as f64);
        self.scalar("eval/mean_reward", -totals.cost.total() / episodes)?;
        self.scalar("eval/mean_ep_length", totals.decisions as f64 / episodes)?;
        self.scalar("eval/cost_per_slot", cost)?;
        self.ratio("eval/relative_to_least_aot", relative)?;
        self.ratio("eval/hit_ratio", hit_ratio)?;
        if let Some(logs) = &mut self.logs {
            let text = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| ratio.to_string());
            let mut line =
                vec![self.decisions.to_string(), cost.to_string(), text(relative), text(hit_ratio)];
            line.extend(totals.cost.components().map(|component| (component / slots).to_string()));
            logs.eval.line(&line.join(","))?;
        }
        let is_best = cost.is_finite() && self.seen.best_cost.is_none_or(|best| cost < best);
        if is_best {
            self.seen.best_cost = Some(cost);
        }
        Ok(Validation { cost, relative, is_best })
    }

    /// Waits until everything so far is on the disk.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.logs.as_mut().map_or(Ok(()), |logs| logs.flush().map(drop))
    }

    /// The logs of this moment, all of them on the disk.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn state(&mut self, inputs: &Inputs) -> Result<LogState> {
        let logs = self.logs.as_mut().context("a run is kept before its logs are open")?;
        let files = logs.flush()?;
        let time = Times { training_s: self.training.elapsed_s(), elapsed_s: self.whole.elapsed_s() };
        Ok(LogState { inputs: inputs.clone(), files, time, seen: self.seen.clone() })
    }
}
