//! Looking ahead against worlds whose best decisions a person finds, and against the future that it must not see.

use super::super::registry::{self, Prepared};
use super::street;
use crate::evaluate::{
    Contender, EpisodeResult, Evaluated, Evaluation, Hooks, PolicyKind, Protocol, evaluate,
};
use crate::tune::num_trials;
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

fn world(name: &str, changes: &[(&str, &str)]) -> Arc<Scenario> {
    let change = |&(key, value): &(&str, &str)| Override { key: key.into(), value: value.into() };
    let changes: Vec<Override> = changes.iter().map(change).collect();
    let text = shipped::text(name).unwrap();
    Arc::new(Scenario::load(name, text, &changes, |_| Err("no recording".into())).unwrap().1)
}

fn play(scenario: &Arc<Scenario>, names: &[&str], episodes: u64) -> Evaluation {
    let contender = |name: &&str| {
        let prepared = Prepared::new(name, scenario).unwrap();
        Contender::new(*name, PolicyKind::Heuristic, move || prepared.instance())
    };
    let contenders: Vec<Contender> = names.iter().map(contender).collect();
    let protocol = Protocol::test(Arc::clone(scenario), 0, episodes);
    evaluate(&contenders, &protocol, Hooks::default()).unwrap()
}

/// Cost per slot of each.
fn costs(scenario: &Arc<Scenario>, names: &[&str], episodes: u64) -> Vec<f64> {
    let mean = |evaluated: &Evaluated| {
        evaluated.episodes.iter().map(EpisodeResult::cost_per_slot).sum::<f64>() / episodes as f64
    };
    play(scenario, names, episodes).policies.iter().map(mean).collect()
}

#[test]
fn above_a_rule_that_always_loads_it_learns_to_wait_and_to_refuse() {
    // Requests for 0, 1, 2 with .6, .3, .1; memory for one; edge 1, cloud 3, load 4. `lru` loads whatever is absent. One refusal
    // before lru goes on saves 2, and 4 more if the next request is for what stays: never load over 0, load 0 into an empty
    // memory (2.4 > 2), and nothing else (1.2 < 2). That is the optimum: .6 * 1 + .4 * 3 = 1.8.
    let costs = costs(&world("tiny-unit3", &[]), &["lru", "rollout(lru, samples=32, slots=3)"], 4);
    assert!((costs[0] - 3.16).abs() < 0.15, "lru: 1 + 4 (1 - .36 - .09 - .01) = {}", costs[0]);
    // Five standard errors of 4,000 draws with a deviation of .98, and a few slots until 0 is loaded.
    assert!((costs[1] - 1.8).abs() < 0.1, "{}", costs[1]);
}

#[test]
fn it_does_not_see_the_future_where_seeing_it_would_pay() {
    // Two services that are asked for alike; a miss costs 3, loaded or not. Nobody can know which one to hold: every policy
    // hits half of the time, (1 + 3) / 2 = 2. Who sees the next request holds it after each miss, so that misses are m = (1 - m) / 2 =
    // 1/3 of all: 1 + 2/3.
    let changes =
        [("workload.phased.popularity", "[[0.5, 0.5, 0.0]]"), ("cost.switching.per_load.weight", "2.0")];
    let costs = costs(
        &world("tiny-unit3", &changes),
        &["rollout(lru, samples=6, slots=3)", "lookahead(lru, slots=3)"],
        4,
    );
    assert!((costs[0] - 2.0).abs() < 0.08, "{}", costs[0]);
    assert!((costs[1] - 5.0 / 3.0).abs() < 0.08, "{}", costs[1]);
}

#[test]
fn it_decides_the_same_whatever_is_true_of_what_nobody_is_told() {
    for (scenario, rule) in [(world("tight", &[]), "density"), (street(&[]), "density+myopic")] {
        let (mut differs, mut compared) = (0, 0);
        let mut policy =
            Prepared::new(&format!("rollout({rule}, samples=3, slots=6)"), &scenario).unwrap().instance();
        let mut knowing =
            Prepared::new(&format!("lookahead({rule}, slots=6)"), &scenario).unwrap().instance();
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let seed = Seed::new(Purpose::Test, 5);
        env.reset(seed);
        policy.begin_episode();
        knowing.begin_episode();
        let mut rng = seed.stream(Stream::Policy);
        for decision in 0..150 {
            let observation = env.observation();
            let pending: u32 = observation.demand.iter().map(|demand| demand.pending_requests).sum();
            let mut other = env.clone();
            other.reseed_future(Seed::new(Purpose::Train, decision));
            // A fresh instance plays on from here: the memory of the rule is not in question.
            let decide = |env: &DecisionEnv, name: &str| {
                let mut policy = Prepared::new(name, &scenario).unwrap().instance();
                policy.begin_episode();
                policy.act_in(env, &mut seed.stream(Stream::Policy))
            };
            if scenario.physical().is_none() || pending == observation.num_requests {
                assert_eq!(
                    decide(&env, policy.name()),
                    decide(&other, policy.name()),
                    "{rule}, decision {decision}"
                );
                differs += u32::from(decide(&env, knowing.name()) != decide(&other, knowing.name()));
                compared += 1;
            }
            let action = policy.act_in(&env, &mut rng);
            env.step(&action).unwrap();
        }
        assert!(
            compared > 80 && differs > 0,
            "{rule}: {differs} of {compared}: knowing the future makes a difference"
        );
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let scenario = world("tight", &[("horizon_slots", "10")]);
    let play_on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| play(&scenario, &["rollout(density, samples=2, slots=4)"], 4).trajectory_hash())
    };
    assert_eq!(play_on(1), play_on(3));
}

#[test]
fn mistakes_say_what_is_allowed() {
    let scenario = Scenario::shipped("tight");
    let message = |name: &str| registry::check(name, &scenario).err().unwrap().to_string();
    insta::assert_snapshot!(
        [
            "rollout",
            "rolout(density)",
            "quicksort(density)",
            "rollout(densty)",
            "rollout()",
            "rollout(density",
            "rollout(rollout(density))",
            "rollout(density, sample=8)",
            "rollout(density, 8)",
            "rollout(density, samples=0)",
            "rollout(density, samples=8, samples=9)",
            "rollout(density, slots=many)",
            "lookahead(density, samples=8)",
            "rollout(lru+myopic)",
        ]
        .map(message)
        .join("\n")
    );
    for name in ["rollout(density)", "rollout( density , slots = 5 )", "lookahead(worth, slots=5)"] {
        assert_eq!(registry::check(name, &scenario).unwrap().kind, registry::Kind::Cache, "{name}");
    }
    let refused = num_trials(&scenario, &["rollout(density)"]).unwrap_err().to_string();
    assert_eq!(refused, "rollout(density) has the parameters of density: tune that");
}

#[test]
fn after_the_end_there_is_nothing_to_look_at_and_the_rule_has_its_way() {
    let scenario = world("tight", &[("horizon_slots", "3")]);
    for name in ["rollout(density, samples=2, slots=2)", "lookahead(density, slots=2)", "density"] {
        let mut policy = Prepared::new(name, &scenario).unwrap().instance();
        let mut rng = Seed::new(Purpose::Test, 5).stream(Stream::Policy);
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        env.reset(Seed::new(Purpose::Test, 5));
        policy.begin_episode();
        while !env.step(&policy.act_in(&env, &mut rng)).unwrap().end.is_end() {}
        assert!(!env.is_running());
        let legal = &env.observation().legal;
        assert!(legal[policy.act_in(&env, &mut rng).index()], "{name}");
    }
}
