//! `cargo xtask wheel`: the Python package as a wheel, with no libtorch in it, and as sources.

use super::call;
use super::test::Environment::NoTorch;
use crate::clock::{self, human, size};
use crate::failure::cannot;
use crate::files;
use crate::machine::Machine;
use crate::python;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the wheel may weigh.
const MOST_BYTES: u64 = 8_000_000;

/// How it becomes a wheel of old systems: zig links for the glibc that they have.
const PORTABLE: [&str; 3] = ["--zig", "--compatibility", "manylinux_2_28"];

/// Builds both.
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<()> {
    build(workspace, machine)?;
    call(&mut maturin(workspace, machine, "sdist")?)?;
    let sources = made(workspace, "gz")?;
    println!("{}", sources.display());
    Ok(())
}

/// Builds the wheel; returns where it lies.
pub(crate) fn build(workspace: &Workspace, machine: &Machine) -> Result<PathBuf> {
    let started = clock::start();
    files::replace(&wheels(workspace))?;
    let mut maturin = maturin(workspace, machine, "build")?;
    maturin.args(["--release", "--strip"]).args(PORTABLE.iter().filter(|_| cfg!(target_os = "linux")));
    call(&mut maturin)?;
    let wheel = made(workspace, "whl")?;
    let bytes = wheel.metadata().with_context(cannot("read", &wheel))?.len();
    println!("{}: {} in {}", wheel.display(), size(bytes), human(started.elapsed()));
    ensure!(bytes <= MOST_BYTES, "the wheel is too large: {}, at most {}", size(bytes), size(MOST_BYTES));
    Ok(wheel)
}

fn wheels(workspace: &Workspace) -> PathBuf {
    workspace.target().join("wheels")
}

/// Maturin of the locked environment, which looks for zig beside python.
fn maturin(workspace: &Workspace, machine: &Machine, task: &str) -> Result<Command> {
    let python = python::ensure(workspace, machine, &python::BUILD)?;
    let mut maturin = workspace.command(python);
    maturin
        .args(["-m", "maturin", task, "--manifest-path", "python/Cargo.toml", "--out"])
        .arg(wheels(workspace));
    NoTorch.set(&mut maturin, None);
    Ok(maturin)
}

/// The file with this ending that maturin made.
fn made(workspace: &Workspace, ending: &str) -> Result<PathBuf> {
    let folder = wheels(workspace);
    let files = fs::read_dir(&folder).with_context(cannot("read", &folder))?;
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    let is_made = |path: &Path| path.extension().is_some_and(|end| end == ending);
    paths
        .find(|path| is_made(path))
        .with_context(|| format!("maturin made no .{ending} in {}", folder.display()))
}
