//! Recorded requests: what real users asked, kept in one compressed format and replayed slot by slot.
//!
//! *Models.* A recorded trace is a list of requests in order of time, each with the model it named (if its source names
//! models), its user, its token counts and the time it was served (if its source says so). Nothing here is drawn from a
//! distribution but two things, each with a fixed and documented seed: load times of GenTD26 ([`import::gentd26`]),
//! whose recording names no model, and services of traces that name no model ([`ServiceMap::Drawn`]).
//!
//! *Reading order.* [`Trace`] (here) → [`mod@format`] (bytes) → [`Requests`] (traces that do not fit in memory) →
//! [`import`] (sources) → [`split`] (train, validate, test by time) → [`slotted`] (what a world replays) → [`stats`],
//! [`mod@check`] (what a person wants to know).
//!
//! *Assumptions.* Times are whole microseconds since the trace's start. A trace is split by time and never by random
//! rows, because popularity drifts. Nothing in this module opens a file: it reads from `impl Read`.
//!
//! *Source.* MODEL.md section 8, "Recorded requests"; the byte format is described in `docs/trace-format.md`.

pub mod check;
mod error;
pub mod format;
mod header;
mod id_set;
pub mod import;
mod quantiles;
mod requests;
mod service_map;
pub mod slotted;
pub mod split;
pub mod stats;
mod varint;

use std::io::{Read, Write};

pub use check::{CheckReport, Finding, Severity, check};
pub use error::{Section, TraceError};
pub use format::{TraceReader, TraceWriter};
pub use header::{Columns, Header, MAX_MODELS};
pub use requests::{Requests, StoredTrace};
pub use service_map::{ServiceInfo, ServiceMap};
pub use slotted::SlottedRequests;
pub use split::{TimeSplit, TracePart};
pub use stats::{ModelStats, PartStats, Percentiles, SlotStats, TraceStats};

/// How an absent model or user is kept in a column.
const NONE: u32 = u32::MAX;

/// One recorded request.
///
/// A value of a column that the trace does not have ([`Columns`]) is `None` or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Microseconds since the trace's start.
    pub time_us: u64,
    /// The model that it asked for, an index into [`Header::models`]; `None` where the source names none.
    pub model: Option<u32>,
    /// Its user, from 0 to [`Header::num_users`] - 1; `None` where the source names none.
    pub user: Option<u32>,
    /// Length of the prompt, tokens.
    pub prompt_tokens: u32,
    /// Length of the answer, tokens.
    pub output_tokens: u32,
    /// How long the recorded system took to serve it, microseconds.
    pub service_us: u64,
    /// Leading tokens of the prompt that an earlier request of the recording had, at most `prompt_tokens`.
    pub reused_tokens: u32,
}

impl Request {
    /// What is wrong with this request in a trace with this header, after a request at `previous_us`.
    fn fault(&self, header: &Header, previous_us: u64) -> Option<String> {
        if self.time_us < previous_us {
            return Some(format!(
                "time {} us is before the previous row's {previous_us} us; rows are sorted by time",
                self.time_us
            ));
        }
        let columns = header.columns;
        let num_models = header.models.len() as u32;
        if let Some(model) = self.model
            && (!columns.model || model >= num_models)
        {
            return Some(format!("model {model}, but the header names {num_models} models"));
        }
        if let Some(user) = self.user
            && (!columns.user || user >= header.num_users)
        {
            return Some(format!("user {user}, but the header counts {} users", header.num_users));
        }
        let absent = [
            ("prompt_tokens", columns.prompt_tokens, u64::from(self.prompt_tokens)),
            ("output_tokens", columns.output_tokens, u64::from(self.output_tokens)),
            ("service_us", columns.service_us, self.service_us),
            ("reused_tokens", columns.reused_tokens, u64::from(self.reused_tokens)),
        ];
        if let Some((name, _, value)) = absent.into_iter().find(|(_, present, value)| !present && *value != 0)
        {
            return Some(format!("{name} is {value}, but the header has no such column"));
        }
        (self.reused_tokens > self.prompt_tokens).then(|| {
            let (reused, prompt) = (self.reused_tokens, self.prompt_tokens);
            format!("reused_tokens is {reused}, allowed are 0 to the prompt's {prompt}")
        })
    }
}

/// A whole trace in memory, a column at a time; columns that the source does not have take no memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    header: Header,
    time_us: Vec<u64>,
    model: Vec<u32>,
    user: Vec<u32>,
    prompt_tokens: Vec<u32>,
    output_tokens: Vec<u32>,
    service_us: Vec<u64>,
    reused_tokens: Vec<u32>,
}

impl Trace {
    /// A trace of these requests, sorted by time; requests of one time keep their order. `header.rows` is set to their
    /// number.
    ///
    /// # Errors
    /// [`TraceError::BadHeader`], or [`TraceError::BadRow`] for a model or user that the header does not have or a value
    /// in a column that it does not have.
    pub fn from_requests(mut header: Header, mut requests: Vec<Request>) -> Result<Self, TraceError> {
        header.rows = requests.len() as u64;
        header.validate()?;
        requests.sort_by_key(|request| request.time_us);
        let mut trace = Self::empty(header);
        trace.extend(&requests)?;
        Ok(trace)
    }

    /// Reads a trace in the format of `docs/trace-format.md`, to its end.
    ///
    /// # Errors
    /// Whatever [`TraceReader`] reports: a trace that is damaged or cut off is never returned.
    pub fn read<R: Read>(source: R) -> Result<Self, TraceError> {
        let mut reader = TraceReader::new(source)?;
        let mut trace = Self::empty(reader.header().clone());
        while let Some(rows) = reader.next_block()? {
            trace.extend(rows)?;
        }
        Ok(trace)
    }

    /// Writes the trace in the format of `docs/trace-format.md` and gives the sink back, flushed.
    ///
    /// # Errors
    /// [`TraceError::Io`] when the sink fails.
    pub fn write<W: Write>(&self, sink: W) -> Result<W, TraceError> {
        let mut writer = TraceWriter::new(sink, self.header.clone())?;
        for request in self.iter() {
            writer.push(&request)?;
        }
        writer.finish()
    }

    fn empty(header: Header) -> Self {
        Self {
            header,
            time_us: Vec::new(),
            model: Vec::new(),
            user: Vec::new(),
            prompt_tokens: Vec::new(),
            output_tokens: Vec::new(),
            service_us: Vec::new(),
            reused_tokens: Vec::new(),
        }
    }

    fn extend(&mut self, requests: &[Request]) -> Result<(), TraceError> {
        let columns = self.header.columns;
        for request in requests {
            let previous_us = self.time_us.last().copied().unwrap_or(0);
            if let Some(reason) = request.fault(&self.header, previous_us) {
                return Err(TraceError::BadRow { row: self.time_us.len() as u64, reason });
            }
            self.time_us.push(request.time_us);
            if columns.model {
                self.model.push(request.model.unwrap_or(NONE));
            }
            if columns.user {
                self.user.push(request.user.unwrap_or(NONE));
            }
            if columns.prompt_tokens {
                self.prompt_tokens.push(request.prompt_tokens);
            }
            if columns.output_tokens {
                self.output_tokens.push(request.output_tokens);
            }
            if columns.service_us {
                self.service_us.push(request.service_us);
            }
            if columns.reused_tokens {
                self.reused_tokens.push(request.reused_tokens);
            }
        }
        Ok(())
    }

    /// What is known about the trace as a whole.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.time_us.len()
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.time_us.is_empty()
    }

    /// Microseconds from the start to the last request, 0 without requests.
    pub fn span_us(&self) -> u64 {
        self.time_us.last().copied().unwrap_or(0)
    }

    /// Times of all requests, microseconds since the start, ascending.
    pub fn times_us(&self) -> &[u64] {
        &self.time_us
    }

    /// The request of a row, `None` beyond the last.
    pub fn request(&self, row: usize) -> Option<Request> {
        let column = |values: &[u32]| values.get(row).copied().unwrap_or(0);
        Some(Request {
            time_us: *self.time_us.get(row)?,
            model: self.model_of(row),
            user: self.user.get(row).copied().filter(|user| *user != NONE),
            prompt_tokens: column(&self.prompt_tokens),
            output_tokens: column(&self.output_tokens),
            service_us: self.service_us.get(row).copied().unwrap_or(0),
            reused_tokens: column(&self.reused_tokens),
        })
    }

    /// The model that a row names, if any.
    pub fn model_of(&self, row: usize) -> Option<u32> {
        self.model.get(row).copied().filter(|model| *model != NONE)
    }

    /// All requests in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Request> + '_ {
        (0..self.len()).map(|row| self.request(row).unwrap_or_default())
    }

    /// The slots of the trace and where its parts begin.
    ///
    /// # Errors
    /// As [`TimeSplit::new`].
    pub fn split(&self, slot_s: f64) -> Result<TimeSplit, TraceError> {
        if self.is_empty() {
            return Err(TraceError::Empty);
        }
        TimeSplit::new(slot_s, self.span_us())
    }

    /// The requests of one part, grouped by slot and mapped to services: what a world replays. For all parts at once,
    /// [`SlottedRequests::parts`].
    ///
    /// # Errors
    /// As [`Trace::split`]; [`TraceError::TooFewModels`] when the training part names fewer models than asked for;
    /// [`TraceError::BadServiceMap`] for parameters out of range.
    pub fn slotted(
        &self,
        slot_s: f64,
        part: TracePart,
        map: &ServiceMap,
    ) -> Result<SlottedRequests, TraceError> {
        let [train, validate, test] = SlottedRequests::parts(self, slot_s, map)?;
        Ok(match part {
            TracePart::Train => train,
            TracePart::Validate => validate,
            TracePart::Test => test,
        })
    }
}

#[cfg(test)]
mod recorded_data_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            columns: Columns { model: true, user: true, ..Columns::default() },
            models: vec!["a".into(), "b".into()],
            num_users: 1,
            ..Header::named("hand made", "2024-01-01 00:00:00")
        }
    }

    fn at(time_us: u64, model: Option<u32>) -> Request {
        Request { time_us, model, user: Some(0), ..Request::default() }
    }

    #[test]
    fn requests_are_sorted_by_time_and_ties_keep_their_order() {
        let requests = vec![at(5, Some(0)), at(2, Some(1)), at(5, None), at(2, Some(0))];
        let trace = Trace::from_requests(header(), requests).unwrap();
        let order: Vec<_> = trace.iter().map(|request| (request.time_us, request.model)).collect();
        assert_eq!(order, [(2, Some(1)), (2, Some(0)), (5, Some(0)), (5, None)]);
        assert_eq!(trace.header().rows, 4);
        assert_eq!(trace.span_us(), 5);
    }

    #[test]
    fn a_row_with_an_unknown_model_user_or_column_is_refused_with_its_number() {
        let bad = [
            (at(1, Some(2)), "model 2"),
            (Request { user: Some(1), ..at(1, None) }, "user 1"),
            (Request { output_tokens: 3, ..at(1, None) }, "output_tokens"),
        ];
        for (request, expected) in bad {
            let error = Trace::from_requests(header(), vec![at(0, None), request]).unwrap_err().to_string();
            assert!(error.starts_with("row 1: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn columns_that_the_source_lacks_take_no_memory() {
        let trace = Trace::from_requests(header(), vec![at(1, None), at(2, Some(1))]).unwrap();
        assert_eq!((trace.model.len(), trace.prompt_tokens.len(), trace.service_us.len()), (2, 0, 0));
        assert_eq!(trace.request(2), None);
    }
}
