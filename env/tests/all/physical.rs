//! What a person would tell of the physical world, case by case, with the numbers.

use crate::plain::{MODEL_OF, SENSOR_BITS, WEIGHT_GB, plain};
use approx::{assert_abs_diff_eq, assert_relative_eq};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env, Step};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::Stage;
use thoughtcache_env::placement::request::RequestFacts;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::units::{CellId, ServiceId};
use thoughtcache_env::world::Pending;

/// Plays on, always in this placement, until `is_found`.
fn until(
    env: &mut DecisionEnv,
    placement: Placement,
    is_found: impl Fn(&DecisionEnv) -> bool,
) -> RequestFacts {
    while !is_found(env) {
        let action = env.observation().place(placement).unwrap();
        assert!(!env.step(&action).unwrap().end.is_end(), "it comes within an episode");
    }
    env.world().facts().unwrap()
}

fn asks(env: &DecisionEnv, service: u32) -> bool {
    env.observation().service == ServiceId(service)
}

fn serve(env: &mut DecisionEnv, placement: Placement) -> Step {
    let action = env.observation().place(placement).unwrap();
    env.step(&action).unwrap()
}

#[test]
fn the_first_request_of_the_guide_at_the_edge_in_numbers() {
    let mut env = DecisionEnv::new(plain(&[("physical.users", "1")]));
    env.reset(Seed::new(Purpose::Train, 1));
    let facts = until(&mut env, Placement::Device, |env| asks(env, 0));
    assert_eq!((facts.link.uplink_bps, facts.link.time_share), (1e7, 1.0));
    let cost = serve(&mut env, Placement::Edge).info.cost;
    let bill = env.world().last_bill().unwrap();
    let seconds = |stage| bill.line(stage).seconds;
    // 16.06 GB at 4 GB/s after half a second, 1.0032 Mbit up and 6.4 kbit down at 10 Mbit/s.
    assert_relative_eq!(seconds(Stage::Load), 4.515, max_relative = 1e-12);
    assert_relative_eq!(seconds(Stage::Uplink), 0.100_32, max_relative = 1e-12);
    assert_relative_eq!(seconds(Stage::Downlink), 0.000_64, max_relative = 1e-12);
    assert_eq!(seconds(Stage::Wait), 0.0);
    // 200 tokens, each 3.05 ms and 16.086 GB at 2.345 TB/s: 1.982 s.
    assert_relative_eq!(seconds(Stage::Decode), 1.982, max_relative = 1e-3);
    // 0.777 perceived, 0.5 known without context, 0.6 as no twin is there, 0.8 aligned.
    assert_relative_eq!(bill.quality, 0.777 * 0.5 * 0.6 * 0.8, max_relative = 1e-12);
    // 4.515 s of waiting, 451.5 J, 16.06 GB from the store.
    assert_relative_eq!(cost.switching, 4.515 + 4.515 + 0.3212, max_relative = 1e-12);
    // More than the six seconds of its deadline.
    assert_eq!(cost.deadline, 5.0);
}

#[test]
fn an_episode_of_empty_slots_charges_holding_for_each_of_them_to_the_last_step() {
    let mut env = DecisionEnv::new(plain(&[
        ("physical.users", "1"),
        ("workload.sessions.sessions_per_user_hour", "120"),
        ("horizon_slots", "1000"),
        ("memory.kv", "false"),
    ]));
    env.reset(Seed::new(Purpose::Train, 1));
    until(&mut env, Placement::Device, |env| asks(env, 1));
    let step = serve(&mut env, Placement::Edge);
    let mut most_slots = step.slots_elapsed;
    // 14.484 of 80 GB answer for 70 W, at a hundredth a joule.
    let per_slot = 0.01 * 70.0 * 14.484 / 80.0;
    assert_relative_eq!(
        step.info.cost.holding,
        f64::from(step.slots_elapsed) * per_slot,
        max_relative = 1e-12
    );
    assert_relative_eq!(step.reward, -step.info.cost.total(), max_relative = 1e-12);
    for _ in 0..5 {
        let step = serve(&mut env, Placement::Device);
        let slots = f64::from(step.slots_elapsed);
        assert_relative_eq!(step.info.cost.holding, slots * per_slot, max_relative = 1e-12);
        most_slots = most_slots.max(step.slots_elapsed);
    }
    assert!(most_slots > 10, "{most_slots}");
}

#[test]
fn what_was_evicted_is_nearer_the_next_time_and_what_works_stays() {
    // Room for one model; nothing that loads or works may make room for the other.
    let scenario = plain(&[
        ("cell.memory_gb", "20"),
        ("horizon_slots", "1000"),
        ("memory.kv", "false"),
        ("workload.sessions.sessions_per_user_hour", "200"),
    ]);
    let mut env = DecisionEnv::new(scenario);
    env.reset(Seed::new(Purpose::Train, 2));
    let (mut far, mut near, mut refused) = (0, 0, 0);
    let mut brought = BTreeSet::new();
    loop {
        let facts = env.world().facts().unwrap();
        let own = facts.service.index();
        let cache = &env.world().cell(CellId(0)).cache;
        let is_resident = cache.is_resident(facts.service);
        let others: Vec<usize> = (0..3).filter(|&other| MODEL_OF[other] != MODEL_OF[own]).collect();
        let is_other_pinned = others.iter().any(|&other| cache.residency()[other].is_protected);
        let is_held = env.world().cell(CellId(0)).held[own] && !is_resident;
        let action = env.observation().place(Placement::Edge);
        assert_eq!(action.is_some(), !is_other_pinned && !is_held);
        refused += u32::from(is_other_pinned && !is_held);
        let is_loaded = cache.marginal_bytes(facts.service) > 0;
        let step =
            env.step(&action.unwrap_or_else(|| env.observation().place(Placement::Device).unwrap())).unwrap();
        if action.is_some() && is_loaded {
            let is_near = !brought.insert(MODEL_OF[own]);
            let gb = WEIGHT_GB[MODEL_OF[own]];
            let load_s = 0.5 + gb / if is_near { 20.0 } else { 4.0 };
            let store = if is_near { 0.0 } else { 0.02 * gb };
            assert_relative_eq!(step.info.cost.switching, 2.0 * load_s + store, max_relative = 1e-9);
            *(if is_near { &mut near } else { &mut far }) += 1;
        }
        if step.end.is_end() {
            break;
        }
    }
    assert!(far == 2 && near > 5 && refused > 5, "{far} {near} {refused}");
}

#[test]
fn with_hold_a_refusal_lasts_until_the_slot_ends_and_without_it_does_not() {
    for hold in [true, false] {
        let hold_text = hold.to_string();
        let mut env = DecisionEnv::new(plain(&[("physical.users", "20"), ("decision.hold", &hold_text)]));
        env.reset(Seed::new(Purpose::Train, 1));
        let mut again = 0;
        let mut refused = BTreeSet::new();
        loop {
            let service = env.observation().service;
            if refused.contains(&service) {
                again += 1;
                assert_eq!(env.observation().place(Placement::SplitEdgeFine).is_none(), hold);
            }
            refused.insert(service);
            let step = serve(&mut env, Placement::Cloud);
            if step.slots_elapsed > 0 {
                refused.clear();
            }
            if step.end.is_end() {
                break;
            }
        }
        assert!(again > 50, "{again}");
    }
}

#[test]
fn a_handover_leaves_context_and_twin_behind() {
    let mut env = DecisionEnv::new(plain(&[
        ("cell.count", "2"),
        ("physical.users", "1"),
        ("horizon_slots", "2000"),
        ("physical.radio.area.width_m", "200"),
        ("physical.radio.area.depth_m", "10"),
        ("physical.sites.places.at_m", "[[10, 5], [190, 5]]"),
        ("physical.radio.mobility.gauss_markov.mean_speed_m_per_s", "5"),
        ("physical.radio.mobility.gauss_markov.memory_s", "20"),
        ("thought.vanishing_thoughts_per_slot", "0"),
        ("services.1.model", "\"llama\""),
    ]));
    env.reset(Seed::new(Purpose::Train, 1));
    let mut contexts: BTreeMap<(CellId, ServiceId), f64> = BTreeMap::new();
    let mut twins: BTreeMap<CellId, u64> = BTreeMap::new();
    let (mut last, mut moves, mut empty, mut back) = (None, 0, 0, 0);
    loop {
        let facts = env.world().facts().unwrap();
        let Pending::Batch(batch) = env.world().pending() else { panic!("there is no prefetch") };
        let key = (batch.cell, facts.service);
        let context = contexts.entry(key).or_default();
        assert_eq!(facts.kept_tokens, *context, "the context stays where it grew");
        let age = twins.get(&batch.cell).map(|slot| (env.world().slot() - slot) as u32);
        assert_eq!(facts.twin_age_slots, age);
        if last.is_some_and(|last| last != batch.cell) {
            moves += 1;
            empty += u32::from(facts.kept_tokens == 0.0);
            back += u32::from(facts.kept_tokens > 0.0);
        }
        last = Some(batch.cell);
        *context += 500.0;
        if *context > 8192.0 {
            *context = 0.0;
        }
        twins.insert(batch.cell, env.world().slot());
        if serve(&mut env, Placement::Edge).end.is_end() {
            break;
        }
    }
    assert!(moves > 5 && empty > 0 && back > 0, "{moves} moves, {empty} to nothing, {back} back");
    assert!(env.world().handovers().unwrap() >= moves, "also in slots with several requests");
}

#[test]
fn links_nearer_than_the_path_loss_is_valid_for_are_counted() {
    let area =
        Override { key: "physical.radio.area".into(), value: "{ width_m = 8.0, depth_m = 8.0 }".into() };
    let text = shipped::text("street").unwrap();
    let (_, scenario) = Scenario::load("street", text, &[area], |path| Err(format!("no {path}"))).unwrap();
    let mut env = DecisionEnv::new(Arc::new(scenario));
    env.reset(Seed::new(Purpose::Train, 1));
    let mut looks = BTreeSet::new();
    for _ in 0..100 {
        looks.insert((env.world().slot(), env.world().facts().unwrap().user));
        // Everybody is within 5.7 m of the base station; the standard begins at 10 m.
        assert_eq!(env.world().connection().unwrap().num_clamped, 1);
        serve(&mut env, Placement::Cloud);
    }
    // Those who ask in the slot that is pending are counted, too.
    let counted = env.world().clamped_links().unwrap();
    assert!((100..110).contains(&counted) && counted >= looks.len() as u64, "{counted} of {}", looks.len());
    let mut again = env.clone();
    again.restore(&env.snapshot()).unwrap();
    assert_eq!(again.world().clamped_links(), Some(counted));
    assert!(again.world().connection().is_none(), "where users are connected is drawn with the slot");
    env.reset(Seed::new(Purpose::Train, 2));
    assert!(env.world().clamped_links().unwrap() < 10);
}

#[test]
fn a_load_ahead_is_paid_by_its_step_and_pins_its_entry() {
    let mut env = DecisionEnv::new(plain(&[("decision.prefetch", "true"), ("memory.kv", "false")]));
    env.reset(Seed::new(Purpose::Train, 1));
    let load = env.observation().load(ServiceId(1)).unwrap();
    let step = env.step(&load).unwrap();
    // 14.484 GB: 4.121 s at 100 W, and the store's traffic; nobody has waited yet.
    let load_s = 0.5 + 14.484 / 4.0;
    assert_relative_eq!(
        step.info.cost.switching,
        0.01 * 100.0 * load_s + 0.02 * 14.484,
        max_relative = 1e-12
    );
    for slot in 0..5 {
        assert!(env.world().slot() == slot);
        let is_loading = load_s > slot as f64;
        let residency = env.world().cell(CellId(0)).cache.residency()[1];
        assert_eq!((residency.is_resident, residency.is_protected), (true, is_loading), "slot {slot}");
        while env.world().slot() == slot {
            let observation = env.observation();
            let action = observation.pass().or_else(|| observation.place(Placement::Device)).unwrap();
            env.step(&action).unwrap();
        }
    }
}

#[test]
fn an_estimate_is_the_price_where_nothing_of_it_is_drawn() {
    // Answers have one length here, so that the expected one is the one that comes.
    // In the second edition that counts for the answers in flight, too.
    let crowd = [("physical.edition", "2"), ("physical.users", "20")];
    for changes in [&[][..], &[("cell.memory_gb", "20")], &[("memory.shared_weights", "false")], &crowd] {
        let mut env = DecisionEnv::new(plain(changes));
        env.reset(Seed::new(Purpose::Train, 4));
        let mut rng = Seed::new(Purpose::Test, 3).stream(Stream::Policy);
        loop {
            let observation = env.observation();
            let legal: Vec<usize> =
                (0..observation.legal.len()).filter(|&index| observation.legal[index]).collect();
            let action = ActionId::from_index(legal[rng.random_range(0..legal.len())]);
            let Some(Decision::Serve { placement, .. }) = observation.space().decode(action) else {
                panic!("there is no prefetch")
            };
            let (bill, cost) = observation.estimate(placement).unwrap();
            let step = env.step(&action).unwrap();
            if step.info.counters.requests > 0 {
                // The mean of one length is that length up to rounding.
                let paid = env.world().last_bill().unwrap();
                assert_relative_eq!(bill.latency_s, paid.latency_s, max_relative = 1e-9);
                assert_relative_eq!(bill.joules, paid.joules, max_relative = 1e-9);
                assert_relative_eq!(bill.quality, paid.quality, max_relative = 1e-9);
                let (own, holding) = (step.info.cost.total() - step.info.cost.holding, cost.holding);
                assert_abs_diff_eq!(cost.total(), own, epsilon = 1e-9);
                assert_eq!(holding, 0.0);
            }
            if step.end.is_end() {
                break;
            }
        }
    }
}

#[test]
fn who_shares_the_air_pays_for_his_turns_only() {
    let mut env = DecisionEnv::new(plain(&[("physical.users", "20")]));
    env.reset(Seed::new(Purpose::Train, 1));
    let mut shares = BTreeSet::new();
    loop {
        let facts = env.world().facts().unwrap();
        let askers = (1.0 / facts.link.time_share).round();
        assert_relative_eq!(facts.link.time_share, 1.0 / askers, max_relative = 1e-12);
        shares.insert(askers as u32);
        let step = serve(&mut env, Placement::Cloud);
        let line = *env.world().last_bill().unwrap().line(Stage::Uplink);
        let bits = SENSOR_BITS[facts.service.index()] + 3200.0;
        // Ten users take ten times as long and send for as long as one.
        assert_relative_eq!(line.seconds, askers * bits / 1e7, max_relative = 1e-12);
        assert_relative_eq!(line.joules, 0.1 * bits / 1e7, max_relative = 1e-12);
        if step.end.is_end() {
            break;
        }
    }
    assert!(shares.len() > 5, "{shares:?}");
}
