//! What was typed after `cargo xtask`.

use crate::failure::Failure;

/// Printed by `cargo xtask help`.
pub(crate) const HELP: &str = "\
Set-up and the README's commands.

Usage: cargo xtask <COMMAND>

Commands:
  setup      download libtorch into .libtorch, once (about 0.5 GB; every other command begins with it)
  demo       train a PPO and a DQN, compare them with the heuristics, write runs/demo/
  test       what continuous integration runs: format, lints, documentation, tests without and with torch
             (TensorBoard's own reader is put into .venv-test for it, once, 0.1 GB)
  docs       write what is generated in the documents: the key tables of configs/README.md
  reference  train the reference runs over their seeds (an hour and more), or those of the scenarios that are named,
             write runs/reference/
  weights    compare rules on `street` at other weights (minutes), write the tables of docs/street.md
  bars       the long proofs (an hour and more), or those that are named, write runs/reference/bars/
  bench-peers  our radio beside mobile-env's, which is put into .venv-peers for it, once (0.3 GB)
  help       this text

Environment:
  PYTHON                  the python3 (3.9 or later, with pip) that downloads; default python3
  CC, CXX                 the C and C++ compilers; default cc and c++
  LIBTORCH                a libtorch of your own, used instead of .libtorch
  LIBTORCH_USE_PYTORCH=1  the libtorch of the PyTorch that python3 imports

Exit codes: 0 done, 1 a check of `test` or `bars` failed, 2 could not work.

Example: cargo xtask setup && cargo run --release -- doctor
";

/// One of the commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Make sure of libtorch.
    Setup,
    /// Train, compare, show.
    Demo,
    /// Every check that a change must pass.
    Test,
    /// Write what is generated in the documents.
    Docs,
    /// Train what the README shows: on these scenarios, on all if there is none.
    Reference(Vec<String>),
    /// How much `street` depends on its weights.
    Weights,
    /// The long proofs: those of these names, all if there is none.
    Bars(Vec<String>),
    /// Measure peers beside us.
    BenchPeers,
    /// Say what can be typed.
    Help,
}

impl Task {
    /// Reads the words after `cargo xtask`; exactly one is expected, but for `reference` and `bars`.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Failure> {
        let (first, rest) = words.split_first().ok_or(Failure::NoCommand)?;
        let task = match first.as_str() {
            "setup" => Self::Setup,
            "demo" => Self::Demo,
            "test" => Self::Test,
            "docs" => Self::Docs,
            "reference" if are_names(rest) => return Ok(Self::Reference(rest.to_vec())),
            "reference" => Self::Reference(Vec::new()),
            "bars" if are_names(rest) => return Ok(Self::Bars(rest.to_vec())),
            "weights" => Self::Weights,
            "bench-peers" => Self::BenchPeers,
            "bars" => Self::Bars(Vec::new()),
            "help" | "--help" | "-h" => return Ok(Self::Help),
            _ => return Err(Failure::UnknownCommand { word: first.clone() }),
        };
        match rest.first().map(String::as_str) {
            None => Ok(task),
            Some("--help" | "-h") => Ok(Self::Help),
            Some(word) => Err(Failure::UnexpectedArgument { command: first.clone(), word: word.to_owned() }),
        }
    }
}

fn are_names(words: &[String]) -> bool {
    !words.iter().any(|word| word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Task::parse(&words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn each_command_is_one_word_but_scenarios_and_proofs_have_names() {
        assert_eq!(parse("setup"), Ok(Task::Setup));
        assert_eq!(parse("demo"), Ok(Task::Demo));
        assert_eq!(parse("test"), Ok(Task::Test));
        assert_eq!(parse("docs"), Ok(Task::Docs));
        assert_eq!(parse("reference"), Ok(Task::Reference(Vec::new())));
        assert_eq!(parse("reference street"), Ok(Task::Reference(vec!["street".to_owned()])));
        assert_eq!(parse("weights"), Ok(Task::Weights));
        assert_eq!(parse("bench-peers"), Ok(Task::BenchPeers));
        assert_eq!(parse("bars"), Ok(Task::Bars(Vec::new())));
        assert_eq!(parse("bars kills-ppo"), Ok(Task::Bars(vec!["kills-ppo".to_owned()])));
    }

    #[test]
    fn help_is_given_before_and_after_a_command() {
        for line in ["help", "--help", "-h", "setup --help", "test -h", "reference -h", "bars --help"] {
            assert_eq!(parse(line), Ok(Task::Help), "{line}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_way_to_help() {
        insta::assert_snapshot!(parse("").unwrap_err(), @r"
        no command given
          type: cargo xtask setup | demo | test | docs | reference | weights | bars | bench-peers | help
        ");
        insta::assert_snapshot!(parse("tset").unwrap_err(), @r#"
        unknown command "tset"
          type: cargo xtask setup | demo | test | docs | reference | weights | bars | bench-peers | help
        "#);
        insta::assert_snapshot!(parse("setup --milk").unwrap_err(), @r#"
        setup takes no argument, but got "--milk"
          type: cargo xtask setup
        "#);
    }

    #[test]
    fn every_command_of_the_help_text_is_understood() {
        let listed =
            HELP.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|l| !l.is_empty());
        let listed = listed.filter(|line| !line.starts_with("   "));
        let names: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(
            names,
            ["setup", "demo", "test", "docs", "reference", "weights", "bars", "bench-peers", "help"]
        );
        for name in names {
            assert!(parse(name).is_ok(), "{name}");
        }
    }
}
