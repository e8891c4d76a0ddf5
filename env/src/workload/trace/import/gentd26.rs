//! Requests to an image-generation platform with real model ids, `GenTD26`.
//!
//! *Columns used.* `gmt_create` (whole seconds, so many ties), `groupId` (user or group), `checkpoint_model_version_id` (the base
//! model). Every request is kept whatever its status; 25 of 26,823 name no model and are kept as such. Prompt lengths count characters
//! of an image description, not tokens; adapters carry no id.
//!
//! *Load times* come from a second file of the same source, `basemodel_update_latency_anon.csv` (`value`, milliseconds).
//! It carries no model id, so each model's load time is **drawn** from the recorded distribution: model m, in order of
//! first appearance, gets the recorded value at rank `floor(u_m n)` of the n values in ascending order, `u_m` being draw
//! m of `ChaCha8` keyed by [`LOAD_TIME_SEED`]. The distribution is recorded, the assignment is ours. Sizes are not
//! recorded at all; a scenario gives them.
//!
//! *Source.* alibaba/clusterdata, cluster-trace-v2026-GenAI, for research.

use std::io::Read;

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

use super::{Column, Trace, plain};
use crate::csv::{self, CsvReader, Limits, RecordingError};

/// The key of the generator that assigns recorded load times to models. It is fixed: everyone who imports the files gets
/// the same recording.
pub const LOAD_TIME_SEED: [u8; 32] = *b"thoughtcache gentd26 load times1";

const LOAD_LIMITS: Limits = Limits { what: "recorded load times", rows: 10_000_000, megabytes: 1_000 };
const LOAD_MS: &str = "milliseconds, more than 0 and at most 1000000000";

/// Imports the requests and, if given, the load times of base models; each plain or gzip.
///
/// # Errors
/// [`RecordingError`] with its place in whichever file is wrong: its column names say which.
pub fn gentd26<R: Read>(requests: R, load_times: Option<&mut dyn Read>) -> Result<Trace, RecordingError> {
    let columns = [
        (Column::Time, "gmt_create"),
        (Column::Model, "checkpoint_model_version_id"),
        (Column::User, "groupId"),
    ];
    let mut trace = plain(requests, &columns)?;
    if let Some(load_times) = load_times {
        draw_load_times(load_times, trace.names[0].values_mut())?;
        trace.notes.push(
            "load_s: the recording names no model; each value is drawn from the recorded load times by a fixed seed".into(),
        );
    }
    Ok(trace)
}

/// Gives each model one recorded load time, s.
fn draw_load_times<'a>(
    source: &mut dyn Read,
    models: impl Iterator<Item = &'a mut Option<f64>>,
) -> Result<(), RecordingError> {
    let mut reader = CsvReader::open(source, LOAD_LIMITS)?;
    let [place] = reader.places(["value"])?;
    let mut recorded_ms: Vec<f64> = Vec::new();
    while let Some(record) = reader.next_record()? {
        let ms = record.value(place, LOAD_MS, |text| csv::number(text, 0.0, 1e9).filter(|ms| *ms > 0.0))?;
        recorded_ms.push(ms);
    }
    if recorded_ms.is_empty() {
        return Err(RecordingError::at(1, "no load time follows the column names"));
    }
    recorded_ms.sort_by(f64::total_cmp);
    let mut rng = ChaCha8Rng::from_seed(LOAD_TIME_SEED);
    for load_s in models {
        let rank = (u128::from(rng.next_u64()) * recorded_ms.len() as u128) >> 64;
        *load_s = Some(recorded_ms[rank as usize] / 1e3);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOADS: &str = "timestamp_anon,value,container_ip\n1.0,3000.0,x\n1.0,1000.0,x\n2.0,2000.5,y\n";

    fn import(lines: &str, loads: Option<&str>) -> Result<Trace, RecordingError> {
        let text = format!("gmt_create,predict_status,groupId,checkpoint_model_version_id\n{lines}");
        let mut bytes = loads.unwrap_or("").as_bytes();
        gentd26(text.as_bytes(), loads.is_some().then_some(&mut bytes as &mut dyn Read))
    }

    fn line(second: u32, user: &str, model: &str) -> String {
        format!("2024-11-15 16:57:{second:02},SUCCEED,{user},{model}\n")
    }

    #[test]
    fn rows_of_one_second_keep_their_order_and_missing_models_stay_missing() {
        let lines = [
            line(9, "G7", "M9"),
            line(5, "G2", "M5"),
            line(9, "G2", ""),
            line(5, "G2", "M1"),
            line(5, "G3", "M5"),
        ];
        let trace = import(&lines.concat(), None).unwrap();
        assert_eq!(trace.models(), ["M5", "M1", "M9"], "named in order of time, not of the file");
        assert_eq!(trace.num_users(), Some(3));
        let rows: Vec<_> =
            (0..5).map(|row| (trace.times_us()[row], trace.model(row), trace.user(row))).collect();
        let (first, last) = (0, 4_000_000);
        assert_eq!(
            rows,
            [
                (first, Some(0), Some(0)),
                (first, Some(1), Some(0)),
                (first, Some(0), Some(1)),
                (last, Some(2), Some(2)),
                (last, None, Some(0)),
            ]
        );
        assert_eq!(trace.notes(), ["2 rows were earlier than the row before: all were sorted by time"]);
    }

    #[test]
    fn load_times_are_recorded_values_and_do_not_depend_on_the_order_of_their_file() {
        let lines: String = (0..20).map(|model| line(0, "G0", &format!("M{model}"))).collect();
        let of = |loads: &str| {
            let trace = import(&lines, Some(loads)).unwrap();
            (0..20).map(|model| trace.load_s(model).unwrap()).collect::<Vec<_>>()
        };
        let load_s = of(LOADS);
        assert_eq!(of("value\n2000.5\n1000.0\n3000.0\n"), load_s);
        for recorded in [1.0, 2.0005, 3.0] {
            assert!(load_s.contains(&recorded), "{recorded} s was never drawn: {load_s:?}");
        }
        assert!(load_s.iter().all(|seconds| [1.0, 2.0005, 3.0].contains(seconds)));
    }

    #[test]
    fn a_wrong_value_of_either_file_names_its_column() {
        let good = line(1, "G0", "M0");
        let cases = [
            (
                good.replace("M0", "M\t0"),
                LOADS.to_string(),
                "line 2, column `checkpoint_model_version_id`: \"M\\t0\"",
            ),
            (good.replace("2024", "24"), LOADS.to_string(), "line 2, column `gmt_create`"),
            (good.clone(), LOADS.replace("1000.0", "0"), "line 3, column `value`: \"0\""),
            (good.clone(), LOADS.replace("value", "latency"), "line 1: no column `value`; the columns are"),
            (good.clone(), "value\n".to_string(), "line 1: no load time follows the column names"),
            (String::new(), LOADS.to_string(), "line 1: no request follows the column names"),
        ];
        for (lines, loads, expected) in cases {
            let error = import(&lines, Some(&loads)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
