//! Points of the detail list (docs/learners.md) that need a whole learner.

use super::*;
use crate::net_policy::NetPolicy;
use std::sync::Arc;

#[test]
fn first_weights_have_their_gains_and_biases_are_zero() {
    // The squares of an orthogonal matrix add up to gain^2 times its shorter side.
    let config = DqnConfig { dueling: true, net_arch: vec![16], ..small(0.9) };
    let agent = agent(&config, &spec(2, 3), 1_000);
    let squares: Vec<(String, f64)> = agent
        .parameters()
        .into_iter()
        .map(|p| (p.name, p.values.iter().map(|&number| f64::from(number).powi(2)).sum()))
        .collect();
    let expected = [
        ("dqn.0.weight", 2.0 * 2.0),
        ("dqn.0.bias", 0.0),
        ("dqn.advantage.weight", 1e-4 * 3.0),
        ("dqn.advantage.bias", 0.0),
        ("dqn.value.weight", 1e-4),
        ("dqn.value.bias", 0.0),
    ];
    assert_eq!(squares.len(), expected.len());
    for ((name, sum), (expected_name, expected)) in squares.iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert_abs_diff_eq!(*sum, expected, epsilon = 1e-5 * expected);
    }
}

#[test]
fn the_defaults_are_those_of_the_list() {
    let config = DqnConfig::default();
    assert_eq!((config.adam_eps, config.max_grad_norm, config.tau), (1e-8, 10.0, 1.0));
    assert_eq!((config.double_q, config.dueling), (true, true));
    assert_eq!((config.learning_starts, config.target_update_interval), (5_000, 6_400));
    assert_eq!(config.learning_rate_schedule, Schedule::Linear);
}

#[test]
fn the_share_of_random_actions_follows_the_decisions_of_all_lanes() {
    // From 1 to 0 over 500 of 1,000 decisions. After 250 of them (of four lanes together) it is one half, so the best of
    // three actions is taken with probability 1/2 + 1/6.
    let config = DqnConfig {
        exploration_final_eps: 0.0,
        exploration_fraction: 0.5,
        dueling: false,
        net_arch: vec![],
        learning_starts: 1_000_000,
        ..small(0.9)
    };
    let spec = spec(1, 3);
    let mut agent = agent(&config, &spec, 1_000);
    tensor_rows::write(agent.nets[0].online.flat_mut(), 0, &[0.0_f32, 0.0, 0.0, 1.0, 3.0, 2.0]);
    let mut actions = [ActionId::default(); 4];
    let step = StepBuffers::new(4, &spec);
    for _ in 0..62 {
        agent.explore(&[0.0; 4], &[true; 12], &mut actions).unwrap();
        agent.record(&actions, &step).unwrap();
        agent.update().unwrap();
    }
    assert_eq!(agent.decisions, 248);
    let mut best = 0;
    for _ in 0..2_000 {
        agent.explore(&[0.0; 4], &[true; 12], &mut actions).unwrap();
        best += actions.iter().filter(|&&action| action == ActionId(1)).count();
    }
    // 8,000 draws: 5,312 with a share of 0.504; standard deviation 42.
    assert!((5_100..5_520).contains(&best), "{best}");
}

#[test]
fn the_policy_that_is_validated_never_explores() {
    // Every action of the learner is random; its policy takes the best legal one a thousand times.
    let config = DqnConfig { dueling: false, net_arch: vec![], ..small(0.9) };
    let mut agent = agent(&config, &spec(1, 3), 1_000);
    tensor_rows::write(agent.nets[0].online.flat_mut(), 0, &[0.0_f32, 0.0, 0.0, 1.0, 3.0, 2.0]);
    let mut policy = NetPolicy::new("dqn", Arc::new(agent.policy().unwrap()));
    for _ in 0..1_000 {
        assert_eq!(policy.greedy(&[0.0], &[true, true, true]), ActionId(1));
        assert_eq!(policy.greedy(&[0.0], &[true, false, true]), ActionId(2));
    }
}

#[test]
fn gradient_steps_leave_the_target_net_alone_until_its_time() {
    let world = probes::echo().env();
    let config = DqnConfig { target_update_interval: 150, ..small(0.9) };
    let mut agent = agent(&config, world.spec(), 1_000);
    let first = numbers(agent.nets[0].target.flat());
    assert_eq!(numbers(agent.nets[0].online.flat()), first);
    train(&mut agent, &world, 148, 1);
    assert_eq!(agent.updates, 12);
    assert_eq!(numbers(agent.nets[0].target.flat()), first);
    assert_ne!(numbers(agent.nets[0].online.flat()), first);
    train(&mut agent, &world, 4, 2);
    assert_eq!(numbers(agent.nets[0].target.flat()), numbers(agent.nets[0].online.flat()));
}

#[test]
fn dead_units_are_reported_with_the_first_gradient_step_and_every_hundredth() {
    // A gradient step every four decisions after the first hundred: steps 1, 100 and 200 report.
    let world = probes::echo().env();
    let mut agent = agent(&small(0.9), world.spec(), 1_000);
    let mut reports = Vec::new();
    for run in 0..250 {
        if let Some(metrics) = train(&mut agent, &world, 4, run)
            && let Some(share) = metrics.value("train/dead_units")
        {
            assert!((0.0..=1.0).contains(&share), "{share}");
            reports.push(agent.updates);
        }
    }
    assert_eq!(reports, [1, 100, 200]);
    // Sixteen rectifiers that a bias switches off.
    let config = DqnConfig { activation: Activation::Relu, learning_rate: 1e-30, ..small(0.9) };
    let mut agent = self::agent(&config, world.spec(), 1_000);
    let mut weights = numbers(agent.nets[0].online.flat());
    weights[3 * 16..4 * 16].fill(-100.0);
    tensor_rows::write(agent.nets[0].online.flat_mut(), 0, &weights);
    let metrics = train(&mut agent, &world, 104, 1).unwrap();
    assert_eq!(metrics.value("train/dead_units"), Some(1.0));
}
