//! What a person wants to know about a trace before training on it.
//!
//! *Percentiles* are nearest-rank: the least recorded value with at least that share of the values at or below it.
//! *Inter-arrival CV* is the standard deviation of the times between requests over their mean (1 for Poisson arrivals).

use serde::Serialize;

use super::{TimeSplit, Trace, TraceError, TracePart};

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
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let max = *values.last()?;
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self { p50: rank(50), p90: rank(90), p99: rank(99), max })
    }
}

/// Requests per slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SlotStats {
    /// Number of slots.
    pub num_slots: usize,
    /// Mean requests per slot.
    pub mean: f64,
    /// Half of the slots have at most so many requests.
    pub p50: f64,
    /// 99 % of the slots have at most so many requests.
    pub p99: f64,
    /// The most requests in a slot.
    pub max: f64,
    /// Share of the slots without a request.
    pub empty_ratio: f64,
}

impl SlotStats {
    fn of(split: &TimeSplit, slots: std::ops::Range<usize>, times_us: &[u64]) -> Self {
        let mut counts = vec![0.0_f64; slots.len()];
        for time_us in times_us {
            counts[split.slot_of(*time_us) - slots.start] += 1.0;
        }
        let num_slots = counts.len();
        let empty = counts.iter().filter(|count| **count == 0.0).count();
        let percentiles =
            Percentiles::of(counts).unwrap_or(Percentiles { p50: 0.0, p90: 0.0, p99: 0.0, max: 0.0 });
        Self {
            num_slots,
            mean: times_us.len() as f64 / num_slots as f64,
            p50: percentiles.p50,
            p99: percentiles.p99,
            max: percentiles.max,
            empty_ratio: empty as f64 / num_slots as f64,
        }
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
    /// Seconds to load it, where the trace has them.
    pub load_s: Option<f64>,
}

/// A part of the split by time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartStats {
    /// Which part.
    pub part: TracePart,
    /// Its first slot in the trace.
    pub first_slot: usize,
    /// Requests in it.
    pub requests: u64,
    /// Of these, requests that name no model.
    pub requests_without_model: u64,
    /// Different models named in it.
    pub num_models: usize,
    /// Of these, models that the training part never names.
    pub num_new_models: usize,
    /// Requests per slot.
    pub slots: SlotStats,
}

/// Statistics of a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceStats {
    /// Where the requests were recorded.
    pub source: String,
    /// The instant of time 0 as the source writes it.
    pub start: String,
    /// Number of requests.
    pub requests: u64,
    /// From the first to the last request, s.
    pub duration_s: f64,
    /// Requests over duration; `None` when all requests have one time.
    pub requests_per_s: Option<f64>,
    /// Coefficient of variation of the times between requests; `None` when all requests have one time.
    pub interarrival_cv: Option<f64>,
    /// Requests that name no model.
    pub requests_without_model: u64,
    /// Models, the most requested first, ties by first appearance.
    pub models: Vec<ModelStats>,
    /// Different users.
    pub num_users: u32,
    /// Prompt lengths, tokens, where the source has them.
    pub prompt_tokens: Option<Percentiles>,
    /// Answer lengths, tokens, where the source has them.
    pub output_tokens: Option<Percentiles>,
    /// Recorded time to serve, s, where the source has it.
    pub service_s: Option<Percentiles>,
    /// Load times of the models, s, each model once, where the trace has them.
    pub load_s: Option<Percentiles>,
    /// Length of the slots below, s; `None` if none was asked for.
    pub slot_s: Option<f64>,
    /// Requests per slot over the whole trace.
    pub slots: Option<SlotStats>,
    /// The parts of the split by time, in order.
    pub parts: Vec<PartStats>,
    /// What the importer says about its work.
    pub notes: Vec<String>,
}

impl TraceStats {
    /// Statistics of a trace, with slots of `slot_s` seconds and the split by time if a slot length is given.
    ///
    /// # Errors
    /// [`TraceError::Empty`] without requests; for a slot length as [`TimeSplit::new`].
    pub fn new(trace: &Trace, slot_s: Option<f64>) -> Result<Self, TraceError> {
        let times_us = trace.times_us();
        let [first_us, .., last_us] = *times_us else {
            return match times_us {
                [] => Err(TraceError::Empty),
                _ => Self::with_duration(trace, slot_s, 0.0),
            };
        };
        Self::with_duration(trace, slot_s, (last_us - first_us) as f64 / 1e6)
    }

    fn with_duration(trace: &Trace, slot_s: Option<f64>, duration_s: f64) -> Result<Self, TraceError> {
        let header = trace.header();
        let columns = header.columns;
        let split = slot_s.map(|slot_s| trace.split(slot_s)).transpose()?;
        let column = |present: bool, value: fn(&super::Request) -> f64| {
            present.then(|| Percentiles::of(trace.iter().map(|request| value(&request)).collect())).flatten()
        };
        let model_requests = ModelRequests::of(trace, 0..trace.len());
        Ok(Self {
            source: header.source.clone(),
            start: header.start.clone(),
            requests: trace.len() as u64,
            duration_s,
            requests_per_s: (duration_s > 0.0).then(|| trace.len() as f64 / duration_s),
            interarrival_cv: interarrival_cv(trace.times_us()),
            requests_without_model: model_requests.without,
            models: model_stats(trace, &model_requests),
            num_users: header.num_users,
            prompt_tokens: column(columns.prompt_tokens, |request| f64::from(request.prompt_tokens)),
            output_tokens: column(columns.output_tokens, |request| f64::from(request.output_tokens)),
            service_s: column(columns.service_us, |request| request.service_us as f64 / 1e6),
            load_s: header.load_s.clone().and_then(Percentiles::of),
            slot_s: split.map(|split| split.slot_s()),
            slots: split.map(|split| SlotStats::of(&split, 0..split.num_slots(), trace.times_us())),
            parts: split.map(|split| part_stats(trace, &split)).unwrap_or_default(),
            notes: header.notes.clone(),
        })
    }
}

/// Requests of each model within some rows.
struct ModelRequests {
    requests: Vec<u64>,
    without: u64,
}

impl ModelRequests {
    fn of(trace: &Trace, rows: std::ops::Range<usize>) -> Self {
        let mut counted = Self { requests: vec![0; trace.header().models.len()], without: 0 };
        for row in rows {
            match trace.model_of(row) {
                Some(model) => counted.requests[model as usize] += 1,
                None => counted.without += 1,
            }
        }
        counted
    }
}

fn model_stats(trace: &Trace, counted: &ModelRequests) -> Vec<ModelStats> {
    let header = trace.header();
    let mut models: Vec<ModelStats> = header
        .models
        .iter()
        .zip(&counted.requests)
        .enumerate()
        .map(|(model, (name, requests))| ModelStats {
            name: name.clone(),
            requests: *requests,
            share: *requests as f64 / trace.len() as f64,
            load_s: header.load_s.as_ref().map(|load_s| load_s[model]),
        })
        .collect();
    // Stable, and models are listed in order of first appearance.
    models.sort_by_key(|model| std::cmp::Reverse(model.requests));
    models
}

fn part_stats(trace: &Trace, split: &TimeSplit) -> Vec<PartStats> {
    let trained = ModelRequests::of(trace, split.rows(TracePart::Train, trace.times_us()));
    let part = |part: TracePart| {
        let (rows, slots) = (split.rows(part, trace.times_us()), split.slots(part));
        let counted = ModelRequests::of(trace, rows.clone());
        let named = |model: &usize| counted.requests[*model] > 0;
        PartStats {
            part,
            first_slot: slots.start,
            requests: rows.len() as u64,
            requests_without_model: counted.without,
            num_models: (0..counted.requests.len()).filter(named).count(),
            num_new_models: (0..counted.requests.len())
                .filter(|model| named(model) && trained.requests[*model] == 0)
                .count(),
            slots: SlotStats::of(split, slots, &trace.times_us()[rows]),
        }
    };
    TracePart::ALL.map(part).into()
}

fn interarrival_cv(times_us: &[u64]) -> Option<f64> {
    let gaps = || times_us.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
    let num_gaps = times_us.len().checked_sub(1)? as f64;
    let mean = gaps().sum::<f64>() / num_gaps;
    let variance = gaps().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / num_gaps;
    (mean > 0.0).then(|| variance.sqrt() / mean)
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, Header, Request};
    use super::*;

    fn trace(rows: &[(u64, Option<u32>)]) -> Trace {
        let header = Header {
            columns: Columns { model: true, prompt_tokens: true, ..Columns::default() },
            models: vec!["a".into(), "b".into()],
            load_s: Some(vec![1.0, 3.0]),
            ..Header::named("hand made", "2024-01-01 00:00:00")
        };
        let requests = rows.iter().enumerate().map(|(row, (time_s, model))| Request {
            time_us: time_s * 1_000_000,
            model: *model,
            prompt_tokens: row as u32 + 1,
            ..Request::default()
        });
        Trace::from_requests(header, requests.collect()).unwrap()
    }

    #[test]
    fn percentiles_are_recorded_values_at_the_nearest_rank() {
        let of = |most: usize| Percentiles::of((1..=most).rev().map(|value| value as f64).collect()).unwrap();
        assert_eq!(of(1), Percentiles { p50: 1.0, p90: 1.0, p99: 1.0, max: 1.0 });
        assert_eq!(of(2), Percentiles { p50: 1.0, p90: 2.0, p99: 2.0, max: 2.0 });
        assert_eq!(of(200), Percentiles { p50: 100.0, p90: 180.0, p99: 198.0, max: 200.0 });
        assert_eq!(Percentiles::of(Vec::new()), None);
    }

    #[test]
    fn the_numbers_of_a_trace_of_six_requests_are_those_that_a_person_counts() {
        let rows = [(0, Some(1)), (0, Some(1)), (4, Some(0)), (4, Some(0)), (8, Some(1)), (9, None)];
        let stats = TraceStats::new(&trace(&rows), Some(1.0)).unwrap();
        assert_eq!((stats.requests, stats.duration_s, stats.requests_without_model), (6, 9.0, 1));
        assert_eq!(stats.requests_per_s, Some(6.0 / 9.0));
        // Gaps 0 4 0 4 1: mean 1.8, mean square 33/5, variance 3.36.
        assert!((stats.interarrival_cv.unwrap() - 3.36_f64.sqrt() / 1.8).abs() < 1e-12);
        let models: Vec<_> = stats.models.iter().map(|model| (model.name.as_str(), model.requests)).collect();
        assert_eq!(models, [("b", 3), ("a", 2)]);
        assert_eq!(stats.models[0].share, 0.5);
        assert_eq!(stats.prompt_tokens.unwrap().p50, 3.0);
        assert_eq!((stats.output_tokens, stats.service_s), (None, None));
        let slots = stats.slots.unwrap();
        assert_eq!((slots.num_slots, slots.mean, slots.p50, slots.max), (10, 0.6, 0.0, 2.0));
        assert_eq!(slots.empty_ratio, 0.6);
        let parts: Vec<_> = stats
            .parts
            .iter()
            .map(|part| (part.first_slot, part.requests, part.num_models, part.slots.num_slots))
            .collect();
        assert_eq!(parts, [(0, 4, 2, 6), (6, 0, 0, 2), (8, 2, 1, 2)]);
        assert_eq!(stats.parts[2].requests_without_model, 1);
    }

    #[test]
    fn models_that_training_never_saw_are_counted_as_new() {
        let stats = TraceStats::new(&trace(&[(0, Some(0)), (5, None), (9, Some(1))]), Some(1.0)).unwrap();
        let new: Vec<_> = stats.parts.iter().map(|part| part.num_new_models).collect();
        assert_eq!(new, [0, 0, 1]);
    }

    #[test]
    fn a_single_request_has_no_rate_and_no_request_is_an_error() {
        let stats = TraceStats::new(&trace(&[(3, Some(0))]), None).unwrap();
        assert_eq!((stats.duration_s, stats.requests_per_s, stats.interarrival_cv), (0.0, None, None));
        assert_eq!((stats.slots, stats.parts.len()), (None, 0));
        assert!(matches!(TraceStats::new(&trace(&[]), None).unwrap_err(), TraceError::Empty));
    }
}
