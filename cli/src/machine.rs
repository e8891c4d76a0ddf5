//! The machine that we run on, as far as the system tells: for provenance, benchmarks and `doctor`.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{env, fs, thread};

/// The machine that a measured number depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Cores that the program may use.
    pub(crate) cores: usize,
    /// The processor's name; empty where the system does not tell.
    pub(crate) cpu: String,
    /// `linux x86_64`, say.
    pub(crate) system: String,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        Self {
            cores: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu: cpu_name().unwrap_or_default(),
            system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        }
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let cpu = if self.cpu.is_empty() { "unknown processor" } else { &self.cpu };
        let cores = if self.cores == 1 { "1 core".to_owned() } else { format!("{} cores", self.cores) };
        format!("{cores} of {cpu}, {}", self.system)
    }
}

/// The variable that sets the number of threads that play episodes and step environments; one a core without it.
const THREADS: &str = "RAYON_NUM_THREADS";
/// The most threads that are started.
const MAX_THREADS: usize = 512;

/// Starts the threads that `RAYON_NUM_THREADS` asks for, if it is set. Returns a warning when it asks for too many.
///
/// # Errors
/// When the system refuses to start them.
pub(crate) fn start_threads() -> Result<Option<String>> {
    let Some(asked) = env::var(THREADS).ok().and_then(|typed| typed.parse().ok()) else { return Ok(None) };
    let threads = MAX_THREADS.min(asked);
    let started = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    started.with_context(|| format!("cannot start {threads} threads: lower {THREADS}"))?;
    Ok((asked > threads).then(|| format!("{THREADS}={asked} is too much: {threads} threads are started")))
}

fn cpu_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, name) = text.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(name.trim().to_owned())
}

/// The load averages over 1, 5 and 15 minutes, where the system has them.
pub(crate) fn load_average() -> Option<[f64; 3]> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// Memory that a program may still take without anything being written to disk for it, in bytes, where the system tells:
/// that of the machine, or of the group that the process is confined to if there is less of it.
pub(crate) fn available_bytes() -> Option<u64> {
    let available = bytes("/proc/meminfo", "MemAvailable:")?;
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max");
    let left = limit.map(|limit| limit.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    Some(available.min(left.unwrap_or(u64::MAX)))
}

/// The most memory that this process ever had resident, in bytes, where the system tells.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    peak_resident_bytes_of("self")
}

/// The most memory that a process ever had resident, in bytes, where the system tells.
pub(crate) fn peak_resident_bytes_of(process: &str) -> Option<u64> {
    bytes(&format!("/proc/{process}/status"), "VmHWM:")
}

/// What a file of the system says behind a key, in kB there.
fn bytes(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Seconds that a processor has worked for this thread, where the system tells: other programs count for nothing.
pub(crate) fn thread_cpu_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds as f64 * 1e-9)
}
