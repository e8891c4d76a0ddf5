//! Requests one by one, refusals that last, and loads ahead of requests: told with requests that a person can follow.
#![allow(clippy::unwrap_used, reason = "a test may stop where its premise fails")]

mod toy;

use approx::assert_relative_eq;
use thoughtcache_env::gym::api::{End, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use toy::{A, B, C, accuracy, act, legal, toy, train};

const ONE_BY_ONE: (&str, &str) = ("decision.granularity", "request");
const HOLD: (&str, &str) = ("decision.hold", "true");

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
    let held = toy(slots, &[ONE_BY_ONE, HOLD]);
    let (plain, held) = (&plain.spec().entries, &held.spec().entries);
    assert_eq!(*plain, held[..plain.len()], "the entries of every scenario keep their places");
    let added: Vec<&str> = held[plain.len()..].iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(added, ["service.0.held", "service.1.held", "service.2.held", "batch.held"]);
}
