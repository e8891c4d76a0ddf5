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

use crate::csv::Limits;

/// The longest recordings of throughput and paths: three weeks of seconds.
const LIMITS: Limits = Limits { what: "a recording of the radio", rows: 2_000_000, megabytes: 256 };
const SECONDS: &str = "seconds, 0 to 1000000000";
const NO_ROW: &str = "no row follows the column names";
