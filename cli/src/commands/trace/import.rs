//! `thoughtcache trace import`: a source's own file becomes a recording, in bounded memory.

use super::rates;
use super::temporary::{ScratchFile, WholeFile};
use crate::clock::{Stopwatch, human};
use crate::console::Console;
use crate::machine::peak_resident_bytes;
use crate::progress;
use crate::recording;
use crate::table::grouped;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use indicatif::HumanBytes;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use thoughtcache_env::workload::trace::TraceError;
use thoughtcache_env::workload::trace::import::{self, Import};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The source's file of requests, plain or gzip
    file: PathBuf,
    /// Whose file it is
    #[arg(long)]
    format: Format,
    /// gentd26 only: the source's file of load times, plain or gzip; each model's is drawn from it by a fixed seed
    #[arg(long, value_name = "FILE")]
    load_times: Option<PathBuf>,
    /// Where the recording is written [default: FILE in the current directory, ending in .tct, or .tcr for rates]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
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

impl Format {
    /// What the name of a recording of this source ends in.
    const fn ending(self) -> &'static str {
        match self {
            Self::Azure | Self::Gentd26 | Self::Mooncake => "tct",
            Self::Servegen => "tcr",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Gentd26 => "gentd26",
            Self::Mooncake => "mooncake",
            Self::Servegen => "servegen",
        }
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
    /// How fast it went.
    rows_per_s: f64,
    /// The most memory that this process ever had resident, where the system tells.
    peak_resident_bytes: Option<u64>,
    /// The same before the import began: the program and its libraries.
    start_resident_bytes: Option<u64>,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<()> {
        if self.load_times.is_some() && self.format != Format::Gentd26 {
            bail!("--load-times belongs to --format gentd26; {} has no load times", self.format.name());
        }
        let out = self.out.clone().unwrap_or_else(|| default_out(&self.file, self.format.ending()));
        let ending = self.format.ending();
        ensure!(!out.is_dir(), "{} is a folder; --out names a file, ending in .{ending}", out.display());
        let place = out.canonicalize().ok();
        let is_out = |source: &Path| place.is_some() && source.canonicalize().ok() == place;
        let is_source = is_out(&self.file) || self.load_times.as_deref().is_some_and(is_out);
        ensure!(!is_source, "{} is the source itself; name another file with --out", out.display());
        let (stopwatch, start_resident_bytes) = (Stopwatch::start(), peak_resident_bytes());
        let bar = progress::bytes(console, self.file.metadata().map_or(0, |file| file.len()));
        let requests = bar.wrap_read(recording::open(&self.file)?);
        if self.format == Format::Servegen {
            let rates = import::servegen(requests);
            bar.finish_and_clear();
            let rates = rates.map_err(|error| self.explain(&error))?;
            let whole = WholeFile::create(&out)?;
            let written = rates.write(whole).with_context(|| format!("cannot write {}", out.display()))?;
            let summary = rates::Summary::new(&out, written.finish()?, &rates);
            return console.result(&summary, || summary.text());
        }
        let load_times = self.load_times.as_deref().map(recording::open).transpose()?;
        let whole = WholeFile::create(&out)?;
        let import = self.import(requests, load_times, ScratchFile::beside(&out)?);
        bar.finish_and_clear();
        let import = import.map_err(|error| self.explain(&error))?;
        let (header, span_us) = (import.header().clone(), import.span_us());
        let spinner = progress::spinner(console, format!("writing {}", out.display()));
        let written = import.write(whole);
        spinner.finish_and_clear();
        let bytes = match written {
            Ok(whole) => whole.finish()?,
            Err(error @ TraceError::TooManyBlocks { .. }) => return Err(self.explain(&error)),
            Err(error) => return Err(error).with_context(|| format!("cannot write {}", out.display())),
        };
        let duration_s = span_us as f64 / 1e6;
        let imported = Imported {
            file: out.display().to_string(),
            bytes,
            source: header.source,
            requests: header.rows,
            duration_s,
            requests_per_s: (duration_s > 0.0).then(|| header.rows as f64 / duration_s),
            models: header.models.len(),
            users: header.num_users,
            notes: header.notes,
            rows_per_s: stopwatch.rate_per_s(header.rows),
            peak_resident_bytes: peak_resident_bytes(),
            start_resident_bytes,
        };
        console.note(&imported.effort(stopwatch));
        console.result(&imported, || imported.text())
    }

    fn import(
        &self,
        requests: impl Read,
        mut load_times: Option<impl Read>,
        scratch: ScratchFile,
    ) -> Result<Import<ScratchFile>, TraceError> {
        match self.format {
            Format::Azure => import::azure(requests, scratch),
            Format::Gentd26 => {
                let load_times = load_times.as_mut().map(|file| -> &mut dyn Read { file });
                import::gentd26(requests, load_times, scratch)
            }
            Format::Mooncake => import::mooncake(requests, scratch),
            Format::Servegen => unreachable!("rates are no requests and were imported already"),
        }
    }

    /// Names the files, and what the file probably is when it is of another source.
    fn explain(&self, error: &TraceError) -> anyhow::Error {
        let files = match &self.load_times {
            Some(load_times) => format!("{} (or {})", self.file.display(), load_times.display()),
            None => self.file.display().to_string(),
        };
        let other = match error {
            TraceError::BadLine { line: 1, .. } => {
                recording::open(&self.file).ok().and_then(import::looks_like)
            }
            _ => None,
        };
        let hint = match other {
            Some(other) if other != self.format.name() => format!("; is it a file for --format {other}?"),
            _ => String::new(),
        };
        anyhow::anyhow!("{files} as {}: {error}{hint}", self.format.name())
    }
}

impl Imported {
    /// How long it took and how much memory.
    fn effort(&self, stopwatch: Stopwatch) -> String {
        let mut line = format!(
            "imported in {}, {} rows a second",
            human(stopwatch.elapsed()),
            grouped(self.rows_per_s as u64)
        );
        let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
        if let (Some(peak), Some(start)) = (self.peak_resident_bytes, self.start_resident_bytes) {
            let (peak, start) = (megabytes(peak), megabytes(start));
            // A String takes everything.
            let _ =
                write!(line, ", at most {peak} MB resident ({start} MB of it the program and its libraries)");
        }
        line
    }

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
fn default_out(file: &Path, ending: &str) -> PathBuf {
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let stem = name.trim_end_matches(".gz").trim_end_matches(".csv").trim_end_matches(".jsonl");
    PathBuf::from(format!("{stem}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_named_after_its_source() {
        assert_eq!(default_out(Path::new("data/lora.csv.gz"), "tct"), Path::new("lora.tct"));
        assert_eq!(default_out(Path::new("conv"), "tct"), Path::new("conv.tct"));
        assert_eq!(default_out(Path::new("a/chat.jsonl"), "tct"), Path::new("chat.tct"));
        assert_eq!(default_out(Path::new("rates.csv.gz"), "tcr"), Path::new("rates.tcr"));
    }
}
