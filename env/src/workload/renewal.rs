//! Requests whose gaps are drawn one after the other: more regular than Poisson's, or burstier.
//!
//! Models: a renewal process, with gaps of Gamma's or Weibull's law. Recorded LLM traffic is fitted by both.
//!
//! Equation, gaps in units of their mean, `cv` their coefficient of variation (standard deviation by mean):
//! ```text
//! gamma     X = G(k) / k                     k = 1 / cv^2
//! weibull   X = E^(1/k) / Gamma(1 + 1/k)     cv^2 = Gamma(1 + 2/k) / Gamma(1 + 1/k)^2 - 1
//! time      an intensity of r requests a slot lets r mean gaps pass in a slot
//! start     the first gap is one that is found open: drawn in proportion to its length, at any point of it
//! ```
//! Symbols: `G(k)` gamma with shape k and scale 1; `E` exponential with mean 1. With cv = 1 both are Poisson's process.
//!
//! The start is the stationary one: the mean of a slot is its intensity from the first slot on, and what is left of a gap
//! goes on in the next slot. With an intensity that changes, gaps stretch with it.
//!
//! Source: Cox, Renewal Theory (1962); fits to recorded LLM requests: `ServeGen`, arXiv 2505.09999.

use super::draw;
use crate::random::SimRng;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The law of the gaps; its mean is 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GapLaw {
    /// Gamma's law.
    Gamma {
        /// One over the square of the coefficient of variation.
        shape: f64,
    },
    /// Weibull's law.
    Weibull {
        /// The exponent.
        shape: f64,
        /// The scale that makes the mean 1.
        scale: f64,
    },
}

impl GapLaw {
    /// Gamma gaps with this coefficient of variation, above 0.
    pub fn gamma(cv: f64) -> Self {
        Self::Gamma { shape: 1.0 / (cv * cv) }
    }

    /// Weibull gaps with this coefficient of variation, above 0.
    pub fn weibull(cv: f64) -> Self {
        // The coefficient falls as the exponent grows; 1 belongs to 1.
        let (mut low, mut high) = (1e-2, 1e5);
        for _ in 0..200 {
            let shape = libm::sqrt(low * high);
            if weibull_cv(shape) > cv { low = shape } else { high = shape }
        }
        let shape = libm::sqrt(low * high);
        Self::Weibull { shape, scale: libm::exp(-libm::lgamma(1.0 + 1.0 / shape)) }
    }

    /// The coefficient of variation.
    pub fn cv(self) -> f64 {
        match self {
            Self::Gamma { shape } => 1.0 / libm::sqrt(shape),
            Self::Weibull { shape, .. } => weibull_cv(shape),
        }
    }

    fn gap(self, rng: &mut SimRng) -> f64 {
        match self {
            Self::Gamma { shape } => draw::gamma(shape, rng) / shape,
            Self::Weibull { shape, scale } => scale * libm::pow(draw::exponential(rng), 1.0 / shape),
        }
    }

    /// A gap drawn in proportion to its length.
    fn open_gap(self, rng: &mut SimRng) -> f64 {
        match self {
            Self::Gamma { shape } => draw::gamma(shape + 1.0, rng) / shape,
            Self::Weibull { shape, scale } => {
                scale * libm::pow(draw::gamma(1.0 + 1.0 / shape, rng), 1.0 / shape)
            }
        }
    }

    /// A gap that is known to be longer than `age`.
    fn gap_beyond(self, age: f64, rng: &mut SimRng) -> f64 {
        match self {
            Self::Gamma { shape } => draw::gamma_above(shape, age * shape, rng) / shape,
            Self::Weibull { shape, scale } => {
                scale * libm::pow(libm::pow(age / scale, shape) + draw::exponential(rng), 1.0 / shape)
            }
        }
    }
}

fn weibull_cv(shape: f64) -> f64 {
    let ratio = libm::lgamma(1.0 + 2.0 / shape) - 2.0 * libm::lgamma(1.0 + 1.0 / shape);
    libm::sqrt(libm::expm1(ratio))
}

/// A running process: where in its present gap it is, in mean gaps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Renewal {
    /// Since the last request.
    #[serde(deserialize_with = "crate::kept::amount")]
    age: f64,
    /// Until the next.
    #[serde(deserialize_with = "crate::kept::amount")]
    left: f64,
}

impl Renewal {
    /// A process that has not begun.
    pub(crate) const SILENT: Self = Self { age: 0.0, left: 0.0 };

    /// A process that has been running for ever.
    pub(crate) fn stationary(law: GapLaw, rng: &mut SimRng) -> Self {
        let gap = law.open_gap(rng);
        let age = gap * rng.random::<f64>();
        Self { age, left: gap - age }
    }

    /// Lets so many mean gaps pass; tells each request with its place among them, from 0 to `span`.
    pub(crate) fn pass(&mut self, law: GapLaw, span: f64, rng: &mut SimRng, mut request: impl FnMut(f64)) {
        if self.left > span {
            self.left -= span;
            self.age += span;
            return;
        }
        let mut next = self.left;
        while next <= span {
            request(next);
            self.age = span - next;
            next += law.gap(rng);
        }
        self.left = next - span;
    }

    /// Draws what is left of the present gap anew, given how long it has lasted.
    pub(crate) fn redraw(&mut self, law: GapLaw, rng: &mut SimRng) {
        self.left = (law.gap_beyond(self.age, rng) - self.age).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};
    use approx::assert_relative_eq;

    fn rng(run: u64) -> SimRng {
        Seed::new(Purpose::Test, run).stream(Stream::Arrivals)
    }

    #[test]
    fn weibull_shapes_are_those_of_the_closed_form() {
        // Shape 1: cv 1. Shape 2: cv^2 = 4/pi - 1. Shape 1/2: Gamma(5) / Gamma(3)^2 - 1 = 5.
        for (shape, cv) in [(1.0, 1.0), (2.0, (4.0 / std::f64::consts::PI - 1.0).sqrt()), (0.5, 5_f64.sqrt())]
        {
            let GapLaw::Weibull { shape: found, scale } = GapLaw::weibull(cv) else { panic!("weibull") };
            assert_relative_eq!(found, shape, max_relative = 1e-9);
            assert_relative_eq!(scale * libm::tgamma(1.0 + 1.0 / shape), 1.0, max_relative = 1e-9);
            assert_relative_eq!(GapLaw::weibull(cv).cv(), cv, max_relative = 1e-9);
            assert_relative_eq!(GapLaw::gamma(cv).cv(), cv, max_relative = 1e-12);
        }
    }

    /// Mean and variance of the requests in the first `span` mean gaps of many processes.
    fn counts(law: GapLaw, span: f64, processes: u64) -> (f64, f64) {
        let mut rng = rng(1);
        let counts: Vec<f64> = (0..processes)
            .map(|_| {
                let (mut renewal, mut count) = (Renewal::stationary(law, &mut rng), 0.0);
                renewal.pass(law, span, &mut rng, |_| count += 1.0);
                count
            })
            .collect();
        let n = counts.len() as f64;
        let mean = counts.iter().sum::<f64>() / n;
        (mean, counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn a_process_is_stationary_from_its_first_slot_on() {
        for law in [GapLaw::gamma(0.4), GapLaw::gamma(3.0), GapLaw::weibull(0.4), GapLaw::weibull(3.0)] {
            for span in [0.25, 2.0] {
                let (mean, variance) = counts(law, span, 60_000);
                // A process that began with a whole gap would bring far fewer or far more in so short a time.
                assert!((mean - span).abs() < 5.0 * (variance / 60_000.0).sqrt(), "{law:?} {span}: {mean}");
            }
        }
    }

    #[test]
    fn the_index_of_dispersion_becomes_the_squared_coefficient_of_variation() {
        // Var N(t) / E N(t) -> cv^2 for long t.
        for (law, cv) in
            [(GapLaw::gamma(0.5), 0.5), (GapLaw::gamma(2.0), 2.0), (GapLaw::weibull(2.0), 2.0_f64)]
        {
            let (mean, variance) = counts(law, 400.0, 4000);
            let (index, expected) = (variance / mean, cv * cv);
            assert!((index / expected - 1.0).abs() < 0.12, "{law:?}: {index}");
        }
        // Gaps of cv 1 are Poisson's: variance and mean are one at any length.
        let (mean, variance) = counts(GapLaw::weibull(1.0), 2.0, 60_000);
        assert!((variance / mean - 1.0).abs() < 0.03);
    }

    #[test]
    fn requests_do_not_know_where_slots_end() {
        for law in [GapLaw::gamma(2.5), GapLaw::weibull(0.3)] {
            let play = |spans: &[f64]| {
                let mut rng = rng(3);
                let mut renewal = Renewal::stationary(law, &mut rng);
                let (mut begun, mut times) = (0.0, Vec::new());
                for span in spans {
                    renewal.pass(law, *span, &mut rng, |at| times.push(begun + at));
                    begun += span;
                }
                times
            };
            let (whole, cut) = (play(&[40.0]), play(&[0.5; 80]));
            assert_eq!(whole.len(), cut.len(), "{law:?}");
            for (one, other) in whole.iter().zip(&cut) {
                assert_relative_eq!(*one, *other, epsilon = 1e-9);
            }
        }
    }

    #[test]
    fn another_future_keeps_the_law_of_what_is_left() {
        // Stationary again after a redraw: the mean of the next slot is its intensity.
        for law in [GapLaw::gamma(0.5), GapLaw::gamma(3.0), GapLaw::weibull(0.5), GapLaw::weibull(3.0)] {
            let mut rng = rng(4);
            let counts: Vec<f64> = (0..60_000)
                .map(|_| {
                    let (mut renewal, mut count) = (Renewal::stationary(law, &mut rng), 0.0);
                    renewal.redraw(law, &mut rng);
                    renewal.pass(law, 0.5, &mut rng, |_| count += 1.0);
                    count
                })
                .collect();
            let mean = counts.iter().sum::<f64>() / 60_000.0;
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 60_000.0;
            assert!((mean - 0.5).abs() < 5.0 * (variance / 60_000.0).sqrt(), "{law:?}: {mean}");
        }
    }
}
