//! `thoughtcache verify`: proves the two promises of training on the user's own machine. A run that was killed and resumed
//! ends with the same bytes as one that was not; a run that is repeated with other threads ends with the same bytes.

#[cfg(feature = "torch")]
mod child;
#[cfg(feature = "torch")]
mod comparison;
mod determinism;
mod resume;

use crate::console::{Console, Verdict};
use anyhow::Result;

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
    Resume(resume::Args),
    Determinism(determinism::Args),
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let verdict = match self.what {
            What::Resume(args) => args.run(console),
            What::Determinism(args) => args.run(console),
        };
        #[cfg(feature = "torch")]
        if verdict.as_ref().is_err_and(anyhow::Error::is::<child::Interrupted>) {
            return Ok(Verdict::Interrupted);
        }
        verdict
    }
}
