//! A comparison as text: costs, differences to the baseline, where costs come from, and who is the cheapest.

use super::figures::{CostUnit, TIMED, micros, name, percent, references_line};
use super::summary::component_table;
use crate::table::{Align, Column, Table};
use std::io::IsTerminal;
use std::iter;
use thoughtcache_agents::compare::{BoundRow, Comparison, Distance, Row};
use thoughtcache_agents::metrics::Summary;
use thoughtcache_agents::stats::Estimate;

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

/// The table of a comparison with a bound: the policies, and the bound above them.
fn distances(comparison: &Comparison, bound: &BoundRow, unit: CostUnit) -> Table {
    let left = ["relative, 95 % interval", "regret", "closed %"].map(|name| (name, Align::Left));
    let columns = [("policy", Align::Left), ("cost", Align::Right)].into_iter().chain(left);
    let mut table = Table::new(columns.chain([("hits %", Align::Right)]));
    let shown = bound.relative.map_or_else(|| "-".into(), |relative| aligned(&relative.to_string()));
    table.row([BOUND, &unit.cost(bound.mean_cost), &shown, &unit.cost(0.0), "100", "-"]);
    for row in &comparison.policies {
        let summary = &row.summary;
        let (regret, closed) = distance(row, &comparison.baseline, unit);
        let shown = aligned(&relative(row, &comparison.baseline));
        let hits = percent(summary.hit_ratio);
        table.row([&name(summary), &unit.cost(summary.mean_cost), &shown, &regret, &closed, &hits]);
    }
    table
}

/// The name of the bound in tables.
pub(crate) const BOUND: &str = "(bound)";

/// Regret, and the share of the baseline's regret that is closed, in per cent; with intervals.
pub(crate) fn distance(row: &Row, baseline: &str, unit: CostUnit) -> (String, String) {
    let Some(Distance { regret, closed }) = &row.distance else { return ("-".into(), "-".into()) };
    let percents = |share: f64| percent(Some(share));
    let closed = match closed {
        _ if row.summary.name == baseline => "0".into(),
        None => "-".into(),
        Some(Estimate { mean, ci95 }) => {
            format!("{} [{}, {}]", percents(*mean), percents(ci95.low), percents(ci95.high))
        }
    };
    (format!("{} {}", unit.cost(regret.mean), unit.interval(regret.ci95)), closed)
}

/// How regret is to be read.
pub(crate) const REGRET: &str = "regret: cost above a bound that no policy can beat, not even one that knows the future; closed: the share of the \
                                 baseline's regret that the policy saves";

/// The whole comparison; the last line says in words who won.
pub(crate) fn text(comparison: &Comparison, is_colored: bool) -> String {
    let Comparison { scenario, baseline, policies, .. } = comparison;
    let unit = unit(comparison);
    let cheaper = |row: &Row| {
        if row.summary.name == *baseline { String::new() } else { percent(Some(row.share_cheaper)) }
    };
    let columns: [Column<'_, Row>; 7] = [
        ("policy", Align::Left, &|row| name(&row.summary)),
        ("cost", Align::Right, &|row| unit.cost(row.summary.mean_cost)),
        ("95 % interval", Align::Left, &|row| unit.interval(row.summary.ci95)),
        ("relative, 95 % interval", Align::Left, &|row| aligned(&relative(row, baseline))),
        ("cheaper %", Align::Right, &cheaper),
        ("hits %", Align::Right, &|row| percent(row.summary.hit_ratio)),
        ("us", Align::Right, &|row| micros(row.summary.decide_us)),
    ];
    let table = match &comparison.bound {
        Some(bound) => distances(comparison, bound, unit),
        None => Table::of(&columns, policies),
    };
    let summaries: Vec<&Summary> = policies.iter().map(|row| &row.summary).collect();
    let paint = |line: &str, code: &str| {
        if is_colored && !code.is_empty() { format!("{code}{line}{PLAIN}") } else { line.to_owned() }
    };
    let paint_rows = |text: String, lines_above: usize| -> String {
        let codes = policies.iter().map(|row| if row.summary.kind.is_learned() { BOLD } else { "" });
        let lines = text.lines().zip(iter::repeat_n("", lines_above).chain(codes));
        lines.map(|(line, code)| paint(line, code)).collect::<Vec<_>>().join("\n")
    };
    let pairs = if comparison.episodes == 1 { "slot" } else { "episode" };
    let resampled = if comparison.episodes == 1 { "; intervals by moving blocks of slots" } else { "" };
    let legend = if comparison.bound.is_some() {
        REGRET.to_owned()
    } else {
        format!(
            "cheaper: share of {pairs}s in which it beats {baseline}\nus: microseconds per decision, {TIMED}"
        )
    };
    let lines = [seeds_line(comparison), references_line(summaries.iter().copied())];
    let notes: String = lines.into_iter().flatten().flat_map(|line| [line, "\n"]).collect();
    format!(
        "{}\n{}; relative to {baseline}, paired by {pairs}{resampled}\n{notes}{legend}\n\n{}\n\n\
         {} by component; per slot: loads, GB of weights loaded\n\n{}\n\n{}\n{}\n",
        played(scenario, comparison.is_recorded, comparison.episodes, comparison.slots, comparison.seed),
        unit.name(),
        paint_rows(table.text(0), 1 + usize::from(comparison.bound.is_some())),
        unit.name(),
        paint_rows(component_table(&summaries, unit), 1),
        paint(&format!("trajectory hash {}", comparison.trajectory_hash), FAINT),
        paint(&comparison.verdict.to_string(), BOLD),
    )
}
