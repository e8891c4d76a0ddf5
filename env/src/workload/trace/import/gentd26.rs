//! Requests to an image-generation platform with real model ids, GenTD26.
//!
//! *Columns used.* `gmt_create` (whole seconds, so many ties), `exec_time_seconds` (recorded time to serve),
//! `groupId` (user or group), `checkpoint_model_version_id` (the base model). Every request is kept whatever its
//! `predict_status`; 25 of 26,823 name no model and are kept as such.
//!
//! *Columns left out.* `prompt_length` counts characters of an image description, not tokens, so the trace has no token
//! columns; adapters (`num_lora`) carry no id.
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

use super::csv::CsvReader;
use super::names::{MAX_NAME_BYTES, MAX_NAMES, Names};
use super::sort::{Scratch, Sorter};
use super::{Earliest, Import, Ordering, timestamp};
use crate::workload::trace::{Columns, Header, MAX_MODELS, Request, TraceError};

/// The key of the generator that assigns recorded load times to models. It is fixed: everyone who imports the files gets
/// the same trace.
pub const LOAD_TIME_SEED: [u8; 32] = *b"thoughtcache gentd26 load times1";

pub(super) const COLUMNS: [&str; 11] = [
    "gmt_create",
    "predict_type",
    "predict_status",
    "exec_time_seconds",
    "groupId",
    "prompt_length",
    "negative_prompt_length",
    "num_images_per_prompt",
    "num_inference_steps",
    "checkpoint_model_version_id",
    "num_lora",
];
const LOAD_COLUMNS: [&str; 3] = ["timestamp_anon", "value", "container_ip"];
const NAME: &str = "an identifier of letters, digits, `_`, `-` or `.`, at most 64";
const OPTIONAL_NAME: &str = "nothing, or an identifier of letters, digits, `_`, `-` or `.`, at most 64";
const SECONDS: &str = "seconds, 0 to 1000000000";
const LOAD_MS: &str = "milliseconds, more than 0 and at most 1000000000";

/// Imports the request trace and, if given, the load times of base models; each plain or gzip. Rows wait in `scratch`;
/// the names of models and users are held.
///
/// # Errors
/// [`TraceError::BadLine`] and [`TraceError::BadValue`] with their place in whichever file is wrong (its column names say
/// which); [`TraceError::Empty`] when either has no row; [`TraceError::Scratch`].
pub fn gentd26<R: Read, S: Scratch>(
    requests: R,
    load_times: Option<&mut dyn Read>,
    scratch: S,
) -> Result<Import<S>, TraceError> {
    let mut reader = CsvReader::open(requests, &COLUMNS)?;
    let mut rows = Sorter::new(scratch);
    let mut span = Earliest::default();
    // Numbers as in the file for now; they follow the order of time below.
    let (mut models, mut users) = (Names::default(), Names::default());
    let mut first_use_of_models: Vec<(u64, u64)> = Vec::new();
    while let Some(record) = reader.next_record()? {
        let time_ns = record.value(0, timestamp::EXPECTED, timestamp::nanoseconds)?;
        let seconds = record.value(3, SECONDS, |text| number(text).filter(|seconds| *seconds <= 1e9))?;
        let user = record.value(4, NAME, |text| is_name(text).then(|| users.number(text)))?;
        let model = record.value(9, OPTIONAL_NAME, |text| match text {
            "" => Some(None),
            name => is_name(name).then(|| Some(models.number(name))),
        })?;
        let too_many = |what: &str, most: usize| TraceError::BadLine {
            line: record.line(),
            reason: format!("one more than {most} different {what}, which is the most that is allowed"),
        };
        let user = user.ok_or_else(|| too_many("users", MAX_NAMES))?;
        let model = match model {
            None => None,
            Some(Some(model)) if (model as usize) < MAX_MODELS => {
                let here = (time_ns, record.line());
                match first_use_of_models.get_mut(model as usize) {
                    Some(first) => *first = here.min(*first),
                    None => first_use_of_models.push(here),
                }
                Some(model)
            }
            Some(_) => return Err(too_many("models", MAX_MODELS)),
        };
        span.add(time_ns, record.text(0));
        let service_us = (seconds * 1e6).round() as u64;
        rows.push(time_ns, &Request { model, user: Some(user), service_us, ..Request::default() }, &[])?;
    }
    let num_users = users.len();
    drop(users);
    let names = models.into_names();
    let mut in_order: Vec<usize> = (0..names.len()).collect();
    in_order.sort_by_key(|model| first_use_of_models[*model]);
    let mut number_of_model = vec![0; names.len()];
    for (number, model) in in_order.iter().enumerate() {
        number_of_model[*model] = number as u32;
    }
    let mut header = Header {
        columns: Columns { model: true, user: true, service_us: true, ..Columns::default() },
        models: in_order.iter().map(|model| names[*model].clone()).collect(),
        num_users: num_users as u32,
        notes: vec!["users are user groups; service_us is the platform's total execution time".into()],
        ..Header::named("gentd26", span.start())
    };
    if span.is_empty() {
        return Err(TraceError::Empty);
    }
    if let Some(load_times) = load_times {
        header.load_s = Some(draw_load_times(load_times, header.models.len())?);
        header.notes.push(
            "load_s: the recording names no model; each value is drawn from the recorded load times of base models \
             by a fixed seed"
                .into(),
        );
    }
    let users = FirstUse { number_of: vec![NOT_MET; num_users], met: 0 };
    Import::new(header, &span, rows, Ordering::Renumber { number_of_model, users })
}

/// One recorded load time for each model, s.
fn draw_load_times(source: &mut dyn Read, num_models: usize) -> Result<Vec<f64>, TraceError> {
    let mut reader = CsvReader::open(source, &LOAD_COLUMNS)?;
    let mut recorded_ms = Vec::new();
    while let Some(record) = reader.next_record()? {
        recorded_ms.push(record.value(1, LOAD_MS, |text| number(text).filter(|ms| *ms > 0.0 && *ms <= 1e9))?);
    }
    if recorded_ms.is_empty() {
        return Err(TraceError::Empty);
    }
    recorded_ms.sort_by(f64::total_cmp);
    let mut rng = ChaCha8Rng::from_seed(LOAD_TIME_SEED);
    Ok((0..num_models)
        .map(|_| {
            let rank = (u128::from(rng.next_u64()) * recorded_ms.len() as u128) >> 64;
            recorded_ms[rank as usize] / 1e3
        })
        .collect())
}

/// Marks a user that was not met yet.
const NOT_MET: u32 = u32::MAX;

/// Renumbers what was numbered in the order of the file in the order of time.
pub(super) struct FirstUse {
    number_of: Vec<u32>,
    met: u32,
}

impl FirstUse {
    pub(super) fn number(&mut self, old: u32) -> u32 {
        let number = &mut self.number_of[old as usize];
        if *number == NOT_MET {
            *number = self.met;
            self.met += 1;
        }
        *number
    }
}

/// A decimal number without sign or exponent.
fn number(text: &str) -> Option<f64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_plain.then(|| text.parse().ok()).flatten()
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::super::in_memory;
    use super::*;
    use crate::workload::trace::Trace;

    const LOADS: &str = "timestamp_anon,value,container_ip\n1.0,3000.0,x\n1.0,1000.0,x\n2.0,2000.5,y\n";

    fn import(lines: &str, loads: Option<&str>) -> Result<Trace, TraceError> {
        let text = format!("{}\n{lines}", COLUMNS.join(","));
        let mut bytes = loads.unwrap_or("").as_bytes();
        let loads = loads.is_some().then_some(&mut bytes as &mut dyn Read);
        gentd26(text.as_bytes(), loads, in_memory())?.into_trace()
    }

    fn line(second: u32, user: &str, model: &str) -> String {
        format!("2024-11-15 16:57:{second:02},TXT_2_IMG,SUCCEED,32.5,{user},63.0,,1.0,30.0,{model},0\n")
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
        let header = trace.header();
        assert_eq!(header.models, ["M5", "M1", "M9"], "named in order of time, not of the file");
        assert_eq!((header.num_users, header.start.as_str()), (3, "2024-11-15 16:57:05"));
        let rows: Vec<_> = trace.iter().map(|row| (row.time_us, row.model, row.user)).collect();
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
        assert_eq!(trace.request(0).unwrap().service_us, 32_500_000);
    }

    #[test]
    fn load_times_are_recorded_values_and_do_not_depend_on_the_order_of_their_file() {
        let lines: String = (0..20).map(|model| line(0, "G0", &format!("M{model}"))).collect();
        let trace = import(&lines, Some(LOADS)).unwrap();
        let reversed = "timestamp_anon,value,container_ip\n2.0,2000.5,y\n1.0,1000.0,x\n1.0,3000.0,x\n";
        assert_eq!(import(&lines, Some(reversed)).unwrap(), trace);
        let load_s = trace.header().load_s.clone().unwrap();
        assert_eq!(load_s.len(), 20);
        for recorded in [1.0, 2.0005, 3.0] {
            assert!(load_s.contains(&recorded), "{recorded} s was never drawn: {load_s:?}");
        }
        assert!(load_s.iter().all(|seconds| [1.0, 2.0005, 3.0].contains(seconds)));
    }

    #[test]
    fn a_wrong_value_of_either_file_names_its_column() {
        let good = line(1, "G0", "M0");
        let cases = [
            (good.replace("32.5", "-1"), LOADS.to_string(), "line 2, column `exec_time_seconds`: \"-1\""),
            (good.replace("32.5", "NaN"), LOADS.to_string(), "line 2, column `exec_time_seconds`: \"NaN\""),
            (good.replace("32.5", "1e3"), LOADS.to_string(), "line 2, column `exec_time_seconds`: \"1e3\""),
            (good.replace("G0", ""), LOADS.to_string(), "line 2, column `groupId`: \"\""),
            (
                good.replace("M0", "M 0"),
                LOADS.to_string(),
                "line 2, column `checkpoint_model_version_id`: \"M 0\"",
            ),
            (good.replace("2024", "24"), LOADS.to_string(), "line 2, column `gmt_create`"),
            (good.clone(), LOADS.replace("1000.0", "0"), "line 3, column `value`: \"0\""),
            (good.clone(), LOADS.replace("value", "latency"), "line 1: the columns are"),
        ];
        for (lines, loads, expected) in cases {
            let error = import(&lines, Some(&loads)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let no_loads = "timestamp_anon,value,container_ip\n";
        assert!(matches!(import(&good, Some(no_loads)).unwrap_err(), TraceError::Empty));
        assert!(matches!(import("", None).unwrap_err(), TraceError::Empty));
    }
}
