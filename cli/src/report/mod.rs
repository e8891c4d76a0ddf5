//! Results as people and programs read them: tables for the terminal, text, CSV and Markdown files.

pub(crate) mod comparison;
mod csv;
mod figures;
mod markdown;
pub(crate) mod summary;
mod sweep;

pub(crate) use csv::csv;
pub(crate) use markdown::markdown;
pub(crate) use sweep::matrix;

use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use thoughtcache_agents::compare::Comparison;

/// The comparisons of a command: one, or one for each value of a sweep.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The value of the swept key; `None` without a sweep.
    pub(crate) value: Option<String>,
    /// What was found.
    pub(crate) comparison: Comparison,
}

/// Whether a table may have colours: standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn has_color() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_refused && std::io::stdout().is_terminal()
}

/// Writes a file of results, and the folders above it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    crate::run_dir::write_whole(path, text.as_bytes())
}

/// Makes the folder of a file that will be written, before hours are spent on what goes into it.
///
/// # Errors
/// When it cannot be made, or a folder stands where the file should.
pub(crate) fn prepare(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    ensure!(!path.is_dir(), "{} is a folder; name the file to write", path.display());
    Ok(())
}

#[cfg(test)]
mod tests;
