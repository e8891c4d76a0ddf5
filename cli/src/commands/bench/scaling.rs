//! `bench env --scaling` of a physical scenario: what a decision costs when 100 to 1,000,000 people use it.
//!
//! Two worlds grow. In the first everybody asks as often as ever, so that requests grow with people: a slot with a million
//! users brings thousands of decisions. In the second there are always as many requests as the scenario has, from ever more
//! people of whom ever fewer ask: what is seen is the cost of people who ask for nothing. One lane plays whole episodes,
//! beginnings of episodes included, and processor time counts where the system tells it.

use super::measure::BusyClock;
use super::play::{Draw, RandomPlay};
use crate::console::Console;
use crate::progress;
use crate::scenario_file::{LoadedScenario, ScenarioText};
use crate::table::grouped;
use anyhow::{Result, bail};
use serde::Serialize;
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::config::WorkloadConfig;
use thoughtcache_env::text::Override;

/// How many people there are.
const USERS: [u32; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// How demand grows with people, in a word and in words: everybody asks as often as ever, or all together do.
const DEMANDS: [(&str, &str); 2] = [
    ("per_user", "everybody asks as often as ever"),
    ("total", "as many requests as ever, from more people"),
];

/// The time of a decision over the number of users.
#[derive(Debug, Serialize)]
pub(super) struct Curve {
    /// How demand grows.
    demand: &'static str,
    #[serde(skip)]
    pub(super) words: &'static str,
    /// By number of users.
    pub(super) points: Vec<Point>,
}

impl Curve {
    /// How many times as long as with the fewest users a decision takes at most.
    pub(super) fn growth(&self) -> f64 {
        self.points.iter().map(|point| point.ratio).fold(1.0, f64::max)
    }
}

/// One measurement.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    /// How many people there are.
    pub(super) users: u32,
    /// Decisions that were taken.
    decisions: u64,
    /// Decisions of a slot on average.
    decisions_per_slot: f64,
    decisions_per_s: f64,
    /// Nanoseconds of a decision.
    pub(super) decision_ns: f64,
    /// Over that of the fewest users.
    ratio: f64,
    /// Bytes that a user who asks for nothing occupies.
    idle_user_bytes: usize,
}

/// Measures both curves; there are none for scenarios without users of their own.
pub(super) fn measure(
    console: Console,
    text: &ScenarioText,
    overrides: &[Override],
    loaded: &LoadedScenario,
    draw: Draw,
    seconds: f64,
) -> Result<Vec<Curve>> {
    let (Some(physical), WorkloadConfig::Sessions(sessions)) =
        (&loaded.config.physical, &loaded.config.workload)
    else {
        return Ok(Vec::new());
    };
    let (users, rate) = (physical.users, sessions.sessions_per_user_hour);
    let mut curves = Vec::new();
    for (demand, words) in DEMANDS {
        let mut points: Vec<Point> = Vec::new();
        for count in USERS {
            let spinner =
                progress::spinner(console, format!("{} users, {}", grouped(u64::from(count)), words));
            let rate = if demand == "total" { rate * f64::from(users) / f64::from(count) } else { rate };
            let scenario = with(text, overrides, count, rate)?;
            let fewest_ns = points.first().map(|first| first.decision_ns);
            points.push(point(&scenario, count, draw, seconds, fewest_ns)?);
            spinner.finish_and_clear();
        }
        curves.push(Curve { demand, words, points });
    }
    Ok(curves)
}

/// The scenario with so many users, and so many sessions of each in an hour.
fn with(text: &ScenarioText, overrides: &[Override], users: u32, rate: f64) -> Result<Arc<Scenario>> {
    const KEYS: [&str; 2] = ["physical.users", "workload.sessions.sessions_per_user_hour"];
    if let Some(set) = overrides.iter().find(|set| KEYS.contains(&set.key.as_str())) {
        bail!("--set scenario.{}: --scaling changes it", set.key);
    }
    let values = [users.to_string(), format!("{rate:?}")];
    let changes = KEYS.into_iter().zip(values).map(|(key, value)| Override { key: key.into(), value });
    let overrides: Vec<Override> = overrides.iter().cloned().chain(changes).collect();
    Ok(text.load(&overrides)?.scenario)
}

/// Plays whole episodes for so many seconds, one at least.
fn point(
    scenario: &Arc<Scenario>,
    users: u32,
    draw: Draw,
    seconds: f64,
    fewest_ns: Option<f64>,
) -> Result<Point> {
    let mut play = RandomPlay::new(scenario, 1, 1, draw)?;
    let idle_user_bytes = play.env().world().idle_user_bytes().unwrap_or(0);
    let horizon_slots = u64::from(scenario.horizon_slots);
    let (mut decisions, mut slots) = (0_u64, 0_u64);
    let clock = BusyClock::start();
    loop {
        play.step()?;
        decisions += 1;
        if play.has_ended() {
            slots += horizon_slots;
            if clock.wall_s() >= seconds {
                break;
            }
        }
    }
    let decision_ns = 1e9 * clock.busy_s() / decisions as f64;
    Ok(Point {
        users,
        decisions,
        decisions_per_slot: decisions as f64 / slots as f64,
        decisions_per_s: 1e9 / decision_ns,
        decision_ns,
        ratio: decision_ns / fewest_ns.unwrap_or(decision_ns),
        idle_user_bytes,
    })
}
