//! `cargo xtask reference corners`: PPOs that see the age of thought, remember or are blind, in the worlds of `xtask/corners.toml`.
//!
//! Their comparison is kept in `runs/reference/age-of-thought/ppo.csv` and `.md`. Finished training runs are left alone.

use std::fmt::Write;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::call;
use super::reference::{KEPT, WORK};
use crate::files;
use crate::workspace::Workspace;

/// The experiments: sighted, with memory, blind.
const KINDS: [&str; 3] = ["tight-aot-ppo", "tight-aot-ppo-memory", "tight-aot-ppo-blind"];
const SCENARIO: &str = "tight-aot";

/// A row of `xtask/corners.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corner {
    world: String,
    /// What is changed in the scenario, beside `thought.cv`.
    scenario: Vec<String>,
    cv: Vec<u32>,
    seeds: u64,
    decisions: u64,
}

/// A mean and its interval.
type Estimate = [f64; 3];

fn corners() -> Vec<Corner> {
    files::rows(include_str!("../../corners.toml"))
}

/// Trains what is missing, compares.
pub(super) fn run(workspace: &Workspace) -> Result<()> {
    let mut csv = "cv,world,seeds,decisions".to_owned();
    for name in ["sighted", "memory", "blind", "beyond_memory", "beyond_blind"] {
        let _ = write!(csv, ",{name},{name}_low,{name}_high"); // a String takes everything
    }
    csv.push('\n');
    let mut table = "| turns | world | seeds | sighted | memory | blind | sighted beyond memory | sighted beyond blind |\n\
                     | --- | --- | ---: | ---: | ---: | ---: | --- | --- |\n"
        .to_owned();
    for corner in corners() {
        for cv in &corner.cv {
            let (costs, gains) = measure(workspace, &corner, *cv)?;
            let Corner { world, seeds, decisions, .. } = &corner;
            // A world has a comma in its name.
            let _ = write!(csv, "{cv},\"{world}\",{seeds},{decisions}");
            for number in costs.iter().chain(&gains).flatten() {
                let _ = write!(csv, ",{number:.5}");
            }
            csv.push('\n');
            let turns = if *cv == 0 { "alike" } else { "vary" };
            let costs = costs
                .map(|[mean, low, high]| format!("{:.2} [{:.2}, {:.2}]", 1e3 * mean, 1e3 * low, 1e3 * high));
            let gains = gains.map(|gain| {
                let [mean, low, high] = gain.map(|share| 100.0 * share);
                format!("{mean:+.1} % [{low:+.1}, {high:+.1}]")
            });
            let _ = writeln!(
                table,
                "| {turns} | {world} | {seeds} | {} | {} |",
                costs.join(" | "),
                gains.join(" | ")
            );
            files::write(&workspace.root().join(format!("{KEPT}/age-of-thought/ppo.csv")), &csv)?;
        }
    }
    table += "\nCosts per slot x 1000, 200 test episodes; intervals over seeds and episodes.\n";
    files::write(&workspace.root().join(format!("{KEPT}/age-of-thought/ppo.md")), &table)
}

/// Trains the three kinds in a world; returns what they cost, and what the sighted one costs relative to each of the others.
fn measure(workspace: &Workspace, corner: &Corner, cv: u32) -> Result<([Estimate; 3], [Estimate; 2])> {
    let changes = corner.scenario.iter().cloned().chain([format!("thought.cv={cv}")]);
    let sets: Vec<String> =
        changes.flat_map(|change| ["--set".to_owned(), format!("scenario.{change}")]).collect();
    let folder = format!("{WORK}/corners/{}", corner.folder(cv));
    let runs = KINDS.map(|experiment| format!("{folder}/{experiment}"));
    for (run, experiment) in runs.iter().zip(KINDS) {
        let (config, seeds) =
            (format!("configs/experiments/{experiment}.toml"), format!("1..{}", corner.seeds));
        let mut command = workspace.program();
        command.args(["train", "--config", &config, "--seeds", &seeds, "--out", run]).args(&sets);
        call(command.args(["--set", &format!("decisions={}", corner.decisions)]))?;
    }
    let mut costs = [[0.0; 3]; 3];
    let gains = [1, 2].map(|other| -> Result<Estimate> {
        let file = format!("{folder}/beside-{}.csv", KINDS[other]);
        let mut command = workspace.program();
        command
            .args(["compare", "--quiet", "--scenario", SCENARIO, "--only", "--episodes", "200"])
            .args(&sets);
        call(command.args([&runs[0], "--baseline", &runs[other], "--out-csv", &file]))?;
        let text = files::read(&workspace.root().join(&file))?;
        let row = |experiment: &str| {
            row(&text, &format!("{experiment} (")).with_context(|| format!("{file} has no {experiment}"))
        };
        let sighted = row(KINDS[0])?;
        (costs[0], costs[other]) = (sighted[0], row(KINDS[other])?[0]);
        Ok(sighted[1])
    });
    let [memory, blind] = gains;
    Ok((costs, [memory?, blind?]))
}

impl Corner {
    fn folder(&self, cv: u32) -> String {
        let words =
            self.scenario.iter().map(|change| change.rsplit('.').next().unwrap_or(change).replace('=', "-"));
        words.chain([format!("cv-{cv}")]).collect::<Vec<_>>().join("-")
    }
}

/// The cost of the first policy whose name begins so, and its cost relative to the baseline.
fn row(csv: &str, name: &str) -> Option<[Estimate; 2]> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next()?;
    let at = |column: &str| header.iter().position(|known| *known == column);
    let policy = at("policy")?;
    let row = lines.find(|row| row.get(policy).is_some_and(|known| known.starts_with(name)))?;
    let number = |column: &str| row.get(at(column)?)?.parse().ok();
    Some([
        [number("mean_cost")?, number("ci95_low")?, number("ci95_high")?],
        [number("relative")?, number("relative_low")?, number("relative_high")?],
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_kind_is_not_that_of_a_longer_name() {
        let csv = "policy,mean_cost,ci95_low,ci95_high,relative,relative_low,relative_high\n\
                   a-memory (3 seeds),4,3,5,0,0,0\na (3 seeds),2,1,3,-0.5,-0.6,-0.4\n";
        assert_eq!(row(csv, "a ("), Some([[2.0, 1.0, 3.0], [-0.5, -0.6, -0.4]]));
        assert_eq!(row(csv, "b ("), None);
    }

    #[test]
    fn every_corner_has_a_folder_of_its_own() {
        let all = corners();
        let folders = all.iter().flat_map(|corner| corner.cv.iter().map(|cv| corner.folder(*cv)));
        let folders: std::collections::BTreeSet<String> = folders.collect();
        assert_eq!(folders.len(), all.iter().map(|corner| corner.cv.len()).sum::<usize>());
        assert!(folders.contains("compute_budget_tflop_per_slot-280-cv-0"), "{folders:?}");
    }
}
