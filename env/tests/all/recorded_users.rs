//! Recordings that say who asks: with a context for each user, a request is its recorded user's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::units::{ServiceId, UserId};
use thoughtcache_env::workload::trace::{
    SlottedRequests, SplitShares, TopModelsConfig, Trace, TracePart, TraceServicesConfig, import,
};
use thoughtcache_env::workload::users::Visit;
use thoughtcache_env::world::Pending;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/gentd26");

const TOY: &str = r#"
name = "toy"
horizon_slots = 6
slot_s = 1.0
models = [{ name = "a", memory_gb = 4.0, window_tokens = 4500.0 }]
services = [{ model = "a", alpha = 0.5 }, { model = "a", alpha = 0.5 }]
[cell]
count = 1
memory_gb = 10.0
[thought]
tokens = 100.0
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.0
[memory]
refresh = "clear"
[context]
scope = "user"
[quality.linear]
beta = 0.5
[workload.trace]
path = "toy.csv"
[workload.trace.services.top_models]
[decision]
granularity = "service"
placements = ["edge", "cloud"]
[cost]
edge_per_request = 1.0
cloud_per_request = 10.0
accuracy_weight = 1000.0
compute_weight = 0.0
[cost.switching.per_gb]
weight = 2.0
"#;

/// Ten slots of requests as model and user, `"a3 b1"`; slots 0 to 5 are the training part. Without users they are left out.
fn trace(slots: [&str; 10], has_users: bool) -> Trace {
    let mut text = if has_users { "time_s,model,user\n" } else { "time_s,model\n" }.to_owned();
    for (slot, requests) in slots.iter().enumerate() {
        for (position, request) in requests.split_whitespace().enumerate() {
            let (model, user) = request.split_at(1);
            let user = if has_users { format!(",{user}") } else { String::new() };
            writeln!(text, "{slot}.{position:06},{model}{user}").unwrap();
        }
    }
    Trace::read(text.as_bytes()).unwrap()
}

fn load(trace: Trace, changes: &[(&str, &str)]) -> Result<Arc<Scenario>, String> {
    let overrides: Vec<Override> =
        changes.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let loaded = Scenario::load("toy", TOY, &overrides, |_| Ok(trace));
    loaded.map(|(_, scenario)| Arc::new(scenario)).map_err(|error| error.to_string())
}

/// Service a for user 2, who asks first and is number 0, and b for user 1, whatever the slot; a comes first and most often.
const OWN: [&str; 10] = ["a2 a2 b1", "b1 a2", "a2", "b1", "a2 b1", "a2", "b1 a2 b1", "a2", "b1 b1 a2", "a2"];

fn visits(env: &DecisionEnv) -> Vec<(u32, u32)> {
    env.world().visits().iter().map(|visit| (visit.user.0, visit.num_requests)).collect()
}

fn edge(env: &mut DecisionEnv) {
    env.step(&ActionId(0)).unwrap();
}

#[test]
fn each_request_meets_the_context_of_the_user_who_was_recorded() {
    let slots = ["a3 b0 a1 a3", "b1 a1", "a3", "b0", "a0", "a3", "a0", "b0", "a0", "b0"];
    let scenario = load(trace(slots, true), &[]).unwrap();
    // Users are numbered as they first ask: u3 is 0, u0 is 1, u1 is 2.
    assert_eq!(scenario.num_users, Some(3), "as the recording says");
    let mut env = DecisionEnv::new(scenario);
    env.reset(Seed::new(Purpose::Train, 0));
    // Service a comes first: two requests of user 0, one of user 2.
    assert_eq!(visits(&env), [(0, 2), (2, 1)]);
    edge(&mut env);
    assert_eq!(visits(&env), [(1, 1)]);
    edge(&mut env);
    // User 2 asks b, where nobody knows them, and a, where they have 100 tokens and user 0 has 200.
    assert_eq!((env.observation().service, visits(&env)), (ServiceId(1), vec![(2, 1)]));
    assert_eq!(env.world().mean_thought().context_tokens, 0.0);
    edge(&mut env);
    assert_eq!((env.observation().service, env.world().mean_thought().context_tokens), (ServiceId(0), 100.0));
    edge(&mut env);
    assert_eq!((visits(&env), env.world().mean_thought().context_tokens), (vec![(0, 1)], 200.0));
}

#[test]
fn users_stay_with_their_requests_in_every_part_one_by_one_and_in_another_future() {
    for granularity in ["service", "request"] {
        let changes = [("decision.granularity", granularity), ("decision.prefetch", "true")];
        let scenario = load(trace(OWN, true), &changes).unwrap();
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        for purpose in [Purpose::Train, Purpose::Validate, Purpose::Test] {
            for is_reseeded in [false, true] {
                env.reset(Seed::new(purpose, 1));
                if is_reseeded {
                    env.reseed_future(Seed::new(purpose, 2));
                }
                loop {
                    if let Pending::Batch(batch) = env.world().pending() {
                        let user = [0, 1][batch.service.index()];
                        assert_eq!(visits(&env), [(user, batch.num_requests)]);
                    }
                    let pass = env.observation().legal.iter().rposition(|&is_legal| is_legal).unwrap();
                    if env.step(&ActionId::from_index(pass)).unwrap().end.is_end() {
                        break;
                    }
                }
            }
        }
        let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), CheckSettings::default());
        assert!(checked.is_ok(), "{granularity}: {}", checked.unwrap_err());
    }
}

#[test]
fn who_asks_is_part_of_what_two_policies_have_in_common() {
    let fingerprint = |slots, changes: &[(&str, &str)]| {
        let mut env = DecisionEnv::new(load(trace(slots, true), changes).unwrap());
        env.reset(Seed::new(Purpose::Test, 0));
        env.world().exogenous_fingerprint()
    };
    let mut others = OWN;
    others[8] = "b1 b3 a2";
    assert_ne!(fingerprint(OWN, &[]), fingerprint(others, &[]));
    let shared = [("context.scope", "\"service\"")];
    assert_eq!(fingerprint(OWN, &shared), fingerprint(others, &shared), "nobody looks at users there");
}

#[test]
fn users_are_counted_by_a_recording_that_names_them_and_typed_for_one_that_does_not() {
    let users = [("context.users", "3")];
    assert_eq!(load(trace(OWN, false), &users).unwrap().num_users, Some(3));
    let refusals = [load(trace(OWN, true), &users), load(trace(OWN, false), &[])];
    let text = refusals.map(|refusal| refusal.unwrap_err()).join("\n");
    insta::assert_snapshot!(text);
    // Drawn users do not stay with their requests.
    let mut env = DecisionEnv::new(load(trace(OWN, false), &[("context.users", "1000")]).unwrap());
    env.reset(Seed::new(Purpose::Train, 0));
    assert!(visits(&env) != [(0, 2)] && !env.world().scenario().has_recorded_users());
}

#[test]
fn gentd26_is_played_with_its_own_users() {
    let files = ["lora_request_trace.csv.gz", "basemodel_update_latency_anon.csv.gz"]
        .map(|name| File::open(format!("{DATA}/{name}")));
    let [Ok(requests), Ok(mut load_times)] = files else {
        println!("skipped: recorded data ../shared/data/gentd26 is not here");
        return;
    };
    let trace = import::gentd26(requests, Some(&mut load_times)).unwrap();
    let split = trace.split(600.0, SplitShares::default()).unwrap();
    let rows: Vec<(u64, Option<u32>, Option<u32>)> = (0..trace.num_requests())
        .map(|row| (trace.times_us()[row], trace.model(row), trace.user(row)))
        .collect();
    let map = TraceServicesConfig::TopModels(TopModelsConfig {});
    let [train, ..] = SlottedRequests::parts(&trace, split, (&map, 24), false).unwrap();
    let services = train.models.clone();
    let overrides = [Override { key: "context".into(), value: "{ scope = \"user\" }".into() }];
    let text = shipped::text("trace-gentd26").unwrap();
    let (_, scenario) = Scenario::load("trace-gentd26", text, &overrides, |_| Ok(trace)).unwrap();
    assert_eq!((scenario.num_users, scenario.has_recorded_users()), (Some(4_247), true));

    // Who asked for what in each slot of the test part, counted from the rows.
    let mut expected: BTreeMap<(u64, u32), BTreeMap<UserId, u32>> = BTreeMap::new();
    let first = split.slots(TracePart::Test).start;
    for &(time_us, model, user) in &rows {
        let slot = split.slot_of(time_us);
        let service = services.iter().position(|service| model.is_some() && *service == model);
        if let (Some(service), Some(user), true) = (service, user, slot >= first) {
            let place = ((slot - first) as u64, service as u32);
            *expected.entry(place).or_default().entry(UserId(user)).or_default() += 1;
        }
    }
    let mut met = BTreeMap::new();
    let mut env = DecisionEnv::new(Arc::new(scenario));
    env.reset(Seed::new(Purpose::Test, 0));
    loop {
        let (slot, visits) = (env.world().slot(), env.world().visits());
        let visits: BTreeMap<UserId, u32> =
            visits.iter().map(|&Visit { user, num_requests }| (user, num_requests)).collect();
        met.insert((slot, env.observation().service.0), visits);
        if env.step(&ActionId(1)).unwrap().end.is_end() {
            break;
        }
    }
    assert!(met == expected, "{} and {} batches", met.len(), expected.len());
    let repeated = expected.values().flat_map(BTreeMap::values).filter(|&&requests| requests > 1).count();
    assert!(repeated > 0, "some ask more than once in a slot");
}
