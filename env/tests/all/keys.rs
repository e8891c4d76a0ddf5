//! Every key of the shipped scenarios, set to what nobody means: a list for a table, -0.0, the greatest and the least numbers.

use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env, Step};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::{CHOICES, Scenario, ScenarioConfig, shipped};
use thoughtcache_env::text::{Override, parse};
use toml::Value;

/// Every part of a value but the whole, with its path as `--set` has it; of a list the first two entries.
fn parts(value: &Value, trail: &str, found: &mut Vec<(String, Value)>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().take(2).enumerate().map(|(at, v)| (at.to_string(), v)).collect(),
        _ => return,
    };
    for (key, value) in below {
        let path = if trail.is_empty() { key } else { format!("{trail}.{key}") };
        found.push((path.clone(), value.clone()));
        parts(value, &path, found);
    }
}

fn parts_of(name: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    parts(&toml::from_str(shipped::text(name).unwrap()).unwrap(), "", &mut found);
    found
}

fn read(name: &str, key: &str, value: &str) -> Result<ScenarioConfig, String> {
    let change = Override { key: key.to_owned(), value: value.to_owned() };
    parse(name, shipped::text(name).unwrap(), &[change], &CHOICES).map_err(|error| error.to_string())
}

#[test]
fn a_list_is_refused_wherever_a_table_belongs() {
    for name in shipped::names() {
        for (key, value) in parts_of(name) {
            let Value::Table(table) = value else { continue };
            let values: Vec<Value> = table.values().cloned().collect();
            for list in [Value::Array(values).to_string(), "[]".to_owned()] {
                let refused = read(name, &key, &list).expect_err(&format!("{name}: {key} = {list}"));
                assert!(refused.starts_with(&format!("--set {key}=[")), "{refused}");
                assert!(refused.contains("a list stands where "), "{refused}");
            }
        }
    }
}

#[test]
fn a_list_for_a_table_is_named_with_file_line_and_key() {
    let text = shipped::text("street").unwrap();
    let cell = text.find("[cell]").unwrap();
    let end = cell + text[cell + 1..].find("\n[").unwrap() + 1;
    let line = text[..cell].matches('\n').count() + 1;
    let changed = format!("{}{}", &text[..cell], &text[end + 1..]);
    let changed = format!("cell = [1, 160.0]\n{changed}");
    let refused = parse::<ScenarioConfig>("my.toml", &changed, &[], &CHOICES).unwrap_err();
    assert_eq!(refused.to_string(), "my.toml:1:8: cell: a list stands where a table is needed", "{line}");
}

#[test]
fn minus_zero_is_zero_at_every_number() {
    for name in shipped::names() {
        let written = |value: &str, key: &str| toml::to_string(&read(name, key, value).unwrap()).unwrap();
        for (key, value) in parts_of(name) {
            if matches!(value, Value::Float(_)) {
                assert_eq!(written("-0.0", &key), written("0.0", &key), "{name}: {key}");
            }
        }
    }
}

/// Takes the first legal action.
fn step(env: &mut DecisionEnv) -> Step {
    let mut legal = vec![false; env.spec().num_actions()];
    env.mask(&mut legal);
    env.step(&ActionId::from_index(legal.iter().position(|&is_legal| is_legal).unwrap())).unwrap()
}

#[test]
fn a_cost_is_finite_when_no_time_is_left_for_sensing() {
    for zero in ["-0.0", "0.0"] {
        let scenario = changed("street", "physical.radio.sensing.time_ratio", zero).unwrap();
        let mut env = DecisionEnv::new(Arc::new(scenario));
        env.reset(Seed::new(Purpose::Test, 1));
        for _ in 0..200 {
            let step = step(&mut env);
            assert!(step.reward.is_finite(), "{zero}: {step:?}");
        }
    }
}

fn changed(name: &str, key: &str, value: &str) -> Result<Scenario, String> {
    let change = Override { key: key.to_owned(), value: value.to_owned() };
    let none = |path: &str| Err::<thoughtcache_env::workload::trace::Trace, _>(format!("no {path}"));
    let loaded = Scenario::load(name, shipped::text(name).unwrap(), &[change], none);
    loaded.map(|(_, scenario)| scenario).map_err(|error| error.to_string())
}

#[test]
fn numbers_at_their_ends_are_refused_or_played() {
    let ends = ["0", "-1", "1e308", "4294967295", "9223372036854775807", "18446744073709551615"];
    for name in shipped::names() {
        for (key, value) in parts_of(name) {
            if !matches!(value, Value::Float(_) | Value::Integer(_)) {
                continue;
            }
            for end in ends {
                let Ok(scenario) = changed(name, &key, end) else { continue };
                let mut env = DecisionEnv::new(Arc::new(scenario));
                env.reset(Seed::new(Purpose::Test, 1));
                let step = step(&mut env);
                assert!(step.reward.is_finite(), "{name}: {key} = {end}: {step:?}");
            }
        }
    }
}
