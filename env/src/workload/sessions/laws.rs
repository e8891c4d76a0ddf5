//! The laws of a session: how long, how many, how much.
//!
//! Equation: a lognormal with mean m and coefficient of variation c has `sigma^2 = ln(1 + c^2)`, `mu = ln m - sigma^2 / 2`.
//! Drawn in proportion to its length it is a lognormal with `mu + sigma^2`. Token counts are rounded to the nearest integer
//! and clipped, at least 1.

use crate::random::SimRng;
use crate::workload::draw;
use rand::RngExt;

/// The law of the time between two requests of a session, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GapTime {
    /// Exponential.
    Exponential {
        /// Mean, s.
        mean_s: f64,
    },
    /// Lognormal.
    LogNormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

impl GapTime {
    /// Lognormal with this mean and coefficient of variation; the arguments have been validated.
    pub(crate) fn lognormal(mean_s: f64, cv: f64) -> Self {
        let (mu, sigma) = log_moments(mean_s, cv);
        Self::LogNormal { mu, sigma }
    }

    /// Mean, s.
    pub fn mean_s(self) -> f64 {
        match self {
            Self::Exponential { mean_s } => mean_s,
            Self::LogNormal { mu, sigma } => libm::exp(mu + sigma * sigma / 2.0),
        }
    }

    /// A time; always two numbers of the generator.
    pub(crate) fn draw(self, rng: &mut SimRng) -> f64 {
        match self {
            Self::Exponential { mean_s } => {
                let time_s = mean_s * draw::exponential(rng);
                let _: f64 = rng.random();
                time_s
            }
            Self::LogNormal { mu, sigma } => libm::exp(mu + sigma * draw::normal(rng)),
        }
    }

    /// A time that is found running: what has passed of it and what is left.
    pub(crate) fn open(self, rng: &mut SimRng) -> (f64, f64) {
        let time_s = match self {
            Self::Exponential { mean_s } => mean_s * draw::gamma(2.0, rng),
            Self::LogNormal { mu, sigma } => libm::exp(mu + sigma * sigma + sigma * draw::normal(rng)),
        };
        let passed = time_s * rng.random::<f64>();
        (passed, time_s - passed)
    }

    /// The probability of a longer time.
    pub(crate) fn prob_above(self, least_s: f64) -> f64 {
        match self {
            Self::Exponential { mean_s } => libm::exp(-least_s / mean_s),
            Self::LogNormal { mu, sigma } if least_s > 0.0 => {
                libm::erfc((libm::log(least_s) - mu) / (sigma * std::f64::consts::SQRT_2)) / 2.0
            }
            Self::LogNormal { .. } => 1.0,
        }
    }

    /// A time that one in a thousand exceeds.
    pub(crate) fn longest_s(self) -> f64 {
        match self {
            Self::Exponential { mean_s } => mean_s * libm::log(1000.0),
            // The normal quantile of .999.
            Self::LogNormal { mu, sigma } => libm::exp(mu + 3.090_232 * sigma),
        }
    }

    /// A time that is known to be longer than `least_s`.
    pub(crate) fn above(self, least_s: f64, rng: &mut SimRng) -> f64 {
        match self {
            Self::Exponential { mean_s } => least_s + mean_s * draw::exponential(rng),
            Self::LogNormal { mu, sigma } if least_s > 0.0 => {
                let least = (libm::log(least_s) - mu) / sigma;
                libm::exp(mu + sigma * draw::normal_above(least, rng)).max(least_s)
            }
            Self::LogNormal { .. } => self.draw(rng),
        }
    }
}

/// The law of a number of tokens: lognormal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tokens {
    mu: f64,
    sigma: f64,
}

impl Tokens {
    /// Lognormal with this mean and coefficient of variation; the arguments have been validated.
    pub(crate) fn lognormal(mean: f64, cv: f64) -> Self {
        let (mu, sigma) = log_moments(mean, cv);
        Self { mu, sigma }
    }

    /// Always this number: e^mu.
    #[cfg(test)]
    pub(crate) fn exactly(tokens: f64) -> Self {
        Self::lognormal(tokens, 0.0)
    }

    /// Mean number of tokens, before any clipping.
    pub fn mean(self) -> f64 {
        libm::exp(self.mu + self.sigma * self.sigma / 2.0)
    }

    /// Tokens, from 1 to `most`; always two numbers of the generator.
    pub(crate) fn draw(self, most: u32, rng: &mut SimRng) -> u32 {
        let tokens = libm::round(libm::exp(self.mu + self.sigma * draw::normal(rng)));
        tokens.clamp(1.0, f64::from(most.max(1))) as u32
    }
}

fn log_moments(mean: f64, cv: f64) -> (f64, f64) {
    let variance = libm::log1p(cv * cv);
    (libm::log(mean) - variance / 2.0, libm::sqrt(variance))
}

/// The law of the number of turns of a session, at least 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Turns {
    /// Another turn follows with the same probability after each.
    Geometric {
        /// That probability, below 1.
        more_prob: f64,
    },
    /// As counted somewhere.
    Empirical {
        /// Probability of more than 1, 2, ... turns; the last is 0.
        more_than: Vec<f64>,
    },
}

impl Turns {
    /// Geometric with this mean, at least 1.
    pub(crate) fn geometric(mean: f64) -> Self {
        Self::Geometric { more_prob: 1.0 - 1.0 / mean }
    }

    /// The share of sessions with 1, 2, ... turns; they sum to 1 but for rounding.
    pub(crate) fn empirical(shares: &[f64]) -> Self {
        let total: f64 = shares.iter().sum();
        let mut more_than = vec![0.0; shares.len()];
        let mut above = 0.0;
        for index in (0..shares.len()).rev() {
            more_than[index] = above / total;
            above += shares[index];
        }
        Self::Empirical { more_than }
    }

    /// Mean number of turns.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Geometric { more_prob } => 1.0 / (1.0 - more_prob),
            Self::Empirical { more_than } => 1.0 + more_than.iter().sum::<f64>(),
        }
    }

    /// The probability of another turn after so many, at least 1.
    pub(crate) fn more_prob(&self, turns: u32) -> f64 {
        match self {
            Self::Geometric { more_prob } => *more_prob,
            Self::Empirical { more_than } => {
                let index = turns as usize - 1;
                let reached = if index == 0 { 1.0 } else { more_than[(index - 1).min(more_than.len() - 1)] };
                more_than.get(index).map_or(0.0, |more| more / reached)
            }
        }
    }

    /// How many turns a session has behind it that is found between two: n with a probability in proportion to that of
    /// more than n.
    pub(crate) fn found_between(&self, rng: &mut SimRng) -> u32 {
        match self {
            Self::Geometric { more_prob } => 1 + geometric(*more_prob, rng),
            Self::Empirical { more_than } => {
                let left = rng.random::<f64>() * more_than.iter().sum::<f64>();
                draw::weighted(more_than.iter().copied(), left) as u32 + 1
            }
        }
    }

    /// How many turns a session has behind it that is found within one: n with a probability in proportion to that of more
    /// than n, 0 among them.
    pub(crate) fn found_within(&self, rng: &mut SimRng) -> u32 {
        if rng.random::<f64>() * self.mean() < 1.0 { 0 } else { self.found_between(rng) }
    }
}

/// Draws the number of successes of this probability before the first failure.
pub(crate) fn geometric(prob: f64, rng: &mut SimRng) -> u32 {
    if prob <= 0.0 {
        return 0;
    }
    (draw::exponential(rng) / -libm::log(prob)) as u32
}

/// Tool loops: a turn that needs more than one call of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tools {
    /// The probability that a turn is such a loop.
    pub prob: f64,
    /// The probability of another call after each that a tool has answered.
    pub more_prob: f64,
    /// From one call to the next.
    pub time: GapTime,
    /// The tokens that a tool answers.
    pub result_tokens: Tokens,
}

impl Tools {
    /// Calls that a turn has on average besides its first.
    pub fn mean_calls(&self) -> f64 {
        self.prob / (1.0 - self.more_prob)
    }

    /// The probability of another call after the first, or after a later one.
    pub(crate) fn call_prob(&self, call: u32) -> f64 {
        if call == 0 { self.prob } else { self.more_prob }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};
    use approx::assert_relative_eq;

    const DRAWS: u32 = 100_000;

    fn rng() -> SimRng {
        Seed::new(Purpose::Test, 1).stream(Stream::Tokens)
    }

    fn mean(mut draw: impl FnMut(&mut SimRng) -> f64) -> f64 {
        let mut rng = rng();
        (0..DRAWS).map(|_| draw(&mut rng)).sum::<f64>() / f64::from(DRAWS)
    }

    #[test]
    fn lognormal_times_and_tokens_have_their_mean_and_their_coefficient_of_variation() {
        let law = GapTime::lognormal(60.0, 1.5);
        assert_relative_eq!(law.mean_s(), 60.0, max_relative = 1e-12);
        let second = mean(|rng| law.draw(rng).powi(2));
        assert_relative_eq!(mean(|rng| law.draw(rng)), 60.0, max_relative = 0.03);
        assert_relative_eq!(second, 3600.0 * (1.0 + 2.25), max_relative = 0.15);
        let tokens = Tokens::lognormal(300.0, 0.8);
        assert_relative_eq!(mean(|rng| f64::from(tokens.draw(u32::MAX, rng))), 300.0, max_relative = 0.015);
        assert!(mean(|rng| f64::from(tokens.draw(100, rng))) <= 100.0);
    }

    #[test]
    fn a_time_that_is_found_running_is_long_and_half_of_it_has_passed() {
        // Mean of a length-biased law: m (1 + cv^2); exponential: twice the mean.
        for (law, expected) in
            [(GapTime::Exponential { mean_s: 30.0 }, 60.0), (GapTime::lognormal(30.0, 0.5), 37.5)]
        {
            let (passed, left) = (mean(|rng| law.open(rng).0), mean(|rng| law.open(rng).1));
            assert_relative_eq!(passed, expected / 2.0, max_relative = 0.02);
            assert_relative_eq!(left, expected / 2.0, max_relative = 0.02);
        }
    }

    #[test]
    fn what_is_known_to_last_longer_is_as_if_drawn_until_it_does() {
        let law = GapTime::lognormal(30.0, 0.9);
        for least_s in [0.0, 10.0, 70.0] {
            let naive = mean(|rng| {
                loop {
                    let time_s = law.draw(rng);
                    if time_s > least_s {
                        return time_s;
                    }
                }
            });
            assert_relative_eq!(mean(|rng| law.above(least_s, rng)), naive, max_relative = 0.02);
        }
    }

    #[test]
    fn longer_times_are_as_likely_as_they_are_drawn() {
        for law in [GapTime::Exponential { mean_s: 30.0 }, GapTime::lognormal(30.0, 0.9)] {
            for least_s in [10.0, 70.0] {
                let share = mean(|rng| f64::from(u8::from(law.draw(rng) > least_s)));
                assert!((law.prob_above(least_s) - share).abs() < 0.008, "{law:?} {least_s}: {share}");
            }
            assert_relative_eq!(law.prob_above(law.longest_s()), 0.001, max_relative = 1e-4);
            assert_eq!(law.prob_above(0.0), 1.0);
        }
    }

    #[test]
    fn turns_are_geometric_or_as_counted() {
        let count = |turns: &Turns, rng: &mut SimRng| {
            let mut n = 1;
            while rng.random::<f64>() < turns.more_prob(n) {
                n += 1;
            }
            f64::from(n)
        };
        let geometric = Turns::geometric(4.0);
        assert_eq!(geometric.mean(), 4.0);
        assert_relative_eq!(mean(|rng| count(&geometric, rng)), 4.0, max_relative = 0.02);
        // P(n > 3) = (3/4)^3.
        let long = mean(|rng| f64::from(u8::from(count(&geometric, rng) > 3.0)));
        assert_relative_eq!(long, 27.0 / 64.0, max_relative = 0.02);
        let counted = Turns::empirical(&[0.5, 0.0, 0.25, 0.25]);
        assert_eq!(counted.mean(), 0.5 + 0.75 + 1.0);
        let shares = [1.0, 2.0, 3.0, 4.0].map(|n| mean(|rng| f64::from(u8::from(count(&counted, rng) == n))));
        for (share, expected) in shares.iter().zip([0.5, 0.0, 0.25, 0.25]) {
            assert!((share - expected).abs() < 0.008, "{shares:?}");
        }
        // Between turns: more than 1, 2, 3 turns have .5, .5, .25 of the sessions.
        let between = [1, 2, 3].map(|n| mean(|rng| f64::from(u8::from(counted.found_between(rng) == n))));
        for (share, expected) in between.iter().zip([0.4, 0.4, 0.2]) {
            assert!((share - expected).abs() < 0.008, "{between:?}");
        }
    }
}
