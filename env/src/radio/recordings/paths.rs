//! Recorded paths of users.
//!
//! *Columns.* `path` (a name), `time_s`, `x_m`, `y_m`. The rows of a path stand together, in strict order of time; a path has two or
//! more. Metres count from a corner of the area, to the east and to the north.
//!
//! *Source.* None of its own; the form is ours.

use std::collections::BTreeSet;
use std::io::Read;

use super::{LIMITS, NO_ROW};
use crate::csv::{self, CsvError, CsvReader};
use crate::radio::mobility::Position;
use crate::radio::mobility::recorded::{RecordedPath, RecordedPaths};

const SECONDS: &str = "seconds, -1e12 to 1e12";
const METRES: &str = "metres, -1e6 to 1e6";

/// Reads recorded paths, plain or gzip.
///
/// # Errors
/// [`CsvError`] with its place.
pub fn paths<R: Read>(source: R) -> Result<RecordedPaths, CsvError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [path, time, x, y] = reader.places(["path", "time_s", "x_m", "y_m"])?;
    let (mut done, mut names) = (Vec::new(), BTreeSet::new());
    let (mut name, mut places, mut last_line) = (String::new(), Vec::<(f64, Position)>::new(), 1);
    while let Some(record) = reader.next_record()? {
        let line = record.line();
        let this = record.value(path, csv::NAME, csv::name)?;
        let time_s = record.value(time, SECONDS, |text| csv::number(text, -1e12, 1e12))?;
        let metres = |column: usize| record.value(column, METRES, |text| csv::number(text, -1e6, 1e6));
        let place = Position { x_m: metres(x)?, y_m: metres(y)? };
        if this != name {
            close(&mut done, &mut places, last_line)?;
            this.clone_into(&mut name);
            if !names.insert(name.clone()) {
                let reason =
                    format!("path {this:?} goes on after another one; its rows have to stand together");
                return Err(CsvError::line(line, reason));
            }
        }
        if let Some((last_s, _)) = places.last()
            && time_s <= *last_s
        {
            let reason =
                format!("{time_s} s after {last_s} s; rows have to be in order of time, no two alike");
            return Err(CsvError::line(line, reason));
        }
        places.push((time_s, place));
        last_line = line;
    }
    close(&mut done, &mut places, last_line)?;
    RecordedPaths::new(done).ok_or_else(|| CsvError::line(1, NO_ROW))
}

fn close(done: &mut Vec<RecordedPath>, places: &mut Vec<(f64, Position)>, line: u64) -> Result<(), CsvError> {
    if !places.is_empty() {
        let reason = "a path ends here that has one place; two or more are needed";
        done.push(RecordedPath::new(places).ok_or_else(|| CsvError::line(line, reason))?);
        places.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<RecordedPaths, CsvError> {
        paths(format!("path,time_s,x_m,y_m\n{lines}").as_bytes())
    }

    #[test]
    fn rows_of_one_name_become_one_path() {
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
        assert_eq!(import("").unwrap_err().to_string(), "line 1: no row follows the column names");
    }
}
