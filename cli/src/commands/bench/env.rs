//! `bench env`: random legal actions, everything included that a learner would ask for.

use super::{Circumstances, judge};
use crate::args::{SettingArgs, number};
use crate::clock::Stopwatch;
use crate::console::{Console, Verdict};
use crate::progress;
use crate::scenario_file;
use crate::table::{Align, Table, grouped};
use anyhow::{Context, Result};
use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;
use std::sync::Arc;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
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
  thoughtcache bench env --lanes 1024 --scaling
  thoughtcache bench env --at-least 2000000")]
pub(super) struct Args {
    /// A shipped scenario or a TOML file
    #[arg(long, default_value = "tight")]
    scenario: String,
    #[command(flatten)]
    set: SettingArgs,
    /// Copies of the environment
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lanes: u32,
    /// Seconds of each measurement
    #[arg(long, value_name = "S", allow_negative_numbers = true, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// Measure 1, 2, 4 ... threads up to the number of cores, not one thread alone
    #[arg(long)]
    scaling: bool,
    /// Exit with 1 when one thread is slower than this many decisions per second
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = number)]
    at_least: Option<f64>,
}

fn seconds(typed: &str) -> Result<f64, String> {
    let seconds: f64 = typed.parse().map_err(|_| "a number of seconds is needed".to_owned())?;
    if (0.01..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("0.01 to 3600 seconds are allowed".into())
    }
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: String,
    lanes: u32,
    num_entries: usize,
    num_actions: usize,
    measurements: Vec<Measurement>,
    /// After [`HASHED_STEPS`] steps of all lanes, whatever the number of threads.
    trajectory_hash: String,
    hashed_steps: u64,
    #[serde(flatten)]
    circumstances: Circumstances,
}

#[derive(Debug, Serialize)]
struct Measurement {
    threads: usize,
    decisions_per_s: f64,
    #[serde(skip)]
    hash: u64,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        let scenario = scenario_file::load(&self.scenario, &self.set.overrides()?)?.scenario;
        let circumstances = Circumstances::now();
        let mut measurements = Vec::new();
        for threads in self.threads(circumstances.machine.cores) {
            let spinner = progress::spinner(console, format!("{threads} threads, {} s", self.seconds));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.with_context(|| format!("cannot start {threads} threads"))?;
            measurements
                .push(pool.install(|| measure(&scenario, self.lanes as usize, threads, self.seconds))?);
            spinner.finish_and_clear();
        }
        let hash = measurements[0].hash;
        let spec = DecisionEnv::new(Arc::clone(&scenario));
        let spec = thoughtcache_env::gym::api::Env::spec(&spec);
        let report = Report {
            scenario: scenario.name().to_owned(),
            lanes: self.lanes,
            num_entries: spec.num_entries(),
            num_actions: spec.num_actions(),
            measurements,
            trajectory_hash: format!("{hash:016x}"),
            hashed_steps: HASHED_STEPS,
            circumstances,
        };
        console.result(&report, || report.text())?;
        if report.measurements.iter().any(|measurement| measurement.hash != hash) {
            console.warn("the trajectory hash depends on the number of threads; it must not");
            return Ok(Verdict::Failed);
        }
        Ok(judge(console, "one thread", report.measurements[0].decisions_per_s, self.at_least))
    }

    fn threads(&self, cores: usize) -> Vec<usize> {
        let mut threads = vec![1];
        while self.scaling && threads[threads.len() - 1] < cores {
            threads.push((2 * threads[threads.len() - 1]).min(cores));
        }
        threads
    }
}

impl Report {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("threads", Align::Right),
            ("decisions/s", Align::Right),
            ("speed-up", Align::Right),
        ]);
        for Measurement { threads, decisions_per_s, .. } in &self.measurements {
            let speed_up = decisions_per_s / self.measurements[0].decisions_per_s;
            table.row([threads.to_string(), grouped(*decisions_per_s as u64), format!("{speed_up:.2}")]);
        }
        format!(
            "{} x {} lanes ({} observation entries, {} actions), random legal actions;\n\
             resets, observation and mask rows, rewards and cost breakdown included\n\n{}\n\
             trajectory hash after {} steps: {}\n{}\n",
            self.scenario,
            self.lanes,
            self.num_entries,
            self.num_actions,
            table.text(2),
            grouped(self.hashed_steps),
            self.trajectory_hash,
            self.circumstances.line()
        )
    }
}

/// Lanes and the random policy that plays them.
struct RandomPlay {
    vec_env: VecEnv<DecisionEnv>,
    buffers: StepBuffers,
    actions: Vec<ActionId>,
    /// One generator a lane, so that an action does not depend on the number of threads.
    rngs: Vec<SimRng>,
    lanes_per_chunk: usize,
}

impl RandomPlay {
    fn new(scenario: &Arc<Scenario>, lanes: usize, threads: usize) -> Result<Self> {
        let seed = Seed::new(Purpose::Test, 0);
        let lanes_per_chunk = lanes.div_ceil(threads);
        let vec_env =
            VecEnv::new(DecisionEnv::lanes(scenario, lanes), seed).with_lanes_per_chunk(lanes_per_chunk);
        let mut buffers = StepBuffers::new(lanes, vec_env.spec());
        let rows = buffers.rows();
        vec_env.observe_into(rows.observations, rows.masks)?;
        let rngs = (0..lanes).map(|lane| seed.with_lane(lane as u32).stream(Stream::Policy)).collect();
        Ok(Self { vec_env, buffers, actions: vec![ActionId(0); lanes], rngs, lanes_per_chunk })
    }

    fn step(&mut self) -> Result<()> {
        let num_actions = self.vec_env.spec().num_actions();
        let mut rows = self.buffers.rows();
        let choose = |((action, legal), rng): ((&mut ActionId, &[bool]), &mut SimRng)| {
            *action = random_legal(legal, rng);
        };
        let chunk = self.lanes_per_chunk;
        if chunk >= self.actions.len() {
            self.actions
                .iter_mut()
                .zip(rows.masks.chunks_exact(num_actions))
                .zip(&mut self.rngs)
                .for_each(choose);
        } else {
            let masks = rows.masks.par_chunks_exact(num_actions);
            let lanes = self.actions.par_iter_mut().zip(masks).zip(&mut self.rngs);
            lanes.with_min_len(chunk).for_each(choose);
        }
        Ok(self.vec_env.step_into(&self.actions, &mut rows)?)
    }
}

fn random_legal(legal: &[bool], rng: &mut SimRng) -> ActionId {
    let count: usize = legal.iter().map(|&is_legal| usize::from(is_legal)).sum();
    let mut left = rng.random_range(0..count);
    for (index, &is_legal) in legal.iter().enumerate() {
        if is_legal {
            if left == 0 {
                return ActionId::from_index(index);
            }
            left -= 1;
        }
    }
    unreachable!("as many actions are legal as were counted")
}

fn measure(scenario: &Arc<Scenario>, lanes: usize, threads: usize, seconds: f64) -> Result<Measurement> {
    let mut play = RandomPlay::new(scenario, lanes, threads)?;
    for _ in 0..HASHED_STEPS {
        play.step()?;
    }
    let hash = play.vec_env.trajectory_hash();
    let stopwatch = Stopwatch::start();
    let mut steps = 0;
    while stopwatch.elapsed_s() < seconds {
        for _ in 0..STEPS_PER_LOOK {
            play.step()?;
        }
        steps += STEPS_PER_LOOK;
    }
    Ok(Measurement { threads, decisions_per_s: stopwatch.rate_per_s(steps * lanes as u64), hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_three_threads_give_the_same_hash() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let hash = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut play = RandomPlay::new(&scenario, 7, threads).unwrap();
                (0..300).for_each(|_| play.step().unwrap());
                play.vec_env.trajectory_hash()
            })
        };
        assert_eq!(hash(1), hash(3));
    }

    #[test]
    fn every_legal_action_and_no_other_is_drawn() {
        let mut rng = Seed::new(Purpose::Test, 0).stream(Stream::Policy);
        let mut drawn = [0; 4];
        for _ in 0..300 {
            drawn[random_legal(&[false, true, false, true], &mut rng).index()] += 1;
        }
        assert_eq!((drawn[0], drawn[2]), (0, 0));
        assert!(drawn[1] > 100 && drawn[3] > 100, "{drawn:?}");
    }
}
