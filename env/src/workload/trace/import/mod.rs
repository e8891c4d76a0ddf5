//! Importers: the sources' own files in, a recording out, in bounded memory.
//!
//! Each reads from any `impl Read`, plain or gzip (told apart by the first two bytes), and believes no line: a line that
//! is not what the source's description says is an error with line, column, value and what is allowed. Importing the same
//! bytes twice gives the same trace.
//!
//! Rows are sorted by time as the source writes it (to the nanosecond), rows of one time keep the order of the file;
//! times are then whole microseconds since the first row, rounded down. Rows wait for their turn in a store that the
//! caller gives ([`Scratch`]): sources of any length and any order need the same memory, except that the names of users
//! and models, and which prefix blocks were seen, are held.

mod azure;
mod csv;
mod gentd26;
mod irish5g;
mod lines;
mod mooncake;
mod names;
mod paths;
mod servegen;
mod sites;
mod sort;
mod throughput;
mod timestamp;

use std::io::{Cursor, Read, Write};

pub use azure::azure;
pub use gentd26::{LOAD_TIME_SEED, gentd26};
pub use irish5g::{CellularRow, irish5g, irish5g_throughput};
pub use mooncake::{BLOCK_TOKENS, mooncake};
pub use paths::paths;
pub use servegen::servegen;
pub use sites::{NamedSite, sites};
pub use sort::Scratch;
pub use throughput::throughput;

use super::{Header, Request, Trace, TraceError, TraceWriter};
use gentd26::FirstUse;
use mooncake::Prefixes;
use sort::{Sorted, Sorter};

/// A store in memory, for sources that fit there.
pub fn in_memory() -> Cursor<Vec<u8>> {
    Cursor::new(Vec::new())
}

/// The format that a source looks like by its first line, by the name that the program gives it.
pub fn looks_like<R: Read>(source: R) -> Option<&'static str> {
    let mut lines = lines::Lines::new(source, mooncake::MAX_LINE_BYTES).ok()?;
    // A line that is too long or no text has no name; published ones are neither.
    let line = lines.next_line().ok()??;
    if line == azure::COLUMNS.join(",") {
        Some("azure")
    } else if line == gentd26::COLUMNS.join(",") {
        Some("gentd26")
    } else if line == servegen::COLUMNS.join(",") {
        Some("servegen")
    } else {
        (line.starts_with('{') && line.contains("\"hash_ids\"")).then_some("mooncake")
    }
}

/// A source that was read to its end and found right; its rows wait to be written in order of time.
pub struct Import<S> {
    header: Header,
    start_ns: u64,
    last_ns: u64,
    rows: Sorted<S>,
    ordering: Ordering,
}

/// What the rows of a source need once they are in order of time.
enum Ordering {
    /// Nothing.
    Plain,
    /// Models and users get the numbers of their first use.
    Renumber {
        /// The number of each model of the file.
        number_of_model: Vec<u32>,
        /// The numbers of the users, as they are met.
        users: FirstUse,
    },
    /// Prefix blocks are looked for among those of earlier requests.
    Reuse(Prefixes),
}

impl<S: Scratch> Import<S> {
    fn new(header: Header, span: &Earliest, rows: Sorter<S>, ordering: Ordering) -> Result<Self, TraceError> {
        let (start_ns, last_ns) = span.span_ns.ok_or(TraceError::Empty)?;
        let header = Header { rows: span.rows, ..header };
        header.validate()?;
        Ok(Self { header, start_ns, last_ns, rows: rows.finish()?, ordering })
    }

    /// What is known about the trace as a whole.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// From the first to the last request, microseconds.
    pub fn span_us(&self) -> u64 {
        (self.last_ns - self.start_ns) / 1_000
    }

    /// Writes the trace in the format of `docs/trace-format.md` and gives the sink back, flushed.
    ///
    /// # Errors
    /// [`TraceError::Io`] when the sink fails, [`TraceError::Scratch`] when the store does,
    /// [`TraceError::TooManyBlocks`], [`TraceError::LimitExceeded`] for a header that is too long.
    pub fn write<W: Write>(self, sink: W) -> Result<W, TraceError> {
        let mut writer = TraceWriter::new(sink, self.header.clone())?;
        self.in_order(|request| writer.push(request))?;
        writer.finish()
    }

    /// The whole trace in memory.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn into_trace(self) -> Result<Trace, TraceError> {
        let header = self.header.clone();
        let mut requests = Vec::new();
        self.in_order(|request| {
            requests.push(*request);
            Ok(())
        })?;
        Trace::from_requests(header, requests)
    }

    fn in_order(self, mut take: impl FnMut(&Request) -> Result<(), TraceError>) -> Result<(), TraceError> {
        let Self { start_ns, mut rows, mut ordering, .. } = self;
        while let Some((time_ns, mut request, extra)) = rows.next_row()? {
            request.time_us = (time_ns - start_ns) / 1_000;
            match &mut ordering {
                Ordering::Plain => {}
                Ordering::Renumber { number_of_model, users } => {
                    request.model = request.model.map(|model| number_of_model[model as usize]);
                    request.user = request.user.map(|user| users.number(user));
                }
                Ordering::Reuse(prefixes) => prefixes.look_up(&mut request, extra)?,
            }
            take(&request)?;
        }
        Ok(())
    }
}

/// How many rows there are, when the first and the last happened, and how the source writes the first.
#[derive(Default)]
struct Earliest {
    span_ns: Option<(u64, u64)>,
    start: String,
    rows: u64,
}

impl Earliest {
    fn add(&mut self, time_ns: u64, text: &str) {
        self.rows += 1;
        let (start_ns, last_ns) = self.span_ns.unwrap_or((u64::MAX, 0));
        if time_ns < start_ns {
            self.start.clear();
            self.start.push_str(text);
        }
        self.span_ns = Some((time_ns.min(start_ns), time_ns.max(last_ns)));
    }

    fn start(&self) -> &str {
        &self.start
    }

    fn is_empty(&self) -> bool {
        self.rows == 0
    }
}
