//! The command line: every command, and the options of all.

use crate::commands::{
    bench, catalogue, compare, doctor, evaluate, rules, scenario, trace, train, tune, verify,
};
use crate::console::{Console, Verdict};
use anyhow::Result;
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  thoughtcache scenario describe tight
  thoughtcache compare --scenario tight
  thoughtcache train --config configs/experiments/tight-ppo.toml
  thoughtcache train --resume runs/tight-ppo-1
  thoughtcache compare --scenario tight runs/tight-ppo-1

Exit codes: 0 done; 1 a stated criterion failed (verify, bench); 2 could not work; 130 after Ctrl-C.";

/// Train, evaluate and compare policies that decide which LLM agents stay in the memory of a 6G edge server, and where each
/// request runs.
#[derive(Debug, Parser)]
#[command(name = "thoughtcache", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Print one JSON document to standard output, and nothing else there
    #[arg(long, global = true)]
    json: bool,
    /// Show no progress and no notes; results, warnings and errors stay
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::Args),
    Evaluate(evaluate::Args),
    Compare(compare::Args),
    Rules(rules::Args),
    Scenario(scenario::Args),
    Catalogue(catalogue::Args),
    Trace(trace::Args),
    Tune(tune::Args),
    Verify(verify::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
}

impl Cli {
    /// Does what was typed.
    pub(crate) fn run(self) -> Result<Verdict> {
        let console = Console::new(self.json, self.quiet);
        match self.command {
            Command::Train(args) => args.run(console),
            Command::Evaluate(args) => args.run(console),
            Command::Compare(args) => args.run(console),
            Command::Rules(args) => args.run(console),
            Command::Scenario(args) => args.run(console),
            Command::Catalogue(args) => args.run(console),
            Command::Trace(args) => args.run(console),
            Command::Tune(args) => args.run(console),
            Command::Verify(args) => args.run(console),
            Command::Bench(args) => args.run(console),
            Command::Doctor(args) => args.run(console),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn visit(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`{}` has no example in its help", path.trim());
            command.get_subcommands().for_each(|below| visit(below, &path));
        }
        visit(&Cli::command(), "");
    }
}
