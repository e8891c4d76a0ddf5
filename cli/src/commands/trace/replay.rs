//! `thoughtcache trace replay`: cache rules on a trace of objects, miss by miss.

use crate::clock::Stopwatch;
use crate::console::Console;
use crate::output;
use crate::packing;
use crate::patience::Patience;
use crate::progress;
use crate::recording;
use crate::table::{Align, Table, grouped};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use thoughtcache_agents::replay::{ENTRIES, Entry, Kind, ObjectTrace, Sizes, Tally, entry};

/// The name that stands for all rules.
const ALL: &str = "all";
/// The largest capacity: more than the bytes of any trace.
const MOST: u64 = 1 << 62;
/// Units of a capacity; those without an `i` are powers of 1,000.
const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Requests in oracleGeneral, libCacheSim's form (24 bytes each: time, object, size, next request); plain, gzip or Zstandard
    file: PathBuf,
    /// Rules by name, with commas between them [may be repeated; default: all]
    #[arg(long = "policy", value_name = "NAME", value_delimiter = ',', value_parser = rule)]
    policies: Vec<&'static str>,
    /// Bytes that the cache holds, such as 134217728, 128MiB or 1GB; with --unit-sizes objects. Several with commas between them
    #[arg(long = "capacity", value_name = "N", value_delimiter = ',', required = true, allow_negative_numbers = true, value_parser = capacity)]
    capacities: Vec<Capacity>,
    /// Count each object as 1, whatever its recorded size; --capacity is a number of objects then
    #[arg(long)]
    unit_sizes: bool,
    /// Write every number as CSV; `-` is standard output, and the table is not printed then
    #[arg(long, value_name = "FILE")]
    out_csv: Option<PathBuf>,
}

/// How much a cache holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Capacity {
    value: u64,
    /// As it was typed, where it had a unit.
    typed: Option<String>,
}

impl Capacity {
    fn shown(&self) -> String {
        self.typed.clone().unwrap_or_else(|| grouped(self.value))
    }
}

/// Reads the name of a rule.
fn rule(typed: &str) -> Result<&'static str, String> {
    if typed == ALL {
        return Ok(ALL);
    }
    entry(typed).map(|entry| entry.name).map_err(|error| error.to_string())
}

/// Reads `134217728`, `128MiB` or `1GB`.
fn capacity(typed: &str) -> Result<Capacity, String> {
    let unit = UNITS.iter().find_map(|(unit, size)| Some((typed.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((typed, 1));
    let value = number.trim_end().parse().ok().and_then(|number: u64| number.checked_mul(size));
    match value {
        Some(value) if (1..=MOST).contains(&value) => {
            Ok(Capacity { value, typed: unit.is_some().then(|| typed.to_owned()) })
        }
        _ => Err("a whole number of bytes (or, with --unit-sizes, of objects), 1 or more, is needed; units are kB, MB, GB, \
                  TB, KiB, MiB, GiB and TiB"
            .into()),
    }
}

/// A rule at a capacity.
#[derive(Serialize)]
struct Row {
    policy: &'static str,
    capacity: u64,
    #[serde(skip)]
    shown: String,
    kind: &'static str,
    misses: u64,
    miss_ratio: f64,
    miss_bytes: u64,
    byte_miss_ratio: f64,
    /// One core; none for bounds.
    requests_per_s: Option<f64>,
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<()> {
        if let (true, Some(capacity)) =
            (self.unit_sizes, self.capacities.iter().find(|one| one.typed.is_some()))
        {
            let typed = capacity.shown();
            bail!("--capacity {typed}: with --unit-sizes it is a number of objects and has no unit");
        }
        let is_silent = output::takes_stdout(console, &[("--out-csv", self.out_csv.as_deref())])?;
        self.out_csv.as_deref().map(output::prepare).transpose()?;
        let trace = self.read(console)?;
        let rows = self.replay(console, &trace);
        if let Some(path) = &self.out_csv {
            output::write(path, csv(&trace, &rows).as_bytes())?;
            console.note(&format!("wrote {}", path.display()));
        }
        if is_silent {
            return Ok(());
        }
        let document = json!({
            "file": self.file.display().to_string(),
            "sizes": if self.unit_sizes { "unit" } else { "recorded" },
            "requests": trace.len(),
            "objects": trace.num_objects(),
            "bytes": trace.bytes(),
            "empty_records": trace.num_empty,
            "rows": rows,
        });
        console.result(&document, || self.text(&trace, &rows))
    }

    fn read(&self, console: Console) -> Result<ObjectTrace> {
        let path = &self.file;
        let bar = progress::bytes(console, path.metadata().map_or(0, |file| file.len()));
        let sizes = if self.unit_sizes { Sizes::Unit } else { Sizes::Recorded };
        let file = std::io::BufReader::new(bar.wrap_read(recording::open(path)?));
        let trace = packing::unpacked(file).map(|source| ObjectTrace::read(source, sizes));
        bar.finish_and_clear();
        trace
            .with_context(|| format!("cannot read {}", path.display()))?
            .with_context(|| path.display().to_string())
    }

    fn replay(&self, console: Console, trace: &ObjectTrace) -> Vec<Row> {
        let is_asked = |entry: &&Entry| {
            self.policies.is_empty() || self.policies.iter().any(|&name| name == ALL || name == entry.name)
        };
        let rules: Vec<&Entry> = ENTRIES.iter().filter(is_asked).collect();
        let bar = progress::bar(console, (rules.len() * self.capacities.len()) as u64, "replays");
        let _patience = Patience::with(console, &bar, "replays");
        let mut rows = Vec::new();
        for capacity in &self.capacities {
            for &entry in &rules {
                let clock = Stopwatch::start();
                let tally = (entry.replay)(trace, capacity.value);
                let elapsed_s = clock.elapsed().as_secs_f64();
                rows.push(row(trace, entry, capacity, tally, elapsed_s));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        rows
    }

    fn text(&self, trace: &ObjectTrace, rows: &[Row]) -> String {
        let [requests, objects] = [trace.len(), trace.num_objects()].map(|count| grouped(count as u64));
        let mut text = format!("{}: {requests} requests for {objects} objects", self.file.display());
        if !self.unit_sizes {
            let _ = write!(text, ", {} bytes", grouped(trace.bytes())); // a String takes everything
        }
        if trace.num_empty > 0 {
            let _ = write!(text, "; left out: {} of size 0", grouped(trace.num_empty));
        }
        let has_sizes = trace.uniform_size().is_none();
        let headings = ["policy", "capacity", "misses", "miss ratio", "byte miss ratio"];
        let align = |at: usize| if at == 0 { Align::Left } else { Align::Right };
        let shown = if has_sizes { 5 } else { 4 };
        let columns = headings[..shown].iter().enumerate().map(|(at, &heading)| (heading, align(at)));
        let mut table = Table::new(columns.chain([("", Align::Left)]));
        for row in rows {
            let [ratio, byte_ratio] =
                [row.miss_ratio, row.byte_miss_ratio].map(|ratio| format!("{ratio:.4}"));
            let remark = if row.kind == "online" { "" } else { row.kind };
            let (capacity, misses) = (row.shown.clone(), grouped(row.misses));
            let mut cells = vec![row.policy.to_owned(), capacity, misses, ratio];
            cells.extend(has_sizes.then_some(byte_ratio));
            table.row(cells.into_iter().chain([remark.to_owned()]));
        }
        format!("{text}\n{}", table.text(0))
    }
}

fn row(trace: &ObjectTrace, entry: &Entry, capacity: &Capacity, tally: Tally, elapsed_s: f64) -> Row {
    let Tally { misses, miss_bytes } = tally;
    Row {
        policy: entry.name,
        capacity: capacity.value,
        shown: capacity.shown(),
        kind: match entry.kind {
            Kind::Online => "online",
            Kind::Offline => "knows the future",
            Kind::Bound if trace.uniform_size().is_some() => "exact optimum",
            Kind::Bound => "lower bound",
        },
        misses,
        miss_ratio: misses as f64 / trace.len() as f64,
        miss_bytes,
        byte_miss_ratio: miss_bytes as f64 / trace.bytes() as f64,
        requests_per_s: (entry.kind != Kind::Bound).then_some(trace.len() as f64 / elapsed_s.max(1e-9)),
    }
}

/// One line for each rule and capacity, without times: the same trace gives the same bytes.
fn csv(trace: &ObjectTrace, rows: &[Row]) -> String {
    let mut text = "policy,capacity,kind,requests,misses,miss_ratio,miss_bytes,byte_miss_ratio\n".to_owned();
    for Row { policy, capacity, kind, misses, miss_ratio, miss_bytes, byte_miss_ratio, .. } in rows {
        let requests = trace.len();
        let _ = writeln!(
            text,
            "{policy},{capacity},{kind},{requests},{misses},{miss_ratio:.6},{miss_bytes},{byte_miss_ratio:.6}"
        );
    }
    text
}
