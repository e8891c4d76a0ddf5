//! Tables of text as others write them: CSV, plain or gzip, believed in nothing.
//!
//! *Form.* A line of column names, then a record a line; commas; `"` around values that hold a comma, a line end or a `"`, which
//! is doubled there; LF or CRLF; a byte-order mark and blank lines are passed over; UTF-8. Gzip is told by its first two bytes.
//!
//! *Limits.* A table has at most so many records and unpacked bytes as its kind allows ([`Limits`]), a record at most
//! [`MAX_RECORD_BYTES`] and [`MAX_COLUMNS`], so that no file fills the memory.
//!
//! *Source.* RFC 4180; `csv-core` parses.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Cursor, Read, Take};

use csv_core::ReadRecordResult;
use flate2::bufread::MultiGzDecoder;

use crate::message::one_line;

/// The longest record, bytes.
pub const MAX_RECORD_BYTES: usize = 1 << 16;
/// The most columns.
pub const MAX_COLUMNS: usize = 256;
/// The most characters of a wrong value that a message repeats.
const MAX_SHOWN_CHARS: usize = 60;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes that are read from a source at once.
const BUFFER_BYTES: usize = 1 << 16;

/// How large a table of its kind may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What the table is, for messages.
    pub what: &'static str,
    /// Records without the line of names.
    pub rows: u64,
    /// Bytes once unpacked.
    pub megabytes: u64,
}

impl Limits {
    /// Refuses a source of which more was read than these limits allow.
    pub(crate) fn check(self, source: &Unpacked<'_>, line: u64) -> Result<(), RecordingError> {
        let Self { what, megabytes, .. } = self;
        if source.limit() == 0 {
            let reason = format!("more than {megabytes} MB unpacked, the most of {what}");
            return Err(RecordingError::at(line, reason));
        }
        Ok(())
    }
}

/// What is wrong with a recording, in words: where, which value, and what is allowed. Lines count from 1; that of a record over several
/// lines is its last.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RecordingError(pub(crate) String);

impl RecordingError {
    /// The error of a line.
    pub(crate) fn at(line: u64, reason: impl Display) -> Self {
        Self(format!("line {line}: {reason}"))
    }
}

/// Reads a table record by record, in constant memory.
pub struct CsvReader<'a> {
    source: Unpacked<'a>,
    limits: Limits,
    core: csv_core::Reader,
    /// The names of the columns.
    pub names: Vec<String>,
    text: Vec<u8>,
    ends: Vec<usize>,
    line: u64,
    rows: u64,
    last_byte: u8,
}

impl<'a> CsvReader<'a> {
    /// Opens a table, unpacked if it is gzip, and reads its line of names.
    ///
    /// # Errors
    /// A source that cannot be read, or has no line of names.
    pub fn open(source: impl Read + 'a, limits: Limits) -> Result<Self, RecordingError> {
        let mut reader = Self {
            source: unpacked(source, limits)?,
            limits,
            core: csv_core::Reader::new(),
            names: Vec::new(),
            text: vec![0; MAX_RECORD_BYTES],
            ends: vec![0; MAX_COLUMNS + 1],
            line: 1,
            rows: 0,
            last_byte: 0,
        };
        let Some(fields) = reader.read()? else {
            return Err(RecordingError::at(1, "the file is empty, expected a line of column names"));
        };
        let record = reader.record(fields);
        let names = (0..fields).map(|column| record.text(column).map(|name| one_line(name.trim())));
        reader.names = names.collect::<Result<_, _>>()?;
        Ok(reader)
    }

    /// Returns the indices of the columns with these names.
    ///
    /// # Errors
    /// A name that no column has, or two.
    pub fn places<const N: usize>(&self, wanted: [&str; N]) -> Result<[usize; N], RecordingError> {
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(wanted) {
            let found: Vec<usize> =
                (0..self.names.len()).filter(|&column| self.names[column] == name).collect();
            let name = one_line(name);
            *place = match found[..] {
                [one] => one,
                [] => return Err(RecordingError::at(1, format!("no column `{name}`; {}", self.columns()))),
                _ => return Err(RecordingError::at(1, format!("column `{name}` stands there twice"))),
            };
        }
        Ok(places)
    }

    /// Lists the columns for a message.
    pub(crate) fn columns(&self) -> String {
        let names = shortened(&self.names.join(","));
        let is_other = self.names.len() == 1 && names.contains([';', '\t']);
        let hint = if is_other { "; columns are separated by commas" } else { "" };
        format!("the columns are {names:?}{hint}")
    }

    /// Returns the next record, `None` at the end.
    ///
    /// # Errors
    /// A source that cannot be read, a record with other values than columns, a table beyond its limits.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordingError> {
        let Some(fields) = self.read()? else { return Ok(None) };
        self.rows += 1;
        let Limits { what, rows, .. } = self.limits;
        if self.rows > rows {
            return Err(RecordingError::at(self.line, format!("more than {rows} rows, the most of {what}")));
        }
        let (record, expected) = (self.record(fields), self.names.len());
        if fields != expected {
            let values = (0..fields).map(|column| String::from_utf8_lossy(record.bytes(column)));
            let shown = shortened(&values.collect::<Vec<_>>().join(","));
            let reason = format!("{fields} values in {shown:?}, expected {expected}, one a column");
            return Err(RecordingError::at(self.line, reason));
        }
        Ok(Some(self.record(fields)))
    }

    /// Returns the record that was read last.
    fn record(&self, fields: usize) -> Record<'_> {
        Record { line: self.line, names: &self.names, text: &self.text, ends: &self.ends[..fields] }
    }

    /// Reads the next record; returns the number of its values.
    fn read(&mut self) -> Result<Option<usize>, RecordingError> {
        let (mut written, mut ended) = (0, 0);
        loop {
            let line = self.core.line();
            let input = self.source.fill_buf().map_err(|error| unreadable(line, &error))?;
            let (result, taken, wrote, ends) =
                self.core.read_record(input, &mut self.text[written..], &mut self.ends[ended..]);
            if let Some(&byte) = input[..taken].last() {
                self.last_byte = byte;
            }
            self.source.consume(taken);
            (written, ended) = (written + wrote, ended + ends);
            let line = self.core.line();
            self.limits.check(&self.source, line)?;
            let reason = match result {
                ReadRecordResult::InputEmpty => continue,
                ReadRecordResult::OutputFull => {
                    format!("a record of more than {MAX_RECORD_BYTES} bytes; is a quote open?")
                }
                ReadRecordResult::OutputEndsFull => format!("more than {MAX_COLUMNS} values"),
                ReadRecordResult::Record => {
                    self.line = line - u64::from(self.last_byte == b'\n');
                    return Ok(Some(ended));
                }
                ReadRecordResult::End => return Ok(None),
            };
            return Err(RecordingError::at(line, reason));
        }
    }
}

/// One record of a table.
#[derive(Clone, Copy)]
pub struct Record<'r> {
    /// Its line, from 1; the last one of a record over several.
    pub line: u64,
    names: &'r [String],
    text: &'r [u8],
    ends: &'r [usize],
}

impl<'r> Record<'r> {
    /// Returns the error of its line.
    pub fn wrong(&self, reason: impl Display) -> RecordingError {
        RecordingError::at(self.line, reason)
    }

    /// Returns the value of a column.
    ///
    /// # Errors
    /// A value that is not UTF-8.
    pub fn text(&self, column: usize) -> Result<&'r str, RecordingError> {
        std::str::from_utf8(self.bytes(column)).map_err(|_| {
            let name = self.names.get(column).map_or_else(String::new, |name| format!(", column `{name}`"));
            self.wrong(format!("value {}{name}, is not UTF-8 text", column + 1))
        })
    }

    /// Returns the value of a column, read by `parse`, which gives `None` for what is not `expected`.
    ///
    /// # Errors
    /// A value that `parse` refuses.
    pub fn value<T>(
        &self,
        column: usize,
        expected: impl Display,
        parse: impl FnOnce(&'r str) -> Option<T>,
    ) -> Result<T, RecordingError> {
        parse(self.text(column)?).ok_or_else(|| self.refused(column, expected))
    }

    /// Returns the number in a column, from `low` to `high`; `unit` says of what.
    ///
    /// # Errors
    /// A value that is no such number.
    pub fn number(&self, column: usize, unit: &str, low: f64, high: f64) -> Result<f64, RecordingError> {
        self.value(column, format_args!("{unit}, {low} to {high}"), |text| number(text, low, high))
    }

    /// Returns the name in a column.
    ///
    /// # Errors
    /// A value that is no name, as [`NAME`] says.
    pub fn name(&self, column: usize) -> Result<&'r str, RecordingError> {
        self.value(column, NAME, name)
    }

    /// Returns the error of a value that is not what its column holds.
    pub fn refused(&self, column: usize, expected: impl Display) -> RecordingError {
        let (line, name) = (self.line, &self.names[column]);
        let value = shortened(&String::from_utf8_lossy(self.bytes(column)));
        RecordingError(format!("line {line}, column `{name}`: {value:?} is not allowed; expected {expected}"))
    }

    fn bytes(&self, column: usize) -> &'r [u8] {
        let begin = if column == 0 { 0 } else { self.ends[column - 1] };
        &self.text[begin..self.ends[column]]
    }
}

/// Reads a finite number from `least` to `most`; zero has no sign.
pub fn number(text: &str, least: f64, most: f64) -> Option<f64> {
    // Minus zero plus zero is zero.
    text.parse().ok().filter(|value| (least..=most).contains(value)).map(|value: f64| value + 0.0)
}

/// What [`name`] allows.
pub const NAME: &str = "a name of 1 to 256 bytes without control characters";

/// Reads a name, as [`NAME`] says.
pub fn name(text: &str) -> Option<&str> {
    ((1..=256).contains(&text.len()) && !text.contains(char::is_control)).then_some(text)
}

/// Cuts a wrong text to the length that a message repeats.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The unpacked bytes of a source, one more than its limit at most.
pub(crate) type Unpacked<'a> = Take<Box<dyn BufRead + 'a>>;

/// Returns the bytes of a source, unpacked if they are gzip.
///
/// # Errors
/// A source whose first bytes cannot be read.
pub(crate) fn unpacked<'a>(
    mut source: impl Read + 'a,
    limits: Limits,
) -> Result<Unpacked<'a>, RecordingError> {
    let mut start = Vec::new();
    // The parser passes over a byte-order mark only if it comes in one piece.
    source.by_ref().take(4).read_to_end(&mut start).map_err(|error| unreadable(1, &error))?;
    let is_gzip = start.starts_with(&GZIP_MAGIC);
    let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(start).chain(source));
    let unpacked: Box<dyn BufRead> = if is_gzip {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(whole)))
    } else {
        Box::new(whole)
    };
    Ok(unpacked.take(limits.megabytes * 1_000_000 + 1))
}

/// The error of a source that fails, or whose gzip is damaged.
pub(crate) fn unreadable(line: u64, error: &std::io::Error) -> RecordingError {
    RecordingError::at(line, format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const SMALL: Limits = Limits { what: "a small table", rows: 3, megabytes: 1 };

    fn read(bytes: &[u8]) -> Result<Vec<Vec<String>>, RecordingError> {
        let mut reader = CsvReader::open(bytes, SMALL)?;
        let columns = reader.names.len();
        let mut records = vec![reader.names.clone()];
        while let Some(record) = reader.next_record()? {
            let values = (0..columns).map(|column| record.text(column).map(str::to_owned));
            records.push(values.collect::<Result<_, _>>()?);
        }
        Ok(records)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn line_ends_marks_blank_lines_quotes_and_gzip_make_no_difference() {
        let expected = [vec!["a", "b"], vec!["1", ""], vec!["x;\"y\",\n", "4"]];
        let forms: [&[u8]; 4] = [
            b"a,b\n1,\n\"x;\"\"y\"\",\n\",4\n",
            b"a,b\r\n1,\r\n\r\n\"x;\"\"y\"\",\n\",4",
            b"\xef\xbb\xbfa, b\n1,\n\"x;\"\"y\"\",\n\",\"4\"",
            &gzip(b"\xef\xbb\xbfa,b\r\n1,\r\n\"x;\"\"y\"\",\n\",4\r\n\r\n"),
        ];
        for form in forms {
            assert_eq!(read(form).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_line() {
        let long = [b"a,b\n1,2\n\"", &vec![b'x'; 2 * MAX_RECORD_BYTES][..]].concat();
        let wide = vec![b','; 1000];
        let packed = gzip(b"a,b\n1,2\n");
        let cases: [(&[u8], &str); 8] = [
            (b"", "line 1: the file is empty, expected a line of column names"),
            (b"a,b\r\n1,2\r\n3\r\n", "line 3: 1 values in \"3\", expected 2, one a column"),
            (b"a,b\n\n1,2,3\n", "line 3: 3 values in \"1,2,3\", expected 2, one a column"),
            (b"a,b\n\"\n\n\",2\n1,\xff\n", "line 5: value 2, column `b`, is not UTF-8 text"),
            (b"a,b\n1,1\n2,2\n3,3\n4,4\n5", "line 5: more than 3 rows, the most of a small table"),
            (&long, "line 3: a record of more than 65536 bytes; is a quote open?"),
            (&wide, "line 1: more than 256 values"),
            (&packed[..packed.len() - 9], "line 3: cannot be read: "),
        ];
        for (bytes, expected) in cases {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_small_file_that_unpacks_to_a_large_one_is_refused_with_what_is_allowed() {
        let bomb = gzip(&[b"a\n", &vec![b'\n'; 2_000_000][..]].concat());
        assert!(bomb.len() < 20_000);
        let error = read(&bomb).unwrap_err().to_string();
        assert!(error.ends_with(": more than 1 MB unpacked, the most of a small table"), "{error}");
    }

    #[test]
    fn columns_are_found_by_name_and_a_missing_one_names_those_that_there_are() {
        let reader = CsvReader::open(&b"c,a,b,b\n"[..], SMALL).unwrap();
        assert_eq!(reader.places(["a", "c"]).unwrap(), [1, 0]);
        let refused = |name: &str| reader.places([name]).unwrap_err().to_string();
        assert_eq!(refused("b"), "line 1: column `b` stands there twice");
        assert_eq!(refused("d"), "line 1: no column `d`; the columns are \"c,a,b,b\"");
        let other = CsvReader::open(&b"time;model\n1;a\n"[..], SMALL).unwrap();
        let expected =
            "line 1: no column `time`; the columns are \"time;model\"; columns are separated by commas";
        assert_eq!(other.places(["time"]).unwrap_err().to_string(), expected);
    }

    #[test]
    fn numbers_are_finite_inside_their_range_and_zero_has_no_sign() {
        assert_eq!(number("-0.0", 0.0, 1.0).map(f64::to_bits), Some(0));
        assert_eq!(number("1e0", 0.0, 1.0), Some(1.0));
        for text in ["", "NaN", "inf", "1.1", "-1", " 1", "0x1"] {
            assert_eq!(number(text, 0.0, 1.0), None, "{text}");
        }
        assert_eq!((name("\u{e9};\""), name(""), name("a\n")), (Some("\u{e9};\""), None, None));
    }
}
