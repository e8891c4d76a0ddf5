//! Rules that choose placements by price, in worlds where a person can say which one is cheapest, and against a search over
//! all actions.

use super::super::registry::{Prepared, names};
use super::{play, street};
use std::collections::BTreeSet;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::Override;

/// One cell, one service on a model of 15 GB, all seven placements. Context does not make answers better; the cloud is right in
/// 9 cases of 10, the edge in 7, the device in 5, and perception is equally good everywhere.
const TINY: &str = r#"name = "tiny-street"
horizon_slots = 200
slot_s = 1.0
[cell]
count = 1
memory_gb = 60.0
[[models]]
name = "qwen-7b"
catalogue = "qwen2.5-7b"
quality = { base = 0.7, gain = 0.0, exponent = 1.0, max_accuracy = 0.7, alignment = 1.0 }
[thought]
tokens = 280.0
paths = 1
consensus_factor = 1.0
vanishing_thoughts_per_slot = 0.01
[memory]
refresh = "clear"
shared_weights = true
kv = true
[context]
scope = "user"
drop_faded = true
[workload.sessions]
sessions_per_user_hour = 60.0
zipf_exponent = 0.0
turns.geometric.mean = 3.0
think_time.lognormal = { mean_s = 20.0, cv = 1.0 }
[decision]
granularity = "request"
placements = ["edge", "split_edge_fine", "split_edge_coarse", "cloud", "split_cloud_fine", "split_cloud_coarse", "device"]
[physical]
users = 10
[physical.radio.band]
name = "7ghz"
bandwidth_mhz = 100.0
[physical.radio.path_loss.umi]
[physical.radio.area]
width_m = 300.0
depth_m = 300.0
[physical.radio.mobility.gauss_markov]
mean_speed_m_per_s = 1.0
memory_s = 30.0
[physical.radio.features]
coarse_ratio = 0.02
fine_ratio = 0.1
enough_mbit = 0.5
[physical.server]
device = "h100-sxm"
gpus = 1
max_batch = 16
[physical.loading]
t_init_s = 0.5
remote_gb_per_s = 1.25
nvme_gb_per_s = 6.0
host_gb_per_s = 25.0
nvme_gb = 400.0
starts_on_nvme = true
host_gb = 128.0
power_w = 100.0
[physical.cloud]
device = "h100-sxm"
model = "qwen2.5-72b"
gpus = 4
quality = { base = 0.9, gain = 0.0, exponent = 1.0, max_accuracy = 0.9, alignment = 1.0 }
core_delay_ms = 30.0
backhaul_gbit_per_s = 1.0
currency_per_million_prompt_tokens = 1.0
currency_per_million_output_tokens = 1.0
[[physical.devices]]
name = "phone"
share = 1.0
device = "phone-flagship"
model = "qwen2.5-1.5b-int4"
quality = { base = 0.5, gain = 0.0, exponent = 1.0, max_accuracy = 0.5, alignment = 1.0 }
[physical.twin]
floor = 1.0
memory_s = 60.0
[physical.weights]
cost_per_s = 0.0
cost_per_j = 0.0
cost_per_quality = 0.0
cost_per_currency = 0.0
cost_per_missed_deadline = 0.0
cost_per_store_gb = 0.0
[[services]]
name = "guide"
model = "qwen-7b"
demands = { modality = "image", sensor_kbit = 8000.0, perception_gflop = 50.0, deadline_s = 6.0 }
"#;

fn tiny(changes: &[(&str, &str)]) -> Arc<Scenario> {
    let changes: Vec<Override> =
        changes.iter().map(|(key, value)| Override { key: (*key).into(), value: (*value).into() }).collect();
    let scenario = Scenario::load("tiny-street", TINY, &changes, |_| Err("no recording".into()));
    Arc::new(scenario.unwrap_or_else(|error| panic!("{error}")).1)
}

const QUALITY: (&str, &str) = ("physical.weights.cost_per_quality", "1.0");
const SECONDS: (&str, &str) = ("physical.weights.cost_per_s", "1.0");
const MONEY: (&str, &str) = ("physical.weights.cost_per_currency", "1e9");

/// Where a policy served a request, and whether that was a hit.
fn served(policy: &str, scenario: &Arc<Scenario>) -> Vec<(bool, Placement)> {
    let mut policy = Prepared::new(policy, scenario).unwrap().instance();
    let seed = Seed::new(Purpose::Test, 1);
    let (mut env, mut rng) = (DecisionEnv::new(Arc::clone(scenario)), seed.stream(Stream::Policy));
    env.reset(seed);
    policy.begin_episode();
    let mut served = Vec::new();
    loop {
        let observation = env.observation();
        let action = policy.act(observation, &mut rng);
        if let Some(Decision::Serve { placement, .. }) = observation.space().decode(action) {
            served.push((observation.is_hit(), placement));
        }
        if env.step(&action).unwrap().end.is_end() {
            return served;
        }
    }
}

/// Where a policy served its first request, and where all others; panics when those differ.
fn first_and_rest(policy: &str, scenario: &Arc<Scenario>) -> (Placement, Placement) {
    let served = served(policy, scenario);
    assert!(served.len() > 20 && !served[0].0, "{served:?}");
    let rest: BTreeSet<Placement> = served[1..].iter().map(|(_, placement)| *placement).collect();
    assert_eq!(rest.len(), 1, "{served:?}");
    (served[0].1, served[1].1)
}

#[test]
fn where_only_quality_counts_even_a_hit_goes_to_the_cloud() {
    let scenario = tiny(&[QUALITY]);
    assert_eq!(first_and_rest("lru+myopic", &scenario), (Placement::Edge, Placement::Cloud));
    assert_eq!(first_and_rest("myopic", &scenario), (Placement::Cloud, Placement::Cloud));
    assert_eq!(first_and_rest("lru", &scenario), (Placement::Edge, Placement::Edge));
}

#[test]
fn where_money_counts_above_all_a_hit_stays_and_a_refusal_goes_to_the_device() {
    let scenario = tiny(&[QUALITY, MONEY]);
    assert_eq!(first_and_rest("lru+myopic", &scenario), (Placement::Edge, Placement::Edge));
    assert_eq!(first_and_rest("myopic", &scenario), (Placement::Device, Placement::Device));
    // 15 GB do not fit into 10: the edge is illegal, and nothing that a rule could load.
    let small = tiny(&[QUALITY, MONEY, ("cell.memory_gb", "10.0")]);
    assert_eq!(first_and_rest("lru+myopic", &small), (Placement::Device, Placement::Device));
    assert_eq!(first_and_rest("lru", &small), (Placement::Cloud, Placement::Cloud));
}

#[test]
fn over_a_slow_uplink_few_features_travel() {
    // A request's 80 Gbit take minutes in any case, 2 % of them a fiftieth of that; the device needs seconds for its answer.
    let slow = [SECONDS, ("services.0.demands.sensor_kbit", "8e7")];
    let without_device = "[\"edge\", \"split_edge_fine\", \"split_edge_coarse\", \"cloud\", \
                          \"split_cloud_fine\", \"split_cloud_coarse\"]";
    assert_eq!(first_and_rest("myopic", &tiny(&slow)).1, Placement::Device);
    let far = [slow[0], slow[1], ("decision.placements", without_device)];
    let coarse = (Placement::SplitEdgeCoarse, Placement::SplitEdgeCoarse);
    // A core network of 100 s each way: the edge wins every hit.
    let far = tiny(&[far[0], far[1], far[2], ("physical.cloud.core_delay_ms", "1e5")]);
    assert_eq!(first_and_rest("lru+myopic", &far), coarse);
    assert_eq!(first_and_rest("myopic", &far).1, Placement::SplitCloudCoarse);
}

#[test]
fn a_constant_rule_serves_everything_at_one_place_where_it_can() {
    let scenario = tiny(&[QUALITY]);
    for (policy, placement) in
        [("cloud-only", Placement::Cloud), ("device-only", Placement::Device), ("edge-only", Placement::Edge)]
    {
        assert_eq!(first_and_rest(policy, &scenario), (placement, placement), "{policy}");
    }
    let reordered =
        tiny(&[("decision.placements", "[\"device\", \"split_edge_fine\", \"cloud\", \"edge\"]")]);
    assert_eq!(first_and_rest("cloud-only", &reordered).0, Placement::Cloud, "not the first one");
    assert_eq!(first_and_rest("edge-only", &reordered).0, Placement::Edge, "not the first one");
    let edge = play(&Prepared::new("edge-only", &street(&[])).unwrap(), &street(&[]), SEED);
    let plain = play(&Prepared::new("least-aot", &street(&[])).unwrap(), &street(&[]), SEED);
    assert_eq!(edge, plain, "victims by least age of thought");
}

const SEED: Seed = Seed::new(Purpose::Test, 4);

#[test]
fn what_a_placement_does_not_allow_is_not_compared() {
    let listed = |placements: &str| {
        let listed = names(&tiny(&[("decision.placements", placements)]));
        ["cloud-only", "device-only", "edge-only", "myopic", "lru", "lru+myopic", "random+myopic"]
            .map(|name| listed.iter().any(|listed| listed == name))
    };
    assert_eq!(listed("[\"edge\", \"cloud\"]"), [true, false, true, true, true, true, false]);
    assert_eq!(listed("[\"split_edge_fine\", \"device\"]"), [false, true, false, true, true, true, false]);
    let without_cloud = tiny(&[("decision.placements", "[\"edge\", \"device\"]")]);
    let refused = Prepared::new("cloud-only", &without_cloud).err().unwrap().to_string();
    assert_eq!(
        refused,
        "cloud-only serves everything at \"cloud\", and decision.placements of tiny-street has edge, device"
    );
}

/// All legal actions, and the cost of their placements: the cheapest of those that are in question.
fn searched(observation: &DecisionObservation, decided: ActionId) -> ActionId {
    let space = observation.space();
    let Some(Decision::Serve { placement: ruled, victim }) = space.decode(decided) else { return decided };
    if observation.fixed_placement.is_some() {
        return decided;
    }
    let mut best: Option<(f64, ActionId)> = None;
    for index in 0..observation.legal.len() {
        let action = ActionId::from_index(index);
        let Some(Decision::Serve { placement, victim: leaving }) = space.decode(action) else { continue };
        let is_same_side = placement.needs_residency() == ruled.needs_residency();
        let names_victim = placement.needs_residency() && victim.is_some();
        let is_in_question = observation.legal[index]
            && (observation.is_hit() || is_same_side)
            && leaving == victim.filter(|_| names_victim);
        let cost = observation.estimate(placement).unwrap().1.total();
        if is_in_question && best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, action));
        }
    }
    best.unwrap().1
}

#[test]
fn beneath_every_rule_lies_the_cheapest_of_all_actions_that_it_leaves_open() {
    let scenario = street(&[("cell.memory_gb", "90.0")]);
    let (mut elsewhere, mut chains, mut decisions) = (0, 0, 0);
    for name in names(&scenario) {
        let Some(rule) = name.strip_suffix("+myopic") else { continue };
        let mut policy = Prepared::new(&name, &scenario).unwrap().instance();
        let mut plain = Prepared::new(rule, &scenario).unwrap().instance();
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let mut rng = SEED.stream(Stream::Policy);
        env.reset(SEED);
        policy.begin_episode();
        plain.begin_episode();
        loop {
            let observation = env.observation();
            let action = policy.act(observation, &mut rng);
            let decided = plain.act(observation, &mut rng);
            assert_eq!(action, searched(observation, decided), "{name}, decision {decisions}");
            let placement = observation.space().placements().get(action.index());
            let is_elsewhere = placement.is_some_and(|placement| !placement.needs_residency());
            elsewhere += u32::from(observation.is_hit() && is_elsewhere);
            chains += u32::from(observation.fixed_placement.is_some());
            decisions += 1;
            if env.step(&action).unwrap().end.is_end() {
                break;
            }
        }
    }
    assert!(elsewhere > 10 && chains > 10, "{elsewhere} hits elsewhere, {chains} further victims");
}

#[test]
fn worth_learns_what_the_edge_saves() {
    // The cloud is dear: the edge saves money, and worth loads. The cloud is free and better: it never does.
    let loads =
        |scenario: Arc<Scenario>| play(&Prepared::new("worth", &scenario).unwrap(), &scenario, SEED).loads;
    assert_eq!(loads(tiny(&[MONEY, ("decision.placements", "[\"edge\", \"cloud\"]")])), 1);
    assert_eq!(loads(tiny(&[QUALITY])), 0);
}

#[test]
fn a_load_is_bought_when_it_pays_within_the_horizon() {
    // Some .3 requests a slot save about 200 s each at the edge, and a load takes about 3 s: it pays within a slot, and never
    // within a thousandth of one.
    let placements = ("decision.placements", "[\"edge\", \"cloud\"]");
    let far = ("physical.cloud.core_delay_ms", "1e5");
    let loads = |horizon| {
        let scenario = tiny(&[SECONDS, placements, far, ("policies.amortised.horizon_slots", horizon)]);
        play(&Prepared::new("amortised+myopic", &scenario).unwrap(), &scenario, SEED).loads
    };
    assert_eq!((loads("50.0"), loads("0.001")), (1, 0));
}

#[test]
fn a_load_is_bought_once_waiting_for_it_would_have_cost_no_more_than_the_rent() {
    // Only seconds count, and the cloud is 100 s away each way: a request saves about 200 s at the edge, and the load of
    // 15.2 GB from NVMe takes .5 s and 15.2 / 6 s. At ratio 1 the rent of one request is enough, and the second one loads; at
    // 1000 it takes 3040 / 200 requests.
    let placements = ("decision.placements", "[\"edge\", \"cloud\"]");
    let scenario = |ratio| {
        tiny(&[
            SECONDS,
            placements,
            ("physical.cloud.core_delay_ms", "1e5"),
            ("policies.rent-or-buy.ratio", ratio),
        ])
    };
    let rented = |ratio| {
        let served = served("rent-or-buy", &scenario(ratio));
        served.iter().position(|(_, placement)| *placement == Placement::Edge).unwrap()
    };
    assert_eq!(rented("1.0"), 1);
    assert!((15..=16).contains(&rented("1000.0")), "{}", rented("1000.0"));
}
