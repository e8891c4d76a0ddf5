//! Recorded requests: what real users asked, read from one kind of CSV and replayed slot by slot.
//!
//! *Models.* A recording is a list of requests in order of time, each with the model it named, its user, its session and its token
//! counts, as far as its source has them. Nothing here is drawn from a distribution but three things, each by a stated seed: load
//! times of `GenTD26` ([`import::gentd26`]), whose recording names no model; services of recordings that name no models
//! ([`ServiceMap::Drawn`]); and the starts of sessions whose clocks begin anew ([`import::Clock::Session`]).
//!
//! *Reading order.* [`Trace`] (here) → [`columns`] (what the CSV holds) → [`read`](Trace::read) and [`write`](Trace::write) →
//! [`import`] (other sources) → [`split`] (training, validation, test by time) → [`slotted`] (what a world replays) → [`stats`].
//!
//! *Assumptions.* Times are whole microseconds. A recording is split by time and never by random rows, because popularity drifts.
//! Nothing in this module opens a file: it reads from `impl Read`.
//!
//! *Source.* MODEL.md section 8, "Recorded requests"; the columns are described in `docs/trace-format.md`.

pub mod columns;
mod error;
pub mod import;
mod names;
mod read;
mod service_map;
pub mod slotted;
pub mod split;
pub mod stats;
mod write;

pub use columns::Column;
pub use error::TraceError;
pub use service_map::{ServiceInfo, ServiceMap};
pub use slotted::SlottedRequests;
pub use split::{SplitShares, TimeSplit, TracePart};
pub use stats::TraceStats;

use names::{NONE, Names};
pub(in crate::workload) use write::quoted;

/// Recorded requests in order of time, a column at a time; columns that the source does not have take no memory.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    time_us: Vec<u64>,
    /// Numbers of names; [`NONE`] where a request names none.
    model: Vec<u32>,
    user: Vec<u32>,
    session: Vec<u32>,
    turn: Vec<u32>,
    prompt_tokens: Vec<u32>,
    output_tokens: Vec<u32>,
    reused_tokens: Vec<u32>,
    think_time_us: Vec<u64>,
    models: Names,
    users: Names,
    sessions: Names,
    /// Seconds to load each model, where they are recorded; empty or one a model.
    load_s: Vec<Option<f64>>,
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

    /// Names of the models, in the order in which they are first asked for.
    pub fn models(&self) -> Vec<&str> {
        self.models.list()
    }

    /// The model that a request names, an index into [`models`](Self::models).
    pub fn model(&self, row: usize) -> Option<u32> {
        named(&self.model, row)
    }

    /// The user of a request, numbered in the order in which they first ask.
    pub fn user(&self, row: usize) -> Option<u32> {
        named(&self.user, row)
    }

    /// How many users there are; `None` where the source names none.
    pub fn num_users(&self) -> Option<u32> {
        (!self.user.is_empty()).then_some(self.users.len() as u32)
    }

    /// Leading prompt tokens of each request that an earlier one had; empty where the source does not say.
    pub fn reused_tokens(&self) -> &[u32] {
        &self.reused_tokens
    }

    /// Lengths of the prompts, tokens; empty where the source does not say.
    pub fn prompt_tokens(&self) -> &[u32] {
        &self.prompt_tokens
    }

    /// Lengths of the answers, tokens; empty where the source does not say.
    pub fn output_tokens(&self) -> &[u32] {
        &self.output_tokens
    }

    /// Seconds to load a model, where they are recorded.
    pub fn load_s(&self, model: u32) -> Option<f64> {
        self.load_s.get(model as usize).copied().flatten()
    }

    /// What was done to the rows when they were read: sorted, cut, drawn.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The slots of the recording and where its parts begin.
    ///
    /// # Errors
    /// As [`TimeSplit::new`].
    pub fn split(&self, slot_s: f64, shares: SplitShares) -> Result<TimeSplit, TraceError> {
        TimeSplit::new(slot_s, self.last_us(), shares)
    }

    /// The columns of whole numbers that a request has one of.
    fn whole_columns(&mut self) -> [&mut Vec<u32>; 7] {
        [
            &mut self.model,
            &mut self.user,
            &mut self.session,
            &mut self.turn,
            &mut self.prompt_tokens,
            &mut self.output_tokens,
            &mut self.reused_tokens,
        ]
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
        for column in self.whole_columns().into_iter().filter(|column| !column.is_empty()) {
            *column = order.iter().map(|&row| column[row as usize]).collect();
        }
        if !self.think_time_us.is_empty() {
            self.think_time_us = order.iter().map(|&row| self.think_time_us[row as usize]).collect();
        }
        self.users.renumber(&mut self.user);
        self.sessions.renumber(&mut self.session);
        let numbers = self.models.renumber(&mut self.model);
        let old = std::mem::take(&mut self.load_s);
        self.load_s = vec![None; if old.is_empty() { 0 } else { numbers.len() }];
        for (number, load_s) in numbers.into_iter().zip(old) {
            self.load_s[number as usize] = load_s;
        }
        let s = if late == 1 { "row was" } else { "rows were" };
        self.notes.push(format!("{late} {s} earlier than the row before: all were sorted by time"));
    }
}

fn named(column: &[u32], row: usize) -> Option<u32> {
    column.get(row).copied().filter(|number| *number != NONE)
}

#[cfg(test)]
mod recorded_data_tests;
#[cfg(test)]
mod tests;
