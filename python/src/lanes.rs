//! Copies of an environment that are stepped together into arrays of numpy: one for `Env`, many for `VectorEnv`.
//!
//! What a caller may do wrong is found before anything is stepped: a refused call changes nothing.

use crate::episode::{Counted, Episode, STATISTICS};
use crate::errors::{env_error, value_error};
use crate::policy::Player;
use crate::pool::Steps;
use crate::scenario::Scenario;
use crate::{pool, raster};
use numpy::{PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, ToPyArray};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rayon::ThreadPool;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use thoughtcache_cli::api;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{ActionId, Counters, Env, EnvError, StepInfo};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::snapshot::{DigestedSpec, Snapshot};
use thoughtcache_env::gym::vec_env::{Autoreset, StepRows, VecEnv};
use thoughtcache_env::random::{Purpose, Seed};

/// Copies of an environment, at most: what a slip of the finger must not fill the memory with.
pub(crate) const MAX_ENVS: usize = 65_536;
/// Lanes that are stepped without other threads.
const MOST_INLINE: usize = 128;
/// Of more, as many as a thread takes at a time: a thread that wakes late takes fewer.
const LANES_PER_CHUNK: usize = 16;

/// The state of lanes as bytes.
#[derive(Serialize, Deserialize)]
struct Kept {
    env: Snapshot,
    replacements: Vec<u64>,
    purpose: Purpose,
}

/// The lanes and the memory that they are stepped into; what Python sees is a copy of it.
pub(crate) struct Inner {
    pub(crate) env: VecEnv<Counted>,
    has_begun: bool,
    actions: Vec<ActionId>,
    masks: Vec<bool>,
    truncated: Vec<bool>,
    terminated: Vec<bool>,
    slots_elapsed: Vec<u32>,
    replaced: Vec<bool>,
    /// Actions replaced in each episode so far.
    replacements: Vec<u64>,
    final_observations: Vec<f32>,
    final_masks: Vec<bool>,
    infos: Vec<StepInfo>,
    /// Of each lane that ended in the last step, what its episode has come to.
    totals: Vec<[f64; STATISTICS]>,
    /// By the number of a policy: what it remembers of each lane. It belongs to the lanes, since a policy may play in many.
    pub(crate) players: HashMap<u64, Vec<Player>>,
}

impl Inner {
    fn num_lanes(&self) -> usize {
        self.env.num_lanes()
    }

    /// Takes the actions down; those that a step would refuse are refused here, before any lane is stepped.
    fn take(&mut self, actions: &[i64], replaces: bool) -> Result<(), EnvError> {
        let num_actions = self.env.spec().num_actions();
        let exists = |action: i64| (action as u64) < num_actions as u64;
        for (taken, &action) in self.actions.iter_mut().zip(actions) {
            *taken = if exists(action) { ActionId(action as u32) } else { ActionId(0) };
        }
        let autoreset = self.env.autoreset();
        if replaces && autoreset == Autoreset::SameStep && actions.iter().all(|&action| exists(action)) {
            return Ok(());
        }
        let legal = self.masks.chunks_exact(num_actions);
        for (lane, ((&action, legal), has_ended)) in
            actions.iter().zip(legal).zip(self.env.has_ended()).enumerate()
        {
            let spec = self.env.spec();
            let refused = match u32::try_from(action) {
                // Its next episode begins, whatever the action is.
                _ if has_ended && autoreset == Autoreset::NextStep => continue,
                Err(_) => EnvError::UnknownAction { id: spec.id.clone(), action, last: num_actions - 1 },
                _ if has_ended => EnvError::NotRunning,
                Ok(_) if exists(action) && (replaces || legal[action as usize]) => continue,
                Ok(number) => EnvError::refuse(spec, ActionId(number), legal),
            };
            return Err(EnvError::Lane { lane, source: Box::new(refused) });
        }
        Ok(())
    }

    /// Takes the actions; returns the lanes whose episode has ended.
    fn step(
        &mut self,
        pool: Option<&ThreadPool>,
        observations: &mut [f32],
        rewards: &mut [f64],
    ) -> Result<Vec<usize>, EnvError> {
        let rows = StepRows {
            observations,
            masks: &mut self.masks,
            rewards,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
            slots_elapsed: &mut self.slots_elapsed,
            replaced: &mut self.replaced,
            final_observations: &mut self.final_observations,
            final_masks: &mut self.final_masks,
            infos: &mut self.infos,
        };
        self.env.step_with(pool, &self.actions, rows)?;
        for (count, &is_replaced) in self.replacements.iter_mut().zip(&self.replaced) {
            *count += u64::from(is_replaced);
        }
        let ended = |&lane: &usize| self.terminated[lane] || self.truncated[lane];
        let ended: Vec<usize> = (0..self.num_lanes()).filter(ended).collect();
        let totals = |&lane: &usize| self.env.env(lane).ended.totals(self.replacements[lane]);
        self.totals = ended.iter().map(totals).collect();
        for &lane in &ended {
            self.replacements[lane] = 0;
        }
        Ok(ended)
    }

    /// Whether a lane has taken no decision of its episode yet.
    pub(crate) fn is_first(&self, lane: usize) -> bool {
        self.env.env(lane).episode.is_new()
    }

    /// Reads the masks of the present decisions.
    fn read_masks(&mut self) {
        let num_actions = self.env.spec().num_actions();
        for (lane, legal) in self.masks.chunks_exact_mut(num_actions).enumerate() {
            self.env.env(lane).mask(legal);
        }
    }
}

/// Arrays that every step writes anew, where the caller wants no copies.
struct Shared {
    observations: Py<PyArray2<f32>>,
    rewards: Py<PyArray1<f64>>,
}

/// What a step gives to Python: observations, rewards, terminated, truncated, masks, slots elapsed, replaced, and the lanes that have
/// ended with their final rows and masks and what their episodes have come to.
type Stepped<'py> = (
    Bound<'py, PyArray2<f32>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray2<bool>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<bool>>,
    Option<Ended<'py>>,
);

/// Observations and rewards.
type Arrays<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f64>>);

/// Observations and masks.
type Seen<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<bool>>);

type Ended<'py> =
    (Vec<usize>, Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<bool>>, Bound<'py, PyArray2<f64>>);

/// See `_native.pyi`.
#[pyclass(frozen, module = "thoughtcache._native")]
pub(crate) struct Lanes {
    purpose: Purpose,
    replaces: bool,
    shared: Option<Shared>,
    entries: usize,
    num_actions: usize,
    count: usize,
    /// Whose snapshots are taken back.
    spec: DigestedSpec,
    steps: Steps,
    /// `numpy.empty`.
    empty: Py<PyAny>,
    inner: Mutex<Inner>,
}

impl Lanes {
    /// The lanes, for this thread alone.
    ///
    /// # Errors
    /// When another thread has them, or had them when this process was forked.
    pub(crate) fn lock(&self) -> PyResult<MutexGuard<'_, Inner>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(PyRuntimeError::new_err(
                "another thread is stepping this environment; give each thread an environment of its own",
            )),
        }
    }

    /// The lanes once they have been reset.
    pub(crate) fn running(&self) -> PyResult<MutexGuard<'_, Inner>> {
        let inner = self.lock()?;
        if inner.has_begun { Ok(inner) } else { Err(env_error(EnvError::NotRunning, true)) }
    }

    fn look_at<T>(&self, lane: usize, look: impl FnOnce(&DecisionEnv) -> PyResult<T>) -> PyResult<T> {
        let inner = self.running()?;
        if lane >= self.count {
            let message = format!("there is no environment {lane}; they are 0 to {}", self.count - 1);
            return Err(PyValueError::new_err(message));
        }
        look(&inner.env.env(lane).env)
    }

    fn is_alone(&self) -> bool {
        self.count == 1
    }

    /// Two arrays of a row and a number a lane: new ones, or those that all steps share.
    fn arrays<'py>(&self, py: Python<'py>) -> PyResult<Arrays<'py>> {
        if let Some(shared) = &self.shared {
            return Ok((shared.observations.bind(py).clone(), shared.rewards.bind(py).clone()));
        }
        // Every number is written before anybody reads it: zeros would take as long as a tenth of the step.
        let shape = (self.count, self.entries);
        let rows = self.empty.bind(py).call1((shape, numpy::dtype::<f32>(py)))?;
        Ok((rows.cast_into()?, PyArray1::zeros(py, self.count, false)))
    }

    fn masks<'py>(&self, py: Python<'py>, masks: &[bool]) -> Bound<'py, PyArray2<bool>> {
        rows(py, masks, self.num_actions)
    }
}

/// An array of rows of this width.
fn rows<'py, T: numpy::Element>(py: Python<'py>, numbers: &[T], width: usize) -> Bound<'py, PyArray2<T>> {
    let shape = [numbers.len() / width.max(1), width];
    PyArray1::from_slice(py, numbers).reshape(shape).expect("whole rows")
}

fn purpose(name: &str) -> PyResult<Purpose> {
    Purpose::ALL.into_iter().find(|purpose| purpose.name() == name).ok_or_else(|| {
        let names = Purpose::ALL.map(|purpose| format!("{:?}", purpose.name())).join(", ");
        PyValueError::new_err(format!("purpose {name:?} is none of {names}"))
    })
}

#[pymethods]
impl Lanes {
    #[new]
    #[pyo3(signature = (scenario, num_lanes, *, purpose, autoreset, replaces, copies))]
    fn new(
        py: Python<'_>,
        scenario: &Scenario,
        num_lanes: usize,
        purpose: &str,
        autoreset: &str,
        replaces: bool,
        copies: bool,
    ) -> PyResult<Self> {
        let purpose = self::purpose(purpose)?;
        if num_lanes == 0 || num_lanes > MAX_ENVS {
            return Err(PyValueError::new_err(format!("num_envs={num_lanes}: 1 to {MAX_ENVS} are allowed")));
        }
        let modes = [Autoreset::SameStep, Autoreset::NextStep, Autoreset::Disabled];
        let Some(mode) = modes.into_iter().find(|mode| mode.name() == autoreset) else {
            let names = modes.map(Autoreset::name).join(", ");
            return Err(PyValueError::new_err(format!("autoreset mode {autoreset:?} is none of {names}")));
        };
        let world = Arc::clone(&scenario.loaded.scenario);
        let env = py.detach(|| {
            let envs = VecEnv::new(Counted::lanes(&world, num_lanes), Seed::new(purpose, 0));
            let chunk = if num_lanes <= MOST_INLINE { num_lanes } else { LANES_PER_CHUNK };
            envs.with_autoreset(mode).with_replaced_actions(replaces).with_lanes_per_chunk(chunk)
        });
        let (entries, num_actions) = (env.spec().num_entries(), env.spec().num_actions());
        let spec = DigestedSpec::new(env.spec().clone());
        let inner = Inner {
            env,
            has_begun: false,
            actions: vec![ActionId(0); num_lanes],
            masks: vec![false; num_lanes * num_actions],
            truncated: vec![false; num_lanes],
            terminated: vec![false; num_lanes],
            slots_elapsed: vec![0; num_lanes],
            replaced: vec![false; num_lanes],
            replacements: vec![0; num_lanes],
            final_observations: vec![0.0; num_lanes * entries],
            final_masks: vec![false; num_lanes * num_actions],
            infos: vec![StepInfo::default(); num_lanes],
            totals: Vec::new(),
            players: HashMap::new(),
        };
        let shared = (!copies).then(|| Shared {
            observations: PyArray2::zeros(py, (num_lanes, entries), false).unbind(),
            rewards: PyArray1::zeros(py, num_lanes, false).unbind(),
        });
        Ok(Self {
            purpose,
            replaces,
            shared,
            entries,
            num_actions,
            count: num_lanes,
            spec,
            steps: Steps::default(),
            empty: py.import("numpy")?.getattr("empty")?.unbind(),
            inner: Mutex::new(inner),
        })
    }

    /// The names of the figures that a step gives of each episode that has ended.
    #[staticmethod]
    fn statistics() -> Vec<String> {
        Episode::names()
    }

    /// Begins episodes: in each lane that is marked the one at these coordinates (run, lane, episode), or the next one.
    fn reset(&self, coordinates: Vec<Option<(u64, u32, u64)>>, is_reset: Vec<bool>) -> PyResult<()> {
        let mut inner = self.lock()?;
        if coordinates.len() != self.count || is_reset.len() != self.count {
            return Err(PyValueError::new_err(format!(
                "one seed and one mark a lane: {} are needed",
                self.count
            )));
        }
        let lacks_seed = |(coordinates, is_reset): (&Option<_>, &bool)| coordinates.is_none() || !is_reset;
        if !inner.has_begun && coordinates.iter().zip(&is_reset).any(lacks_seed) {
            return Err(PyRuntimeError::new_err("the first reset begins every lane"));
        }
        let mut next = vec![false; self.count];
        for (lane, (coordinates, &is_reset)) in coordinates.iter().zip(&is_reset).enumerate() {
            if !is_reset {
                continue;
            }
            inner.infos[lane] = StepInfo::default();
            inner.replacements[lane] = 0;
            match *coordinates {
                Some((run, as_lane, episode)) => {
                    let seed = Seed::new(self.purpose, run).with_lane(as_lane).with_episode(episode);
                    inner.env.reset_lane(lane, seed);
                }
                None => next[lane] = true,
            }
        }
        inner.env.reset_lanes(&next).expect("one mark a lane");
        inner.has_begun = true;
        inner.read_masks();
        Ok(())
    }

    /// The present observations and masks.
    fn observe<'py>(&self, py: Python<'py>) -> PyResult<Seen<'py>> {
        let mut guard = self.running()?;
        let inner = &mut *guard;
        let (observations, _) = self.arrays(py)?;
        let mut into = observations.try_readwrite()?;
        let seen = inner.env.observe_into(into.as_slice_mut()?, &mut inner.masks);
        seen.map_err(|error| env_error(error, false))?; // somebody has resized the shared array
        drop(into);
        Ok((observations, self.masks(py, &inner.masks)))
    }

    /// The present masks.
    fn masks_now<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<bool>>> {
        Ok(self.masks(py, &self.running()?.masks))
    }

    /// Takes an action a lane.
    fn step<'py>(&self, py: Python<'py>, actions: PyReadonlyArray1<'py, i64>) -> PyResult<Stepped<'py>> {
        let mut guard = self.running()?;
        let inner = &mut *guard;
        let actions = actions.as_slice()?;
        if actions.len() != self.count {
            let (lanes, got) = (self.count, actions.len());
            return Err(PyValueError::new_err(format!(
                "{got} actions for {lanes} environments; one each is needed"
            )));
        }
        inner.take(actions, self.replaces).map_err(|error| env_error(error, self.is_alone()))?;
        let (observations, rewards) = self.arrays(py)?;
        let (mut rows, mut sums) = (observations.try_readwrite()?, rewards.try_readwrite()?);
        let (into, reward) = (rows.as_slice_mut()?, sums.as_slice_mut()?);
        let pool = if self.count <= MOST_INLINE { None } else { pool::helpers()? };
        let stepped = py.detach(|| {
            self.steps.begin();
            let stepped = inner.step(pool.as_deref(), into, reward);
            if let Some(pool) = &pool {
                self.steps.keep_awake(pool, self.count.div_ceil(LANES_PER_CHUNK) - 1);
            }
            stepped
        });
        let ended = stepped.map_err(|error| env_error(error, self.is_alone()))?;
        drop((rows, sums));
        let ended = if ended.is_empty() { None } else { Some(self.ended(py, inner, ended)) };
        Ok((
            observations,
            rewards,
            inner.terminated.to_pyarray(py),
            inner.truncated.to_pyarray(py),
            self.masks(py, &inner.masks),
            inner.slots_elapsed.to_pyarray(py),
            inner.replaced.to_pyarray(py),
            ended,
        ))
    }

    /// Costs by component and counts of the last step, an array each.
    fn details<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let inner = self.running()?;
        let dict = PyDict::new(py);
        for (at, name) in CostBreakdown::NAMES.into_iter().enumerate() {
            let costs: Vec<f64> = inner.infos.iter().map(|info| info.cost.components()[at]).collect();
            dict.set_item(format!("cost_{name}"), costs.to_pyarray(py))?;
        }
        for (at, name) in Counters::NAMES.into_iter().enumerate() {
            let numbers: Vec<u64> = inner.infos.iter().map(|info| info.counters.counts()[at]).collect();
            dict.set_item(name, numbers.to_pyarray(py))?;
        }
        let cells: Vec<[u32; 2]> = inner.infos.iter().map(|info| [info.cell.0, info.next_cell.0]).collect();
        for (at, name) in ["cell", "next_cell"].into_iter().enumerate() {
            dict.set_item(name, cells.iter().map(|cells| cells[at]).collect::<Vec<u32>>().to_pyarray(py))?;
        }
        Ok(dict)
    }

    /// The cell that the pending decision of each lane is about.
    fn cells(&self) -> PyResult<Vec<u32>> {
        let inner = self.running()?;
        Ok((0..self.count).map(|lane| inner.env.env(lane).observation().cell.0).collect())
    }

    /// The coordinates of the episodes: run, lane and episode of each lane.
    fn coordinates(&self) -> PyResult<Vec<(u64, u32, u64)>> {
        let inner = self.running()?;
        let seeds = (0..self.count).map(|lane| inner.env.seed(lane));
        Ok(seeds.map(|seed| (seed.run, seed.lane, seed.episode)).collect())
    }

    /// A digest of what happened in each lane, and one of all.
    fn trajectory_hashes(&self) -> PyResult<(Vec<u64>, u64)> {
        let inner = self.running()?;
        Ok(((0..self.count).map(|lane| inner.env.lane_hash(lane)).collect(), inner.env.trajectory_hash()))
    }

    /// The present state of a lane in a few lines.
    fn text(&self, lane: usize) -> PyResult<String> {
        self.look_at(lane, |env| Ok(api::text(env)))
    }

    /// A picture of it, as SVG.
    fn svg(&self, lane: usize) -> PyResult<String> {
        self.look_at(lane, |env| api::picture(env).map_err(|error| value_error(&error)))
    }

    /// The same as `height x width x 3` bytes: red, green and blue.
    fn pixels<'py>(&self, py: Python<'py>, lane: usize) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let svg = self.svg(lane)?;
        let (width, height, rgb) = py.detach(|| raster::pixels(&svg)).map_err(PyValueError::new_err)?;
        PyArray1::from_vec(py, rgb).reshape([height, width, 3])
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let inner = self.running()?;
        let (env, replacements, purpose) = (inner.env.snapshot(), inner.replacements.clone(), self.purpose);
        let kept = Snapshot::of(&self.spec, &Kept { env, replacements, purpose });
        Ok(PyBytes::new(py, kept.as_bytes()))
    }

    fn restore(&self, snapshot: &[u8]) -> PyResult<()> {
        let refused = |reason: &dyn std::fmt::Display| PyValueError::new_err(reason.to_string());
        let kept = Snapshot::from_bytes(snapshot.to_vec()).state::<Kept>(&self.spec);
        let Kept { env, replacements, purpose } = kept.map_err(|error| refused(&error))?;
        if replacements.len() != self.count {
            let (its, own) = (replacements.len(), self.count);
            return Err(refused(&format!("the snapshot is of {its} environments, not of {own}")));
        }
        if purpose != self.purpose {
            let [its, own] = [purpose, self.purpose].map(Purpose::name);
            return Err(refused(&format!("the snapshot is of episodes to {its}, not to {own}")));
        }
        let mut inner = self.lock()?;
        inner.env.restore(&env).map_err(|error| refused(&error))?;
        (inner.replacements, inner.has_begun) = (replacements, true);
        inner.infos.fill(StepInfo::default());
        inner.players.clear();
        inner.read_masks();
        Ok(())
    }
}

impl Lanes {
    fn ended<'py>(&self, py: Python<'py>, inner: &Inner, lanes: Vec<usize>) -> Ended<'py> {
        let pick = |width: usize| lanes.iter().flat_map(move |&lane| lane * width..(lane + 1) * width);
        let observations: Vec<f32> = pick(self.entries).map(|at| inner.final_observations[at]).collect();
        let masks: Vec<bool> = pick(self.num_actions).map(|at| inner.final_masks[at]).collect();
        let of_all = |at: usize| inner.totals.iter().map(move |totals| totals[at]);
        let by_name: Vec<f64> = (0..STATISTICS).flat_map(of_all).collect();
        let totals = rows(py, &by_name, lanes.len());
        let (observations, masks) = (rows(py, &observations, self.entries), self.masks(py, &masks));
        (lanes, observations, masks, totals)
    }
}
