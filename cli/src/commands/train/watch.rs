//! What is seen of a run while it goes on: numbers into the logs, a bar and a line a validation for people, and the best
//! checkpoint into its folder.
//!
//! Names are those of Stable-Baselines3 (`rollout/ train/ eval/ time/`) and, for what it has no name for, ours (`cost/`).
//! `rollout/` and `cost/` are means over the last 100 episodes that the exploring learner played.

use super::learn::Watched;
use crate::clock::Stopwatch;
use crate::console::Console;
use crate::experiment::Experiment;
use crate::interrupt::Interrupt;
use crate::metrics_log::{MetricSink, MetricsLog};
use crate::progress;
use crate::run_dir::RunDir;
use crate::table::grouped;
use crate::tensorboard::TensorBoard;
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use thoughtcache_agents::checkpoint::Checkpoint;
use thoughtcache_agents::evaluate::{Contender, EpisodeResult, PolicyKind, Protocol, evaluate};
use thoughtcache_agents::heuristics::registry;
use thoughtcache_agents::learn::agent::Metrics;
use thoughtcache_agents::learn::train::{Episode, Observer};
use thoughtcache_agents::learn::warm_start::WarmStartReport;
use thoughtcache_agents::net_policy::{Mlp, NetPolicy};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{Counters, Env, EnvSpec};
use thoughtcache_env::gym::decision_env::DecisionEnv;

/// The policy whose validation cost everything is compared with.
const BASELINE: &str = "least-aot";
/// Episodes that `rollout/` averages, as in Stable-Baselines3.
const WINDOW: usize = 100;
/// Numbers of an update that count or state something: the last one is logged, not the mean.
const STATES: [&str; 3] = ["train/n_updates", "train/learning_rate", "rollout/exploration_rate"];

/// Hears of a run.
pub(super) struct Watch<'a> {
    console: Console,
    experiment: &'a Experiment,
    folder: &'a RunDir,
    interrupt: Interrupt,
    spec: EnvSpec,
    logs: (MetricsLog, TensorBoard),
    eval_csv: File,
    bar: ProgressBar,
    /// Runs while the learner does, not while it is validated.
    training: Stopwatch,
    whole: Stopwatch,
    baseline_cost: f64,
    best_cost: Option<f64>,
    decisions: u64,
    updates: u64,
    logged: u64,
    means: Vec<(&'static str, f64, u64)>,
    episodes: VecDeque<Episode>,
    /// What was last heard of a warm start, until it is logged.
    warm_start: Option<WarmStartReport>,
    failure: Option<anyhow::Error>,
}

/// Costs, counts and lengths of validation episodes, added up.
#[derive(Default)]
struct Sums {
    cost: CostBreakdown,
    counters: Counters,
    slots: u64,
    decisions: u64,
    episodes: u64,
}

impl Sums {
    fn of(episodes: &[EpisodeResult]) -> Self {
        let mut sums = Self::default();
        for episode in episodes {
            sums.cost += episode.cost;
            sums.counters += episode.counters;
            sums.slots += u64::from(episode.slots);
            sums.decisions += episode.decisions;
            sums.episodes += 1;
        }
        sums
    }

    fn per_slot(&self, cost: f64) -> f64 {
        cost / self.slots as f64
    }

    fn per_episode(&self, amount: f64) -> f64 {
        amount / self.episodes as f64
    }
}

fn hit_ratio(counters: &Counters) -> f64 {
    counters.hits as f64 / counters.requests as f64
}

impl<'a> Watch<'a> {
    /// Opens the logs and lets the baseline play the validation episodes.
    pub(super) fn begin(
        console: Console,
        experiment: &'a Experiment,
        folder: &'a RunDir,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let scenario = &experiment.scenario.scenario;
        let spec = DecisionEnv::new(Arc::clone(scenario)).spec().clone();
        let logs = (
            MetricsLog::create(&folder.path("metrics.jsonl"))?,
            TensorBoard::create(&folder.path("tensorboard"))?,
        );
        let prepared = registry::Prepared::new(BASELINE, scenario)?;
        let baseline = Contender::new(BASELINE, PolicyKind::Heuristic, move || prepared.instance());
        let path = folder.path("eval.csv");
        let eval_csv =
            File::create_new(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut watch = Self {
            console,
            experiment,
            folder,
            interrupt,
            spec,
            logs,
            eval_csv,
            bar: progress::training(console, experiment.decisions),
            training: Stopwatch::start(),
            whole: Stopwatch::start(),
            baseline_cost: 0.0,
            best_cost: None,
            decisions: 0,
            updates: 0,
            logged: 0,
            means: Vec::new(),
            episodes: VecDeque::with_capacity(WINDOW),
            warm_start: None,
            failure: None,
        };
        let sums = watch.play(baseline)?;
        watch.baseline_cost = sums.per_slot(sums.cost.total());
        let components = CostBreakdown::NAMES.join(",");
        watch.csv(&format!("decisions,mean_cost,relative_to_least_aot,hit_ratio,{components}"))?;
        console.note(&format!(
            "  least-aot costs {:.6} per slot on the validation episodes",
            watch.baseline_cost
        ));
        watch.training = Stopwatch::start();
        Ok(watch)
    }

    /// Logs what the last line does not hold yet, and closes the logs.
    ///
    /// # Errors
    /// What went wrong with a file during the run.
    pub(super) fn end(mut self) -> Result<Watched> {
        self.bar.finish_and_clear();
        let closed = self.log_rest().and_then(|()| self.logs.flush());
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        closed?;
        Ok(Watched {
            training_s: self.training.elapsed_s(),
            decisions_per_s: self.training.rate_per_s(self.decisions),
            least_aot_cost: self.baseline_cost,
        })
    }

    /// The validation episodes, the same for every policy and every run. The logs want components and counts, of which
    /// `evaluate::validate` keeps only the mean cost.
    fn play(&self, contender: Contender) -> Result<Sums> {
        let scenario = Arc::clone(&self.experiment.scenario.scenario);
        let protocol =
            Protocol::validation(scenario, self.experiment.eval_seed, self.experiment.eval_episodes);
        let evaluation = evaluate(&[contender], &protocol, None, &|| {})?;
        Ok(Sums::of(&evaluation.policies[0].episodes))
    }

    fn csv(&mut self, line: &str) -> Result<()> {
        writeln!(self.eval_csv, "{line}").context("cannot write eval.csv")
    }

    fn scalar(&mut self, tag: &str, value: f64) -> Result<()> {
        self.logs.scalar(tag, self.decisions, value)
    }

    /// Everything known at this moment.
    fn log(&mut self) -> Result<()> {
        self.logged = self.decisions;
        if let Some(report) = self.warm_start.take() {
            self.scalar("warm_start/agreement", report.agreement)?;
            for (tag, value) in report.metrics.iter() {
                self.scalar(tag, value)?;
            }
        }
        for (tag, sum, count) in std::mem::take(&mut self.means) {
            self.scalar(tag, sum / count as f64)?;
        }
        if !self.episodes.is_empty() {
            let mut cost = CostBreakdown::default();
            let mut counters = Counters::default();
            let (mut reward, mut length, mut slots) = (0.0, 0, 0);
            for episode in &self.episodes {
                cost += episode.cost;
                counters += episode.counters;
                reward += episode.reward;
                length += episode.decisions;
                slots += episode.slots;
            }
            let episodes = self.episodes.len() as f64;
            self.scalar("rollout/ep_rew_mean", reward / episodes)?;
            self.scalar("rollout/ep_len_mean", length as f64 / episodes)?;
            self.scalar("rollout/hit_ratio", hit_ratio(&counters))?;
            self.scalar("cost/total", cost.total() / slots as f64)?;
            for (name, component) in CostBreakdown::NAMES.into_iter().zip(cost.components()) {
                self.scalar(&format!("cost/{name}"), component / slots as f64)?;
            }
        }
        self.scalar("time/fps", self.training.rate_per_s(self.decisions))?;
        self.scalar("time/iterations", self.updates as f64)?;
        self.scalar("time/time_elapsed", self.whole.elapsed_s())?;
        self.scalar("time/total_timesteps", self.decisions as f64)
    }

    /// What has happened since the last line, if anything has.
    fn log_rest(&mut self) -> Result<()> {
        if self.decisions > self.logged { self.log() } else { Ok(()) }
    }

    fn validated(&mut self, policy: &Mlp, sums: &Sums) -> Result<f64> {
        let total = sums.cost.total();
        let cost = sums.per_slot(total);
        let relative = cost / self.baseline_cost - 1.0;
        let hit_ratio = hit_ratio(&sums.counters);
        self.scalar("eval/mean_reward", sums.per_episode(-total))?;
        self.scalar("eval/mean_ep_length", sums.per_episode(sums.decisions as f64))?;
        self.scalar("eval/cost_per_slot", cost)?;
        self.scalar("eval/relative_to_least_aot", relative)?;
        self.scalar("eval/hit_ratio", hit_ratio)?;
        let components: Vec<String> =
            sums.cost.components().iter().map(|component| sums.per_slot(*component).to_string()).collect();
        self.csv(&format!("{},{cost},{relative},{hit_ratio},{}", self.decisions, components.join(",")))?;
        let is_best = cost.is_finite() && self.best_cost.is_none_or(|best| cost < best);
        if is_best {
            self.best_cost = Some(cost);
            let algorithm = self.experiment.agent.algorithm();
            let checkpoint =
                Checkpoint::new(policy.clone(), algorithm, &self.spec, self.decisions, Some(cost));
            self.folder.write_checkpoint("best", &checkpoint.to_bytes())?;
        }
        self.logs.flush()?;
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

    /// Keeps the first failure; it ends the run.
    fn keep(&mut self, outcome: Result<()>) {
        if let (Err(error), None) = (outcome, &self.failure) {
            self.failure = Some(error);
        }
    }
}

impl Observer for Watch<'_> {
    fn on_update(&mut self, decisions: u64, metrics: &Metrics) {
        self.decisions = decisions;
        self.updates += 1;
        for (tag, value) in metrics.iter() {
            match self.means.iter_mut().find(|(known, ..)| *known == tag) {
                Some((_, sum, count)) if STATES.contains(&tag) => (*sum, *count) = (value, 1),
                Some((_, sum, count)) => (*sum, *count) = (*sum + value, *count + 1),
                None => self.means.push((tag, value, 1)),
            }
        }
        self.bar.set_position(decisions);
        if decisions - self.logged >= self.experiment.log_every_decisions {
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
        if report.decisions >= warm_start.decisions || self.warm_start.is_none() {
            self.bar.suspend(|| self.console.note(&format!("  {line}")));
        }
        self.bar.set_message(line);
        self.warm_start = Some(report.clone());
        // What the run takes is counted from its first decision.
        self.training = Stopwatch::start();
    }

    fn on_episode(&mut self, _: u64, episode: &Episode) {
        if self.episodes.len() == WINDOW {
            self.episodes.pop_front();
        }
        self.episodes.push_back(*episode);
    }

    fn should_stop(&mut self) -> bool {
        self.failure.is_some() || self.interrupt.is_pressed()
    }

    fn validate(&mut self, policy: &Mlp, decisions: u64) -> Result<f64, Box<dyn Error + Send + Sync>> {
        self.training.pause();
        self.decisions = decisions;
        if decisions >= self.experiment.decisions || self.should_stop() {
            self.log_rest()?; // no update follows
        }
        let algorithm = self.experiment.agent.algorithm();
        let net = Arc::new(policy.clone());
        let name = algorithm.name();
        let contender =
            Contender::new(name, algorithm.into(), move || Box::new(NetPolicy::new(name, Arc::clone(&net))));
        let sums = self.play(contender)?;
        let cost = self.validated(policy, &sums)?;
        self.training.resume();
        Ok(cost)
    }
}
