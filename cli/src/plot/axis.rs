//! An axis: which values it shows, where they lie, and which of them are labelled.

/// See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(super) label: String,
    low: f64,
    high: f64,
    is_log: bool,
    /// Values with a label.
    pub(super) ticks: Vec<(f64, String)>,
    /// Whether a line goes across the plot at each tick.
    pub(super) has_grid: bool,
}

/// About as many ticks as fit.
const TICKS: f64 = 6.0;

impl Axis {
    /// Equal distances for equal differences.
    pub(crate) fn linear(label: impl Into<String>, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = nice((high - low) / TICKS);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let tick = |number: i64| {
            let value = number as f64 * step;
            (value, grouped(value, decimals))
        };
        let ticks = (first..=last).map(tick).collect();
        Self { label: label.into(), low, high, is_log: false, ticks, has_grid: true }
    }

    /// Equal distances for equal ratios; both ends are above 0.
    pub(crate) fn log(label: impl Into<String>, low: f64, high: f64) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = if high > low { high } else { low * 10.0 };
        let decades = (high / low).log10();
        let marks: &[f64] = if decades > 3.0 {
            &[1.0]
        } else if decades > 1.2 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]
        };
        let mut ticks = Vec::new();
        for power in low.log10().floor() as i32..=high.log10().ceil() as i32 {
            for mark in marks {
                let value = mark * 10_f64.powi(power);
                if (low * 0.999..=high * 1.001).contains(&value) {
                    let decimals =
                        usize::try_from(-power).unwrap_or(0) + usize::from(mark.fract() != 0.0 && power <= 0);
                    ticks.push((value, grouped(value, decimals)));
                }
            }
        }
        Self { label: label.into(), low, high, is_log: true, ticks, has_grid: true }
    }

    /// One row for each name, from the top.
    pub(crate) fn rows(names: Vec<String>) -> Self {
        let high = names.len() as f64;
        let ticks =
            names.into_iter().enumerate().map(|(row, name)| (high - row as f64 - 0.5, name)).collect();
        Self { label: String::new(), low: 0.0, high: high.max(1.0), is_log: false, ticks, has_grid: false }
    }

    /// The same without lines across the plot.
    pub(crate) fn without_grid(self) -> Self {
        Self { has_grid: false, ..self }
    }

    /// The share of the axis that lies below a value, 0 to 1: what is beyond an end stands there.
    pub(super) fn share(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.is_log { value.max(self.low).log10() } else { value };
        let (low, high) = (scale(self.low), scale(self.high));
        ((scale(value) - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// The next number of 1, 2, 5, 10, 20 ... that is not below.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|mark| mark * power)
        .into_iter()
        .find(|&mark| mark >= step * 0.999)
        .unwrap_or(10.0 * power)
}

/// A number with commas between thousands.
pub(super) fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut shown = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    let is_zero = shown.chars().all(|letter| matches!(letter, '0' | '.' | ','));
    if value < 0.0 && !is_zero { format!("-{shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_with_as_many_decimals_as_they_need() {
        assert_eq!(labels(&Axis::linear("", 0.0, 400.0)), ["0", "100", "200", "300", "400"]);
        assert_eq!(labels(&Axis::linear("", 0.0, 1.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            labels(&Axis::linear("", -5.0, 12_000.0)),
            ["0", "2,000", "4,000", "6,000", "8,000", "10,000", "12,000"]
        );
        assert_eq!(labels(&Axis::log("", 0.1, 1_000.0)), ["0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&Axis::log("", 10.0, 500.0)), ["10", "20", "50", "100", "200", "500"]);
    }

    #[test]
    fn values_lie_where_one_expects_them_and_never_outside() {
        let axis = Axis::linear("", 0.0, 10.0);
        assert_eq!([-1.0, 0.0, 2.5, 10.0, 99.0].map(|value| axis.share(value)), [0.0, 0.0, 0.25, 1.0, 1.0]);
        let axis = Axis::log("", 1.0, 100.0);
        assert_eq!([0.0, 1.0, 10.0, 100.0].map(|value| axis.share(value)), [0.0, 0.0, 0.5, 1.0]);
        // Without any extent there still is an axis.
        assert_eq!(Axis::linear("", 3.0, 3.0).share(3.0), 0.0);
        assert_eq!(Axis::log("", 3.0, 3.0).share(3.0), 0.0);
    }

    #[test]
    fn rows_are_named_from_the_top() {
        let axis = Axis::rows(vec!["first".into(), "second".into()]);
        assert_eq!(axis.ticks, [(1.5, "first".to_owned()), (0.5, "second".to_owned())]);
    }
}
