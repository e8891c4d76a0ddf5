//! Comparisons as comma-separated values: one line a policy (and value of a sweep), every number in full.

use super::comparison::Compared;
use thoughtcache_agents::compare::{Comparison, Row};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::placement::Placement;

/// The file; `swept` is the key of the sweep, whose values get a column of that name.
pub(crate) fn csv(compared: &[Compared], swept: Option<&str>) -> String {
    let mut text = String::new();
    for Compared { value, comparison } in compared {
        for row in &comparison.policies {
            let (header, fields): (Vec<String>, Vec<String>) =
                columns(comparison, swept.zip(value.as_deref()), row).into_iter().unzip();
            if text.is_empty() {
                text = line(&header);
            }
            text += &line(&fields);
        }
    }
    text
}

/// The name and the value of each column; an absent number is an empty field.
fn columns(comparison: &Comparison, swept: Option<(&str, &str)>, row: &Row) -> Vec<(String, String)> {
    let summary = &row.summary;
    let mut columns: Vec<(String, String)> = Vec::new();
    let mut text = |name: &str, value: String| columns.push((name.to_owned(), value));
    text("scenario", comparison.scenario.clone());
    text("baseline", comparison.baseline.clone());
    text("episodes", comparison.episodes.to_string());
    text("seed", comparison.seed.to_string());
    if let Some((key, value)) = swept {
        text(key, value.to_owned());
    }
    text("policy", summary.name.clone());
    text("kind", summary.kind.name().to_owned());
    let mut number = |name: &str, value: Option<f64>| {
        text(name, value.map(|number| number.to_string()).unwrap_or_default());
    };
    number("mean_cost", Some(summary.mean_cost));
    number("ci95_low", Some(summary.ci95.low));
    number("ci95_high", Some(summary.ci95.high));
    number("iqm_cost", Some(summary.iqm_cost));
    number("relative", row.relative.map(|relative| relative.mean));
    number("relative_low", row.relative.map(|relative| relative.ci95.low));
    number("relative_high", row.relative.map(|relative| relative.ci95.high));
    number("share_cheaper", Some(row.share_cheaper));
    number("hit_ratio", summary.hit_ratio);
    number("edge_ratio", summary.edge_ratio);
    number("late_ratio", summary.late_ratio);
    for (index, placement) in Placement::ALL.iter().enumerate() {
        let share = summary.placement_ratios.map(|shares| shares[index]);
        number(&format!("placed_{}_ratio", placement.name()), share);
    }
    for (name, cost) in CostBreakdown::NAMES.iter().zip(summary.cost.components()) {
        number(&format!("cost_{name}"), Some(cost));
    }
    number("loads_per_slot", Some(summary.loads_per_slot));
    number("evictions_per_slot", Some(summary.evictions_per_slot));
    number("refreshes_per_slot", Some(summary.refreshes_per_slot));
    number("loaded_gb_per_slot", Some(summary.loaded_gb_per_slot));
    number("decisions_per_slot", Some(summary.decisions_per_slot));
    number("decide_us", summary.decide_us);
    if let Some(bound) = &comparison.bound {
        let distance = row.distance.as_ref();
        let (regret, closed) = (distance.map(|one| one.regret), distance.and_then(|one| one.closed));
        number("bound", Some(bound.mean_cost));
        for (name, estimate) in [("regret", regret), ("closed", closed)] {
            number(name, estimate.map(|estimate| estimate.mean));
            number(&format!("{name}_low"), estimate.map(|estimate| estimate.ci95.low));
            number(&format!("{name}_high"), estimate.map(|estimate| estimate.ci95.high));
        }
    }
    text("trajectory_hash", comparison.trajectory_hash.clone());
    text("seeds", row.seeds.len().max(1).to_string());
    columns
}

fn line(fields: &[String]) -> String {
    let mut line = fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// RFC 4180: quotes around what holds a comma, a quote or a line end.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_has_them() {
        let fields = ["plain", "a,b", "say \"hi\""].map(str::to_owned);
        assert_eq!(line(&fields), "plain,\"a,b\",\"say \"\"hi\"\"\"\n");
    }
}
