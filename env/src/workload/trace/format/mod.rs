//! The `.tct` format, byte by byte: `docs/trace-format.md` says the same with a worked example, which a test reads.
//!
//! All integers are little-endian. A file is a prefix, a header, blocks, and a trailer, and nothing after it:
//! ```text
//! prefix   magic [u8; 8], version u16, reserved u16 (0), header_bytes u32
//! header   JSON text (`Header`), crc32 u32 of prefix and text
//! block    "BLK1", rows u32, raw_bytes u32, packed_bytes u32, packed [u8; packed_bytes] (deflate),
//!          crc32 u32 of everything in the block before it
//! trailer  "END1", rows u64, blocks u32, crc32 u32 of everything in the file before it
//! ```
//! Unpacked, a block is its columns one after the other (`columns.rs`). A block needs no other block. Every byte stands
//! under the checksum of the file and nearly every one under a nearer one, so damage is always noticed, usually with its
//! block; a file that was cut off has no trailer.
//!
//! *Limits.* Every declared length has a largest value, checked before anything is allocated, and memory grows only with
//! bytes that were really read: a hostile file cannot take more than a few tens of megabytes.

mod columns;
mod reader;
mod writer;

pub use reader::{Rows, TraceReader};
pub use writer::TraceWriter;

/// The first bytes of every trace. Like PNG's, they break when a tool treats the file as text.
pub const MAGIC: [u8; 8] = *b"\x89TCT\r\n\x1a\n";
/// The version that is written and read.
pub const VERSION: u16 = 1;
/// The longest header, bytes of JSON.
pub const MAX_HEADER_BYTES: u32 = 1 << 21;
/// The most rows in a block; the writer fills every block but the last.
pub const MAX_BLOCK_ROWS: u32 = 1 << 16;

const PREFIX_BYTES: usize = 16;
const BLOCK_MARKER: [u8; 4] = *b"BLK1";
const TRAILER_MARKER: [u8; 4] = *b"END1";

/// The most bytes that `raw_bytes` unpacked bytes may be packed into: stored, with deflate's bookkeeping.
const fn max_packed_bytes(raw_bytes: u32) -> u32 {
    raw_bytes + raw_bytes / 64 + 64
}

#[cfg(test)]
mod tests;
