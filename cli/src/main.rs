//! The program `thoughtcache`: files, clock and progress around the worlds of `thoughtcache-env` and the policies of
//! `thoughtcache-agents`.
//!
//! Reading order: `cli` (what can be typed), `commands/` (one file a command), `args` (options that commands share),
//! `scenario_file` and `experiment` (what is read), `run_dir` (what is written).
#![cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only learners write run folders"))]

mod args;
mod cli;
mod clock;
mod commands;
mod console;
mod experiment;
mod interrupt;
mod libtorch;
mod machine;
mod metrics_log;
mod patience;
mod output;
mod picture;
mod plot;
mod policies;
mod progress;
mod quantity;
mod recording;
mod report;
mod run_dir;
mod scenario_file;
mod scenario_files;
mod sheet;
mod table;
mod tensorboard;
mod text_file;
mod world;

use clap::Parser;
use cli::Cli;
use std::process::ExitCode;

/// Could not work: wrong input, a missing file, a mistyped command.
const COULD_NOT_WORK: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mistake) => {
            if mistake.use_stderr()
                && std::env::args_os().any(|word| word.to_string_lossy().contains(char::is_control))
            {
                console::say(mistake.to_string().trim_end());
            } else {
                let _ = mistake.print(); // nobody reads: nothing is lost
            }
            return if mistake.use_stderr() { COULD_NOT_WORK.into() } else { ExitCode::SUCCESS };
        }
    };
    let outcome = machine::start_threads().and_then(|warning| {
        if let Some(line) = warning {
            console::say(&format!("warning: {line}"));
        }
        cli.run()
    });
    match outcome {
        Ok(verdict) => verdict.exit_code().into(),
        Err(error) => {
            console::say(&format!("error: {error:#}"));
            COULD_NOT_WORK.into()
        }
    }
}
