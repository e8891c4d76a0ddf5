//! `cargo xtask weights`: how much the findings on `street` depend on the prices of its scenario.
//!
//! Each weight of `[physical.weights]` is multiplied by 1/4 to 4 while the others stay, and rules are compared on the same
//! episodes each time. The numbers are kept in `street-weights.csv`, and as tables in `docs/street.md`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::bars::commit;
use super::demo::{call, program};
use super::reference::with_tables;
use crate::clock::{Stopwatch, human};
use crate::failure::Failure;
use crate::libtorch;
use crate::machine::Machine;
use crate::progress::say;
use crate::workspace::Workspace;

const SCENARIO: &str = "street";
const TABLE: &str = "physical.weights";
const FACTORS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
const EPISODES: &str = "200";
const BASELINE: &str = "least-aot+myopic";
/// Rules about a cache with the cheapest placements, the rule that counts future savings, and one place for everything.
const POLICIES: [&str; 8] = [
    BASELINE,
    "lru+myopic",
    "density+myopic",
    "worth+myopic",
    "amortised+myopic",
    "edge-only",
    "cloud-only",
    "device-only",
];
/// Where the comparisons of each weight lie, ignored by git, and where all of them are kept.
const WORK: &str = "runs/weights";
const CSV: &str = "runs/reference/street-weights.csv";
const MARKDOWN: &str = "runs/reference/street-weights.md";
const PAGE: &str = "docs/street.md";
/// What the time of a decision is called; it belongs to the machine.
const TIME: &str = "decide_us";

/// A weight, and its value in the scenario.
#[derive(Clone, Debug, PartialEq)]
struct Weight {
    name: String,
    value: f64,
}

/// Compares, and writes the table and the page.
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<(), Failure> {
    let stopwatch = Stopwatch::start();
    libtorch::ensure(workspace, machine)?;
    call(workspace.cargo().args(["build", "--release"]))?;
    let root = workspace.root();
    let commit = commit(workspace);
    let scenario = root.join(format!("configs/scenarios/{SCENARIO}.toml"));
    let weights = weights(&scenario)?;
    let mut rows = Vec::new();
    for weight in &weights {
        let path = format!("{WORK}/{}.csv", weight.name);
        let key = format!("scenario.{TABLE}.{}", weight.name);
        let values: Vec<String> =
            FACTORS.iter().map(|factor| format!("{:?}", factor * weight.value)).collect();
        let sweep = format!("{key}={}", values.join(","));
        let mut command = program(workspace);
        command.args(["compare", "--quiet", "--json", "--scenario", SCENARIO]).args(POLICIES);
        command.args(["--only", "--baseline", BASELINE, "--episodes", EPISODES]);
        command.args(["--sweep", &sweep, "--out-csv", &path]).stdout(std::process::Stdio::null());
        call(&mut command)?;
        rows.extend(read(&root.join(path), weight)?);
    }
    write(&root.join(CSV), &csv(&rows))?;
    write(&root.join(MARKDOWN), &markdown(&weights, &rows, &commit))?;
    let page = root.join(PAGE);
    let text = fs::read_to_string(&page).map_err(Failure::file("read", &page))?;
    write(&page, &with_tables(&text, root)?)?;
    say(&format!("\nwritten in {}: {CSV}, {MARKDOWN}, {PAGE}", human(stopwatch.elapsed())));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(Failure::file("write", path))
}

/// The weights of a scenario in the order of its file.
fn weights(path: &Path) -> Result<Vec<Weight>, Failure> {
    let text = fs::read_to_string(path).map_err(Failure::file("read", path))?;
    let lines = text.lines().skip_while(|line| line.trim() != format!("[{TABLE}]")).skip(1);
    let weights: Vec<Weight> = lines
        .take_while(|line| !line.trim_start().starts_with('['))
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, value)| {
            let value = value.split('#').next()?.trim().replace('_', "").parse().ok()?;
            Some(Weight { name: name.trim().to_owned(), value })
        })
        .collect();
    if weights.is_empty() {
        let reason = format!("it has no table [{TABLE}] with numbers");
        return Err(Failure::Document { path: path.to_owned(), reason });
    }
    Ok(weights)
}

/// A policy at a value of a weight: the columns of `compare`, and which weight it was.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    weight: String,
    factor: f64,
    /// Column names and cells, in order.
    cells: Vec<(String, String)>,
}

impl Row {
    fn cell(&self, column: &str) -> &str {
        self.cells.iter().find(|(name, _)| name == column).map_or("", |(_, cell)| cell)
    }

    fn number(&self, column: &str) -> f64 {
        self.cell(column).parse().unwrap_or(f64::NAN)
    }

    fn percent(&self, columns: &[&str]) -> String {
        format!("{:.0}", 100.0 * columns.iter().map(|column| self.number(column)).sum::<f64>())
    }
}

/// What `compare` wrote of a weight; its cells hold neither commas nor quotes.
fn read(path: &Path, weight: &Weight) -> Result<Vec<Row>, Failure> {
    let text = fs::read_to_string(path).map_err(Failure::file("read", path))?;
    let swept = format!("scenario.{TABLE}.{}", weight.name);
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap_or_default();
    lines
        .map(|cells| {
            let cells: Vec<(String, String)> = header
                .iter()
                .zip(cells)
                .filter(|(name, _)| *name != TIME)
                .map(|(name, cell)| (if *name == swept { "value" } else { name }.to_owned(), cell))
                .collect();
            let mut row = Row { weight: weight.name.clone(), factor: 0.0, cells };
            row.factor = row.number("value") / weight.value;
            if row.factor.is_finite() {
                return Ok(row);
            }
            let reason = format!("it has no number in the column {swept}");
            Err(Failure::Document { path: path.to_owned(), reason })
        })
        .collect()
}

fn csv(rows: &[Row]) -> String {
    let header = rows.first().map(|row| row.cells.iter().map(|(name, _)| name.as_str()));
    let line = |cells: &mut dyn Iterator<Item = String>| cells.collect::<Vec<_>>().join(",") + "\n";
    let mut text =
        line(&mut ["weight", "factor"].into_iter().chain(header.into_iter().flatten()).map(str::to_owned));
    for row in rows {
        let own = [row.weight.clone(), row.factor.to_string()];
        text += &line(&mut own.into_iter().chain(row.cells.iter().map(|(_, cell)| cell.clone())));
    }
    text
}

/// Two tables a weight (a String takes everything): what each rule costs against the baseline, and what the baseline and the cheapest rule do.
fn markdown(weights: &[Weight], rows: &[Row], commit: &str) -> String {
    let mut text = format!(
        "Made by `cargo xtask weights` at commit {}: {EPISODES} test episodes of each rule at each value; every number, with its\n\
         interval, is in `{CSV}`.\n",
        commit.get(..commit.len().min(12)).unwrap_or(commit)
    );
    for Weight { name, value } in weights {
        let of_weight: Vec<&Row> = rows.iter().filter(|row| row.weight == *name).collect();
        let _ = write!(
            text,
            "\n### `{name}` = {value}\n\nCost relative to {BASELINE}, %; the cheapest of a column in bold.\n\n"
        );
        let _ = writeln!(
            text,
            "| rule | {} |\n|---|{}",
            FACTORS.map(times).join(" | "),
            "---:|".repeat(FACTORS.len())
        );
        for policy in POLICIES {
            let cells = FACTORS.map(|factor| relative(&of_weight, policy, factor));
            let _ = writeln!(text, "| {policy} | {} |", cells.join(" | "));
        }
        text += "\n| value | rule | cents a slot | device | split edge | edge | split cloud | cloud | hits | late |\n\
                 |---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        for factor in FACTORS {
            let cheapest = cheapest(&of_weight, factor);
            let mut shown = vec![BASELINE];
            shown.extend(cheapest.filter(|name| *name != BASELINE));
            for policy in shown {
                if let Some(row) = find(&of_weight, policy, factor) {
                    let _ = writeln!(
                        text,
                        "| {} | {policy} | {:.2} | {} |",
                        times(factor),
                        row.number("mean_cost"),
                        does(row)
                    );
                }
            }
        }
    }
    text
}

fn times(factor: f64) -> String {
    if factor < 1.0 { format!("x 1/{}", 1.0 / factor) } else { format!("x {factor}") }
}

fn find<'a>(rows: &[&'a Row], policy: &str, factor: f64) -> Option<&'a Row> {
    rows.iter().copied().find(|row| row.cell("policy") == policy && (row.factor / factor - 1.0).abs() < 1e-9)
}

/// The cheapest rule at a value.
fn cheapest<'a>(rows: &[&'a Row], factor: f64) -> Option<&'a str> {
    let of_factor = POLICIES.iter().filter_map(|policy| find(rows, policy, factor));
    let best = of_factor.min_by(|a, b| a.number("mean_cost").total_cmp(&b.number("mean_cost")));
    best.map(|row| row.cell("policy"))
}

fn relative(rows: &[&Row], policy: &str, factor: f64) -> String {
    let Some(row) = find(rows, policy, factor) else { return "-".to_owned() };
    let share = format!("{:+.1}", 100.0 * row.number("relative"));
    let share = if policy == BASELINE { "0".to_owned() } else { share };
    if cheapest(rows, factor) == Some(policy) { format!("**{share}**") } else { share }
}

/// Where requests are served, hits and missed deadlines, in per cent.
fn does(row: &Row) -> String {
    [
        row.percent(&["placed_device_ratio"]),
        row.percent(&["placed_split_edge_coarse_ratio", "placed_split_edge_fine_ratio"]),
        row.percent(&["placed_edge_ratio"]),
        row.percent(&["placed_split_cloud_coarse_ratio", "placed_split_cloud_fine_ratio"]),
        row.percent(&["placed_cloud_ratio"]),
        row.percent(&["hit_ratio"]),
        row.percent(&["late_ratio"]),
    ]
    .join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_the_street_are_read_in_order() {
        let path = Workspace::here().root().join(format!("configs/scenarios/{SCENARIO}.toml"));
        let weights = weights(&path).unwrap();
        let names: Vec<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
        let expected = ["s", "j", "quality", "currency", "missed_deadline", "store_gb"];
        assert_eq!(names, expected.map(|of| format!("cost_per_{of}")));
        assert!(weights.iter().all(|weight| weight.value > 0.0), "{weights:?}");
    }

    #[test]
    fn rows_of_a_weight_become_a_table_in_which_the_cheapest_is_bold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.csv");
        let header = "scenario,scenario.physical.weights.w,policy,mean_cost,relative,hit_ratio,decide_us\n";
        let mut text = header.to_owned();
        for value in ["1", "4"] {
            let _ = writeln!(
                text,
                "street,{value},{BASELINE},10,0,.5,9\nstreet,{value},device-only,{value},-.6,0,9"
            );
        }
        fs::write(&path, text).unwrap();
        let weight = Weight { name: "w".into(), value: 4.0 };
        let rows = read(&path, &weight).unwrap();
        assert_eq!(rows.iter().map(|row| row.factor).collect::<Vec<_>>(), [0.25, 0.25, 1.0, 1.0]);
        assert!(csv(&rows).starts_with(
            "weight,factor,scenario,value,policy,mean_cost,relative,hit_ratio\nw,0.25,street,1,"
        ));
        let page = markdown(&[weight], &rows, "0123456789abcdef");
        assert!(page.contains("| device-only | **-60.0** | - | **-60.0** | - | - |\n"), "{page}");
        assert!(page.contains("at commit 0123456789ab:"), "{page}");
    }

    #[test]
    fn the_page_shows_the_table_that_was_made() {
        let root = Workspace::here().root().to_owned();
        let text = fs::read_to_string(root.join(PAGE)).unwrap();
        assert!(text.contains(&format!("<!-- begin {MARKDOWN} -->")));
        assert_eq!(with_tables(&text, &root).unwrap(), text, "type: cargo xtask weights");
    }
}
