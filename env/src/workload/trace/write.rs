//! Writes recorded requests in the form in which they are read.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Trace;
use super::columns::Column;

impl Trace {
    /// Writes the columns that there are as CSV and gives the sink back, flushed. What is read again is the same, to the bit.
    ///
    /// # Errors
    /// What the sink reports.
    pub fn write<W: Write>(&self, mut sink: W) -> io::Result<W> {
        let is_there = |column: Column| match column {
            Column::Time => true,
            Column::ThinkTime => !self.think_time_us.is_empty(),
            Column::Load => self.names(Column::Model).values().any(Option::is_some),
            _ => !self.column(column).is_empty(),
        };
        let columns = Column::ALL.into_iter().filter(|(column, _)| is_there(*column));
        let (columns, header): (Vec<Column>, Vec<&str>) = columns.unzip();
        writeln!(sink, "{}", header.join(","))?;
        for row in 0..self.num_requests() {
            for &column in &columns {
                if column != Column::Time {
                    sink.write_all(b",")?;
                }
                match column {
                    // As many digits as the microseconds need.
                    Column::Time => write!(sink, "{}", self.time_us[row] as f64 / 1e6)?,
                    Column::ThinkTime => write!(sink, "{}", self.think_time_us[row] as f64 / 1e6)?,
                    Column::Load => {
                        if let Some(load_s) = self.model(row).and_then(|model| self.load_s(model)) {
                            write!(sink, "{load_s}")?;
                        }
                    }
                    Column::Model | Column::User | Column::Session => {
                        let number = self.named(column, row).map(|number| number as usize);
                        if let Some((name, _)) =
                            number.and_then(|number| self.names(column).get_index(number))
                        {
                            sink.write_all(quoted(name).as_bytes())?;
                        }
                    }
                    _ => write!(sink, "{}", self.column(column)[row])?,
                }
            }
            writeln!(sink)?;
        }
        sink.flush()?;
        Ok(sink)
    }
}

/// A name between quotes where it holds what separates values.
pub(in crate::workload) fn quoted(name: &str) -> Cow<'_, str> {
    let is_plain = !name.contains([',', '"']);
    if is_plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}
