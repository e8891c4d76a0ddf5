//! `thoughtcache trace`: recorded requests, from their source's files into ours, and what is in them.

mod stats;

use crate::clock::{Stopwatch, human};
use crate::console::{Console, Verdict};
use crate::progress;
use crate::run_dir::write_whole;
use crate::table::grouped;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use indicatif::{HumanBytes, ProgressBar};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use thoughtcache_env::workload::trace::{self, Severity, Trace, TraceError, TraceStats, import};

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
    --load-times basemodel_update_latency_anon.csv.gz --out gentd26.tct")]
    Import(ImportArgs),
    /// Say how much a recording asks for, when, and of which models
    #[command(after_help = "Example:\n  thoughtcache trace stats gentd26.tct --slot-s 600")]
    Stats {
        /// A recording (.tct)
        file: PathBuf,
        /// Seconds of a slot: adds requests per slot and the parts for training, validation and test
        #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
        slot_s: Option<f64>,
    },
    /// Read a recording to its end and list what is damaged or odd
    #[command(after_help = "Example:\n  thoughtcache trace check gentd26.tct")]
    Check {
        /// A recording (.tct)
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// The source's file of requests, plain or gzip
    file: PathBuf,
    /// Whose file it is
    #[arg(long)]
    format: Format,
    /// gentd26 only: the source's file of load times, plain or gzip; each model's is drawn from it by a fixed seed
    #[arg(long, value_name = "FILE")]
    load_times: Option<PathBuf>,
    /// Where the recording is written [default: FILE in the current directory, ending in .tct]
    #[arg(long, value_name = "FILE.tct")]
    out: Option<PathBuf>,
}

/// Sources that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Azure LLM inference trace 2023: conversations or code
    Azure,
    /// GenTD26: requests to an image-generation platform, with their models
    Gentd26,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Gentd26 => "gentd26",
        }
    }
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::Import(args) => args.run(console)?,
            What::Stats { file, slot_s } => {
                let stats =
                    TraceStats::new(&read(&file)?, slot_s).with_context(|| file.display().to_string())?;
                console.result(&stats, || stats::text(&stats))?;
            }
            What::Check { file } => check(console, &file)?,
        }
        Ok(Verdict::Done)
    }
}

/// What an import says at its end.
#[derive(Serialize)]
struct Imported {
    file: String,
    bytes: u64,
    source: String,
    requests: u64,
    duration_s: f64,
    requests_per_s: Option<f64>,
    models: usize,
    users: u32,
    notes: Vec<String>,
}

impl ImportArgs {
    fn run(self, console: Console) -> Result<()> {
        if self.load_times.is_some() && self.format != Format::Gentd26 {
            bail!("--load-times belongs to --format gentd26; {} has no load times", self.format.name());
        }
        let out = self.out.clone().unwrap_or_else(|| default_out(&self.file));
        let stopwatch = Stopwatch::start();
        let trace = self.import(console)?;
        let bytes = trace.write(Vec::new()).context("cannot pack the recording")?;
        write_whole(&out, &bytes)?;
        let stats = TraceStats::new(&trace, None).context("cannot summarise the recording")?;
        let imported = Imported {
            file: out.display().to_string(),
            bytes: bytes.len() as u64,
            source: stats.source,
            requests: stats.requests,
            duration_s: stats.duration_s,
            requests_per_s: stats.requests_per_s,
            models: stats.models.len(),
            users: stats.num_users,
            notes: stats.notes,
        };
        console.note(&format!("imported in {}", human(stopwatch.elapsed())));
        console.result(&imported, || imported.text())
    }

    fn import(&self, console: Console) -> Result<Trace> {
        let bar = progress::bytes(console, self.file.metadata().map_or(0, |file| file.len()));
        let requests = open(&self.file, &bar)?;
        let mut load_times = match &self.load_times {
            Some(path) => Some(open(path, &ProgressBar::hidden())?),
            None => None,
        };
        let trace = match self.format {
            Format::Azure => import::azure(requests),
            Format::Gentd26 => {
                import::gentd26(requests, load_times.as_mut().map(|file| -> &mut dyn Read { file }))
            }
        };
        bar.finish_and_clear();
        trace.map_err(|error| self.explain(&error))
    }

    /// Names the files, and what they probably are when they are of another source.
    fn explain(&self, error: &TraceError) -> anyhow::Error {
        let files = match &self.load_times {
            Some(load_times) => format!("{} (or {})", self.file.display(), load_times.display()),
            None => self.file.display().to_string(),
        };
        let hint = match error {
            TraceError::BadLine { line: 1, .. } => {
                let other = if self.format == Format::Azure { Format::Gentd26 } else { Format::Azure };
                format!("; is it a file for --format {}?", other.name())
            }
            _ => String::new(),
        };
        anyhow::anyhow!("{files} as {}: {error}{hint}", self.format.name())
    }
}

impl Imported {
    fn text(&self) -> String {
        let packed = HumanBytes(self.bytes);
        let rate = self.requests_per_s.map_or(String::new(), |rate| match rate {
            0.1.. => format!(", {rate:.2} a second"),
            _ => format!(", one every {:.0} s", 1.0 / rate),
        });
        let models =
            if self.models == 0 { "no models named".to_owned() } else { format!("{} models", self.models) };
        let users =
            if self.users == 0 { String::new() } else { format!(", {} users", grouped(self.users.into())) };
        let duration = human(std::time::Duration::from_secs_f64(self.duration_s));
        let mut text = format!(
            "{}: {} requests over {duration}{rate}; {models}{users}; {packed}\n",
            self.file,
            grouped(self.requests)
        );
        for note in &self.notes {
            let _ = writeln!(text, "  note: {note}"); // a String takes everything
        }
        text
    }
}

/// `data/lora.csv.gz` becomes `lora.tct`.
fn default_out(file: &Path) -> PathBuf {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let stem = name.trim_end_matches(".gz").trim_end_matches(".csv");
    PathBuf::from(format!("{stem}.tct"))
}

/// Opens a file for reading, showing how far it was read.
fn open(path: &Path, bar: &ProgressBar) -> Result<impl Read + use<>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    anyhow::ensure!(!path.is_dir(), "{} is a folder, a file is needed", path.display());
    Ok(BufReader::new(bar.wrap_read(file)))
}

fn read(path: &Path) -> Result<Trace> {
    let file = open(path, &ProgressBar::hidden())?;
    Trace::read(file).with_context(|| path.display().to_string())
}

/// Lists the findings; exit code 2 when one is an error.
fn check(console: Console, path: &Path) -> Result<()> {
    let report = trace::check(open(path, &ProgressBar::hidden())?);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_after_its_source() {
        assert_eq!(default_out(Path::new("data/lora.csv.gz")), Path::new("lora.tct"));
        assert_eq!(default_out(Path::new("conv")), Path::new("conv.tct"));
    }
}
