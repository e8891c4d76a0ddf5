//! Recorded paths of users.
//!
//! *Columns.* `path` (a name), `time_s`, `x_m`, `y_m`. The rows of a path stand together, in strict order of time; a path has two or
//! more. Metres count from a corner of the area, to the east and to the north.
//!
//! *Source.* None of its own; the form is ours.

use std::io::Read;

use super::{Gathered, LIMITS, Series, no_row};
use crate::csv::{CsvReader, RecordingError};
use crate::radio::mobility::Position;
use crate::radio::mobility::recorded::{RecordedPath, RecordedPaths};

/// Reads recorded paths, plain or gzip.
///
/// # Errors
/// [`RecordingError`] with its place.
pub fn paths<R: Read>(source: R) -> Result<RecordedPaths, RecordingError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [path, time, x, y] = reader.places(["path", "time_s", "x_m", "y_m"])?;
    let mut rows = Gathered::new("path", false);
    while let Some(record) = reader.next_record()? {
        let name = record.name(path)?.to_owned();
        let time_s = record.number(time, "seconds", -1e12, 1e12)?;
        let metres = |column: usize| record.number(column, "metres", -1e6, 1e6);
        rows.add(&record, name, time_s, Position { x_m: metres(x)?, y_m: metres(y)? })?;
    }
    let path = |Series { name, values }: Series<Position>| {
        let reason = || RecordingError(format!("path {name:?} has one place; two or more are needed"));
        RecordedPath::new(&values).ok_or_else(reason)
    };
    let paths = rows.series.into_iter().map(path).collect::<Result<_, _>>()?;
    RecordedPaths::new(paths).ok_or_else(no_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<RecordedPaths, RecordingError> {
        paths(format!("path,time_s,x_m,y_m\n{lines}").as_bytes())
    }

    #[test]
    fn rows_of_one_name_become_one_path() {
        assert_eq!(import("a,0,0,0\na,10,5,5\nb,-3,1,1\nb,0,2,2").unwrap().num_paths(), 2);
    }

    #[test]
    fn wrong_rows_are_refused_with_their_place() {
        for (lines, expected) in [
            ("a,0,0,0\nb,1,1,1", "path \"a\" has one place; two or more are needed"),
            ("a,0,0,0\na,0,1,1", "line 3: 0 s after 0 s in path \"a\"; rows have to be in order of time"),
            (
                "a,0,0,inf",
                "line 2, column `y_m`: \"inf\" is not allowed; expected metres, -1000000 to 1000000",
            ),
        ] {
            assert_eq!(import(lines).unwrap_err().to_string(), expected);
        }
        assert_eq!(import("").unwrap_err().to_string(), "line 1: no row follows the column names");
    }
}
