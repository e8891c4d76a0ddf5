//! Which wheels hold libtorch, and what is kept of them: the recipes of `xtask/libtorch.toml`, one per platform.
//!
//! The wheels of the Python package index are the smallest source of libtorch that has checksums and mirrors.
//! Those for Linux carry the CUDA side too; only the CPU side is kept, with the two small CUDA libraries that
//! `libtorch_cpu.so` names even where there is no GPU.

use anyhow::{Result, bail, ensure};
use serde::Deserialize;

use crate::failure::OWN_LIBTORCH;
use crate::files;
use crate::machine::{Machine, numbers};

/// The glibc that the wheels for Linux were built against.
const OLDEST_GLIBC: (u32, u32) = (2, 28);

/// For pip's notes, and for the last blocks of ten thousand headers.
const SLACK_BYTES: u64 = 50_000_000;

/// How libtorch is put together on one platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// As in `std::env::consts::OS`.
    pub os: String,
    /// As in `std::env::consts::ARCH`.
    pub arch: String,
    /// Bytes of what is kept, rounded up.
    pub kept_bytes: u64,
    /// Whether `libtorch.so` is made here, because that of the wheel needs the CUDA side.
    pub makes_stub: bool,
    /// Whether the recipe has been run on such a machine.
    pub is_tried: bool,
    /// In the order of their download: the largest last, which keeps the need for disk small.
    #[serde(rename = "wheel")]
    pub wheels: Vec<Wheel>,
}

/// One file of the package index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wheel {
    /// What pip is asked for: `torch==2.11.0`.
    pub requirement: String,
    /// The name of the file that it brings.
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    /// Files of the wheel, kept in `lib`, and folders, which end in a slash and keep their name.
    pub keep: Vec<String>,
}

/// Where a file of a wheel goes that `keep` names, relative to the libtorch folder; nothing if it is not meant.
pub(crate) fn destination(keep: &str, name: &str) -> Option<String> {
    match keep.strip_suffix('/') {
        Some(folder) => {
            let rest = name.strip_prefix(keep).filter(|rest| !rest.is_empty())?;
            Some(format!("{}/{rest}", last_part(folder)))
        }
        None => (name == keep).then(|| format!("lib/{}", last_part(name))),
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Wheel {
    /// The first platform tag of the file's name, as pip's `--platform`.
    pub(crate) fn platform(&self) -> &str {
        let tags = self.file.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default();
        tags.split('.').next().unwrap_or_default()
    }

    /// Whether the file is for one version of `CPython`. Which one does not matter: no Python of it is kept.
    pub(crate) fn is_for_cpython_311(&self) -> bool {
        self.file.contains("-cp311-")
    }
}

impl Recipe {
    fn all() -> Vec<Self> {
        files::rows(include_str!("../../libtorch.toml"))
    }

    /// The recipe for a machine, if there is one.
    pub(crate) fn of(machine: &Machine) -> Result<Self> {
        let Machine { os, arch, libc, .. } = machine;
        let is_musl = libc == "musl";
        let Some(recipe) =
            Self::all().into_iter().find(|recipe| recipe.os == *os && recipe.arch == *arch && !is_musl)
        else {
            bail!(
                "no libtorch recipe for this machine: {os} {arch}{}
  there is one for Linux x86_64, Linux aarch64 (untested), macOS aarch64 (untested)
  {OWN_LIBTORCH}
  everything but the learners works without:  cargo test --release -p thoughtcache --no-default-features",
                if is_musl { " with musl" } else { "" }
            );
        };
        ensure!(
            os != "linux" || numbers(libc).is_none_or(|libc| libc >= OLDEST_GLIBC),
            "libtorch needs glibc {}.{} or later, but this machine has {libc}
  use a newer system, or bring a libtorch that was built for this one:
  {OWN_LIBTORCH}",
            OLDEST_GLIBC.0,
            OLDEST_GLIBC.1
        );
        Ok(recipe)
    }

    /// The libraries that make a `lib` folder complete.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &str> {
        let keeps = self.wheels.iter().flat_map(|wheel| &wheel.keep);
        let kept = keeps.filter(|keep| !keep.ends_with('/')).map(|keep| last_part(keep));
        kept.chain(self.makes_stub.then_some("libtorch.so"))
    }

    /// Disk needed at the worst moment, when `missing` wheels have to be downloaded and the others are there.
    ///
    /// pip writes a wheel to a temporary file and copies it; later the wheels lie beside what is kept of them.
    pub(crate) fn peak_bytes(&self, missing: &[&Wheel]) -> u64 {
        let mut arrived = 0;
        let mut peak = 0;
        for wheel in missing {
            peak = peak.max(arrived + 2 * wheel.bytes);
            arrived += wheel.bytes;
        }
        peak.max(arrived + self.kept_bytes) + SLACK_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(os: &str, arch: &str, libc: &str) -> Machine {
        Machine { os: os.to_owned(), arch: arch.to_owned(), libc: libc.to_owned(), ..Machine::this() }
    }

    #[test]
    fn three_platforms_have_a_recipe_and_one_of_them_is_tried() {
        assert!(Recipe::of(&machine("linux", "x86_64", "glibc 2.28")).unwrap().is_tried);
        assert!(!Recipe::of(&machine("linux", "aarch64", "glibc 2.39")).unwrap().is_tried);
        assert!(!Recipe::of(&machine("macos", "aarch64", "")).unwrap().is_tried);
    }

    #[test]
    fn other_platforms_are_told_to_bring_their_own() {
        for (os, arch) in [("windows", "x86_64"), ("macos", "x86_64"), ("linux", "riscv64")] {
            let failure = Recipe::of(&machine(os, arch, "")).unwrap_err().to_string();
            assert!(
                failure.contains(&format!("{os} {arch}\n")) && failure.contains("LIBTORCH="),
                "{failure}"
            );
        }
        let failure = Recipe::of(&machine("linux", "x86_64", "musl")).unwrap_err();
        insta::assert_snapshot!(failure, @r"
        no libtorch recipe for this machine: linux x86_64 with musl
          there is one for Linux x86_64, Linux aarch64 (untested), macOS aarch64 (untested)
          bring your own libtorch 2.11.0 with LIBTORCH=/path/to/libtorch, or that of an installed PyTorch 2.11.0 with LIBTORCH_USE_PYTORCH=1
          everything but the learners works without:  cargo test --release -p thoughtcache --no-default-features
        ");
    }

    #[test]
    fn a_glibc_older_than_the_wheels_is_refused_and_an_unknown_one_is_not() {
        insta::assert_snapshot!(Recipe::of(&machine("linux", "x86_64", "glibc 2.9")).unwrap_err(), @r"
        libtorch needs glibc 2.28 or later, but this machine has glibc 2.9
          use a newer system, or bring a libtorch that was built for this one:
          bring your own libtorch 2.11.0 with LIBTORCH=/path/to/libtorch, or that of an installed PyTorch 2.11.0 with LIBTORCH_USE_PYTORCH=1
        ");
        assert!(Recipe::of(&machine("linux", "x86_64", "")).is_ok());
    }

    #[test]
    fn every_platform_has_the_libraries_that_torch_sys_links() {
        for recipe in Recipe::all() {
            let end = if recipe.makes_stub { "so" } else { "dylib" };
            for library in ["libtorch", "libtorch_cpu", "libc10"] {
                let library = format!("{library}.{end}");
                assert_eq!(recipe.libraries().filter(|name| *name == library).count(), 1, "{library}");
            }
        }
    }

    #[test]
    fn checksums_are_sha256_and_names_begin_as_their_requirement() {
        for wheel in Recipe::all().into_iter().flat_map(|recipe| recipe.wheels) {
            assert!(wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
            let name = wheel.requirement.replace('-', "_").replace("==", "-");
            assert!(wheel.file.starts_with(&format!("{name}-")), "{}", wheel.file);
            let systems = ["manylinux", "macosx"];
            assert!(systems.iter().any(|system| wheel.platform().starts_with(system)), "{}", wheel.file);
            assert_eq!(wheel.is_for_cpython_311(), wheel.requirement.starts_with("torch=="));
        }
    }

    #[test]
    fn folders_are_kept_with_what_is_below_and_libraries_by_their_name() {
        let include = |name| destination("torch/include/", name);
        assert_eq!(include("torch/include/ATen/ATen.h").as_deref(), Some("include/ATen/ATen.h"));
        assert_eq!(include("torch/include/"), None);
        assert_eq!(include("torch/lib/libc10.so"), None);
        let cupti = |name| destination("nvidia/cu13/lib/libcupti.so.13", name);
        assert_eq!(cupti("nvidia/cu13/lib/libcupti.so.13").as_deref(), Some("lib/libcupti.so.13"));
        assert_eq!(cupti("other/libcupti.so.13"), None);
    }

    #[test]
    fn the_worst_moment_is_the_copy_of_the_largest_wheel_or_the_unpacking() {
        let recipe = Recipe { kept_bytes: 50, ..Recipe::all().remove(0) };
        let [tiny, small, large] = [3, 10, 100].map(|bytes| Wheel { bytes, ..recipe.wheels[0].clone() });
        assert_eq!(recipe.peak_bytes(&[&tiny, &large]), 3 + 2 * 100 + SLACK_BYTES);
        assert_eq!(recipe.peak_bytes(&[&tiny, &small]), 3 + 10 + 50 + SLACK_BYTES);
        assert_eq!(recipe.peak_bytes(&[]), 50 + SLACK_BYTES);
    }
}
