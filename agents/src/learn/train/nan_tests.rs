//! Numbers that are not finite, provoked by worlds and settings.

use super::recorder::{Heard, Recorder, dqn, go_on, ppo, run};
use super::*;
use crate::anchors::table::Outcome;
use crate::anchors::{TableState, TableWorld};
use crate::learn::dqn_config::DqnConfig;
use crate::learn::nan_guard::NanReport;
use crate::learn::ppo_config::PpoConfig;
use crate::learn::schedule::Schedule;
use crate::learn::state::StateDict;
use crate::learn::warm_start::WarmStartReport;
use crate::policy::Policy;
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

/// Episodes of 30 decisions, whose twenty-sixth pays too much.
fn late() -> TableWorld {
    let state = |at: usize| {
        let reward = if at == 25 { 1e25 } else { 0.5 };
        let end = if at == 29 { End::Truncated } else { End::No };
        let next = Outcome { reward, slots_elapsed: 1, end, next: (at + 1) % 30 };
        TableState { row: vec![at as f32 / 30.0], outcomes: vec![Some(next), Some(next)] }
    };
    TableWorld::new("late", (0..30).map(state).collect(), vec![0])
}

fn settings(on_nan: OnNan) -> TrainSettings {
    TrainSettings { budget: 204, eval_freq: 0, checkpoint_freq: 40, run: 1, on_nan }
}

fn small_ppo() -> PpoConfig {
    let LearnerConfig::Ppo(config) = ppo().learner else { unreachable!() };
    PpoConfig { batch_size: 4, target_kl: None, clip_range_vf: None, ..config }
}

fn small_dqn(batch_size: usize) -> AgentConfig {
    let LearnerConfig::Dqn(config) = dqn().learner else { unreachable!() };
    // Acting at random, it never has to value the lot.
    AgentConfig::from(DqnConfig { batch_size, train_freq: 1, exploration_final_eps: 1.0, ..config })
}

/// Runs to the end or to the error; what was heard either way.
fn listen(
    config: &AgentConfig,
    env: &TableWorld,
    settings: TrainSettings,
) -> (Result<Trained, TrainError>, Recorder) {
    let mut recorder = Recorder::default();
    (train(config, |_| env.clone(), settings, &mut recorder), recorder)
}

fn reports(recorder: &Recorder) -> Vec<NanReport> {
    let report = |heard: &Heard| match heard {
        Heard::Nan(report) => Some(report.clone()),
        _ => None,
    };
    recorder.heard.iter().filter_map(report).collect()
}

fn last_metric(recorder: &Recorder, name: &str) -> Option<f64> {
    recorder.heard.iter().rev().find_map(|heard| match heard {
        Heard::Update(_, metrics) => Some(metrics.value(name)),
        _ => None,
    })?
}

fn chain(error: &TrainError) -> String {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

#[test]
fn abort_ends_the_run_and_hands_out_the_batch() {
    for (config, quantity, entry, lot) in [
        (AgentConfig::from(small_ppo()), "train/value_loss", "returns", LOT[0]),
        (small_dqn(9), "train/grad_norm", "next_illegal", LOT[1]),
    ] {
        let (ended, heard) = listen(&config, &lottery(4, lot), settings(OnNan::Abort));
        let message = chain(&ended.unwrap_err());
        let reports = reports(&heard);
        assert_eq!(reports.len(), 1, "{message}");
        let report = &reports[0];
        assert_eq!((report.action, report.back_to), (OnNan::Abort, None));
        assert!(!report.value.is_finite() && report.decisions > 0 && report.update > 0, "{report:?}");
        assert_eq!(report.quantity, quantity);
        let (decisions, update, value) = (report.decisions, report.update, report.value);
        assert_eq!(
            message,
            format!(
                "after {decisions} decisions: {quantity} is {value} in update {update}; \
                 lower learning_rate or reward_scale"
            )
        );
        let mut batch = StateDict::from_bytes(&report.batch).unwrap();
        let (count, rows) = batch.take_rows::<f32>("rows", &[1]).unwrap();
        assert!(count > 0 && rows.contains(&lot.0), "the lot is in the batch");
        assert!(batch.names().any(|name| name == entry), "{entry}");
    }
}

#[test]
fn skip_leaves_out_what_cannot_be_learnt_from_and_counts_it() {
    let config = AgentConfig::from(small_ppo());
    let (ended, heard) = listen(&config, &lottery(8, LOT[0]), settings(OnNan::Skip));
    assert_eq!(ended.unwrap().decisions, 204);
    let skipped = last_metric(&heard, "train/skipped_updates").unwrap();
    let reports = reports(&heard);
    assert!(reports.iter().all(|report| report.action == OnNan::Skip));
    // Every lot is in one minibatch an epoch, so a few are left out, and some of them one after the other.
    assert!(skipped >= reports.len() as f64 && reports.len() > 3, "{skipped} in {} rows", reports.len());
    for heard in &heard.heard {
        if let Heard::Update(_, metrics) = heard {
            assert!(metrics.iter().all(|(_, value)| value.is_finite()), "{metrics:?}");
        }
    }
    // A run that leaves something out is resumed as exactly as any other.
    for (state, after) in heard.checkpoints() {
        if state.decisions < 204 {
            let resumed =
                go_on(&config, &lottery(8, LOT[0]), settings(OnNan::Skip), Recorder::default(), state);
            assert!(resumed.unwrap().1.heard == *after, "after {} decisions", state.decisions);
        }
    }
    let (ended, heard) = listen(&small_dqn(2), &lottery(8, LOT[1]), settings(OnNan::Skip));
    assert_eq!(ended.unwrap().decisions, 204);
    assert!(last_metric(&heard, "train/skipped_updates").unwrap() > 3.0);
}

#[test]
fn skip_gives_up_after_a_hundred_minibatches_in_a_row() {
    let (ended, heard) = listen(&small_dqn(9), &lottery(1, LOT[1]), settings(OnNan::Skip));
    let message = chain(&ended.unwrap_err());
    assert!(message.contains(" in update 1; lower learning_rate or reward_scale"), "{message}");
    let actions: Vec<OnNan> = reports(&heard).iter().map(|report| report.action).collect();
    assert_eq!(actions, [OnNan::Skip, OnNan::Abort], "the first of the row and the last");
}

#[test]
fn rollback_goes_back_to_the_last_checkpoint_and_gives_up_after_five_times() {
    // Four lanes reach the state that pays too much in decision 101 to 104, and learn from it after 128.
    let config = AgentConfig::from(small_ppo());
    let (ended, heard) = listen(&config, &late(), settings(OnNan::Rollback));
    let message = chain(&ended.unwrap_err());
    assert!(message.starts_with("after 128 decisions: train/value_loss is inf in update 4"), "{message}");
    let seen: Vec<_> =
        reports(&heard).iter().map(|report| (report.decisions, report.action, report.back_to)).collect();
    let back = (128, OnNan::Rollback, Some(120));
    assert_eq!(seen, [back, back, back, back, back, (128, OnNan::Abort, None)]);
    // Without a checkpoint or a validation before, it is the beginning.
    let (_, heard) =
        listen(&config, &late(), TrainSettings { checkpoint_freq: 0, ..settings(OnNan::Rollback) });
    assert_eq!(reports(&heard)[4].back_to, Some(0));
}

#[test]
fn rollback_halves_the_step_size_until_the_losses_stay_finite() {
    // Adam's first step moves the critic's weight by the step size, and the row makes 1e8 times that of it: 2.2e19, whose
    // square is no finite f32. A step size that has been halved a few times leaves room for the square of the error.
    let config = PpoConfig {
        learning_rate: 2.2e11,
        learning_rate_schedule: Schedule::Constant,
        batch_size: 16,
        n_epochs: 1,
        net_arch: vec![],
        vf_coef: 1e-9,
        ..small_ppo()
    };
    let steep = TableState {
        row: vec![1e8],
        outcomes: vec![Some(Outcome { reward: 1.0, slots_elapsed: 1, end: End::No, next: 0 })],
    };
    let steep = TableWorld::new("steep", vec![steep], vec![0]);
    let settings = TrainSettings { budget: 32, ..settings(OnNan::Rollback) };
    let (ended, heard) = listen(&AgentConfig::from(config), &steep, settings);
    let trained = ended.unwrap();
    let seen: Vec<_> = reports(&heard).iter().map(|report| (report.quantity, report.back_to)).collect();
    assert!((1..=5).contains(&seen.len()), "{seen:?}");
    assert!(seen.iter().all(|&(quantity, back_to)| quantity == "train/value_loss" && back_to == Some(0)));
    let halved = 2.2e11 * 0.5_f64.powi(seen.len() as i32);
    assert_eq!(last_metric(&heard, "train/learning_rate"), Some(halved));
    assert_eq!(last_metric(&heard, "train/rollbacks"), Some(seen.len() as f64));
    assert_eq!(trained.decisions, 32);
}

#[test]
fn what_is_left_out_teaches_nothing() {
    let settings = TrainSettings { budget: 32, ..settings(OnNan::Skip) };
    let (skipped, _) = listen(&AgentConfig::from(small_ppo()), &lottery(1, LOT[0]), settings);
    let still = PpoConfig { learning_rate: 1e-300, ..small_ppo() };
    let harmless = lottery(1, (LOT[0].0, 1.0));
    let (beginning, _) = run(&AgentConfig::from(still), &harmless, settings, Recorder::default()).unwrap();
    assert_eq!(skipped.unwrap().last, beginning.last);
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

/// Lets `First` play in one world and the learner in another one; to the end or to the error.
fn watch(
    config: &AgentConfig,
    watched: &TableWorld,
    world: &TableWorld,
    settings: TrainSettings,
) -> (Result<Trained, TrainError>, Recorder) {
    let mut recorder = Recorder::default();
    // The lanes of the run are made first.
    let (lanes, mut made) = (config.num_lanes(), 0);
    let make_env = |_| {
        made += 1;
        if made <= lanes { world.clone() } else { watched.clone() }
    };
    let ended = train_after(config, make_env, |_| Some(Box::new(First)), settings, &mut recorder);
    (ended, recorder)
}

/// A world in which nothing is too great.
fn harmless() -> TableWorld {
    lottery(8, (0.0, 1.0))
}

#[test]
fn in_a_warm_start_abort_ends_the_run_and_hands_out_the_batch() {
    for (config, quantity, entry, lot) in [
        (warm(small_ppo(), 64), "warm_start/value_loss", "returns", LOT[0]),
        (warm(small_dqn(9), 64), "warm_start/grad_norm", "next_illegal", LOT[1]),
    ] {
        let (ended, heard) = watch(&config, &lottery(4, lot), &harmless(), settings(OnNan::Abort));
        let message = chain(&ended.unwrap_err());
        let reports = reports(&heard);
        assert_eq!(reports.len(), 1, "{message}");
        let report = &reports[0];
        assert_eq!((report.action, report.back_to, report.quantity), (OnNan::Abort, None, quantity));
        assert!((1..=64).contains(&report.decisions), "decisions of the rule: {}", report.decisions);
        assert_eq!(
            message,
            format!(
                "while the rule of the warm start was watched: {quantity} is {} in update {}; \
                 lower learning_rate or reward_scale",
                report.value, report.update
            )
        );
        let mut batch = StateDict::from_bytes(&report.batch).unwrap();
        let (count, rows) = batch.take_rows::<f32>("rows", &[1]).unwrap();
        assert!(count > 0 && rows.contains(&lot.0), "the lot is in the batch");
        assert!(batch.names().any(|name| name == entry), "{entry}");
    }
}

#[test]
fn in_a_warm_start_skip_leaves_out_what_cannot_be_learnt_from_and_the_run_counts_it() {
    for (config, lot) in [(warm(small_ppo(), 128), LOT[0]), (warm(small_dqn(2), 128), LOT[1])] {
        let settings = settings(OnNan::Skip);
        let (ended, heard) = watch(&config, &lottery(8, lot), &harmless(), settings);
        assert_eq!(ended.unwrap().decisions, 204);
        let reports = reports(&heard);
        let watched = reports.iter().filter(|report| report.quantity.starts_with("warm_start/")).count();
        assert!(watched > 2 && reports.iter().all(|report| report.action == OnNan::Skip), "{watched}");
        let skipped = last_metric(&heard, "train/skipped_updates").unwrap();
        assert!(skipped >= watched as f64, "{skipped} of {watched}");
        let mut num_updates = 0;
        for heard in &heard.heard {
            let (Heard::Update(_, metrics) | Heard::WarmStart(WarmStartReport { metrics, .. })) = heard
            else {
                continue;
            };
            num_updates += 1;
            assert!(metrics.iter().all(|(_, value)| value.is_finite()), "{metrics:?}");
        }
        assert!(num_updates > 8, "{num_updates}");
        // What the run remembers of its warm start is in its first state.
        let (state, after) = heard.checkpoints()[0];
        assert_eq!(state.decisions, 0);
        let resumed = go_on(&config, &harmless(), settings, Recorder::default(), state).unwrap();
        assert!(resumed.1.heard == *after);
    }
}

#[test]
fn in_a_warm_start_rollback_begins_it_again_and_gives_up_after_five_times() {
    for (config, quantity, lot) in [
        (warm(small_ppo(), 64), "warm_start/value_loss", LOT[0]),
        (warm(small_dqn(9), 64), "warm_start/grad_norm", LOT[1]),
    ] {
        let (ended, heard) = watch(&config, &lottery(1, lot), &harmless(), settings(OnNan::Rollback));
        let message = chain(&ended.unwrap_err());
        assert!(message.starts_with("while the rule of the warm start was watched: "), "{message}");
        let seen: Vec<_> =
            reports(&heard).iter().map(|report| (report.quantity, report.action, report.back_to)).collect();
        let back = (quantity, OnNan::Rollback, Some(0));
        assert_eq!(seen, [back, back, back, back, back, (quantity, OnNan::Abort, None)]);
    }
}

#[test]
fn in_a_warm_start_rollback_halves_the_step_size_until_the_losses_stay_finite() {
    // As above: the second minibatch of the critic is beyond f32 until the step size has been halved a few times.
    let config = PpoConfig {
        learning_rate: 2.2e11,
        learning_rate_schedule: Schedule::Constant,
        batch_size: 16,
        n_epochs: 1,
        net_arch: vec![],
        vf_coef: 1e-9,
        ..small_ppo()
    };
    let world = |row: f32| {
        let outcome = Outcome { reward: 1.0, slots_elapsed: 1, end: End::No, next: 0 };
        TableWorld::new("steep", vec![TableState { row: vec![row], outcomes: vec![Some(outcome)] }], vec![0])
    };
    let settings = TrainSettings { budget: 32, ..settings(OnNan::Rollback) };
    let (ended, heard) = watch(&warm(config, 32), &world(1e8), &world(0.0), settings);
    assert_eq!(ended.unwrap().decisions, 32);
    let seen: Vec<_> = reports(&heard).iter().map(|report| (report.quantity, report.back_to)).collect();
    assert!((1..=5).contains(&seen.len()), "{seen:?}");
    assert!(seen.iter().all(|&seen| seen == ("warm_start/value_loss", Some(0))), "{seen:?}");
    let watched = heard.heard.iter().filter(|heard| matches!(heard, Heard::WarmStart(_))).count();
    assert_eq!(watched, 1, "only what was learnt is reported");
    // The step size stays what helped.
    let halved = 2.2e11 * 0.5_f64.powi(seen.len() as i32);
    assert_eq!(last_metric(&heard, "train/learning_rate"), Some(halved));
    assert_eq!(last_metric(&heard, "train/rollbacks"), Some(seen.len() as f64));
}
