//! `cargo xtask wheel`: the Python package as a wheel, with no libtorch in it, and as sources; its trainer as a wheel of its own.

use super::call;
use super::test::Environment::NoTorch;
use crate::clock::{self, human, size};
use crate::failure::cannot;
use crate::files;
use crate::libtorch;
use crate::machine::Machine;
use crate::python;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What the wheel may weigh.
const MOST_BYTES: u64 = 8_000_000;

/// Builds the wheels and the sources.
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<()> {
    library(workspace, machine)?;
    trainer(workspace, machine)?;
    let mut sources = maturin(workspace, machine, "sdist", "python/Cargo.toml")?;
    NoTorch.set(&mut sources, None);
    call(&mut sources)
}

/// Empties the folder and builds the wheel of `thoughtcache`; returns where it lies.
pub(crate) fn library(workspace: &Workspace, machine: &Machine) -> Result<PathBuf> {
    files::replace(&workspace.wheels())?;
    let mut maturin = maturin(workspace, machine, "build", "python/Cargo.toml")?;
    NoTorch.set(&mut maturin, None);
    if cfg!(target_os = "linux") {
        // zig links for the glibc of systems older than this one.
        maturin.args(["--zig", "--compatibility", "manylinux_2_28"]);
    }
    build(workspace, maturin, "thoughtcache-")
}

/// Builds the wheel of `thoughtcache-cli`, which finds libtorch where it is installed; returns where it lies.
pub(crate) fn trainer(workspace: &Workspace, machine: &Machine) -> Result<PathBuf> {
    libtorch::ensure(workspace, machine)?;
    build(workspace, maturin(workspace, machine, "build", "python/cli/Cargo.toml")?, "thoughtcache_cli-")
}

fn build(workspace: &Workspace, mut maturin: Command, name: &str) -> Result<PathBuf> {
    let started = clock::start();
    call(maturin.args(["--release", "--strip"]))?;
    let folder = workspace.wheels();
    let made = fs::read_dir(&folder).with_context(cannot("read", &folder))?;
    let mut wheels = made.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(name) && file.ends_with(".whl")
    });
    let wheel = wheels.next().context("maturin made no wheel")?;
    let bytes = wheel.metadata().with_context(cannot("read", &wheel))?.len();
    println!("{}: {} in {}", wheel.display(), size(bytes), human(started.elapsed()));
    ensure!(bytes <= MOST_BYTES, "the wheel is too large: {}, at most {}", size(bytes), size(MOST_BYTES));
    Ok(wheel)
}

/// Maturin of the locked environment, with the zig of the same.
fn maturin(workspace: &Workspace, machine: &Machine, task: &str, manifest: &str) -> Result<Command> {
    let python = python::ensure(workspace, machine, &python::BUILD)?;
    let mut maturin = workspace.command(&python);
    maturin.args(["-m", "maturin", task, "--manifest-path", manifest, "--out"]).arg(workspace.wheels());
    maturin.env("CARGO_ZIGBUILD_PYTHON_PATH", python);
    Ok(maturin)
}
