//! Importers: the sources' own files in, a [`Trace`](super::Trace) out.
//!
//! Each reads from any `impl Read`, plain or gzip (told apart by the first two bytes), and believes no line: a line that
//! is not what the source's description says is an error with line, column, value and what is allowed. Importing the same
//! bytes twice gives the same trace.
//!
//! Rows are sorted by time as the source writes it (to the nanosecond), rows of one time keep the order of the file;
//! times are then whole microseconds since the first row, rounded down.

mod azure;
mod csv;
mod gentd26;
mod names;
mod timestamp;

pub use azure::azure;
pub use gentd26::{LOAD_TIME_SEED, gentd26};
