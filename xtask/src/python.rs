//! Python packages: what tests need (TensorBoard's own reader of event files), and what the proof `mobile-env` compares with.
//!
//! Only python3 and its pip are asked for, no `venv`: the packages lie in a folder that the tests put on `PYTHONPATH`. Their
//! versions are those of the requirements, and their checksums where these have some. Assembled beside and renamed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::clock::{self, human};
use crate::files;
use crate::machine::Machine;
use crate::workspace::Workspace;

/// Some packages, and the folder of the checkout for them.
pub(crate) struct Packages {
    folder: &'static str,
    requirements: &'static str,
    has_checksums: bool,
}

/// The packages of the tests in Python.
pub(crate) const TESTS: Packages = Packages {
    folder: ".venv-test",
    requirements: include_str!("../requirements-test.txt"),
    has_checksums: true,
};

/// The packages that build the documentation site.
pub(crate) const DOCS: Packages = Packages {
    folder: ".venv-docs",
    requirements: include_str!("../../docs/requirements.txt"),
    has_checksums: true,
};

/// The packages that we are compared with.
pub(crate) const PEERS: Packages = Packages {
    folder: ".venv-peers",
    requirements: include_str!("../requirements-peers.txt"),
    has_checksums: false,
};

/// The folder of the packages, inside.
const PACKAGES: &str = "site-packages";
/// Which python they are for: its version, a line break, the requirements.
const STAMP: &str = "stamp";
/// How a test calls that python.
const PYTHON: &str = "python";

/// Makes sure of the packages; returns what belongs on `PYTHONPATH`.
pub(crate) fn ensure(workspace: &Workspace, machine: &Machine, packages: &Packages) -> Result<PathBuf> {
    let version = machine.check_python()?;
    let place = workspace.root().join(packages.folder);
    let stamp = format!("{version}\n{}", packages.requirements);
    if fs::read_to_string(place.join(STAMP)).is_ok_and(|found| found == stamp) {
        eprintln!("python's packages are in {}", place.display());
        return Ok(place.join(PACKAGES));
    }
    let started = clock::start();
    eprintln!("setting up python's packages in {}, once", place.display());
    let beside = workspace.root().join(format!("{}.new", packages.folder));
    files::replace(&beside)?;
    install(machine, &beside, packages)?;
    files::write(&beside.join(PYTHON), &machine.python_name())?;
    files::write(&beside.join(STAMP), &stamp)?;
    files::remove(&place)?;
    files::rename(&beside, &place)?;
    eprintln!("python's packages are ready in {}", human(started.elapsed()));
    Ok(place.join(PACKAGES))
}

fn install(machine: &Machine, beside: &Path, packages: &Packages) -> Result<()> {
    let requirements = beside.join("requirements.txt");
    files::write(&requirements, packages.requirements)?;
    let mut pip = machine.pip("install");
    pip.args(["--quiet", "--progress-bar", "off"])
        .args(packages.has_checksums.then_some("--require-hashes"))
        .arg("--target")
        .arg(beside.join(PACKAGES))
        .arg("-r")
        .arg(&requirements);
    machine.run_pip(&mut pip, "the installation of python's packages", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up_tests::Room;

    #[test]
    fn every_package_has_a_version_and_a_checksum() {
        for (packages, known) in [(TESTS, "tensorboard"), (DOCS, "sphinx")] {
            let lines = || packages.requirements.lines().filter(|line| !line.starts_with('#'));
            let names: Vec<&str> = lines()
                .filter(|line| !line.starts_with(' '))
                .inspect(|line| assert!(line.contains("==") && line.ends_with(" \\"), "{line}"))
                .filter_map(|line| line.split("==").next())
                .collect();
            assert!(names.contains(&known), "{names:?}");
            assert!(lines().filter(|line| line.starts_with(' ')).all(|line| line.contains("--hash=sha256:")));
        }
    }

    #[cfg(unix)]
    #[test]
    fn packages_are_installed_once_and_again_for_another_python() {
        let room = Room::new();
        let calls = room.path().join("calls");
        let python = |version: &str| {
            let body = format!(
                "[ \"$1\" = -c ] && echo {version} && exit 0\n[ \"$3\" = install ] && echo install >> {}\nexit 0",
                calls.display()
            );
            room.script("python3", &body)
        };
        let count = || fs::read_to_string(&calls).unwrap_or_default().lines().count();
        let workspace = Workspace::at(room.path());
        for (version, expected) in [("3.11", 1), ("3.11", 1), ("3.12", 2)] {
            let machine = Machine { python: python(version).into(), ..Machine::this() };
            ensure(&workspace, &machine, &TESTS).unwrap();
            assert_eq!(count(), expected, "{version}");
        }
        assert!(room.path().join(".venv-test/stamp").is_file());
        assert!(!room.path().join(".venv-test.new").exists());
    }

    #[cfg(unix)]
    #[test]
    fn pip_that_fails_leaves_nothing_that_looks_whole() {
        let room = Room::new();
        let body = "[ \"$1\" = -c ] && echo 3.11 && exit 0\n[ \"$3\" = install ] && echo no route >&2 && exit 1\nexit 0";
        let machine = Machine { python: room.script("python3", body).into(), ..Machine::this() };
        let failure = ensure(&Workspace::at(room.path()), &machine, &TESTS).unwrap_err();
        assert!(
            failure.to_string().starts_with("the installation of python's packages failed: "),
            "{failure}"
        );
        assert_eq!(crate::failure::exit_code(&failure), 2);
        assert!(!room.path().join(".venv-test").exists());
    }
}
