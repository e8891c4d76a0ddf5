//! `thoughtcache trace`: recorded requests, from their source's files into ours, and what is in them.

mod import;
mod rates;
mod stats;
mod temporary;
mod throughput;

use crate::args::{SettingArgs, number, whole};
use crate::console::{Console, Verdict};
use crate::recording;
use crate::table::grouped;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use thoughtcache_env::workload::trace::{self, Severity, TraceStats};

/// Import, summarise and check recorded requests
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache trace import AzureLLMInferenceTrace_conv.csv.gz --format azure --out azure-conv.tct
  thoughtcache trace stats azure-conv.tct --slot-s 1
  thoughtcache trace check azure-conv.tct")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Turn a source's own file, plain or gzip, into a recording that scenarios can replay
    #[command(after_help = "\
Examples:
  thoughtcache trace import AzureLLMInferenceTrace_conv.csv.gz --format azure --out azure-conv.tct
  thoughtcache trace import lora_request_trace.csv.gz --format gentd26 \\
    --load-times basemodel_update_latency_anon.csv.gz --out gentd26.tct
  thoughtcache trace import conversation_trace.jsonl --format mooncake --out mooncake.tct
  thoughtcache trace import client_rates_600s.csv.gz --format servegen --out servegen.tcr

A recording of any length needs little memory; rows that are not in order of time are sorted in a file beside it.")]
    Import(import::Args),
    /// Say how much a recording asks for, when, and of which models; or how recorded rates of phones change
    #[command(after_help = "\
Examples:
  thoughtcache trace stats gentd26.tct --slot-s 600
  thoughtcache trace stats lumos5g_abr_traces_1s.csv.gz --format throughput --scenario street")]
    Stats(StatsArgs),
    /// Read a recording to its end and list what is damaged or odd
    #[command(after_help = "Example:\n  thoughtcache trace check gentd26.tct")]
    Check {
        /// A recording (.tct), or rates (.tcr)
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct StatsArgs {
    /// A recording (.tct), or rates (.tcr); with --format the source's own file of throughput, plain or gzip
    file: PathBuf,
    /// Seconds of a slot: adds requests per slot and the parts for training, validation and test
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = number)]
    slot_s: Option<f64>,
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
        let stats = TraceStats::new(&recording::stored(file)?, self.slot_s)
            .with_context(|| file.display().to_string())?;
        console.result(&stats, || stats::text(&stats))
    }
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

/// Lists the findings; exit code 2 when one is an error.
fn check(console: Console, path: &Path) -> Result<()> {
    let report = trace::check(recording::open(path)?);
    let file = path.display();
    console.result(&report, || {
        let (rows, blocks) = (grouped(report.rows), report.blocks);
        let verdict = if report.is_sound() { "ok" } else { "cannot be used" };
        let s = if blocks == 1 { "" } else { "s" };
        let mut text = format!("{file}: {verdict}; {rows} requests in {blocks} block{s}\n");
        for finding in &report.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Note => "note",
            };
            let _ = writeln!(text, "  {severity}: {}", finding.text); // a String takes everything
        }
        text
    })?;
    anyhow::ensure!(report.is_sound(), "{file} cannot be used: copy or import it again");
    Ok(())
}
