//! Shadowing: what buildings add to or take from the mean path loss, and how that changes as the user walks.
//!
//! *Models.* A log-normal factor that is alike at places near each other.
//!
//! *Equation.* `z' = rho z + sqrt(1 - rho^2) N(0,1)`, `rho = exp(-moved / d_corr)`, `S = sigma z`.
//!
//! *Symbols.* S: shadowing, dB, of mean 0 and standard deviation sigma; z: the same in units of sigma; moved: metres walked;
//! `d_corr`: decorrelation distance, m; N(0,1): a standard normal number.
//!
//! *Assumptions.* Cells are shadowed independently. z is kept when the line of sight comes or goes, and then means another
//! number of decibels; over a way with several changes rho is that of the state before it (ours).
//!
//! *Source.* 3GPP TR 38.901, section 7.4.4; Gudmundson, "Correlation model for shadow fading", Electronics Letters 27 (1991).

use crate::radio::normal::standard_normal;
use crate::units::Decibel;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The correlation of two places `moved_m` metres apart.
pub fn correlation_over(moved_m: f64, decorrelation_m: f64) -> f64 {
    libm::exp(-moved_m / decorrelation_m)
}

/// The shadowing of one link, in standard deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shadowing {
    z: f32,
}

impl Shadowing {
    /// A link that nothing is known of.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self { z: standard_normal(rng) as f32 }
    }

    /// Walks on; `rho` is the correlation over the metres walked. One word of the generator.
    pub fn advance(&mut self, rho: f64, rng: &mut impl Rng) {
        let fresh = standard_normal(rng);
        self.z = (rho * f64::from(self.z) + (1.0 - rho * rho).max(0.0).sqrt() * fresh) as f32;
    }

    /// The loss that it adds.
    pub fn loss(self, sigma: Decibel) -> Decibel {
        Decibel(sigma.0 * f64::from(self.z))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{correlation, mean, variance};
    use crate::random::{Purpose, Seed, Stream};

    #[test]
    fn one_long_step_and_many_short_ones_have_the_same_mean_spread_and_correlation() {
        let mut rng = Seed::new(Purpose::Test, 4).stream(Stream::Channel);
        for (steps, metres) in [(1, 13.0), (13, 1.0)] {
            let pairs: Vec<(f64, f64)> = (0..20_000)
                .map(|_| {
                    let mut shadowing = Shadowing::draw(&mut rng);
                    let before = shadowing.loss(Decibel(7.82)).0;
                    for _ in 0..steps {
                        shadowing.advance(correlation_over(metres, 13.0), &mut rng);
                    }
                    (before, shadowing.loss(Decibel(7.82)).0)
                })
                .collect();
            let after: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
            // Five standard errors: 5 * 7.82 / sqrt(20,000) = .28; of the variance, 5 sqrt(2 / 20,000) = 5 %.
            assert!(mean(&after).abs() < 0.28, "{steps} steps: {}", mean(&after));
            assert!((variance(&after) / (7.82 * 7.82) - 1.0).abs() < 0.05, "{steps} steps");
            assert!((correlation(&pairs) - libm::exp(-1.0)).abs() < 0.035, "{steps} steps");
        }
    }

    #[test]
    fn a_user_who_stands_still_keeps_the_shadow() {
        let mut rng = Seed::new(Purpose::Test, 5).stream(Stream::Channel);
        let mut shadowing = Shadowing::draw(&mut rng);
        let before = shadowing;
        shadowing.advance(correlation_over(0.0, 10.0), &mut rng);
        assert_eq!(shadowing, before);
    }
}
