//! The commands that do more than the set-up, and what they share.

pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod proofs;
pub(crate) mod reference;
pub(crate) mod results;
pub(crate) mod test;

use std::process::{Command, ExitStatus};

use crate::clock::{Stopwatch, human};
use crate::failure::Failure;
use crate::machine::ended;
use crate::progress::say;
use crate::workspace::Workspace;

/// The program's exit code after Ctrl-C.
const INTERRUPTED: i32 = 130;

/// The finished program of the project.
fn program(workspace: &Workspace) -> Command {
    workspace.program("thoughtcache")
}

/// A command as it would be typed, for messages.
fn typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut words = words.map(|word| word.to_string_lossy());
    let program = words.next().unwrap_or_default();
    let program = program.rsplit(std::path::is_separator).next().unwrap_or_default().to_owned();
    std::iter::once(program)
        .chain(words.map(|word| if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a command to its end, its output going where ours goes.
fn status(command: &mut Command) -> Result<ExitStatus, Failure> {
    command.status().map_err(|source| Failure::Start { program: typed(command), source })
}

/// Runs a command after showing it; its failure is ours.
fn call(command: &mut Command) -> Result<(), Failure> {
    let stopwatch = Stopwatch::start();
    let typed = typed(command);
    say(&format!("\n=== {typed}"));
    let status = status(command)?;
    if !status.success() {
        let is_interrupted = status.code() == Some(INTERRUPTED);
        return Err(Failure::Command { command: typed, status: ended(status), is_interrupted });
    }
    say(&format!("=== done in {}", human(stopwatch.elapsed())));
    Ok(())
}

/// The names that were typed, in the order of `names`; all of them where nothing was typed.
fn chosen<'a>(what: &'static str, names: &[&'a str], typed: &[String]) -> Result<Vec<&'a str>, Failure> {
    if let Some(word) = typed.iter().find(|word| !names.contains(&word.as_str())) {
        return Err(Failure::UnknownName { what, word: word.clone(), names: names.join(", ") });
    }
    let is_typed = |name: &&str| typed.is_empty() || typed.iter().any(|word| word == name);
    Ok(names.iter().copied().filter(is_typed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["doc", "--config", "a = 1"]);
        assert_eq!(typed(&command), "cargo doc --config 'a = 1'");
    }

    #[test]
    fn names_are_chosen_in_their_own_order_and_an_unknown_one_is_refused() {
        let typed = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen("proof", &["a", "b", "c"], &typed(&["c", "a"])).unwrap(), ["a", "c"]);
        assert_eq!(chosen("proof", &["a", "b"], &[]).unwrap(), ["a", "b"]);
        let refused = chosen("proof", &["a", "b"], &typed(&["d"])).unwrap_err().to_string();
        assert_eq!(refused, "no proof is called \"d\"; there are a, b");
    }
}
