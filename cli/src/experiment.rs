//! An experiment: scenario + agent + budget + seeds. Read from a file, changed by `--set`, written resolved into the run's
//! folder, where it is an experiment again that repeats the run.
//!
//! `scenario` and `agent` are each one of
//! ```toml
//! agent = "ppo-tight"            # a shipped name, or the path of a file
//! agent.from = "ppo-tight"       # the same, with some values changed
//! agent.ppo.ent_coef = 0.01
//! [agent.ppo]                    # a table without `from`: all of it
//! ```

mod agent_file;

use crate::args::whole;
use crate::console::Console;
use crate::scenario_file::{self, LoadedScenario, ScenarioText, Setting};
use crate::table::grouped;
use crate::text_file::{self, leaves};
use anyhow::{Context, Result, anyhow, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thoughtcache_agents::learn::config::{AgentConfig, ignored_columns};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::invalid::Invalid;
use thoughtcache_env::scenario::{CHOICES, ScenarioConfig};
use thoughtcache_env::text::{self, ConfigError, Override, Texts};
use toml::{Table, Value};

/// The fewest validation episodes that may choose a checkpoint.
const MIN_EVAL_EPISODES: u64 = 20;
/// The most: what they add up to stays exact, and nobody waits for more.
const MAX_EVAL_EPISODES: u64 = 1_000_000;
/// The key of the base of a changed scenario or agent.
const FROM: &str = "from";

/// `--config`, `--set` and `--seed`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ExperimentArgs {
    /// An experiment (configs/experiments/*.toml), or the config.toml of a run, which is repeated
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Change one value: scenario.KEY=VALUE, agent.ppo.KEY=VALUE or KEY=VALUE, as in `--set agent.ppo.learning_rate=1e-4`
    /// [may be repeated]
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
    /// The run's number: other numbers, other draws [default: the experiment's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(0, i64::MAX as u64))]
    seed: Option<u64>,
}

impl ExperimentArgs {
    /// As if these had been typed.
    pub(crate) fn new(config: PathBuf, settings: Vec<Setting>, seed: Option<u64>) -> Self {
        Self { config, settings, seed }
    }

    /// As if `--set decisions=N` had been typed last, where a number is given.
    #[must_use]
    pub(crate) fn with_decisions(mut self, decisions: Option<u64>) -> Self {
        self.settings.extend(decisions.map(|decisions| Setting::new("decisions", decisions)));
        self
    }

    /// Reads and validates the experiment, and says when its budget is rounded up.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub(crate) fn load_for(&self, console: Console) -> Result<Experiment> {
        let experiment = self.load()?;
        let Experiment { decisions, asked_decisions, agent, .. } = &experiment;
        if decisions > asked_decisions {
            console.note(&format!(
                "decisions = {} is rounded up to {}, a multiple of n_envs = {}",
                grouped(*asked_decisions),
                grouped(*decisions),
                agent.num_lanes()
            ));
        }
        Ok(experiment)
    }

    /// Reads and validates the experiment.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub(crate) fn load(&self) -> Result<Experiment> {
        let mut settings = self.settings.clone();
        settings.extend(self.seed.map(|seed| Setting::new("seed", seed)));
        scenario_file::check_once(&settings)?;
        let path = self.config.display().to_string();
        ensure!(self.config.exists(), "no experiment {path}; shipped ones are in configs/experiments");
        let text = text_file::read(&self.config, "config.toml")?;
        let name =
            self.config.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Source { file: path, folder: self.config.parent().map(Path::to_owned), text }.resolve(name, &settings)
    }
}

// Validated; with other types for the agent and the scenario, as it was typed.
/// An experiment's file without its scenario and agent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment<Agent = AgentConfig, World = LoadedScenario> {
    /// The name of the run folders, as in `runs/NAME-1`; the name of the file when absent.
    name: Option<String>,
    /// The budget, of all lanes together; rounded up to a multiple of the agent's `n_envs`.
    pub(crate) decisions: u64,
    /// The budget as it was typed.
    #[serde(skip)]
    asked_decisions: u64,
    /// The run's number; training, validation and test episodes never share a draw, whatever it is.
    #[serde(default = "whole_number::<1>")]
    pub(crate) seed: u64,
    /// Decisions between two validations; 0: only at the end.
    #[serde(default = "whole_number::<50_000>")]
    pub(crate) eval_every_decisions: u64,
    /// Episodes of a validation, 20 to 1,000,000; the cheapest mean cost decides which checkpoint is `best`.
    #[serde(default = "whole_number::<MIN_EVAL_EPISODES>")]
    pub(crate) eval_episodes: u64,
    /// The number of the validation episodes: the same for all runs, so that they can be compared.
    #[serde(default)]
    pub(crate) eval_seed: u64,
    /// Decisions between two lines of `metrics.jsonl`, at least.
    #[serde(default = "whole_number::<4_096>")]
    pub(crate) log_every_decisions: u64,
    /// Decisions between two states that `train --resume` can go on from; 0: only when a run is stopped or ends. As often as
    /// it is validated when absent. What a run learns does not depend on it.
    pub(crate) checkpoint_every_decisions: Option<u64>,
    /// How many of these states stay as `checkpoints/step-N` beside the newest, `last`; a DQN's have its replay buffer.
    #[serde(default)]
    pub(crate) keep_checkpoints: usize,
    /// The learner: a shipped name, a path, or a table.
    pub(crate) agent: Agent,
    /// The world: a shipped name, a path, or a table.
    pub(crate) scenario: World,
}

const fn whole_number<const N: u64>() -> u64 {
    N
}

impl Experiment {
    /// What run folders are named after, `runs/NAME-1` say: the name of the file unless the file gives another.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Decisions between two states that a killed run can go on from.
    pub(crate) fn checkpoint_every(&self) -> u64 {
        self.checkpoint_every_decisions.unwrap_or(self.eval_every_decisions)
    }

    /// The whole of it as TOML; reading it gives the same experiment.
    ///
    /// # Errors
    /// Numbers beyond those of TOML, which no file can have given.
    pub(crate) fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the experiment as TOML")
    }
}

/// A shipped agent, or one in a file, as it is.
///
/// # Errors
/// Every mistake, with its place.
pub(crate) fn agent(name: &str) -> Result<AgentConfig> {
    let Part { texts, .. } = agent_file::find(name)?;
    let config: AgentConfig = texts.parse(&[], &[""])?;
    config.validate().map_err(|invalid| texts.place(invalid))?;
    Ok(config)
}

/// The text of a scenario or an agent.
#[derive(Clone)]
struct Part {
    texts: Texts,
    folder: Option<PathBuf>,
    /// The key, `scenario` or `agent`, of the part of an experiment that the text was made from: its lines are nobody's.
    derived_for: Option<&'static str>,
    /// What was typed for the whole of it, if anything.
    typed: Option<Override>,
}

impl From<ScenarioText> for Part {
    fn from(ScenarioText { texts, folder }: ScenarioText) -> Self {
        Self { texts, folder, derived_for: None, typed: None }
    }
}

/// The text of an experiment.
struct Source {
    file: String,
    folder: Option<PathBuf>,
    text: String,
}

/// The settings of a part of an experiment, `agent` or `scenario`, which is taken off their keys; those of no part are its own.
fn changes(settings: &[Setting], part: &str) -> Vec<Override> {
    let of_part = |Setting { key, value }: &Setting| {
        let parts = key.split_once('.').filter(|(first, _)| ["agent", "scenario"].contains(first));
        let (first, rest) = parts.unwrap_or(("", key));
        (first == part).then(|| Override { key: rest.to_owned(), value: value.clone() })
    };
    settings.iter().filter_map(of_part).collect()
}

impl Source {
    fn resolve(&self, name: String, settings: &[Setting]) -> Result<Experiment> {
        let [typed, of_agent, of_scenario] = ["", "agent", "scenario"].map(|part| changes(settings, part));
        let typed = typed.as_slice();
        let file: Experiment<Value, Value> =
            text::parse(&self.file, &self.text, typed, &[]).map_err(|error| {
                match scenario_file::typed(error, "", typed) {
                    ConfigError::Override { typed, message } if message.starts_with("unknown key") => {
                        let known =
                            "keys of the scenario begin with scenario., those of the agent with agent.";
                        ConfigError::Override { typed, message: format!("{message}; {known}") }
                    }
                    error => error,
                }
            })?;
        let agent = self.part::<AgentConfig>("agent", &file.agent, typed, &[""], agent_file::find)?;
        let find = |name: &str| ScenarioText::find(name).map(Part::from);
        let scenario = self.part::<ScenarioConfig>("scenario", &file.scenario, typed, &CHOICES, find)?;
        let in_agent =
            |error: ConfigError| self.place(&agent, scenario_file::typed(error, "agent.", &of_agent));
        let invalid = |invalid: Invalid| in_agent(agent.texts.place(invalid));
        let config: AgentConfig = agent.texts.parse(&of_agent, &[""]).map_err(in_agent)?;
        config.validate().map_err(invalid)?;
        let experiment = Experiment {
            name: file.name.or(Some(name)),
            decisions: file.decisions.checked_next_multiple_of(config.num_lanes() as u64).unwrap_or(u64::MAX),
            asked_decisions: file.decisions,
            seed: file.seed,
            eval_every_decisions: file.eval_every_decisions,
            eval_episodes: file.eval_episodes,
            eval_seed: file.eval_seed,
            log_every_decisions: file.log_every_decisions,
            checkpoint_every_decisions: file.checkpoint_every_decisions.or(Some(file.eval_every_decisions)),
            keep_checkpoints: file.keep_checkpoints,
            scenario: self.scenario(&scenario, &of_scenario)?,
            agent: config,
        };
        self.check(&experiment, typed)?;
        // The entries that the networks must not see exist: known only with the world at hand, said before a run's folder is
        // made.
        let env = DecisionEnv::new(Arc::clone(&experiment.scenario.scenario));
        let Experiment { agent: config, .. } = &experiment;
        let key = format!("{}.ignore_entries", config.algorithm().name());
        ignored_columns(&key, config.ignore_entries(), env.spec()).map_err(invalid)?;
        Ok(experiment)
    }

    fn scenario(&self, scenario: &Part, changes: &[Override]) -> Result<LoadedScenario> {
        let Part { texts, folder, .. } = scenario.clone();
        let source = ScenarioText { texts, folder: folder.or_else(|| self.folder.clone()) };
        source.load(changes).map_err(|error| match error.downcast::<ConfigError>() {
            Ok(error) => anyhow!(self.place(scenario, error)),
            Err(error) => error,
        })
    }

    /// Refuses values out of their ranges.
    fn check(&self, experiment: &Experiment, changes: &[Override]) -> Result<(), ConfigError> {
        let lanes = experiment.agent.num_lanes() as u64;
        // TOML's numbers are signed.
        let most = i64::MAX as u64 / lanes * lanes;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let (name, decisions) = (experiment.name(), experiment.asked_decisions);
        let episodes = format!("{MIN_EVAL_EPISODES} to {MAX_EVAL_EPISODES}: fewer choose by chance");
        let wrong = if !(1..=most).contains(&decisions) {
            Invalid::new("decisions", decisions, format!("1 to {most}"))
        } else if !(MIN_EVAL_EPISODES..=MAX_EVAL_EPISODES).contains(&experiment.eval_episodes) {
            Invalid::new("eval_episodes", experiment.eval_episodes, episodes)
        } else if experiment.log_every_decisions == 0 {
            Invalid::new("log_every_decisions", 0, "at least 1")
        } else if name.is_empty() || !name.chars().all(is_plain) || name.starts_with('.') {
            let allowed = "letters, digits, '-', '_' and '.', because run folders are named after it";
            Invalid::new("name", format!("\"{name}\""), allowed)
        } else {
            return Ok(());
        };
        Err(scenario_file::typed(wrong.in_text(&self.file, &self.text), "", changes))
    }

    /// The text of the scenario or the agent, which the file gives or names; `typed` are the changes of the file's own keys.
    fn part<T: DeserializeOwned + Serialize>(
        &self,
        key: &'static str,
        value: &Value,
        typed: &[Override],
        choices: &[&str],
        find: impl Fn(&str) -> Result<Part>,
    ) -> Result<Part> {
        let derived = |text: String, folder| Part {
            texts: Texts::new(self.file.clone(), text),
            folder,
            derived_for: Some(key),
            typed: None,
        };
        let part = match value {
            Value::String(name) => find(name),
            Value::Table(table) => match table.get(FROM) {
                Some(Value::String(name)) => find(name).and_then(|base| {
                    let mut changes = table.clone();
                    changes.remove(FROM);
                    Ok(derived(self.changed::<T>(key, &base, &changes, choices)?, base.folder))
                }),
                Some(other) => Err(anyhow!("{key}.{FROM} = {other}: a name or a path in quotes")),
                None => Ok(derived(toml::to_string(table)?, None)),
            },
            other => Err(anyhow!("{key} = {other}: a name, a path or a table [{key}]")),
        };
        match part {
            Ok(part) => {
                let typed = typed.iter().rfind(|change| change.key == key).cloned();
                Ok(Part { typed, ..part })
            }
            Err(error) if error.is::<ConfigError>() => Err(error), // it knows its place
            Err(error) => {
                let below = format!("{key}.");
                let typed = typed.iter().rfind(|change| change.key == key || change.key.starts_with(&below));
                Err(error.context(match (typed, text::locate(&self.text, key)) {
                    (Some(change), _) => format!("--set {change}"),
                    (None, Some(line)) => format!("{}:{line}", self.file),
                    (None, None) => self.file.clone(),
                }))
            }
        }
    }

    /// The base with the changes that stand in the experiment's file.
    fn changed<T: DeserializeOwned + Serialize>(
        &self,
        key: &str,
        base: &Part,
        changes: &Table,
        choices: &[&str],
    ) -> Result<String> {
        let mut overrides = Vec::new();
        leaves(changes, "", &mut |key, value| overrides.push(Override { key, value: value.to_string() }));
        let typed: T = base.texts.parse(&overrides, choices).map_err(|error| match error {
            ConfigError::Override { typed, message } => {
                let place = typed.first().map_or_else(String::new, |change| format!("{key}.{}", change.key));
                self.shape(text::locate(&self.text, &place), &place, &format!("{place}: {message}"))
            }
            error => error,
        })?;
        Ok(toml::to_string(&typed)?)
    }

    /// Moves an error about a text that was made from this file to its place in this file, or to what was typed for it.
    fn place(&self, part: &Part, error: ConfigError) -> ConfigError {
        let Some(whole) = part.derived_for else { return error };
        let (key, message, instead) = match error {
            ConfigError::Value { key, value, allowed, .. } => {
                let key = format!("{whole}.{key}");
                (key.clone(), format!("{key} = {value}: {allowed}"), None)
            }
            ConfigError::Shape { key, message, .. } => {
                (format!("{whole}.{key}"), format!("[{whole}]: {message}"), Some(whole))
            }
            error @ ConfigError::Override { .. } => return error,
        };
        if let Some(change) = &part.typed {
            return ConfigError::Override { typed: vec![change.clone()], message };
        }
        let line = text::locate(&self.text, &key).or_else(|| text::locate(&self.text, instead?));
        self.shape(line, &key, &message)
    }

    fn shape(&self, line: Option<usize>, key: &str, message: &str) -> ConfigError {
        let (file, key, message) = (self.file.clone(), key.to_owned(), message.to_owned());
        ConfigError::Shape { file, line, column: None, key, message }
    }
}

#[cfg(test)]
mod tests;
