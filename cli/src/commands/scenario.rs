//! `thoughtcache scenario`: lists, shows, checks, describes and draws scenarios.

mod describe;
mod plot;
mod story;

use crate::args::{DEFAULT_SCENARIO, SettingArgs};
use crate::console::{Console, Verdict};
use crate::quantity::gb;
use crate::scenario_file::{self, LoadedScenario, ScenarioText};
use crate::table::{Align, Table};
use anyhow::{Context, Result};
use serde::Serialize;
use thoughtcache_env::message::one_line;
use thoughtcache_env::scenario::config::WorkloadConfig;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::units::{BYTES_PER_GB, ModelId, bytes_to_gb};

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
    /// Draw the channel of a scenario, one of its episodes, and where requests are served, as SVG
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

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    summary: String,
    services: usize,
    memory_gb: f64,
    requests: &'static str,
}

fn list(console: Console) -> Result<()> {
    let listed = shipped::names()
        .map(|name| {
            let source = ScenarioText::find(name)?;
            let config = source.config(&[])?;
            let requests = match config.workload {
                WorkloadConfig::Trace(_) => "recorded",
                WorkloadConfig::Rates(_) => "recorded rates",
                _ => "drawn",
            };
            let memory_gb = config.cell.memory_gb;
            Ok(Listed {
                name,
                summary: source.summary(),
                services: config.services.len(),
                memory_gb,
                requests,
            })
        })
        .collect::<Result<Vec<Listed>>>()?;
    console.result(&listed, || {
        let mut table = Table::new([
            ("scenario", Align::Left),
            ("services", Align::Right),
            ("memory", Align::Right),
            ("requests", Align::Left),
            ("", Align::Left),
        ]);
        for Listed { name, summary, services, memory_gb, requests } in &listed {
            table.row([*name, &services.to_string(), &format!("{memory_gb} GB"), requests, summary]);
        }
        table.text(0)
    })
}

fn show(console: Console, name: &str, set: &SettingArgs) -> Result<()> {
    // Nothing is validated against a recording: what is printed is what is said, recording at hand or not.
    let source = ScenarioText::find(name)?;
    let config = source.config(&set.overrides()?)?;
    let text = toml::to_string(&config).context("cannot write the scenario as TOML")?;
    console.result(&config, || text)
}

#[derive(Serialize)]
struct Checked<'a> {
    scenario: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Checks that each scenario can be played; exit code 2 when one cannot.
fn check(console: Console, names: &[String], set: &SettingArgs) -> Result<Verdict> {
    let overrides = set.overrides()?;
    let mut sizes = Vec::new();
    let checked: Vec<Checked<'_>> = names
        .iter()
        .map(|name| match scenario_file::load(name, &overrides) {
            Ok(loaded) => {
                sizes.push(sizes_line(&loaded));
                if let Some(models) = too_large(&loaded.scenario) {
                    console.warn(&format!(
                        "{}: larger than the memory of a cell, and so never at the edge: {models}",
                        one_line(name)
                    ));
                }
                Checked { scenario: name, ok: true, message: None }
            }
            Err(error) => {
                sizes.push(String::new());
                Checked { scenario: name, ok: false, message: Some(format!("{error:#}")) }
            }
        })
        .collect();
    console.result(&checked, || {
        let line = |(checked, sizes): (&Checked<'_>, &String)| {
            let name = one_line(checked.scenario);
            match &checked.message {
                None => format!("{name}: ok ({sizes})\n"),
                Some(message) if message.starts_with(&name) => format!("{message}\n"),
                Some(message) => format!("{name}: {message}\n"),
            }
        };
        checked.iter().zip(&sizes).map(line).collect()
    })?;
    let wrong = checked.iter().filter(|checked| !checked.ok).count();
    anyhow::ensure!(wrong == 0, "{wrong} of {} scenarios cannot be played", checked.len());
    Ok(Verdict::Done)
}

/// Models that no cell can hold, with their sizes; `None` where there is none.
fn too_large(scenario: &Scenario) -> Option<String> {
    let mut models: Vec<ModelId> = scenario.services().iter().map(|service| service.model).collect();
    models.sort_unstable();
    models.dedup();
    let named = models.into_iter().filter_map(|model| {
        let bytes = scenario.model(model).bytes;
        let is_too_large = bytes > scenario.capacity_bytes();
        is_too_large.then(|| format!("{} ({})", scenario.model_name(model), gb(bytes_to_gb(bytes))))
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn sizes_line(loaded: &LoadedScenario) -> String {
    let scenario = &loaded.scenario;
    let gb = scenario.capacity_bytes() as f64 / BYTES_PER_GB;
    format!("{} services, {gb} GB, {} slots", scenario.services().len(), scenario.horizon_slots())
}
