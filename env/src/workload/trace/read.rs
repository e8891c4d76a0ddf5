//! Reads recorded requests from a table whose columns are known.

use std::io::Read;

use super::columns::{Column, Mapping};
use super::{NONE, Trace};
use crate::csv::{self, CsvReader, Limits, Record, RecordingError};

/// The size of the largest recording.
pub(super) const LIMITS: Limits = Limits { what: "recorded requests", rows: 50_000_000, megabytes: 8_000 };
/// The latest time, s: beyond the year 2090 where seconds count from 1970.
pub(super) const MAX_TIME_S: f64 = 4e9;
/// The longest think and load times, s.
const MAX_SPAN_S: f64 = 1e9;
const US_PER_S: f64 = 1e6;
pub(super) const NS_PER_US: u64 = 1_000;
const NAME: &str = "nothing, or a name of 1 to 256 bytes without control characters";
const WHOLE: &str = "nothing, or a whole number from 0 to 4294967295";
const SECONDS: &str = "seconds, 0 to 4000000000";
const INSTANT: &str = "seconds, 0 to 4000000000, or an instant like 2023-11-16 18:15:46.68";
const SPAN: &str = "nothing, or seconds, 0 to 1000000000";
const LOAD: &str = "nothing, or the same seconds, 0 to 1000000000, in every row of a model, and a model";

/// A column, where its values stand, and what they are multiplied by.
type Place = (Column, usize, Option<f64>);

impl Trace {
    /// Reads recorded requests as `docs/trace-format.md` describes them, plain or gzip, to their end. Rows that are not in order of
    /// time are sorted, and [`notes`](Self::notes) says how many.
    ///
    /// # Errors
    /// [`RecordingError`] with line, column, value and what is allowed: an unknown column, none of time, a value that its column does
    /// not hold; no request; more than 50,000,000, or 8 GB unpacked.
    pub fn read<R: Read>(source: R) -> Result<Self, RecordingError> {
        let reader = CsvReader::open(source, LIMITS)?;
        let mapping = |name: &String| match name.parse() {
            Ok(column) => Ok(Mapping { column, name: name.clone(), factor: None }),
            Err(reason) => {
                let hint = "`thoughtcache trace import --map` takes what it needs from other tables";
                Err(RecordingError::at(1, format!("{reason}; {}; {hint}", reader.columns())))
            }
        };
        let mappings = reader.names.iter().map(mapping).collect::<Result<Vec<_>, _>>()?;
        let mut trace = Self::read_rows(reader, &mappings, false)?;
        trace.time_us.iter_mut().for_each(|time| *time /= NS_PER_US);
        trace.sort();
        Ok(trace)
    }

    /// Reads all rows; times stay nanoseconds. An import also takes instants, and cuts reused tokens to their prompt.
    pub(super) fn read_rows(
        mut reader: CsvReader<'_>,
        mappings: &[Mapping],
        is_import: bool,
    ) -> Result<Self, RecordingError> {
        let mut places: Vec<Place> = Vec::new();
        for Mapping { column, name, factor } in mappings {
            let [index] = reader.places([name])?;
            places.push((*column, index, *factor));
        }
        places.sort_by_key(|(column, ..)| *column);
        if let Some(pair) = places.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let name = pair[0].0.name();
            return Err(RecordingError::at(1, format!("column `{name}` is there twice; each once")));
        }
        if places.first().is_none_or(|(column, ..)| *column != Column::Time) {
            let reason = format!("no column is `time_s`, which every recording has; {}", reader.columns());
            return Err(RecordingError::at(1, reason));
        }
        let (mut trace, mut cut) = (Self::default(), 0_u64);
        while let Some(record) = reader.next_record()? {
            for &place in &places {
                trace.push(&record, place, is_import)?;
            }
            let [.., prompt, _, reused] = &mut trace.columns;
            if let (Some(&prompt), Some(reused)) = (prompt.last(), reused.last_mut())
                && *reused > prompt
            {
                if !is_import {
                    let place = places.iter().find(|(column, ..)| *column == Column::ReusedTokens);
                    let expected = format_args!("at most the tokens of the prompt, {prompt}");
                    return Err(record.refused(place.map_or(0, |(_, index, _)| *index), expected));
                }
                *reused = prompt;
                cut += 1;
            }
        }
        if trace.time_us.is_empty() {
            return Err(RecordingError::at(1, "no request follows the column names"));
        }
        if cut > 0 {
            trace
                .notes
                .push(format!("{cut} rows reuse more tokens than their prompt has: taken as all of it"));
        }
        Ok(trace)
    }

    fn push(
        &mut self,
        record: &Record<'_>,
        (column, at, factor): Place,
        is_import: bool,
    ) -> Result<(), RecordingError> {
        match column {
            Column::Time => {
                // An instant has no unit that a factor could change.
                let takes_instants = is_import && factor.is_none();
                let expected = if takes_instants { INSTANT } else { SECONDS };
                let time = record.value(at, expected, |text| {
                    microseconds(text, factor, MAX_TIME_S)
                        .map(|us| us * NS_PER_US)
                        .or_else(|| if takes_instants { super::import::instant_ns(text) } else { None })
                })?;
                self.time_us.push(time);
            }
            Column::ThinkTime => {
                let read = |text: &str| {
                    if text.is_empty() { Some(0) } else { microseconds(text, factor, MAX_SPAN_S) }
                };
                self.think_time_us.push(record.value(at, SPAN, read)?);
            }
            Column::Load if record.text(at)?.is_empty() => {}
            Column::Load => {
                let load_s = record.value(at, LOAD, |text| scaled(text, factor, MAX_SPAN_S))?;
                let model = self.column(Column::Model).last().copied().unwrap_or(NONE) as usize;
                let known = self.names[0].get_index_mut(model).map(|(_, known)| known.get_or_insert(load_s));
                if known.is_none_or(|known| *known != load_s) {
                    return Err(record.refused(at, LOAD));
                }
            }
            Column::Model | Column::User | Column::Session => {
                let names = &mut self.names[column as usize - 1];
                let number = record.value(at, NAME, |text| match text {
                    "" => Some(NONE),
                    _ => Some(match names.get_index_of(text) {
                        Some(number) => number as u32,
                        None => names.insert_full(csv::name(text)?.into(), None).0 as u32,
                    }),
                })?;
                self.columns[column as usize - 1].push(number);
            }
            Column::Turn | Column::PromptTokens | Column::OutputTokens | Column::ReusedTokens => {
                let number = record.value(at, WHOLE, |text| whole(text, factor))?;
                self.columns[column as usize - 1].push(number);
            }
        }
        Ok(())
    }
}

/// A whole number, nothing for 0; products are rounded.
fn whole(text: &str, factor: Option<f64>) -> Option<u32> {
    if factor.is_none()
        && let Ok(number) = text.parse()
    {
        return Some(number);
    }
    let number = if text.is_empty() { 0.0 } else { scaled(text, factor, f64::from(u32::MAX))? };
    (factor.is_some() || number.fract() == 0.0).then_some(number.round() as u32)
}

/// A number times the factor, from 0 to `most`.
fn scaled(text: &str, factor: Option<f64>, most: f64) -> Option<f64> {
    let number = csv::number(text, 0.0, f64::MAX)? * factor.unwrap_or(1.0);
    (number <= most).then_some(number)
}

/// Seconds times the factor, to the nearest microsecond.
fn microseconds(text: &str, factor: Option<f64>, most_s: f64) -> Option<u64> {
    let us = scaled(text, Some(factor.unwrap_or(1.0) * US_PER_S), most_s * US_PER_S)?;
    Some(us.round() as u64)
}
