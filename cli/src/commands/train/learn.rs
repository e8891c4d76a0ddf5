//! One training run, from an empty folder to a checkpoint and a summary.

use super::watch::Watch;
use crate::clock::human;
use crate::console::{Console, Verdict};
use crate::experiment::Experiment;
use crate::interrupt::Interrupt;
use crate::libtorch;
use crate::run_dir::{Provenance, RunDir};
use crate::table::grouped;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thoughtcache_agents::heuristics::registry::Prepared;
use thoughtcache_agents::learn::nan_guard::OnNan;
use thoughtcache_agents::learn::train::{TrainError, TrainSettings, Trained, train_after};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::config::WorkloadConfig;

/// What a run says at its end.
#[derive(Serialize)]
struct Finished {
    run: String,
    experiment: String,
    algorithm: &'static str,
    scenario: String,
    seed: u64,
    decisions: u64,
    interrupted: bool,
    /// Exploring, stepping and learning; validation left out.
    training_s: f64,
    decisions_per_s: f64,
    /// Mean cost per slot on the validation episodes.
    best_cost: f64,
    best_decisions: u64,
    least_aot_cost: f64,
    /// To least-aot on the same episodes; negative is cheaper.
    relative: f64,
    checkpoint: String,
    trajectory_hash: String,
    #[serde(skip)]
    compare: String,
}

/// Trains.
pub(super) fn run(console: Console, experiment: &Experiment, out: Option<&Path>) -> Result<Verdict> {
    let interrupt = Interrupt::listen()?;
    let folder = match out {
        Some(out) => RunDir::create(out),
        None => RunDir::create_numbered(&experiment.name),
    }?;
    let place = folder.root().display().to_string();
    folder.write("config.toml", &config(experiment, &place)?)?;
    let scenario_file = if let Some(name) = &experiment.scenario_name {
        name.clone()
    } else {
        let text = toml::to_string(&experiment.scenario.config).context("cannot write scenario.toml")?;
        folder.write("scenario.toml", &text)?;
        folder.path("scenario.toml").display().to_string()
    };
    let recording = match &experiment.scenario.config.workload {
        WorkloadConfig::Trace(trace) => Some(Path::new(&trace.path)),
        WorkloadConfig::Poisson(_) | WorkloadConfig::Phased(_) => None,
    };
    let provenance = Provenance::at_start(libtorch::version(), recording);
    provenance.write(&folder)?;
    let scenario = &experiment.scenario.scenario;
    console.note(&format!(
        "{place}: {} on {}, {} decisions, seed {}",
        experiment.agent.algorithm().name(),
        scenario.name(),
        grouped(experiment.decisions),
        experiment.seed
    ));

    let mut watch = Watch::begin(console, experiment, &folder, interrupt)?;
    let env = DecisionEnv::new(Arc::clone(scenario));
    let settings = TrainSettings {
        budget: experiment.decisions,
        eval_freq: experiment.eval_every_decisions,
        checkpoint_freq: 0,
        run: experiment.seed,
        on_nan: OnNan::Abort,
    };
    let warm_start = experiment.agent.warm_start.as_ref();
    let teacher = warm_start.map(|warm_start| Prepared::new(&warm_start.policy, scenario)).transpose()?;
    let trained = train_after(
        &experiment.agent,
        |_| env.clone(),
        |_| teacher.as_ref().map(Prepared::instance),
        settings,
        &mut watch,
    );
    let ending = match &trained {
        Ok(trained) if trained.decisions < experiment.decisions => "interrupted",
        Err(TrainError::StoppedInWarmStart) => "interrupted",
        Ok(_) => "done",
        Err(_) => "failed",
    };
    provenance.at_end(ending).write(&folder)?;
    // What went wrong with the files comes first: it is why the run was stopped.
    let watch = watch.end()?;
    if let Err(error @ TrainError::StoppedInWarmStart) = &trained {
        console.note(&format!("{place}: {error}"));
        return Ok(Verdict::Interrupted);
    }
    let trained = trained.with_context(|| format!("{place}: training stopped"))?;
    let finished = Finished::new(experiment, &folder, &trained, &watch, &scenario_file);
    console.result(&finished, || finished.text())?;
    Ok(if finished.interrupted { Verdict::Interrupted } else { Verdict::Done })
}

fn config(experiment: &Experiment, place: &str) -> Result<String> {
    let head = "# Resolved: every value that the run used. It repeats the run, to the last bit on one machine type:\n";
    Ok(format!("{head}#   thoughtcache train --config {place}/config.toml\n\n{}", experiment.to_toml()?))
}

/// What is left of a watch.
pub(super) struct Watched {
    pub(super) training_s: f64,
    pub(super) decisions_per_s: f64,
    pub(super) least_aot_cost: f64,
}

impl Finished {
    fn new(
        experiment: &Experiment,
        folder: &RunDir,
        trained: &Trained,
        watched: &Watched,
        scenario_file: &str,
    ) -> Self {
        let run = folder.root().display().to_string();
        let best = &trained.best;
        Self {
            compare: format!("thoughtcache compare --scenario {scenario_file} {run}"),
            checkpoint: folder.path("checkpoints/best").display().to_string(),
            experiment: experiment.name.clone(),
            algorithm: experiment.agent.algorithm().name(),
            scenario: experiment.scenario.scenario.name().to_owned(),
            seed: experiment.seed,
            decisions: trained.decisions,
            interrupted: trained.decisions < experiment.decisions,
            training_s: watched.training_s,
            decisions_per_s: watched.decisions_per_s,
            best_cost: best.score,
            best_decisions: best.decisions,
            least_aot_cost: watched.least_aot_cost,
            relative: best.score / watched.least_aot_cost - 1.0,
            trajectory_hash: format!("{:016x}", trained.trajectory_hash),
            run,
        }
    }

    fn text(&self) -> String {
        let how = if self.interrupted { "stopped" } else { "trained" };
        let time = human(Duration::from_secs_f64(self.training_s));
        format!(
            "{how} {run}: {decisions} decisions in {time} ({rate} a second, validation left out)\n\
             \x20 best        {cost:.6} per slot after {best} decisions, {percent:+.1} % vs least-aot ({baseline:.6}),\n\
             \x20             on validation episodes: what a policy is worth, compare says\n\
             \x20 checkpoint  {checkpoint}\n\
             \x20 logs        {run}/metrics.jsonl, eval.csv, tensorboard/\n\
             next:\n\
             \x20 {compare}\n\
             \x20 tensorboard --logdir {run}/tensorboard\n",
            run = self.run,
            decisions = grouped(self.decisions),
            rate = grouped(self.decisions_per_s as u64),
            cost = self.best_cost,
            best = grouped(self.best_decisions),
            percent = 100.0 * self.relative,
            baseline = self.least_aot_cost,
            checkpoint = self.checkpoint,
            compare = self.compare,
        )
    }
}
