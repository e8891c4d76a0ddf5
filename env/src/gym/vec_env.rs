//! Many copies of an environment, stepped together into rows that the caller owns.
//!
//! Lane `i` plays the episodes `(purpose, run, lane = i, episode = 0, 1, 2, ...)`. Lanes are stepped in contiguous
//! chunks on rayon; a lane's numbers depend on its own seed and actions alone, so the bits are the same for any number of
//! threads. Autoreset is *same step*: when an episode ends, its final row is kept beside the first row of the next one.

use super::api::{ActionId, End, Env, EnvError, EnvSpec};
pub use super::step_rows::{StepBuffers, StepRows};
use crate::digest::mix;
use crate::random::Seed;
use rayon::prelude::*;

/// Lanes that one rayon task steps; below that many lanes everything runs on the caller's thread.
const LANES_PER_CHUNK: usize = 128;

#[derive(Clone, Debug)]
struct Lane<E> {
    env: E,
    seed: Seed,
    hash: u64,
}

/// Copies of an environment that are stepped together.
#[derive(Clone, Debug)]
pub struct VecEnv<E> {
    lanes: Vec<Lane<E>>,
    num_entries: usize,
    num_actions: usize,
    lanes_per_chunk: usize,
}

impl<E: Env<Action = ActionId> + Send> VecEnv<E> {
    /// Takes the copies and resets each to episode 0 of its lane.
    ///
    /// # Panics
    /// Without a single environment.
    pub fn new(envs: Vec<E>, seed: Seed) -> Self {
        let spec = envs.first().expect("a vector environment has at least one lane").spec();
        let (num_entries, num_actions) = (spec.num_entries(), spec.num_actions());
        let lanes = envs
            .into_iter()
            .enumerate()
            .map(|(index, mut env)| {
                let seed = seed.with_lane(index as u32);
                env.reset(seed);
                Lane { env, seed, hash: 0 }
            })
            .collect();
        Self { lanes, num_entries, num_actions, lanes_per_chunk: LANES_PER_CHUNK }
    }

    /// Sets how many lanes one rayon task steps; the results do not depend on it.
    #[must_use]
    pub fn with_lanes_per_chunk(mut self, lanes: usize) -> Self {
        self.lanes_per_chunk = lanes.max(1);
        self
    }

    /// The number of copies.
    pub fn num_lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The spec that all copies share.
    pub fn spec(&self) -> &EnvSpec {
        self.lanes[0].env.spec()
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
        expect_len("observations", observations.len(), self.num_lanes() * self.num_entries)?;
        expect_len("masks", masks.len(), self.num_lanes() * self.num_actions)?;
        for (index, lane) in self.lanes.iter().enumerate() {
            lane.env.encode(&mut observations[index * self.num_entries..][..self.num_entries]);
            lane.env.mask(&mut masks[index * self.num_actions..][..self.num_actions]);
        }
        Ok(())
    }

    /// Takes one action a lane and writes what follows.
    ///
    /// # Errors
    /// When a buffer has the wrong length (nothing is done then), or when a lane refuses its action: the error names the
    /// first such lane, the others have been stepped.
    pub fn step_into(&mut self, actions: &[ActionId], rows: &mut StepRows<'_>) -> Result<(), EnvError> {
        self.check(actions, rows)?;
        let (entries, num_actions) = (self.num_entries, self.num_actions);
        if self.lanes.len() <= self.lanes_per_chunk {
            return step_chunk(&mut self.lanes, 0, actions, rows.reborrow(), entries, num_actions);
        }
        let chunk = self.lanes_per_chunk;
        let mut jobs = Vec::with_capacity(self.lanes.len().div_ceil(chunk));
        let mut rest = rows.reborrow();
        for (index, (lanes, actions)) in self.lanes.chunks_mut(chunk).zip(actions.chunks(chunk)).enumerate() {
            let (head, tail) = rest.split_at(lanes.len(), entries, num_actions);
            rest = tail;
            jobs.push((index * chunk, lanes, actions, head));
        }
        // The first lane's error, whatever thread met it: results are collected in lane order.
        let results: Vec<Result<(), EnvError>> = jobs
            .into_par_iter()
            .map(|(first, lanes, actions, rows)| {
                step_chunk(lanes, first, actions, rows, entries, num_actions)
            })
            .collect();
        results.into_iter().collect()
    }

    /// A 64-bit digest of everything that happened since the reset (actions, rewards, ends, slots), so that two runs can be
    /// compared by one number.
    pub fn trajectory_hash(&self) -> u64 {
        self.lanes.iter().fold(0, |hash, lane| mix(hash, lane.hash))
    }

    fn check(&self, actions: &[ActionId], rows: &StepRows<'_>) -> Result<(), EnvError> {
        let lanes = self.num_lanes();
        expect_len("actions", actions.len(), lanes)?;
        expect_len("observations", rows.observations.len(), lanes * self.num_entries)?;
        expect_len("masks", rows.masks.len(), lanes * self.num_actions)?;
        expect_len("rewards", rows.rewards.len(), lanes)?;
        expect_len("terminated", rows.terminated.len(), lanes)?;
        expect_len("truncated", rows.truncated.len(), lanes)?;
        expect_len("slots_elapsed", rows.slots_elapsed.len(), lanes)?;
        expect_len("final_observations", rows.final_observations.len(), lanes * self.num_entries)?;
        expect_len("final_masks", rows.final_masks.len(), lanes * self.num_actions)?;
        expect_len("infos", rows.infos.len(), lanes)
    }
}

fn expect_len(what: &'static str, got: usize, expected: usize) -> Result<(), EnvError> {
    if got == expected { Ok(()) } else { Err(EnvError::BufferLength { what, got, expected }) }
}

/// Takes the rows by value: they are the chunk's own.
#[expect(clippy::needless_pass_by_value, reason = "a chunk's rows are made for it and used once")]
fn step_chunk<E: Env<Action = ActionId>>(
    lanes: &mut [Lane<E>],
    first: usize,
    actions: &[ActionId],
    rows: StepRows<'_>,
    entries: usize,
    num_actions: usize,
) -> Result<(), EnvError> {
    let mut outcome = Ok(());
    for (index, (lane, action)) in lanes.iter_mut().zip(actions).enumerate() {
        let step = match lane.env.step(action) {
            Ok(step) => step,
            Err(source) => {
                let error = EnvError::Lane { lane: first + index, source: Box::new(source) };
                outcome = outcome.and(Err(error));
                continue;
            }
        };
        lane.hash = step.digest(lane.hash, *action);
        rows.rewards[index] = step.reward;
        rows.terminated[index] = step.end == End::Terminated;
        rows.truncated[index] = step.end == End::Truncated;
        rows.slots_elapsed[index] = step.slots_elapsed;
        rows.infos[index] = step.info;
        if step.end.is_end() {
            lane.env.encode(&mut rows.final_observations[index * entries..][..entries]);
            lane.env.mask(&mut rows.final_masks[index * num_actions..][..num_actions]);
            lane.seed = lane.seed.with_episode(lane.seed.episode + 1);
            lane.env.reset(lane.seed);
        }
        lane.env.encode(&mut rows.observations[index * entries..][..entries]);
        lane.env.mask(&mut rows.masks[index * num_actions..][..num_actions]);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::super::api::{Entry, Rows, Step};
    use super::*;
    use crate::random::Purpose;

    /// Counts to its lane's length (2 + lane) and is cut there; action 1 is illegal on odd counts.
    #[derive(Clone)]
    struct Counter {
        spec: EnvSpec,
        seed: Seed,
        state: State,
    }

    #[derive(Clone, Copy, Default)]
    struct State {
        count: u32,
        episode: u64,
    }

    impl Rows for State {
        fn encode(&self, row: &mut [f32]) {
            row.copy_from_slice(&[self.count as f32, self.episode as f32]);
        }
        fn mask(&self, legal: &mut [bool]) {
            legal.copy_from_slice(&[true, self.count.is_multiple_of(2)]);
        }
    }

    fn counters(lanes: usize) -> Vec<Counter> {
        let spec = EnvSpec {
            id: "counter".into(),
            entries: vec![Entry::new("count", 0.0, 100.0), Entry::new("episode", 0.0, 1e6)],
            actions: vec!["a".into(), "b".into()],
        };
        vec![Counter { spec, seed: Seed::new(Purpose::Test, 0), state: State::default() }; lanes]
    }

    impl Env for Counter {
        type Observation = State;
        type Action = ActionId;
        fn spec(&self) -> &EnvSpec {
            &self.spec
        }
        fn reset(&mut self, seed: Seed) {
            self.seed = seed;
            self.state = State { count: 0, episode: seed.episode };
        }
        fn step(&mut self, action: &ActionId) -> Result<Step, EnvError> {
            let mut mask = [false; 2];
            self.mask(&mut mask);
            if !mask.get(action.index()).is_some_and(|&legal| legal) {
                return Err(EnvError::refuse(&self.spec, *action, &mask));
            }
            self.state.count += 1;
            let reward = f64::from(self.state.count) + f64::from(self.seed.lane) / 8.0;
            let end = self.state.count == 2 + self.seed.lane;
            Ok(if end { Step::truncated(reward, 1) } else { Step::running(reward, 0) })
        }
        fn observation(&self) -> &State {
            &self.state
        }
    }

    #[test]
    fn the_final_row_is_kept_and_the_next_episode_begins_in_the_same_step() {
        let mut vec_env = VecEnv::new(counters(2), Seed::new(Purpose::Train, 1));
        let mut buffers = StepBuffers::new(2, vec_env.spec());
        for _ in 0..2 {
            vec_env.step_into(&[ActionId(0); 2], &mut buffers.rows()).unwrap();
        }
        // Lane 0 was cut after two steps at count 2; lane 1 goes on.
        assert_eq!(buffers.truncated, [true, false]);
        assert_eq!(buffers.terminated, [false, false]);
        assert_eq!(buffers.final_observations.row(0).to_vec(), [2.0, 0.0]);
        assert_eq!(buffers.observations.row(0).to_vec(), [0.0, 1.0]);
        assert_eq!(buffers.observations.row(1).to_vec(), [2.0, 0.0]);
        assert_eq!(buffers.rewards, [2.0, 2.125]);
        // Both actions were legal at count 2; lane 1 is cut at count 3, where action 1 is not, and starts anew at 0.
        assert_eq!(buffers.final_masks.row(0).to_vec(), [true, true]);
        vec_env.step_into(&[ActionId(0); 2], &mut buffers.rows()).unwrap();
        assert_eq!(buffers.final_masks.row(1).to_vec(), [true, false]);
        assert_eq!(buffers.masks.row(1).to_vec(), [true, true]);
    }

    #[test]
    fn one_two_and_eight_threads_give_the_same_rows_and_the_same_hash() {
        let play = |threads: usize, lanes_per_chunk: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut vec_env = VecEnv::new(counters(37), Seed::new(Purpose::Train, 1))
                    .with_lanes_per_chunk(lanes_per_chunk);
                let mut buffers = StepBuffers::new(37, vec_env.spec());
                for _ in 0..50 {
                    vec_env.step_into(&[ActionId(0); 37], &mut buffers.rows()).unwrap();
                }
                (buffers.observations, buffers.rewards, vec_env.trajectory_hash())
            })
        };
        let alone = play(1, 1000);
        for (threads, lanes_per_chunk) in [(1, 5), (2, 5), (2, 36), (8, 1)] {
            assert_eq!(play(threads, lanes_per_chunk), alone);
        }
    }

    #[test]
    fn the_hash_tells_one_action_apart() {
        let play = |last: u32| {
            let mut vec_env = VecEnv::new(counters(3), Seed::new(Purpose::Train, 1));
            let mut buffers = StepBuffers::new(3, vec_env.spec());
            vec_env.step_into(&[ActionId(0), ActionId(0), ActionId(last)], &mut buffers.rows()).unwrap();
            vec_env.trajectory_hash()
        };
        assert_ne!(play(0), play(1));
    }

    #[test]
    fn mistakes_name_the_lane_or_the_buffer() {
        let mut vec_env = VecEnv::new(counters(3), Seed::new(Purpose::Train, 1));
        let mut buffers = StepBuffers::new(3, vec_env.spec());
        vec_env.step_into(&[ActionId(0); 3], &mut buffers.rows()).unwrap();
        let illegal = vec_env.step_into(&[ActionId(0), ActionId(0), ActionId(1)], &mut buffers.rows());
        assert_eq!(
            illegal.unwrap_err().to_string(),
            "lane 2: action 1 (b) is illegal here; the mask allows 0"
        );
        let short = vec_env.step_into(&[ActionId(0); 2], &mut buffers.rows());
        assert_eq!(short.unwrap_err().to_string(), "actions has 2 elements, 3 are needed");
    }
}
