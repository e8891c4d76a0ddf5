//! All rules by name, with their parameters.
//!
//! Parameters stand in the scenario (`[policies.density] margin = 1.2`), because what is best depends on it; they are tuned
//! on validation episodes ([`crate::tune`]).
//!
//! Where placements have prices, every rule about a cache has a second name, `<rule>+myopic`: the same rule with the same
//! parameters, and the cheapest placement for what it decides. Every rule, `<rule>+myopic` too, looks ahead as
//! `rollout(<rule>)`, and with knowledge of the future as `lookahead(<rule>)` ([`super::look_ahead`]).

use super::look_ahead::{self, Ahead, ROLLOUT};
use super::rule::Factory;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::message::{did_you_mean, shown};
use thoughtcache_env::scenario::Scenario;

pub use super::rule::{BoxedPolicy, Entry, Kind, MYOPIC, Parameter};

/// All rules, in the order of tables: no cache, classic caches, age of thought, admission by value.
const RULES: [&[Entry]; 12] = [
    super::random::ENTRIES,
    super::constant::CLOUD,
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

/// Rules that are compared in abstract scenarios where users have contexts of their own.
const CONTEXT_RULES: [&[Entry]; 3] =
    [super::commit::ENTRIES, super::affinity::ENTRIES, super::keep_alive::ENTRIES];

/// Rules that are compared in physical scenarios only.
const PHYSICAL_RULES: [&[Entry]; 3] =
    [super::constant::OTHERS, super::myopic::ENTRIES, super::amortised::ENTRIES];

/// What is wrong with the name of a rule or its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct PolicyError {
    /// The path of the key of the scenario that is wrong, where the name stands in a scenario.
    pub key: String,
    message: String,
}

impl PolicyError {
    pub(super) fn new(policy: &str, message: impl Into<String>) -> Self {
        Self { key: format!("policies.{policy}"), message: message.into() }
    }
}

/// All rules, in the order of tables.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    RULES.iter().chain(&CONTEXT_RULES).chain(&PHYSICAL_RULES).flat_map(|entries| entries.iter())
}

/// The rules that a scenario is compared with, in the order of tables, whether or not they can play there.
pub(crate) fn listed(scenario: &Scenario) -> impl Iterator<Item = &'static Entry> {
    let others: &[&[Entry]] = match scenario.physical() {
        Some(_) => &PHYSICAL_RULES,
        None if scenario.remembers_users() => &CONTEXT_RULES,
        None => &[],
    };
    RULES.iter().chain(others).flat_map(|entries| entries.iter())
}

/// The names of all policies that a scenario is compared with, in the order of tables: in abstract scenarios the rules, those about
/// contexts where users have their own; in physical ones those that can play there, and the rules about a cache once more with the
/// cheapest placements.
pub fn names(scenario: &Scenario) -> Vec<String> {
    let plain = listed(scenario).map(|entry| entry.name.to_owned());
    if scenario.physical().is_none() {
        return plain.collect();
    }
    let caches = listed(scenario).filter(|entry| entry.kind == Kind::Cache);
    let myopic = caches.map(|entry| format!("{}{MYOPIC}", entry.name));
    plain.chain(myopic).filter(|name| check(name, scenario).is_ok()).collect()
}

/// The names of the rules about a cache.
fn caches() -> impl Iterator<Item = &'static str> {
    entries().filter(|entry| entry.kind == Kind::Cache).map(|entry| entry.name)
}

/// The rule of this name, with or without [`MYOPIC`], or of a policy that looks ahead for it.
///
/// # Errors
/// An unknown name, with the nearest that is known, [`MYOPIC`] behind a rule that decides about no cache, or settings of a
/// policy that looks ahead that it does not have.
pub fn entry(name: &str) -> Result<&'static Entry, PolicyError> {
    Ok(parse(name)?.entry)
}

/// The parts of a policy's name.
struct Parsed<'a> {
    /// Without what looks ahead.
    beneath: &'a str,
    entry: &'static Entry,
    is_myopic: bool,
    ahead: Option<Ahead>,
}

fn parse(name: &str) -> Result<Parsed<'_>, PolicyError> {
    let (beneath, ahead) = look_ahead::split(name)?;
    Ok(Parsed { beneath, entry: plain(beneath)?, is_myopic: split(beneath).1, ahead })
}

/// The rule of this name, with or without [`MYOPIC`].
fn plain(name: &str) -> Result<&'static Entry, PolicyError> {
    let (rule, is_myopic) = split(name);
    let caches: Vec<&str> = caches().collect();
    let Some(entry) = entries().find(|entry| entry.name == rule) else {
        let known: Vec<&str> = entries().map(|entry| entry.name).collect();
        let myopic: Vec<String> = caches.iter().map(|rule| format!("{rule}{MYOPIC}")).collect();
        let meant = did_you_mean(name, known.iter().copied().chain(myopic.iter().map(String::as_str)));
        let (name, known) = (shown(name), known.join(", "));
        let message = format!(
            "no policy is called \"{name}\"{meant}; there are {known}, <rule>{MYOPIC}, and {ROLLOUT}(<rule>)"
        );
        return Err(PolicyError::new(&name, message));
    };
    if is_myopic && entry.kind != Kind::Cache {
        let caches = caches.join(", ");
        let message = format!("{name}: {rule} decides about no cache; {MYOPIC} goes with {caches}");
        return Err(PolicyError::new(name, message));
    }
    Ok(entry)
}

/// The rule's name in a policy's, and whether its placements are the cheapest ones.
fn split(name: &str) -> (&str, bool) {
    name.strip_suffix(MYOPIC).map_or((name, false), |rule| (rule, true))
}

/// Whether there is a policy of this name that can play in the scenario.
///
/// # Errors
/// As [`entry`], and for a policy that compares prices where there are none, or serves everything at a placement that the
/// scenario does not allow.
pub fn check(name: &str, scenario: &Scenario) -> Result<&'static Entry, PolicyError> {
    Ok(checked(name, scenario)?.entry)
}

/// The parts of the name of a policy that can play in the scenario.
fn checked<'a>(name: &'a str, scenario: &Scenario) -> Result<Parsed<'a>, PolicyError> {
    let parsed = parse(name)?;
    let Parsed { entry, is_myopic, .. } = parsed;
    let world = &scenario.name;
    let needs_prices = entry.kind == Kind::Priced || is_myopic;
    if needs_prices && scenario.physical().is_none() {
        let message = format!(
            "{name} compares the prices of placements, and {world} has none: that takes a scenario with [physical]"
        );
        return Err(PolicyError::new(name, message));
    }
    match entry.kind {
        Kind::Constant(placement) if !scenario.placements.contains(&placement) => {
            let placement = placement.name();
            let allowed: Vec<&str> = scenario.placements.iter().map(|placement| placement.name()).collect();
            let allowed = allowed.join(", ");
            let message = format!(
                "{name} serves everything at \"{placement}\", and decision.placements of {world} has {allowed}"
            );
            Err(PolicyError::new(name, message))
        }
        _ => Ok(parsed),
    }
}

/// The same of a policy that can be tuned: one that looks ahead has the parameters of the rule beneath.
///
/// # Errors
/// As [`check`], and for a policy that looks ahead.
pub(crate) fn check_tunable(name: &str, scenario: &Scenario) -> Result<&'static Entry, PolicyError> {
    let Parsed { beneath, entry, ahead, .. } = checked(name, scenario)?;
    match ahead {
        None => Ok(entry),
        Some(_) => Err(PolicyError::new(name, format!("{name} has the parameters of {beneath}: tune that"))),
    }
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
    for (policy, values) in &scenario.policies {
        let Parsed { entry, is_myopic, ahead, .. } = parse(policy)?;
        if is_myopic || ahead.is_some() {
            let message =
                format!("policies.{policy}: the parameters of {policy} are those of policies.{}", entry.name);
            return Err(PolicyError::new(policy, message));
        }
        for (name, &value) in values {
            check_parameter(entry, name, value)?;
        }
    }
    Ok(())
}

fn check_parameter(entry: &Entry, name: &str, value: f64) -> Result<(), PolicyError> {
    let Entry { name: policy, parameters, .. } = entry;
    let refuse = |message: String| Err(PolicyError::new(&format!("{policy}.{name}"), message));
    let Some(Parameter { low, high, .. }) = parameters.iter().find(|parameter| parameter.name == name) else {
        let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
        let has =
            if known.is_empty() { "no parameters".to_owned() } else { format!("only {}", known.join(", ")) };
        return refuse(format!("policies.{policy}.{name}: {policy} has {has}"));
    };
    if (*low..=*high).contains(&value) {
        return Ok(());
    }
    refuse(format!("policies.{policy}.{name} = {value}: a number from {low} to {high}"))
}

/// A rule made ready for a scenario: what is expensive is done, and every episode gets an instance of its own.
pub struct Prepared {
    name: String,
    entry: &'static Entry,
    ahead: Option<Ahead>,
    factory: Factory,
}

impl Prepared {
    /// Makes the rule of this name ready, with the scenario's parameters.
    ///
    /// # Errors
    /// As [`build`].
    pub fn new(name: &str, scenario: &Arc<Scenario>) -> Result<Self, PolicyError> {
        Self::with_parameters(name, scenario, &[])
    }

    /// Prepares a rule with parameters that replace the scenario's.
    ///
    /// # Errors
    /// As [`build`], and for parameters that the rule does not have or that are out of range.
    pub fn with_parameters(
        name: &str,
        scenario: &Arc<Scenario>,
        parameters: &[(&str, f64)],
    ) -> Result<Self, PolicyError> {
        let Parsed { beneath, entry, is_myopic, ahead } = checked(name, scenario)?;
        check_parameters(scenario)?;
        for &(parameter, value) in parameters {
            check_parameter(entry, parameter, value)?;
        }
        let in_scenario = scenario.policies.get(entry.name);
        let values: Vec<f64> = entry
            .parameters
            .iter()
            .map(|known| {
                let given = parameters.iter().find(|(parameter, _)| *parameter == known.name);
                let given = given.map(|(_, value)| *value);
                given.or_else(|| in_scenario?.get(known.name).copied()).unwrap_or(known.default)
            })
            .collect();
        let rule = (entry.prepare)(entry.name, scenario, &values);
        let factory = if is_myopic { super::myopic::beneath(beneath, rule) } else { rule };
        let factory = match ahead {
            Some(ahead) => look_ahead::above(name, ahead, factory),
            None => factory,
        };
        Ok(Self { name: name.to_owned(), entry, ahead, factory })
    }

    /// The name, with [`MYOPIC`] where the placements are the cheapest ones.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rule.
    pub fn entry(&self) -> &'static Entry {
        self.entry
    }

    /// Whether it looks into the true future: then it is a reference, and no policy.
    pub fn knows_the_future(&self) -> bool {
        self.ahead.is_some_and(Ahead::knows_the_future)
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
    use thoughtcache_env::text::Override;

    fn tight(key: &str, value: &str) -> Arc<Scenario> {
        let change = Override { key: key.into(), value: value.into() };
        let text = shipped::text("tight").unwrap();
        Arc::new(Scenario::load("tight", text, &[change], |_| Err("none".into())).unwrap().1)
    }

    #[test]
    fn every_rule_is_listed_once_and_answers_to_its_name() {
        let scenarios = [Arc::new(Scenario::shipped("paper")), crate::heuristics::tests::street(&[])];
        for scenario in &scenarios {
            let names = names(scenario);
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            for name in &names {
                let prepared = Prepared::new(name, scenario).unwrap();
                assert_eq!((prepared.name(), prepared.instance().name()), (name.as_str(), name.as_str()));
            }
        }
        for entry in entries() {
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
                unknown("densty+myopic"),
                unknown("random+myopic"),
                unknown("lru+myopic"),
                unknown("myopic"),
                unknown("device-only"),
                parameters("policies.density+myopic.margin", "1.0"),
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
        use crate::evaluate::validate;
        let cost = |scenario: &Arc<Scenario>, parameters: &[(&str, f64)]| {
            let prepared = Prepared::with_parameters("density", scenario, parameters).unwrap();
            validate(scenario, 5, 1, &|| prepared.instance(), &|| false).unwrap().cost_per_slot()
        };
        let typed = cost(&tight("policies.density.margin", "2.5"), &[]);
        assert_eq!(typed, cost(&tight("policies.density.margin", "0.5"), &[("margin", 2.5)]));
        assert_ne!(typed, cost(&tight("policies.density.margin", "0.5"), &[]));
    }
}
