//! What a person or a script reads: results on standard output, everything else on standard error.

use anyhow::{Context, Result};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How a command ended; the exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did what was asked: 0.
    Done,
    /// It worked, but a criterion that the user stated does not hold: 1.
    Failed,
    /// Ctrl-C ended it in good order: 130.
    Interrupted,
}

impl Verdict {
    /// The exit code of the program; 2 is kept for commands that could not work.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Interrupted => 130,
        }
    }
}

/// Where a command writes, as `--json` and `--quiet` ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    is_json: bool,
    is_quiet: bool,
}

impl Console {
    /// A console for these two switches.
    pub(crate) const fn new(is_json: bool, is_quiet: bool) -> Self {
        Self { is_json, is_quiet }
    }

    /// Whether progress is drawn: not when quiet, nor when standard error is a file.
    pub(crate) fn shows_progress(self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }

    /// The result of a command: the document with `--json`, else the text.
    pub(crate) fn result<T: Serialize>(self, document: &T, text: impl FnOnce() -> String) -> Result<()> {
        if self.is_json {
            let mut json =
                serde_json::to_string_pretty(document).context("cannot write the result as JSON")?;
            json.push('\n');
            print(&json)
        } else {
            let mut text = text();
            if !text.ends_with('\n') {
                text.push('\n');
            }
            print(&text)
        }
    }

    /// A line that tells a person what happens; silent with `--quiet`.
    pub(crate) fn note(self, line: &str) {
        if !self.is_quiet {
            say(line);
        }
    }

    /// A line that a person should see even with `--quiet`.
    #[expect(clippy::unused_self, reason = "warnings belong to the console although no switch silences them")]
    pub(crate) fn warn(self, line: &str) {
        say(&format!("warning: {line}"));
    }
}

/// Writes to standard output; a reader that has gone away (`| head`) has seen enough.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// A line on standard error; where nobody can read it, nothing is lost.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
