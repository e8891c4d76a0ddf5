//! The wheels of a recipe, in a folder that survives an interrupted run.
//!
//! pip writes into `partial/`. A wheel is moved out of it only when its checksum is right, so a file beside
//! `partial/` is a whole wheel; its checksum is looked at again before it is used, since disks fill up and people copy.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::recipe::{Recipe, Wheel};
use crate::clock::size;
use crate::failure::{OWN_LIBTORCH, cannot};
use crate::files;
use crate::machine::Machine;

/// Makes sure that every wheel of `recipe` is in `folder`, whole; gives their paths in the recipe's order.
pub(crate) fn fetch(recipe: &Recipe, machine: &Machine, folder: &Path) -> Result<Vec<PathBuf>> {
    files::create(folder)?;
    let partial = folder.join("partial");
    files::remove(&partial)?;
    let mut missing = Vec::new();
    for wheel in &recipe.wheels {
        if !is_there(wheel, folder)? {
            missing.push(wheel);
        }
    }
    if !missing.is_empty() {
        machine.check_python()?;
        machine.check_space(folder, recipe.peak_bytes(&missing), recipe.kept_bytes)?;
        files::create(&partial)?;
        let downloaded = missing.iter().try_for_each(|wheel| {
            download(wheel, machine, &partial)?;
            accept(wheel, machine, &partial, folder)
        });
        let removed = files::remove(&partial);
        downloaded.and(removed)?;
    }
    Ok(recipe.wheels.iter().map(|wheel| folder.join(&wheel.file)).collect())
}

/// Whether a whole wheel is left from an earlier run; anything else under its name is removed.
fn is_there(wheel: &Wheel, folder: &Path) -> Result<bool> {
    let Wheel { file, bytes, sha256, .. } = wheel;
    let path = folder.join(file);
    let Ok(found) = fs::metadata(&path) else {
        return Ok(false);
    };
    if found.len() == *bytes && sha256_of(&path)? == *sha256 {
        eprintln!("{file} is here from before, whole");
        return Ok(true);
    }
    let (found, all) = (size(found.len()), size(*bytes));
    eprintln!("{file} is here from before, but not whole ({found} of {all}): thrown away");
    fs::remove_file(&path).with_context(cannot("remove", &path))?;
    Ok(false)
}

/// Has pip download one wheel into `partial`.
fn download(wheel: &Wheel, machine: &Machine, partial: &Path) -> Result<()> {
    let mut pip = machine.pip("download");
    pip.args(["--no-cache-dir", "--python-version", "3.11", "--platform", wheel.platform()]);
    if wheel.is_for_cpython_311() {
        pip.args(["--implementation", "cp", "--abi", "cp311"]);
    }
    // pip's temporary files lie in the same place, so that they are thrown away with the rest.
    pip.arg("-d").arg(partial).arg(&wheel.requirement).env("TMPDIR", partial);
    let what = format!("the download of {}", wheel.requirement);
    machine.run_pip(&mut pip, &what, &format!("\n  without a network: {OWN_LIBTORCH}"))
}

/// Moves the wheel that pip brought to its place, if it is the right one.
fn accept(wheel: &Wheel, machine: &Machine, partial: &Path, folder: &Path) -> Result<()> {
    let Wheel { file, sha256: expected, .. } = wheel;
    let (path, program) = (partial.join(file), machine.python_name());
    ensure!(
        path.is_file(),
        "pip did not bring {file} but {}
  see what redirects it:  {program} -m pip config list",
        wheels_in(partial)
    );
    let got = sha256_of(&path)?;
    ensure!(
        got == *expected,
        "wrong checksum: {file} is not the file that this project was tried with
  expected sha256 {expected}
  got      sha256 {got}
  it was thrown away; type again:  cargo xtask setup
  if it happens again, pip takes it from elsewhere; see what redirects it:  {program} -m pip config list"
    );
    files::rename(&path, &folder.join(file))
}

/// The names of the wheels in a folder, for a message.
fn wheels_in(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "whl"));
    names.sort();
    if names.is_empty() { "no wheel".to_owned() } else { names.join(", ") }
}

fn sha256_of(path: &Path) -> Result<String> {
    let mut file = files::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk).with_context(cannot("read", path))?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&chunk[..read]);
    }
}

/// Two digits a byte, as checksums are written.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
