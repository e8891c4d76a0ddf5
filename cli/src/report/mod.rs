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

use std::io::IsTerminal;
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

#[cfg(test)]
mod tests;
