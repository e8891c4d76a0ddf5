//! `thoughtcache verify`: proves the two promises of training on the user's own machine. A run that was killed and resumed
//! ends with the same bytes as one that was not; a run that is repeated with other threads ends with the same bytes.

#[cfg(feature = "torch")]
mod child;
#[cfg(feature = "torch")]
mod comparison;
#[cfg(feature = "torch")]
mod determinism;
#[cfg(feature = "torch")]
mod resume;

use crate::args::whole;
use crate::console::{Console, Verdict};
use anyhow::Result;
use std::path::PathBuf;

/// Prove that runs resume and repeat themselves to the last byte
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache verify resume runs/tight-ppo-1
  thoughtcache verify determinism configs/experiments/tight-dqn.toml --decisions 50000

Exit code 1 when something differs.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Resume(ResumeArgs),
    Determinism(DeterminismArgs),
}

/// Kill a repetition of a run at random moments, resume it, and compare every byte
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache verify resume runs/tight-ppo-1
  thoughtcache verify resume runs/tight-dqn-1 --decisions 50000 --kills 10

The run itself is what is compared with, if it is finished and was made by this program on this machine; else its config is
trained once more without a kill.")]
struct ResumeArgs {
    /// The folder of a run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Number of kills
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    kills: u32,
    /// Decisions of the repetition [default: the run's own]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    decisions: Option<u64>,
    /// Decisions between two checkpoints of the run that is killed [default: a twentieth of the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    checkpoint_every: Option<u64>,
    /// Fail unless at least this many kills interrupted the writing of a checkpoint
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    in_checkpoint: u32,
    /// The seed of the moments of the kills
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
}

/// Train twice with different threads and compare every byte
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache verify determinism configs/experiments/tight-ppo.toml --decisions 50000
  thoughtcache verify determinism runs/tight-dqn-1/config.toml

What it promises: equal bytes on one machine type, whatever the number of threads of the world (RAYON_NUM_THREADS). Threads
of libtorch are part of the config (torch_threads).")]
struct DeterminismArgs {
    /// An experiment, or the config.toml of a run
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Decisions of each of the two runs [default: the config's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    decisions: Option<u64>,
}

impl Args {
    /// Does what was typed.
    #[cfg(not(feature = "torch"))]
    pub(crate) fn run(self, _: Console) -> Result<Verdict> {
        Err(super::train::no_learners())
    }

    /// Does what was typed.
    #[cfg(feature = "torch")]
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        use crate::interrupt::{Stop, StopReason};

        let stop = Stop::listen(None)?;
        let verdict = match self.what {
            What::Resume(args) => resume::run(&args, console, &stop),
            What::Determinism(args) => determinism::run(args, console, &stop),
        };
        verdict.or_else(|error| error.downcast::<StopReason>().map(StopReason::verdict))
    }
}
