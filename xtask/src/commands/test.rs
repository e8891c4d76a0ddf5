//! `cargo xtask test`: every check that a change must pass, in the release profile only.
//!
//! Each profile compiles the C++ of torch-sys again (minutes), so clippy and the tests share one. Cheap steps come
//! first; all are run, so that one call shows everything that is wrong. Every test runs once, with torch; of the build
//! without torch only its own tests run. The documentation site comes last, because it asks the finished program, with
//! learners, for its help and its pictures.
//!
//! Tests that need recorded data say `skipped: ...` where it is not there; the summary counts these lines.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{status, typed, wheel};
use crate::clock::{self, human};
use crate::failure::ensure_all_passed;
use crate::libtorch;
use crate::machine::Machine;
use crate::python;
use crate::workspace::Workspace;
use Environment::{NoTorch, Plain, StrictDocs, Torch};

/// A named check.
struct Step {
    name: &'static str,
    arguments: &'static str,
    /// What the environment of the call is, beyond that of the user.
    environment: Environment,
}

pub(super) enum Environment {
    Plain,
    /// Rustdoc's warnings are errors. Replaces the rpath of `.cargo/config.toml`, which only doctests need.
    StrictDocs,
    /// A libtorch that is not there: whoever looks for it fails.
    NoTorch,
    /// The libraries of the user's own libtorch can be found by doctests too.
    Torch,
}

/// Steps that run tests leave out the native module of Python, which has none: all share one set of features then.
const STEPS: &[Step] = &[
    step("format", Plain, "fmt --all -- --check"),
    step("lints, benches included", Plain, "clippy --release --workspace --all-targets -- -D warnings"),
    step(
        "build without torch",
        NoTorch,
        "check --release -p thoughtcache-agents -p thoughtcache --all-targets --no-default-features",
    ),
    step("documentation", StrictDocs, "doc --release --workspace --no-deps"),
    step(
        "tests without torch",
        NoTorch,
        // Of the whole workspace, so that what it depends on has the features of the other steps and is built once.
        "test --release --no-fail-fast --workspace --exclude thoughtcache-py --test cli --no-default-features without_torch",
    ),
    step(
        "tests with torch",
        Torch,
        "test --release --no-fail-fast --workspace --exclude thoughtcache-py -- --show-output",
    ),
    step("documentation site", Plain, "run --release --quiet -p xtask -- docs --built"),
];

/// The steps of `--quick`.
const QUICK: &[Step] = &[
    step("format", Plain, "fmt --all -- --check"),
    step(
        "unit tests",
        Torch,
        "test --release --no-fail-fast --workspace --exclude thoughtcache-py --lib --bins",
    ),
];

/// The environments of the tests in Python, and the folder of tests that only the other one runs.
const IN_PYTHON: [(&str, &python::Environment, &str); 2] = [
    ("Python, Gymnasium 1.4", &python::PEERS, "python/tests/rllib"),
    ("Python, RLlib", &python::RLLIB, "python/tests/peers"),
];

const fn step(name: &'static str, environment: Environment, arguments: &'static str) -> Step {
    Step { name, arguments, environment }
}

/// How a step went.
struct Outcome {
    name: &'static str,
    is_passed: bool,
    time: Duration,
    tests: Option<Tally>,
}

/// Runs every step and prints the summary; fails if one of them did.
pub(crate) fn run(workspace: &Workspace, machine: &Machine, is_quick: bool) -> Result<()> {
    let steps = if is_quick { QUICK } else { STEPS };
    for (component, argument) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let mut version = workspace.cargo();
        version.args([argument, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        let is_there = status(&mut version)?.success();
        ensure!(is_there, "cargo has no `{component}`: install it:  rustup component add {component}");
    }
    let started = clock::start();
    let own_libraries = libtorch::ensure(workspace, machine)?;
    python::ensure(workspace, machine, &python::TESTS)?;
    let mut outcomes = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let mut cargo = workspace.cargo();
        // What failed to build may have left another program than that of these sources.
        let is_built = outcomes.iter().all(|outcome: &Outcome| outcome.is_passed);
        cargo.args(step.arguments.split_whitespace().filter(|word| is_built || *word != "--built"));
        step.environment.set(&mut cargo, own_libraries.as_deref());
        println!("\n=== {} of {}: {}: {}", number + 1, steps.len(), step.name, typed(&cargo));
        let outcome = step.run(&mut cargo)?;
        println!("=== {}: {} in {}", step.name, outcome.verdict(), human(outcome.time));
        outcomes.push(outcome);
    }
    conclude("cargo xtask test", started.elapsed(), &outcomes)
}

/// Builds the wheels and runs the tests in Python on it, in each environment; prints the summary.
pub(crate) fn run_python(workspace: &Workspace, machine: &Machine) -> Result<()> {
    let started = clock::start();
    let wheels = [wheel::library(workspace, machine)?, wheel::trainer(workspace, machine)?];
    let mut outcomes =
        vec![Outcome { name: "wheels", is_passed: true, time: started.elapsed(), tests: None }];
    for (name, environment, others) in IN_PYTHON {
        let started = clock::start();
        let python = python::ensure(workspace, machine, environment)?;
        python::install(workspace, machine, &python, &wheels)?;
        let mut pytest = workspace.command(python);
        pytest.args(["-m", "pytest", "python/tests", "--ignore", others]);
        println!("\n=== {name}: {}", typed(&pytest));
        let is_passed = status(&mut pytest)?.success();
        outcomes.push(Outcome { name, is_passed, time: started.elapsed(), tests: None });
    }
    conclude("cargo xtask test --python", started.elapsed(), &outcomes)
}

/// Prints the summary; fails if a step did.
fn conclude(command: &str, time: Duration, outcomes: &[Outcome]) -> Result<()> {
    println!("\n{command} took {}", human(time));
    for outcome in outcomes {
        println!("{}", outcome.line());
    }
    let failed: Vec<&str> = outcomes.iter().filter(|o| !o.is_passed).map(|o| o.name).collect();
    ensure_all_passed(&failed, outcomes.len())
}

impl Step {
    /// Tells whether the step prints test results, which are added up.
    fn is_test(&self) -> bool {
        self.arguments.starts_with("test ")
    }

    fn run(&self, cargo: &mut Command) -> Result<Outcome> {
        let started = clock::start();
        let (status, tests) = if self.is_test() {
            let (status, tally) = status_and_tally(cargo)?;
            (status, Some(tally))
        } else {
            (status(cargo)?, None)
        };
        Ok(Outcome { name: self.name, is_passed: status.success(), time: started.elapsed(), tests })
    }
}

impl Environment {
    pub(super) fn set(&self, cargo: &mut Command, own_libraries: Option<&Path>) {
        match self {
            Self::Plain => {}
            Self::StrictDocs => {
                cargo.env("RUSTDOCFLAGS", "-D warnings");
            }
            Self::NoTorch => {
                cargo.env("LIBTORCH", "/no/libtorch/is/needed/here");
                for variable in ["LIBTORCH_USE_PYTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_LIB"] {
                    cargo.env_remove(variable);
                }
            }
            Self::Torch => {
                let Some(own) = own_libraries else { return };
                let variable =
                    if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
                let before = env::var_os(variable).unwrap_or_default();
                let folders = std::iter::once(own.to_owned()).chain(env::split_paths(&before));
                if let Ok(joined) = env::join_paths(folders) {
                    cargo.env(variable, joined);
                }
            }
        }
    }
}

impl Outcome {
    fn verdict(&self) -> &'static str {
        if self.is_passed { "ok" } else { "FAILED" }
    }

    fn line(&self) -> String {
        let line = format!("  {:<6}  {:<24} {:>12}", self.verdict(), self.name, human(self.time));
        match &self.tests {
            None => line,
            Some(Tally { passed, failed, ignored, skipped, programs }) => format!(
                "{line}   {passed} passed, {failed} failed, {ignored} ignored, {skipped} without their recorded data, \
                 test programs: {programs}"
            ),
        }
    }
}

/// The closing lines of test programs, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Lines that say that recorded data is not there.
    skipped: u64,
    programs: u64,
}

impl Tally {
    /// Reads a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; ...`.
    fn add(&mut self, line: &str) {
        self.skipped += u64::from(line.starts_with("skipped: "));
        let Some((_, counts)) =
            line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.programs += 1;
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

/// Runs a command, passing on every line of its output at once while adding up the test results in it.
fn status_and_tally(command: &mut Command) -> Result<(ExitStatus, Tally)> {
    let not_run = "cannot start cargo test";
    let mut child = command.stdout(Stdio::piped()).spawn().context(not_run)?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        let mut ours = io::stdout().lock();
        while lines.read_until(b'\n', &mut line).context(not_run)? > 0 {
            // Nobody reads our output any more: the tests go on, and their result is the exit code.
            let _ = ours.write_all(&line).and_then(|()| ours.flush());
            tally.add(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    Ok((child.wait().context(not_run)?, tally))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up_and_other_lines_are_not() {
        let mut tally = Tally::default();
        tally.add("running 12 tests\n");
        tally.add("test result: ok. 11 passed; 0 failed; 1 ignored; 0 measured; 5 filtered out; finished in 1.02s\n");
        tally.add("test says::test result: ok ... ok\n");
        tally.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        tally.add("skipped: the recording of trace-azure is not there\n");
        assert_eq!(tally, Tally { passed: 14, failed: 2, ignored: 1, skipped: 1, programs: 2 });
    }

    #[test]
    fn every_step_that_compiles_uses_the_release_profile() {
        for step in STEPS.iter().chain(QUICK) {
            let is_format = step.arguments.starts_with("fmt ");
            assert!(is_format || step.arguments.contains(" --release"), "{}", step.name);
        }
    }

    #[test]
    fn the_last_tests_are_those_of_everything_with_torch() {
        let last = STEPS.iter().rfind(|step| step.is_test()).unwrap();
        assert!(last.arguments.contains("--workspace"));
        assert!(!last.arguments.contains("--no-default-features"));
    }

    #[test]
    fn without_torch_there_is_no_libtorch_to_be_found() {
        let mut cargo = Command::new("cargo");
        cargo.env("LIBTORCH_USE_PYTORCH", "1");
        NoTorch.set(&mut cargo, None);
        let value = |name: &str| cargo.get_envs().find(|(key, _)| *key == name).map(|(_, value)| value);
        assert!(!Path::new(value("LIBTORCH").unwrap().unwrap()).exists());
        assert_eq!(value("LIBTORCH_USE_PYTORCH"), Some(None), "removed");
    }
}
