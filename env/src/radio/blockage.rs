//! Passers-by that step between a user and the base stations.
//!
//! *Models.* A user who is now and then behind somebody: all links of the user lose as much for a while.
//!
//! *Equation.*
//!
//! ```text
//! alpha = (2 / pi) density speed reach            mu = 1 / mean duration          per second
//! Pr(blocked after t) = p + (blocked now - p) exp(-(alpha + mu) t)                p = alpha / (alpha + mu)
//! ```
//!
//! *Symbols.* density: passers-by per m2; speed: of them, m/s; reach: the length of the link, seen from the user, that is lower
//! than a head, m; alpha, mu: rates at which a blockage begins and ends; p: share of the time that a user is blocked.
//!
//! *Assumptions.* A two-state Markov process of the user, the same for all cells: a cheap stand-in for model B of the standard
//! (section 7.6.4.2), which places screens around each user. The transition is exact over any time.
//!
//! *Source.* Rates: Jain, Kumar, Panwar, "The impact of mobile blockers on millimeter wave cellular systems", IEEE J. Selected
//! Areas in Communications 37 (2019), arXiv 1808.06207.

use crate::invalid::{Invalid, between};
use crate::radio::normal::uniform;
use crate::units::Decibel;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Rates and loss of blockages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blockage {
    begins_per_s: f64,
    ends_per_s: f64,
    /// The loss of a blocked link.
    pub loss: Decibel,
}

/// `[radio.blockage]`: passers-by; nobody is in the way when the table is absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockageConfig {
    /// Passers-by per square metre, 0 to 10 (0.01 in a quiet street, 0.1 in a busy one).
    pub density_per_m2: f64,
    /// Their speed in m/s, 0 to 50 (1).
    pub speed_m_per_s: f64,
    /// Metres of the link, from the user on, that pass lower than a head, 0 to 1000.
    pub reach_m: f64,
    /// Mean seconds that a blockage lasts, 0.001 to 10,000 (0.5).
    pub mean_duration_s: f64,
    /// What a blocked link loses in dB, 0 to 60 (10 to 20 at 28 GHz).
    pub loss_db: f64,
}

impl BlockageConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str) -> Result<Blockage, Invalid> {
        let density = between(table, "density_per_m2", self.density_per_m2, 0.0, 10.0)?;
        let speed = between(table, "speed_m_per_s", self.speed_m_per_s, 0.0, 50.0)?;
        let reach = between(table, "reach_m", self.reach_m, 0.0, 1000.0)?;
        Ok(Blockage {
            begins_per_s: std::f64::consts::FRAC_2_PI * density * speed * reach,
            ends_per_s: 1.0 / between(table, "mean_duration_s", self.mean_duration_s, 1e-3, 10_000.0)?,
            loss: Decibel(between(table, "loss_db", self.loss_db, 0.0, 60.0)?),
        })
    }
}

impl Blockage {
    /// The share of the time that a user is blocked.
    pub fn prob(&self) -> f64 {
        self.begins_per_s / (self.begins_per_s + self.ends_per_s)
    }

    /// A user that nothing is known of.
    pub fn draw(&self, rng: &mut impl Rng) -> bool {
        uniform(rng) < self.prob()
    }

    /// Whether a user is blocked `elapsed_s` seconds later. One word of the generator.
    pub fn advance(&self, is_blocked: bool, elapsed_s: f64, rng: &mut impl Rng) -> bool {
        let (prob, drawn) = (self.prob(), uniform(rng));
        // The probability approaches `prob` from its present value and never passes it: most draws need no exponential.
        if is_blocked == (drawn < prob) {
            return is_blocked;
        }
        let now = if is_blocked { 1.0 } else { 0.0 };
        let decay = libm::exp(-(self.begins_per_s + self.ends_per_s) * elapsed_s);
        drawn < prob + (now - prob) * decay
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::correlation;
    use crate::random::{Purpose, Seed, Stream};

    fn config() -> BlockageConfig {
        BlockageConfig {
            density_per_m2: 0.1,
            speed_m_per_s: 1.0,
            reach_m: 5.0,
            mean_duration_s: 0.5,
            loss_db: 15.0,
        }
    }

    #[test]
    fn a_busy_street_blocks_a_user_one_second_in_seven() {
        let blockage = config().validate("radio.blockage").unwrap();
        // alpha = 2/pi * 0.5 = 0.31831, mu = 2: p = 0.13730.
        assert!((blockage.prob() - 0.137_30).abs() < 1e-5);
        assert_eq!(blockage.loss, Decibel(15.0));
    }

    #[test]
    fn one_long_step_and_many_short_ones_have_the_same_probability_and_correlation() {
        let blockage = config().validate("radio.blockage").unwrap();
        let mut rng = Seed::new(Purpose::Test, 7).stream(Stream::Channel);
        for (steps, elapsed_s) in [(1, 0.4), (8, 0.05)] {
            let pairs: Vec<(f64, f64)> = (0..40_000)
                .map(|_| {
                    let before = blockage.draw(&mut rng);
                    let mut now = before;
                    for _ in 0..steps {
                        now = blockage.advance(now, elapsed_s, &mut rng);
                    }
                    (f64::from(u8::from(before)), f64::from(u8::from(now)))
                })
                .collect();
            let share = pairs.iter().map(|pair| pair.1).sum::<f64>() / pairs.len() as f64;
            // Five standard errors: 5 sqrt(.118 / 40,000) = .0086; 5 / sqrt(40,000) = .025, wider as the states are rare.
            assert!((share - blockage.prob()).abs() < 0.0086, "{steps} steps: {share}");
            let expected = libm::exp(-0.4 * (std::f64::consts::FRAC_1_PI + 2.0));
            assert!((correlation(&pairs) - expected).abs() < 0.03, "{steps} steps: {}", correlation(&pairs));
        }
    }

    #[test]
    fn no_time_changes_nothing() {
        let blockage = config().validate("radio.blockage").unwrap();
        let mut rng = Seed::new(Purpose::Test, 8).stream(Stream::Channel);
        for _ in 0..1_000 {
            assert!(blockage.advance(true, 0.0, &mut rng) && !blockage.advance(false, 0.0, &mut rng));
        }
    }

    #[test]
    fn a_blockage_that_never_lasts_is_refused() {
        let error =
            BlockageConfig { mean_duration_s: 0.0, ..config() }.validate("radio.blockage").unwrap_err();
        assert_eq!(error.to_string(), "radio.blockage.mean_duration_s = 0.0: a number from 0.001 to 10000.0");
    }
}
