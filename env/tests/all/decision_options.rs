//! Requests one by one, refusals that last, and loads ahead of requests: told with requests that a person can follow.

use crate::toy::{A, B, C, accuracy, act, legal, toy, train};
use approx::assert_relative_eq;
use thoughtcache_env::gym::api::{End, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed};

const ONE_BY_ONE: (&str, &str) = ("decision.granularity", "request");
const HOLD: (&str, &str) = ("decision.hold", "true");
const PREFETCH: (&str, &str) = ("decision.prefetch", "true");

fn entry(env: &DecisionEnv, name: &str) -> Option<f32> {
    let mut row = vec![f32::NAN; env.spec().num_entries()];
    env.encode(&mut row);
    env.spec().entries.iter().position(|entry| entry.name == name).map(|index| row[index])
}

fn pending(env: &DecisionEnv) -> Vec<u32> {
    env.observation().demand.iter().map(|demand| demand.pending_requests).collect()
}

#[test]
fn requests_are_decided_one_by_one_in_the_order_of_their_arrival() {
    let mut env = toy(["aba", "a", "b", "a", "c", "ab", "a", "b", "a", "c"], &[ONE_BY_ONE]);
    env.reset(train());
    assert_eq!(
        (env.observation().service, env.observation().num_requests, pending(&env)),
        (A, 1, vec![2, 1, 0])
    );
    assert_eq!(env.observation().demand[0].request_rate, 0.2, "two requests of the slot weigh a tenth");
    // A load of 4 GB at 2 per GB, access 1, age 100 after the first request.
    let step = act(&mut env, "edge");
    assert_eq!((step.slots_elapsed, step.end, step.info.counters.requests), (0, End::No, 1));
    assert_relative_eq!(step.reward, -(8.0 + 1.0 + accuracy(100.0)), max_relative = 1e-12);
    assert_eq!((env.observation().service, pending(&env)), (B, vec![1, 1, 0]));
    assert_eq!(act(&mut env, "cloud").reward, -10.0);
    // The second request for a is a hit, and meets the thoughts of the first.
    assert_eq!((env.observation().service, pending(&env)), (A, vec![1, 0, 0]));
    let step = act(&mut env, "edge");
    assert_relative_eq!(step.reward, -(1.0 + accuracy(200.0)), max_relative = 1e-12);
    assert_eq!((step.slots_elapsed, step.info.counters.hits), (1, 1));
    assert_eq!(env.observation().thoughts[0].age_tokens, 150.0, "thoughts fade once a slot");
}

#[test]
fn an_entry_that_has_served_a_request_may_leave_for_the_next() {
    let slots = ["acab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"];
    let mut env = toy(slots, &[ONE_BY_ONE]);
    env.reset(train());
    act(&mut env, "edge");
    assert!(!env.observation().residency[0].is_protected);
    assert_eq!(legal(&env), ["edge", "cloud", "edge evict 0"]);
    assert_eq!(act(&mut env, "edge evict 0").info.counters.evictions, 1);
    assert!(!env.observation().residency[0].is_resident);
    // With all requests of a service at once, a stays until the slot ends.
    let mut env = toy(slots, &[]);
    env.reset(train());
    act(&mut env, "edge");
    assert_eq!((env.observation().service, legal(&env)), (C, vec!["cloud"]));
}

#[test]
fn a_refusal_lasts_until_the_slot_ends_and_forbids_nothing_but_the_load() {
    let mut env = toy(["abaa", "ab", "b", "a", "c", "a", "a", "b", "a", "c"], &[ONE_BY_ONE, HOLD]);
    env.reset(train());
    assert_eq!((entry(&env, "service.0.held"), entry(&env, "batch.held")), (Some(0.0), Some(0.0)));
    act(&mut env, "cloud");
    assert_eq!(legal(&env), ["edge", "cloud"], "b was not refused");
    assert_eq!((entry(&env, "service.0.held"), entry(&env, "batch.held")), (Some(1.0), Some(0.0)));
    act(&mut env, "edge");
    for _ in 0..2 {
        assert_eq!((env.observation().service, legal(&env)), (A, vec!["cloud"]));
        assert_eq!(entry(&env, "batch.held"), Some(1.0));
        act(&mut env, "cloud");
    }
    // A new slot: a may be loaded. b goes to the cloud although it is resident: that holds nothing.
    assert_eq!((env.observation().service, legal(&env)), (A, vec!["edge", "cloud"]));
    act(&mut env, "edge");
    act(&mut env, "cloud");
    assert_eq!(env.observation().held, [false, false, false]);
}

#[test]
fn an_entry_that_left_for_its_window_may_come_back_unless_it_was_refused() {
    // Window of a: 450 tokens. The fifth request finds 400, makes 500, and ends the stay; nothing was refused before.
    let slots = ["aaaaaaab", "a", "b", "a", "c", "a", "a", "b", "a", "c"];
    let mut env = toy(slots, &[ONE_BY_ONE, HOLD]);
    env.reset(train());
    for _ in 0..4 {
        act(&mut env, "edge");
    }
    assert_eq!(act(&mut env, "edge").info.counters.refreshes, 1);
    assert_eq!((env.observation().service, legal(&env)), (A, vec!["edge", "cloud"]));
    act(&mut env, "cloud");
    assert_eq!((env.observation().service, legal(&env)), (A, vec!["cloud"]));
}

#[test]
fn entries_of_an_option_are_there_only_with_the_option() {
    let slots = ["aab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"];
    let plain = toy(slots, &[]);
    let added = |overrides: &[(&str, &str)]| -> Vec<String> {
        let env = toy(slots, overrides);
        let (base, options) = env.spec().entries.split_at(plain.spec().num_entries());
        assert_eq!(plain.spec().entries, base, "the entries of every scenario keep their places");
        options.iter().map(|entry| entry.name.clone()).collect()
    };
    let held = ["service.0.held", "service.1.held", "service.2.held", "batch.held"];
    assert!(added(&[ONE_BY_ONE]).is_empty());
    assert_eq!(added(&[ONE_BY_ONE, HOLD]), held);
    assert_eq!(added(&[PREFETCH]), ["batch.is_prefetch"]);
    assert_eq!(added(&[ONE_BY_ONE, HOLD, PREFETCH])[..4], held);
    assert_eq!(added(&[ONE_BY_ONE, HOLD, PREFETCH])[4..], ["batch.is_prefetch"]);
    let (plain, ahead) = (&plain.spec().actions, toy(slots, &[PREFETCH]).spec().actions.clone());
    assert_eq!(*plain, ahead[..plain.len()]);
    assert_eq!(ahead[plain.len()..], ["pass", "load.0", "load.1", "load.2"]);
}

#[test]
fn a_service_that_was_loaded_ahead_is_a_hit() {
    let mut env = toy(["aab", "c", "a", "b", "a", "b", "a", "b", "a", "c"], &[PREFETCH]);
    env.reset(train());
    // The requests of the slot have arrived; what to load is asked before any of them is decided.
    assert!(env.observation().is_prefetch && !env.observation().is_hit());
    assert_eq!((env.observation().num_requests, pending(&env)), (0, vec![2, 1, 0]));
    assert_eq!(legal(&env), ["pass", "load.0", "load.1", "load.2"]);
    for (name, expected) in [("batch.is_prefetch", 1.0), ("batch.service.0", 0.0), ("batch.load", 0.0)] {
        assert_eq!(entry(&env, name), Some(expected), "{name}");
    }
    // 4 GB at 2 per GB, and nothing is served.
    let step = act(&mut env, "load.0");
    assert_eq!((step.reward, step.slots_elapsed, step.end), (-8.0, 0, End::No));
    assert_eq!((step.info.cost.switching, step.info.counters.loads), (8.0, 1));
    assert_eq!((step.info.counters.requests, step.info.counters.loaded_bytes), (0, 4_000_000_000));
    assert_eq!((env.observation().service, env.observation().free_bytes), (A, 6_000_000_000));
    assert_eq!(legal(&env), ["edge", "cloud"], "one load a slot");
    assert_eq!((entry(&env, "batch.is_prefetch"), entry(&env, "batch.service.0")), (Some(0.0), Some(1.0)));
    let step = act(&mut env, "edge");
    assert_eq!((step.info.counters.hits, step.info.cost.switching), (2, 0.0));
    assert_relative_eq!(step.reward, -2.0 * (1.0 + accuracy(200.0)), max_relative = 1e-12);
    assert_eq!(act(&mut env, "cloud").slots_elapsed, 1);
    // Slot 1: a is in memory already. Nothing is loaded, nothing is paid.
    assert_eq!(legal(&env), ["pass", "load.1", "load.2"]);
    let step = act(&mut env, "pass");
    assert_eq!((step.reward, step.slots_elapsed, step.info.counters.requests), (0.0, 0, 0));
    assert_eq!(env.observation().service, C);
}

#[test]
fn a_load_ahead_asks_for_its_victims_and_nothing_leaves_before_the_last_choice() {
    let mut env = toy(["aaab", "c", "a", "b", "a", "b", "a", "b", "a", "c"], &[PREFETCH]);
    env.reset(train());
    for name in ["pass", "edge", "edge"] {
        act(&mut env, name);
    }
    // c needs all 10 GB.
    assert_eq!((legal(&env), env.observation().missing_bytes), (vec!["pass", "load.2"], 0));
    let step = act(&mut env, "load.2");
    assert_eq!((step.reward, step.slots_elapsed, step.info.counters.loads), (0.0, 0, 0));
    assert_eq!((env.observation().service, env.observation().fixed_placement), (C, Some(Placement::Edge)));
    assert_eq!(env.observation().missing_bytes, 10_000_000_000);
    assert_eq!(legal(&env), ["edge", "edge evict 0", "edge evict 1"]);
    for (name, expected) in [
        ("batch.is_prefetch", 1.0),
        ("batch.is_fixed", 1.0),
        ("batch.missing", 1.0),
        ("batch.service.2", 1.0),
        ("batch.load", 1.0),
        ("batch.requests", 0.0),
    ] {
        assert_eq!(entry(&env, name), Some(expected), "{name}");
    }
    let step = act(&mut env, "edge evict 1");
    assert_eq!((step.reward, step.slots_elapsed, env.observation().missing_bytes), (0.0, 0, 4_000_000_000));
    assert_eq!(legal(&env), ["edge", "edge evict 0"]);
    assert!(env.observation().residency[1].is_resident, "nothing is evicted yet");
    // The rest by least age of thought is a alone.
    let step = act(&mut env, "edge");
    assert_eq!((step.reward, step.info.counters.evictions, step.info.counters.loads), (-20.0, 2, 1));
    assert_eq!((step.slots_elapsed, env.observation().is_prefetch), (0, false));
    let resident: Vec<bool> = env.observation().residency.iter().map(|r| r.is_resident).collect();
    assert_eq!(resident, [false, false, true]);
    assert_eq!(act(&mut env, "edge").info.counters.hits, 1);
}

#[test]
fn an_entry_that_was_loaded_ahead_has_no_thoughts_and_is_not_protected() {
    let mut env = toy(["bbca", "a", "a", "a", "a", "b", "a", "b", "a", "c"], &[PREFETCH]);
    env.reset(train());
    act(&mut env, "load.0");
    assert_eq!(env.observation().thoughts[0].context_tokens, 0.0);
    assert!(!env.observation().residency[0].is_protected);
    act(&mut env, "edge");
    // b has served, a has not: a may leave, but c needs more than that.
    assert_eq!((env.observation().service, legal(&env)), (C, vec!["cloud"]));
    act(&mut env, "cloud");
    act(&mut env, "cloud");
    assert_eq!(legal(&env), ["pass", "load.2"], "a new slot");
    act(&mut env, "load.2");
    assert_eq!(act(&mut env, "edge").info.counters.evictions, 2);
}

#[test]
fn with_prefetch_every_slot_has_a_decision() {
    let mut env = toy(["aab", "", "", "", "", "c", "a", "b", "a", "c"], &[PREFETCH]);
    env.reset(train());
    let decisions =
        [("pass", 0), ("cloud", 0), ("cloud", 1), ("pass", 1), ("pass", 1), ("pass", 1), ("pass", 1)];
    for (name, slots) in decisions {
        let step = act(&mut env, name);
        assert_eq!((step.slots_elapsed, step.end), (slots, End::No));
    }
    assert_eq!((act(&mut env, "pass").slots_elapsed, env.observation().service), (0, C));
    let step = act(&mut env, "cloud");
    assert_eq!((step.slots_elapsed, step.end), (1, End::Truncated));
    // The last observation: the prefetch decision of slot 6, which is slot 0 again; nothing of it is executed.
    assert!(env.observation().is_prefetch);
    assert_eq!(pending(&env), [2, 1, 0]);
    assert_eq!(legal(&env), ["pass", "load.0", "load.1", "load.2"]);
}

#[test]
fn an_episode_without_a_request_is_no_forced_step_where_something_can_be_loaded() {
    // Validation plays slots 6 and 7, one slot at a time; slot 6 is empty.
    let overrides = [PREFETCH, ("horizon_slots", "1")];
    let mut env = toy(["aab", "c", "a", "b", "", "", "", "b", "a", "c"], &overrides);
    let seeds = (0..100).map(|episode| Seed::new(Purpose::Validate, 0).with_episode(episode));
    let empty = seeds.into_iter().find(|&seed| {
        env.reset(seed);
        pending(&env) == [0, 0, 0]
    });
    env.reset(empty.expect("half of the episodes begin in the empty slot"));
    assert_eq!(legal(&env), ["pass", "load.0", "load.1", "load.2"]);
    let step = act(&mut env, "load.1");
    assert_eq!((step.end, step.slots_elapsed, step.reward), (End::Truncated, 1, -12.0));
    assert_eq!((env.observation().is_prefetch, pending(&env)), (true, vec![0, 1, 0]));
}
