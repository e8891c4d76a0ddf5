//! Task-oriented communication: features instead of everything that a sensor saw.
//!
//! *Models.* A device that perceives by itself sends only what the task needs; the less it sends, the less the answer is worth.
//!
//! *Equation.* `feature_bits = ratio * sensor_bits`, quality factor `1 - exp(-feature_bits / bits_0)`.
//!
//! *Symbols.* ratio: part of the sensor's bits that travels; `bits_0`: bits at which a factor of 1 - 1/e is reached.
//!
//! *Assumptions.* Ours: each further bit tells less than the one before, and endless bits tell all. A request without sensor data
//! loses nothing. Two ratios (coarse, fine) are two placements.
//!
//! *Source.* The idea: Xu et al., arXiv 2401.07764 (task-oriented communications); the law is ours.

use crate::invalid::{Invalid, between};
use serde::{Deserialize, Serialize};

/// `[radio.features]`: what a split placement sends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// Part of the sensor's bits that coarse features keep, 1e-6 to 1.
    pub coarse_ratio: f64,
    /// Part that fine features keep, 1e-6 to 1, more than coarse ones.
    pub fine_ratio: f64,
    /// Bits, in Mbit, at which the quality factor is 1 - 1/e; 1e-6 to 1,000,000.
    pub enough_mbit: f64,
}

impl FeaturesConfig {
    /// Checks the numbers; the laws of coarse and fine features.
    ///
    /// # Errors
    /// The first number out of its range; coarse features that are not coarser than fine ones.
    pub fn validate(&self, table: &str) -> Result<[FeatureLaw; 2], Invalid> {
        let coarse = between(table, "coarse_ratio", self.coarse_ratio, 1e-6, 1.0)?;
        let fine = between(table, "fine_ratio", self.fine_ratio, 1e-6, 1.0)?;
        if fine <= coarse {
            let allowed = format!("more than coarse_ratio, which is {coarse:?}");
            return Err(Invalid::new(format!("{table}.fine_ratio"), format!("{fine:?}"), allowed));
        }
        let enough_bits = 1e6 * between(table, "enough_mbit", self.enough_mbit, 1e-6, 1e6)?;
        Ok([coarse, fine].map(|ratio| FeatureLaw { ratio, enough_bits }))
    }
}

/// The law of features of one fineness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureLaw {
    /// The part of the sensor's bits that travels.
    pub ratio: f64,
    /// The law's `bits_0`, above 0.
    pub enough_bits: f64,
}

impl FeatureLaw {
    /// The bits that travel for sensor data, and the share of the meaning that arrives.
    pub fn of(&self, sensor_bits: f64) -> Features {
        let bits = self.ratio * sensor_bits;
        let quality = if sensor_bits > 0.0 { -libm::expm1(-bits / self.enough_bits) } else { 1.0 };
        Features { bits, quality }
    }
}

/// The features that a request sends where perception and grounding are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Features {
    /// Bits over the uplink.
    pub bits: f64,
    /// The share of the meaning that arrives, 0 to 1.
    pub quality: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FeaturesConfig = FeaturesConfig { coarse_ratio: 0.02, fine_ratio: 0.1, enough_mbit: 0.5 };

    #[test]
    fn fine_features_of_ten_megabits_are_two_times_enough() {
        let [coarse, fine] = CONFIG.validate("radio.features").unwrap();
        let [coarse, fine] = [coarse.of(10e6), fine.of(10e6)];
        assert_eq!((coarse.bits, fine.bits), (200e3, 1e6));
        approx::assert_relative_eq!(fine.quality, 1.0 - (-2.0_f64).exp(), max_relative = 1e-14);
        approx::assert_relative_eq!(coarse.quality, 1.0 - (-0.4_f64).exp(), max_relative = 1e-14);
    }

    #[test]
    fn fine_features_that_are_no_finer_are_refused() {
        let config = FeaturesConfig { fine_ratio: 0.02, ..CONFIG };
        let error = config.validate("radio.features").unwrap_err().to_string();
        assert_eq!(error, "radio.features.fine_ratio = 0.02: more than coarse_ratio, which is 0.02");
    }

    #[test]
    fn a_scale_of_bits_tells_63_percent_and_ten_tell_nearly_all() {
        let features = FeatureLaw { ratio: 0.1, enough_bits: 2e5 }.of(2e6);
        assert_eq!(features.bits, 2e5);
        approx::assert_relative_eq!(features.quality, 0.632_120_558_828_557_7, max_relative = 1e-12);
        assert!(FeatureLaw { ratio: 1.0, enough_bits: 2e5 }.of(2e6).quality > 0.9999);
        let nothing = FeatureLaw { ratio: 0.1, enough_bits: 2e5 }.of(0.0);
        assert_eq!((nothing.bits, nothing.quality), (0.0, 1.0), "nothing to tell is told in full");
    }
}
