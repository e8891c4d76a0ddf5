//! Another future forgets everything that nobody is told: the state after it is one and the same, whatever was true before.

use rand::RngExt;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

fn world(name: &str, changes: &[(&str, &str)]) -> DecisionEnv {
    let change = |&(key, value): &(&str, &str)| Override { key: key.into(), value: value.into() };
    let changes: Vec<Override> = changes.iter().map(change).collect();
    let text = shipped::text(name).unwrap();
    let (_, scenario) = Scenario::load(name, text, &changes, |_| Err("no recording".into())).unwrap();
    DecisionEnv::new(Arc::new(scenario))
}

fn any_legal(env: &DecisionEnv, rng: &mut SimRng) -> ActionId {
    let legal: Vec<usize> =
        (0..env.observation().legal.len()).filter(|&at| env.observation().legal[at]).collect();
    ActionId::from_index(legal[rng.random_range(0..legal.len())])
}

/// Whether requests of the slot come after the pending one.
fn has_unseen(env: &DecisionEnv) -> bool {
    let pending: u32 = env.observation().demand.iter().map(|demand| demand.pending_requests).sum();
    pending > env.observation().num_requests
}

#[test]
fn what_nobody_is_told_leaves_no_trace() {
    let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
    let mut compared = 0;
    for (name, changes) in [
        ("tight", &[] as &[(&str, &str)]),
        ("tight", &[("context", "{ scope = \"user\", users = 5 }")]),
        ("tight-request", &[]),
        ("tiny-drift4", &[("observation.popularity_phase", "false")]),
        ("tight-aot", &[]),
        ("street", &[]),
        ("office-140ghz", &[]),
        ("street", &[("physical.edition", "2"), ("physical.users", "300")]),
    ] {
        let mut env = world(name, changes);
        let is_physical = env.world().scenario().physical().is_some();
        env.reset(Seed::new(Purpose::Test, 7));
        for step in 0..500 {
            // Who asks next in this slot of a physical world is exchanged for another, and so is no trace either.
            if step % 7 == 0 && !(is_physical && has_unseen(&env)) {
                let mut other = env.clone();
                other.reseed_future(Seed::new(Purpose::Train, step));
                let future = |env: &DecisionEnv| {
                    let mut env = env.clone();
                    env.reseed_future(Seed::new(Purpose::Validate, step));
                    env.snapshot()
                };
                assert_ne!(
                    env.snapshot(),
                    other.snapshot(),
                    "{name}, step {step}: there is something to hide"
                );
                assert!(
                    future(&env) == future(&other),
                    "{name} {changes:?}, step {step}: the truth has left a trace"
                );
                compared += 1;
            }
            let action = any_legal(&env, &mut rng);
            if env.step(&action).unwrap().end.is_end() {
                break;
            }
        }
    }
    assert!(compared > 250, "{compared}");
}

#[test]
fn the_answer_that_is_asked_for_is_as_long_as_any() {
    let mut env = world("street", &[]);
    env.reset(Seed::new(Purpose::Test, 3));
    let (truth, expected) = (env.world().facts().unwrap(), env.observation().request.unwrap());
    let lengths = (0..4000).map(|run| {
        let mut other = env.clone();
        other.reseed_future(Seed::new(Purpose::Train, run));
        let facts = other.world().facts().unwrap();
        assert_eq!((facts.user, facts.link, facts.new_tokens), (truth.user, truth.link, truth.new_tokens));
        facts.output_tokens
    });
    let mean = lengths.sum::<f64>() / 4000.0;
    assert!((mean / expected.output_tokens - 1.0).abs() < 0.1, "{mean} {}", expected.output_tokens);
}

#[test]
fn a_policy_that_looks_ahead_does_not_meet_the_end_of_the_episode() {
    let mut env = world("tight", &[("horizon_slots", "2")]);
    env.reset(Seed::new(Purpose::Test, 3));
    let mut endless = env.clone();
    endless.forget_end();
    let cloud = ActionId(1);
    while !env.step(&cloud).unwrap().end.is_end() {}
    while endless.world().slot() < 10 {
        assert!(!endless.step(&cloud).unwrap().end.is_end());
    }
}
