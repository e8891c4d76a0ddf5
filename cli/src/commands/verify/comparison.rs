//! Compares two runs of one config: the bytes of their checkpoints, and their logs but for times.

use crate::metrics_log::{DECISIONS, METRICS_FILE};
use crate::run_dir::checkpoints::{Checkpoints, META_FILE};
use crate::table::{Align, Table};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;
use thoughtcache_agents::checkpoint::{POLICY_FILE, REPLAY_FILE, TRAINER_FILE, sha256};

/// The files of checkpoints that are compared; where one run has a file, the other must have it.
///
/// The description of `best` has no times in it. That of `last` has the checksum of `log.json`, which does.
const FILES: [(&str, &str); 5] = [
    ("best", POLICY_FILE),
    ("best", META_FILE),
    ("last", POLICY_FILE),
    ("last", TRAINER_FILE),
    ("last", REPLAY_FILE),
];

/// One line of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) is_equal: bool,
    /// The files that were compared, or the first difference.
    pub(super) detail: String,
}

/// Compares two finished runs.
///
/// # Errors
/// When a file that both must have cannot be read.
pub(super) fn compare(one: &Path, other: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, file) in FILES {
        let read = |run: &Path| {
            let place = Checkpoints::of(run).place(name).join(file);
            fs::read(&place).ok()
        };
        let what = format!("checkpoints/{name}/{file}");
        match (read(one), read(other)) {
            (None, None) if file == REPLAY_FILE => {}
            (one, other) => rows.push(bytes(what, one.as_deref(), other.as_deref())),
        }
    }
    let (lines, others) = (metrics(one)?, metrics(other)?);
    rows.push(all_lines("metrics.jsonl, times left out", &lines, &others));
    let csv = |run: &Path| -> Result<Vec<String>> {
        Ok(read(run, "eval.csv")?.lines().map(str::to_owned).collect())
    };
    rows.push(all_lines("eval.csv", &csv(one)?, &csv(other)?));
    Ok(rows)
}

fn bytes(what: String, one: Option<&[u8]>, other: Option<&[u8]>) -> Row {
    let name = |bytes: Option<&[u8]>| {
        bytes.map_or_else(|| "missing".to_owned(), |bytes| format!("SHA-256 {}", &sha256(bytes)[..16]))
    };
    let is_equal = one.is_some() && one == other;
    let detail = match (is_equal, one) {
        (true, Some(bytes)) => format!("{} bytes, {}", bytes.len(), name(one)),
        _ => format!("{} and {}", name(one), name(other)),
    };
    Row { what, is_equal, detail }
}

fn all_lines(what: &str, one: &[String], other: &[String]) -> Row {
    let first = one.iter().zip(other).position(|(one, other)| one != other);
    let first = first.or((one.len() != other.len()).then(|| one.len().min(other.len())));
    let detail = match first {
        None => format!("{} lines", one.len()),
        Some(at) => {
            let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "no such line".to_owned());
            format!("line {}: {} and {}", at + 1, line(one), line(other))
        }
    };
    Row { what: what.to_owned(), is_equal: first.is_none(), detail }
}

/// The text of one of a run's files.
///
/// # Errors
/// When it cannot be read; its path is named.
pub(super) fn read(run: &Path, file: &str) -> Result<String> {
    let path = run.join(file);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The lines of `metrics.jsonl` without their times.
fn metrics(run: &Path) -> Result<Vec<String>> {
    let place = run.join(METRICS_FILE).display().to_string();
    let context = || format!("cannot read {place}");
    let timeless = |line: &str| -> Result<String> {
        let mut line: Map<String, Value> = serde_json::from_str(line).with_context(context)?;
        line.retain(|tag, _| !tag.starts_with("time/"));
        ensure!(line.contains_key(DECISIONS), "{place}: a line without {DECISIONS}");
        serde_json::to_string(&line).with_context(context)
    };
    read(run, METRICS_FILE)?.lines().map(timeless).collect()
}

/// The table for people.
pub(super) fn text(rows: &[Row]) -> String {
    let mut table = Table::new([("", Align::Left), ("what", Align::Left), ("", Align::Left)]);
    for row in rows {
        table.row([if row.is_equal { "equal" } else { "DIFFERENT" }, row.what.as_str(), row.detail.as_str()]);
    }
    table.text(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_shown_and_a_missing_one_is_a_difference() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(all_lines("log", &lines("a\nb"), &lines("a\nb")).is_equal);
        assert_eq!(all_lines("log", &lines("a\nb"), &lines("a\nc")).detail, "line 2: b and c");
        let longer = all_lines("log", &lines("a\nb"), &lines("a"));
        assert_eq!((longer.is_equal, longer.detail.as_str()), (false, "line 2: b and no such line"));
    }

    #[test]
    fn times_do_not_count_and_all_else_does() {
        let run = |line: &str| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("metrics.jsonl"), line).unwrap();
            metrics(folder.path()).unwrap()
        };
        let one = run("{\"decisions\":1,\"time/fps\":2.0,\"train/loss\":0.5}\n");
        assert_eq!(one, run("{\"decisions\":1,\"time/fps\":3.0,\"train/loss\":0.5}\n"));
        assert_ne!(one, run("{\"decisions\":1,\"time/fps\":2.0,\"train/loss\":0.25}\n"));
    }

    #[test]
    fn two_missing_files_are_not_equal() {
        let row = bytes("checkpoints/last/policy.safetensors".into(), None, None);
        assert!(!row.is_equal);
        assert_eq!(row.detail, "missing and missing");
    }
}
