//! Recorded demand: how often each client asked, period by period, and how its requests followed each other.
//!
//! *Models.* A recording of rates says for each client and period how many requests a second there were, and the family and
//! the coefficient of variation of the gaps between them. It holds no request: a world draws them ([`model`]), anew in every
//! episode, with the demand that was recorded.
//!
//! *Reading order.* [`ClientRates`] (here) → its table ([`ClientRates::read`], and [`ClientRates::servegen`] for the source) →
//! [`model`] (what a world draws from).
//!
//! *Source.* `ServeGen`, arXiv 2505.09999: clients of a production service, whose requests are independent renewal processes
//! within a period. The table is described in `docs/trace-format.md`.

pub mod model;
mod table;

pub use model::{RateMap, RatesModel};

use super::trace::TraceError;
use std::collections::BTreeSet;

/// The most clients of a recording.
pub const MAX_CLIENTS: usize = 1 << 16;
/// The most rates of a recording.
pub const MAX_ROWS: usize = 1 << 22;
/// The most periods, and the most seconds of one.
const MAX_PERIODS: u32 = 1_000_000;
/// The greatest rate, requests per second.
const MAX_RATE_PER_S: f64 = 1e6;
/// The coefficients of variation that a recording may have.
const CVS: std::ops::RangeInclusive<f64> = 1e-3..=2e3;

/// The family of the gaps between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Gamma's law.
    Gamma,
    /// Weibull's law.
    Weibull,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    /// The class of models that it asks for.
    pub model: String,
    /// Its name, unique among the clients of its class.
    pub name: String,
}

/// What one client did in one period.
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

/// A whole recording.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRates {
    period_s: u32,
    clients: Vec<Client>,
    rates: Vec<Rate>,
}

impl ClientRates {
    /// A recording of these rates, in any order.
    ///
    /// # Errors
    /// [`TraceError::BadRates`] without a rate; for clients that are too many, nameless or the same; for a rate out of range or a
    /// second one of the same client and period.
    pub fn new(period_s: u32, clients: Vec<Client>, mut rates: Vec<Rate>) -> Result<Self, TraceError> {
        rates.sort_by_key(|rate| (rate.client, rate.period));
        let recording = Self { period_s, clients, rates };
        match recording.fault() {
            Some(reason) => Err(TraceError::BadRates { reason }),
            None => recording.check_rates().map(|()| recording),
        }
    }

    fn fault(&self) -> Option<String> {
        if self.rates.is_empty() {
            return Some("no rate is recorded".into());
        }
        if !(1..=MAX_PERIODS).contains(&self.period_s) {
            return Some(format!("periods of {} s, allowed are 1 to {MAX_PERIODS}", self.period_s));
        }
        if self.clients.len() > MAX_CLIENTS || self.rates.len() > MAX_ROWS {
            return Some(format!(
                "{} clients with {} rates, allowed are at most {MAX_CLIENTS} with {MAX_ROWS}",
                self.clients.len(),
                self.rates.len()
            ));
        }
        let mut seen = BTreeSet::new();
        for (index, client) in self.clients.iter().enumerate() {
            if client.model.is_empty() || client.name.is_empty() || !seen.insert(client) {
                let Client { model, name } = client;
                return Some(format!(
                    "client {index} is {name:?} of {model:?}; names are not empty and not repeated"
                ));
            }
        }
        None
    }

    fn check_rates(&self) -> Result<(), TraceError> {
        let mut previous = None;
        for (row, rate) in self.rates.iter().enumerate() {
            let reason = if rate.client as usize >= self.clients.len() {
                format!("client {}, but there are {}", rate.client, self.clients.len())
            } else if rate.period >= MAX_PERIODS {
                format!("period {}, allowed are 0 to {}", rate.period, MAX_PERIODS - 1)
            } else if !(rate.rate_per_s > 0.0 && rate.rate_per_s <= MAX_RATE_PER_S) {
                format!("{} requests a second, allowed are above 0 to {MAX_RATE_PER_S}", rate.rate_per_s)
            } else if !CVS.contains(&rate.cv) {
                format!(
                    "a coefficient of variation of {}, allowed are {} to {}",
                    rate.cv,
                    CVS.start(),
                    CVS.end()
                )
            } else if previous == Some((rate.client, rate.period)) {
                format!("client {} has period {} twice", rate.client, rate.period)
            } else {
                previous = Some((rate.client, rate.period));
                continue;
            };
            return Err(TraceError::BadRates { reason: format!("rate {row}: {reason}") });
        }
        Ok(())
    }

    /// Seconds of a period.
    pub fn period_s(&self) -> u32 {
        self.period_s
    }

    /// Periods from the first to the last.
    pub fn num_periods(&self) -> u32 {
        self.rates.iter().map(|rate| rate.period + 1).max().unwrap_or(0)
    }

    /// Who asks.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// All rates, by client and period.
    pub fn rates(&self) -> &[Rate] {
        &self.rates
    }

    /// The classes of models, in order of the clients that ask for them.
    pub fn models(&self) -> Vec<&str> {
        let mut models = Vec::new();
        for client in &self.clients {
            if !models.contains(&client.model.as_str()) {
                models.push(client.model.as_str());
            }
        }
        models
    }

    /// Requests that a rate stands for.
    pub fn requests(&self, rate: &Rate) -> f64 {
        rate.rate_per_s * f64::from(self.period_s)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Clients `a` and `b` of one class and `a` of another, with these `(client, period, rate)`.
    pub(crate) fn recording(rates: &[(u32, u32, f64)]) -> Result<ClientRates, TraceError> {
        let client = |model: &str, name: &str| Client { model: model.into(), name: name.into() };
        let clients = vec![client("large", "a"), client("large", "b"), client("small", "a")];
        let rate = |&(client, period, rate_per_s)| Rate {
            client,
            period,
            rate_per_s,
            cv: 2.0,
            family: if client == 0 { Family::Gamma } else { Family::Weibull },
        };
        ClientRates::new(60, clients, rates.iter().map(rate).collect())
    }

    #[test]
    fn rates_are_sorted_and_counted() {
        let recording = recording(&[(2, 4, 0.5), (0, 1, 2.0), (0, 0, 1.0)]).unwrap();
        let order: Vec<_> = recording.rates().iter().map(|rate| (rate.client, rate.period)).collect();
        assert_eq!(order, [(0, 0), (0, 1), (2, 4)]);
        assert_eq!((recording.num_periods(), recording.models()), (5, vec!["large", "small"]));
        assert_eq!(recording.requests(&recording.rates()[2]), 30.0);
    }

    #[test]
    fn what_cannot_have_been_recorded_is_refused_with_its_row() {
        for (rates, expected) in [
            (&[][..], "no rate is recorded"),
            (&[(3, 0, 1.0)], "rate 0: client 3, but there are 3"),
            (&[(0, 0, 1.0), (0, 0, 2.0)], "rate 1: client 0 has period 0 twice"),
            (&[(0, 0, 0.0)], "rate 0: 0 requests a second, allowed are above 0 to 1000000"),
            (&[(0, 0, f64::NAN)], "rate 0: NaN requests a second, allowed are above 0 to 1000000"),
            (&[(0, 1_000_000, 1.0)], "rate 0: period 1000000, allowed are 0 to 999999"),
        ] {
            assert_eq!(recording(rates).unwrap_err().to_string(), expected);
        }
    }
}
