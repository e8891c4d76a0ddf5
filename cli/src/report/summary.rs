//! Where costs come from: one row a policy, one column a component; and the table of `evaluate`.

use super::figures::{CostUnit, TIMED, micros, name, percent, references_line, short};
use crate::table::{Align, Column, Table};
use thoughtcache_agents::metrics::Summary;
use thoughtcache_env::cost::CostBreakdown;

/// The components that cost any policy anything, by position.
pub(crate) fn components_in_use(summaries: &[&Summary]) -> Vec<usize> {
    let is_used = |&index: &usize| summaries.iter().any(|summary| summary.cost.components()[index] != 0.0);
    (0..CostBreakdown::NAMES.len()).filter(is_used).collect()
}

/// Costs by component in this unit, then what was loaded and served where. Components that cost nobody anything are left
/// out.
pub(crate) fn component_table(summaries: &[&Summary], unit: CostUnit) -> String {
    let components = components_in_use(summaries);
    let mut columns = vec![("policy", Align::Left)];
    columns.extend(components.iter().map(|&index| (CostBreakdown::NAMES[index], Align::Right)));
    columns.extend([("edge %", Align::Right), ("loads", Align::Right), ("loaded GB", Align::Right)]);
    let mut table = Table::new(columns);
    for summary in summaries {
        let mut row = vec![name(summary)];
        let costs = summary.cost.components();
        row.extend(components.iter().map(|&index| unit.cost(costs[index])));
        row.push(percent(summary.edge_ratio));
        row.push(short(summary.loads_per_slot));
        row.push(short(summary.loaded_gb_per_slot));
        table.row(row);
    }
    table.text(0)
}

/// What `evaluate` shows: a heading, costs with intervals, then where they come from.
pub(crate) fn evaluation_text(heading: &str, summaries: &[&Summary], hash: &str) -> String {
    let unit = CostUnit::for_cost(summaries.first().map_or(0.0, |summary| summary.mean_cost));
    let columns: [Column<'_, Summary>; 7] = [
        ("policy", Align::Left, &|summary| name(summary)),
        ("cost", Align::Right, &|summary| unit.cost(summary.mean_cost)),
        ("95 % interval", Align::Left, &|summary| unit.interval(summary.ci95)),
        ("iqm", Align::Right, &|summary| unit.cost(summary.iqm_cost)),
        ("hits %", Align::Right, &|summary| percent(summary.hit_ratio)),
        ("decisions", Align::Right, &|summary| short(summary.decisions_per_slot)),
        ("us", Align::Right, &|summary| micros(summary.decide_us)),
    ];
    let table = Table::of(&columns, summaries.iter().copied());
    let asked = summaries.iter().find_map(|summary| summary.null_because.as_deref());
    let asked = asked.map_or_else(String::new, |why| format!("hits: -, {why}\n"));
    let references =
        references_line(summaries.iter().copied()).map_or_else(String::new, |line| format!("{line}\n"));
    format!(
        "{heading}\n{}; iqm: interquartile mean; decisions per slot\nus: microseconds per decision, {TIMED}\n{references}{asked}\n{}\n\
         {} by component; per slot: loads, GB of weights loaded\n\n{}\ntrajectory hash {hash}\n",
        unit.name(),
        table.text(0),
        unit.name(),
        component_table(summaries, unit),
    )
}
