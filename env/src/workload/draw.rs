//! Draws from continuous laws by `libm` alone: the same numbers on every machine.
//!
//! Source: normal, Box and Muller (1958); gamma, Marsaglia and Tsang, "A simple method for generating gamma variables",
//! ACM TOMS 26 (2000).

use crate::random::{Seed, SimRng, Stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// The generators that requests are drawn from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Streams {
    /// Of the requests.
    pub(crate) arrivals: SimRng,
    /// Of the ranking of services, and of the state and the phase that all requests share.
    pub(crate) popularity: SimRng,
}

impl Streams {
    /// The generators of an episode.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { arrivals: seed.stream(Stream::Arrivals), popularity: seed.stream(Stream::Popularity) }
    }
}

/// The place of a weight that is drawn in proportion to its size: weights use up `left`, which is uniform from 0 to their
/// sum. Rounding ends at the last that is possible.
pub(crate) fn weighted(weights: impl IntoIterator<Item = f64>, mut left: f64) -> usize {
    let mut last = 0;
    for (place, weight) in weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0) {
        if left < weight {
            return place;
        }
        left -= weight;
        last = place;
    }
    last
}

/// A number between 0 and 1, never 0.
fn positive_uniform(rng: &mut SimRng) -> f64 {
    1.0 - rng.random::<f64>()
}

/// Exponential, mean 1.
pub(crate) fn exponential(rng: &mut SimRng) -> f64 {
    -libm::log(positive_uniform(rng))
}

/// Normal, mean 0 and variance 1; always two numbers of the generator.
pub(crate) fn normal(rng: &mut SimRng) -> f64 {
    let radius = libm::sqrt(2.0 * exponential(rng));
    radius * libm::cos(TAU * rng.random::<f64>())
}

/// Normal, given that it is above `least`.
///
/// Source: Robert, "Simulation of truncated normal variables" (1995): a shifted exponential where the tail is rare.
pub(crate) fn normal_above(least: f64, rng: &mut SimRng) -> f64 {
    if least <= 0.0 {
        loop {
            let drawn = normal(rng);
            if drawn > least {
                return drawn;
            }
        }
    }
    let rate = f64::midpoint(least, libm::sqrt(least * least + 4.0));
    loop {
        let drawn = least + exponential(rng) / rate;
        if exponential(rng) > (drawn - rate) * (drawn - rate) / 2.0 {
            return drawn;
        }
    }
}

/// Gamma with this shape, above 0, and scale 1.
pub(crate) fn gamma(shape: f64, rng: &mut SimRng) -> f64 {
    if shape < 1.0 {
        let boost = libm::exp(-exponential(rng) / shape);
        return gamma(shape + 1.0, rng) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(rng);
        let root = 1.0 + c * x;
        if root > 0.0 {
            let v = root * root * root;
            if -exponential(rng) < x * x / 2.0 + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

/// Gamma with this shape and scale 1, given that it is above `least`.
pub(crate) fn gamma_above(shape: f64, least: f64, rng: &mut SimRng) -> f64 {
    // Below the mode, or where a bounded part of the law lies above: draw until it does.
    let is_common = if shape < 1.0 { least < shape.min(0.1) } else { least <= shape };
    if is_common {
        loop {
            let drawn = gamma(shape, rng);
            if drawn >= least {
                return drawn;
            }
        }
    }
    // Beyond it the density falls at least as fast as an exponential with the slope of its logarithm at `least`; for a shape
    // below 1 the slope is least far out, where it is 1.
    let slope = if shape < 1.0 { 1.0 } else { 1.0 - (shape - 1.0) / least };
    loop {
        let drawn = least + exponential(rng) / slope;
        let excess = (shape - 1.0) * libm::log(drawn / least) - (1.0 - slope) * (drawn - least);
        if -exponential(rng) < excess {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    const DRAWS: u32 = 100_000;

    /// Mean and variance of many draws.
    fn moments(mut draw: impl FnMut(&mut SimRng) -> f64) -> (f64, f64) {
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Arrivals);
        let draws: Vec<f64> = (0..DRAWS).map(|_| draw(&mut rng)).collect();
        let n = f64::from(DRAWS);
        let mean = draws.iter().sum::<f64>() / n;
        (mean, draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
    }

    fn is_near(got: f64, expected: f64, tolerance: f64) -> bool {
        (got - expected).abs() <= tolerance
    }

    #[test]
    fn the_laws_have_their_means_and_variances() {
        let (mean, variance) = moments(exponential);
        assert!(is_near(mean, 1.0, 0.016) && is_near(variance, 1.0, 0.06), "{mean} {variance}");
        let (mean, variance) = moments(normal);
        assert!(is_near(mean, 0.0, 0.016) && is_near(variance, 1.0, 0.025), "{mean} {variance}");
        for shape in [0.25, 1.0, 4.0, 400.0] {
            // Five standard errors: sqrt(shape / n), and sqrt((6 shape + 2 shape^2) / n) by the fourth moment.
            let (mean, variance) = moments(|rng| gamma(shape, rng));
            let n = f64::from(DRAWS);
            assert!(is_near(mean, shape, 5.0 * (shape / n).sqrt()), "{shape}: {mean}");
            let error = 5.0 * ((6.0 * shape + 2.0 * shape * shape) / n).sqrt();
            assert!(is_near(variance, shape, error), "{shape}: {variance}");
        }
    }

    #[test]
    fn what_is_given_to_be_above_a_bound_is_as_if_drawn_until_it_is() {
        for (shape, least) in [(0.25, 0.01), (0.25, 0.5), (1.0, 2.0), (4.0, 2.0), (4.0, 9.0)] {
            let naive = moments(|rng| {
                loop {
                    let drawn = gamma(shape, rng);
                    if drawn > least {
                        return drawn;
                    }
                }
            });
            let (mean, variance) = moments(|rng| gamma_above(shape, least, rng));
            assert!(is_near(mean, naive.0, 0.02 * naive.0), "{shape} {least}: {mean} {naive:?}");
            assert!(is_near(variance, naive.1, 0.08 * naive.1), "{shape} {least}: {variance} {naive:?}");
        }
        for least in [-1.0, 0.5, 2.0] {
            let naive = moments(|rng| {
                loop {
                    let drawn = normal(rng);
                    if drawn > least {
                        return drawn;
                    }
                }
            });
            let (mean, variance) = moments(|rng| normal_above(least, rng));
            assert!(is_near(mean, naive.0, 0.02), "{least}: {mean} {naive:?}");
            assert!(is_near(variance, naive.1, 0.05 * naive.1), "{least}: {variance} {naive:?}");
        }
    }
}
