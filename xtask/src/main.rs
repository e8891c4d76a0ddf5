//! `cargo xtask`: the set-up, the commands of the README and the long proofs.
//!
//! Knows nothing of the other crates: it calls cargo, pip, uv and the finished program.
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
mod files;
mod libtorch;
mod machine;
mod python;
#[cfg(test)]
mod made_up_tests;
mod workspace;

use arguments::{Arguments, Task};
use clap::Parser;
use machine::Machine;
use std::process::ExitCode;
use workspace::Workspace;

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure:#}");
            ExitCode::from(failure::exit_code(&failure))
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let (workspace, machine) = (Workspace::here(), Machine::this());
    match task {
        Task::Setup => libtorch::ensure(&workspace, &machine).map(drop),
        Task::Demo => commands::demo::run(&workspace, &machine),
        Task::Docs { built } => commands::docs::run(&workspace, &machine, built),
        Task::Reference { scenarios } => commands::reference::run(&workspace, &machine, &scenarios),
        Task::Proofs { names } => commands::proofs::run(&workspace, &machine, &names),
        Task::Test { python: true, .. } => commands::test::run_python(&workspace, &machine),
        Task::Wheel => commands::wheel::run(&workspace, &machine),
        Task::Test { quick, .. } => commands::test::run(&workspace, &machine, quick),
    }
}
