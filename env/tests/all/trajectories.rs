//! Digests of what vector environments play, one for each line of `reference/trajectories.csv`; the tests in Python read the same lines.
//!
//! In step `t`, lane `i` takes the legal action number `(31 t + 17 i) mod n` of its `n` legal ones.

use std::fmt::Write;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{Autoreset, StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::Scenario;

const HEAD: &str = "scenario,autoreset,lanes,run,steps,digest";

fn played(name: &str, mode: Autoreset, lanes: usize, run: u64, steps: usize) -> u64 {
    let copies = DecisionEnv::lanes(&Arc::new(Scenario::shipped(name)), lanes);
    let mut envs = VecEnv::new(copies, Seed::new(Purpose::Train, run)).with_autoreset(mode);
    let mut rows = StepBuffers::new(lanes, envs.spec());
    for step in 0..steps {
        let action = |lane: usize| {
            let legal: Vec<usize> = (0..envs.spec().num_actions())
                .filter(|&action| envs.env(lane).observation().legal[action])
                .collect();
            ActionId::from_index(legal[(31 * step + 17 * lane) % legal.len()])
        };
        let actions: Vec<ActionId> = (0..lanes).map(action).collect();
        envs.step_into(&actions, rows.rows()).unwrap();
    }
    envs.trajectory_hash()
}

#[test]
fn every_trajectory_is_the_one_that_is_written_down() {
    let cases = [
        ("tight", Autoreset::SameStep, 1, 0, 3_000),
        ("tight", Autoreset::SameStep, 5, 7, 9_000),
        ("tight", Autoreset::NextStep, 5, 7, 9_000),
        ("tight", Autoreset::NextStep, 200, 3, 50),
        ("street", Autoreset::NextStep, 1, 1, 3_000),
        ("street", Autoreset::SameStep, 4, 1, 9_000),
        ("city", Autoreset::SameStep, 2, 5, 2_000),
        ("tight-aot", Autoreset::SameStep, 3, 2, 3_000),
        ("tiny-unit3", Autoreset::NextStep, 3, 2, 9_000),
    ];
    let mut text = format!("{HEAD}\n");
    for (name, mode, lanes, run, steps) in cases {
        let digest = played(name, mode, lanes, run, steps);
        writeln!(text, "{name},{},{lanes},{run},{steps},{digest:016x}", mode.name()).unwrap();
    }
    let written = include_str!("../reference/trajectories.csv");
    assert!(
        text == written,
        "worlds have moved; where they were to, reference/trajectories.csv becomes:\n{text}"
    );
}
