//! The program as a user meets it: what it prints, where, and how it exits.
#![allow(clippy::unwrap_used, reason = "this crate is a test")]
#![cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only runs leave files to read"))]

mod bench;
mod catalogue;
mod compare;
#[cfg(all(feature = "torch", unix))]
mod examples;
mod help;
mod mistakes;
mod plot;
#[cfg(feature = "torch")]
mod resume;
mod scenario;
#[cfg(feature = "torch")]
mod seeds;
mod trace;
mod trace_memory;
mod trace_replay;
mod train;

use assert_cmd::Command;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a command line did.
struct Outcome {
    line: String,
    code: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Everything, for a snapshot.
    fn transcript(&self) -> String {
        let mut text = format!("$ thoughtcache {}\nexit code {}\n", self.line, self.code);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                writeln!(text, "--- {name}\n{}", stream.trim_end()).unwrap();
            }
        }
        text
    }

    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.transcript());
        self
    }

    /// Standard output as the one JSON document that `--json` promises.
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.transcript()))
    }
}

/// A folder of a test's own, where its commands run.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs a command line; words are cut at spaces.
    fn run(&self, line: &str) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoughtcache"));
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command.env_remove("COLUMNS").env_remove("RUST_BACKTRACE").env("NO_COLOR", "1");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Outcome {
            line: line.to_owned(),
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs command lines one after another and returns what all of them did.
    fn transcript(&self, lines: &[&str]) -> String {
        lines.iter().map(|line| self.run(line).transcript()).collect::<Vec<_>>().join("\n")
    }
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
