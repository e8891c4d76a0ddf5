//! A velocity that drifts.
//!
//! *Models.* A user who turns and changes pace smoothly, and turns back at the border of the area.
//!
//! *Equation.* Each of the two parts v of the velocity, with q = elapsed / tau and r = exp(-q), all drawn together:
//!
//! ```text
//! v' = r v + s sqrt(1 - r^2) z1                              s = mean speed sqrt(2 / pi)
//! x' = x + tau (1 - r) v + N        Var N = s^2 tau^2 (2q - 3 + 4r - r^2)      Cov(N, v') = s^2 tau (1 - r)^2
//! walked = elapsed (w (|v| + |v'|) / 2 + (1 - w) mean speed)       w = (1 - r) / q
//! ```
//!
//! *Symbols.* tau: memory of the velocity, s; s: standard deviation of each part, m/s; z1: standard normal number; x: place, m.
//!
//! *Assumptions.* No direction is preferred. Velocity and place are exact over any time; the border reflects, which is exact, too,
//! as the law is symmetric. The way walked within a step is not Gaussian: it is put together from the speeds at both ends and the
//! mean speed (ours; right in the mean, and in the limits of short and of long steps).
//!
//! *Source.* Liang, Haas, "Predictive distance-based mobility management for PCS networks", INFOCOM 1999, in continuous time
//! (Ornstein, Uhlenbeck 1930).

use super::{Area, Spot};
use crate::invalid::{Invalid, between};
use crate::radio::normal::standard_normal;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `[radio.mobility.gauss_markov]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussMarkovConfig {
    /// Mean speed in m/s, 0.001 to 100 (walking: 0.8).
    pub mean_speed_m_per_s: f64,
    /// Seconds after which the correlation of the velocity is 1/e, 0.001 to 100,000.
    pub memory_s: f64,
}

impl GaussMarkovConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str, area: Area) -> Result<GaussMarkov, Invalid> {
        let mean_speed_m_per_s = between(table, "mean_speed_m_per_s", self.mean_speed_m_per_s, 1e-3, 100.0)?;
        let model = GaussMarkov {
            area,
            memory_s: between(table, "memory_s", self.memory_s, 1e-3, 1e5)?,
            mean_speed_m_per_s,
            spread_m_per_s: mean_speed_m_per_s * std::f64::consts::FRAC_2_PI.sqrt(),
            by_seconds: Arc::new([]),
        };
        let by_seconds = (0..KEPT_SECONDS).map(|seconds| model.computed(f64::from(seconds))).collect();
        Ok(GaussMarkov { by_seconds, ..model })
    }
}

/// Whole seconds of which a step is kept; others are computed when they are needed.
const KEPT_SECONDS: u32 = 512;

/// Ready to walk.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussMarkov {
    area: Area,
    memory_s: f64,
    mean_speed_m_per_s: f64,
    spread_m_per_s: f64,
    /// The step of so many whole seconds: slots of a second are common, and the computation is slow.
    by_seconds: Arc<[Step]>,
}

/// Place and velocity of a user.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Where the user is.
    pub at: Spot,
    #[serde(deserialize_with = "crate::kept::finite")]
    velocity_m_per_s: [f32; 2],
}

impl Drift {
    /// How fast the user is, m/s.
    pub fn speed_m_per_s(&self) -> f64 {
        let [x, y] = self.velocity_m_per_s.map(f64::from);
        (x * x + y * y).sqrt()
    }
}

/// The effect of a step of one length on place and velocity.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    decay: f64,
    /// Standard deviation of the new velocity.
    velocity_std: f64,
    /// Metres for each metre a second at the start.
    reach_s: f64,
    /// Metres for each standard deviation of the velocity's noise.
    shared_m: f64,
    /// Standard deviation of what is left of the place's noise.
    place_std_m: f64,
}

impl GaussMarkov {
    /// A user that nothing is known of.
    pub fn draw(&self, rng: &mut impl Rng) -> Drift {
        Drift {
            at: self.area.draw(rng).into(),
            velocity_m_per_s: [0, 1].map(|_| (self.spread_m_per_s * standard_normal(rng)) as f32),
        }
    }

    /// [`computed`](Self::computed), or read where it was computed before.
    fn step(&self, elapsed_s: f64) -> Step {
        let whole = elapsed_s as usize;
        match self.by_seconds.get(whole) {
            Some(kept) if whole as f64 == elapsed_s => *kept,
            _ => self.computed(elapsed_s),
        }
    }

    fn computed(&self, elapsed_s: f64) -> Step {
        let q = elapsed_s / self.memory_s;
        let decay = libm::exp(-q);
        // 1 - exp(-q); its first terms where digits would cancel.
        let fresh = if q < 1e-3 { q * (1.0 - q * (0.5 - q / 6.0)) } else { 1.0 - decay };
        let kept = (1.0 - decay * decay).max(0.0).sqrt();
        let scale_m = self.spread_m_per_s * self.memory_s;
        // Var N - Cov^2 / Var v', in units of scale^2; its first term where digits would cancel.
        let (shared, rest) = if q < 1e-3 {
            (q * (q / 2.0).sqrt(), q * q * q / 6.0)
        } else {
            let shared = fresh * fresh / kept;
            (shared, 2.0 * q - 3.0 + 4.0 * decay - decay * decay - shared * shared)
        };
        Step {
            decay,
            velocity_std: self.spread_m_per_s * kept,
            reach_s: self.memory_s * fresh,
            shared_m: scale_m * shared,
            place_std_m: scale_m * rest.max(0.0).sqrt(),
        }
    }

    /// Moves a user on; returns the metres walked. Four words of the generator.
    pub fn advance(&self, drift: &mut Drift, elapsed_s: f64, rng: &mut impl Rng) -> f64 {
        if elapsed_s <= 0.0 {
            return 0.0;
        }
        let step = self.step(elapsed_s);
        let before = drift.speed_m_per_s();
        for (axis, side_m) in [self.area.width_m, self.area.depth_m].into_iter().enumerate() {
            let velocity = f64::from(drift.velocity_m_per_s[axis]);
            let (shared, own) = (standard_normal(rng), standard_normal(rng));
            let place = f64::from(drift.at.0[axis])
                + step.reach_s * velocity
                + step.shared_m * shared
                + step.place_std_m * own;
            let velocity = step.decay * velocity + step.velocity_std * shared;
            let (place, sense) = reflected(place, side_m);
            drift.at.0[axis] = place as f32;
            drift.velocity_m_per_s[axis] = (sense * velocity) as f32;
        }
        let weight = step.reach_s / elapsed_s;
        let ends = 0.5 * (before + drift.speed_m_per_s());
        elapsed_s * (weight * ends + (1.0 - weight) * self.mean_speed_m_per_s)
    }
}

/// A place on an endless line, folded into a side by its borders, and whether the direction is turned (-1) or not (1).
fn reflected(place_m: f64, side_m: f64) -> (f64, f64) {
    if (0.0..=side_m).contains(&place_m) {
        return (place_m, 1.0);
    }
    let unfolded = place_m.rem_euclid(2.0 * side_m);
    if unfolded > side_m { (2.0 * side_m - unfolded, -1.0) } else { (unfolded, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{correlation, mean, smirnov, smirnov_bound, variance};
    use crate::random::{Purpose, Seed, Stream};

    fn model() -> GaussMarkov {
        let area = Area { width_m: 80.0, depth_m: 200.0 };
        GaussMarkovConfig { mean_speed_m_per_s: 1.5, memory_s: 20.0 }.validate("gauss_markov", area).unwrap()
    }

    type Value = fn(&(Drift, Drift, f64)) -> f64;

    #[test]
    fn one_long_step_and_many_short_ones_have_the_same_law() {
        let mut rng = Seed::new(Purpose::Test, 18).stream(Stream::Mobility);
        let model = model();
        for total_s in [5.0, 40.0, 4_000.0] {
            let n = 3_000;
            let runs = [1, 50].map(|steps| {
                (0..n)
                    .map(|_| {
                        let mut drift = model.draw(&mut rng);
                        let from = drift;
                        let moved: f64 = (0..steps)
                            .map(|_| model.advance(&mut drift, total_s / f64::from(steps), &mut rng))
                            .sum();
                        (from, drift, moved)
                    })
                    .collect::<Vec<_>>()
            });
            let values: [Value; 3] = [
                |run| run.1.at.position().x_m,
                |run| run.0.at.position().distance_m(run.1.at.position()),
                |run| run.1.speed_m_per_s(),
            ];
            for value in values {
                let [once, often] = runs.each_ref().map(|run| run.iter().map(value).collect::<Vec<_>>());
                assert!(smirnov(once, often) < smirnov_bound(n, n), "{total_s}");
            }
            for run in &runs {
                let moved: Vec<f64> = run.iter().map(|run| run.2).collect();
                assert!((mean(&moved) / (1.5 * total_s) - 1.0).abs() < 0.05, "{total_s}: {}", mean(&moved));
            }
        }
    }

    #[test]
    fn the_speed_has_its_mean_and_the_velocity_its_memory() {
        let mut rng = Seed::new(Purpose::Test, 19).stream(Stream::Mobility);
        // A wide area: no border turns anybody back.
        let area = Area { width_m: 1e5, depth_m: 1e5 };
        let config = GaussMarkovConfig { mean_speed_m_per_s: 1.5, memory_s: 20.0 };
        let model = config.validate("gauss_markov", area).unwrap();
        let mut speeds = Vec::new();
        let pairs: Vec<(f64, f64)> = (0..20_000)
            .map(|_| {
                let mut drift = model.draw(&mut rng);
                let before = f64::from(drift.velocity_m_per_s[0]);
                model.advance(&mut drift, 10.0, &mut rng);
                speeds.push(drift.speed_m_per_s());
                (before, f64::from(drift.velocity_m_per_s[0]))
            })
            .collect();
        // Five standard errors: the spread of a Rayleigh speed of mean 1.5 is .78.
        assert!((mean(&speeds) - 1.5).abs() < 5.0 * 0.78 / 20_000.0_f64.sqrt());
        assert!((correlation(&pairs) - libm::exp(-0.5)).abs() < 0.03);
    }

    #[test]
    fn very_short_steps_spread_like_the_formula_says() {
        // Just below and just above where the first term replaces the formula.
        let model = model();
        let [low, high] = [0.000_999, 0.001_001].map(|q| model.step(q * 20.0));
        assert!((high.place_std_m / low.place_std_m - 1.0).abs() < 0.01);
        assert!((high.shared_m / low.shared_m - 1.0).abs() < 0.01);
        assert!((high.velocity_std / low.velocity_std - 1.0).abs() < 0.01);
    }

    #[test]
    fn steps_that_are_kept_are_those_that_are_computed() {
        let model = model();
        for elapsed_s in [1.0, 7.0, 7.5, 511.0, 511.999, 512.0, 1e9] {
            assert_eq!(model.step(elapsed_s), model.computed(elapsed_s), "{elapsed_s}");
        }
        assert_eq!(model.by_seconds.len(), KEPT_SECONDS as usize);
    }

    #[test]
    fn borders_fold_a_line_back_and_forth() {
        let folded = [-30.0, -10.0, 0.0, 50.0, 80.0, 100.0, 170.0].map(|place| reflected(place, 80.0));
        let expected =
            [(30.0, -1.0), (10.0, -1.0), (0.0, 1.0), (50.0, 1.0), (80.0, 1.0), (60.0, -1.0), (10.0, 1.0)];
        assert_eq!(folded, expected);
    }

    #[test]
    fn users_stay_in_the_area_and_fill_it_evenly() {
        let mut rng = Seed::new(Purpose::Test, 20).stream(Stream::Mobility);
        let model = model();
        let places: Vec<f64> = (0..10_000)
            .map(|_| {
                let mut drift = model.draw(&mut rng);
                model.advance(&mut drift, 500.0, &mut rng);
                assert!((0.0..=200.0).contains(&drift.at.position().y_m));
                drift.at.position().x_m
            })
            .collect();
        assert!(places.iter().all(|x| (0.0..=80.0).contains(x)));
        // Uniform on 80 m: mean 40, variance 533; five standard errors.
        assert!((mean(&places) - 40.0).abs() < 1.16 && (variance(&places) / 533.3 - 1.0).abs() < 0.05);
    }
}
