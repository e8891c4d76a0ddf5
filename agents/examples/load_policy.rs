//! A trained policy, read from the folder of its run and compared with `least-aot` on test episodes.
//!
//! ```text
//! cargo run --release -p thoughtcache-agents --no-default-features --example load_policy
//! ```
//!
//! No libtorch is needed: a frozen policy is a few matrices.
#![allow(clippy::print_stdout, reason = "an example shows what came of it")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use thoughtcache_agents::{
    Checkpoint, Comparison, Contender, Hooks, NetPolicy, PolicyKind, Prepared, Protocol, evaluate,
};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

/// Plays `episodes` test episodes with the policy of a run and with the baseline.
pub(crate) fn compare(run: &Path, episodes: u64) -> Result<Comparison, Box<dyn Error>> {
    let scenario = Arc::new(Scenario::shipped("tight"));
    let checkpoint = Checkpoint::load(run)?;
    checkpoint.check_spec(DecisionEnv::new(Arc::clone(&scenario)).spec())?;
    let policy = NetPolicy::new("tight-ppo", Arc::new(checkpoint.net().clone()));
    let baseline = Prepared::new("least-aot", &scenario)?;
    let contenders = [
        Contender::new("tight-ppo", checkpoint.meta().algorithm.into(), move || Box::new(policy.clone())),
        Contender::new("least-aot", PolicyKind::Heuristic, move || baseline.instance()),
    ];
    let played = evaluate(&contenders, &Protocol::test(scenario, 0, episodes), Hooks::default())?;
    Ok(Comparison::new(&played, "least-aot")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runs/reference/tight-ppo");
    let comparison = compare(&run, 20)?;
    for row in &comparison.policies {
        println!("{:10} {:.4} per slot", row.summary.name, row.summary.mean_cost);
    }
    println!("{}", comparison.verdict);
    Ok(())
}
