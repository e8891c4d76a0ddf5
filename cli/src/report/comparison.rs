//! A comparison as text: costs, differences to the baseline, where costs come from, and who is the cheapest.

use super::figures::{CostUnit, TIMED, micros, percent};
use super::summary::component_table;
use crate::table::{Align, Column, Table};
use std::io::IsTerminal;
use std::iter;
use thoughtcache_agents::compare::{Comparison, Row};
use thoughtcache_agents::metrics::Summary;

/// The comparisons of a command: one, or one for each value of a sweep.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The value of the swept key; `None` without a sweep.
    pub(crate) value: Option<String>,
    /// The comparison.
    pub(crate) comparison: Comparison,
}

/// Whether a table may have colours: standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn has_color() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_refused && std::io::stdout().is_terminal()
}

/// Bold, for policies that were trained.
const BOLD: &str = "\u{1b}[1m";
/// Faint, for what is only needed to check.
const FAINT: &str = "\u{1b}[2m";
/// The end of both.
const PLAIN: &str = "\u{1b}[0m";

/// Names scenario, episodes and seed in one line.
pub(crate) fn played(scenario: &str, is_recorded: bool, episodes: u64, slots: u32, seed: u64) -> String {
    if is_recorded {
        return format!("{scenario}: recorded requests, the whole test part as one run of {slots} slots");
    }
    let episodes = if episodes == 1 { "1 test episode".into() } else { format!("{episodes} test episodes") };
    format!("{scenario}: {episodes} of {slots} slots, seed {seed}")
}

/// Formats a difference to the baseline.
pub(crate) fn relative(row: &Row, baseline: &str) -> String {
    match &row.relative {
        _ if row.summary.name == baseline => "baseline".into(),
        Some(relative) => relative.to_string(),
        None => "-".into(),
    }
}

/// Puts the point of a difference where those of the other rows are, up to three digits before it.
fn aligned(relative: &str) -> String {
    match relative.split_once(" % ") {
        Some((mean, interval)) => format!("{mean:>6} % {interval}"),
        None => relative.to_owned(),
    }
}

/// How the intervals of rows of several training seeds are made, where there are such rows.
pub(crate) fn seeds_line(comparison: &Comparison) -> Option<&'static str> {
    let has_seeds = comparison.policies.iter().any(|row| !row.seeds.is_empty());
    has_seeds.then_some("rows of several seeds: intervals over seeds and episodes, by a two-way bootstrap")
}

/// The unit of a comparison's costs.
pub(crate) fn unit(comparison: &Comparison) -> CostUnit {
    let baseline = comparison.policies.iter().find(|row| row.summary.name == comparison.baseline);
    CostUnit::for_cost(baseline.map_or(0.0, |row| row.summary.mean_cost))
}

/// The whole comparison; the last line says in words who won.
pub(crate) fn text(comparison: &Comparison, is_colored: bool) -> String {
    let Comparison { scenario, baseline, policies, .. } = comparison;
    let unit = unit(comparison);
    let cheaper = |row: &Row| {
        if row.summary.name == *baseline { String::new() } else { percent(Some(row.share_cheaper)) }
    };
    let columns: [Column<'_, Row>; 7] = [
        ("policy", Align::Left, &|row| row.summary.name.clone()),
        ("cost", Align::Right, &|row| unit.cost(row.summary.mean_cost)),
        ("95 % interval", Align::Left, &|row| unit.interval(row.summary.ci95)),
        ("relative, 95 % interval", Align::Left, &|row| aligned(&relative(row, baseline))),
        ("cheaper %", Align::Right, &cheaper),
        ("hits %", Align::Right, &|row| percent(row.summary.hit_ratio)),
        ("us", Align::Right, &|row| micros(row.summary.decide_us)),
    ];
    let table = Table::of(&columns, policies);
    let summaries: Vec<&Summary> = policies.iter().map(|row| &row.summary).collect();
    let paint = |line: &str, code: &str| {
        if is_colored && !code.is_empty() { format!("{code}{line}{PLAIN}") } else { line.to_owned() }
    };
    let paint_rows = |text: String| -> String {
        let codes = policies.iter().map(|row| if row.summary.kind.is_learned() { BOLD } else { "" });
        let lines = text.lines().zip(iter::once("").chain(codes));
        lines.map(|(line, code)| paint(line, code)).collect::<Vec<_>>().join("\n")
    };
    let pairs = if comparison.episodes == 1 { "slot" } else { "episode" };
    let resampled = if comparison.episodes == 1 { "; intervals by moving blocks of slots" } else { "" };
    let seeds = seeds_line(comparison).map_or_else(String::new, |line| format!("{line}\n"));
    format!(
        "{}\n{}; relative to {baseline}, paired by {pairs}{resampled}\n{seeds}\
         cheaper: share of {pairs}s in which it beats {baseline}\nus: microseconds per decision, {TIMED}\n\n{}\n\n\
         {} by component; per slot: loads, GB of weights loaded\n\n{}\n\n{}\n{}\n",
        played(scenario, comparison.is_recorded, comparison.episodes, comparison.slots, comparison.seed),
        unit.name(),
        paint_rows(table.text(0)),
        unit.name(),
        paint_rows(component_table(&summaries, unit)),
        paint(&format!("trajectory hash {}", comparison.trajectory_hash), FAINT),
        paint(&comparison.verdict.to_string(), BOLD),
    )
}
