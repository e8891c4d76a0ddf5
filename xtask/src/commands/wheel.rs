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
use std::path::PathBuf;
use std::process::Command;

/// What the wheel may weigh.
const MOST_BYTES: u64 = 8_000_000;

/// Builds both.
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<()> {
    build(workspace, machine)?;
    call(&mut maturin(workspace, machine, "sdist")?)
}

/// Builds the wheel; returns where it lies.
pub(crate) fn build(workspace: &Workspace, machine: &Machine) -> Result<PathBuf> {
    let started = clock::start();
    let folder = workspace.wheels();
    files::replace(&folder)?;
    let mut maturin = maturin(workspace, machine, "build")?;
    maturin.args(["--release", "--strip"]);
    if cfg!(target_os = "linux") {
        // zig links for the glibc of systems older than this one.
        maturin.args(["--zig", "--compatibility", "manylinux_2_28"]);
    }
    call(&mut maturin)?;
    let mut made = fs::read_dir(&folder).with_context(cannot("read", &folder))?;
    let wheel = made.next().context("maturin made no wheel")?.with_context(cannot("read", &folder))?.path();
    let bytes = wheel.metadata().with_context(cannot("read", &wheel))?.len();
    println!("{}: {} in {}", wheel.display(), size(bytes), human(started.elapsed()));
    ensure!(bytes <= MOST_BYTES, "the wheel is too large: {}, at most {}", size(bytes), size(MOST_BYTES));
    Ok(wheel)
}

/// Maturin of the locked environment, with the zig of the same.
fn maturin(workspace: &Workspace, machine: &Machine, task: &str) -> Result<Command> {
    let python = python::ensure(workspace, machine, &python::BUILD)?;
    let mut maturin = workspace.command(&python);
    maturin
        .args(["-m", "maturin", task, "--manifest-path", "python/Cargo.toml", "--out"])
        .arg(workspace.wheels());
    maturin.env("CARGO_ZIGBUILD_PYTHON_PATH", python);
    NoTorch.set(&mut maturin, None);
    Ok(maturin)
}
