//! `trace-lumos5g` where its recording is at hand: users meet the rates that phones measured, and those of tests are others.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::radio::recorded_rates::RateFormat;
use thoughtcache_env::radio::recordings;
use thoughtcache_env::radio::replay::ThroughputTraces;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::workload::trace::Trace;

struct Lumos(ThroughputTraces);

impl Files for Lumos {
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        Err(format!("no {path}"))
    }

    fn throughput(&mut self, _path: &str, _format: RateFormat) -> Result<ThroughputTraces, String> {
        Ok(self.0.clone())
    }
}

/// All recorded traces, and the scenario that replays those of 5G.
fn recorded() -> Option<(ThroughputTraces, Arc<Scenario>)> {
    let path = "../../shared/data/sigcomm21_5g/lumos5g_abr_traces_1s.csv.gz";
    let Ok(file) = File::open(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))) else {
        println!("skipped: recorded data ../shared/data/sigcomm21_5g is not here");
        return None;
    };
    let traces = recordings::throughput(file).unwrap();
    let text = shipped::text("trace-lumos5g").unwrap();
    let (_, scenario) = Scenario::load_with("lumos", text, &[], &mut Lumos(traces.clone())).unwrap();
    Some((traces, Arc::new(scenario)))
}

/// Downlink rates that users who ask for something would have alone in the cell, over some episodes.
fn met(scenario: &Arc<Scenario>, purpose: Purpose) -> Vec<f64> {
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let mut met = Vec::new();
    for episode in 0..40 {
        env.reset(Seed::new(purpose, 0).with_episode(episode));
        loop {
            let link = env.world().facts().unwrap().link;
            assert!(
                (link.uplink_bps - 0.1 * link.downlink_bps).abs() < 1e-6 * link.downlink_bps
                    || link.uplink_bps == 1e5
            );
            met.push(link.downlink_bps / link.time_share);
            let last = env.observation().legal.iter().rposition(|legal| *legal).unwrap();
            if env.step(&ActionId::from_index(last)).unwrap().end.is_end() {
                break;
            }
        }
    }
    met
}

#[test]
fn users_meet_the_rates_that_were_measured_and_tests_replay_other_traces() {
    let Some((traces, scenario)) = recorded() else { return };
    let five = traces.of_kind("5G").unwrap();
    for (purpose, is_odd) in [(Purpose::Train, false), (Purpose::Test, true)] {
        let half = five.half(is_odd).unwrap();
        let means = half.traces().iter().map(|trace| trace.mean_bits_per_s(0.0, trace.duration_s()));
        let expected = means.sum::<f64>() / half.traces().len() as f64;
        let met = met(&scenario, purpose);
        let mean = met.iter().sum::<f64>() / met.len() as f64;
        assert!((mean / expected - 1.0).abs() < 0.1, "{purpose:?}: {mean} met, {expected} recorded");
    }
    let rates = scenario.physical().unwrap().radio.recorded_rates.as_ref().unwrap();
    let names = |purpose| -> BTreeSet<&str> {
        rates.traces(purpose).traces().iter().map(|trace| trace.name.as_str()).collect()
    };
    assert_eq!(names(Purpose::Train), names(Purpose::Validate));
    assert!(names(Purpose::Train).is_disjoint(&names(Purpose::Test)));
}

#[test]
fn a_world_of_recorded_throughput_keeps_the_contract() {
    let Some((_, scenario)) = recorded() else { return };
    let settings = CheckSettings { steps: 2_000, ..CheckSettings::default() };
    let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), settings);
    assert!(checked.as_ref().is_ok_and(|checked| checked.steps >= 2_000), "{checked:?}");
}
