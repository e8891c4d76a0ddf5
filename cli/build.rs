//! Lets every program linked here find libtorch at run time, in the folder that torch-sys links from.

use std::env;
use std::process::Command;

fn main() {
    for variable in ["LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_USE_PYTORCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let is_wanted = env::var_os("CARGO_FEATURE_TORCH").is_some() && env::var_os("CARGO_CFG_UNIX").is_some();
    if is_wanted && let Some(libraries) = libraries() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{libraries}");
    }
}

/// Where torch-sys takes the libraries from, in its order of preference.
fn libraries() -> Option<String> {
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
        let script = "import os, torch; print(os.path.join(os.path.dirname(torch.__file__), 'lib'))";
        let output = Command::new(python).args(["-c", script]).output().ok()?;
        let folder = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        return Some(folder).filter(|folder| !folder.is_empty());
    }
    let libtorch = env::var("LIBTORCH_LIB").or_else(|_| env::var("LIBTORCH")).ok()?;
    Some(format!("{libtorch}/lib"))
}
