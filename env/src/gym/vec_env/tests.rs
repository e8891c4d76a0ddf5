use super::super::api::{Entry, Rows};
use super::super::snapshot::DigestedSpec;
use super::super::snapshot::{Snapshot, SnapshotError};
use super::*;
use crate::random::Purpose;

/// Counts to its lane's length (2 + lane) and is cut there; action 1 is illegal on odd counts.
#[derive(Clone)]
pub(super) struct Counter {
    spec: DigestedSpec,
    seed: Seed,
    state: State,
}

#[derive(Clone, Copy, Default)]
pub(super) struct State {
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

pub(super) fn counters(lanes: usize) -> Vec<Counter> {
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
        vec_env.step_into(&[ActionId(0); 2], buffers.rows()).unwrap();
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
    vec_env.step_into(&[ActionId(0); 2], buffers.rows()).unwrap();
    assert_eq!(buffers.final_masks.row(1).to_vec(), [true, false]);
    assert_eq!(buffers.masks.row(1).to_vec(), [true, true]);
}

#[test]
fn one_two_and_eight_threads_give_the_same_rows_and_the_same_hash() {
    let play = |threads: usize, lanes_per_chunk: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut vec_env =
                VecEnv::new(counters(37), Seed::new(Purpose::Train, 1)).with_lanes_per_chunk(lanes_per_chunk);
            let mut buffers = StepBuffers::new(37, vec_env.spec());
            for _ in 0..50 {
                vec_env.step_into(&[ActionId(0); 37], buffers.rows()).unwrap();
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
        vec_env.step_into(&[ActionId(0), ActionId(0), ActionId(last)], buffers.rows()).unwrap();
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
        let stepped = vec_env.step_into(&[ActionId(0); 2], buffers.rows());
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
            vec_env.step_into(&[ActionId(0)], buffers.rows()).unwrap();
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
            vec_env.step_into(&[ActionId(0); 3], buffers.rows()).unwrap();
        }
        let snapshot = vec_env.snapshot();
        let mut play = |vec_env: &mut VecEnv<Counter>| {
            vec_env.step_into(&[ActionId(0); 3], buffers.rows()).unwrap();
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
    vec_env.step_into(&[ActionId(0); 3], buffers.rows()).unwrap();
    let illegal = vec_env.step_into(&[ActionId(0), ActionId(0), ActionId(1)], buffers.rows());
    assert_eq!(illegal.unwrap_err().to_string(), "lane 2: action 1 (b) is illegal here; the mask allows 0");
    let short = vec_env.step_into(&[ActionId(0); 2], buffers.rows());
    assert_eq!(short.unwrap_err().to_string(), "actions has 2 elements, 3 are needed");
}

#[test]
fn an_illegal_action_is_an_error_or_replaced_by_the_first_legal_one() {
    let mut strict = VecEnv::new(counters(3), Seed::new(Purpose::Train, 1));
    let mut replacing = strict.clone().with_replaced_actions(true);
    let mut told = strict.clone();
    let [mut first, mut second, mut third] = [(); 3].map(|()| StepBuffers::new(3, strict.spec()));
    // Action 1 is legal at count 0 and illegal at count 1, where lanes 1 and 2 ask for it.
    let asked = [ActionId(0), ActionId(1), ActionId(1)];
    for (env, buffers) in [(&mut strict, &mut first), (&mut replacing, &mut second), (&mut told, &mut third)]
    {
        let rows = buffers.rows();
        env.observe_into(rows.observations, rows.masks).unwrap();
        env.step_into(&asked, buffers.rows()).unwrap();
    }
    assert_eq!(second.replaced, [false; 3]);
    let refused = strict.step_into(&asked, first.rows()).unwrap_err();
    assert!(refused.to_string().contains("lane 1: action 1 (b) is illegal"), "{refused}");
    replacing.step_into(&asked, second.rows()).unwrap();
    assert_eq!(second.replaced, [false, true, true]);
    told.step_into(&[ActionId(0); 3], third.rows()).unwrap();
    assert_eq!(replacing.trajectory_hash(), told.trajectory_hash()); // the digest is of what was taken
    let unknown = replacing.step_into(&[ActionId(2); 3], second.rows()).unwrap_err();
    assert!(unknown.to_string().contains("lane 0: action 2 does not exist"), "{unknown}");
}

#[test]
fn a_thread_takes_its_own_chunks_first_and_then_those_of_others() {
    let shares = Shares::new(7, 3); // 0 and 1, 2 and 3, 4 to 6
    assert_eq!(shares.helpers(), 2);
    let mut own = shares.take(1);
    assert_eq!([own.next(), own.next()], [Some(2), Some(3)]);
    assert_eq!(shares.take(0).collect::<Vec<_>>(), [0, 1, 4, 5, 6]);
    assert_eq!(own.next(), None);
}
