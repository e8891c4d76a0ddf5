//! The columns of recorded requests.

use std::str::FromStr;

/// One column; `time_s` has to be there, any other may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// `time_s`: seconds since the start, kept to the microsecond.
    Time,
    /// `model`, or `service`: the name of what is asked for; nothing where a request names none.
    Model,
    /// `user`: a name; nothing where a request names none.
    User,
    /// `session`: the name of a conversation; nothing where a request belongs to none.
    Session,
    /// `turn`: the number of the request in its session.
    Turn,
    /// `prompt_tokens`: length of the prompt.
    PromptTokens,
    /// `output_tokens`: length of the answer.
    OutputTokens,
    /// `reused_tokens`: leading tokens of the prompt that an earlier request had, at most the whole prompt.
    ReusedTokens,
    /// `think_time_s`: seconds that the user took before this request, kept to the microsecond.
    ThinkTime,
    /// `load_s`: seconds to load the model of the row, the same in all its rows or missing.
    Load,
}

impl Column {
    /// All columns with their names in the file, in the order in which they are written.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Time, "time_s"),
        (Self::Model, "model"),
        (Self::User, "user"),
        (Self::Session, "session"),
        (Self::Turn, "turn"),
        (Self::PromptTokens, "prompt_tokens"),
        (Self::OutputTokens, "output_tokens"),
        (Self::ReusedTokens, "reused_tokens"),
        (Self::ThinkTime, "think_time_s"),
        (Self::Load, "load_s"),
    ];

    /// The name in the file.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let meant = if text == "service" { "model" } else { text };
        let known = Self::ALL.into_iter().find(|(_, name)| *name == meant);
        known.map(|(column, _)| column).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ").replace("model", "model or service");
            format!("column `{}` is none of {names}", crate::message::shown(text))
        })
    }
}

/// Where a column comes from in a table of other columns: `reused_tokens=shared_prefix_blocks64*64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The column of the recording.
    pub column: Column,
    /// The name of the column in the table.
    pub name: String,
    /// The factor of its numbers.
    pub factor: Option<f64>,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (column, rest) = text.split_once('=').ok_or("expected COLUMN=NAME or COLUMN=NAME*FACTOR")?;
        let column: Column = column.trim().parse()?;
        let (name, factor) = match rest.rsplit_once('*') {
            None => (rest, None),
            Some((name, typed)) => {
                let factor = crate::csv::number(typed, 1e-12, 1e12);
                let allowed = || format!("the factor is {typed:?}, expected a number from 1e-12 to 1e12");
                (name, Some(factor.ok_or_else(allowed)?))
            }
        };
        let is_name = matches!(column, Column::Model | Column::User | Column::Session);
        if factor.is_some() && is_name {
            return Err(format!("column `{}` holds names, which have no factor", column.name()));
        }
        if name.is_empty() {
            return Err("the name of the table's column is missing behind `=`".into());
        }
        Ok(Self { column, name: name.to_owned(), factor })
    }
}
