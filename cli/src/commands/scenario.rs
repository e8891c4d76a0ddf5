//! `thoughtcache scenario`: lists, shows, checks, describes and draws scenarios.

mod describe;
pub(crate) mod pictures;
mod plot;
mod story;

use crate::args::{DEFAULT_SCENARIO, SettingArgs};
use crate::console::{Console, Verdict};
use crate::quantity::gb;
use crate::scenario_file::{self, ScenarioText};
use crate::sheet;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use thoughtcache_env::message::one_line;
use thoughtcache_env::scenario::config::WorkloadConfig;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::units::{ModelId, bytes_to_gb};

/// List, show, check, describe and draw scenarios
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache scenario list
  thoughtcache scenario describe --slot 20 --seed 3
  thoughtcache scenario check my-world.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the shipped scenarios
    #[command(after_help = "Example:\n  thoughtcache scenario list")]
    List,
    /// Print a scenario with every value in place, as TOML
    #[command(after_help = "\
Example:
  thoughtcache scenario show tight --set scenario.cell.memory_gb=480 > half.toml")]
    Show {
        /// A shipped name or a TOML file
        #[arg(default_value = DEFAULT_SCENARIO)]
        scenario: String,
        #[command(flatten)]
        set: SettingArgs,
    },
    /// Validate scenarios, and the recordings that they name
    #[command(after_help = "Example:\n  thoughtcache scenario check tight my-world.toml")]
    Check {
        /// Shipped names or TOML files
        #[arg(required = true)]
        scenarios: Vec<String>,
        #[command(flatten)]
        set: SettingArgs,
    },
    /// Explain a scenario: sizes, load, costs, observation, actions, and one slot decision by decision
    #[command(after_help = "\
Examples:
  thoughtcache scenario describe
  thoughtcache scenario describe --slot 20 --seed 3 --policy amortised+myopic
  thoughtcache scenario describe tight --slot 40 --seed 3 --policy lru")]
    Describe(describe::Args),
    /// Draw the channel of a scenario, one of its episodes, a state in it, and where requests are served, as SVG
    #[command(after_help = "\
Examples:
  thoughtcache scenario plot street --policy amortised+myopic
  thoughtcache scenario plot tight --policy runs/reference/tight-ppo --seed 3
  thoughtcache scenario plot street --set scenario.cell.memory_gb=80 --out pictures")]
    Plot(plot::Args),
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        match self.what {
            What::List => list(console),
            What::Show { scenario, set } => show(console, &scenario, &set),
            What::Check { scenarios, set } => return check(console, &scenarios, &set),
            What::Describe(args) => args.run(console),
            What::Plot(args) => args.run(console),
        }?;
        Ok(Verdict::Done)
    }
}

fn list(console: Console) -> Result<()> {
    let row = |name| -> Result<Value> {
        let source = ScenarioText::find(name)?;
        let config = source.config(&[])?;
        let requests = match config.workload {
            WorkloadConfig::Trace(_) => "recorded",
            WorkloadConfig::Rates(_) => "recorded rates",
            _ => "drawn",
        };
        Ok(json!({
            "name": name,
            "services": config.services.len(),
            "memory_gb": config.cell.memory_gb,
            "requests": requests,
            "summary": source.summary(),
        }))
    };
    sheet::show(console, &shipped::names().map(row).collect::<Result<Vec<Value>>>()?)
}

fn show(console: Console, name: &str, set: &SettingArgs) -> Result<()> {
    // Nothing is validated against a recording: what is printed is what is said, recording at hand or not.
    let source = ScenarioText::find(name)?;
    let config = source.config(&set.overrides()?)?;
    let text = toml::to_string(&config).context("cannot write the scenario as TOML")?;
    console.result(&config, || text)
}

/// Checks that each scenario can be played; exit code 2 when one cannot.
fn check(console: Console, names: &[String], set: &SettingArgs) -> Result<Verdict> {
    let overrides = set.overrides()?;
    let (mut checked, mut lines, mut wrong) = (Vec::new(), Vec::new(), 0);
    for name in names {
        let shown = one_line(name);
        match scenario_file::load(name, &overrides) {
            Ok(loaded) => {
                if let Some(models) = too_large(&loaded.scenario) {
                    console.warn(&format!(
                        "{shown}: larger than the memory of a cell, and so never at the edge: {models}"
                    ));
                }
                lines.push(format!("{shown}: ok ({})", sizes(&loaded.scenario)));
                checked.push(json!({ "scenario": name, "ok": true }));
            }
            Err(error) => {
                wrong += 1;
                let message = format!("{error:#}");
                let place = if message.starts_with(&shown) { String::new() } else { format!("{shown}: ") };
                lines.push(format!("{place}{message}"));
                checked.push(json!({ "scenario": name, "ok": false, "message": message }));
            }
        }
    }
    console.result(&checked, || lines.join("\n"))?;
    ensure!(wrong == 0, "{wrong} of {} scenarios cannot be played", names.len());
    Ok(Verdict::Done)
}

/// Models that no cell can hold, with their sizes; `None` where there is none.
fn too_large(scenario: &Scenario) -> Option<String> {
    let models: BTreeSet<ModelId> = scenario.services.iter().map(|service| service.model).collect();
    let named = models.into_iter().filter_map(|model| {
        let bytes = scenario.model(model).bytes;
        let is_too_large = bytes > scenario.capacity_bytes;
        is_too_large.then(|| format!("{} ({})", scenario.model_name(model), gb(bytes_to_gb(bytes))))
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn sizes(scenario: &Scenario) -> String {
    let gb = bytes_to_gb(scenario.capacity_bytes);
    format!("{} services, {gb} GB, {} slots", scenario.services.len(), scenario.horizon_slots)
}
