//! The share of a link's power that comes straight.
//!
//! *Models.* A clear link has one strong path and many weak ones (Rice), a blocked one only weak ones (Rayleigh).
//!
//! *Equation.* `K = 10^(K_dB / 10)`, `K_dB = mean + std N(0,1)`; straight share `t = K / (K + 1)`, 0 when blocked.
//!
//! *Symbols.* K: power of the straight path over that of all others; N(0,1): a standard normal number that belongs to the link.
//!
//! *Assumptions.* K is drawn when the link's view is drawn anew, and not correlated with shadowing (ours; the standard
//! correlates them weakly).
//!
//! *Source.* 3GPP TR 38.901, Table 7.5-6.

use crate::radio::normal::standard_normal;
use crate::radio::site::KFactorLaw;
use crate::units::Decibel;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The straight share of a power with a K factor: 0 for minus infinity dB, 1 for infinity.
pub fn straight_share(k_factor: Decibel) -> f64 {
    1.0 / (1.0 + (-k_factor).to_linear())
}

/// The K factor of one link, in standard deviations from the mean of its site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rician {
    z: f32,
}

impl Rician {
    /// One word of the generator.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self { z: standard_normal(rng) as f32 }
    }

    /// The K factor where the view is clear.
    pub fn k_factor(self, law: KFactorLaw) -> Decibel {
        Decibel(law.mean.0 + law.std.0 * f64::from(self.z))
    }

    /// The straight share of the link's power.
    pub fn straight_share(self, law: KFactorLaw, is_los: bool) -> f64 {
        if is_los { straight_share(self.k_factor(law)) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{mean, variance};
    use crate::radio::site::Site;
    use crate::random::{Purpose, Seed, Stream};

    #[test]
    fn a_k_of_0_db_is_half_straight_and_none_is_rayleigh() {
        assert_eq!(straight_share(Decibel(0.0)), 0.5);
        assert_eq!(straight_share(Decibel(f64::NEG_INFINITY)), 0.0);
        assert_eq!(straight_share(Decibel(f64::INFINITY)), 1.0);
        approx::assert_relative_eq!(straight_share(Decibel(10.0)), 10.0 / 11.0, max_relative = 1e-14);
        let link = Rician { z: 1.0 };
        assert_eq!(link.straight_share(Site::Uma.k_factor(), false), 0.0);
        assert_eq!(link.k_factor(Site::Uma.k_factor()), Decibel(12.5));
    }

    #[test]
    fn drawn_factors_have_the_mean_and_spread_of_the_site() {
        let mut rng = Seed::new(Purpose::Test, 6).stream(Stream::Channel);
        let law = Site::UmiStreetCanyon.k_factor();
        let drawn: Vec<f64> = (0..20_000).map(|_| Rician::draw(&mut rng).k_factor(law).0).collect();
        // Five standard errors: 5 * 5 / sqrt(20,000) = .18; of the variance 5 %.
        assert!((mean(&drawn) - 9.0).abs() < 0.18 && (variance(&drawn) / 25.0 - 1.0).abs() < 0.05);
    }
}
