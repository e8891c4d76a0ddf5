//! Rules that are a rank alone, and admission by rate: load only what is asked for more often than what would have to leave.
//!
//! Equation: `rate(i) > margin * sum of rate(victims)`; what fits without a victim is always loaded. Rates are the
//! observation's estimates, requests per slot.

use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Factory, Parameter};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;

/// The margin of every rule that compares a newcomer with its victims.
pub(super) const MARGIN: Parameter = Parameter {
    name: "margin",
    description: "how many times the victims' sum a newcomer has to exceed",
    default: 1.0,
    low: 0.0,
    high: 100.0,
    grid: &[
        0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 9.0, 14.0,
        20.0,
    ],
};

/// Whether the service of the batch may come in the place of its victims.
pub(super) fn exceeds(scene: Scene<'_>, victims: &[ServiceId], margin: f64) -> bool {
    let leaving: f64 = victims.iter().map(|&victim| scene.rate(victim)).sum();
    victims.is_empty() || scene.rate(scene.service()) > margin * leaving
}

/// The number by which resident entries leave, in ascending order.
type Rank = fn(Scene<'_>, ServiceId) -> f64;

#[derive(Clone, Debug)]
struct Ranked {
    rank: Rank,
    /// See [`MARGIN`]; whatever can be loaded is loaded where there is none.
    margin: Option<f64>,
}

/// Makes policies that evict by `rank`; `values` are empty, or the [`MARGIN`] of their admission.
pub(super) fn ranked(name: &'static str, scenario: &Scenario, values: &[f64], rank: Rank) -> Factory {
    factory(name, scenario, Ranked { rank, margin: values.first().copied() })
}

impl CacheRule for Ranked {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        (self.rank)(scene, service)
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        self.margin.is_none_or(|margin| exceeds(scene, victims, margin))
    }
}
