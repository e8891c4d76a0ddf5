//! Lets every program of this package find libtorch at run time, in the folder that torch-sys links from.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // torch-sys says it to the packages that depend on it directly.
    if let Ok(libraries) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{libraries}");
    }
}
