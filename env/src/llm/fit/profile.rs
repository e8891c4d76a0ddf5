//! Measured profiles as text: one batch a line, in the columns of splitwise's performance model.
//!
//! The columns `model`, `hardware`, `prompt_size`, `batch_size`, `token_size`, `prompt_time`, `token_time` (milliseconds) and
//! `tensor_parallel` are read by name; others are ignored.

use super::Measured;
use crate::message::shown;
use thiserror::Error;

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

/// Why a text is no profile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// The first line lacks a column.
    #[error("line 1: the column {column} is missing")]
    NoColumn {
        /// The column.
        column: &'static str,
    },
    /// A value is missing or no number.
    #[error("line {line}: {column} = {value:?}: {allowed}")]
    BadValue {
        /// The line, from 1.
        line: usize,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

const COLUMNS: [&str; 8] = [
    "model",
    "hardware",
    "prompt_size",
    "batch_size",
    "token_size",
    "prompt_time",
    "token_time",
    "tensor_parallel",
];

/// Reads a profile.
///
/// # Errors
/// [`ProfileError`] with the line.
pub fn parse(text: &str) -> Result<Vec<ProfileRow>, ProfileError> {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = head.iter().position(|&name| name == column);
        *place = found.ok_or(ProfileError::NoColumn { column })?;
    }
    let filled = lines.enumerate().filter(|(_, text)| !text.trim().is_empty());
    filled.map(|(index, text)| row(index + 2, text, &places)).collect()
}

fn row(line: usize, text: &str, places: &[usize; COLUMNS.len()]) -> Result<ProfileRow, ProfileError> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let field = |column: usize| fields.get(places[column]).copied().unwrap_or_default();
    let number = |column: usize| {
        let value = field(column);
        value.parse().ok().filter(|&number: &f64| number.is_finite() && number > 0.0).ok_or_else(|| {
            let allowed = "a number above 0";
            ProfileError::BadValue { line, column: COLUMNS[column], value: shown(value), allowed }
        })
    };
    let count = |column: usize| {
        let value = field(column);
        value.parse().ok().filter(|&count: &u32| count > 0).ok_or_else(|| {
            let allowed = "a whole number from 1 on";
            ProfileError::BadValue { line, column: COLUMNS[column], value: shown(value), allowed }
        })
    };
    Ok(ProfileRow {
        model: field(0).to_owned(),
        hardware: field(1).to_owned(),
        measured: Measured {
            prompt_tokens: number(2)?,
            batch: count(3)?,
            output_tokens: number(4)?,
            parallel: count(7)?,
            prompt_s: 1e-3 * number(5)?,
            token_s: 1e-3 * number(6)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "model,hardware,prompt_size,batch_size,token_size,peak_power,prompt_time,token_time,tensor_parallel";

    #[test]
    fn columns_are_found_by_name_and_times_become_seconds() {
        let rows = parse(&format!("{HEAD}\nllama2-70b,a100,512,2,128,1.0,250.0,50.0,4\n\n")).unwrap();
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
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(message(""), "line 1: the column model is missing");
        assert_eq!(message("model,hardware,prompt_size"), "line 1: the column batch_size is missing");
        assert_eq!(
            message(&format!("{HEAD}\na,b,512,0,128,1.0,250.0,50.0,4")),
            "line 2: batch_size = \"0\": a whole number from 1 on"
        );
        assert_eq!(
            message(&format!("{HEAD}\na,b,512,1,128,1.0,nan,50.0,4")),
            "line 2: prompt_time = \"nan\": a number above 0"
        );
        assert_eq!(
            message(&format!("{HEAD}\na,b,512,1,128,1.0,250.0,50.0")),
            "line 2: tensor_parallel = \"\": a whole number from 1 on"
        );
    }
}
