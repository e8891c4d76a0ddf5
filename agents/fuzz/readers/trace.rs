//! Recorded traces (`.tct`) and the text of their sources.
//!
//! The first byte of an input says what follows:
//!
//! | byte | the rest |
//! |---|---|
//! | `T` | a `.tct` file |
//! | `C` | a `.tct` file whose checksums are put right before it is read |
//! | `U` | the header as JSON (`@` stands for the number of rows), a line end, then blocks: rows (2 bytes), length (2 bytes), that many bytes of unpacked columns; the file around them is made |
//! | `A` | an Azure CSV file |
//! | `M` | a Mooncake file |
//! | `G` | a GenTD26 CSV file, and after a line `--` its load times |

use super::expect_message;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::{Read, Write};
use thoughtcache_env::workload::trace::format::{MAGIC, VERSION};
use thoughtcache_env::workload::trace::import::{Import, Scratch, in_memory};
use thoughtcache_env::workload::trace::stats::TraceStats;
use thoughtcache_env::workload::trace::{
    ServiceMap, SlottedRequests, StoredTrace, Trace, TraceError, TracePart, check, import,
};

/// The slots that a trace is cut into.
const SLOTS: u64 = 20;
/// The blocks that are made: more of them say nothing new.
const MAX_BLOCKS: u32 = 8;
const PREFIX_BYTES: usize = 16;
const BLOCK_HEAD_BYTES: usize = 16;
const TRAILER_BYTES: usize = 16;

/// Reads the input as what its first byte says.
pub(crate) fn read(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind {
        b'T' => file(rest),
        b'C' => file(&with_checksums(rest)),
        b'U' => file(&around(rest)),
        b'A' => imported(rest, import::azure(rest, in_memory())),
        b'M' => imported(rest, import::mooncake(rest, in_memory())),
        b'G' => {
            let cut = rest.windows(4).position(|window| window == b"\n--\n");
            match cut {
                Some(cut) => {
                    let mut load_times = &rest[cut + 4..];
                    let load_times: &mut dyn Read = &mut load_times;
                    imported(rest, import::gentd26(&rest[..cut], Some(load_times), in_memory()));
                }
                None => imported(rest, import::gentd26(rest, None, in_memory())),
            }
        }
        _ => {}
    }
}

fn file(bytes: &[u8]) {
    let report = check(bytes);
    report.findings.iter().for_each(|finding| expect_message(&finding.text));
    match Trace::read(bytes) {
        Err(error) => {
            expect_message(&error.to_string());
            assert!(!report.is_sound(), "the check found nothing, but reading says: {error}");
        }
        Ok(trace) => {
            assert!(report.is_sound(), "read, but the check says {:?}", report.findings);
            assert_eq!(report.rows, trace.len() as u64);
            use_it(&trace);
        }
    }
}

fn imported<S: Scratch>(source: &[u8], import: Result<Import<S>, TraceError>) {
    let _ = import::looks_like(source);
    let (span_us, trace) = match import.and_then(|import| Ok((import.span_us(), import.into_trace()?))) {
        Err(error) => return expect_message(&error.to_string()),
        Ok(read) => read,
    };
    assert!(!trace.is_empty(), "an import without requests");
    assert_eq!(trace.span_us(), span_us, "the span was said before the rows were in order");
    use_it(&trace);
}

/// Writes the trace and reads it again, and asks what a world and a person ask.
fn use_it(trace: &Trace) {
    let bytes = trace.write(Vec::new()).expect("a trace that was read can be written");
    assert!(check(&bytes[..]).is_sound());
    assert_eq!(Trace::read(&bytes[..]).expect("what was written can be read"), *trace);
    let stored = StoredTrace::new(|| Ok(&bytes[..])).expect("what was written can be opened");
    assert_eq!(trace.header().rows, trace.len() as u64);
    assert!(trace.times_us().is_sorted());
    let slot_s = (trace.span_us() / SLOTS).max(1) as f64 / 1e6;
    for slot_s in [None, Some(slot_s)] {
        match (TraceStats::new(trace, slot_s), TraceStats::new(&stored, slot_s)) {
            (Err(held), Err(read)) => {
                expect_message(&held.to_string());
                assert_eq!(held.to_string(), read.to_string());
            }
            (held, read) => assert_eq!(held.expect("held"), read.expect("read")),
        }
    }
    let maps = [
        ServiceMap::TopModels { count: 2 },
        ServiceMap::Drawn { services: 3, zipf_exponent: 1.0, seed: 1, reshuffle_slots: Some(5) },
    ];
    for map in &maps {
        let parts = match SlottedRequests::parts(trace, slot_s, map) {
            Ok(parts) => parts,
            Err(error) => {
                expect_message(&error.to_string());
                continue;
            }
        };
        for (part, slotted) in TracePart::ALL.into_iter().zip(&parts) {
            let requests: usize = (0..slotted.num_slots()).map(|slot| slotted.slot(slot).count()).sum();
            assert_eq!(requests, slotted.num_requests());
            assert_eq!(trace.slotted(slot_s, part, map).expect("a part of the whole"), *slotted);
        }
        assert_eq!(SlottedRequests::parts(&stored, slot_s, map).expect("the same requests"), parts);
    }
}

/// The same file with each checksum put right, as far as its lengths lead.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let number = |bytes: &[u8], at: usize| -> Option<usize> {
        let digits = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(digits)).ok()
    };
    let put = |bytes: &mut [u8], from: usize, to: usize| -> Option<usize> {
        let crc = crc(bytes.get(from..to)?);
        bytes.get_mut(to..to + 4)?.copy_from_slice(&crc.to_le_bytes());
        Some(to + 4)
    };
    let mut walk = || -> Option<()> {
        let header_bytes = number(&bytes, 12)?;
        let mut at = put(&mut bytes, 0, PREFIX_BYTES.checked_add(header_bytes)?)?;
        while bytes.get(at..at + 4)? == b"BLK1" {
            let packed_bytes = number(&bytes, at + 12)?;
            at = put(&mut bytes, at, (at + BLOCK_HEAD_BYTES).checked_add(packed_bytes)?)?;
        }
        put(&mut bytes, 0, at + TRAILER_BYTES).map(drop)
    };
    walk();
    bytes
}

/// A file around a header's text and unpacked blocks.
fn around(input: &[u8]) -> Vec<u8> {
    let cut = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (text, mut rest) = (&input[..cut], input.get(cut + 1..).unwrap_or(&[]));
    let (mut blocks, mut rows, mut num_blocks) = (Vec::new(), 0_u64, 0_u32);
    while let [r0, r1, l0, l1, after @ ..] = rest
        && num_blocks < MAX_BLOCKS
    {
        let block_rows = u32::from(u16::from_le_bytes([*r0, *r1]));
        let length = usize::from(u16::from_le_bytes([*l0, *l1])).min(after.len());
        let (raw, after) = after.split_at(length);
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        let packed = deflate.write_all(raw).and_then(|()| deflate.finish()).expect("memory takes all");
        let start = blocks.len();
        blocks.extend_from_slice(b"BLK1");
        for count in [block_rows, raw.len() as u32, packed.len() as u32] {
            blocks.extend_from_slice(&count.to_le_bytes());
        }
        blocks.extend_from_slice(&packed);
        let sum = crc(&blocks[start..]);
        blocks.extend_from_slice(&sum.to_le_bytes());
        (rows, num_blocks, rest) = (rows + u64::from(block_rows), num_blocks + 1, after);
    }
    let mut header = Vec::new();
    for &byte in text {
        if byte == b'@' { header.extend_from_slice(rows.to_string().as_bytes()) } else { header.push(byte) }
    }
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file.extend_from_slice(&(header.len() as u32).to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(&crc(&file).to_le_bytes());
    file.extend_from_slice(&blocks);
    file.extend_from_slice(b"END1");
    file.extend_from_slice(&rows.to_le_bytes());
    file.extend_from_slice(&num_blocks.to_le_bytes());
    file.extend_from_slice(&crc(&file).to_le_bytes());
    file
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
