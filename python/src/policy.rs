//! Policies that decide for lanes, and policies that are written in Python.

use crate::errors::value_error;
use crate::lanes::Lanes;
use crate::scenario::Scenario;
use numpy::{PyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use thoughtcache_agents::evaluate::{AnyPolicy, Contender, PolicyKind};
use thoughtcache_agents::net_policy::NetPolicy;
use thoughtcache_agents::policy::Policy as Decides;
use thoughtcache_cli::api;
use thoughtcache_env::gym::api::{ActionId, Rows};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::{Seed, SimRng, Stream};

/// A policy that plays a lane: it begins anew with the lane's episodes.
pub(crate) struct Player {
    policy: AnyPolicy,
    rng: SimRng,
    episode: Option<Seed>,
}

/// How many policies this process has loaded.
static POLICIES: AtomicU64 = AtomicU64::new(0);

/// See `_native.pyi`.
#[pyclass(frozen, module = "thoughtcache._native")]
pub(crate) struct Policy {
    contender: Contender,
    /// The network behind it; a rule has none.
    net: Option<Mutex<NetPolicy>>,
    /// Tells this policy from every other one of the process.
    number: u64,
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
        let number = POLICIES.fetch_add(1, Ordering::Relaxed);
        Ok(Self { contender, net, number, typed: name, scenario })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.contender.name
    }

    /// The name or folder that it was loaded by.
    #[getter]
    fn typed(&self) -> &str {
        &self.typed
    }

    #[getter]
    fn kind(&self) -> &str {
        self.contender.kind.name()
    }

    /// The decision for each lane.
    fn act<'py>(&self, py: Python<'py>, lanes: &Lanes) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let mut guard = lanes.running()?;
        let inner = &mut *guard;
        let (own, their) = (&self.scenario.get().loaded.scenario, inner.env.env(0).env.world().scenario());
        let fits = match self.net {
            // A network knows rows and actions; a rule, and a plan, what things cost.
            Some(_) => self.scenario.get().spec == *inner.env.spec(),
            None => own.digest == their.digest,
        };
        if !fits {
            return Err(PyValueError::new_err(format!(
                "{} was loaded for {}, and this environment plays another scenario, {}: load it for that one",
                self.contender.name, own.name, their.name
            )));
        }
        let mut players = inner.players.remove(&self.number).unwrap_or_default();
        let env = &inner.env;
        let stream = |seed: Seed| seed.stream(Stream::Policy);
        while players.len() < env.num_lanes() {
            let rng = stream(env.seed(players.len()));
            players.push(Player { policy: self.contender.make(), rng, episode: None });
        }
        let actions = players.iter_mut().zip(0..env.num_lanes()).map(|(player, lane)| {
            let seed = env.seed(lane);
            if player.episode != Some(seed) || inner.is_first(lane) {
                (player.rng, player.episode) = (stream(seed), Some(seed));
                player.policy.begin_episode();
            }
            i64::from(player.policy.act_in(&env.env(lane).env, &mut player.rng).0)
        });
        let actions: Vec<i64> = actions.collect();
        inner.players.insert(self.number, players);
        Ok(actions.to_pyarray(py))
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
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    fn keep(&self, error: PyErr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A policy in Python: called with a row and a mask, it returns the number of an action.
struct InPython {
    name: String,
    /// Nothing where it could not be copied.
    decide: Option<Py<PyAny>>,
    row: Vec<f32>,
    legal: Vec<bool>,
    raised: Raised,
}

impl InPython {
    /// Does something with the object; `None` where that raised, or the interpreter is ending.
    fn with<T>(&self, ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Option<T> {
        let decide = self.decide.as_ref()?;
        match Python::try_attach(|py| ask(decide.bind(py)))? {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.raised.keep(error);
                None
            }
        }
    }
}

impl Decides<DecisionEnv> for InPython {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin_episode(&mut self) {
        self.with(|policy| {
            if policy.hasattr("begin_episode")? {
                policy.call_method0("begin_episode")?;
            }
            Ok(())
        });
    }

    fn act(&mut self, observation: &DecisionObservation, _: &mut SimRng) -> ActionId {
        observation.encode(&mut self.row);
        observation.mask(&mut self.legal);
        let action = self.with(|policy| {
            let py = policy.py();
            let mask: Bound<'_, PyArray1<bool>> = self.legal.to_pyarray(py);
            let action = policy.call1((self.row.to_pyarray(py), mask.call_method1("view", ("int8",))?))?;
            action.extract().map_err(|_| {
                let name = &self.name;
                PyTypeError::new_err(format!("{name} returned {action}, which is no number of an action"))
            })
        });
        // An action that nobody has ends the evaluation, which then raises what is kept.
        ActionId(action.unwrap_or(u32::MAX))
    }
}

/// A contender whose copies are deep copies of an object of Python: each episode has its own.
pub(crate) fn in_python(name: String, policy: Py<PyAny>, scenario: &Scenario, raised: &Raised) -> Contender {
    let (entries, actions) = (scenario.spec.num_entries(), scenario.spec.num_actions());
    let (called, raised) = (name.clone(), raised.clone());
    Contender::new(name, PolicyKind::Custom, move || {
        let (row, legal) = (vec![0.0; entries], vec![false; actions]);
        let whole = Python::try_attach(|py| policy.clone_ref(py));
        let mut copy = InPython { name: called.clone(), decide: whole, row, legal, raised: raised.clone() };
        let copied = copy.with(|policy| {
            let copied = policy.py().import("copy")?.call_method1("deepcopy", (policy,))?;
            Ok(copied.unbind())
        });
        copy.decide = copied;
        Box::new(copy) as AnyPolicy
    })
}
