//! The commands that do more than the set-up, and what they share.

mod corners;
pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod proofs;
pub(crate) mod reference;
pub(crate) mod results;
pub(crate) mod test;
pub(crate) mod wheel;

use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::clock::{self, human};
use crate::failure::Refusal;
use crate::machine::ended;

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
fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start {}", typed(command)))
}

/// Runs a command after showing it; its failure is ours.
fn call(command: &mut Command) -> Result<()> {
    let started = clock::start();
    eprintln!("\n=== {}", typed(command));
    let status = status(command)?;
    ensure_done(command, status)?;
    eprintln!("=== done in {}", human(started.elapsed()));
    Ok(())
}

/// Fails when a command did, after Ctrl-C with its exit code.
fn ensure_done(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let text = format!("`{}` ended with {}", typed(command), ended(status));
    Err(Refusal { text, exit_code: if status.code() == Some(130) { 130 } else { 2 } }.into())
}

/// The names that were typed, in the order of `names`; all of them where nothing was typed.
fn chosen<'a>(what: &str, names: &'a [String], typed: &[String]) -> Result<Vec<&'a String>> {
    if let Some(word) = typed.iter().find(|word| !names.contains(word)) {
        bail!("no {what} is called \"{word}\"; there are {}", names.join(", "));
    }
    Ok(names.iter().filter(|name| typed.is_empty() || typed.contains(name)).collect())
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
        assert_eq!(chosen("proof", &typed(&["a", "b", "c"]), &typed(&["c", "a"])).unwrap(), ["a", "c"]);
        assert_eq!(chosen("proof", &typed(&["a", "b"]), &[]).unwrap(), ["a", "b"]);
        let refused = chosen("proof", &typed(&["a", "b"]), &typed(&["d"])).unwrap_err().to_string();
        assert_eq!(refused, "no proof is called \"d\"; there are a, b");
    }
}
