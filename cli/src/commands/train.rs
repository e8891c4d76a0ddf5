//! `thoughtcache train`: an experiment becomes a run folder with a checkpoint.

#[cfg(feature = "torch")]
mod learn;
#[cfg(feature = "torch")]
mod watch;

use crate::console::{Console, Verdict};
use crate::experiment::ExperimentArgs;
use anyhow::Result;
use std::path::PathBuf;

/// What a build without learners says.
#[cfg(not(feature = "torch"))]
pub(crate) const NO_TORCH: &str = "this program was built without its learners (feature `torch`); everything but training \
                                   works; to train, type: cargo xtask setup && cargo build --release";

/// Train a policy
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache train --config configs/experiments/tight-ppo.toml
  thoughtcache train --config configs/experiments/tight-ppo.toml --seed 2 --set decisions=200000
  thoughtcache train --config runs/tight-ppo-1/config.toml --out runs/again

The last one repeats a run, to the last bit.
Ctrl-C ends a run in good order: it validates once more and keeps its best checkpoint and its logs.")]
pub(crate) struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// The run's folder, new or empty [default: runs/EXPERIMENT-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Args {
    /// Does what was typed.
    #[cfg(not(feature = "torch"))]
    pub(crate) fn run(self, _: Console) -> Result<Verdict> {
        let Self { experiment: _, out: _ } = self;
        anyhow::bail!(NO_TORCH)
    }

    /// Does what was typed.
    #[cfg(feature = "torch")]
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let experiment = self.experiment.load()?;
        learn::run(console, &experiment, self.out.as_deref())
    }
}
