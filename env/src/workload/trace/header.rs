//! What is known about a trace as a whole.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::TraceError;

/// The most models that a header may name.
pub const MAX_MODELS: usize = 1 << 16;

/// Which values a source has for its requests; the time is always there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a set of columns, each there or not")]
pub struct Columns {
    /// The model that a request names.
    pub model: bool,
    /// Its user.
    pub user: bool,
    /// Length of the prompt, tokens.
    pub prompt_tokens: bool,
    /// Length of the answer, tokens.
    pub output_tokens: bool,
    /// Recorded time to serve it, microseconds.
    pub service_us: bool,
    /// Leading prompt tokens that an earlier request of the recording had. Written only where it is true, so that a
    /// recording without it has the bytes that it always had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused_tokens: bool,
}

/// The header of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Where the requests were recorded, such as `gentd26`.
    pub source: String,
    /// The instant of time 0 as the source writes it (`2024-11-15 16:57:50`); sources give no time zone.
    pub start: String,
    /// Number of requests.
    pub rows: u64,
    /// Which values the source has.
    pub columns: Columns,
    /// Names of the models, in order of first appearance; empty where the source names none.
    pub models: Vec<String>,
    /// Number of different users; their names are not kept.
    pub num_users: u32,
    /// Seconds to load each model of `models`, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_s: Option<Vec<f64>>,
    /// What a reader should know: how values were made, what was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Header {
    /// A header without columns, models or rows.
    pub fn named(source: &str, start: &str) -> Self {
        Self {
            source: source.into(),
            start: start.into(),
            rows: 0,
            columns: Columns::default(),
            models: Vec::new(),
            num_users: 0,
            load_s: None,
            notes: Vec::new(),
        }
    }

    /// Whether the parts of the header agree.
    ///
    /// # Errors
    /// [`TraceError::BadHeader`] for models, users or reused tokens without their column, a name that is empty or given twice, more than
    /// [`MAX_MODELS`] models, or load times that are not one finite number of at least 0 per model.
    pub fn validate(&self) -> Result<(), TraceError> {
        match self.fault() {
            Some(reason) => Err(TraceError::BadHeader { reason }),
            None => Ok(()),
        }
    }

    fn fault(&self) -> Option<String> {
        let num_models = self.models.len();
        if num_models > MAX_MODELS {
            return Some(format!("{num_models} models, allowed are at most {MAX_MODELS}"));
        }
        if num_models > 0 && !self.columns.model {
            return Some(format!("{num_models} models are named, but `columns.model` is false"));
        }
        if self.num_users == u32::MAX {
            return Some(format!("num_users is {}, allowed are at most {}", u32::MAX, u32::MAX - 1));
        }
        if self.num_users > 0 && !self.columns.user {
            return Some(format!("{} users are counted, but `columns.user` is false", self.num_users));
        }
        if self.columns.reused_tokens && !self.columns.prompt_tokens {
            return Some("`columns.reused_tokens` is true, but `columns.prompt_tokens` is false".into());
        }
        let mut seen = BTreeSet::new();
        for (index, name) in self.models.iter().enumerate() {
            if name.is_empty() || !seen.insert(name.as_str()) {
                return Some(format!(
                    "model {index} is named {name:?}; names are not empty and not repeated"
                ));
            }
        }
        let load_s = self.load_s.as_ref()?;
        if load_s.len() != num_models {
            return Some(format!("load_s has {} entries for {num_models} models", load_s.len()));
        }
        load_s.iter().enumerate().find(|(_, seconds)| !seconds.is_finite() || **seconds < 0.0).map(
            |(index, seconds)| {
                format!(
                    "load_s of model {index} is {seconds}; expected a finite number of seconds, at least 0"
                )
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contradiction_of_a_header_is_refused() {
        let good = Header {
            columns: Columns { model: true, user: true, ..Columns::default() },
            models: vec!["a".into(), "b".into()],
            num_users: 3,
            load_s: Some(vec![0.0, 22.7]),
            ..Header::named("x", "y")
        };
        good.validate().unwrap();
        let model = good.columns.model;
        let reused = Columns { reused_tokens: true, ..good.columns };
        let bad: [(Header, &str); 9] = [
            (Header { columns: reused, ..good.clone() }, "`columns.prompt_tokens` is false"),
            (Header { models: vec!["a".into(), "a".into()], ..good.clone() }, "repeated"),
            (Header { models: vec!["a".into(), String::new()], ..good.clone() }, "not empty"),
            (Header { load_s: Some(vec![1.0]), ..good.clone() }, "1 entries for 2 models"),
            (Header { load_s: Some(vec![1.0, f64::NAN]), ..good.clone() }, "load_s of model 1 is NaN"),
            (Header { load_s: Some(vec![-0.5, 1.0]), ..good.clone() }, "load_s of model 0"),
            (Header { num_users: u32::MAX, ..good.clone() }, "num_users"),
            (Header { columns: Columns { model, ..Columns::default() }, ..good.clone() }, "columns.user"),
            (Header { columns: Columns { user: true, ..Columns::default() }, ..good }, "columns.model"),
        ];
        for (header, expected) in bad {
            let error = header.validate().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
