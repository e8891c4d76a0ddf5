//! `thoughtcache compare`: policies side by side on the same episodes.

use crate::args::{SettingArgs, whole};
use crate::clock::Stopwatch;
use crate::console::{Console, Verdict};
use crate::patience::Patience;
use crate::report::{self, Compared, comparison};
use crate::scenario_file::{LoadedScenario, Setting};
use crate::world::{World, note_differences};
use crate::{bounds, output, policies, progress};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::OPTIMAL;
use thoughtcache_agents::compare::{Comparison, SeedGroup};
use thoughtcache_agents::evaluate::{self, Contender, Hooks, Protocol};
use thoughtcache_agents::heuristics::registry;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::ConfigError;

/// Test episodes without `--episodes`.
const DEFAULT_EPISODES: u64 = 40;

/// Compare policies on the same test episodes, paired with a baseline
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache compare runs/reference/street-ppo
  thoughtcache compare runs/tight-ppo
  thoughtcache compare runs/reference/tight-ppo lru --baseline worth
  thoughtcache compare --scenario tight lru worth --set scenario.cell.memory_gb=480
  thoughtcache compare --scenario tight worth --bound --episodes 10
  thoughtcache compare --scenario tight --sweep scenario.cell.memory_gb=480,960 --out-csv m.csv

A folder of runs (runs/tight-ppo with seed-1, seed-2 ...) stands for the finished ones. Without names all heuristics are compared, and the exact optimum where the scenario is tiny; runs are compared with the same
unless heuristics are named. In physical scenarios lru+myopic is lru with the cheapest placement for what it decides; so it is
with every heuristic about a cache.")]
pub(crate) struct Args {
    /// Heuristics by name, `optimal` in tiny worlds, runs or checkpoints by folder
    #[arg(value_name = "POLICY|RUN")]
    policies: Vec<String>,
    #[command(flatten)]
    play: PlayArgs,
    /// The row that differences refer to
    #[arg(long, default_value = "least-aot", value_name = "POLICY|RUN")]
    baseline: String,
    /// Compare the named policies and the baseline only
    #[arg(long, requires = "policies")]
    only: bool,
    /// Give each run a row of its own; without it, runs that differ in their training seed alone are one row, with an
    /// interval over seeds and episodes
    #[arg(long)]
    by_run: bool,
    /// Add a lower bound of the cost, which no policy can beat, and how far each policy is from it; some seconds an episode, kept in
    /// runs/bounds
    #[arg(long)]
    bound: bool,
    /// Compare once for each value of a key of the scenario
    #[arg(long, value_name = "KEY=A,B,C", value_parser = sweep)]
    sweep: Option<Sweep>,
    /// Write the tables as text; `-`, here and below, is standard output, and the table is not printed then
    #[arg(long, value_name = "FILE")]
    out_text: Option<PathBuf>,
    /// Write every number as CSV
    #[arg(long, value_name = "FILE")]
    out_csv: Option<PathBuf>,
    /// Write the tables as Markdown
    #[arg(long, value_name = "FILE")]
    out_markdown: Option<PathBuf>,
}

/// What is played, and how often.
#[derive(Debug, clap::Args)]
pub(super) struct PlayArgs {
    /// A shipped scenario (see `thoughtcache scenario list`), a TOML file, or the folder of a run [default: the scenario that
    /// the runs were trained on; street without runs]
    #[arg(long, value_name = "SCENARIO")]
    scenario: Option<String>,
    #[command(flatten)]
    set: SettingArgs,
    /// Test episodes of each policy [default: 40; a recorded scenario has one, the whole test part]
    #[arg(long, allow_negative_numbers = true, value_parser = whole(1, 1_000_000))]
    episodes: Option<u64>,
    /// The run number of the test episodes
    #[arg(long, allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
}

impl PlayArgs {
    /// The scenario of these policies.
    pub(super) fn world(&self, names: &[String]) -> Result<World> {
        World::choose(self.scenario.as_deref(), names)
    }

    /// The scenario with what was set; says where it is not the one that a run was trained on.
    pub(super) fn load(&self, console: Console, world: &World, names: &[String]) -> Result<Arc<Scenario>> {
        let loaded = world.load(&self.set.settings)?;
        self.note_differences(console, names, &loaded)?;
        Ok(loaded.scenario)
    }

    /// Says where a typed scenario is not the one that a run was trained on.
    fn note_differences(&self, console: Console, names: &[String], loaded: &LoadedScenario) -> Result<()> {
        if self.scenario.is_none() { Ok(()) } else { note_differences(console, names, &loaded.config) }
    }

    /// The test episodes; says that a recorded scenario has one, where another number was typed.
    pub(super) fn protocol(&self, console: Console, scenario: Arc<Scenario>) -> Protocol {
        let protocol = Protocol::test(scenario, self.seed, self.episodes.unwrap_or(DEFAULT_EPISODES));
        if let Some(typed) = self.episodes.filter(|&typed| typed != protocol.episodes) {
            console.note(&format!(
                "{} replays recorded requests: the whole test part is one run; --episodes {typed} does not apply",
                protocol.scenario.name
            ));
        }
        protocol
    }
}

/// A key and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sweep {
    key: String,
    values: Vec<String>,
}

/// Reads `key=a,b,c`; commas within brackets or quotes belong to a value.
fn sweep(typed: &str) -> Result<Sweep, String> {
    let allowed = "it looks like key=a,b,c, for example scenario.cell.memory_gb=480,960,1920";
    let (key, rest) = typed.split_once('=').ok_or(allowed)?;
    let (mut values, mut depth, mut is_quoted) = (vec![String::new()], 0_i32, false);
    for letter in rest.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '[' | '{' if !is_quoted => depth += 1,
            ']' | '}' if !is_quoted => depth -= 1,
            _ => {}
        }
        match values.last_mut() {
            Some(value) if letter != ',' || depth > 0 || is_quoted => value.push(letter),
            _ => values.push(String::new()),
        }
    }
    let values: Vec<String> = values.into_iter().map(|value| value.trim().to_owned()).collect();
    let key = key.trim().to_owned();
    if !key.is_empty() && !key.starts_with("scenario.") {
        return Err("keys begin with scenario., for example scenario.cell.memory_gb=480,960,1920".into());
    }
    if key.is_empty() || values.iter().any(String::is_empty) {
        return Err(allowed.into());
    }
    if let Some(twice) = (1..values.len()).find(|&index| values[..index].contains(&values[index])) {
        return Err(format!("the value {} stands there twice", values[twice]));
    }
    Ok(Sweep { key, values })
}

/// Policies and protocol of one table, loaded and checked.
struct Prepared {
    /// The value of the swept key.
    value: Option<String>,
    /// The names of the contenders as they were typed.
    lineup: Vec<String>,
    contenders: Vec<Contender>,
    groups: Vec<SeedGroup>,
    protocol: Protocol,
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let policies = policies::expand(console, &self.policies);
        let baseline = policies::expand(console, std::slice::from_ref(&self.baseline));
        for name in &baseline {
            policies::checkpoint(name).context("--baseline")?;
        }
        let names = [&policies[..], &baseline].concat();
        let worlds = self.worlds(console, &self.play.world(&names)?, &names)?;
        output::takes_stdout(console, &self.outputs())?;
        for path in self.outputs().into_iter().filter_map(|(_, path)| path) {
            output::prepare(path)?;
        }
        let mut prepared = Vec::new();
        for (value, scenario) in worlds {
            let lineup = self.lineup(&policies, &baseline, &scenario);
            let loaded = policies::load(&lineup, &scenario);
            let contenders = match (&self.sweep, &value) {
                (Some(Sweep { key, .. }), Some(value)) => {
                    loaded.with_context(|| format!("--sweep {key}={value}"))?
                }
                _ => loaded?,
            };
            let protocol = self.play.protocol(console, scenario);
            let groups = if self.by_run { Vec::new() } else { policies::seed_groups(&lineup, &contenders)? };
            prepared.push(Prepared { value, lineup, contenders, groups, protocol });
        }
        let rows_beside = u64::from(self.bound);
        let count = |one: &Prepared| (one.contenders.len() as u64 + rows_beside) * one.protocol.episodes;
        let bar = progress::bar(console, prepared.iter().map(count).sum(), "episodes");
        let _patience = Patience::with(console, &bar, "episodes");
        let clock = Stopwatch::start();
        let now = || clock.elapsed().as_nanos() as u64;
        let hooks = Hooks { clock: Some(&now), played: &|| bar.inc(1), ..Hooks::default() };
        let mut compared = Vec::new();
        for Prepared { value, lineup, contenders, groups, protocol } in &prepared {
            let evaluation = evaluate::evaluate(contenders, protocol, hooks)?;
            let baseline = self.baseline_row(&baseline, lineup, contenders, groups)?;
            let mut comparison = Comparison::of_groups(&evaluation, groups, baseline)?;
            if self.bound {
                let bounds = bounds::of_episodes(console, protocol, &evaluation, hooks)?;
                comparison = comparison.with_bounds(&evaluation, &bounds)?;
            }
            compared.push(Compared { value: value.clone(), comparison });
        }
        bar.finish_and_clear();
        self.report(console, &compared)?;
        Ok(Verdict::Done)
    }

    /// The options that write files, and what they name.
    fn outputs(&self) -> [(&'static str, Option<&Path>); 3] {
        [
            ("--out-text", self.out_text.as_deref()),
            ("--out-csv", self.out_csv.as_deref()),
            ("--out-markdown", self.out_markdown.as_deref()),
        ]
    }

    /// The scenario of each value of the sweep, or the only one.
    fn worlds(
        &self,
        console: Console,
        world: &World,
        names: &[String],
    ) -> Result<Vec<(Option<String>, Arc<Scenario>)>> {
        let settings = &self.play.set.settings;
        let Some(Sweep { key, values }) = &self.sweep else {
            return Ok(vec![(None, self.play.load(console, world, names)?)]);
        };
        if let Some(typed) = settings.iter().find(|typed| typed.key == *key) {
            bail!("--sweep {key}=... and --set {key}={}: the same key twice, keep one of them", typed.value);
        }
        let load = |value: &String| {
            let swept = Setting { key: key.clone(), value: value.clone() };
            let settings: Vec<Setting> = settings.iter().cloned().chain([swept]).collect();
            let loaded = world.load(&settings).map_err(|error| match error.downcast::<ConfigError>() {
                // The flag is named once, as it was typed.
                Ok(ConfigError::Override { typed, message })
                    if typed.len() == 1 && typed[0].key == *key && typed[0].value == *value =>
                {
                    anyhow!(message)
                }
                Ok(error) => anyhow!(error),
                Err(error) => error,
            });
            let loaded = loaded.with_context(|| format!("--sweep {key}={value}"))?;
            if *value == values[0] {
                self.play.note_differences(console, names, &loaded)?;
            }
            Ok((Some(value.clone()), loaded.scenario))
        };
        values.iter().map(load).collect()
    }

    /// The names of who takes part, each once, the baseline among them.
    fn lineup(&self, named: &[String], baseline: &[String], scenario: &Arc<Scenario>) -> Vec<String> {
        let names_heuristics = self.policies.iter().any(|name| policies::is_heuristic(name));
        let mut typed = named.to_vec();
        if !self.only && !names_heuristics {
            typed.extend(registry::names(scenario));
            if self.sweep.is_none() && policies::optimal(scenario).is_ok() {
                typed.push(OPTIMAL.to_owned());
            }
        }
        typed.extend_from_slice(baseline);
        let mut lineup: Vec<String> = Vec::new();
        for name in typed {
            if !lineup.contains(&name) {
                lineup.push(name);
            }
        }
        lineup
    }

    /// Returns the name of the baseline's row: its policy, or the group of seeds that it belongs to.
    fn baseline_row<'a>(
        &self,
        baseline: &'a [String],
        lineup: &[String],
        contenders: &'a [Contender],
        groups: &'a [SeedGroup],
    ) -> Result<&'a str> {
        let row = |name: &'a String| policies::row(name, lineup, contenders, groups);
        let first = baseline.first().map_or("", row);
        if let Some(other) = baseline.iter().map(row).find(|other| *other != first) {
            bail!("--baseline {}: it holds several rows, {first} and {other}; name one run", self.baseline);
        }
        Ok(first)
    }

    fn report(&self, console: Console, compared: &[Compared]) -> Result<()> {
        let key = self.sweep.as_ref().map(|sweep| sweep.key.as_str());
        let texts = [self.text(compared, false), report::csv(compared, key), report::markdown(compared, key)];
        for ((_, path), text) in self.outputs().into_iter().zip(&texts) {
            if let Some(path) = path {
                output::write(path, text.as_bytes())?;
                console.note(&format!("wrote {}", path.display()));
            }
        }
        if output::takes_stdout(console, &self.outputs())? {
            return Ok(());
        }
        match (key, compared) {
            (Some(key), _) => {
                let value = |one: &Compared| json!({ "value": one.value, "comparison": one.comparison });
                let values: Vec<Value> = compared.iter().map(value).collect();
                let document = json!({ "sweep": key, "values": values });
                console.colored_result(&document, || self.text(compared, report::has_color()))
            }
            (None, [only]) => {
                console.colored_result(&only.comparison, || self.text(compared, report::has_color()))
            }
            (None, _) => Err(anyhow!("there is nothing to compare")),
        }
    }

    /// All tables; those of a sweep with their value above and the matrix at the end.
    fn text(&self, compared: &[Compared], is_colored: bool) -> String {
        let mut text = String::new();
        for Compared { value, comparison } in compared {
            if let (Some(Sweep { key, .. }), Some(value)) = (&self.sweep, value) {
                let _ = writeln!(text, "== {key} = {value} =="); // a String takes everything
            }
            text += &comparison::text(comparison, is_colored);
            if self.sweep.is_some() {
                text.push('\n');
            }
        }
        if let Some(Sweep { key, .. }) = &self.sweep {
            text += &report::matrix(compared, key);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_sweep_are_cut_at_commas_outside_brackets_and_quotes() {
        let read = sweep("scenario.decision.placements=[\"edge\", \"cloud\"],[\"cloud\"]").unwrap();
        assert_eq!(read.values, ["[\"edge\", \"cloud\"]", "[\"cloud\"]"]);
        let read = sweep("scenario.name=\"a,b\",c").unwrap();
        assert_eq!((read.key.as_str(), read.values), ("scenario.name", vec!["\"a,b\"".into(), "c".into()]));
    }

    #[test]
    fn a_sweep_without_key_or_value_or_with_one_twice_is_refused() {
        for typed in ["scenario.slot_s", "=1,2", "scenario.slot_s=", "scenario.slot_s=1,,2"] {
            assert!(sweep(typed).unwrap_err().starts_with("it looks like key=a,b,c"), "{typed}");
        }
        assert_eq!(sweep("scenario.slot_s=1, 2,1").unwrap_err(), "the value 1 stands there twice");
    }
}
