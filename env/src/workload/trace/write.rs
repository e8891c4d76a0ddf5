//! Writes recorded requests in the form in which they are read.

use std::borrow::Cow;
use std::io::{self, Write};

use super::columns::Column;
use super::names::NONE;
use super::{Names, Trace};

impl Trace {
    /// Writes the columns that there are as CSV and gives the sink back, flushed. What is read again is the same, to the bit.
    ///
    /// # Errors
    /// What the sink reports.
    pub fn write<W: Write>(&self, mut sink: W) -> io::Result<W> {
        let has = |column: &Column| match column {
            Column::Time => true,
            Column::Model => !self.model.is_empty(),
            Column::User => !self.user.is_empty(),
            Column::Session => !self.session.is_empty(),
            Column::Turn => !self.turn.is_empty(),
            Column::PromptTokens => !self.prompt_tokens.is_empty(),
            Column::OutputTokens => !self.output_tokens.is_empty(),
            Column::ReusedTokens => !self.reused_tokens.is_empty(),
            Column::ThinkTime => !self.think_time_us.is_empty(),
            Column::Load => self.load_s.iter().any(Option::is_some),
        };
        let columns: Vec<Column> = Column::ALL.into_iter().filter(has).collect();
        let header: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        writeln!(sink, "{}", header.join(","))?;
        let [models, users, sessions] = [&self.models, &self.users, &self.sessions].map(quoted_names);
        let name = |column: &[u32], names: &[Cow<'_, str>], row: usize| match column[row] {
            NONE => String::new(),
            number => names[number as usize].clone().into_owned(),
        };
        for row in 0..self.num_requests() {
            for (index, column) in columns.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                match column {
                    Column::Time => write!(sink, "{}", seconds(self.time_us[row])),
                    Column::Model => write!(sink, "{comma}{}", name(&self.model, &models, row)),
                    Column::User => write!(sink, "{comma}{}", name(&self.user, &users, row)),
                    Column::Session => write!(sink, "{comma}{}", name(&self.session, &sessions, row)),
                    Column::Turn => write!(sink, "{comma}{}", self.turn[row]),
                    Column::PromptTokens => write!(sink, "{comma}{}", self.prompt_tokens[row]),
                    Column::OutputTokens => write!(sink, "{comma}{}", self.output_tokens[row]),
                    Column::ReusedTokens => write!(sink, "{comma}{}", self.reused_tokens[row]),
                    Column::ThinkTime => write!(sink, "{comma}{}", seconds(self.think_time_us[row])),
                    Column::Load => {
                        let load_s = self.model(row).and_then(|model| self.load_s(model));
                        write!(
                            sink,
                            "{comma}{}",
                            load_s.map_or_else(String::new, |load_s| load_s.to_string())
                        )
                    }
                }?;
            }
            writeln!(sink)?;
        }
        sink.flush()?;
        Ok(sink)
    }
}

/// Seconds with as many digits as the microseconds need.
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn quoted_names(names: &Names) -> Vec<Cow<'_, str>> {
    names.list().into_iter().map(quoted).collect()
}

/// A name between quotes where it holds what separates values.
pub(in crate::workload) fn quoted(name: &str) -> Cow<'_, str> {
    let is_plain = !name.contains([',', '"']);
    if is_plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}
