//! `cargo xtask demo`: trains a PPO and a DQN on `street`, and compares them with every heuristic.

use std::sync::Arc;

use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;

use super::{call, program};
use crate::clock::{Stopwatch, human};
use crate::failure::Failure;
use crate::files;
use crate::libtorch;
use crate::machine::Machine;
use crate::workspace::Workspace;

/// Where everything is written; what a demo before left there is replaced.
const FOLDER: &str = "runs/demo";
const SCENARIO: &str = "street";
const LEARNERS: [&str; 2] = ["ppo", "dqn"];
const TABLES: [&str; 2] = ["runs/demo/compare.txt", "runs/demo/compare.csv"];

/// Builds, trains, compares with every heuristic (what `compare` does when it is given runs alone), and names the files.
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<(), Failure> {
    let stopwatch = Stopwatch::start();
    libtorch::ensure(workspace, machine)?;
    // The program ends itself after Ctrl-C, saving its work; we outlive it to pass its exit code on.
    for signal in TERM_SIGNALS {
        flag::register(*signal, Arc::default())
            .map_err(|source| Failure::Start { program: "the watch for Ctrl-C".to_owned(), source })?;
    }
    call(workspace.cargo().args(["build", "--release"]))?;
    files::replace(&workspace.root().join(FOLDER))?;
    for learner in LEARNERS {
        call(program(workspace).args(train(learner)))?;
    }
    call(program(workspace).args(compare()))?;
    println!("\nwritten in {}:", human(stopwatch.elapsed()));
    for table in TABLES {
        println!("  {table}");
    }
    for learner in LEARNERS {
        println!("  {FOLDER}/{learner}/");
    }
    Ok(())
}

fn train(learner: &str) -> Vec<String> {
    let words = ["train", "--config", &format!("configs/experiments/demo-{learner}.toml"), "--out"];
    words.map(str::to_owned).into_iter().chain([format!("{FOLDER}/{learner}")]).collect()
}

fn compare() -> Vec<String> {
    let mut words = vec!["compare".to_owned(), "--scenario".to_owned(), SCENARIO.to_owned()];
    words.extend(LEARNERS.map(|learner| format!("{FOLDER}/{learner}")));
    words.extend(["--out-text", TABLES[0], "--out-csv", TABLES[1]].map(str::to_owned));
    words
}
