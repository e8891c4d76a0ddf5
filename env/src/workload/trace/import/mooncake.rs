//! Requests with the blocks of their prompts, Mooncake: what of a prompt was there before.
//!
//! *Lines.* One JSON object each: `timestamp` (milliseconds), `input_length` and `output_length` (tokens), `hash_ids` (one
//! id for each block of [`BLOCK_TOKENS`] prompt tokens, the last one perhaps shorter; equal ids are equal blocks after
//! equal prefixes). Other keys are passed over, and so are blank lines. No model and no user: to replay it, services are
//! drawn ([`ServiceMap::Drawn`](crate::workload::trace::ServiceMap::Drawn)).
//!
//! *Equation.* `reused_tokens = min(prompt_tokens, 512 n)`, n the number of leading blocks that an earlier request of the
//! recording had: the context that a server with room for everything would not compute again. Requests of one time are
//! earlier or later by their order in the file. The ids themselves are not kept.
//!
//! *State.* Which ids were met: a bit each for ids below 2^28 (published files number blocks from 0), 16 bytes or more
//! for each of at most 2,097,152 others.
//!
//! *Source.* kvcache-ai/Mooncake, `FAST25-release/traces/*.jsonl`, Apache-2.0.

use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use super::lines::{Lines, shortened};
use super::sort::{Scratch, Sorter};
use super::{Earliest, Import, Ordering};
use crate::message::one_line;
use crate::workload::trace::id_set::{DENSE, IdSet, MAX_SCATTERED};
use crate::workload::trace::{Columns, Header, Request, TraceError, varint};

/// Prompt tokens of a block.
pub const BLOCK_TOKENS: u32 = 512;

/// The longest line, bytes: room for a prompt of many millions of tokens.
pub(super) const MAX_LINE_BYTES: u64 = 1 << 20;
/// The latest time; below it, microseconds are exact in a float.
const MAX_MS: f64 = 9e12;
const OBJECT: &str =
    r#"an object like {"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}"#;
const MS: &str = "milliseconds, 0 to 9000000000000";
const TOKENS: &str = "a whole number of tokens, 0 to 4294967295";
const IDS: &str = "a list of whole numbers, 0 to 18446744073709551615";

/// One line.
#[derive(Deserialize)]
struct Line {
    timestamp: f64,
    input_length: u32,
    output_length: u32,
    hash_ids: Vec<u64>,
}

/// Imports a Mooncake trace, plain or gzip; rows wait in `scratch`.
///
/// # Errors
/// [`TraceError::BadLine`] with its place; [`TraceError::Empty`] without a request; [`TraceError::Scratch`]. Writing the
/// result may give [`TraceError::TooManyBlocks`].
pub fn mooncake<R: Read, S: Scratch>(requests: R, scratch: S) -> Result<Import<S>, TraceError> {
    let mut lines = Lines::new(requests, MAX_LINE_BYTES)?;
    let mut rows = Sorter::new(scratch);
    let mut span = Earliest::default();
    let (mut blocks, mut odd) = (Vec::new(), 0_u64);
    loop {
        let number = lines.number() + 1;
        let Some(text) = lines.next_line()? else { break };
        if text.trim().is_empty() {
            continue;
        }
        let line = parse(text).map_err(|reason| TraceError::BadLine { line: number, reason })?;
        let (prompt_tokens, output_tokens) = (line.input_length, line.output_length);
        odd += u64::from(line.hash_ids.len() as u64 != u64::from(prompt_tokens.div_ceil(BLOCK_TOKENS)));
        blocks.clear();
        pack(&line.hash_ids, &mut blocks);
        // Whole microseconds, which a float of this size holds exactly.
        let time_ns = (line.timestamp * 1e3).round() as u64 * 1_000;
        span.add(time_ns, &format!("{} ms", line.timestamp));
        rows.push(time_ns, &Request { prompt_tokens, output_tokens, ..Request::default() }, &blocks)?;
    }
    let mut header = Header {
        columns: Columns {
            prompt_tokens: true,
            output_tokens: true,
            reused_tokens: true,
            ..Columns::default()
        },
        notes: vec![format!(
            "reused_tokens: tokens of the leading blocks of {BLOCK_TOKENS} that an earlier request of this recording had"
        )],
        ..Header::named("mooncake", span.start())
    };
    if odd > 0 {
        header.notes.push(format!(
            "{odd} requests have another number of block ids than their prompt has blocks of {BLOCK_TOKENS} tokens"
        ));
    }
    Import::new(header, &span, rows, Ordering::Reuse(Prefixes::default()))
}

/// Reads a line, or says what is wrong with it and what is allowed.
fn parse(text: &str) -> Result<Line, String> {
    // A list of the right values would be read as an object, too.
    if !text.trim_start().starts_with('{') {
        return Err(fault(text, ""));
    }
    match serde_json::from_str::<Line>(text) {
        Ok(line) if (0.0..=MAX_MS).contains(&line.timestamp) => Ok(line),
        Ok(line) => Err(wrong("timestamp", &line.timestamp.to_string(), MS)),
        Err(error) => Err(fault(text, &error.to_string())),
    }
}

fn wrong(key: &str, value: &str, expected: &str) -> String {
    format!("`{key}` is {}; expected {expected}", one_line(&shortened(value)))
}

/// What is wrong with a line that could not be read, with this error.
fn fault(text: &str, error: &str) -> String {
    let line = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(line)) => line,
        Ok(_) => return format!("found {}; expected {OBJECT}", one_line(&shortened(text))),
        Err(error) => {
            let column = error.column();
            return format!("no JSON at column {column} of {:?}; expected {OBJECT}", shortened(text));
        }
    };
    for (key, expected) in
        [("timestamp", MS), ("input_length", TOKENS), ("output_length", TOKENS), ("hash_ids", IDS)]
    {
        let Some(value) = line.get(key) else {
            return format!("`{key}` is missing in {}; expected {OBJECT}", one_line(&shortened(text)));
        };
        if let Some(found) = misfit(key, value) {
            return wrong(key, &found, expected);
        }
    }
    // Such as a key that stands there twice.
    format!("{}; expected {OBJECT}", error.split(" at line ").next().unwrap_or_default())
}

/// What does not fit under a key; `None` if the value does.
fn misfit(key: &str, value: &Value) -> Option<String> {
    let is_right = match key {
        "timestamp" => value.as_f64().is_some_and(|ms| (0.0..=MAX_MS).contains(&ms)),
        "hash_ids" => match value.as_array() {
            Some(ids) => {
                let wrong = ids.iter().find(|id| id.as_u64().is_none())?;
                return Some(format!("a list with {wrong}"));
            }
            None => false,
        },
        _ => value.as_u64().is_some_and(|tokens| u32::try_from(tokens).is_ok()),
    };
    (!is_right).then(|| value.to_string())
}

/// Packs block ids: ids that follow each other are kept as the distance to the end of the ones before (zigzag) and their
/// number.
fn pack(ids: &[u64], bytes: &mut Vec<u8>) {
    let mut end = 0_u64;
    for run in ids.chunk_by(|id, next| id.checked_add(1) == Some(*next)) {
        let distance = run[0].wrapping_sub(end).cast_signed();
        varint::put(bytes, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
        varint::put(bytes, run.len() as u64);
        end = run[0].wrapping_add(run.len() as u64);
    }
}

/// The first id and the length of each run of packed block ids.
fn runs(mut bytes: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let mut end = 0_u64;
    std::iter::from_fn(move || {
        let zigzag = varint::take(&mut bytes).ok()?;
        let length = varint::take(&mut bytes).ok()?;
        let first = end.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg());
        end = first.wrapping_add(length);
        Some((first, length))
    })
}

/// The blocks of all requests so far.
#[derive(Default)]
pub(super) struct Prefixes {
    met: IdSet,
    requests: u64,
}

impl Prefixes {
    /// Says how much of a request's prompt was there before, and remembers its blocks.
    pub(super) fn look_up(&mut self, request: &mut Request, packed: &[u8]) -> Result<(), TraceError> {
        self.requests += 1;
        let ids = || runs(packed).flat_map(|(first, length)| (0..length).map(move |next| first + next));
        let leading = ids().take_while(|id| self.met.contains(*id)).count() as u64;
        request.reused_tokens =
            (leading * u64::from(BLOCK_TOKENS)).min(u64::from(request.prompt_tokens)) as u32;
        for id in ids().skip(leading as usize) {
            self.met.insert(id).map_err(|_| TraceError::TooManyBlocks {
                request: self.requests,
                most: MAX_SCATTERED as u64,
                least_id: DENSE,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::in_memory;
    use super::*;
    use crate::workload::trace::Trace;

    fn import(text: &str) -> Result<Trace, TraceError> {
        mooncake(text.as_bytes(), in_memory())?.into_trace()
    }

    fn line(ms: &str, prompt_tokens: u32, ids: &[u64]) -> String {
        format!(
            "{{\"timestamp\": {ms}, \"input_length\": {prompt_tokens}, \"output_length\": 7, \"hash_ids\": {ids:?}}}\n"
        )
    }

    #[test]
    fn leading_blocks_of_earlier_requests_count_and_no_others() {
        let trace = import(
            &[
                line("30", 1_300, &[5, 6, 7]),
                line("10", 600, &[5, 6]),
                // Later in time than the first line by its order, and its block 9 hides the 7 behind it.
                line("30", 2_000, &[5, 9, 7, 8]),
                line("40", 1_000, &[5, 6, 7]),
                line("50", 512, &[1]),
                line("50", 512, &[1, 1]),
            ]
            .concat(),
        )
        .unwrap();
        let rows: Vec<_> =
            trace.iter().map(|row| (row.time_us, row.prompt_tokens, row.reused_tokens)).collect();
        assert_eq!(
            rows,
            [
                (0, 600, 0),
                (20_000, 1_300, 1_024),
                (20_000, 2_000, 512),
                // Three blocks are 1,536 tokens, but the prompt is shorter.
                (30_000, 1_000, 1_000),
                (40_000, 512, 0),
                (40_000, 512, 512),
            ]
        );
        assert_eq!(trace.header().start, "10 ms");
        assert!(trace.header().notes[1].starts_with("2 requests have another number of block ids"));
    }

    #[test]
    fn line_ends_blank_lines_further_keys_and_fractions_make_no_difference() {
        let plain = import(&(line("0", 5, &[0]) + &line("1.5", 5, &[0]))).unwrap();
        let odd = "\u{feff}{\"hash_ids\":[0],\"output_length\":7,\"type\":\"chat\",\"input_length\":5,\"timestamp\":0.0}\r\n\
                   \r\n{\"timestamp\":1.5,\"input_length\":5,\"output_length\":7,\"hash_ids\":[0],\"x\":{\"y\":[1]}}\r\n \n";
        assert_eq!(import(odd).unwrap(), plain);
        assert_eq!(plain.request(1).unwrap().time_us, 1_500);
        assert_eq!(plain.header().notes.len(), 1);
    }

    #[test]
    fn instants_of_today_in_milliseconds_are_exact() {
        let trace = import(&(line("1763800000001", 0, &[]) + &line("1763800000003.25", 0, &[]))).unwrap();
        assert_eq!(trace.span_us(), 2_250);
    }

    #[test]
    fn a_wrong_line_says_what_was_found_and_what_is_allowed() {
        let good = line("0", 5, &[0]);
        let cases = [
            (
                "{\"timestamp\": 1",
                "line 2: no JSON at column 15 of \"{\\\"timestamp\\\": 1\"; expected an object",
            ),
            ("[1]", "line 2: found [1]; expected an object like"),
            ("[3000, 1200, 5, [0]]", "line 2: found [3000, 1200, 5, [0]]; expected an object like"),
            ("{}", "line 2: `timestamp` is missing in {}; expected an object like"),
            (&line("-1", 5, &[]), "line 2: `timestamp` is -1; expected milliseconds, 0 to"),
            (&line("\"0\"", 5, &[]), "line 2: `timestamp` is \"0\"; expected milliseconds"),
            (&line("1e13", 5, &[]), "line 2: `timestamp` is 10000000000000; expected milliseconds"),
            (&good.replace('5', "-5"), "line 2: `input_length` is -5; expected a whole number of tokens"),
            (&good.replace('7', "1.5"), "line 2: `output_length` is 1.5; expected a whole number of tokens"),
            (&good.replace('7', "4294967296"), "line 2: `output_length` is 4294967296; expected"),
            (&good.replace("[0]", "null"), "line 2: `hash_ids` is null; expected a list of whole numbers"),
            (
                &good.replace("[0]", "[0, \"a\"]"),
                "line 2: `hash_ids` is a list with \"a\"; expected a list of whole",
            ),
            (
                &good.replace('{', "{\"timestamp\": 1, "),
                "line 2: duplicate field `timestamp`; expected an object",
            ),
        ];
        for (bad, expected) in cases {
            let error = import(&format!("{good}{bad}")).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(matches!(import("\n").unwrap_err(), TraceError::Empty));
    }

    #[test]
    fn more_scattered_ids_than_can_be_told_apart_are_an_error() {
        let ids: Vec<u64> = (0..=MAX_SCATTERED as u64).map(|id| DENSE + 7 * id).collect();
        let text: String = ids.chunks(10_000).map(|ids| line("0", 5, ids)).collect();
        let error = import(&text).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "request 210 in order of time: more than 2097152 different block ids of 268435456 or more"
            ),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn packed_ids_are_the_ids(
            ids in proptest::collection::vec(prop_oneof![0_u64..20, any::<u64>(), Just(u64::MAX)], 0..40)
        ) {
            let mut bytes = Vec::new();
            pack(&ids, &mut bytes);
            let unpacked: Vec<u64> =
                runs(&bytes).flat_map(|(first, length)| (0..length).map(move |next| first + next)).collect();
            prop_assert_eq!(unpacked, ids);
        }
    }
}
