//! A run that was kept and resumed is the run that was not, to the last bit.

use super::*;
use crate::learn::dqn_config::DqnConfig;
use crate::learn::fixtures::recorder::{Heard, Outcome, Recorder, SETTINGS, dqn, go_on, ppo, run, tight};
use crate::learn::ppo_config::PpoConfig;
use crate::tests::anchors::probes;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use thoughtcache_env::gym::api::EnvSpec;

fn same(one: &Trained, other: &Trained) -> bool {
    let (a, b) = (one.best.as_ref().unwrap(), other.best.as_ref().unwrap());
    (&a.policy, a.score, a.decisions) == (&b.policy, b.score, b.decisions)
        && one.last == other.last
        && (one.decisions, one.trajectory_hash) == (other.decisions, other.trajectory_hash)
}

/// Resumes from every state that a run has kept.
fn every_checkpoint_leads_to_the_same_end<E: Env<Action = ActionId> + Clone + Send>(
    config: &AgentConfig,
    env: &E,
) {
    let (whole, heard) = run(config, env, SETTINGS, Recorder::default()).unwrap();
    let without = TrainSettings { checkpoint_freq: 0, ..SETTINGS };
    let (alone, heard_alone) = run(config, env, without, Recorder::default()).unwrap();
    assert!(same(&whole, &alone) && heard.but_checkpoints() == heard_alone.but_checkpoints());
    assert_eq!(heard.last_state(), heard_alone.last_state(), "checkpoints change nothing");

    let checkpoints = heard.checkpoints();
    let places: Vec<u64> = checkpoints.iter().map(|(state, _)| state.decisions).collect();
    assert_eq!(places, [20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 204]);
    for (state, after) in &checkpoints[..checkpoints.len() - 1] {
        let (resumed, again) = go_on(config, env, SETTINGS, Recorder::default(), state).unwrap();
        assert!(again.heard == *after, "after {} decisions", state.decisions);
        assert!(same(&whole, &resumed), "after {} decisions", state.decisions);
    }
}

#[test]
fn ppo_goes_on_from_every_checkpoint() {
    every_checkpoint_leads_to_the_same_end(&ppo(), &probes::truncation().env());
    every_checkpoint_leads_to_the_same_end(&ppo(), &probes::illegal_action().env());
    every_checkpoint_leads_to_the_same_end(&ppo(), &tight());
    every_checkpoint_leads_to_the_same_end(&AgentConfig { input_baseline: true, ..ppo() }, &tight());
}

#[test]
fn dqn_goes_on_from_every_checkpoint() {
    every_checkpoint_leads_to_the_same_end(&dqn(), &probes::truncation().env());
    every_checkpoint_leads_to_the_same_end(&dqn(), &probes::illegal_next_action().env());
    every_checkpoint_leads_to_the_same_end(&dqn(), &tight());
    every_checkpoint_leads_to_the_same_end(&AgentConfig { input_baseline: true, ..dqn() }, &tight());
}

#[test]
fn a_run_that_is_stopped_again_and_again_is_the_run_that_was_not() {
    let env = tight();
    for config in [ppo(), dqn()] {
        let (whole, heard) = run(&config, &env, SETTINGS, Recorder::default()).unwrap();
        for steps in [1, 2, 3, 5, 7, 8, 13] {
            let (mut trained, first) = run(&config, &env, SETTINGS, Recorder::stopping_after(steps)).unwrap();
            // What a run that was stopped validates, having nothing validated yet, comes after its state.
            let until_kept = |heard: &Recorder| {
                let kept = heard.heard.iter().rposition(|heard| matches!(heard, Heard::Checkpoint(_)));
                heard.heard[..kept.unwrap_or(0)]
                    .iter()
                    .filter(|heard| !matches!(heard, Heard::Checkpoint(_)))
                    .cloned()
                    .collect::<Vec<_>>()
            };
            let (mut state, mut all) = (first.last_state(), until_kept(&first));
            assert_eq!(state.decisions, 4 * steps);
            while state.decisions < SETTINGS.budget {
                let recorder = Recorder::stopping_after(steps);
                let (next, heard) = go_on(&config, &env, SETTINGS, recorder, &state).unwrap();
                (state, trained) = (heard.last_state(), next);
                all.extend(until_kept(&heard));
            }
            assert!(state == heard.last_state() && same(&whole, &trained), "every {steps} steps");
            assert!(all == heard.but_checkpoints(), "every {steps} steps");
        }
    }
}

#[test]
fn a_stop_is_kept_once_and_validated_only_if_nothing_was() {
    let env = probes::echo().env();
    let kinds = |recorder: Recorder| -> Vec<&'static str> {
        let (_, heard) = run(&ppo(), &env, SETTINGS, recorder).unwrap();
        let kind = |heard: &Heard| match heard {
            Heard::Validation(..) => Some("validation"),
            Heard::Checkpoint(_) => Some("checkpoint"),
            _ => None,
        };
        heard.heard.iter().filter_map(kind).collect()
    };
    assert_eq!(kinds(Recorder::stopping_after(0)), ["checkpoint", "validation"]);
    assert_eq!(kinds(Recorder::stopping_after(3)), ["checkpoint", "validation"]);
    // The fifth step has led to the checkpoint after 20 decisions: there is nothing more to keep.
    assert_eq!(kinds(Recorder::stopping_after(5)), ["checkpoint", "validation"]);
    // After 48 decisions the run was validated, after 52 it is stopped.
    assert_eq!(kinds(Recorder::stopping_after(13)), ["checkpoint", "checkpoint", "validation", "checkpoint"]);
}

#[test]
fn a_run_that_is_stopped_while_it_validates_goes_on_with_that_validation() {
    let env = tight();
    for config in [ppo(), dqn()] {
        let (whole, heard) = run(&config, &env, SETTINGS, Recorder::default()).unwrap();
        for (number, decisions) in [48, 96, 144, 192, 204].into_iter().enumerate() {
            let recorder = Recorder::stopping_in_validation(number as u64);
            let (stopped, before) = run(&config, &env, SETTINGS, recorder).unwrap();
            assert!(!stopped.is_complete && stopped.best.is_some() == (number > 0), "{decisions}");
            let state = before.last_state();
            assert_eq!((state.decisions, state.must_validate), (decisions, true));
            // Stopped again before the validation has begun: nothing is kept anew.
            let (_, nothing) = go_on(&config, &env, SETTINGS, Recorder::stopping_after(0), &state).unwrap();
            let again = nothing.last_state();
            assert!(again == state, "{decisions}");
            let (end, after) = go_on(&config, &env, SETTINGS, Recorder::default(), &again).unwrap();
            assert!(end.is_complete && same(&whole, &end), "{decisions}");
            assert!([before.but_checkpoints(), after.but_checkpoints()].concat() == heard.but_checkpoints());
            assert!(after.last_state() == heard.last_state(), "{decisions}");
        }
    }
}

/// A state in the middle of everything.
fn middle(config: &AgentConfig, run_number: u64) -> TrainerState {
    let settings = TrainSettings { run: run_number, checkpoint_freq: 0, ..SETTINGS };
    run(config, &tight(), settings, Recorder::stopping_after(30)).unwrap().1.last_state()
}

fn resumed(config: &AgentConfig, state: &TrainerState) -> Outcome {
    go_on(config, &tight(), SETTINGS, Recorder::default(), state)
}

type Tensors<'a> = BTreeMap<String, TensorView<'a>>;

fn tensors(bytes: &[u8]) -> Tensors<'_> {
    SafeTensors::deserialize(bytes).unwrap().tensors().into_iter().collect()
}

/// The state with another file of this kind.
fn with_file(state: &TrainerState, is_replay: bool, tensors: &Tensors<'_>) -> TrainerState {
    let bytes = safetensors::serialize(tensors, None).unwrap();
    let mut state = state.clone();
    if is_replay {
        state.replay = Some(bytes);
    } else {
        state.trainer = bytes;
    }
    state
}

fn file(state: &TrainerState, is_replay: bool) -> &[u8] {
    if is_replay { state.replay.as_deref().unwrap() } else { &state.trainer }
}

/// The state with other bytes in one entry.
fn with_bytes(state: &TrainerState, is_replay: bool, name: &str, bytes: &[u8]) -> TrainerState {
    let mut tensors = tensors(file(state, is_replay));
    let old = &tensors[name];
    let view = TensorView::new(old.dtype(), old.shape().to_vec(), bytes).unwrap();
    tensors.insert(name.to_owned(), view);
    with_file(state, is_replay, &tensors)
}

#[test]
fn every_piece_of_the_state_matters() {
    for config in [ppo(), dqn()] {
        let (mine, other) = (middle(&config, 1), middle(&config, 2));
        let (expected, expected_heard) = resumed(&config, &mine).unwrap();
        let is_noticed = |state: &TrainerState| match resumed(&config, state) {
            Err(_) => true,
            Ok((trained, heard)) => !(same(&trained, &expected) && heard.heard == expected_heard.heard),
        };
        let files = [Some((false, &mine.trainer, &other.trainer))].into_iter().chain([mine
            .replay
            .as_ref()
            .zip(other.replay.as_ref())
            .map(|(one, two)| (true, one, two))]);
        let (mut pieces, mut foreign) = (0, 0);
        for (is_replay, mine_bytes, other_bytes) in files.flatten() {
            let theirs = tensors(other_bytes);
            for (name, tensor) in tensors(mine_bytes) {
                pieces += 1;
                // Without it.
                let mut others = tensors(mine_bytes);
                others.remove(&name);
                let without = with_file(&mine, is_replay, &others);
                let refused = resumed(&config, &without).err().map(|error| error.to_string());
                let refused = refused.unwrap_or_else(|| panic!("{name} is not missed"));
                assert!(refused.contains(&name) || name.starts_with("best."), "{name}: {refused}");
                // With the first and with the last number another one.
                let bytes = tensor.data();
                let width = tensor.dtype().bitsize() / 8;
                for at in [0, bytes.len().saturating_sub(width)] {
                    if bytes.is_empty() {
                        continue;
                    }
                    let mut bytes = bytes.to_vec();
                    let number = &mut bytes[at..at + width];
                    match tensor.dtype() {
                        Dtype::F32 => {
                            let old = f32::from_le_bytes(number.try_into().unwrap());
                            number.copy_from_slice(&(0.5 * old + 0.25).to_le_bytes());
                        }
                        Dtype::F64 => {
                            let old = f64::from_le_bytes(number.try_into().unwrap());
                            number.copy_from_slice(&(0.5 * old + 0.25).to_le_bytes());
                        }
                        _ => number[0] ^= 1,
                    }
                    assert!(is_noticed(&with_bytes(&mine, is_replay, &name, &bytes)), "{name} at {at}");
                }
                // With that of another run, where the learner has got as far.
                let Some(their) = theirs.get(&name) else { continue };
                if their.shape() == tensor.shape() && their.data() != bytes {
                    foreign += 1;
                    assert!(
                        is_noticed(&with_bytes(&mine, is_replay, &name, their.data())),
                        "{name} of another run"
                    );
                }
            }
        }
        assert!(pieces > 30 && foreign > 15, "{pieces} pieces, {foreign} of them from another run");
    }
}

#[test]
fn a_state_of_another_run_or_with_nonsense_is_refused_by_name() {
    let (of_ppo, of_dqn) = (middle(&ppo(), 1), middle(&dqn(), 1));
    let env = tight();
    let message = |outcome: Outcome| match outcome {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    let with = |settings: TrainSettings| go_on(&ppo(), &env, settings, Recorder::default(), &of_ppo);
    let LearnerConfig::Ppo(config) = ppo().learner else { unreachable!() };
    let other_config = AgentConfig::from(PpoConfig { gamma: 0.5, ..config });
    let LearnerConfig::Dqn(config) = dqn().learner else { unreachable!() };
    let smaller = AgentConfig::from(DqnConfig { buffer_size: 50, ..config });
    let finished = run(&ppo(), &env, SETTINGS, Recorder::default()).unwrap().1.last_state();
    let earlier = run(&dqn(), &env, SETTINGS, Recorder::stopping_after(20)).unwrap().1.last_state();
    let number = |state: &TrainerState, is_replay: bool, name: &str, at: usize, number: &[u8]| {
        let mut bytes = tensors(file(state, is_replay))[name].data().to_vec();
        bytes[at..at + number.len()].copy_from_slice(number);
        with_bytes(state, is_replay, name, &bytes)
    };
    let nan = f32::NAN.to_le_bytes();
    let other_run = middle(&ppo(), 2);
    let mut other_lanes = tensors(&of_ppo.trainer);
    other_lanes.insert("run.lanes".into(), tensors(&other_run.trainer).remove("run.lanes").unwrap());
    let other_lanes = with_file(&of_ppo, false, &other_lanes);
    let most = u64::MAX.to_le_bytes();
    let messages = [
        message(resumed(&ppo(), &other_lanes)),
        message(resumed(&dqn(), &number(&of_dqn, false, "agent.online.adam.steps", 0, &most))),
        message(with(TrainSettings { run: 2, ..SETTINGS })),
        message(with(TrainSettings { budget: 208, ..SETTINGS })),
        message(with(TrainSettings { eval_freq: 50, ..SETTINGS })),
        message(resumed(&other_config, &of_ppo)),
        message(resumed(&dqn(), &of_ppo)),
        message(resumed(&smaller, &of_dqn)),
        message(go_on(&ppo(), &probes::echo().env(), SETTINGS, Recorder::default(), &of_ppo)),
        message(resumed(&ppo(), &finished)),
        message(resumed(&dqn(), &TrainerState { replay: None, ..of_dqn.clone() })),
        message(resumed(&dqn(), &TrainerState { replay: earlier.replay, ..of_dqn.clone() })),
        message(resumed(&dqn(), &TrainerState { replay: Some(of_dqn.trainer.clone()), ..of_dqn.clone() })),
        message(resumed(&ppo(), &TrainerState { trainer: b"PK".to_vec(), ..of_ppo.clone() })),
        message(resumed(&ppo(), &number(&of_ppo, false, "agent.actor.parameters", 8, &nan))),
        message(resumed(&ppo(), &number(&of_ppo, false, "agent.critic.adam.square", 0, &nan))),
        message(resumed(&ppo(), &number(&of_ppo, false, "agent.rollout.actions", 0, &99_i64.to_le_bytes()))),
        message(resumed(&ppo(), &number(&of_ppo, false, "agent.rollout.ends", 0, &[3]))),
        message(resumed(&ppo(), &number(&of_ppo, false, "agent.counts", 8, &most))),
        message(resumed(&ppo(), &number(&of_ppo, false, "agent.rng.acting", 0, &[9]))),
        message(resumed(&ppo(), &number(&of_ppo, false, "run.lanes", 30, &[9, 9, 9, 9]))),
        message(resumed(&ppo(), &number(&of_ppo, false, "episodes.counters", 0, &most))),
        message(resumed(&dqn(), &number(&of_dqn, false, "agent.n_step.lens", 0, &3_u64.to_le_bytes()))),
        message(resumed(
            &dqn(),
            &number(&of_dqn, false, "agent.n_step.discounts", 0, &f64::NAN.to_le_bytes()),
        )),
        message(resumed(&dqn(), &number(&of_dqn, true, "next", 0, &100_u64.to_le_bytes()))),
        message(resumed(&dqn(), &number(&of_dqn, true, "actions", 4, &99_u32.to_le_bytes()))),
        message(resumed(&dqn(), &number(&of_dqn, true, "next_rows", 16, &nan))),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn a_state_does_not_depend_on_what_is_not_of_the_run() {
    // Another rhythm of checkpoints is allowed.
    let state = middle(&dqn(), 1);
    let settings = TrainSettings { checkpoint_freq: 7, ..SETTINGS };
    let (one, _) = resumed(&dqn(), &state).unwrap();
    let (two, _) = go_on(&dqn(), &tight(), settings, Recorder::default(), &state).unwrap();
    assert!(same(&one, &two));
    let spec: EnvSpec = tight().spec().clone();
    assert!(spec.num_entries() > 100, "a real scenario");
}
