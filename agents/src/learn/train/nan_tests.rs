//! Numbers that are not finite, provoked by worlds and settings.

use super::*;
use crate::learn::dqn_config::DqnConfig;
use crate::learn::fixtures::recorder::{Recorder, dqn, ppo};
use crate::learn::ppo_config::PpoConfig;
use crate::learn::state::StateDict;
use crate::policy::Policy;
use crate::tests::anchors::table::Outcome;
use crate::tests::anchors::{TableState, TableWorld};
use std::error::Error;
use thoughtcache_env::gym::api::End;
use thoughtcache_env::random::SimRng;

/// What makes a number that is no finite f32 in a learner: the square of a reward for PPO; for DQN, whose loss is linear in
/// a great reward, the gradient of an observation.
const LOT: [(f32, f64); 2] = [(-1.0, 1e25), (3e38, 1.0)];

/// Episodes of one decision; one in `len` of them has this row and reward.
fn lottery(len: usize, (row, reward): (f32, f64)) -> TableWorld {
    let state = |at: usize| {
        let reward = if at == 0 { reward } else { 1.0 };
        let row = if at == 0 { row } else { at as f32 / len as f32 };
        let end = Outcome { reward, slots_elapsed: 1, end: End::Terminated, next: at };
        TableState { row: vec![row], outcomes: vec![Some(end), Some(end)] }
    };
    TableWorld::new("lottery", (0..len).map(state).collect(), (0..len).collect())
}

const SETTINGS: TrainSettings = TrainSettings { budget: 204, eval_freq: 0, checkpoint_freq: 40, run: 1 };

fn small_ppo() -> PpoConfig {
    let LearnerConfig::Ppo(config) = ppo().learner else { unreachable!() };
    PpoConfig { batch_size: 4, target_kl: None, clip_range_vf: None, ..config }
}

fn small_dqn(batch_size: usize) -> AgentConfig {
    let LearnerConfig::Dqn(config) = dqn().learner else { unreachable!() };
    // Acting at random, it never has to value the lot.
    AgentConfig::from(DqnConfig { batch_size, train_freq: 1, exploration_final_eps: 1.0, ..config })
}

/// The message, and the rows and names of the batch, of a run that ends in an error.
fn failure(ended: Result<Trained, TrainError>) -> (String, Vec<f32>, Vec<String>) {
    let error = ended.unwrap_err();
    let mut batch = StateDict::from_bytes(error.offending_batch().unwrap().1).unwrap();
    let names = batch.names().map(str::to_owned).collect();
    let (_, rows) = batch.take_rows::<f32>("rows", &[1]).unwrap();
    (chain(&error), rows, names)
}

fn chain(error: &TrainError) -> String {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

#[test]
fn a_number_that_is_not_finite_ends_the_run_and_hands_out_the_batch() {
    for (config, quantity, entry, lot) in [
        (AgentConfig::from(small_ppo()), "train/value_loss", "returns", LOT[0]),
        (small_dqn(9), "train/grad_norm", "next_illegal", LOT[1]),
    ] {
        let env = lottery(4, lot);
        let (message, rows, names) =
            failure(train(&config, |_| env.clone(), SETTINGS, &mut Recorder::default()));
        assert!(
            message.starts_with("after ") && message.contains(&format!(" decisions: {quantity} is ")),
            "{message}"
        );
        assert!(message.ends_with("; lower learning_rate or reward_scale"), "{message}");
        assert!(rows.contains(&lot.0), "the lot is in the batch");
        assert!(names.iter().any(|name| name == entry), "{entry}");
    }
}

/// Takes the first action, whatever it sees.
struct First;

impl Policy<TableWorld> for First {
    fn name(&self) -> &'static str {
        "first"
    }
    fn act(&mut self, _: &TableState, _: &mut SimRng) -> ActionId {
        ActionId(0)
    }
}

/// The same learner after a warm start.
fn warm(config: impl Into<AgentConfig>, decisions: u64) -> AgentConfig {
    let policy = "density".to_owned();
    AgentConfig { warm_start: Some(WarmStartConfig { policy, decisions }), ..config.into() }
}

/// Lets `First` play in one world and the learner in another one.
fn watch(config: &AgentConfig, watched: &TableWorld, world: &TableWorld) -> Result<Trained, TrainError> {
    // The lanes of the run are made first.
    let (lanes, mut made) = (config.num_lanes(), 0);
    let make_env = |_| {
        made += 1;
        if made <= lanes { world.clone() } else { watched.clone() }
    };
    train_after(config, make_env, |_| Some(Box::new(First)), SETTINGS, &mut Recorder::default())
}

/// A world in which nothing is too great.
fn harmless() -> TableWorld {
    lottery(8, (0.0, 1.0))
}

#[test]
fn in_a_warm_start_it_ends_the_run_and_hands_out_the_batch() {
    for (config, quantity, entry, lot) in [
        (warm(small_ppo(), 64), "warm_start/value_loss", "returns", LOT[0]),
        (warm(small_dqn(9), 64), "warm_start/grad_norm", "next_illegal", LOT[1]),
    ] {
        let (message, rows, names) = failure(watch(&config, &lottery(4, lot), &harmless()));
        let start = format!("while the rule of the warm start was watched: {quantity} is ");
        assert!(message.starts_with(&start), "{message}");
        assert!(rows.contains(&lot.0), "the lot is in the batch");
        assert!(names.iter().any(|name| name == entry), "{entry}");
    }
}
