//! Admission by rate: load only what is asked for more often than what would have to leave.
//!
//! Equation: `rate(i) > margin * sum of rate(victims)`; what fits without a victim is always loaded. Rates are the
//! observation's estimates, requests per slot.

use super::cache_rule::Scene;
use super::rule::Parameter;
use thoughtcache_env::units::ServiceId;

/// Whether a rule may refuse to load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Admission {
    /// It loads whatever can be loaded.
    Always,
    /// It loads what exceeds `margin` times the summed rate of the victims.
    ByRate {
        /// See [`MARGIN`].
        margin: f64,
    },
}

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

impl Admission {
    /// Whether the service of the batch is loaded when `victims` have to leave for it.
    pub(super) fn admits(self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        match self {
            Self::Always => true,
            Self::ByRate { margin } => {
                let leaving: f64 = victims.iter().map(|&victim| scene.rate(victim)).sum();
                victims.is_empty() || scene.rate(scene.service()) > margin * leaving
            }
        }
    }
}
