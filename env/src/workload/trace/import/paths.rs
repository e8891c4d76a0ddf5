//! Recorded ways of users.
//!
//! *Columns.* `path` (a name), `time_s`, `x_m`, `y_m`. The rows of a way stand together, in strict order of time; a way has two or
//! more. Metres count from a corner of the area, to the east and to the north.
//!
//! *Source.* Whatever is brought into this form: it is ours.

use std::collections::BTreeSet;
use std::io::Read;

use super::csv::CsvReader;
use super::throughput::word;
use crate::radio::mobility::Position;
use crate::radio::mobility::recorded::{RecordedPath, RecordedPaths};
use crate::workload::trace::TraceError;

const COLUMNS: [&str; 4] = ["path", "time_s", "x_m", "y_m"];
const TEXT: &str = "a word of at most 64 letters";
const SECONDS: &str = "seconds, -1e12 to 1e12";
const METRES: &str = "metres, -1e6 to 1e6";

/// Imports recorded ways, plain or gzip.
///
/// # Errors
/// [`TraceError::BadLine`] and [`TraceError::BadValue`] with their place; [`TraceError::Empty`] without a row.
pub fn paths<R: Read>(source: R) -> Result<RecordedPaths, TraceError> {
    let mut reader = CsvReader::open(source, &COLUMNS)?;
    let mut done = Vec::new();
    let mut names = BTreeSet::new();
    let (mut name, mut places, mut last_line) = (String::new(), Vec::<(f64, Position)>::new(), 1);
    while let Some(record) = reader.next_record()? {
        let line = record.line();
        let bad = |reason: String| Err(TraceError::BadLine { line, reason });
        let this = record.value(0, TEXT, word)?;
        let time_s = record.value(1, SECONDS, |text| number(text, 1e12))?;
        let x_m = record.value(2, METRES, |text| number(text, 1e6))?;
        let y_m = record.value(3, METRES, |text| number(text, 1e6))?;
        if this != name {
            close(&mut done, &mut places, last_line)?;
            if !names.insert(this.clone()) {
                return bad(format!(
                    "path {this:?} goes on after another one; its rows have to stand together"
                ));
            }
            name = this;
        }
        if let Some((last_s, _)) = places.last()
            && time_s <= *last_s
        {
            return bad(format!(
                "{time_s} s after {last_s} s; rows have to be in order of time, no two alike"
            ));
        }
        places.push((time_s, Position { x_m, y_m }));
        last_line = line;
    }
    close(&mut done, &mut places, last_line)?;
    RecordedPaths::new(done).ok_or(TraceError::Empty)
}

fn close(
    done: &mut Vec<RecordedPath>,
    places: &mut Vec<(f64, Position)>,
    line: u64,
) -> Result<(), TraceError> {
    if places.is_empty() {
        return Ok(());
    }
    let reason = || "a path ends here that has one place; two or more are needed".to_owned();
    done.push(RecordedPath::new(places).ok_or_else(|| TraceError::BadLine { line, reason: reason() })?);
    places.clear();
    Ok(())
}

fn number(text: &str, most: f64) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.abs() <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<RecordedPaths, TraceError> {
        paths(format!("path,time_s,x_m,y_m\n{lines}").as_bytes())
    }

    #[test]
    fn rows_of_one_name_become_one_way() {
        assert_eq!(import("a,0,0,0\na,10,5,5\nb,-3,1,1\nb,0,2,2").unwrap().len(), 2);
    }

    #[test]
    fn wrong_rows_are_refused_with_their_place() {
        for (lines, expected) in [
            ("a,0,0,0\nb,1,1,1", "line 2: a path ends here that has one place; two or more are needed"),
            ("a,0,0,0\na,0,1,1", "line 3: 0 s after 0 s; rows have to be in order of time, no two alike"),
            ("a,0,0,inf", "line 2, column `y_m`: \"inf\" is not allowed; expected metres, -1e6 to 1e6"),
        ] {
            assert_eq!(import(lines).unwrap_err().to_string(), expected);
        }
        assert!(matches!(import("").unwrap_err(), TraceError::Empty));
    }
}
