//! Whether the question of every shipped physical scenario is a real one: memory is short, no place to serve is best for all requests,
//! context is worth something, and policies that do not think miss deadlines. The numbers stand in the headers of the scenarios.

use std::fs::File;
use std::sync::Arc;
use thoughtcache_agents::heuristics::registry::Prepared;
use thoughtcache_env::gym::api::{Counters, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::radio::recorded_rates::RateFormat;
use thoughtcache_env::radio::recordings;
use thoughtcache_env::radio::replay::ThroughputTraces;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::scenario::{Scenario, ScenarioConfig, shipped};
use thoughtcache_env::units::{ModelId, ServiceId};
use thoughtcache_env::workload::trace::Trace;

const EPISODES: u64 = 8;

/// The recorded throughput beside the repository.
struct Recorded;

impl Files for Recorded {
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        Err(format!("{path}: physical scenarios have sessions"))
    }

    fn throughput(&mut self, path: &str, format: RateFormat) -> Result<ThroughputTraces, String> {
        let folder = match format {
            RateFormat::Throughput => "sigcomm21_5g",
            RateFormat::Irish5g => "irish5g",
        };
        let place = format!("{}/../../shared/data/{folder}/{path}", env!("CARGO_MANIFEST_DIR"));
        let file = File::open(place).map_err(|error| error.to_string())?;
        match format {
            RateFormat::Throughput => recordings::throughput(file),
            RateFormat::Irish5g => recordings::irish5g(file),
        }
        .map_err(|error| error.to_string())
    }
}

/// All shipped physical scenarios whose recordings are at hand.
fn scenarios() -> Vec<Arc<Scenario>> {
    let mut scenarios = Vec::new();
    for name in shipped::names() {
        let text = shipped::text(name).unwrap();
        if toml::from_str::<ScenarioConfig>(text).unwrap().physical.is_none() {
            continue;
        }
        match Scenario::load_with(name, text, &[], &mut Recorded) {
            Ok((_, scenario)) => scenarios.push(Arc::new(scenario)),
            Err(error) => println!("skipped: {error}"),
        }
    }
    assert!(scenarios.len() >= 3);
    scenarios
}

/// What a policy did in some test episodes.
#[derive(Default)]
struct Played {
    counters: Counters,
    /// Requests by where they were served: device, edge, cloud.
    served: [u64; 3],
}

fn play(name: &str, scenario: &Arc<Scenario>) -> Played {
    let rule = Prepared::new(name, scenario).unwrap();
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let mut policy = rule.instance();
    let mut played = Played::default();
    for episode in 0..EPISODES {
        let seed = Seed::new(Purpose::Test, 0).with_episode(episode);
        let mut rng = seed.stream(Stream::Policy);
        env.reset(seed);
        policy.begin_episode();
        loop {
            let action = policy.act(env.observation(), &mut rng);
            let decision = env.observation().space().decode(action);
            let step = env.step(&action).unwrap();
            played.counters += step.info.counters;
            if let Some(Decision::Serve { placement, .. }) = decision {
                played.served[site(placement)] += 1;
            }
            if step.end.is_end() {
                break;
            }
        }
    }
    played
}

fn site(placement: Placement) -> usize {
    match placement {
        Placement::Device => 0,
        Placement::Edge | Placement::SplitEdgeCoarse | Placement::SplitEdgeFine => 1,
        Placement::Cloud | Placement::SplitCloudCoarse | Placement::SplitCloudFine => 2,
    }
}

/// The accuracy of a service at the edge without context, and with a full window.
fn accuracies(scenario: &Scenario) -> Vec<[f64; 2]> {
    let physical = scenario.physical().unwrap();
    let services = scenario.services.iter().enumerate();
    services
        .map(|(index, service)| {
            let law = physical.edge(ServiceId::from_index(index)).law;
            [0.0, service.window_tokens].map(|tokens| law.accuracy(tokens))
        })
        .collect()
}

#[test]
fn every_shipped_physical_scenario_asks_a_real_question() {
    for scenario in scenarios() {
        let name = &scenario.name;
        let models: std::collections::BTreeSet<ModelId> =
            scenario.services.iter().map(|service| service.model).collect();
        let catalogue: u64 = models.iter().map(|&model| scenario.model(model).bytes).sum();
        let held = scenario.capacity_bytes as f64 / catalogue as f64;
        let spans: Vec<f64> = accuracies(&scenario).iter().map(|[empty, full]| full - empty).collect();
        let least_span = spans.iter().copied().fold(f64::INFINITY, f64::min);
        let thinks = play("worth+myopic", &scenario);
        let served = thinks.served.map(|served| served as f64 / thinks.counters.requests as f64);
        let late = ["device-only", "edge-only", "cloud-only", "lru", "worth+myopic"].map(|rule| {
            let counters = play(rule, &scenario).counters;
            counters.late as f64 / counters.requests as f64
        });
        println!(
            "{name}: memory holds {held:.3}, accuracy spans {least_span:.3} or more, served at device, edge, cloud {served:.3?}, \
             late device-only, edge-only, cloud-only, lru, worth+myopic {late:.3?}"
        );
        assert!((1.0 / 3.0..=0.5).contains(&held), "{name}: memory holds {held}");
        assert!(least_span >= 0.15, "{name}: {spans:?}");
        assert!(served.iter().all(|share| *share >= 0.02), "{name}: served at {served:?}");
        let [device, edge, cloud, lru, thinks] = late;
        for naive in [device, edge, cloud, lru] {
            assert!(naive >= 0.05 && naive > 1.3 * thinks, "{name}: late {late:?}");
        }
    }
}
