//! Recorded throughput in place of the computed link: `[radio.recorded_rates]`.
//!
//! *Models.* Users whose links carry what phones measured, each those of a phone of its own.
//!
//! *Equation.* `downlink = share mean(t + begins, t + begins + d)`, `uplink = ratio downlink`; mean: that of
//! [`replay`](crate::radio::replay).
//!
//! *Symbols.* t: when the slot begins, s; d: its length, s; begins: an instant of the trace, drawn with the trace for each user and
//! episode; share: the user's part of the time; ratio: the uplink's part of the downlink.
//!
//! *Assumptions.* A phone that downloads tells the capacity of its downlink and not of its uplink, which is a part of it (ours).
//! Users who ask at one cell share its time as they do on a computed link. Places, views and cells are those of the model and know
//! nothing of the recording: what is sensed depends on them, the rate does not, and a blocked view costs it nothing. Powers, gains and
//! path loss say what is sensed, which cell serves, and what energy a transfer takes.
//!
//! *Source.* The recordings; see [`recordings`](crate::radio::recordings).

use crate::invalid::{Invalid, between};
use crate::radio::mobility::recorded::RecordedPaths;
use crate::radio::replay::{ThroughputTrace, ThroughputTraces};
use crate::random::{Purpose, Seed, Stream};
use crate::units::UserId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The recordings that the files of a radio hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RadioFiles {
    /// The recorded paths of `[radio.mobility.recorded]`.
    pub ways: Option<RecordedPaths>,
    /// The recorded throughput of `[radio.recorded_rates]`.
    pub throughput: Option<ThroughputTraces>,
}

/// `[radio.recorded_rates]`: recorded throughput in place of the computed link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRatesConfig {
    /// The file of throughput as its source publishes it, plain or gzip.
    pub path: String,
    /// Whose file it is: `throughput` (Lumos5G) or `irish5g`.
    pub format: RateFormat,
    /// The kind of traces, the word before `/` in their names: `4G` or `5G`, `Driving` or `Static`; all when absent.
    pub kind: Option<String>,
    /// Which of them: every other one, beginning with the first, in training and validation episodes and the rest in test episodes
    /// (`split`); or the same half (`training`, `test`) or `all` in all episodes.
    #[serde(default)]
    pub part: RatePart,
    /// The uplink's rate as a part of the downlink's, 0.001 to 1.
    pub uplink_ratio: f64,
}

/// Sources of recorded throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateFormat {
    /// Lumos5G as SIGCOMM21-5G has it: radio, trace, second, downlink.
    Throughput,
    /// Irish 5G: the downloads of phones in Dublin and Cork.
    Irish5g,
}

/// Traces that an episode replays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RatePart {
    /// Those of training in training and validation episodes, those of tests in test episodes.
    #[default]
    Split,
    /// Even-numbered ones: 0, 2, ...
    Training,
    /// Odd-numbered ones.
    Test,
    /// All.
    All,
}

/// The traces of every purpose, ready to be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedRates {
    training: ThroughputTraces,
    test: ThroughputTraces,
    uplink_ratio: f64,
}

impl RecordedRatesConfig {
    /// Checks the numbers and picks the traces; `traces` are those of the file.
    ///
    /// # Errors
    /// A file that was not read, a kind without traces, a half without traces, a ratio out of its range.
    pub fn validate(&self, table: &str, traces: Option<&ThroughputTraces>) -> Result<RecordedRates, Invalid> {
        let uplink_ratio = between(table, "uplink_ratio", self.uplink_ratio, 1e-3, 1.0)?;
        let path = format!("{table}.path");
        let traces = traces.ok_or_else(|| Invalid::new(&path, &self.path, "the throughput was not read"))?;
        let traces = match &self.kind {
            None => traces.clone(),
            Some(kind) => traces.of_kind(kind).ok_or_else(|| {
                let kinds: BTreeSet<&str> = traces.traces().iter().map(ThroughputTrace::kind).collect();
                let kinds: Vec<&str> = kinds.into_iter().collect();
                Invalid::new(format!("{table}.kind"), format!("{kind:?}"), kinds.join(", "))
            })?,
        };
        let half = |is_odd| {
            traces.half(is_odd).ok_or_else(|| {
                let allowed = "two or more traces, or physical.radio.recorded_rates.part = \"all\"";
                Invalid::new(&path, &self.path, allowed)
            })
        };
        let (training, test) = match self.part {
            RatePart::Split => (half(false)?, half(true)?),
            RatePart::Training => (half(false)?, half(false)?),
            RatePart::Test => (half(true)?, half(true)?),
            RatePart::All => (traces.clone(), traces),
        };
        Ok(RecordedRates { training, test, uplink_ratio })
    }
}

impl RecordedRates {
    /// The traces that episodes of a purpose replay.
    pub fn traces(&self, purpose: Purpose) -> &ThroughputTraces {
        match purpose {
            Purpose::Train | Purpose::Validate => &self.training,
            Purpose::Test => &self.test,
        }
    }

    /// Returns the mean downlink and uplink rates of a user of an episode over a slot, in a part of the time, bit/s.
    pub fn rates_bits_per_s(
        &self,
        (seed, user): (Seed, UserId),
        (slot_begins_s, slot_s): (f64, f64),
        time_share: f64,
    ) -> [f64; 2] {
        let traces = self.traces(seed.purpose);
        // Drawn anew at each request and always the same: a user who asks for nothing needs no memory for it.
        let (trace, begins_s) = traces.draw(&mut seed.stream_at(Stream::Fading, u64::from(user.0), 0));
        let downlink = time_share * trace.mean_bits_per_s(slot_begins_s + begins_s, slot_s);
        [downlink, self.uplink_ratio * downlink]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Traces of one value each: 10, 20, ... bit/s, of two kinds in turn.
    fn traces(num: u32) -> ThroughputTraces {
        let trace = |number: u32| {
            let name = format!("{}/{number}", ["4G", "5G"][number as usize % 2]);
            let rate = f64::from(10 * (number + 1));
            ThroughputTrace::new(name, &[(0.0, rate)], 1.0).unwrap()
        };
        ThroughputTraces::new((0..num).map(trace).collect()).unwrap()
    }

    fn config(kind: Option<&str>, part: RatePart) -> RecordedRatesConfig {
        RecordedRatesConfig {
            path: "rates.csv".into(),
            format: RateFormat::Throughput,
            kind: kind.map(str::to_owned),
            part,
            uplink_ratio: 0.5,
        }
    }

    /// The downlink rates that users of an episode of a purpose meet.
    fn met(config: &RecordedRatesConfig, purpose: Purpose) -> BTreeSet<u64> {
        let rates = config.validate("radio.recorded_rates", Some(&traces(6))).unwrap();
        let seed = Seed::new(purpose, 3);
        (0..200).map(|user| rates.rates_bits_per_s((seed, UserId(user)), (7.0, 1.0), 1.0)[0] as u64).collect()
    }

    #[test]
    fn tests_replay_other_traces_than_training_unless_told_otherwise() {
        let of = |part, purpose| met(&config(None, part), purpose);
        let (even, odd) = (BTreeSet::from([10, 30, 50]), BTreeSet::from([20, 40, 60]));
        assert_eq!(of(RatePart::Split, Purpose::Train), even);
        assert_eq!(of(RatePart::Split, Purpose::Validate), even);
        assert_eq!(of(RatePart::Split, Purpose::Test), odd);
        assert_eq!(of(RatePart::Training, Purpose::Test), even);
        assert_eq!(of(RatePart::Test, Purpose::Train), odd);
        assert_eq!(of(RatePart::All, Purpose::Train).len(), 6);
        // Of the kind 5G there are 20, 40 and 60; the second of them is for tests.
        assert_eq!(met(&config(Some("5G"), RatePart::Split), Purpose::Test), BTreeSet::from([40]));
    }

    #[test]
    fn a_user_keeps_its_trace_for_an_episode_and_shares_the_time_of_its_cell() {
        let rates = config(None, RatePart::All).validate("radio.recorded_rates", Some(&traces(6))).unwrap();
        let user = (Seed::new(Purpose::Test, 3), UserId(5));
        let [down, up] = rates.rates_bits_per_s(user, (0.0, 1.0), 1.0);
        assert_eq!(up, 0.5 * down);
        assert_eq!(rates.rates_bits_per_s(user, (100.0, 1.0), 0.25), [0.25 * down, 0.125 * down]);
    }

    #[test]
    fn what_cannot_be_replayed_is_refused_with_what_can() {
        let said = |config: RecordedRatesConfig, num| {
            config.validate("radio.recorded_rates", Some(&traces(num))).unwrap_err().to_string()
        };
        assert_eq!(said(config(Some("6G"), RatePart::All), 6), "radio.recorded_rates.kind = \"6G\": 4G, 5G");
        assert!(said(config(None, RatePart::Split), 1).contains("two or more traces"));
        let ratio = RecordedRatesConfig { uplink_ratio: 0.0, ..config(None, RatePart::All) };
        assert_eq!(said(ratio, 6), "radio.recorded_rates.uplink_ratio = 0.0: a number from 0.001 to 1.0");
        assert!(config(None, RatePart::All).validate("radio", None).is_err());
    }
}
