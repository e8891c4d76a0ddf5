//! What must not move while the house is rebuilt: each shipped scenario and each reference run, played anew and held against
//! `pins.txt`, which the code of commit e38bc5c made.
//!
//! A scenario's lines hold its entries and actions, a trajectory of 10,000 random legal decisions (every step, its first, its last
//! and all of its rows), and the costs of three rules over three episodes. A reference run's line holds the cost of its best
//! checkpoint over three episodes. Scenarios whose recordings are not beside the repository are skipped, and said.

use crate::recordings::{Recordings, SOURCES};
use rand::RngExt;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thoughtcache_agents::checkpoint::Checkpoint;
use thoughtcache_agents::compare::Comparison;
use thoughtcache_agents::evaluate::{AnyPolicy, Contender, Hooks, PolicyKind, Protocol, evaluate};
use thoughtcache_agents::heuristics::Prepared;
use thoughtcache_agents::net_policy::NetPolicy;
use thoughtcache_env::digest::{mix, of_bytes};
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};

const PINS: &str = include_str!("../pins.txt");
const RUNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../runs/reference");
const DECISIONS: u64 = 10_000;
const EPISODES: u64 = 3;

/// The scenario, unless it needs a recording that is not there.
fn load(name: &str) -> Option<Arc<Scenario>> {
    let text = shipped::text(name).unwrap();
    let is_recorded = SOURCES.iter().any(|(scenario, _)| *scenario == name);
    if is_recorded && !Recordings::are_there(name) {
        return None;
    }
    let loaded = Scenario::load_with(name, text, &[], &mut Recordings);
    Some(Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1))
}

/// The lines of a scenario.
fn scenario_pins(name: &str, scenario: &Arc<Scenario>) -> String {
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let spec = env.spec().clone();
    let (num_entries, num_actions) = (spec.entries.len(), spec.actions.len());
    let entries = spec.entries.iter().fold(0, |hash, entry| mix(hash, of_bytes(entry.name.as_bytes())));
    let actions = spec.actions.iter().fold(0, |hash, action| mix(hash, of_bytes(action.as_bytes())));
    let mut lines =
        format!("{name} spec entries {num_entries} {entries:016x} actions {num_actions} {actions:016x}\n");

    let seed = Seed::new(Purpose::Test, 4);
    let mut rng = seed.stream(Stream::Policy);
    let (mut row, mut legal) = (vec![0.0; num_entries], vec![false; num_actions]);
    let digest_of = |row: &[f32]| row.iter().fold(0, |hash, number| mix(hash, u64::from(number.to_bits())));
    let (mut trajectory, mut rows, mut first, mut last, mut episode) = (0, 0, None, 0, 0);
    env.reset(seed);
    for _ in 0..DECISIONS {
        env.encode(&mut row);
        env.mask(&mut legal);
        last = digest_of(&row);
        first.get_or_insert(last);
        rows = legal.iter().fold(mix(rows, last), |hash, &is_legal| mix(hash, u64::from(is_legal)));
        let choices: Vec<usize> = (0..num_actions).filter(|&action| legal[action]).collect();
        let action = ActionId::from_index(choices[rng.random_range(0..choices.len())]);
        let step = env.step(&action).unwrap();
        trajectory = step.digest(trajectory, action);
        if step.end.is_end() {
            trajectory = mix(trajectory, env.world().exogenous_fingerprint());
            episode += 1;
            env.reset(seed.with_episode(episode));
        }
    }
    let first = first.unwrap();
    writeln!(
        lines,
        "{name} random steps {trajectory:016x} first {first:016x} last {last:016x} rows {rows:016x} ended {episode}"
    )
    .unwrap();

    let third = if scenario.physical().is_some() { "amortised+myopic" } else { "density" };
    for rule in ["lru", "least-aot", third] {
        let prepared = Prepared::new(rule, scenario).unwrap();
        let contender =
            Contender::new(rule, PolicyKind::Heuristic, move || -> AnyPolicy { prepared.instance() });
        writeln!(lines, "{name} {rule} {}", costs(&contender, scenario)).unwrap();
    }
    lines
}

/// The costs of a contender, an episode each, and the digest of all that happened.
fn costs(contender: &Contender, scenario: &Arc<Scenario>) -> String {
    let protocol = Protocol::test(Arc::clone(scenario), 0, EPISODES);
    let played = evaluate(std::slice::from_ref(contender), &protocol, Hooks::default()).unwrap();
    let policy = &played.policies[0];
    let costs: Vec<String> =
        policy.episodes.iter().map(|episode| format!("{:?}", episode.cost.total())).collect();
    format!("costs {} trajectory {:016x}", costs.join(" "), policy.trajectory_hash())
}

/// The folders of the reference runs, by name.
fn runs() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(RUNS).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("checkpoints/best/meta.json").is_file());
    folders.sort();
    folders
}

/// The line of a reference run, and its scenario; `None` where that needs a recording that is not there.
fn run_pins(folder: &Path) -> Option<String> {
    let run = folder.file_name().unwrap().to_str().unwrap();
    let of_run = shipped::names().filter(|name| run.starts_with(&format!("{name}-")));
    let scenario = load(of_run.max_by_key(|name| name.len()).unwrap())?;
    let read = |file: &str| fs::read(folder.join("checkpoints/best").join(file)).unwrap();
    let checkpoint = Checkpoint::from_bytes(&read("policy.safetensors"), &read("meta.json")).unwrap();
    checkpoint.check_spec(DecisionEnv::new(Arc::clone(&scenario)).spec()).unwrap();
    let policy = NetPolicy::new(run, Arc::new(checkpoint.net().clone()));
    let kind = checkpoint.meta().algorithm.into();
    let contender = Contender::new(run, kind, move || -> AnyPolicy { Box::new(policy.clone()) });
    Some(format!("run {run} {}\n", costs(&contender, &scenario)))
}

/// The lines of `pins.txt` that begin with these words.
fn pinned(words: &str) -> String {
    let lines = PINS.lines().filter(|line| line.starts_with(words));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn shipped_scenarios_play_as_they_did() {
    for name in shipped::names() {
        match load(name) {
            Some(scenario) => assert_eq!(scenario_pins(name, &scenario), pinned(&format!("{name} "))),
            None => println!("skipped: the recording of {name} is not there"),
        }
    }
}

#[test]
fn reference_runs_cost_what_they_did() {
    for folder in runs() {
        let run = folder.file_name().unwrap().to_str().unwrap();
        match run_pins(&folder) {
            Some(line) => assert_eq!(line, pinned(&format!("run {run} "))),
            None => println!("skipped: the recording of {run} is not there"),
        }
    }
}

/// Prints what `pins.txt` holds: `cargo test -p thoughtcache-agents --test all -- --ignored --nocapture print_the_pins`.
#[test]
#[ignore = "makes the file that the others are held against"]
fn print_the_pins() {
    for name in shipped::names() {
        print!("{}", scenario_pins(name, &load(name).unwrap()));
    }
    for folder in runs() {
        print!("{}", run_pins(&folder).unwrap());
    }
}

/// Rules share parts, so that a change of one may move another: every rule of a reference table, over all of its episodes.
#[test]
fn every_rule_costs_what_the_reference_tables_say() {
    for name in ["street", "tight", "paper"] {
        let scenario = load(name).unwrap();
        let table = fs::read_to_string(format!("{RUNS}/{name}.csv")).unwrap();
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows[0][2..7], ["episodes", "seed", "policy", "kind", "mean_cost"]);
        let rules: Vec<&Vec<&str>> = rows.iter().filter(|row| row[5] == "heuristic").collect();
        assert!(rules.len() >= 18, "{name}: {} rules", rules.len());
        let contenders: Vec<Contender> = rules
            .iter()
            .map(|row| {
                let rule = Prepared::new(row[4], &scenario).unwrap();
                Contender::new(row[4], PolicyKind::Heuristic, move || rule.instance())
            })
            .collect();
        let episodes = rules[0][2].parse().unwrap();
        let played = evaluate(&contenders, &Protocol::test(scenario, 0, episodes), Hooks::default()).unwrap();
        for row in Comparison::new(&played, "least-aot").unwrap().policies {
            let stated = rules.iter().find(|stated| stated[4] == row.summary.name).unwrap();
            assert_eq!(row.summary.mean_cost.to_string(), stated[6], "{name}: {}", row.summary.name);
        }
    }
}
