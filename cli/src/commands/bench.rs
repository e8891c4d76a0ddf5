//! `thoughtcache bench`: how fast worlds and learners are on this machine, and how near learners come to known optima.

mod env;
mod tiny;
mod train;

use crate::console::{Console, Verdict};
use crate::machine::{Machine, load_average};
use anyhow::Result;
use serde::Serialize;

/// Measure decisions per second, and learners against exact optima
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench env --lanes 1024 --scaling
  thoughtcache bench train --config configs/experiments/tight-ppo.toml --decisions 200000
  thoughtcache bench tiny")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Env(env::Args),
    Train(train::Args),
    Tiny(tiny::Args),
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::Env(args) => args.run(console),
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
