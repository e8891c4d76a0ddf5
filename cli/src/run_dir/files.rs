//! Files that are whole or absent, and logs that are written on.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use thoughtcache_agents::checkpoint::hexadecimal;

/// Writes a file beside its place and renames it.
///
/// # Errors
/// When it cannot be written; what was there before is still there then.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    write_by_way_of(Path::new(&beside), path, bytes)
}

/// The same by way of a file of this name: one of each program, where several may write at the same time.
///
/// # Errors
/// As [`write_whole`].
pub(crate) fn write_by_way_of(beside: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let written = write_synced(beside, bytes).and_then(|()| put(beside, path));
    if written.is_err() {
        let _ = fs::remove_file(beside); // why it was not written is reported
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Renames a file that is on the disk, and waits until its new name is.
pub(crate) fn put(beside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

/// Writes a file and waits until it is on the disk.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the names in a folder are on the disk: a file that was renamed is found under its new name after a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The first part of a log, which is all of it at some moment. The default is the empty part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prefix {
    /// Its length, bytes.
    pub(crate) bytes: u64,
    /// Its SHA-256 in hexadecimal digits; empty for the empty part.
    pub(crate) sha256: String,
}

/// A text file that grows at its end.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    out: BufWriter<File>,
    /// The length of the file once what is buffered is written, bytes.
    bytes: u64,
    digest: Sha256,
}

impl Log {
    /// Makes sure that a file begins with this prefix; nothing is changed.
    ///
    /// # Errors
    /// When the file cannot be read and written, or begins with something else.
    pub(crate) fn check(path: &Path, prefix: &Prefix) -> Result<()> {
        // A log without lines need not be there yet.
        if prefix.bytes == 0 { Ok(()) } else { read(path, prefix).map(drop) }
    }

    /// Opens a file behind a prefix and cuts off what follows. A log without lines is made if it is not there.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) fn open(path: &Path, prefix: &Prefix) -> Result<Self> {
        let context = || format!("cannot go on with {}", path.display());
        let (mut file, digest) = read(path, prefix)?;
        file.set_len(prefix.bytes).with_context(context)?;
        file.seek(SeekFrom::End(0)).with_context(context)?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), bytes: prefix.bytes, digest })
    }

    /// Adds a line; it is in the file after the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        self.out
            .write_all(line.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.digest.update(&line);
        self.bytes += line.len() as u64;
        Ok(())
    }

    /// Whether the log has no line.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Waits until all lines are on the disk. Returns the prefix that they are.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn flush(&mut self) -> Result<Prefix> {
        let written = self.out.flush().and_then(|()| self.out.get_ref().sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(Prefix { bytes: self.bytes, sha256: hexadecimal(&self.digest.clone().finalize()) })
    }
}

/// Opens a file that begins with a prefix. Returns it with the digest of the prefix.
fn read(path: &Path, prefix: &Prefix) -> Result<(File, Sha256)> {
    let context = || format!("cannot go on with {}", path.display());
    let is_new = prefix.bytes == 0;
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(is_new).truncate(false).open(path).with_context(context)?;
    let mut lines = Vec::new();
    Read::by_ref(&mut file).take(prefix.bytes).read_to_end(&mut lines).with_context(context)?;
    let digest = Sha256::new_with_prefix(&lines);
    ensure!(
        is_new || hexadecimal(&digest.clone().finalize()) == prefix.sha256,
        "{} has been changed since the checkpoint: its first {} bytes have another SHA-256; put the file back that the run \
         wrote",
        path.display(),
        prefix.bytes
    );
    Ok((file, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_behind_a_prefix_and_what_follows_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path, &Prefix::default()).unwrap();
        assert!(log.is_empty());
        log.line("one").unwrap();
        let one = log.flush().unwrap();
        // printf 'one\n' | sha256sum
        assert_eq!(
            (one.bytes, one.sha256.as_str()),
            (4, "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806")
        );
        log.line("two").unwrap();
        let two = log.flush().unwrap();
        drop(log);
        fs::write(&path, "one\ntwo\nthr").unwrap();
        Log::check(&path, &two).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthr", "a check changes nothing");
        let mut log = Log::open(&path, &one).unwrap();
        log.line("two").unwrap();
        assert_eq!(log.flush().unwrap(), two, "the digest goes on where it was");
        log.line("three").unwrap();
        drop(log);
        let mut log = Log::open(&path, &one).unwrap();
        log.line("new").unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nnew\n");
        Log::open(&path, &Prefix::default()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_log_that_was_changed_or_is_gone_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path, &Prefix::default()).unwrap();
        log.line("decisions,cost").unwrap();
        let prefix = log.flush().unwrap();
        let whole = fs::read(&path).unwrap();
        for byte in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1;
            fs::write(&path, &flipped).unwrap();
            let error = Log::check(&path, &prefix).unwrap_err().to_string();
            assert!(
                error.contains("log has been changed since the checkpoint: its first 15 bytes"),
                "{error}"
            );
            assert!(Log::open(&path, &prefix).is_err());
            assert_eq!(fs::read(&path).unwrap(), flipped, "a log that is refused is left as it is");
        }
        fs::write(&path, &whole[1..]).unwrap();
        assert!(Log::check(&path, &prefix).is_err());
        fs::remove_file(&path).unwrap();
        assert!(Log::open(&path, &prefix).is_err());
        Log::check(&path, &Prefix::default()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_whole_file_takes_the_place_of_the_one_before_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(folder.path().join("file.new"), "half").unwrap();
        for text in ["one", "two"] {
            write_whole(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        // A file cannot take the place of a folder.
        fs::create_dir(folder.path().join("taken")).unwrap();
        let error = write_whole(&folder.path().join("taken"), b"one").unwrap_err().to_string();
        assert!(error.starts_with("cannot write "), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside");
    }
}
