//! Python environments: what the tests, the wheels, the proofs and the documentation site need of Python.
//!
//! Only python3 and its pip are asked for. pip installs uv by checksum into `.venv-uv`; uv makes each environment from a lock file, by
//! hard links into its one cache, which other checkouts share. Every folder is assembled beside its place and renamed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::clock::{self, human};
use crate::files;
use crate::machine::{Machine, download, numbers};
use crate::workspace::Workspace;

/// An environment: its folder in the checkout, and its lock file.
pub(crate) struct Environment {
    folder: &'static str,
    lock: &'static str,
    oldest_python: (u32, u32),
}

/// TensorBoard's own reader of event files, for the tests in Rust.
pub(crate) const TESTS: Environment = at(".venv-test", include_str!("../requirements-test.txt"), (3, 9));

/// Sphinx, which builds the documentation site.
pub(crate) const DOCS: Environment = at(".venv-docs", include_str!("../../docs/requirements.txt"), (3, 9));

/// Maturin and zig, which build the wheels.
pub(crate) const BUILD: Environment =
    at(".venv-build", include_str!("../../python/requirements/build.txt"), (3, 11));

/// Gymnasium 1.4 with the libraries that ours plugs into and is compared with.
pub(crate) const PEERS: Environment =
    at(".venv-peers", include_str!("../../python/requirements/peers.txt"), (3, 11));

/// `RLlib` with its older Gymnasium.
pub(crate) const RLLIB: Environment =
    at(".venv-rllib", include_str!("../../python/requirements/rllib.txt"), (3, 11));

/// The uv that makes them.
const UV: &str = include_str!("../../python/requirements/uv.txt");

/// What a folder was made from, inside it.
const STAMP: &str = "lock";

const fn at(folder: &'static str, lock: &'static str, oldest_python: (u32, u32)) -> Environment {
    Environment { folder, lock, oldest_python }
}

/// Makes sure of an environment; returns its python.
pub(crate) fn ensure(workspace: &Workspace, machine: &Machine, wanted: &Environment) -> Result<PathBuf> {
    let version = machine.check_python()?;
    let (major, minor) = wanted.oldest_python;
    ensure!(
        numbers(&version) >= Some(wanted.oldest_python),
        "python is too old: \"{}\" is {version}, {major}.{minor} or later is needed for {}
  name another:  PYTHON=/path/to/python3",
        machine.python_name(),
        wanted.folder
    );
    let stamp = format!("{version}\n{}", wanted.lock);
    let place = assemble(workspace, wanted.folder, &stamp, |beside| {
        let lock = beside.join(STAMP);
        files::write(&lock, wanted.lock)?;
        let mut venv = uv(workspace, machine)?;
        venv.args(["venv", "--relocatable", "--allow-existing", "--python"]).arg(&machine.python).arg(beside);
        fetch(&mut venv)?;
        let mut sync = uv(workspace, machine)?;
        sync.args(["pip", "sync", "--require-hashes", "--only-binary", ":all:", "--python"]);
        fetch(sync.arg(beside).arg(lock))
    })?;
    Ok(place.join("bin/python"))
}

/// Puts wheels of ours, without what they depend on, into the environment of a python.
pub(crate) fn install(
    workspace: &Workspace,
    machine: &Machine,
    python: &Path,
    wheels: &[PathBuf],
) -> Result<()> {
    let mut install = uv(workspace, machine)?;
    install.args(["pip", "install", "--no-deps", "--reinstall", "--python"]);
    fetch(install.arg(python).args(wheels))
}

fn uv(workspace: &Workspace, machine: &Machine) -> Result<Command> {
    let place = assemble(workspace, ".venv-uv", UV, |beside| {
        let lock = beside.join(STAMP);
        files::write(&lock, UV)?;
        let mut pip = machine.pip("install");
        pip.args(["--quiet", "--progress-bar", "off", "--require-hashes", "--target"])
            .arg(beside)
            .arg("-r")
            .arg(lock);
        machine.run_pip(&mut pip, "the installation of uv", "")
    })?;
    let mut uv = Command::new(place.join("bin/uv"));
    uv.arg("--quiet").env("UV_PYTHON_DOWNLOADS", "never").stdin(Stdio::null());
    Ok(uv)
}

fn fetch(uv: &mut Command) -> Result<()> {
    download(
        uv,
        "uv",
        "the installation of python's packages",
        "\n  a mirror of the index:  UV_DEFAULT_INDEX=https://...",
    )
}

/// Makes a folder of the checkout, unless its stamp says that it is made already.
fn assemble(
    workspace: &Workspace,
    folder: &str,
    stamp: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let place = workspace.root().join(folder);
    if fs::read_to_string(place.join(STAMP)).is_ok_and(|found| found == stamp) {
        return Ok(place);
    }
    let started = clock::start();
    eprintln!("setting up {}, once", place.display());
    let beside = workspace.root().join(format!("{folder}.new"));
    files::replace(&beside)?;
    make(&beside)?;
    files::write(&beside.join(STAMP), stamp)?;
    files::remove(&place)?;
    files::rename(&beside, &place)?;
    eprintln!("{} is ready in {}", place.display(), human(started.elapsed()));
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up_tests::Room;

    #[test]
    fn every_package_has_a_version_and_a_checksum() {
        let locks = [TESTS, DOCS, BUILD, PEERS, RLLIB].map(|environment| environment.lock);
        for (lock, known) in
            locks.iter().chain([&UV]).zip(["tensorboard", "sphinx", "maturin", "torchrl", "ray", "uv"])
        {
            let lines = || lock.lines().filter(|line| !line.starts_with('#'));
            let names: Vec<&str> = lines()
                .filter(|line| !line.starts_with(' '))
                .inspect(|line| assert!(line.contains("==") && line.ends_with(" \\"), "{line}"))
                .filter_map(|line| line.split("==").next())
                .collect();
            assert!(names.contains(&known), "{names:?}");
            assert!(lines().filter(|line| line.starts_with(' ')).all(|line| line.contains("--hash=sha256:")));
        }
    }

    #[test]
    fn a_lock_has_the_versions_that_are_asked_for() {
        for (asked, lock) in [
            (include_str!("../../python/requirements/build.in"), BUILD.lock),
            (include_str!("../../python/requirements/peers.in"), PEERS.lock),
            (include_str!("../../python/requirements/rllib.in"), RLLIB.lock),
            (include_str!("../../python/requirements/uv.in"), UV),
        ] {
            for (name, version) in asked.lines().filter_map(|line| line.split_once("==")) {
                let (name, version) = (name.split('[').next().unwrap(), version.split(' ').next().unwrap());
                assert!(
                    lock.contains(&format!("\n{name}=={version} ")),
                    "{name} {version}: compile the lock again"
                );
            }
        }
    }

    /// A python whose pip installs a uv that notes how it is called, then does `last`.
    #[cfg(unix)]
    fn made_up(room: &Room, version: &str, last: &str) -> Machine {
        let calls = room.path().join("calls");
        let uv = room.script("uv", &format!("echo $2 >> {}\n{last}", calls.display()));
        let body = format!(
            "[ \"$1\" = -c ] && echo {version}\nwhile [ $# -gt 0 ]; do\n\
             [ \"$1\" = --target ] && mkdir \"$2/bin\" && cp {} \"$2/bin\"\nshift\ndone\nexit 0",
            uv.display()
        );
        Machine { python: room.script("python3", &body).into(), ..Machine::this() }
    }

    #[cfg(unix)]
    #[test]
    fn an_environment_is_made_once_and_again_for_another_python() {
        let room = Room::new();
        let workspace = Workspace::at(room.path());
        for (version, expected) in
            [("3.11", "venv pip "), ("3.11", "venv pip "), ("3.12", "venv pip venv pip ")]
        {
            ensure(&workspace, &made_up(&room, version, ""), &TESTS).unwrap();
            let calls = fs::read_to_string(room.path().join("calls")).unwrap();
            assert_eq!(calls.replace('\n', " "), expected, "{version}");
        }
        assert!(room.path().join(".venv-test/lock").is_file());
        assert!(!room.path().join(".venv-test.new").exists());
    }

    #[cfg(unix)]
    #[test]
    fn uv_that_fails_leaves_nothing_that_looks_whole() {
        let room = Room::new();
        let workspace = Workspace::at(room.path());
        let failure = ensure(&workspace, &made_up(&room, "3.11", "exit 1"), &TESTS).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("the installation of python's packages failed: \"uv\" ended with "),
            "{failure}"
        );
        assert_eq!(crate::failure::exit_code(&failure), 2);
        assert!(!room.path().join(".venv-test").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_python_that_is_too_old_for_an_environment_is_refused() {
        let room = Room::new();
        let failure = ensure(&Workspace::at(room.path()), &made_up(&room, "3.10", ""), &PEERS).unwrap_err();
        assert!(
            failure.to_string().contains("is 3.10, 3.11 or later is needed for .venv-peers"),
            "{failure}"
        );
    }
}
