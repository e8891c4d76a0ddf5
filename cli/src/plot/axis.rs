//! An axis: the values that it shows, on a linear or a logarithmic scale or as rows with names, and those that are labelled.

use indicatif::HumanFloatCount;
use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use std::ops::Range;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(super) label: String,
    low: f64,
    high: f64,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Linear,
    Log,
    /// Names from the top; a row is 1 high.
    Rows(Vec<String>),
}

impl Axis {
    /// Equal distances for equal differences.
    pub(crate) fn linear(label: impl Into<String>, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { label: label.into(), low, high, kind: Kind::Linear }
    }

    /// Equal distances for equal ratios; both ends are above 0.
    pub(crate) fn log(label: impl Into<String>, low: f64, high: f64) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = if high > low { high } else { low * 10.0 };
        Self { label: label.into(), low, high, kind: Kind::Log }
    }

    /// One row for each name, from the top.
    pub(crate) fn rows(names: Vec<String>) -> Self {
        let high = names.len().max(1) as f64;
        Self { label: String::new(), low: 0.0, high, kind: Kind::Rows(names) }
    }

    /// One step for each name, from the origin; a step is 1 long.
    pub(crate) fn steps(label: impl Into<String>, names: impl DoubleEndedIterator<Item = String>) -> Self {
        Self { label: label.into(), ..Self::rows(names.rev().collect()) }
    }

    /// Round values of a logarithmic axis: more in a decade where it has few decades.
    fn log_ticks(&self) -> Vec<f64> {
        let marks: &[f64] = match (self.high / self.low).log10() {
            decades if decades > 3.0 => &[1.0],
            decades if decades > 1.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        };
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let ticks = decades.flat_map(|power| marks.iter().map(move |mark| mark * 10_f64.powi(power)));
        ticks.filter(|tick| (self.low * 0.999..=self.high * 1.001).contains(tick)).collect()
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// The pixel of a value; what is beyond an end stands there.
    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let value = value.clamp(self.low, self.high);
        match self.kind {
            Kind::Log => LogCoord::from(self.range().log_scale()).map(&value, limit),
            Kind::Linear | Kind::Rows(_) => RangedCoordf64::from(self.range()).map(&value, limit),
        }
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // There are no lines between the ticks.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        match &self.kind {
            Kind::Linear => RangedCoordf64::from(self.range()).key_points(hint),
            Kind::Log => self.log_ticks(),
            Kind::Rows(names) => (0..names.len()).map(|row| row as f64 + 0.5).collect(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        match &self.kind {
            // 0.0 is added to minus 0.
            Kind::Linear | Kind::Log => HumanFloatCount(*value + 0.0).to_string(),
            Kind::Rows(names) => names.iter().rev().nth(*value as usize).cloned().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::coord::ranged1d::BoldPoints;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.key_points(BoldPoints(7)).iter().map(|value| axis.format_ext(value)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(&Axis::linear("", 0.0, 1.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(
            labels(&Axis::linear("", -5.0, 12_000.0)),
            ["0", "2,000", "4,000", "6,000", "8,000", "10,000", "12,000"]
        );
        assert_eq!(labels(&Axis::log("", 0.1, 1_000.0)), ["0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&Axis::log("", 10.0, 500.0)), ["10", "20", "50", "100", "200", "500"]);
    }

    #[test]
    fn values_lie_where_one_expects_them_and_never_outside() {
        let linear = Axis::linear("", 0.0, 10.0);
        assert_eq!([-1.0, 0.0, 2.5, 10.0, 99.0].map(|x| linear.map(&x, (0, 400))), [0, 0, 100, 400, 400]);
        let log = Axis::log("", 1.0, 100.0);
        assert_eq!([0.0, 1.0, 10.0, 100.0].map(|x| log.map(&x, (0, 400))), [0, 0, 200, 400]);
        // Without any extent there still is an axis.
        assert_eq!(Axis::linear("", 3.0, 3.0).map(&3.0, (0, 400)), 0);
        assert_eq!(Axis::log("", 3.0, 3.0).map(&3.0, (0, 400)), 0);
    }

    #[test]
    fn rows_are_named_from_the_top_and_steps_from_the_origin() {
        let names = ["first", "second"].map(str::to_owned);
        assert_eq!(labels(&Axis::rows(names.to_vec())), ["second", "first"]);
        assert_eq!(labels(&Axis::steps("", names.into_iter())), ["first", "second"]);
    }
}
