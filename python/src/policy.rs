//! Policies that decide for lanes, and policies that are written in Python.

use crate::errors::value_error;
use crate::lanes::Lanes;
use crate::scenario::Scenario;
use numpy::{PyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, TryLockError};
use thoughtcache_agents::evaluate::{AnyPolicy, Contender, PolicyKind};
use thoughtcache_agents::net_policy::NetPolicy;
use thoughtcache_agents::policy::Policy as Decides;
use thoughtcache_cli::api;
use thoughtcache_env::gym::api::{ActionId, Env, Rows};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::{Seed, SimRng, Stream};

/// A policy that plays a lane: it begins anew with the lane's episodes.
struct Player {
    policy: AnyPolicy,
    rng: SimRng,
    episode: Option<Seed>,
}

/// See `_native.pyi`.
#[pyclass(frozen, module = "thoughtcache._native")]
pub(crate) struct Policy {
    contender: Contender,
    /// The network behind it; a rule has none.
    net: Option<Mutex<NetPolicy>>,
    players: Mutex<Vec<Player>>,
    typed: String,
    scenario: Py<Scenario>,
}

#[pymethods]
impl Policy {
    #[new]
    fn load(py: Python<'_>, name: String, scenario: Py<Scenario>) -> PyResult<Self> {
        let world = &scenario.get().loaded.scenario;
        let found = py.detach(|| {
            let net = api::checkpoint(&name)?;
            let mut contenders = api::contenders(std::slice::from_ref(&name), world)?;
            anyhow::Ok((net, contenders.pop()))
        });
        let (checkpoint, contender) = found.map_err(|error| value_error(&error))?;
        let contender = contender.ok_or_else(|| PyValueError::new_err("a policy has a name"))?;
        let net = checkpoint.map(|checkpoint| {
            Mutex::new(NetPolicy::new(contender.name.clone(), Arc::new(checkpoint.net().clone())))
        });
        Ok(Self { contender, net, players: Mutex::default(), typed: name, scenario })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.contender.name
    }

    #[getter]
    fn kind(&self) -> &str {
        self.contender.kind.name()
    }

    /// The decision for each lane.
    fn act<'py>(&self, py: Python<'py>, lanes: &Lanes) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let inner = lanes.running()?;
        let env = &inner.env;
        let known = self.scenario.get().spec.entries.len();
        if env.spec().num_entries() != known || env.spec().actions != self.scenario.get().spec.actions {
            return Err(PyValueError::new_err(format!(
                "{} decides in {}, not in {}: their rows or actions differ",
                self.contender.name,
                self.scenario.get().spec.id,
                env.spec().id
            )));
        }
        let mut players = match self.players.try_lock() {
            Ok(players) => players,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err(
                    "another thread asks this policy; give each thread one of its own",
                ));
            }
        };
        let stream = |seed: Seed| seed.stream(Stream::Policy);
        while players.len() < env.num_lanes() {
            let rng = stream(env.seed(players.len()));
            players.push(Player { policy: self.contender.make(), rng, episode: None });
        }
        let actions = players.iter_mut().zip(0..env.num_lanes()).map(|(player, lane)| {
            let seed = env.seed(lane);
            let is_first = inner.is_first(lane);
            if player.episode != Some(seed) || is_first {
                (player.rng, player.episode) = (stream(seed), Some(seed));
                player.policy.begin_episode();
            }
            i64::from(player.policy.act(env.env(lane).observation(), &mut player.rng).0)
        });
        Ok(actions.collect::<Vec<i64>>().to_pyarray(py))
    }

    /// The best legal action of each row, for a network.
    fn decide<'py>(
        &self,
        py: Python<'py>,
        observations: PyReadonlyArray2<'py, f32>,
        masks: PyReadonlyArray2<'py, bool>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let Some(net) = &self.net else {
            return Err(PyTypeError::new_err(format!(
                "{} is a rule: it reads the environment by name, so ask act(env)",
                self.contender.name
            )));
        };
        let Ok(mut net) = net.try_lock() else {
            return Err(PyRuntimeError::new_err(
                "another thread asks this policy; give each thread one of its own",
            ));
        };
        let (rows, legal) = (observations.as_array(), masks.as_array());
        let (entries, actions) = (net.net().num_entries(), net.net().num_actions());
        if rows.ncols() != entries || legal.ncols() != actions || rows.nrows() != legal.nrows() {
            return Err(PyValueError::new_err(format!(
                "rows of shape {:?} and masks of shape {:?}; (n, {entries}) and (n, {actions}) are needed",
                rows.shape(),
                legal.shape()
            )));
        }
        let mut chosen = Vec::with_capacity(rows.nrows());
        for (row, legal) in rows.rows().into_iter().zip(legal.rows()) {
            let (row, legal) = (row.to_vec(), legal.to_vec());
            if !legal.contains(&true) {
                return Err(PyValueError::new_err("a mask without a legal action"));
            }
            chosen.push(i64::from(net.greedy(&row, &legal).0));
        }
        Ok(chosen.to_pyarray(py))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String, Py<Scenario>)) {
        let this = slf.get();
        (slf.get_type().into_any(), (this.typed.clone(), this.scenario.clone_ref(slf.py())))
    }

    fn __repr__(&self) -> String {
        format!("<Policy {} ({})>", self.contender.name, self.contender.kind.name())
    }
}

/// Where the first exception of a policy is kept: what plays it knows no exceptions.
pub(crate) type Raised = Arc<Mutex<Option<PyErr>>>;

/// A policy in Python: called with a row and a mask, it returns the number of an action.
struct InPython {
    name: String,
    decide: Py<PyAny>,
    row: Vec<f32>,
    legal: Vec<bool>,
    raised: Raised,
}

impl InPython {
    fn ask(&self, py: Python<'_>) -> PyResult<u32> {
        let mask: Bound<'_, PyArray1<bool>> = self.legal.to_pyarray(py);
        let mask = mask.call_method1("view", ("int8",))?;
        let action = self.decide.bind(py).call1((self.row.to_pyarray(py), mask))?;
        action.extract().map_err(|_| {
            PyTypeError::new_err(format!("{} returned {action}, which is no number of an action", self.name))
        })
    }

    fn keep(&self, error: PyErr) {
        let mut raised = self.raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        raised.get_or_insert(error);
    }
}

impl Decides<DecisionEnv> for InPython {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin_episode(&mut self) {
        let begun = Python::attach(|py| {
            let policy = self.decide.bind(py);
            if policy.hasattr("begin_episode")? {
                policy.call_method0("begin_episode").map(drop)
            } else {
                Ok(())
            }
        });
        if let Err(error) = begun {
            self.keep(error);
        }
    }

    fn act(&mut self, observation: &DecisionObservation, _: &mut SimRng) -> ActionId {
        observation.encode(&mut self.row);
        observation.mask(&mut self.legal);
        // An action that nobody has ends the evaluation, which then raises what is kept.
        Python::attach(|py| self.ask(py)).map_or_else(
            |error| {
                self.keep(error);
                ActionId(u32::MAX)
            },
            ActionId,
        )
    }
}

/// A contender whose copies are deep copies of an object of Python: each episode has its own.
pub(crate) fn in_python(name: String, policy: Py<PyAny>, scenario: &Scenario, raised: &Raised) -> Contender {
    let (entries, actions, raised) =
        (scenario.spec.num_entries(), scenario.spec.num_actions(), Arc::clone(raised));
    let called = name.clone();
    Contender::new(name, PolicyKind::Custom, move || {
        let copied = Python::attach(|py| -> PyResult<Py<PyAny>> {
            let copy = py.import("copy")?.call_method1("deepcopy", (policy.bind(py),))?;
            Ok(copy.unbind())
        });
        let (row, legal, raised) = (vec![0.0; entries], vec![false; actions], Arc::clone(&raised));
        let decide = copied.unwrap_or_else(|error| {
            raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            Python::attach(|py| policy.clone_ref(py))
        });
        Box::new(InPython { name: called.clone(), decide, row, legal, raised }) as AnyPolicy
    })
}
