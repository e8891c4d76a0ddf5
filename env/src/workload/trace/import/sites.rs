//! Places of base stations.
//!
//! *Columns.* `name`, `x_m`, `y_m`; a line for each cell, in their order. Metres count from the south-west corner of the area, to the
//! east and to the north.
//!
//! *Source.* Whatever is brought into this form: it is ours.

use std::collections::BTreeSet;
use std::io::Read;

use super::csv::CsvReader;
use super::throughput::word;
use crate::radio::mobility::Position;
use crate::workload::trace::TraceError;

const COLUMNS: [&str; 3] = ["name", "x_m", "y_m"];
const TEXT: &str = "a word of at most 64 letters";
const METRES: &str = "metres, 0 to 100000";
/// The most sites of a file.
const MAX_SITES: usize = 65_536;

/// A base station.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedSite {
    /// The name in messages.
    pub name: String,
    /// Where it stands.
    pub place: Position,
}

/// Imports places of base stations, plain or gzip.
///
/// # Errors
/// [`TraceError::BadLine`] and [`TraceError::BadValue`] with their place: odd columns and numbers, a name that stands there twice, no
/// site at all, more than 65,536.
pub fn sites<R: Read>(source: R) -> Result<Vec<NamedSite>, TraceError> {
    let mut reader = CsvReader::open(source, &COLUMNS)?;
    let (mut sites, mut names) = (Vec::new(), BTreeSet::new());
    let mut last_line = 1;
    while let Some(record) = reader.next_record()? {
        let line = record.line();
        let bad = |reason: String| Err(TraceError::BadLine { line, reason });
        let name = record.value(0, TEXT, word)?;
        let place = Position { x_m: record.value(1, METRES, metres)?, y_m: record.value(2, METRES, metres)? };
        if !names.insert(name.clone()) {
            return bad(format!("site {name:?} stands there twice; each name once"));
        }
        if sites.len() == MAX_SITES {
            return bad(format!("more than {MAX_SITES} sites"));
        }
        sites.push(NamedSite { name, place });
        last_line = line;
    }
    if sites.is_empty() {
        let reason = "no site follows; a line for each cell is needed".to_owned();
        return Err(TraceError::BadLine { line: last_line, reason });
    }
    Ok(sites)
}

fn metres(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value| (0.0..=1e5).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<Vec<NamedSite>, TraceError> {
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
            ("a,0", "line 2: 2 values in \"a,0\", expected 3: name,x_m,y_m"),
            (",0,0", "line 2, column `name`: \"\" is not allowed; expected a word of at most 64 letters"),
            ("a,-1,0", "line 2, column `x_m`: \"-1\" is not allowed; expected metres, 0 to 100000"),
            ("a,0,inf", "line 2, column `y_m`: \"inf\" is not allowed; expected metres, 0 to 100000"),
        ] {
            assert_eq!(import(lines).unwrap_err().to_string(), expected);
        }
        let header = sites("name,x,y\na,0,0".as_bytes()).unwrap_err().to_string();
        assert_eq!(header, "line 1: the columns are \"name,x,y\", expected \"name,x_m,y_m\"");
    }
}
