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

use super::api::{ActionId, End, Env, EnvError, EnvSpec, Step};
use super::snapshot::{DigestedSpec, Snapshot, SnapshotError};
pub use super::step_rows::{StepBuffers, StepRows};
use crate::digest::mix;
use crate::random::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

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

#[derive(Clone, Debug)]
struct Lane<E> {
    env: E,
    seed: Seed,
    hash: u64,
    /// The episode has ended and the next one has not begun.
    has_ended: bool,
}

/// A lane as it is kept.
#[derive(Serialize, Deserialize)]
struct LaneState {
    env: Snapshot,
    seed: Seed,
    hash: u64,
    has_ended: bool,
}

impl<E: Env<Action = ActionId>> Lane<E> {
    fn begin_next_episode(&mut self) {
        self.seed = self.seed.with_episode(self.seed.episode + 1);
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
    num_entries: usize,
    num_actions: usize,
    lanes_per_chunk: usize,
    autoreset: Autoreset,
}

impl<E: Env<Action = ActionId> + Send> VecEnv<E> {
    /// Takes the copies and resets each to episode 0 of its lane.
    ///
    /// # Panics
    /// Without a single environment.
    pub fn new(envs: Vec<E>, seed: Seed) -> Self {
        Self::with_first_lane(envs, seed, 0)
    }

    /// The same for lanes that are numbered from `first_lane` on: other episodes than those of the lanes before it.
    ///
    /// # Panics
    /// Without a single environment.
    pub fn with_first_lane(envs: Vec<E>, seed: Seed, first_lane: u32) -> Self {
        let spec = envs.first().expect("a vector environment has at least one lane").spec();
        let spec = DigestedSpec::new(spec.clone());
        let (num_entries, num_actions) = (spec.num_entries(), spec.num_actions());
        let lanes = envs
            .into_iter()
            .enumerate()
            .map(|(index, mut env)| {
                let seed = seed.with_lane(first_lane + index as u32);
                env.reset(seed);
                Lane { env, seed, hash: 0, has_ended: false }
            })
            .collect();
        Self {
            lanes,
            spec,
            num_entries,
            num_actions,
            lanes_per_chunk: LANES_PER_CHUNK,
            autoreset: Autoreset::default(),
        }
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
        self.autoreset = autoreset;
        self
    }

    /// When the next episode of a lane begins.
    pub fn autoreset(&self) -> Autoreset {
        self.autoreset
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

    /// Which lanes wait for their next episode; never one in the same-step mode.
    pub fn has_ended(&self) -> impl Iterator<Item = bool> + '_ {
        self.lanes.iter().map(|lane| lane.has_ended)
    }

    /// The state of all lanes, with the coordinates of their episodes and their digests.
    pub fn snapshot(&self) -> Snapshot {
        let state_of = |lane: &Lane<E>| LaneState {
            env: lane.env.snapshot(),
            seed: lane.seed,
            hash: lane.hash,
            has_ended: lane.has_ended,
        };
        let lanes: Vec<LaneState> = self.lanes.iter().map(state_of).collect();
        Snapshot::of(&self.spec, &lanes)
    }

    /// Comes back to a snapshot of as many lanes.
    ///
    /// # Errors
    /// When it is damaged, of another environment or of another number of lanes; nothing has changed then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError>
    where
        E: Clone,
    {
        let states: Vec<LaneState> = snapshot.state(&self.spec)?;
        if states.len() != self.num_lanes() {
            let difference = format!("it has {} lanes, not {}", states.len(), self.num_lanes());
            return Err(SnapshotError::foreign(self.spec(), difference));
        }
        let restored = |(lane, state): (&Lane<E>, &LaneState)| {
            let mut env = lane.env.clone();
            env.restore(&state.env)?;
            Ok(Lane { env, seed: state.seed, hash: state.hash, has_ended: state.has_ended })
        };
        self.lanes = self.lanes.iter().zip(&states).map(restored).collect::<Result<_, SnapshotError>>()?;
        Ok(())
    }

    /// The number of copies.
    pub fn num_lanes(&self) -> usize {
        self.lanes.len()
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
        let autoreset = self.autoreset;
        if self.lanes.len() <= self.lanes_per_chunk {
            let rows = rows.reborrow();
            return step_chunk(autoreset, &mut self.lanes, 0, actions, rows, entries, num_actions);
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
                step_chunk(autoreset, lanes, first, actions, rows, entries, num_actions)
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
    autoreset: Autoreset,
    lanes: &mut [Lane<E>],
    first: usize,
    actions: &[ActionId],
    rows: StepRows<'_>,
    entries: usize,
    num_actions: usize,
) -> Result<(), EnvError> {
    let mut outcome = Ok(());
    for (index, (lane, action)) in lanes.iter_mut().zip(actions).enumerate() {
        let is_reset = lane.has_ended && autoreset == Autoreset::NextStep;
        let stepped = if is_reset {
            lane.begin_next_episode();
            Ok(Step::default())
        } else {
            lane.env.step(action)
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
            lane.hash = step.digest(lane.hash, *action);
        }
        rows.rewards[index] = step.reward;
        rows.terminated[index] = step.end == End::Terminated;
        rows.truncated[index] = step.end == End::Truncated;
        rows.slots_elapsed[index] = step.slots_elapsed;
        rows.infos[index] = step.info;
        if step.end.is_end() {
            lane.env.encode(&mut rows.final_observations[index * entries..][..entries]);
            lane.env.mask(&mut rows.final_masks[index * num_actions..][..num_actions]);
            match autoreset {
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
mod tests {
    use super::super::api::{Entry, Rows};
    use super::*;
    use crate::random::Purpose;

    /// Counts to its lane's length (2 + lane) and is cut there; action 1 is illegal on odd counts.
    #[derive(Clone)]
    struct Counter {
        spec: DigestedSpec,
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
        let spec = DigestedSpec::new(EnvSpec {
            id: "counter".into(),
            entries: vec![Entry::new("count", 0.0, 100.0), Entry::new("episode", 0.0, 1e6)],
            actions: vec!["a".into(), "b".into()],
        });
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
            if self.state.count == 2 + self.seed.lane {
                return Err(EnvError::NotRunning);
            }
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
        fn snapshot(&self) -> Snapshot {
            Snapshot::of(&self.spec, &(self.seed, self.state.count, self.state.episode))
        }
        fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
            let (seed, count, episode) = snapshot.state(&self.spec)?;
            (self.seed, self.state) = (seed, State { count, episode });
            Ok(())
        }
        fn reseed_future(&mut self, _: Seed) {}
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

    /// Rewards, first entries and ends of lane 0 (an episode of two steps) over five steps.
    fn five_steps(mode: Autoreset) -> Vec<Result<(f64, f32, bool), String>> {
        let mut vec_env = VecEnv::new(counters(2), Seed::new(Purpose::Train, 1)).with_autoreset(mode);
        let mut buffers = StepBuffers::new(2, vec_env.spec());
        let mut steps = Vec::new();
        for _ in 0..5 {
            let stepped = vec_env.step_into(&[ActionId(0); 2], &mut buffers.rows());
            if stepped.is_err() {
                vec_env.reset_lanes(&vec_env.has_ended().collect::<Vec<_>>()).unwrap();
            }
            let seen = (buffers.rewards[0], buffers.observations[(0, 0)], buffers.truncated[0]);
            steps.push(stepped.map(|()| seen).map_err(|error| error.to_string()));
        }
        steps
    }

    #[test]
    fn the_next_episode_begins_in_the_same_step_in_the_next_one_or_when_it_is_told_to() {
        let (step, end) = (Ok((1.0, 1.0, false)), Ok((2.0, 2.0, true)));
        let ends_in_first_row = Ok((2.0, 0.0, true));
        assert_eq!(
            five_steps(Autoreset::SameStep),
            [step.clone(), ends_in_first_row.clone(), step.clone(), ends_in_first_row, step.clone()]
        );
        let reset = Ok((0.0, 0.0, false));
        assert_eq!(
            five_steps(Autoreset::NextStep),
            [step.clone(), end.clone(), reset, step.clone(), end.clone()]
        );
        let refused = Err("lane 0: step without a running episode; call reset first".to_owned());
        assert_eq!(five_steps(Autoreset::Disabled), [step.clone(), end.clone(), refused, step, end]);
    }

    #[test]
    fn all_modes_play_the_same_episodes() {
        // The digest of a lane counts its decisions, and a reset is none.
        let hash = |mode: Autoreset, calls: usize| {
            let mut vec_env = VecEnv::new(counters(1), Seed::new(Purpose::Train, 1)).with_autoreset(mode);
            let mut buffers = StepBuffers::new(1, vec_env.spec());
            for _ in 0..calls {
                vec_env.step_into(&[ActionId(0)], &mut buffers.rows()).unwrap();
            }
            vec_env.trajectory_hash()
        };
        assert_eq!(hash(Autoreset::SameStep, 6), hash(Autoreset::NextStep, 8));
        assert_ne!(hash(Autoreset::SameStep, 6), hash(Autoreset::NextStep, 10));
    }

    #[test]
    fn a_restored_snapshot_goes_on_with_the_same_rows_and_the_same_hash() {
        for mode in [Autoreset::SameStep, Autoreset::NextStep] {
            let mut vec_env = VecEnv::new(counters(3), Seed::new(Purpose::Train, 1)).with_autoreset(mode);
            let mut buffers = StepBuffers::new(3, vec_env.spec());
            for _ in 0..4 {
                vec_env.step_into(&[ActionId(0); 3], &mut buffers.rows()).unwrap();
            }
            let snapshot = vec_env.snapshot();
            let mut play = |vec_env: &mut VecEnv<Counter>| {
                vec_env.step_into(&[ActionId(0); 3], &mut buffers.rows()).unwrap();
                (buffers.observations.clone(), buffers.rewards.clone(), vec_env.trajectory_hash())
            };
            let expected = [play(&mut vec_env), play(&mut vec_env)];
            let mut fresh = VecEnv::new(counters(3), Seed::new(Purpose::Test, 9)).with_autoreset(mode);
            fresh.restore(&snapshot).unwrap();
            assert_eq!([play(&mut fresh), play(&mut fresh)], expected);
            let mut other = VecEnv::new(counters(2), Seed::new(Purpose::Test, 9));
            assert!(other.restore(&snapshot).unwrap_err().to_string().ends_with("it has 3 lanes, not 2"));
        }
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
