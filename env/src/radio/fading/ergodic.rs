//! The mean rate over fading.
//!
//! *Models.* A slot in which a code sees every state of a Rician or Rayleigh channel.
//!
//! *Equation.* `C(g, t) = E[min(cap, log2(1 + g X))]`, `X = |sqrt(t) + sqrt(1 - t) n|^2`; without a straight path (t = 0)
//! `C(g, 0) = exp(1/g) (E1(1/g) - E1(2^cap / g)) / ln 2`, with nothing else (t = 1) `min(cap, log2(1 + g))`.
//!
//! *Symbols.* g: mean signal-to-noise ratio, linear; X: power of the fading, mean 1; t: straight share of the power, K / (K + 1);
//! n: complex normal number of unit power; E1: exponential integral; cap: the most bits that are carried at an instant, infinite in
//! the first edition.
//!
//! *Assumptions.* Interference does not fade. The mean is read from a table over (g, t), linear in both between its entries: 8
//! to the octave from 2^-10 to 2^20 (-30 to 60 dB), 17 shares. Within 0.2 % of the exact value there; below, C is proportional
//! to g, above it grows by log2 up to the cap. A straight path alone has a corner at the cap, where the table is up to .04 bits lower.
//!
//! *Source.* Goldsmith, "Wireless Communications", section 4.2.3.

use std::sync::{Arc, LazyLock};

const NUM_OCTAVES: usize = 30;
const PER_OCTAVE: usize = 8;
const NUM_SNRS: usize = NUM_OCTAVES * PER_OCTAVE + 1;
const NUM_SHARES: usize = 17;
/// Points of the integral over the envelope.
const NUM_NODES: usize = 256;
const LEAST_SNR: f64 = 1.0 / 1024.0;
const GREATEST_SNR: f64 = 1_048_576.0;

/// The table; 16 kB.
#[derive(Clone, Debug, PartialEq)]
pub struct ErgodicRate {
    /// The most bits that are carried at an instant.
    pub cap: f64,
    /// By signal-to-noise ratio, then by straight share.
    log2_mean: Vec<f32>,
}

static SHARED: LazyLock<Arc<ErgodicRate>> = LazyLock::new(|| Arc::new(ErgodicRate::capped(f64::INFINITY)));

impl ErgodicRate {
    /// The one table without a cap. The first call computes it, some milliseconds.
    pub fn shared() -> &'static Arc<Self> {
        &SHARED
    }

    /// The table with a cap, some milliseconds.
    pub fn capped(cap: f64) -> Self {
        let mut log2_mean = vec![0.0; NUM_SNRS * NUM_SHARES];
        for share in 0..NUM_SHARES {
            let nodes = powers(share as f64 / (NUM_SHARES - 1) as f64);
            for index in 0..NUM_SNRS {
                let g = snr_of(index);
                let mean: f64 =
                    nodes.iter().map(|(power, weight)| weight * libm::log2(1.0 + g * power).min(cap)).sum();
                log2_mean[index * NUM_SHARES + share] = mean as f32;
            }
        }
        Self { cap, log2_mean }
    }

    /// Mean of `min(cap, log2(1 + g X))` for a mean signal-to-noise ratio g (linear, at least 0) and a straight share of 0 to 1.
    pub fn log2_mean(&self, mean_snr: f64, straight_share: f64) -> f64 {
        if mean_snr < LEAST_SNR {
            return self.inside(LEAST_SNR, straight_share) * (mean_snr / LEAST_SNR);
        }
        if mean_snr < GREATEST_SNR {
            return self.inside(mean_snr, straight_share);
        }
        let last = self.between((NUM_SNRS - 1) * NUM_SHARES, straight_share);
        (last + libm::log2(mean_snr / GREATEST_SNR)).min(self.cap)
    }

    /// Within the table: the exponent and the first bits of the mantissa are the entry, the rest is the way to the next one.
    fn inside(&self, snr: f64, straight_share: f64) -> f64 {
        const REST_BITS: u32 = 52 - PER_OCTAVE.trailing_zeros();
        let bits = snr.to_bits();
        let first = f64::to_bits(LEAST_SNR) >> REST_BITS;
        let index = (bits >> REST_BITS) - first;
        let rest = bits & ((1 << REST_BITS) - 1);
        let way = rest as f64 / (1_u64 << REST_BITS) as f64;
        let row = index as usize * NUM_SHARES;
        let (low, high) = (self.between(row, straight_share), self.between(row + NUM_SHARES, straight_share));
        low + way * (high - low)
    }

    fn between(&self, row: usize, straight_share: f64) -> f64 {
        let place = straight_share * (NUM_SHARES - 1) as f64;
        let below = (place as usize).min(NUM_SHARES - 2);
        let (low, high) =
            (f64::from(self.log2_mean[row + below]), f64::from(self.log2_mean[row + below + 1]));
        low + (place - below as f64) * (high - low)
    }
}

fn snr_of(index: usize) -> f64 {
    let octave = LEAST_SNR * (1_u64 << (index / PER_OCTAVE)) as f64;
    octave * (1.0 + (index % PER_OCTAVE) as f64 / PER_OCTAVE as f64)
}

/// Powers of the fading with a straight share, and their probabilities: the trapezoidal rule over the envelope, whose
/// density is Rice's. The sums of probability and power are made exactly 1.
fn powers(straight_share: f64) -> Vec<(f64, f64)> {
    let diffuse = 1.0 - straight_share;
    if diffuse <= 0.0 {
        return vec![(1.0, 1.0)];
    }
    let centre = straight_share.sqrt();
    let spread = (diffuse / 2.0).sqrt();
    let from = (centre - 8.0 * spread).max(0.0);
    let step = (centre + 8.0 * spread - from) / NUM_NODES as f64;
    let mut nodes: Vec<(f64, f64)> = (1..NUM_NODES)
        .map(|node| {
            let r = from + node as f64 * step;
            let offset = r - centre;
            let density = r * libm::exp(-offset * offset / diffuse) * bessel_i0e(2.0 * r * centre / diffuse);
            (r * r, density)
        })
        .collect();
    let total: f64 = nodes.iter().map(|node| node.1).sum();
    let power: f64 = nodes.iter().map(|node| node.0 * node.1).sum::<f64>() / total;
    for node in &mut nodes {
        *node = (node.0 / power, node.1 / total);
    }
    nodes
}

/// `exp(-x) I0(x)` for x of at least 0, within 2e-7 (Abramowitz and Stegun 9.8.1, 9.8.2).
fn bessel_i0e(x: f64) -> f64 {
    let horner = |coefficients: &[f64], y: f64| coefficients.iter().fold(0.0, |sum, next| sum * y + next);
    if x <= 3.75 {
        let y = (x / 3.75) * (x / 3.75);
        let small = [0.004_581_3, 0.036_076_8, 0.265_973_2, 1.206_749_2, 3.089_942_4, 3.515_622_9, 1.0];
        return libm::exp(-x) * horner(&small, y);
    }
    let large = [
        0.003_923_77,
        -0.016_476_33,
        0.026_355_37,
        -0.020_577_06,
        0.009_162_81,
        -0.001_575_65,
        0.002_253_19,
        0.013_285_92,
        0.398_942_28,
    ];
    horner(&large, 3.75 / x) / x.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::rician::straight_share;
    use crate::units::Decibel;

    /// The exponential integral: a series up to 1, a continued fraction beyond.
    fn e1(x: f64) -> f64 {
        if x <= 1.0 {
            let (mut sum, mut term) = (-0.577_215_664_901_532_9 - x.ln(), 1.0);
            for k in 1..40 {
                term *= -x / f64::from(k);
                sum -= term / f64::from(k);
            }
            return sum;
        }
        let mut fraction = 0.0;
        for k in (1..200).rev() {
            let k = f64::from(k);
            fraction = k / (1.0 + k / (x + fraction));
        }
        (-x).exp() / (x + fraction)
    }

    #[test]
    fn rayleigh_is_the_exponential_integral_within_half_a_percent() {
        for tenth_db in -300..=600 {
            let g = Decibel(f64::from(tenth_db) / 10.0).to_linear();
            // exp(1/g) overflows nowhere here: 1/g is at most 1000, so the product is taken as a continued fraction then.
            let exact =
                if g < 1.0 / 600.0 { g * (1.0 - g + 2.0 * g * g) } else { (1.0 / g).exp() * e1(1.0 / g) }
                    / std::f64::consts::LN_2;
            let table = ErgodicRate::shared().log2_mean(g, 0.0);
            assert!((table / exact - 1.0).abs() < 0.002, "{tenth_db}: {table} {exact}");
        }
    }

    #[test]
    fn a_cap_takes_the_tail_of_the_exponential_integral() {
        let capped = ErgodicRate::capped(7.4);
        for tenth_db in -100..=500 {
            let g = Decibel(f64::from(tenth_db) / 10.0).to_linear();
            let exact = (1.0 / g).exp() * (e1(1.0 / g) - e1(7.4_f64.exp2() / g)) / std::f64::consts::LN_2;
            let table = capped.log2_mean(g, 0.0);
            assert!((table / exact - 1.0).abs() < 0.003, "{tenth_db}: {table} {exact}");
        }
        // At 60 dB a fade below the cap has probability 2^7.4 / 1e6.
        assert!((capped.log2_mean(1e6, 0.0) - 7.4).abs() < 1e-3 && capped.log2_mean(1e9, 0.0) <= 7.4);
    }

    /// Over power and angle of the diffuse part: another way than the table's.
    fn rician(g: f64, share: f64) -> f64 {
        let (num_radii, num_angles) = (400, 200);
        let mut sum = 0.0;
        for i in 0..num_radii {
            let r = (f64::from(i) + 0.5) * 6.0 / f64::from(num_radii);
            let weight = 2.0 * r * (-r * r).exp() * 6.0 / f64::from(num_radii);
            for j in 0..num_angles {
                let angle = (f64::from(j) + 0.5) * std::f64::consts::PI / f64::from(num_angles);
                let diffuse = (1.0 - share).sqrt() * r;
                let power = share + diffuse * diffuse + 2.0 * share.sqrt() * diffuse * angle.cos();
                sum += weight * (g * power).ln_1p() / f64::from(num_angles);
            }
        }
        sum / std::f64::consts::LN_2
    }

    #[test]
    fn rician_is_its_integral_within_half_a_percent() {
        for k_db in [-10.0, -3.0, 0.0, 3.0, 7.0, 9.0, 13.0, 18.0, 25.0] {
            let share = straight_share(Decibel(k_db));
            for snr_db in [-30.0, -12.3, -3.1, 0.0, 4.7, 11.9, 25.3, 43.0, 59.9] {
                let g = Decibel(snr_db).to_linear();
                let table = ErgodicRate::shared().log2_mean(g, share);
                let exact = rician(g, share);
                assert!((table / exact - 1.0).abs() < 0.0025, "K {k_db} dB at {snr_db} dB: {table} {exact}");
            }
        }
    }

    #[test]
    fn a_purely_straight_path_does_not_fade_and_fading_never_helps() {
        for tenth_db in -400..=700 {
            let g = Decibel(f64::from(tenth_db) / 10.0).to_linear();
            let straight = ErgodicRate::shared().log2_mean(g, 1.0);
            assert!((straight / (1.0 + g).log2() - 1.0).abs() < 0.002, "{tenth_db}");
            let mut last = 0.0;
            for share in 0..=100 {
                let mean = ErgodicRate::shared().log2_mean(g, f64::from(share) / 100.0);
                assert!(mean >= last * (1.0 - 1e-6), "{tenth_db} {share}");
                last = mean;
            }
        }
        assert_eq!(ErgodicRate::shared().log2_mean(0.0, 0.3), 0.0);
    }

    #[test]
    fn the_rate_grows_with_the_signal_across_all_seams() {
        let mut last = 0.0;
        for step in 0..20_000 {
            let mean = ErgodicRate::shared().log2_mean(1e-5 * 1.0017_f64.powi(step), 0.4);
            assert!(mean > last, "{step}");
            last = mean;
        }
    }
}
