//! `thoughtcache trace stats FILE --format throughput|irish5g`: how recorded rates of phones are spread and how fast they
//! change, and beside them those of the users of a scenario.

use crate::recording;
use crate::scenario_file;
use crate::sheet::joined;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use thoughtcache_env::radio::rate_process::rate_process;
use thoughtcache_env::radio::rate_stats::RateStats;
use thoughtcache_env::radio::recordings;
use thoughtcache_env::radio::replay::{ThroughputTrace, ThroughputTraces};
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::text::Override;

/// Users that are simulated, at most.
const MAX_USERS: u32 = 100;

/// Sources of recorded throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lumos5G as SIGCOMM21-5G has it: radio, trace, second, downlink
    Throughput,
    /// Irish 5G: the downloads of phones in Dublin and Cork
    #[value(name = "irish5g")]
    Irish5g,
}

/// Compares the rates of a recording by kind, and those of a scenario where one is named, with changes and a seed.
pub(super) fn comparison(
    file: &Path,
    format: Format,
    scenario: Option<(&str, &[Override])>,
    seed: u64,
) -> Result<Value> {
    let source = recording::open(file)?;
    let traces = match format {
        Format::Throughput => recordings::throughput(source),
        Format::Irish5g => recordings::irish5g(source),
    };
    let traces = traces.with_context(|| file.display().to_string())?;
    let mut by_kind: BTreeMap<&str, Vec<&ThroughputTrace>> = BTreeMap::new();
    for trace in traces.traces() {
        by_kind.entry(trace.kind()).or_default().push(trace);
    }
    let has_kinds = by_kind.len() > 1;
    let mut rates: Vec<Value> = by_kind
        .into_iter()
        .filter_map(|(kind, traces)| Some(row(kind, true, &RateStats::new(traces)?)))
        .collect();
    if has_kinds && let Some(stats) = RateStats::new(traces.traces()) {
        rates.push(row("all", true, &stats));
    }
    ensure!(!rates.is_empty(), "{}: no trace has a whole second", file.display());
    if let Some((name, changes)) = scenario {
        rates.push(simulated(name, changes, &traces, seed)?);
    }
    Ok(json!({ "file": file.display().to_string(), "rates": rates }))
}

/// The statistics of a kind of recorded traces, or of a scenario.
fn row(of: &str, is_recorded: bool, stats: &RateStats) -> Value {
    joined(json!({ "of": of, "is_recorded": is_recorded }), json!(stats))
}

/// The rates of users of a scenario, for as long as the recorded ones last on average.
fn simulated(name: &str, changes: &[Override], recorded: &ThroughputTraces, seed: u64) -> Result<Value> {
    let scenario = scenario_file::load(name, changes)?.scenario;
    let Some(physical) = scenario.physical() else {
        anyhow::bail!("scenario {} has no [physical] and so no radio: name one that has", scenario.name);
    };
    let traces = recorded.traces();
    let mean_s = traces.iter().map(ThroughputTrace::duration_s).sum::<f64>() / traces.len() as f64;
    let size = (physical.num_users.min(MAX_USERS), mean_s.round().max(1.0) as u32);
    let seed = Seed::new(Purpose::Test, seed);
    let stats = rate_process(&physical.radio, &physical.cells, size, seed)
        .and_then(|traces| RateStats::new(traces.traces()))
        .context("the scenario has no users")?;
    Ok(row(&format!("{}, alone in the cell", scenario.name), false, &stats))
}
