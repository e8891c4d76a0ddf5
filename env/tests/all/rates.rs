//! A world whose requests are drawn at recorded rates: a small recording, and `trace-servegen` where its recording is at hand.

use std::fs::File;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::workload::arrivals::ArrivalModel;
use thoughtcache_env::workload::rates::ClientRates;
use thoughtcache_env::workload::trace::{Trace, TracePart};

/// Twenty-two clients over 40 periods of ten minutes, twenty of whom ask often, the later the burstier: 19.2 requests a slot
/// of `trace-servegen`.
fn small() -> ClientRates {
    let row = |client: u32, period: u32| {
        let (rate, family) = (if client < 20 { 8.0 } else { 0.1 }, ["gamma", "weibull"][client as usize % 2]);
        format!("m,{client},{},{rate},{}.5,{family}\n", 600 * period, client)
    };
    rates((0..22).flat_map(|client| (0..40).map(move |period| row(client, period))))
}

fn rates(rows: impl Iterator<Item = String>) -> ClientRates {
    let table = format!("model,client,start_s,rate_per_s,iat_cv,family\n{}", rows.collect::<String>());
    ClientRates::read(table.as_bytes()).unwrap()
}

struct OnlyRates<'a>(&'a ClientRates);

impl Files for OnlyRates<'_> {
    fn requests(&mut self, _path: &str) -> Result<Trace, String> {
        Err("rates are needed".into())
    }

    fn rates(&mut self, _path: &str) -> Result<ClientRates, String> {
        Ok(self.0.clone())
    }
}

fn load(rates: &ClientRates, changes: &[(&str, &str)]) -> Result<Arc<Scenario>, String> {
    let overrides: Vec<Override> =
        changes.iter().map(|(key, value)| Override { key: (*key).into(), value: (*value).into() }).collect();
    let text = shipped::text("trace-servegen").unwrap();
    let loaded = Scenario::load_with("rates.toml", text, &overrides, &mut OnlyRates(rates));
    loaded.map(|(_, scenario)| Arc::new(scenario)).map_err(|error| error.to_string())
}

const ANY: (&str, &str) = ("workload.rates.services.top_clients.model", "\"m\"");

/// The fingerprints of the requests of the first slots, and the length of the episode.
fn requests(env: &mut DecisionEnv, seed: Seed) -> (Vec<u64>, u32) {
    env.reset(seed);
    let mut fingerprints = Vec::new();
    while env.world().slot() < 20 {
        fingerprints.push(env.world().exogenous_fingerprint());
        let legal = env.observation().legal.iter().rposition(|legal| *legal).unwrap();
        env.step(&ActionId::from_index(legal)).unwrap();
    }
    (fingerprints, env.world().horizon_slots())
}

#[test]
fn a_world_of_recorded_rates_keeps_the_contract() {
    let rates = small();
    for changes in [&[ANY][..], &[ANY, ("decision.granularity", "request")], &[ANY, ("slot_s", "250")]] {
        let changes = [changes, &[("horizon_slots", "50")]].concat();
        let scenario = load(&rates, &changes).unwrap();
        let settings = CheckSettings { steps: 1500, ..CheckSettings::default() };
        let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), settings);
        assert!(checked.is_ok(), "{changes:?}: {checked:?}");
    }
}

#[test]
fn training_begins_anywhere_and_the_test_part_is_one_run() {
    let scenario = load(&small(), &[ANY]).unwrap();
    // 40 periods of ten slots: 240, 80 and 80 slots. Clients 20 and 21 belong to no service.
    let ArrivalModel::Rates(model) = &scenario.arrivals else { panic!("rates") };
    assert_eq!(TracePart::ALL.map(|part| model.split.slots(part).len()), [240, 80, 80]);
    assert_eq!(scenario.outside_requests, 2 * 40 * 60);
    assert!(scenario.is_recorded());
    let mut env = DecisionEnv::new(Arc::clone(&scenario));
    let (train, other) = (Seed::new(Purpose::Train, 1), Seed::new(Purpose::Train, 1).with_episode(1));
    assert_eq!(requests(&mut env, train).1, 200);
    assert_eq!(requests(&mut env, Seed::new(Purpose::Test, 1)).1, 80);
    assert_eq!(requests(&mut env, train), requests(&mut env, train));
    assert_ne!(requests(&mut env, train).0, requests(&mut env, other).0);
    assert_ne!(
        requests(&mut env, Seed::new(Purpose::Test, 1)).0,
        requests(&mut env, Seed::new(Purpose::Test, 2)).0
    );
}

#[test]
fn the_split_can_be_chosen() {
    let scenario =
        load(&small(), &[ANY, ("workload.rates.split", "{ train = 0.5, validate = 0.25 }")]).unwrap();
    let ArrivalModel::Rates(model) = &scenario.arrivals else { panic!("rates") };
    assert_eq!(TracePart::ALL.map(|part| model.split.slots(part).len()), [200, 100, 100]);
    let error =
        load(&small(), &[ANY, ("workload.rates.split", "{ train = 0.9, validate = 0.1 }")]).unwrap_err();
    assert!(error.contains("leave something of 1 for tests"), "{error}");
}

#[test]
fn recordings_and_numbers_that_cannot_be_meant_are_refused() {
    let rates = small();
    let row = |client: u32, period: u32| format!("m,{client},{},1,1,gamma\n", 600 * period);
    // Nobody asks between the second and the last of ten periods.
    let late = self::rates((0..20).map(|client| row(client, 0)).chain([row(0, 1), row(0, 9)]));
    let refusals: Vec<String> = [
        load(&rates, &[]),
        load(&rates, &[ANY, ("workload.rates.rate_scale", "0")]),
        load(&rates, &[ANY, ("workload.rates.rate_scale", "1e-9")]),
        load(&rates, &[ANY, ("workload.rates.rate_scale", "1e6")]),
        load(&rates, &[ANY, ("cell.count", "2")]),
        load(&rates, &[ANY, ("horizon_slots", "241")]),
        load(&rates, &[ANY, ("slot_s", "1e-9")]),
        load(&rates, &[("workload.rates.services.top_models", "{}")]),
        load(&late, &[ANY, ("horizon_slots", "9")]),
    ]
    .into_iter()
    .map(|loaded| loaded.unwrap_err())
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn servegen_has_the_clients_and_rates_that_it_is_known_for() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/servegen/client_rates_600s.csv.gz");
    let Ok(file) = File::open(path) else {
        eprintln!("skipped: no recorded rates beside the repository");
        return;
    };
    let rates = ClientRates::servegen(file).unwrap();
    assert_eq!((rates.clients.len(), rates.rates.len(), rates.num_periods()), (421, 251_524, 2016));
    let bytes = rates.write(Vec::new()).unwrap();
    assert_eq!(ClientRates::read(&bytes[..]).unwrap(), rates);
    let scenario = load(&rates, &[]).unwrap();
    let ArrivalModel::Rates(model) = &scenario.arrivals else { panic!("rates") };
    // What the head of trace-servegen.toml says.
    let means = TracePart::ALL.map(|part| model.mean_requests(part));
    for (mean, expected) in means.into_iter().zip([21.1, 12.6, 13.6]) {
        assert!((mean - expected).abs() < 0.05, "{means:?}");
    }
    // The test part as it is drawn has its mean: it is bursty, so within 10 %.
    let mut env = DecisionEnv::new(Arc::clone(&scenario));
    env.reset(Seed::new(Purpose::Test, 0));
    let (mut num_requests, mut slots) = (0, 0);
    loop {
        let observation = env.observation();
        num_requests += observation.num_requests;
        let legal = observation.legal.iter().rposition(|legal| *legal).unwrap();
        let step = env.step(&ActionId::from_index(legal)).unwrap();
        slots += step.slots_elapsed;
        if step.end.is_end() {
            break;
        }
    }
    let mean = f64::from(num_requests) / f64::from(slots);
    assert!((mean / means[2] - 1.0).abs() < 0.1, "{mean}");
}
