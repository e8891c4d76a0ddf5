//! The two halves of an experiment as texts, wherever they come from.

use super::agent_file::AgentText;
use crate::scenario_file::ScenarioText;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use thoughtcache_agents::learn::config::AgentConfig;
use thoughtcache_env::scenario::ScenarioConfig;
use thoughtcache_env::text::Override;
use toml::{Table, Value};

/// The text of a scenario or an agent.
pub(super) struct Part {
    /// `scenario` or `agent`.
    pub(super) key: &'static str,
    pub(super) file: String,
    pub(super) text: String,
    pub(super) folder: Option<PathBuf>,
    /// Whether the text was made from the experiment's: its lines are nobody's.
    pub(super) is_derived: bool,
    /// What was typed for the whole of it, if anything.
    pub(super) typed: Option<Override>,
}

impl Part {
    /// The same, knowing what was typed for it.
    pub(super) fn typed_in(self, changes: &[Override]) -> Self {
        let typed = changes.iter().rfind(|change| change.key == self.key).cloned();
        Self { typed, ..self }
    }
}

/// A text that was found by its name.
pub(super) trait Find {
    /// What the text says.
    type Typed: DeserializeOwned + Serialize;
    fn into_part(self) -> Part;
}

impl Find for ScenarioText {
    type Typed = ScenarioConfig;
    fn into_part(self) -> Part {
        Part {
            key: "scenario",
            file: self.file,
            text: self.text,
            folder: self.folder,
            is_derived: false,
            typed: None,
        }
    }
}

impl Find for AgentText {
    type Typed = AgentConfig;
    fn into_part(self) -> Part {
        Part { key: "agent", file: self.file, text: self.text, folder: None, is_derived: false, typed: None }
    }
}

/// Every value of a table that is no table, with its path.
pub(super) fn leaves(table: &Table, trail: &str, overrides: &mut Vec<Override>) {
    for (name, value) in table {
        let key = if trail.is_empty() { name.clone() } else { format!("{trail}.{name}") };
        match value {
            Value::Table(below) if !below.is_empty() => leaves(below, &key, overrides),
            value => overrides.push(Override { key, value: value.to_string() }),
        }
    }
}
