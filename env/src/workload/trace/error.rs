//! What can go wrong with a recorded trace, each with its place and with what would have been right.

use std::fmt;

use super::TracePart;

/// Where in a `.tct` file a checksum stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The fixed prefix and the JSON header.
    Header,
    /// A block of rows, numbered from 0.
    Block(u32),
    /// The whole file.
    File,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Block(block) => write!(f, "block {block}"),
            Self::File => f.write_str("the file"),
        }
    }
}

/// Everything that reading, writing, importing or slicing a trace can report.
///
/// Byte offsets, blocks and rows count from 0, lines of a CSV file from 1 (the line of column names).
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The source or the sink failed.
    #[error("byte {at_byte}: {source}")]
    Io {
        /// Bytes read or written before the failure.
        at_byte: u64,
        /// What the operating system, or the caller's stream, said.
        source: std::io::Error,
    },
    /// The first eight bytes are not ours.
    #[error(
        "not a trace of this program: the file begins with {found:02x?}, expected {expected:02x?}; run `thoughtcache trace import` first"
    )]
    BadMagic {
        /// The bytes that were there.
        found: [u8; 8],
        /// The bytes that begin every trace.
        expected: [u8; 8],
    },
    /// Written by another version of the format.
    #[error("trace format version {found}, this program reads version {supported}; import the source again")]
    UnsupportedVersion {
        /// The version in the file.
        found: u16,
        /// The version that this program writes and reads.
        supported: u16,
    },
    /// Bits that version 1 leaves at zero are set.
    #[error("byte {at_byte}: reserved field is {found}, expected 0")]
    ReservedNotZero {
        /// Where the field stands.
        at_byte: u64,
        /// Its value.
        found: u16,
    },
    /// The file ends in the middle of something.
    #[error(
        "byte {at_byte}: the file ends inside {what} ({missing} bytes are missing); it was cut off, copy or import it again"
    )]
    Truncated {
        /// Where the file ends.
        at_byte: u64,
        /// What was being read.
        what: &'static str,
        /// How many bytes of it are missing.
        missing: u64,
    },
    /// A declared length is larger than the format allows; nothing was allocated for it.
    #[error("byte {at_byte}: {what} is {declared}, allowed are {least} to {most}")]
    LimitExceeded {
        /// Where the number stands.
        at_byte: u64,
        /// What it counts.
        what: &'static str,
        /// Its value.
        declared: u64,
        /// The smallest value allowed.
        least: u64,
        /// The largest value allowed.
        most: u64,
    },
    /// Stored and computed checksums differ.
    #[error(
        "byte {at_byte}: checksum of {section} is {computed:08x}, the file says {stored:08x}; it was damaged, copy or import it again"
    )]
    ChecksumMismatch {
        /// Where the checksum stands.
        at_byte: u64,
        /// What it covers.
        section: Section,
        /// The number in the file.
        stored: u32,
        /// The number that the bytes give.
        computed: u32,
    },
    /// Neither a block nor the trailer begins where one must.
    #[error(
        "byte {at_byte}: found {found:02x?} after block count {blocks}, expected the marker of a block or of the trailer"
    )]
    BadMarker {
        /// Where the marker stands.
        at_byte: u64,
        /// Blocks before it.
        blocks: u32,
        /// The bytes that were there.
        found: [u8; 4],
    },
    /// Users were asked for, and this request has none though others have.
    #[error("row {row} names no user, others do; name one in every row, or in none: then users are drawn")]
    NoUser {
        /// The row.
        row: u64,
    },
    /// The header is not what the format says.
    #[error("trace header: {reason}")]
    BadHeader {
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// The packed bytes of a block cannot be unpacked into its rows.
    #[error("byte {at_byte}: block {block}: {reason}")]
    BadBlock {
        /// Where the packed bytes begin.
        at_byte: u64,
        /// The block.
        block: u32,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A row is against the rules of a trace.
    #[error("row {row}: {reason}")]
    BadRow {
        /// The row, counted over the whole trace.
        row: u64,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// The header and the content disagree about a total.
    #[error("byte {at_byte}: {what} is {found}, expected {expected}")]
    WrongTotal {
        /// Where the disagreement was noticed.
        at_byte: u64,
        /// What was counted.
        what: &'static str,
        /// The number found.
        found: u64,
        /// The number that should be there.
        expected: u64,
    },
    /// Something follows the trailer.
    #[error("byte {at_byte}: bytes follow the trailer, expected the end of the file")]
    TrailingBytes {
        /// Where the trailer ends.
        at_byte: u64,
    },
    /// The text of a source could not be read, or a line cannot be text of that source.
    #[error("line {line}: {reason}")]
    BadLine {
        /// The line, from 1.
        line: u64,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// One value of a source is not what its column holds.
    #[error("line {line}, column `{column}`: {value:?} is not allowed; expected {expected}")]
    BadValue {
        /// The line, from 1.
        line: u64,
        /// The name of the column.
        column: &'static str,
        /// The text that was there, shortened if long.
        value: String,
        /// What the column holds.
        expected: &'static str,
    },
    /// The store in which rows wait to be sorted failed.
    #[error(
        "the rows that wait to be sorted cannot be kept: {source}; make room where the recording is written"
    )]
    Scratch {
        /// What the operating system, or the caller's store, said.
        source: std::io::Error,
    },
    /// A source names more prefix blocks than can be told apart in bounded memory.
    #[error(
        "request {request} in order of time: more than {most} different block ids of {least_id} or more; number the blocks of the source from 0 in order of first appearance"
    )]
    TooManyBlocks {
        /// The request, from 1.
        request: u64,
        /// How many are allowed.
        most: u64,
        /// The least id that counts.
        least_id: u64,
    },
    /// A part of a trace has more requests than a replay can count.
    #[error("the {part} part has {requests} requests, allowed are at most {most}; split the recording")]
    TooManyRequests {
        /// Which part.
        part: TracePart,
        /// How many there are.
        requests: u64,
        /// How many are allowed.
        most: u64,
    },
    /// A question that needs requests was asked of a trace without any.
    #[error("the trace has no requests")]
    Empty,
    /// A slot length is not a usable number.
    #[error("slot_s is {slot_s}; expected a finite number of seconds, at least 0.000001")]
    BadSlot {
        /// The length asked for, s.
        slot_s: f64,
    },
    /// The slot length does not suit the span of the trace.
    #[error(
        "slots of {slot_s} s cut the {span_s} s of this trace into {slots}; expected {least} to {most}, choose another slot_s"
    )]
    SlotCount {
        /// The length asked for, s.
        slot_s: f64,
        /// From the start to the last request, s.
        span_s: f64,
        /// The resulting number of slots.
        slots: u64,
        /// The smallest number that works.
        least: u64,
        /// The largest number that works.
        most: u64,
    },
    /// More services were asked for than the training part has models.
    #[error(
        "{asked} models were asked for as services, but the training part of trace `{source_name}` names {present}; ask for at most {present}{hint}"
    )]
    TooFewModels {
        /// The number asked for.
        asked: u32,
        /// The number of different models in the training part.
        present: u32,
        /// The source of the trace.
        source_name: String,
        /// What else to do, empty or beginning with a separator.
        hint: &'static str,
    },
    /// A recording of rates has no clients of a class of models.
    #[error("nobody asks for {model:?}; recorded are {recorded}")]
    UnknownClass {
        /// The class asked for.
        model: String,
        /// The classes that there are.
        recorded: String,
    },
    /// A parameter of a service map is out of range.
    #[error("service map: {key} is {value}; expected {expected}")]
    BadServiceMap {
        /// The parameter.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
}
