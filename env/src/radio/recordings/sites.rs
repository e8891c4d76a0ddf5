//! Places of base stations.
//!
//! *Columns.* `name`, `x_m`, `y_m`; a line for each cell, in their order. Metres count from the south-west corner of the area, to the
//! east and to the north.
//!
//! *Source.* None of its own; the form is ours.

use std::collections::BTreeSet;
use std::io::Read;

use crate::csv::{CsvReader, Limits, RecordingError};
use crate::radio::mobility::Position;

const LIMITS: Limits = Limits { what: "a table of base stations", rows: 65_536, megabytes: 16 };

/// A base station.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSite {
    /// The name in messages.
    pub name: String,
    /// Where it stands.
    pub place: Position,
}

/// Reads places of base stations, plain or gzip.
///
/// # Errors
/// [`RecordingError`] with its place: odd columns and numbers, a name that stands there twice, no site at all, more than 65,536.
pub fn sites<R: Read>(source: R) -> Result<Vec<NamedSite>, RecordingError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [of_name, x, y] = reader.places(["name", "x_m", "y_m"])?;
    let (mut sites, mut names) = (Vec::new(), BTreeSet::new());
    while let Some(record) = reader.next_record()? {
        let name = record.name(of_name)?.to_owned();
        let metres = |column: usize| record.number(column, "metres", 0.0, 1e5);
        let place = Position { x_m: metres(x)?, y_m: metres(y)? };
        if !names.insert(name.clone()) {
            return Err(record.wrong(format!("site {name:?} stands there twice; each name once")));
        }
        sites.push(NamedSite { name, place });
    }
    if sites.is_empty() {
        return Err(RecordingError::at(1, "no site follows; a line for each cell is needed"));
    }
    Ok(sites)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<Vec<NamedSite>, RecordingError> {
        sites(format!("name,x_m,y_m\n{lines}").as_bytes())
    }

    #[test]
    fn a_line_is_a_site_in_the_order_of_the_file() {
        let read = import("b,1,2.5\na,0,100000\n").unwrap();
        assert_eq!(read[0], NamedSite { name: "b".into(), place: Position { x_m: 1.0, y_m: 2.5 } });
        assert_eq!((read.len(), read[1].name.as_str()), (2, "a"));
    }

    #[test]
    fn wrong_lines_are_refused_with_their_place() {
        for (lines, expected) in [
            ("", "line 1: no site follows; a line for each cell is needed"),
            ("a,0,0\na,1,1", "line 3: site \"a\" stands there twice; each name once"),
            ("a,0", "line 2: 2 values in \"a,0\", expected 3, one a column"),
            (
                ",0,0",
                "line 2, column `name`: \"\" is not allowed; expected a name of 1 to 256 bytes without control characters",
            ),
            ("a,-1,0", "line 2, column `x_m`: \"-1\" is not allowed; expected metres, 0 to 100000"),
            ("a,0,inf", "line 2, column `y_m`: \"inf\" is not allowed; expected metres, 0 to 100000"),
        ] {
            assert_eq!(import(lines).unwrap_err().to_string(), expected);
        }
        let header = sites("name,x,y\na,0,0".as_bytes()).unwrap_err().to_string();
        assert_eq!(header, "line 1: no column `x_m`; the columns are \"name,x,y\"");
    }
}
