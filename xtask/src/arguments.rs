//! The arguments of `cargo xtask`.

use clap::{Parser, Subcommand};

const ENVIRONMENT: &str = "\
Environment:
  PYTHON                  the python3 (3.9 or later, with pip) that downloads; default python3. From 3.11 it runs the Python package
  UV_CACHE_DIR            where uv keeps the Python packages that environments of all checkouts share
  CC, CXX                 the C and C++ compilers; default cc and c++
  LIBTORCH                a libtorch of your own, used instead of .libtorch
  LIBTORCH_USE_PYTORCH=1  the libtorch of the PyTorch that python3 imports

Exit codes: 0 done, 1 a check of `test` or `proofs` failed, 2 could not work.

Example: cargo xtask setup && cargo run --release -- doctor";

/// Set-up, the two commands of the README, and what takes longer.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = ENVIRONMENT)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// One of the commands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Task {
    /// Download libtorch into .libtorch, once (about 0.5 GB); every other command begins with it
    Setup,
    /// Train a PPO and a DQN, compare them with the heuristics, write runs/demo/
    Demo,
    /// Run what continuous integration runs: format, lints, documentation, all tests in Rust
    Test {
        /// Only the format and the unit tests: for a warm target folder, while one works
        #[arg(long)]
        quick: bool,
        /// Build the wheels, and run the tests in Python on it (in .venv-peers and .venv-rllib, made once, 5 GB)
        #[arg(long, conflicts_with = "quick")]
        python: bool,
    },
    /// Build the Python package, wheel and sources, and the wheel of its trainer, target/wheels/
    Wheel,
    /// Write what is generated in the documents, and build the site, target/site/html/index.html (Sphinx is put into .venv-docs
    /// for it, once, 0.1 GB)
    Docs {
        /// The tests have just built the program: `test` asks for it, as a build without their dependencies compiles anew
        #[arg(long, hide = true)]
        built: bool,
    },
    /// Train the reference runs over their seeds (an hour and more), write runs/reference/
    Reference {
        /// Only those of these scenarios; `corners` are the worlds of docs/age-of-thought.md
        scenarios: Vec<String>,
    },
    /// Run the long proofs of xtask/proofs.toml (an hour and more), write runs/reference/proofs/
    Proofs {
        /// Only those of these names
        names: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Task, String> {
        let words = ["cargo xtask"].into_iter().chain(line.split_whitespace());
        Arguments::try_parse_from(words).map(|typed| typed.task).map_err(|error| error.to_string())
    }

    #[test]
    fn the_commands_are_those_of_the_help_text() {
        Arguments::command().debug_assert();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(parse("test"), Ok(Task::Test { quick: false, python: false }));
        assert_eq!(parse("test --quick"), Ok(Task::Test { quick: true, python: false }));
        assert_eq!(parse("test --python"), Ok(Task::Test { quick: false, python: true }));
        assert_eq!(parse("reference"), Ok(Task::Reference { scenarios: names(&[]) }));
        assert_eq!(
            parse("reference street tight"),
            Ok(Task::Reference { scenarios: names(&["street", "tight"]) })
        );
        assert_eq!(parse("proofs kills-ppo"), Ok(Task::Proofs { names: names(&["kills-ppo"]) }));
    }

    #[test]
    fn a_mistyped_command_is_refused_with_what_was_meant() {
        let message = parse("tset").unwrap_err();
        assert!(
            message.contains("unrecognized subcommand 'tset'") && message.contains("'test'"),
            "{message}"
        );
        assert!(parse("test --quick --python").unwrap_err().contains("cannot be used with"));
        assert!(parse("setup --milk").unwrap_err().contains("unexpected argument '--milk'"));
        assert!(parse("").unwrap_err().contains("Usage: cargo xtask <COMMAND>"));
    }
}
