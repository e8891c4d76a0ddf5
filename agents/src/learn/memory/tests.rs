//! The forecast against what the system says a process has taken.

use super::*;
use crate::learn::nan_guard::OnNan;
use crate::learn::train::recorder::tight;
use crate::learn::train::{Observer, TrainSettings, TrainerState, train};
use crate::net_policy::Mlp;
use std::error::Error;
use thoughtcache_env::gym::api::Env;

/// Keeps nothing.
struct Deaf;

impl Observer for Deaf {
    fn checkpoint(&mut self, state: &TrainerState) -> Result<(), Box<dyn Error + Send + Sync>> {
        assert!(!state.trainer.is_empty());
        Ok(())
    }
    fn validate(&mut self, _: &Mlp, _: u64) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        Ok(Some(0.0))
    }
}

fn settings(budget: u64, checkpoint_freq: u64) -> TrainSettings {
    TrainSettings { budget, eval_freq: 0, checkpoint_freq, run: 1, on_nan: OnNan::Abort }
}

/// A run whose rollout, or whose replay buffer, dominates, with a checkpoint when it is fullest.
fn case(name: &str) -> (AgentConfig, TrainSettings) {
    if name == "ppo" {
        let config = PpoConfig { n_envs: 64, n_steps: 1024, n_epochs: 1, ..PpoConfig::default() };
        return (AgentConfig::from(config), settings(64 * 1024, 64 * 1023));
    }
    let config = DqnConfig { buffer_size: 100_000, learning_starts: 60_000, ..DqnConfig::default() };
    (AgentConfig::from(config), settings(64_000, 0))
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(1024 * line.split_whitespace().nth(1)?.parse::<u64>().ok()?)
}

const CASE: &str = "THOUGHTCACHE_MEMORY_CASE";
const NAME: &str = "learn::memory::tests::the_forecast_is_what_a_run_takes";

#[test]
fn the_forecast_is_what_a_run_takes() {
    if let Ok(name) = std::env::var(CASE) {
        // In a process of its own: libtorch is awake before the measure begins.
        let (config, settings) = case(&name);
        let warm =
            AgentConfig::from(PpoConfig { n_envs: 1, n_steps: 8, batch_size: 8, ..PpoConfig::default() });
        train(&warm, |_| tight(), TrainSettings { budget: 8, checkpoint_freq: 0, ..settings }, &mut Deaf)
            .unwrap();
        let before = status("VmRSS").unwrap();
        train(&config, |_| tight(), settings, &mut Deaf).unwrap();
        println!("taken {}", status("VmHWM").unwrap() - before);
        return;
    }
    if status("VmHWM").is_none() {
        println!("skipped: this system does not say what a process has taken");
        return;
    }
    for name in ["ppo", "dqn"] {
        let (config, settings) = case(name);
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
            .env(CASE, name)
            .env("RAYON_NUM_THREADS", "2")
            .output()
            .unwrap();
        let text = String::from_utf8(child.stdout).unwrap();
        let taken = text.lines().find_map(|line| line.split("taken ").nth(1)).expect("the child says it");
        let taken: f64 = taken.trim().parse().unwrap();
        let forecast = config.memory_bytes(tight().spec(), settings.budget);
        let ratio = forecast.total_bytes() as f64 / taken;
        println!("{name}: {forecast:?}: {ratio:.3} of {taken} bytes");
        assert!((0.8..1.2).contains(&ratio), "{name}: {ratio} of {taken} bytes, {forecast:?}");
    }
}

#[test]
fn the_largest_use_is_named_with_the_setting_that_makes_it() {
    let spec = tight().spec().clone();
    let replay = AgentConfig::from(DqnConfig { buffer_size: 10_000_000, ..DqnConfig::default() });
    let forecast = replay.memory_bytes(&spec, 50_000_000);
    let largest = forecast.largest().unwrap();
    assert_eq!((largest.name, largest.setting), ("checkpoint", "dqn.buffer_size"));
    // 10 million transitions of 191 entries and 22 actions: 1,562 bytes each; two and a half times that at the most.
    let ring = forecast.items.iter().find(|item| item.name == "replay buffer").unwrap().bytes;
    assert_eq!(ring, 10_000_000 * (4 * (2 * 191 + 3) + 22));
    assert!((2.5..2.6).contains(&(forecast.total_bytes() as f64 / ring as f64)), "{forecast:?}");
    let back = forecast.clone().with_rollback();
    assert_eq!(back.total_bytes(), forecast.total_bytes() + ring);
    // No more than the budget is reserved.
    assert!(replay.memory_bytes(&spec, 1_000).total_bytes() < 10_000_000);
    let rollout = AgentConfig::from(PpoConfig { n_steps: 100_000, ..PpoConfig::default() });
    assert_eq!(rollout.memory_bytes(&spec, 1).largest().unwrap().setting, "ppo.n_steps");
    let nets = AgentConfig::from(PpoConfig { n_steps: 1, net_arch: vec![4096; 3], ..PpoConfig::default() });
    assert_eq!(nets.memory_bytes(&spec, 1).largest().unwrap().name, "nets");
}

#[test]
fn settings_beyond_all_memory_are_counted_without_overflow() {
    let spec = tight().spec().clone();
    let config =
        DqnConfig { n_envs: 1_000_000, buffer_size: usize::MAX, n_steps: 1_000, ..DqnConfig::default() };
    assert_eq!(AgentConfig::from(config).memory_bytes(&spec, u64::MAX).total_bytes(), u64::MAX);
}
