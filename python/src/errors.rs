//! Mistakes as Python's exceptions, with the text that the program prints.

use crate::scenario::bare;
use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use thoughtcache_env::gym::api::EnvError;
use thoughtcache_env::text::ConfigError;

/// A mistake in what was given: `ValueError`. One in an override is called as Python writes it.
pub(crate) fn value_error(error: &anyhow::Error) -> PyErr {
    if let Some(ConfigError::Override { typed, message }) = error.downcast_ref() {
        let typed: Vec<String> =
            typed.iter().map(|change| format!("{}={}", bare(&change.key), change.value)).collect();
        return PyValueError::new_err(format!("overrides {}: {message}", typed.join(", ")));
    }
    PyValueError::new_err(format!("{error:#}"))
}

/// A refused action is a `ValueError`, a step at the wrong time a `RuntimeError`. Alone, an environment does not number its lane.
pub(crate) fn env_error(error: EnvError, is_alone: bool) -> PyErr {
    match error {
        EnvError::Lane { source, .. } if is_alone => env_error(*source, false),
        EnvError::Lane { ref source, .. } if **source == EnvError::NotRunning => {
            PyRuntimeError::new_err(error.to_string())
        }
        EnvError::NotRunning => PyRuntimeError::new_err(error.to_string()),
        error => PyValueError::new_err(error.to_string()),
    }
}
