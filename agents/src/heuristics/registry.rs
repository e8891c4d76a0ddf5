//! All rules by name, with their parameters.
//!
//! Parameters stand in the scenario (`[policies.density] margin = 1.2`), because what is best depends on it; they are tuned
//! on validation episodes ([`crate::tune`]).

use crate::policy::Policy;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::message::{nearest, shown};
use thoughtcache_env::scenario::Scenario;

/// A policy of the decision environment that can move to another thread.
pub type BoxedPolicy = Box<dyn Policy<DecisionEnv> + Send>;

/// Makes instances of a rule that has been made ready.
pub(super) type Factory = Box<dyn Fn() -> BoxedPolicy + Send + Sync>;

/// A number that a rule can be tuned by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The key in `[policies.<rule>]`.
    pub name: &'static str,
    /// What it means, in a few words.
    pub description: &'static str,
    /// The value where the scenario gives none.
    pub default: f64,
    /// The least value.
    pub low: f64,
    /// The greatest value.
    pub high: f64,
    /// The values that tuning tries.
    pub grid: &'static [f64],
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in tables and on the command line.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// What it can be tuned by.
    pub parameters: &'static [Parameter],
    /// Makes it ready for a scenario, with one value per parameter.
    pub(super) prepare: fn(&Arc<Scenario>, &[f64]) -> Factory,
}

/// All rules, in the order of tables: no cache, classic caches, age of thought, admission by value.
const RULES: [&[Entry]; 12] = [
    super::random::ENTRIES,
    super::cloud_only::ENTRIES,
    super::static_set::ENTRIES,
    super::fifo::ENTRIES,
    super::lru::ENTRIES,
    super::lfu::ENTRIES,
    super::gdsf::ENTRIES,
    super::least_aot::ENTRIES,
    super::most_aot::ENTRIES,
    super::rent_or_buy::ENTRIES,
    super::density::ENTRIES,
    super::worth::ENTRIES,
];

/// What can be wrong with the name of a rule or its parameters.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PolicyError {
    /// There is no such rule.
    #[error("no policy is called \"{name}\"{}; there are {}", suggestion(.nearest.as_deref()), .known.join(", "))]
    UnknownPolicy {
        /// What was typed.
        name: String,
        /// The rule whose name is most alike, if any is.
        nearest: Option<String>,
        /// The names of all rules.
        known: Vec<String>,
    },
    /// The rule has no such parameter.
    #[error("policies.{policy}.{parameter}: {policy} has {}", listed(.known))]
    UnknownParameter {
        /// The rule.
        policy: String,
        /// What was typed.
        parameter: String,
        /// The rule's parameters.
        known: Vec<String>,
    },
    /// The value is out of range.
    #[error("policies.{policy}.{parameter} = {value}: a number from {low} to {high}")]
    OutOfRange {
        /// The rule.
        policy: String,
        /// The parameter.
        parameter: String,
        /// What was typed.
        value: f64,
        /// The least value.
        low: f64,
        /// The greatest value.
        high: f64,
    },
}

impl PolicyError {
    /// The path of the key of the scenario that is wrong, where the name stands in a scenario.
    pub fn key(&self) -> String {
        match self {
            Self::UnknownPolicy { name, .. } => format!("policies.{name}"),
            Self::UnknownParameter { policy, parameter, .. } | Self::OutOfRange { policy, parameter, .. } => {
                format!("policies.{policy}.{parameter}")
            }
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "no parameters".to_owned() } else { format!("only {}", known.join(", ")) }
}

/// All rules, in the order of tables.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    RULES.iter().flat_map(|entries| entries.iter())
}

/// The names of all rules, in the order of tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    entries().map(|entry| entry.name)
}

/// The rule of this name.
///
/// # Errors
/// [`PolicyError::UnknownPolicy`], with the nearest name.
pub fn entry(name: &str) -> Result<&'static Entry, PolicyError> {
    entries().find(|entry| entry.name == name).ok_or_else(|| PolicyError::UnknownPolicy {
        name: shown(name),
        nearest: nearest(name, names()).map(str::to_owned),
        known: names().map(str::to_owned).collect(),
    })
}

/// A rule of this name for one episode, with the scenario's parameters. To play many, use [`Prepared`].
///
/// # Errors
/// An unknown name, or parameters in the scenario that [`check_parameters`] refuses.
pub fn build(name: &str, scenario: &Arc<Scenario>) -> Result<BoxedPolicy, PolicyError> {
    Ok(Prepared::new(name, scenario)?.instance())
}

/// Whether every `[policies.*]` of the scenario names a rule, and every value below it a parameter of that rule in its range.
///
/// # Errors
/// The first that does not.
pub fn check_parameters(scenario: &Scenario) -> Result<(), PolicyError> {
    for (policy, values) in scenario.policies() {
        let entry = entry(policy)?;
        for (name, &value) in values {
            check_parameter(entry, name, value)?;
        }
    }
    Ok(())
}

fn check_parameter(entry: &Entry, name: &str, value: f64) -> Result<(), PolicyError> {
    let (policy, parameter) = (entry.name.to_owned(), name.to_owned());
    let Some(known) = entry.parameters.iter().find(|parameter| parameter.name == name) else {
        let known = entry.parameters.iter().map(|parameter| parameter.name.to_owned()).collect();
        return Err(PolicyError::UnknownParameter { policy, parameter, known });
    };
    let Parameter { low, high, .. } = *known;
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(PolicyError::OutOfRange { policy, parameter, value, low, high })
    }
}

/// A rule made ready for a scenario: what is expensive is done, and every episode gets an instance of its own.
pub struct Prepared {
    entry: &'static Entry,
    factory: Factory,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("name", &self.entry.name).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Makes the rule of this name ready, with the scenario's parameters.
    ///
    /// # Errors
    /// As [`build`].
    pub fn new(name: &str, scenario: &Arc<Scenario>) -> Result<Self, PolicyError> {
        Self::with_parameters(name, scenario, &[])
    }

    /// The same, with some parameters that replace the scenario's.
    ///
    /// # Errors
    /// As [`build`], and for parameters that the rule does not have or that are out of range.
    pub fn with_parameters(
        name: &str,
        scenario: &Arc<Scenario>,
        parameters: &[(&str, f64)],
    ) -> Result<Self, PolicyError> {
        let entry = entry(name)?;
        check_parameters(scenario)?;
        for &(parameter, value) in parameters {
            check_parameter(entry, parameter, value)?;
        }
        let in_scenario = scenario.policies().get(name);
        let values: Vec<f64> = entry
            .parameters
            .iter()
            .map(|known| {
                let given = parameters.iter().find(|(parameter, _)| *parameter == known.name);
                let given = given.map(|(_, value)| *value);
                given.or_else(|| in_scenario?.get(known.name).copied()).unwrap_or(known.default)
            })
            .collect();
        Ok(Self { entry, factory: (entry.prepare)(scenario, &values) })
    }

    /// The rule.
    pub fn entry(&self) -> &'static Entry {
        self.entry
    }

    /// A policy that has seen nothing yet.
    pub fn instance(&self) -> BoxedPolicy {
        (self.factory)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use thoughtcache_env::scenario::shipped;
    use thoughtcache_env::scenario::text::Override;

    fn tight(key: &str, value: &str) -> Arc<Scenario> {
        let change = Override { key: key.into(), value: value.into() };
        let text = shipped::text("tight").unwrap();
        Arc::new(Scenario::load("tight", text, &[change], |_| Err("none".into())).unwrap().1)
    }

    #[test]
    fn every_rule_is_listed_once_and_answers_to_its_name() {
        let scenario = Arc::new(Scenario::shipped("paper"));
        assert_eq!(names().collect::<BTreeSet<_>>().len(), names().count());
        for entry in entries() {
            assert_eq!(build(entry.name, &scenario).unwrap().name(), entry.name);
            for parameter in entry.parameters {
                let Parameter { default, low, high, grid, .. } = *parameter;
                assert!(grid.contains(&default), "{}: tuning tries the default too", entry.name);
                assert!(grid.iter().all(|value| (low..=high).contains(value)), "{}", entry.name);
            }
        }
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let unknown = |name| build(name, &scenario).err().unwrap().to_string();
        let parameters = |key, value| check_parameters(&tight(key, value)).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                unknown("least_aot"),
                unknown("quicksort"),
                parameters("policies.densty.margin", "1.0"),
                parameters("policies.density.margn", "1.0"),
                parameters("policies.lru.margin", "1.0"),
                parameters("policies.worth.margin", "1e9"),
            ]
            .join("\n")
        );
    }

    #[test]
    fn parameters_come_from_the_scenario_and_change_what_is_decided() {
        use crate::tune::mean_cost_per_slot;
        let cost = |scenario: &Arc<Scenario>, parameters: &[(&str, f64)]| {
            let prepared = Prepared::with_parameters("density", scenario, parameters).unwrap();
            mean_cost_per_slot(
                &prepared,
                scenario,
                &[thoughtcache_env::random::Seed::new(thoughtcache_env::random::Purpose::Validate, 5)],
            )
        };
        let typed = cost(&tight("policies.density.margin", "2.5"), &[]);
        assert_eq!(typed, cost(&tight("policies.density.margin", "0.5"), &[("margin", 2.5)]));
        assert_ne!(typed, cost(&tight("policies.density.margin", "0.5"), &[]));
    }
}
