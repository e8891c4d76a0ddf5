//! `cargo xtask demo`: trains a PPO and a DQN on `street`, and compares them with every heuristic.

use std::sync::Arc;

use anyhow::{Context, Result};
use signal_hook::consts::TERM_SIGNALS;
use signal_hook::flag;

use super::call;
use crate::clock::{self, human};
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
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<()> {
    let started = clock::start();
    libtorch::ensure(workspace, machine)?;
    // The program ends itself after Ctrl-C, saving its work; we outlive it to pass its exit code on.
    for signal in TERM_SIGNALS {
        flag::register(*signal, Arc::default()).context("cannot start the watch for Ctrl-C")?;
    }
    call(workspace.cargo().args(["build", "--release"]))?;
    files::replace(&workspace.root().join(FOLDER))?;
    let runs = LEARNERS.map(|learner| format!("{FOLDER}/{learner}"));
    for (learner, run) in LEARNERS.iter().zip(&runs) {
        let config = format!("configs/experiments/demo-{learner}.toml");
        call(workspace.program().args(["train", "--config", &config, "--out", run]))?;
    }
    let mut compare = workspace.program();
    compare.args(["compare", "--scenario", SCENARIO]).args(&runs);
    call(compare.args(["--out-text", TABLES[0], "--out-csv", TABLES[1]]))?;
    println!("\nwritten in {}:", human(started.elapsed()));
    for table in TABLES {
        println!("  {table}");
    }
    for run in runs {
        println!("  {run}/");
    }
    Ok(())
}
