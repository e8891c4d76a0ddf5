//! What is seen of a run while it goes on: a bar and a line a validation for people, the numbers into its log, the best policy
//! and the state of the run into its folder.
//!
//! A run that goes on from a checkpoint writes the lines that it would have written anyway. Nothing of it is touched before
//! the learner has accepted the checkpoint: the logs are opened when the first step is about to be taken.

use super::kept;
use super::log::{RunLog, Validation};
use super::log_state::{Files, Inputs, LogState, Seen, Times};
use super::logs::Logs;
use super::validation;
use crate::clock::Stopwatch;
use crate::console::Console;
use crate::experiment::Experiment;
use crate::interrupt::Stop;
use crate::patience::Patience;
use crate::progress;
use crate::run_dir::checkpoints::BEST;
use crate::run_dir::{Provenance, RunDir};
use crate::table::grouped;
use anyhow::{Result, anyhow};
use indicatif::ProgressBar;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use thoughtcache_agents::checkpoint::Checkpoint;
use thoughtcache_agents::learn::agent::Metrics;
use thoughtcache_agents::learn::train::{Episode, Observer, Trained, TrainerState, WarmStartReport};
use thoughtcache_agents::net_policy::Mlp;
use thoughtcache_env::gym::api::{Env, EnvSpec};
use thoughtcache_env::gym::decision_env::DecisionEnv;

/// The time that the policy of a run may be validated which was stopped before it had validated any.
const LATE_VALIDATION: Duration = Duration::from_secs(5);

/// Opens the logs, once everything else is in order.
type Opening<'a> = Box<dyn FnOnce() -> Result<Logs> + 'a>;

/// Hears of a run.
pub(super) struct Watch<'a> {
    experiment: &'a Experiment,
    folder: &'a RunDir,
    stop: Stop,
    spec: EnvSpec,
    inputs: Inputs,
    opening: Option<Opening<'a>>,
    log: RunLog,
    people: People,
    /// Whether the run has kept its state, now or in an earlier start.
    pub(super) has_kept: bool,
    /// Whether it was told that an old state cannot be removed.
    has_warned: bool,
    /// Whether the run was told to end.
    is_stopped: bool,
    failure: Option<anyhow::Error>,
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
        let people = People::new(console, experiment.decisions);
        let spec = DecisionEnv::new(Arc::clone(&experiment.scenario.scenario)).spec().clone();
        let config = experiment.to_toml()?;
        let has_kept = kept.is_some();
        let mut seen = Seen::default();
        let (mut decisions, mut files, mut times) = (0, Files::default(), Times::default());
        if let Some((from, log)) = kept {
            (decisions, files, times, seen) = (from, log.files, log.time, log.seen);
        } else if let Some(baseline) = validation::of_baseline(experiment, &|| stop.reason().is_some())? {
            seen.baseline_cost = baseline.cost_per_slot();
        } else {
            return Ok(None);
        }
        let cost = seen.baseline_cost;
        console.note(&format!("  least-aot costs {cost:.6} per slot on the validation episodes"));
        people.bar.set_position(decisions);
        people.bar.reset_eta();
        let opening: Opening<'a> = Box::new(move || {
            Logs::check(folder, &files)?;
            prepare()?;
            Logs::open(folder, &files, decisions, &config)
        });
        Ok(Some(Self {
            experiment,
            folder,
            stop,
            spec,
            inputs,
            opening: Some(opening),
            log: RunLog::new(decisions, times, seen),
            people,
            has_kept,
            has_warned: false,
            is_stopped: false,
            failure: None,
        }))
    }

    /// Logs what the last line does not hold yet, closes the logs, and sees that the folder's best policy is the run's. Returns the log, with nothing left to be
    /// written.
    ///
    /// # Errors
    /// What went wrong with a file during the run.
    pub(super) fn end(mut self, trained: Option<&Trained>) -> Result<RunLog> {
        self.people.bar.finish_and_clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.log.is_due(1) {
            self.log.line()?;
        }
        self.log.flush()?;
        if let Some(trained) = trained {
            self.keep_best_of(trained)?;
        }
        Ok(self.log)
    }

    /// A run that went on from an earlier moment may find the best policy of a later one in its folder.
    fn keep_best_of(&self, trained: &Trained) -> Result<()> {
        let checkpoints = self.folder.checkpoints();
        let found = checkpoints.find(BEST).and_then(|place| crate::policies::read(&place).ok());
        let Some(best) = &trained.best else { return Ok(()) };
        if found.is_some_and(|found| found.meta().decisions == best.decisions) {
            return Ok(());
        }
        let best = self.checkpoint_of(&best.policy, best.decisions, Some(best.score));
        kept::write_policy(&checkpoints, BEST, &best)
    }

    fn checkpoint_of(&self, policy: &Mlp, decisions: u64, cost: Option<f64>) -> Checkpoint {
        Checkpoint::new(policy.clone(), self.experiment.agent.algorithm(), &self.spec, decisions, cost)
    }

    fn kept(&mut self, state: &TrainerState) -> Result<()> {
        self.log.decisions = state.decisions;
        self.log.seen.must_validate = state.must_validate;
        let log = self.log.state(&self.inputs)?;
        let checkpoint = self.checkpoint_of(&state.policy, state.decisions, None);
        let (checkpoints, keep) = (self.folder.checkpoints(), self.experiment.keep_checkpoints);
        kept::write(&checkpoints, keep, &checkpoint, state, &log)?;
        // The new state is whole: an old one that cannot be removed ends no run.
        if let (Err(error), false) = (checkpoints.retain(keep), self.has_warned) {
            self.has_warned = true;
            let People { bar, console, .. } = &self.people;
            bar.suspend(|| console.warn(&format!("{error:#}; the run goes on and tries again")));
        }
        if !self.has_kept {
            // After it: a kill in between leaves a state that is found, not a run that is believed to have lost one.
            Provenance::note_state(self.folder.root())?;
        }
        self.has_kept = true;
        Ok(())
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
        self.log.update(decisions, metrics);
        self.people.bar.set_position(decisions);
        if self.log.is_due(self.experiment.log_every_decisions) {
            let speed = grouped(self.log.decisions_per_s() as u64);
            self.people.bar.set_prefix(format!("{speed} a second"));
            let written = self.log.line();
            // The first failure ends the run.
            self.failure = self.failure.take().or(written.err());
        }
    }

    fn on_warm_start(&mut self, report: &WarmStartReport) {
        let Some(warm_start) = &self.experiment.agent.warm_start else { return };
        self.people.warm_start(&warm_start.policy, warm_start.decisions, report);
        self.log.warm_start(report);
    }

    fn on_episode(&mut self, _: u64, episode: &Episode) {
        self.log.episode(episode);
    }

    fn should_stop(&mut self) -> bool {
        if let Some(open) = self.opening.take() {
            match open() {
                Ok(logs) => self.log.logs = Some(logs),
                Err(error) => self.failure = Some(error),
            }
        }
        self.is_stopped = self.failure.is_some() || self.stop.reason().is_some();
        self.log.is_shown = !self.is_stopped;
        self.is_stopped
    }

    fn checkpoint(&mut self, state: &TrainerState) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.check()?;
        self.log.training.pause();
        self.kept(state)?;
        self.log.training.resume();
        Ok(())
    }

    fn validate(
        &mut self,
        policy: &Mlp,
        decisions: u64,
    ) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        self.check()?;
        self.log.training.pause();
        self.log.decisions = decisions;
        // No update follows. A run that is stopped logs its rest once it is kept: it will be said again when it goes on.
        if decisions >= self.experiment.decisions && self.log.is_due(1) {
            self.log.line()?;
        }
        let late = Stopwatch::start();
        let should_stop =
            || if self.is_stopped { late.elapsed() >= LATE_VALIDATION } else { self.stop.reason().is_some() };
        let Some(totals) = validation::of_policy(self.experiment, policy, &should_stop)? else {
            self.log.training.resume();
            return Ok(None);
        };
        let validation = self.log.validation(&totals)?;
        if validation.is_best {
            let best = self.checkpoint_of(policy, decisions, Some(validation.cost));
            kept::write_policy(&self.folder.checkpoints(), BEST, &best)?;
        }
        self.log.flush()?;
        self.people.validation(decisions, self.log.decisions_per_s(), &validation);
        self.log.training.resume();
        Ok(Some(validation.cost))
    }
}

/// What people see of a run.
struct People {
    console: Console,
    bar: ProgressBar,
    is_watching_a_rule: bool,
    _patience: Patience,
}

impl People {
    fn new(console: Console, decisions: u64) -> Self {
        let bar = progress::training(console, decisions);
        let patience = Patience::with(console, &bar, "decisions");
        Self { console, bar, is_watching_a_rule: false, _patience: patience }
    }

    /// How well the rule of the warm start is imitated: a line at the beginning and at the end.
    fn warm_start(&mut self, rule: &str, decisions: u64, report: &WarmStartReport) {
        let line = format!(
            "watching {rule}: {} of {} decisions, agrees with {:.1} %",
            grouped(report.decisions),
            grouped(decisions),
            100.0 * report.agreement
        );
        if report.decisions >= decisions || !self.is_watching_a_rule {
            self.bar.suspend(|| self.console.note(&format!("  {line}")));
        }
        self.bar.set_message(line);
        self.is_watching_a_rule = true;
    }

    fn validation(&self, decisions: u64, decisions_per_s: f64, validation: &Validation) {
        let Validation { cost, relative, is_best } = validation;
        let word = relative.map_or_else(
            || "(least-aot costs nothing)".to_owned(),
            |ratio| format!("{:+5.1} % vs least-aot", 100.0 * ratio),
        );
        let line = format!(
            "  {:>11} decisions  {:>7} a second  cost {cost:.6}  {word}{}",
            grouped(decisions),
            grouped(decisions_per_s as u64),
            if *is_best { "  best" } else { "" }
        );
        self.bar.suspend(|| self.console.note(&line));
        self.bar.set_message(word.trim_start().to_owned());
    }
}
