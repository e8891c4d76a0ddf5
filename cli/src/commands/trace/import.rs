//! `thoughtcache trace import`: tables and logs of others become a recording that scenarios replay.

use super::{rates, tell_stats};
use crate::args::{number, whole};
use crate::console::Console;
use crate::output::{self, Output};
use crate::progress;
use crate::recording;
use crate::sheet::show;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use flate2::{Compression, write::GzEncoder};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thoughtcache_env::csv::RecordingError;
use thoughtcache_env::workload::rates::ClientRates;
use thoughtcache_env::workload::trace::import::{self, Mapping, SessionClock};
use thoughtcache_env::workload::trace::{SplitShares, Trace, TraceStats};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The source's file, plain or gzip
    file: PathBuf,
    /// Whose file it is
    #[arg(long, required_unless_present = "map", conflicts_with = "map")]
    format: Option<Format>,
    /// Any other CSV: COLUMN of the recording is NAME of the file, its numbers times FACTOR; once a column
    #[arg(long, value_name = "COLUMN=NAME[*FACTOR]")]
    map: Vec<Mapping>,
    /// The times of the file count from the start of the row's session, which is not recorded: sessions begin at random
    #[arg(long, requires_all = ["map", "sessions_per_s"])]
    session_clock: bool,
    /// How many sessions begin in a second on average, with --session-clock
    #[arg(long, value_name = "RATE", requires = "session_clock", allow_negative_numbers = true, value_parser = number)]
    sessions_per_s: Option<f64>,
    /// Seed of the sessions' starts, with --session-clock [default: 0]
    #[arg(long, value_name = "N", requires = "session_clock", allow_negative_numbers = true, value_parser = whole(0, u64::MAX))]
    seed: Option<u64>,
    /// gentd26 only: the source's file of load times, plain or gzip; each model's is drawn from it by a fixed seed
    #[arg(long, value_name = "FILE")]
    load_times: Option<PathBuf>,
    /// Where the recording is written, as gzip where it ends in .gz; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Sources that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Azure LLM inference trace 2023: conversations or code
    Azure,
    /// GenTD26: requests to an image-generation platform, with their models
    Gentd26,
    /// Mooncake: requests with the blocks of their prompts, and so what each reuses of earlier ones
    Mooncake,
    /// Servegen: how often the clients of a production service asked, for [workload.rates]
    Servegen,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<()> {
        let out = &self.out;
        ensure!(
            self.load_times.is_none() || self.format == Some(Format::Gentd26),
            "--load-times belongs to --format gentd26; nothing else has load times"
        );
        let rate = self.sessions_per_s.unwrap_or(1.0);
        ensure!(
            (1e-6..=1e6).contains(&rate),
            "--sessions-per-s {rate}: expected a number from 0.000001 to 1000000"
        );
        let is_silent = output::takes_stdout(console, &[("--out", Some(out))])?;
        output::prepare(out)?;
        let place = out.canonicalize().ok();
        let is_out = |source: &Path| place.is_some() && source.canonicalize().ok() == place;
        let is_source = is_out(&self.file) || self.load_times.as_deref().is_some_and(is_out);
        ensure!(!is_source, "{} is the source itself; name another file with --out", out.display());
        let bar = progress::bytes(console, self.file.metadata().map_or(0, |file| file.len()));
        let source = bar.wrap_read(recording::open(&self.file)?);
        if self.format == Some(Format::Servegen) {
            let rates = ClientRates::servegen(source).map_err(|error| self.explain(&error));
            bar.finish_and_clear();
            let rates = rates?;
            write(out, |sink| rates.write(sink).map(drop))?;
            return if is_silent { Ok(()) } else { show(console, &rates::summary(out, &rates)) };
        }
        let mut load_times = self.load_times.as_deref().map(recording::open).transpose()?;
        let load_times = load_times.as_mut().map(|file| -> &mut dyn Read { file });
        let trace = self.import(source, rate, load_times);
        bar.finish_and_clear();
        let trace = trace.map_err(|error| self.explain(&error))?;
        write(out, |sink| trace.write(sink).map(drop))?;
        let stats = TraceStats::new(&trace, None, SplitShares::default())?;
        if is_silent { Ok(()) } else { tell_stats(console, out, stats) }
    }

    fn import(
        &self,
        source: impl Read,
        sessions_per_s: f64,
        load_times: Option<&mut dyn Read>,
    ) -> Result<Trace, RecordingError> {
        match self.format {
            Some(Format::Azure) => import::azure(source),
            Some(Format::Gentd26) => import::gentd26(source, load_times),
            Some(Format::Mooncake) => import::mooncake(source),
            Some(Format::Servegen) => unreachable!("rates are no requests and were imported already"),
            None => {
                let clock = SessionClock { sessions_per_s, seed: self.seed.unwrap_or(0) };
                import::mapped(source, &self.map, self.session_clock.then_some(clock))
            }
        }
    }

    /// Puts the names of the files before an error.
    fn explain(&self, error: &RecordingError) -> anyhow::Error {
        let file = self.file.display();
        let files =
            self.load_times.as_ref().map_or(String::new(), |path| format!(" (or {})", path.display()));
        let format = self.format.and_then(|format| format.to_possible_value());
        let format = format.map_or(String::new(), |format| format!(" as {}", format.get_name()));
        anyhow::anyhow!("{file}{files}{format}: {error}")
    }
}

/// Writes a file, as gzip where its name says so.
fn write(out: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let context = || format!("cannot write {}", out.display());
    let mut output = Output::create(out)?;
    if out.extension().is_some_and(|ending| ending == "gz") {
        let mut gzip = GzEncoder::new(&mut output, Compression::default());
        write(&mut gzip).and_then(|()| gzip.finish().map(drop)).with_context(context)?;
    } else {
        write(&mut output).with_context(context)?;
    }
    output.finish()
}
