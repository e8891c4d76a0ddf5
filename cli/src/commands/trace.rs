//! `thoughtcache trace`: recorded requests, from their source's files into ours, and what is in them.

mod import;
mod rates;
mod stats;
mod throughput;

use crate::args::{SettingArgs, number, whole};
use crate::console::{Console, Verdict};
use crate::recording;
use crate::table::grouped;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use thoughtcache_env::workload::trace::stats::PartStats;
use thoughtcache_env::workload::trace::{SplitShares, TraceStats};

/// Import, summarise and check recorded requests
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache trace import AzureLLMInferenceTrace_conv.csv.gz --format azure \\
    --out azure-conv.csv.gz
  thoughtcache trace stats azure-conv.csv.gz --slot-s 1
  thoughtcache trace check azure-conv.csv.gz")]
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
  thoughtcache trace stats lumos5g_abr_traces_1s.csv.gz --format throughput --scenario street")]
    Stats(StatsArgs),
    /// Read a recording to its end and list what is odd: rows out of order, parts of the split that are too small
    #[command(after_help = "Example:\n  thoughtcache trace check gentd26.csv.gz")]
    Check {
        /// A CSV of recorded requests or rates, plain or gzip
        file: PathBuf,
    },
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
            let comparison = throughput::Comparison::new(file, format, scenario, self.seed)?;
            return console.result(&comparison, || comparison.text());
        }
        if recording::has_rates(file)? {
            anyhow::ensure!(
                self.slot_s.is_none(),
                "{} holds rates and no requests: leave --slot-s away",
                file.display()
            );
            let bytes = file.metadata().map_or(0, |file| file.len());
            let summary = rates::Summary::new(file, bytes, &recording::rates(file)?);
            return console.result(&summary, || summary.text());
        }
        let trace = recording::requests(file)?;
        let stats = TraceStats::new(&trace, self.slot_s, self.split.unwrap_or_default())
            .with_context(|| file.display().to_string())?;
        console.result(&stats, || stats::text(file, &stats))
    }
}

/// `0.6,0.2`.
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
            What::Check { file } if recording::has_rates(&file)? => rates::check(console, &file)?,
            What::Check { file } => check(console, &file)?,
        }
        Ok(Verdict::Done)
    }
}

/// Reads a recording to its end and lists what is odd about it.
fn check(console: Console, path: &Path) -> Result<()> {
    let trace = recording::requests(path)?;
    let stats = TraceStats::new(&trace, None, SplitShares::default())?;
    let (file, requests) = (path.display(), stats.requests);
    let mut notes = stats.notes.clone();
    let of_all = |count: u64, what: &str| format!("{count} of {requests} requests {what}");
    if !stats.models.is_empty() && stats.requests_without_model > 0 {
        notes.push(of_all(stats.requests_without_model, "name no model"));
    }
    if stats.first_s > 0.0 {
        notes.push(format!("the first request is {} s after the start", stats.first_s));
    }
    let warnings: Vec<String> = stats.parts.iter().filter_map(PartStats::warning).collect();
    let found = serde_json::json!({ "requests": requests, "warnings": warnings, "notes": notes });
    console.result(&found, || {
        let verdict = if warnings.is_empty() { "ok" } else { "readable, but see the warnings" };
        let mut text = format!("{file}: {verdict}; {} requests\n", grouped(requests));
        for (kind, lines) in [("warning", &warnings), ("note", &notes)] {
            for line in lines {
                let _ = writeln!(text, "  {kind}: {line}"); // a String takes everything
            }
        }
        text
    })
}
