//! Requests to a production LLM service, Azure 2023.
//!
//! *Columns.* `TIMESTAMP` (seven digits of a second), `ContextTokens`, `GeneratedTokens`. No model and no user: to
//! replay it, services are drawn ([`ServiceMap::Drawn`](crate::workload::trace::ServiceMap::Drawn)).
//!
//! *Source.* Azure/AzurePublicDataset, `AzureLLMInferenceTrace_{code,conv}.csv`, CC-BY 4.0; about an hour each on
//! 2023-11-16: code 8,819 requests, conversation 19,366.

use std::io::Read;

use super::csv::CsvReader;
use super::sort::{Scratch, Sorter};
use super::{Earliest, Import, Ordering, timestamp};
use crate::workload::trace::{Columns, Header, Request, TraceError};

pub(super) const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];
const TOKENS: &str = "a whole number of tokens, 0 to 4294967295";

/// Imports an Azure 2023 trace, plain or gzip; rows wait in `scratch`.
///
/// # Errors
/// [`TraceError::BadLine`] and [`TraceError::BadValue`] with their place; [`TraceError::Empty`] without a request;
/// [`TraceError::Scratch`].
pub fn azure<R: Read, S: Scratch>(requests: R, scratch: S) -> Result<Import<S>, TraceError> {
    let mut reader = CsvReader::open(requests, &COLUMNS)?;
    let mut rows = Sorter::new(scratch);
    let mut span = Earliest::default();
    while let Some(record) = reader.next_record()? {
        let time_ns = record.value(0, timestamp::EXPECTED, timestamp::nanoseconds)?;
        let prompt_tokens = record.value(1, TOKENS, tokens)?;
        let output_tokens = record.value(2, TOKENS, tokens)?;
        span.add(time_ns, record.text(0));
        rows.push(time_ns, &Request { prompt_tokens, output_tokens, ..Request::default() }, &[])?;
    }
    let header = Header {
        columns: Columns { prompt_tokens: true, output_tokens: true, ..Columns::default() },
        ..Header::named("azure_llm_2023", span.start())
    };
    Import::new(header, &span, rows, Ordering::Plain)
}

/// Digits only: no sign, no point, no space.
fn tokens(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::in_memory;
    use super::*;
    use crate::workload::trace::Trace;

    fn import(lines: &str) -> Result<Trace, TraceError> {
        let text = format!("TIMESTAMP,ContextTokens,GeneratedTokens\r\n{lines}");
        azure(text.as_bytes(), in_memory())?.into_trace()
    }

    #[test]
    fn rows_are_sorted_to_the_last_digit_and_ties_keep_the_order_of_the_file() {
        let trace = import(
            "2023-11-16 18:00:01.0000009,3,30\r\n\
             2023-11-16 18:00:01.0000001,2,20\r\n\
             2023-11-16 18:00:00.0000001,1,10\r\n\
             2023-11-16 18:00:01.0000009,4,40",
        )
        .unwrap();
        let rows: Vec<_> =
            trace.iter().map(|row| (row.time_us, row.prompt_tokens, row.output_tokens)).collect();
        // The second row is 1 s later to the digit; the others 0.8 us more, which is rounded down.
        assert_eq!(rows, [(0, 1, 10), (1_000_000, 2, 20), (1_000_000, 3, 30), (1_000_000, 4, 40)]);
        assert_eq!(trace.header().start, "2023-11-16 18:00:00.0000001");
        assert_eq!((trace.header().models.len(), trace.request(0).unwrap().model), (0, None));
    }

    #[test]
    fn a_wrong_value_names_line_column_value_and_what_is_allowed() {
        let good = "2023-11-16 18:00:00.0000001,1,10\n";
        let cases = [
            (
                "2023-11-16 18:00:00.0000001,-1,10",
                "line 3, column `ContextTokens`: \"-1\" is not allowed; expected a whole number of tokens, 0 to 4294967295",
            ),
            (
                "2023-11-16 18:00:00.0000001,1,4294967296",
                "line 3, column `GeneratedTokens`: \"4294967296\" is not allowed",
            ),
            ("2023-11-16 18:00:00.0000001,1,", "line 3, column `GeneratedTokens`: \"\" is not allowed"),
            (
                "16.11.2023,1,1",
                "line 3, column `TIMESTAMP`: \"16.11.2023\" is not allowed; expected an instant like",
            ),
        ];
        for (line, expected) in cases {
            let error = import(&format!("{good}{line}")).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(matches!(import("").unwrap_err(), TraceError::Empty));
    }
}
