//! Recorded paths.
//!
//! *Models.* Users who follow recorded trajectories: places at instants, straight lines between them.
//!
//! *Equation.* `place(t) = p_i + (t - t_i) / (t_i+1 - t_i) (p_i+1 - p_i)`; the path is walked to its end and back, again and again.
//!
//! *Symbols.* t: seconds; p: places, m.
//!
//! *Assumptions.* Each user follows one of the paths, drawn, beginning at an instant drawn (ours). A step costs a search in the path,
//! however long it is.
//!
//! *Source.* The recording; see [`paths`](crate::radio::recordings::paths) for its columns.

use super::{Area, Position, Spot};
use crate::radio::normal::uniform;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A recorded path: places at instants, joined by straight lines.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedPath {
    /// Instant, place and metres from the start.
    points: Vec<(f64, Position, f64)>,
}

impl RecordedPath {
    /// Returns the path through places at instants in seconds. `None` unless there are two or more, finite and in strict order of time.
    pub fn new(places: &[(f64, Position)]) -> Option<Self> {
        let is_finite = |(t, p): &(f64, Position)| t.is_finite() && p.x_m.is_finite() && p.y_m.is_finite();
        let is_ordered = places.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if places.len() < 2 || !is_ordered || !places.iter().all(is_finite) {
            return None;
        }
        let mut walked_m = 0.0;
        let mut last = places[0].1;
        let points = places
            .iter()
            .map(|&(time_s, place)| {
                walked_m += last.distance_m(place);
                last = place;
                (time_s - places[0].0, place, walked_m)
            })
            .collect();
        Some(Self { points })
    }

    fn last(&self) -> (f64, f64) {
        let last = self.points[self.points.len() - 1];
        (last.0, last.2)
    }

    /// Returns the place `time_s` after the first instant, and the metres walked since then; the path is walked back and forth.
    fn at(&self, time_s: f64) -> (Position, f64) {
        let (duration_s, length_m) = self.last();
        let laps = (time_s / duration_s).floor();
        let is_back = laps.rem_euclid(2.0) == 1.0;
        let within_s = (time_s - laps * duration_s).clamp(0.0, duration_s);
        let (place, walked_m) = self.within(if is_back { duration_s - within_s } else { within_s });
        (place, laps * length_m + if is_back { length_m - walked_m } else { walked_m })
    }

    fn within(&self, time_s: f64) -> (Position, f64) {
        let after = self.points.partition_point(|point| point.0 <= time_s).clamp(1, self.points.len() - 1);
        let ((t0, p0, w0), (t1, p1, w1)) = (self.points[after - 1], self.points[after]);
        let part = (time_s - t0) / (t1 - t0);
        (p0.toward(p1, part), w0 + part * (w1 - w0))
    }
}

/// The paths that users follow.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedPaths(Arc<[RecordedPath]>);

/// A user on a recorded path.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnPath {
    path: u32,
    #[serde(deserialize_with = "crate::kept::finite")]
    begins_s: f32,
    /// Where the user is.
    pub at: Spot,
}

impl RecordedPaths {
    /// Returns the set of one or more paths; `None` for none.
    pub fn new(paths: Vec<RecordedPath>) -> Option<Self> {
        (!paths.is_empty()).then(|| Self(paths.into()))
    }

    /// Returns the number of paths, at least 1.
    pub fn num_paths(&self) -> usize {
        self.0.len()
    }

    /// Returns the first place outside an area, and the number of its path, from 0.
    pub fn first_outside(&self, area: Area) -> Option<(usize, Position)> {
        self.0.iter().enumerate().find_map(|(number, path)| {
            let place = path.points.iter().map(|&(_, place, _)| place).find(|place| !area.has(*place))?;
            Some((number, place))
        })
    }

    /// Whether the path of a user exists.
    pub(crate) fn has(&self, user: &OnPath) -> bool {
        (user.path as usize) < self.0.len()
    }

    /// Draws a user: a path, and an instant of it.
    pub fn draw(&self, now_s: f64, rng: &mut impl Rng) -> OnPath {
        let path = ((uniform(rng) * self.0.len() as f64) as usize).min(self.0.len() - 1);
        let begins_s = (uniform(rng) * 2.0 * self.0[path].last().0) as f32;
        let mut user = OnPath { path: path as u32, begins_s, at: Spot::default() };
        self.advance(&mut user, now_s, now_s);
        user
    }

    /// Moves a user along its path; returns the metres walked.
    pub fn advance(&self, user: &mut OnPath, from_s: f64, to_s: f64) -> f64 {
        let (path, begins_s) = (&self.0[user.path as usize], f64::from(user.begins_s));
        let (place, walked_m) = path.at(to_s + begins_s);
        user.at = place.into();
        (walked_m - path.at(from_s + begins_s).1).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x_m: f64, y_m: f64) -> Position {
        Position { x_m, y_m }
    }

    fn corner() -> RecordedPath {
        RecordedPath::new(&[(100.0, at(0.0, 0.0)), (110.0, at(30.0, 0.0)), (130.0, at(30.0, 40.0))]).unwrap()
    }

    #[test]
    fn places_between_instants_lie_on_the_line_and_the_way_goes_back_and_forth() {
        let path = corner();
        for (time_s, place, walked_m) in [
            (0.0, at(0.0, 0.0), 0.0),
            (5.0, at(15.0, 0.0), 15.0),
            (10.0, at(30.0, 0.0), 30.0),
            (25.0, at(30.0, 30.0), 60.0),
            (35.0, at(30.0, 30.0), 80.0),
            (55.0, at(15.0, 0.0), 125.0),
            (60.0, at(0.0, 0.0), 140.0),
            (65.0, at(15.0, 0.0), 155.0),
        ] {
            assert_eq!(path.at(time_s), (place, walked_m), "{time_s}");
        }
    }

    #[test]
    fn a_user_who_is_asked_rarely_has_walked_as_far_as_one_who_is_asked_often() {
        let paths = RecordedPaths::new(vec![corner()]).unwrap();
        let start = OnPath { path: 0, begins_s: 0.0, at: Spot::default() };
        let (mut rarely, mut often) = (start, start);
        let once = paths.advance(&mut rarely, 0.0, 500.0);
        let sum: f64 =
            (0..500).map(|second| paths.advance(&mut often, f64::from(second), f64::from(second + 1))).sum();
        assert!((once - sum).abs() < 1e-9 && rarely.at == often.at);
    }

    #[test]
    fn ways_of_one_place_or_back_in_time_are_none() {
        assert!(RecordedPath::new(&[(0.0, at(0.0, 0.0))]).is_none());
        assert!(RecordedPath::new(&[(1.0, at(0.0, 0.0)), (1.0, at(1.0, 0.0))]).is_none());
        assert!(RecordedPath::new(&[(1.0, at(0.0, 0.0)), (2.0, at(f64::NAN, 0.0))]).is_none());
        assert!(RecordedPaths::new(Vec::new()).is_none());
    }
}
