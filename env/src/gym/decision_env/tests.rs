//! Snapshots that were made up: the right checksum, and values in them that no play leads to.

use super::*;
use crate::digest::of_bytes;
use crate::random::{Purpose, SimRng, Stream};
use crate::text::Override;
use crate::workload::trace::Trace;
use rand::RngExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Two services on a model of 2 GB, one on a model of 3 GB; memory for one of each, and little more.
const TEXT: &str = r#"
name = "forged"
horizon_slots = 12
slot_s = 1.0
models = [
  { name = "a", memory_gb = 2.0, window_tokens = 900.0, active_parameters_b = 1.0 },
  { name = "b", memory_gb = 3.0, window_tokens = 900.0, active_parameters_b = 1.0 },
]
services = [{ model = "a", alpha = 0.5 }, { model = "a", alpha = 0.5 }, { model = "b", alpha = 0.5 }]
[cell]
count = 1
memory_gb = 5.5
[thought]
tokens = 100.0
paths = 1
consensus_factor = 0.7
vanishing_thoughts_per_slot = 0.5
[memory]
refresh = "clear"
[quality.linear]
beta = 0.5
[workload.poisson]
mean_requests_per_service = 0.8
zipf_exponent = 1.0
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

const KV: [(&str, &str); 3] =
    [("memory.kv", "true"), ("models.0.kv_bytes_per_token", "4e5"), ("models.1.kv_bytes_per_token", "4e5")];

/// A recording in which three models are asked for in turns, by five users in turns.
fn recording() -> Trace {
    let rows = (0..100)
        .map(|row| format!("{},{},u{}\n", f64::from(row) * 0.4, ["x", "y", "z"][row as usize % 3], row % 5));
    Trace::read(format!("time_s,model,user\n{}", rows.collect::<String>()).as_bytes()).unwrap()
}

fn world(changes: &[(&str, &str)]) -> DecisionEnv {
    let overrides: Vec<Override> =
        changes.iter().map(|(key, value)| Override { key: (*key).into(), value: (*value).into() }).collect();
    let (_, scenario) = Scenario::load("forged", TEXT, &overrides, |_| Ok(recording())).unwrap();
    DecisionEnv::new(Arc::new(scenario))
}

fn worlds() -> Vec<(&'static str, DecisionEnv)> {
    let users = [("context.scope", "\"user\""), ("context.users", "4")];
    let recorded = [
        ("workload", r#"{ trace = { path = "turns", services = { top_models = {} } } }"#),
        ("context.scope", "\"user\""),
        ("decision.granularity", "\"request\""),
    ];
    let phased = r"{ phased = { popularity = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]], stay_prob = 0.5 } }";
    let everything = [
        &users[..],
        &KV,
        &[
            ("cell.count", "2"),
            ("decision.prefetch", "true"),
            ("memory.shared_weights", "true"),
            ("workload.poisson.reshuffle_slots", "3"),
        ],
    ];
    let budget = [("cell.compute_budget_tflop_per_slot", "1.0"), ("decision.prefetch", "true")];
    let request = [("decision.granularity", "\"request\""), ("decision.hold", "true"), KV[0], KV[1], KV[2]];
    let varying = [&request[..2], &[("thought.cv", "1.0")], &users[..]].concat();
    let street = |edition: &str| {
        let keys = [("physical.users", "4"), ("physical.edition", edition)];
        let changes = keys.map(|(key, value)| Override { key: key.into(), value: value.into() });
        let text = crate::scenario::shipped::text("street").unwrap();
        let (_, street) =
            Scenario::load("street", text, &changes, |_| Err::<Trace, _>(String::new())).unwrap();
        DecisionEnv::new(Arc::new(street))
    };
    vec![
        ("street", street("1")),
        ("street of the second edition", street("2")),
        ("everything", world(&everything.concat())),
        ("budget", world(&budget)),
        ("request", world(&request)),
        ("varying", world(&varying)),
        ("recorded", world(&recorded)),
        ("phased", world(&[("workload", phased)])),
    ]
}

fn act(env: &mut DecisionEnv, rng: &mut SimRng) {
    let legal: Vec<usize> =
        (0..env.observation.legal.len()).filter(|&index| env.observation.legal[index]).collect();
    let Some(&action) = legal.get(rng.random_range(0..legal.len().max(1))) else {
        panic!("{}: nothing is legal", env.spec.id);
    };
    let step = env.step(&ActionId::from_index(action)).unwrap();
    assert!(step.reward.is_finite() && step.reward <= 0.0, "{}: {}", env.spec.id, step.reward);
    let cache = &env.world.cell(env.observation.cell).cache;
    assert!(cache.free_bytes() <= cache.capacity_bytes());
    if step.end.is_end() {
        env.reset(Seed::new(Purpose::Test, 3));
    }
}

/// Plays on from whatever was accepted.
fn play_on(env: &mut DecisionEnv, rng: &mut SimRng) {
    if env.phase == Phase::Ended {
        env.reset(Seed::new(Purpose::Validate, 3));
    }
    (0..30).for_each(|_| act(env, rng));
}

/// Snapshots of a world, every few decisions of two episodes and at the end of one.
fn moments(env: &mut DecisionEnv) -> Vec<Snapshot> {
    let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
    let mut moments = vec![env.snapshot()];
    for purpose in [Purpose::Train, Purpose::Test] {
        env.reset(Seed::new(purpose, 5));
        for decision in 0..60 {
            act(env, &mut rng);
            if decision % 6 == 0 || (env.observation.fixed_placement.is_some() && decision % 2 == 0) {
                moments.push(env.snapshot());
            }
        }
    }
    env.reset(Seed::new(Purpose::Train, 5));
    while env.phase == Phase::Running {
        let action = env.observation.legal.iter().position(|&is_legal| is_legal).unwrap();
        env.step(&ActionId::from_index(action)).unwrap();
    }
    moments.push(env.snapshot());
    moments
}

fn to_json(env: &DecisionEnv, snapshot: &Snapshot) -> Value {
    serde_json::to_value(snapshot.state::<State>(&env.spec).unwrap()).unwrap()
}

/// The snapshot of a state that was typed; nothing where it has not the form of one.
fn from_json(env: &DecisionEnv, state: Value) -> Option<Snapshot> {
    serde_json::from_value::<State>(state).ok().map(|state| Snapshot::of(&env.spec, &state))
}

/// Pointers to everything in a document.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{here}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| places(value, &format!("{here}/{index}"), found));
        }
        _ => {}
    }
    found.push(here.to_owned());
}

/// Values that replace a value.
fn forgeries(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(0), json!(u32::MAX), json!("Edge"), json!("edge")],
        Value::Bool(is_so) => vec![json!(!is_so)],
        Value::String(_) => ["Running", "Forced", "Ended", "edge", "cloud"].map(|word| json!(word)).to_vec(),
        Value::Number(number) => {
            if let Some(number) = number.as_u64() {
                let near = [number.wrapping_add(1), number.wrapping_sub(1), 0];
                let far = [u64::from(u32::MAX), 1 << 53, u64::MAX];
                near.iter().chain(&far).map(|number| json!(number)).collect()
            } else {
                let number = number.as_f64().unwrap();
                [number + 0.5, number * 2.0, -1.0, -1e-300, 1e300].map(|number| json!(number)).to_vec()
            }
        }
        Value::Array(items) => {
            let shorter = items.split_last().map(|(_, rest)| rest.to_vec());
            let longer = items.last().map(|last| [&items[..], std::slice::from_ref(last)].concat());
            let reversed = items.iter().rev().cloned().collect();
            let numbers = vec![json!(0)];
            [Some(reversed), Some(numbers), shorter, longer].into_iter().flatten().map(Value::Array).collect()
        }
        Value::Object(_) => vec![Value::Null],
    }
}

#[test]
fn a_state_with_any_field_forged_is_refused_or_can_be_played_on() {
    let mut rng = Seed::new(Purpose::Test, 2).stream(Stream::Policy);
    // How often each field was forged, and refused.
    let mut fields: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (name, mut env) in worlds() {
        let one_in = if name.starts_with("street") { 60 } else { 3 };
        for snapshot in moments(&mut env) {
            env.restore(&snapshot).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(env.snapshot(), snapshot, "{name}");
            let state = to_json(&env, &snapshot);
            assert_eq!(from_json(&env, state.clone()).unwrap(), snapshot, "{name}");
            let mut found = Vec::new();
            places(&state, "", &mut found);
            for place in found.iter().filter(|place| !place.is_empty()) {
                let field = place.split('/').filter(|part| part.parse::<u32>().is_err());
                let field = field.collect::<Vec<_>>().join("/");
                if rng.random_range(0..one_in) > 0
                    || (["rng", "streams/arrivals", "streams/popularity"]
                        .iter()
                        .any(|rng| field.ends_with(rng))
                        && rng.random_range(0..40) > 0)
                {
                    continue;
                }
                let value = state.pointer(place).unwrap();
                for forgery in forgeries(value).into_iter().filter(|forgery| forgery != value) {
                    let mut forged = state.clone();
                    *forged.pointer_mut(place).unwrap() = forgery.clone();
                    let Some(forged) = from_json(&env, forged) else { continue };
                    let (forged_times, refused) = fields.entry(field.clone()).or_default();
                    *forged_times += 1;
                    let mut played = env.clone();
                    if let Err(error) = played.restore(&forged) {
                        *refused += 1;
                        assert_eq!(error.to_string().lines().count(), 1, "{error}");
                        assert_eq!(played.snapshot(), snapshot, "{name}: nothing has changed");
                        continue;
                    }
                    // What was accepted is kept as it is from now on.
                    let kept = played.snapshot();
                    assert!(played.restore(&kept).is_ok() && played.snapshot() == kept, "{name}: {place}");
                    play_on(&mut played, &mut rng);
                }
            }
        }
    }
    for index in [
        "world/now/batches/service",
        "world/now/users/of_slot",
        "world/now/lengths/of_slot",
        "world/serving/Abstract/source/Phased",
    ] {
        assert!(fields[&format!("/{index}")].1 > 0, "{index}");
    }
    assert!(fields.len() > 60, "{fields:?}");
}

#[test]
fn random_bytes_under_a_right_checksum_are_refused_or_can_be_played_on() {
    let mut rng = Seed::new(Purpose::Test, 4).stream(Stream::Policy);
    let (mut refused, mut accepted) = (0, 0);
    for (_, mut env) in worlds() {
        for snapshot in moments(&mut env) {
            for _ in 0..40 {
                let mut bytes = snapshot.as_bytes().to_vec();
                for _ in 0..rng.random_range(1..3) {
                    let place = rng.random_range(24..bytes.len());
                    bytes[place] = rng.random();
                }
                let digest = of_bytes(&bytes[24..]);
                bytes[16..24].copy_from_slice(&digest.to_le_bytes());
                let mut played = env.clone();
                if played.restore(&Snapshot::from_bytes(bytes)).is_ok() {
                    accepted += 1;
                    play_on(&mut played, &mut rng);
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 500 && accepted > 500, "{refused} refused, {accepted} accepted");
}

#[test]
fn indices_beyond_the_world_and_more_than_fits_are_refused() {
    let mut envs = BTreeMap::from_iter(worlds());
    let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
    for env in envs.values_mut() {
        env.reset(Seed::new(Purpose::Train, 5));
        act(env, &mut rng);
    }
    let contexts = json!([[0, { "context_tokens": 1e9, "age_tokens": 0.0 }]]);
    let changes = [
        (
            "phased",
            "/world/serving/Abstract/source/Phased/0",
            json!(2),
            "its requests come from another source",
        ),
        (
            "recorded",
            "/world/serving/Abstract/source/Recorded/part",
            json!(3),
            "its requests come from another source",
        ),
        (
            "recorded",
            "/world/serving/Abstract/source/Recorded/offset",
            json!(99),
            "its requests come from another source",
        ),
        ("everything", "/world/now/slot", json!(u64::MAX), "it is older than can be counted"),
        ("everything", "/world/now/next", json!(99), "it has taken more decisions than its slot has"),
        ("everything", "/world/now/batches/0/service", json!(3), "its slot has batches that do not exist"),
        (
            "everything",
            "/world/now/batches/0/num_requests",
            json!(0),
            "its slot has batches that do not exist",
        ),
        ("everything", "/world/now/users/of_slot", json!([]), "its users are not those of its requests"),
        ("everything", "/world/now/users/of_slot/0", json!(4), "its users are not those of its requests"),
        (
            "everything",
            "/world/now/cells/0/cache/last_served",
            json!([]),
            "its cells hold more than they can",
        ),
        ("budget", "/choices", json!([0]), "it is in the middle of a decision that nobody has begun"),
        (
            "street",
            "/world/serving/Physical/now/requests/0/user",
            json!(4),
            "its requests are not those of its batches",
        ),
        ("street", "/world/serving/Physical/now/twins", json!([]), "its users or its cells are others"),
    ];
    for (name, place, value, reason) in changes {
        let env = &envs[name];
        let mut state = to_json(env, &env.snapshot());
        *state.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
        let error = env.clone().restore(&from_json(env, state).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("the snapshot is damaged: {reason}"), "{name} {place}");
    }
    // An entry whose context is larger than the memory.
    let env = &envs["everything"];
    let mut state = to_json(env, &env.snapshot());
    let cache = state.pointer_mut("/world/now/cells/0/cache").unwrap();
    cache["residency"][0]["is_resident"] = json!(true);
    cache["contexts"][0]["by_user"] = contexts;
    let error = env.clone().restore(&from_json(env, state).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the snapshot is damaged: its cells hold more than they can");
}

#[test]
fn a_situation_is_not_imagined_where_slots_begin_with_prefetch_decisions() {
    let phased = r"{ phased = { popularity = [[0.5, 0.25, 0.25]] } }";
    let mut env = world(&[("workload", phased), ("decision.prefetch", "true")]);
    env.reset(Seed::new(Purpose::Train, 5));
    let before = env.snapshot();
    let error = env.imagine(ServiceId(1), 0).unwrap_err().to_string();
    assert_eq!(
        error,
        "nobody can imagine a request for service 1 in phase 0 in forged: one of its services, in one of its phases, in a \
         running episode without prefetch decisions"
    );
    assert_eq!(env.snapshot(), before, "nothing has changed");
}
