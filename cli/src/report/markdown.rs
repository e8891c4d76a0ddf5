//! Comparisons as Markdown tables, for documents: nobody types a number of a result table by hand.

use super::comparison::{BOUND, Compared, REGRET, distance, played, relative, seeds_line, unit};
use super::figures::{self, TIMED, micros, percent};
use super::summary::components_in_use;
use super::sweep::matrix;
use std::fmt::Write;
use thoughtcache_agents::compare::Comparison;
use thoughtcache_agents::metrics::Summary;
use thoughtcache_env::cost::CostBreakdown;

/// The document: one table a comparison, and the matrix of a sweep.
pub(crate) fn markdown(compared: &[Compared], swept: Option<&str>) -> String {
    let mut text = String::new();
    for Compared { value, comparison } in compared {
        if let (Some(key), Some(value)) = (swept, value) {
            let _ = writeln!(text, "### `{key}` = {value}\n"); // a String takes everything
        }
        text += &table(comparison);
        text.push('\n');
    }
    if let Some(key) = swept {
        let _ = writeln!(text, "### Relative cost by `{key}`\n\n```text\n{}```", matrix(compared, key));
    }
    text
}

fn table(comparison: &Comparison) -> String {
    let unit = unit(comparison);
    let summaries: Vec<&Summary> = comparison.policies.iter().map(|row| &row.summary).collect();
    let components = components_in_use(&summaries);
    let mut header: Vec<String> = vec!["policy".into(), unit.name(), "95 % interval".into()];
    header.push(format!("relative to {}", comparison.baseline));
    if comparison.bound.is_some() {
        header.extend(["regret".into(), "closed, %".into()]);
    }
    header.push("hits, %".into());
    header.extend(components.iter().map(|&index| CostBreakdown::NAMES[index].to_owned()));
    header.push("us per decision".into());
    let mut text = row(&header);
    let rule: Vec<String> = (0..header.len())
        .map(|column| if [0, 3].contains(&column) { "---" } else { "---:" }.to_owned())
        .collect();
    text += &row(&rule);
    if let Some(bound) = &comparison.bound {
        let shown = bound.relative.map_or_else(|| "-".into(), |relative| relative.to_string());
        let mut cells =
            vec![format!("*{BOUND}*"), unit.cost(bound.mean_cost), unit.interval(bound.ci95), shown];
        cells.extend([unit.cost(0.0), "100".into()]);
        cells.resize(header.len(), "–".into());
        text += &row(&cells);
    }
    for policy in &comparison.policies {
        let Summary { kind, mean_cost, ci95, hit_ratio, cost, decide_us, .. } = &policy.summary;
        let name = figures::name(&policy.summary);
        let mut cells = vec![if kind.is_learned() { format!("**{name}**") } else { name }];
        cells.extend([unit.cost(*mean_cost), unit.interval(*ci95), relative(policy, &comparison.baseline)]);
        if comparison.bound.is_some() {
            let (regret, closed) = distance(policy, &comparison.baseline, unit);
            cells.extend([regret, closed]);
        }
        cells.push(percent(*hit_ratio));
        let costs = cost.components();
        cells.extend(components.iter().map(|&index| unit.cost(costs[index])));
        cells.push(micros(*decide_us));
        text += &row(&cells);
    }
    let Comparison { scenario, is_recorded, episodes, slots, seed, trajectory_hash, verdict, .. } =
        comparison;
    let seeds = seeds_line(comparison).map_or_else(String::new, |line| format!(" {line}."));
    let regret = if comparison.bound.is_some() { format!(" {REGRET}.") } else { String::new() };
    let references = figures::references_line(comparison.policies.iter().map(|row| &row.summary));
    let references = references.map_or_else(String::new, |line| format!(" {line}."));
    let _ = writeln!(
        text,
        "\n{}. {}.{seeds}{references}{regret} Microseconds per decision: {TIMED}. Trajectory hash `{trajectory_hash}`.",
        played(scenario, *is_recorded, *episodes, *slots, *seed),
        verdict.to_string().replace('\n', ". ")
    );
    text
}

/// A row of a table; what would end a cell is escaped.
fn row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
