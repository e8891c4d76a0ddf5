//! Throughput of phones, second by second, Lumos5G.
//!
//! *Columns.* `radio` (4G or 5G), `trace` (a walk or a drive), `time_s`, `downlink_mbps`. The rows of a trace stand together, in
//! order of time. The uplink was not measured.
//!
//! *Source.* Narayanan et al., "Lumos5G: mapping and predicting commercial mmWave 5G throughput", IMC 2020, as published with
//! SIGCOMM21-5G/artifact; no licence is stated.

use std::io::Read;

use super::{Gathered, LIMITS, Series, no_row};
use crate::csv::{CsvReader, RecordingError};
use crate::radio::replay::{ThroughputTrace, ThroughputTraces};

/// Seconds that the last value of a trace holds: the distance of all others.
const LAST_S: f64 = 1.0;

/// Reads throughput traces, plain or gzip.
///
/// # Errors
/// [`RecordingError`] with its place; a table without a row.
pub fn throughput<R: Read>(source: R) -> Result<ThroughputTraces, RecordingError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [of_radio, of_trace, time, downlink] =
        reader.places(["radio", "trace", "time_s", "downlink_mbps"])?;
    let mut rows = traces();
    while let Some(record) = reader.next_record()? {
        let (kind, name) = (record.name(of_radio)?, record.name(of_trace)?);
        let time_s = record.number(time, "seconds", 0.0, 1e9)?;
        let bits_per_s = record.number(downlink, "Mbit/s", 0.0, 1e6)? * 1e6;
        rows.add(&record, format!("{kind}/{name}"), time_s, bits_per_s)?;
    }
    rows.finish()
}

/// Rows that become throughput traces, one a name.
pub(super) fn traces() -> Gathered<f64> {
    Gathered::new("trace", true)
}

impl Gathered<f64> {
    /// Returns the traces.
    pub(super) fn finish(self) -> Result<ThroughputTraces, RecordingError> {
        let trace = |Series { name, values }| ThroughputTrace::new(name, &values, LAST_S);
        ThroughputTraces::new(self.series.into_iter().filter_map(trace).collect()).ok_or_else(no_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<ThroughputTraces, RecordingError> {
        throughput(format!("radio,trace,time_s,downlink_mbps\n{lines}").as_bytes())
    }

    #[test]
    fn rows_of_one_name_become_one_trace_and_radios_can_be_told_apart() {
        let lines = "5G,a,0,100\n5G,a,1,300\n4G,a,0,7.5\n5G,b,3,50";
        let all = import(lines).unwrap();
        let names: Vec<&str> = all.traces().iter().map(|trace| trace.name.as_str()).collect();
        assert_eq!(names, ["5G/a", "4G/a", "5G/b"]);
        assert_eq!(all.traces()[0].mean_bits_per_s(0.0, 2.0), 200e6);
        let fourth = all.of_kind("4G").unwrap();
        assert_eq!((fourth.traces().len(), fourth.traces()[0].duration_s()), (1, 1.0));
    }

    #[test]
    fn wrong_rows_are_refused_with_line_and_column() {
        for (lines, expected) in [
            (
                "5G,a,0,-1",
                "line 2, column `downlink_mbps`: \"-1\" is not allowed; expected Mbit/s, 0 to 1000000",
            ),
            (
                "5G,a,0,NaN",
                "line 2, column `downlink_mbps`: \"NaN\" is not allowed; expected Mbit/s, 0 to 1000000",
            ),
            (
                "5G,,0,1",
                "line 2, column `trace`: \"\" is not allowed; expected a name of 1 to 256 bytes without control characters",
            ),
            (
                "5G,a,2,1\n5G,a,1,1",
                "line 3: 1 s after 2 s in trace \"5G/a\"; rows have to be in order of time",
            ),
            (
                "5G,a,0,1\n5G,b,0,1\n5G,a,1,1",
                "line 4: trace \"5G/a\" goes on after another one; its rows have to stand together",
            ),
        ] {
            assert_eq!(import(lines).unwrap_err().to_string(), expected);
        }
        let none = import("").unwrap_err().to_string();
        assert_eq!(none, "line 1: no row follows the column names");
    }

    #[test]
    fn a_recording_without_end_is_refused_with_what_is_allowed() {
        let rows = (0_u64..).flat_map(|second| format!("5G,a,{second},1\n").into_bytes());
        let mut endless = b"radio,trace,time_s,downlink_mbps\n".iter().copied().chain(rows);
        let source = std::io::BufReader::with_capacity(1 << 16, Bytes(&mut endless));
        let error = throughput(source).unwrap_err().to_string();
        assert_eq!(error, "line 2000002: more than 2000000 rows, the most of a recording of the radio");
    }

    struct Bytes<'a>(&'a mut dyn Iterator<Item = u8>);

    impl Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.iter_mut().zip(&mut self.0).for_each(|(place, byte)| *place = byte);
            Ok(buffer.len())
        }
    }
}
