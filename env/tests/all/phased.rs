//! Tiny worlds: one request a slot, phases, prices by service, and imagined situations.

use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::units::{CellId, ServiceId};

const EDGE: ActionId = ActionId(0);
const CLOUD: ActionId = ActionId(1);

fn drift(overrides: &[(&str, &str)]) -> DecisionEnv {
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let text = shipped::text("tiny-drift4").unwrap();
    let (_, scenario) = Scenario::load("tiny", text, &overrides, |_| Err("none".into())).unwrap();
    DecisionEnv::new(Arc::new(scenario))
}

fn seed() -> Seed {
    Seed::new(Purpose::Test, 1)
}

/// Plays on with the cloud; what was asked for, and in which phase, slot by slot.
fn requests(env: &mut DecisionEnv, slots: usize) -> Vec<(u32, u32)> {
    let mut seen = Vec::new();
    for _ in 0..slots {
        seen.push((env.observation().service.0, env.observation().popularity_phase.unwrap()));
        assert_eq!(env.observation().num_requests, 1);
        assert_eq!(env.step(&CLOUD).unwrap().slots_elapsed, 1);
    }
    seen
}

#[test]
fn every_slot_brings_one_request_of_its_phase() {
    let mut env = drift(&[("horizon_slots", "20000")]);
    env.reset(seed());
    let seen = requests(&mut env, 19_999);
    let (mut favourites, mut changes) = (0, 0);
    for pair in seen.windows(2) {
        favourites += usize::from(pair[0].0 == 3 * pair[0].1);
        changes += usize::from(pair[0].1 != pair[1].1);
    }
    // Seven of ten ask for the favourite of the phase, one slot in twenty begins another phase; five standard errors.
    assert!((0.68..0.72).contains(&(favourites as f64 / 2e4)), "{favourites}");
    assert!((0.042..0.058).contains(&(changes as f64 / 2e4)), "{changes}");
}

#[test]
fn the_phase_of_the_first_slot_is_any() {
    let mut env = drift(&[]);
    let first = |env: &mut DecisionEnv, episode| {
        env.reset(seed().with_episode(episode));
        env.observation().popularity_phase.unwrap()
    };
    let ones: u32 = (0..400).map(|episode| first(&mut env, episode)).sum();
    assert!((150..250).contains(&ones), "{ones}");
}

#[test]
fn costs_are_those_of_the_service() {
    let mut env = drift(&[
        ("services.2.load_cost", "0.5"),
        ("services.2.edge_per_request", "0.25"),
        ("services.2.cloud_per_request", "7"),
    ]);
    env.reset(seed());
    let mut cost = |service, action| {
        env.imagine(ServiceId(service), 0).unwrap();
        -env.step(&action).unwrap().reward
    };
    assert_eq!([cost(2, CLOUD), cost(1, CLOUD)], [7.0, 3.0]);
    assert_eq!([cost(2, EDGE), cost(2, EDGE), cost(1, EDGE), cost(1, EDGE)], [0.75, 0.25, 5.0, 1.0]);
}

#[test]
fn the_phase_is_seen_where_the_scenario_says_so_and_nowhere_else() {
    let (mut seeing, mut blind) = (drift(&[]), drift(&[("observation.popularity_phase", "false")]));
    seeing.reset(seed());
    blind.reset(seed());
    let entries = |env: &DecisionEnv| env.spec().entries.iter().map(|e| e.name.clone()).collect::<Vec<_>>();
    let (with, without) = (entries(&seeing), entries(&blind));
    assert_eq!(with[..without.len()], without);
    assert_eq!(with[without.len()..], ["phase.0", "phase.1"]);
    assert_eq!(blind.observation().popularity_phase, None);
    let mut row = vec![9.0; with.len()];
    for phase in [0, 1] {
        seeing.imagine(ServiceId(0), phase).unwrap();
        seeing.encode(&mut row);
        let expected = [[1.0, 0.0], [0.0, 1.0]][phase as usize];
        assert_eq!(row[without.len()..], expected);
        assert!(row.iter().all(|x| (0.0..=1.0).contains(x)), "{row:?}");
    }
}

#[test]
fn a_snapshot_keeps_the_phase_and_a_new_future_changes_what_comes() {
    let mut env = drift(&[]);
    env.reset(seed());
    requests(&mut env, 30);
    let snapshot = env.snapshot();
    let truth = requests(&mut env, 60);
    env.restore(&snapshot).unwrap();
    assert_eq!(requests(&mut env, 60), truth);
    env.restore(&snapshot).unwrap();
    env.reseed_future(seed().with_episode(9));
    let other = requests(&mut env, 60);
    assert_eq!(other[0], truth[0], "the present slot stays");
    assert_ne!(other, truth);
}

#[test]
fn a_situation_is_imagined_without_touching_the_memory() {
    let mut env = drift(&[]);
    assert!(env.imagine(ServiceId(0), 0).is_err(), "no episode has begun");
    env.reset(seed());
    env.imagine(ServiceId(1), 0).unwrap();
    env.step(&EDGE).unwrap();
    for (service, phase) in [(0, 1), (1, 0), (3, 1)] {
        env.imagine(ServiceId(service), phase).unwrap();
        let observation = env.observation();
        assert_eq!((observation.service, observation.popularity_phase), (ServiceId(service), Some(phase)));
        assert_eq!(observation.is_hit(), service == 1);
        let pending: Vec<u32> = observation.demand.iter().map(|demand| demand.pending_requests).collect();
        assert_eq!(pending.iter().sum::<u32>(), pending[service as usize]);
        assert!(env.world().cell(CellId(0)).cache.is_resident(ServiceId(1)));
    }
    for (service, phase) in [(4, 0), (0, 2)] {
        let message = env.imagine(ServiceId(service), phase).unwrap_err().to_string();
        assert!(message.starts_with("nobody can imagine a request for service"), "{message}");
        assert_eq!(env.observation().service, ServiceId(3), "nothing has changed");
    }
    let mut tight = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
    tight.reset(seed());
    assert!(tight.imagine(ServiceId(0), 0).is_err());
}
