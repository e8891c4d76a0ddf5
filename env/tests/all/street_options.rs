//! Every number of the shipped physical scenarios matters: one that changes nothing would be a mistake in the world.

use rand::RngExt;
use std::fs::File;
use std::sync::Arc;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::radio::recorded_rates::RateFormat;
use thoughtcache_env::radio::recordings;
use thoughtcache_env::radio::replay::ThroughputTraces;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::files::Files;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::workload::trace::Trace;
use toml::Value;

/// A shipped scenario, what gives every number of it something to say, and numbers that say nothing there.
struct Case {
    name: &'static str,
    /// Two or more cells have a distance; accuracy of device and cloud depends on context where it is carried there.
    overlay: &'static str,
    /// What is of no use beside a recording of rates.
    unheard: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case {
        name: "street",
        overlay: "cell.count = 2
physical.carries_context = true
physical.sites.hexagons.distance_m = 50.0",
        unheard: &[],
    },
    Case {
        name: "office-140ghz",
        overlay: "cell.count = 2
physical.carries_context = true
physical.sites.hexagons.distance_m = 20.0",
        unheard: &[],
    },
    Case {
        name: "city",
        overlay: "cell.count = 7
physical.carries_context = true
physical.sites.hexagons.distance_m = 180.0",
        unheard: &[],
    },
    Case {
        name: "trace-lumos5g",
        overlay: "cell.count = 2
physical.carries_context = true
physical.sites.hexagons.distance_m = 50.0",
        unheard: &[],
    },
];

/// The recorded throughput beside the repository.
struct Recorded;

impl Files for Recorded {
    fn requests(&mut self, path: &str) -> Result<Trace, String> {
        Err(format!("no {path}"))
    }

    fn throughput(&mut self, path: &str, _format: RateFormat) -> Result<ThroughputTraces, String> {
        let place = format!("{}/../../shared/data/sigcomm21_5g/{path}", env!("CARGO_MANIFEST_DIR"));
        let file = File::open(place).map_err(|error| error.to_string())?;
        recordings::throughput(file).map_err(|error| error.to_string())
    }
}

fn overlaid(root: &mut Value, overlay: &Value) {
    match (root, overlay) {
        (Value::Table(root), Value::Table(overlay)) => {
            for (key, value) in overlay {
                overlaid(root.entry(key).or_insert(Value::Table(toml::Table::new())), value);
            }
        }
        (root, value) => *root = value.clone(),
    }
}

/// A place in a file: keys of tables and numbers of lists.
type Path = Vec<String>;

fn numbers(value: &Value, path: &Path, found: &mut Vec<Path>) {
    let below = |key: String| [path.as_slice(), &[key]].concat();
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(key, value)| numbers(value, &below(key.clone()), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| numbers(value, &below(at.to_string()), found));
        }
        Value::Integer(_) | Value::Float(_) => found.push(path.clone()),
        _ => {}
    }
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(value, |value, key| match value {
        Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
        value => value.get_mut(key).unwrap(),
    })
}

fn random_legal(mask: &[bool], rng: &mut SimRng) -> ActionId {
    let legal: Vec<usize> = (0..mask.len()).filter(|&index| mask[index]).collect();
    ActionId::from_index(legal[rng.random_range(0..legal.len())])
}

/// A digest of what random play of some episodes sees and pays.
fn digest(scenario: &Arc<Scenario>) -> u64 {
    let mut vec_env = VecEnv::new(DecisionEnv::lanes(scenario, 2), Seed::new(Purpose::Train, 5));
    let mut buffers = StepBuffers::new(vec_env.num_lanes(), vec_env.spec());
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).unwrap();
    let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
    for _ in 0..1500 {
        let masks = buffers.masks.rows().into_iter();
        let actions: Vec<ActionId> =
            masks.map(|mask| random_legal(mask.as_slice().unwrap(), &mut rng)).collect();
        vec_env.step_into(&actions, buffers.rows()).unwrap();
    }
    vec_env.trajectory_hash()
}

#[test]
fn every_number_of_street_changes_what_happens() {
    every_number_changes_what_happens(&CASES[0]);
}

#[test]
fn every_number_of_office_140ghz_changes_what_happens() {
    every_number_changes_what_happens(&CASES[1]);
}

#[test]
fn every_number_of_city_changes_what_happens() {
    every_number_changes_what_happens(&CASES[2]);
}

#[test]
fn every_number_of_trace_lumos5g_changes_what_happens() {
    every_number_changes_what_happens(&CASES[3]);
}

fn every_number_changes_what_happens(case: &Case) {
    let mut root: Value = toml::from_str(shipped::text(case.name).unwrap()).unwrap();
    if let Err(error) = Scenario::load_with(case.name, shipped::text(case.name).unwrap(), &[], &mut Recorded)
    {
        println!("skipped: {error}");
        return;
    }
    let _ = at(&mut root, &["physical".to_owned()]).as_table_mut().unwrap().remove("sites");
    // Parameters of rules are none of the world's.
    let _ = root.as_table_mut().unwrap().remove("policies");
    let overlay: Value = toml::from_str(case.overlay).unwrap();
    overlaid(&mut root, &overlay);
    let mut paths = Vec::new();
    numbers(&root, &Vec::new(), &mut paths);
    assert!(paths.len() > 100, "{} numbers", paths.len());
    let load = |root: &Value| {
        let text = toml::to_string(root).unwrap();
        Scenario::load_with(case.name, &text, &[], &mut Recorded)
    };
    let before = digest(&Arc::new(load(&root).unwrap().1));
    let changes = |path: &Path, factor: f64| {
        let mut changed = root.clone();
        let value = at(&mut changed, path);
        match value {
            Value::Integer(number) => *number = (*number as f64 * factor).ceil() as i64,
            Value::Float(number) => *number *= factor,
            _ => unreachable!("paths lead to numbers"),
        }
        load(&changed).is_ok_and(|(_, scenario)| digest(&Arc::new(scenario)) != before)
    };
    let without_effect: Vec<String> = paths
        .iter()
        .filter(|path| {
            ![0.5, 1.5, 0.9, 0.75, 1.05, 0.05, 20.0].into_iter().any(|factor| changes(path, factor))
        })
        .map(|path| path.join("."))
        .collect();
    // Shares of device classes have to sum to 1, so that no single one can change.
    let is_share =
        |key: &String| key.starts_with("physical.devices.") && key.split('.').next_back() == Some("share");
    let (shares, others): (Vec<String>, Vec<String>) = without_effect.into_iter().partition(is_share);
    assert_eq!(others, case.unheard, "without effect");
    let mut shared_out = root.clone();
    for (place, path) in paths.iter().filter(|path| shares.contains(&path.join("."))).enumerate() {
        let share = if place == 0 { 1.0 - 0.1 * (shares.len() - 1) as f64 } else { 0.1 };
        *at(&mut shared_out, path) = Value::Float(share);
    }
    assert!(shares.is_empty() || digest(&Arc::new(load(&shared_out).unwrap().1)) != before, "{shares:?}");
}
