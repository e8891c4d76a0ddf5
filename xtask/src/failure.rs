//! Every way in which a command can fail: what happened, where, and what to type.

use std::io;
use std::path::PathBuf;

use crate::progress::size;

/// The version of libtorch that the crate `tch` of this workspace is written for; it refuses any other.
pub(crate) const LIBTORCH_VERSION: &str = "2.11.0";

/// What may be done instead of a download.
pub(crate) const OWN_LIBTORCH: &str = "bring your own libtorch 2.11.0 with LIBTORCH=/path/to/libtorch, \
                            or that of an installed PyTorch 2.11.0 with LIBTORCH_USE_PYTORCH=1";

/// A situation that ends the program, in the words that its user reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no {what} is called \"{word}\"; there are {names}")]
    UnknownName { what: &'static str, word: String, names: String },

    #[error(
        "no python3: \"{program}\" did not run: {said}
  it is needed once, to download libtorch with pip
  install it:       apt-get install python3 python3-pip   (Debian, Ubuntu)
                    dnf install python3 python3-pip       (Fedora)
                    brew install python                   (macOS)
  or name another:  PYTHON=/path/to/python3 cargo xtask setup"
    )]
    NoPython { program: String, said: String },

    #[error(
        "python is too old: \"{program}\" is {version}, 3.9 or later is needed to download libtorch
  name another:  PYTHON=/path/to/python3 cargo xtask setup"
    )]
    OldPython { program: String, version: String },

    #[error(
        "python3 has no pip: \"{program} -m pip\" said: {said}
  it is needed once, to download libtorch
  install it:       apt-get install python3-pip           (Debian, Ubuntu)
                    dnf install python3-pip               (Fedora)
                    {program} -m ensurepip --user
  or name another:  PYTHON=/path/to/python3 cargo xtask setup"
    )]
    NoPip { program: String, said: String },

    #[error(
        "no working {language} compiler: \"{program}\" said: {said}
  it is needed to build what lies between Rust and libtorch
  install it:       apt-get install g++                   (Debian, Ubuntu)
                    dnf install gcc-c++                   (Fedora)
                    xcode-select --install                (macOS)
  or name another:  {variable}=/path/to/compiler cargo xtask setup"
    )]
    NoCompiler { language: &'static str, variable: &'static str, program: String, said: String },

    #[error(
        "not enough disk for libtorch: {} are needed while it is set up and {} stay, but only {} are free at {}
  make room there and type again:  cargo xtask setup",
        size(*.need_bytes), size(*.stay_bytes), size(*.free_bytes), .folder.display()
    )]
    NoSpace { folder: PathBuf, need_bytes: u64, stay_bytes: u64, free_bytes: u64 },

    #[error(
        "no libtorch recipe for this machine: {machine}
  there is one for {known}
  {OWN_LIBTORCH}
  everything but the learners works without:  cargo test --release -p thoughtcache --no-default-features"
    )]
    UnsupportedPlatform { machine: String, known: String },

    #[error(
        "libtorch needs glibc {need} or later, but this machine has {have}
  use a newer system, or bring a libtorch that was built for this one:
  {OWN_LIBTORCH}"
    )]
    OldGlibc { need: String, have: String },

    #[error(
        "wrong checksum: {file} is not the file that this project was tried with
  expected sha256 {expected}
  got      sha256 {got}
  it was thrown away; type again:  cargo xtask setup
  if it happens again, pip takes it from elsewhere; see what redirects it:  {program} -m pip config list"
    )]
    WrongChecksum { file: String, expected: String, got: String, program: String },

    #[error(
        "pip did not bring {expected} but {found}
  see what redirects it:  {program} -m pip config list"
    )]
    WrongWheel { expected: String, found: String, program: String },

    #[error(
        "{what} failed: \"{program} -m pip\" ended with {status}, and says why above
  see that the package index can be reached (behind a proxy: set HTTPS_PROXY), then type the command again{instead}"
    )]
    Pip { what: String, program: String, status: String, instead: String },

    #[error("cannot unpack {}: {said}\n  it was thrown away; type again:  cargo xtask setup", .wheel.display())]
    Unpack { wheel: PathBuf, said: String },

    #[error("{} has no {missing}\n  this is a mistake of the recipe in xtask/src/libtorch/recipe.rs; please report it", .wheel.display())]
    NotInWheel { wheel: PathBuf, missing: String },

    #[error(
        "the C compiler could not link libtorch.so: \"{program}\" said\n{said}
  see that a linker is installed:  apt-get install g++   (Debian, Ubuntu)"
    )]
    Stub { program: String, said: String },

    #[error(
        "LIBTORCH={} cannot be used: {problem}
  point it to a whole libtorch {LIBTORCH_VERSION}, or unset it to have one downloaded:  env -u LIBTORCH cargo xtask setup",
        .path.display()
    )]
    OwnLibtorch { path: PathBuf, problem: String },

    #[error(
        "LIBTORCH_USE_PYTORCH is set, but {problem}
  install it:              python3 -m pip install torch=={LIBTORCH_VERSION}
  or have one downloaded:  env -u LIBTORCH_USE_PYTORCH cargo xtask setup"
    )]
    PyTorch { problem: String },

    #[error("cannot {doing} {}: {source}", .path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },

    #[error("{}: {reason}", .path.display())]
    Document { path: PathBuf, reason: String },

    #[error("cannot start {program}: {source}")]
    Start { program: String, source: io::Error },

    #[error("cargo has no `{component}`: install it:  rustup component add {component}")]
    NoComponent { component: &'static str },

    #[error("`{command}` ended with {status}")]
    Command { command: String, status: String, is_interrupted: bool },

    #[error("{failed} of {all} steps failed: {names}")]
    Steps { failed: usize, all: usize, names: String },
}

impl Failure {
    /// A closure for `map_err` on work with a file: `Failure::file("read", &path)`.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// 1 when a check said no, 130 after Ctrl-C, 2 when it could not work.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Steps { .. } => 1,
            Self::Command { is_interrupted: true, .. } => 130,
            _ => 2,
        }
    }
}
