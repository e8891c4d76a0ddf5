//! What people take who ask for nothing: measured in a process of its own, for nothing else may take memory meanwhile.
#![allow(clippy::unwrap_used, reason = "a test may stop where its premise fails")]

use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

const USERS: u32 = 1_000_000;
/// What the issue allows.
const MOST_BYTES: f64 = 256.0;

/// Bytes of this process that are in memory, where the system tells.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024.0 * kibibytes)
}

/// `street` with a million users, as many requests as ever, and so many cells.
fn street(num_cells: u32) -> Arc<Scenario> {
    let mut overrides = vec![
        ("physical.users", USERS.to_string()),
        ("workload.sessions.sessions_per_user_hour", "0.000375".to_owned()),
        ("cell.count", num_cells.to_string()),
    ];
    if num_cells > 1 {
        overrides.push(("physical.sites.hexagons.distance_m", "100.0".to_owned()));
    }
    let overrides: Vec<Override> =
        overrides.into_iter().map(|(key, value)| Override { key: key.into(), value }).collect();
    let text = shipped::text("street").unwrap();
    Arc::new(Scenario::load("street", text, &overrides, |path| Err(path.to_owned())).unwrap().1)
}

#[test]
fn an_idle_user_takes_what_is_said_and_less_than_256_bytes() {
    for num_cells in [1, 7] {
        let scenario = street(num_cells);
        let Some(before) = resident_bytes() else {
            println!("skipped: this system does not tell how much memory a process has");
            return;
        };
        let mut env = DecisionEnv::new(scenario);
        env.reset(Seed::new(Purpose::Test, 1));
        let measured = (resident_bytes().unwrap() - before) / f64::from(USERS);
        let said = env.world().idle_user_bytes().unwrap() as f64;
        // The rest of a world is 1 byte a user at most: it has less than a megabyte.
        assert!((measured - said).abs() < 2.0, "{num_cells} cells: {measured} measured, {said} said");
        assert!(measured < MOST_BYTES, "{num_cells} cells: {measured}");
    }
}
