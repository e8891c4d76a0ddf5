//! Commercial 5G seen by a phone, second by second, Dublin and Cork 2019 to 2020.
//!
//! *Columns used.* `app`, `mobility`, `file`, `Timestamp` (whole seconds), `DL_bitrate` (kbit/s); `-` is a missing value. Only
//! rows of the app `Download` are kept: a phone that streams a film does not ask for all that the link can carry.
//!
//! *Source.* Raca et al., "Beyond throughput, the next generation: a 5G dataset with channel and context metrics", MMSys 2020;
//! uccmisl/5Gdataset, GPL-3.0.

use std::io::Read;

use super::LIMITS;
use super::throughput::traces;
use crate::csv::{self, CsvReader, RecordingError};
use crate::radio::replay::ThroughputTraces;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INSTANT: &str = "an instant like 2019.12.01_12.11.21";
const KBPS: &str = "`-`, or kbit/s, 0 to 1000000000";

/// Reads the rates of downloads as throughput traces, one a file, named after its mobility (`Driving`, `Static`) and itself; plain
/// or gzip. Seconds without a downlink rate are left to the value before.
///
/// # Errors
/// [`RecordingError`] with its place; rows of a file that are out of order; a table without a download.
pub fn irish5g<R: Read>(source: R) -> Result<ThroughputTraces, RecordingError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [app, mobility, file, time, downlink] =
        reader.places(["app", "mobility", "file", "Timestamp", "DL_bitrate"])?;
    let mut rows = traces();
    while let Some(record) = reader.next_record()? {
        if record.text(app)? != "Download" {
            continue;
        }
        let name = format!("{}/{}", record.name(mobility)?, record.name(file)?);
        let time_s = record.value(time, INSTANT, seconds)?;
        let kbps = record.value(downlink, KBPS, |text| match text {
            "-" => Some(None),
            _ => csv::number(text, 0.0, 1e9).map(Some),
        })?;
        if let Some(kbps) = kbps {
            rows.add(&record, name, time_s, kbps * 1e3)?;
        }
    }
    rows.finish()
}

/// Seconds since 1970 of the phone's clock, `2019.12.01_12.11.21`.
fn seconds(text: &str) -> Option<f64> {
    let instant = DateTime::strptime("%Y.%m.%d_%H.%M.%S", text).ok()?;
    Some(TimeZone::UTC.to_timestamp(instant).ok()?.as_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[&str]) -> String {
        format!("app,mobility,file,Timestamp,CellID,DL_bitrate,UL_bitrate\n{}\n", lines.join("\n"))
    }

    #[test]
    fn downloads_are_kept_and_seconds_without_a_rate_are_left_to_the_one_before() {
        let text = text(&[
            "Netflix,Driving,a.csv,2019.12.01_12.11.21,2,29,13",
            "Download,Driving,a.csv,2019.12.01_12.11.22,2,1000,13",
            "Download,Driving,a.csv,2019.12.01_12.11.24,-,-,-",
            "Download,Driving,a.csv,2019.12.01_12.11.25,2,400,13",
        ]);
        let traces = irish5g(text.as_bytes()).unwrap();
        let [trace] = traces.traces() else { panic!("one file") };
        assert_eq!((&*trace.name, trace.kind(), trace.duration_s()), ("Driving/a.csv", "Driving", 4.0));
        assert_eq!(trace.mean_bits_per_s(0.0, 4.0), 0.25 * 3.4e6);
    }

    #[test]
    fn wrong_values_are_refused_with_line_and_column() {
        for (row, expected) in [
            ("Download,D,a,yesterday,2,1,1", "line 2, column `Timestamp`: \"yesterday\" is not"),
            (
                "Download,D,a,2019.02.30_12.11.21,2,1,1",
                "line 2, column `Timestamp`: \"2019.02.30_12.11.21\" is",
            ),
            ("Download,D,a,2019.12.01_12.11.21,1,-5,1", "line 2, column `DL_bitrate`: \"-5\" is"),
            ("Download,D,a,2019.12.01_12.11.21,1,NaN,5", "line 2, column `DL_bitrate`: \"NaN\" is"),
            ("Netflix,D,a,2019.12.01_12.11.21,1,1,1", "line 1: no row follows the column names"),
        ] {
            let error = irish5g(text(&[row]).as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
