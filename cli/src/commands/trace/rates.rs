//! What a recording of rates holds, for people.

use crate::console::Console;
use crate::recording;
use crate::table::{Align, Table, grouped};
use anyhow::{Context, Result};
use indicatif::HumanBytes;
use serde::Serialize;
use std::path::Path;
use thoughtcache_env::workload::rates::ClientRates;

/// How many clients are listed.
const LISTED: usize = 10;

/// The clients that ask most, and all of them together.
#[derive(Serialize)]
pub(super) struct Summary {
    file: String,
    bytes: u64,
    clients: usize,
    rates: usize,
    period_s: u32,
    periods: u32,
    /// What the rates amount to.
    requests: f64,
    requests_per_s: f64,
    models: Vec<Demand>,
    top_clients: Vec<Demand>,
}

/// What one client, or one class of models, asks for.
#[derive(Serialize)]
struct Demand {
    name: String,
    periods: usize,
    requests_per_s: f64,
    share: f64,
}

impl Summary {
    /// Of a recording that stands there.
    pub(super) fn new(file: &Path, bytes: u64, recording: &ClientRates) -> Self {
        let span_s = f64::from(recording.num_periods()) * f64::from(recording.period_s());
        let mut by_client = vec![(0, 0.0); recording.clients().len()];
        for rate in recording.rates() {
            let (periods, requests) = &mut by_client[rate.client as usize];
            *periods += 1;
            *requests += recording.requests(rate);
        }
        let requests: f64 = by_client.iter().map(|(_, requests)| requests).sum();
        let share = |name: String, periods, of: f64| Demand {
            name,
            periods,
            requests_per_s: of / span_s,
            share: of / requests,
        };
        let of_model = |model: &str| {
            let clients = recording.clients().iter().zip(&by_client);
            let own = clients.filter(|(client, _)| client.model == model);
            own.fold((0, 0.0), |(periods, sum), (_, of)| (periods + of.0, sum + of.1))
        };
        let models = recording
            .models()
            .into_iter()
            .map(|model| {
                let (periods, requests) = of_model(model);
                share(model.to_owned(), periods, requests)
            })
            .collect();
        let mut top_clients: Vec<Demand> = recording
            .clients()
            .iter()
            .zip(by_client)
            .map(|(client, (periods, requests))| {
                share(format!("{}/{}", client.model, client.name), periods, requests)
            })
            .collect();
        top_clients.sort_by(|one, other| other.share.total_cmp(&one.share));
        top_clients.truncate(LISTED);
        Self {
            file: file.display().to_string(),
            bytes,
            clients: recording.clients().len(),
            rates: recording.rates().len(),
            period_s: recording.period_s(),
            periods: recording.num_periods(),
            requests,
            requests_per_s: requests / span_s,
            models,
            top_clients,
        }
    }

    /// The same for a terminal.
    pub(super) fn text(&self) -> String {
        let head = format!(
            "{}: {} rates of {} clients over {} periods of {} s, {:.1} requests a second; {}\n",
            self.file,
            grouped(self.rates as u64),
            self.clients,
            grouped(self.periods.into()),
            self.period_s,
            self.requests_per_s,
            HumanBytes(self.bytes),
        );
        let table = |title: &str, shares: &[Demand]| {
            let columns = [
                (title, Align::Left),
                ("periods", Align::Right),
                ("a second", Align::Right),
                ("share", Align::Right),
            ];
            let mut table = Table::new(columns);
            for Demand { name, periods, requests_per_s, share } in shares {
                let cells = [
                    grouped(*periods as u64),
                    format!("{requests_per_s:.2}"),
                    format!("{:.1} %", 100.0 * share),
                ];
                table.row([name, &cells[0], &cells[1], &cells[2]]);
            }
            table.text(2)
        };
        let clients = table("those who ask most", &self.top_clients);
        format!("{head}\n{}\n{clients}", table("class of models", &self.models))
    }
}

/// Reads a recording to its end and says that it is whole.
pub(super) fn check(console: Console, path: &Path) -> Result<()> {
    let file = path.display();
    let recording =
        recording::rates(path).with_context(|| format!("{file} cannot be used: copy or import it again"))?;
    let found = serde_json::json!({ "rates": recording.rates().len(), "clients": recording.clients().len() });
    console.result(&found, || {
        let rates = grouped(recording.rates().len() as u64);
        format!("{file}: ok; {rates} rates of {} clients\n", recording.clients().len())
    })
}
