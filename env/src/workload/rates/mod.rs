//! Recorded demand: how often each client asked, period by period, and how its requests followed each other.
//!
//! *Models.* A recording of rates says for each client and period how many requests a second there were, and the family and
//! the coefficient of variation of the gaps between them. It holds no request: a world draws them ([`model`]), anew in every
//! episode, with the demand that was recorded.
//!
//! *Form.* A table `model,client,start_s,rate_per_s,iat_cv,family`, as `docs/trace-format.md` describes.
//!
//! *Source.* `ServeGen`, arXiv 2505.09999: clients of a production service, whose requests are independent renewal processes
//! within a period. Its table, `alibaba/ServeGen`, Apache-2.0, has the same columns under other names, and the parameters of a fit,
//! which are passed over: rate and coefficient of variation determine a law of the family.

pub mod model;

pub use model::{RateServicesConfig, RatesModel, TopClientsConfig};

use super::trace::quoted;
use crate::csv::{self, CsvReader, Limits, RecordingError};
use indexmap::IndexMap;
use std::io::{self, Read, Write};

const LIMITS: Limits = Limits { what: "recorded rates", rows: 1 << 22, megabytes: 512 };
/// The most clients of a recording.
const MAX_CLIENTS: usize = 1 << 16;
/// The most periods, and the most seconds of one.
const MAX_PERIODS: u32 = 1_000_000;
const COLUMNS: [&str; 6] = ["model", "client", "start_s", "rate_per_s", "iat_cv", "family"];
const SERVEGEN: [&str; 6] = ["model", "client", "t_start_s", "rate_req_s", "iat_cv", "arrival_family"];
const RATE: &str = "a number of requests a second above 0, at most 1e6";
const US_PER_S: u64 = 1_000_000;

/// The family of the gaps between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Gamma's law.
    Gamma,
    /// Weibull's law.
    Weibull,
}

/// A client: a part of the population that asks for models of one class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// The class of models that it asks for.
    pub model: String,
    /// Its name, unique among the clients of its class.
    pub name: String,
}

/// The requests of one client in one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The client, an index into [`ClientRates::clients`].
    pub client: u32,
    /// The period, from 0.
    pub period: u32,
    /// Requests per second, above 0; a period without requests has no row.
    pub rate_per_s: f64,
    /// Coefficient of variation of the gaps, 0.001 to 2,000.
    pub cv: f64,
    /// The law of the gaps.
    pub family: Family,
}

/// The demand of a group of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// How many rates are recorded of it.
    pub rates: usize,
    /// How many requests these rates amount to.
    pub requests: f64,
}

/// Recorded rates; [`read`](ClientRates::read) makes them, and later changes are not checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClientRates {
    /// Seconds of a period.
    pub period_s: u32,
    /// The clients, in the order in which they first appear.
    pub clients: Vec<Client>,
    /// All rates, sorted by client and period.
    pub rates: Vec<Rate>,
}

impl ClientRates {
    /// Reads recorded rates, plain or gzip, in any order. The least start above 0 is the length of a period; all starts are multiples
    /// of it.
    ///
    /// # Errors
    /// [`RecordingError`] with its place.
    pub fn read<R: Read>(source: R) -> Result<Self, RecordingError> {
        rates(source, COLUMNS)
    }

    /// Imports the rates of `ServeGen`'s clients, plain or gzip.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn servegen<R: Read>(source: R) -> Result<Self, RecordingError> {
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

    /// Periods from the first to the last.
    pub fn num_periods(&self) -> u32 {
        self.rates.iter().map(|rate| rate.period + 1).max().unwrap_or(0)
    }

    /// Returns the demand until an instant of the groups that `group` puts clients into; the greatest first, of equal ones that of
    /// the first client.
    pub fn demand(
        &self,
        until_us: u64,
        group: impl Fn(&Client) -> Option<String>,
    ) -> IndexMap<String, Demand> {
        let mut demands: IndexMap<String, Demand> = IndexMap::new();
        let groups: Vec<Option<usize>> = self
            .clients
            .iter()
            .map(|client| Some(demands.insert_full(group(client)?, Demand::default()).0))
            .collect();
        let period_us = u64::from(self.period_s) * US_PER_S;
        for rate in &self.rates {
            // A period that goes on after the instant counts by its part before.
            let counted_us = until_us.saturating_sub(u64::from(rate.period) * period_us).min(period_us);
            if let Some(group) = groups[rate.client as usize]
                && counted_us > 0
            {
                demands[group].rates += 1;
                demands[group].requests += rate.rate_per_s * model::seconds(counted_us);
            }
        }
        demands.retain(|_, demand| demand.rates > 0);
        demands.sort_by(|_, one, _, other| other.requests.total_cmp(&one.requests));
        demands
    }
}

fn rates(source: impl Read, columns: [&str; 6]) -> Result<ClientRates, RecordingError> {
    let mut reader = CsvReader::open(source, LIMITS)?;
    let [model, client, start, rate, cv, family] = reader.places(columns)?;
    let (mut clients, mut rows) = (IndexMap::new(), Vec::new());
    while let Some(record) = reader.next_record()? {
        let client = Client { model: record.name(model)?.to_owned(), name: record.name(client)?.to_owned() };
        let client = clients.insert_full(client, ()).0;
        if client >= MAX_CLIENTS {
            return Err(record.wrong(format!("more than {MAX_CLIENTS} clients, the most of recorded rates")));
        }
        let is_positive = |text| csv::number(text, 0.0, 1e6).filter(|rate| *rate > 0.0);
        let rate = Rate {
            client: client as u32,
            // Its second, until the length of a period is known.
            period: record.value(start, "a whole number of seconds", |text| text.parse().ok())?,
            rate_per_s: record.value(rate, RATE, is_positive)?,
            cv: record.number(cv, "a number", 0.001, 2000.0)?,
            family: record.value(family, "gamma or weibull", |text| match text {
                _ if text.eq_ignore_ascii_case("gamma") => Some(Family::Gamma),
                _ if text.eq_ignore_ascii_case("weibull") => Some(Family::Weibull),
                _ => None,
            })?,
        };
        rows.push((record.line, rate));
    }
    let later = rows.iter().map(|(_, rate)| rate.period).filter(|start_s| *start_s > 0);
    let Some(period_s) = later.min() else {
        let reason = format!("no `{}` above 0; rates of two periods or more are needed", columns[2]);
        return Err(RecordingError::at(1, reason));
    };
    if period_s > MAX_PERIODS {
        let reason = format!("periods of {period_s} s, allowed are 1 to {MAX_PERIODS}");
        return Err(RecordingError::at(1, reason));
    }
    for (line, rate) in &mut rows {
        let start_s = rate.period;
        rate.period = start_s / period_s;
        if !start_s.is_multiple_of(period_s) || rate.period >= MAX_PERIODS {
            let reason = format!("a period begins at {start_s} s");
            let allowed = format!("{MAX_PERIODS} multiples of {period_s} s, the least start above 0");
            return Err(RecordingError::at(*line, format!("{reason}; allowed are the first {allowed}")));
        }
    }
    let place = |(_, rate): &(u64, Rate)| (rate.client, rate.period);
    rows.sort_by_key(place);
    if let Some(twice) = rows.windows(2).find(|pair| place(&pair[0]) == place(&pair[1])) {
        let reason = format!("the client has a rate for this period in line {}", twice[0].0);
        return Err(RecordingError::at(twice[1].0, reason));
    }
    let rates = rows.into_iter().map(|(_, rate)| rate).collect();
    Ok(ClientRates { period_s, clients: clients.into_keys().collect(), rates })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Clients `a` and `b` of one class and `a` of another, with these `(client, period, rate)` of a minute each.
    pub(crate) fn recording(rates: &[(u32, u32, f64)]) -> ClientRates {
        let row = |&(client, period, rate): &(u32, u32, f64)| {
            let client = ["large,a", "large,b", "small,a"][client as usize];
            let family = if client == "large,a" { "gamma" } else { "weibull" };
            format!("{client},{},{rate},2,{family}\n", 60 * period)
        };
        import(&rates.iter().map(row).collect::<String>()).unwrap()
    }

    #[test]
    fn demand_is_counted_by_group_until_an_instant() {
        let recording = recording(&[(2, 4, 0.5), (0, 1, 2.0), (0, 0, 1.0)]);
        assert_eq!(recording.num_periods(), 5);
        let demand = |until_us| recording.demand(until_us, |client| Some(client.model.clone()));
        let requests =
            |until_us| demand(until_us).into_iter().map(|(name, of)| (name, of.rates, of.requests));
        let (large, small) = ("large".to_owned(), "small".to_owned());
        assert!(requests(90_000_000).eq([(large.clone(), 2, 120.0)]));
        assert!(requests(u64::MAX).eq([(large, 2, 180.0), (small, 1, 30.0)]));
    }

    fn import(lines: &str) -> Result<ClientRates, RecordingError> {
        ClientRates::read(format!("{}\n{lines}", COLUMNS.join(",")).as_bytes())
    }

    #[test]
    fn clients_are_numbered_as_they_appear_periods_come_in_order_and_all_survives_writing() {
        let text = "large,7,1200,0.5,1.5,gamma\nlarge,7,0,2,0.5,weibull\nsmall,\"a,b\",600,0.1,1,gamma\n";
        let recording = import(text).unwrap();
        let client = |model: &str, name: &str| Client { model: model.into(), name: name.into() };
        assert_eq!(recording.clients, [client("large", "7"), client("small", "a,b")]);
        let rates: Vec<_> =
            recording.rates.iter().map(|rate| (rate.client, rate.period, rate.rate_per_s)).collect();
        assert_eq!(rates, [(0, 0, 2.0), (0, 2, 0.5), (1, 1, 0.1)]);
        assert_eq!((recording.period_s, recording.rates[0].family), (600, Family::Weibull));
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
        .chain(
            ["", "m,c,0,1,1,gamma", "m,c,1000001,1,1,gamma"]
                .map(|text| import(text).unwrap_err().to_string()),
        )
        .collect();
        insta::assert_snapshot!(refusals.join("\n"));
    }
}
