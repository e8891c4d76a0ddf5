//! What a person wants to know about recorded requests before training on them.
//!
//! *Percentiles* are nearest-rank: the least recorded value with at least that share of the values at or below it.
//! *Inter-arrival CV* is the standard deviation of the times between requests over their mean (1 for Poisson arrivals).

use std::cmp::Reverse;

use serde::Serialize;

use super::{Column, SplitShares, TimeSplit, Trace, TracePart, counted};
use crate::csv::RecordingError;

/// A part with fewer requests is too small: means over it say little.
pub const MIN_PART_REQUESTS: u64 = 100;
/// Slots that stand for time where no slot length was given.
const FINE_SLOTS: u64 = 1_000;

/// Percentiles of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the values are at or below it.
    pub p50: f64,
    /// 90 % of the values are at or below it.
    pub p90: f64,
    /// 99 % of the values are at or below it.
    pub p99: f64,
    /// The largest value.
    pub max: f64,
}

impl Percentiles {
    /// Returns the percentiles of whole numbers times a unit; `None` where there are none.
    fn of(values: impl IntoIterator<Item = u64>, unit: f64) -> Option<Self> {
        let mut values: Vec<u64> = values.into_iter().collect();
        values.sort_unstable();
        let last = values.len().checked_sub(1)?;
        let rank = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100).max(1) - 1;
            values[rank.min(last)] as f64 * unit
        };
        Some(Self { p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) })
    }
}

/// Requests per slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SlotStats {
    /// Number of slots.
    pub count: usize,
    /// Mean requests per slot.
    pub mean: f64,
    /// Percentiles of the requests per slot.
    #[serde(flatten)]
    pub requests: Percentiles,
    /// Share of the slots without a request.
    pub empty_ratio: f64,
}

impl SlotStats {
    /// Summarises the requests in each slot.
    fn of(counts: &[u64]) -> Option<Self> {
        let empty = counts.iter().filter(|count| **count == 0).count();
        let num_slots = counts.len() as f64;
        Some(Self {
            count: counts.len(),
            mean: counts.iter().sum::<u64>() as f64 / num_slots,
            requests: Percentiles::of(counts.iter().copied(), 1.0)?,
            empty_ratio: empty as f64 / num_slots,
        })
    }
}

/// A model and how often it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelStats {
    /// Its name.
    pub name: String,
    /// Requests that name it.
    pub requests: u64,
    /// Their share of all requests, those without a model included.
    pub share: f64,
    /// Seconds to load it, where they are recorded.
    pub load_s: Option<f64>,
}

/// A part of the split by time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartStats {
    /// Which part.
    pub part: TracePart,
    /// Requests in it.
    pub requests: u64,
    /// Of these, requests that name no model.
    pub requests_without_model: u64,
    /// Different models named in it.
    pub models: usize,
    /// Of these, models that the training part never names.
    pub new_models: usize,
    /// Requests per slot, where a slot length was given.
    pub slots: Option<SlotStats>,
}

impl PartStats {
    /// Says what is wrong with a part that is empty or too small.
    fn warning(&self) -> Option<String> {
        let (part, requests) = (self.part, self.requests);
        let s = if requests == 1 { "" } else { "s" };
        match requests {
            0 => Some(format!("the {part} part is empty: it cannot be replayed with this split")),
            1..MIN_PART_REQUESTS => Some(format!(
                "the {part} part is too small: {requests} request{s}, fewer than {MIN_PART_REQUESTS}"
            )),
            _ => None,
        }
    }
}

/// Statistics of recorded requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceStats {
    /// Number of requests.
    pub requests: u64,
    /// From the first to the last request, s.
    pub duration_s: f64,
    /// Seconds before the first request.
    pub first_request_s: f64,
    /// Requests over duration; `None` when all requests have one time.
    pub requests_per_s: Option<f64>,
    /// Coefficient of variation of the times between requests; `None` when all requests have one time.
    pub interarrival_cv: Option<f64>,
    /// Requests that name no model.
    pub requests_without_model: u64,
    /// Different models.
    pub num_models: usize,
    /// Models, the most requested first, ties by first appearance.
    pub models: Vec<ModelStats>,
    /// Different users.
    pub num_users: Option<u32>,
    /// Different sessions.
    pub num_sessions: Option<usize>,
    /// Requests of a session.
    pub session_requests: Option<Percentiles>,
    /// Numbers of the requests in their sessions.
    pub turn: Option<Percentiles>,
    /// Prompt lengths, tokens.
    pub prompt_tokens: Option<Percentiles>,
    /// Answer lengths, tokens.
    pub output_tokens: Option<Percentiles>,
    /// Leading prompt tokens that an earlier request of the recording had.
    pub reused_tokens: Option<Percentiles>,
    /// Share of all prompt tokens that an earlier request of the recording had.
    pub reuse_ratio: Option<f64>,
    /// Seconds that users took before their requests.
    pub think_time_s: Option<Percentiles>,
    /// Load times of the models, s, each model once.
    pub load_s: Option<Percentiles>,
    /// Length of the slots below, s; `None` if none was asked for.
    pub slot_s: Option<f64>,
    /// Requests per slot over the whole recording.
    pub slots: Option<SlotStats>,
    /// The parts of the split by time, in order; none where all requests have one time.
    pub parts: Vec<PartStats>,
    /// Parts that are empty or too small.
    pub warnings: Vec<String>,
    /// What was done to the rows when they were read.
    pub notes: Vec<String>,
}

impl TraceStats {
    /// Statistics of a recording and of its split, with requests per slot if a slot length is given.
    ///
    /// # Errors
    /// As [`TimeSplit::new`].
    pub fn new(trace: &Trace, slot_s: Option<f64>, shares: SplitShares) -> Result<Self, RecordingError> {
        let requests = trace.num_requests();
        let (first_us, last_us) = (trace.time_us[0], trace.last_us());
        let duration_s = (last_us - first_us) as f64 / 1e6;
        let split = match slot_s {
            Some(slot_s) => Some(trace.split(slot_s, shares)?),
            None if last_us < FINE_SLOTS => None,
            None => Some(trace.split((last_us / FINE_SLOTS) as f64 / 1e6, shares)?),
        };
        let counts = split.filter(|_| slot_s.is_some()).map(|split| {
            let mut counts = vec![0; split.num_slots()];
            trace.time_us.iter().for_each(|time_us| counts[split.slot_of(*time_us)] += 1);
            counts
        });
        let parts = split.map(|split| part_stats(trace, &split, counts.as_deref())).unwrap_or_default();
        let values = |column: Column| trace.column(column).iter().map(|value| u64::from(*value));
        let whole = |column: Column| Percentiles::of(values(column), 1.0);
        let prompt_tokens: u64 = values(Column::PromptTokens).sum();
        let reused_tokens: u64 = values(Column::ReusedTokens).sum();
        let has_reuse = !trace.column(Column::ReusedTokens).is_empty() && prompt_tokens > 0;
        let (models, num_sessions) = (trace.names(Column::Model), trace.names(Column::Session).len());
        let model_requests = trace.model_requests(0..requests);
        let session_requests = counted(trace.column(Column::Session), num_sessions);
        let load_us = models.values().flatten().map(|load_s| (load_s * 1e6).round() as u64);
        let mut ranked: Vec<ModelStats> = models
            .iter()
            .zip(&model_requests)
            .map(|((name, load_s), &of_model)| ModelStats {
                name: name.to_string(),
                requests: of_model,
                share: of_model as f64 / requests as f64,
                load_s: *load_s,
            })
            .collect();
        // Stable, and models are listed in order of first appearance.
        ranked.sort_by_key(|model| Reverse(model.requests));
        Ok(Self {
            requests: requests as u64,
            duration_s,
            first_request_s: first_us as f64 / 1e6,
            requests_per_s: (duration_s > 0.0).then(|| requests as f64 / duration_s),
            interarrival_cv: interarrival_cv(&trace.time_us),
            requests_without_model: requests as u64 - model_requests.iter().sum::<u64>(),
            num_models: models.len(),
            models: ranked,
            num_users: trace.num_users(),
            num_sessions: (num_sessions > 0).then_some(num_sessions),
            session_requests: Percentiles::of(session_requests, 1.0),
            turn: whole(Column::Turn),
            prompt_tokens: whole(Column::PromptTokens),
            output_tokens: whole(Column::OutputTokens),
            reused_tokens: whole(Column::ReusedTokens),
            reuse_ratio: has_reuse.then(|| reused_tokens as f64 / prompt_tokens as f64),
            think_time_s: Percentiles::of(trace.think_time_us.iter().copied(), 1e-6),
            load_s: Percentiles::of(load_us, 1e-6),
            slot_s: split.filter(|_| slot_s.is_some()).map(|split| split.slot_us() as f64 / 1e6),
            slots: counts.as_deref().and_then(SlotStats::of),
            warnings: parts.iter().filter_map(PartStats::warning).collect(),
            parts,
            notes: trace.notes.clone(),
        })
    }
}

fn interarrival_cv(time_us: &[u64]) -> Option<f64> {
    let num_gaps = time_us.len().checked_sub(1).filter(|gaps| *gaps > 0)? as f64;
    let mean_us = (time_us.last()? - time_us.first()?) as f64 / num_gaps;
    let off = |pair: &[u64]| (pair[1] - pair[0]) as f64 - mean_us;
    let squares: f64 = time_us.windows(2).map(|pair| off(pair) * off(pair)).sum();
    (mean_us > 0.0).then(|| (squares / num_gaps).sqrt() / mean_us)
}

fn part_stats(trace: &Trace, split: &TimeSplit, counts: Option<&[u64]>) -> Vec<PartStats> {
    let trained = trace.model_requests(trace.rows(split, TracePart::Train));
    let part = |part: TracePart| {
        let rows = trace.rows(split, part);
        let requests = rows.len() as u64;
        let models = trace.model_requests(rows);
        let named = || (0..models.len()).filter(|model| models[*model] > 0);
        PartStats {
            part,
            requests,
            requests_without_model: requests - models.iter().sum::<u64>(),
            models: named().count(),
            new_models: named().filter(|model| trained[*model] == 0).count(),
            slots: counts.and_then(|counts| SlotStats::of(&counts[split.slots(part)])),
        }
    };
    TracePart::ALL.map(part).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn stats(rows: &[(u64, &str)], slot_s: Option<f64>) -> TraceStats {
        let mut text = "time_s,model,prompt_tokens,load_s\n".to_owned();
        for (row, (time_s, model)) in rows.iter().enumerate() {
            let load_s = ["1", "3", ""][["a", "b", ""].iter().position(|known| known == model).unwrap()];
            writeln!(text, "{time_s},{model},{},{load_s}", row + 1).unwrap();
        }
        let trace = Trace::read(text.as_bytes()).unwrap();
        TraceStats::new(&trace, slot_s, SplitShares::default()).unwrap()
    }

    #[test]
    fn percentiles_are_recorded_values_at_the_nearest_rank() {
        let of = |most: u64| Percentiles::of((1..=most).rev(), 1.0).unwrap();
        assert_eq!(of(1), Percentiles { p50: 1.0, p90: 1.0, p99: 1.0, max: 1.0 });
        assert_eq!(of(2), Percentiles { p50: 1.0, p90: 2.0, p99: 2.0, max: 2.0 });
        assert_eq!(of(200), Percentiles { p50: 100.0, p90: 180.0, p99: 198.0, max: 200.0 });
        assert_eq!(Percentiles::of(Vec::new(), 1.0), None);
    }

    #[test]
    fn the_numbers_of_a_recording_of_six_requests_are_those_that_a_person_counts() {
        let stats = stats(&[(0, "b"), (0, "b"), (4, "a"), (4, "a"), (8, "b"), (9, "")], Some(1.0));
        assert_eq!((stats.requests, stats.duration_s, stats.requests_without_model), (6, 9.0, 1));
        assert_eq!(stats.requests_per_s, Some(6.0 / 9.0));
        // Gaps 0 4 0 4 1: mean 1.8, mean square 33/5, variance 3.36.
        assert!((stats.interarrival_cv.unwrap() - 3.36_f64.sqrt() / 1.8).abs() < 1e-12);
        let models: Vec<_> = stats.models.iter().map(|model| (model.name.as_str(), model.requests)).collect();
        assert_eq!(models, [("b", 3), ("a", 2)]);
        assert_eq!((stats.models[0].share, stats.models[0].load_s), (0.5, Some(3.0)));
        assert_eq!(stats.prompt_tokens.unwrap().p50, 3.0);
        assert_eq!((stats.output_tokens, stats.reuse_ratio, stats.num_users), (None, None, None));
        let slots = stats.slots.unwrap();
        assert_eq!((slots.count, slots.mean, slots.requests.p50, slots.requests.max), (10, 0.6, 0.0, 2.0));
        assert_eq!(slots.empty_ratio, 0.6);
        let parts: Vec<_> =
            stats.parts.iter().map(|part| (part.requests, part.models, part.slots.unwrap().count)).collect();
        assert_eq!(parts, [(4, 2, 6), (0, 0, 2), (2, 1, 2)]);
        assert_eq!(stats.parts[2].requests_without_model, 1);
        assert_eq!(stats.warnings[1], "the validate part is empty: it cannot be replayed with this split");
        assert_eq!(stats.warnings[2], "the test part is too small: 2 requests, fewer than 100");
    }

    #[test]
    fn parts_are_counted_without_slots_too_and_a_large_one_is_ok() {
        let rows: Vec<(u64, &str)> = (0..1_000).map(|second| (second, "a")).collect();
        let stats = stats(&rows, None);
        let parts: Vec<_> = stats.parts.iter().map(|part| (part.requests, part.slots)).collect();
        assert_eq!(parts.iter().map(|part| part.0).sum::<u64>(), 1_000);
        assert!(parts.iter().all(|part| part.1.is_none()), "{parts:?}");
        assert!(parts[0].0.abs_diff(600) < 3 && parts[1].0.abs_diff(200) < 3, "{parts:?}");
        assert!(stats.warnings.is_empty(), "{:?}", stats.warnings);
    }

    #[test]
    fn models_that_training_never_saw_are_counted_as_new() {
        let stats = stats(&[(0, "a"), (5, ""), (9, "b")], Some(1.0));
        let new: Vec<_> = stats.parts.iter().map(|part| part.new_models).collect();
        assert_eq!(new, [0, 0, 1]);
    }

    #[test]
    fn a_single_request_has_no_rate_and_no_parts() {
        let stats = stats(&[(0, "a")], None);
        assert_eq!((stats.duration_s, stats.requests_per_s, stats.interarrival_cv), (0.0, None, None));
        assert_eq!((stats.slots, stats.parts.len()), (None, 0));
    }
}
