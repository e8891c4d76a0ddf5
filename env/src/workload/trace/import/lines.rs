//! The lines of a published text file: LF or CRLF, plain or gzip, with or without a byte-order mark.
//!
//! *Limits.* A line has a longest length, so that a file without line ends cannot fill the memory.

use std::io::{BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use crate::workload::trace::TraceError;

/// The most characters of a wrong value that a message repeats.
const MAX_SHOWN_CHARS: usize = 60;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Bytes that are read from a source at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Reads line by line.
pub(super) struct Lines<'a> {
    source: Box<dyn BufRead + 'a>,
    max_line_bytes: u64,
    line: u64,
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// The lines of a source, unpacked if it is gzip.
    pub(super) fn new(source: impl Read + 'a, max_line_bytes: u64) -> Result<Self, TraceError> {
        Ok(Self { source: unpacked(source)?, max_line_bytes, line: 0, buffer: Vec::new() })
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.line
    }

    /// The next line without its end, `None` at the end of the source.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>, TraceError> {
        self.line += 1;
        let line = self.line;
        let bad = |reason: String| TraceError::BadLine { line, reason };
        self.buffer.clear();
        let mut limited = self.source.by_ref().take(self.max_line_bytes + 1);
        let read = limited
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| bad(format!("cannot be read: {error}")))?;
        if read == 0 {
            return Ok(None);
        }
        if read as u64 > self.max_line_bytes {
            let most = self.max_line_bytes;
            return Err(bad(format!("longer than {most} bytes, which no line of this format is")));
        }
        let text = std::str::from_utf8(&self.buffer)
            .map_err(|error| bad(format!("byte {} of the line is not UTF-8 text", error.valid_up_to())))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Ok(Some(if line == 1 { text.trim_start_matches(BYTE_ORDER_MARK) } else { text }))
    }
}

/// A wrong text, short enough for a message.
pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The bytes of a source, unpacked if they are gzip.
fn unpacked<'a>(mut source: impl Read + 'a) -> Result<Box<dyn BufRead + 'a>, TraceError> {
    let mut start = Vec::new();
    source
        .by_ref()
        .take(2)
        .read_to_end(&mut start)
        .map_err(|source| TraceError::Io { at_byte: 0, source })?;
    let is_gzip = start == GZIP_MAGIC;
    let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(source));
    Ok(if is_gzip {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(whole)))
    } else {
        Box::new(whole)
    })
}
