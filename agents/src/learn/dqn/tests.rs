//! The arithmetic by hand, the bookkeeping by counting, and the probe worlds.

mod details;

use super::*;
use crate::learn::schedule::Schedule;
use crate::net_policy::Activation;
use crate::tests::anchors::{Probe, TableWorld, probe_registry, probes};
use approx::assert_abs_diff_eq;
use thoughtcache_env::gym::api::{Entry, Env};
use thoughtcache_env::gym::vec_env::VecEnv;
use thoughtcache_env::random::Purpose;

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor_rows::to_vec(&tensor.detach().contiguous())
}

/// A small learner that tries everything, for worlds of a few states.
fn small(gamma: f64) -> DqnConfig {
    DqnConfig {
        n_envs: 4,
        gamma,
        n_steps: 1,
        buffer_size: 2_000,
        batch_size: 32,
        learning_starts: 100,
        train_freq: 4,
        target_update_interval: 40,
        exploration_initial_eps: 1.0,
        exploration_final_eps: 1.0,
        learning_rate: 0.02,
        net_arch: vec![16],
        activation: Activation::Tanh,
        reward_scale: 1.0,
        ..DqnConfig::default()
    }
}

fn spec(entries: usize, actions: usize) -> EnvSpec {
    EnvSpec {
        id: "toy".into(),
        entries: (0..entries).map(|entry| Entry::new(format!("cell.{entry}.free"), 0.0, 1.0)).collect(),
        actions: (0..actions).map(|action| action.to_string()).collect(),
    }
}

fn agent(config: &DqnConfig, spec: &EnvSpec, budget: u64) -> DqnAgent {
    DqnAgent::new(config, spec, budget, Seed::new(Purpose::Train, 1)).unwrap()
}

/// Plays `decisions` decisions and learns from them; gives the metrics of the last update.
fn train(agent: &mut DqnAgent, world: &TableWorld, decisions: u64, run: u64) -> Option<Metrics> {
    let lanes = agent.config.n_envs;
    let mut vec_env = VecEnv::new(vec![world.clone(); lanes], Seed::new(Purpose::Train, run));
    let mut buffers = StepBuffers::new(lanes, vec_env.spec());
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).unwrap();
    let mut actions = vec![ActionId::default(); lanes];
    let mut metrics = None;
    for _ in 0..decisions / lanes as u64 {
        let rows = buffers.rows();
        agent.explore(rows.observations, rows.masks, &mut actions).unwrap();
        vec_env.step_into(&actions, buffers.rows()).unwrap();
        agent.record(&actions, &buffers).unwrap();
        metrics = agent.update().unwrap().or(metrics);
    }
    metrics
}

#[test]
fn the_frozen_policy_has_the_values_of_the_learner() {
    for dueling in [false, true] {
        let config =
            DqnConfig { dueling, reward_scale: 4.0, ignore_entries: vec!["1.free".into()], ..small(0.9) };
        let mut agent = agent(&config, &spec(2, 3), 1_000);
        let parameters = agent.nets[0].online.flat().numel();
        let weights: Vec<f32> =
            (0..parameters).map(|index| ((index * 37 % 19) as f32 - 9.0) / 10.0).collect();
        tensor_rows::write(agent.nets[0].online.flat_mut(), 0, &weights);
        let mut frozen = [0.0; 3];
        let policy = agent.policy().unwrap();
        policy.logits(&[0.5, 0.25], &mut crate::net_policy::Scratch::default(), &mut frozen);
        for (value, frozen) in agent.action_values(&[0.5, 0.25]).into_iter().zip(frozen) {
            assert_abs_diff_eq!(value, f64::from(frozen) / 4.0, epsilon = 1e-5);
        }
        assert_eq!(agent.action_values(&[0.5, 0.25]), agent.action_values(&[0.5, 0.75]), "entry 1 is hidden");
        assert_ne!(agent.action_values(&[0.5, 0.25]), agent.action_values(&[0.0, 0.25]));
    }
}

#[test]
fn exploration_tries_every_legal_action_equally_and_no_other() {
    let mut agent = agent(&small(0.9), &spec(1, 4), 1_000_000);
    let mut counts = [0; 4];
    let mut actions = [ActionId::default(); 4];
    for _ in 0..1_000 {
        agent.explore(&[0.0; 4], &[true, false, true, true].repeat(4), &mut actions).unwrap();
        for action in actions {
            counts[action.index()] += 1;
        }
    }
    // 4,000 draws of 3: 1,333 each, standard deviation 30.
    assert_eq!(counts[1], 0);
    assert!([0, 2, 3].iter().all(|&action| (1_150..1_520).contains(&counts[action])), "{counts:?}");
}

#[test]
fn without_exploration_the_best_legal_action_is_taken() {
    let config =
        DqnConfig { exploration_initial_eps: 0.0, exploration_final_eps: 0.0, dueling: false, ..small(0.9) };
    let mut agent = agent(&DqnConfig { net_arch: vec![], ..config }, &spec(1, 3), 1_000);
    tensor_rows::write(agent.nets[0].online.flat_mut(), 0, &[0.0_f32, 0.0, 0.0, 1.0, 3.0, 2.0]);
    let mut actions = [ActionId::default(); 4];
    let masks =
        [[true, true, true], [true, false, true], [true, false, false], [false, true, false]].concat();
    agent.explore(&[0.0; 4], &masks, &mut actions).unwrap();
    assert_eq!(actions, [ActionId(1), ActionId(2), ActionId(0), ActionId(1)]);
}

#[test]
fn after_an_end_the_final_row_and_its_mask_are_remembered_and_not_the_next_episode() {
    let config =
        DqnConfig { n_envs: 3, reward_scale: 10.0, ignore_entries: vec!["1.free".into()], ..small(0.5) };
    let spec = spec(2, 2);
    let mut agent = agent(&config, &spec, 1_000);
    let mut actions = [ActionId::default(); 3];
    agent.explore(&[1.0, 9.0, 2.0, 9.0, 3.0, 9.0], &[true; 6], &mut actions).unwrap();
    let actions = [ActionId(0), ActionId(1), ActionId(1)];
    let mut step = StepBuffers::new(3, &spec);
    step.rewards = vec![0.1, 0.2, 0.3];
    step.slots_elapsed = vec![0, 1, 2];
    (step.terminated, step.truncated) = (vec![false, true, false], vec![false, false, true]);
    step.observations.fill(5.0);
    step.masks.fill(true);
    step.final_observations.fill(7.0);
    step.final_masks.column_mut(0).fill(true);
    agent.record(&actions, &step).unwrap();

    assert_eq!(agent.replay.len(), 3);
    let mut batch = Batch::default();
    agent.replay.sample(200, &mut agent.replay_rng, &mut batch);
    for index in 0..200 {
        let lane = batch.rows[2 * index];
        let next = [batch.next_rows[2 * index], batch.next_rows[2 * index + 1]];
        let illegal = [batch.next_illegal[2 * index], batch.next_illegal[2 * index + 1]];
        assert_eq!(batch.rows[2 * index + 1], 0.0, "a hidden entry");
        assert_abs_diff_eq!(batch.rewards[index], lane, epsilon = 1e-5);
        let seen = (batch.actions[index], batch.discounts[index], next, illegal);
        let expected = match lane as u32 {
            1 => (0, 1.0, [5.0, 0.0], [false, false]),
            2 => (1, 0.0, [7.0, 0.0], [false, true]),
            _ => (1, 0.25, [7.0, 0.0], [false, true]),
        };
        assert_eq!(seen, expected);
    }
}

#[test]
fn the_target_net_copies_or_follows_as_often_as_decisions_have_passed() {
    // Two intervals at once with tau 0.25: what is left of the old target is 0.75^2.
    for (tau, expected) in [(1.0, 1.0), (0.25, 1.0 - 0.75 * 0.75)] {
        let mut agent =
            agent(&DqnConfig { tau, target_update_interval: 10, ..small(0.9) }, &spec(1, 2), 1_000);
        let _ = agent.nets[0].online.flat_mut().fill_(1.0);
        let _ = agent.nets[0].target.flat_mut().fill_(0.0);
        agent.decisions = 9;
        agent.follow();
        assert!(numbers(agent.nets[0].target.flat()).iter().all(|&number| number == 0.0));
        agent.decisions = 29;
        agent.follow();
        agent.follow();
        assert!(numbers(agent.nets[0].target.flat()).iter().all(|&number| (number - expected).abs() < 1e-6));
        assert_eq!(agent.target_updates, 2);
    }
}

#[test]
fn gradient_steps_are_counted_by_decisions_whatever_the_lanes() {
    let world = probes::echo().env();
    for n_envs in [1, 4, 8] {
        let config = DqnConfig { n_envs, learning_starts: 8, train_freq: 2, gradient_steps: 3, ..small(0.9) };
        let mut agent = agent(&config, world.spec(), 1_000);
        assert!(train(&mut agent, &world, 8, 1).is_none());
        // 16 decisions more are 8 rounds of 3 steps.
        let metrics = train(&mut agent, &world, 16, 2).unwrap();
        assert_eq!((agent.decisions, agent.updates), (24, 24));
        assert_eq!(metrics.value("train/n_updates"), Some(24.0));
        assert_eq!(metrics.value("rollout/exploration_rate"), Some(1.0));
    }
}

#[test]
fn every_metric_of_an_update_is_a_number() {
    let world = probes::echo().env();
    let config = DqnConfig { exploration_final_eps: 0.5, exploration_fraction: 0.5, ..small(0.9) };
    let mut agent = agent(&config, world.spec(), 1_000);
    let metrics = train(&mut agent, &world, 1_000, 1).unwrap();
    let names: Vec<&str> = metrics.iter().map(|(name, _)| name).collect();
    let expected = [
        "train/loss",
        "train/td_error",
        "train/q_mean",
        "train/grad_norm",
        "train/learning_rate",
        "train/n_updates",
        "rollout/exploration_rate",
    ];
    assert_eq!(names, expected);
    assert!(metrics.iter().all(|(_, value)| value.is_finite()));
    assert_eq!(metrics.value("train/learning_rate"), Some(0.0), "the budget is used up");
    assert_abs_diff_eq!(metrics.value("rollout/exploration_rate").unwrap(), 0.5, epsilon = 1e-12);
}

/// How far the learner's values are from the exact ones, and whether its greedy actions are the best, in every state.
fn judge(probe: &Probe, config: &DqnConfig, decisions: u64, run: u64) -> f64 {
    let world = probe.env();
    let seed = Seed::new(Purpose::Train, run);
    let mut agent = DqnAgent::new(config, world.spec(), decisions, seed).unwrap();
    train(&mut agent, &world, decisions, run);
    let mut worst: f64 = 0.0;
    for answer in &probe.answers {
        let values = agent.action_values(&answer.row);
        for (value, exact) in values.iter().zip(&answer.action_values) {
            worst = worst.max(exact.map_or(0.0, |exact| (value - exact).abs()));
        }
        let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        let greedy = best_legal(&narrow, &answer.legal()).unwrap();
        assert!(answer.is_best(greedy), "{} run {run}: {values:?} in {:?}", probe.name, answer.row);
    }
    worst
}

#[test]
fn every_probe_world_is_learnt_with_three_seeds() {
    for probe in probe_registry() {
        for run in 0..3 {
            let worst = judge(&probe, &small(probe.gamma), 1_600, run);
            assert!(worst < 0.1, "{} run {run}: {} ({worst})", probe.name, probe.fault);
        }
    }
}

#[test]
fn plain_one_step_and_dueling_n_step_learners_agree_where_actions_do_not_matter() {
    for probe in [probes::truncation(), probes::termination(), probes::discount_over_slots(3)] {
        for (double_q, dueling, n_steps, tau) in
            [(false, false, 1, 1.0), (true, false, 3, 1.0), (true, true, 4, 0.1)]
        {
            let target_update_interval = if tau < 1.0 { 4 } else { 40 };
            let config =
                DqnConfig { n_steps, target_update_interval, tau, double_q, dueling, ..small(probe.gamma) };
            let worst = judge(&probe, &config, 2_400, 3);
            assert!(worst < 0.1, "{}: {worst} with {config:?}", probe.name);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_one_thread_and_on_two_and_another_seed_others() {
    let world = probes::echo().env();
    let learnt = |run: u64, threads: usize| {
        let config = DqnConfig { exploration_final_eps: 0.1, n_steps: 2, batch_size: 33, ..small(0.9) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut agent =
                DqnAgent::new(&config, world.spec(), 1_200, Seed::new(Purpose::Train, run)).unwrap();
            train(&mut agent, &world, 1_200, run);
            let weights = tensor_rows::to_vec::<f32>(agent.nets[0].online.flat());
            weights.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        })
    };
    let bytes = learnt(1, 1);
    assert_eq!(learnt(1, 1), bytes);
    assert_eq!(learnt(1, 2), bytes);
    assert_ne!(learnt(2, 1), bytes);
}

#[test]
fn mistakes_are_errors_that_say_where() {
    let mut agent = agent(&small(0.9), &spec(1, 2), 1_000);
    let mut actions = [ActionId::default(); 4];
    let masks = [true, true, true, true, false, false, true, true];
    let error = agent.explore(&[0.0; 4], &masks, &mut actions).unwrap_err();
    assert_eq!(error, AgentError::no_legal_action(2));
    let error = agent.explore(&[0.0; 3], &masks, &mut actions).unwrap_err().to_string();
    assert_eq!(error, "observations has 3 elements, 4 are needed");
    let mut step = StepBuffers::new(4, &spec(1, 2));
    step.rewards[3] = f64::NAN;
    let error = agent.record(&actions, &step).unwrap_err().to_string();
    assert_eq!(error, "lane 3 gave the reward NaN; a reward must be a finite number");
    let unknown = DqnConfig { ignore_entries: vec!["age".into()], ..small(0.9) };
    let error = DqnAgent::new(&unknown, &spec(1, 2), 1_000, Seed::new(Purpose::Train, 1)).unwrap_err();
    assert_eq!(error.key, "dqn.ignore_entries");
}

#[test]
fn a_loss_that_is_no_number_stops_the_learner_before_its_parameters_change() {
    let world = probes::echo().env();
    let config = DqnConfig { learning_rate_schedule: Schedule::Constant, ..small(0.9) };
    let mut agent = agent(&config, world.spec(), 1_000);
    train(&mut agent, &world, 100, 1);
    let _ = agent.nets[0].target.flat_mut().fill_(f64::NAN);
    agent.decisions += 4;
    let before = numbers(agent.nets[0].online.flat());
    let mut sums = [0.0; 4];
    // A terminated step has the discount 0, but 0 * NaN is NaN.
    let error = agent.learn(false, 0.01, &mut sums).unwrap_err();
    assert!(matches!(error, AgentError::NotFinite { quantity: "train/loss", update: 1, .. }), "{error}");
    assert_eq!(numbers(agent.nets[0].online.flat()), before);
}

#[test]
fn the_gradient_is_clipped() {
    // With a step size as great as an eps far above the gradient, Adam's first step is the gradient itself.
    let world = probes::echo().env();
    let update = |max_grad_norm: f64| {
        let config = DqnConfig {
            max_grad_norm,
            learning_rate: 1e5,
            learning_rate_schedule: Schedule::Constant,
            adam_eps: 1e5,
            ..small(0.9)
        };
        let mut agent = agent(&config, world.spec(), 1_000);
        let before = numbers(agent.nets[0].online.flat());
        let metrics = train(&mut agent, &world, 104, 1).unwrap();
        assert_eq!(agent.updates, 1);
        let after = numbers(agent.nets[0].online.flat());
        let squares = after.iter().zip(before).map(|(after, before)| f64::from(after - before).powi(2));
        (squares.sum::<f64>().sqrt(), metrics.value("train/grad_norm").unwrap())
    };
    let ((whole, norm), (clipped, norm_before)) = (update(1e9), update(0.01));
    assert!(norm > 0.02 && norm == norm_before, "{norm} and {norm_before}: the length before clipping");
    assert_abs_diff_eq!(whole, norm, epsilon = 1e-3 * norm);
    assert_abs_diff_eq!(clipped, 0.01, epsilon = 1e-5);
}
