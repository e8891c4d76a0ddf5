//! Measured profiles: tables in the columns of splitwise's performance model, one batch a line.
//!
//! The columns `model`, `hardware`, `prompt_size`, `batch_size`, `token_size`, `prompt_time`, `token_time` (milliseconds) and
//! `tensor_parallel` are read by name; others are ignored.

use super::Measured;
use crate::csv::{CsvReader, Limits, RecordingError};
use std::io::Read;

const LIMITS: Limits = Limits { what: "a measured profile", rows: 1_000_000, megabytes: 256 };

/// A measured batch with the names of what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileRow {
    /// The model, as the profile calls it.
    pub model: String,
    /// The device, as the profile calls it.
    pub hardware: String,
    /// What was measured.
    pub measured: Measured,
}

/// Reads a profile, plain or gzip.
///
/// # Errors
/// [`RecordingError`] with its place.
pub fn read<R: Read>(source: R) -> Result<Vec<ProfileRow>, RecordingError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [model, hardware] = reader.places(["model", "hardware"])?;
    let [prompt, batch, output, parallel] =
        reader.places(["prompt_size", "batch_size", "token_size", "tensor_parallel"])?;
    let [prompt_ms, token_ms] = reader.places(["prompt_time", "token_time"])?;
    let mut rows = Vec::new();
    while let Some(record) = reader.next_record()? {
        let number = |column: usize| record.number(column, "a number", 1e-9, 1e12);
        let whole = |text: &str| text.parse().ok().filter(|count: &u32| *count > 0);
        let count = |column: usize| record.value(column, "a whole number from 1 on", whole);
        let measured = Measured {
            prompt_tokens: number(prompt)?,
            batch: count(batch)?,
            output_tokens: number(output)?,
            parallel: count(parallel)?,
            prompt_s: 1e-3 * number(prompt_ms)?,
            token_s: 1e-3 * number(token_ms)?,
        };
        let (model, hardware) = (record.name(model)?.to_owned(), record.name(hardware)?.to_owned());
        rows.push(ProfileRow { model, hardware, measured });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "model,hardware,prompt_size,batch_size,token_size,peak_power,prompt_time,token_time,tensor_parallel";

    #[test]
    fn columns_are_found_by_name_and_times_become_seconds() {
        let rows =
            read(format!("{HEAD}\nllama2-70b,a100,512,2,128,1.0,250.0,50.0,4\n\n").as_bytes()).unwrap();
        assert_eq!(
            (rows[0].model.as_str(), rows[0].hardware.as_str(), rows.len()),
            ("llama2-70b", "a100", 1)
        );
        let expected = Measured {
            prompt_tokens: 512.0,
            batch: 2,
            output_tokens: 128.0,
            parallel: 4,
            prompt_s: 0.25,
            token_s: 0.05,
        };
        assert_eq!(rows[0].measured, expected);
    }

    #[test]
    fn what_is_missing_or_no_number_is_named_with_its_line() {
        let message = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message(""), "line 1: the file is empty, expected a line of column names");
        assert_eq!(
            message("model,hardware,prompt_size"),
            "line 1: no column `batch_size`; the columns are \"model,hardware,prompt_size\""
        );
        assert_eq!(
            message(&format!("{HEAD}\na,b,512,0,128,1.0,250.0,50.0,4")),
            "line 2, column `batch_size`: \"0\" is not allowed; expected a whole number from 1 on"
        );
        assert_eq!(
            message(&format!("{HEAD}\na,b,512,1,128,1.0,nan,50.0,4")),
            "line 2, column `prompt_time`: \"nan\" is not allowed; expected a number, 0.000000001 to 1000000000000"
        );
        assert_eq!(
            message(&format!("{HEAD}\na,b,512,1,128,1.0,250.0,50.0")),
            "line 2: 8 values in \"a,b,512,1,128,1.0,250.0,50.0\", expected 9, one a column"
        );
    }
}
