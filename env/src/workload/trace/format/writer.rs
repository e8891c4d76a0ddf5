//! Writes a trace as its rows come, in constant memory.

use std::io::Write;

use crc32fast::Hasher;
use flate2::{Compression, write::DeflateEncoder};

use super::{
    BLOCK_MARKER, MAGIC, MAX_BLOCK_ROWS, MAX_HEADER_BYTES, TRAILER_MARKER, VERSION, columns, max_packed_bytes,
};
use crate::workload::trace::{Header, Request, TraceError};

/// Writes a trace row by row: [`push`](Self::push) each request in order of time, then [`finish`](Self::finish).
///
/// A file whose writer was dropped before `finish` has no trailer, and every reader refuses it.
#[derive(Debug)]
#[must_use = "a trace that is not finished cannot be read"]
pub struct TraceWriter<W: Write> {
    sink: W,
    header: Header,
    file_crc: Hasher,
    at_byte: u64,
    block_rows: u32,
    pending: Vec<Request>,
    raw: Vec<u8>,
    rows: u64,
    blocks: u32,
    last_us: u64,
}

impl<W: Write> TraceWriter<W> {
    /// Writes the header. `header.rows` must be the number of rows that will follow.
    ///
    /// # Errors
    /// [`TraceError::BadHeader`] for a header that contradicts itself, [`TraceError::LimitExceeded`] for one longer than
    /// [`MAX_HEADER_BYTES`], [`TraceError::Io`] when the sink fails.
    pub fn new(sink: W, header: Header) -> Result<Self, TraceError> {
        Self::with_block_rows(sink, header, MAX_BLOCK_ROWS)
    }

    /// As [`new`](Self::new), with blocks of `block_rows` rows.
    pub(super) fn with_block_rows(sink: W, header: Header, block_rows: u32) -> Result<Self, TraceError> {
        header.validate()?;
        let text = serde_json::to_vec(&header)
            .map_err(|error| TraceError::BadHeader { reason: error.to_string() })?;
        let header_bytes = u32::try_from(text.len()).ok().filter(|bytes| *bytes <= MAX_HEADER_BYTES);
        let header_bytes = header_bytes.ok_or(TraceError::LimitExceeded {
            at_byte: 12,
            what: "length of the header",
            declared: text.len() as u64,
            least: 2,
            most: u64::from(MAX_HEADER_BYTES),
        })?;
        let mut writer = Self {
            sink,
            header,
            file_crc: Hasher::new(),
            at_byte: 0,
            block_rows,
            pending: Vec::new(),
            raw: Vec::new(),
            rows: 0,
            blocks: 0,
            last_us: 0,
        };
        let mut bytes = Vec::with_capacity(text.len() + 20);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&0_u16.to_le_bytes());
        bytes.extend_from_slice(&header_bytes.to_le_bytes());
        bytes.extend_from_slice(&text);
        append_crc(&mut bytes);
        writer.put(&bytes)?;
        Ok(writer)
    }

    /// Adds one request.
    ///
    /// # Errors
    /// [`TraceError::BadRow`] when its time is before that of the request before it, when it names a model or user that
    /// the header does not have, or has a value in a column that the header does not have; [`TraceError::Io`].
    pub fn push(&mut self, request: &Request) -> Result<(), TraceError> {
        if let Some(reason) = request.fault(&self.header, self.last_us) {
            return Err(TraceError::BadRow { row: self.rows, reason });
        }
        self.last_us = request.time_us;
        self.rows += 1;
        self.pending.push(*request);
        if self.pending.len() >= self.block_rows as usize { self.flush_block() } else { Ok(()) }
    }

    /// Writes what is pending and the trailer, and gives the flushed sink back.
    ///
    /// # Errors
    /// [`TraceError::WrongTotal`] when the number of rows is not the header's; [`TraceError::Io`].
    pub fn finish(mut self) -> Result<W, TraceError> {
        self.flush_block()?;
        if self.rows != self.header.rows {
            return Err(TraceError::WrongTotal {
                at_byte: self.at_byte,
                what: "number of rows",
                found: self.rows,
                expected: self.header.rows,
            });
        }
        let mut trailer = Vec::with_capacity(20);
        trailer.extend_from_slice(&TRAILER_MARKER);
        trailer.extend_from_slice(&self.rows.to_le_bytes());
        trailer.extend_from_slice(&self.blocks.to_le_bytes());
        self.put(&trailer)?;
        let crc = self.file_crc.clone().finalize();
        self.put(&crc.to_le_bytes())?;
        self.sink.flush().map_err(|source| TraceError::Io { at_byte: self.at_byte, source })?;
        Ok(self.sink)
    }

    fn flush_block(&mut self) -> Result<(), TraceError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.raw.clear();
        columns::encode(self.header.columns, &self.pending, &mut self.raw);
        let raw_bytes = self.raw.len() as u32;
        let io = |source| TraceError::Io { at_byte: self.at_byte, source };
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(&self.raw).map_err(io)?;
        let packed = deflate.finish().map_err(io)?;
        debug_assert!(
            packed.len() <= max_packed_bytes(raw_bytes) as usize,
            "deflate grew beyond its stored form"
        );
        let mut bytes = Vec::with_capacity(packed.len() + 20);
        bytes.extend_from_slice(&BLOCK_MARKER);
        bytes.extend_from_slice(&(self.pending.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&raw_bytes.to_le_bytes());
        bytes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&packed);
        append_crc(&mut bytes);
        self.put(&bytes)?;
        self.pending.clear();
        self.blocks = self.blocks.checked_add(1).ok_or(TraceError::LimitExceeded {
            at_byte: self.at_byte,
            what: "number of blocks",
            declared: u64::from(u32::MAX) + 1,
            least: 0,
            most: u64::from(u32::MAX),
        })?;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), TraceError> {
        self.sink.write_all(bytes).map_err(|source| TraceError::Io { at_byte: self.at_byte, source })?;
        self.file_crc.update(bytes);
        self.at_byte += bytes.len() as u64;
        Ok(())
    }
}

fn append_crc(bytes: &mut Vec<u8>) {
    let crc = crc32fast::hash(bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
}
