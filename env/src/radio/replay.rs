//! Recorded throughput instead of a channel.
//!
//! *Models.* Users whose rate is one that a phone measured.
//!
//! *Equation.* `mean rate from t to t + d = (bits(t + d) - bits(t)) / d`, bits(t): bits of the recording up to t, over and over.
//!
//! *Symbols.* t: seconds of the recording; d: length of a slot, s.
//!
//! *Assumptions.* A value holds until the next one; the recording repeats. Each user follows a trace, drawn, from an instant,
//! drawn (ours). Even-numbered traces are for fitting, odd ones for testing. Uplinks are not read.
//!
//! *Source.* The recordings; see [`recordings`](crate::radio::recordings).

use crate::radio::normal::uniform;
use rand::Rng;
use std::sync::Arc;

/// The measured downlink of one phone.
#[derive(Clone, Debug, PartialEq)]
pub struct ThroughputTrace {
    /// Its name in the recording.
    pub name: String,
    /// Start of each value, s, and the end of the last.
    times_s: Vec<f64>,
    /// Bits before each value, and after the last.
    bits: Vec<f64>,
}

impl ThroughputTrace {
    /// Returns a trace of `(second, bit/s)` in strict order of time. The last rate holds for `last_s` seconds. `None` for no rate,
    /// or for one that is no number, negative, or out of order.
    pub fn new(name: impl Into<String>, samples: &[(f64, f64)], last_s: f64) -> Option<Self> {
        let (&(start_s, _), &(end_s, _)) = (samples.first()?, samples.last()?);
        let is_good = |&(time_s, rate): &(f64, f64)| time_s.is_finite() && rate >= 0.0 && rate.is_finite();
        let is_ordered = samples.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !is_ordered || !samples.iter().all(is_good) || last_s <= 0.0 {
            return None;
        }
        let mut times_s: Vec<f64> = samples.iter().map(|(time_s, _)| time_s - start_s).collect();
        times_s.push(end_s - start_s + last_s);
        let mut bits = vec![0.0];
        for ((_, rate), time) in samples.iter().zip(times_s.windows(2)) {
            bits.push(bits[bits.len() - 1] + (time[1] - time[0]) * rate);
        }
        Some(Self { name: name.into(), times_s, bits })
    }

    /// The word before `/` in its name, `5G` say; empty where there is none.
    pub fn kind(&self) -> &str {
        self.name.split_once('/').map_or("", |(kind, _)| kind)
    }

    /// Seconds until it repeats.
    pub fn duration_s(&self) -> f64 {
        self.times_s[self.times_s.len() - 1]
    }

    fn bits_until(&self, time_s: f64) -> f64 {
        let duration_s = self.duration_s();
        let laps = (time_s / duration_s).floor();
        let within_s = (time_s - laps * duration_s).clamp(0.0, duration_s);
        let after = self.times_s.partition_point(|start| *start <= within_s).clamp(1, self.bits.len() - 1);
        let part = (within_s - self.times_s[after - 1]) / (self.times_s[after] - self.times_s[after - 1]);
        let (low, high) = (self.bits[after - 1], self.bits[after]);
        laps * self.bits[self.bits.len() - 1] + low + part * (high - low)
    }

    /// Returns the mean rate from an instant on, over a duration above 0.
    pub fn mean_bits_per_s(&self, from_s: f64, duration_s: f64) -> f64 {
        ((self.bits_until(from_s + duration_s) - self.bits_until(from_s)) / duration_s).max(0.0)
    }
}

/// The traces that users follow.
#[derive(Clone, Debug, PartialEq)]
pub struct ThroughputTraces(Arc<[ThroughputTrace]>);

impl ThroughputTraces {
    /// Returns the set of one or more traces; `None` for none.
    pub fn new(traces: Vec<ThroughputTrace>) -> Option<Self> {
        (!traces.is_empty()).then(|| Self(traces.into()))
    }

    /// All traces.
    pub fn traces(&self) -> &[ThroughputTrace] {
        &self.0
    }

    /// Returns the even-numbered traces (0, 2, ...), to fit on, or the odd ones, to test on; `None` where there are none.
    #[must_use]
    pub fn half(&self, is_odd: bool) -> Option<Self> {
        Self::new(self.0.iter().skip(usize::from(is_odd)).step_by(2).cloned().collect())
    }

    /// Returns the traces of one [`kind`](ThroughputTrace::kind); `None` where there are none.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Option<Self> {
        Self::new(self.0.iter().filter(|trace| trace.kind() == kind).cloned().collect())
    }

    /// Draws the trace that a user follows, and the second at which the user begins.
    pub fn draw(&self, rng: &mut impl Rng) -> (&ThroughputTrace, f64) {
        let trace = ((uniform(rng) * self.0.len() as f64) as usize).min(self.0.len() - 1);
        let begins_s = (uniform(rng) * self.0[trace].duration_s()) as f32;
        (&self.0[trace], f64::from(begins_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(values: &[(f64, f64)]) -> Option<ThroughputTrace> {
        ThroughputTrace::new("a", values, 1.0)
    }

    #[test]
    fn values_hold_until_the_next_and_the_trace_repeats() {
        // 100 for two seconds, 40 for one.
        let trace = trace(&[(7.0, 100.0), (9.0, 40.0)]).unwrap();
        assert_eq!(trace.duration_s(), 3.0);
        let rate = |from, duration| trace.mean_bits_per_s(from, duration);
        assert_eq!(
            (rate(0.0, 1.0), rate(1.0, 1.0), rate(2.0, 1.0), rate(3.0, 1.0)),
            (100.0, 100.0, 40.0, 100.0)
        );
        assert_eq!(rate(1.5, 1.0), 70.0);
        assert_eq!(rate(2.5, 6.0), 80.0);
    }

    #[test]
    fn traces_without_values_out_of_order_or_below_zero_are_none() {
        assert!(trace(&[]).is_none());
        assert!(trace(&[(1.0, 1.0), (1.0, 2.0)]).is_none());
        assert!(trace(&[(1.0, -1.0)]).is_none());
        assert!(trace(&[(1.0, f64::NAN)]).is_none());
    }

    #[test]
    fn every_trace_is_drawn_and_halves_have_every_other_one() {
        let traces: Vec<_> = (0..5).map(|rate| trace(&[(0.0, f64::from(rate))]).unwrap()).collect();
        let traces = ThroughputTraces::new(traces).unwrap();
        let mut rng =
            crate::random::Seed::new(crate::random::Purpose::Test, 40).stream(crate::random::Stream::Channel);
        let mut counts = [0; 5];
        for _ in 0..1_000 {
            counts[traces.draw(&mut rng).0.mean_bits_per_s(3.0, 2.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| *count > 130), "{counts:?}");
        assert_eq!(traces.half(false).unwrap().traces().len(), 3);
        assert_eq!(traces.half(true).unwrap().traces()[0].mean_bits_per_s(0.0, 1.0), 1.0);
    }

    fn open(name: &str) -> Option<std::fs::File> {
        let file =
            std::fs::File::open(format!("{}/../../shared/data/{name}", env!("CARGO_MANIFEST_DIR"))).ok();
        if file.is_none() {
            println!("skipped: recorded data ../shared/data/{name} is not here");
        }
        file
    }

    /// Correlation of neighbouring seconds, and the share of outages.
    fn lag_1_and_outage(traces: &ThroughputTraces) -> (f64, f64) {
        let stats = crate::radio::rate_stats::RateStats::new(traces.traces()).unwrap();
        (stats.lag_1.unwrap(), stats.outage_share)
    }

    #[test]
    fn recorded_5g_changes_slowly_from_second_to_second_and_fails_now_and_then() {
        use crate::radio::recordings;
        let Some(lumos) = open("sigcomm21_5g/lumos5g_abr_traces_1s.csv.gz") else { return };
        let lumos = recordings::throughput(lumos).unwrap().of_kind("5G").unwrap();
        assert_eq!(lumos.traces().len(), 60);
        for is_odd in [false, true] {
            let (lag_1, outage) = lag_1_and_outage(&lumos.half(is_odd).unwrap());
            assert!((0.8..0.95).contains(&lag_1), "{lag_1}");
            assert!((0.01..0.1).contains(&outage), "{outage}");
        }
        let Some(irish) = open("irish5g/irish5g_1s.csv.gz") else { return };
        let irish = recordings::irish5g(irish).unwrap();
        assert_eq!(irish.traces().len(), 21);
        let (lag_1, _) = lag_1_and_outage(&irish);
        assert!((0.8..0.99).contains(&lag_1), "{lag_1}");
    }
}
