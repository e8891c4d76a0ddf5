//! From a name on the command line to a validated scenario: shipped texts, files and `--set`.

use crate::console::shown;
use crate::scenario_files::ScenarioFiles;
use crate::text_file;
use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::message::one_line;
use thoughtcache_env::scenario::{CHOICES, Scenario, ScenarioConfig, shipped};
use thoughtcache_env::text::{ConfigError, Override, Texts};

/// The prefix of a scenario's keys in `--set`.
const PREFIX: &str = "scenario.";

/// One `--set key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The path of the key in the resolved config, dots between its parts.
    pub(crate) key: String,
    /// The value as it was typed.
    pub(crate) value: String,
}

impl Setting {
    /// A key of the experiment with a number.
    pub(crate) fn new(key: &str, number: u64) -> Self {
        Self { key: key.to_owned(), value: number.to_string() }
    }
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

/// A scenario that is ready to be played, and what it was made from.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct LoadedScenario {
    /// As typed, with every change; paths of files are those that were opened.
    pub(crate) config: ScenarioConfig,
    /// As meant.
    #[serde(skip)]
    pub(crate) scenario: Arc<Scenario>,
}

/// The text of a scenario with those that it inherits from, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioText {
    /// The TOML, called by its shipped name or path.
    pub(crate) texts: Texts,
    /// Where the files that it names are looked for besides the current directory.
    pub(crate) folder: Option<PathBuf>,
}

impl ScenarioText {
    /// The text behind a shipped name or a path.
    ///
    /// # Errors
    /// When there is neither, or what it inherits from is not there; the message lists the names.
    pub(crate) fn find(name: &str) -> Result<Self> {
        let (shipped, names) = (shipped::text(name), shipped::names().collect::<Vec<_>>());
        let text = text_file::find("scenario", name, shipped, &names)?;
        let folder = Path::new(name).parent().filter(|_| shipped.is_none());
        Self::new(&one_line(name), &text, folder.map(Path::to_owned))
    }

    /// This text, which lies in `folder`.
    ///
    /// # Errors
    /// When what it inherits from is not there.
    pub(crate) fn new(file: &str, text: &str, folder: Option<PathBuf>) -> Result<Self> {
        let texts = Texts::inheriting(file, text, |name| base(name, folder.as_deref()))?;
        Ok(Self { texts, folder })
    }

    /// Parses the text with the changes; validates the shape alone, and reads no recording.
    ///
    /// # Errors
    /// Every mistake of shape, with its place.
    pub(crate) fn config(&self, overrides: &[Override]) -> Result<ScenarioConfig> {
        self.texts.parse(overrides, &CHOICES).map_err(|error| typed(error, PREFIX, overrides).into())
    }

    /// Applies the changes and validates, with the recording if there is one.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub(crate) fn load(&self, overrides: &[Override]) -> Result<LoadedScenario> {
        let mut files = ScenarioFiles::new(self.folder.as_deref(), self.import_line());
        let loaded = Scenario::load_texts(&self.texts, overrides, &mut files);
        let (mut config, scenario) = loaded.map_err(|error| typed(error, PREFIX, overrides))?;
        files.write_paths(&mut config);
        registry::check_parameters(&scenario).map_err(|error| {
            let (key, message) = (error.key.clone(), error.to_string());
            let change =
                overrides.iter().rfind(|change| is_in(&key, &change.key) || is_in(&change.key, &key));
            if let Some(change) = change {
                let error = ConfigError::Override { typed: vec![change.clone()], message };
                return typed(error, PREFIX, overrides);
            }
            let (file, line) = self.texts.locate(&key);
            ConfigError::Shape { file, line, column: None, key, message }
        })?;
        Ok(LoadedScenario { config, scenario: Arc::new(scenario) })
    }

    /// The line that makes the recording, if the comments at the head of the file, or of one that it inherits from, say it.
    fn import_line(&self) -> Option<String> {
        self.texts.all().find_map(|text| {
            let mut comments = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
            let mut line = comments.find(|line| line.starts_with("thoughtcache trace import"))?.to_owned();
            while let Some(begun) = line.strip_suffix('\\') {
                line = format!("{} {}", begun.trim_end(), comments.next()?);
            }
            Some(line)
        })
    }

    /// Returns the first comment of the file after the name: one line for a list.
    pub(crate) fn summary(&self) -> String {
        let first = self
            .texts
            .own()
            .lines()
            .next()
            .and_then(|line| line.strip_prefix('#'))
            .unwrap_or_default()
            .trim();
        first.split_once(": ").map_or(first, |(_, summary)| summary).trim_end_matches('.').to_owned()
    }
}

/// File and text that a scenario in `folder` inherits from: a shipped one, or a file beside it.
fn base(name: &str, folder: Option<&Path>) -> Result<(String, String), String> {
    let path = folder.unwrap_or(Path::new("")).join(name);
    let is_beside = Path::new(name).file_name().is_some_and(|file| file == name);
    match shipped::base(name) {
        Err(_) if is_beside && path.exists() => {
            let text = text_file::read(&path, "scenario.toml").map_err(|error| format!("{error:#}"))?;
            Ok((shown(&path), text))
        }
        base => base.map_err(|names| format!("the name of a file in the same folder, or {names}")),
    }
}

/// Reads a scenario by name or path, changes and validates it.
///
/// # Errors
/// Every mistake, with its place.
pub(crate) fn load(name: &str, overrides: &[Override]) -> Result<LoadedScenario> {
    ScenarioText::find(name)?.load(overrides)
}

/// Makes sure that no key is set twice, for which of two values is meant is not known.
///
/// # Errors
/// When a key is set twice.
pub(crate) fn check_once(settings: &[Setting]) -> Result<()> {
    for (index, Setting { key, value }) in settings.iter().enumerate() {
        if let Some(earlier) = settings[..index].iter().find(|earlier| earlier.key == *key) {
            bail!(
                "--set {key}={} and --set {key}={value}: the same key twice, keep one of them",
                earlier.value
            );
        }
    }
    Ok(())
}

/// The changes of a scenario, with `scenario.` taken off their keys.
///
/// # Errors
/// When a key does not begin with it.
pub(crate) fn overrides(settings: &[Setting]) -> Result<Vec<Override>> {
    check_once(settings)?;
    settings
        .iter()
        .map(|Setting { key, value }| match key.strip_prefix(PREFIX) {
            Some(key) => Ok(Override { key: key.to_owned(), value: value.clone() }),
            None => Err(anyhow!(
                "--set {key}={value}: here keys begin with {PREFIX}, for example --set {PREFIX}horizon_slots=50"
            )),
        })
        .collect()
}

/// Whether a path is a key, or that of a value below it.
fn is_in(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Rewrites an error for the person who typed these overrides, whose keys stand behind `prefix`: a value that was typed is not
/// looked for in a file.
pub(crate) fn typed(error: ConfigError, prefix: &str, overrides: &[Override]) -> ConfigError {
    let whole = |change: &Override| Override { key: format!("{prefix}{}", change.key), ..change.clone() };
    match error {
        ConfigError::Override { typed, message } => {
            ConfigError::Override { typed: typed.iter().map(whole).collect(), message }
        }
        ConfigError::Value { file, line, key, value, allowed } => {
            let path = key.replace('[', ".").replace(']', "");
            if let Some(change) = overrides.iter().rfind(|change| is_in(&path, &change.key)) {
                let message =
                    if path == change.key { allowed } else { format!("{prefix}{key} = {value}: {allowed}") };
                return ConfigError::Override { typed: vec![whole(change)], message };
            }
            let typed: Vec<String> =
                overrides.iter().map(|change| format!("--set {}", whole(change))).collect();
            // What stands in the file may be right without what was typed.
            let with = if typed.is_empty() { String::new() } else { format!(" (with {})", typed.join(" ")) };
            ConfigError::Value { file, line, key, value, allowed: allowed + &with }
        }
        error @ ConfigError::Shape { .. } => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn text(text: &str, folder: Option<&Path>) -> ScenarioText {
        ScenarioText::new("x.toml", text, folder.map(Path::to_owned)).unwrap()
    }

    #[test]
    fn the_line_that_makes_a_recording_is_joined_over_its_backslashes() {
        let text =
            text("# x: y.\n#\n#   thoughtcache trace import a.csv \\\n#     --out b.csv\n\nname = 1\n", None);
        assert_eq!(text.import_line().unwrap(), "thoughtcache trace import a.csv --out b.csv");
        assert_eq!(text.summary(), "y");
    }

    #[test]
    fn a_missing_recording_is_reported_at_its_key_with_the_line_that_makes_it() {
        let error = load("trace-azure", &[]).unwrap_err().to_string();
        let expected = "thoughtcache trace import AzureLLMInferenceTrace_conv.csv.gz --format azure --out azure-conv.csv.gz";
        assert!(error.starts_with("trace-azure:") && error.ends_with(expected), "{error}");
    }

    #[test]
    fn what_is_no_recording_is_named_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("azure-conv.csv.gz"), "TIMESTAMP,ContextTokens").unwrap();
        let text = text(shipped::text("trace-azure").unwrap(), Some(folder.path()));
        let error = text.load(&[]).unwrap_err().to_string();
        assert!(
            error.contains("azure-conv.csv.gz: line 1: column `TIMESTAMP` is none of time_s,"),
            "{error}"
        );
    }

    #[test]
    fn keys_of_a_scenario_command_name_the_scenario() {
        let setting = |typed: &str| vec![typed.parse::<Setting>().unwrap()];
        assert_eq!(overrides(&setting("scenario.slot_s=2")).unwrap()[0].key, "slot_s");
        let error = overrides(&setting("slot_s=2")).unwrap_err().to_string();
        assert_eq!(
            error,
            "--set slot_s=2: here keys begin with scenario., for example --set scenario.horizon_slots=50"
        );
    }

    #[test]
    fn a_setting_is_cut_at_the_first_equals_sign() {
        let setting: Setting = "scenario.name=a=b".parse().unwrap();
        assert_eq!(setting, Setting { key: "scenario.name".into(), value: "a=b".into() });
        assert!("=3".parse::<Setting>().is_err());
        assert!("scenario.name".parse::<Setting>().is_err());
    }
}
