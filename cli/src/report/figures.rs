//! How numbers look in tables.

use thoughtcache_agents::evaluate::PolicyKind;
use thoughtcache_agents::metrics::Summary;
use thoughtcache_agents::stats::Interval;

/// How the time of a decision is measured: not on an idle machine.
pub(crate) const TIMED: &str = "timed while episodes run on all cores";

/// The name of a policy in tables; what knows the future is no policy and stands in brackets, as the bound does.
pub(crate) fn name(summary: &Summary) -> String {
    let Summary { name, kind, .. } = summary;
    if *kind == PolicyKind::Reference { format!("({name})") } else { name.clone() }
}

/// What the brackets mean, where there are any.
pub(crate) fn references_line<'a>(summaries: impl IntoIterator<Item = &'a Summary>) -> Option<&'static str> {
    let has_reference = summaries.into_iter().any(|summary| summary.kind == PolicyKind::Reference);
    has_reference.then_some("(in brackets): a reference that knows the future, no policy")
}

/// The unit of the costs of a table, chosen once for all its rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CostUnit {
    scale: f64,
    decimals: usize,
}

impl CostUnit {
    /// A unit in which `typical` has one to three digits before the point.
    pub(crate) fn for_cost(typical: f64) -> Self {
        let mut scale = 1.0;
        if typical.is_finite() && typical > 0.0 {
            while typical * scale < 1.0 && scale < 1e12 {
                scale *= 1e3;
            }
        }
        let decimals = if typical * scale < 10.0 { 3 } else { 2 };
        Self { scale, decimals }
    }

    /// Returns the header, `cost per slot x 1000` say.
    pub(crate) fn name(self) -> String {
        if self.scale == 1.0 { "cost per slot".into() } else { format!("cost per slot x {}", self.scale) }
    }

    /// A cost in this unit.
    pub(crate) fn cost(self, cost: f64) -> String {
        format!("{:.*}", self.decimals, cost * self.scale)
    }

    /// An interval in this unit.
    pub(crate) fn interval(self, interval: Interval) -> String {
        format!("[{}, {}]", self.cost(interval.low), self.cost(interval.high))
    }
}

/// A share in per cent with one decimal, without the sign: the header has it.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.1}", 100.0 * share))
}

/// A count or a time with about three digits.
pub(crate) fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

/// Microseconds per decision, or a dash.
pub(crate) fn micros(us: Option<f64>) -> String {
    us.map_or_else(|| "-".into(), short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_gives_one_to_three_digits_before_the_point() {
        let shown = |typical: f64| {
            let unit = CostUnit::for_cost(typical);
            format!("{} in {}", unit.cost(typical), unit.name())
        };
        assert_eq!(shown(0.123_456), "123.46 in cost per slot x 1000");
        assert_eq!(shown(0.002_5), "2.500 in cost per slot x 1000");
        assert_eq!(shown(0.000_25), "250.00 in cost per slot x 1000000");
        assert_eq!(shown(42.0), "42.00 in cost per slot");
        assert_eq!(shown(0.0), "0.000 in cost per slot");
    }

    #[test]
    fn small_and_large_numbers_have_about_three_digits() {
        assert_eq!([0.123, 1.234, 12.34, 123.4].map(short), ["0.12", "1.23", "12.3", "123"]);
        assert_eq!((percent(Some(0.1234)), percent(None)), ("12.3".into(), "-".into()));
    }
}
