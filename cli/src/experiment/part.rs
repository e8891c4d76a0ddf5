//! The two halves of an experiment as texts, wherever they come from.

use crate::scenario_file::ScenarioText;
use std::path::PathBuf;
use thoughtcache_env::text::Override;

/// The text of a scenario or an agent.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) folder: Option<PathBuf>,
    /// The key, `scenario` or `agent`, of the part of an experiment that the text was made from: its lines are nobody's.
    pub(super) derived_for: Option<&'static str>,
    /// What was typed for the whole of it, if anything.
    pub(super) typed: Option<Override>,
}

impl From<ScenarioText> for Part {
    fn from(ScenarioText { file, text, folder }: ScenarioText) -> Self {
        Self { file, text, folder, derived_for: None, typed: None }
    }
}
