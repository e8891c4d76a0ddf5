//! What is seen of a run while it goes on: numbers into the logs, a bar and a line a validation for people, the best policy
//! and the state of the run into its folder.
//!
//! Names are those of Stable-Baselines3 (`rollout/ train/ eval/ time/`) and, for what it has no name for, ours (`cost/`).
//! `rollout/` and `cost/` are means over the last 100 episodes that the exploring learner played.
//!
//! A run that goes on from a checkpoint writes the lines that it would have written anyway. Nothing of it is touched before
//! the learner has accepted the checkpoint: the logs are opened when the first step is about to be taken.

use super::kept;
use super::log_state::{Exact, Files, Inputs, LogState, Mean, Seen, Times};
use super::logs::Logs;
use super::validation::{self, hit_ratio};
use crate::clock::Stopwatch;
use crate::console::Console;
use crate::experiment::Experiment;
use crate::interrupt::Stop;
use crate::patience::Patience;
use crate::progress;
use crate::run_dir::{Provenance, RunDir};
use crate::table::grouped;
use anyhow::{Context, Result, anyhow};
use indicatif::ProgressBar;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use thoughtcache_agents::checkpoint::Checkpoint;
use thoughtcache_agents::evaluate::Totals;
use thoughtcache_agents::learn::agent::Metrics;
use thoughtcache_agents::learn::train::{Episode, Observer, Trained, TrainerState, WarmStartReport};
use thoughtcache_agents::net_policy::Mlp;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{Counters, Env, EnvSpec};
use thoughtcache_env::gym::decision_env::DecisionEnv;

/// The time that the policy of a run may be validated which was stopped before it had validated any.
const LATE_VALIDATION: Duration = Duration::from_secs(5);
/// Episodes that `rollout/` averages, as in Stable-Baselines3.
const WINDOW: usize = 100;
/// Numbers of an update that count or state something: the last one is logged, not the mean.
const STATES: [&str; 3] = ["train/n_updates", "train/learning_rate", "rollout/exploration_rate"];
/// The policy with the least validation cost.
pub(super) const BEST: &str = "best";

/// Opens the logs, once everything else is in order.
type Opening<'a> = Box<dyn FnOnce() -> Result<Logs> + 'a>;

/// Hears of a run.
pub(super) struct Watch<'a> {
    console: Console,
    experiment: &'a Experiment,
    folder: &'a RunDir,
    stop: Stop,
    spec: EnvSpec,
    inputs: Inputs,
    opening: Option<Opening<'a>>,
    logs: Option<Logs>,
    bar: ProgressBar,
    _patience: Patience,
    /// Runs while the learner does, not while it is validated or kept.
    training: Stopwatch,
    whole: Stopwatch,
    decisions: u64,
    seen: Seen,
    has_kept: bool,
    is_watching_a_rule: bool,
    /// Whether it was said that an old state cannot be removed.
    has_warned: bool,
    /// Whether the run was told to end.
    is_stopped: bool,
    failure: Option<anyhow::Error>,
}

/// What is left of a watch.
pub(super) struct Watched {
    pub(super) training_s: f64,
    pub(super) decisions_per_s: f64,
    pub(super) least_aot_cost: f64,
}

impl<'a> Watch<'a> {
    /// Watches a run from its beginning, or from where its logs were when it was kept after so many decisions. `prepare` is
    /// called once the learner has accepted the state and the logs are found to be those of it, before they are cut back and
    /// the first step is taken.
    ///
    /// # Errors
    /// When the baseline cannot play the validation episodes.
    ///
    /// `None` when the run is to end before the baseline has played them.
    pub(super) fn begin(
        console: Console,
        experiment: &'a Experiment,
        folder: &'a RunDir,
        stop: Stop,
        inputs: Inputs,
        kept: Option<(u64, LogState)>,
        prepare: impl FnOnce() -> Result<()> + 'a,
    ) -> Result<Option<Self>> {
        let bar = progress::training(console, experiment.decisions);
        let patience = Patience::with(console, &bar, "decisions");
        let spec = DecisionEnv::new(Arc::clone(&experiment.scenario.scenario)).spec().clone();
        let config = experiment.to_toml()?;
        let (decisions, files) = kept
            .as_ref()
            .map_or((0, Files::default()), |(decisions, state)| (*decisions, state.files.clone()));
        let opening: Opening<'a> = Box::new(move || {
            Logs::check(folder, &files)?;
            prepare()?;
            Logs::open(folder, &files, decisions, &config)
        });
        let times = kept.as_ref().map_or_else(Times::default, |(_, state)| state.time);
        let whole = Stopwatch::resumed(times.elapsed_s);
        let seen = if let Some((_, state)) = &kept {
            state.seen.clone()
        } else {
            let Some(baseline) = validation::of_baseline(experiment, &|| stop.is_asked())? else {
                return Ok(None);
            };
            Seen { baseline_cost: baseline.cost_per_slot(), ..Seen::default() }
        };
        console.note(&format!(
            "  least-aot costs {:.6} per slot on the validation episodes",
            seen.baseline_cost
        ));
        bar.set_position(decisions);
        bar.reset_eta();
        Ok(Some(Self {
            console,
            experiment,
            folder,
            stop,
            spec,
            inputs,
            opening: Some(opening),
            logs: None,
            bar,
            _patience: patience,
            training: Stopwatch::resumed(times.training_s),
            whole,
            decisions,
            seen,
            has_kept: kept.is_some(),
            is_watching_a_rule: false,
            has_warned: false,
            is_stopped: false,
            failure: None,
        }))
    }

    /// Whether the run has kept its state, now or in an earlier start.
    pub(super) fn has_kept(&self) -> bool {
        self.has_kept
    }

    /// Logs what the last line does not hold yet, closes the logs, and sees that the folder's best policy is the run's.
    ///
    /// # Errors
    /// What went wrong with a file during the run.
    pub(super) fn end(mut self, trained: Option<&Trained>) -> Result<Watched> {
        self.bar.finish_and_clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.log_rest()?;
        if let Some(logs) = &mut self.logs {
            logs.flush()?;
        }
        if let Some(trained) = trained {
            self.keep_best_of(trained)?;
        }
        Ok(Watched {
            training_s: self.training.elapsed_s(),
            decisions_per_s: self.training.rate_per_s(self.decisions),
            least_aot_cost: self.seen.baseline_cost,
        })
    }

    /// A run that went on from an earlier moment may find the best policy of a later one in its folder.
    fn keep_best_of(&self, trained: &Trained) -> Result<()> {
        let checkpoints = self.folder.checkpoints();
        let found = checkpoints.find(BEST).and_then(|place| crate::policies::read(&place).ok());
        let Some(best) = &trained.best else { return Ok(()) };
        if found.is_some_and(|found| found.meta().decisions == best.decisions) {
            return Ok(());
        }
        kept::write_policy(
            &checkpoints,
            BEST,
            &self.checkpoint_of(&best.policy, best.decisions, Some(best.score)),
        )
    }

    fn checkpoint_of(&self, policy: &Mlp, decisions: u64, cost: Option<f64>) -> Checkpoint {
        Checkpoint::new(policy.clone(), self.experiment.agent.algorithm(), &self.spec, decisions, cost)
    }

    fn scalar(&mut self, tag: &str, value: f64) -> Result<()> {
        let Some(logs) = &mut self.logs else { return Ok(()) };
        // What is said of a stopped run after it was kept is said again when it goes on.
        let is_shown = !self.is_stopped;
        logs.scalar(tag, self.decisions, value, is_shown)
    }

    /// Everything known at this moment.
    fn log(&mut self) -> Result<()> {
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
            self.scalar("rollout/hit_ratio", hit_ratio(&counters))?;
            self.scalar("cost/total", cost.total() / slots as f64)?;
            for (name, component) in CostBreakdown::NAMES.into_iter().zip(cost.components()) {
                self.scalar(&format!("cost/{name}"), component / slots as f64)?;
            }
        }
        self.scalar("time/fps", self.training.rate_per_s(self.decisions))?;
        self.scalar("time/iterations", self.seen.updates as f64)?;
        self.scalar("time/time_elapsed", self.whole.elapsed_s())?;
        self.scalar("time/total_timesteps", self.decisions as f64)
    }

    /// What has happened since the last line, if anything has.
    fn log_rest(&mut self) -> Result<()> {
        if self.decisions > self.seen.logged { self.log() } else { Ok(()) }
    }

    /// The logs of this moment, all of them on the disk.
    fn log_state(&mut self) -> Result<LogState> {
        let logs = self.logs.as_mut().context("a run is kept before its logs are open")?;
        let files = logs.flush()?;
        let time = Times { training_s: self.training.elapsed_s(), elapsed_s: self.whole.elapsed_s() };
        Ok(LogState { inputs: self.inputs.clone(), files, time, seen: self.seen.clone() })
    }

    fn validated(&mut self, policy: &Mlp, totals: &Totals) -> Result<f64> {
        let cost = totals.cost_per_slot();
        let relative = cost / self.seen.baseline_cost - 1.0;
        let hit_ratio = hit_ratio(&totals.counters);
        let (episodes, slots) = (totals.episodes as f64, totals.slots as f64);
        self.scalar("eval/mean_reward", -totals.cost.total() / episodes)?;
        self.scalar("eval/mean_ep_length", totals.decisions as f64 / episodes)?;
        self.scalar("eval/cost_per_slot", cost)?;
        self.scalar("eval/relative_to_least_aot", relative)?;
        self.scalar("eval/hit_ratio", hit_ratio)?;
        let components: Vec<String> =
            totals.cost.components().iter().map(|component| (component / slots).to_string()).collect();
        let line = format!("{},{cost},{relative},{hit_ratio},{}", self.decisions, components.join(","));
        let is_best = cost.is_finite() && self.seen.best_cost.is_none_or(|best| cost < best);
        if is_best {
            self.seen.best_cost = Some(cost);
            let best = self.checkpoint_of(policy, self.decisions, Some(cost));
            kept::write_policy(&self.folder.checkpoints(), BEST, &best)?;
        }
        if let Some(logs) = &mut self.logs {
            logs.validation(&line)?;
            logs.flush()?;
        }
        let line = format!(
            "  {:>11} decisions  {:>7} a second  cost {cost:.6}  {:+5.1} % vs least-aot{}",
            grouped(self.decisions),
            grouped(self.training.rate_per_s(self.decisions) as u64),
            100.0 * relative,
            if is_best { "  best" } else { "" }
        );
        self.bar.suspend(|| self.console.note(&line));
        self.bar.set_message(format!("{:+.1} % vs least-aot", 100.0 * relative));
        Ok(cost)
    }

    fn kept(&mut self, state: &TrainerState) -> Result<()> {
        self.decisions = state.decisions;
        self.seen.must_validate = state.must_validate;
        let log = self.log_state()?;
        let checkpoint = self.checkpoint_of(&state.policy, state.decisions, None);
        let (checkpoints, keep) = (self.folder.checkpoints(), self.experiment.keep_checkpoints);
        kept::write(&checkpoints, keep, &checkpoint, state, &log)?;
        // The new state is whole: an old one that cannot be removed ends no run.
        if let (Err(error), false) = (checkpoints.retain(keep), self.has_warned) {
            self.has_warned = true;
            let line = format!("{error:#}; the run goes on and tries again");
            self.bar.suspend(|| self.console.warn(&line));
        }
        if !self.has_kept() {
            // After it: a kill in between leaves a state that is found, not a run that is believed to have lost one.
            Provenance::note_state(self.folder.root())?;
        }
        self.has_kept = true;
        Ok(())
    }

    /// Keeps the first failure; it ends the run.
    fn keep(&mut self, outcome: Result<()>) {
        if let (Err(error), None) = (outcome, &self.failure) {
            self.failure = Some(error);
        }
    }

    /// Nothing is written any more once something could not be.
    fn check(&self) -> Result<()> {
        match &self.failure {
            Some(failure) => Err(anyhow!("{failure:#}")),
            None => Ok(()),
        }
    }
}

impl Observer for Watch<'_> {
    fn on_update(&mut self, decisions: u64, metrics: &Metrics) {
        self.decisions = decisions;
        self.seen.updates += 1;
        for (tag, value) in metrics.iter() {
            match self.seen.means.iter_mut().find(|mean| mean.tag == tag) {
                Some(mean) if STATES.contains(&tag) => (mean.sum, mean.count) = (value, 1),
                Some(mean) => (mean.sum, mean.count) = (mean.sum + value, mean.count + 1),
                None => self.seen.means.push(Mean { tag: tag.to_owned(), sum: value, count: 1 }),
            }
        }
        self.bar.set_position(decisions);
        if decisions - self.seen.logged >= self.experiment.log_every_decisions {
            let rate = self.training.rate_per_s(decisions);
            self.bar.set_prefix(format!("{} a second", grouped(rate as u64)));
            let outcome = self.log();
            self.keep(outcome);
        }
    }

    fn on_warm_start(&mut self, report: &WarmStartReport) {
        let Some(warm_start) = &self.experiment.agent.warm_start else { return };
        let line = format!(
            "watching {}: {} of {} decisions, agrees with {:.1} %",
            warm_start.policy,
            grouped(report.decisions),
            grouped(warm_start.decisions),
            100.0 * report.agreement
        );
        if report.decisions >= warm_start.decisions || !self.is_watching_a_rule {
            self.bar.suspend(|| self.console.note(&format!("  {line}")));
        }
        self.bar.set_message(line);
        self.is_watching_a_rule = true;
        self.seen.once = std::iter::once(("warm_start/agreement", report.agreement))
            .chain(report.metrics.iter())
            .map(|(tag, value)| (tag.to_owned(), Exact(value)))
            .collect();
        // What the run takes is counted from its first decision.
        self.training = Stopwatch::start();
    }

    fn on_episode(&mut self, _: u64, episode: &Episode) {
        if self.seen.episodes.len() == WINDOW {
            self.seen.episodes.pop_front();
        }
        self.seen.episodes.push_back(*episode);
    }

    fn should_stop(&mut self) -> bool {
        if let Some(open) = self.opening.take() {
            match open() {
                Ok(logs) => self.logs = Some(logs),
                Err(error) => self.failure = Some(error),
            }
        }
        self.is_stopped = self.failure.is_some() || self.stop.is_asked();
        self.is_stopped
    }

    fn checkpoint(&mut self, state: &TrainerState) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.check()?;
        self.training.pause();
        self.kept(state)?;
        self.training.resume();
        Ok(())
    }

    fn validate(
        &mut self,
        policy: &Mlp,
        decisions: u64,
    ) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        self.check()?;
        self.training.pause();
        self.decisions = decisions;
        // No update follows. A run that is stopped logs its rest once it is kept: it will be said again when it goes on.
        if decisions >= self.experiment.decisions {
            self.log_rest()?;
        }
        let stop = self.stop.clone();
        let late = Stopwatch::start();
        let should_stop =
            || if self.is_stopped { late.elapsed() >= LATE_VALIDATION } else { stop.is_asked() };
        let totals = validation::of_policy(self.experiment, policy, &should_stop)?;
        let cost = totals.map(|totals| self.validated(policy, &totals)).transpose()?;
        self.training.resume();
        Ok(cost)
    }
}
