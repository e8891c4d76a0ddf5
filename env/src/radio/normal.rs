//! Normal and uniform draws whose bits do not depend on the platform.
//!
//! *Models.* A standard normal number from one uniform number: the inverse of the normal distribution.
//!
//! *Equation.* `z = Phi^-1(u)`, a rational approximation in three pieces.
//!
//! *Symbols.* u: uniform in (0, 1), 53 bits; z: standard normal, at most 8.2 from 0.
//!
//! *Assumptions.* Relative error about 1e-16. One word of the generator a draw, whatever comes out: the draws of a user stay
//! in step. (The ziggurat method takes a varying number and calls the platform's `exp` and `ln`.)
//!
//! *Source.* M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988).

use rand::Rng;

/// Numerator and denominator in the middle, where `|u - 1/2| <= 0.425`.
const MIDDLE: [[f64; 8]; 2] = [
    [
        2_509.080_928_730_122_6,
        33_430.575_583_588_13,
        67_265.770_927_008_7,
        45_921.953_931_549_87,
        13_731.693_765_509_46,
        1_971.590_950_306_551_3,
        133.141_667_891_784_38,
        3.387_132_872_796_366_5,
    ],
    [
        5_226.495_278_852_854,
        28_729.085_735_721_943,
        39_307.895_800_092_71,
        21_213.794_301_586_597,
        5_394.196_021_424_751,
        687.187_007_492_057_9,
        42.313_330_701_600_91,
        1.0,
    ],
];
/// Between the middle and the far tails.
const SHOULDER: [[f64; 8]; 2] = [
    [
        7.745_450_142_783_414e-4,
        0.022_723_844_989_269_184,
        0.241_780_725_177_450_6,
        1.270_458_252_452_368_4,
        3.647_848_324_763_204_5,
        5.769_497_221_460_691,
        4.630_337_846_156_546,
        1.423_437_110_749_683_5,
    ],
    [
        1.050_750_071_644_416_9e-9,
        5.475_938_084_995_345e-4,
        0.015_198_666_563_616_457,
        0.148_103_976_427_480_08,
        0.689_767_334_985_1,
        1.676_384_830_183_803_8,
        2.053_191_626_637_759,
        1.0,
    ],
];
/// The far tails, `u < 1.4e-11` say.
const TAIL: [[f64; 8]; 2] = [
    [
        2.010_334_399_292_288_1e-7,
        2.711_555_568_743_487_6e-5,
        0.001_242_660_947_388_078_4,
        0.026_532_189_526_576_124,
        0.296_560_571_828_504_9,
        1.784_826_539_917_291_3,
        5.463_784_911_164_114,
        6.657_904_643_501_103,
    ],
    [
        2.044_263_103_389_939_8e-15,
        1.421_511_758_316_446e-7,
        1.846_318_317_510_054_8e-5,
        7.868_691_311_456_133e-4,
        0.014_875_361_290_850_615,
        0.136_929_880_922_735_8,
        0.599_832_206_555_888,
        1.0,
    ],
];

fn ratio(coefficients: &[[f64; 8]; 2], x: f64) -> f64 {
    let [above, below] =
        coefficients.map(|polynomial| polynomial.into_iter().fold(0.0, |sum, next| sum * x + next));
    above / below
}

/// The normal quantile of a probability between 0 and 1, neither of them.
pub(crate) fn quantile(probability: f64) -> f64 {
    let centred = probability - 0.5;
    if centred.abs() <= 0.425 {
        return centred * ratio(&MIDDLE, 0.180_625 - centred * centred);
    }
    let tail = if centred < 0.0 { probability } else { 1.0 - probability };
    let r = (-libm::log(tail)).sqrt();
    let size = if r <= 5.0 { ratio(&SHOULDER, r - 1.6) } else { ratio(&TAIL, r - 5.0) };
    size.copysign(centred)
}

/// A number strictly between 0 and 1.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    ((rng.next_u64() >> 12) as f64 + 0.5) * (0.5_f64).powi(52)
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
            assert!((quantile(probability) - z).abs() < 1e-12 * f64::max(1.0, f64::exp(z * z / 4.0)), "{z}");
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
