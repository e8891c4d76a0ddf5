//! The decision environment told with requests that a person can follow: every number here can be computed by hand.

use crate::toy::{A, B, C, accuracy, act, legal, toy, train};
use approx::assert_relative_eq;
use thoughtcache_env::gym::api::{ActionId, End, Env};
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed};

#[test]
fn costs_thoughts_and_time_are_what_one_computes_by_hand() {
    let mut env = toy(["aab", "a", "", "", "c", "aab", "a", "b", "a", "c"], &[]);
    env.reset(train());
    // Slot 0: two requests for a. A load of 4 GB at 2 per GB, access 1 each, age 200 after the batch.
    assert_eq!((env.observation().service, env.observation().num_requests), (A, 2));
    let step = act(&mut env, "edge");
    assert_eq!((step.slots_elapsed, step.end), (0, End::No));
    assert_eq!(
        (step.info.cost.switching, step.info.cost.transmission, step.info.cost.cloud),
        (8.0, 2.0, 0.0)
    );
    assert_relative_eq!(step.info.cost.accuracy, 2.0 * accuracy(200.0), max_relative = 1e-12);
    assert_relative_eq!(step.reward, -step.info.cost.total(), max_relative = 1e-12);
    assert_eq!((step.info.counters.hits, step.info.counters.loads), (0, 1));
    // b goes to the cloud: 10 a request, nothing else; that ends the slot.
    let step = act(&mut env, "cloud");
    assert_eq!((step.info.cost.cloud, step.info.cost.total(), step.slots_elapsed), (10.0, 10.0, 1));
    // Slot 1: a is a hit. 200 faded to 150, plus 100.
    assert_eq!(env.observation().thoughts[0].age_tokens, 150.0);
    assert_eq!(env.observation().thoughts[0].context_tokens, 200.0);
    let step = act(&mut env, "edge");
    assert_eq!((step.info.counters.hits, step.info.cost.switching), (1, 0.0));
    assert_relative_eq!(step.info.cost.accuracy, accuracy(250.0), max_relative = 1e-12);
    // Slots 2 and 3 are empty: three slots pass, 250 fade by 150.
    assert_eq!(step.slots_elapsed, 3);
    assert_eq!(env.observation().service, C);
    assert_eq!(env.observation().thoughts[0].age_tokens, 100.0);
}

#[test]
fn an_exhausted_window_refreshes_the_entry_and_a_full_one_does_not() {
    // Window of a: 450 tokens. Two requests a slot: 200, 400, 600.
    let mut env = toy(["aa", "aa", "aa", "b", "b", "c", "a", "b", "a", "c"], &[]);
    env.reset(train());
    act(&mut env, "edge");
    act(&mut env, "edge");
    assert!(env.observation().residency[0].is_resident, "400 of 450 tokens");
    let step = act(&mut env, "edge");
    assert_eq!(step.info.counters.refreshes, 1);
    assert_eq!(step.info.counters.hits, 2, "it served before it left");
    assert!(!env.observation().residency[0].is_resident);
    assert_eq!(env.observation().free_bytes, 10_000_000_000);
    assert_eq!(env.observation().thoughts[0].age_tokens, 0.0);
}

#[test]
fn one_batch_may_ask_for_several_victims_and_nothing_leaves_before_the_last_choice() {
    let mut env = toy(["aaab", "c", "a", "b", "a", "b", "a", "b", "a", "c"], &[]);
    env.reset(train());
    assert_eq!(legal(&env), ["edge", "cloud"], "no victim while there is room");
    act(&mut env, "edge");
    act(&mut env, "edge");
    // c needs all 10 GB: b frees 6, a frees 4.
    assert_eq!(legal(&env), ["edge", "cloud", "edge evict 0", "edge evict 1"]);
    assert_eq!(env.observation().missing_bytes, 10_000_000_000);
    let step = act(&mut env, "edge evict 1");
    assert_eq!((step.reward, step.slots_elapsed, step.info.counters.requests), (0.0, 0, 0));
    assert_eq!(env.observation().fixed_placement, Some(Placement::Edge));
    assert_eq!(env.observation().missing_bytes, 4_000_000_000);
    assert!(env.observation().residency[1].is_resident, "nothing is evicted yet");
    assert_eq!(legal(&env), ["edge", "edge evict 0"], "the placement is fixed, b cannot be chosen twice");
    let step = act(&mut env, "edge evict 0");
    assert_eq!((step.info.counters.evictions, step.info.counters.loads), (2, 1));
    let resident: Vec<bool> = env.observation().residency.iter().map(|r| r.is_resident).collect();
    assert_eq!(resident, [false, false, true]);
    assert_eq!(env.observation().fixed_placement, None);
}

#[test]
fn the_rest_of_the_victims_goes_by_least_age_of_thought() {
    // a: 300 tokens, b: 100 tokens in slot 0; c needs both, in slot 1 only b may be chosen by age for 6 GB.
    let requests = ["aaab", "c", "a", "b", "a", "b", "a", "b", "a", "c"];
    let mut env = toy(requests, &[("models.2.memory_gb", "5")]);
    env.reset(train());
    act(&mut env, "edge");
    act(&mut env, "edge");
    act(&mut env, "edge");
    let resident: Vec<bool> = env.observation().residency.iter().map(|r| r.is_resident).collect();
    assert_eq!(resident, [true, false, true], "b had the least age of thought");
}

#[test]
fn entries_served_in_this_slot_are_protected() {
    let mut env = toy(["abc", "a", "b", "a", "a", "b", "a", "b", "a", "c"], &[]);
    env.reset(train());
    act(&mut env, "edge");
    act(&mut env, "edge");
    assert_eq!(env.observation().service, C);
    assert_eq!(legal(&env), ["cloud"], "a and b have served in this slot, c does not fit beside them");
    let refusal = env.step(&ActionId(0)).unwrap_err().to_string();
    assert_eq!(refusal, "action 0 (edge) is illegal here; the mask allows 1");
    assert_eq!(act(&mut env, "cloud").info.cost.cloud, 10.0, "a refused action changes nothing");
}

#[test]
fn the_horizon_truncates_and_the_last_observation_is_the_next_pending_decision() {
    let mut env = toy(["aab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"], &[]);
    env.reset(train());
    let mut total_slots = 0;
    let last = loop {
        let step = act(&mut env, "cloud");
        total_slots += step.slots_elapsed;
        if step.end.is_end() {
            break step;
        }
    };
    assert_eq!((last.end, total_slots), (End::Truncated, 6));
    // The recording is a loop over its training part: slot 6 is slot 0 again, and nothing of it is executed.
    assert_eq!((env.observation().service, env.observation().num_requests), (A, 2));
    assert_eq!(legal(&env), ["edge", "cloud"]);
    assert_eq!(
        env.step(&ActionId(1)).unwrap_err().to_string(),
        "step without a running episode; call reset first"
    );
}

#[test]
fn empty_slots_at_the_horizon_are_passed_over() {
    let mut env = toy(["aab", "c", "", "", "", "", "a", "b", "a", "c"], &[]);
    env.reset(train());
    act(&mut env, "cloud");
    act(&mut env, "cloud");
    let step = act(&mut env, "cloud");
    assert_eq!((step.end, step.slots_elapsed), (End::Truncated, 5), "slots 1 to 5; slot 6 is slot 0 again");
    assert_eq!(env.observation().service, A);
}

#[test]
fn an_episode_without_a_request_has_one_forced_step() {
    // Validation plays slots 6 and 7, one slot at a time: its first slot is empty for some episodes.
    let mut env = toy(["aab", "c", "a", "b", "", "", "", "b", "a", "c"], &[("horizon_slots", "1")]);
    let forced =
        (0..100).map(|episode| Seed::new(Purpose::Validate, 0).with_episode(episode)).find(|&seed| {
            env.reset(seed);
            env.world().slot() > 0
        });
    env.reset(forced.expect("half of the episodes begin in the empty slot"));
    assert_eq!(legal(&env), ["cloud"]);
    let step = act(&mut env, "cloud");
    assert_eq!((step.end, step.slots_elapsed, step.reward), (End::Truncated, 1, 0.0));
    assert_eq!(step.info.counters.requests, 0, "nothing is executed");
    assert_eq!(env.observation().service, B);
    assert_eq!(legal(&env), ["edge", "cloud"], "the final observation is a plain decision");
}

#[test]
fn the_compute_budget_masks_the_edge() {
    let overrides = [
        ("cell.compute_budget_tflop_per_slot", "50"),
        ("models.0.active_parameters_b", "100"),
        ("models.1.active_parameters_b", "100"),
        ("models.2.active_parameters_b", "100"),
    ];
    // 2 * 100e9 * 100 tokens = 20 TFLOP a request: two requests fit a slot, a third does not.
    let mut env = toy(["aab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"], &overrides);
    env.reset(train());
    act(&mut env, "edge");
    assert_eq!(legal(&env), ["cloud"]);
    act(&mut env, "cloud");
    assert_eq!(legal(&env), ["edge", "cloud"], "a new slot, a new budget");
}

#[test]
fn rows_say_what_the_fields_say() {
    let mut env = toy(["aaab", "c", "a", "b", "a", "b", "a", "b", "a", "c"], &[]);
    env.reset(train());
    act(&mut env, "edge");
    act(&mut env, "cloud");
    let mut row = vec![f32::NAN; env.spec().num_entries()];
    env.encode(&mut row);
    let entry = |name: &str| row[env.spec().entries.iter().position(|entry| entry.name == name).unwrap()];
    assert_eq!(entry("service.0.resident"), 1.0);
    assert_eq!(entry("service.0.protected"), 0.0);
    assert_relative_eq!(entry("service.0.age"), 250.0 / 450.0, max_relative = 1e-6);
    assert_relative_eq!(entry("service.0.context"), 300.0 / 450.0, max_relative = 1e-6);
    assert_relative_eq!(entry("service.0.rate"), 0.27 / 1.27, max_relative = 1e-6);
    assert_eq!(entry("service.0.recency"), 0.5);
    assert_eq!(entry("service.0.load"), 0.0);
    assert_relative_eq!(entry("service.1.load"), 0.6, max_relative = 1e-6);
    assert_relative_eq!(entry("service.2.pending"), 0.2, max_relative = 1e-6);
    assert_eq!((entry("batch.service.2"), entry("batch.service.0")), (1.0, 0.0));
    assert_relative_eq!(entry("batch.requests"), 0.2, max_relative = 1e-6);
    assert_relative_eq!(entry("batch.new_tokens"), 0.1, max_relative = 1e-6);
    assert_relative_eq!(entry("batch.missing"), 0.4, max_relative = 1e-6);
    assert_relative_eq!(entry("batch.load"), 1.0, max_relative = 1e-6);
    assert_relative_eq!(entry("cell.free"), 0.6, max_relative = 1e-6);
}

#[test]
fn recorded_load_times_can_price_a_load() {
    let overrides = [("cost.switching.per_load_second.weight", "7")];
    let mut env = toy(["aab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"], &overrides);
    env.reset(train());
    assert_eq!(act(&mut env, "edge").info.cost.switching, 14.0, "a takes 2 seconds");
    assert_eq!(act(&mut env, "edge").info.cost.switching, 21.0, "b takes 3 seconds");
}

#[test]
fn the_logarithmic_law_prices_the_context_before_the_batch() {
    // One thought is 100 tokens: A = .5 + .1 log2(1 + kappa / 100), at most .9.
    let overrides = [
        ("quality.logarithmic", "{ base = 0.5, gain = 0.1, exponent = 1.0, max_accuracy = 0.9 }"),
        ("services", "[{ model = \"a\" }, { model = \"b\" }, { model = \"c\" }]"),
    ];
    let mut env = toy(["aaab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"], &overrides);
    env.reset(train());
    let step = act(&mut env, "edge");
    assert_relative_eq!(step.info.cost.accuracy, 3.0 * 1000.0 * 0.5, max_relative = 1e-12);
    act(&mut env, "cloud");
    // 300 tokens faded to 250: log2(3.5) doublings.
    let expected = 1000.0 * (0.5 - 0.1 * 3.5_f64.log2());
    assert_relative_eq!(act(&mut env, "edge").info.cost.accuracy, expected, max_relative = 1e-12);
}

#[test]
fn training_begins_anywhere_in_its_part_and_the_test_part_is_one_run() {
    // Slots 0 to 5 train, 6 and 7 validate, 8 and 9 test; slot t brings t + 1 requests for a.
    let slots = ["aaaab", "aaaaa", "aaaaaa", "aaaaaaab", "aaaaaaaa", "aaaaaaaaac", "a", "b", "aaa", "aab"];
    let mut env = toy(slots, &[("horizon_slots", "2")]);
    let begins: std::collections::BTreeSet<u32> = (0..200)
        .map(|episode| {
            env.reset(train().with_episode(episode));
            env.observation().num_requests
        })
        .collect();
    // An episode of two slots fits at offsets 0 to 4 of the training part, and nowhere else.
    assert_eq!(begins.into_iter().collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    for episode in 0..3 {
        env.reset(Seed::new(Purpose::Test, 9).with_episode(episode));
        assert_eq!((env.observation().num_requests, env.world().horizon_slots()), (3, 2));
    }
}

#[test]
fn recorded_requests_do_not_depend_on_decisions() {
    let play = |name: &str| {
        let mut env = toy(["aab", "a", "b", "a", "c", "ab", "a", "b", "a", "c"], &[]);
        env.reset(train());
        while !act(&mut env, name).end.is_end() {}
        env.world().exogenous_fingerprint()
    };
    assert_eq!(play("cloud"), play("edge"));
}
