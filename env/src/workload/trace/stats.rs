//! What a person wants to know about a trace before training on it.
//!
//! *Percentiles* are nearest-rank: the least recorded value with at least that share of the values at or below it.
//! *Inter-arrival CV* is the standard deviation of the times between requests over their mean (1 for Poisson arrivals).

//!
//! *State.* Requests are visited, not held: a few megabytes whatever the length of the trace. Counts per slot are kept as
//! the number of slots with each count.

use std::collections::BTreeMap;

use serde::Serialize;

use super::quantiles::Quantiles;
use super::{Header, Request, Requests, TimeSplit, TraceError, TracePart};

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
    /// Leading prompt tokens that an earlier request of the recording had, where the source tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused_tokens: Option<Percentiles>,
    /// Share of all prompt tokens that an earlier request of the recording had, where the source tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse_ratio: Option<f64>,
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
    /// Statistics of a trace, with slots of `slot_s` seconds and the split by time if a slot length is given. The
    /// requests are visited at least twice.
    ///
    /// # Errors
    /// [`TraceError::Empty`] without requests; for a slot length as [`TimeSplit::new`]; whatever a visit reports.
    pub fn new(requests: &impl Requests, slot_s: Option<f64>) -> Result<Self, TraceError> {
        let header = requests.header();
        let mut whole = Whole::new(header);
        let mut columns = ColumnQuantiles::new(header);
        requests.visit(&mut |request| {
            whole.add(request);
            columns.add(request);
        })?;
        let mut is_searching = columns.end_pass();
        let (first_us, last_us) = whole.span_us.ok_or(TraceError::Empty)?;
        let duration_s = (last_us - first_us) as f64 / 1e6;
        let split = slot_s.map(|slot_s| TimeSplit::new(slot_s, last_us)).transpose()?;
        let mut gaps = Gaps::new(first_us, last_us, whole.requests);
        let mut tally = split.map(|split| SlotTally::new(split, header.models.len()));
        requests.visit(&mut |request| {
            gaps.add(request.time_us);
            if let Some(tally) = &mut tally {
                tally.add(request);
            }
            if is_searching {
                columns.add(request);
            }
        })?;
        while is_searching {
            is_searching = columns.end_pass();
            if is_searching {
                requests.visit(&mut |request| columns.add(request))?;
            }
        }
        let per_slot = tally.map(SlotTally::end);
        Ok(Self {
            source: header.source.clone(),
            start: header.start.clone(),
            requests: whole.requests,
            duration_s,
            requests_per_s: (duration_s > 0.0).then(|| whole.requests as f64 / duration_s),
            interarrival_cv: gaps.cv(),
            requests_without_model: whole.models.without,
            models: model_stats(header, &whole),
            num_users: header.num_users,
            prompt_tokens: columns.percentiles(Column::PromptTokens),
            output_tokens: columns.percentiles(Column::OutputTokens),
            service_s: columns.percentiles(Column::ServiceUs),
            reused_tokens: columns.percentiles(Column::ReusedTokens),
            reuse_ratio: (header.columns.reused_tokens && whole.prompt_tokens > 0)
                .then(|| whole.reused_tokens as f64 / whole.prompt_tokens as f64),
            load_s: header.load_s.clone().and_then(Percentiles::of),
            slot_s: split.map(|split| split.slot_s()),
            slots: per_slot.as_ref().map(|(whole, _)| *whole),
            parts: per_slot.map(|(_, parts)| parts).unwrap_or_default(),
            notes: header.notes.clone(),
        })
    }
}

/// What one look at all requests tells.
struct Whole {
    requests: u64,
    /// The first and the last time.
    span_us: Option<(u64, u64)>,
    models: ModelRequests,
    prompt_tokens: u128,
    reused_tokens: u128,
}

impl Whole {
    fn new(header: &Header) -> Self {
        let models = ModelRequests::new(header.models.len());
        Self { requests: 0, span_us: None, models, prompt_tokens: 0, reused_tokens: 0 }
    }

    fn add(&mut self, request: &Request) {
        self.requests += 1;
        let (first_us, _) = self.span_us.unwrap_or((request.time_us, 0));
        self.span_us = Some((first_us, request.time_us));
        self.models.add(request.model);
        self.prompt_tokens += u128::from(request.prompt_tokens);
        self.reused_tokens += u128::from(request.reused_tokens);
    }
}

/// The columns whose percentiles are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    PromptTokens,
    OutputTokens,
    ServiceUs,
    ReusedTokens,
}

impl Column {
    fn value(self, request: &Request) -> u64 {
        match self {
            Self::PromptTokens => request.prompt_tokens.into(),
            Self::OutputTokens => request.output_tokens.into(),
            Self::ServiceUs => request.service_us,
            Self::ReusedTokens => request.reused_tokens.into(),
        }
    }

    /// A value as it is told: times in seconds.
    fn told(self, value: u64) -> f64 {
        if self == Self::ServiceUs { value as f64 / 1e6 } else { value as f64 }
    }
}

/// Percentiles of the columns that a trace has.
struct ColumnQuantiles(Vec<(Column, Quantiles)>);

impl ColumnQuantiles {
    fn new(header: &Header) -> Self {
        let columns = header.columns;
        let all = [
            (columns.prompt_tokens, Column::PromptTokens),
            (columns.output_tokens, Column::OutputTokens),
            (columns.service_us, Column::ServiceUs),
            (columns.reused_tokens, Column::ReusedTokens),
        ];
        let present = all.into_iter().filter(|(is_present, _)| *is_present);
        Self(present.map(|(_, column)| (column, Quantiles::new())).collect())
    }

    fn add(&mut self, request: &Request) {
        for (column, quantiles) in &mut self.0 {
            quantiles.add(column.value(request));
        }
    }

    /// Whether another pass is needed.
    fn end_pass(&mut self) -> bool {
        self.0.iter_mut().fold(false, |more, (_, quantiles)| quantiles.end_pass() || more)
    }

    fn percentiles(&self, wanted: Column) -> Option<Percentiles> {
        let (column, quantiles) = self.0.iter().find(|(column, _)| *column == wanted)?;
        let found = quantiles.found()?;
        let [p50, p90, p99, max] =
            [found.p50, found.p90, found.p99, found.max].map(|value| column.told(value));
        Some(Percentiles { p50, p90, p99, max })
    }
}

/// Requests of each model.
struct ModelRequests {
    requests: Vec<u64>,
    without: u64,
}

impl ModelRequests {
    fn new(num_models: usize) -> Self {
        Self { requests: vec![0; num_models], without: 0 }
    }

    fn add(&mut self, model: Option<u32>) {
        match model {
            Some(model) => self.requests[model as usize] += 1,
            None => self.without += 1,
        }
    }
}

fn model_stats(header: &Header, whole: &Whole) -> Vec<ModelStats> {
    let mut models: Vec<ModelStats> = header
        .models
        .iter()
        .zip(&whole.models.requests)
        .enumerate()
        .map(|(model, (name, requests))| ModelStats {
            name: name.clone(),
            requests: *requests,
            share: *requests as f64 / whole.requests as f64,
            load_s: header.load_s.as_ref().map(|load_s| load_s[model]),
        })
        .collect();
    // Stable, and models are listed in order of first appearance.
    models.sort_by_key(|model| std::cmp::Reverse(model.requests));
    models
}

/// Requests per slot, over the whole trace and over its parts. Slots come in order, so that only one is open.
struct SlotTally {
    split: TimeSplit,
    /// The slot that is counted, and its requests so far.
    open: (usize, u64),
    parts: [PartTally; 3],
}

/// One part: requests, and how many of its slots have which number of them (slots without a request are left out).
struct PartTally {
    requests: u64,
    models: ModelRequests,
    slots_with: BTreeMap<u64, u64>,
}

impl SlotTally {
    fn new(split: TimeSplit, num_models: usize) -> Self {
        let parts = TracePart::ALL.map(|_| PartTally {
            requests: 0,
            models: ModelRequests::new(num_models),
            slots_with: BTreeMap::new(),
        });
        Self { split, open: (0, 0), parts }
    }

    fn add(&mut self, request: &Request) {
        let slot = self.split.slot_of(request.time_us);
        if slot != self.open.0 {
            self.close();
            self.open = (slot, 0);
        }
        self.open.1 += 1;
        let part = &mut self.parts[self.split.part_of(slot) as usize];
        part.requests += 1;
        part.models.add(request.model);
    }

    fn close(&mut self) {
        let (slot, requests) = self.open;
        if requests > 0 {
            let part = &mut self.parts[self.split.part_of(slot) as usize];
            *part.slots_with.entry(requests).or_default() += 1;
        }
    }

    fn end(mut self) -> (SlotStats, Vec<PartStats>) {
        self.close();
        let Self { split, parts, .. } = self;
        let mut whole: BTreeMap<u64, u64> = BTreeMap::new();
        for (requests, slots) in parts.iter().flat_map(|part| &part.slots_with) {
            *whole.entry(*requests).or_default() += slots;
        }
        let trained = &parts[TracePart::Train as usize].models.requests;
        let stats = TracePart::ALL.map(|part| {
            let (tally, slots) = (&parts[part as usize], split.slots(part));
            let named = |model: &usize| tally.models.requests[*model] > 0;
            PartStats {
                part,
                first_slot: slots.start,
                requests: tally.requests,
                requests_without_model: tally.models.without,
                num_models: (0..trained.len()).filter(named).count(),
                num_new_models: (0..trained.len())
                    .filter(|model| named(model) && trained[*model] == 0)
                    .count(),
                slots: SlotStats::of(&tally.slots_with, slots.len()),
            }
        });
        (SlotStats::of(&whole, split.num_slots()), stats.into())
    }
}

impl SlotStats {
    /// Of `num_slots` slots, so many of which have each number of requests, the others none.
    fn of(slots_with: &BTreeMap<u64, u64>, num_slots: usize) -> Self {
        let busy: u64 = slots_with.values().sum();
        let requests: u64 = slots_with.iter().map(|(requests, slots)| requests * slots).sum();
        let empty = (num_slots as u64).saturating_sub(busy);
        let rank = |percent: u64| {
            let mut at_or_below = empty;
            let rank = (num_slots as u64 * percent).div_ceil(100);
            let counts = slots_with.iter().find(|(_, slots)| {
                let is_before = at_or_below < rank;
                at_or_below += **slots;
                is_before && at_or_below >= rank
            });
            counts.map_or(0.0, |(requests, _)| *requests as f64)
        };
        Self {
            num_slots,
            mean: requests as f64 / num_slots as f64,
            p50: rank(50),
            p99: rank(99),
            max: slots_with.last_key_value().map_or(0.0, |(requests, _)| *requests as f64),
            empty_ratio: empty as f64 / num_slots as f64,
        }
    }
}

/// How evenly requests follow each other.
struct Gaps {
    count: u64,
    mean_us: f64,
    previous_us: Option<u64>,
    squares: f64,
}

impl Gaps {
    fn new(first_us: u64, last_us: u64, requests: u64) -> Self {
        let count = requests.saturating_sub(1);
        let mean_us = (last_us - first_us) as f64 / count as f64;
        Self { count, mean_us, previous_us: None, squares: 0.0 }
    }

    fn add(&mut self, time_us: u64) {
        if let Some(previous_us) = self.previous_us {
            let off = (time_us - previous_us) as f64 - self.mean_us;
            self.squares += off * off;
        }
        self.previous_us = Some(time_us);
    }

    fn cv(&self) -> Option<f64> {
        let variance = self.squares / self.count as f64;
        (self.mean_us > 0.0).then(|| variance.sqrt() / self.mean_us)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, Trace};
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
