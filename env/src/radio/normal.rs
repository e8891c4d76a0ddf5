//! Normal and uniform draws whose bits do not depend on the platform.
//!
//! *Models.* A standard normal number from one uniform number: the inverse of the normal distribution.
//!
//! *Equation.* `z = Phi^-1(u)`, a rational approximation in three pieces.
//!
//! *Symbols.* u: uniform in (0, 1), 52 bits; z: standard normal, at most 8.2 from 0.
//!
//! *Assumptions.* Within 2e-7 of the exact quantile, relative: states are kept in single precision. One word of the generator a
//! draw, whatever comes out: the draws of a user stay in step. (The ziggurat method takes a varying number of words and calls the
//! platform's `exp` and `ln`.)
//!
//! *Source.* M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988),
//! routine PPND7.

use rand::Rng;

/// The normal quantile of a probability between 0 and 1, neither of them.
pub(crate) fn quantile(probability: f64) -> f64 {
    let centred = probability - 0.5;
    if centred.abs() <= 0.425 {
        let x = 0.180_625 - centred * centred;
        let above = ((59.109_374_720 * x + 159.291_132_02) * x + 50.434_271_938) * x + 3.387_132_717_9;
        let below = ((67.187_563_600 * x + 78.757_757_664) * x + 17.895_169_469) * x + 1.0;
        return centred * above / below;
    }
    let tail = if centred < 0.0 { probability } else { 1.0 - probability };
    let root = (-libm::log(tail)).sqrt();
    let size = if root <= 5.0 {
        let x = root - 1.6;
        let above = ((0.170_238_211_03 * x + 1.306_728_481_6) * x + 2.756_815_390_0) * x + 1.423_437_277_7;
        above / ((0.120_211_329_75 * x + 0.737_001_642_50) * x + 1.0)
    } else {
        let x = root - 5.0;
        let above = ((0.017_337_203_997 * x + 0.428_682_943_37) * x + 3.081_226_386_0) * x + 6.657_905_115_0;
        above / ((0.012_258_202_635 * x + 0.241_978_942_25) * x + 1.0)
    };
    size.copysign(centred)
}

/// Distance of neighbouring uniform numbers: 2^-52.
const STEP: f64 = f64::EPSILON;

/// A number strictly between 0 and 1.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 12) as f64 + 0.5) * STEP
}

/// A standard normal number.
pub(crate) fn standard_normal(rng: &mut impl Rng) -> f64 {
    quantile(uniform(rng))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};

    #[test]
    fn the_quantile_undoes_the_normal_distribution() {
        for z in [-8.0, -6.5, -5.0, -3.0, -1.5, -1.0, -0.3, 0.0, 0.1, 1.0, 1.6, 2.5, 4.0] {
            let probability = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
            assert!(
                (quantile(probability) - z).abs() <= 2e-7 * f64::abs(z),
                "{z}: {}",
                quantile(probability)
            );
        }
    }

    #[test]
    fn draws_have_mean_0_variance_1_and_the_fourth_moment_of_a_normal() {
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Channel);
        let n = 100_000;
        let (mut first, mut second, mut fourth) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = standard_normal(&mut rng);
            (first, second, fourth) = (first + z, second + z * z, fourth + z.powi(4));
        }
        // Five standard errors of each: 1, 2 and 96 are the variances of z, z^2 and z^4.
        let bound = |variance: f64| 5.0 * (variance / f64::from(n)).sqrt();
        assert!((first / f64::from(n)).abs() < bound(1.0));
        assert!((second / f64::from(n) - 1.0).abs() < bound(2.0));
        assert!((fourth / f64::from(n) - 3.0).abs() < bound(96.0));
    }
}
