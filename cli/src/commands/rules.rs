//! `thoughtcache rules`: the heuristics by name, and the parameters that a scenario can set for them.

use crate::console::{Console, Verdict};
use crate::table::{Align, Table};
use anyhow::Result;
use serde::{Serialize, Serializer};
use serde_json::json;
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

/// One rule, as it is printed.
#[derive(Serialize)]
struct Rule {
    name: &'static str,
    description: &'static str,
    /// What the rule decides.
    decides: &'static str,
    /// Which scenarios it can play in.
    scenarios: &'static str,
    #[serde(serialize_with = "parameters")]
    parameters: &'static [Parameter],
}

impl Args {
    /// Does what was typed.
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let abstract_rules = names(&Scenario::shipped("tight"));
        let rules: Vec<Rule> = entries()
            .map(|entry| Rule::new(entry, abstract_rules.iter().any(|name| name == entry.name)))
            .collect();
        console.result(&rules, || text(&rules))?;
        Ok(Verdict::Done)
    }
}

impl Rule {
    fn new(entry: &'static Entry, is_for_all: bool) -> Self {
        let decides = match entry.kind {
            Kind::Chance => "nothing: any legal action",
            Kind::Cache => "what a cell keeps in memory",
            Kind::Constant(_) => "nothing: one placement",
            Kind::Priced => "where a request runs",
        };
        let scenarios = if is_for_all { "all" } else { "physical" };
        let (name, description, parameters) = (entry.name, entry.description, entry.parameters);
        Self { name, description, decides, scenarios, parameters }
    }
}

fn parameters<S: Serializer>(
    parameters: &&'static [Parameter],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(parameters.iter().map(|one| {
        let Parameter { name, description, default, low, high, .. } = *one;
        json!({ "name": name, "description": description, "default": default, "low": low, "high": high })
    }))
}

fn text(rules: &[Rule]) -> String {
    let headings = ["rule", "scenarios", "decides", "description"].map(|heading| (heading, Align::Left));
    let (mut table, left, right) = (Table::new(headings), Align::Left, Align::Right);
    let mut parameters = Table::new([
        ("rule", left),
        ("parameter", left),
        ("default", right),
        ("range", left),
        ("meaning", left),
    ]);
    for rule in rules {
        table.row([rule.name, rule.scenarios, rule.decides, rule.description]);
        for one in rule.parameters {
            let (default, range) = (one.default.to_string(), format!("{} to {}", one.low, one.high));
            parameters.row([rule.name, one.name, &default, &range, one.description]);
        }
    }
    format!(
        "{}\nIn physical scenarios RULE{MYOPIC} is a rule about memory with the cheapest placement for what it decides.\n\n{}",
        table.text(0),
        parameters.text(0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_listed_with_its_range_and_placement_by_price_is_for_physical_scenarios() {
        let abstract_rules = names(&Scenario::shipped("tight"));
        let rules: Vec<Rule> = entries()
            .map(|entry| Rule::new(entry, abstract_rules.iter().any(|name| name == entry.name)))
            .collect();
        let scenarios = |name: &str| rules.iter().find(|rule| rule.name == name).map(|rule| rule.scenarios);
        assert_eq!(scenarios("myopic"), Some("physical"));
        assert_eq!(scenarios("least-aot"), Some("all"));
        let lines = text(&rules);
        let amortised = entries().find(|entry| entry.name == "amortised").unwrap();
        let one = &amortised.parameters[0];
        let line =
            lines.lines().find(|line| line.starts_with("amortised") && line.contains(one.name)).unwrap();
        assert!(line.contains(&format!("{} to {}", one.low, one.high)), "{line}");
    }
}
