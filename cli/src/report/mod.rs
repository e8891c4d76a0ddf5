//! Results as people and programs read them: tables for the terminal, text, CSV and Markdown files.

pub(crate) mod comparison;
mod csv;
mod figures;
mod markdown;
pub(crate) mod summary;
mod sweep;

pub(crate) use comparison::{Compared, has_color};
pub(crate) use csv::csv;
pub(crate) use markdown::markdown;
pub(crate) use sweep::matrix;

#[cfg(test)]
mod tests;
