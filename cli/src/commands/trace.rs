//! `thoughtcache trace`: recorded requests, from their source's files into ours, what is in them, and cache rules on them.

mod import;
mod rates;
mod replay;
mod throughput;

use crate::args::{SettingArgs, number, whole};
use crate::console::{Console, Verdict};
use crate::recording;
use crate::sheet::{joined, show};
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use thoughtcache_env::workload::trace::{SplitShares, TraceStats};

/// Models that are listed for people.
const LISTED: usize = 10;

/// Import, summarise, check and replay recorded requests
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache trace import AzureLLMInferenceTrace_conv.csv.gz --format azure \\
    --out azure-conv.csv.gz
  thoughtcache trace stats azure-conv.csv.gz --slot-s 1
  thoughtcache trace check azure-conv.csv.gz
  thoughtcache trace replay gentd26_unit.oracleGeneral.bin.gz --capacity 4,16")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Turn a source's own file, plain or gzip, into a recording: one documented CSV that scenarios replay
    #[command(after_help = "\
Examples:
  thoughtcache trace import AzureLLMInferenceTrace_conv.csv.gz --format azure \\
    --out azure-conv.csv.gz
  thoughtcache trace import lora_request_trace.csv.gz --format gentd26 \\
    --load-times basemodel_update_latency_anon.csv.gz --out gentd26.csv.gz
  thoughtcache trace import conversation_trace.jsonl --format mooncake --out mooncake.csv.gz
  thoughtcache trace import client_rates_600s.csv.gz --format servegen --out servegen.csv.gz
  thoughtcache trace import requests.csv --map time_s=TIMESTAMP --map model=model \\
    --map reused_tokens=shared_prefix_blocks64*64 --out requests.csv.gz

A recording is a CSV with the column time_s (seconds) and any of model (or service), user, session, turn, prompt_tokens,
output_tokens, reused_tokens, think_time_s, load_s; one can be written by hand and needs no import.")]
    Import(import::Args),
    /// Say how much a recording asks for, when, and of which models; or how recorded rates of phones change
    #[command(after_help = "\
Examples:
  thoughtcache trace stats gentd26.csv.gz --slot-s 600
  thoughtcache trace stats lumos5g_abr_traces_1s.csv.gz --format throughput --scenario street

Outage is the share of seconds below 1 Mbit/s; lag 1 is the correlation of neighbouring seconds,
each about the mean of its trace.")]
    Stats(StatsArgs),
    /// Read a recording to its end and list what is odd: rows out of order, parts of the split that are too small
    #[command(after_help = "Example:\n  thoughtcache trace check gentd26.csv.gz")]
    Check {
        /// A CSV of recorded requests or rates, plain or gzip
        file: PathBuf,
    },
    /// Count the misses of classic cache rules on a trace of objects, and what no rule can beat
    #[command(after_help = "\
Examples:
  thoughtcache trace replay cloudPhysicsIO.oracleGeneral.bin.gz --policy lru --capacity 128MiB
  thoughtcache trace replay cloudPhysicsIO.oracleGeneral.bin.gz --capacity 128MiB,512MiB,1GiB
  thoughtcache trace replay cloudPhysicsIO.oracleGeneral.bin.gz --unit-sizes --capacity 1000
  thoughtcache trace replay gentd26_unit.oracleGeneral.bin.gz --policy sieve,arc,bound \\
    --capacity 1,4,16 --out-csv misses.csv

Rules: fifo, lru, lru-2, lfu, sieve, arc, gdsf and hyperbolic; min and min-bypass know the future;
bound is what no rule can beat, with or without bypass: exact where all objects have one size, else
a lower bound. An object larger than the capacity is missed and never loaded. Records of size 0 are
left out. --json adds how many requests a second each rule took.")]
    Replay(replay::Args),
}

#[derive(Debug, clap::Args)]
struct StatsArgs {
    /// A CSV of recorded requests or rates, plain or gzip; with --format the source's own file of throughput
    file: PathBuf,
    /// Seconds of a slot: adds requests per slot
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = number)]
    slot_s: Option<f64>,
    /// The shares of the time for training and validation; tests get the rest [default: 0.6,0.2]
    #[arg(long, value_name = "TRAIN,VALIDATE", conflicts_with = "format", value_parser = shares)]
    split: Option<SplitShares>,
    /// The file holds throughput of phones, second by second, in this form
    #[arg(long, conflicts_with = "slot_s")]
    format: Option<throughput::Format>,
    /// Adds the rates of users of this physical scenario, each alone in its cell, in traces as long as the recorded ones
    #[arg(long, value_name = "SCENARIO", requires = "format")]
    scenario: Option<String>,
    #[command(flatten)]
    set: SettingArgs,
    /// Seed of the scenario's users
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
}

impl StatsArgs {
    fn run(&self, console: Console) -> Result<()> {
        let file = &self.file;
        anyhow::ensure!(
            self.scenario.is_some() || self.set.settings.is_empty(),
            "--set changes a scenario: name one with --scenario"
        );
        if let Some(format) = self.format {
            let changes = self.set.overrides()?;
            let scenario = self.scenario.as_deref().map(|name| (name, changes.as_slice()));
            return show(console, &throughput::comparison(file, format, scenario, self.seed)?);
        }
        if recording::has_rates(file)? {
            let options = [("--slot-s", self.slot_s.is_some()), ("--split", self.split.is_some())];
            for (option, is_given) in options {
                anyhow::ensure!(
                    !is_given,
                    "{} holds rates and no requests: leave {option} away",
                    file.display()
                );
            }
            return show(console, &rates::summary(file, &recording::rates(file)?));
        }
        let trace = recording::requests(file)?;
        let stats = TraceStats::new(&trace, self.slot_s, self.split.unwrap_or_default())
            .with_context(|| file.display().to_string())?;
        tell_stats(console, file, stats)
    }
}

/// Reads two shares, `0.6,0.2`.
fn shares(text: &str) -> Result<SplitShares, String> {
    let numbers = text.split_once(',').and_then(|(train, validate)| {
        Some(SplitShares { train: train.parse().ok()?, validate: validate.parse().ok()? })
    });
    numbers.ok_or_else(|| "expected two shares, for example 0.6,0.2".to_owned())
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::Import(args) => args.run(console)?,
            What::Stats(args) => args.run(console)?,
            What::Check { file } => check(console, &file)?,
            What::Replay(args) => args.run(console)?,
        }
        Ok(Verdict::Done)
    }
}

/// Shows the statistics of a recording of requests; to people only the models that are asked for most.
fn tell_stats(console: Console, file: &Path, mut stats: TraceStats) -> Result<()> {
    if !console.is_json {
        stats.models.truncate(LISTED);
    }
    show(console, &joined(json!({ "file": file.display().to_string() }), json!(stats)))
}

/// Reads a recording to its end and shows what is odd about it.
fn check(console: Console, path: &Path) -> Result<()> {
    let file = path.display().to_string();
    if recording::has_rates(path)? {
        let rates = recording::rates(path)?.rates.len();
        return show(console, &json!({ "file": file, "rates": rates, "verdict": "ok" }));
    }
    let TraceStats {
        requests, requests_without_model, num_models, first_request_s, warnings, mut notes, ..
    } = TraceStats::new(&recording::requests(path)?, None, SplitShares::default())?;
    if num_models > 0 && requests_without_model > 0 {
        notes.push(format!("{requests_without_model} of {requests} requests name no model"));
    }
    if first_request_s > 0.0 {
        notes.push(format!("the first request is {first_request_s} s after the start"));
    }
    let verdict = if warnings.is_empty() { "ok" } else { "readable, but see the warnings" };
    let found = json!({
        "file": file, "notes": notes, "requests": requests, "verdict": verdict, "warnings": warnings
    });
    show(console, &found)
}
