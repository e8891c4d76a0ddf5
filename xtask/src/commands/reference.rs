//! `cargo xtask reference`: trains the reference runs over their seeds, and keeps the median seed of each.
//!
//! The median is that of the validation cost of the best checkpoints; with an even number of seeds the better of the two in
//! the middle. All seeds are compared on the test episodes, beside every heuristic, in `seeds.csv`; the kept checkpoints of
//! a scenario stand side by side in `SCENARIO.txt`, `.csv` and `.md`, and all seeds of those that were trained to do without something
//! beside the whole one's in `SCENARIO-without.txt`, `.csv` and `.md`. Finished training runs are left alone, so the command can be stopped and typed
//! again.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{call, chosen, corners, results};
use crate::failure::cannot;
use crate::files;
use crate::libtorch;
use crate::machine::Machine;
use crate::workspace::Workspace;

/// Where the training runs lie, ignored by git, and where the kept ones lie.
pub(super) const WORK: &str = "runs/reference-seeds";
pub(super) const KEPT: &str = "runs/reference";
/// The name of the runs of `xtask/corners.toml`, in the place of a scenario.
const CORNERS: &str = "corners";
/// What a reference run keeps of its training run.
const FILES: [&str; 5] = [
    "config.toml",
    "provenance.toml",
    "eval.csv",
    "checkpoints/best/policy.safetensors",
    "checkpoints/best/meta.json",
];

/// A scenario of `xtask/reference.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    scenario: String,
    /// The recording that it needs.
    recording: Option<String>,
    /// The experiments on it with their numbers of seeds.
    experiments: Vec<(String, u64)>,
}

fn references() -> Vec<Reference> {
    files::rows(include_str!("../../reference.toml"))
}

/// The scenarios that there are reference runs on, in the order of tables.
pub(super) fn scenarios() -> Vec<String> {
    references().into_iter().map(|reference| reference.scenario).collect()
}

/// Trains what is missing, chooses, compares: on the scenarios of these names, on all and in the corners where there is none.
pub(crate) fn run(workspace: &Workspace, machine: &Machine, only: &[String]) -> Result<()> {
    let names = [scenarios(), vec![CORNERS.to_owned()]].concat();
    let chosen = chosen("reference scenario", &names, only)?;
    libtorch::ensure(workspace, machine)?;
    call(workspace.cargo().args(["build", "--release"]))?;
    for Reference { scenario, recording, experiments } in &references() {
        if !chosen.contains(&scenario) {
            continue;
        }
        if let Some(file) = recording.as_ref().filter(|file| !workspace.root().join(file).is_file()) {
            eprintln!(
                "\n=== {scenario}: left out, {file} is not there; the head of its scenario says how to make it"
            );
            continue;
        }
        let (mut kept, mut seeds) = (Vec::new(), Vec::new());
        for (experiment, num_seeds) in experiments {
            kept.push(make(workspace, scenario, experiment, *num_seeds)?);
            seeds.push(format!("{WORK}/{experiment}"));
        }
        let file = format!("{KEPT}/{scenario}");
        compare(workspace, scenario, &kept, &file, Shown::Tables)?;
        let baseline = &seeds[0];
        let without: Vec<String> =
            seeds.iter().filter(|run| run.starts_with(&format!("{baseline}-"))).cloned().collect();
        if !without.is_empty() {
            compare(workspace, scenario, &without, &format!("{file}-without"), Shown::Against { baseline })?;
        }
    }
    if chosen.iter().any(|name| *name == CORNERS) {
        corners::run(workspace)?;
    }
    results::refresh(workspace.root())
}

/// Trains the seeds of an experiment, keeps the median, and returns its folder.
fn make(workspace: &Workspace, scenario: &str, experiment: &str, num_seeds: u64) -> Result<String> {
    let (work, config) = (format!("{WORK}/{experiment}"), format!("configs/experiments/{experiment}.toml"));
    let range = format!("1..{num_seeds}");
    call(workspace.program().args(["train", "--config", &config, "--seeds", &range, "--out", &work]))?;
    let mut seeds = Vec::new();
    for folder in (1..=num_seeds).map(|seed| format!("{work}/seed-{seed}")) {
        seeds.push((best_cost(&workspace.root().join(&folder).join("eval.csv"))?, folder));
    }
    let folders: Vec<String> = seeds.iter().map(|(_, folder)| folder.clone()).collect();
    let target = format!("{KEPT}/{experiment}");
    files::remove(&workspace.root().join(&target))?;
    seeds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let median = &seeds[(seeds.len() - 1) / 2].1;
    for file in FILES {
        let [from, to] = [median, &target].map(|run| workspace.root().join(run).join(file));
        files::create(to.parent().unwrap_or(&to))?;
        fs::copy(&from, &to).with_context(cannot("copy", &from))?;
    }
    compare(workspace, scenario, &folders, &format!("{target}/seeds"), Shown::Numbers)?;
    eprintln!("=== {target}: {median}, the median of {num_seeds} seeds on validation episodes");
    Ok(target)
}

/// What a comparison is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown<'a> {
    /// Runs beside all heuristics, as CSV.
    Numbers,
    /// The same, with tables for people and a lower bound.
    Tables,
    /// All seeds of some experiments beside those of this one and nothing else, with tables for people, over more episodes: small
    /// differences are to be seen.
    Against {
        /// The baseline of the differences.
        baseline: &'a str,
    },
}

/// Compares runs, and writes the tables as `file` with several endings.
fn compare(
    workspace: &Workspace,
    scenario: &str,
    runs: &[String],
    file: &str,
    shown: Shown<'_>,
) -> Result<()> {
    let mut command = workspace.program();
    command.args(["compare", "--quiet", "--scenario", scenario]).args(runs);
    match shown {
        Shown::Numbers => command.arg("--by-run"),
        Shown::Tables => command.args(["--by-run", "--bound"]),
        Shown::Against { baseline } => command.args(["--only", "--baseline", baseline, "--episodes", "200"]),
    };
    command.args(["--out-csv", &format!("{file}.csv")]);
    if shown == Shown::Numbers {
        command.stdout(Stdio::null());
    } else {
        command.args(["--out-text", &format!("{file}.txt"), "--out-markdown", &format!("{file}.md")]);
    }
    call(&mut command)
}

/// The least validation cost of a run, from the second column of its `eval.csv`.
fn best_cost(file: &Path) -> Result<f64> {
    let text = files::read(file)?;
    let costs = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.parse::<f64>().ok());
    Ok(costs.fold(f64::INFINITY, f64::min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_cost_is_the_least_of_the_second_column() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("eval.csv");
        fs::write(&file, "decisions,mean_cost,other\n10,0.5,9\n20,0.25,9\n30,0.75,0.1\n").unwrap();
        assert_eq!(best_cost(&file).unwrap(), 0.25);
    }

    #[test]
    fn every_reference_is_a_committed_experiment() {
        let root = Workspace::here().root().to_owned();
        for reference in &references() {
            for (experiment, seeds) in &reference.experiments {
                assert!(
                    root.join(format!("configs/experiments/{experiment}.toml")).is_file(),
                    "{experiment}"
                );
                assert!(*seeds >= 3, "{experiment}: a claim needs three seeds at least");
            }
        }
    }
}
