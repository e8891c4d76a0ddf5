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

use fs4::{FileExt, TryLockError};

use crate::clock::{Stopwatch, human};
use crate::failure::{Failure, LIBTORCH_VERSION};
use crate::files;
use crate::machine::{Machine, numbers, said};
use crate::progress::{say, size};
use crate::workspace::Workspace;
use recipe::Recipe;

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

/// A libtorch that is there.
#[derive(Debug)]
pub(crate) struct Libtorch {
    /// Where its libraries are, if programs and doctests are not already told by `.cargo/config.toml`.
    pub own_libraries: Option<PathBuf>,
}

/// Makes sure of libtorch: verifies the user's own, or sets up `.libtorch` once.
pub(crate) fn ensure(workspace: &Workspace, machine: &Machine) -> Result<Libtorch, Failure> {
    let use_pytorch = env::var_os("LIBTORCH_USE_PYTORCH").is_some();
    let own_libraries = match Choice::of(workspace, use_pytorch, env::var_os("LIBTORCH").map(PathBuf::from)) {
        Choice::PyTorch => Some(verify_pytorch()?),
        Choice::Own(path) => Some(verify_own(&path, machine)?),
        Choice::Ours => {
            set_up(Recipe::of(machine)?, workspace, machine)?;
            None
        }
    };
    Ok(Libtorch { own_libraries })
}

/// Puts `.libtorch` together unless it is whole already.
fn set_up(recipe: &Recipe, workspace: &Workspace, machine: &Machine) -> Result<(), Failure> {
    let place = workspace.libtorch();
    if is_whole(recipe, &place) {
        say(&format!("libtorch {} is in {}", recipe.version, place.display()));
        return Ok(());
    }
    let _one_at_a_time = lock(workspace.root())?;
    if is_whole(recipe, &place) {
        say(&format!("libtorch {} is in {}: another run put it there", recipe.version, place.display()));
        return Ok(());
    }
    let stopwatch = Stopwatch::start();
    let downloads = place.with_file_name(".libtorch.download");
    say(&format!("setting up libtorch {} in {}, once", recipe.version, place.display()));
    if !recipe.is_tried {
        say(&format!(
            "  the recipe for {} {} is untested: please report how it went",
            machine.os, machine.arch
        ));
    }
    machine.check_compilers()?;
    assemble::remove_leftovers(&place)?;
    let wheels = download::fetch(recipe, machine, &downloads)?;
    machine.check_space(workspace.root(), recipe.kept_bytes, recipe.kept_bytes)?;
    say("unpacking");
    assemble::assemble(recipe, machine, &wheels, &place)?;
    files::remove(&downloads)?;
    say(&format!(
        "libtorch {} is ready: {} in {}",
        recipe.version,
        size(folder_bytes(&place)),
        human(stopwatch.elapsed())
    ));
    Ok(())
}

/// The version is ours and every library is there: true only of a folder that was finished and renamed.
fn is_whole(recipe: &Recipe, place: &Path) -> bool {
    let version = fs::read_to_string(place.join("build-version")).unwrap_or_default();
    version.trim() == recipe.version
        && place.join(HEADER).is_file()
        && recipe.libraries().all(|name| {
            fs::metadata(place.join("lib").join(name)).is_ok_and(|found| found.is_file() && found.len() > 0)
        })
}

/// Held while this process lives. A file system without locks is trusted to have one user.
fn lock(root: &Path) -> Result<File, Failure> {
    let folder = File::open(root).map_err(Failure::file("open", root))?;
    if matches!(FileExt::try_lock(&folder), Err(TryLockError::WouldBlock)) {
        say("another `cargo xtask` is setting up libtorch in this checkout: waiting for it");
        FileExt::lock(&folder).map_err(Failure::file("lock", root))?;
    }
    Ok(folder)
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => folder_bytes(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Looks at the libtorch that `LIBTORCH` names; gives the folder of its libraries.
fn verify_own(path: &Path, machine: &Machine) -> Result<PathBuf, Failure> {
    let no = |problem: String| Failure::OwnLibtorch { path: path.to_owned(), problem };
    if !path.is_absolute() {
        return Err(no("it must be an absolute path, since cargo builds in several folders".to_owned()));
    }
    let part = |variable| env::var_os(variable).map_or_else(|| path.to_owned(), PathBuf::from);
    let header = part("LIBTORCH_INCLUDE").join(HEADER);
    let lib = part("LIBTORCH_LIB").join("lib");
    let libraries: &[&str] = match machine.os.as_str() {
        "windows" => &["torch_cpu.lib", "c10.lib"],
        "macos" => &["libtorch.dylib", "libtorch_cpu.dylib", "libc10.dylib"],
        _ => &["libtorch.so", "libtorch_cpu.so", "libc10.so"],
    };
    let missing =
        std::iter::once(header).chain(libraries.iter().map(|name| lib.join(name))).find(|f| !f.is_file());
    if let Some(missing) = missing {
        return Err(no(format!("there is no {}", missing.display())));
    }
    match version_of(path) {
        Some(version) if !is_accepted(&version) => {
            Err(no(format!("it is version {version}, and the crate tch needs {LIBTORCH_VERSION}")))
        }
        version => {
            let version = version.unwrap_or_else(|| "of unknown version".to_owned());
            say(&format!("libtorch {version} is in {} (LIBTORCH)", path.display()));
            Ok(lib)
        }
    }
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
fn verify_pytorch() -> Result<PathBuf, Failure> {
    let no = |problem: String| Failure::PyTorch { problem };
    let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let script = "import os, torch; print(torch.__version__); print(os.path.dirname(torch.__file__))";
    let output = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| no(format!("{python} did not run: {error}")))?;
    if !output.status.success() {
        return Err(no(format!("{python} cannot import torch: {}", said(&output))));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(str::trim);
    let (version, folder) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if numbers(version).is_none() || folder.is_empty() {
        return Err(no(format!("{python} told no version of torch")));
    }
    if !is_accepted(version) {
        return Err(no(format!(
            "the torch of {python} is {version}, and the crate tch needs {LIBTORCH_VERSION}"
        )));
    }
    say(&format!("libtorch {version} is in {folder} (LIBTORCH_USE_PYTORCH)"));
    Ok(Path::new(folder).join("lib"))
}
