//! `bench train`: decisions per second of a training run, and the memory it takes; validation is left out.

use crate::args::{number, whole};
use crate::console::{Console, Verdict};
use crate::experiment::ExperimentArgs;
use anyhow::Result;

/// Measure training: exploring, stepping and learning, without validation
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench train --config configs/experiments/tight-ppo.toml
  thoughtcache bench train --config configs/experiments/tight-ppo.toml --decisions 200000 \\
    --at-least 20000")]
pub(super) struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Decisions to take [default: those of the experiment]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    decisions: Option<u64>,
    /// Exit with 1 when training is slower than this many decisions per second
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = number)]
    at_least: Option<f64>,
}

#[cfg(not(feature = "torch"))]
impl Args {
    pub(super) fn run(self, _: Console) -> Result<Verdict> {
        let Self { experiment: _, decisions: _, at_least: _ } = self;
        Err(crate::commands::train::no_learners())
    }
}

#[cfg(feature = "torch")]
impl Args {
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        use super::measure::circumstances;
        use crate::clock::Stopwatch;
        use crate::machine::peak_resident_bytes;
        use crate::progress;
        use crate::sheet::{joined, show};
        use serde_json::json;
        use std::sync::Arc;
        use thoughtcache_agents::learn::train::{TrainSettings, train};
        use thoughtcache_env::gym::decision_env::DecisionEnv;

        let experiment = self.experiment.with_decisions(self.decisions).load_for(console)?;
        let circumstances = circumstances();
        let bar = progress::bar(console, experiment.decisions, "decisions");
        let _patience = crate::patience::Patience::with(console, &bar, "decisions");
        let mut timed = Timed { stopwatch: Stopwatch::start(), bar };
        let env = DecisionEnv::new(Arc::clone(&experiment.scenario.scenario));
        let settings = TrainSettings {
            budget: experiment.decisions,
            eval_freq: 0,
            checkpoint_freq: 0,
            run: experiment.seed,
        };
        let trained = train(&experiment.agent, |_| env.clone(), settings, &mut timed)?;
        timed.bar.finish_and_clear();
        let decisions_per_s = timed.stopwatch.rate_per_s(trained.decisions);
        let report = json!({
            "experiment": experiment.name(),
            "decisions": trained.decisions,
            "decisions_per_s": decisions_per_s,
            "peak_resident_bytes": peak_resident_bytes(),
        });
        show(console, &joined(report, circumstances))?;
        Ok(super::measure::judge(console, "training", decisions_per_s, self.at_least))
    }
}

/// Stops the clock when the run validates, which it does once, at its end.
#[cfg(feature = "torch")]
struct Timed {
    stopwatch: crate::clock::Stopwatch,
    bar: indicatif::ProgressBar,
}

#[cfg(feature = "torch")]
impl thoughtcache_agents::learn::train::Observer for Timed {
    fn on_update(&mut self, decisions: u64, _: &thoughtcache_agents::learn::agent::Metrics) {
        self.bar.set_position(decisions);
    }

    fn validate(
        &mut self,
        _: &thoughtcache_agents::net_policy::Mlp,
        _: u64,
    ) -> Result<Option<f64>, Box<dyn std::error::Error + Send + Sync>> {
        self.stopwatch.pause();
        Ok(Some(0.0))
    }
}
