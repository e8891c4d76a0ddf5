//! Points of the detail list (docs/learners.md) that need a whole learner.

use super::*;
use std::sync::Arc;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

/// An update of one minibatch over one pass whose step is the gradient: the step size is that of an eps far above it.
fn bare() -> PpoConfig {
    PpoConfig {
        batch_size: 128,
        n_epochs: 1,
        max_grad_norm: 1e9,
        learning_rate: 1e5,
        learning_rate_schedule: Schedule::Constant,
        adam_eps: 1e5,
        ..config(0.9)
    }
}

/// An update that moves nothing: what it reports is what the first policy did.
fn still() -> PpoConfig {
    PpoConfig { learning_rate: 1e-30, normalize_advantage: false, n_epochs: 1, ..config(0.9) }
}

fn flat(agent: &PpoAgent) -> [Vec<f32>; 2] {
    [&agent.actor, &agent.critic].map(|trained| tensor_rows::to_vec(trained.net.flat()))
}

/// By how much actor and critic move in the decisions `from..to` of a run of that length.
fn moves(config: &PpoConfig, from: u64, to: u64) -> [Vec<f64>; 2] {
    let probe = probes::echo();
    let play = |decisions: u64| {
        let seed = Seed::new(Purpose::Train, 1);
        let mut vec_env = VecEnv::new(vec![probe.env(); config.n_envs], seed);
        let mut agent = PpoAgent::new(config, vec_env.spec(), to, seed).unwrap();
        let mut buffers = StepBuffers::new(config.n_envs, vec_env.spec());
        let rows = buffers.rows();
        vec_env.observe_into(rows.observations, rows.masks).unwrap();
        let mut actions = vec![ActionId(0); config.n_envs];
        for _ in 0..decisions / config.n_envs as u64 {
            let rows = buffers.rows();
            agent.explore(rows.observations, rows.masks, &mut actions).unwrap();
            vec_env.step_into(&actions, buffers.rows()).unwrap();
            agent.record(&actions, &buffers).unwrap();
            agent.update().unwrap();
        }
        flat(&agent)
    };
    let (before, after) = (play(from), play(to));
    let change = |net: usize| {
        before[net].iter().zip(&after[net]).map(|(then, now)| f64::from(*now) - f64::from(*then)).collect()
    };
    [change(0), change(1)]
}

fn length(change: &[f64]) -> f64 {
    change.iter().map(|number| number * number).sum::<f64>().sqrt()
}

/// `got` is `factor` times `base`, to a thousandth of the greatest.
#[track_caller]
fn assert_scaled(got: &[f64], factor: f64, base: &[f64]) {
    let greatest = base.iter().fold(0.0_f64, |greatest, number| greatest.max(number.abs()));
    assert!(greatest > 0.0);
    for (got, base) in got.iter().zip(base) {
        approx::assert_abs_diff_eq!(*got, factor * base, epsilon = 1e-3 * greatest * factor);
    }
}

#[test]
fn first_weights_have_the_gains_of_the_list_and_biases_are_zero() {
    // The squares of an orthogonal matrix add up to gain^2 times its shorter side.
    let spec = probes::echo().env().spec().clone();
    let shape = PpoConfig { net_arch: vec![16, 8], ..config(0.9) };
    let agent = PpoAgent::new(&shape, &spec, 128, Seed::new(Purpose::Train, 1)).unwrap();
    let squares: Vec<(String, f64)> = agent
        .parameters()
        .into_iter()
        .map(|p| (p.name, p.values.iter().map(|&number| f64::from(number).powi(2)).sum()))
        .collect();
    let expected = [
        ("actor.0.weight", 2.0 * 3.0),
        ("actor.0.bias", 0.0),
        ("actor.1.weight", 2.0 * 8.0),
        ("actor.1.bias", 0.0),
        ("actor.logits.weight", 1e-4 * 3.0),
        ("actor.logits.bias", 0.0),
        ("critic.0.weight", 2.0 * 3.0),
        ("critic.0.bias", 0.0),
        ("critic.1.weight", 2.0 * 8.0),
        ("critic.1.bias", 0.0),
        ("critic.value.weight", 1.0),
        ("critic.value.bias", 0.0),
    ];
    assert_eq!(squares.len(), expected.len());
    for ((name, sum), (expected_name, expected)) in squares.iter().zip(expected) {
        assert_eq!(name, expected_name);
        approx::assert_abs_diff_eq!(*sum, expected, epsilon = 1e-5 * expected);
    }
}

#[test]
fn the_defaults_are_those_of_the_list() {
    let config = PpoConfig::default();
    assert_eq!((config.adam_eps, config.clip_range, config.clip_range_vf), (1e-5, 0.2, None));
    assert_eq!((config.vf_coef, config.max_grad_norm, config.normalize_advantage), (0.5, 0.5, true));
    assert_eq!(config.learning_rate_schedule, Schedule::Linear);
    // The ends of the rules of which one needs a choice: no early stop, lambda of the paper on advantages.
    assert_eq!((config.target_kl, config.gae_lambda), (None, 0.95));
}

#[test]
fn the_annealed_step_size_is_the_one_that_is_taken() {
    // Two updates: the first has all of the step size, the second one half; Adam's eps makes a step proportional to it.
    let linear = PpoConfig { learning_rate_schedule: Schedule::Linear, ..bare() };
    let ([actor, critic], [actor_linear, critic_linear]) =
        (moves(&bare(), 128, 256), moves(&linear, 128, 256));
    assert_scaled(&actor_linear, 0.5, &actor);
    assert_scaled(&critic_linear, 0.5, &critic);
}

#[test]
fn an_epoch_learns_from_every_decision_once() {
    // Nothing moves, so the mean over minibatches of equal size is the mean over all decisions, in any order and as often as
    // one likes. Drawn with replacement, every epoch would have a mean of its own.
    let probe = probes::echo();
    let report = |n_epochs: usize, batch_size: usize| {
        let config = PpoConfig { batch_size, n_epochs, ..still() };
        learn(|| probe.env(), &config, 128, 1).1[0].clone()
    };
    let (whole, parts) = (report(1, 128), report(3, 8));
    for name in ["train/value_loss", "train/policy_gradient_loss"] {
        let (whole, parts) = (whole.value(name).unwrap(), parts.value(name).unwrap());
        approx::assert_relative_eq!(whole, parts, max_relative = 1e-5);
    }
}

#[test]
fn a_minibatch_of_one_decision_is_learnt_from() {
    // 128 decisions in minibatches of 127: the last one has a single advantage, which has no deviation.
    let probe = probes::echo();
    let config = PpoConfig { batch_size: 127, normalize_advantage: true, ..config(0.9) };
    let (agent, metrics) = learn(|| probe.env(), &config, 128, 1);
    assert!(metrics[0].iter().all(|(_, value)| value.is_finite()), "{metrics:?}");
    assert!(flat(&agent).iter().flatten().all(|number| number.is_finite()));
}

#[test]
fn each_weight_of_the_loss_moves_its_own_net() {
    let [actor, critic] = moves(&bare(), 0, 128);
    // The value loss three times as heavy: the critic's gradient alone, three times. They share no parameter.
    let [actor_heavy, critic_heavy] = moves(&PpoConfig { vf_coef: 1.5, ..bare() }, 0, 128);
    assert_eq!(actor_heavy, actor);
    assert_scaled(&critic_heavy, 3.0, &critic);
    // A weight on the entropy alone: the actor's step turns, the critic's stays.
    let [actor_free, critic_free] = moves(&PpoConfig { ent_coef: 10.0, ..bare() }, 0, 128);
    assert_eq!(critic_free, critic);
    assert_ne!(actor_free, actor);
}

#[test]
fn the_range_of_the_values_reaches_the_critic() {
    // In a second pass values have left a range of 1e-6, and where they ran towards their returns the gradient is cut; the
    // first pass begins at the old values and is the same.
    let length_of = |n_epochs: usize, clip_range_vf: Option<f64>| {
        let config = PpoConfig { n_epochs, clip_range_vf, learning_rate: 1e3, ..bare() };
        length(&moves(&config, 0, 128)[1])
    };
    approx::assert_relative_eq!(length_of(1, Some(1e-6)), length_of(1, None), max_relative = 1e-4);
    assert!(length_of(2, Some(1e-6)) < 0.9 * length_of(2, None));
}

#[test]
fn an_update_begins_with_a_ratio_of_one_in_a_world_with_many_masks() {
    // 191 entries and 22 actions, most of them illegal most of the time; the second update has nets that have moved.
    let scenario = Arc::new(Scenario::shipped("tight"));
    let config = PpoConfig { n_envs: 4, n_steps: 64, batch_size: 64, ..PpoConfig::default() };
    let (_, metrics) = learn(|| DecisionEnv::new(Arc::clone(&scenario)), &config, 768, 1);
    assert_eq!(metrics.len(), 3);
    for metrics in &metrics {
        let error = metrics.value("train/first_ratio_error").unwrap();
        assert!(error < 1e-5, "{error}");
        assert!(metrics.value("train/approx_kl").unwrap() > 0.0, "later minibatches see another policy");
    }
}

#[test]
fn dead_units_of_both_nets_are_reported_after_the_update() {
    // Two rectifiers a net; those of the critic are switched off by a bias that a step of 1e-30 does not move.
    let probe = probes::echo();
    let config = PpoConfig { net_arch: vec![2], activation: crate::net_policy::Activation::Relu, ..still() };
    let seed = Seed::new(Purpose::Train, 1);
    let mut vec_env = VecEnv::new(vec![probe.env(); config.n_envs], seed);
    let mut agent = PpoAgent::new(&config, vec_env.spec(), 128, seed).unwrap();
    let on = [[1.0_f32; 6].as_slice(), &[5.0; 2], &[0.0; 9]].concat();
    let alive = [&[1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0][..], &on[6..]].concat();
    tensor_rows::write(agent.actor.net.flat_mut(), 0, &alive);
    let off = [[1.0_f32; 6].as_slice(), &[-5.0; 2], &[0.0; 3]].concat();
    tensor_rows::write(agent.critic.net.flat_mut(), 0, &off);
    let mut buffers = StepBuffers::new(config.n_envs, vec_env.spec());
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).unwrap();
    let mut actions = vec![ActionId(0); config.n_envs];
    let mut reported = None;
    for _ in 0..config.n_steps {
        let rows = buffers.rows();
        agent.explore(rows.observations, rows.masks, &mut actions).unwrap();
        vec_env.step_into(&actions, buffers.rows()).unwrap();
        agent.record(&actions, &buffers).unwrap();
        reported = agent.update().unwrap();
    }
    assert_eq!(reported.unwrap().value("train/dead_units"), Some(0.5));
}
