//! `cargo xtask setup | demo | test | docs | reference | weights | bars | bench-peers`: the set-up, the commands of the README and the long proofs.
//!
//! Knows nothing of the other crates: it calls cargo, pip and the finished program.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program: results on stdout, progress and complaints on stderr"
)]

mod arguments;
mod clock;
mod commands;
mod config_tables;
mod failure;
mod libtorch;
mod machine;
mod progress;
mod python_tests;
#[cfg(test)]
mod testing;
mod workspace;

use std::process::ExitCode;

use arguments::Task;
use failure::Failure;
use machine::Machine;
use workspace::Workspace;

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match Task::parse(&words).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(task: Task) -> Result<(), Failure> {
    let workspace = Workspace::here();
    match task {
        Task::Help => print!("{}", arguments::HELP),
        Task::Setup => {
            libtorch::ensure(&workspace, &Machine::this())?;
        }
        Task::Demo => commands::demo::run(&workspace, &Machine::this())?,
        Task::Docs => commands::docs::run(&workspace)?,
        Task::Reference(only) => commands::reference::run(&workspace, &Machine::this(), &only)?,
        Task::Weights => commands::weights::run(&workspace, &Machine::this())?,
        Task::Bars(only) => commands::bars::run(&workspace, &Machine::this(), &only)?,
        Task::BenchPeers => commands::peers::run(&workspace, &Machine::this())?,
        Task::Test => commands::test::run(&workspace, &Machine::this())?,
    }
    Ok(())
}
