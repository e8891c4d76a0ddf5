//! From wheels to a libtorch folder: what is kept, the stub, the version; beside it first, then renamed.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail, ensure};
use zip::ZipArchive;

use super::LIBTORCH_VERSION;
use super::recipe::{Recipe, Wheel, destination};
use crate::failure::cannot;
use crate::files;
use crate::machine::{Machine, command};

/// Builds the libtorch folder `place` from the recipe's wheels and returns its size in bytes; until it is whole, nothing
/// stands at `place`.
pub(crate) fn assemble(recipe: &Recipe, machine: &Machine, wheels: &[PathBuf], place: &Path) -> Result<u64> {
    let beside = beside(place, "partial");
    let built = build(recipe, machine, wheels, &beside)
        .and_then(|bytes| put_in_place(&beside, place).map(|()| bytes));
    if built.is_err() {
        // The first failure is the one to report; what could not be removed is removed by the next run.
        let _ = fs::remove_dir_all(&beside);
    }
    built
}

fn build(recipe: &Recipe, machine: &Machine, wheels: &[PathBuf], folder: &Path) -> Result<u64> {
    let lib = folder.join("lib");
    files::create(&lib)?;
    let mut bytes = 0;
    for (wheel, path) in recipe.wheels.iter().zip(wheels) {
        bytes += unpack(wheel, path, folder)?;
    }
    if recipe.makes_stub {
        link_stub(machine, &lib)?;
    }
    files::write(&folder.join("build-version"), &format!("{LIBTORCH_VERSION}\n"))?;
    Ok(bytes)
}

/// Writes what the wheel's `keep` names into `folder`; returns how many bytes that are.
fn unpack(wheel: &Wheel, path: &Path, folder: &Path) -> Result<u64> {
    let broken = |error| {
        let _ = fs::remove_file(path);
        anyhow!(
            "cannot unpack {}: {error}\n  it was thrown away; type again:  cargo xtask setup",
            path.display()
        )
    };
    let mut archive = ZipArchive::new(BufReader::new(files::open(path)?)).map_err(broken)?;
    let mut bytes = 0;
    let mut is_found = vec![false; wheel.keep.len()];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let Some(name) = entry.enclosed_name().filter(|_| entry.is_file()) else {
            continue;
        };
        let name = name.to_string_lossy().replace('\\', "/");
        let mut destinations = wheel.keep.iter().map(|keep| destination(keep, &name)).enumerate();
        let Some((keep, to)) = destinations.find_map(|(keep, to)| Some((keep, folder.join(to?)))) else {
            continue;
        };
        is_found[keep] = true;
        files::create(to.parent().unwrap_or(folder))?;
        let mut file = File::create(&to).with_context(cannot("create", &to))?;
        bytes += io::copy(&mut entry, &mut file).with_context(cannot("write", &to))?;
    }
    if let Some((missing, _)) = wheel.keep.iter().zip(is_found).find(|(_, is_found)| !is_found) {
        bail!(
            "{} has no {missing}\n  this is a mistake of the recipe in xtask/libtorch.toml; please report it",
            path.display()
        );
    }
    Ok(bytes)
}

/// Links a `libtorch.so` that names only the CPU side; the wheel's own names the CUDA side, which is not kept.
fn link_stub(machine: &Machine, lib: &Path) -> Result<()> {
    let program = machine.cc.join(" ");
    let output = command(&machine.cc)
        .args(["-shared", "-x", "c", "-", "-o", "libtorch.so", "-Wl,-soname,libtorch.so"])
        .args(["-Wl,--no-as-needed", "-L.", "-l:libtorch_cpu.so", "-l:libc10.so"])
        .args(["-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"])
        .current_dir(lib)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    ensure!(
        output.status.success(),
        "the C compiler could not link libtorch.so: \"{program}\" said
    {}
  see that a linker is installed:  apt-get install g++   (Debian, Ubuntu)",
        String::from_utf8_lossy(&output.stderr).trim_end().replace('\n', "\n    ")
    );
    Ok(())
}

/// Renames, after moving away what stood there.
fn put_in_place(beside_place: &Path, place: &Path) -> Result<()> {
    let old = beside(place, "old");
    if place.symlink_metadata().is_ok() {
        fs::rename(place, &old).with_context(cannot("move away", place))?;
    }
    files::rename(beside_place, place)?;
    files::remove(&old)
}

/// `.libtorch.partial-123` for `.libtorch`.
fn beside(place: &Path, why: &str) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{why}-{}", std::process::id()));
    place.with_file_name(name)
}

/// Removes what a killed run left beside `place`. Only one run works at a time, so whatever is there is dead.
pub(crate) fn remove_leftovers(place: &Path) -> Result<()> {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Ok(());
    };
    let name = name.to_string_lossy();
    for entry in fs::read_dir(folder).with_context(cannot("read", folder))?.flatten() {
        let other = entry.file_name();
        let rest = other.to_str().and_then(|other| other.strip_prefix(&*name));
        if rest.is_some_and(|rest| rest.starts_with(".partial-") || rest.starts_with(".old-")) {
            files::remove(&entry.path())?;
        }
    }
    Ok(())
}
