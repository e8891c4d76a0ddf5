//! What requests would cost outside memory, had nothing been decided before them: the same whatever is decided, and a price that can be paid.

use rand::RngExt;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env, Step};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

fn env(name: &str) -> DecisionEnv {
    begun(Arc::new(Scenario::shipped(name)))
}

fn begun(scenario: Arc<Scenario>) -> DecisionEnv {
    let mut env = DecisionEnv::new(scenario);
    assert!(env.tell_input_costs());
    env.reset(Seed::new(Purpose::Test, 3));
    env
}

fn legal(env: &DecisionEnv) -> Vec<ActionId> {
    let mut legal = vec![false; env.spec().num_actions()];
    env.mask(&mut legal);
    (0..legal.len()).filter(|&index| legal[index]).map(ActionId::from_index).collect()
}

/// The input costs of an episode, those of decisions that ended nothing left out: `choose` decides.
fn play(scenario: &Arc<Scenario>, mut choose: impl FnMut(&[ActionId]) -> ActionId) -> (Vec<f64>, f64) {
    let mut env = begun(Arc::clone(scenario));
    let (mut told, mut paid) = (Vec::new(), 0.0);
    loop {
        let is_choice = |step: &Step| step.info.counters.requests == 0;
        let step = env.step(&choose(&legal(&env))).unwrap();
        assert!(!is_choice(&step) || step.info.input_cost == 0.0);
        if !is_choice(&step) {
            told.push(step.info.input_cost);
        }
        paid -= step.reward;
        if step.end.is_end() {
            return (told, paid);
        }
    }
}

#[test]
fn nothing_that_is_decided_changes_them() {
    // Which scenarios there are is no concern of this test; recordings are not shipped.
    let names = shipped::names().filter(|name| !name.starts_with("trace"));
    let mut worlds: Vec<_> = names.map(|name| (name, Arc::new(Scenario::shipped(name)))).collect();
    let prefetch = Override { key: "decision.prefetch".into(), value: "true".into() };
    let text = shipped::text("tight").unwrap();
    let (_, ahead) = Scenario::load("tight", text, &[prefetch], |path| Err(format!("no {path}"))).unwrap();
    worlds.push(("tight with loads ahead", Arc::new(ahead)));
    for (name, scenario) in worlds {
        let mut draws = Seed::new(Purpose::Test, 4).stream(Stream::Policy);
        let (random, one) = play(&scenario, |legal| legal[draws.random_range(0..legal.len())]);
        let (first, other) = play(&scenario, |legal| legal[0]);
        assert_eq!(random, first, "{name}");
        assert!(one != other, "{name}: two ways to decide cost the same");
        assert!(first.iter().all(|&cost| cost > 0.0 && cost.is_finite()), "{name}");
    }
}

#[test]
fn the_first_request_of_a_user_can_be_served_for_it() {
    for name in ["street", "tight"] {
        let env = env(name);
        let mut least = f64::INFINITY;
        let mut told = Vec::new();
        for action in legal(&env) {
            let decision = env.observation().space().decode(action);
            let Some(Decision::Serve { placement, victim: None }) = decision else { continue };
            let step = env.clone().step(&action).unwrap();
            told.push(step.info.input_cost);
            if !placement.needs_residency() {
                // What keeps memory is paid by the slot, whoever asks.
                least = least.min(step.info.cost.total() - step.info.cost.holding);
            }
        }
        assert!(
            told.len() > 1 && told.iter().all(|&cost| (cost - least).abs() < 1e-12),
            "{name}: {told:?} {least}"
        );
    }
}

#[test]
fn they_are_told_when_asked_for_and_after_a_restore_too() {
    let asked = env("street");
    let mut silent = DecisionEnv::new(Arc::new(Scenario::shipped("street")));
    let snapshot = silent.snapshot();
    silent.reset(Seed::new(Purpose::Test, 3));
    let action = legal(&silent)[0];
    assert_eq!(silent.clone().step(&action).unwrap().info.input_cost, 0.0);
    let mut again = asked.clone();
    again.restore(&snapshot).unwrap();
    again.reset(Seed::new(Purpose::Test, 3));
    assert!(again.step(&action).unwrap().info.input_cost > 0.0);
    let mut middle = asked;
    middle.restore(&silent.snapshot()).unwrap();
    assert!(middle.step(&action).unwrap().info.input_cost > 0.0);
}
