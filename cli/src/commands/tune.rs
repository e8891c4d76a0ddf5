//! `thoughtcache tune`: the best parameters of the heuristics, found on validation episodes.

use crate::args::{ScenarioArgs, whole};
use crate::console::{Console, Verdict};
use crate::patience::Patience;
use crate::progress;
use crate::table::{Align, Table};
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use thoughtcache_agents::heuristics::check_parameters;
use thoughtcache_agents::tune::{self, Trial, TuneReport, TuneSettings};

/// Tune the parameters of heuristics on validation episodes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache tune --policy amortised
  thoughtcache tune --scenario tight --policy density --policy worth --episodes 200

The lines at the end belong into the scenario's file.")]
pub(crate) struct Args {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// The heuristic to tune [may be repeated; default: all that have parameters]
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<String>,
    /// Validation episodes of each setting
    #[arg(long, allow_negative_numbers = true, default_value_t = TuneSettings::default().episodes,
          value_parser = whole(1, 1_000_000))]
    episodes: u64,
    /// The seed of the validation episodes
    #[arg(long, allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let scenario = self.scenario.load()?.scenario;
        check_parameters(&scenario)?;
        let names: Vec<&str> = self.policies.iter().map(String::as_str).collect();
        let bar = progress::bar(console, tune::num_trials(&scenario, &names)? as u64, "settings");
        let _patience = Patience::with(console, &bar, "settings");
        let settings = TuneSettings { episodes: self.episodes, run: self.seed };
        let report = tune::tune(&scenario, &names, settings, |_| bar.inc(1))?;
        bar.finish_and_clear();
        let trial = |trial: &Trial| {
            let parameters: BTreeMap<_, _> = trial.setting.iter().copied().collect();
            json!({
                "policy": trial.policy, "parameters": parameters, "mean_cost": trial.mean_cost, "best": trial.is_best,
            })
        };
        let document = json!({
            "scenario": scenario.name,
            "episodes": self.episodes,
            "seed": self.seed,
            "trials": report.trials.iter().map(trial).collect::<Vec<_>>(),
        });
        console.result(&document, || text(&scenario.name, settings, &report))?;
        Ok(Verdict::Done)
    }
}

fn text(scenario: &str, settings: TuneSettings, report: &TuneReport) -> String {
    if report.trials.is_empty() {
        return "nothing to tune: these policies have no parameters\n".into();
    }
    let mut table = Table::new([
        ("policy", Align::Left),
        ("setting", Align::Left),
        ("cost per slot", Align::Right),
        ("", Align::Left),
    ]);
    for trial in &report.trials {
        let setting: Vec<String> =
            trial.setting.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
        let mark = if trial.is_best { "best" } else { "" };
        table.row([&trial.policy, &setting.join(", "), &format!("{:.6}", trial.mean_cost), mark]);
    }
    let TuneSettings { episodes, run } = settings;
    format!(
        "{scenario}: {episodes} validation episodes a setting, seed {run}\n\n{}\nfor the scenario's file:\n\n{}",
        table.text(0),
        report.toml()
    )
}
