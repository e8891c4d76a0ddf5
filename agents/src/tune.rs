//! Tuning the rules: a grid search over their parameters on validation episodes.
//!
//! A baseline that nobody tuned proves nothing. Every rule with parameters is played with every value of its grid on the same
//! validation episodes, and the cheapest setting is what belongs into the scenario (`[policies.<rule>]`). The episodes have
//! coordinates of their own: they choose no checkpoint and report no result.

use crate::evaluate::{EvaluateError, Protocol, totals};
use crate::heuristics::registry::{self, Entry, MYOPIC, Parameter, PolicyError, Prepared};
use std::fmt::Write;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::scenario::Scenario;

/// The lane of tuning episodes; no vector environment has that many.
const TUNING_LANE: u32 = u32::MAX;

/// How much to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TuneSettings {
    /// Validation episodes for each setting; at least 1.
    pub episodes: u64,
    /// The run of their coordinates.
    pub run: u64,
}

impl Default for TuneSettings {
    /// 200 episodes of run 0.
    fn default() -> Self {
        Self { episodes: 200, run: 0 }
    }
}

/// One setting that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The rule that the setting is for.
    pub rule: &'static str,
    /// The policy that played: the rule, or the rule with the cheapest placements.
    pub policy: String,
    /// Its parameters and their values.
    pub setting: Vec<(&'static str, f64)>,
    /// Total cost divided by all slots.
    pub mean_cost: f64,
    /// Whether it is the rule's best setting.
    pub is_best: bool,
}

/// Why a search ends without a result.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TuneError {
    /// A rule is unknown, or cannot play in the scenario.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A rule's cost is not a finite number.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
}

/// Everything that was tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TuneReport {
    /// One row a setting, rules in the order they were given.
    pub trials: Vec<Trial>,
}

impl TuneReport {
    /// The lines for the scenario: the best setting of every rule.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        for trial in self.trials.iter().filter(|trial| trial.is_best) {
            let gap = if text.is_empty() { "" } else { "\n" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{gap}[policies.{}]", trial.rule);
            for (name, value) in &trial.setting {
                let _ = writeln!(text, "{name} = {value:?}");
            }
        }
        text
    }
}

/// Tries every setting of these rules (all rules that have parameters, when `names` is empty; with the cheapest placements
/// where placements have prices). `progress` hears of each
/// trial as it is done. Equal costs go to the setting nearest the defaults.
///
/// # Errors
/// Unknown names, parameters in the scenario that are unknown or out of range, and costs that are not finite.
pub fn tune(
    scenario: &Arc<Scenario>,
    names: &[&str],
    settings: TuneSettings,
    mut progress: impl FnMut(&Trial),
) -> Result<TuneReport, TuneError> {
    let names = lineup(scenario, names)?;
    let mut protocol = Protocol::validation(Arc::clone(scenario), settings.run, settings.episodes);
    protocol.seed = protocol.seed.with_lane(TUNING_LANE);
    let mut report = TuneReport::default();
    for (name, entry) in &names {
        let first = report.trials.len();
        for setting in grid(entry.parameters) {
            let prepared = Prepared::with_parameters(name, scenario, &setting)?;
            let mean_cost = totals(&protocol, &|| prepared.instance(), &|| false)?.cost_per_slot();
            let trial = Trial { rule: entry.name, policy: name.clone(), setting, mean_cost, is_best: false };
            progress(&trial);
            report.trials.push(trial);
        }
        let distance = |trial: &Trial| -> f64 {
            trial.setting.iter().zip(entry.parameters).map(|((_, value), p)| (value - p.default).abs()).sum()
        };
        let best = report.trials[first..].iter_mut().min_by(|a, b| {
            a.mean_cost.total_cmp(&b.mean_cost).then_with(|| distance(a).total_cmp(&distance(b)))
        });
        if let Some(best) = best {
            best.is_best = true;
        }
    }
    Ok(report)
}

/// How many trials [`tune`] makes for these rules (all, when `names` is empty).
///
/// # Errors
/// Unknown names, and rules that cannot play in the scenario.
pub fn num_trials(scenario: &Scenario, names: &[&str]) -> Result<usize, PolicyError> {
    let settings = |parameters: &[Parameter]| -> usize { parameters.iter().map(|p| p.grid.len()).product() };
    Ok(lineup(scenario, names)?.iter().map(|(_, entry)| settings(entry.parameters)).sum())
}

/// Who plays: what was named and has parameters, each setting of a rule once.
fn lineup(scenario: &Scenario, names: &[&str]) -> Result<Vec<(String, &'static Entry)>, PolicyError> {
    let has_parameters = |(_, entry): &(String, &'static Entry)| !entry.parameters.is_empty();
    if !names.is_empty() {
        let typed = names.iter().map(|&name| Ok((name.to_owned(), registry::check(name, scenario)?)));
        return typed.filter(|typed| typed.as_ref().map_or(true, has_parameters)).collect();
    }
    let all = registry::listed(scenario).filter_map(|entry| {
        let myopic = format!("{}{MYOPIC}", entry.name);
        let names = [myopic, entry.name.to_owned()];
        let name = names.into_iter().find(|name| registry::check(name, scenario).is_ok())?;
        Some((name, entry))
    });
    Ok(all.filter(has_parameters).collect())
}

/// All combinations of the parameters' values.
fn grid(parameters: &'static [Parameter]) -> Vec<Vec<(&'static str, f64)>> {
    let mut settings = vec![Vec::new()];
    for parameter in parameters {
        let longer = |setting: &Vec<(&'static str, f64)>| {
            parameter.grid.iter().map(|&value| [&setting[..], &[(parameter.name, value)]].concat()).collect()
        };
        settings = settings.iter().flat_map::<Vec<_>, _>(longer).collect();
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_setting_is_marked_and_printed() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let mut heard = 0;
        let settings = TuneSettings { episodes: 2, run: 0 };
        let names = ["lru", "density", "rent-or-buy"];
        let trials = num_trials(&scenario, &names).unwrap();
        let report = tune(&scenario, &names, settings, |_| heard += 1).unwrap();
        assert_eq!((heard, report.trials.len()), (trials, trials));
        for name in ["density", "rent-or-buy"] {
            let trials = || report.trials.iter().filter(|trial| trial.policy == name);
            let best: Vec<_> = trials().filter(|trial| trial.is_best).collect();
            assert_eq!(best.len(), 1);
            assert!(trials().all(|trial| trial.mean_cost >= best[0].mean_cost));
        }
        assert!(report.toml().starts_with("[policies.density]\nmargin = "), "{}", report.toml());
        assert!(report.toml().contains("\n\n[policies.rent-or-buy]\nratio = "));
    }

    #[test]
    fn where_placements_have_prices_a_rule_is_tuned_with_the_cheapest_ones() {
        let scenario = crate::heuristics::tests::street(&[("horizon_slots", "20")]);
        let settings = TuneSettings { episodes: 1, run: 0 };
        let report = tune(&scenario, &[], settings, |_| ()).unwrap();
        assert!(report.trials.iter().all(|trial| trial.policy == format!("{}+myopic", trial.rule)));
        assert_eq!(report.trials.len(), num_trials(&scenario, &[]).unwrap());
        assert!(report.toml().contains("[policies.density]\nmargin = "), "{}", report.toml());
    }

    #[test]
    fn a_grid_has_every_combination() {
        const TWO: &[Parameter] = &[
            Parameter { name: "a", description: "", default: 1.0, low: 0.0, high: 9.0, grid: &[1.0, 2.0] },
            Parameter {
                name: "b",
                description: "",
                default: 3.0,
                low: 0.0,
                high: 9.0,
                grid: &[3.0, 4.0, 5.0],
            },
        ];
        let settings = grid(TWO);
        assert_eq!(settings.len(), 6);
        assert_eq!(settings[1], [("a", 1.0), ("b", 4.0)]);
        assert_eq!(settings[5], [("a", 2.0), ("b", 5.0)]);
    }

    #[test]
    fn an_unknown_rule_is_an_error() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        assert!(tune(&scenario, &["worth+myopic"], TuneSettings::default(), |_| ()).is_err());
        assert!(tune(&scenario, &["worthy"], TuneSettings::default(), |_| ()).is_err());
        assert!(num_trials(&scenario, &["worthy"]).is_err());
    }
}
