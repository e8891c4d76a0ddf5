//! What can be typed: commands, and the options that several of them share.

use crate::commands::{bench, compare, doctor, evaluate, rules, scenario, trace, train, tune, verify};
use crate::console::{Console, Verdict};
use crate::scenario_file::{self, LoadedScenario};
use anyhow::Result;
use clap::{Parser, Subcommand};
use thoughtcache_env::scenario::text::Override;

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
            Command::Trace(args) => args.run(console),
            Command::Tune(args) => args.run(console),
            Command::Verify(args) => args.run(console),
            Command::Bench(args) => args.run(console),
            Command::Doctor(args) => args.run(console),
        }
    }
}

/// Reads the value of a flag that is a whole number.
pub(crate) fn whole(
    low: u64,
    high: u64,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |typed| match typed.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("a whole number from {low} to {high} is needed")),
    }
}

/// Reads the value of a flag that is a number, not negative.
pub(crate) fn number(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(number) if (0.0..=f64::MAX).contains(&number) => Ok(number),
        _ => Err("a number, 0 or more, is needed".into()),
    }
}

/// One `--set key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The path of the key in the resolved config, dots between its parts.
    pub(crate) key: String,
    /// The value as it was typed.
    pub(crate) value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        match typed.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("it looks like key=value, for example scenario.horizon_slots=50".into()),
        }
    }
}

/// `--set`, for commands that read a scenario.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SettingArgs {
    /// Change one value of the scenario: scenario.KEY=VALUE, as in `--set scenario.cell.memory_gb=480` [may be repeated]
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<Setting>,
}

impl SettingArgs {
    /// The changes with `scenario.` taken off their keys.
    ///
    /// # Errors
    /// When a key does not begin with it.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>> {
        scenario_file::overrides(&self.settings)
    }
}

/// What commands are about when nothing else is named.
pub(crate) const DEFAULT_SCENARIO: &str = "street";

/// `--scenario S` and `--set`, for commands with other names on their line.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ScenarioArgs {
    /// A shipped scenario (see `thoughtcache scenario list`) or a TOML file
    #[arg(long, value_name = "SCENARIO", default_value = DEFAULT_SCENARIO)]
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) set: SettingArgs,
}

impl ScenarioArgs {
    /// Reads, changes and validates the scenario, with its recording if it names one.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub(crate) fn load(&self) -> Result<LoadedScenario> {
        scenario_file::load(&self.scenario, &self.set.overrides()?)
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

    #[test]
    fn a_setting_is_cut_at_the_first_equals_sign() {
        let setting: Setting = "scenario.name=a=b".parse().unwrap();
        assert_eq!(setting, Setting { key: "scenario.name".into(), value: "a=b".into() });
        assert!("=3".parse::<Setting>().is_err());
        assert!("scenario.name".parse::<Setting>().is_err());
    }
}
