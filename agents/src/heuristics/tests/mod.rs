//! Rules against counts that a person can check, against naive siblings, against recorded data, and against every mask.

mod contexts;
mod counts;
mod everywhere;
mod naive;
mod placement;
mod recorded;

use super::registry::Prepared;
use crate::policy::Policy;
use std::sync::Arc;
use thoughtcache_env::gym::api::{Counters, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::workload::trace::Trace;

/// The world of a plain cache: one request a slot, `models[i]` in the i-th; model m takes `sizes[m]` GB of a memory of
/// `capacity` GB; windows that are never exhausted; every load costs 1. The training part is exactly this sequence.
fn cache_world(models: &[u32], sizes: &[u32], capacity: u32) -> Arc<Scenario> {
    // The training part is the first 60 % of the slots, so a filler of the first model follows.
    let num_slots = (models.len() * 10 - 5).div_ceil(6);
    let row = |slot: usize| format!("{slot},model-{}\n", models.get(slot).copied().unwrap_or(models[0]));
    let rows: String = (0..num_slots).map(row).collect();
    let trace = Trace::read(format!("time_s,model\n{rows}").as_bytes()).unwrap();

    // Services are the models in the order of their requests, ties by first appearance.
    let mut use_of: Vec<(usize, usize, u32)> = Vec::new();
    for model in 0..sizes.len() as u32 {
        let count = models.iter().filter(|&&m| m == model).count();
        let first = models.iter().position(|&m| m == model).expect("every model is asked for");
        use_of.push((usize::MAX - count, first, sizes[model as usize]));
    }
    use_of.sort_unstable();
    let mut text = format!(
        r#"name = "cache"
horizon_slots = {}
slot_s = 1.0
cell = {{ count = 1, memory_gb = {capacity} }}
thought = {{ tokens = 1.0, paths = 1, consensus_factor = 1.0, vanishing_thoughts_per_slot = 0.5 }}
memory = {{ refresh = "evict" }}
quality = {{ linear = {{ beta = 0.5 }} }}
workload = {{ trace = {{ path = "a sequence", services = {{ top_models = {{}} }} }} }}
decision = {{ granularity = "service", placements = ["edge", "cloud"] }}
"#,
        models.len()
    );
    text += "[cost]\nedge_per_request = 0.1\ncloud_per_request = 10.0\naccuracy_weight = 0.0\ncompute_weight = 0.0\n";
    text += "[cost.switching.per_load]\nweight = 1.0\n";
    let services = use_of.iter().enumerate().map(|(service, (_, _, size))| {
        format!(
            "[[models]]\nname = \"m{service}\"\nmemory_gb = {size}\nwindow_tokens = 1e12\n\
             [[services]]\nmodel = \"m{service}\"\nalpha = 0.5\n"
        )
    });
    text.extend(services);
    let (_, scenario) = Scenario::load("cache", &text, &[], |_| Ok(trace)).unwrap_or_else(|e| panic!("{e}"));
    Arc::new(scenario)
}

/// The shipped street, with changes.
pub(crate) fn street(overrides: &[(&str, &str)]) -> Arc<Scenario> {
    let text = shipped::text("street").expect("a shipped scenario");
    let change = |&(key, value): &(&str, &str)| Override { key: key.into(), value: value.into() };
    let changes: Vec<Override> = overrides.iter().map(change).collect();
    let scenario = Scenario::load("street", text, &changes, |_| Err("no recording".into()));
    Arc::new(scenario.unwrap_or_else(|error| panic!("{error}")).1)
}

/// Plays one episode of a rule; everything that was counted.
fn play(rule: &Prepared, scenario: &Arc<Scenario>, seed: Seed) -> Counters {
    play_with(rule.instance().as_mut(), scenario, seed)
}

/// Plays one episode; everything that was counted.
fn play_with(policy: &mut dyn Policy<DecisionEnv>, scenario: &Arc<Scenario>, seed: Seed) -> Counters {
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let mut rng = seed.stream(Stream::Policy);
    let mut counters = Counters::default();
    env.reset(seed);
    policy.begin_episode();
    loop {
        let action = policy.act(env.observation(), &mut rng);
        let step = env.step(&action).unwrap_or_else(|error| panic!("{}: {error}", policy.name()));
        counters += step.info.counters;
        if step.end.is_end() {
            return counters;
        }
    }
}

/// Misses of a rule on the whole sequence of [`cache_world`].
fn misses(rule: &str, scenario: &Arc<Scenario>) -> u64 {
    let counters = play(&Prepared::new(rule, scenario).unwrap(), scenario, Seed::new(Purpose::Train, 0));
    assert_eq!(counters.refreshes, 0, "a cache has no window");
    counters.requests - counters.hits
}
