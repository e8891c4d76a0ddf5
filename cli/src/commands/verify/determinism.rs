//! `thoughtcache verify determinism`: one config, trained twice with different numbers of threads.

use crate::args::whole;
use crate::console::{Console, Verdict};
use anyhow::Result;

/// Train twice with different threads and compare every byte
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache verify determinism configs/experiments/tight-ppo.toml --decisions 50000
  thoughtcache verify determinism runs/tight-dqn-1/config.toml

What it promises: equal bytes on one machine type, whatever the number of threads of the world (RAYON_NUM_THREADS). Threads
of libtorch are part of the config (torch_threads).")]
pub(crate) struct Args {
    /// An experiment, or the config.toml of a run
    #[arg(value_name = "CONFIG")]
    config: std::path::PathBuf,
    /// Decisions of each of the two runs [default: the config's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    decisions: Option<u64>,
}

impl Args {
    /// Does what was typed.
    #[cfg(not(feature = "torch"))]
    pub(super) fn run(self, _: Console) -> Result<Verdict> {
        anyhow::bail!(crate::commands::train::NO_TORCH)
    }

    /// Does what was typed.
    #[cfg(feature = "torch")]
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        use super::child::{Begin, Scratch};
        use super::comparison::{self, Row};
        use crate::experiment::ExperimentArgs;
        use crate::progress;
        use crate::table::grouped;
        use serde::Serialize;

        /// What is said at the end.
        #[derive(Serialize)]
        struct Proof {
            config: String,
            decisions: u64,
            threads: [usize; 2],
            is_equal: bool,
            compared: Vec<Row>,
        }

        let mut arguments = ExperimentArgs::new(self.config.clone(), Vec::new(), None);
        if let Some(decisions) = self.decisions {
            arguments.set("decisions", &decisions.to_string());
        }
        let experiment = arguments.load_for(console)?;
        let threads = [1, std::thread::available_parallelism().map_or(1, std::num::NonZero::get).max(3)];
        let scratch = Scratch::new()?;
        let config = scratch.write("config.toml", &experiment)?;
        for threads in threads {
            let bar = progress::spinner(console, format!("training with RAYON_NUM_THREADS={threads}"));
            scratch.train(&scratch.path(&threads.to_string()), Begin::New(&config), Some(threads), None)?;
            bar.finish_and_clear();
        }
        let [one, other] = threads.map(|threads| scratch.path(&threads.to_string()));
        let compared = comparison::compare(&one, &other)?;
        let proof = Proof {
            config: self.config.display().to_string(),
            decisions: experiment.decisions,
            threads,
            is_equal: compared.iter().all(|row| row.is_equal),
            compared,
        };
        console.result(&proof, || {
            format!(
                "{}: {} decisions, trained with {} and with {} threads\n{}{}\n",
                proof.config,
                grouped(proof.decisions),
                threads[0],
                threads[1],
                comparison::text(&proof.compared),
                if proof.is_equal { "everything is equal" } else { "NOT EQUAL" }
            )
        })?;
        Ok(if proof.is_equal { Verdict::Done } else { Verdict::Failed })
    }
}
