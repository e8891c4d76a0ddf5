//! Work with files whose failure names the file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::failure::cannot;

/// Reads a whole text.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(cannot("read", path))
}

/// Writes a whole text.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(cannot("write", path))
}

/// Opens a file to read it.
pub(crate) fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(cannot("open", path))
}

/// Makes a folder and those above it.
pub(crate) fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(cannot("create", folder))
}

/// Moves a file or a folder to a place where nothing stands.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(cannot("write", to))
}

/// Removes a folder and what is below, if there is one.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    if folder.symlink_metadata().is_err() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(cannot("remove", folder))
}

/// Makes an empty folder in place of whatever was there.
pub(crate) fn replace(folder: &Path) -> Result<()> {
    remove(folder)?;
    create(folder)
}

/// The rows of a table of this program's own, a TOML file with `[[row]]` again and again.
pub(crate) fn rows<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let table: BTreeMap<String, Vec<T>> =
        toml::from_str(text).expect("the table is a constant, and the tests read it");
    assert_eq!(table.len(), 1, "one name for all rows");
    table.into_values().flatten().collect()
}
