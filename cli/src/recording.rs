//! Recordings, opened with messages that name them.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use thoughtcache_env::csv::{CsvReader, Limits};
use thoughtcache_env::workload::rates::ClientRates;
use thoughtcache_env::workload::trace::Trace;

/// Opens a file to be read once.
///
/// # Errors
/// When it cannot be opened or is a folder.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>> {
    ensure!(!path.is_dir(), "{} is a folder, a file is needed", path.display());
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file))
}

/// Reads recorded requests.
///
/// # Errors
/// When the file cannot be opened or read; each names it.
pub(crate) fn requests(path: &Path) -> Result<Trace> {
    Trace::read(open(path)?).with_context(|| path.display().to_string())
}

/// Reads recorded rates.
///
/// # Errors
/// When the file cannot be opened or read; each names it.
pub(crate) fn rates(path: &Path) -> Result<ClientRates> {
    ClientRates::read(open(path)?).with_context(|| path.display().to_string())
}

/// Whether a file has the columns of recorded rates; a pipe, which can be read only once, has not.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn has_rates(path: &Path) -> Result<bool> {
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Ok(false);
    }
    let limits = Limits { what: "recorded rates", rows: 1, megabytes: 1 };
    // What cannot be read is no recording of rates; whoever reads it next says why.
    Ok(CsvReader::open(open(path)?, limits).is_ok_and(|reader| ClientRates::is_table(&reader.names)))
}
