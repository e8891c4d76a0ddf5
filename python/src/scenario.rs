//! A scenario, read and checked: what environments, policies and judges are made for.

use crate::errors::value_error;
use numpy::{PyArray1, ToPyArray};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::sync::Arc;
use thoughtcache_cli::api::{self, Loaded};
use thoughtcache_env::gym::api::{Env, EnvSpec};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::text::Override;

/// See `_native.pyi`.
#[pyclass(frozen, module = "thoughtcache._native")]
pub(crate) struct Scenario {
    pub(crate) loaded: Loaded,
    pub(crate) spec: EnvSpec,
}

impl Scenario {
    pub(crate) fn new(loaded: Loaded) -> Self {
        let spec = DecisionEnv::new(Arc::clone(&loaded.scenario)).spec().clone();
        Self { loaded, spec }
    }
}

#[pymethods]
impl Scenario {
    #[new]
    #[pyo3(signature = (name=None, overrides=None, policies=Vec::new()))]
    fn load(
        py: Python<'_>,
        name: Option<&str>,
        overrides: Option<&Bound<'_, PyDict>>,
        policies: Vec<String>,
    ) -> PyResult<Self> {
        let overrides = changes(overrides)?;
        let loaded = py.detach(|| api::scenario(name, &api::expand(&policies), &overrides));
        Ok(Self::new(loaded.map_err(|error| value_error(&error))?))
    }

    #[staticmethod]
    #[pyo3(signature = (text, name="scenario"))]
    fn from_toml(text: &str, name: &str) -> PyResult<Self> {
        Ok(Self::new(api::scenario_from_text(name, text).map_err(|error| value_error(&error))?))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.loaded.scenario.name
    }

    #[getter]
    fn toml(&self) -> &str {
        &self.loaded.toml
    }

    #[getter]
    fn horizon_slots(&self) -> u32 {
        self.loaded.scenario.horizon_slots
    }

    #[getter]
    fn num_cells(&self) -> u32 {
        self.loaded.scenario.num_cells
    }

    #[getter]
    fn entries(&self) -> Vec<&str> {
        self.spec.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[getter]
    fn actions(&self) -> Vec<&str> {
        self.spec.actions.iter().map(String::as_str).collect()
    }

    #[getter]
    fn low<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        self.spec.entries.iter().map(|entry| entry.low).collect::<Vec<f32>>().to_pyarray(py)
    }

    #[getter]
    fn high<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        self.spec.entries.iter().map(|entry| entry.high).collect::<Vec<f32>>().to_pyarray(py)
    }

    fn rules(&self) -> Vec<String> {
        api::all_rules(&self.loaded.scenario)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String, String))> {
        let this = slf.get();
        Ok((
            slf.get_type().getattr("from_toml")?,
            (this.loaded.toml.clone(), this.loaded.scenario.name.clone()),
        ))
    }

    fn __repr__(&self) -> String {
        let (name, spec) = (&self.loaded.scenario.name, &self.spec);
        format!("<Scenario {name}: rows of {} numbers, {} actions>", spec.num_entries(), spec.num_actions())
    }
}

/// Returns the names of the shipped scenarios and what each is, in a line.
#[pyfunction]
pub(crate) fn shipped_scenarios() -> Vec<(&'static str, String)> {
    api::shipped_scenarios()
}

/// The overrides of a dict: paths of keys, values as TOML.
fn changes(overrides: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<Override>> {
    let mut changes: Vec<Override> = Vec::new();
    for (key, value) in overrides.into_iter().flatten() {
        let key: String = key
            .extract()
            .map_err(|_| PyTypeError::new_err("overrides: keys are strings such as \"cell.memory_gb\""))?;
        let value = toml_value(&key, &value)?.to_string();
        let bare = bare(&key).to_owned();
        if changes.iter().any(|earlier| earlier.key == bare) {
            return Err(PyValueError::new_err(format!(
                "overrides {key}: the same key twice, keep one of them"
            )));
        }
        changes.push(Override { key: bare, value });
    }
    Ok(changes)
}

/// A key without the prefix of the command line.
pub(crate) fn bare(key: &str) -> &str {
    key.strip_prefix("scenario.").unwrap_or(key)
}

fn toml_value(key: &str, value: &Bound<'_, PyAny>) -> PyResult<toml::Value> {
    if let Ok(is_so) = value.cast::<PyBool>() {
        return Ok(is_so.is_true().into());
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(value.extract::<f64>()?.into());
    }
    if value.is_instance_of::<PyInt>() {
        let whole = value.extract::<i64>();
        return Ok(whole
            .map_err(|_| PyValueError::new_err(format!("overrides {key}={value}: the number is too large")))?
            .into());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str()?.into());
    }
    if let Ok(table) = value.cast::<PyDict>() {
        let entry = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| -> PyResult<(String, toml::Value)> {
            Ok((name.extract()?, toml_value(key, &value)?))
        };
        return Ok(toml::Value::Table(table.iter().map(entry).collect::<PyResult<_>>()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| toml_value(key, &item?));
        return Ok(toml::Value::Array(items.collect::<PyResult<_>>()?));
    }
    if let Ok(plain) = value.call_method0("item").or_else(|_| value.call_method0("__index__")) {
        // A number of numpy.
        return toml_value(key, &plain);
    }
    Err(PyTypeError::new_err(format!(
        "overrides {key}: a value of type {} is none of bool, int, float, str, list, dict",
        value.get_type().name()?
    )))
}
