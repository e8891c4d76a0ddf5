//! What the Python package takes from the program: worlds, policies and pictures by the names of the command line.

use crate::commands::scenario::pictures;
pub use crate::commands::scenario::pictures::View;
use crate::console::Console;
use crate::scenario_file::{LoadedScenario, ScenarioText, Setting};
use crate::world::World;
use crate::{picture, policies};
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::OPTIMAL;
use thoughtcache_agents::checkpoint::Checkpoint;
use thoughtcache_agents::compare::SeedGroup;
use thoughtcache_agents::evaluate::Contender;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

/// A scenario that is ready to be played.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As meant.
    pub scenario: Arc<Scenario>,
    /// As a file that says the same, every value in place; paths of recordings are those that were opened.
    pub toml: String,
}

impl Loaded {
    fn new(loaded: LoadedScenario) -> Result<Self> {
        let toml = toml::to_string(&loaded.config).context("cannot write the scenario as TOML")?;
        Ok(Self { scenario: loaded.scenario, toml })
    }
}

/// Reads a shipped scenario, a file, or that of a run by its folder; without a name that of the runs among the policies, and `street`
/// where there is none. Keys of overrides are those of a scenario's file; the values are TOML.
///
/// # Errors
/// Every mistake, with its place. One in an override is a [`ConfigError`](thoughtcache_env::text::ConfigError).
pub fn scenario(name: Option<&str>, policies: &[String], overrides: &[Override]) -> Result<Loaded> {
    let setting = |change: &Override| Setting {
        key: format!("scenario.{}", change.key.strip_prefix("scenario.").unwrap_or(&change.key)),
        value: change.value.clone(),
    };
    let settings: Vec<Setting> = overrides.iter().map(setting).collect();
    Loaded::new(World::choose(name, policies)?.load(&settings)?)
}

/// Reads a scenario from its text, as [`Loaded::toml`] writes it; messages call it `name`.
///
/// # Errors
/// Every mistake, with its place.
pub fn scenario_from_text(name: &str, text: &str) -> Result<Loaded> {
    Loaded::new(ScenarioText { file: name.to_owned(), text: text.to_owned(), folder: None }.load(&[])?)
}

/// The names of the shipped scenarios and what they are.
pub fn shipped_scenarios() -> Vec<(&'static str, String)> {
    shipped::names().filter_map(|name| Some((name, ScenarioText::find(name).ok()?.summary()))).collect()
}

/// The names, each folder of training runs replaced by the finished runs in it.
pub fn expand(names: &[String]) -> Vec<String> {
    policies::expand(Console::new(false, true), names)
}

/// The names of all rules of a scenario, and of the exact optimum where it is tiny.
pub fn all_rules(scenario: &Arc<Scenario>) -> Vec<String> {
    let optimal = policies::optimal(scenario).is_ok().then(|| OPTIMAL.to_owned());
    registry::names(scenario).into_iter().chain(optimal).collect()
}

/// Finds policies for a scenario, each name once, in order: rules by name, runs and checkpoints by folder.
///
/// # Errors
/// When a name is neither a rule nor the folder of a run, or a policy does not fit the scenario.
pub fn contenders(names: &[String], scenario: &Arc<Scenario>) -> Result<Vec<Contender>> {
    policies::load(names, scenario)
}

/// The runs among the policies that differ in their seed alone, where there are several.
///
/// # Errors
/// When a config cannot be read, or two runs of one configuration have one seed.
pub fn seed_groups(names: &[String], contenders: &[Contender]) -> Result<Vec<SeedGroup>> {
    policies::seed_groups(names, contenders)
}

/// The checkpoint behind the folder of a run or of a checkpoint; `None` where the name is that of a rule.
///
/// # Errors
/// When there is no such folder, or its policy is damaged.
pub fn checkpoint(name: &str) -> Result<Option<Checkpoint>> {
    policies::checkpoint(name)?.map(|place| policies::read(Path::new(&place))).transpose()
}

/// A picture of the present state, as SVG of 960 x 540.
///
/// # Errors
/// When a drawing has one.
pub fn picture(env: &DecisionEnv) -> Result<String> {
    picture::draw(env)
}

/// The present state in a few lines: the pending decision, what is resident, what is legal.
pub fn text(env: &DecisionEnv) -> String {
    picture::text(env)
}

/// The pictures of `scenario plot` as SVG, each with its kind; that of a channel, and that of placements, where there is a radio.
///
/// # Errors
/// When the view has a cell or a user that the scenario has not, or the policy is refused.
pub fn pictures(
    scenario: &Arc<Scenario>,
    contender: &Contender,
    view: View,
) -> Result<Vec<(&'static str, String)>> {
    view.check(scenario, ["cell", "user"])?;
    pictures::draw(scenario, contender, view)
}
