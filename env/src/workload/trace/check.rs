//! Reads a trace to its end and lists what is wrong or odd with it.
//!
//! Unlike a reader, which refuses a trace at the first fault, this goes on behind a fault that stays within one block, so
//! that the list says how much of a file is damaged.

use std::io::Read;

use serde::Serialize;

use super::id_set::IdSet;
use super::{Header, Request, TraceError, TraceReader};

/// The most findings that are listed; a file with more is not worth more.
const MAX_FINDINGS: usize = 100;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The trace cannot be used.
    Error,
    /// The trace can be used; a person may want to know.
    Note,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// What was found and where.
    pub text: String,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Rows read, damaged blocks included with the number that they declare.
    pub rows: u64,
    /// Blocks read.
    pub blocks: u32,
    /// What was found, in order of the file; notes come last.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether the trace can be used: no finding is an error.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    fn error(&mut self, error: &TraceError) {
        self.findings.push(Finding { severity: Severity::Error, text: error.to_string() });
    }

    fn note(&mut self, text: String) {
        self.findings.push(Finding { severity: Severity::Note, text });
    }
}

/// Checks magic, version, checksums, lengths, order of time, range of ids and totals of a `.tct` trace.
///
/// Nothing is an error of this function: whatever is wrong is a finding.
pub fn check<R: Read>(source: R) -> CheckReport {
    let mut report = CheckReport { rows: 0, blocks: 0, findings: Vec::new() };
    let mut reader = match TraceReader::new(source) {
        Ok(reader) => reader,
        Err(error) => {
            report.error(&error);
            return report;
        }
    };
    let mut seen = Seen::new(reader.header());
    while report.findings.len() < MAX_FINDINGS {
        match reader.next_block_lenient() {
            Ok(Some(rows)) => rows.iter().for_each(|row| seen.add(row)),
            Ok(None) => break,
            Err(error) => report.error(&error),
        }
    }
    (report.rows, report.blocks) = (reader.num_rows(), reader.num_blocks());
    if report.is_sound() {
        seen.notes(reader.header(), &mut report);
    }
    report
}

/// What occurred in the rows.
struct Seen {
    first_us: Option<u64>,
    models: Vec<bool>,
    users: IdSet,
    /// Whether `users` had room for all of them.
    is_every_user_counted: bool,
    without_model: u64,
}

impl Seen {
    fn new(header: &Header) -> Self {
        Self {
            first_us: None,
            models: vec![false; header.models.len()],
            users: IdSet::default(),
            is_every_user_counted: true,
            without_model: 0,
        }
    }

    fn add(&mut self, row: &Request) {
        self.first_us.get_or_insert(row.time_us);
        match row.model {
            Some(model) => self.models[model as usize] = true,
            None => self.without_model += 1,
        }
        if let Some(user) = row.user {
            self.is_every_user_counted &= self.users.insert(user.into()).is_ok();
        }
    }

    fn notes(&self, header: &Header, report: &mut CheckReport) {
        match self.first_us {
            None => report.note("the trace has no requests".into()),
            Some(0) => {}
            Some(first_us) => report.note(format!("the first request is {first_us} us after the start")),
        }
        if header.columns.model && self.without_model > 0 {
            report.note(format!("{} of {} requests name no model", self.without_model, report.rows));
        }
        let unused = self.models.iter().filter(|seen| !**seen).count();
        if unused > 0 {
            report.note(format!("{unused} of {} models are never requested", self.models.len()));
        }
        let users = self.users.len();
        if header.columns.user && self.is_every_user_counted && users as u64 != u64::from(header.num_users) {
            report.note(format!("{users} of {} users ever ask", header.num_users));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, Trace};
    use super::*;

    fn bytes(models: &[&str], rows: &[(u64, Option<u32>, u32)], num_users: u32) -> Vec<u8> {
        let header = Header {
            columns: Columns { model: true, user: true, ..Columns::default() },
            models: models.iter().map(ToString::to_string).collect(),
            num_users,
            ..Header::named("hand made", "2024-01-01 00:00:00")
        };
        let requests = rows.iter().map(|(time_us, model, user)| Request {
            time_us: *time_us,
            model: *model,
            user: Some(*user),
            ..Request::default()
        });
        Trace::from_requests(header, requests.collect()).unwrap().write(Vec::new()).unwrap()
    }

    fn texts(report: &CheckReport) -> Vec<&str> {
        report.findings.iter().map(|finding| finding.text.as_str()).collect()
    }

    #[test]
    fn a_good_trace_has_no_findings() {
        let report = check(&bytes(&["a"], &[(0, Some(0), 0), (9, Some(0), 1)], 2)[..]);
        assert_eq!(report, CheckReport { rows: 2, blocks: 1, findings: Vec::new() });
        assert!(report.is_sound());
    }

    #[test]
    fn oddities_are_notes_and_the_trace_stays_sound() {
        let report = check(&bytes(&["a", "b"], &[(5, None, 0), (9, Some(0), 0)], 3)[..]);
        assert!(report.is_sound());
        assert_eq!(
            texts(&report),
            [
                "the first request is 5 us after the start",
                "1 of 2 requests name no model",
                "1 of 2 models are never requested",
                "1 of 3 users ever ask",
            ]
        );
    }

    #[test]
    fn a_damaged_block_does_not_hide_the_damage_behind_it() {
        let mut bytes = bytes(&["a"], &[(0, Some(0), 0)], 1);
        let block = bytes.windows(4).position(|window| window == b"BLK1").unwrap();
        bytes[block + 16] ^= 1;
        let report = check(&bytes[..]);
        assert!(!report.is_sound());
        let texts = texts(&report);
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts[0].contains("checksum of block 0"), "{texts:?}");
        assert!(texts[1].contains("checksum of the file"), "{texts:?}");
    }

    #[test]
    fn what_is_no_trace_is_one_finding() {
        let report = check(&b"TIMESTAMP,ContextTokens"[..]);
        assert_eq!((report.is_sound(), report.findings.len()), (false, 1));
        assert!(texts(&report)[0].starts_with("not a trace of this program"), "{report:?}");
    }
}
