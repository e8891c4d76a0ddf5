//! What is refused, and what the shipped numbers become.

use super::super::shipped;
use super::*;
use crate::text::Override;
use crate::units::ServiceId;
use crate::workload::drawn::Process;
use approx::assert_relative_eq;

fn tight(overrides: &[(&str, &str)]) -> Result<Scenario, String> {
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    Scenario::load("tight.toml", shipped::text("tight").unwrap(), &overrides, |path| {
        Err(format!("no {path}"))
    })
    .map(|(_, scenario)| scenario)
    .map_err(|error| error.to_string())
}

#[test]
fn tight_is_what_the_specification_says_to_the_last_number() {
    let scenario = tight(&[]).unwrap();
    assert_eq!((scenario.horizon_slots, scenario.num_cells), (200, 1));
    assert_eq!(scenario.capacity_bytes, 960_000_000_000);
    let pattern: String = scenario
        .services
        .iter()
        .map(|service| match (service.bytes, service.window_tokens as u32) {
            (130_000_000_000, 2000) => 'L',
            (348_000_000_000, 8000) => 'G',
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pattern, "GLLLGGLLLGLLGLLLGGGL");
    let alpha = [
        0.430_789, 0.694_911, 0.427_484, 0.615_42, 0.647_959, 0.456_434, 0.475_153, 0.449_1, 0.342_781,
        0.491_586, 0.396_541, 0.402_858, 0.373_893, 0.377_546, 0.625_531, 0.469_194, 0.402_368, 0.536_361,
        0.541_709, 0.558_743,
    ];
    for (service, alpha) in scenario.services.iter().zip(alpha) {
        assert_eq!(service.quality, QualityLaw::linear(alpha, 0.5));
        assert_eq!((service.request_tokens, service.fade_tokens), (200.0, 120.0));
    }
    let first = scenario.service(ServiceId(0));
    assert_relative_eq!(first.load_cost, 0.003_48, max_relative = 1e-12);
    assert_eq!((first.edge_per_request, first.cloud_per_request), (1e-4, 7.5e-3));
    assert_eq!(scenario.prices, Prices { accuracy_weight: 2.5, per_flop: 0.0 });
    assert_eq!(scenario.placements, [Placement::Edge, Placement::Cloud]);
    let ArrivalModel::Drawn(drawn) = scenario.arrivals else { panic!("poisson") };
    assert_eq!((&drawn.process, drawn.by_rank.len()), (&Process::Poisson, 20));
    assert_eq!((drawn.reshuffle_slots, drawn.diurnal), (Some(25), None));
}

#[test]
fn impossible_values_name_the_key_and_what_is_allowed() {
    let refusals: Vec<String> = [
        ("horizon_slots", "0"),
        ("slot_s", "nan"),
        ("cell.memory_gb", "-1"),
        ("services.3.model", "llama-7b"),
        ("services.3.alpha", "1.5"),
        ("quality.linear.beta", "1"),
        ("workload.poisson.mean_requests_per_service", "1e-9"),
        ("decision.placements", "[\"edge\"]"),
        ("decision.hold", "true"),
        ("decision.granularity", "slot"),
        ("cost.compute_weight", "0.5"),
        ("cell.compute_tflop_per_s", "312"),
        ("cost.switching.per_load_second.weight", "1"),
        ("policies.density.margin", "inf"),
        ("services", "[]"),
        ("cost.accuracy_weight", "1e308"),
        ("models.0.memory_gb", "1e9"),
        ("memory.refresh", "\"forget\""),
        ("memory.kv", "true"),
        ("models.1.kv_bytes_per_token", "2e6"),
        ("context.scope", "\"user\""),
        ("context.scope", "\"cell\""),
        ("context.users", "5"),
    ]
    .into_iter()
    .map(|change| tight(&[change]).unwrap_err())
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_slot_may_not_bring_millions_of_decisions() {
    let changes = [
        ("decision.granularity", "request"),
        ("workload.poisson.mean_requests_per_service", "5001"),
        ("workload.poisson.zipf_exponent", "0"),
    ];
    insta::assert_snapshot!(tight(&changes).unwrap_err());
    assert!(tight(&changes[1..]).is_ok(), "they are decided together");
}

#[test]
fn laws_of_arrivals_that_cannot_be_meant_are_refused() {
    let workload = |table: &str, changes: &[(&str, &str)]| {
        let typed = [("mean_requests_per_service", "1"), ("zipf_exponent", "1")];
        let keys: Vec<(String, String)> = typed
            .iter()
            .chain(changes)
            .map(|(key, value)| (format!("workload.{table}.{key}"), (*value).to_owned()))
            .collect();
        let keys: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (&**key, &**value)).collect();
        tight(&keys)
    };
    let state = "{ factor = 1, mean_slots = 9 }";
    let states = |other: &str| format!("[{state}, {other}]");
    let refusals: Vec<String> = [
        workload("gamma", &[]),
        workload("gamma", &[("cv", "0.01")]),
        workload("gamma", &[("cv", "nan")]),
        workload("weibull", &[("cv", "51")]),
        workload("weibull", &[("cv", "2"), ("mean_requests_per_service", "5001")]),
        workload("modulated", &[("states", &format!("[{state}]"))]),
        workload("modulated", &[("states", &states("{ factor = -1, mean_slots = 9 }"))]),
        workload("modulated", &[("states", &states("{ factor = 1, mean_slots = 0 }"))]),
        workload("modulated", &[("states", &states(state).replace("factor = 1", "factor = 0"))]),
        workload("poisson", &[("diurnal.period_slots", "1"), ("diurnal.amplitude", "0.5")]),
        workload("gamma", &[("cv", "2"), ("diurnal.period_slots", "9"), ("diurnal.amplitude", "0")]),
        workload("poisson", &[("diurnal.period_slots", "9"), ("diurnal.amplitude", "1.5")]),
    ]
    .into_iter()
    .map(|loaded| loaded.unwrap_err())
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
    assert!(workload("modulated", &[("states", &states("{ factor = 0, mean_slots = 9 }"))]).is_ok());
}

#[test]
fn nothing_is_loaded_ahead_where_nothing_is_served_from_memory() {
    let changes = [("decision.prefetch", "true"), ("decision.placements", "[\"cloud\"]")];
    insta::assert_snapshot!(tight(&changes).unwrap_err());
}

#[test]
fn tight_request_is_tight_but_for_its_decisions_and_its_margins() {
    let config = |name: &str| {
        Scenario::load(name, shipped::text(name).unwrap(), &[], |path| Err(format!("no {path}"))).unwrap().0
    };
    let (tight, request) = (config("tight"), config("tight-request"));
    assert_eq!(request.decision.granularity, GranularityConfig::Request);
    assert_eq!(request.decision.placements, tight.decision.placements);
    let same = ScenarioConfig {
        name: request.name.clone(),
        decision: request.decision.clone(),
        policies: request.policies.clone(),
        ..tight
    };
    assert_eq!(request, same);
}

#[test]
fn memory_and_context_contradictions_name_the_key_and_what_is_allowed() {
    let user = ("context.scope", "\"user\"");
    let refusals: Vec<String> = [
        [user, ("context.users", "0")],
        [user, ("context.users", "1000001")],
        [("context.scope", "\"service\""), ("context.users", "5")],
        [("memory.kv", "true"), ("models.0.kv_bytes_per_token", "2e6")],
        [("memory.kv", "true"), ("models.1.kv_bytes_per_token", "0.5")],
        [("memory.kv", "true"), ("models.1.kv_bytes_per_token", "nan")],
        [("memory.kv", "false"), ("models.1.kv_bytes_per_token", "2e6")],
        [("memory.shared_weights", "1"), user],
    ]
    .iter()
    .map(|changes| tight(changes).unwrap_err())
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn accuracy_can_be_read_from_a_table() {
    // LaMDA-137B on MultiArith, P2 Table III; five thoughts of 200 tokens are 1,000 tokens.
    let table =
        "[quality.table]\npaths = [0.0, 5.0, 10.0, 15.0, 20.0]\naccuracy = [0.47, 0.63, 0.69, 0.71, 0.73]";
    let lines: Vec<&str> = shipped::text("tight").unwrap().lines().collect();
    let kept: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("alpha")).collect();
    let text = kept.join("\n").replace("[quality.linear]\nbeta = 0.5", table);
    let (_, scenario) = Scenario::load("x.toml", &text, &[], |path| Err(format!("no {path}"))).unwrap();
    for service in &scenario.services {
        assert_relative_eq!(service.quality.unit_cost(500.0, 9e9), 0.45, max_relative = 1e-12);
        assert_relative_eq!(service.quality.unit_cost(1000.0, 9e9), 0.37, max_relative = 1e-12);
    }
}

#[test]
fn switching_can_be_priced_by_load() {
    let scenario = tight(&[("cost.switching.per_load.weight", "0.25")]).unwrap();
    assert_eq!(scenario.service(ServiceId(0)).load_cost, 0.25);
}

#[test]
fn compute_is_priced_by_the_second() {
    let scenario = tight(&[
        ("cost.compute_weight", "2.0"),
        ("cell.compute_tflop_per_s", "100"),
        ("models.0.active_parameters_b", "65"),
        ("models.1.active_parameters_b", "174"),
    ])
    .unwrap();
    // 2 * 65e9 FLOP a token * 200 tokens = 2.6e13 FLOP = 0.26 s at 100 TFLOP/s, times weight 2.
    let small = scenario.services.iter().find(|service| service.bytes < 200_000_000_000).unwrap();
    assert_relative_eq!(small.request_flop * scenario.prices.per_flop, 0.52, max_relative = 1e-12);
}

fn tiny(overrides: &[(&str, &str)]) -> Result<Scenario, String> {
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    Scenario::load("tiny.toml", shipped::text("tiny-drift4").unwrap(), &overrides, |_| Err("none".into()))
        .map(|(_, scenario)| scenario)
        .map_err(|error| error.to_string())
}

#[test]
fn phases_prices_and_windows_that_cannot_be_meant_are_refused() {
    let mut refusals: Vec<String> = [
        [("workload.phased.popularity", "[]")].as_slice(),
        &[("workload.phased.popularity", "[[0.5, 0.5]]")],
        &[("workload.phased.popularity", "[[0.5, 0.2, 0.2, 0.2]]")],
        &[("workload.phased.popularity", "[[0.5, -0.2, 0.5, 0.2]]")],
        &[("workload.phased.popularity", "[[0.5, 0.1, 0.2, 0.2]]")],
        &[("workload.phased.stay_prob", "1.0")],
        &[("cell.count", "2")],
        &[("cost.accuracy_weight", "2.5")],
        &[("services.1.load_cost", "-1")],
        &[("services.1.edge_per_request", "nan")],
        &[("services.1.cloud_per_request", "-1")],
        &[("cost.switching.per_gb.weight", "1"), ("services.1.load_cost", "4")],
    ]
    .into_iter()
    .map(|changes| tiny(changes).unwrap_err())
    .collect();
    refusals.push(tight(&[("observation.popularity_phase", "true")]).unwrap_err());
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_service_may_have_prices_of_its_own_and_a_model_no_window() {
    let scenario = tiny(&[
        ("services.1.load_cost", "0.5"),
        ("services.1.edge_per_request", "0.25"),
        ("services.1.cloud_per_request", "7"),
    ])
    .unwrap();
    let prices = |service: &Service| (service.load_cost, service.edge_per_request, service.cloud_per_request);
    assert_eq!(
        scenario.services.iter().map(prices).collect::<Vec<_>>(),
        [(4.0, 1.0, 3.0), (0.5, 0.25, 7.0), (4.0, 1.0, 3.0), (4.0, 1.0, 3.0)]
    );
    assert!(scenario.services.iter().all(|service| service.window_tokens == f64::INFINITY));
    assert_eq!((scenario.phases().unwrap().num_phases(), scenario.shows_popularity_phase), (2, true));
}

#[test]
fn one_phase_needs_no_probability_to_stay() {
    let one = ("workload.phased.popularity", "[[0.5, 0.1, 0.2, 0.2]]");
    assert!(tiny(&[one]).is_err(), "the file's .95 would do nothing");
    assert!(tiny(&[one, ("workload.phased.stay_prob", "1.0")]).is_ok());
}

#[test]
fn models_and_devices_of_ones_own_serve_with_their_own_numbers() {
    let street = |t_step_ms: f64| {
        let text = format!(
            "from = \"street\"
physical.server.device = \"mine\"
[[physical.catalogue.devices]]
name = \"mine\"
source = \"h100-sxm\"
constants_source = \"h100-sxm\"
peak_fp16_tflop_per_s = 989.0
peak_int8_tflop_per_s = 1979.0
memory_gb = 80.0
bandwidth_gb_per_s = 3350.0
power_idle_w = 70.0
power_busy_w = 490.0
mfu = 0.5
eta = 0.7
t_step_ms = {t_step_ms:?}
link_gb_per_s = 300.0
sync_us = 10.0
t_sequence_ms = 0.05
[[physical.catalogue.models]]
name = \"small\"
source = \"a test\"
total_parameters_b = 1.5
layers = 16
width = 2048
heads = 16
kv_heads = 8
head_dimension = 128
bytes_per_weight = 2.0
window_tokens = 32768.0
"
        );
        let model = Override { key: "models.0.catalogue".into(), value: "small".into() };
        Scenario::load("mine.toml", &text, &[model], |path| Err(path.into())).unwrap().1
    };
    // 1.5 billion weights of 2 bytes.
    assert_eq!(street(3.0).models[0].bytes, 3_000_000_000);
    let tokens = crate::llm::inference::Tokens { prompt: 1000.0, reused: 0.0, output: 100.0 };
    let last = |scenario: &Scenario| {
        let service = ServiceId::from_index(scenario.services.len() - 1);
        scenario.physical().unwrap().edge(service).server.serve(&tokens, 1)
    };
    let shipped = last(&Scenario::shipped("street"));
    assert_eq!(last(&street(3.0)), shipped, "the same numbers under another name");
    // A millisecond more for each of the 100 tokens, and for the prompt.
    let slower = last(&street(4.0));
    assert_relative_eq!(slower.decode_s, shipped.decode_s + 0.1, max_relative = 1e-9);
    assert_relative_eq!(slower.prefill_s, shipped.prefill_s + 0.001, max_relative = 1e-9);
    assert_ne!(street(3.0).digest, street(4.0).digest);
}
