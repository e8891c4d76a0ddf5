//! What a recording of rates holds.

use serde::Serialize;
use std::path::Path;
use thoughtcache_env::workload::rates::{Client, ClientRates};

/// How many clients are listed.
const LISTED: usize = 10;

/// The clients that ask most, and all of them together.
#[derive(Serialize)]
pub(super) struct Summary {
    file: String,
    clients: usize,
    rates: usize,
    period_s: u32,
    periods: u32,
    /// How many requests the rates amount to.
    requests: f64,
    requests_per_s: f64,
    models: Vec<Asked>,
    top_clients: Vec<Asked>,
}

/// The demand of one client, or for one class of models.
#[derive(Serialize)]
struct Asked {
    name: String,
    periods: usize,
    requests_per_s: f64,
    share: f64,
}

impl Summary {
    /// Summarises a recording.
    pub(super) fn new(file: &Path, recording: &ClientRates) -> Self {
        let span_s = f64::from(recording.num_periods()) * f64::from(recording.period_s());
        let by_model = recording.demand(u64::MAX, |client| Some(client.model.clone()));
        let requests: f64 = by_model.values().map(|demand| demand.requests).sum();
        let by_client = recording.demand(u64::MAX, |Client { model, name }| Some(format!("{model}/{name}")));
        let [models, top_clients] = [by_model, by_client].map(|demands| {
            let asked = demands.into_iter().take(LISTED).map(|(name, demand)| Asked {
                name,
                periods: demand.rates,
                requests_per_s: demand.requests / span_s,
                share: demand.requests / requests,
            });
            asked.collect()
        });
        Self {
            file: file.display().to_string(),
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
}
