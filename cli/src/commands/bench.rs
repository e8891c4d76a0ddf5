//! `thoughtcache bench`: how fast worlds and learners are on this machine, and how near learners come to known optima.

mod env;
mod play;
mod radio;
mod scaling;
mod scaling_plot;
mod tiny;
mod train;

use crate::clock::Stopwatch;
use crate::console::{Console, Verdict};
use crate::machine::{Machine, load_average, thread_cpu_s};
use anyhow::Result;
use serde::Serialize;

/// Measure decisions per second, and learners against exact optima
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench env --lanes 1024 --scaling
  thoughtcache bench env --scenario street --scaling
  thoughtcache bench radio --set scenario.physical.users=1000
  thoughtcache bench train --config configs/experiments/tight-ppo.toml --decisions 200000
  thoughtcache bench tiny")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Env(env::Args),
    Radio(radio::Args),
    Train(train::Args),
    Tiny(tiny::Args),
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::Env(args) => args.run(console),
            What::Radio(args) => args.run(console),
            What::Train(args) => args.run(console),
            What::Tiny(args) => args.run(console),
        }
    }
}

/// What a measurement depends on.
#[derive(Debug, Serialize)]
struct Circumstances {
    machine: Machine,
    /// Over 1, 5 and 15 minutes, when the measurement began.
    load_average: Option<[f64; 3]>,
}

impl Circumstances {
    fn now() -> Self {
        Self { machine: Machine::this(), load_average: load_average() }
    }

    fn line(&self) -> String {
        let load = self.load_average.map_or(String::new(), |[one, five, fifteen]| {
            format!("; load average at the start {one:.2} {five:.2} {fifteen:.2}")
        });
        format!("{}{load}", self.machine.line())
    }
}

/// Counts the processor time of this thread, so that other programs count for nothing; the time of the wall where the system
/// does not tell.
struct BusyClock {
    wall: Stopwatch,
    cpu_s: Option<f64>,
}

impl BusyClock {
    fn start() -> Self {
        Self { wall: Stopwatch::start(), cpu_s: thread_cpu_s() }
    }

    fn wall_s(&self) -> f64 {
        self.wall.elapsed_s()
    }

    fn busy_s(&self) -> f64 {
        match (self.cpu_s, thread_cpu_s()) {
            (Some(before), Some(now)) => now - before,
            _ => self.wall_s(),
        }
    }
}

/// A criterion that the user stated; says so when it does not hold.
fn judge(console: Console, what: &str, rate: f64, at_least: Option<f64>) -> Verdict {
    match at_least {
        Some(least) if rate < least => {
            console.warn(&format!("{what}: {rate:.0} decisions/s, --at-least {least:.0} was stated"));
            Verdict::Failed
        }
        _ => Verdict::Done,
    }
}
