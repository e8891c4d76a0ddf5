//! What the Python package takes from the program: worlds, policies and pictures by the names of the command line.

use crate::bounds;
use crate::commands::evaluate;
pub use crate::commands::scenario::pictures::View;
use crate::commands::scenario::pictures::{self, KINDS};
use crate::console::Console;
pub use crate::picture::{draw as picture, text};
use crate::policies;
pub use crate::policies::{load as contenders, row, seed_groups};
use crate::scenario_file::{LoadedScenario, ScenarioText, Setting};
use crate::world::World;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::OPTIMAL;
use thoughtcache_agents::checkpoint::Checkpoint;
use thoughtcache_agents::evaluate::{Contender, EvaluateError, Evaluation, Hooks, Protocol};
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::message::one_line;
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
    let setting =
        |change: &Override| Setting { key: format!("scenario.{}", change.key), value: change.value.clone() };
    let settings: Vec<Setting> = overrides.iter().map(setting).collect();
    Loaded::new(World::choose(name, policies)?.load(&settings)?)
}

/// Reads a scenario from its text, as [`Loaded::toml`] writes it; messages call it `name`.
///
/// # Errors
/// Every mistake, with its place.
pub fn scenario_from_text(name: &str, text: &str) -> Result<Loaded> {
    Loaded::new(ScenarioText::new(name, text, None)?.load(&[])?)
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

/// What `evaluate --json` prints.
///
/// # Errors
/// When a figure is not a finite number.
pub fn evaluated(evaluation: &Evaluation) -> Result<Value> {
    Ok(evaluate::document(evaluation, &evaluate::summaries(evaluation)?))
}

/// Lower bounds of the episodes that were played, by episode and slot, as `compare --bound` finds and keeps them.
///
/// # Errors
/// When the hooks say to stop.
pub fn bounds(
    protocol: &Protocol,
    evaluation: &Evaluation,
    hooks: Hooks<'_>,
) -> Result<Vec<Vec<f64>>, EvaluateError> {
    bounds::of_episodes(Console::new(false, true), protocol, evaluation, hooks)
}

/// The checkpoint behind the folder of a run or of a checkpoint; `None` where the name is that of a rule.
///
/// # Errors
/// When there is no such folder, or its policy is damaged.
pub fn checkpoint(name: &str) -> Result<Option<Checkpoint>> {
    policies::checkpoint(name)?.map(|place| policies::read(&place)).transpose()
}

/// A picture of `scenario plot` as SVG; that of a channel, and that of placements, where there is a radio.
///
/// # Errors
/// When the scenario has no picture of this kind, or the view has a cell or a user that it has not, or the policy is refused.
pub fn plot(kind: &str, scenario: &Arc<Scenario>, contender: &Contender, view: View) -> Result<String> {
    view.check(scenario, ["cell", "user"])?;
    if let Some((_, svg)) = pictures::draw(&[kind], scenario, contender, view)?.pop() {
        return Ok(svg);
    }
    let all = pictures::draw(&KINDS, scenario, contender, view)?;
    let kinds: Vec<&str> = all.iter().map(|(kind, _)| *kind).collect();
    bail!("'{}' is none of the pictures of this scenario: {}", one_line(kind), kinds.join(", "))
}
