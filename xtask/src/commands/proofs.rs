//! `cargo xtask proofs`: the proofs that take too long for every change, with their results kept in `runs/reference/proofs/`.
//!
//! `xtask/proofs.toml` lists them: commands, and what they have to show. What the last command of a proof prints is kept as
//! `NAME.txt`, below the commands, the commit and the machine, and `proofs.csv` has a line for each proof. Both are written after
//! each proof, so that a proof that is stopped loses nothing of the others.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{call, chosen, ensure_done, typed, wheel};
use crate::clock::{self, human};
use crate::failure::ensure_all_passed;
use crate::files;
use crate::libtorch;
use crate::machine::Machine;
use crate::python::{self, PEERS, RLLIB};
use crate::workspace::Workspace;

/// Where runs of the proofs lie, ignored by git, and where the results are kept.
const WORK: &str = "runs/proofs";
const KEPT: &str = "runs/reference/proofs";
const CSV: &str = "proofs.csv";
const HEADING: &str = "proof,verdict,seconds,commit,machine,what";

/// Something that is to hold, and the commands that show it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    name: String,
    what: String,
    commands: Vec<String>,
}

/// Proves everything, or what is named, and says what did not hold.
pub(crate) fn run(workspace: &Workspace, machine: &Machine, only: &[String]) -> Result<()> {
    let proofs = proofs();
    let names: Vec<String> = proofs.iter().map(|proof| proof.name.clone()).collect();
    let wanted = chosen("proof", &names, only)?;
    libtorch::ensure(workspace, machine)?;
    call(workspace.cargo().args(["build", "--release"]))?;
    let (commit, processor) = (commit(workspace), processor(machine));
    let kept = workspace.root().join(KEPT);
    files::create(&kept)?;
    let mut failed = Vec::new();
    for proof in proofs.iter().filter(|proof| wanted.contains(&&proof.name)) {
        let Proof { name, what, commands } = proof;
        let started = clock::start();
        let (holds, printed) = proof.prove(workspace, machine)?;
        let time = started.elapsed();
        let verdict = if holds { "holds" } else { "does not hold" };
        eprintln!("=== {name}: {verdict} in {}", human(time));
        let commands: String = commands.iter().flat_map(|command| ["$ ", command, "\n"]).collect();
        let took = human(time);
        let text = format!(
            "{what}: {verdict}\n{commands}commit {commit}\nmachine {processor}\ntook {took}\n\n{printed}"
        );
        files::write(&kept.join(format!("{name}.txt")), &text)?;
        let line = format!("{name},{verdict},{},{commit},\"{processor}\",\"{what}\"", time.as_secs());
        let csv = kept.join(CSV);
        let before = fs::read_to_string(&csv).unwrap_or_default();
        files::write(&csv, &with_line(&before, name, &line))?;
        if !holds {
            failed.push(name.as_str());
        }
    }
    println!("\nwritten: {KEPT}/{CSV} and a text for each proof");
    ensure_all_passed(&failed, wanted.len())
}

fn proofs() -> Vec<Proof> {
    files::rows(include_str!("../../proofs.toml"))
}

impl Proof {
    /// Whether it holds, and what the last command printed.
    fn prove(&self, workspace: &Workspace, machine: &Machine) -> Result<(bool, String)> {
        files::replace(&workspace.root().join(WORK).join(&self.name))?;
        let (last, before) = self.commands.split_last().expect("every proof has a command");
        for line in before {
            call(&mut command(line, workspace, machine)?)?;
        }
        conclude(&mut command(last, workspace, machine)?)
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
fn command(line: &str, workspace: &Workspace, machine: &Machine) -> Result<Command> {
    let mut words = line.split_whitespace();
    let mut command = match words.next() {
        Some("thoughtcache") => workspace.program(),
        Some("cargo") => workspace.cargo(),
        environment => {
            let packages = if environment == Some("rllib") { &RLLIB } else { &PEERS };
            let place = python::ensure(workspace, machine, packages)?;
            if line.contains(" python/") {
                let wheels = [wheel::library(workspace, machine)?, wheel::trainer(workspace, machine)?];
                python::install(workspace, machine, &place, &wheels)?;
            }
            let mut python = Command::new(place);
            python.current_dir(workspace.root());
            python.env("THOUGHTCACHE", workspace.program().get_program());
            python
        }
    };
    command.args(words);
    Ok(command)
}

/// Runs the command that decides; 1 is its way to say no, and so is cargo test's 101.
fn conclude(command: &mut Command) -> Result<(bool, String)> {
    eprintln!("\n=== {}", typed(command));
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", typed(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if !matches!(output.status.code(), Some(1 | 101)) {
        ensure_done(command, output.status)?;
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
        let proofs = proofs();
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
                assert!(["thoughtcache", "cargo", "python", "rllib"].contains(&program), "{name}: {line}");
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
        let proofs = proofs();
        for line in kept.lines().skip(1) {
            let name = line.split(',').next().unwrap();
            assert!(proofs.iter().any(|proof| proof.name == name), "{name} is no proof of xtask/proofs.toml");
        }
    }
}
