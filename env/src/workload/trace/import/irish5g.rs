//! Commercial 5G seen by a phone, second by second, Dublin and Cork 2019 to 2020.
//!
//! *Columns used.* `app`, `mobility`, `file`, `Timestamp` (whole seconds), `CellID`, `RSRP` (dBm), `SNR` (dB), `DL_bitrate` and
//! `UL_bitrate` (kbit/s); `-` is a missing value. Only rows of the app `Download` are kept: a phone that streams a film does not
//! ask for all that the link can carry.
//!
//! *Source.* Raca et al., "Beyond throughput, the next generation: a 5G dataset with channel and context metrics", MMSys 2020;
//! uccmisl/5Gdataset, GPL-3.0.

use std::io::Read;

use super::csv::{CsvReader, Record};
use super::throughput::{Gathered, number, word};
use super::timestamp;
use crate::radio::replay::{Sample, ThroughputTraces};
use crate::units::Dbm;
use crate::units::Decibel;
use crate::workload::trace::TraceError;

const COLUMNS: [&str; 21] = [
    "app",
    "mobility",
    "file",
    "Timestamp",
    "Longitude",
    "Latitude",
    "Speed",
    "CellID",
    "NetworkMode",
    "RSRP",
    "RSRQ",
    "SNR",
    "CQI",
    "RSSI",
    "DL_bitrate",
    "UL_bitrate",
    "State",
    "PINGAVG",
    "NRxRSRP",
    "NRxRSRQ",
    "RAWCELLID",
];
const TEXT: &str = "a word of at most 64 letters";
const INSTANT: &str = "an instant like 2019.12.01_12.11.21";
const CELL: &str = "`-`, or a whole number from 0 to 4294967295";
const DBM: &str = "`-`, or a number from -300 to 300";
const KBPS: &str = "`-`, or kbit/s, 0 to 1000000000";

/// One second of a phone that downloads.
#[derive(Clone, Debug, PartialEq)]
pub struct CellularRow {
    /// `Driving` or `Static`.
    pub mobility: String,
    /// The file that it comes from: one way.
    pub file: String,
    /// Seconds since 1970 of the phone's clock.
    pub time_s: f64,
    /// The cell that served.
    pub cell: Option<u32>,
    /// Received power of the reference signal.
    pub rsrp: Option<Dbm>,
    /// Signal-to-noise ratio.
    pub snr: Option<Decibel>,
    /// To the phone.
    pub downlink_bits_per_s: Option<f64>,
    /// From the phone.
    pub uplink_bits_per_s: Option<f64>,
}

/// Reads the rows of downloads, plain or gzip, in the order of the file.
///
/// # Errors
/// [`TraceError::BadLine`] and [`TraceError::BadValue`] with their place; [`TraceError::Empty`] without a download.
pub fn irish5g<R: Read>(source: R) -> Result<Vec<CellularRow>, TraceError> {
    Ok(numbered(source)?.into_iter().map(|(_, row)| row).collect())
}

/// Imports the rates of downloads as throughput traces, one a file. Seconds without a downlink rate are left to the value before.
///
/// # Errors
/// As [`irish5g`]; rows of a file that are out of order.
pub fn irish5g_throughput<R: Read>(source: R) -> Result<ThroughputTraces, TraceError> {
    let mut traces = Gathered::default();
    for (line, row) in numbered(source)? {
        let Some(downlink_bits_per_s) = row.downlink_bits_per_s else { continue };
        let sample =
            Sample { time_s: row.time_s, downlink_bits_per_s, uplink_bits_per_s: row.uplink_bits_per_s };
        traces.add(line, format!("{}/{}", row.mobility, row.file), sample)?;
    }
    traces.finish()
}

fn numbered<R: Read>(source: R) -> Result<Vec<(u64, CellularRow)>, TraceError> {
    let mut reader = CsvReader::open(source, &COLUMNS)?;
    let mut rows = Vec::new();
    while let Some(record) = reader.next_record()? {
        if record.text(0) == "Download" {
            rows.push((record.line(), row(&record)?));
        }
    }
    if rows.is_empty() { Err(TraceError::Empty) } else { Ok(rows) }
}

fn row(record: &Record<'_, 21>) -> Result<CellularRow, TraceError> {
    let level = |column: usize| {
        record.value(column, DBM, |text| {
            optional(text, |text| text.parse().ok().filter(|value: &f64| value.abs() <= 300.0))
        })
    };
    let rate = |column: usize| {
        record.value(column, KBPS, |text| optional(text, |text| number(text, 1e9).map(|kbps| kbps * 1e3)))
    };
    Ok(CellularRow {
        mobility: record.value(1, TEXT, word)?,
        file: record.value(2, TEXT, word)?,
        time_s: record.value(3, INSTANT, seconds)?,
        cell: record.value(7, CELL, |text| optional(text, |text| text.parse().ok()))?,
        rsrp: level(9)?.map(Dbm),
        snr: level(11)?.map(Decibel),
        downlink_bits_per_s: rate(14)?,
        uplink_bits_per_s: rate(15)?,
    })
}

/// `-` is no value.
#[expect(clippy::option_option, reason = "`None` is no such text, `Some(None)` is a missing value")]
fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { parse(text).map(Some) }
}

/// `2019.12.01_12.11.21`.
fn seconds(text: &str) -> Option<f64> {
    let (day, time) = text.split_once('_')?;
    let instant = format!("{} {}", day.replace('.', "-"), time.replace('.', ":"));
    timestamp::nanoseconds(&instant).map(|ns| ns as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(app: &str, time: &str, cell: &str, snr: &str, down: &str) -> String {
        format!("{app},Driving,a.csv,{time},-8.3,51.9,0,{cell},LTE,-92,-11,{snr},8,-76,{down},13,D,-,-,-,1")
    }

    fn text(lines: &[String]) -> String {
        format!("{}\n{}\n", COLUMNS.join(","), lines.join("\n"))
    }

    #[test]
    fn downloads_are_kept_with_their_missing_values() {
        let text = text(&[
            line("Netflix", "2019.12.01_12.11.21", "2", "2.0", "29"),
            line("Download", "2019.12.01_12.11.22", "2", "-", "1000"),
            line("Download", "2019.12.01_12.11.24", "-", "7.5", "-"),
        ]);
        let rows = irish5g(text.as_bytes()).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].cell, rows[0].snr, rows[0].rsrp), (Some(2), None, Some(Dbm(-92.0))));
        assert_eq!((rows[1].cell, rows[1].snr), (None, Some(Decibel(7.5))));
        assert_eq!((rows[0].downlink_bits_per_s, rows[1].downlink_bits_per_s), (Some(1e6), None));
        assert_eq!(rows[1].time_s - rows[0].time_s, 2.0);
        let traces = irish5g_throughput(text.as_bytes()).unwrap();
        let mean = traces.traces()[0].mean(0.0, 1.0);
        assert_eq!((mean.downlink_bits_per_s, mean.uplink_bits_per_s), (1e6, Some(13e3)));
    }

    #[test]
    fn wrong_values_are_refused_with_line_and_column() {
        for (row, expected) in [
            (
                line("Download", "yesterday", "2", "1", "1"),
                "line 2, column `Timestamp`: \"yesterday\" is not",
            ),
            (line("Download", "2019.12.01_12.11.21", "x", "1", "1"), "line 2, column `CellID`: \"x\" is not"),
            (
                line("Download", "2019.12.01_12.11.21", "1", "NaN", "1"),
                "line 2, column `SNR`: \"NaN\" is not",
            ),
            (
                line("Download", "2019.12.01_12.11.21", "1", "1", "-5"),
                "line 2, column `DL_bitrate`: \"-5\" is",
            ),
        ] {
            let error = irish5g(text(&[row]).as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let only = text(&[line("Netflix", "2019.12.01_12.11.21", "2", "2.0", "29")]);
        assert!(matches!(irish5g(only.as_bytes()).unwrap_err(), TraceError::Empty));
    }
}
