//! `cargo xtask proofs`: the proofs that take too long for every change, with their results kept in `runs/reference/proofs/`.
//!
//! `xtask/proofs.toml` lists them: commands, and what they have to show. What the last command of a proof prints is kept as
//! `NAME.txt`, below the commands, the commit and the machine, and `proofs.csv` has a line for each proof. Both are written after
//! each proof, so that a proof that is stopped loses nothing of the others.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::{call, chosen, program, typed};
use crate::clock::{Stopwatch, human};
use crate::failure::Failure;
use crate::files;
use crate::libtorch;
use crate::machine::{Machine, ended};
use crate::progress::say;
use crate::python_tests::{self, PEERS};
use crate::workspace::Workspace;

const TABLE: &str = include_str!("../../proofs.toml");
/// Where runs of the proofs lie, ignored by git, and where the results are kept.
const WORK: &str = "runs/proofs";
const KEPT: &str = "runs/reference/proofs";
const CSV: &str = "proofs.csv";
const HEADING: &str = "proof,verdict,seconds,commit,machine,what";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    proof: Vec<Proof>,
}

/// Something that is to hold, and the commands that show it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    name: String,
    what: String,
    commands: Vec<String>,
}

/// Proves everything, or what is named, and says what did not hold.
pub(crate) fn run(workspace: &Workspace, machine: &Machine, only: &[String]) -> Result<(), Failure> {
    let proofs = table().proof;
    let names: Vec<&str> = proofs.iter().map(|proof| proof.name.as_str()).collect();
    let wanted = chosen("proof", &names, only)?;
    libtorch::ensure(workspace, machine)?;
    call(workspace.cargo().args(["build", "--release"]))?;
    let at = Circumstances { commit: commit(workspace), machine: processor(machine) };
    let kept = workspace.root().join(KEPT);
    fs::create_dir_all(&kept).map_err(Failure::file("create", &kept))?;
    let mut failed = Vec::new();
    for proof in proofs.iter().filter(|proof| wanted.contains(&proof.name.as_str())) {
        let stopwatch = Stopwatch::start();
        let (holds, text) = proof.prove(workspace, machine)?;
        let time = stopwatch.elapsed();
        say(&format!("=== {}: {} in {}", proof.name, verdict(holds), human(time)));
        proof.keep(&kept, (holds, &text), &at, time)?;
        if !holds {
            failed.push(proof.name.clone());
        }
    }
    println!("\nwritten: {KEPT}/{CSV} and a text for each proof");
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Steps { failed: failed.len(), all: wanted.len(), names: failed.join(", ") })
}

fn table() -> Table {
    toml::from_str(TABLE).expect("the table is a constant, and the tests read it")
}

fn verdict(holds: bool) -> &'static str {
    if holds { "holds" } else { "does not hold" }
}

/// What a result depends on.
struct Circumstances {
    commit: String,
    machine: String,
}

impl Proof {
    /// Whether it holds, and what the last command printed.
    fn prove(&self, workspace: &Workspace, machine: &Machine) -> Result<(bool, String), Failure> {
        let work = workspace.root().join(WORK).join(&self.name);
        files::replace(&work)?;
        let (last, before) = self.commands.split_last().expect("every proof has a command");
        for line in before {
            call(&mut command(line, workspace, machine)?)?;
        }
        conclude(&mut command(last, workspace, machine)?)
    }

    fn keep(
        &self,
        kept: &Path,
        (holds, text): (bool, &str),
        at: &Circumstances,
        time: Duration,
    ) -> Result<(), Failure> {
        let Self { name, what, commands } = self;
        let Circumstances { commit, machine } = at;
        let commands: String = commands.iter().flat_map(|command| ["$ ", command, "\n"]).collect();
        let text = format!(
            "{what}: {}\n{commands}commit {commit}\nmachine {machine}\ntook {}\n\n{text}",
            verdict(holds),
            human(time)
        );
        let path = kept.join(format!("{name}.txt"));
        files::write(&path, &text)?;
        let line = format!("{name},{},{},{commit},\"{machine}\",\"{what}\"", verdict(holds), time.as_secs());
        let path = kept.join(CSV);
        let before = fs::read_to_string(&path).unwrap_or_default();
        files::write(&path, &with_line(&before, name, &line))
    }
}

/// The table with this line in place of the proof's line before.
fn with_line(table: &str, name: &str, line: &str) -> String {
    let start = format!("{name},");
    let mut lines: Vec<&str> =
        table.lines().skip(1).filter(|line| !line.starts_with(&start)).chain([line]).collect();
    lines.sort_unstable();
    std::iter::once(HEADING).chain(lines).flat_map(|line| [line, "\n"]).collect()
}

/// A line of the table as a command.
fn command(line: &str, workspace: &Workspace, machine: &Machine) -> Result<Command, Failure> {
    let mut words = line.split_whitespace();
    let mut command = match words.next() {
        Some("thoughtcache") => program(workspace),
        Some("cargo") => workspace.cargo(),
        _ => {
            let packages = python_tests::ensure(workspace, machine, &PEERS)?;
            let mut python = Command::new(&machine.python);
            python.current_dir(workspace.root()).env("PYTHONPATH", packages);
            python.env("THOUGHTCACHE", program(workspace).get_program());
            python
        }
    };
    command.args(words);
    Ok(command)
}

/// Runs the command that decides; 1 is its way to say no, and so is cargo test's 101.
fn conclude(command: &mut Command) -> Result<(bool, String), Failure> {
    let shown = typed(command);
    say(&format!("\n=== {shown}"));
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Failure::Start { program: shown.clone(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if !output.status.success() && !matches!(output.status.code(), Some(1 | 101)) {
        let is_interrupted = output.status.code() == Some(130);
        return Err(Failure::Command { command: shown, status: ended(output.status), is_interrupted });
    }
    Ok((output.status.success(), text))
}

/// The commit, and whether files of it were changed.
fn commit(workspace: &Workspace) -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git").arg("-C").arg(workspace.root()).args(words).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return "unknown".to_owned() };
    // The results themselves are changes.
    let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", ".", ":!runs"]);
    if changes.is_some_and(|changes| changes.is_empty()) { commit } else { format!("{commit}+changes") }
}

fn processor(machine: &Machine) -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let name = name.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{cores} cores of {name}; {} {}", machine.os, machine.arch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_plain_names_each_once_and_commands_that_can_be_called() {
        let proofs = table().proof;
        let mut names: Vec<&str> = proofs.iter().map(|proof| proof.name.as_str()).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        for Proof { name, what, commands } in &proofs {
            assert!(!what.contains('"'), "{name}: a cell of the table is in quotes");
            assert!(!commands.is_empty(), "{name}");
            for line in commands {
                let program = line.split_whitespace().next().unwrap();
                assert!(["thoughtcache", "cargo", "python"].contains(&program), "{name}: {line}");
            }
        }
    }

    #[test]
    fn a_proof_has_one_line_in_the_csv_the_latest() {
        let table = with_line("", "b", "b,holds,1");
        assert_eq!(table, format!("{HEADING}\nb,holds,1\n"));
        let table = with_line(&table, "a", "a,holds,2");
        assert_eq!(
            with_line(&table, "b", "b,does not hold,3"),
            format!("{HEADING}\na,holds,2\nb,does not hold,3\n")
        );
    }

    #[test]
    fn what_was_proved_is_in_the_table_still() {
        let kept = fs::read_to_string(Workspace::here().root().join(KEPT).join(CSV)).unwrap();
        let proofs = table().proof;
        for line in kept.lines().skip(1) {
            let name = line.split(',').next().unwrap();
            assert!(proofs.iter().any(|proof| proof.name == name), "{name} is no proof of xtask/proofs.toml");
        }
    }
}
