//! Readers of recorded radio: throughput of phones, paths of users, places of base stations.
//!
//! *Form.* CSV, plain or gzip ([`crate::csv`]), as its source publishes it, or in a form of ours: [`throughput`], [`irish5g`],
//! [`paths`], [`sites`]. Columns are found by name; others are passed over.
//!
//! *Limits.* A recording has at most 2,000,000 rows and 256 MB unpacked.

mod irish5g;
mod paths;
mod sites;
mod throughput;

pub use irish5g::irish5g;
pub use paths::paths;
pub use sites::{NamedSite, sites};
pub use throughput::throughput;

use crate::csv::{Limits, Record, RecordingError};
use std::collections::BTreeSet;

/// The longest recordings of throughput and paths: three weeks of seconds.
const LIMITS: Limits = Limits { what: "a recording of the radio", rows: 2_000_000, megabytes: 256 };

/// Values of one name at instants in seconds.
struct Series<T> {
    name: String,
    values: Vec<(f64, T)>,
}

/// Gathers rows into series: the rows of one name stand together, in order of time.
struct Gathered<T> {
    /// What a series is, for messages.
    what: &'static str,
    /// Whether a row of the same time as the one before replaces it; it is refused otherwise.
    replaces_ties: bool,
    names: BTreeSet<String>,
    series: Vec<Series<T>>,
}

impl<T> Gathered<T> {
    fn new(what: &'static str, replaces_ties: bool) -> Self {
        Self { what, replaces_ties, names: BTreeSet::new(), series: Vec::new() }
    }

    /// Takes the next row.
    fn add(
        &mut self,
        record: &Record<'_>,
        name: String,
        time_s: f64,
        value: T,
    ) -> Result<(), RecordingError> {
        let what = self.what;
        match self.series.last_mut().filter(|series| series.name == name) {
            Some(Series { values, .. }) => match values.last_mut() {
                Some((last_s, last)) if time_s == *last_s && self.replaces_ties => *last = value,
                Some((last_s, _)) if time_s <= *last_s => {
                    let reason = format!("{time_s} s after {last_s} s in {what} {name:?}");
                    return Err(record.wrong(format!("{reason}; rows have to be in order of time")));
                }
                _ => values.push((time_s, value)),
            },
            None if self.names.insert(name.clone()) => {
                self.series.push(Series { name, values: vec![(time_s, value)] });
            }
            None => {
                let reason = format!("{what} {name:?} goes on after another one");
                return Err(record.wrong(format!("{reason}; its rows have to stand together")));
            }
        }
        Ok(())
    }
}

/// The error of a recording without a row.
fn no_row() -> RecordingError {
    RecordingError::at(1, "no row follows the column names")
}
