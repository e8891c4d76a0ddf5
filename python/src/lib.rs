//! The native half of the Python package `thoughtcache`: worlds, environments, policies and judges for the typed modules beside it.
//!
//! Nothing here needs libtorch. The interpreter is released while a world is stepped or policies play. An object that a thread
//! works with refuses every other thread instead of making it wait: a thread that waits for ever could not be stopped.

#![expect(clippy::needless_pass_by_value, reason = "arguments of Python are taken by value")]

mod episode;
mod errors;
mod judge;
mod lanes;
mod policy;
mod pool;
mod raster;
mod scenario;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::judge::{compare, evaluate, main, plot};
    #[pymodule_export]
    use super::lanes::Lanes;
    #[pymodule_export]
    const MAX_ENVS: usize = super::lanes::MAX_ENVS;
    #[pymodule_export]
    use super::policy::Policy;
    #[pymodule_export]
    use super::scenario::{Scenario, shipped_scenarios};
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name in Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
