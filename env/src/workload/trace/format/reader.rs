//! Reads a trace block by block, in constant memory, and believes nothing that it has not checked.

use std::io::Read;

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};

use super::{
    BLOCK_MARKER, MAGIC, MAX_BLOCK_ROWS, MAX_HEADER_BYTES, PREFIX_BYTES, TRAILER_MARKER, VERSION, columns,
    max_packed_bytes,
};
use crate::message::one_line;
use crate::workload::trace::{Header, Request, Section, TraceError};

/// Reads a trace: the header at once, then [`next_block`](Self::next_block) until it says that the trailer was reached
/// and agreed with everything read.
///
/// Rows of a block are handed out only after its checksum, its lengths, the order of time and the range of every id were
/// found right. Reads are large; the source needs no buffer of its own.
#[derive(Debug)]
pub struct TraceReader<R: Read> {
    source: R,
    file_crc: Hasher,
    at_byte: u64,
    header: Header,
    block: Vec<Request>,
    packed: Vec<u8>,
    raw: Vec<u8>,
    rows: u64,
    blocks: u32,
    last_us: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A marker comes next.
    Blocks,
    /// The trailer was read, or something failed for good.
    Over,
}

/// The numbers before the packed bytes of a block.
#[derive(Clone, Copy)]
struct BlockHead {
    rows: u32,
    raw_bytes: u32,
    packed_bytes: u32,
}

impl<R: Read> TraceReader<R> {
    /// Reads prefix and header.
    ///
    /// # Errors
    /// [`TraceError::BadMagic`], [`TraceError::UnsupportedVersion`], [`TraceError::ReservedNotZero`],
    /// [`TraceError::LimitExceeded`], [`TraceError::Truncated`], [`TraceError::ChecksumMismatch`],
    /// [`TraceError::BadHeader`] or [`TraceError::Io`], each with its place.
    pub fn new(source: R) -> Result<Self, TraceError> {
        let mut reader = Self {
            source,
            file_crc: Hasher::new(),
            at_byte: 0,
            header: Header::named("", ""),
            block: Vec::new(),
            packed: Vec::new(),
            raw: Vec::new(),
            rows: 0,
            blocks: 0,
            last_us: 0,
            state: State::Blocks,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// What is known about the trace as a whole.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Blocks read so far.
    pub fn num_blocks(&self) -> u32 {
        self.blocks
    }

    /// Rows read so far.
    pub fn num_rows(&self) -> u64 {
        self.rows
    }

    /// The rows of the next block, or `None` once the trailer was read and found right. After an error there are no more
    /// blocks.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`TraceError::BadMarker`], [`TraceError::BadBlock`], [`TraceError::BadRow`],
    /// [`TraceError::WrongTotal`], [`TraceError::TrailingBytes`].
    pub fn next_block(&mut self) -> Result<Option<&[Request]>, TraceError> {
        match self.advance() {
            Ok(true) => Ok(Some(&self.block)),
            Ok(false) => Ok(None),
            Err(error) => {
                self.state = State::Over;
                Err(error)
            }
        }
    }

    /// As [`next_block`](Self::next_block), but after a fault that stays within one block the next call goes on behind it.
    pub(in crate::workload::trace) fn next_block_lenient(
        &mut self,
    ) -> Result<Option<&[Request]>, TraceError> {
        Ok(if self.advance()? { Some(&self.block) } else { None })
    }

    /// The rows of the blocks not yet read, one by one; an error ends them.
    pub fn into_rows(mut self) -> Rows<R> {
        self.block.clear();
        Rows { reader: self, next: 0 }
    }

    fn read_header(&mut self) -> Result<(), TraceError> {
        let mut prefix = [0; PREFIX_BYTES];
        let read = self.fill(&mut prefix)?;
        // A short file of another kind is named as such, not as a damaged trace.
        if prefix[..read.min(8)] != MAGIC[..read.min(8)] {
            let mut found = [0; 8];
            found.copy_from_slice(&prefix[..8]);
            return Err(TraceError::BadMagic { found, expected: MAGIC });
        }
        self.whole("the prefix", read, PREFIX_BYTES)?;
        let version = u16::from_le_bytes([prefix[8], prefix[9]]);
        if version != VERSION {
            return Err(TraceError::UnsupportedVersion { found: version, supported: VERSION });
        }
        let reserved = u16::from_le_bytes([prefix[10], prefix[11]]);
        if reserved != 0 {
            return Err(TraceError::ReservedNotZero { at_byte: 10, found: reserved });
        }
        let header_bytes = u32::from_le_bytes([prefix[12], prefix[13], prefix[14], prefix[15]]);
        limit(12, "length of the header", header_bytes, 2, MAX_HEADER_BYTES)?;
        let mut text = Vec::new();
        self.read_into(&mut text, header_bytes, "the header")?;
        let mut crc = Hasher::new();
        crc.update(&prefix);
        crc.update(&text);
        self.read_crc(Section::Header, &crc)?;
        let header: Header = serde_json::from_slice(&text)
            .map_err(|error| TraceError::BadHeader { reason: one_line(&error.to_string()) })?;
        header.validate()?;
        self.header = header;
        Ok(())
    }

    /// Reads a block (`true`) or the trailer (`false`).
    fn advance(&mut self) -> Result<bool, TraceError> {
        if self.state == State::Over {
            return Ok(false);
        }
        // A fault of the framing leaves this in place; only a whole block puts the state back.
        self.state = State::Over;
        let at_byte = self.at_byte;
        let mut marker = [0; 4];
        self.read_exact(&mut marker, "the marker of a block or of the trailer")?;
        match marker {
            BLOCK_MARKER => self.read_block(at_byte).map(|()| true),
            TRAILER_MARKER => self.read_trailer(at_byte).map(|()| false),
            found => Err(TraceError::BadMarker { at_byte, blocks: self.blocks, found }),
        }
    }

    fn read_block(&mut self, at_byte: u64) -> Result<(), TraceError> {
        let mut numbers = [0; 12];
        self.read_exact(&mut numbers, "the head of a block")?;
        let number =
            |at: usize| u32::from_le_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
        let head = BlockHead { rows: number(0), raw_bytes: number(4), packed_bytes: number(8) };
        limit(at_byte + 4, "number of rows of a block", head.rows, 1, MAX_BLOCK_ROWS)?;
        let (least, most) = columns::raw_bytes_range(self.header.columns, head.rows);
        limit(at_byte + 8, "unpacked length of a block", head.raw_bytes, least, most)?;
        limit(
            at_byte + 12,
            "packed length of a block",
            head.packed_bytes,
            1,
            max_packed_bytes(head.raw_bytes),
        )?;
        let mut packed = std::mem::take(&mut self.packed);
        self.read_into(&mut packed, head.packed_bytes, "the rows of a block")?;
        self.packed = packed;

        let block = self.blocks;
        let mut crc = Hasher::new();
        crc.update(&BLOCK_MARKER);
        crc.update(&numbers);
        crc.update(&self.packed);
        let intact = self.read_crc(Section::Block(block), &crc);
        // From here on a fault stays within this block: the next one begins where it should.
        let first_row = self.rows;
        self.rows += u64::from(head.rows);
        self.blocks = self.blocks.saturating_add(1);
        if matches!(intact, Ok(()) | Err(TraceError::ChecksumMismatch { .. })) {
            self.state = State::Blocks;
        }
        intact?;
        self.unpack(at_byte + 16, block, head)?;
        columns::decode(&self.header, &self.raw, head.rows, self.last_us, &mut self.block).map_err(
            |fault| match fault.row {
                Some(row) => TraceError::BadRow {
                    row: first_row + u64::from(row),
                    reason: format!("{} (block {block}, byte {})", fault.reason, at_byte + 16),
                },
                None => TraceError::BadBlock { at_byte: at_byte + 16, block, reason: fault.reason },
            },
        )?;
        self.last_us = self.block.last().map_or(self.last_us, |row| row.time_us);
        Ok(())
    }

    fn unpack(&mut self, at_byte: u64, block: u32, head: BlockHead) -> Result<(), TraceError> {
        let bad = |reason: String| TraceError::BadBlock { at_byte, block, reason };
        self.raw.clear();
        self.raw.resize(head.raw_bytes as usize, 0);
        let mut unpacker = Decompress::new(false);
        let status = unpacker
            .decompress(&self.packed, &mut self.raw, FlushDecompress::Finish)
            .map_err(|error| bad(format!("not deflate data ({error})")))?;
        let (used, made) = (unpacker.total_in(), unpacker.total_out());
        if status != Status::StreamEnd
            || made != u64::from(head.raw_bytes)
            || used != u64::from(head.packed_bytes)
        {
            return Err(bad(format!(
                "{used} packed bytes give {made} unpacked ones; expected {} to give {}",
                head.packed_bytes, head.raw_bytes
            )));
        }
        Ok(())
    }

    fn read_trailer(&mut self, at_byte: u64) -> Result<(), TraceError> {
        let mut numbers = [0; 12];
        self.read_exact(&mut numbers, "the trailer")?;
        let [r0, r1, r2, r3, r4, r5, r6, r7, b0, b1, b2, b3] = numbers;
        let rows = u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
        let blocks = u32::from_le_bytes([b0, b1, b2, b3]);
        let crc = self.file_crc.clone();
        self.read_crc(Section::File, &crc)?;
        let totals = [
            ("number of rows in the trailer", rows, self.rows),
            ("number of blocks in the trailer", u64::from(blocks), u64::from(self.blocks)),
            ("number of rows in the header", self.header.rows, self.rows),
        ];
        for (what, found, expected) in totals {
            if found != expected {
                return Err(TraceError::WrongTotal { at_byte, what, found, expected });
            }
        }
        if self.fill(&mut [0])? > 0 {
            return Err(TraceError::TrailingBytes { at_byte: at_byte + 20 });
        }
        Ok(())
    }

    /// Reads a checksum and compares it with the one computed.
    fn read_crc(&mut self, section: Section, computed: &Hasher) -> Result<(), TraceError> {
        let at_byte = self.at_byte;
        let mut stored = [0; 4];
        self.read_exact(&mut stored, "a checksum")?;
        let (stored, computed) = (u32::from_le_bytes(stored), computed.clone().finalize());
        if stored == computed {
            Ok(())
        } else {
            Err(TraceError::ChecksumMismatch { at_byte, section, stored, computed })
        }
    }

    /// Reads `length` bytes; memory grows with what arrives, not with what was declared.
    fn read_into(&mut self, bytes: &mut Vec<u8>, length: u32, what: &'static str) -> Result<(), TraceError> {
        bytes.clear();
        let read = self.source.by_ref().take(u64::from(length)).read_to_end(bytes);
        let read = read.map_err(|source| TraceError::Io { at_byte: self.at_byte, source })?;
        self.at_byte += read as u64;
        self.file_crc.update(bytes);
        self.whole(what, read, length as usize)
    }

    fn read_exact(&mut self, bytes: &mut [u8], what: &'static str) -> Result<(), TraceError> {
        let read = self.fill(bytes)?;
        self.whole(what, read, bytes.len())
    }

    fn whole(&self, what: &'static str, read: usize, length: usize) -> Result<(), TraceError> {
        if read < length {
            return Err(TraceError::Truncated {
                at_byte: self.at_byte,
                what,
                missing: (length - read) as u64,
            });
        }
        Ok(())
    }

    /// Reads until the buffer is full or the source ends, and says how many bytes came.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, TraceError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.source.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(TraceError::Io { at_byte: self.at_byte, source }),
            }
        }
        self.at_byte += filled as u64;
        self.file_crc.update(&bytes[..filled]);
        Ok(filled)
    }
}

/// The rows of a trace one by one: [`TraceReader::into_rows`].
#[derive(Debug)]
pub struct Rows<R: Read> {
    reader: TraceReader<R>,
    next: usize,
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<Request, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.reader.block.get(self.next) {
                self.next += 1;
                return Some(Ok(*row));
            }
            self.next = 0;
            let end = match self.reader.next_block() {
                Ok(Some(_)) => continue,
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            };
            self.reader.block.clear();
            return end;
        }
    }
}

fn limit(at_byte: u64, what: &'static str, declared: u32, least: u32, most: u32) -> Result<(), TraceError> {
    if (least..=most).contains(&declared) {
        return Ok(());
    }
    let [declared, least, most] = [declared, least, most].map(u64::from);
    Err(TraceError::LimitExceeded { at_byte, what, declared, least, most })
}
