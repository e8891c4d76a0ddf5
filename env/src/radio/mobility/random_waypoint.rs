//! From place to place, with pauses.
//!
//! *Models.* A user walks in a straight line to a place drawn in the area, at a speed drawn for the way, pauses, and goes on.
//!
//! *Equation.* Stationary law (drawn at the start, and after many ways at once):
//!
//! ```text
//! Pr(pause) = pause / (pause + E[L] E[1/v])     E[1/v] = ln(v_max / v_min) / (v_max - v_min)
//! way: start and end with a density in proportion to their distance, place uniform on it, speed v_min (v_max / v_min)^u
//! E[L] = (a^3/b^2 + b^3/a^2 + d (3 - a^2/b^2 - b^2/a^2)) / 15 + (b^2/a ln((d + a)/b) + a^2/b ln((d + b)/a)) / 6
//! ```
//!
//! *Symbols.* a, b, d: sides and diagonal of the area, m; L: length of a way, m; v: speed, m/s; u: uniform number.
//!
//! *Assumptions.* A step walks at most 16 ways one by one; what is left of the time after them is made up for by a draw of the
//! stationary law, walked at the mean speed (ours: after 16 ways a place has forgotten where it began).
//!
//! *Source.* Navidi, Camp, "Stationary distributions for the random waypoint mobility model", IEEE Trans. Mobile Computing 3
//! (2004); mean of L: Ghosh, "Random distances within a rectangle and between two rectangles", Bull. Calcutta Math. Soc. 43 (1951).

use super::{Area, Position, Spot};
use crate::invalid::{Invalid, between};
use crate::radio::normal::uniform;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// Ways and pauses that a step goes through one by one.
const MAX_LEGS: u32 = 16;

/// `[radio.mobility.random_waypoint]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomWaypointConfig {
    /// The slowest that users walk in m/s, 0.001 to 100.
    pub min_speed_m_per_s: f64,
    /// The fastest in m/s, at least the slowest, at most 100.
    pub max_speed_m_per_s: f64,
    /// Seconds at each place, 0 to 100,000.
    pub pause_s: f64,
}

impl RandomWaypointConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str, area: Area) -> Result<RandomWaypoint, Invalid> {
        let min = between(table, "min_speed_m_per_s", self.min_speed_m_per_s, 1e-3, 100.0)?;
        let max = between(table, "max_speed_m_per_s", self.max_speed_m_per_s, min, 100.0)?;
        let pause_s = between(table, "pause_s", self.pause_s, 0.0, 1e5)?;
        let pace_s_per_m =
            if max - min > 1e-9 * max { libm::log(max / min) / (max - min) } else { 1.0 / max };
        let mean_way_m = mean_distance_m(area);
        let mean_cycle_s = mean_way_m * pace_s_per_m + pause_s;
        Ok(RandomWaypoint {
            area,
            min_speed_m_per_s: min,
            max_speed_m_per_s: max,
            pause_s,
            pause_prob: pause_s / mean_cycle_s,
            mean_speed_m_per_s: mean_way_m / mean_cycle_s,
        })
    }
}

/// The mean distance of two places in a rectangle, m.
fn mean_distance_m(area: Area) -> f64 {
    let (a, b) = (area.width_m, area.depth_m);
    let d = (a * a + b * b).sqrt();
    let (ratio, inverse) = (a * a / (b * b), b * b / (a * a));
    (a * ratio + b * inverse + d * (3.0 - ratio - inverse)) / 15.0
        + (b * b / a * libm::log((d + a) / b) + a * a / b * libm::log((d + b) / a)) / 6.0
}

/// Ready to walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomWaypoint {
    area: Area,
    min_speed_m_per_s: f64,
    max_speed_m_per_s: f64,
    pause_s: f64,
    pause_prob: f64,
    /// Metres a second in the long run, pauses included.
    pub mean_speed_m_per_s: f64,
}

/// A user between two places, or at one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Where the user is.
    pub at: Spot,
    to: Spot,
    /// Where the next place is walked to, m/s.
    #[serde(deserialize_with = "crate::kept::amount")]
    speed_m_per_s: f32,
    /// Seconds before walking on; 0 on the way.
    #[serde(deserialize_with = "crate::kept::amount")]
    pause_left_s: f32,
}

impl RandomWaypoint {
    /// A user that nothing is known of.
    pub fn draw(&self, rng: &mut impl Rng) -> Leg {
        if uniform(rng) < self.pause_prob {
            let place = self.area.draw(rng);
            let mut leg = self.next_leg(place, rng);
            leg.pause_left_s = (self.pause_s * uniform(rng)) as f32;
            return leg;
        }
        let diagonal =
            Position::default().distance_m(Position { x_m: self.area.width_m, y_m: self.area.depth_m });
        let (from, to) = loop {
            let (from, to) = (self.area.draw(rng), self.area.draw(rng));
            if uniform(rng) * diagonal < from.distance_m(to) {
                break (from, to);
            }
        };
        let way = uniform(rng);
        let ratio = self.max_speed_m_per_s / self.min_speed_m_per_s;
        Leg {
            at: from.toward(to, way).into(),
            to: to.into(),
            speed_m_per_s: (self.min_speed_m_per_s * libm::pow(ratio, uniform(rng))) as f32,
            pause_left_s: 0.0,
        }
    }

    fn next_leg(&self, place: Position, rng: &mut impl Rng) -> Leg {
        let to = self.area.draw(rng);
        let range = self.max_speed_m_per_s - self.min_speed_m_per_s;
        Leg {
            at: place.into(),
            to: to.into(),
            speed_m_per_s: (self.min_speed_m_per_s + range * uniform(rng)) as f32,
            pause_left_s: 0.0,
        }
    }

    /// Moves a user on; returns the metres walked.
    pub fn advance(&self, leg: &mut Leg, elapsed_s: f64, rng: &mut impl Rng) -> f64 {
        let mut left_s = elapsed_s;
        let mut moved_m = 0.0;
        for _ in 0..MAX_LEGS {
            let pause_s = f64::from(leg.pause_left_s);
            if pause_s > left_s {
                leg.pause_left_s = (pause_s - left_s) as f32;
                return moved_m;
            }
            left_s -= pause_s;
            leg.pause_left_s = 0.0;
            let (here, target) = (leg.at.position(), leg.to.position());
            let speed = f64::from(leg.speed_m_per_s);
            let way_m = here.distance_m(target);
            let walks_m = speed * left_s;
            if walks_m < way_m {
                leg.at = here.toward(target, walks_m / way_m).into();
                return moved_m + walks_m;
            }
            moved_m += way_m;
            left_s -= way_m / speed;
            *leg = self.next_leg(target, rng);
            leg.pause_left_s = self.pause_s as f32;
            if left_s <= 0.0 {
                return moved_m;
            }
        }
        *leg = self.draw(rng);
        moved_m + left_s * self.mean_speed_m_per_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{mean, smirnov, smirnov_bound};
    use crate::random::{Purpose, Seed, Stream};

    const AREA: Area = Area { width_m: 200.0, depth_m: 100.0 };

    fn model(pause_s: f64) -> RandomWaypoint {
        let config = RandomWaypointConfig { min_speed_m_per_s: 0.5, max_speed_m_per_s: 2.0, pause_s };
        config.validate("radio.mobility.random_waypoint", AREA).unwrap()
    }

    #[test]
    fn two_places_in_a_unit_square_are_half_a_side_apart() {
        assert!((mean_distance_m(Area { width_m: 1.0, depth_m: 1.0 }) - 0.521_405_433).abs() < 1e-8);
        let mut rng = Seed::new(Purpose::Test, 14).stream(Stream::Mobility);
        let drawn: Vec<f64> =
            (0..50_000).map(|_| AREA.draw(&mut rng).distance_m(AREA.draw(&mut rng))).collect();
        assert!((mean(&drawn) / mean_distance_m(AREA) - 1.0).abs() < 0.015);
    }

    #[test]
    fn a_user_walks_as_far_as_the_speed_says_and_pauses_at_the_place() {
        let mut rng = Seed::new(Purpose::Test, 15).stream(Stream::Mobility);
        let leg = Leg { at: Spot([0.0; 2]), to: Spot([30.0, 40.0]), speed_m_per_s: 2.0, pause_left_s: 1.0 };
        let mut now = leg;
        assert_eq!(model(10.0).advance(&mut now, 11.0, &mut rng), 20.0);
        assert_eq!(now.at.position(), Position { x_m: 12.0, y_m: 16.0 });
        assert_eq!(model(10.0).advance(&mut now, 20.0, &mut rng), 30.0);
        assert_eq!(now.at.position(), Position { x_m: 30.0, y_m: 40.0 });
        // Fifteen seconds of way were left, then five of the pause.
        assert_eq!(now.pause_left_s, 5.0);
    }

    type Value = fn(&(f64, f64, f64)) -> f64;

    #[test]
    fn one_long_step_and_many_short_ones_have_the_same_law() {
        let mut rng = Seed::new(Purpose::Test, 16).stream(Stream::Mobility);
        for total_s in [60.0, 6_000.0] {
            let model = model(20.0);
            let n = 2_000;
            let runs = [1, 40].map(|steps| {
                (0..n)
                    .map(|_| {
                        let mut leg = model.draw(&mut rng);
                        let from = leg.at.position();
                        let moved: f64 = (0..steps)
                            .map(|_| model.advance(&mut leg, total_s / f64::from(steps), &mut rng))
                            .sum();
                        (leg.at.position().x_m, from.distance_m(leg.at.position()), moved)
                    })
                    .collect::<Vec<_>>()
            });
            let values: [Value; 2] = [|run| run.0, |run| run.1];
            for value in values {
                let [once, often] = runs.each_ref().map(|run| run.iter().map(value).collect::<Vec<_>>());
                assert!(smirnov(once, often) < smirnov_bound(n, n), "{total_s}");
            }
            for run in &runs {
                let moved: Vec<f64> = run.iter().map(|run| run.2).collect();
                let expected = model.mean_speed_m_per_s * total_s;
                assert!((mean(&moved) / expected - 1.0).abs() < 0.06, "{total_s}: {}", mean(&moved));
            }
        }
    }

    #[test]
    fn the_drawn_law_is_the_one_that_walking_keeps() {
        let mut rng = Seed::new(Purpose::Test, 17).stream(Stream::Mobility);
        let model = model(30.0);
        let n = 4_000;
        let drawn: Vec<Leg> = (0..n).map(|_| model.draw(&mut rng)).collect();
        let mut walked = drawn.clone();
        for leg in &mut walked {
            for _ in 0..30 {
                model.advance(leg, 10.0, &mut rng);
            }
        }
        let values: [fn(&Leg) -> f64; 3] = [
            |leg| leg.at.position().x_m,
            |leg| f64::from(leg.pause_left_s),
            |leg| f64::from(leg.speed_m_per_s),
        ];
        for value in values {
            let [before, after] = [&drawn, &walked].map(|legs| legs.iter().map(value).collect::<Vec<_>>());
            assert!(smirnov(before, after) < smirnov_bound(n, n));
        }
    }

    #[test]
    fn a_fastest_speed_below_the_slowest_is_refused() {
        let config = RandomWaypointConfig { min_speed_m_per_s: 2.0, max_speed_m_per_s: 1.0, pause_s: 0.0 };
        let error = config.validate("radio.mobility.random_waypoint", AREA).unwrap_err().to_string();
        assert_eq!(
            error,
            "radio.mobility.random_waypoint.max_speed_m_per_s = 1.0: a number from 2.0 to 100.0"
        );
    }
}
