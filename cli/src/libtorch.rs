//! Facts about libtorch for `doctor` and for provenance. Without the feature `torch`, only how to get it.

use serde::Serialize;

/// Where learners come from, for people with the Python package and for people with a checkout.
pub(crate) const HOW_TO_TRAIN: &str = concat!(
    "to train, type: pip install thoughtcache-cli==",
    env!("CARGO_PKG_VERSION"),
    "; or, in a checkout: cargo xtask setup && cargo build --release"
);

/// The state of the learners in this program.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Learners {
    /// Built without them.
    #[cfg_attr(feature = "torch", expect(dead_code, reason = "the other build makes it"))]
    Absent,
    /// Built with them.
    Present(LibTorch),
}

/// The library that is in use.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LibTorch {
    version: Option<String>,
    path: Option<String>,
    threads: i32,
    cuda_devices: i64,
    /// The gradient of a small sum, in milliseconds; `None` when it came out wrong.
    smoke_test_ms: Option<f64>,
}

impl Learners {
    /// Whether what is there works.
    pub(crate) fn work(&self) -> bool {
        !matches!(self, Self::Present(LibTorch { smoke_test_ms: None, .. }))
    }

    /// Lines of a table: a label, a sentence.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Self::Present(LibTorch { version, path, threads, cuda_devices, smoke_test_ms }) = self else {
            return vec![("learners", format!("not in this build; {HOW_TO_TRAIN}"))];
        };
        let version = version.as_deref().unwrap_or("of unknown version");
        let path = path.as_deref().unwrap_or("at an unknown place");
        let cuda = match cuda_devices {
            0 => "not seen; training runs on the CPU".to_owned(),
            1 => "1 device".to_owned(),
            devices => format!("{devices} devices"),
        };
        let smoke = match smoke_test_ms {
            Some(ms) => format!("ok: a gradient in {ms:.1} ms"),
            None => "FAILED: a gradient came out wrong; type: cargo xtask setup".to_owned(),
        };
        vec![
            ("libtorch", format!("{version}, {path}")),
            ("  threads", format!("{threads} by default; runs use torch_threads of their config (1)")),
            ("  cuda", cuda),
            ("  smoke test", smoke),
        ]
    }
}

/// Looks at the learners of this program.
#[cfg(not(feature = "torch"))]
pub(crate) fn examine() -> Learners {
    Learners::Absent
}

#[cfg(feature = "torch")]
pub(crate) use present::{examine, version};

#[cfg(feature = "torch")]
mod present {
    use super::{Learners, LibTorch};
    use crate::clock::Stopwatch;
    use std::fs;
    use std::path::{Path, PathBuf};
    use tch::{Kind, Tensor};

    /// The library whose presence tells where libtorch lies.
    const LIBRARY: &str = "libtorch_cpu.";

    /// Looks at the learners of this program.
    pub(crate) fn examine() -> Learners {
        Learners::Present(LibTorch {
            version: version(),
            path: loaded().map(|path| path.display().to_string()),
            threads: tch::get_num_threads(),
            cuda_devices: tch::Cuda::device_count(),
            smoke_test_ms: smoke_test_ms(),
        })
    }

    /// The version that the files beside the library state.
    pub(crate) fn version() -> Option<String> {
        let root = loaded()?.parent()?.parent()?.to_owned();
        // libtorch's own archive and our set-up say it in a file, a Python package in its version.py.
        let plain = fs::read_to_string(root.join("build-version"));
        let python = || {
            let text = fs::read_to_string(root.join("version.py")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("__version__"))?;
            Some(line.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned())
        };
        plain.map(|text| text.trim().to_owned()).ok().or_else(python)
    }

    /// Where the library that this process uses lies.
    fn loaded() -> Option<PathBuf> {
        let maps = fs::read_to_string("/proc/self/maps").ok()?;
        maps.lines().find_map(|line| {
            let path = Path::new(line.get(line.find('/')?..)?);
            path.file_name()?.to_str()?.starts_with(LIBRARY).then(|| path.to_owned())
        })
    }

    /// The gradient of x^2 at 1, 2, 3 is 2, 4, 6.
    fn smoke_test_ms() -> Option<f64> {
        let stopwatch = Stopwatch::start();
        let gradient = || -> Result<Vec<f32>, tch::TchError> {
            let x = Tensor::from_slice(&[1.0_f32, 2.0, 3.0]).f_set_requires_grad(true)?;
            x.f_mul(&x)?.f_sum(Kind::Float)?.f_backward()?;
            Vec::<f32>::try_from(x.f_grad()?)
        };
        let is_right = gradient().is_ok_and(|gradient| gradient == [2.0, 4.0, 6.0]);
        is_right.then(|| 1e3 * stopwatch.elapsed_s())
    }
}
