//! A summary of a recording of rates.

use serde_json::{Value, json};
use std::path::Path;
use thoughtcache_env::workload::rates::{Client, ClientRates};

/// How many clients are listed.
const LISTED: usize = 10;

/// Summarises a recording: the clients that ask most, and all of them together.
pub(super) fn summary(file: &Path, recording: &ClientRates) -> Value {
    let span_s = f64::from(recording.num_periods()) * f64::from(recording.period_s);
    let by_model = recording.demand(u64::MAX, |client| Some(client.model.clone()));
    let by_client = recording.demand(u64::MAX, |Client { model, name }| Some(format!("{model}/{name}")));
    let requests: f64 = by_model.values().map(|demand| demand.requests).sum();
    let [models, top_clients] = [by_model, by_client].map(|demands| {
        let asked = demands.into_iter().take(LISTED).map(|(name, demand)| {
            json!({
                "name": name,
                "periods": demand.rates,
                "requests_per_s": demand.requests / span_s,
                "share": demand.requests / requests,
            })
        });
        asked.collect::<Vec<Value>>()
    });
    json!({
        "file": file.display().to_string(),
        "clients": recording.clients.len(),
        "rates": recording.rates.len(),
        "period_s": recording.period_s,
        "periods": recording.num_periods(),
        "requests": requests,
        "requests_per_s": requests / span_s,
        "models": models,
        "top_clients": top_clients,
    })
}
