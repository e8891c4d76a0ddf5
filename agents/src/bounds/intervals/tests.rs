use super::*;
use crate::bounds::clairvoyant::{self, Optimum};
use crate::bounds::tests::{Maker, ROUNDING, Solved, tenth_and_median};
use rand::RngExt;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, SimRng};
use thoughtcache_env::scenario::shipped;
use thoughtcache_env::text::Override;
use thoughtcache_env::workload::users::Visit;
use waits::Wait;

/// A world of three models at a cell or two, some of whose parts are drawn: memory, refresh, contexts, shared weights, loads, batches.
fn world(rng: &mut SimRng) -> Arc<Scenario> {
    world_of(1, rng)
}

fn second_world(rng: &mut SimRng) -> Arc<Scenario> {
    world_of(2, rng)
}

#[expect(clippy::too_many_lines, reason = "a scenario from top to bottom")]
fn world_of(edition: u32, rng: &mut SimRng) -> Arc<Scenario> {
    let mut one_in = |n: u32| rng.random_range(0..n) == 0;
    let (clears, has_users, shares, has_kv) = (one_in(2), !one_in(4), one_in(2), one_in(2));
    let (holds, has_prefetch, drops, carries) = (one_in(2), one_in(8), one_in(2), one_in(5));
    let (num_cells, starts_on_nvme, is_split) = (if one_in(6) { 2 } else { 1 }, one_in(2), one_in(3));
    let [users, max_batch, gpus] = [1..4, 1..4, 1..3].map(|range| rng.random_range(range));
    let [memory_gb, window, zeta, fade, slot_s]: [f64; 5] =
        [16.5..33.0, 450.0..1500.0, 0.5..1.0, 0.0..0.4, 1.0..10.0].map(|range| rng.random_range(range));
    let [second, quality, store, late, host] =
        [0.1..1.0, 10.0..40.0, 0.0..0.02, 0.0..5.0, 15.0..60.0].map(|range| rng.random_range(range));
    let placements = if is_split {
        r#""edge", "split_edge_fine", "cloud", "device""#
    } else {
        r#""edge", "cloud", "device""#
    };
    let sites = if num_cells == 2 { "sites.places.at_m = [[5.0, 10.0], [15.0, 10.0]]" } else { "" };
    let hidden =
        if edition == 2 { format!("hidden_ratio = {:?}", rng.random_range(0.0..2.0)) } else { String::new() };
    let cloud_cache =
        if edition == 2 && carries { "cache = { price_ratio = 0.1, keeps_s = 12.0 }" } else { "" };
    let mut text = format!(
        r#"
name = "small"
horizon_slots = {horizon}
slot_s = {slot_s:?}
[cell]
count = {num_cells}
memory_gb = {memory_gb:?}
[thought]
tokens = 250.0
paths = 1
consensus_factor = {zeta:?}
vanishing_thoughts_per_slot = {fade:?}
{hidden}
[memory]
refresh = {refresh:?}
shared_weights = {shares}
kv = {has_kv}
[context]
scope = {scope:?}
drop_faded = {drops}
[workload.sessions]
sessions_per_user_hour = 900.0
zipf_exponent = 0.0
turns.geometric.mean = 1.6
think_time.exponential.mean_s = 3.0
new_tokens = {{ mean = 100.0, cv = 1.0 }}
output_tokens = {{ mean = 200.0, cv = 0.8 }}
[decision]
granularity = "request"
hold = {holds}
prefetch = {has_prefetch}
placements = [{placements}]
[physical]
edition = {edition}
users = {users}
carries_context = {carries}
{sites}
[physical.radio.band]
name = "7ghz"
bandwidth_mhz = 10.0
base_power_dbm = 40.0
device_power_dbm = 20.0
[physical.radio.path_loss.inh_open]
[physical.radio.area]
width_m = 20.0
depth_m = 20.0
[physical.radio.mobility.gauss_markov]
mean_speed_m_per_s = 3.0
memory_s = 10.0
[physical.radio.link]
cap_bit_per_s_per_hz = 1.0
efficiency_ratio = 1.0
[physical.radio.features]
coarse_ratio = 0.1
fine_ratio = 0.5
enough_mbit = 0.5
[physical.server]
device = "h100-sxm"
gpus = {gpus}
max_batch = {max_batch}
[physical.loading]
t_init_s = 0.5
remote_gb_per_s = 8.0
nvme_gb_per_s = 12.0
host_gb_per_s = {host:?}
nvme_gb = 40.0
host_gb = {host:?}
power_w = 100.0
starts_on_nvme = {starts_on_nvme}
[physical.cloud]
device = "h100-sxm"
model = "llama-3.1-8b"
gpus = 1
quality = {{ base = 0.2, gain = 0.0, exponent = 1.0, max_accuracy = 0.9, alignment = 1.0 }}
core_delay_ms = 50.0
backhaul_gbit_per_s = 1.0
currency_per_million_prompt_tokens = 1.0
currency_per_million_output_tokens = 2.0
{cloud_cache}
[[physical.devices]]
name = "phone"
share = 1.0
device = "phone-flagship"
model = "qwen2.5-0.5b-int4"
quality = {{ base = 0.2, gain = 0.0, exponent = 1.0, max_accuracy = 0.9, alignment = 0.8 }}
[physical.twin]
floor = 0.6
memory_s = 10.0
[physical.weights]
cost_per_s = {second:?}
cost_per_j = 0.0005
cost_per_quality = {quality:?}
cost_per_currency = 100.0
cost_per_missed_deadline = {late:?}
cost_per_store_gb = {store:?}
"#,
        horizon = (26.0 / slot_s).ceil(),
        refresh = if clears || edition == 2 { "clear" } else { "evict" },
        scope = if has_users { "user" } else { "service" },
        drops = drops && has_users,
    );
    let models = [("llama-3.1-8b", 0.6), ("mistral-7b", 0.55), ("phi-3-mini", 0.5)];
    for (index, (model, base)) in models.into_iter().enumerate() {
        let _ = write!(
            text,
            "[[models]]\nname = \"m{index}\"\ncatalogue = {model:?}\nwindow_tokens = {window:?}\n\
             quality = {{ base = {base:?}, gain = 0.1, exponent = 1.0, max_accuracy = 0.95, alignment = 0.95 }}\n\
             [[services]]\nmodel = \"m{index}\"\n\
             demands = {{ modality = \"image\", sensor_kbit = 1000.0, perception_gflop = 50.0, deadline_s = 5.0 }}\n"
        );
    }
    if rng.random_range(0..2) == 0 {
        text += "[[services]]\nmodel = \"m0\"\n\
                 demands = { modality = \"audio\", sensor_kbit = 500.0, perception_gflop = 20.0, deadline_s = 4.0 }\n";
    }
    let loaded = Scenario::load("small", &text, &[], |path| Err(format!("no recording {path}")));
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}\n{text}")).1)
}

/// What happens in a run, as far as it makes a bound hard.
#[expect(clippy::struct_excessive_bools, reason = "each is counted by itself")]
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    evicts: bool,
    /// An entry leaves at a decision that is not the first of its slot at the cell.
    leaves_within_slot: bool,
    exhausts: bool,
    /// A request comes while weights are on their way.
    loads_in_flight: bool,
    /// A user asks again.
    is_asked_again: bool,
}

/// Plays the actions of a run again and looks.
fn seen(scenario: &Arc<Scenario>, seed: Seed, optimum: &Optimum) -> Seen {
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    env.reset(seed);
    let (mut found, mut users, mut decided) = (Seen::default(), BTreeSet::new(), BTreeSet::new());
    for action in &optimum.actions {
        let cell = env.observation().cell;
        let world = env.world();
        let slot = world.slot();
        let facts = world.facts();
        found.loads_in_flight |=
            world.station(cell).is_some_and(|station| station.loading.in_flight().count() > 0);
        let counters = env.step(action).unwrap().info.counters;
        if counters.requests > 0 {
            found.is_asked_again |= !users.insert(facts.unwrap().user);
        }
        found.evicts |= counters.evictions > 0;
        found.leaves_within_slot |= counters.evictions > 0 && decided.contains(&(cell, slot));
        found.exhausts |= counters.refreshes > 0;
        if counters.requests > 0 {
            decided.insert((cell, slot));
        }
    }
    found
}

fn bounds_are_below_optima(world: fn(&mut SimRng) -> Arc<Scenario>, count: usize) {
    let solved = Maker { run: 607, world, most_decisions: 16 }.solved(count);
    let mut counts = [0; 5];
    for Solved { scenario, seed, optimum, .. } in &solved {
        let Seen { evicts, leaves_within_slot, exhausts, loads_in_flight, is_asked_again } =
            seen(scenario, *seed, optimum);
        for (count, is_so) in
            counts.iter_mut().zip([evicts, leaves_within_slot, exhausts, loads_in_flight, is_asked_again])
        {
            *count += usize::from(is_so);
        }
    }
    let [tenth, median] = tenth_and_median(solved.iter().map(|one| one.share).collect());
    println!(
        "{count} small worlds: the bound as a share of the optimum, tenth percentile and median: [{tenth:.3}, {median:.3}]; optima in which \
         an entry is evicted, within a slot, a context is exhausted, a request meets weights on their way, a user asks again: {counts:?}"
    );
    assert!(10 * counts[0] >= 3 * count && counts.iter().all(|&some| 20 * some >= count), "{counts:?}");
    assert!(median > 0.9, "{median}");
}

#[test]
fn bounds_of_fifty_small_physical_worlds_lie_below_their_optima() {
    bounds_are_below_optima(world, 50);
    bounds_are_below_optima(second_world, 50);
}

#[test]
#[ignore = "a proof: cargo xtask proofs bounds"]
fn bounds_of_a_thousand_small_physical_worlds_lie_below_their_optima() {
    bounds_are_below_optima(world, 1_000);
    bounds_are_below_optima(second_world, 1_000);
}

fn street(changes: &[(&str, &str)]) -> Arc<Scenario> {
    let change = |(key, value): &(&str, &str)| Override { key: (*key).into(), value: (*value).into() };
    let overrides: Vec<Override> = changes.iter().map(change).collect();
    let text = shipped::text("street").unwrap();
    let loaded = Scenario::load("street", text, &overrides, |path| Err(format!("no recording {path}")));
    Arc::new(loaded.unwrap().1)
}

/// One user who asks once costs what the best placement costs; weights are held beyond the end, until somebody asks again.
#[test]
fn an_episode_of_one_request_costs_its_bound_and_what_is_held_after_its_end() {
    let scenario = street(&[
        ("physical.users", "1"),
        ("horizon_slots", "4"),
        ("workload.sessions.sessions_per_user_hour", "60.0"),
    ]);
    let mut found = 0;
    for seed in (0..200).map(|run| Seed::new(Purpose::Test, run)) {
        if Trajectory::of(&scenario, seed).cells[0].len() == 1 {
            let optimum = clairvoyant::optimum(&scenario, seed, 4).unwrap().cost;
            let bound = Bound::of(&scenario, seed, Ascent::default()).cost;
            assert!((0.95 * optimum..=optimum * (1.0 + ROUNDING)).contains(&bound), "{bound} of {optimum}");
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

/// A large model answers the only request, and a small one is loaded ahead in its place: nobody holds the large one to the end.
#[test]
fn a_load_ahead_ends_a_stay_that_no_request_follows() {
    let quality =
        "quality = { base = 0.5, gain = 0.1, exponent = 0.4, max_accuracy = 0.9, alignment = 0.95 }";
    let demands =
        "demands = { modality = \"audio\", sensor_kbit = 500.0, perception_gflop = 20.0, deadline_s = 5.0 }";
    let scenario = street(&[
        ("physical.users", "1"),
        ("horizon_slots", "200"),
        ("workload.sessions.sessions_per_user_hour", "18.0"),
        ("workload.sessions.turns.geometric.mean", "1.0"),
        (
            "models",
            &format!(
                "[{{ name = \"large\", catalogue = \"llama-3.1-8b\", {quality} }}, \
                 {{ name = \"small\", catalogue = \"phi-3-mini\", {quality} }}]"
            ),
        ),
        ("services", &format!("[{{ model = \"large\", {demands} }}, {{ model = \"small\", {demands} }}]")),
        ("cell.memory_gb", "20.0"),
        ("decision.prefetch", "true"),
        ("decision.placements", r#"["edge", "cloud"]"#),
        ("physical.loading.nvme_gb_per_s", "1000.0"),
        ("physical.cloud.currency_per_million_output_tokens", "1e6"),
        ("physical.weights.cost_per_j", "0.01"),
    ]);
    let (large, small) = (ServiceId(0), ServiceId(1));
    let mut found = 0;
    for seed in (0..400).map(|run| Seed::new(Purpose::Test, run)) {
        let asked = Trajectory::of(&scenario, seed).cells.remove(0);
        if asked.len() != 1 || asked[0].service != large || asked[0].slot > 100 {
            continue;
        }
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        env.reset(seed);
        let (mut cost, mut loads) = (0.0, 0);
        loop {
            let observation = env.observation();
            let ahead = observation.load(small).filter(|_| loads == 1).or(observation.pass());
            let action = ahead.or(observation.place(Placement::Edge)).unwrap_or_else(|| {
                ActionId::from_index(observation.legal.iter().position(|&is_legal| is_legal).unwrap())
            });
            let step = env.step(&action).unwrap();
            cost -= step.reward;
            loads += step.info.counters.loads;
            if step.end.is_end() {
                break;
            }
        }
        let bound = Bound::of(&scenario, seed, Ascent::default()).cost;
        assert_eq!(loads, 2);
        assert!(bound <= cost, "{bound} above {cost}");
        found += 1;
    }
    assert!(found > 5, "{found}");
}

#[test]
fn a_request_waits_for_what_is_left_of_the_work_of_other_batches() {
    let scenario = Arc::new(Scenario::shipped("street"));
    let law = scenario.physical().unwrap();
    let pricing = Pricing { scenario: &scenario, law };
    let mut first = Trajectory::of(&scenario, Seed::new(Purpose::Test, 0)).cells.remove(0).remove(0);
    first.visits = vec![Visit { num_requests: 1, ..first.visits[0] }];
    let asked = |slot, service| {
        let mut asked = first.clone();
        let facts = asked.facts.as_mut().unwrap();
        (asked.slot, asked.service, facts.service) = (slot, ServiceId(service), ServiceId(service));
        facts.output_tokens = 2_000.0;
        asked
    };
    let asks = asks(&[asked(0, 3), asked(0, 0), asked(0, 3), asked(1, 0)]);
    let work: Vec<f64> = asks.iter().map(|ask| pricing.least_gpu_s(ask)).collect();
    // Four GPUs; a second is worth half a cent; a slot is a second. The third request joins the batch of the first: it waits for nobody,
    // and its own work is done within the slot.
    let wait = |worker: usize, waiter, slots| Wait {
        worker,
        waiter,
        cost: 0.5 * (work[worker] - 4.0 * slots) / 4.0,
    };
    assert!(work[2] < 4.0 && work[0].min(work[1]) > 4.0, "{work:?}");
    assert_eq!(waits(&pricing, &asks), [wait(0, 1, 0.0), wait(1, 3, 1.0), wait(0, 3, 1.0)]);
}
