//! Round trips, damage, hostile numbers, and the worked example of `docs/trace-format.md`.

use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::workload::trace::{Columns, Header, Request, Section, Trace, TraceError};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/trace-format.md"));

/// Gives one byte per call, as a slow pipe may.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first().filter(|_| !buffer.is_empty()) else { return Ok(0) };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

fn encode(header: &Header, rows: &[Request], block_rows: u32) -> Vec<u8> {
    let header = Header { rows: rows.len() as u64, ..header.clone() };
    let mut writer = TraceWriter::with_block_rows(Vec::new(), header, block_rows).unwrap();
    for row in rows {
        writer.push(row).unwrap();
    }
    writer.finish().unwrap()
}

fn decode(bytes: &[u8]) -> Result<(Header, Vec<Request>), TraceError> {
    let reader = TraceReader::new(bytes)?;
    let header = reader.header().clone();
    Ok((header, reader.into_rows().collect::<Result<_, _>>()?))
}

/// Makes every checksum of a damaged file right again, as an attacker would, if its framing can still be followed.
fn reseal(bytes: &mut [u8]) {
    let number = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    };
    let seal = |bytes: &mut [u8], from: usize, to: usize| {
        let crc = crc32fast::hash(&bytes[from..to]);
        bytes[to..to + 4].copy_from_slice(&crc.to_le_bytes());
    };
    let Some(header_end) = number(bytes, 12).map(|length| 16 + length).filter(|end| end + 4 <= bytes.len())
    else {
        return;
    };
    seal(bytes, 0, header_end);
    let mut at = header_end + 4;
    while bytes.get(at..at + 4) == Some(&BLOCK_MARKER) {
        let Some(end) =
            number(bytes, at + 12).map(|length| at + 16 + length).filter(|end| end + 4 <= bytes.len())
        else {
            return;
        };
        seal(bytes, at, end);
        at = end + 4;
    }
    if bytes.get(at..at + 4) == Some(&TRAILER_MARKER) && at + 20 <= bytes.len() {
        seal(bytes, 0, at + 16);
    }
}

/// The trace of the worked example.
fn example() -> (Header, Vec<Request>) {
    let header = Header {
        rows: 3,
        columns: Columns { model: true, ..Columns::default() },
        models: vec!["M0".into(), "M1".into()],
        ..Header::named("example", "2024-11-15 16:57:50")
    };
    let row = |time_us, model| Request { time_us, model, ..Request::default() };
    (header, vec![row(0, Some(0)), row(1_000_000, Some(1)), row(1_000_300, None)])
}

fn any_trace() -> impl Strategy<Value = (Header, Vec<Request>)> {
    let columns = proptest::array::uniform6(any::<bool>());
    let loads = proptest::option::of(proptest::collection::vec(0.0..1e6_f64, 3));
    let rows = proptest::collection::vec(
        (0..1_u64 << 40, 0..4_u32, 0..6_u32, any::<u32>(), any::<u32>(), any::<u64>()),
        0..60,
    );
    (columns, loads, rows, "[a-z \"\\\\é]{0,8}").prop_map(
        |([model, user, prompt, output, service, reused], load_s, rows, text)| {
            let columns = Columns {
                model,
                user,
                prompt_tokens: prompt,
                output_tokens: output,
                service_us: service,
                reused_tokens: reused && prompt,
            };
            let header = Header {
                rows: rows.len() as u64,
                columns,
                models: if model { vec!["a".into(), "b".into(), "c".into()] } else { Vec::new() },
                num_users: if user { 5 } else { 0 },
                load_s: load_s.filter(|_| model),
                notes: vec![text.clone()],
                ..Header::named(&text, "2024-01-01 00:00:00")
            };
            let mut time_us = 0;
            let rows = rows
                .into_iter()
                .map(|(gap_us, m, u, prompt_tokens, output_tokens, service_us)| {
                    time_us += gap_us;
                    Request {
                        time_us,
                        model: m.checked_sub(1).filter(|_| model),
                        user: u.checked_sub(1).filter(|_| user),
                        prompt_tokens: if prompt { prompt_tokens } else { 0 },
                        output_tokens: if output { output_tokens } else { 0 },
                        service_us: if service { service_us } else { 0 },
                        reused_tokens: if reused && prompt { prompt_tokens / 3 } else { 0 },
                    }
                })
                .collect();
            (header, rows)
        },
    )
}

proptest! {
    #[test]
    fn what_was_written_is_read((header, rows) in any_trace(), block_rows in 1_u32..20) {
        let bytes = encode(&header, &rows, block_rows);
        let (read_header, read_rows) = decode(&bytes).unwrap();
        prop_assert_eq!(&read_header, &header);
        prop_assert_eq!(&read_rows, &rows);
        let trace = Trace::read(Drip(&bytes)).unwrap();
        prop_assert_eq!(trace.iter().collect::<Vec<_>>(), rows);
    }

    #[test]
    fn damage_is_an_error_and_never_other_rows(
        (header, rows) in any_trace(),
        block_rows in 1_u32..20,
        places in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
    ) {
        let good = encode(&header, &rows, block_rows);
        let mut bytes = good.clone();
        for (place, flip) in places {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        if bytes != good {
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn damage_under_right_checksums_never_panics(
        (header, rows) in any_trace(),
        block_rows in 1_u32..20,
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&header, &rows, block_rows);
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        reseal(&mut bytes);
        if let Ok((header, rows)) = decode(&bytes) {
            // Another legal trace may result; what is handed out still keeps the rules.
            prop_assert!(Trace::from_requests(header, rows).is_ok());
        }
    }

    #[test]
    fn bytes_from_anywhere_are_refused(noise in proptest::collection::vec(any::<u8>(), 0..200), after_magic: bool) {
        let mut bytes = if after_magic { MAGIC.to_vec() } else { Vec::new() };
        bytes.extend(noise);
        prop_assert!(decode(&bytes).is_err());
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let (header, rows) = example();
    let bytes = encode(&header, &rows, 2);
    for length in 0..bytes.len() {
        let error = decode(&bytes[..length]).unwrap_err();
        assert!(
            matches!(error, TraceError::Truncated { at_byte, .. } if at_byte == length as u64),
            "{length}: {error}"
        );
    }
}

#[test]
fn a_block_left_out_repeated_or_swapped_is_noticed() {
    let (header, rows) = example();
    let bytes = encode(&header, &rows, 1);
    let starts: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == BLOCK_MARKER).collect();
    let [first, second, third] = starts[..] else { panic!("three blocks, found {starts:?}") };
    let left_out = [&bytes[..second], &bytes[third..]].concat();
    let repeated = [&bytes[..second], &bytes[first..]].concat();
    let swapped = [&bytes[..first], &bytes[second..third], &bytes[first..second], &bytes[third..]].concat();
    for (what, damaged) in [("left out", left_out), ("repeated", repeated), ("swapped", swapped)] {
        assert!(decode(&damaged).is_err(), "{what}");
    }
}

#[test]
fn bytes_after_the_trailer_are_refused_with_their_place() {
    let (header, rows) = example();
    let mut bytes = encode(&header, &rows, 2);
    let length = bytes.len() as u64;
    bytes.push(0);
    assert!(
        matches!(decode(&bytes).unwrap_err(), TraceError::TrailingBytes { at_byte } if at_byte == length)
    );
}

#[test]
fn hostile_lengths_under_right_checksums_are_refused_before_anything_is_allocated() {
    let (header, rows) = example();
    let good = encode(&header, &rows, 3);
    let block = good.windows(4).position(|window| window == BLOCK_MARKER).unwrap();
    let cases = [
        (12, MAX_HEADER_BYTES + 1, "length of the header"),
        (12, u32::MAX, "length of the header"),
        (12, 0, "length of the header"),
        (block + 4, 0, "number of rows of a block"),
        (block + 4, MAX_BLOCK_ROWS + 1, "number of rows of a block"),
        (block + 8, u32::MAX, "unpacked length of a block"),
        (block + 8, 5, "unpacked length of a block"),
        (block + 12, u32::MAX, "packed length of a block"),
        (block + 12, 0, "packed length of a block"),
    ];
    for (at, value, expected) in cases {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        reseal(&mut bytes);
        match decode(&bytes).unwrap_err() {
            TraceError::LimitExceeded { at_byte, what, declared, .. } => {
                assert_eq!((at_byte, what, declared), (at as u64, expected, u64::from(value)));
            }
            other => panic!("{expected}: {other}"),
        }
    }
}

#[test]
fn each_part_of_a_file_reports_its_own_damage() {
    let (header, rows) = example();
    let good = encode(&header, &rows, 3);
    let block = good.windows(4).position(|window| window == BLOCK_MARKER).unwrap();
    let trailer = good.len() - 20;
    let damaged = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        decode(&bytes).unwrap_err()
    };
    assert!(matches!(damaged(0), TraceError::BadMagic { .. }));
    assert!(matches!(damaged(8), TraceError::UnsupportedVersion { found: 0, supported: 1 }));
    assert!(matches!(damaged(10), TraceError::ReservedNotZero { found: 1, .. }));
    assert!(matches!(damaged(20), TraceError::ChecksumMismatch { section: Section::Header, .. }));
    assert!(matches!(damaged(block), TraceError::BadMarker { blocks: 0, .. }));
    assert!(matches!(damaged(block + 17), TraceError::ChecksumMismatch { section: Section::Block(0), .. }));
    assert!(matches!(damaged(trailer + 4), TraceError::ChecksumMismatch { section: Section::File, .. }));
}

#[test]
fn a_wrong_total_under_right_checksums_is_noticed() {
    let (header, rows) = example();
    let mut bytes = encode(&header, &rows, 3);
    let trailer = bytes.len() - 20;
    bytes[trailer + 4] = 4;
    reseal(&mut bytes);
    let error = decode(&bytes).unwrap_err();
    assert!(matches!(error, TraceError::WrongTotal { found: 4, expected: 3, .. }), "{error}");
}

#[test]
fn the_writer_refuses_what_no_reader_would_accept() {
    let (header, rows) = example();
    let mut writer = TraceWriter::new(Vec::new(), header.clone()).unwrap();
    writer.push(&rows[1]).unwrap();
    let error = writer.push(&rows[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 1: time 0 us is before the previous row's 1000000 us; rows are sorted by time"
    );
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, TraceError::WrongTotal { found: 1, expected: 3, .. }), "{error}");

    let long = Header { notes: vec!["x".repeat(MAX_HEADER_BYTES as usize)], ..header };
    assert!(matches!(TraceWriter::new(Vec::new(), long).unwrap_err(), TraceError::LimitExceeded { .. }));
}

#[test]
fn a_sink_that_is_full_is_an_error_with_its_place() {
    let (header, rows) = example();
    let mut full = [0_u8; 40];
    let mut sink = &mut full[..];
    let trace = Trace::from_requests(header, rows).unwrap();
    assert!(matches!(trace.write(&mut sink).unwrap_err(), TraceError::Io { at_byte: 0, .. }));
}

#[test]
fn full_blocks_of_incompressible_rows_fit_their_limits() {
    // A multiplicative generator is enough noise for deflate.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    let header = Header {
        columns: Columns { prompt_tokens: true, output_tokens: true, service_us: true, ..Columns::default() },
        ..Header::named("noise", "")
    };
    let mut time_us = 0;
    let rows: Vec<Request> = (0..=MAX_BLOCK_ROWS)
        .map(|_| {
            time_us += noise() >> 20;
            Request {
                time_us,
                prompt_tokens: noise() as u32,
                output_tokens: noise() as u32,
                service_us: noise(),
                ..Request::default()
            }
        })
        .collect();
    let header = Header { rows: rows.len() as u64, ..header };
    let bytes = encode(&header, &rows, MAX_BLOCK_ROWS);
    assert_eq!(decode(&bytes).unwrap().1, rows);
}

#[test]
fn the_worked_example_of_the_document_is_this_file() {
    let listing = DOCUMENT.split("```hex\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let bytes: Vec<u8> = listing
        .lines()
        .flat_map(|line| line.split("  ").next().unwrap_or("").split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    let (header, rows) = example();
    assert_eq!(decode(&bytes).unwrap(), (header.clone(), rows.clone()), "what the document's bytes say");
    let written: Vec<String> = encode(&header, &rows, 3).iter().map(|byte| format!("{byte:02x}")).collect();
    let listed: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written.join(" "), listed.join(" "), "what this program writes");
}
