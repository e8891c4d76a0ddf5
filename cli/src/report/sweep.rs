//! A sweep at a glance: one row a policy, one column a value, relative costs in per cent.

use super::comparison::Compared;
use super::figures;
use crate::table::{Align, Table};
use thoughtcache_agents::compare::Row;
use thoughtcache_agents::stats::{self, percent};

/// The matrix of relative costs; `*` marks the cheapest policy of a column. Policies are sorted by their mean over the
/// columns.
pub(crate) fn matrix(compared: &[Compared], key: &str) -> String {
    let Some(first) = compared.first() else { return String::new() };
    let find = |compared: &Compared, name: &str| -> Option<f64> {
        let row = compared.comparison.policies.iter().find(|row| row.summary.name == name)?;
        row.relative.map(|relative| relative.mean)
    };
    let mean = |row: &Row| -> f64 {
        let shares: Vec<f64> =
            compared.iter().filter_map(|compared| find(compared, &row.summary.name)).collect();
        stats::mean(&shares)
    };
    let mut rows: Vec<&Row> = first.comparison.policies.iter().collect();
    rows.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
    let columns = compared.iter().map(|compared| compared.value.as_deref().unwrap_or_default());
    let mut table =
        Table::new(std::iter::once((key, Align::Left)).chain(columns.map(|value| (value, Align::Right))));
    for row in rows {
        let name = &row.summary.name;
        let cells = compared.iter().map(|compared| {
            let cheapest = compared.comparison.policies.iter().find(|row| row.summary.kind.is_policy());
            let is_cheapest = cheapest.is_some_and(|best| best.summary.name == *name);
            let mark = if is_cheapest { "*" } else { " " };
            find(compared, name).map_or_else(|| "-".into(), |share| format!("{}{mark}", percent(share)))
        });
        table.row(std::iter::once(figures::name(&row.summary)).chain(cells));
    }
    let baseline = &first.comparison.baseline;
    format!("relative to {baseline}, %; * cheapest\n\n{}", table.text(0))
}
