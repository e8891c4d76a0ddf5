//! The program `thoughtcache` as a library: files, clock and progress around the worlds of `thoughtcache-env` and the policies of
//! `thoughtcache-agents`.
//!
//! The program calls [`main`]; the Python package calls it too, for the command line that it installs, and takes worlds, policies
//! and pictures from [`api`].
//!
//! Reading order: `cli` (what can be typed), `commands/` (one file a command), `args` (options that commands share),
//! `scenario_file` and `experiment` (what is read), `run_dir` (what is written).
#![cfg_attr(
    not(feature = "torch"),
    allow(dead_code, clippy::unused_self, reason = "only learners write run folders")
)]

pub mod api;
mod args;
mod bounds;
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
mod packing;
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
use std::ffi::OsString;

/// Could not work: wrong input, a missing file, a mistyped command.
const COULD_NOT_WORK: u8 = 2;

/// Does what was typed, the program's name first, and returns the exit code.
///
/// Results go to standard output, everything else to standard error. Called once per process: it may start threads and listen for
/// signals.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> u8 {
    let typed: Vec<OsString> = typed.into_iter().collect();
    let cli = match Cli::try_parse_from(&typed) {
        Ok(cli) => cli,
        Err(mistake) => {
            if mistake.use_stderr()
                && typed.iter().any(|word| word.to_string_lossy().contains(char::is_control))
            {
                console::say(mistake.to_string().trim_end());
            } else {
                let _ = mistake.print(); // nobody reads: nothing is lost
            }
            return if mistake.use_stderr() { COULD_NOT_WORK } else { console::Verdict::Done.exit_code() };
        }
    };
    let outcome = machine::start_threads().and_then(|warning| {
        if let Some(line) = warning {
            console::say(&format!("warning: {line}"));
        }
        cli.run()
    });
    match outcome {
        Ok(verdict) => verdict.exit_code(),
        Err(error) => {
            console::say(&format!("error: {error:#}"));
            COULD_NOT_WORK
        }
    }
}
