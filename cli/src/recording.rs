//! Recordings and their sources, opened with messages that name them.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use thoughtcache_env::workload::rates::{ClientRates, format};
use thoughtcache_env::workload::trace::StoredTrace;

/// Opens a file from its beginning, as often as it is asked.
pub(crate) type OpenAgain = Box<dyn Fn() -> io::Result<BufReader<File>>>;

/// Opens a file to be read once.
///
/// # Errors
/// When it cannot be opened or is a folder.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>> {
    ensure!(!path.is_dir(), "{} is a folder, a file is needed", path.display());
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file))
}

/// Recorded rates, whole.
///
/// # Errors
/// When the file cannot be opened or is not whole; each names it.
pub(crate) fn rates(path: &Path) -> Result<ClientRates> {
    ClientRates::read(open(path)?).with_context(|| path.display().to_string())
}

/// Whether a file begins like recorded rates.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn has_rates(path: &Path) -> Result<bool> {
    let mut begin = Vec::new();
    // What cannot be read is no recording of rates; whoever reads it next says why.
    let read = open(path)?.take(format::MAGIC.len() as u64).read_to_end(&mut begin);
    Ok(read.is_ok() && begin == format::MAGIC)
}

/// A recording that stays in its file and is read as often as it is looked at.
///
/// # Errors
/// When it cannot be opened, can be read only once, or does not begin like a recording; each names it.
pub(crate) fn stored(path: &Path) -> Result<StoredTrace<OpenAgain>> {
    let file = open(path)?;
    let is_file = file.get_ref().metadata().is_ok_and(|metadata| metadata.is_file());
    ensure!(is_file, "{} can be read only once, a file is needed", path.display());
    let again = path.to_owned();
    let open_again: OpenAgain = Box::new(move || Ok(BufReader::new(File::open(&again)?)));
    StoredTrace::new(open_again).with_context(|| path.display().to_string())
}
