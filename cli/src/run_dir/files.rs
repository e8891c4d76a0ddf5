//! Files that are whole or absent, and logs that are cut back.

use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes a file beside its place and renames it.
///
/// # Errors
/// When it cannot be written; what was there before is still there then.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    write_synced(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| sync_folder(folder.unwrap_or(Path::new("."))))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file and waits until it is on the disk.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the names in a folder are on the disk: a file that was renamed is found under its new name after a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes sure that [`cut`] would open a file behind its first `bytes` bytes; nothing is changed.
///
/// # Errors
/// Those of [`cut`].
pub(crate) fn check(path: &Path, bytes: u64) -> Result<()> {
    // Without a byte of its own the file need not be there yet.
    if bytes == 0 { Ok(()) } else { open_checked(path, bytes).map(drop) }
}

/// Opens a file for writing behind its first `bytes` bytes, which are whole lines; what follows them is cut off. With 0
/// bytes it is made if it is not there.
///
/// # Errors
/// When it cannot be opened, is shorter, or has no line end there: it is not the file that once had these bytes then.
pub(crate) fn cut(path: &Path, bytes: u64) -> Result<File> {
    let context = || format!("cannot go on with {}", path.display());
    let mut file = open_checked(path, bytes)?;
    file.set_len(bytes).with_context(context)?;
    file.seek(SeekFrom::Start(bytes)).with_context(context)?;
    Ok(file)
}

fn open_checked(path: &Path, bytes: u64) -> Result<File> {
    let context = || format!("cannot go on with {}", path.display());
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(bytes == 0)
        .truncate(false)
        .open(path)
        .with_context(context)?;
    if bytes > 0 {
        let length = file.metadata().with_context(context)?.len();
        let mut last = [0];
        let is_line_end = length >= bytes && {
            file.seek(SeekFrom::Start(bytes - 1)).with_context(context)?;
            file.read_exact(&mut last).with_context(context)?;
            last == *b"\n"
        };
        ensure!(
            is_line_end,
            "{} has been changed since the checkpoint: {bytes} bytes of whole lines are expected, it has {length} bytes; \
             put the file back that the run wrote",
            path.display()
        );
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_at_a_line_end_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "one\ntwo\nthr").unwrap();
        assert!(cut(&path, 5).unwrap_err().to_string().contains("has been changed since the checkpoint"));
        assert!(cut(&path, 12).unwrap_err().to_string().contains("it has 11 bytes"));
        assert!(check(&path, 5).is_err() && check(&path, 12).is_err());
        check(&path, 4).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthr", "a check changes nothing");
        cut(&path, 8).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nnew\n");
        cut(&path, 0).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert!(cut(&folder.path().join("absent"), 3).is_err());
        check(&folder.path().join("absent"), 0).unwrap();
        assert!(!folder.path().join("absent").exists());
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
