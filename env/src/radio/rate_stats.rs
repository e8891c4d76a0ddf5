//! How rates are spread, and how fast they change: for recorded traces and simulated ones alike.
//!
//! *Models.* The downlink of traces, cut into seconds.
//!
//! *Equation.*
//!
//! ```text
//! lag 1  = sum (r(t) - m) (r(t+1) - m) / sum (r(t) - m)^2          over all traces, m the mean of the own trace
//! outage = seconds with r < r_0 / all seconds
//! ```
//!
//! *Symbols.* r: mean rate of a second, bit/s; `r_0`: 1 Mbit/s. Percentiles are rates that this part of the seconds does not exceed
//! (nearest rank).
//!
//! *Assumptions.* Traces count by their seconds. Lag 1 about the own mean is too small for short traces (by about 4 / length), so
//! that traces have to be as long as each other to be compared.
//!
//! *Source.* The estimator: Box, Jenkins, Reinsel, "Time Series Analysis", section 2.1.

use crate::radio::replay::ThroughputTrace;
use serde::Serialize;

/// Below this rate a second counts as an outage, bit/s.
pub const OUTAGE_BITS_PER_S: f64 = 1e6;

/// How the rates of traces are spread, and how fast they change; see the [module](self).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateStats {
    /// How many traces there are.
    pub num_traces: usize,
    /// How many seconds they last.
    pub num_seconds: usize,
    /// The mean rate.
    pub mean_bits_per_s: f64,
    /// The rate that 5 % of the seconds do not exceed.
    pub p5_bits_per_s: f64,
    /// The rate that half of the seconds do not exceed.
    pub p50_bits_per_s: f64,
    /// The rate that 95 % of the seconds do not exceed.
    pub p95_bits_per_s: f64,
    /// The share of seconds below [`OUTAGE_BITS_PER_S`].
    pub outage_share: f64,
    /// The correlation of neighbouring seconds; `None` where no rate ever changes.
    pub lag_1: Option<f64>,
}

impl RateStats {
    /// Summarises all seconds of these traces; a last second that is not whole is left out. `None` without a whole second.
    pub fn new<'a>(traces: impl IntoIterator<Item = &'a ThroughputTrace>) -> Option<Self> {
        let (mut num_traces, mut covariance, mut variance) = (0, 0.0, 0.0);
        let mut all: Vec<f64> = Vec::new();
        for trace in traces {
            let before = all.len();
            let seconds = trace.duration_s() as u32;
            all.extend((0..seconds).map(|second| trace.mean_bits_per_s(f64::from(second), 1.0)));
            let rates = &all[before..];
            let mean = mean(rates);
            covariance += rates.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>();
            variance += rates.iter().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>();
            num_traces += usize::from(!rates.is_empty());
        }
        let mean_bits_per_s = mean(&all);
        all.sort_unstable_by(f64::total_cmp);
        let quantile = |part: f64| {
            let rank = (part * all.len() as f64).ceil() as usize;
            all.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            num_traces,
            num_seconds: all.len(),
            mean_bits_per_s,
            p5_bits_per_s: quantile(0.05)?,
            p50_bits_per_s: quantile(0.5)?,
            p95_bits_per_s: quantile(0.95)?,
            outage_share: all.partition_point(|rate| *rate < OUTAGE_BITS_PER_S) as f64 / all.len() as f64,
            lag_1: (variance > 0.0).then(|| covariance / variance),
        })
    }
}

fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(rates_mbit_per_s: &[f64]) -> ThroughputTrace {
        let samples: Vec<(f64, f64)> =
            (0..).zip(rates_mbit_per_s).map(|(second, rate)| (f64::from(second), rate * 1e6)).collect();
        ThroughputTrace::new("a", &samples, 1.0).unwrap()
    }

    #[test]
    fn each_trace_varies_about_its_own_mean() {
        // About 2: -2 -1 1 2 give 2 - 1 + 2 = 3 of 10. About 100: -1 1 give -1 of 2. Together 2 of 12.
        let traces = [trace(&[0.0, 1.0, 3.0, 4.0]), trace(&[99.0, 101.0])];
        let stats = RateStats::new(&traces).unwrap();
        assert!((stats.lag_1.unwrap() - 2.0 / 12.0).abs() < 1e-9, "{stats:?}");
        assert_eq!((stats.num_traces, stats.num_seconds), (2, 6));
        assert!((stats.outage_share - 1.0 / 6.0).abs() < 1e-12, "1 Mbit/s is no outage: {stats:?}");
        assert!((stats.mean_bits_per_s - 208e6 / 6.0).abs() < 1e-3);
        let near = |rate: f64, mbit: f64| (rate - mbit * 1e6).abs() < 1e-3;
        assert!(near(stats.p5_bits_per_s, 0.0) && near(stats.p50_bits_per_s, 3.0), "{stats:?}");
        assert!(near(stats.p95_bits_per_s, 101.0), "{stats:?}");
    }

    #[test]
    fn rates_that_never_change_have_no_correlation_and_no_traces_have_no_rates() {
        let stats = RateStats::new(&[trace(&[5.0, 5.0, 5.0])]).unwrap();
        assert_eq!((stats.lag_1, stats.outage_share), (None, 0.0));
        assert_eq!(RateStats::new(&[]), None);
    }
}
