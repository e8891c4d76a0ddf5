//! Comparisons as comma-separated values: one line a policy (and value of a sweep), every number in full.

use super::Compared;
use std::borrow::Cow;
use thoughtcache_agents::compare::{Comparison, Row};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::placement::Placement;

/// The file; `swept` is the key of the sweep, whose values get a column of that name.
pub(crate) fn csv(compared: &[Compared], swept: Option<&str>) -> String {
    let mut header: Vec<String> = ["scenario", "baseline", "episodes", "seed"].map(str::to_owned).to_vec();
    header.extend(swept.map(str::to_owned));
    header.extend(
        [
            "policy",
            "kind",
            "mean_cost",
            "ci95_low",
            "ci95_high",
            "iqm_cost",
            "relative",
            "relative_low",
            "relative_high",
            "share_cheaper",
            "hit_ratio",
            "edge_ratio",
        ]
        .map(str::to_owned),
    );
    header.push("late_ratio".to_owned());
    header.extend(Placement::ALL.map(|placement| format!("placed_{}_ratio", placement.name())));
    header.extend(CostBreakdown::NAMES.map(|name| format!("cost_{name}")));
    header.extend(
        [
            "loads_per_slot",
            "evictions_per_slot",
            "refreshes_per_slot",
            "loaded_gb_per_slot",
            "decisions_per_slot",
            "decide_us",
            "trajectory_hash",
            "seeds",
        ]
        .map(str::to_owned),
    );
    let mut text = line(&header);
    for Compared { value, comparison } in compared {
        for row in &comparison.policies {
            text += &line(&fields(comparison, value.as_deref(), row));
        }
    }
    text
}

fn fields(comparison: &Comparison, value: Option<&str>, row: &Row) -> Vec<String> {
    let summary = &row.summary;
    let number = |number: f64| number.to_string();
    let optional = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut fields = vec![
        comparison.scenario.clone(),
        comparison.baseline.clone(),
        comparison.episodes.to_string(),
        comparison.seed.to_string(),
    ];
    fields.extend(value.map(str::to_owned));
    fields.extend([
        summary.name.clone(),
        summary.kind.name().to_owned(),
        number(summary.mean_cost),
        number(summary.ci95.low),
        number(summary.ci95.high),
        number(summary.iqm_cost),
        optional(row.relative.map(|relative| relative.mean)),
        optional(row.relative.map(|relative| relative.ci95.low)),
        optional(row.relative.map(|relative| relative.ci95.high)),
        number(row.share_cheaper),
        optional(summary.hit_ratio),
        optional(summary.edge_ratio),
    ]);
    fields.push(optional(summary.late_ratio));
    let shares = summary.placement_ratios;
    fields.extend((0..Placement::ALL.len()).map(|index| optional(shares.map(|shares| shares[index]))));
    fields.extend(summary.cost.0.components().map(number));
    fields.extend([
        number(summary.loads_per_slot),
        number(summary.evictions_per_slot),
        number(summary.refreshes_per_slot),
        number(summary.loaded_gb_per_slot),
        number(summary.decisions_per_slot),
        optional(summary.decide_us),
        comparison.trajectory_hash.to_string(),
        row.seeds.len().max(1).to_string(),
    ]);
    fields
}

fn line(fields: &[String]) -> String {
    let mut line = fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// RFC 4180: quotes around what holds a comma, a quote or a line end.
fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
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
