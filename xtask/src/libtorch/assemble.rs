//! From wheels to a libtorch folder: what is kept, the stub, the version; beside it first, then renamed.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use zip::ZipArchive;

use super::recipe::{Recipe, Wheel};
use crate::failure::Failure;
use crate::machine::{Machine, command};

/// Builds the libtorch folder `place` from the recipe's wheels; until it is whole, nothing stands at `place`.
pub(crate) fn assemble(
    recipe: &Recipe,
    machine: &Machine,
    wheels: &[PathBuf],
    place: &Path,
) -> Result<(), Failure> {
    let beside = beside(place, "partial");
    let built = build(recipe, machine, wheels, &beside).and_then(|()| put_in_place(&beside, place));
    if built.is_err() {
        // The first failure is the one to report; what could not be removed is removed by the next run.
        let _ = fs::remove_dir_all(&beside);
    }
    built
}

fn build(recipe: &Recipe, machine: &Machine, wheels: &[PathBuf], folder: &Path) -> Result<(), Failure> {
    let lib = folder.join("lib");
    fs::create_dir_all(&lib).map_err(Failure::file("create", &lib))?;
    for (wheel, path) in recipe.wheels.iter().zip(wheels) {
        unpack(wheel, path, folder)?;
    }
    if recipe.makes_stub {
        link_stub(machine, &lib)?;
    }
    let version = folder.join("build-version");
    fs::write(&version, format!("{}\n", recipe.version)).map_err(Failure::file("write", &version))
}

/// Writes what the wheel's `keep` names into `folder`.
fn unpack(wheel: &Wheel, path: &Path, folder: &Path) -> Result<(), Failure> {
    let broken = |error: &dyn std::error::Error| {
        let _ = fs::remove_file(path);
        Failure::Unpack { wheel: path.to_owned(), said: error.to_string() }
    };
    let file = File::open(path).map_err(Failure::file("open", path))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
    let mut is_found = vec![false; wheel.keep.len()];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| broken(&error))?;
        let Some(name) = entry.enclosed_name().filter(|_| entry.is_file()) else {
            continue;
        };
        let name = name.to_string_lossy().replace('\\', "/");
        let destinations = wheel.keep.iter().map(|keep| keep.destination(&name));
        let Some((keep, destination)) =
            destinations.enumerate().find_map(|(keep, to)| to.map(|to| (keep, folder.join(to))))
        else {
            continue;
        };
        is_found[keep] = true;
        if let Some(parent) = destination.parent() {
            fs::create_dir_all(parent).map_err(Failure::file("create", parent))?;
        }
        let mut file = File::create(&destination).map_err(Failure::file("create", &destination))?;
        io::copy(&mut entry, &mut file).map_err(Failure::file("write", &destination))?;
    }
    match wheel.keep.iter().zip(is_found).find(|(_, is_found)| !is_found) {
        Some((keep, _)) => {
            Err(Failure::NotInWheel { wheel: path.to_owned(), missing: keep.source().to_owned() })
        }
        None => Ok(()),
    }
}

/// Links a `libtorch.so` that names only the CPU side; the wheel's own names the CUDA side, which is not kept.
fn link_stub(machine: &Machine, lib: &Path) -> Result<(), Failure> {
    let program = machine.cc.join(" ");
    let output = command(&machine.cc)
        .args(["-shared", "-x", "c", "-", "-o", "libtorch.so", "-Wl,-soname,libtorch.so"])
        .args(["-Wl,--no-as-needed", "-L.", "-l:libtorch_cpu.so", "-l:libc10.so"])
        .args(["-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"])
        .current_dir(lib)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().replace('\n', "\n    ");
    Err(Failure::Stub { program, said: format!("    {said}") })
}

/// Renames, after moving away what stood there.
fn put_in_place(beside_place: &Path, place: &Path) -> Result<(), Failure> {
    if place.symlink_metadata().is_ok() {
        let old = beside(place, "old");
        fs::rename(place, &old).map_err(Failure::file("move away", place))?;
        fs::rename(beside_place, place).map_err(Failure::file("write", place))?;
        return fs::remove_dir_all(&old).map_err(Failure::file("remove", &old));
    }
    fs::rename(beside_place, place).map_err(Failure::file("write", place))
}

/// `.libtorch.partial-123` for `.libtorch`.
fn beside(place: &Path, why: &str) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{why}-{}", std::process::id()));
    place.with_file_name(name)
}

/// Removes what a killed run left beside `place`. Only one run works at a time, so whatever is there is dead.
pub(crate) fn remove_leftovers(place: &Path) -> Result<(), Failure> {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Ok(());
    };
    let name = name.to_string_lossy();
    let is_leftover = |entry: &str| {
        entry
            .strip_prefix(&*name)
            .is_some_and(|rest| rest.starts_with(".partial-") || rest.starts_with(".old-"))
    };
    for entry in fs::read_dir(folder).map_err(Failure::file("read", folder))?.flatten() {
        if is_leftover(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(Failure::file("remove", &path))?;
        }
    }
    Ok(())
}
