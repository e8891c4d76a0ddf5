//! Importers: tables and logs of others become recorded requests.
//!
//! Each reads from any `impl Read`, plain or gzip, and believes no line: a line that is not what the source's description says is an
//! error with line, column, value and what is allowed. Importing the same bytes twice gives the same recording.
//!
//! Numbers of seconds are rounded to the nearest microsecond; instants are kept to the nanosecond. Rows are sorted by them, and rows of
//! one time keep the order of the file; times are then whole microseconds since the first row, those of instants rounded down.

mod gentd26;
mod mooncake;

use std::io::Read;

pub use super::columns::Mapping;
pub use gentd26::{LOAD_TIME_SEED, gentd26};
pub use mooncake::{BLOCK_TOKENS, mooncake};

use super::read::{LIMITS, MAX_TIME_S, NS_PER_US};
use super::{Column, NONE, Trace};
use crate::csv::{CsvReader, RecordingError};
use crate::random::{Purpose, Seed, Stream};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rand::RngExt;

/// The times of a table count from the start of the row's session, which is not recorded. Sessions begin one after the other in the
/// order in which they appear, at exponential distances; that of the i-th is a draw of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionClock {
    /// How many sessions begin in a second on average, 1e-6 to 1e6.
    pub sessions_per_s: f64,
    /// Chooses the draws.
    pub seed: u64,
}

/// Imports any table: each of our columns from one of its own. Times count from the first request; all
/// rows have one clock, or each session its own.
///
/// # Errors
/// [`RecordingError`] with its place; as [`Trace::read`].
pub fn mapped<R: Read>(
    source: R,
    mappings: &[Mapping],
    clock: Option<SessionClock>,
) -> Result<Trace, RecordingError> {
    let reader = CsvReader::open(source, LIMITS)?;
    let mut trace = Trace::read_rows(reader, mappings, true)?;
    if let Some(SessionClock { sessions_per_s, seed }) = clock {
        let starts = session_starts_ns(trace.names(Column::Session).len(), sessions_per_s, seed);
        if trace.column(Column::Session).is_empty() {
            return Err(RecordingError::at(1, "no column is `session`, whose clock the time is"));
        }
        for (row, time) in trace.time_us.iter_mut().enumerate() {
            let session = trace.columns[Column::Session as usize - 1][row];
            if session == NONE {
                let reason = format!("request {} names no session, whose clock its time is", row + 1);
                return Err(RecordingError(reason));
            }
            *time = time.saturating_add(starts[session as usize]);
        }
        trace.notes.push(format!(
            "{} sessions begin at random, {sessions_per_s} a second on average, drawn by seed {seed}",
            starts.len()
        ));
    }
    trace.count_from_first()
}

impl Trace {
    /// Sorts by nanoseconds, then counts whole microseconds from the first request.
    fn count_from_first(mut self) -> Result<Self, RecordingError> {
        self.sort();
        let (first, last) = (self.time_us[0], self.time_us[self.time_us.len() - 1]);
        if (last - first) as f64 > MAX_TIME_S * 1e9 || last == u64::MAX {
            let reason = "the last request is more than 4000000000 s after the first; allowed are more sessions a second";
            return Err(RecordingError(reason.to_owned()));
        }
        self.time_us.iter_mut().for_each(|time| *time = (*time - first) / NS_PER_US);
        Ok(self)
    }
}

/// Imports requests to a production LLM service, Azure 2023 (Azure/AzurePublicDataset, CC-BY 4.0), plain or gzip. They name no model
/// and no user: services are drawn ([`TraceServicesConfig::Drawn`](crate::workload::trace::TraceServicesConfig::Drawn)).
///
/// # Errors
/// As [`mapped`].
pub fn azure<R: Read>(source: R) -> Result<Trace, RecordingError> {
    let columns = [
        (Column::Time, "TIMESTAMP"),
        (Column::PromptTokens, "ContextTokens"),
        (Column::OutputTokens, "GeneratedTokens"),
    ];
    plain(source, &columns)
}

/// Imports columns as they are.
fn plain(source: impl Read, columns: &[(Column, &str)]) -> Result<Trace, RecordingError> {
    let mapping = |&(column, name): &(Column, &str)| Mapping { column, name: name.into(), factor: None };
    mapped(source, &columns.iter().map(mapping).collect::<Vec<_>>(), None)
}

/// Nanoseconds since 1970 of an instant with or without a time zone, UTC where it has none; `None` before 1970 and after 2096.
pub(super) fn instant_ns(text: &str) -> Option<u64> {
    // A second 60 would be taken for 59, and a date alone for its midnight.
    if !text.contains(':') || text.contains(":60") {
        return None;
    }
    let instant = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => instant,
        Err(_) => TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    let most = MAX_TIME_S as u64 * 1_000_000_000;
    u64::try_from(instant.as_nanosecond()).ok().filter(|ns| *ns <= most)
}

/// When each session begins, nanoseconds.
fn session_starts_ns(sessions: usize, sessions_per_s: f64, seed: u64) -> Vec<u64> {
    let seed = Seed::new(Purpose::Train, seed);
    let mut start_s = 0.0;
    (0..sessions)
        .map(|session| {
            let uniform: f64 = seed.stream_at(Stream::Arrivals, session as u64, 0).random();
            start_s -= libm::log1p(-uniform) / sessions_per_s;
            ((start_s * 1e6).round() as u64).saturating_mul(NS_PER_US)
        })
        .collect()
}
