//! `cargo xtask bench-peers`: our radio beside mobile-env's, equal users and cells, in one run.
//!
//! One step of mobile-env moves every user (random waypoint) and computes the SNR of every link (Okumura-Hata, no line of
//! sight, no shadow, no fading), the data rates of the connected ones, utilities, a reward and an observation. One slot of ours
//! moves every user (Gauss-Markov) and redraws for each link line of sight, correlated shadow, Rician factor and path loss (TR
//! 38.901), then blockage, association with hysteresis, interference, shares of time, both rates with their fading averaged, and
//! sensing. Ours writes no observation and pays no reward. Places of stations and the size of the area are mobile-env's own. Each
//! runs on one thread, in turns, processor time counts, and the best of a few rounds of each counts.

use std::fs;
use std::process::{Command, Stdio};

use super::demo::{call, program};
use super::typed;
use crate::failure::Failure;
use crate::libtorch;
use crate::machine::{Machine, ended, said};
use crate::progress::say;
use crate::python_tests::{self, PEERS};
use crate::workspace::Workspace;

const SCRIPT: &str = include_str!("step_mobile_env.py");
/// mobile-env's scenarios.
const SCENARIOS: [&str; 3] = ["small", "medium", "large"];
const ROUNDS: usize = 3;
/// Of one measurement.
const SECONDS: &str = "2";
/// How many times as many user-slots a second ours has to reach.
const BAR: f64 = 300.0;

/// One of mobile-env's scenarios, and its speed.
struct Theirs {
    users: u32,
    cells: usize,
    /// What makes our scenario have its users, places and area.
    settings: Vec<String>,
    user_slots_per_s: f64,
}

/// Measures, shows a table, and fails where the bar is missed.
pub(crate) fn run(workspace: &Workspace, machine: &Machine) -> Result<(), Failure> {
    libtorch::ensure(workspace, machine)?;
    let packages = python_tests::ensure(workspace, machine, &PEERS)?;
    call(workspace.cargo().args(["build", "--release", "-p", "thoughtcache"]))?;
    let script = packages.join("step_mobile_env.py");
    fs::write(&script, SCRIPT).map_err(Failure::file("write", &script))?;
    let mut lines = Vec::new();
    let mut slow = Vec::new();
    for name in SCENARIOS {
        let (mut theirs_best, mut ours_best) = (0.0, 0.0);
        let (mut users, mut cells) = (0, 0);
        for round in 1..=ROUNDS {
            say(&format!("{name}: round {round} of {ROUNDS}"));
            let mut python = Command::new(&machine.python);
            python.arg(&script).args([name, SECONDS]).env("PYTHONPATH", &packages);
            let theirs = theirs(&output(&mut python)?).ok_or_else(|| unreadable(&python))?;
            let mut ours = program(workspace);
            ours.args(["bench", "radio", "--json", "--seconds", SECONDS]).args(&theirs.settings);
            let user_slots_per_s = ours_of(&output(&mut ours)?).ok_or_else(|| unreadable(&ours))?;
            theirs_best = f64::max(theirs_best, theirs.user_slots_per_s);
            ours_best = f64::max(ours_best, user_slots_per_s);
            (users, cells) = (theirs.users, theirs.cells);
        }
        let ratio = ours_best / theirs_best;
        lines.push(format!(
            "{name:<8}  {users:>5}  {cells:>5}  {theirs_best:>22.0}  {ours_best:>16.0}  {ratio:>5.0}"
        ));
        if ratio < BAR {
            slow.push(name);
        }
    }
    println!(
        "\nuser-slots a second of processor time, one thread each, best of {ROUNDS} rounds of {SECONDS} s in turns"
    );
    println!("scenario  users  cells  mobile-env 2.1.0 (MIT)      thoughtcache  ratio");
    for line in &lines {
        println!("{line}");
    }
    println!("\nload average at the end {}", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    if slow.is_empty() {
        return Ok(());
    }
    Err(Failure::Steps { failed: slow.len(), all: SCENARIOS.len(), names: slow.join(", ") })
}

/// What a command says on stdout.
fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Start { program: typed(command), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let status = format!("{} and said: {}", ended(output.status), said(&output));
    Err(Failure::Command {
        command: typed(command),
        status,
        is_interrupted: output.status.code() == Some(130),
    })
}

fn unreadable(command: &Command) -> Failure {
    Failure::Command {
        command: typed(command),
        status: "an answer of another form".into(),
        is_interrupted: false,
    }
}

/// Reads the script's last line.
fn theirs(text: &str) -> Option<Theirs> {
    let fields: Vec<&str> = text.lines().last()?.split(';').collect();
    let [users, width, depth, places, steps_per_s] = fields[..] else { return None };
    let cells = places.matches('[').count().checked_sub(1)?;
    let steps_per_s: f64 = steps_per_s.parse().ok()?;
    let (width, depth): (f64, f64) = (width.parse().ok()?, depth.parse().ok()?);
    let values = [
        ("physical.users", users.to_owned()),
        ("cell.count", cells.to_string()),
        ("physical.sites.places.at_m", places.to_owned()),
        ("physical.radio.area.width_m", format!("{width:?}")),
        ("physical.radio.area.depth_m", format!("{depth:?}")),
    ];
    let settings =
        values.into_iter().flat_map(|(key, value)| ["--set".to_owned(), format!("scenario.{key}={value}")]);
    let users = users.parse().ok()?;
    Some(Theirs {
        users,
        cells,
        settings: settings.collect(),
        user_slots_per_s: f64::from(users) * steps_per_s,
    })
}

/// Reads the program's document.
fn ours_of(json: &str) -> Option<f64> {
    let (_, rest) = json.split_once("\"user_slots_per_s\":")?;
    rest.split([',', '}', '\n']).next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_line_becomes_settings_and_a_rate() {
        let theirs = theirs("pygame says hello\n5;200;300;[[110.0, 130.0], [65.0, 80.0]];40.5\n").unwrap();
        assert_eq!((theirs.users, theirs.cells, theirs.user_slots_per_s), (5, 2, 202.5));
        assert_eq!(theirs.settings.len(), 10);
        assert_eq!(theirs.settings[5], "scenario.physical.sites.places.at_m=[[110.0, 130.0], [65.0, 80.0]]");
        assert_eq!(theirs.settings[9], "scenario.physical.radio.area.depth_m=300.0");
        assert!(super::theirs("5;200\n").is_none());
    }

    #[test]
    fn our_rate_is_read_from_a_document() {
        assert_eq!(
            ours_of("{\n  \"cells\": 3,\n  \"user_slots_per_s\": 1250000.5,\n  \"x\": 1\n}"),
            Some(1_250_000.5)
        );
        assert_eq!(ours_of("{\"user_slots_per_s\":3}"), Some(3.0));
        assert_eq!(ours_of("{}"), None);
    }
}
