//! Recorded requests: what real users asked, read from one kind of CSV and replayed slot by slot.
//!
//! *Models.* A recording is a list of requests in order of time, each with the model it named, its user, its session and its token
//! counts, as far as its source has them. Nothing here is drawn from a distribution but three things, each by a stated seed: load
//! times of `GenTD26` ([`import::gentd26`]), whose recording names no model; services of recordings that name no models
//! ([`TraceServicesConfig::Drawn`]); and the starts of sessions whose clocks begin anew ([`import::SessionClock`]).
//!
//! *Reading order.* [`Trace`] (here) → [`columns`] (what the CSV holds) → [`read`](Trace::read) and [`write`](Trace::write) →
//! [`import`] (other sources) → [`split`] (training, validation, test by time) → [`service_map`] and [`slotted`] (what a world
//! replays) → [`stats`].
//!
//! *Assumptions.* Times are whole microseconds. A recording is split by time and never by random rows, because popularity drifts.
//! Nothing in this module opens a file: it reads from `impl Read`.
//!
//! *Source.* MODEL.md section 8, "Recorded requests"; the columns are described in `docs/trace-format.md`.

pub mod columns;
pub mod import;
mod read;
pub mod service_map;
pub mod slotted;
pub mod split;
pub mod stats;
mod write;

pub use columns::Column;
pub use service_map::{DrawnServicesConfig, TopModelsConfig, TraceServicesConfig};
pub use slotted::SlottedRequests;
pub use split::{SplitShares, TimeSplit, TracePart};
pub use stats::TraceStats;
pub(in crate::workload) use write::quoted;

use crate::csv::RecordingError;
use indexmap::IndexMap;
use std::ops::Range;

/// Stands in a column of names where a request names none.
const NONE: u32 = u32::MAX;

/// Names in the order in which they are first met; models with their load seconds.
type Names = IndexMap<Box<str>, Option<f64>>;

/// Recorded requests in order of time, a column at a time; columns that the source does not have take no memory.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    time_us: Vec<u64>,
    think_time_us: Vec<u64>,
    /// The columns from `model` to `reused_tokens`; those of names hold numbers of names, and [`NONE`].
    columns: [Vec<u32>; 7],
    /// Models, users and sessions.
    names: [Names; 3],
    notes: Vec<String>,
}

impl Trace {
    /// Number of requests, at least 1.
    pub fn num_requests(&self) -> usize {
        self.time_us.len()
    }

    /// Microseconds from the start to the last request.
    pub fn last_us(&self) -> u64 {
        self.time_us.last().copied().unwrap_or(0)
    }

    /// Times of all requests, microseconds since the start, ascending.
    pub fn times_us(&self) -> &[u64] {
        &self.time_us
    }

    /// A column from `model` to `reused_tokens`, an entry a request; empty where the source does not have it.
    ///
    /// # Panics
    /// For the columns of times.
    pub fn column(&self, column: Column) -> &[u32] {
        &self.columns[column as usize - 1]
    }

    /// Returns the number of the name that a request has in a column of names.
    fn named(&self, column: Column, row: usize) -> Option<u32> {
        self.column(column).get(row).copied().filter(|number| *number != NONE)
    }

    /// Returns the names of a column of names.
    fn names(&self, column: Column) -> &Names {
        &self.names[column as usize - 1]
    }

    /// Names of the models, in the order in which they are first asked for.
    pub fn models(&self) -> Vec<&str> {
        self.names(Column::Model).keys().map(AsRef::as_ref).collect()
    }

    /// The model that a request names, an index into [`models`](Self::models).
    pub fn model(&self, row: usize) -> Option<u32> {
        self.named(Column::Model, row)
    }

    /// The user of a request, numbered in the order in which they first ask.
    pub fn user(&self, row: usize) -> Option<u32> {
        self.named(Column::User, row)
    }

    /// How many users there are; `None` where the source names none.
    pub fn num_users(&self) -> Option<u32> {
        (!self.column(Column::User).is_empty()).then(|| self.names(Column::User).len() as u32)
    }

    /// Seconds to load a model, where they are recorded.
    pub fn load_s(&self, model: u32) -> Option<f64> {
        self.names(Column::Model).get_index(model as usize).and_then(|(_, load_s)| *load_s)
    }

    /// What was done to the rows when they were read: sorted, cut, drawn.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The slots of the recording and where its parts begin.
    ///
    /// # Errors
    /// As [`TimeSplit::new`].
    pub fn split(&self, slot_s: f64, shares: SplitShares) -> Result<TimeSplit, RecordingError> {
        TimeSplit::new(slot_s, self.last_us(), shares)
    }

    /// Returns the requests of a part of the split.
    fn rows(&self, split: &TimeSplit, part: TracePart) -> Range<usize> {
        let slots = split.slots(part);
        let row_of = |slot: usize| {
            let begins_us = slot as u64 * split.slot_us();
            self.time_us.partition_point(|time_us| *time_us < begins_us)
        };
        row_of(slots.start)..row_of(slots.end)
    }

    /// Counts the requests of each model among some requests.
    fn model_requests(&self, rows: Range<usize>) -> Vec<u64> {
        let models = self.column(Column::Model).get(rows).unwrap_or_default();
        counted(models, self.names(Column::Model).len())
    }

    /// Sorts the requests by time, those of one time in the order of the file; names are numbered as they are first met.
    fn sort(&mut self) {
        let late = self.time_us.windows(2).filter(|pair| pair[1] < pair[0]).count();
        if late == 0 {
            return;
        }
        let mut order: Vec<u32> = (0..self.time_us.len() as u32).collect();
        order.sort_by_key(|&row| self.time_us[row as usize]);
        self.time_us.sort_unstable();
        for column in self.columns.iter_mut().filter(|column| !column.is_empty()) {
            *column = order.iter().map(|&row| column[row as usize]).collect();
        }
        if !self.think_time_us.is_empty() {
            self.think_time_us = order.iter().map(|&row| self.think_time_us[row as usize]).collect();
        }
        for (names, column) in self.names.iter_mut().zip(&mut self.columns) {
            renumber(names, column);
        }
        let s = if late == 1 { "row was" } else { "rows were" };
        self.notes.push(format!("{late} {s} earlier than the row before: all were sorted by time"));
    }
}

/// Counts how often each number stands in a column.
fn counted(column: &[u32], most: usize) -> Vec<u64> {
    let mut counts = vec![0; most];
    for number in column.iter().filter(|number| **number != NONE) {
        counts[*number as usize] += 1;
    }
    counts
}

/// Numbers names anew in the order in which their column, which was sorted, has them.
fn renumber(names: &mut Names, column: &mut [u32]) {
    let (mut new, mut met) = (vec![NONE; names.len()], 0);
    for number in column.iter_mut().filter(|number| **number != NONE) {
        let place = &mut new[*number as usize];
        if *place == NONE {
            *place = met;
            met += 1;
        }
        *number = *place;
    }
    let mut sorted: Vec<_> = std::mem::take(names).into_iter().zip(new).collect();
    sorted.sort_unstable_by_key(|(_, number)| *number);
    *names = sorted.into_iter().map(|(name, _)| name).collect();
}

#[cfg(test)]
mod recorded_data_tests;
#[cfg(test)]
mod tests;
