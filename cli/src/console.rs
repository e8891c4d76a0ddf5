//! What a person or a script reads: results on standard output, everything else on standard error.

use anyhow::{Context, Result};
use serde::Serialize;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use thoughtcache_env::message::one_line;

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
    pub(crate) is_json: bool,
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
        self.colored_result(document, || escaped(&text()))
    }

    /// As [`result`](Self::result) for a text that has colours; its names are escaped already.
    pub(crate) fn colored_result<T: Serialize>(
        self,
        document: &T,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
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

/// Writes lines to standard error; nothing is lost where nobody can read them.
pub(crate) fn say(lines: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped(lines));
}

/// Escapes all control characters but line breaks and tabs: no name that stands in a text speaks to the terminal.
pub(crate) fn escaped(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|part| {
            let end = part.len() - usize::from(part.ends_with(['\n', '\t']));
            one_line(&part[..end]) + &part[end..]
        })
        .collect()
}

/// A path as messages and tables show it: on one line, control characters escaped, bytes that are not UTF-8 replaced.
pub(crate) fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// A path as a word of a command that is printed: the line can be pasted into a POSIX shell.
pub(crate) fn pasted(path: &Path) -> String {
    let word = path.as_os_str();
    // A path that begins with a hyphen would be read as an option.
    if word.as_encoded_bytes().starts_with(b"-") {
        quoted(Path::new(".").join(path).as_os_str())
    } else {
        quoted(word)
    }
}

/// A word of a command that is printed.
///
/// Words that need it stand in single quotes. Those with control characters or bytes that are not UTF-8 are written as
/// `$'...'`, which bash, zsh, ksh and POSIX.1-2024 understand.
pub(crate) fn quoted(word: &OsStr) -> String {
    match word.to_str() {
        Some(word) if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        Some(word) if !word.contains(char::is_control) => format!("'{}'", word.replace('\'', "'\\''")),
        _ => {
            let bytes = word.as_encoded_bytes();
            let escaped: String = bytes.iter().map(|byte| byte.escape_ascii().to_string()).collect();
            format!("$'{}'", escaped.replace("\\\"", "\""))
        }
    }
}

/// Whether a character means itself to a shell, at any place of a word but the first.
fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/' | ',' | ':' | '+' | '@' | '%' | '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_speak_to_the_terminal_or_break_a_line() {
        assert_eq!(escaped("a\u{1b}[31mb\n\tc\u{7}"), "a\\u{1b}[31mb\n\tc\\u{7}");
        assert_eq!(shown(Path::new("runs/a\nb\u{1b}")), "runs/a\\nb\\u{1b}");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them_otherwise() {
        let words = ["runs/tight-ppo-1", "my run", "it's", "", "-x", "$HOME", "é", "a\nb", "a\u{1b}'\"é"];
        let pasted = words.map(|word| pasted(Path::new(word)));
        let expected = [
            "runs/tight-ppo-1",
            "'my run'",
            "'it'\\''s'",
            "''",
            "./-x",
            "'$HOME'",
            "é",
            r"$'a\nb'",
            r#"$'a\x1b\'"\xc3\xa9'"#,
        ];
        assert_eq!(pasted, expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_every_name() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let all: Vec<u8> = (1..=255).collect();
        let names = [b"a b".as_slice(), b"'", b"''x\\'", b"*?[a]~#!", b"\xff\n\t", b"-- -n", &all];
        for name in names {
            let word = pasted(Path::new(OsStr::from_bytes(name)));
            let command = format!("printf %s {word}");
            let read = std::process::Command::new("bash").args(["-c", &command]).output().unwrap();
            let expected = [if name.starts_with(b"-") { b"./".as_slice() } else { b"" }, name].concat();
            assert_eq!(read.stdout, expected, "{command}");
            assert!(!word.contains(['\n', '\u{1b}']), "{word}");
        }
    }
}
