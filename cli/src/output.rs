//! Where `--out` and the options like it write.
//!
//! | what is named | what happens |
//! |---|---|
//! | a regular file, or nothing yet | it is written beside and renamed: whole or as it was |
//! | a pipe, a device, a symbolic link | it is written to and stays what it is: `>(gzip > x.gz)` works |
//! | `-`, `/dev/stdout` | standard output, which then carries nothing else |

use crate::console::Console;
use crate::run_dir::files::put;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Whether a path means standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// Whether one of the outputs takes standard output from the command's own result.
///
/// # Errors
/// When two of them do, or one does beside `--json`.
pub(crate) fn takes_stdout(console: Console, outputs: &[(&str, Option<&Path>)]) -> Result<bool> {
    let mut taking = outputs.iter().filter(|(_, path)| path.is_some_and(is_stdout));
    match (taking.next(), taking.next()) {
        (Some((first, _)), Some((second, _))) => {
            bail!("{first} and {second} both write to standard output; name a file for one of them")
        }
        (Some((option, _)), None) if console.is_json => {
            bail!("{option} and --json both write to standard output; name a file for {option}")
        }
        (first, _) => Ok(first.is_some()),
    }
}

/// Makes the folder of a file that will be written, before hours are spent on what goes into it.
///
/// # Errors
/// When it cannot be made, or a folder stands where the file should.
pub(crate) fn prepare(path: &Path) -> Result<()> {
    if is_stdout(path) {
        return Ok(());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    ensure!(!path.is_dir(), "{} is a folder; name the file to write", path.display());
    Ok(())
}

/// Writes a file of results.
///
/// # Errors
/// When it cannot be written; a regular file is then as it was before.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut output = Output::create(path)?;
    output.write_all(bytes).with_context(|| cannot_write(path))?;
    output.finish()
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Something that is being written; nothing of a regular file is seen before [`finish`](Self::finish).
pub(crate) struct Output {
    path: PathBuf,
    out: Box<dyn Write>,
    /// The regular file beside the path, until it is renamed.
    beside: Option<(PathBuf, File)>,
}

impl Output {
    /// Opens what the path names; a named pipe waits for its reader.
    ///
    /// # Errors
    /// When it cannot be opened for writing.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let (path, context) = (path.to_owned(), || cannot_write(path));
        if is_stdout(&path) {
            return Ok(Self { path, out: Box::new(io::stdout()), beside: None });
        }
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            // Asking for a new file is refused for pipes in some folders, and needed behind a link to nothing.
            let is_new = !path.exists();
            // `/dev/fd/3` may be a log that somebody else writes on, too.
            let is_opened_already = path.starts_with("/dev") || path.starts_with("/proc");
            let file = File::options()
                .append(is_opened_already)
                .write(true)
                .create(is_new)
                .truncate(!is_opened_already)
                .open(&path);
            let out = BufWriter::new(file.with_context(context)?);
            return Ok(Self { path, out: Box::new(out), beside: None });
        }
        // `.table.csv.new`: a name that is no user's, and that the next write finds where one was killed.
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".new");
        let beside = path.with_file_name(name);
        let file = File::create(&beside).with_context(context)?;
        let out = BufWriter::new(file.try_clone().with_context(context)?);
        Ok(Self { path, out: Box::new(out), beside: Some((beside, file)) })
    }

    /// Writes what is buffered and puts a regular file in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.flush().with_context(|| cannot_write(&self.path))?;
        let Some((beside, file)) = &self.beside else { return Ok(()) };
        let written = file.sync_all().and_then(|()| put(beside, &self.path));
        written.with_context(|| cannot_write(&self.path))?;
        self.beside = None;
        Ok(())
    }

    /// A reader that has gone away (`| head`) has seen enough.
    fn is_fine(&self, error: &io::Error) -> bool {
        self.beside.is_none() && error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).or_else(|error| if self.is_fine(&error) { Ok(bytes.len()) } else { Err(error) })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().or_else(|error| if self.is_fine(&error) { Ok(()) } else { Err(error) })
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.beside {
            let _ = fs::remove_file(beside); // the error that ended the writing is what counts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_that_ends_in_new_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("table.csv.new"), "mine").unwrap();
        write(&folder.path().join("table.csv"), b"whole").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("table.csv.new")).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_regular_file_is_seen_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "before").unwrap();
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"half").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before", "it was not finished");
        write(&path, b"after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_written_to_and_stays() {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::FileTypeExt;

        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for text in ["first, behind a link to nothing", "second"] {
            write(&link, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write(Path::new("/dev/null"), b"nothing").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let mut log = File::create(folder.path().join("log")).unwrap();
        log.write_all(b"begun, ").unwrap();
        write(Path::new(&format!("/dev/fd/{}", log.as_raw_fd())), b"gone on").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "begun, gone on");
    }

    #[test]
    fn standard_output_carries_one_thing() {
        let outputs = [("--out-csv", Some(Path::new("-"))), ("--out-text", Some(Path::new("/dev/stdout")))];
        let plain = Console::new(false, false);
        let message = takes_stdout(plain, &outputs).unwrap_err().to_string();
        assert_eq!(
            message,
            "--out-csv and --out-text both write to standard output; name a file for one of them"
        );
        let message = takes_stdout(Console::new(true, false), &outputs[..1]).unwrap_err().to_string();
        assert_eq!(message, "--out-csv and --json both write to standard output; name a file for --out-csv");
        assert!(takes_stdout(plain, &outputs[..1]).unwrap());
        assert!(!takes_stdout(plain, &[("--plot", Some(Path::new("x.svg"))), ("--out-csv", None)]).unwrap());
    }
}
