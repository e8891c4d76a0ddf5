//! Many copies of an environment, stepped together into rows that the caller owns.
//!
//! Lane `i` plays the episodes `(purpose, run, lane = i, episode = 0, 1, 2, ...)`. Lanes are stepped in contiguous
//! chunks on rayon; a lane's numbers depend on its own seed and actions alone, so the bits are the same for any number of
//! threads. What happens when an episode ends is one of three [`Autoreset`] modes, the same that Gymnasium names:
//!
//! ```text
//! action      a        b (ends)                      c
//! same step   obs 1    obs 0', final row beside      obs 1'
//! next step   obs 1    final row                     obs 0', reward 0, c is not looked at
//! disabled    obs 1    final row                     an error, unless reset_lanes came first
//! ```

mod state;

use super::api::{ActionId, End, Env, EnvError, EnvSpec, Step};
use super::snapshot::DigestedSpec;
pub use super::step_rows::{StepBuffers, StepRows};
use crate::digest::mix;
use crate::random::Seed;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Lanes that one rayon task steps; below that many lanes everything runs on the caller's thread.
const LANES_PER_CHUNK: usize = 128;

/// When the next episode of a lane begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Autoreset {
    /// In the step that ends the episode: its final row is kept beside the first row of the next one. Learners of this
    /// project and Stable-Baselines3 expect this.
    #[default]
    SameStep,
    /// In the step after: its action is not looked at, its reward is 0, nothing is learnt from it. The default of
    /// Gymnasium's vector environments; `RLlib` expects this.
    NextStep,
    /// When the caller says so, with [`VecEnv::reset_lanes`]; a step of a lane that has ended is an error.
    Disabled,
}

impl Autoreset {
    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameStep => "same-step",
            Self::NextStep => "next-step",
            Self::Disabled => "disabled",
        }
    }
}

/// A copy of the environment, or its snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lane<E> {
    env: E,
    seed: Seed,
    hash: u64,
    /// The episode has ended and the next one has not begun.
    has_ended: bool,
}

impl<E> Lane<E> {
    /// Returns the lane with `env` in the place of its environment.
    fn with_env<F>(&self, env: F) -> Lane<F> {
        Lane { env, seed: self.seed, hash: self.hash, has_ended: self.has_ended }
    }
}

impl<E: Env<Action = ActionId>> Lane<E> {
    fn begin_next_episode(&mut self) {
        self.seed = self.seed.with_episode(self.seed.episode.saturating_add(1));
        self.env.reset(self.seed);
        self.has_ended = false;
    }
}

/// Copies of an environment that are stepped together.
#[derive(Clone, Debug)]
pub struct VecEnv<E> {
    lanes: Vec<Lane<E>>,
    /// That of the copies.
    spec: DigestedSpec,
    lanes_per_chunk: usize,
    rules: Rules,
}

/// What a step of a lane does beside the environment's own.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    autoreset: Autoreset,
    /// The first legal action is taken for an illegal one.
    replaces: bool,
}

impl<E: Env<Action = ActionId> + Send> VecEnv<E> {
    /// Takes the copies and resets each to episode 0 of its lane.
    ///
    /// # Panics
    /// Without a single environment.
    pub fn new(envs: Vec<E>, seed: Seed) -> Self {
        Self::with_first_lane(envs, seed, 0)
    }

    /// Takes the copies as lanes numbered from `first_lane` on, which play other episodes than the lanes before it.
    ///
    /// # Panics
    /// Without a single environment.
    pub fn with_first_lane(envs: Vec<E>, seed: Seed, first_lane: u32) -> Self {
        let spec = envs.first().expect("a vector environment has at least one lane").spec();
        let spec = DigestedSpec::new(spec.clone());
        let lanes = envs
            .into_iter()
            .enumerate()
            .map(|(index, mut env)| {
                let seed = seed.with_lane(first_lane + index as u32);
                env.reset(seed);
                Lane { env, seed, hash: 0, has_ended: false }
            })
            .collect();
        Self { lanes, spec, lanes_per_chunk: LANES_PER_CHUNK, rules: Rules::default() }
    }

    /// Sets how many lanes one rayon task steps; the results do not depend on it.
    #[must_use]
    pub fn with_lanes_per_chunk(mut self, lanes: usize) -> Self {
        self.lanes_per_chunk = lanes.max(1);
        self
    }

    /// Sets when the next episode of a lane begins; before the first step.
    #[must_use]
    pub fn with_autoreset(mut self, autoreset: Autoreset) -> Self {
        self.rules.autoreset = autoreset;
        self
    }

    /// Takes the first legal action for an illegal one, which is an error otherwise. An action that does not exist stays an error.
    ///
    /// For programs that draw actions without a mask, as Gymnasium's own do.
    #[must_use]
    pub fn with_replaced_actions(mut self, replaces: bool) -> Self {
        self.rules.replaces = replaces;
        self
    }

    /// When the next episode of a lane begins.
    pub fn autoreset(&self) -> Autoreset {
        self.rules.autoreset
    }

    /// Begins the next episode of every lane that `is_reset` marks, whether its present one has ended or not;
    /// [`observe_into`](Self::observe_into) shows the first rows.
    ///
    /// # Errors
    /// When there is not one mark a lane.
    pub fn reset_lanes(&mut self, is_reset: &[bool]) -> Result<(), EnvError> {
        expect_len("is_reset", is_reset.len(), self.num_lanes())?;
        for (lane, _) in self.lanes.iter_mut().zip(is_reset).filter(|(_, is_reset)| **is_reset) {
            lane.begin_next_episode();
        }
        Ok(())
    }

    /// Begins the episode at these coordinates in one lane, whose digest begins anew; the lane's next episodes follow it.
    ///
    /// # Panics
    /// Without such a lane.
    pub fn reset_lane(&mut self, lane: usize, seed: Seed) {
        let lane = &mut self.lanes[lane];
        lane.env.reset(seed);
        (lane.seed, lane.hash, lane.has_ended) = (seed, 0, false);
    }

    /// The coordinates of the episode that a lane plays.
    pub fn seed(&self, lane: usize) -> Seed {
        self.lanes[lane].seed
    }

    /// The digest of what happened in one lane, as [`Step::digest`] adds it up.
    pub fn lane_hash(&self, lane: usize) -> u64 {
        self.lanes[lane].hash
    }

    /// Tells of each lane whether it waits for its next episode; none does in the same-step mode.
    pub fn has_ended(&self) -> impl Iterator<Item = bool> + '_ {
        self.lanes.iter().map(|lane| lane.has_ended)
    }

    /// The number of copies.
    pub fn num_lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The coordinates of the episode that the first lane plays.
    pub fn first_seed(&self) -> Seed {
        self.lanes[0].seed
    }

    /// The spec that all copies share.
    pub fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    /// One copy, to look at.
    pub fn env(&self, lane: usize) -> &E {
        &self.lanes[lane].env
    }

    /// Writes the present rows and masks, as after a reset.
    ///
    /// # Errors
    /// When a buffer has the wrong length.
    pub fn observe_into(&self, observations: &mut [f32], masks: &mut [bool]) -> Result<(), EnvError> {
        expect_len("observations", observations.len(), self.num_lanes() * self.spec.num_entries())?;
        expect_len("masks", masks.len(), self.num_lanes() * self.spec.num_actions())?;
        for (index, lane) in self.lanes.iter().enumerate() {
            lane.env.encode(&mut observations[index * self.spec.num_entries()..][..self.spec.num_entries()]);
            lane.env.mask(&mut masks[index * self.spec.num_actions()..][..self.spec.num_actions()]);
        }
        Ok(())
    }

    /// Takes one action a lane and writes what follows.
    ///
    /// # Errors
    /// When a buffer has the wrong length (nothing is done then), or when a lane refuses its action: the error names the
    /// first such lane, the others have been stepped.
    pub fn step_into(&mut self, actions: &[ActionId], rows: StepRows<'_>) -> Result<(), EnvError> {
        self.step_with(None, actions, rows)
    }

    /// The same with the threads of a pool, beside the caller's, instead of rayon's own.
    ///
    /// # Errors
    /// As [`step_into`](Self::step_into).
    pub fn step_with(
        &mut self,
        pool: Option<&rayon::ThreadPool>,
        actions: &[ActionId],
        mut rows: StepRows<'_>,
    ) -> Result<(), EnvError> {
        self.check(actions, &rows)?;
        let (entries, num_actions) = (self.spec.num_entries(), self.spec.num_actions());
        let rules = self.rules;
        if self.lanes.len() <= self.lanes_per_chunk {
            return step_chunk(rules, &mut self.lanes, 0, actions, rows, entries, num_actions);
        }
        let chunk = self.lanes_per_chunk;
        let mut jobs = Vec::with_capacity(self.lanes.len().div_ceil(chunk));
        for (index, (lanes, actions)) in self.lanes.chunks_mut(chunk).zip(actions.chunks(chunk)).enumerate() {
            let rows = rows.split_off(lanes.len(), entries, num_actions);
            jobs.push((Mutex::new(Some((index * chunk, lanes, actions, rows))), OnceLock::new()));
        }
        let helpers =
            pool.map_or_else(|| rayon::current_num_threads() - 1, rayon::ThreadPool::current_num_threads);
        let shares = Shares::new(jobs.len(), 1 + helpers.min(jobs.len() - 1));
        let (jobs, shares, ended) = (&jobs, &shares, &AtomicUsize::new(0));
        let work = move |home: usize| {
            for (job, result) in shares.take(home).map(|job| &jobs[job]) {
                let job = job.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some((first, lanes, actions, rows)) = job {
                    let stepped = step_chunk(rules, lanes, first, actions, rows, entries, num_actions);
                    let _ = result.set(stepped); // each job is taken once
                }
            }
        };
        match pool {
            Some(pool) => pool.in_place_scope(|scope| share(scope, shares.helpers(), ended, work)),
            None => rayon::in_place_scope(|scope| share(scope, shares.helpers(), ended, work)),
        }
        // The first lane's error, whatever thread met it: results are looked at in lane order.
        jobs.iter()
            .filter_map(|(_, result)| result.get())
            .find(|result| result.is_err())
            .cloned()
            .unwrap_or(Ok(()))
    }

    /// A 64-bit digest of everything that happened since the reset (actions, rewards, ends, slots), so that two runs can be
    /// compared by one number.
    pub fn trajectory_hash(&self) -> u64 {
        self.lanes.iter().fold(0, |hash, lane| mix(hash, lane.hash))
    }

    fn check(&self, actions: &[ActionId], rows: &StepRows<'_>) -> Result<(), EnvError> {
        let lanes = self.num_lanes();
        expect_len("actions", actions.len(), lanes)?;
        expect_len("observations", rows.observations.len(), lanes * self.spec.num_entries())?;
        expect_len("masks", rows.masks.len(), lanes * self.spec.num_actions())?;
        expect_len("rewards", rows.rewards.len(), lanes)?;
        expect_len("terminated", rows.terminated.len(), lanes)?;
        expect_len("truncated", rows.truncated.len(), lanes)?;
        expect_len("slots_elapsed", rows.slots_elapsed.len(), lanes)?;
        expect_len("replaced", rows.replaced.len(), lanes)?;
        expect_len("final_observations", rows.final_observations.len(), lanes * self.spec.num_entries())?;
        expect_len("final_masks", rows.final_masks.len(), lanes * self.spec.num_actions())?;
        expect_len("infos", rows.infos.len(), lanes)
    }
}

/// The chunks of a step by the thread that is to take them: the same in each step, so that a thread finds the lanes in its own cache.
struct Shares {
    chunks: usize,
    /// The next chunk of each share.
    next: Vec<AtomicUsize>,
}

impl Shares {
    fn new(chunks: usize, shares: usize) -> Self {
        Self { chunks, next: (0..shares).map(|share| AtomicUsize::new(share * chunks / shares)).collect() }
    }

    /// Threads beside the caller's.
    fn helpers(&self) -> usize {
        self.next.len() - 1
    }

    /// Takes the chunks of a share, then what other threads have not come to.
    fn take(&self, home: usize) -> impl Iterator<Item = usize> + '_ {
        let shares = self.next.len();
        (home..home + shares).map(move |share| share % shares).flat_map(move |share| {
            let end = (share + 1) * self.chunks / shares;
            std::iter::from_fn(move || {
                let chunk = self.next[share].fetch_add(1, Ordering::Relaxed);
                (chunk < end).then_some(chunk)
            })
        })
    }
}

/// Looks at the helpers before this thread falls asleep: some 80 microseconds.
const LOOKS: u32 = 3_000;

/// Does the work on this thread, as share 0, and on so many of the pool. This thread waits for them awake, for a moment: they take
/// about as long as it does, and to fall asleep and wake takes longer.
fn share<'scope>(
    scope: &rayon::Scope<'scope>,
    helpers: usize,
    ended: &'scope AtomicUsize,
    work: impl Fn(usize) + Copy + Send + 'scope,
) {
    for helper in 0..helpers {
        scope.spawn(move |_| {
            // A thread keeps its share, whichever of these calls it gets.
            let thread = rayon::current_thread_index().unwrap_or(helper);
            work(1 + thread % helpers);
            ended.fetch_add(1, Ordering::Release);
        });
    }
    work(0);
    let is_waiting = |_: &u32| ended.load(Ordering::Acquire) < helpers;
    (0..LOOKS).take_while(is_waiting).for_each(|_| std::hint::spin_loop());
}

fn expect_len(what: &'static str, got: usize, expected: usize) -> Result<(), EnvError> {
    if got == expected { Ok(()) } else { Err(EnvError::BufferLength { what, got, expected }) }
}

/// Takes the rows by value: they are the chunk's own.
#[expect(clippy::needless_pass_by_value, reason = "a chunk's rows are made for it and used once")]
fn step_chunk<E: Env<Action = ActionId>>(
    rules: Rules,
    lanes: &mut [Lane<E>],
    first: usize,
    actions: &[ActionId],
    rows: StepRows<'_>,
    entries: usize,
    num_actions: usize,
) -> Result<(), EnvError> {
    let mut outcome = Ok(());
    for (index, (lane, &asked)) in lanes.iter_mut().zip(actions).enumerate() {
        let is_reset = lane.has_ended && rules.autoreset == Autoreset::NextStep;
        let legal = &rows.masks[index * num_actions..][..num_actions];
        let is_replaced = rules.replaces && !is_reset && legal.get(asked.index()) == Some(&false);
        let first_legal = || legal.iter().position(|&is_legal| is_legal).map_or(asked, ActionId::from_index);
        let action = if is_replaced { first_legal() } else { asked };
        rows.replaced[index] = is_replaced;
        let stepped = if is_reset {
            lane.begin_next_episode();
            Ok(Step::default())
        } else {
            lane.env.step(&action)
        };
        let step = match stepped {
            Ok(step) => step,
            Err(source) => {
                let error = EnvError::Lane { lane: first + index, source: Box::new(source) };
                outcome = outcome.and(Err(error));
                continue;
            }
        };
        if !is_reset {
            lane.hash = step.digest(lane.hash, action);
        }
        rows.rewards[index] = step.reward;
        rows.terminated[index] = step.end == End::Terminated;
        rows.truncated[index] = step.end == End::Truncated;
        rows.slots_elapsed[index] = step.slots_elapsed;
        rows.infos[index] = step.info;
        if step.end.is_end() {
            lane.env.encode(&mut rows.final_observations[index * entries..][..entries]);
            lane.env.mask(&mut rows.final_masks[index * num_actions..][..num_actions]);
            match rules.autoreset {
                Autoreset::SameStep => lane.begin_next_episode(),
                Autoreset::NextStep | Autoreset::Disabled => lane.has_ended = true,
            }
        }
        lane.env.encode(&mut rows.observations[index * entries..][..entries]);
        lane.env.mask(&mut rows.masks[index * num_actions..][..num_actions]);
    }
    outcome
}

#[cfg(test)]
mod tests;
