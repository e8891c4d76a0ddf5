//! Which scenario is played: the one that was typed, else the one that the runs were trained on.

use crate::args::DEFAULT_SCENARIO;
use crate::console::{Console, pasted};
use crate::experiment::ExperimentArgs;
use crate::policies;
use crate::run_dir::CONFIG_FILE;
use crate::scenario_file::{self, LoadedScenario, ScenarioText, Setting};
use crate::text_file::{self, leaves};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thoughtcache_env::message::one_line;
use thoughtcache_env::scenario::ScenarioConfig;
use toml::{Table, Value};

/// The differences between two scenarios that a message names; it counts the rest.
const MAX_NAMED: usize = 3;

/// What a scenario is read from.
#[derive(Clone, Debug)]
pub(crate) enum World {
    /// A shipped text or a file.
    Text(ScenarioText),
    /// The resolved config of the run in this folder.
    Run(PathBuf),
}

impl World {
    /// The scenario that was typed (a shipped name, a file, or the folder of a run); without one, that of the runs among the
    /// policies, and `street` where there is no run.
    ///
    /// # Errors
    /// When there is no such scenario, or the runs were trained on different ones.
    pub(crate) fn choose(typed: Option<&str>, names: &[String]) -> Result<Self> {
        match typed {
            Some(name) if Path::new(name).join(CONFIG_FILE).is_file() => Ok(Self::Run(name.into())),
            Some(name) => Ok(Self::Text(ScenarioText::find(name)?)),
            None => Self::of_runs(names),
        }
    }

    fn of_runs(names: &[String]) -> Result<Self> {
        let mut runs = Vec::new();
        for name in names {
            let Some(place) = policies::checkpoint(name)? else { continue };
            let Some(run) = policies::run_of(&place) else {
                let trained_on = one_line(&policies::read(&place)?.meta().trained_on);
                bail!(
                    "{} lies in no run's folder, so nothing but a name says what it was trained on: {trained_on}; \
                     type --scenario and a shipped name, a TOML file or a run's folder",
                    one_line(name)
                );
            };
            runs.push((name, own_scenario(&run)?, run));
        }
        let Some((first, theirs, run)) = runs.first() else {
            return Ok(Self::Text(ScenarioText::find(DEFAULT_SCENARIO)?));
        };
        if let Some((name, own, _)) = runs.iter().find(|(_, own, _)| own != theirs) {
            let [one, other] = [first, name].map(|name| pasted(Path::new(name)));
            bail!(
                "{} and {} were trained on different scenarios ({}); type --scenario {one} or --scenario {other} to \
                 compare both on one",
                one_line(first),
                one_line(name),
                differences(theirs, own)
            );
        }
        Ok(Self::Run(run.clone()))
    }

    /// Reads, changes and validates the scenario, with its recording if it names one.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub(crate) fn load(&self, settings: &[Setting]) -> Result<LoadedScenario> {
        let overrides = scenario_file::overrides(settings)?;
        match self {
            Self::Text(text) => text.load(&overrides),
            Self::Run(run) => {
                Ok(ExperimentArgs::new(run.join(CONFIG_FILE), settings.to_vec(), None).load()?.scenario)
            }
        }
    }
}

/// Says of each run that was trained on another scenario than it plays now what differs.
///
/// # Errors
/// When a run cannot be found.
pub(crate) fn note_differences(console: Console, names: &[String], played: &ScenarioConfig) -> Result<()> {
    let Ok(played) = Table::try_from(played) else { return Ok(()) };
    for name in names {
        let run = policies::checkpoint(name)?.and_then(|place| policies::run_of(&place));
        // A run whose config cannot be read plays what was typed.
        let Some(own) = run.and_then(|run| own_scenario(&run).ok()) else { continue };
        if own != played {
            let (name, differences) = (one_line(name), differences(&own, &played));
            console.note(&format!("{name} was trained on another scenario than it plays: {differences}"));
        }
    }
    Ok(())
}

/// The scenario in a run's config, as it is written there.
fn own_scenario(run: &Path) -> Result<Table> {
    let path = run.join(CONFIG_FILE);
    let text = text_file::read(&path, CONFIG_FILE)?;
    let mut config: Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
    match config.remove("scenario") {
        Some(Value::Table(scenario)) => Ok(scenario),
        Some(name @ Value::String(_)) => Ok(Table::from_iter([("scenario".to_owned(), name)])),
        _ => bail!("{}: it has no scenario; a run's config has [scenario]", path.display()),
    }
}

/// The first differences of two tables in words: `slot_s 1.0 -> 2.0, cell.memory_gb 960.0 -> 480.0 and 2 more`.
pub(crate) fn differences(from: &Table, to: &Table) -> String {
    let mut values: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for (side, table) in [from, to].into_iter().enumerate() {
        leaves(table, "", &mut |key, value| values.entry(key).or_default()[side] = Some(value.to_string()));
    }
    values.retain(|_, [from, to]| from != to);
    let shown = |value: &Option<String>| value.as_deref().map_or_else(|| "absent".into(), one_line);
    let named: Vec<String> = values
        .iter()
        .take(MAX_NAMED)
        .map(|(key, [from, to])| format!("{key} {} -> {}", shown(from), shown(to)))
        .collect();
    let rest = values.len() - named.len();
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differences_are_named_with_both_values_and_the_rest_is_counted() {
        let table = |text: &str| toml::from_str::<Table>(text).unwrap();
        let from = table("slot_s = 1.0\nname = \"a\"\n[cell]\nmemory_gb = 960.0\ncount = 1\n[old]\nx = 1");
        let to = table("slot_s = 1.0\nname = \"b\"\n[cell]\nmemory_gb = 480.0\ncount = 2");
        assert_eq!(
            differences(&from, &to),
            "cell.count 1 -> 2, cell.memory_gb 960.0 -> 480.0, name \"a\" -> \"b\" and 1 more"
        );
        assert_eq!(differences(&to, &to), "");
    }
}
