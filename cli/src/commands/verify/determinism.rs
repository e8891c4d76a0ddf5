//! `thoughtcache verify determinism`: one config, trained twice with different numbers of threads.

use super::DeterminismArgs;
use super::child::Scratch;
use super::comparison;
use crate::console::{Console, Verdict};
use crate::experiment::ExperimentArgs;
use crate::interrupt::Stop;
use crate::machine::Machine;
use crate::progress;
use crate::table::grouped;
use anyhow::Result;
use serde_json::json;

/// Trains twice and compares.
///
/// # Errors
/// When a run cannot come to its end.
pub(super) fn run(args: DeterminismArgs, console: Console, stop: &Stop) -> Result<Verdict> {
    let place = args.config.display().to_string();
    let arguments = ExperimentArgs::new(args.config, Vec::new(), None);
    let experiment = arguments.with_decisions(args.decisions).load_for(console)?;
    let threads = [1, Machine::this().cores.max(3)];
    let scratch = Scratch::new(stop)?;
    let config = scratch.write("config.toml", &experiment)?;
    for threads in threads {
        let bar = progress::spinner(console, format!("training with RAYON_NUM_THREADS={threads}"));
        scratch.train(&scratch.path(&threads.to_string()), Some(&config), Some(threads), None)?;
        bar.finish_and_clear();
    }
    let [one, other] = threads.map(|threads| scratch.path(&threads.to_string()));
    let compared = comparison::compare(&one, &other)?;
    let is_equal = compared.iter().all(|row| row.is_equal);
    let proof = json!({
        "config": place,
        "decisions": experiment.decisions,
        "threads": threads,
        "is_equal": is_equal,
        "compared": compared,
    });
    console.result(&proof, || {
        format!(
            "{place}: {} decisions, trained with {} and with {} threads\n{}{}\n",
            grouped(experiment.decisions),
            threads[0],
            threads[1],
            comparison::text(&compared),
            if is_equal { "everything is equal" } else { "NOT EQUAL" }
        )
    })?;
    Ok(if is_equal { Verdict::Done } else { Verdict::Failed })
}
