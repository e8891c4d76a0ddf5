//! Where the checkout is, and how cargo is called from inside `cargo xtask`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The finished program of the project.
const PROGRAM: &str = "thoughtcache";

/// The checkout that xtask belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The folder above this package: as cargo says it when it runs us, else as it was when we were compiled.
    pub(crate) fn here() -> Self {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        Self::at(package.parent().unwrap_or(&package))
    }

    /// The checkout at `root`.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where `.cargo/config.toml` says that libtorch is.
    pub(crate) fn libtorch(&self) -> PathBuf {
        self.root.join(".libtorch")
    }

    /// Cargo, called as a person would call it at the root.
    ///
    /// Cargo compares the environment of its calls: what the outer `cargo xtask` added for this process (the
    /// package's name and version, the LIBTORCH of the configuration) would make it build torch-sys a second time.
    pub(crate) fn cargo(&self) -> Command {
        self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// The folder that cargo writes into, `CARGO_TARGET_DIR` or `target`: two folders above the program.
    pub(crate) fn target(&self) -> PathBuf {
        PathBuf::from(self.program().get_program()).ancestors().nth(2).unwrap_or(&self.root).to_owned()
    }

    /// The folder that maturin writes wheels into.
    pub(crate) fn wheels(&self) -> PathBuf {
        self.target().join("wheels")
    }

    /// The finished program, called at the root. Cargo puts it beside this one.
    pub(crate) fn program(&self) -> Command {
        let beside = env::current_exe().ok().and_then(|me| Some(me.parent()?.join(PROGRAM)));
        let built = beside.unwrap_or_else(|| self.root.join("target/release").join(PROGRAM));
        self.command(built.with_extension(env::consts::EXE_EXTENSION))
    }

    /// A program that may call cargo, called at the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, value) in env::vars_os() {
            let is_ours = name.to_str().is_some_and(is_set_for_this_package)
                || (name == "LIBTORCH" && self.is_our_libtorch(Path::new(&value)));
            if is_ours {
                command.env_remove(&name);
            }
        }
        command
    }

    /// Whether a value of `LIBTORCH` is the one of `.cargo/config.toml`, rather than one that the user chose.
    pub(crate) fn is_our_libtorch(&self, value: &Path) -> bool {
        let ours = self.libtorch();
        let real = |path: &Path| path.canonicalize().ok();
        value == ours || (real(value).is_some() && real(value) == real(&ours))
    }
}

/// Variables that cargo sets for the package it runs, which its build scripts would see change.
fn is_set_for_this_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|p| name.starts_with(p))
        || name == "CARGO_PRIMARY_PACKAGE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configurations_libtorch_is_told_from_the_users() {
        let workspace = Workspace::at(Path::new("/some/checkout"));
        assert!(workspace.is_our_libtorch(Path::new("/some/checkout/.libtorch")));
        assert!(!workspace.is_our_libtorch(Path::new("/opt/libtorch")));
        assert!(!workspace.is_our_libtorch(Path::new("")));
    }

    #[test]
    fn the_same_folder_under_another_name_is_ours_too() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".libtorch")).unwrap();
        let workspace = Workspace::at(root.path());
        assert!(workspace.is_our_libtorch(&root.path().join(".libtorch/../.libtorch")));
    }

    #[test]
    fn only_what_cargo_says_of_this_package_is_hidden_from_the_inner_cargo() {
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE"] {
            assert!(is_set_for_this_package(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "CARGO", "PATH"] {
            assert!(!is_set_for_this_package(name), "{name}");
        }
    }
}
