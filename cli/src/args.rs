//! Options that several commands share.

use crate::scenario_file::{self, LoadedScenario, Setting};
use anyhow::Result;
use thoughtcache_env::text::Override;

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

/// Reads the value of a flag that is a number of this unit between two bounds.
pub(crate) fn within(
    low: f64,
    high: f64,
    unit: &'static str,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |typed| match typed.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("{low} to {high} {unit} are allowed")),
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

/// The scenario of commands that name none.
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
