//! The commands that do more than the set-up.

pub(crate) mod bars;
pub(crate) mod demo;
pub(crate) mod docs;
pub(crate) mod peers;
pub(crate) mod reference;
pub(crate) mod test;
pub(crate) mod weights;

use std::process::{Command, ExitStatus};

use crate::failure::Failure;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["doc", "--config", "a = 1"]);
        assert_eq!(typed(&command), "cargo doc --config 'a = 1'");
    }
}
