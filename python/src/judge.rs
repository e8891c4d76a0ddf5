//! The judges: policies on test episodes, each by itself or side by side, pictures, and the command line.

use crate::errors::value_error;
use crate::policy::{self, Raised};
use crate::pool;
use crate::scenario::Scenario;
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::json;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thoughtcache_agents::compare::{CompareError, Comparison};
use thoughtcache_agents::evaluate::{
    self as play_all, Contender, EpisodeResult, EvaluateError, Evaluation, Hooks, PolicyKind, Protocol,
};
use thoughtcache_cli::api::{self, View};

/// Test episodes, at most, as on the command line.
const MOST_EPISODES: u64 = 1_000_000;

/// A name of the registry or a folder, or a name with a policy in Python.
#[derive(FromPyObject)]
pub(crate) enum Named {
    Name(String),
    Own(String, Py<PyAny>),
}

/// The test episodes; a recorded scenario has one.
fn protocol(scenario: &Scenario, seed: u64, episodes: u64) -> PyResult<Protocol> {
    if episodes > MOST_EPISODES {
        return Err(PyValueError::new_err(format!("episodes={episodes}: 1 to {MOST_EPISODES} are allowed")));
    }
    Ok(Protocol::test(Arc::clone(&scenario.loaded.scenario), seed, episodes))
}

/// The contenders, and the names by which those of the registry were typed.
fn contenders(
    py: Python<'_>,
    named: Vec<Named>,
    scenario: &Scenario,
    raised: &Raised,
) -> PyResult<(Vec<Contender>, Vec<String>)> {
    let mut typed: Vec<String> = Vec::new();
    let mut own = Vec::new();
    for one in named {
        match one {
            Named::Name(name) => {
                for name in api::expand(&[name]) {
                    if !typed.contains(&name) {
                        typed.push(name);
                    }
                }
            }
            Named::Own(name, policy) => own.push(policy::in_python(name, policy, scenario, raised)),
        }
    }
    let found = py.detach(|| api::contenders(&typed, &scenario.loaded.scenario));
    let mut all = found.map_err(|error| value_error(&error))?;
    all.extend(own);
    Ok((all, typed))
}

/// Does the work on another thread, while this one has the interpreter and looks for Ctrl-C, which sets the flag.
fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> T + Send) -> PyResult<T> {
    let stop = AtomicBool::new(false);
    let (outcome, signal) = std::thread::scope(|scope| {
        let work = scope.spawn(|| work(&stop));
        let mut signal = None;
        while !work.is_finished() {
            py.detach(|| std::thread::sleep(std::time::Duration::from_millis(2)));
            if let Err(error) = py.check_signals() {
                stop.store(true, Ordering::Relaxed);
                signal.get_or_insert(error);
            }
        }
        (py.detach(|| work.join()), signal)
    });
    match (signal, outcome) {
        (Some(error), _) => Err(error),
        (None, Ok(outcome)) => Ok(outcome),
        (None, Err(panic)) => std::panic::resume_unwind(panic),
    }
}

/// Plays all.
fn play(
    py: Python<'_>,
    contenders: &[Contender],
    protocol: &Protocol,
    raised: &Raised,
) -> PyResult<Evaluation> {
    let is_python = contenders.iter().any(|contender| contender.kind == PolicyKind::Custom);
    let played = interruptible(py, |stop| {
        let should_stop = || stop.load(Ordering::Relaxed) || (is_python && raised.is_there());
        let hooks = Hooks { should_stop: &should_stop, ..Hooks::default() };
        let work = || play_all::evaluate(contenders, protocol, hooks);
        // What Python decides may be shared, as a network is that a function calls: it is asked by one thread.
        if is_python { pool::install_alone(work) } else { pool::install(work) }
    });
    // Whoever decides in Python is called on the other thread; what it raised comes before the end that this led to.
    let played = played?;
    if let Some(error) = raised.take() {
        return Err(error);
    }
    played?.map_err(not_played)
}

fn not_played(error: EvaluateError) -> PyErr {
    match error {
        EvaluateError::Stopped => PyKeyboardInterrupt::new_err("stopped"),
        error => PyValueError::new_err(error.to_string()),
    }
}

/// A document as Python's dicts and lists.
fn document<'py>(py: Python<'py>, document: &serde_json::Value) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (PyString::new(py, &document.to_string()),))
}

/// See `_native.pyi`.
#[pyfunction]
#[pyo3(signature = (policies, scenario, episodes, seed))]
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    policies: Vec<Named>,
    scenario: &Scenario,
    episodes: u64,
    seed: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let raised = Raised::default();
    let (contenders, _) = contenders(py, policies, scenario, &raised)?;
    let protocol = protocol(scenario, seed, episodes)?;
    let evaluation = play(py, &contenders, &protocol, &raised)?;
    let mut found = api::evaluated(&evaluation).map_err(|error| value_error(&error))?;
    let costs: Vec<Vec<f64>> = evaluation
        .policies
        .iter()
        .map(|policy| policy.episodes.iter().map(EpisodeResult::cost_per_slot).collect())
        .collect();
    found["episode_costs"] = json!(costs);
    document(py, &found)
}

/// See `_native.pyi`.
#[pyfunction]
#[pyo3(signature = (policies, scenario, baseline, episodes, seed, by_run, bound))]
#[expect(clippy::too_many_arguments, reason = "they are given by name in Python")]
pub(crate) fn compare<'py>(
    py: Python<'py>,
    policies: Option<Vec<Named>>,
    scenario: &Scenario,
    baseline: String,
    episodes: u64,
    seed: u64,
    by_run: bool,
    bound: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let raised = Raised::default();
    let world = &scenario.loaded.scenario;
    let mut named = policies.unwrap_or_else(|| api::all_rules(world).into_iter().map(Named::Name).collect());
    let is_own = |one: &Named| matches!(one, Named::Own(name, _) if *name == baseline);
    if !named.iter().any(is_own) {
        named.push(Named::Name(baseline.clone()));
    }
    let (contenders, typed) = contenders(py, named, scenario, &raised)?;
    let groups = if by_run { Ok(Vec::new()) } else { api::seed_groups(&typed, &contenders) };
    let groups = groups.map_err(|error| value_error(&error))?;
    let row = api::row(&baseline, &typed, &contenders, &groups);
    let protocol = protocol(scenario, seed, episodes)?;
    let evaluation = play(py, &contenders, &protocol, &raised)?;
    let comparison = py.detach(|| pool::install(|| Comparison::of_groups(&evaluation, &groups, row)))?;
    let mistaken = |error: CompareError| PyValueError::new_err(error.to_string());
    let mut comparison = comparison.map_err(mistaken)?;
    if bound {
        let bounds = interruptible(py, |stop| {
            let should_stop = || stop.load(Ordering::Relaxed);
            let hooks = Hooks { should_stop: &should_stop, ..Hooks::default() };
            pool::install(|| api::bounds(&protocol, &evaluation, hooks))
        })?;
        let bounds = bounds?.map_err(not_played)?;
        comparison = comparison.with_bounds(&evaluation, &bounds).map_err(mistaken)?;
    }
    let mut found = json!(comparison);
    found["verdict"] = comparison.verdict.to_string().into();
    document(py, &found)
}

/// See `_native.pyi`.
#[pyfunction]
#[pyo3(signature = (kind, scenario, policy, seed, episodes, cell, user))]
#[expect(clippy::too_many_arguments, reason = "they are given by name in Python")]
pub(crate) fn plot(
    py: Python<'_>,
    kind: String,
    scenario: &Scenario,
    policy: String,
    seed: u64,
    episodes: u64,
    cell: u64,
    user: u64,
) -> PyResult<String> {
    let world = &scenario.loaded.scenario;
    let view = View { seed, episodes, cell, user };
    let drawn = py.detach(|| {
        pool::install(|| {
            let contenders = api::contenders(std::slice::from_ref(&policy), world)?;
            let contender = contenders.first().ok_or_else(|| anyhow::anyhow!("nobody decides"))?;
            api::plot(&kind, world, contender, view)
        })
    })?;
    drawn.map_err(|error| value_error(&error))
}

/// Does what was typed and returns the exit code.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, typed: Vec<OsString>) -> u8 {
    py.detach(|| thoughtcache_cli::main(typed))
}
