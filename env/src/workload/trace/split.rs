//! Slots of a trace, and its three parts by time.
//!
//! *Equation.* A request at time t falls into slot `floor(t / slot)`; the trace has `n = floor(t_last / slot) + 1` slots.
//! Training is the slots `[0, a)`, validation `[a, b)`, test `[b, n)` with `a = round(train n)`, `b = round((train + validate) n)`,
//! halves rounded up. Shares are 0.6 and 0.2 unless a scenario says otherwise.
//!
//! *Assumptions.* Parts are cut by time and not by number of requests, and never by random rows: popularity drifts, and a
//! policy that has seen the future of a slot has seen the answer.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::csv::RecordingError;

/// The fewest slots in which every part has at least one.
const MIN_SLOTS: u64 = 4;
/// The most slots; their offsets take 4 bytes each.
const MAX_SLOTS: u64 = 1 << 24;
const US_PER_S: f64 = 1e6;

/// The shares of the time that training and validation get; tests get the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitShares {
    /// The first share of the slots, above 0: learners learn here, services are chosen here.
    pub train: f64,
    /// The next share, above 0; the two together are below 1.
    pub validate: f64,
}

impl Default for SplitShares {
    fn default() -> Self {
        Self { train: 0.6, validate: 0.2 }
    }
}

impl SplitShares {
    /// Whether they are what nobody has to type.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A part of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TracePart {
    /// The first slots, 60 % by default: learners learn here, services and static sets are chosen here.
    Train,
    /// The next, 20 %: parameters and checkpoints are chosen here.
    Validate,
    /// The last: what is reported.
    Test,
}

impl TracePart {
    /// All parts in order of time.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validate, Self::Test];
}

impl fmt::Display for TracePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validate => "validate",
            Self::Test => "test",
        })
    }
}

/// The slots of a recording and where its parts begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSplit {
    slot_us: u64,
    /// The first slot of each part, and one more at the end.
    borders: [usize; 4],
}

impl TimeSplit {
    /// Cuts the time from 0 to a last request at `last_us` into slots of `slot_s` seconds, rounded to a microsecond.
    ///
    /// # Errors
    /// Shares that leave a part nothing; a slot that is not finite or shorter than a microsecond; too few slots for three parts, or
    /// too many to keep.
    pub fn new(slot_s: f64, last_us: u64, shares: SplitShares) -> Result<Self, RecordingError> {
        let refused = |reason: String| Err(RecordingError(reason));
        let SplitShares { train, validate } = shares;
        if !(train > 0.0 && validate > 0.0 && train + validate < 1.0) {
            return refused(format!(
                "the split gives {train} to training and {validate} to validation; expected numbers above 0 that leave something of 1 for tests"
            ));
        }
        let length_us = (slot_s * US_PER_S).round();
        if !(length_us.is_finite() && length_us >= 1.0) {
            return refused(format!(
                "slot_s is {slot_s}; expected a finite number of seconds, at least 0.000001"
            ));
        }
        // A float beyond 64 bits becomes the largest integer: one slot, which is refused below.
        let length_us = length_us as u64;
        let count = (last_us / length_us).saturating_add(1);
        if !(MIN_SLOTS..=MAX_SLOTS).contains(&count) {
            let span_s = last_us as f64 / US_PER_S;
            return refused(format!(
                "slots of {slot_s} s cut the {span_s} s of this recording into {count}; expected {MIN_SLOTS} to {MAX_SLOTS}, choose another slot_s"
            ));
        }
        let num_slots = count as usize;
        let share = |share: f64| (num_slots as f64 * share).round() as usize;
        let split =
            Self { slot_us: length_us, borders: [0, share(train), share(train + validate), num_slots] };
        match TracePart::ALL.into_iter().find(|part| split.slots(*part).is_empty()) {
            Some(part) => refused(format!(
                "the {part} part has none of the {num_slots} slots; make slots shorter or its share larger"
            )),
            None => Ok(split),
        }
    }

    /// Length of a slot, microseconds.
    pub fn slot_us(&self) -> u64 {
        self.slot_us
    }

    /// Slots of the whole trace.
    pub fn num_slots(&self) -> usize {
        self.borders[3]
    }

    /// The slot of a time.
    pub fn slot_of(&self, time_us: u64) -> usize {
        (time_us / self.slot_us) as usize
    }

    /// The slots of a part.
    pub fn slots(&self, part: TracePart) -> Range<usize> {
        self.borders[part as usize]..self.borders[part as usize + 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part_of(split: &TimeSplit, time_us: u64) -> TracePart {
        let slot = split.slot_of(time_us);
        TracePart::ALL.into_iter().find(|part| split.slots(*part).contains(&slot)).unwrap()
    }

    #[test]
    fn parts_are_cut_at_sixty_and_eighty_percent_of_the_slots() {
        let split = TimeSplit::new(2.0, 19_999_999, SplitShares::default()).unwrap();
        assert_eq!(split.num_slots(), 10);
        assert_eq!(TracePart::ALL.map(|part| split.slots(part)), [0..6, 6..8, 8..10]);
        // The last request at the very beginning of an eleventh slot makes that slot exist: 6.6 and 8.8 are rounded.
        let split = TimeSplit::new(2.0, 20_000_000, SplitShares::default()).unwrap();
        assert_eq!(TracePart::ALL.map(|part| split.slots(part)), [0..7, 7..9, 9..11]);
    }

    #[test]
    fn a_request_on_the_border_belongs_to_the_later_part() {
        let split = TimeSplit::new(1.0, 9_000_000, SplitShares::default()).unwrap();
        let times_us = [0, 5_999_999, 6_000_000, 6_000_000, 7_999_999, 8_000_000, 9_000_000];
        let parts = times_us.map(|time_us| part_of(&split, time_us));
        let (train, validate, test) = (TracePart::Train, TracePart::Validate, TracePart::Test);
        assert_eq!(parts, [train, train, validate, validate, validate, test, test]);
    }

    #[test]
    fn parts_are_shares_of_time_and_not_of_requests() {
        // Nine of ten requests in the first second of ten.
        let times_us = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9_000_000];
        let split = TimeSplit::new(1.0, 9_000_000, SplitShares::default()).unwrap();
        let in_part = |part| times_us.iter().filter(|time_us| part_of(&split, **time_us) == part).count();
        assert_eq!(TracePart::ALL.map(in_part), [9, 0, 1]);
    }

    #[test]
    fn every_part_has_a_slot_from_the_least_number_on() {
        for slots in MIN_SLOTS..100 {
            let split = TimeSplit::new(1.0, (slots - 1) * 1_000_000, SplitShares::default()).unwrap();
            for part in TracePart::ALL {
                assert!(!split.slots(part).is_empty(), "{slots} slots, {part}");
            }
        }
    }

    #[test]
    fn slots_that_do_not_suit_the_trace_are_refused_with_what_would() {
        for slot_s in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-7] {
            let error = TimeSplit::new(slot_s, 10, SplitShares::default()).unwrap_err().to_string();
            assert!(error.ends_with("expected a finite number of seconds, at least 0.000001"), "{error}");
        }
        let error = TimeSplit::new(600.0, 1_000_000_000, SplitShares::default()).unwrap_err().to_string();
        assert_eq!(
            error,
            "slots of 600 s cut the 1000 s of this recording into 2; expected 4 to 16777216, choose another slot_s"
        );
        for (slot_s, last_us) in [(1e-6, u64::MAX), (1e-6, 1 << 30), (1e300, u64::MAX)] {
            let error = TimeSplit::new(slot_s, last_us, SplitShares::default()).unwrap_err().to_string();
            assert!(error.ends_with("expected 4 to 16777216, choose another slot_s"), "{error}");
        }
    }

    #[test]
    fn shares_can_be_chosen_and_leave_something_for_every_part() {
        let split = |train, validate, slots: u64| {
            TimeSplit::new(1.0, (slots - 1) * 1_000_000, SplitShares { train, validate })
        };
        let halves = split(0.5, 0.25, 10).unwrap();
        assert_eq!(TracePart::ALL.map(|part| halves.slots(part)), [0..5, 5..8, 8..10], "7.5 is rounded up");
        for (train, validate) in [(0.0, 0.5), (0.5, 0.5), (0.9, 0.2), (f64::NAN, 0.1), (-0.1, 0.2)] {
            let error = split(train, validate, 10).unwrap_err().to_string();
            assert!(error.ends_with("leave something of 1 for tests"), "{error}");
        }
        let error = split(0.98, 0.01, 10).unwrap_err().to_string();
        let expected = "the validate part has none of the 10 slots; make slots shorter or its share larger";
        assert_eq!(error, expected);
    }
}
