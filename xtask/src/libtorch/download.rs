//! The wheels of a recipe, in a folder that survives an interrupted run.
//!
//! pip writes into `partial/`. A wheel is moved out of it only when its checksum is right, so a file beside
//! `partial/` is a whole wheel; its checksum is looked at again before it is used, since disks fill up and people copy.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::recipe::{Recipe, Wheel};
use crate::failure::Failure;
use crate::machine::{Machine, ended};
use crate::progress::{Progress, say, size};

/// How many lines of pip's complaint are repeated.
const LINES_OF_PIP: usize = 8;

/// Makes sure that every wheel of `recipe` is in `folder`, whole; gives their paths in the recipe's order.
pub(crate) fn fetch(recipe: &Recipe, machine: &Machine, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    let partial = folder.join("partial");
    throw_away_half_a_download(&partial)?;
    let mut missing = Vec::new();
    for wheel in recipe.wheels {
        if !is_there(wheel, folder)? {
            missing.push(*wheel);
        }
    }
    if !missing.is_empty() {
        machine.check_python()?;
        machine.check_space(folder, recipe.peak_bytes(&missing), recipe.kept_bytes)?;
        fs::create_dir(&partial).map_err(Failure::file("create", &partial))?;
        let downloaded = download(&missing, machine, &partial, folder);
        let removed = fs::remove_dir_all(&partial).map_err(Failure::file("remove", &partial));
        downloaded.and(removed)?;
    }
    Ok(recipe.wheels.iter().map(|wheel| folder.join(wheel.file)).collect())
}

fn throw_away_half_a_download(partial: &Path) -> Result<(), Failure> {
    if !partial.exists() {
        return Ok(());
    }
    let bytes = largest_file(partial);
    if bytes > 0 {
        say(&format!("half a download was left from before ({}): thrown away", size(bytes)));
    }
    fs::remove_dir_all(partial).map_err(Failure::file("remove", partial))
}

/// Whether a whole wheel is left from an earlier run; anything else under its name is removed.
fn is_there(wheel: &Wheel, folder: &Path) -> Result<bool, Failure> {
    let path = folder.join(wheel.file);
    let Ok(found) = fs::metadata(&path) else {
        return Ok(false);
    };
    if found.len() == wheel.bytes && sha256(&path)? == wheel.sha256 {
        say(&format!("{} is here from before, whole", wheel.file));
        return Ok(true);
    }
    let (found, all) = (size(found.len()), size(wheel.bytes));
    say(&format!("{} is here from before, but not whole ({found} of {all}): thrown away", wheel.file));
    fs::remove_file(&path).map_err(Failure::file("remove", &path))?;
    Ok(false)
}

fn download(missing: &[Wheel], machine: &Machine, partial: &Path, folder: &Path) -> Result<(), Failure> {
    let total_bytes = missing.iter().map(|wheel| wheel.bytes).sum();
    let mut progress = Progress::start("libtorch", total_bytes);
    progress.set(0);
    let mut done_bytes = 0;
    for wheel in missing {
        let result = pip(wheel, machine, partial, |bytes| progress.set(done_bytes + bytes.min(wheel.bytes)))
            .and_then(|()| accept(wheel, machine, partial, folder));
        if let Err(failure) = result {
            progress.end();
            return Err(failure);
        }
        done_bytes += wheel.bytes;
        progress.set(done_bytes);
    }
    progress.end();
    Ok(())
}

/// Has pip download one wheel into `partial`, telling `arrived` now and then how many bytes there are.
fn pip(
    wheel: &Wheel,
    machine: &Machine,
    partial: &Path,
    mut arrived: impl FnMut(u64),
) -> Result<(), Failure> {
    let program = machine.python_name();
    let log_path = partial.join("pip.log");
    let log = File::create(&log_path).map_err(Failure::file("create", &log_path))?;
    let errors = log.try_clone().map_err(Failure::file("write", &log_path))?;
    let mut pip = Command::new(&machine.python);
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--progress-bar", "off", "--python-version", "3.11"]);
    for platform in wheel.platforms {
        pip.args(["--platform", platform]);
    }
    if wheel.is_for_cpython_311 {
        pip.args(["--implementation", "cp", "--abi", "cp311"]);
    }
    // pip's temporary files lie in the same place, so that they can be watched and are thrown away with the rest.
    pip.arg("-d").arg(partial).arg(wheel.requirement).env("TMPDIR", partial);
    let mut child = pip
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|source| Failure::Start { program: program.clone(), source })?;
    let status: ExitStatus = loop {
        let ended = child.try_wait().map_err(|source| Failure::Start { program: program.clone(), source })?;
        if let Some(status) = ended {
            break status;
        }
        arrived(largest_file(partial));
        thread::sleep(Duration::from_millis(100));
    };
    if status.success() {
        return Ok(());
    }
    let said = last_lines(&fs::read_to_string(&log_path).unwrap_or_default(), LINES_OF_PIP);
    Err(Failure::Pip { requirement: wheel.requirement.to_owned(), program, status: ended(status), said })
}

/// Moves the wheel that pip brought to its place, if it is the right one.
fn accept(wheel: &Wheel, machine: &Machine, partial: &Path, folder: &Path) -> Result<(), Failure> {
    let path = partial.join(wheel.file);
    if !path.is_file() {
        let program = machine.python_name();
        return Err(Failure::WrongWheel {
            expected: wheel.file.to_owned(),
            found: wheels_in(partial),
            program,
        });
    }
    let got = sha256(&path)?;
    if got != wheel.sha256 {
        let (file, expected) = (wheel.file.to_owned(), wheel.sha256.to_owned());
        return Err(Failure::WrongChecksum { file, expected, got, program: machine.python_name() });
    }
    let place = folder.join(wheel.file);
    fs::rename(&path, &place).map_err(Failure::file("write", &place))
}

/// The names of the wheels in a folder, for a message.
fn wheels_in(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "whl"));
    names.sort();
    if names.is_empty() { "no wheel".to_owned() } else { names.join(", ") }
}

/// Bytes of the largest file at or below a folder: of a download that is copied in the end, not twice its size.
fn largest_file(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => largest_file(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.max().unwrap_or(0)
}

fn sha256(path: &Path) -> Result<String, Failure> {
    let mut file = File::open(path).map_err(Failure::file("open", path))?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk).map_err(Failure::file("read", path))?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
    }
    Ok(hex(&hash.finalize()))
}

/// Two digits a byte, as checksums are written.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last: Vec<String> =
        lines[lines.len().saturating_sub(count)..].iter().map(|line| format!("    {line}")).collect();
    if last.is_empty() { "    (nothing)".to_owned() } else { last.join("\n") }
}
