//! Thoughts that vary, the compute that is left, and the memory of whom an entry has served: `tight-aot` against an account that
//! keeps a log.

use approx::assert_relative_eq;
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::workload::trace::Trace;

fn world(changes: &[(&str, &str)]) -> DecisionEnv {
    let changes: Vec<Override> =
        changes.iter().map(|(key, value)| Override { key: (*key).into(), value: (*value).into() }).collect();
    let text = shipped::text("tight-aot").unwrap();
    let none = |path: &str| Err::<Trace, _>(path.to_owned());
    DecisionEnv::new(Arc::new(Scenario::load("tight-aot", text, &changes, none).unwrap().1))
}

fn row(env: &DecisionEnv) -> Vec<f32> {
    let mut row = vec![f32::NAN; env.spec().num_entries()];
    env.encode(&mut row);
    row
}

fn entry(env: &DecisionEnv, name: &str) -> f32 {
    row(env)[env.spec().entries.iter().position(|entry| entry.name == name).unwrap()]
}

fn has_entry(env: &DecisionEnv, name: &str) -> bool {
    env.spec().entries.iter().any(|entry| entry.name == name)
}

/// What a log of services at the edge says: by service and user, the slot of the last one and the tokens that are fresh.
type Log = BTreeMap<(usize, u32), (u64, f64, f64)>;

fn check_rows(env: &DecisionEnv, log: &Log, spent_tokens: f64, slot: u64) {
    let within = |slots: u64| log.values().filter(|(last, ..)| slot - last <= slots).count() as f32;
    for slots in [1, 2, 4, 8, 16] {
        let count = within(slots);
        assert_eq!(entry(env, &format!("users.{slots}.within")), count / (count + 4.0));
    }
    let fresh = log.values().filter(|(.., age)| *age > 0.0).count() as f32;
    assert_eq!(entry(env, "users.fresh"), fresh / (fresh + 4.0));
    let [visit] = env.world().visits() else { panic!("one request a decision") };
    let known = log.get(&(env.observation().service.index(), visit.user.0));
    let since = known.map_or(0.0, |(last, ..)| 1.0 / (1.0 + (slot - last) as f32));
    assert_eq!(entry(env, "user.since"), since);
    assert_relative_eq!(
        env.observation().mean_thought.age_tokens,
        known.map_or(0.0, |(.., age)| *age),
        max_relative = 1e-9,
        epsilon = 1e-6
    );
    let left = 1.0 - spent_tokens * 2.0 * 174e9 / 350e12;
    assert_relative_eq!(entry(env, "cell.compute"), left as f32, max_relative = 1e-5, epsilon = 1e-6);
    let length = env.world().thought_length() as f32;
    assert_relative_eq!(entry(env, "batch.thought"), length / (length + 1.0), max_relative = 1e-6);
}

#[test]
fn rows_contexts_and_the_budget_are_those_of_a_log_of_what_was_served() {
    let mut env = world(&[]);
    let (mut exhausted, mut evicted, mut refused) = (0, 0, 0);
    for episode in 0..4 {
        let seed = Seed::new(Purpose::Test, 5).with_episode(episode);
        let mut rng = seed.stream(Stream::Policy);
        env.reset(seed);
        let (mut log, mut spent_tokens) = (Log::new(), 0.0);
        loop {
            let slot = env.world().slot();
            check_rows(&env, &log, spent_tokens, slot);
            let (service, user) = (env.observation().service.index(), env.world().visits()[0].user.0);
            let tokens = 200.0 * env.world().thought_length();
            let is_hit = env.observation().is_hit();
            let edge = env.observation().place(Placement::Edge);
            let exceeds = (spent_tokens + tokens) * 2.0 * 174e9 > 350e12;
            assert!(!exceeds || edge.is_none(), "the budget holds");
            assert!(exceeds || !is_hit || edge.is_some(), "what is there and within the budget is served");
            refused += u32::from(exceeds);
            // A load makes the other model leave, so that most of them are refused.
            let wants = if is_hit { rng.random_bool(0.7) } else { rng.random_bool(0.05) };
            let edge = edge.filter(|_| wants || env.observation().residency.iter().all(|r| !r.is_resident));
            let cloud = env.observation().place(Placement::Cloud).unwrap();
            let step = env.step(&edge.unwrap_or(cloud)).unwrap();
            if edge.is_some() {
                if !is_hit {
                    evicted += u32::from(!log.is_empty());
                    log.clear();
                }
                let (last, context, age) = log.entry((service, user)).or_insert((slot, 0.0, 0.0));
                *last = slot;
                (*context, *age) = (*context + tokens, *age + tokens);
                // P1 eq. 20 with beta one half: one bit of each fresh token.
                let unit = 0.5 / (age.min(8000.0) * std::f64::consts::LN_2);
                assert_relative_eq!(step.info.cost.accuracy, 2.5 * unit, max_relative = 1e-9);
                if *context > 8000.0 {
                    exhausted += 1;
                    (*context, *age) = (0.0, 0.0);
                }
                spent_tokens += tokens;
            }
            for _ in 0..step.slots_elapsed {
                for (.., age) in log.values_mut() {
                    *age = (*age - 120.0).max(0.0);
                }
                spent_tokens = 0.0;
            }
            if step.end.is_end() {
                break;
            }
        }
    }
    assert!(exhausted > 5 && evicted > 10 && refused > 500, "{exhausted} {evicted} {refused}");
}

/// Plays an episode at the edge where the mask allows it and `wants` does: all rows, rewards, and the requests' fingerprint.
fn play(env: &mut DecisionEnv, seed: Seed, wants: impl Fn(usize) -> bool) -> (Vec<Vec<f32>>, Vec<f64>, u64) {
    env.reset(seed);
    let (mut rows, mut rewards) = (vec![row(env)], Vec::new());
    loop {
        let edge = env.observation().place(Placement::Edge).filter(|_| wants(rows.len()));
        let action = edge.unwrap_or_else(|| env.observation().place(Placement::Cloud).unwrap());
        let step = env.step(&action).unwrap();
        rewards.push(step.reward);
        rows.push(row(env));
        if step.end.is_end() {
            return (rows, rewards, env.world().exogenous_fingerprint());
        }
    }
}

#[test]
fn no_variation_is_what_it_is_without_the_key_and_has_no_entry() {
    let seed = Seed::new(Purpose::Test, 1);
    let text = shipped::text("tight-aot").unwrap().replace("cv = 1.0\n", "");
    let none = |path: &str| Err::<Trace, _>(path.to_owned());
    let absent = Arc::new(Scenario::load("tight-aot", &text, &[], none).unwrap().1);
    let without = play(&mut DecisionEnv::new(absent), seed, |_| true);
    let mut zero = world(&[("thought.cv", "0")]);
    assert_eq!(without, play(&mut zero, seed, |_| true));
    let mut varied = world(&[]);
    assert_ne!(without.1, play(&mut varied, seed, |_| true).1);
    assert!(has_entry(&varied, "batch.thought") && !has_entry(&zero, "batch.thought"));
}

#[test]
fn lengths_depend_on_no_decision() {
    let mut env = world(&[]);
    let seed = Seed::new(Purpose::Test, 2);
    let fingerprints = [play(&mut env, seed, |_| true).2, play(&mut env, seed, |at| at % 3 == 0).2];
    assert_eq!(fingerprints[0], fingerprints[1]);
    let other = play(&mut world(&[("thought.cv", "0.5")]), seed, |_| true).2;
    assert_ne!(fingerprints[0], other, "lengths are part of what is drawn");
}

/// Lengths of the next requests, all served elsewhere, with their slots.
fn lengths(env: &mut DecisionEnv, count: usize) -> Vec<(u64, f64)> {
    let mut next = || {
        let seen = (env.world().slot(), env.world().thought_length());
        let cloud = env.observation().place(Placement::Cloud).unwrap();
        env.step(&cloud).unwrap();
        seen
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn a_snapshot_keeps_lengths_and_memory_and_another_future_only_what_is_seen() {
    let mut env = world(&[]);
    env.reset(Seed::new(Purpose::Test, 3));
    for _ in 0..60 {
        let edge = env.observation().place(Placement::Edge);
        let action = edge.unwrap_or_else(|| env.observation().place(Placement::Cloud).unwrap());
        env.step(&action).unwrap();
    }
    let (snapshot, shown) = (env.snapshot(), row(&env));
    let expected = lengths(&mut env, 40);
    let mut other = world(&[]);
    other.restore(&snapshot).unwrap();
    assert_eq!(row(&other), shown);
    assert_eq!(lengths(&mut other, 40), expected);
    other.restore(&snapshot).unwrap();
    other.reseed_future(Seed::new(Purpose::Test, 9));
    let drawn_anew = lengths(&mut other, 40);
    // The row has told the pending request's length, and no later one.
    assert_eq!(drawn_anew[0], expected[0]);
    assert_eq!(drawn_anew[1].0, expected[0].0, "the next request is of the same slot");
    assert!((1..40).all(|at| drawn_anew[at].1 != expected[at].1));
}

#[test]
fn entries_come_with_what_they_are_about() {
    let [compute, user, thought] = ["cell.compute", "user.since", "batch.thought"];
    let shared = world(&[("context", "{ scope = \"service\" }"), ("thought.cv", "0")]);
    assert!(has_entry(&shared, compute) && !has_entry(&shared, user) && !has_entry(&shared, thought));
    let street = DecisionEnv::new(Arc::new(Scenario::shipped("street")));
    assert!([compute, user, thought].iter().all(|name| !has_entry(&street, name)));
}
