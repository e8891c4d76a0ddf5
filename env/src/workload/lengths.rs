//! The length of each request's thought, where lengths vary (`thought.cv`).
//!
//! Equation:
//! ```text
//! X = exp(sigma z - sigma^2 / 2)       sigma^2 = ln(1 + cv^2), z normal
//! ```
//! Symbols: `X` the length of a request's thought as a multiple of its service's mean: a lognormal number with mean 1 and this
//! coefficient of variation. A request adds `X J k` tokens to the context where it is served, and takes `X` times the mean
//! number of floating-point operations there.
//!
//! Assumptions: lengths are known when a request is decided, and do not depend on one another (ours). Nothing here depends on
//! an action.

use crate::kept::is_amount;
use crate::random::{Purpose, Seed, SimRng, Stream};
use crate::workload::draw;
use serde::{Deserialize, Serialize};

/// The lengths of the thoughts of the present slot's requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Lengths {
    /// Standard deviation of the logarithm; 0 where all thoughts of a service are alike, and none is drawn.
    #[serde(skip)]
    sigma: f64,
    rng: SimRng,
    /// Multiples of the mean, in the order of the slot's batches.
    of_slot: Vec<f64>,
}

impl Lengths {
    /// Thoughts with this coefficient of variation, before the first episode.
    pub(crate) fn new(cv: f64) -> Self {
        let rng = Seed::new(Purpose::Train, 0).stream(Stream::Thoughts);
        Self { sigma: libm::sqrt(libm::log1p(cv * cv)), rng, of_slot: Vec::new() }
    }

    /// Another episode.
    pub(crate) fn reseed(&mut self, seed: Seed) {
        self.rng = seed.stream(Stream::Thoughts);
    }

    /// Another future, in which the first `told` requests of the present slot stay as they are.
    pub(crate) fn reseed_future(&mut self, seed: Seed, told: usize) {
        self.reseed(seed);
        let requests = self.of_slot.len();
        self.of_slot.truncate(told);
        self.extend(requests);
    }

    /// Draws the lengths of a slot's requests, where they vary. Returns them.
    pub(crate) fn draw(&mut self, requests: usize) -> &[f64] {
        self.of_slot.clear();
        self.extend(requests);
        &self.of_slot
    }

    /// Draws until there are lengths for so many requests.
    fn extend(&mut self, requests: usize) {
        let Self { sigma, rng, of_slot } = self;
        if *sigma > 0.0 {
            let length = |_| libm::exp(*sigma * draw::normal(rng) - *sigma * *sigma / 2.0);
            of_slot.extend((of_slot.len()..requests).map(length));
        }
    }

    /// The length of the thought of a request of the slot.
    pub(crate) fn of(&self, request: usize) -> f64 {
        self.of_slot.get(request).copied().unwrap_or(1.0)
    }

    /// Takes the law from the lengths of the same scenario; whether there is one for each of so many requests.
    pub(crate) fn complete(&mut self, own: &Self, requests: usize) -> bool {
        self.sigma = own.sigma;
        let requests = if self.sigma > 0.0 { requests } else { 0 };
        self.of_slot.len() == requests && self.of_slot.iter().all(|&length| is_amount(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_mean_one_and_the_coefficient_of_variation() {
        const DRAWS: usize = 400_000;
        for cv in [0.5, 1.0] {
            let mut lengths = Lengths::new(cv);
            lengths.reseed(Seed::new(Purpose::Test, 1));
            let drawn = lengths.draw(DRAWS).to_vec();
            let n = DRAWS as f64;
            let mean = drawn.iter().sum::<f64>() / n;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            // Six standard errors: of the mean cv / sqrt(n), of the variance sqrt((kurtosis - 1) / n) cv^2, kurtosis 41 at cv 1.
            assert!((mean - 1.0).abs() < 6.0 * cv / n.sqrt(), "cv {cv}: mean {mean}");
            assert!((variance / (cv * cv) - 1.0).abs() < 6.0 * (40.0 / n).sqrt(), "cv {cv}: {variance}");
            assert_eq!(lengths.of(3), drawn[3]);
        }
    }

    #[test]
    fn thoughts_that_are_alike_have_length_one_and_nothing_is_drawn() {
        let mut lengths = Lengths::new(0.0);
        assert!(lengths.draw(5).is_empty());
        assert_eq!(lengths.of(3), 1.0);
    }
}
