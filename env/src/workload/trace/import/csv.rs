//! The plain CSV of published traces: one record a line, commas, no quotes; LF or CRLF; plain or gzip.
//!
//! *Limits.* A line has at most [`MAX_LINE_BYTES`] bytes, so that a file without line ends cannot fill the memory.

use std::io::Read;

use super::lines::{Lines, shortened};
use crate::workload::trace::TraceError;

/// The longest line, bytes.
const MAX_LINE_BYTES: u64 = 1 << 16;

/// Reads records of `N` columns.
pub(super) struct CsvReader<'a, const N: usize> {
    lines: Lines<'a>,
    columns: &'static [&'static str; N],
}

impl<'a, const N: usize> CsvReader<'a, N> {
    /// Opens a source and checks that its first line names exactly these columns.
    pub(super) fn open(
        source: impl Read + 'a,
        columns: &'static [&'static str; N],
    ) -> Result<Self, TraceError> {
        let mut lines = Lines::new(source, MAX_LINE_BYTES)?;
        let expected = columns.join(",");
        let Some(text) = lines.next_line()? else {
            return Err(TraceError::BadLine {
                line: 1,
                reason: format!("the file is empty, expected {expected:?}"),
            });
        };
        if text != expected {
            let reason = format!("the columns are {:?}, expected {expected:?}", shortened(text));
            return Err(TraceError::BadLine { line: 1, reason });
        }
        Ok(Self { lines, columns })
    }

    /// The next record, `None` at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<Record<'_, N>>, TraceError> {
        let columns = self.columns;
        let line = self.lines.number() + 1;
        let Some(text) = self.lines.next_line()? else { return Ok(None) };
        let mut fields = [""; N];
        let mut found = 0;
        for field in text.split(',') {
            if let Some(place) = fields.get_mut(found) {
                *place = field;
            }
            found += 1;
        }
        if found != N {
            let reason =
                format!("{found} values in {:?}, expected {N}: {}", shortened(text), columns.join(","));
            return Err(TraceError::BadLine { line, reason });
        }
        Ok(Some(Record { line, columns, fields }))
    }
}

/// One line, split at its commas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a, const N: usize> {
    line: u64,
    columns: &'static [&'static str; N],
    fields: [&'a str; N],
}

impl<'a, const N: usize> Record<'a, N> {
    /// The number of the line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The text of a column.
    pub(super) fn text(&self, column: usize) -> &'a str {
        self.fields[column]
    }

    /// A column read by `parse`, which gives `None` for what is not `expected`.
    pub(super) fn value<T>(
        &self,
        column: usize,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, TraceError> {
        parse(self.fields[column]).ok_or_else(|| TraceError::BadValue {
            line: self.line,
            column: self.columns[column],
            value: shortened(self.fields[column]),
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const COLUMNS: [&str; 2] = ["a", "b"];

    fn read(bytes: &[u8]) -> Result<Vec<[String; 2]>, TraceError> {
        let mut reader = CsvReader::open(bytes, &COLUMNS)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record.fields.map(String::from));
        }
        Ok(records)
    }

    #[test]
    fn line_ends_of_either_kind_a_missing_last_one_and_gzip_make_no_difference() {
        let expected = vec![["1".to_string(), String::new()], ["3".into(), "4".into()]];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"a,b\n1,\n3,4").unwrap();
        let packed = gzip.finish().unwrap();
        let forms: [&[u8]; 4] =
            [b"a,b\n1,\n3,4\n", b"a,b\r\n1,\r\n3,4", b"\xef\xbb\xbfa,b\n1,\n3,4", &packed];
        for form in forms {
            assert_eq!(read(form).unwrap(), expected);
        }
    }

    #[test]
    fn lines_that_are_not_records_are_refused_with_their_number() {
        let mut long = b"a,b\n1,".to_vec();
        long.extend(vec![b'x'; MAX_LINE_BYTES as usize]);
        let cases: [(&[u8], &str); 7] = [
            (b"", "line 1: the file is empty, expected \"a,b\""),
            (b"a,c\n", "line 1: the columns are \"a,c\", expected \"a,b\""),
            (b"a,b\n1,2\n3\n", "line 3: 1 values in \"3\", expected 2: a,b"),
            (b"a,b\n1,2,3\n", "line 2: 3 values in \"1,2,3\", expected 2: a,b"),
            (b"a,b\n\n1,2\n", "line 2: 1 values in \"\", expected 2: a,b"),
            (b"a,b\n1,\xff\n", "line 2: byte 2 of the line is not UTF-8 text"),
            (&long, "line 2: longer than 65536 bytes, which no line of this format is"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_gzip_file_that_was_cut_off_is_an_error_and_not_a_short_trace() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"a,b\n").unwrap();
        for line in 0..5_000 {
            writeln!(gzip, "{line},{}", line * 7919 % 1013).unwrap();
        }
        let packed = gzip.finish().unwrap();
        for length in [packed.len() / 2, packed.len() - 4] {
            let error = read(&packed[..length]).unwrap_err();
            assert!(matches!(error, TraceError::BadLine { .. }), "{error}");
        }
    }
}
