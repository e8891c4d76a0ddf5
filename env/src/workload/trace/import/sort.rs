//! Sorts any number of rows by time in bounded memory: chunks are sorted as they come, kept in a store, and merged.
//!
//! *Rule.* Rows gather until a chunk is full; it is sorted by time, rows of one time in the order of the file, and written
//! to the store as a run. A chunk that begins where the run before ended continues that run, so that a sorted source makes
//! one run. Merging takes the least time of all runs, of equal ones the earliest run: the whole order is stable.
//!
//! *State.* A chunk of at most [`CHUNK_BYTES`] and [`CHUNK_ROWS`] rows; while merging, a buffer for each run, together at
//! most [`MERGE_BYTES`] up to 2,048 runs, half a thousand million rows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::workload::trace::{Request, TraceError, varint};

/// Rows are sorted when they take so many bytes, packed.
const CHUNK_BYTES: usize = 8 << 20;
/// Rows are sorted when there are so many; each takes 16 bytes beside its packed ones.
const CHUNK_ROWS: usize = 1 << 18;
/// Bytes of all buffers of a merge together.
const MERGE_BYTES: usize = 8 << 20;
/// The least and the most bytes of one buffer.
const MIN_BUFFER_BYTES: usize = 4 << 10;
const MAX_BUFFER_BYTES: usize = 256 << 10;
/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// A packed integer and a packed length need no more.
const MAX_VARINT: usize = varint::MAX_BYTES as usize;

/// A place to keep rows that wait: a file, or a `Cursor<Vec<u8>>` for short sources. It is written from its beginning.
pub trait Scratch: Read + Write + Seek {}

impl<S: Read + Write + Seek> Scratch for S {}

/// Takes rows in any order.
pub(super) struct Sorter<S> {
    store: S,
    /// How full a chunk becomes.
    chunk_rows: usize,
    chunk: Chunk,
    runs: Vec<Run>,
    stored: u64,
}

/// Rows that wait to be sorted.
#[derive(Default)]
struct Chunk {
    packed: Vec<u8>,
    /// Time and place in `packed` of each row.
    rows: Vec<(u64, u32)>,
}

/// Sorted rows in the store.
struct Run {
    from: u64,
    to: u64,
    last_ns: u64,
}

impl<S: Scratch> Sorter<S> {
    pub(super) fn new(store: S) -> Self {
        Self::with_chunk_rows(store, CHUNK_ROWS)
    }

    fn with_chunk_rows(store: S, chunk_rows: usize) -> Self {
        Self { store, chunk_rows, chunk: Chunk::default(), runs: Vec::new(), stored: 0 }
    }

    /// Takes a row; its own `time_us` is not kept. `extra` comes back with it.
    pub(super) fn push(&mut self, time_ns: u64, request: &Request, extra: &[u8]) -> Result<(), TraceError> {
        if self.chunk.rows.len() >= self.chunk_rows || self.chunk.packed.len() >= CHUNK_BYTES {
            self.store_chunk().map_err(|source| TraceError::Scratch { source })?;
        }
        self.chunk.push(time_ns, request, extra);
        Ok(())
    }

    fn store_chunk(&mut self) -> io::Result<()> {
        let chunk = &mut self.chunk;
        chunk.sort();
        let (Some(&(first_ns, _)), Some(&(last_ns, _))) = (chunk.rows.first(), chunk.rows.last()) else {
            return Ok(());
        };
        let continues = self.runs.last().is_some_and(|run| run.last_ns <= first_ns);
        let from = self.stored;
        let mut buffer = Vec::with_capacity(WRITE_BYTES + MAX_VARINT);
        let mut previous_ns = if continues { self.runs.last().map_or(0, |run| run.last_ns) } else { 0 };
        for index in 0..chunk.rows.len() {
            chunk.put_row(index, &mut previous_ns, &mut buffer);
            if buffer.len() >= WRITE_BYTES {
                self.store.write_all(&buffer)?;
                self.stored += buffer.len() as u64;
                buffer.clear();
            }
        }
        self.store.write_all(&buffer)?;
        self.stored += buffer.len() as u64;
        chunk.packed.clear();
        chunk.rows.clear();
        match self.runs.last_mut() {
            Some(run) if continues => {
                run.to = self.stored;
                run.last_ns = last_ns;
            }
            _ => self.runs.push(Run { from, to: self.stored, last_ns }),
        }
        Ok(())
    }

    /// All rows, sorted. The last chunk stays in memory, so that a short source needs no store.
    pub(super) fn finish(mut self) -> Result<Sorted<S>, TraceError> {
        self.chunk.sort();
        let mut bytes = Vec::new();
        let mut previous_ns = 0;
        for index in 0..self.chunk.rows.len() {
            self.chunk.put_row(index, &mut previous_ns, &mut bytes);
        }
        self.chunk = Chunk::default();
        let share = MERGE_BYTES / (self.runs.len() + 1);
        let buffer_bytes = share.clamp(MIN_BUFFER_BYTES, MAX_BUFFER_BYTES);
        let mut runs: Vec<RunReader> =
            self.runs.iter().map(|run| RunReader::new(Vec::new(), run.from, run.to)).collect();
        runs.push(RunReader::new(bytes, 0, 0));
        let mut sorted = Sorted {
            store: self.store,
            runs,
            next: BinaryHeap::new(),
            buffer_bytes,
            request: Request::default(),
        };
        for run in 0..sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }
}

impl Chunk {
    fn push(&mut self, time_ns: u64, request: &Request, extra: &[u8]) {
        let Request { time_us: _, model, user, prompt_tokens, output_tokens, service_us, reused_tokens } =
            *request;
        self.rows.push((time_ns, self.packed.len() as u32));
        let id = |id: Option<u32>| id.map_or(0, |id| u64::from(id) + 1);
        let fields = [
            id(model),
            id(user),
            prompt_tokens.into(),
            output_tokens.into(),
            service_us,
            reused_tokens.into(),
            extra.len() as u64,
        ];
        for field in fields {
            varint::put(&mut self.packed, field);
        }
        self.packed.extend_from_slice(extra);
    }

    /// Sorts by time; rows of one time keep their order, which is that of their places.
    fn sort(&mut self) {
        if !self.rows.is_sorted() {
            self.rows.sort_unstable();
        }
    }

    /// Appends a row as it stands in a run: time since the row before, length, packed fields.
    fn put_row(&self, index: usize, previous_ns: &mut u64, bytes: &mut Vec<u8>) {
        let (time_ns, from) = self.rows[index];
        let packed = &self.packed[from as usize..];
        let length = packed_len(packed);
        varint::put(bytes, time_ns - *previous_ns);
        varint::put(bytes, length as u64);
        bytes.extend_from_slice(&packed[..length]);
        *previous_ns = time_ns;
    }
}

/// How many bytes the row at the front takes.
fn packed_len(packed: &[u8]) -> usize {
    let mut rest = packed;
    let mut extra = 0;
    for _ in 0..7 {
        // What was packed here can be taken again; damage of our own memory is not looked for.
        extra = varint::take(&mut rest).unwrap_or(0);
    }
    packed.len() - rest.len() + extra as usize
}

/// A row: its time (ns), its request, without a time, and what came with it.
pub(super) type Row<'a> = (u64, Request, &'a [u8]);

/// All rows of a source in order of time.
pub(super) struct Sorted<S> {
    store: S,
    runs: Vec<RunReader>,
    /// The time of the next row of each run that has one, the least first.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    buffer_bytes: usize,
    request: Request,
}

impl<S: Scratch> Sorted<S> {
    /// The next row.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>, TraceError> {
        let Some(Reverse((time_ns, run))) = self.next.pop() else { return Ok(None) };
        // The row is unpacked before its run goes on and its buffer moves.
        self.request = self.runs[run].unpack()?;
        self.advance(run)?;
        let extra = &self.runs[run].extra;
        Ok(Some((time_ns, self.request, extra)))
    }

    /// Reads the head of a run's next row.
    fn advance(&mut self, run: usize) -> Result<(), TraceError> {
        if let Some(time_ns) = self.runs[run].head(&mut self.store, self.buffer_bytes)? {
            self.next.push(Reverse((time_ns, run)));
        }
        Ok(())
    }
}

/// Reads one run through a buffer.
struct RunReader {
    buffer: Vec<u8>,
    at: usize,
    /// What is still in the store.
    from: u64,
    to: u64,
    time_ns: u64,
    length: usize,
    extra: Vec<u8>,
}

impl RunReader {
    fn new(buffer: Vec<u8>, from: u64, to: u64) -> Self {
        Self { buffer, at: 0, from, to, time_ns: 0, length: 0, extra: Vec::new() }
    }

    /// The time of the next row, all of whose bytes are in the buffer then; `None` at the end.
    fn head<S: Scratch>(&mut self, store: &mut S, buffer_bytes: usize) -> Result<Option<u64>, TraceError> {
        self.fill(store, 2 * MAX_VARINT, buffer_bytes)?;
        let mut head = &self.buffer[self.at..];
        if head.is_empty() {
            return Ok(None);
        }
        let (gap_ns, length) = (taken(&mut head)?, taken(&mut head)?);
        self.at = self.buffer.len() - head.len();
        self.time_ns = self.time_ns.wrapping_add(gap_ns);
        self.length = usize::try_from(length).map_err(|_| damaged())?;
        self.fill(store, self.length, buffer_bytes)?;
        Ok(Some(self.time_ns))
    }

    fn unpack(&mut self) -> Result<Request, TraceError> {
        let mut packed = self.buffer.get(self.at..self.at + self.length).ok_or_else(damaged)?;
        self.at += self.length;
        let mut fields = [0; 7];
        for field in &mut fields {
            *field = taken(&mut packed)?;
        }
        let [model, user, prompt_tokens, output_tokens, service_us, reused_tokens, _] = fields;
        self.extra.clear();
        self.extra.extend_from_slice(packed);
        Ok(Request {
            time_us: 0,
            model: model.checked_sub(1).map(|model| model as u32),
            user: user.checked_sub(1).map(|user| user as u32),
            prompt_tokens: prompt_tokens as u32,
            output_tokens: output_tokens as u32,
            service_us,
            reused_tokens: reused_tokens as u32,
        })
    }

    /// Makes sure of `wanted` bytes from `at` on, or of all that are left.
    fn fill<S: Scratch>(
        &mut self,
        store: &mut S,
        wanted: usize,
        buffer_bytes: usize,
    ) -> Result<(), TraceError> {
        let held = self.buffer.len() - self.at;
        if held >= wanted || self.from == self.to {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let room = buffer_bytes.max(wanted) - held;
        let read = (self.to - self.from).min(room as u64);
        let scratch = |source| TraceError::Scratch { source };
        store.seek(SeekFrom::Start(self.from)).map_err(scratch)?;
        self.buffer.resize(held + read as usize, 0);
        store.read_exact(&mut self.buffer[held..]).map_err(scratch)?;
        self.from += read;
        Ok(())
    }
}

fn taken(bytes: &mut &[u8]) -> Result<u64, TraceError> {
    varint::take(bytes).map_err(|_| damaged())
}

/// The store gave back other bytes than it was given.
fn damaged() -> TraceError {
    TraceError::Scratch { source: io::Error::new(io::ErrorKind::InvalidData, "they came back changed") }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// Sorts times in chunks of four; each row carries its number in the source.
    fn sorted(times_ns: &[u64]) -> (Vec<(u64, u32, Vec<u8>)>, usize) {
        let mut sorter = Sorter::with_chunk_rows(Cursor::new(Vec::new()), 4);
        for (row, time_ns) in times_ns.iter().enumerate() {
            let request = Request { prompt_tokens: row as u32, user: Some(9), ..Request::default() };
            sorter.push(*time_ns, &request, &vec![row as u8; row % 5 * 3_000]).unwrap();
        }
        let mut merged = sorter.finish().unwrap();
        let runs = merged.runs.len();
        let mut rows = Vec::new();
        while let Some((time_ns, request, extra)) = merged.next_row().unwrap() {
            assert_eq!((request.user, request.model, request.time_us), (Some(9), None, 0));
            rows.push((time_ns, request.prompt_tokens, extra.to_vec()));
        }
        (rows, runs)
    }

    proptest! {
        #[test]
        fn any_order_is_sorted_and_ties_keep_theirs(times_ns in proptest::collection::vec(0_u64..20, 0..60)) {
            let (rows, _) = sorted(&times_ns);
            let mut expected: Vec<(u64, u32)> =
                times_ns.iter().enumerate().map(|(row, time_ns)| (*time_ns, row as u32)).collect();
            expected.sort_by_key(|(time_ns, _)| *time_ns);
            prop_assert_eq!(rows.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), expected);
            for (_, row, extra) in rows {
                prop_assert_eq!(extra, vec![row as u8; row as usize % 5 * 3_000]);
            }
        }
    }

    #[test]
    fn a_sorted_source_makes_one_run_and_a_reversed_one_a_run_a_chunk() {
        let ascending: Vec<u64> = (0..40).map(|row| row / 2).collect();
        // One in the store, and the last chunk, which stays in memory.
        assert_eq!(sorted(&ascending).1, 2);
        let descending: Vec<u64> = (0..40).rev().collect();
        assert_eq!(sorted(&descending).1, 10);
        assert_eq!(sorted(&[u64::MAX, 0]).0.iter().map(|row| row.0).collect::<Vec<_>>(), [0, u64::MAX]);
    }

    #[test]
    fn a_store_that_is_full_is_an_error() {
        let mut room = [0; 100];
        let mut sorter = Sorter::with_chunk_rows(Cursor::new(&mut room[..]), 4);
        let pushed = (0..100).try_for_each(|row| sorter.push(row, &Request::default(), &[0; 50]));
        let error = pushed.unwrap_err().to_string();
        assert!(error.starts_with("the rows that wait to be sorted cannot be kept: "), "{error}");
    }
}
