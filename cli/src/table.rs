//! Plain-text tables: the first column to the left, numbers to the right, two spaces between.

use indicatif::HumanCount;
use thoughtcache_env::message::one_line;

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column: its heading, how it stands, and what it says of a thing.
pub(crate) type Column<'a, T> = (&'a str, Align, &'a dyn Fn(&T) -> String);

/// A table that is written once all its rows are known.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (headings, align) =
            columns.into_iter().map(|(heading, align)| (heading.to_owned(), align)).unzip();
        Self { align, rows: vec![headings] }
    }

    /// A table of these things, one a row.
    pub(crate) fn of<'a, T: 'a>(columns: &[Column<'_, T>], rows: impl IntoIterator<Item = &'a T>) -> Self {
        let mut table = Self::new(columns.iter().map(|&(heading, align, _)| (heading, align)));
        for row in rows {
            table.row(columns.iter().map(|(.., cell)| cell(row)));
        }
        table
    }

    /// Adds a row; cells that are missing stay empty, and control characters in a cell are escaped.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(cell.as_ref())).collect());
    }

    /// The text, `indent` spaces in front of every line.
    pub(crate) fn text(&self, indent: usize) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.align.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for ((cell, align), &width) in row.iter().zip(&self.align).zip(&widths) {
                let padded = match align {
                    Align::Left => format!("{cell:<width$}  "),
                    Align::Right => format!("{cell:>width$}  "),
                };
                line += &padded;
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

/// A count with commas between its thousands.
pub(crate) fn grouped(count: u64) -> String {
    HumanCount(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_lines_have_no_trailing_spaces() {
        let mut table = Table::new([("name", Align::Left), ("cost", Align::Right), ("", Align::Left)]);
        table.row(["lru", "1.25", ""]);
        table.row(["least-aot", "12.5", "best"]);
        assert_eq!(table.text(1), " name       cost\n lru        1.25\n least-aot  12.5  best\n");
    }

    #[test]
    fn a_name_with_a_line_break_stays_in_its_row() {
        let mut table = Table::new([("name", Align::Left), ("cost", Align::Right)]);
        table.row(["a\nb\u{1b}", "1"]);
        assert_eq!(table.text(0), "name        cost\na\\nb\\u{1b}     1\n");
    }

    #[test]
    fn thousands_are_grouped_from_the_right() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
