//! `cargo xtask bars`: the proofs that take too long for every change, with their results kept in `runs/reference/bars/`.
//!
//! Each proof is a few commands; what the last of them says on stdout is kept as `NAME.txt`, below the commands, the commit
//! and the machine. `bars.csv` has a line a proof. Both are written after each proof, so that a proof that is stopped loses
//! nothing of the others. `cargo xtask bars NAME...` runs only these.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::demo::{call, program};
use super::typed;
use crate::clock::{Stopwatch, human};
use crate::failure::Failure;
use crate::libtorch;
use crate::machine::{Machine, ended};
use crate::progress::say;
use crate::workspace::Workspace;

/// Where runs of the proofs lie, ignored by git, and where the results are kept.
const WORK: &str = "runs/bars";
const KEPT: &str = "runs/reference/bars";
const CSV: &str = "bars.csv";
const HEADING: &str = "proof,verdict,seconds,commit,machine,what";

/// Something that is to hold.
struct Proof {
    name: &'static str,
    /// In a sentence.
    what: &'static str,
    how: How,
}

/// What is done for it.
enum How {
    /// Trains this experiment, then kills and resumes repetitions of it so often.
    Kills { experiment: &'static str, kills: u32 },
    /// Runs tests that are ignored otherwise; the words after `cargo test --release`.
    Tests(&'static str),
    /// Calls the program; the words after `thoughtcache`.
    Program(&'static str),
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "kills-ppo",
        what: "a PPO run that is killed 20 times, in the middle of a checkpoint too, and resumed ends with the bytes of one that is not",
        how: How::Kills {
            experiment: "\
scenario = \"tight\"
decisions = 65_536
eval_every_decisions = 8_192
log_every_decisions = 2_048

[agent]
from = \"ppo-tight\"

[agent.ppo]
n_envs = 8
n_steps = 64
batch_size = 128
net_arch = [32, 32]
",
            kills: 20,
        },
    },
    Proof {
        name: "kills-dqn",
        what: "a DQN run that is killed 20 times, in the middle of a checkpoint too, and resumed ends with the bytes of one that is not",
        how: How::Kills {
            experiment: "\
scenario = \"tight\"
decisions = 32_768
eval_every_decisions = 4_096
log_every_decisions = 1_024

[agent]
from = \"dqn-tight\"

[agent.dqn]
n_envs = 8
learning_starts = 1_024
batch_size = 64
buffer_size = 8_192
net_arch = [32, 32]
",
            kills: 20,
        },
    },
    Proof {
        name: "kills-warm-start",
        what: "the same for a PPO run that begins with a warm start",
        how: How::Kills {
            experiment: "\
scenario = \"tight-request\"
decisions = 32_768
eval_every_decisions = 8_192

[agent]
from = \"ppo-tight\"
warm_start = \"density\"
warm_start_decisions = 16_384

[agent.ppo]
n_envs = 8
n_steps = 64
batch_size = 128
net_arch = [32, 32]
",
            kills: 20,
        },
    },
    Proof {
        name: "tiny-worlds",
        what: "PPO and DQN come within 1 % of the exact average cost, three seeds each, greedy over a million slots",
        how: How::Program("bench tiny"),
    },
    Proof {
        name: "million-decisions",
        what: "every variant of the scenarios keeps the contract over a million random decisions",
        how: How::Tests("-p thoughtcache-env --test invariants million -- --ignored --nocapture"),
    },
    Proof {
        name: "speed-street",
        what: "street takes at least 500,000 decisions a second on one thread",
        how: How::Program("bench env --scenario street --at-least 500000"),
    },
    Proof {
        name: "speed-city",
        what: "city, seven cells and a thousand users, takes at least 200,000 decisions a second on one thread",
        how: How::Program("bench env --scenario city --at-least 200000"),
    },
    Proof {
        name: "many-users",
        what: "a decision with a million users takes at most three times as long as one with a hundred",
        how: How::Program("bench env --scaling --grows-at-most 3 --plot runs/reference/bars/many-users.svg"),
    },
    Proof {
        name: "corruptions",
        what: "10,000 corruptions of each kind: a checkpoint is refused or untouched, never anything else",
        how: How::Tests("-p thoughtcache-agents --lib ten_thousand_times -- --ignored --nocapture"),
    },
    Proof {
        name: "ten-million-rows",
        what: "recordings of ten million rows in less than 100 MB beside libtorch",
        how: How::Tests("-p thoughtcache --test cli ten_million -- --ignored --nocapture"),
    },
];

/// Proves everything, or what is named, and says what did not hold.
pub(crate) fn run(workspace: &Workspace, machine: &Machine, only: &[String]) -> Result<(), Failure> {
    if let Some(word) = only.iter().find(|word| PROOFS.iter().all(|proof| proof.name != word.as_str())) {
        let names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        return Err(Failure::UnknownProof { word: word.clone(), names: names.join(", ") });
    }
    libtorch::ensure(workspace, machine)?;
    call(workspace.cargo().args(["build", "--release"]))?;
    let circumstances = Circumstances { commit: commit(workspace), machine: processor(machine) };
    let kept = workspace.root().join(KEPT);
    fs::create_dir_all(&kept).map_err(Failure::file("create", &kept))?;
    let chosen = PROOFS.iter().filter(|proof| only.is_empty() || only.iter().any(|word| word == proof.name));
    let (mut failed, mut all) = (Vec::new(), 0);
    for proof in chosen {
        all += 1;
        let stopwatch = Stopwatch::start();
        let said = proof.prove(workspace)?;
        let time = stopwatch.elapsed();
        say(&format!("=== {}: {} in {}", proof.name, said.verdict(), human(time)));
        proof.keep(&kept, &said, &circumstances, time)?;
        if !said.holds {
            failed.push(proof.name);
        }
    }
    println!("\nwritten: {KEPT}/{CSV} and a text a proof");
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Steps { failed: failed.len(), all, names: failed.join(", ") })
}

/// What a proof has come to.
struct Said {
    holds: bool,
    commands: Vec<String>,
    text: String,
}

impl Said {
    fn verdict(&self) -> &'static str {
        if self.holds { "holds" } else { "DOES NOT HOLD" }
    }
}

/// What a result depends on.
struct Circumstances {
    commit: String,
    machine: String,
}

impl Proof {
    fn prove(&self, workspace: &Workspace) -> Result<Said, Failure> {
        match self.how {
            How::Kills { experiment, kills } => self.kill(workspace, experiment, kills),
            How::Program(words) => {
                let mut program = program(workspace);
                program.args(words.split_whitespace());
                conclude(&mut program, Vec::new())
            }
            How::Tests(words) => {
                let mut cargo = workspace.cargo();
                cargo.args(["test", "--release"]).args(words.split_whitespace());
                conclude(&mut cargo, Vec::new())
            }
        }
    }

    fn kill(&self, workspace: &Workspace, experiment: &str, kills: u32) -> Result<Said, Failure> {
        let work = workspace.root().join(WORK);
        fs::create_dir_all(&work).map_err(Failure::file("create", &work))?;
        let config = format!("{WORK}/{}.toml", self.name);
        let path = workspace.root().join(&config);
        fs::write(&path, experiment).map_err(Failure::file("write", &path))?;
        let run = format!("{WORK}/{}", self.name);
        let place = workspace.root().join(&run);
        if place.exists() {
            fs::remove_dir_all(&place).map_err(Failure::file("remove", &place))?;
        }
        let mut train = program(workspace);
        train.args(["train", "--config", &config, "--out", &run]);
        call(&mut train)?;
        let mut verify = program(workspace);
        // A checkpoint every few steps: many kills fall into the middle of one, and at least one has to.
        verify.args(["verify", "resume", &run, "--kills", &kills.to_string(), "--checkpoint-every", "64"]);
        verify.args(["--in-checkpoint", "1"]);
        conclude(&mut verify, vec![typed(&train)])
    }

    fn keep(&self, kept: &Path, said: &Said, at: &Circumstances, time: Duration) -> Result<(), Failure> {
        let commands: String = said.commands.iter().flat_map(|command| ["$ ", command, "\n"]).collect();
        let text = format!(
            "{}: {}\n{commands}commit {}\nmachine {}\ntook {}\n\n{}",
            self.what,
            said.verdict(),
            at.commit,
            at.machine,
            human(time),
            said.text
        );
        let path = kept.join(format!("{}.txt", self.name));
        fs::write(&path, text).map_err(Failure::file("write", &path))?;
        let verdict = if said.holds { "holds" } else { "does not hold" };
        let seconds = time.as_secs();
        let line =
            format!("{},{verdict},{seconds},{},\"{}\",\"{}\"", self.name, at.commit, at.machine, self.what);
        let path = kept.join(CSV);
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, with_line(&before, self.name, &line)).map_err(Failure::file("write", &path))
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

/// Runs the command that decides; 1 is its way to say no, and so is cargo test's 101.
fn conclude(command: &mut Command, mut commands: Vec<String>) -> Result<Said, Failure> {
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
    commands.push(shown);
    Ok(Said { holds: output.status.success(), commands, text })
}

/// The commit, and whether files of it were changed.
pub(super) fn commit(workspace: &Workspace) -> String {
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
    fn names_are_plain_and_stand_once() {
        let mut names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(PROOFS.iter().all(|proof| !proof.what.contains('"')), "a cell of the table is in quotes");
    }

    #[test]
    fn a_proof_has_one_line_in_the_table_the_latest() {
        let table = with_line("", "b", "b,holds,1");
        assert_eq!(table, format!("{HEADING}\nb,holds,1\n"));
        let table = with_line(&table, "a", "a,holds,2");
        assert_eq!(
            with_line(&table, "b", "b,does not hold,3"),
            format!("{HEADING}\na,holds,2\nb,does not hold,3\n")
        );
    }
}
