//! The machine: system, python, compilers, disk. Tests use a made-up one.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::clock::size;
use crate::failure::cannot;

/// The oldest python3 whose pip is known to read the options that are used.
const OLDEST_PYTHON: (u32, u32) = (3, 9);

/// Everything that the set-up asks of the machine.
pub(crate) struct Machine {
    /// As in `std::env::consts::OS`.
    pub os: String,
    /// As in `std::env::consts::ARCH`.
    pub arch: String,
    /// `glibc 2.36`, `musl`, or empty where the question has no answer.
    pub libc: String,
    /// The python3 that runs pip.
    pub python: OsString,
    /// The C compiler and its first arguments.
    pub cc: Vec<String>,
    /// The C++ compiler and its first arguments.
    pub cxx: Vec<String>,
    /// Bytes that may still be written into a folder.
    pub free_bytes: fn(&Path) -> io::Result<u64>,
}

impl Machine {
    /// The one we run on, with the python and the compilers that the user names in the environment.
    pub(crate) fn this() -> Self {
        let words = |variable: &str, default: &str| {
            let value = env::var(variable).unwrap_or_default();
            let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
            if words.is_empty() { vec![default.to_owned()] } else { words }
        };
        Self {
            os: env::consts::OS.to_owned(),
            arch: env::consts::ARCH.to_owned(),
            libc: libc(),
            python: env::var_os("PYTHON").filter(|p| !p.is_empty()).unwrap_or_else(|| "python3".into()),
            cc: words("CC", "cc"),
            cxx: words("CXX", "c++"),
            free_bytes: |folder| fs4::available_space(folder),
        }
    }

    /// The python's name in messages.
    pub(crate) fn python_name(&self) -> String {
        self.python.to_string_lossy().into_owned()
    }

    /// Makes sure that python and pip run and are young enough; returns python's version.
    pub(crate) fn check_python(&self) -> Result<String> {
        let program = self.python_name();
        let ask = |arguments: &[&str]| {
            let output = Command::new(&self.python).args(arguments).stdin(Stdio::null()).output();
            let output = output.map_err(|error| why(&error))?;
            if output.status.success() { Ok(first_line(&output.stdout)) } else { Err(said(&output)) }
        };
        let version = ask(&["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).map_err(|said| {
            anyhow!(
                "no python3: \"{program}\" did not run: {said}
  it is needed once, to download libtorch with pip
  install it:       apt-get install python3 python3-pip   (Debian, Ubuntu)
                    dnf install python3 python3-pip       (Fedora)
                    brew install python                   (macOS)
  or name another:  PYTHON=/path/to/python3 cargo xtask setup"
            )
        })?;
        ensure!(
            numbers(&version).is_none_or(|found| found >= OLDEST_PYTHON),
            "python is too old: \"{program}\" is {version}, 3.9 or later is needed to download libtorch
  name another:  PYTHON=/path/to/python3 cargo xtask setup"
        );
        ask(&["-m", "pip", "--version"]).map_err(|said| {
            anyhow!(
                "python3 has no pip: \"{program} -m pip\" said: {said}
  it is needed once, to download libtorch
  install it:       apt-get install python3-pip           (Debian, Ubuntu)
                    dnf install python3-pip               (Fedora)
                    {program} -m ensurepip --user
  or name another:  PYTHON=/path/to/python3 cargo xtask setup"
            )
        })?;
        Ok(version)
    }

    /// Returns pip's `command` for wheels alone. What it prints goes to stderr: its progress, and what it complains of.
    pub(crate) fn pip(&self, command: &str) -> Command {
        let mut pip = Command::new(&self.python);
        pip.args(["-m", "pip", command, "--no-deps", "--only-binary=:all:", "--no-input"])
            .arg("--disable-pip-version-check")
            .stdin(Stdio::null())
            .stdout(io::stderr());
        pip
    }

    /// Runs pip; a failure tells `what` it was for and, on lines of its own, what may be done `instead`.
    pub(crate) fn run_pip(&self, pip: &mut Command, what: &str, instead: &str) -> Result<()> {
        download(pip, &format!("{} -m pip", self.python_name()), what, instead)
    }

    /// The C and the C++ compiler run and find their headers.
    pub(crate) fn check_compilers(&self) -> Result<()> {
        let compilers = [("C", "CC", &self.cc, "c", "stddef.h"), ("C++", "CXX", &self.cxx, "c++", "vector")];
        for (language, variable, words, kind, header) in compilers {
            let mut compiler = command(words);
            compiler.args(["-fsyntax-only", "-include", header, "-x", kind, "-"]).stdin(Stdio::null());
            let said = match compiler.output() {
                Ok(output) if output.status.success() => continue,
                Ok(output) => said(&output),
                Err(error) => why(&error),
            };
            bail!(
                "no working {language} compiler: \"{}\" said: {said}
  it is needed to build what lies between Rust and libtorch
  install it:       apt-get install g++                   (Debian, Ubuntu)
                    dnf install gcc-c++                   (Fedora)
                    xcode-select --install                (macOS)
  or name another:  {variable}=/path/to/compiler cargo xtask setup",
                words.join(" ")
            );
        }
        Ok(())
    }

    /// `folder` takes `need_bytes` more.
    pub(crate) fn check_space(&self, folder: &Path, need_bytes: u64, stay_bytes: u64) -> Result<()> {
        let free_bytes =
            (self.free_bytes)(folder).with_context(cannot("measure the free space of", folder))?;
        ensure!(
            free_bytes >= need_bytes,
            "not enough disk for libtorch: {} are needed while it is set up and {} stay, but only {} are free at {}
  make room there and type again:  cargo xtask setup",
            size(need_bytes),
            size(stay_bytes),
            size(free_bytes),
            folder.display()
        );
        Ok(())
    }
}

/// Runs `program`, which takes something from the package index; a failure tells as that of pip.
pub(crate) fn download(command: &mut Command, program: &str, what: &str, instead: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    ensure!(
        status.success(),
        "{what} failed: \"{program}\" ended with {}, and says why above
  see that the package index can be reached (behind a proxy: set HTTPS_PROXY), then type the command again{instead}",
        ended(status)
    );
    Ok(())
}

/// A program with its first arguments.
pub(crate) fn command(words: &[String]) -> Command {
    let (program, arguments) = words.split_first().expect("a compiler is at least its name");
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn libc() -> String {
    if cfg!(target_env = "musl") {
        return "musl".to_owned();
    }
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").stderr(Stdio::null()).output();
    output.map_or_else(|_| String::new(), |output| first_line(&output.stdout))
}

/// The first two numbers of `3.11`, `glibc 2.36`, `2.11.0+cu130`.
pub(crate) fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().trim().to_owned()
}

/// `exit status 1`, `signal 9 (SIGKILL)`.
pub(crate) fn ended(status: ExitStatus) -> String {
    status.to_string().replace(": ", " ")
}

/// The line in which a failed program says what is wrong.
pub(crate) fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let complaint = lines().find(|line| line.contains("error")).or_else(|| lines().next_back());
    complaint.map_or_else(|| ended(output.status), str::to_owned)
}

/// Why a program did not start, in few words.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "not found".to_owned(),
        io::ErrorKind::PermissionDenied => "not executable".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_not_as_text() {
        assert_eq!(numbers("3.11"), Some((3, 11)));
        assert_eq!(numbers("glibc 2.36"), Some((2, 36)));
        assert_eq!(numbers("2.11.0+cu130"), Some((2, 11)));
        assert_eq!(numbers("unknown"), None);
        assert!(numbers("3.11") > numbers("3.9"), "as text 3.11 would be the older one");
    }

    #[test]
    fn too_little_disk_is_said_in_bytes_needed_and_free() {
        let machine = Machine { free_bytes: |_| Ok(700_000_000), ..Machine::this() };
        let folder = Path::new("/some/checkout");
        assert!(machine.check_space(folder, 700_000_000, 1).is_ok(), "just enough is enough");
        let failure = machine.check_space(folder, 1_080_000_000, 496_000_000).unwrap_err();
        insta::assert_snapshot!(failure, @r"
        not enough disk for libtorch: 1.1 GB are needed while it is set up and 496 MB stay, but only 700 MB are free at /some/checkout
          make room there and type again:  cargo xtask setup
        ");
        assert_eq!(crate::failure::exit_code(&failure), 2);
    }

    #[test]
    fn the_free_space_of_a_real_folder_is_seen() {
        let machine = Machine::this();
        let folder = tempfile::tempdir().unwrap();
        assert!(machine.check_space(folder.path(), 1, 1).is_ok());
        assert!(machine.check_space(folder.path(), u64::MAX, 1).is_err());
    }
}
