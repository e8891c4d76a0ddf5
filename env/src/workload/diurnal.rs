//! Busy and quiet times of a day.
//!
//! Models: a factor on all intensities that rises and falls once a period.
//!
//! Equation: `factor(slot) = 1 + amplitude * sin(2 pi (slot / period + phase))`, the same for the whole slot; its mean over a
//! period is 1.
//! Symbols: `phase` in periods, from 0 to 1, drawn at reset: an episode begins at any time of the day.
//!
//! Assumptions: a sine, the same for all services and cells (ours). Source: daily cycles of production traffic, `ServeGen`,
//! arXiv 2505.09999, and `BurstGPT`, arXiv 2401.17644.

use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// A day with busy and quiet times: a sine that multiplies all intensities, begun anywhere at reset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diurnal {
    /// Slots of a day, 2 to 1,000,000.
    pub period_slots: u32,
    /// How far the intensity rises above and falls below its mean, as a share of it: above 0, at most 1.
    pub amplitude: f64,
}

impl Diurnal {
    /// The factor of a slot on the intensities.
    pub fn factor(self, slot: u64, phase: f64) -> f64 {
        let period = u64::from(self.period_slots);
        let place = (slot % period) as f64 / period as f64 + phase;
        // A sine of -1 is one of -1 - 1e-17 at times: no intensity falls below 0.
        (1.0 + self.amplitude * libm::sin(TAU * place)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn the_mean_over_a_period_is_one_whatever_the_phase() {
        for phase in [0.0, 0.3, 0.99] {
            let day = Diurnal { period_slots: 7, amplitude: 0.8 };
            let mean = (100..107).map(|slot| day.factor(slot, phase)).sum::<f64>() / 7.0;
            assert_relative_eq!(mean, 1.0, max_relative = 1e-12);
        }
    }

    #[test]
    fn a_quarter_of_a_period_after_its_start_is_its_peak() {
        let day = Diurnal { period_slots: 8, amplitude: 0.5 };
        assert_relative_eq!(day.factor(2, 0.0), 1.5, max_relative = 1e-12);
        assert_relative_eq!(day.factor(0, 0.25), 1.5, max_relative = 1e-12);
        assert_relative_eq!(day.factor(6, 0.0), 0.5, max_relative = 1e-12);
        assert_relative_eq!(day.factor(8, 0.0), 1.0, max_relative = 1e-12);
    }
}
