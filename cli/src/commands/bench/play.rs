//! Random play: lanes of an environment under random actions.

use anyhow::Result;
use rand::RngExt;
use rayon::prelude::*;
use std::sync::Arc;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;

/// Lanes and the random policy that plays them.
pub(super) struct RandomPlay {
    vec_env: VecEnv<DecisionEnv>,
    buffers: StepBuffers,
    actions: Vec<ActionId>,
    /// One generator a lane, so that an action does not depend on the number of threads.
    rngs: Vec<SimRng>,
    lanes_per_chunk: usize,
    draw: Draw,
}

/// Among which actions one is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    Legal,
    /// Any, and the first legal one is taken for an illegal one, as in the Python package.
    Any,
}

impl Draw {
    fn action(self, legal: &[bool], rng: &mut SimRng) -> ActionId {
        match self {
            Self::Legal => random_legal(legal, rng),
            Self::Any => ActionId::from_index(rng.random_range(0..legal.len())),
        }
    }
}

impl RandomPlay {
    /// All lanes at their first decision.
    pub(super) fn new(scenario: &Arc<Scenario>, lanes: usize, threads: usize, draw: Draw) -> Result<Self> {
        let seed = Seed::new(Purpose::Test, 0);
        let lanes_per_chunk = lanes.div_ceil(threads);
        let vec_env =
            VecEnv::new(DecisionEnv::lanes(scenario, lanes), seed).with_lanes_per_chunk(lanes_per_chunk);
        let vec_env = vec_env.with_replaced_actions(draw == Draw::Any);
        let mut buffers = StepBuffers::new(lanes, vec_env.spec());
        let rows = buffers.rows();
        vec_env.observe_into(rows.observations, rows.masks)?;
        let rngs = (0..lanes).map(|lane| seed.with_lane(lane as u32).stream(Stream::Policy)).collect();
        Ok(Self { vec_env, buffers, actions: vec![ActionId(0); lanes], rngs, lanes_per_chunk, draw })
    }

    /// One decision of every lane.
    pub(super) fn step(&mut self) -> Result<()> {
        let num_actions = self.vec_env.spec().num_actions();
        let rows = self.buffers.rows();
        let draw = self.draw;
        let choose = |((action, legal), rng): ((&mut ActionId, &[bool]), &mut SimRng)| {
            *action = draw.action(legal, rng);
        };
        let chunk = self.lanes_per_chunk;
        if chunk >= self.actions.len() {
            self.actions
                .iter_mut()
                .zip(rows.masks.chunks_exact(num_actions))
                .zip(&mut self.rngs)
                .for_each(choose);
        } else {
            let masks = rows.masks.par_chunks_exact(num_actions);
            let lanes = self.actions.par_iter_mut().zip(masks).zip(&mut self.rngs);
            lanes.with_min_len(chunk).for_each(choose);
        }
        Ok(self.vec_env.step_into(&self.actions, rows)?)
    }
}

impl RandomPlay {
    /// A digest of all that has happened.
    pub(super) fn hash(&self) -> u64 {
        self.vec_env.trajectory_hash()
    }

    /// Whether the first lane has just ended an episode; its next one has begun.
    pub(super) fn has_ended(&mut self) -> bool {
        self.buffers.rows().truncated[0]
    }

    /// The environment of the first lane.
    pub(super) fn env(&self) -> &DecisionEnv {
        self.vec_env.env(0)
    }
}

/// Draws among the legal actions.
fn random_legal(legal: &[bool], rng: &mut SimRng) -> ActionId {
    let count: usize = legal.iter().map(|&is_legal| usize::from(is_legal)).sum();
    let mut left = rng.random_range(0..count);
    for (index, &is_legal) in legal.iter().enumerate() {
        if is_legal {
            if left == 0 {
                return ActionId::from_index(index);
            }
            left -= 1;
        }
    }
    unreachable!("as many actions are legal as were counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_three_threads_give_the_same_hash() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let hash = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut play = RandomPlay::new(&scenario, 7, threads, Draw::Legal).unwrap();
                (0..300).for_each(|_| play.step().unwrap());
                play.hash()
            })
        };
        assert_eq!(hash(1), hash(3));
    }

    #[test]
    fn every_legal_action_and_no_other_is_drawn() {
        let mut rng = Seed::new(Purpose::Test, 0).stream(Stream::Policy);
        let mut drawn = [0; 4];
        for _ in 0..300 {
            drawn[random_legal(&[false, true, false, true], &mut rng).index()] += 1;
        }
        assert_eq!((drawn[0], drawn[2]), (0, 0));
        assert!(drawn[1] > 100 && drawn[3] > 100, "{drawn:?}");
    }
}
