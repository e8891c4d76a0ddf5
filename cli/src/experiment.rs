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
mod part;

use crate::args::whole;
use crate::console::Console;
use crate::scenario_file::{self, LoadedScenario, ScenarioText, Setting};
use crate::table::grouped;
use crate::text_file;
use agent_file::AgentText;
use anyhow::{Context, Result, anyhow, bail, ensure};
use part::{Find, Part, leaves};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thoughtcache_agents::learn::config::{AgentConfig, ignored_columns};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::invalid::Invalid;
use thoughtcache_env::scenario::{CHOICES, ScenarioConfig};
use thoughtcache_env::text::{self, ConfigError, Override};
use toml::{Table, Value};

/// The fewest validation episodes that may choose a checkpoint.
const MIN_EVAL_EPISODES: u64 = 20;
/// The most: what they add up to stays exact, and nobody waits for more.
const MAX_EVAL_EPISODES: u64 = 1_000_000;
/// What names the base of a changed scenario or agent.
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

    /// As if `--set key=value` had been typed last.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.settings.push(Setting { key: key.to_owned(), value: value.to_owned() });
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
        if let Some(seed) = self.seed {
            settings.push(Setting { key: "seed".to_owned(), value: seed.to_string() });
        }
        scenario_file::check_once(&settings)?;
        let path = self.config.display().to_string();
        ensure!(self.config.exists(), "no experiment {path}; shipped ones are in configs/experiments");
        let text = text_file::read(&self.config, "config.toml")?;
        let name =
            self.config.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Source { file: path, folder: self.config.parent().map(Path::to_owned), text }.resolve(name, &settings)
    }
}

/// What an experiment's file says, but for the scenario and the agent in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExperimentFile {
    /// What run folders are named after, `runs/NAME-1` say; the name of the file when absent.
    name: Option<String>,
    /// The budget, of all lanes together; rounded up to a multiple of the agent's `n_envs`.
    decisions: u64,
    /// The run's number; training, validation and test episodes never share a draw, whatever it is.
    #[serde(default = "default_seed")]
    seed: u64,
    /// Decisions between two validations; 0: only at the end.
    #[serde(default = "default_eval_every")]
    eval_every_decisions: u64,
    /// Episodes of a validation, 20 to 1,000,000; the cheapest mean cost decides which checkpoint is `best`.
    #[serde(default = "default_eval_episodes")]
    eval_episodes: u64,
    /// The number of the validation episodes: the same for all runs, so that they can be compared.
    #[serde(default)]
    eval_seed: u64,
    /// Decisions between two lines of `metrics.jsonl`, at least.
    #[serde(default = "default_log_every")]
    log_every_decisions: u64,
    /// Decisions between two states that `train --resume` can go on from; 0: only when a run is stopped or ends. As often as
    /// it is validated when absent. What a run learns does not depend on it.
    checkpoint_every_decisions: Option<u64>,
    /// How many of these states stay as `checkpoints/step-N` beside the newest, `last`; a DQN's have its replay buffer.
    #[serde(default)]
    keep_checkpoints: usize,
    /// The learner: a shipped name, a path, or a table.
    agent: Value,
    /// The world: a shipped name, a path, or a table.
    scenario: Value,
}

const fn default_seed() -> u64 {
    1
}

const fn default_eval_every() -> u64 {
    50_000
}

const fn default_eval_episodes() -> u64 {
    MIN_EVAL_EPISODES
}

const fn default_log_every() -> u64 {
    4_096
}

/// A validated experiment.
#[derive(Clone, Debug)]
pub(crate) struct Experiment {
    /// The name of run folders: the file's name unless the file gives another.
    pub(crate) name: String,
    /// The budget: decisions of all lanes together, a multiple of the number of lanes.
    pub(crate) decisions: u64,
    /// The budget as it was typed.
    asked_decisions: u64,
    /// The run's number.
    pub(crate) seed: u64,
    /// Decisions between two validations; 0: only at the end.
    pub(crate) eval_every_decisions: u64,
    /// Episodes of a validation, 20 to 1,000,000.
    pub(crate) eval_episodes: u64,
    /// The number of the validation episodes: the same for every run, so that runs can be compared.
    pub(crate) eval_seed: u64,
    /// Decisions between two lines of `metrics.jsonl`, at least.
    pub(crate) log_every_decisions: u64,
    /// Decisions between two states that a killed run can go on from; 0: only when a run is stopped or ends. As often as it
    /// is validated unless the file says otherwise.
    pub(crate) checkpoint_every_decisions: u64,
    /// How many of these states stay beside the newest one, each under its own name.
    pub(crate) keep_checkpoints: usize,
    /// The learner.
    pub(crate) agent: AgentConfig,
    /// The world.
    pub(crate) scenario: LoadedScenario,
}

/// The resolved config, as it is written.
#[derive(Serialize)]
struct Resolved<'a> {
    name: &'a str,
    decisions: u64,
    seed: u64,
    eval_every_decisions: u64,
    eval_episodes: u64,
    eval_seed: u64,
    log_every_decisions: u64,
    checkpoint_every_decisions: u64,
    keep_checkpoints: usize,
    agent: &'a AgentConfig,
    scenario: &'a ScenarioConfig,
}

impl Experiment {
    /// The whole of it as TOML; reading it gives the same experiment.
    ///
    /// # Errors
    /// Numbers beyond those of TOML, which no file can have given.
    pub(crate) fn to_toml(&self) -> Result<String> {
        let resolved = Resolved {
            name: &self.name,
            decisions: self.decisions,
            seed: self.seed,
            eval_every_decisions: self.eval_every_decisions,
            eval_episodes: self.eval_episodes,
            eval_seed: self.eval_seed,
            log_every_decisions: self.log_every_decisions,
            checkpoint_every_decisions: self.checkpoint_every_decisions,
            keep_checkpoints: self.keep_checkpoints,
            agent: &self.agent,
            scenario: &self.scenario.config,
        };
        toml::to_string(&resolved).context("cannot write the experiment as TOML")
    }
}

/// Adds what a user of other commands may not know: which keys belong to which part.
fn with_prefixes(error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Override { typed, message } if message.starts_with("unknown key") => {
            ConfigError::Override {
                typed,
                message: format!(
                    "{message}; keys of the scenario begin with scenario., those of the agent with agent."
                ),
            }
        }
        error => error,
    }
}

/// A shipped agent, or one in a file, as it is.
///
/// # Errors
/// Every mistake, with its place.
pub(crate) fn agent(name: &str) -> Result<AgentConfig> {
    let AgentText { file, text } = AgentText::find(name)?;
    let config: AgentConfig = text::parse(&file, &text, &[], &[""])?;
    config.validate().map_err(|invalid| invalid.in_text(&file, &text))?;
    Ok(config)
}

/// The text of an experiment.
struct Source {
    file: String,
    folder: Option<PathBuf>,
    text: String,
}

/// The settings by what they change, the first part of their keys taken off.
#[derive(Default)]
struct Changes {
    experiment: Vec<Override>,
    agent: Vec<Override>,
    scenario: Vec<Override>,
}

impl Changes {
    fn sort(settings: &[Setting]) -> Self {
        let mut changes = Self::default();
        for Setting { key, value } in settings {
            let (list, key) = match key.split_once('.') {
                Some(("agent", rest)) => (&mut changes.agent, rest),
                Some(("scenario", rest)) => (&mut changes.scenario, rest),
                _ => (&mut changes.experiment, key.as_str()),
            };
            list.push(Override { key: key.to_owned(), value: value.clone() });
        }
        changes
    }
}

impl Source {
    fn resolve(&self, name: String, settings: &[Setting]) -> Result<Experiment> {
        let changes = Changes::sort(settings);
        let file: ExperimentFile = text::parse(&self.file, &self.text, &changes.experiment, &[])
            .map_err(|error| with_prefixes(scenario_file::typed(error, "", &changes.experiment)))?;
        let agent = self
            .part("agent", &file.agent, AgentText::find, &[""])
            .map_err(|error| self.at("agent", &changes.experiment, error))?;
        let scenario = self
            .part("scenario", &file.scenario, ScenarioText::find, &CHOICES)
            .map_err(|error| self.at("scenario", &changes.experiment, error))?;
        let (agent, scenario) = (agent.typed_in(&changes.experiment), scenario.typed_in(&changes.experiment));
        let mut experiment = Experiment {
            agent: self.agent(&agent, &changes.agent)?,
            scenario: self.scenario(&scenario, &changes.scenario)?,
            name: file.name.unwrap_or(name),
            decisions: file.decisions,
            asked_decisions: file.decisions,
            seed: file.seed,
            eval_every_decisions: file.eval_every_decisions,
            eval_episodes: file.eval_episodes,
            eval_seed: file.eval_seed,
            log_every_decisions: file.log_every_decisions,
            checkpoint_every_decisions: file.checkpoint_every_decisions.unwrap_or(file.eval_every_decisions),
            keep_checkpoints: file.keep_checkpoints,
        };
        self.check(&mut experiment, &changes.experiment)?;
        self.check_entries(&experiment, &agent, &changes.agent)?;
        Ok(experiment)
    }

    fn agent(&self, agent: &Part, changes: &[Override]) -> Result<AgentConfig> {
        let config: AgentConfig = text::parse(&agent.file, &agent.text, changes, &[""])
            .map_err(|error| self.place(agent, scenario_file::typed(error, "agent.", changes)))?;
        config.validate().map_err(|invalid| {
            let invalid = invalid.in_text(&agent.file, &agent.text);
            self.place(agent, scenario_file::typed(invalid, "agent.", changes))
        })?;
        Ok(config)
    }

    fn scenario(&self, scenario: &Part, changes: &[Override]) -> Result<LoadedScenario> {
        let source = ScenarioText {
            file: scenario.file.clone(),
            text: scenario.text.clone(),
            folder: scenario.folder.clone().or_else(|| self.folder.clone()),
        };
        source.load(changes).map_err(|error| match error.downcast::<ConfigError>() {
            Ok(error) => anyhow!(self.place(scenario, error)),
            Err(error) => error,
        })
    }

    /// Refuses values out of their ranges, and rounds the budget up.
    fn check(&self, experiment: &mut Experiment, changes: &[Override]) -> Result<()> {
        let invalid = |key: &str, value: u64, allowed: &str| {
            let invalid = Invalid::new(key, value, allowed).in_text(&self.file, &self.text);
            scenario_file::typed(invalid, "", changes)
        };
        let lanes = experiment.agent.num_lanes() as u64;
        // TOML's numbers are signed.
        let most = i64::MAX as u64 / lanes * lanes;
        let Experiment { decisions, eval_episodes, log_every_decisions, .. } = experiment;
        for (key, value, range, allowed) in [
            ("decisions", *decisions, 1..=most, format!("1 to {most}")),
            (
                "eval_episodes",
                *eval_episodes,
                MIN_EVAL_EPISODES..=MAX_EVAL_EPISODES,
                format!("{MIN_EVAL_EPISODES} to {MAX_EVAL_EPISODES}: fewer choose by chance"),
            ),
            ("log_every_decisions", *log_every_decisions, 1..=u64::MAX, "at least 1".to_owned()),
        ] {
            if !range.contains(&value) {
                bail!(invalid(key, value, &allowed));
            }
        }
        *decisions = decisions.next_multiple_of(lanes);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = &experiment.name;
        if name.is_empty() || !name.chars().all(is_plain) || name.starts_with('.') {
            let allowed = "letters, digits, '-', '_' and '.', because run folders are named after it";
            let invalid = Invalid::new("name", format!("\"{name}\""), allowed);
            bail!(scenario_file::typed(invalid.in_text(&self.file, &self.text), "", changes));
        }
        Ok(())
    }

    /// The entries that the networks must not see exist: known only with the world at hand, said before a run's folder is
    /// made.
    fn check_entries(&self, experiment: &Experiment, agent: &Part, changes: &[Override]) -> Result<()> {
        let env = DecisionEnv::new(Arc::clone(&experiment.scenario.scenario));
        let key = format!("{}.ignore_entries", experiment.agent.algorithm().name());
        ignored_columns(&key, experiment.agent.ignore_entries(), env.spec()).map_err(|invalid| {
            let invalid = invalid.in_text(&agent.file, &agent.text);
            self.place(agent, scenario_file::typed(invalid, "agent.", changes))
        })?;
        Ok(())
    }

    /// The error with the place of its key: on the command line, or at its line of this file.
    fn at(&self, key: &str, changes: &[Override], error: anyhow::Error) -> anyhow::Error {
        if error.is::<ConfigError>() {
            return error; // it knows its place
        }
        let typed =
            changes.iter().rfind(|change| change.key == key || change.key.starts_with(&format!("{key}.")));
        match (typed, text::locate(&self.text, key)) {
            (Some(change), _) => error.context(format!("--set {change}")),
            (None, Some(line)) => error.context(format!("{}:{line}", self.file)),
            (None, None) => error.context(self.file.clone()),
        }
    }

    /// The text of the scenario or the agent.
    fn part<F: Find>(
        &self,
        key: &'static str,
        value: &Value,
        find: fn(&str) -> Result<F>,
        choices: &[&str],
    ) -> Result<Part> {
        let found = |name: &str| -> Result<Part> { Ok(find(name)?.into_part()) };
        let derived =
            |text, folder| Part { key, file: self.file.clone(), text, folder, is_derived: true, typed: None };
        match value {
            Value::String(name) => found(name),
            Value::Table(table) => match table.get(FROM) {
                Some(Value::String(name)) => {
                    let mut changes = table.clone();
                    changes.remove(FROM);
                    let base = found(name)?;
                    let text = self.changed::<F::Typed>(key, &base, &changes, choices)?;
                    Ok(derived(text, base.folder))
                }
                Some(other) => Err(anyhow!("{key}.{FROM} = {other}: a name or a path in quotes")),
                None => Ok(derived(toml::to_string(table)?, None)),
            },
            other => Err(anyhow!("{key} = {other}: a name, a path or a table [{key}]")),
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
        leaves(changes, "", &mut overrides);
        let typed: T =
            text::parse(&base.file, &base.text, &overrides, choices).map_err(|error| match error {
                ConfigError::Override { typed, message } => {
                    let place =
                        typed.first().map_or_else(String::new, |change| format!("{key}.{}", change.key));
                    let line = text::locate(&self.text, &place);
                    let message = format!("{place}: {message}");
                    ConfigError::Shape { file: self.file.clone(), line, column: None, key: place, message }
                }
                error => error,
            })?;
        Ok(toml::to_string(&typed)?)
    }

    /// Moves an error about a text that was made from this file to its place in this file.
    fn place(&self, part: &Part, error: ConfigError) -> ConfigError {
        let file = self.file.clone();
        let whole = |key: &str| format!("{}.{key}", part.key);
        if let (Some(change), true) = (&part.typed, part.is_derived) {
            let message = match error {
                ConfigError::Value { key, value, allowed, .. } => {
                    format!("{} = {value}: {allowed}", whole(&key))
                }
                ConfigError::Shape { message, .. } => format!("[{}]: {message}", part.key),
                error @ ConfigError::Override { .. } => return error,
            };
            return ConfigError::Override { typed: vec![change.clone()], message };
        }
        match error {
            ConfigError::Value { key, value, allowed, .. } if part.is_derived => {
                let line = text::locate(&self.text, &whole(&key));
                ConfigError::Value { file, line, key: whole(&key), value, allowed }
            }
            ConfigError::Shape { key, message, .. } if part.is_derived => {
                let line =
                    text::locate(&self.text, &whole(&key)).or_else(|| text::locate(&self.text, part.key));
                ConfigError::Shape {
                    file,
                    line,
                    column: None,
                    key: whole(&key),
                    message: format!("[{}]: {message}", part.key),
                }
            }
            error => error,
        }
    }
}

#[cfg(test)]
mod tests;
