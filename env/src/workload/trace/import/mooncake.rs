//! Requests with the blocks of their prompts, Mooncake: what of a prompt was there before.
//!
//! *Lines.* One JSON object each: `timestamp` (milliseconds), `input_length` and `output_length` (tokens), `hash_ids` (one
//! id for each block of [`BLOCK_TOKENS`] prompt tokens, the last one perhaps shorter; equal ids are equal blocks after
//! equal prefixes). Other keys are passed over, and so are blank lines. No model and no user: to replay it, services are
//! drawn ([`TraceServicesConfig::Drawn`](crate::workload::trace::TraceServicesConfig::Drawn)).
//!
//! *Equation.* `reused_tokens = min(prompt_tokens, 512 n)`, n the number of leading blocks that an earlier request of the
//! recording had: the context that a server with room for everything would not compute again. Requests of one time are
//! earlier or later by their order in the file. The ids themselves are not kept.
//!
//! *Limits.* A line of at most 1 MB, a file of at most 500 MB unpacked.
//!
//! *Source.* kvcache-ai/Mooncake, `FAST25-release/traces/*.jsonl`, Apache-2.0.

use std::collections::HashSet;
use std::io::{BufRead, Read};

use serde::Deserialize;

use super::{Column, NS_PER_US, Trace};
use crate::csv::{Limits, RecordingError, shortened, unpacked, unreadable};
use crate::message::one_line;

/// Prompt tokens of a block.
pub const BLOCK_TOKENS: u32 = 512;

/// The longest line, bytes: room for a prompt of many millions of tokens.
const MAX_LINE_BYTES: u64 = 1 << 20;
const LIMITS: Limits = Limits { what: "recorded blocks", rows: u64::MAX, megabytes: 500 };
/// The latest time; below it, microseconds are exact in a float.
const MAX_MS: f64 = 4e12;
const OBJECT: &str =
    r#"an object like {"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}"#;

/// One line.
#[derive(Deserialize)]
struct Line {
    timestamp: f64,
    input_length: u32,
    output_length: u32,
    hash_ids: Vec<u64>,
}

/// Imports a Mooncake trace, plain or gzip.
///
/// # Errors
/// [`RecordingError`] with its line.
pub fn mooncake<R: Read>(source: R) -> Result<Trace, RecordingError> {
    let mut rows = lines(source)?;
    rows.sort_by(|one, other| one.timestamp.total_cmp(&other.timestamp));
    let (mut trace, mut met, mut odd) = (Trace::default(), HashSet::new(), 0_u64);
    for Line { timestamp, input_length, output_length, hash_ids } in rows {
        // Whole microseconds, which a float of this size holds exactly.
        trace.time_us.push((timestamp * 1e3).round() as u64 * NS_PER_US);
        let leading = hash_ids.iter().take_while(|id| met.contains(*id)).count() as u64;
        let reused = (leading * u64::from(BLOCK_TOKENS)).min(input_length.into()) as u32;
        let tokens = [
            (Column::PromptTokens, input_length),
            (Column::OutputTokens, output_length),
            (Column::ReusedTokens, reused),
        ];
        for (column, tokens) in tokens {
            trace.columns[column as usize - 1].push(tokens);
        }
        odd += u64::from(hash_ids.len() as u64 != u64::from(input_length.div_ceil(BLOCK_TOKENS)));
        met.extend(hash_ids);
    }
    if trace.time_us.is_empty() {
        return Err(RecordingError::at(1, format!("no request; expected {OBJECT}, one a line")));
    }
    if odd > 0 {
        trace.notes.push(format!(
            "{odd} requests have another number of block ids than their prompt has blocks of {BLOCK_TOKENS} tokens"
        ));
    }
    trace.count_from_first()
}

fn lines(source: impl Read) -> Result<Vec<Line>, RecordingError> {
    let mut source = unpacked(source, LIMITS)?;
    let (mut rows, mut buffer) = (Vec::new(), Vec::new());
    for number in 1_u64.. {
        buffer.clear();
        let mut line = source.by_ref().take(MAX_LINE_BYTES + 1);
        let read = line.read_until(b'\n', &mut buffer).map_err(|error| unreadable(number, &error))? as u64;
        LIMITS.check(&source, number)?;
        if read == 0 {
            break;
        }
        if read > MAX_LINE_BYTES {
            let reason = format!("more than {MAX_LINE_BYTES} bytes; expected {OBJECT}");
            return Err(RecordingError::at(number, reason));
        }
        let text = std::str::from_utf8(&buffer).map_err(|error| {
            let reason = format!("byte {} of the line is not UTF-8 text", error.valid_up_to());
            RecordingError::at(number, reason)
        })?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.is_empty() {
            rows.push(parse(text).map_err(|reason| RecordingError::at(number, reason))?);
        }
    }
    Ok(rows)
}

/// Reads a line, or says what is wrong with it and what is allowed.
fn parse(text: &str) -> Result<Line, String> {
    // A list of the right values would be read as an object, too.
    if !text.starts_with('{') {
        return Err(format!("found {:?}; expected {OBJECT}", shortened(text)));
    }
    match serde_json::from_str::<Line>(text) {
        Ok(line) if (0.0..=MAX_MS).contains(&line.timestamp) => Ok(line),
        Ok(line) => Err(format!("`timestamp` is {}; expected milliseconds, 0 to {MAX_MS}", line.timestamp)),
        Err(error) => {
            let (column, error) = (error.column(), error.to_string());
            let what = one_line(error.split(" at line ").next().unwrap_or_default());
            Err(format!("column {column}: {what}; expected {OBJECT}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(text: &str) -> Result<Trace, RecordingError> {
        mooncake(text.as_bytes())
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
        assert_eq!(trace.times_us(), [0, 20_000, 20_000, 30_000, 40_000, 40_000]);
        assert_eq!(trace.column(Column::PromptTokens), [600, 1_300, 2_000, 1_000, 512, 512]);
        // Three blocks are 1,536 tokens, but the fourth prompt is shorter.
        assert_eq!(trace.column(Column::ReusedTokens), [0, 1_024, 512, 1_000, 0, 512]);
        assert!(trace.notes()[0].starts_with("2 requests have another number of block ids"));
    }

    #[test]
    fn line_ends_blank_lines_further_keys_and_fractions_make_no_difference() {
        let plain = import(&(line("0", 5, &[0]) + &line("1.5", 5, &[0]))).unwrap();
        let odd = "\u{feff}{\"hash_ids\":[0],\"output_length\":7,\"type\":\"chat\",\"input_length\":5,\"timestamp\":0.0}\r\n\
                   \r\n{\"timestamp\":1.5,\"input_length\":5,\"output_length\":7,\"hash_ids\":[0],\"x\":{\"y\":[1]}}\r\n \n";
        let written = |trace: &Trace| String::from_utf8(trace.write(Vec::new()).unwrap()).unwrap();
        let expected = "time_s,prompt_tokens,output_tokens,reused_tokens\n0,5,7,0\n0.0015,5,7,5\n";
        assert_eq!([written(&plain), written(&import(odd).unwrap())], [expected, expected]);
    }

    #[test]
    fn instants_of_today_in_milliseconds_are_exact() {
        let trace = import(&(line("1763800000001", 0, &[]) + &line("1763800000003.25", 0, &[]))).unwrap();
        assert_eq!(trace.last_us(), 2_250);
    }

    #[test]
    fn a_wrong_line_says_what_was_found_and_what_is_allowed() {
        let good = line("0", 5, &[0]);
        let cases = [
            ("{\"timestamp\": 1", "line 2: column 15: EOF while parsing an object; expected an object like"),
            ("[3000, 1200, 5, [0]]", "line 2: found \"[3000, 1200, 5, [0]]\"; expected an object like"),
            ("{}", "line 2: column 2: missing field `timestamp`; expected an object like"),
            (&line("-1", 5, &[]), "line 2: `timestamp` is -1; expected milliseconds, 0 to"),
            (
                &good.replace('5', "-5"),
                "line 2: column 35: invalid value: integer `-5`, expected u32; expected",
            ),
            (
                &good.replace("[0]", "[0, \"a\"]"),
                "line 2: column 75: invalid type: string \"a\", expected u64",
            ),
            (&good.replace('{', "{\"timestamp\": 1, "), "line 2: column 28: duplicate field `timestamp`"),
        ];
        for (bad, expected) in cases {
            let error = import(&format!("{good}{bad}")).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(import("\n").unwrap_err().to_string().starts_with("line 1: no request; expected an object"));
    }
}
