//! `cargo xtask reference`: trains the reference runs over their seeds, and keeps the median seed of each.
//!
//! The median is that of the validation cost of the best checkpoints; with an even number of seeds the better of the two in
//! the middle. All seeds are compared on the test episodes, beside every heuristic, in `seeds.csv`; the kept checkpoints of
//! a scenario stand side by side in `SCENARIO.txt`, `.csv` and `.md`, and those that were trained to do without something beside the
//! whole one in `SCENARIO-without.txt`, `.csv` and `.md`. Finished training runs are left alone, so the command can be stopped and typed
//! again.

use std::fs;
use std::path::{Path, PathBuf};

use super::{call, chosen, program, results, status, typed};
use crate::failure::Failure;
use crate::files;
use crate::libtorch;
use crate::machine::{Machine, ended};
use crate::progress::say;
use crate::workspace::Workspace;

/// Where the training runs lie, ignored by git, and where the kept ones lie.
const WORK: &str = "runs/reference-seeds";
const KEPT: &str = "runs/reference";
/// What a reference run keeps of its training run.
const FILES: [&str; 5] = [
    "config.toml",
    "provenance.toml",
    "eval.csv",
    "checkpoints/best/policy.safetensors",
    "checkpoints/best/meta.json",
];

/// A scenario, its recording where it needs one, and the experiments on it with their numbers of seeds.
struct Reference {
    scenario: &'static str,
    recording: Option<&'static str>,
    experiments: &'static [(&'static str, u64)],
}

const REFERENCES: [Reference; 8] = [
    Reference {
        scenario: "street",
        recording: None,
        experiments: &[
            ("street-ppo", 3),
            ("street-ppo-blind", 3),
            ("street-ppo-no-link", 3),
            ("street-dqn", 3),
        ],
    },
    Reference {
        scenario: "office-140ghz",
        recording: None,
        experiments: &[("office-140ghz-ppo", 3), ("office-140ghz-dqn", 3)],
    },
    Reference { scenario: "city", recording: None, experiments: &[("city-ppo", 3), ("city-dqn", 3)] },
    Reference {
        scenario: "tight",
        recording: None,
        experiments: &[("tight-ppo", 5), ("tight-dqn", 5), ("tight-ppo-blind", 5)],
    },
    Reference { scenario: "tight-request", recording: None, experiments: &[("tight-request-ppo", 3)] },
    Reference { scenario: "paper", recording: None, experiments: &[("paper-ppo", 3), ("paper-dqn", 3)] },
    Reference {
        scenario: "trace-gentd26",
        recording: Some("gentd26.csv.gz"),
        experiments: &[("trace-gentd26-ppo", 3), ("trace-gentd26-dqn", 3)],
    },
    Reference {
        scenario: "trace-azure",
        recording: Some("azure-conv.csv.gz"),
        experiments: &[("trace-azure-ppo", 3), ("trace-azure-dqn", 3)],
    },
];

/// The scenarios that there are reference runs on, in the order of tables.
pub(super) fn scenarios() -> impl Iterator<Item = &'static str> {
    REFERENCES.iter().map(|reference| reference.scenario)
}

/// Trains what is missing, chooses, compares: on the scenarios of these names, on all where there is none.
pub(crate) fn run(workspace: &Workspace, machine: &Machine, only: &[String]) -> Result<(), Failure> {
    let scenarios: Vec<&str> = scenarios().collect();
    let chosen = chosen("reference scenario", &scenarios, only)?;
    libtorch::ensure(workspace, machine)?;
    call(workspace.cargo().args(["build", "--release"]))?;
    for reference in REFERENCES.iter().filter(|reference| chosen.contains(&reference.scenario)) {
        if let Some(file) = reference.recording
            && !workspace.root().join(file).is_file()
        {
            say(&format!(
                "\n=== {}: left out, {file} is not there; the head of its scenario says how to make it",
                reference.scenario
            ));
            continue;
        }
        let mut kept = Vec::new();
        for &(experiment, num_seeds) in reference.experiments {
            kept.push(make(workspace, reference.scenario, experiment, num_seeds)?);
        }
        let file = format!("{KEPT}/{}", reference.scenario);
        compare(workspace, reference.scenario, &kept, &file, Shown::Tables)?;
        let whole = &kept[0];
        let without: Vec<String> =
            kept.iter().filter(|run| run.starts_with(&format!("{whole}-"))).cloned().collect();
        if !without.is_empty() {
            let against = Shown::Against { baseline: whole };
            compare(workspace, reference.scenario, &without, &format!("{file}-without"), against)?;
        }
    }
    results::refresh(workspace.root())
}

/// Trains the seeds of an experiment, keeps the median, and returns its folder.
fn make(workspace: &Workspace, scenario: &str, experiment: &str, num_seeds: u64) -> Result<String, Failure> {
    let (work, config) = (format!("{WORK}/{experiment}"), format!("configs/experiments/{experiment}.toml"));
    let range = format!("1..{num_seeds}");
    call(program(workspace).args(["train", "--config", &config, "--seeds", &range, "--out", &work]))?;
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
        copy(&workspace.root().join(median).join(file), &workspace.root().join(&target).join(file))?;
    }
    compare(workspace, scenario, &folders, &format!("{target}/seeds"), Shown::Numbers)?;
    say(&format!("=== {target}: {median}, the median of {num_seeds} seeds on validation episodes"));
    Ok(target)
}

/// What a comparison is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown<'a> {
    /// Runs beside all heuristics, as CSV.
    Numbers,
    /// The same, with tables for people.
    Tables,
    /// Runs beside nothing but this one, with tables for people, over more episodes: small differences are to be seen.
    Against {
        /// What differences refer to.
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
) -> Result<(), Failure> {
    let mut command = program(workspace);
    command.args(["compare", "--quiet", "--scenario", scenario]).args(runs);
    if let Shown::Against { baseline } = shown {
        command.args(["--only", "--baseline", baseline, "--episodes", "200"]);
    }
    command.args(["--by-run", "--out-csv", &format!("{file}.csv")]);
    if shown != Shown::Numbers {
        command.args(["--out-text", &format!("{file}.txt"), "--out-markdown", &format!("{file}.md")]);
        return call(&mut command);
    }
    say(&format!("\n=== {}", typed(&command)));
    let status = status(command.stdout(std::process::Stdio::null()))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Command { command: typed(&command), status: ended(status), is_interrupted: false })
}

/// The least validation cost of a run, from the second column of its `eval.csv`.
fn best_cost(file: &Path) -> Result<f64, Failure> {
    let text = files::read(file)?;
    let costs = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.parse::<f64>().ok());
    Ok(costs.fold(f64::INFINITY, f64::min))
}

fn copy(from: &Path, to: &PathBuf) -> Result<(), Failure> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    fs::copy(from, to).map_err(Failure::file("copy", from))?;
    Ok(())
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
        for reference in &REFERENCES {
            for (experiment, seeds) in reference.experiments {
                assert!(
                    root.join(format!("configs/experiments/{experiment}.toml")).is_file(),
                    "{experiment}"
                );
                assert!(*seeds >= 3, "{experiment}: a claim needs three seeds at least");
            }
        }
    }
}
