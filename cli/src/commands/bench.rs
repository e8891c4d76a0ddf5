//! `thoughtcache bench`: how fast worlds and learners are on this machine, and how near learners come to known optima.

mod env;
mod measure;
mod play;
mod radio;
mod scaling;
mod scaling_plot;
mod tiny;
mod train;

use crate::console::{Console, Verdict};
use anyhow::Result;

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
