//! Files that are there while a recording is made: one for rows that wait to be sorted, and the recording before it is
//! whole. Both stand beside the recording, are removed when it fails, and are replaced by the next import of its name
//! after a kill.

use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// `conv.tct` and an ending become `conv.tct.ending`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A file that has its name only once it is whole.
#[derive(Debug)]
pub(super) struct WholeFile {
    path: PathBuf,
    beside: PathBuf,
    sink: BufWriter<File>,
    bytes: u64,
    is_in_place: bool,
}

impl WholeFile {
    /// Begins it beside its place.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let beside = beside(path, ".new");
        let file = File::create(&beside).with_context(|| format!("cannot write {}", path.display()))?;
        let (path, sink) = (path.to_owned(), BufWriter::new(file));
        Ok(Self { path, beside, sink, bytes: 0, is_in_place: false })
    }

    /// Puts it in its place; says how long it is.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.sink
            .flush()
            .and_then(|()| self.sink.get_ref().sync_all())
            .and_then(|()| fs::rename(&self.beside, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.is_in_place = true;
        Ok(self.bytes)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = fs::remove_file(&self.beside); // the error that led here is the one to tell
        }
    }
}

/// A file for rows that wait, made when the first of them come. Where the system allows it, its name is gone at once and
/// its room as soon as the program ends, however it ends.
#[derive(Debug)]
pub(super) struct ScratchFile {
    path: PathBuf,
    file: Option<File>,
    has_name: bool,
}

impl ScratchFile {
    /// A file beside `path`; what a killed import left there is removed.
    pub(super) fn beside(path: &Path) -> Result<Self> {
        let path = beside(path, ".sort");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}, which an import left", path.display()))
            }
            _ => Ok(Self { path, file: None, has_name: false }),
        }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            place @ None => {
                let file = OpenOptions::new().read(true).write(true).create_new(true).open(&self.path)?;
                self.has_name = fs::remove_file(&self.path).is_err();
                Ok(place.insert(file))
            }
        }
    }
}

impl Read for ScratchFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(bytes)
    }
}

impl Write for ScratchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

impl Seek for ScratchFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file()?.seek(place)
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        if self.has_name {
            drop(self.file.take());
            let _ = fs::remove_file(&self.path); // the next import of this name tries again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_what_was_there_stays_until_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tct");
        fs::write(&path, "old").unwrap();
        let mut failed = WholeFile::create(&path).unwrap();
        failed.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()), ["a.tct", "a.tct.new"]);
        drop(failed);
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["a.tct".into()], b"old".to_vec()));
        // As if killed: the file beside is there, and longer than what comes.
        fs::write(folder.path().join("a.tct.new"), "left by a kill").unwrap();
        let mut whole = WholeFile::create(&path).unwrap();
        whole.write_all(b"new").unwrap();
        assert_eq!(whole.finish().unwrap(), 3);
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["a.tct".into()], b"new".to_vec()));
    }

    #[test]
    fn rows_that_wait_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tct");
        fs::write(folder.path().join("a.tct.sort"), "left by a kill").unwrap();
        let mut scratch = ScratchFile::beside(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        scratch.write_all(b"rows that wait").unwrap();
        scratch.seek(SeekFrom::Start(5)).unwrap();
        let mut read = [0; 4];
        scratch.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"that");
        drop(scratch);
        assert!(names(folder.path()).is_empty());
    }
}
