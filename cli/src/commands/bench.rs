//! `thoughtcache bench`: how fast worlds and learners are on this machine, how near learners come to known optima, and what it is
//! worth to see the age of thought.

mod env;
mod measure;
mod play;
mod radio;
mod scaling;
mod scaling_plot;
mod thought;
mod tiny;
mod train;

use crate::console::{Console, Verdict};
use anyhow::Result;

/// Measure decisions per second, learners against exact optima, and the worth of the age of thought
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench env --lanes 1024 --scaling
  thoughtcache bench env --scenario street --scaling
  thoughtcache bench radio --set scenario.physical.users=1000
  thoughtcache bench train --config configs/experiments/tight-ppo.toml --decisions 200000
  thoughtcache bench tiny
  thoughtcache bench age-of-thought")]
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
    AgeOfThought(thought::Args),
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::Env(args) => args.run(console),
            What::Radio(args) => args.run(console),
            What::Train(args) => args.run(console),
            What::Tiny(args) => args.run(console),
            What::AgeOfThought(args) => args.run(console),
        }
    }
}
