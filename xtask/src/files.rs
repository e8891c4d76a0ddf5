//! Work with files whose failure names the file.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// Reads a whole text.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::file("read", path))
}

/// Writes a whole text.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::file("write", path))
}

/// Removes a folder and what is below, if there is one.
pub(crate) fn remove(folder: &Path) -> Result<(), Failure> {
    if folder.symlink_metadata().is_err() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(Failure::file("remove", folder))
}

/// Makes an empty folder in place of whatever was there.
pub(crate) fn replace(folder: &Path) -> Result<(), Failure> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))
}
