//! `bench env`: random legal actions, everything included that a learner would ask for.

use super::measure::{circumstances, judge};
use super::play::{Draw, RandomPlay};
use super::scaling::{self, Curve};
use super::scaling_plot;
use crate::args::{DEFAULT_SCENARIO, SettingArgs, number, within};
use crate::clock::Stopwatch;
use crate::console::{Console, Verdict};
use crate::machine::Machine;
use crate::scenario_file::ScenarioText;
use crate::sheet::{joined, show};
use crate::{output, progress};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

/// Steps of all lanes before the clock runs: they give the hash, and warm the caches up.
const HASHED_STEPS: u64 = 1_000;
/// Steps between two looks at the clock.
const STEPS_PER_LOOK: u64 = 50;

/// Measure an environment under random legal actions: resets, observation and mask rows, and costs included
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench env
  thoughtcache bench env --scaling --plot street-users.svg
  thoughtcache bench env --scenario tight --lanes 1024 --scaling
  thoughtcache bench env --scenario tight --at-least 2000000")]
pub(super) struct Args {
    /// A shipped scenario or a TOML file
    #[arg(long, default_value = DEFAULT_SCENARIO)]
    scenario: String,
    #[command(flatten)]
    set: SettingArgs,
    /// Copies of the environment; with more than fit into a core's cache a decision takes some per cent longer
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lanes: u32,
    /// Draw among all actions, with the first legal one for an illegal one, as the Python package replaces them
    #[arg(long)]
    unmasked: bool,
    /// Seconds of each measurement
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 3.0, value_parser = within(0.01, 3600.0, "seconds"))]
    seconds: f64,
    /// Measure 1, 2, 4 ... threads up to the number of cores, and 100 to 1,000,000 users where the scenario has users
    #[arg(long)]
    scaling: bool,
    /// Where the curve over users is drawn; `-` is standard output
    #[arg(long, value_name = "FILE.svg", default_value = "scaling.svg")]
    plot: PathBuf,
    /// Exit with 1 when one thread is slower than this many decisions per second
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = number)]
    at_least: Option<f64>,
    /// Exit with 1 when a decision with more users takes more than so many times as long as one with the fewest
    #[arg(long, value_name = "RATIO", requires = "scaling", allow_negative_numbers = true, value_parser = number)]
    grows_at_most: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Measurement {
    threads: usize,
    decisions_per_s: f64,
    /// Over one thread.
    speed_up: f64,
    #[serde(skip)]
    hash: u64,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        let overrides = self.set.overrides()?;
        let text = ScenarioText::find(&self.scenario)?;
        let loaded = text.load(&overrides)?;
        let scenario = Arc::clone(&loaded.scenario);
        ensure!(
            self.grows_at_most.is_none() || scenario.physical().is_some(),
            "--grows-at-most: {} has no users of its own; allowed: a physical scenario, street for example",
            scenario.name
        );
        let is_taken =
            self.scaling && output::takes_stdout(console, &[("--plot", Some(self.plot.as_path()))])?;
        output::prepare(&self.plot)?;
        let circumstances = circumstances();
        let draw = if self.unmasked { Draw::Any } else { Draw::Legal };
        let mut measurements = Vec::new();
        for threads in self.threads(Machine::this().cores) {
            let spinner = progress::spinner(console, format!("{threads} threads, {} s", self.seconds));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.with_context(|| format!("cannot start {threads} threads"))?;
            let mut own =
                pool.install(|| measure(&scenario, self.lanes as usize, threads, draw, self.seconds))?;
            own.speed_up = measurements
                .first()
                .map_or(1.0, |one: &Measurement| own.decisions_per_s / one.decisions_per_s);
            measurements.push(own);
            spinner.finish_and_clear();
        }
        let hash = measurements[0].hash;
        let users = if self.scaling {
            scaling::measure(console, &text, &overrides, &loaded, draw, self.seconds)?
        } else {
            Vec::new()
        };
        if !users.is_empty() {
            scaling_plot::draw(&scenario.name, &users, &self.plot)
                .with_context(|| format!("cannot draw {}", self.plot.display()))?;
            console.note(&format!("the curve over users is drawn in {}", self.plot.display()));
        }
        if !is_taken {
            let env = DecisionEnv::new(Arc::clone(&scenario));
            let mut report = json!({
                "scenario": scenario.name,
                "lanes": self.lanes,
                "num_entries": env.spec().num_entries(),
                "num_actions": env.spec().num_actions(),
                "measurements": measurements,
                // After these steps of all lanes, whatever the number of threads.
                "trajectory_hash": format!("{hash:016x}"),
                "hashed_steps": HASHED_STEPS,
            });
            if !users.is_empty() {
                report["users"] = json!(users);
            }
            show(console, &joined(report, circumstances))?;
        }
        if measurements.iter().any(|measurement| measurement.hash != hash) {
            console.warn("the trajectory hash depends on the number of threads; it must not");
            return Ok(Verdict::Failed);
        }
        let verdict = judge(console, "one thread", measurements[0].decisions_per_s, self.at_least);
        let growth = users.iter().map(Curve::growth).fold(1.0, f64::max);
        if let Some(most) = self.grows_at_most.filter(|&most| growth > most) {
            console.warn(&format!(
                "a decision takes up to {growth:.2} times as long, --grows-at-most {most} was stated"
            ));
            return Ok(Verdict::Failed);
        }
        Ok(verdict)
    }

    fn threads(&self, cores: usize) -> Vec<usize> {
        let mut threads = vec![1];
        while self.scaling && threads[threads.len() - 1] < cores {
            threads.push((2 * threads[threads.len() - 1]).min(cores));
        }
        threads
    }
}

fn measure(
    scenario: &Arc<Scenario>,
    lanes: usize,
    threads: usize,
    draw: Draw,
    seconds: f64,
) -> Result<Measurement> {
    let mut play = RandomPlay::new(scenario, lanes, threads, draw)?;
    for _ in 0..HASHED_STEPS {
        play.step()?;
    }
    let hash = play.hash();
    let stopwatch = Stopwatch::start();
    let mut steps = 0;
    while stopwatch.elapsed_s() < seconds {
        for _ in 0..STEPS_PER_LOOK {
            play.step()?;
        }
        steps += STEPS_PER_LOOK;
    }
    let decisions_per_s = stopwatch.rate_per_s(steps * lanes as u64);
    Ok(Measurement { threads, decisions_per_s, speed_up: 1.0, hash })
}
