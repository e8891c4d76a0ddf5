//! Rates of the clients of a production LLM service, 2025.
//!
//! *Columns.* `model` (the class of models), `client`, `t_start_s` (of a period of 600 s), `rate_req_s`, `iat_cv`
//! (coefficient of variation of the gaps between requests), `arrival_family` (`Gamma` or `Weibull`), `arg1_shape` and
//! `arg2_scale` (the fit of that family). The rate and the coefficient of variation determine a law of the family; the fit is
//! not read.
//!
//! *Source.* `alibaba/ServeGen`, Apache-2.0, as one table: 421 clients of 5 classes, 251,524 periods over 14 days. Paper:
//! arXiv 2505.09999.

use std::collections::BTreeMap;
use std::io::Read;

use super::csv::CsvReader;
use crate::workload::rates::{Client, ClientRates, Family, Rate};
use crate::workload::trace::TraceError;

pub(super) const COLUMNS: [&str; 8] =
    ["model", "client", "t_start_s", "rate_req_s", "iat_cv", "arrival_family", "arg1_shape", "arg2_scale"];
/// Seconds of a period.
const PERIOD_S: u32 = 600;

/// Imports the rates of clients, plain or gzip.
///
/// # Errors
/// [`TraceError::BadLine`] and [`TraceError::BadValue`] with their place; as [`ClientRates::new`].
pub fn servegen<R: Read>(source: R) -> Result<ClientRates, TraceError> {
    let mut reader = CsvReader::open(source, &COLUMNS)?;
    let (mut clients, mut numbers, mut rates) = (Vec::new(), BTreeMap::new(), Vec::new());
    while let Some(record) = reader.next_record()? {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let client = Client {
            model: record.value(0, "the name of a class of models", name)?,
            name: record.value(1, "the name of a client", name)?,
        };
        let number = *numbers.entry(client.clone()).or_insert_with(|| {
            clients.push(client);
            clients.len() as u32 - 1
        });
        rates.push(Rate {
            client: number,
            period: record.value(2, "a whole number of seconds, a multiple of 600", period)?,
            rate_per_s: record
                .value(3, "a number of requests a second above 0, at most 1e6", |text| positive(text, 1e6))?,
            cv: record.value(4, "a number from 0.001 to 2000", |text| {
                positive(text, 2e3).filter(|cv| *cv >= 1e-3)
            })?,
            family: record.value(5, "Gamma or Weibull", |text| match text {
                "Gamma" => Some(Family::Gamma),
                "Weibull" => Some(Family::Weibull),
                _ => None,
            })?,
        });
    }
    ClientRates::new("servegen", PERIOD_S, clients, rates)
}

fn period(text: &str) -> Option<u32> {
    let seconds: u32 = text.parse().ok()?;
    seconds.is_multiple_of(PERIOD_S).then_some(seconds / PERIOD_S)
}

fn positive(text: &str, most: f64) -> Option<f64> {
    text.parse().ok().filter(|value| *value > 0.0 && *value <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(lines: &str) -> Result<ClientRates, TraceError> {
        servegen(format!("{}\n{lines}", COLUMNS.join(",")).as_bytes())
    }

    #[test]
    fn clients_are_numbered_as_they_appear_and_periods_come_in_order() {
        let recording = import(
            "large,7,1200,0.5,1.5,Gamma,0.4,5\nlarge,7,0,2,0.5,Weibull,2,0.4\nsmall,7,600,1,1,Gamma,1,1\n",
        )
        .unwrap();
        assert_eq!((recording.clients().len(), recording.period_s(), recording.num_periods()), (2, 600, 3));
        let rows: Vec<_> = recording
            .rates()
            .iter()
            .map(|rate| (rate.client, rate.period, rate.rate_per_s, rate.cv))
            .collect();
        assert_eq!(rows, [(0, 0, 2.0, 0.5), (0, 2, 0.5, 1.5), (1, 1, 1.0, 1.0)]);
        assert_eq!(recording.rates()[0].family, Family::Weibull);
    }

    #[test]
    fn a_wrong_value_names_line_column_value_and_what_is_allowed() {
        let good = "m,c,600,1,1,Gamma,1,1";
        let refusals: Vec<String> = [
            ("m", ""),
            ("600", "601"),
            ("600", "-600"),
            ("600,1", "600,0"),
            ("600,1", "600,inf"),
            ("1,Gamma", "0.0001,Gamma"),
            ("Gamma", "Poisson"),
            (",1,1,", ",1,"),
        ]
        .into_iter()
        .map(|(from, to)| {
            import(&format!("{good}\n{}\n", good.replacen(from, to, 1))).unwrap_err().to_string()
        })
        .collect();
        insta::assert_snapshot!(refusals.join("\n"));
        assert!(import("").unwrap_err().to_string().contains("no requests"));
    }
}
