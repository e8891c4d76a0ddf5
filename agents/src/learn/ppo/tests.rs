//! The arithmetic of an update, the probe worlds, and in [`details`] the points of the detail list.

mod details;

use super::*;
use crate::learn::ppo_loss::PolicyBatch;
use crate::learn::schedule::Schedule;
use crate::net_policy::{NetPolicy, Scratch};
use crate::tests::anchors::{Audience, Probe, probe_registry, probes};
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::vec_env::VecEnv;
use thoughtcache_env::random::Purpose;

/// Small and fast: probe worlds have a handful of states.
fn config(gamma: f64) -> PpoConfig {
    PpoConfig {
        n_envs: 8,
        n_steps: 16,
        batch_size: 64,
        gamma,
        ent_coef: 0.0,
        learning_rate: 1e-2,
        net_arch: vec![16],
        reward_scale: 1.0,
        ..PpoConfig::default()
    }
}

/// Plays `decisions` decisions; the environment refuses illegal actions with an error.
fn learn<E>(envs: impl Fn() -> E, config: &PpoConfig, decisions: u64, run: u64) -> (PpoAgent, Vec<Metrics>)
where
    E: Env<Action = ActionId> + Send,
{
    let seed = Seed::new(Purpose::Train, run);
    let mut vec_env = VecEnv::new((0..config.n_envs).map(|_| envs()).collect(), seed);
    let mut agent = PpoAgent::new(config, vec_env.spec(), decisions, seed).unwrap();
    let mut buffers = StepBuffers::new(config.n_envs, vec_env.spec());
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).unwrap();
    let mut actions = vec![ActionId(0); config.n_envs];
    let mut metrics = Vec::new();
    for _ in 0..decisions / config.n_envs as u64 {
        let rows = buffers.rows();
        agent.explore(rows.observations, rows.masks, &mut actions).unwrap();
        vec_env.step_into(&actions, buffers.rows()).unwrap();
        agent.record(&actions, &buffers).unwrap();
        metrics.extend(agent.update().unwrap());
    }
    (agent, metrics)
}

/// The greedy actions and the values are those of the probe.
fn assert_solved(probe: &Probe, agent: &PpoAgent, tolerance: f64) {
    let mut policy = NetPolicy::new("ppo", Arc::new(agent.policy().unwrap()));
    for answer in &probe.answers {
        let action = policy.greedy(&answer.row, &answer.legal());
        assert!(answer.is_best(action.index()), "{}: {action:?} in {:?}", probe.name, answer.row);
        let (value, expected) = (agent.value(&answer.row), answer.state_value());
        let error = (value - expected).abs();
        assert!(error < tolerance, "{}: V is {value}, not {expected}, in {:?}", probe.name, answer.row);
    }
}

#[test]
fn every_probe_world_is_solved() {
    for probe in probe_registry().into_iter().filter(|probe| probe.audience == Audience::Everyone) {
        let decisions = if probe.name == "truncation" || probe.name == "final-row" { 25_600 } else { 6_400 };
        let (agent, _) = learn(|| probe.env(), &config(probe.gamma), decisions, 1);
        assert_solved(&probe, &agent, 0.1 * probe.answers[0].state_value().abs().max(1.0));
    }
}

#[test]
fn a_clock_does_not_take_the_value_of_what_would_have_followed() {
    // Reward 1 a slot for ever, cut every ten slots, gamma 0.9: V = 10. With truncation as death V would be 5.3 to 6.5.
    let probe = probes::truncation();
    let (agent, _) = learn(|| probe.env(), &config(probe.gamma), 25_600, 2);
    approx::assert_abs_diff_eq!(agent.value(&probe.answers[0].row), 10.0, epsilon = 0.3);
}

#[test]
fn the_echo_world_is_solved_with_three_seeds() {
    let probe = probes::echo();
    for run in 1..=3 {
        let (agent, _) = learn(|| probe.env(), &config(probe.gamma), 6_400, run);
        assert_solved(&probe, &agent, 0.2);
    }
}

#[test]
fn the_reward_scale_and_the_value_clipping_do_not_change_what_is_learnt() {
    let probe = probes::echo();
    let scaled = PpoConfig { reward_scale: 4.0, clip_range_vf: Some(1.0), ..config(probe.gamma) };
    let (agent, _) = learn(|| probe.env(), &scaled, 12_800, 1);
    assert_solved(&probe, &agent, 0.3);
}

#[test]
fn a_blind_agent_cannot_tell_rows_apart() {
    let probe = probes::observed_value();
    let blind = PpoConfig { ignore_entries: vec!["0".into()], ..config(probe.gamma) };
    let (agent, _) = learn(|| probe.env(), &blind, 3_200, 1);
    assert_eq!(agent.value(&[-1.0]), agent.value(&[1.0]));
    let policy = agent.policy().unwrap();
    assert_eq!(policy.ignore(), [0]);
    let logits = |row: f32| {
        let mut out = [0.0];
        policy.logits(&[row], &mut Scratch::default(), &mut out);
        out
    };
    assert_eq!(logits(-1.0), logits(1.0));
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads_and_another_seed_others() {
    let probe = probes::echo();
    let parameters = |run: u64, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| learn(|| probe.env(), &config(0.9), 512, run).0.parameters())
    };
    let alone = parameters(1, 1);
    assert_eq!(alone, parameters(1, 1));
    assert_eq!(alone, parameters(1, 2));
    assert_eq!(alone, parameters(1, 8));
    assert_ne!(alone, parameters(2, 1));
}

#[test]
fn the_first_minibatch_sees_the_policy_that_acted() {
    // A ratio other than 1 before the first step means that acting and learning disagree on masks or rows.
    let probe = probes::illegal_action();
    let (_, metrics) = learn(|| probe.env(), &config(0.9), 2_560, 1);
    assert_eq!(metrics.len(), 20);
    for metrics in metrics {
        let error = metrics.value("train/first_ratio_error").unwrap();
        assert!(error < 1e-5, "{error}");
    }
}

#[test]
fn a_target_divergence_ends_an_update_early() {
    let probe = probes::echo();
    let updates = |target_kl: Option<f64>| {
        let config = PpoConfig { target_kl, learning_rate: 0.05, n_epochs: 10, ..config(0.9) };
        learn(|| probe.env(), &config, 128, 1).1[0].clone()
    };
    assert_eq!(updates(None).value("train/n_updates"), Some(10.0));
    let stopped = updates(Some(1e-3));
    assert!(stopped.value("train/n_updates").unwrap() < 10.0, "{stopped:?}");
    assert!(stopped.value("train/approx_kl") < updates(None).value("train/approx_kl"));
}

#[test]
fn the_last_rollout_ends_with_the_budget_and_the_step_size_with_it() {
    let probe = probes::echo();
    let config = PpoConfig { learning_rate_schedule: Schedule::Linear, ..config(0.9) };
    // 8 lanes x 16 steps = 128: two full rollouts, then one of 3 steps.
    let (agent, metrics) = learn(|| probe.env(), &config, 256 + 24, 1);
    assert_eq!((agent.decisions, agent.updates), (280, 3));
    let rates: Vec<f64> =
        metrics.iter().map(|metrics| metrics.value("train/learning_rate").unwrap()).collect();
    for (rate, expected) in
        rates.iter().zip([1e-2, 1e-2 * (1.0 - 128.0 / 280.0), 1e-2 * (1.0 - 256.0 / 280.0)])
    {
        approx::assert_abs_diff_eq!(*rate, expected, epsilon = 1e-12);
    }
}

#[test]
fn faults_of_the_world_are_errors_and_no_number() {
    let spec = probes::echo().env().spec().clone();
    let config = PpoConfig { n_envs: 2, n_steps: 1, batch_size: 2, ..config(0.9) };
    let mut agent = PpoAgent::new(&config, &spec, 4, Seed::new(Purpose::Train, 1)).unwrap();
    let mut actions = [ActionId(0); 2];
    let forbidden = [true, true, true, false, false, false];
    let error = agent.explore(&[0.0; 6], &forbidden, &mut actions).unwrap_err();
    assert_eq!(error, AgentError::no_legal_action(1));
    let error = agent.explore(&[f32::NAN; 6], &[true; 6], &mut actions).unwrap_err();
    assert!(matches!(error, AgentError::NotFinite { quantity: "a logit", .. }), "{error}");
    let error = agent.explore(&[0.0; 5], &[true; 6], &mut actions).unwrap_err();
    assert_eq!(error.to_string(), "observations has 5 elements, 6 are needed");
    let mut step = StepBuffers::new(2, &spec);
    step.rewards[1] = f64::NAN;
    let error = agent.record(&actions, &step).unwrap_err().to_string();
    assert_eq!(error, "lane 1 gave the reward NaN; a reward must be a finite number");
}

#[test]
fn an_order_is_shuffled_without_loss() {
    let mut order: Vec<i64> = (0..100).collect();
    shuffle(&mut order, &mut Seed::new(Purpose::Train, 1).stream(Stream::Replay));
    assert_ne!(order, (0..100).collect::<Vec<_>>());
    order.sort_unstable();
    assert_eq!(order, (0..100).collect::<Vec<_>>());
}

#[test]
fn advantages_are_normalised_within_their_minibatch_or_left_as_they_are() {
    // Logits 0, ratio 1, actions 0 and 1 with advantages A and B: the loss has the gradient (B - A) / 4 in the first bias.
    // Normalised, any two advantages are -1/sqrt(2) and 1/sqrt(2): sqrt(2) / 4. Normalised over all four rows, whose deviation
    // is 141, the first two would give 0.0036.
    let gradient = |indices: &[i64], normalize_advantage: bool| {
        let spec = NetSpec {
            name: "actor".into(),
            inputs: 1,
            hidden: vec![],
            activation: crate::net_policy::Activation::Tanh,
            heads: vec![HeadSpec::new("logits", 2, 0.01)],
        };
        let mut data = PolicyData {
            rows: Tensor::from_slice(&[0.0_f32; 4]).view([4, 1]),
            all: PolicyBatch {
                illegal: Tensor::from_slice(&[false; 8]).view([4, 2]),
                actions: Tensor::from_slice(&[0_i64, 1, 0, 1]),
                old_log_probs: Tensor::from_slice(&[-std::f32::consts::LN_2; 4]),
                advantages: Tensor::from_slice(&[1.0_f32, 3.0, 100.0, 300.0]),
            },
        };
        let config = PpoConfig { normalize_advantage, ..config(0.9) };
        let (_, gradient) = data.gradient(&mut Net::from_flat(spec, &[0.0; 4]), indices, &config);
        gradient.double_value(&[2])
    };
    for (indices, raw) in [([0, 1], 0.5), ([2, 3], 50.0)] {
        approx::assert_relative_eq!(gradient(&indices, false), raw, max_relative = 1e-5);
        approx::assert_relative_eq!(gradient(&indices, true), 2.0_f64.sqrt() / 4.0, max_relative = 1e-5);
    }
}

#[test]
fn the_gradient_of_both_nets_together_is_clipped() {
    // Three entries, 16 hidden units, three actions: the actor's parameters, which come first.
    const NUM_ACTOR: usize = 3 * 16 + 16 + 16 * 3 + 3;
    // With a step size as great as an eps far above the gradient, Adam's first step is the gradient itself.
    let update = |max_grad_norm: f64| {
        let config = PpoConfig {
            batch_size: 128,
            n_epochs: 1,
            max_grad_norm,
            learning_rate: 1e5,
            learning_rate_schedule: Schedule::Constant,
            adam_eps: 1e5,
            ..config(0.9)
        };
        let numbers = |decisions: u64| {
            let (agent, metrics) = learn(|| probes::echo().env(), &config, decisions, 1);
            let norm = metrics.first().and_then(|metrics| metrics.value("train/grad_norm"));
            (agent.parameters().into_iter().flat_map(|parameter| parameter.values).collect::<Vec<_>>(), norm)
        };
        let ((before, _), (after, norm)) = (numbers(0), numbers(128));
        let change = |at: usize| f64::from(after[at]) - f64::from(before[at]);
        ((0..after.len()).map(change).collect::<Vec<f64>>(), norm.unwrap())
    };
    let length = |change: &[f64]| change.iter().map(|number| number * number).sum::<f64>().sqrt();
    let ((whole, norm), (clipped, norm_before)) = (update(1e9), update(0.02));
    assert_eq!(norm, norm_before, "the length before clipping");
    approx::assert_relative_eq!(length(&whole), norm, max_relative = 1e-3);
    // Clipped one by one, each net would move by 0.02, both together by 0.028.
    let (actor, critic) = whole.split_at(NUM_ACTOR);
    assert!(length(actor) > 0.02 && length(critic) > 0.02, "{} and {}", length(actor), length(critic));
    approx::assert_relative_eq!(length(&clipped), 0.02, max_relative = 1e-3);
    for (whole, clipped) in whole.into_iter().zip(clipped) {
        approx::assert_abs_diff_eq!(clipped, whole * 0.02 / norm, epsilon = 5e-6);
    }
}

#[test]
fn a_rollout_that_does_not_fit_is_told_by_its_field() {
    let config = PpoConfig { n_steps: 77, ..config(0.9) };
    let error = no_room(&config, &Rollout::new(1 << 60, 1, 1, 1, vec![]).unwrap_err());
    let message = error.to_string();
    assert!(message.starts_with("ppo.n_steps = 77: what fits into memory (a rollout of "), "{message}");
}
