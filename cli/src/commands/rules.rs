//! `thoughtcache rules`: the heuristics by name, and the parameters that a scenario can set for them.

use crate::console::{Console, Verdict};
use crate::table::{Align, Table};
use anyhow::Result;
use serde_json::{Value, json};
use thoughtcache_agents::heuristics::look_ahead::{LOOKAHEAD, ROLLOUT, SAMPLES, SLOTS, Setting};
use thoughtcache_agents::heuristics::registry::{Entry, Kind, MYOPIC, Parameter, entries, names};
use thoughtcache_env::scenario::Scenario;

const HELP: &str = "\
Example:
  thoughtcache rules

Parameters stand in a scenario's [policies.RULE]: --set scenario.policies.density.margin=1.2";

/// List the heuristics: what each decides, and the parameters that it can be tuned by
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {}

impl Args {
    /// Does what was typed.
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let everywhere = names(&Scenario::shipped("tight"));
        let rules: Vec<Value> = entries().map(|entry| document(entry, &everywhere)).collect();
        console.result(&rules, || text(&everywhere))?;
        Ok(Verdict::Done)
    }
}

/// What a rule decides.
fn decides(kind: Kind) -> &'static str {
    match kind {
        Kind::Chance => "nothing: any legal action",
        Kind::Cache => "what a cell keeps in memory",
        Kind::Constant(_) => "nothing: one placement",
        Kind::Priced => "where a request runs",
    }
}

/// The scenarios that a rule can play in; rules of abstract ones play `everywhere`.
fn scenarios(entry: &Entry, everywhere: &[String]) -> &'static str {
    if everywhere.iter().any(|name| name == entry.name) { "all" } else { "physical" }
}

fn document(entry: &Entry, everywhere: &[String]) -> Value {
    let parameter = |one: &Parameter| {
        let Parameter { name, description, default, low, high, .. } = one;
        json!({ "name": name, "description": description, "default": default, "low": low, "high": high })
    };
    let Entry { name, description, kind, parameters, .. } = entry;
    let parameters: Vec<Value> = parameters.iter().map(parameter).collect();
    let (decides, scenarios) = (decides(*kind), scenarios(entry, everywhere));
    json!({
        "name": name, "description": description, "decides": decides, "scenarios": scenarios, "parameters": parameters,
    })
}

fn text(everywhere: &[String]) -> String {
    let headings = ["rule", "scenarios", "decides", "description"].map(|heading| (heading, Align::Left));
    let (mut table, left, right) = (Table::new(headings), Align::Left, Align::Right);
    let mut parameters = Table::new([
        ("rule", left),
        ("parameter", left),
        ("default", right),
        ("range", left),
        ("meaning", left),
    ]);
    for rule in entries() {
        table.row([rule.name, scenarios(rule, everywhere), decides(rule.kind), rule.description]);
        for one in rule.parameters {
            let (default, range) = (one.default.to_string(), format!("{} to {}", one.low, one.high));
            parameters.row([rule.name, one.name, &default, &range, one.description]);
        }
    }
    format!(
        "{}\nIn physical scenarios RULE{MYOPIC} is a rule about memory with the cheapest placement for what it decides.\n{}\n{}",
        table.text(0),
        ahead(),
        parameters.text(0)
    )
}

/// What looks ahead for a rule.
fn ahead() -> String {
    let setting = |one: Setting| {
        let Setting { name, description, default, most } = one;
        format!("  {name}={default}  {description}, 1 to {most}\n")
    };
    format!(
        "{ROLLOUT}(RULE) tries actions on drawn futures before it takes one, and {LOOKAHEAD}(RULE) on the true one: that is a \
         reference, no policy.\nSettings follow the rule, as in \"{ROLLOUT}(density, {}=8, {}=10)\"; without them:\n{}{}",
        SAMPLES.name,
        SLOTS.name,
        setting(SAMPLES),
        setting(SLOTS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_listed_with_its_range_and_placement_by_price_is_for_physical_scenarios() {
        let everywhere = names(&Scenario::shipped("tight"));
        let found = |name: &str| entries().find(|entry| entry.name == name);
        let scenarios = |name: &str| found(name).map(|entry| scenarios(entry, &everywhere));
        assert_eq!(scenarios("myopic"), Some("physical"));
        assert_eq!(scenarios("least-aot"), Some("all"));
        let lines = text(&everywhere);
        let amortised = entries().find(|entry| entry.name == "amortised").unwrap();
        let one = &amortised.parameters[0];
        let line =
            lines.lines().find(|line| line.starts_with("amortised") && line.contains(one.name)).unwrap();
        assert!(line.contains(&format!("{} to {}", one.low, one.high)), "{line}");
    }
}
