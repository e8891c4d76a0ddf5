//! A world so small that a person can play it.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shared by several test programs")]

use std::fmt::Write;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env, Step};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::Override;
use thoughtcache_env::units::ServiceId;
use thoughtcache_env::workload::trace::Trace;

/// Services a, b, c of 4, 6 and 10 GB in a memory of 10 GB; a thought is 100 tokens, 50 fade in a slot.
const TOY: &str = r#"
name = "toy"
horizon_slots = 6
slot_s = 1.0
models = [
  { name = "a", memory_gb = 4.0, window_tokens = 450.0 },
  { name = "b", memory_gb = 6.0, window_tokens = 1000.0 },
  { name = "c", memory_gb = 10.0, window_tokens = 1000.0 },
]
services = [{ model = "a", alpha = 0.5 }, { model = "b", alpha = 0.5 }, { model = "c", alpha = 0.5 }]
[cell]
count = 1
memory_gb = 10.0
[thought]
tokens = 100.0
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.5
[memory]
refresh = "evict"
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

/// The services.
pub const A: ServiceId = ServiceId(0);
pub const B: ServiceId = ServiceId(1);
pub const C: ServiceId = ServiceId(2);

/// Ten slots of requests by model name; slots 0 to 5 are the training part, which the tests play. A request of every model
/// must be among them, `a` most often, then `b`, so that ids are alphabetic.
pub fn toy(slots: [&str; 10], overrides: &[(&str, &str)]) -> DecisionEnv {
    let mut text = "time_s,model,load_s\n".to_owned();
    for (slot, names) in slots.iter().enumerate() {
        for (position, name) in names.chars().enumerate() {
            writeln!(text, "{slot}.{position:06},{name},{}", [2, 3, 5][name as usize - 'a' as usize])
                .unwrap();
        }
    }
    let trace = Trace::read(text.as_bytes()).unwrap();
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let (_, scenario) = Scenario::load("toy", TOY, &overrides, |_| Ok(trace)).unwrap();
    DecisionEnv::new(Arc::new(scenario))
}

pub fn train() -> Seed {
    Seed::new(Purpose::Train, 0)
}

pub fn legal(env: &DecisionEnv) -> Vec<&str> {
    let names = &env.spec().actions;
    (0..names.len()).filter(|&i| env.observation().legal[i]).map(|i| names[i].as_str()).collect()
}

pub fn act(env: &mut DecisionEnv, name: &str) -> Step {
    let index = env.spec().actions.iter().position(|action| action == name).unwrap();
    env.step(&ActionId::from_index(index)).unwrap_or_else(|error| panic!("{error}"))
}

/// `1000 * .5 / (tokens * ln 2)`: the accuracy cost of one request at this age.
pub fn accuracy(tokens: f64) -> f64 {
    1000.0 * 0.5 / (tokens * std::f64::consts::LN_2)
}
