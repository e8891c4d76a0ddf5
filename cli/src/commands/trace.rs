//! `thoughtcache trace`: recorded requests, from their source's files into ours, and what is in them.

mod import;
mod rates;
mod stats;
mod temporary;

use crate::args::number;
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
    /// Say how much a recording asks for, when, and of which models
    #[command(after_help = "Example:\n  thoughtcache trace stats gentd26.tct --slot-s 600")]
    Stats {
        /// A recording (.tct), or rates (.tcr)
        file: PathBuf,
        /// Seconds of a slot: adds requests per slot and the parts for training, validation and test
        #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = number)]
        slot_s: Option<f64>,
    },
    /// Read a recording to its end and list what is damaged or odd
    #[command(after_help = "Example:\n  thoughtcache trace check gentd26.tct")]
    Check {
        /// A recording (.tct), or rates (.tcr)
        file: PathBuf,
    },
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::Import(args) => args.run(console)?,
            What::Stats { file, slot_s } if recording::has_rates(&file)? => {
                anyhow::ensure!(
                    slot_s.is_none(),
                    "{} holds rates and no requests: leave --slot-s away",
                    file.display()
                );
                let bytes = file.metadata().map_or(0, |file| file.len());
                let summary = rates::Summary::new(&file, bytes, &recording::rates(&file)?);
                console.result(&summary, || summary.text())?;
            }
            What::Check { file } if recording::has_rates(&file)? => rates::check(console, &file)?,
            What::Stats { file, slot_s } => {
                let stats = TraceStats::new(&recording::stored(&file)?, slot_s)
                    .with_context(|| file.display().to_string())?;
                console.result(&stats, || stats::text(&stats))?;
            }
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
