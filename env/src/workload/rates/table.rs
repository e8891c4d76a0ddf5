//! Reads and writes recorded rates as a table: `model,client,start_s,rate_per_s,iat_cv,family`, as `docs/trace-format.md` describes.
//!
//! *Source.* `alibaba/ServeGen`, Apache-2.0, has the same columns under other names, and the parameters of a fit, which are passed
//! over: rate and coefficient of variation determine a law of the family.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::{CVS, Client, ClientRates, Family, MAX_PERIODS, MAX_RATE_PER_S, MAX_ROWS, Rate};
use crate::csv::{self, CsvError, CsvReader, Limits};
use crate::workload::trace::quoted;

const LIMITS: Limits = Limits { what: "recorded rates", rows: MAX_ROWS as u64, megabytes: 512 };
const COLUMNS: [&str; 6] = ["model", "client", "start_s", "rate_per_s", "iat_cv", "family"];
const SERVEGEN: [&str; 6] = ["model", "client", "t_start_s", "rate_req_s", "iat_cv", "arrival_family"];
const STARTS: &str = "a whole number of seconds";
const RATE: &str = "a number of requests a second above 0, at most 1e6";
const CV: &str = "a number from 0.001 to 2000";
const FAMILY: &str = "gamma or weibull";

/// A row before the length of a period is known.
struct Row {
    line: u64,
    start_s: u32,
    rate: Rate,
}

impl ClientRates {
    /// Reads recorded rates, plain or gzip, in any order. The least start above 0 is the length of a period; all starts are multiples
    /// of it.
    ///
    /// # Errors
    /// [`CsvError`] with its place.
    pub fn read<R: Read>(source: R) -> Result<Self, CsvError> {
        rates(source, COLUMNS)
    }

    /// Imports the rates of `ServeGen`'s clients, plain or gzip.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn servegen<R: Read>(source: R) -> Result<Self, CsvError> {
        rates(source, SERVEGEN)
    }

    /// Whether columns are those of recorded rates.
    pub fn is_table(names: &[String]) -> bool {
        names.iter().any(|name| name == COLUMNS[3])
    }

    /// Writes the rates as CSV, by client and period, and gives the sink back, flushed. What is read again is the same.
    ///
    /// # Errors
    /// What the sink reports.
    pub fn write<W: Write>(&self, mut sink: W) -> io::Result<W> {
        writeln!(sink, "{}", COLUMNS.join(","))?;
        for rate in &self.rates {
            let Client { model, name } = &self.clients[rate.client as usize];
            let start_s = u64::from(rate.period) * u64::from(self.period_s);
            let family = match rate.family {
                Family::Gamma => "gamma",
                Family::Weibull => "weibull",
            };
            let (model, name) = (quoted(model), quoted(name));
            writeln!(sink, "{model},{name},{start_s},{},{},{family}", rate.rate_per_s, rate.cv)?;
        }
        sink.flush()?;
        Ok(sink)
    }
}

fn rates(source: impl Read, columns: [&str; 6]) -> Result<ClientRates, CsvError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [model, client, start, rate, cv, family] = reader.places(columns)?;
    let (mut clients, mut numbers, mut rows) = (Vec::new(), BTreeMap::new(), Vec::new());
    while let Some(record) = reader.next_record()? {
        let client = Client {
            model: record.value(model, csv::NAME, csv::name)?.to_owned(),
            name: record.value(client, csv::NAME, csv::name)?.to_owned(),
        };
        let client = *numbers.entry(client.clone()).or_insert_with(|| {
            clients.push(client);
            clients.len() as u32 - 1
        });
        let start_s = record.value(start, STARTS, |text| text.parse().ok())?;
        let rate = Rate {
            client,
            period: 0,
            rate_per_s: record.value(rate, RATE, |text| {
                csv::number(text, 0.0, MAX_RATE_PER_S).filter(|rate| *rate > 0.0)
            })?,
            cv: record.value(cv, CV, |text| csv::number(text, *CVS.start(), *CVS.end()))?,
            family: record.value(family, FAMILY, |text| match text {
                _ if text.eq_ignore_ascii_case("gamma") => Some(Family::Gamma),
                _ if text.eq_ignore_ascii_case("weibull") => Some(Family::Weibull),
                _ => None,
            })?,
        };
        rows.push(Row { line: record.line(), start_s, rate });
    }
    let starts = rows.iter().map(|row| row.start_s).filter(|start_s| *start_s > 0);
    let Some(period_s) = starts.min() else {
        let reason = format!("no `{}` above 0; rates of two periods or more are needed", columns[2]);
        return Err(CsvError::line(1, reason));
    };
    for Row { line, start_s, rate } in &mut rows {
        rate.period = *start_s / period_s;
        if !start_s.is_multiple_of(period_s) || rate.period >= MAX_PERIODS {
            let reason = format!("a period begins at {start_s} s");
            let allowed = format!("{MAX_PERIODS} multiples of {period_s} s, the least start above 0");
            return Err(CsvError::line(*line, format!("{reason}; allowed are the first {allowed}")));
        }
    }
    rows.sort_by_key(|row| (row.rate.client, row.rate.period));
    let place = |row: &Row| (row.rate.client, row.rate.period);
    if let Some(twice) = rows.windows(2).find(|pair| place(&pair[0]) == place(&pair[1])) {
        let first = twice[0].line;
        return Err(CsvError::line(
            twice[1].line,
            format!("the client has a rate for this period in line {first}"),
        ));
    }
    let rates = rows.into_iter().map(|row| row.rate).collect();
    ClientRates::new(period_s, clients, rates).map_err(|error| CsvError::line(1, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<ClientRates, CsvError> {
        ClientRates::read(format!("{}\n{lines}", COLUMNS.join(",")).as_bytes())
    }

    #[test]
    fn clients_are_numbered_as_they_appear_periods_come_in_order_and_all_survives_writing() {
        let text = "large,7,1200,0.5,1.5,gamma\nlarge,7,0,2,0.5,weibull\nsmall,\"a,b\",600,0.1,1,gamma\n";
        let recording = import(text).unwrap();
        let client = |model: &str, name: &str| Client { model: model.into(), name: name.into() };
        assert_eq!(recording.clients(), [client("large", "7"), client("small", "a,b")]);
        let rates: Vec<_> =
            recording.rates().iter().map(|rate| (rate.client, rate.period, rate.rate_per_s)).collect();
        assert_eq!(rates, [(0, 0, 2.0), (0, 2, 0.5), (1, 1, 0.1)]);
        assert_eq!((recording.period_s(), recording.rates()[0].family), (600, Family::Weibull));
        let bytes = recording.write(Vec::new()).unwrap();
        assert_eq!(ClientRates::read(&bytes[..]).unwrap(), recording);
        let theirs = text.replace("gamma", "Gamma,0.4,5").replace("weibull", "Weibull,2,0.4");
        let theirs = format!("{},arg1_shape,arg2_scale\n{theirs}", SERVEGEN.join(","));
        assert_eq!(ClientRates::servegen(theirs.as_bytes()).unwrap(), recording);
    }

    #[test]
    fn a_wrong_value_names_line_column_value_and_what_is_allowed() {
        let good = "m,c,600,1,1,gamma";
        let refusals: Vec<String> = [
            ("m", ""),
            ("600", "-600"),
            ("600,1", "600,0"),
            ("600,1", "600,inf"),
            ("1,gamma", "0.0001,gamma"),
            ("gamma", "poisson"),
            (",1,1,", ",1,"),
            ("600", "601"),
            ("600", "600"),
        ]
        .into_iter()
        .map(|(from, to)| {
            import(&format!("{good}\n{}\n", good.replacen(from, to, 1))).unwrap_err().to_string()
        })
        .chain(["", "m,c,0,1,1,gamma"].map(|text| import(text).unwrap_err().to_string()))
        .collect();
        insta::assert_snapshot!(refusals.join("\n"));
    }
}
