//! Which wheels hold libtorch, and what is kept of them: one recipe per platform.
//!
//! The wheels of the Python package index are the smallest source of libtorch that has checksums and mirrors.
//! Those for Linux carry the CUDA side too; only the CPU side is kept, with the two small CUDA libraries that
//! `libtorch_cpu.so` names even where there is no GPU.

use crate::failure::{Failure, LIBTORCH_VERSION};
use crate::machine::{Machine, numbers};

/// The glibc that the wheels for Linux were built against.
const OLDEST_GLIBC: (u32, u32) = (2, 28);

/// For pip's notes, and for the last blocks of ten thousand headers.
const SLACK_BYTES: u64 = 50_000_000;

/// How libtorch is put together on one platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// What is written into `build-version`, and compared by the build of torch-sys.
    pub version: &'static str,
    /// In the order of their download: the largest last, which keeps the need for disk small.
    pub wheels: &'static [Wheel],
    /// Bytes of what is kept, rounded up.
    pub kept_bytes: u64,
    /// Whether `libtorch.so` is made here, because that of the wheel needs the CUDA side.
    pub makes_stub: bool,
    /// Whether the recipe has been run on such a machine.
    pub is_tried: bool,
}

/// One file of the package index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wheel {
    /// What pip is asked for: `torch==2.11.0`.
    pub requirement: &'static str,
    /// The name of the file that it brings.
    pub file: &'static str,
    pub bytes: u64,
    pub sha256: &'static str,
    pub keep: &'static [Keep],
}

/// What is taken out of a wheel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// Everything below a folder of the wheel, into a folder of libtorch; both end in a slash.
    Folder { from: &'static str, to: &'static str },
    /// One file, into the `lib` folder under its own name.
    Library(&'static str),
}

impl Keep {
    /// Where a file of the wheel goes, relative to the libtorch folder; nothing if it is not meant.
    pub(crate) fn destination(&self, name: &str) -> Option<String> {
        match self {
            Self::Folder { from, to } => {
                name.strip_prefix(from).filter(|rest| !rest.is_empty()).map(|rest| format!("{to}{rest}"))
            }
            Self::Library(from) => {
                (name == *from).then(|| format!("lib/{}", from.rsplit('/').next().unwrap_or(from)))
            }
        }
    }

    /// The folder or file of the wheel.
    pub(crate) fn source(&self) -> &'static str {
        match self {
            Self::Folder { from, .. } | Self::Library(from) => from,
        }
    }
}

impl Wheel {
    /// The first platform tag of the file's name, as pip's `--platform`.
    pub(crate) fn platform(&self) -> &'static str {
        let tags = self.file.trim_end_matches(".whl").rsplit('-').next().unwrap_or_default();
        tags.split('.').next().unwrap_or_default()
    }

    /// Whether the file is for one version of `CPython`. Which one does not matter: no Python of it is kept.
    pub(crate) fn is_for_cpython_311(&self) -> bool {
        self.file.contains("-cp311-")
    }
}

impl Recipe {
    /// The recipe for a machine, if there is one.
    pub(crate) fn of(machine: &Machine) -> Result<&'static Self, Failure> {
        let recipe = match (machine.os.as_str(), machine.arch.as_str()) {
            ("linux", _) if machine.libc == "musl" => None,
            ("linux", "x86_64") => Some(&LINUX_X86_64),
            ("linux", "aarch64") => Some(&LINUX_AARCH64),
            ("macos", "aarch64") => Some(&MACOS_AARCH64),
            _ => None,
        };
        let Some(recipe) = recipe else {
            let libc = if machine.libc == "musl" { " with musl" } else { "" };
            return Err(Failure::UnsupportedPlatform {
                machine: format!("{} {}{libc}", machine.os, machine.arch),
                known: "Linux x86_64, Linux aarch64 (untested), macOS aarch64 (untested)".to_owned(),
            });
        };
        if machine.os == "linux" && numbers(&machine.libc).is_some_and(|libc| libc < OLDEST_GLIBC) {
            let need = format!("{}.{}", OLDEST_GLIBC.0, OLDEST_GLIBC.1);
            return Err(Failure::OldGlibc { need, have: machine.libc.clone() });
        }
        Ok(recipe)
    }

    /// The libraries that make a `lib` folder complete.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &'static str> {
        let keeps = self.wheels.iter().flat_map(|wheel| wheel.keep);
        let kept = keeps.filter_map(|keep| match keep {
            Keep::Library(file) => file.rsplit('/').next(),
            Keep::Folder { .. } => None,
        });
        kept.chain(self.makes_stub.then_some("libtorch.so"))
    }

    /// Disk needed at the worst moment, when `missing` wheels have to be downloaded and the others are there.
    ///
    /// pip writes a wheel to a temporary file and copies it; later the wheels lie beside what is kept of them.
    pub(crate) fn peak_bytes(&self, missing: &[Wheel]) -> u64 {
        let mut arrived = 0;
        let mut peak = 0;
        for wheel in missing {
            peak = peak.max(arrived + 2 * wheel.bytes);
            arrived += wheel.bytes;
        }
        peak.max(arrived + self.kept_bytes) + SLACK_BYTES
    }
}

const INCLUDE: Keep = Keep::Folder { from: "torch/include/", to: "include/" };
const CUPTI: &[Keep] = &[Keep::Library("nvidia/cu13/lib/libcupti.so.13")];
const CUDART: &[Keep] = &[Keep::Library("nvidia/cu13/lib/libcudart.so.13")];

const LINUX_X86_64: Recipe = Recipe {
    version: LIBTORCH_VERSION,
    wheels: &[
        Wheel {
            requirement: "nvidia-cuda-runtime==13.0.96",
            file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            bytes: 2_243_632,
            sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            keep: CUDART,
        },
        Wheel {
            requirement: "nvidia-cuda-cupti==13.0.85",
            file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
            bytes: 10_715_597,
            sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            keep: CUPTI,
        },
        Wheel {
            requirement: "torch==2.11.0",
            file: "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
            bytes: 530_604_548,
            sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
            keep: &[
                INCLUDE,
                Keep::Library("torch/lib/libtorch_cpu.so"),
                Keep::Library("torch/lib/libc10.so"),
                Keep::Library("torch/lib/libgomp.so.1"),
            ],
        },
    ],
    kept_bytes: 520_000_000,
    makes_stub: true,
    is_tried: true,
};

const LINUX_AARCH64: Recipe = Recipe {
    version: LIBTORCH_VERSION,
    wheels: &[
        Wheel {
            requirement: "nvidia-cuda-runtime==13.0.96",
            file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
            bytes: 2_261_060,
            sha256: "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
            keep: CUDART,
        },
        Wheel {
            requirement: "nvidia-cuda-cupti==13.0.85",
            file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_aarch64.whl",
            bytes: 10_310_827,
            sha256: "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
            keep: CUPTI,
        },
        Wheel {
            requirement: "torch==2.11.0",
            file: "torch-2.11.0-cp311-cp311-manylinux_2_28_aarch64.whl",
            bytes: 419_718_178,
            sha256: "d91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6",
            keep: &[
                INCLUDE,
                Keep::Library("torch/lib/libtorch_cpu.so"),
                Keep::Library("torch/lib/libc10.so"),
                Keep::Library("torch/lib/libgomp.so.1"),
                Keep::Library("torch/lib/libarm_compute.so"),
                Keep::Library("torch/lib/libarm_compute_graph.so"),
                Keep::Library("torch/lib/libnvpl_blas_core.so.0"),
                Keep::Library("torch/lib/libnvpl_blas_lp64_gomp.so.0"),
                Keep::Library("torch/lib/libnvpl_lapack_core.so.0"),
                Keep::Library("torch/lib/libnvpl_lapack_lp64_gomp.so.0"),
            ],
        },
    ],
    kept_bytes: 360_000_000,
    makes_stub: true,
    is_tried: false,
};

const MACOS_AARCH64: Recipe = Recipe {
    version: LIBTORCH_VERSION,
    wheels: &[Wheel {
        requirement: "torch==2.11.0",
        file: "torch-2.11.0-cp311-cp311-macosx_11_0_arm64.whl",
        bytes: 80_529_712,
        sha256: "7b6a60d48062809f58595509c524b88e6ddec3ebe25833d6462eeab81e5f2ce4",
        keep: &[
            INCLUDE,
            Keep::Library("torch/lib/libtorch.dylib"),
            Keep::Library("torch/lib/libtorch_cpu.dylib"),
            Keep::Library("torch/lib/libc10.dylib"),
            Keep::Library("torch/lib/libomp.dylib"),
            Keep::Folder { from: "torch/lib/", to: "lib/" },
        ],
    }],
    kept_bytes: 310_000_000,
    makes_stub: false,
    is_tried: false,
};

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
        for recipe in [LINUX_X86_64, LINUX_AARCH64, MACOS_AARCH64] {
            let end = if recipe.makes_stub { "so" } else { "dylib" };
            for library in ["libtorch", "libtorch_cpu", "libc10"] {
                let library = format!("{library}.{end}");
                assert_eq!(recipe.libraries().filter(|name| **name == library).count(), 1, "{library}");
            }
        }
    }

    #[test]
    fn checksums_are_sha256_and_names_begin_as_their_requirement() {
        for wheel in [LINUX_X86_64, LINUX_AARCH64, MACOS_AARCH64].iter().flat_map(|recipe| recipe.wheels) {
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
        assert_eq!(INCLUDE.destination("torch/include/ATen/ATen.h").as_deref(), Some("include/ATen/ATen.h"));
        assert_eq!(INCLUDE.destination("torch/include/"), None);
        assert_eq!(INCLUDE.destination("torch/lib/libc10.so"), None);
        assert_eq!(
            CUPTI[0].destination("nvidia/cu13/lib/libcupti.so.13").as_deref(),
            Some("lib/libcupti.so.13")
        );
        assert_eq!(CUPTI[0].destination("other/libcupti.so.13"), None);
    }

    #[test]
    fn the_worst_moment_is_the_copy_of_the_largest_wheel_or_the_unpacking() {
        let wheel = |bytes| Wheel { bytes, ..LINUX_X86_64.wheels[0] };
        let recipe = Recipe { kept_bytes: 50, ..LINUX_X86_64 };
        assert_eq!(recipe.peak_bytes(&[wheel(3), wheel(100)]), 3 + 2 * 100 + SLACK_BYTES);
        assert_eq!(recipe.peak_bytes(&[wheel(3), wheel(10)]), 3 + 10 + 50 + SLACK_BYTES);
        assert_eq!(recipe.peak_bytes(&[]), 50 + SLACK_BYTES);
    }
}
