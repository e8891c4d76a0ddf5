//! Scenario and agent files.
//!
//! An input is the text of a file; lines that begin with `--set ` are overrides (`--set cell.count=2`) and no part of it.

use super::expect_message;
use std::sync::{Arc, OnceLock};
use thoughtcache_agents::learn::config::AgentConfig;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::config::WorkloadConfig;
use thoughtcache_env::scenario::{Scenario, ScenarioConfig};
use thoughtcache_env::text::{self, Override};
use thoughtcache_env::workload::trace::Trace;

/// The decisions that are taken in an accepted scenario.
const PLAYED_STEPS: usize = 50;
/// The slots after which playing stops: few requests make long episodes.
const PLAYED_SLOTS: u32 = 400;
/// Cells times services of a world that is small enough to be played each time.
const SMALL_WORLD: usize = 120;

/// Reads the input as a scenario and as an agent.
pub(crate) fn read(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (mut file, mut overrides) = (String::new(), Vec::new());
    for line in input.lines() {
        match line.strip_prefix("--set ").map(|typed| typed.split_once('=')) {
            Some(Some((key, value))) => {
                overrides.push(Override { key: key.trim().into(), value: value.trim().into() });
            }
            _ => file.extend([line, "\n"]),
        }
    }
    scenario(&file, &overrides);
    agent(&file, &overrides);
}

fn scenario(file: &str, overrides: &[Override]) {
    let load = |text: &str, overrides: &[Override]| {
        Scenario::load("fuzz.toml", text, overrides, |_| Ok(recording().clone()))
    };
    match load(file, overrides) {
        Err(error) => expect_message(&error.to_string()),
        Ok((config, scenario)) => {
            let text = toml::to_string(&config).expect("a scenario that was read can be written");
            let (again, _) = load(&text, &[])
                .unwrap_or_else(|error| panic!("the resolved scenario is refused: {error}\n{text}"));
            assert_same(&again, &config);
            if scenario.services.len() * scenario.num_cells as usize <= SMALL_WORLD && is_quiet(&config) {
                play(scenario, file.len());
            }
        }
    }
}

fn assert_same(again: &ScenarioConfig, config: &ScenarioConfig) {
    assert_eq!(again, config, "the resolved scenario means something else");
}

/// Whether a slot brings few enough requests to draw a user for each.
fn is_quiet(config: &ScenarioConfig) -> bool {
    match &config.workload {
        WorkloadConfig::Poisson(law) => law.mean_requests_per_service < 1e3,
        WorkloadConfig::Gamma(law) | WorkloadConfig::Weibull(law) => law.mean_requests_per_service < 1e3,
        WorkloadConfig::Modulated(law) => law.mean_requests_per_service < 1e3,
        _ => true,
    }
}

/// Takes legal actions, now this, now that, and looks at everything that comes out.
fn play(scenario: Scenario, salt: usize) {
    let mut env = DecisionEnv::new(Arc::new(scenario));
    env.reset(Seed::new(Purpose::Train, 1));
    let mut row = vec![0.0_f32; env.spec().num_entries()];
    let mut legal = vec![false; env.spec().num_actions()];
    let (mut choice, mut slots) = (salt, 0);
    for _ in 0..PLAYED_STEPS {
        env.encode(&mut row);
        for (value, entry) in row.iter().zip(&env.spec().entries) {
            assert!((entry.low..=entry.high).contains(value), "{} = {value} leaves its interval", entry.name);
        }
        env.mask(&mut legal);
        let allowed: Vec<usize> = (0..legal.len()).filter(|&action| legal[action]).collect();
        assert!(!allowed.is_empty(), "nothing is legal");
        choice = choice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let action = ActionId::from_index(allowed[(choice >> 33) % allowed.len()]);
        let step = env.step(&action).expect("the action is legal");
        assert!(step.reward.is_finite() && step.reward <= 0.0, "reward {}", step.reward);
        slots += step.slots_elapsed;
        if step.end.is_end() || slots > PLAYED_SLOTS {
            break;
        }
    }
}

fn agent(file: &str, overrides: &[Override]) {
    match text::parse::<AgentConfig>("fuzz.toml", file, overrides, &[""]) {
        Err(error) => expect_message(&error.to_string()),
        Ok(config) => {
            if let Err(error) = config.validate() {
                return expect_message(&error.to_string());
            }
            let text = toml::to_string(&config).expect("an agent that was read can be written");
            let again: AgentConfig =
                text::parse("fuzz.toml", &text, &[], &[""]).expect("what was written can be read");
            assert_eq!(again, config, "the resolved agent means something else");
        }
    }
}

/// Twenty-four models over a thousand seconds: whatever file a scenario names.
fn recording() -> &'static Trace {
    static RECORDING: OnceLock<Trace> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let row = |row: u32| {
            let model = row * row % 24;
            format!("{},m{model},{}\n", f64::from(row) * 0.5, 0.5 + f64::from(model))
        };
        let rows: String = (0..2_000).map(row).collect();
        Trace::read(format!("time_s,model,load_s\n{rows}").as_bytes()).expect("a sound recording")
    })
}
