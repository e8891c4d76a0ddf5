//! Damaged checkpoints: a small whole one is corrupted in thousands of ways.
//!
//! With checksums, the outcome is a refusal or the untouched result. With checksums made right again (the bytes are what
//! somebody wrote, and nonsense), it is a refusal or a run; never a panic, and never numbers that are not finite.
//! 300 in every test run; 10,000 of each kind in the tests that are ignored, which `cargo xtask proofs` runs.

use super::*;
use crate::checkpoint::{Algorithm, Checkpoint, LOG_FILE, REPLAY_FILE, TRAINER_FILE};
use crate::learn::fixtures::recorder::{Recorder, SETTINGS, dqn, go_on, ppo, run};
use crate::tests::anchors::{TableWorld, probes};
use rand::RngExt;
use std::error::Error;
use thoughtcache_env::random::{SimRng, Stream};

const POLICY: usize = 0;
const META: usize = 1;
const TRAINER: usize = 2;
const LOG: usize = 3;
const REPLAY: usize = 4;

/// The files of a checkpoint in the order of the constants; a replay buffer only where there is one.
type Files = Vec<Vec<u8>>;

/// Corruptions of both learners together, in every test run and in the long proof.
const FEW: u64 = 300;
const MANY: u64 = 10_000;

fn world() -> TableWorld {
    probes::truncation().env()
}

/// A whole checkpoint in the middle of a run.
fn whole(config: &AgentConfig) -> Files {
    let settings = TrainSettings { checkpoint_freq: 0, ..SETTINGS };
    let state = run(config, &world(), settings, Recorder::stopping_after(30)).unwrap().1.last_state();
    sealed(config, &state, br#"{"metrics.jsonl": 1234, "eval.csv": 88}"#)
}

fn sealed(config: &AgentConfig, state: &TrainerState, log: &[u8]) -> Files {
    let checkpoint =
        Checkpoint::new(state.policy.clone(), config.algorithm(), world().spec(), state.decisions, Some(0.5));
    let mut files: Vec<(&str, &[u8])> = vec![(TRAINER_FILE, &state.trainer), (LOG_FILE, log)];
    if let Some(replay) = &state.replay {
        files.push((REPLAY_FILE, replay));
    }
    let bytes = checkpoint.to_bytes_with(&files);
    let rest = files.into_iter().map(|(_, bytes)| bytes.to_vec());
    [bytes.policy, bytes.meta].into_iter().chain(rest).collect()
}

/// Reads a checkpoint as the program does, and goes on to the end of the run.
fn read_and_go_on(config: &AgentConfig, files: &Files) -> Result<(TrainerState, Vec<u8>), String> {
    let text = |error: &dyn Error| error.to_string();
    let checkpoint = Checkpoint::from_bytes(&files[POLICY], &files[META]).map_err(|error| text(&error))?;
    checkpoint.check_spec(world().spec()).map_err(|error| text(&error))?;
    for (file, at) in [(TRAINER_FILE, TRAINER), (LOG_FILE, LOG), (REPLAY_FILE, REPLAY)] {
        if at != REPLAY || checkpoint.meta().algorithm == Algorithm::Dqn {
            checkpoint.verify(file, &files[at]).map_err(|error| text(&error))?;
        }
    }
    let state = TrainerState {
        policy: checkpoint.net().clone(),
        decisions: checkpoint.meta().decisions,
        must_validate: false,
        trainer: files[TRAINER].clone(),
        replay: files.get(REPLAY).cloned(),
    };
    let (_, heard) = go_on(config, &world(), SETTINGS, Recorder::default(), &state)
        .map_err(|error| format!("{error}: {:?}", error.source().map(ToString::to_string)))?;
    Ok((heard.last_state(), files[LOG].clone()))
}

/// Damages one file, or exchanges two.
fn corrupt(files: &mut Files, only: Option<usize>, rng: &mut SimRng) -> String {
    let at = only.unwrap_or_else(|| rng.random_range(0..files.len()));
    let other = rng.random_range(0..files.len());
    let len = files[at].len();
    if len == 0 {
        files[at].push(0);
        return format!("a byte in the empty file {at}");
    }
    let (start, width) = (rng.random_range(0..len), 1 + rng.random_range(0..64));
    let end = (start + width).min(len);
    let kind = rng.random_range(0..if only.is_some() { 7 } else { 8 });
    let bytes = &mut files[at];
    match kind {
        0 => bytes[start] ^= 1 << rng.random_range(0..8),
        1 => bytes[start] = rng.random(),
        2 => bytes.truncate(start),
        3 => bytes[start..end].fill(0),
        4 => bytes[start..end].fill(0xff),
        5 => bytes.extend((0..width).map(|_| rng.random::<u8>())),
        6 => {
            let block = bytes[start..end].to_vec();
            bytes.splice(start..start, block);
        }
        _ => files.swap(at, other),
    }
    format!("kind {kind} of file {at} from {start} to {end}, other {other}")
}

#[test]
fn a_damaged_checkpoint_is_refused_or_untouched() {
    damage(FEW);
}

#[test]
#[ignore = "minutes: cargo xtask proofs"]
fn a_damaged_checkpoint_is_refused_or_untouched_ten_thousand_times() {
    damage(MANY);
}

fn damage(count: u64) {
    for (algorithm, config) in [ppo(), dqn()].into_iter().enumerate() {
        let files = whole(&config);
        let expected = read_and_go_on(&config, &files).unwrap();
        let mut rng = Seed::new(Purpose::Test, algorithm as u64).stream(Stream::Arrivals);
        let mut refused = 0;
        for number in 0..count.div_ceil(2) {
            let mut damaged = files.clone();
            let how = corrupt(&mut damaged, None, &mut rng);
            match read_and_go_on(&config, &damaged) {
                Err(_) => refused += 1,
                Ok(outcome) => assert!(outcome == expected, "{number}: {how}"),
            }
        }
        assert!(refused > count / 3, "{refused} refused");
    }
}

#[test]
fn nonsense_with_right_checksums_never_panics_and_never_becomes_a_policy() {
    nonsense(FEW);
}

#[test]
#[ignore = "minutes: cargo xtask proofs"]
fn nonsense_with_right_checksums_never_panics_and_never_becomes_a_policy_ten_thousand_times() {
    nonsense(MANY);
}

fn nonsense(count: u64) {
    for (algorithm, config) in [ppo(), dqn()].into_iter().enumerate() {
        let files = whole(&config);
        let policy = Checkpoint::from_bytes(&files[POLICY], &files[META]).unwrap();
        let mut rng = Seed::new(Purpose::Test, 10 + algorithm as u64).stream(Stream::Arrivals);
        let mut refused = 0;
        for number in 0..count.div_ceil(2) {
            let mut damaged = files.clone();
            let at = if files.len() > REPLAY && rng.random() { REPLAY } else { TRAINER };
            let how = corrupt(&mut damaged, Some(at), &mut rng);
            let state = TrainerState {
                policy: policy.net().clone(),
                decisions: policy.meta().decisions,
                must_validate: false,
                trainer: damaged[TRAINER].clone(),
                replay: damaged.get(REPLAY).cloned(),
            };
            let signed = sealed(&config, &state, b"{}");
            match read_and_go_on(&config, &signed) {
                Err(_) => refused += 1,
                // A number of the rollout may be another one now; a policy is made of finite numbers by its type.
                Ok((end, _)) => assert_eq!(end.decisions, SETTINGS.budget, "{number}: {how}"),
            }
        }
        assert!(refused > count / 8, "{refused} refused");
    }
}
