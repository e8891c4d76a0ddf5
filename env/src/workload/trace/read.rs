//! Reads recorded requests from a table whose columns are known.

use std::io::Read;

use super::columns::{Column, Mapping};
use super::import::Clock;
use super::names::NONE;
use super::{Names, Trace};
use crate::csv::{self, CsvError, CsvReader, Limits, Record};

/// The greatest recording.
pub(super) const LIMITS: Limits = Limits { what: "recorded requests", rows: 50_000_000, megabytes: 8_000 };
/// The latest time, s: beyond the year 2090 where seconds count from 1970.
pub(super) const MAX_TIME_S: f64 = 4e9;
/// The longest think and load times, s.
const MAX_SPAN_S: f64 = 1e9;
const US_PER_S: f64 = 1e6;
const NS_PER_US: u64 = 1_000;
const NAME: &str = "nothing, or a name of 1 to 256 bytes without control characters";
const WHOLE: &str = "nothing, or a whole number from 0 to 4294967295";
const SECONDS: &str = "seconds, 0 to 4000000000";
const INSTANT: &str = "seconds, 0 to 4000000000, or an instant like 2023-11-16 18:15:46.68";
const SPAN: &str = "nothing, or seconds, 0 to 1000000000";
const LOAD: &str = "nothing, or the same seconds, 0 to 1000000000, in every row of a model, and a model";
const REUSED: &str = "at most the tokens of the prompt";

/// Where the values of a column stand, and what they are multiplied by.
struct Place {
    column: Column,
    index: usize,
    factor: Option<f64>,
}

impl Trace {
    /// Reads recorded requests as `docs/trace-format.md` describes them, plain or gzip, to their end. Rows that are not in order of
    /// time are sorted, and [`notes`](Self::notes) says how many.
    ///
    /// # Errors
    /// [`CsvError`] with line, column, value and what is allowed: an unknown column, none of time, a value that its column does not
    /// hold; no request; more than 50,000,000, or 8 GB unpacked.
    pub fn read<R: Read>(source: R) -> Result<Self, CsvError> {
        let reader = CsvReader::open(source, LIMITS)?;
        let mut places = Vec::new();
        for (place, name) in reader.names().iter().enumerate() {
            let column: Column = name.parse().map_err(|reason: String| {
                let hint = "; `thoughtcache trace import --map` takes what it needs from other tables";
                CsvError::line(1, format!("{reason}; {}{hint}", reader.columns()))
            })?;
            places.push(Place { column, index: place, factor: None });
        }
        let mut trace = Self::default();
        trace.read_rows(reader, places, None)?;
        trace.time_us.iter_mut().for_each(|time| *time /= NS_PER_US);
        trace.sort();
        Ok(trace)
    }

    /// Reads requests from a table of other columns; times count from the first one.
    pub(super) fn read_mapped<R: Read>(
        source: R,
        mappings: &[Mapping],
        clock: Clock,
    ) -> Result<Self, CsvError> {
        let reader = CsvReader::open(source, LIMITS)?;
        let place = |mapping: &Mapping| {
            let place = reader.place(&mapping.name)?;
            Ok(Place { column: mapping.column, index: place, factor: mapping.factor })
        };
        let places = mappings.iter().map(place).collect::<Result<_, CsvError>>()?;
        let mut trace = Self::default();
        trace.read_rows(reader, places, Some(clock))?;
        if let Clock::Session { sessions_per_s, seed } = clock {
            let starts = super::import::session_starts_ns(trace.sessions.len(), sessions_per_s, seed);
            for (time, session) in trace.time_us.iter_mut().zip(&trace.session) {
                *time = time.saturating_add(starts[*session as usize]);
            }
            trace.notes.push(format!(
                "{} sessions begin at random, {sessions_per_s} a second on average, drawn by seed {seed}",
                starts.len()
            ));
        }
        trace.count_from_first()
    }

    /// Sorts by nanoseconds, then counts whole microseconds from the first request.
    pub(super) fn count_from_first(mut self) -> Result<Self, CsvError> {
        self.sort();
        let first = self.time_us[0];
        self.time_us.iter_mut().for_each(|time| *time = (*time - first) / NS_PER_US);
        if self.last_us() as f64 > MAX_TIME_S * US_PER_S {
            let reason =
                format!("the last request is {} s after the first", self.last_us() as f64 / US_PER_S);
            return Err(CsvError::line(1, format!("{reason}; allowed are 4000000000")));
        }
        Ok(self)
    }

    /// Reads all rows; times stay nanoseconds. `clock` is that of an import, `None` for our own form.
    fn read_rows(
        &mut self,
        mut reader: CsvReader<'_>,
        mut places: Vec<Place>,
        clock: Option<Clock>,
    ) -> Result<(), CsvError> {
        places.sort_by_key(|place| place.column);
        if let Some(pair) = places.windows(2).find(|pair| pair[0].column == pair[1].column) {
            let column = pair[0].column;
            return Err(CsvError::line(1, format!("column `{column}` is there twice; each once")));
        }
        if places.first().is_none_or(|place| place.column != Column::Time) {
            let reason = format!("no column is `time_s`, which every recording has; {}", reader.columns());
            return Err(CsvError::line(1, reason));
        }
        let is_session_clock = matches!(clock, Some(Clock::Session { .. }));
        if is_session_clock && !places.iter().any(|place| place.column == Column::Session) {
            return Err(CsvError::line(1, "no column is `session`, whose clock the time is"));
        }
        let mut cut = 0_u64;
        while let Some(record) = reader.next_record()? {
            for place in &places {
                self.push(&record, place, clock.is_some())?;
            }
            if is_session_clock && self.session.last() == Some(&NONE) {
                let line = record.line();
                return Err(CsvError::line(line, "the row names no session, whose clock its time is"));
            }
            let reused = self.reused_tokens.last_mut();
            if let Some(reused) = reused
                && let Some(&prompt) = self.prompt_tokens.last()
                && *reused > prompt
            {
                let place = places.iter().find(|place| place.column == Column::ReusedTokens);
                if clock.is_none() {
                    let place = place.map_or(0, |place| place.index);
                    return Err(record.refused(place, &format!("{REUSED}, {prompt}")));
                }
                *reused = prompt;
                cut += 1;
            }
        }
        if self.time_us.is_empty() {
            return Err(CsvError::line(1, "no request follows the column names"));
        }
        if cut > 0 {
            self.notes
                .push(format!("{cut} rows reuse more tokens than their prompt has: taken as all of it"));
        }
        Ok(())
    }

    fn push(&mut self, record: &Record<'_>, place: &Place, is_import: bool) -> Result<(), CsvError> {
        let &Place { column, index: at, factor } = place;
        match column {
            Column::Time => {
                let expected = if is_import { INSTANT } else { SECONDS };
                let time = record.value(at, expected, |text| {
                    microseconds(text, factor, MAX_TIME_S)
                        .map(|us| us * NS_PER_US)
                        .or_else(|| if is_import { super::import::instant_ns(text) } else { None })
                })?;
                self.time_us.push(time);
            }
            Column::Model => named(record, at, &mut self.models, &mut self.model)?,
            Column::User => named(record, at, &mut self.users, &mut self.user)?,
            Column::Session => named(record, at, &mut self.sessions, &mut self.session)?,
            Column::Turn => self.turn.push(whole(record, at, factor)?),
            Column::PromptTokens => self.prompt_tokens.push(whole(record, at, factor)?),
            Column::OutputTokens => self.output_tokens.push(whole(record, at, factor)?),
            Column::ReusedTokens => self.reused_tokens.push(whole(record, at, factor)?),
            Column::ThinkTime => {
                let time = record.value(at, SPAN, |text| match text {
                    "" => Some(0),
                    _ => microseconds(text, factor, MAX_SPAN_S),
                })?;
                self.think_time_us.push(time);
            }
            Column::Load => self.push_load(record, at, factor)?,
        }
        Ok(())
    }

    /// Notes the load time of the model that the row before named.
    fn push_load(&mut self, record: &Record<'_>, at: usize, factor: Option<f64>) -> Result<(), CsvError> {
        if record.text(at)?.is_empty() {
            return Ok(());
        }
        let load_s = record.value(at, LOAD, |text| scaled(text, factor, MAX_SPAN_S))?;
        let model = self.model.last().copied().filter(|model| *model != NONE);
        let model = model.ok_or_else(|| record.refused(at, LOAD))? as usize;
        if self.load_s.len() < self.models.len() {
            self.load_s.resize(self.models.len(), None);
        }
        if *self.load_s[model].get_or_insert(load_s) != load_s {
            return Err(record.refused(at, LOAD));
        }
        Ok(())
    }

    /// Gives every model a load time.
    pub(super) fn with_load_s(mut self, load_s: Vec<f64>) -> Self {
        self.load_s = load_s.into_iter().map(Some).collect();
        self
    }
}

fn named(record: &Record<'_>, at: usize, names: &mut Names, column: &mut Vec<u32>) -> Result<(), CsvError> {
    let number = match record.text(at)? {
        "" => NONE,
        text => names.number(csv::name(text).ok_or_else(|| record.refused(at, NAME))?),
    };
    column.push(number);
    Ok(())
}

fn whole(record: &Record<'_>, at: usize, factor: Option<f64>) -> Result<u32, CsvError> {
    let text = record.text(at)?;
    if factor.is_none()
        && let Ok(number) = text.parse()
    {
        return Ok(number);
    }
    let most = f64::from(u32::MAX);
    let number = match (text, factor) {
        ("", _) => Some(0.0),
        (_, None) => csv::number(text, 0.0, most).filter(|number| number.fract() == 0.0),
        (_, Some(_)) => scaled(text, factor, most).map(f64::round),
    };
    number.map(|number| number as u32).ok_or_else(|| record.refused(at, WHOLE))
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
