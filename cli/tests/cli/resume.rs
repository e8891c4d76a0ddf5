//! Runs that are ended in every way and go on, and everything that can be typed wrong about it.
#![expect(clippy::print_stdout, reason = "a test says what it skips and what it met")]

use super::train::TINY;
use super::{Desk, repository};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use thoughtcache_agents::checkpoint::{Checkpoint, LOG_FILE, POLICY_FILE, TRAINER_FILE};

/// A run whose checkpoints, lines and validations lie apart: an update every 64 decisions, a line every 128, a validation
/// every 256, a checkpoint every 1,024.
const APART: &str = "\
scenario = \"tight\"
decisions = 16_384
eval_every_decisions = 256
log_every_decisions = 128
checkpoint_every_decisions = 1_024

[agent]
from = \"ppo-tight\"

[agent.ppo]
n_envs = 8
n_steps = 8
batch_size = 32
net_arch = [16]
";

/// Short episodes: those of validation are most of the time of so small a run.
const SHORT: &str = "--set scenario.horizon_slots=5";

fn start(desk: &Desk, line: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
        .current_dir(desk.path(""))
        .args(line.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    for _ in 0..12_000 {
        if is_there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not come");
}

/// Validations so far.
fn validations(run: &Path) -> usize {
    std::fs::read_to_string(run.join("eval.csv")).map_or(0, |text| text.lines().count().saturating_sub(1))
}

fn lines(text: &str) -> Vec<Map<String, Value>> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn timeless(text: &str) -> Vec<Map<String, Value>> {
    let mut lines = lines(text);
    for line in &mut lines {
        line.retain(|tag, _| !tag.starts_with("time/"));
    }
    lines
}

/// The files of a checkpoint that are the same however often a run was ended.
fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in ["best", "last"] {
        for entry in std::fs::read_dir(run.join("checkpoints").join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "safetensors") {
                let file = path.file_name().unwrap().to_str().unwrap();
                files.insert(format!("{name}/{file}"), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn assert_same_run(desk: &Desk, one: &str, other: &str) {
    assert_eq!(bytes(&desk.path(one)), bytes(&desk.path(other)));
    let metrics = |run: &str| timeless(&desk.read(&format!("{run}/metrics.jsonl")));
    assert_eq!(metrics(one), metrics(other));
    assert_eq!(desk.read(&format!("{one}/eval.csv")), desk.read(&format!("{other}/eval.csv")));
}

/// What TensorBoard's own reader shows; nothing where it is not installed.
fn shown(events: &Path) -> Option<Value> {
    let python = repository(".venv-test/bin/python");
    if !python.exists() {
        println!("skipped: TensorBoard's reader is not there; `cargo xtask test` puts it into .venv-test");
        return None;
    }
    let script = repository("cli/tests/cli/read_events.py");
    let output = Command::new(python).arg(script).arg(events).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Each number of `metrics.jsonl` is shown once, at its step and in its order, and nothing else is.
fn assert_shown(desk: &Desk, run: &str) {
    let Some(shown) = shown(&desk.path(&format!("{run}/tensorboard"))) else { return };
    let mut expected: BTreeMap<String, Vec<(u64, f32)>> = BTreeMap::new();
    for line in lines(&desk.read(&format!("{run}/metrics.jsonl"))) {
        let step = line["decisions"].as_u64().unwrap();
        for (tag, value) in line.iter().filter(|(tag, _)| *tag != "decisions") {
            let Some(value) = value.as_f64() else { continue };
            expected.entry(tag.clone()).or_default().push((step, value as f32));
        }
    }
    let scalars = shown["scalars"].as_object().unwrap();
    let found: BTreeMap<String, Vec<(u64, f32)>> = scalars
        .iter()
        .map(|(tag, events)| {
            let event = |event: &Value| (event[0].as_u64().unwrap(), event[1].as_f64().unwrap() as f32);
            (tag.clone(), events.as_array().unwrap().iter().map(event).collect())
        })
        .collect();
    assert_eq!(found, expected);
    let config = shown["texts"]["config"].as_array().unwrap();
    assert_eq!(config.len(), 1, "the config is shown once: {config:?}");
    assert!(config[0][1].as_str().unwrap().contains("    n_steps = 8\n"), "{config:?}");
    assert_eq!(shown["plugins"]["config"], "text");
}

#[test]
fn a_killed_run_goes_on_and_its_logs_have_neither_gaps_nor_doubles() {
    let desk = Desk::new();
    desk.write("apart.toml", APART);
    desk.run(&format!("train --config apart.toml {SHORT} --out whole --quiet")).expect(0);
    let mut child = start(&desk, &format!("train --config apart.toml {SHORT} --out killed"));
    // Two validations after a checkpoint and two before the next: what they logged is said again.
    let is_between = || {
        let validations = validations(&desk.path("killed"));
        assert!(validations < 60, "the run is over too soon");
        validations > 4 && validations % 4 == 2
    };
    wait_for("a moment between two checkpoints", is_between);
    child.kill().unwrap();
    child.wait().unwrap();
    let provenance = desk.read("killed/provenance.toml");
    assert!(!provenance.contains("ending"), "{provenance}");
    let outcome = desk.run("train --resume killed").expect(0);
    assert!(outcome.stderr.contains("; going on after "), "{}", outcome.stderr);
    assert_same_run(&desk, "killed", "whole");
    assert_shown(&desk, "whole");
    assert_shown(&desk, "killed");
    let provenance = desk.read("killed/provenance.toml");
    assert!(provenance.contains("[[resumed]]") && provenance.contains("ending = \"done\""), "{provenance}");
    assert_eq!(std::fs::read_dir(desk.path("killed/tensorboard")).unwrap().count(), 2);
}

/// Two cells, and people who walk where a file says; both files lie beside the scenario and not where the program runs.
#[test]
fn a_killed_run_goes_on_with_the_files_beside_its_scenario_and_with_several_cells() {
    let desk = Desk::new();
    let text = std::fs::read_to_string(repository("configs/scenarios/street.toml")).unwrap();
    let walks = "[physical.radio.mobility.recorded]\nfile = \"walks.csv\"\n";
    let walk = "[physical.radio.mobility.gauss_markov]\nmean_speed_m_per_s = 1.4\nmemory_s = 30.0\n";
    let sites = "[physical.sites.file]\npath = \"two.csv\"\n\n[physical.server]";
    let text =
        text.replace(walk, walks).replace("[physical.server]", sites).replace("count = 1\n", "count = 2\n");
    std::fs::create_dir(desk.path("my")).unwrap();
    desk.write("my/world.toml", &text);
    desk.write("my/two.csv", "name,x_m,y_m\nwest,100,200\neast,300,200\n");
    desk.write("my/walks.csv", "path,time_s,x_m,y_m\na,0,0,0\na,100,400,400\nb,0,400,0\nb,90,0,300\n");
    desk.write("apart.toml", &APART.replace("\"tight\"", "\"my/world.toml\"").replace("16_384", "4_096"));
    let train = format!("train --quiet --config apart.toml {SHORT}");
    desk.run(&format!("{train} --out whole")).expect(0);
    let mut killed = start(&desk, &format!("{train} --out killed"));
    wait_for("the first checkpoint", || desk.path("killed/checkpoints/last").exists());
    killed.kill().unwrap();
    killed.wait().unwrap();
    desk.run("train --quiet --resume killed").expect(0);
    assert_same_run(&desk, "whole", "killed");
}

#[test]
fn a_run_is_stopped_three_ways_and_what_it_said_at_its_stop_is_no_part_of_it() {
    let desk = Desk::new();
    desk.write("apart.toml", APART);
    let config = format!("--config apart.toml {SHORT} --set eval_every_decisions=4096");
    desk.run(&format!("train {config} --out whole --quiet")).expect(0);
    // Before its first validation a run that is stopped validates once more, which is not part of the run.
    let child = start(&desk, &format!("train {config} --out stopped"));
    wait_for("a checkpoint", || desk.path("stopped/checkpoints/last/meta.json").exists());
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stdout}");
    assert!(stdout.contains("next:\n  thoughtcache train --resume stopped\n"), "{stdout}");
    assert!(desk.read("stopped/provenance.toml").contains("ending = \"interrupted\""));
    let at_limit = desk.run("train --resume stopped --time-limit 1s --json").expect(0).json();
    if at_limit["interrupted"] == true {
        assert_eq!(at_limit["stopped_by"], "time limit");
        assert!(desk.read("stopped/provenance.toml").contains("ending = \"time limit\""));
        let end = desk.run("train --resume stopped --json").expect(0).json();
        assert_eq!((end["interrupted"].as_bool(), end["decisions"].as_u64()), (Some(false), Some(16_384)));
    }
    assert_same_run(&desk, "stopped", "whole");
    assert_shown(&desk, "stopped");
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_again_in_its_folder() {
    let desk = Desk::new();
    desk.write("apart.toml", APART);
    let config =
        format!("--config apart.toml {SHORT} --set decisions=2048 --set checkpoint_every_decisions=0");
    desk.run(&format!("train {config} --out whole --quiet")).expect(0);
    let mut child = start(&desk, &format!("train {config} --out killed"));
    wait_for("two validations", || validations(&desk.path("killed")) >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!desk.path("killed/checkpoints/last").exists());
    let outcome = desk.run("train --resume killed").expect(0);
    assert!(
        outcome.stderr.contains("ended before its first checkpoint and begins again"),
        "{}",
        outcome.stderr
    );
    assert_same_run(&desk, "killed", "whole");
    assert_shown(&desk, "killed");
}

#[test]
fn a_run_goes_on_from_an_older_state_too() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let config =
        format!("--config tiny.toml {SHORT} --set checkpoint_every_decisions=256 --set keep_checkpoints=3");
    desk.run(&format!("train {config} --out one --quiet")).expect(0);
    desk.run(&format!("train {config} --out two --quiet")).expect(0);
    let steps = |run: &str| {
        let mut names: Vec<String> = std::fs::read_dir(desk.path(&format!("{run}/checkpoints")))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(steps("one"), ["best", "last", "step-1024", "step-512", "step-768"]);
    desk.run("train --resume one --from step-512 --quiet").expect(0);
    assert_eq!(steps("one"), ["best", "last", "step-1024", "step-512", "step-768"]);
    assert_same_run(&desk, "one", "two");
}

#[test]
fn a_run_that_goes_back_and_is_killed_goes_on_from_where_it_went_back_to() {
    let desk = Desk::new();
    desk.write("apart.toml", APART);
    let config = format!("--config apart.toml {SHORT} --set decisions=8192 --set keep_checkpoints=30");
    desk.run(&format!("train {config} --out whole --quiet")).expect(0);
    desk.run(&format!("train {config} --out killed --quiet")).expect(0);
    // Back to an early state, and killed twice: soon after it, and later.
    let mut child = start(&desk, "train --resume killed --from step-1024");
    wait_for("a validation after the state", || (5..20).contains(&validations(&desk.path("killed"))));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut child = start(&desk, "train --resume killed");
    wait_for("a later state", || {
        let text = desk.read("killed/eval.csv");
        let (last, count) = (text.lines().last().unwrap_or_default(), text.lines().count());
        count < 28 && last.split(',').next().and_then(|decisions| decisions.parse().ok()) > Some(2_304_u64)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!desk.read("killed/provenance.toml").contains("ending"));
    desk.run("train --resume killed --quiet").expect(0);
    assert_same_run(&desk, "killed", "whole");
    assert_shown(&desk, "killed");
    let meta = |run: &str| desk.read(&format!("{run}/checkpoints/best/meta.json"));
    assert_eq!(meta("killed"), meta("whole"));
    let provenance = desk.read("killed/provenance.toml");
    assert!(provenance.contains("from_decisions = 1024"), "{provenance}");
}

#[test]
fn a_run_with_a_warm_start_is_killed_in_it_and_after_it_and_goes_on() {
    let desk = Desk::new();
    desk.write("apart.toml", APART);
    let config = format!(
        "--config apart.toml {SHORT} --set decisions=8192 --set agent.warm_start=density \
         --set agent.warm_start_decisions=20000"
    );
    desk.run(&format!("train {config} --out whole --quiet")).expect(0);
    let mut child = start(&desk, &format!("train {config} --out killed"));
    wait_for("the warm start", || desk.path("killed/provenance.toml").exists());
    std::thread::sleep(Duration::from_millis(50));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!desk.path("killed/checkpoints").exists(), "it was killed too late");
    let mut child = start(&desk, "train --resume killed");
    wait_for("two validations", || validations(&desk.path("killed")) >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let outcome = desk.run("train --resume killed").expect(0);
    assert!(outcome.stderr.contains("; going on after "), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("watching density"), "it is warm already: {}", outcome.stderr);
    assert_same_run(&desk, "killed", "whole");
    assert_shown(&desk, "killed");
}

#[test]
fn a_run_that_was_killed_at_its_very_end_keeps_no_more_states_than_it_should() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let config =
        format!("--config tiny.toml {SHORT} --set checkpoint_every_decisions=256 --set keep_checkpoints=2");
    desk.run(&format!("train {config} --out run --quiet")).expect(0);
    // As if the kill had come after the last state was written, and before the oldest one was removed.
    let copied = Command::new("cp")
        .arg("-r")
        .args([desk.path("run/checkpoints/step-768"), desk.path("run/checkpoints/step-512")])
        .status()
        .unwrap();
    assert!(copied.success());
    let provenance = desk.read("run/provenance.toml");
    let unended = provenance.lines().filter(|line| !line.starts_with("end")).collect::<Vec<_>>().join("\n");
    desk.write("run/provenance.toml", &unended);
    let outcome = desk.run("train --resume run").expect(0);
    assert!(outcome.stdout.starts_with("run is finished: all of its 1,024 decisions are taken"));
    let mut names: Vec<String> = std::fs::read_dir(desk.path("run/checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["best", "last", "step-1024", "step-768"]);
}

#[test]
fn a_run_has_one_writer() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let mut child =
        start(&desk, &format!("train --config tiny.toml {SHORT} --set decisions=80000000 --out run"));
    wait_for("a checkpoint", || desk.path("run/checkpoints/last/meta.json").exists());
    let outcome = desk.run("train --resume run").expect(2);
    assert!(
        outcome.stderr.starts_with("error: another thoughtcache is writing into run: "),
        "{}",
        outcome.stderr
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whatever_cannot_go_on_says_why_and_what_to_type() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    desk.write("a-file", "");
    std::fs::create_dir(desk.path("no-run")).unwrap();
    let keys = "--set checkpoint_every_decisions=256 --set keep_checkpoints=2";
    desk.run(&format!("train --config tiny.toml {SHORT} {keys} --out done --quiet")).expect(0);
    let copy = |name: &str| {
        let copied =
            Command::new("cp").arg("-r").args([desk.path("done"), desk.path(name)]).status().unwrap();
        assert!(copied.success());
        // As if it had been killed before its last checkpoint.
        std::fs::remove_dir_all(desk.path(&format!("{name}/checkpoints/last"))).unwrap();
        let step = |step: u64| desk.path(&format!("{name}/checkpoints/step-{step}"));
        std::fs::rename(step(768), desk.path(&format!("{name}/checkpoints/last"))).unwrap();
        std::fs::remove_dir_all(step(1024)).unwrap();
    };
    let change = |file: &str, from: &str, to: &str| {
        let text = desk.read(file);
        assert!(text.contains(from), "{file}: {text}");
        desk.write(file, &text.replacen(from, to, 1));
    };
    let flip = |file: &str| {
        let mut bytes = std::fs::read(desk.path(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(desk.path(file), bytes).unwrap();
    };
    for name in ["config", "scenario", "bit", "gone", "short", "policy", "best-alone", "lost"] {
        copy(name);
    }
    change("config/config.toml", "gamma = ", "gamma = 0.5 # ");
    change("scenario/config.toml", "horizon_slots = 5", "horizon_slots = 6");
    flip("bit/checkpoints/last/trainer.safetensors");
    std::fs::remove_file(desk.path("gone/checkpoints/last/log.json")).unwrap();
    desk.write("short/metrics.jsonl", "{\"decisions\":256}\n");
    let best = desk.path("policy/checkpoints/best");
    std::fs::remove_dir_all(desk.path("policy/checkpoints/last")).unwrap();
    std::fs::rename(best, desk.path("policy/checkpoints/last")).unwrap();
    // What somebody passes on of a run; and a run whose states are gone.
    for name in ["best-alone", "lost"] {
        for state in ["last", "step-768"] {
            let _ = std::fs::remove_dir_all(desk.path(&format!("{name}/checkpoints/{state}")));
        }
        assert_eq!(std::fs::read_dir(desk.path(&format!("{name}/checkpoints"))).unwrap().count(), 1);
    }
    std::fs::remove_file(desk.path("best-alone/provenance.toml")).unwrap();
    change("lost/provenance.toml", "ending = \"done\"", "ending = \"interrupted\"");
    let mut transcripts = Vec::new();
    for line in [
        "train --resume missing",
        "train --resume a-file",
        "train --resume no-run",
        "train --resume done --from step-5",
        "train --resume config",
        "train --resume scenario",
        "train --resume bit",
        "train --resume gone",
        "train --resume short",
        "train --resume policy",
        "train --resume best-alone",
        "train --resume lost",
        "train --resume done --set decisions=2048",
        "train --resume done --config tiny.toml",
        "train --resume done --seed 2",
        "train --resume done --out other",
        "train --from last --config tiny.toml",
        "train --config tiny.toml --time-limit 90",
        "verify resume missing",
        "verify resume no-run",
        "verify resume done --kills 0",
        "verify determinism missing.toml",
        "verify",
    ] {
        let outcome = desk.run(line).expect(2);
        assert!(
            outcome.stdout.is_empty() && !outcome.stderr.contains("panicked"),
            "{}",
            outcome.transcript()
        );
        assert!(outcome.stderr.contains("error: ") || line == "verify", "{}", outcome.transcript());
        transcripts.push(outcome.transcript());
    }
    insta::with_settings!({ filters => vec![(r"[0-9a-f]{64}", "[sha256]"), (r"first \d+ bytes", "first [n] bytes"), (r": \d+ bytes of", ": [n] bytes of")] }, {
        insta::assert_snapshot!(transcripts.join("\n"));
    });
}

#[test]
fn a_run_whose_last_checkpoint_was_killed_between_two_renames_goes_on_from_what_is_whole() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let keys = "--set checkpoint_every_decisions=256 --set keep_checkpoints=2";
    desk.run(&format!("train --config tiny.toml {SHORT} {keys} --out whole --quiet")).expect(0);
    for beside in [".last.new", ".last.old"] {
        let run = desk.path("killed");
        assert!(
            Command::new("cp").arg("-r").args([desk.path("whole"), run.clone()]).status().unwrap().success()
        );
        let checkpoints = run.join("checkpoints");
        std::fs::remove_dir_all(checkpoints.join("last")).unwrap();
        std::fs::rename(checkpoints.join("step-768"), checkpoints.join(beside)).unwrap();
        std::fs::remove_dir_all(checkpoints.join("step-1024")).unwrap();
        std::fs::rename(checkpoints.join("best"), checkpoints.join(".best.new")).unwrap();
        desk.run("evaluate killed --episodes 20").expect(0);
        let outcome = desk.run("train --resume killed").expect(0);
        assert!(outcome.stderr.contains("; going on after 768\n"), "{}", outcome.stderr);
        assert_same_run(&desk, "killed", "whole");
        std::fs::remove_dir_all(run).unwrap();
    }
}

/// Every file below a folder.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(tree(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

/// Copies of a tiny run with the states 768, 1024 and last, as if killed just before its end was noted.
fn unended(desk: &Desk, names: &[&str]) {
    desk.write("tiny.toml", TINY);
    let keys = "--set checkpoint_every_decisions=256 --set keep_checkpoints=2";
    desk.run(&format!("train --config tiny.toml {SHORT} {keys} --out whole --quiet")).expect(0);
    let provenance = desk.read("whole/provenance.toml");
    assert!(provenance.contains("has_state = true\n"), "{provenance}");
    let provenance: Vec<&str> = provenance.lines().filter(|line| !line.starts_with("end")).collect();
    for name in names {
        let copied = Command::new("cp").arg("-r").args([desk.path("whole"), desk.path(name)]).status();
        assert!(copied.unwrap().success());
        desk.write(&format!("{name}/provenance.toml"), &provenance.join("\n"));
    }
}

#[test]
fn a_killed_run_that_lost_its_state_is_not_begun_again() {
    let desk = Desk::new();
    unended(&desk, &["torn", "lost", "best-torn", "empty", "older", "part"]);
    let remove = |place: &str| {
        let place = desk.path(place);
        if place.is_dir() { std::fs::remove_dir_all(place) } else { std::fs::remove_file(place) }.unwrap();
    };
    remove("torn/checkpoints/last/meta.json");
    for name in ["lost", "best-torn", "older"] {
        for state in ["last", "step-768", "step-1024"] {
            remove(&format!("{name}/checkpoints/{state}"));
        }
    }
    remove("best-torn/checkpoints/best/meta.json");
    remove("empty/checkpoints");
    let older = desk.read("older/provenance.toml").replace("has_state = true\n", "");
    desk.write("older/provenance.toml", &older);
    for (name, line, why) in [
        ("torn", "", "torn/checkpoints/last is damaged: it has no meta.json"),
        ("torn", "", "train --resume torn --from step-1024\n"),
        ("torn", " --from last", "train --resume torn --from step-1024\n"),
        ("lost", "", "has a best policy and no state to go on from"),
        ("best-torn", "", "has a best policy and no state to go on from"),
        ("older", "", "has a best policy and no state to go on from"),
        ("empty", "", "has lost the state to go on from"),
        ("empty", "", "type: thoughtcache train --config empty/config.toml\n"),
    ] {
        let before = tree(&desk.path(name));
        let outcome = desk.run(&format!("train --resume {name}{line}")).expect(2);
        assert!(outcome.stderr.contains(why), "{name}: {}", outcome.stderr);
        assert!(tree(&desk.path(name)) == before, "{name} was touched");
    }
    // A part of a removed state is none: the one before it is gone on from.
    remove("part/checkpoints/last");
    remove("part/checkpoints/step-1024/meta.json");
    let outcome = desk.run("train --resume part").expect(0);
    assert!(outcome.stderr.contains("; going on after 768\n"), "{}", outcome.stderr);
    assert_same_run(&desk, "part", "whole");
}

#[test]
fn a_run_that_cannot_go_back_is_left_as_it_is() {
    let desk = Desk::new();
    unended(&desk, &["forged", "short"]);
    // A state with the right checksums that the learner does not accept.
    let file = |name: &str| desk.path("forged/checkpoints/step-768").join(name);
    let bytes = |name: &str| std::fs::read(file(name)).unwrap();
    let checkpoint = Checkpoint::from_bytes(&bytes(POLICY_FILE), &bytes("meta.json")).unwrap();
    let forged = checkpoint.to_bytes_with(&[(TRAINER_FILE, b"nonsense"), (LOG_FILE, &bytes(LOG_FILE))]);
    std::fs::write(file(TRAINER_FILE), b"nonsense").unwrap();
    std::fs::write(file("meta.json"), forged.meta).unwrap();
    let before = tree(&desk.path("forged"));
    let outcome = desk.run("train --resume forged --from step-768").expect(2);
    assert!(outcome.stderr.contains("its checkpoint cannot be used"), "{}", outcome.stderr);
    assert!(tree(&desk.path("forged")) == before);
    // One log is whole and the other is not: neither is cut, and the newest state stays.
    desk.write("short/eval.csv", "decisions\n");
    let before = tree(&desk.path("short"));
    let outcome = desk.run("train --resume short --from step-768").expect(2);
    assert!(outcome.stderr.contains("eval.csv has been changed since"), "{}", outcome.stderr);
    let mut after = tree(&desk.path("short"));
    after.insert("provenance.toml".into(), before["provenance.toml"].clone());
    assert!(after == before);
}

/// A bit that is not what was written, anywhere in what a checkpoint stands on, is no run to go on with.
#[test]
fn a_flipped_bit_in_a_log_or_in_the_config_is_refused_and_named() {
    let desk = Desk::new();
    unended(&desk, &["run"]);
    // The state before the last one: the logs go on behind it.
    std::fs::remove_dir_all(desk.path("run/checkpoints/last")).unwrap();
    std::fs::remove_dir_all(desk.path("run/checkpoints/step-1024")).unwrap();
    let log = desk.read("run/checkpoints/step-768/log.json");
    let log: Value = serde_json::from_str(&log).unwrap();
    let covered = |name: &str| log["files"][name]["bytes"].as_u64().unwrap() as usize;
    let config = desk.read("run/config.toml");
    let values = config.find("name = ").unwrap();
    for (file, from, to, remedy) in [
        ("metrics.jsonl", 0, covered("metrics"), "put the file back that the run wrote"),
        ("eval.csv", 0, covered("eval"), "put the file back that the run wrote"),
        ("config.toml", values, config.len(), "put it back"),
    ] {
        let path = desk.path(&format!("run/{file}"));
        let whole = std::fs::read(&path).unwrap();
        for share in 0..5 {
            let at = from + share * (to - from - 1) / 4;
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (share % 4);
            std::fs::write(&path, &flipped).unwrap();
            let outcome = desk.run("train --resume run").expect(2);
            assert!(outcome.stderr.contains(&format!("run/{file}")), "{at}: {}", outcome.stderr);
            let is_syntax = file == "config.toml" && outcome.stderr.contains("error: run/config.toml:");
            assert!(is_syntax || outcome.stderr.contains(remedy), "{at}: {}", outcome.stderr);
            assert_eq!(std::fs::read(&path).unwrap(), flipped, "it is left as it is");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    desk.run("train --resume run --quiet").expect(0);
    assert_same_run(&desk, "run", "whole");
}

#[test]
fn a_run_that_is_finished_says_so_and_a_loop_that_resumes_it_ends() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    desk.run(&format!("train --config tiny.toml {SHORT} --out run --quiet")).expect(0);
    let before = tree(&desk.path("run"));
    let outcome = desk.run("train --resume run").expect(0);
    assert_eq!(
        outcome.stdout,
        "run is finished: all of its 1,024 decisions are taken; to train longer, begin a new run: thoughtcache train \
         --config run/config.toml --set decisions=N\n"
    );
    assert_eq!(desk.run("train --resume run --json").expect(0).json()["interrupted"], false);
    assert!(tree(&desk.path("run")) == before);
    // A reference run keeps its policy and no state.
    std::fs::remove_dir_all(desk.path("run/checkpoints/last")).unwrap();
    assert_eq!(desk.run("train --resume run").expect(0).stdout, outcome.stdout);
}

/// A library that lets calls of the program fail: those on paths that hold `FAIL_PATH`, from the call `FAIL_FROM` on. Locks fail by
/// a filter of the kernel, because the program asks it without the C library.
#[cfg(target_os = "linux")]
const FAILING_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

__attribute__((constructor)) static void no_locks(void) {
    if (strcmp(getenv("FAIL_CALL"), "flock")) return;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_flock, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | atoi(getenv("FAIL_ERRNO"))),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) abort();
}

static int fails(const char *call, const char *path) {
    static int calls;
    if (strcmp(call, getenv("FAIL_CALL")) || !strstr(path, getenv("FAIL_PATH"))) return 0;
    if (calls++ < atoi(getenv("FAIL_FROM"))) return 0;
    errno = atoi(getenv("FAIL_ERRNO"));
    return 1;
}
int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    return fails("rename", to) ? -1 : real(from, to);
}
int unlinkat(int folder, const char *name, int flags) {
    static int (*real)(int, const char *, int);
    if (!real) real = dlsym(RTLD_NEXT, "unlinkat");
    return fails("unlinkat", name) ? -1 : real(folder, name, flags);
}
int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "open64");
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return (flags & O_CREAT) && fails("open", path) ? -1 : real(path, flags, mode);
}
struct statx;
int statx(int folder, const char *path, int flags, unsigned mask, struct statx *found) {
    static int (*real)(int, const char *, int, unsigned, struct statx *);
    if (!real) real = dlsym(RTLD_NEXT, "statx");
    return path && fails("statx", path) ? -1 : real(folder, path, flags, mask, found);
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_met_a_disk_error_says_which_and_goes_on_where_it_was() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    desk.write("disk.c", FAILING_DISK);
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let built = Command::new(compiler)
        .current_dir(desk.path(""))
        .args(["-shared", "-fPIC", "-o", "disk.so", "disk.c", "-ldl"])
        .status();
    assert!(built.unwrap().success());
    let config = format!(
        "train --config tiny.toml {SHORT} --set checkpoint_every_decisions=256 --set keep_checkpoints=2 --quiet"
    );
    desk.run(&format!("{config} --out whole")).expect(0);
    let (eio, eacces, ebusy, enospc, enolck) = ("5", "13", "16", "28", "37");
    let run = |arguments: &str, call: &str, path: &str, from: &str, errno: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
            .current_dir(desk.path(""))
            .args(arguments.split_whitespace())
            .envs([("FAIL_CALL", call), ("FAIL_PATH", path), ("FAIL_FROM", from), ("FAIL_ERRNO", errno)])
            .env("LD_PRELOAD", desk.path("disk.so"))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let train = |out: &str, call: &str, path: &str, from: &str, errno: &str| {
        run(&format!("{config} --out {out}"), call, path, from, errno)
    };
    let names = |run: &str| {
        let entries = std::fs::read_dir(desk.path(&format!("{run}/checkpoints"))).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let tidy = ["best", "last", "step-1024", "step-768"];
    // A state is put in its place by one rename; the fourth one is the last of the run. From it on all fail, the one that
    // would put the state before back too.
    for (out, from, errno, reason) in
        [("early", "1", eio, "Input/output error"), ("end", "3", eacces, "Permission denied")]
    {
        let (code, stderr) = train(out, "rename", "/checkpoints/last", from, errno);
        assert_eq!(code, Some(2), "{stderr}");
        let why = format!("cannot write the checkpoint {out}/checkpoints/last: {reason}");
        assert!(stderr.contains(&why), "{stderr}");
        assert!(!desk.path(&format!("{out}/checkpoints/last")).exists());
        desk.run(&format!("train --resume {out} --quiet")).expect(0);
        assert_same_run(&desk, out, "whole");
        assert_eq!(names(out), tidy);
        desk.run(&format!("train --resume {out} --quiet")).expect(0);
    }
    // An old state that cannot be removed ends no run, and has no name that it could be taken for whole by.
    let (code, stderr) = train("busy", "unlinkat", "trainer.safetensors", "2", ebusy);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("; the run goes on and tries again").count(), 1, "{stderr}");
    let left = names("busy");
    assert!(
        left.len() > 4 && left.iter().filter(|name| !name.starts_with(".removed-")).eq(&tidy),
        "{left:?}"
    );
    desk.run("train --resume busy --quiet").expect(0);
    assert_eq!(names("busy"), tidy);
    assert_same_run(&desk, "busy", "whole");
    // A full disk: the file that comes last is not the one that is named.
    let (code, stderr) = train("full", "open", ".new", "2", enospc);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("cannot write the checkpoint full/checkpoints/"), "{stderr}");
    assert!(!stderr.contains("provenance.toml"), "{stderr}");
    // A folder that may not be looked into is a run's all the same, and one that cannot be locked is not written into.
    let before = tree(&desk.path("whole"));
    for (call, errno, why) in [
        ("statx", eacces, "error: cannot look into whole: Permission denied"),
        ("flock", enolck, "error: cannot lock the run's folder whole: No locks available"),
    ] {
        let (code, stderr) = run("train --resume whole", call, "whole", "0", errno);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.starts_with(why), "{stderr}");
    }
    assert!(tree(&desk.path("whole")) == before);
}

#[test]
fn a_folder_whose_run_was_killed_before_its_config_was_whole_can_be_started() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    std::fs::create_dir(desk.path("run")).unwrap();
    desk.write("run/config.toml.new", "name = \"ti");
    let outcome = desk.run("train --resume run").expect(2);
    assert!(outcome.stderr.contains("was ended before it began: start it again"), "{}", outcome.stderr);
    desk.run(&format!("train --config tiny.toml {SHORT} --out run --quiet")).expect(0);
    assert!(!desk.path("run/config.toml.new").exists());
}

#[test]
fn a_proof_that_is_ended_leaves_neither_its_child_nor_its_folder() {
    let desk = Desk::new();
    desk.write("tiny.toml", &TINY.replace("1_024", "80_000_000"));
    std::fs::create_dir(desk.path("tmp")).unwrap();
    let proof = Command::new(env!("CARGO_BIN_EXE_thoughtcache"))
        .current_dir(desk.path(""))
        .args(["verify", "determinism", "tiny.toml"])
        .env("TMPDIR", desk.path("tmp"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let scratch = || std::fs::read_dir(desk.path("tmp")).unwrap().next().map(|entry| entry.unwrap().path());
    wait_for("its child's run", || scratch().is_some_and(|scratch| scratch.join("1/eval.csv").exists()));
    let scratch_of_child = scratch().unwrap().to_str().unwrap().to_owned();
    Command::new("kill").args(["-TERM", &proof.id().to_string()]).status().unwrap();
    let output = proof.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(scratch(), None);
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    let children = lines.filter(|line| String::from_utf8_lossy(line).contains(&scratch_of_child)).count();
    assert_eq!(children, 0);
}

/// A folder whose name has a space: what is printed can be pasted.
#[test]
fn commands_that_a_run_prints_can_be_pasted() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let thoughtcache = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_thoughtcache");
        Command::new(program).current_dir(desk.path("")).args(arguments).output().unwrap()
    };
    let train = ["train", "--config", "tiny.toml", "--set", "scenario.horizon_slots=5", "--out"];
    let output = thoughtcache(&[&train[..], &["it's my run"]].concat());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let next = stdout.split_once("next:\n").unwrap().1;
    let program = Path::new(env!("CARGO_BIN_EXE_thoughtcache")).parent().unwrap().to_str().unwrap();
    let compare = next.lines().find(|line| line.contains(" compare ")).unwrap();
    for line in [compare.trim(), "thoughtcache train --resume 'it'\\''s my run' --quiet"] {
        let script = format!("PATH={program}:$PATH; {line}");
        let output = Command::new("sh").current_dir(desk.path("")).args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for name in ["a\nb", "a\u{1b}[31mb"] {
        for seeds in [&[][..], &["--seeds", "1,2"]] {
            let output = thoughtcache(&[&train[..], &[name], seeds].concat());
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.contains("its name must be UTF-8 text without control characters"), "{stderr}");
            assert!(!stderr.contains('\u{1b}') && !desk.path(name).exists());
        }
    }
}

const DQN: &str = "--set agent=dqn-tight --set agent.dqn.learning_starts=256 --set agent.dqn.batch_size=32 \
                   --set agent.dqn.buffer_size=500";

/// Three kills; `cargo xtask proofs` makes twenty.
fn kills(options: &str, files: usize) {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    desk.run(&format!("train --config tiny.toml {SHORT} {options} --out run --quiet")).expect(0);
    // A checkpoint after every eighth step: most kills fall into one.
    let proof = desk.run("verify resume run --kills 3 --checkpoint-every 64 --json").expect(0).json();
    println!("{proof}");
    assert_eq!((proof["kills"].as_u64(), proof["is_equal"].as_bool()), (Some(3), Some(true)));
    assert_eq!(proof["compared"].as_array().unwrap().len(), files);
}

#[test]
fn a_ppo_run_that_is_killed_three_times_ends_with_the_bytes_of_one_that_is_not() {
    kills("", 6);
}

#[test]
fn a_dqn_run_that_is_killed_three_times_ends_with_the_bytes_of_one_that_is_not() {
    kills(DQN, 7);
}

#[test]
fn a_proof_that_fails_says_what_differs_and_exits_with_one() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    desk.run(&format!("train --config tiny.toml {SHORT} --out run --quiet")).expect(0);
    // A run that this program made here, but for one number in one of its logs.
    let csv = desk.read("run/eval.csv");
    desk.write("run/eval.csv", &csv.replacen("\n512,0.", "\n512,1.", 1));
    let outcome = desk.run("verify resume run --kills 1").expect(1);
    assert!(outcome.stdout.contains("DIFFERENT  eval.csv") && outcome.stdout.contains("line 2: 512,1."));
    assert!(outcome.stdout.contains("equal      checkpoints/last/trainer.safetensors"));
    assert!(outcome.stdout.ends_with("NOT EQUAL\n"), "{}", outcome.stdout);
    // The description of its best policy counts, and so does where the kills fall.
    desk.write("run/eval.csv", &csv);
    let meta = desk.read("run/checkpoints/best/meta.json");
    desk.write("run/checkpoints/best/meta.json", &format!("{meta} "));
    let outcome = desk.run("verify resume run --kills 1").expect(1);
    assert!(outcome.stdout.contains("DIFFERENT  checkpoints/best/meta.json"), "{}", outcome.stdout);
    desk.write("run/checkpoints/best/meta.json", &meta);
    let hard = "--kills 1 --checkpoint-every 1000000 --in-checkpoint 2";
    let outcome = desk.run(&format!("verify resume run {hard}")).expect(1);
    let few = "everything is equal, but TOO FEW KILLS fell into the middle of a checkpoint: ";
    assert!(outcome.stdout.contains(few), "{}", outcome.stdout);
}

/// A run whose every minibatch is too much for a net.
const TOO_MUCH: &str = "--set scenario.cost.cloud_per_request=1e9 --set agent.ppo.reward_scale=1e12";

#[test]
fn the_batch_of_a_number_that_is_not_finite_is_kept_and_the_run_says_where() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let outcome =
        desk.run(&format!("train --config tiny.toml {SHORT} {TOO_MUCH} --out run --quiet")).expect(2);
    let said = "warning: the batch that the run ends with is ";
    let place = outcome.stderr.strip_prefix(said).unwrap().lines().next().unwrap();
    assert!(std::fs::metadata(desk.path(place)).unwrap().len() > 0, "{place}");
    assert!(outcome.stderr.contains("error: run: training stopped: after "), "{}", outcome.stderr);
    assert!(desk.read("run/provenance.toml").contains("ending = \"failed\""));
}

#[test]
fn a_warm_start_that_meets_a_number_that_is_not_finite_keeps_the_batch_too() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let keys = "--set agent.warm_start=density --set agent.warm_start_decisions=512";
    let outcome =
        desk.run(&format!("train --config tiny.toml {SHORT} {TOO_MUCH} {keys} --quiet --out run")).expect(2);
    let failed = "while the rule of the warm start was watched: warm_start/value_loss is inf in update 1";
    assert!(outcome.stderr.contains(failed), "{}", outcome.stderr);
    assert!(desk.path("run/nan/update-1.safetensors").exists());
}

#[test]
fn threads_do_not_change_a_run() {
    let desk = Desk::new();
    desk.write("tiny.toml", TINY);
    let outcome = desk.run("verify determinism tiny.toml --decisions 509 --json").expect(0);
    assert!(outcome.stderr.contains("decisions = 509 is rounded up to 512, a multiple of n_envs = 8"));
    let proof = outcome.json();
    assert_eq!(proof["decisions"], 512);
    assert_eq!((proof["is_equal"].as_bool(), proof["threads"][0].as_u64()), (Some(true), Some(1)));
    assert!(proof["threads"][1].as_u64().unwrap() > 1);
}
