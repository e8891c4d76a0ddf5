//! Which libtorch is used, and that it is there: the user's own, that of a PyTorch, or ours in `.libtorch`.

mod assemble;
mod download;
mod recipe;
#[cfg(test)]
mod tests;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};
use fs4::{FileExt, TryLockError};

use crate::clock::{self, human, size};
use crate::failure::cannot;
use crate::files;
use crate::machine::{Machine, numbers, said};
use crate::workspace::Workspace;
use recipe::Recipe;

/// The version of libtorch that the crate `tch` of this workspace is written for; it refuses any other.
const LIBTORCH_VERSION: &str = "2.11.0";

/// The header that shows that the C++ interface is there.
const HEADER: &str = "include/torch/csrc/api/include/torch/torch.h";

/// Which libtorch the build of torch-sys takes, in its own order of preference.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// `LIBTORCH_USE_PYTORCH` is set.
    PyTorch,
    /// `LIBTORCH` is set by the user.
    Own(PathBuf),
    /// `.libtorch`, named by `.cargo/config.toml`.
    Ours,
}

impl Choice {
    fn of(workspace: &Workspace, use_pytorch: bool, libtorch: Option<PathBuf>) -> Self {
        match libtorch {
            _ if use_pytorch => Self::PyTorch,
            Some(path) if !workspace.is_our_libtorch(&path) => Self::Own(path),
            _ => Self::Ours,
        }
    }
}

/// Makes sure of libtorch: verifies the user's own, or sets up `.libtorch` once. Returns where the libraries are of which
/// programs and doctests are not told by `.cargo/config.toml`.
pub(crate) fn ensure(workspace: &Workspace, machine: &Machine) -> Result<Option<PathBuf>> {
    let use_pytorch = env::var_os("LIBTORCH_USE_PYTORCH").is_some();
    match Choice::of(workspace, use_pytorch, env::var_os("LIBTORCH").map(PathBuf::from)) {
        Choice::PyTorch => verify_pytorch().map(Some),
        Choice::Own(path) => verify_own(&path, machine).map(Some),
        Choice::Ours => set_up(&Recipe::of(machine)?, workspace, machine).map(|()| None),
    }
}

/// Puts `.libtorch` together unless it is whole already.
fn set_up(recipe: &Recipe, workspace: &Workspace, machine: &Machine) -> Result<()> {
    let place = workspace.libtorch();
    let what = format!("libtorch {LIBTORCH_VERSION}");
    let where_it_is = format!("{what} is in {}", place.display());
    if is_whole(recipe, &place) {
        eprintln!("{where_it_is}");
        return Ok(());
    }
    let _one_at_a_time = lock(workspace.root())?;
    if is_whole(recipe, &place) {
        eprintln!("{where_it_is}: another run put it there");
        return Ok(());
    }
    let started = clock::start();
    let downloads = place.with_file_name(".libtorch.download");
    eprintln!("setting up {what} in {}, once", place.display());
    if !recipe.is_tried {
        eprintln!("  the recipe for {} {} is untested: please report how it went", machine.os, machine.arch);
    }
    machine.check_compilers()?;
    assemble::remove_leftovers(&place)?;
    let wheels = download::fetch(recipe, machine, &downloads)?;
    machine.check_space(workspace.root(), recipe.kept_bytes, recipe.kept_bytes)?;
    eprintln!("unpacking");
    let bytes = assemble::assemble(recipe, machine, &wheels, &place)?;
    files::remove(&downloads)?;
    eprintln!("{what} is ready: {} in {}", size(bytes), human(started.elapsed()));
    Ok(())
}

/// The version is ours and every library is there: true only of a folder that was finished and renamed.
fn is_whole(recipe: &Recipe, place: &Path) -> bool {
    let version = fs::read_to_string(place.join("build-version")).unwrap_or_default();
    version.trim() == LIBTORCH_VERSION
        && place.join(HEADER).is_file()
        && recipe.libraries().all(|name| {
            fs::metadata(place.join("lib").join(name)).is_ok_and(|found| found.is_file() && found.len() > 0)
        })
}

/// Held while this process lives. A file system without locks is trusted to have one user.
fn lock(root: &Path) -> Result<File> {
    let folder = files::open(root)?;
    if matches!(FileExt::try_lock(&folder), Err(TryLockError::WouldBlock)) {
        eprintln!("another `cargo xtask` is setting up libtorch in this checkout: waiting for it");
        FileExt::lock(&folder).with_context(cannot("lock", root))?;
    }
    Ok(folder)
}

/// Looks at the libtorch that `LIBTORCH` names; gives the folder of its libraries.
fn verify_own(path: &Path, machine: &Machine) -> Result<PathBuf> {
    let no = |problem: String| {
        anyhow!(
            "LIBTORCH={} cannot be used: {problem}
  point it to a whole libtorch {LIBTORCH_VERSION}, or unset it to have one downloaded:  env -u LIBTORCH cargo xtask setup",
            path.display()
        )
    };
    if !path.is_absolute() {
        return Err(no("it must be an absolute path, since cargo builds in several folders".to_owned()));
    }
    let part = |variable| env::var_os(variable).map_or_else(|| path.to_owned(), PathBuf::from);
    let lib = part("LIBTORCH_LIB").join("lib");
    let libraries: &[&str] = match machine.os.as_str() {
        "windows" => &["torch_cpu.lib", "c10.lib"],
        "macos" => &["libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib"],
        _ => &["libtorch.so", "libtorch_cpu.so", "libc10.so"],
    };
    let mut files = vec![part("LIBTORCH_INCLUDE").join(HEADER)];
    files.extend(libraries.iter().map(|name| lib.join(name)));
    if let Some(missing) = files.iter().find(|file| !file.is_file()) {
        return Err(no(format!("there is no {}", missing.display())));
    }
    let version = version_of(path);
    if let Some(version) = version.as_ref().filter(|version| !is_accepted(version)) {
        return Err(no(format!("it is version {version}, and the crate tch needs {LIBTORCH_VERSION}")));
    }
    let version = version.as_deref().unwrap_or("of unknown version");
    eprintln!("libtorch {version} is in {} (LIBTORCH)", path.display());
    Ok(lib)
}

/// As a libtorch archive tells it (`build-version`), or a PyTorch (`version.py`).
fn version_of(libtorch: &Path) -> Option<String> {
    if let Ok(version) = fs::read_to_string(libtorch.join("build-version")) {
        return Some(version.trim().to_owned());
    }
    let python = fs::read_to_string(libtorch.join("version.py")).ok()?;
    let value = python.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(value.trim_matches(['\'', '"']).to_owned())
}

/// `2.11.0+cu130` is as good as `2.11.0`; and torch-sys can be told to take any.
fn is_accepted(version: &str) -> bool {
    let number = version.split('+').next().unwrap_or_default();
    number == LIBTORCH_VERSION || env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_some()
}

/// Looks at the PyTorch that torch-sys will find; gives the folder of its libraries.
fn verify_pytorch() -> Result<PathBuf> {
    let (version, folder) = pytorch().map_err(|problem| {
        anyhow!(
            "LIBTORCH_USE_PYTORCH is set, but {problem}
  install it:              python3 -m pip install torch=={LIBTORCH_VERSION}
  or have one downloaded:  env -u LIBTORCH_USE_PYTORCH cargo xtask setup"
        )
    })?;
    eprintln!("libtorch {version} is in {folder} (LIBTORCH_USE_PYTORCH)");
    Ok(Path::new(&folder).join("lib"))
}

/// The version and the folder of the torch that python imports.
fn pytorch() -> Result<(String, String)> {
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let script = "import os, torch; print(torch.__version__); print(os.path.dirname(torch.__file__))";
    let output = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| anyhow!("{python} did not run: {error}"))?;
    ensure!(output.status.success(), "{python} cannot import torch: {}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(|line| line.trim().to_owned());
    let (Some(version), Some(folder)) = (lines.next(), lines.next()) else {
        bail!("{python} told no version of torch");
    };
    ensure!(numbers(&version).is_some() && !folder.is_empty(), "{python} told no version of torch");
    ensure!(
        is_accepted(&version),
        "the torch of {python} is {version}, and the crate tch needs {LIBTORCH_VERSION}"
    );
    Ok((version, folder))
}
