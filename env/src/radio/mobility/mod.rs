//! Where users are, and how far they have walked.
//!
//! A user who asks for nothing is not moved: when next asked, the whole time is made up for in one step, in law, at a cost that
//! does not grow with the time. Each model is a file: [`random_waypoint`], [`gauss_markov`], [`recorded`].

pub mod gauss_markov;
pub mod random_waypoint;
pub mod recorded;

use crate::invalid::{Invalid, between};
use crate::radio::normal::uniform;
use gauss_markov::{Drift, GaussMarkov, GaussMarkovConfig};
use rand::Rng;
use random_waypoint::{Leg, RandomWaypoint, RandomWaypointConfig};
use recorded::{OnPath, RecordedPaths};
use serde::{Deserialize, Serialize};

/// A place on the map, metres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// To the east.
    pub x_m: f64,
    /// To the north.
    pub y_m: f64,
}

impl Position {
    /// Distance on the map, m.
    pub fn distance_m(self, other: Self) -> f64 {
        let (x, y) = (self.x_m - other.x_m, self.y_m - other.y_m);
        (x * x + y * y).sqrt()
    }

    /// The place a part of the straight way to another one, 0 to 1.
    fn toward(self, other: Self, part: f64) -> Self {
        Self { x_m: self.x_m + part * (other.x_m - self.x_m), y_m: self.y_m + part * (other.y_m - self.y_m) }
    }
}

/// A place as the state of a user keeps it: in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spot(#[serde(deserialize_with = "crate::kept::finite")] [f32; 2]);

impl From<Position> for Spot {
    fn from(place: Position) -> Self {
        Self([place.x_m as f32, place.y_m as f32])
    }
}

impl Spot {
    /// The place in double precision.
    pub fn position(self) -> Position {
        let [x_m, y_m] = self.0.map(f64::from);
        Position { x_m, y_m }
    }
}

/// `[radio.area]`: where users are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Metres from west to east, 1 to 100,000.
    pub width_m: f64,
    /// Metres from south to north, 1 to 100,000.
    pub depth_m: f64,
}

impl Area {
    /// Checks the numbers.
    ///
    /// # Errors
    /// A length below 1 m or above 100 km.
    pub fn check(self, table: &str) -> Result<Self, Invalid> {
        between(table, "width_m", self.width_m, 1.0, 1e5)?;
        between(table, "depth_m", self.depth_m, 1.0, 1e5)?;
        Ok(self)
    }

    /// Whether a place lies in it.
    pub fn has(self, place: Position) -> bool {
        (0.0..=self.width_m).contains(&place.x_m) && (0.0..=self.depth_m).contains(&place.y_m)
    }

    /// Any place, all alike.
    pub fn draw(self, rng: &mut impl Rng) -> Position {
        Position { x_m: self.width_m * uniform(rng), y_m: self.depth_m * uniform(rng) }
    }
}

/// `[radio.mobility.still]`, `.random_waypoint`, `.gauss_markov` or `.recorded`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MobilityConfig {
    /// Users stand at places drawn once.
    Still(super::fading::NoKeys),
    /// From one place to another in a straight line, with pauses.
    RandomWaypoint(RandomWaypointConfig),
    /// A velocity that drifts.
    GaussMarkov(GaussMarkovConfig),
    /// Recorded ways.
    Recorded(RecordedConfig),
}

/// `[radio.mobility.recorded]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedConfig {
    /// The file of recorded ways: columns `path,time_s,x_m,y_m`.
    pub file: String,
}

impl MobilityConfig {
    /// Checks the numbers; `paths` are the recorded ways that `[radio.mobility.recorded]` names.
    ///
    /// # Errors
    /// The first number out of its range, recorded ways that are not there.
    pub fn validate(
        &self,
        table: &str,
        area: Area,
        paths: Option<&RecordedPaths>,
    ) -> Result<Mobility, Invalid> {
        Ok(match self {
            Self::Still(_) => Mobility::Still(area),
            Self::RandomWaypoint(config) => {
                Mobility::RandomWaypoint(config.validate(&format!("{table}.random_waypoint"), area)?)
            }
            Self::GaussMarkov(config) => {
                Mobility::GaussMarkov(config.validate(&format!("{table}.gauss_markov"), area)?)
            }
            Self::Recorded(config) => {
                let refuse = |allowed| Invalid::new(format!("{table}.recorded.file"), &config.file, allowed);
                let paths = paths.ok_or_else(|| refuse("the recorded ways were not read".to_owned()))?;
                if let Some((path, place)) = paths.first_outside(area) {
                    let allowed = format!(
                        "ways inside the area of {} m by {} m; way {path}, counted from 0, leaves it at {} m, {} m",
                        area.width_m, area.depth_m, place.x_m, place.y_m
                    );
                    return Err(refuse(allowed));
                }
                Mobility::Recorded(paths.clone())
            }
        })
    }
}

/// How users move.
#[derive(Clone, Debug, PartialEq)]
pub enum Mobility {
    /// Not at all.
    Still(Area),
    /// See [`random_waypoint`].
    RandomWaypoint(RandomWaypoint),
    /// See [`gauss_markov`].
    GaussMarkov(GaussMarkov),
    /// See [`recorded`].
    Recorded(RecordedPaths),
}

/// The state of a user that moves; 28 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Motion {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// Stands.
    Still(Spot),
    /// Walks to a place, or pauses.
    Leg(Leg),
    /// Drifts.
    Drift(Drift),
    /// On a recorded way.
    OnPath(OnPath),
}

impl Motion {
    /// Where the user is; the corner of the area while nothing is known.
    pub fn position(&self) -> Position {
        match self {
            Self::Unknown => Position::default(),
            Self::Still(spot) => spot.position(),
            Self::Leg(leg) => leg.at.position(),
            Self::Drift(drift) => drift.at.position(),
            Self::OnPath(place) => place.at.position(),
        }
    }
}

impl Mobility {
    /// A user that nothing is known of, from the stationary law.
    pub fn draw(&self, now_s: f64, rng: &mut impl Rng) -> Motion {
        match self {
            Self::Still(area) => Motion::Still(area.draw(rng).into()),
            Self::RandomWaypoint(model) => Motion::Leg(model.draw(rng)),
            Self::GaussMarkov(model) => Motion::Drift(model.draw(rng)),
            Self::Recorded(paths) => Motion::OnPath(paths.draw(now_s, rng)),
        }
    }

    /// Moves a user on from `from_s` to `to_s`; returns the metres walked. A user of whom nothing is known, or who moved in another
    /// way, is drawn.
    pub fn advance(&self, motion: &mut Motion, from_s: f64, to_s: f64, rng: &mut impl Rng) -> f64 {
        let elapsed_s = to_s - from_s;
        match (self, &mut *motion) {
            (Self::Still(_), Motion::Still(_)) => 0.0,
            (Self::RandomWaypoint(model), Motion::Leg(leg)) => model.advance(leg, elapsed_s, rng),
            (Self::GaussMarkov(model), Motion::Drift(drift)) => model.advance(drift, elapsed_s, rng),
            (Self::Recorded(paths), Motion::OnPath(place)) if paths.has(place) => {
                paths.advance(place, from_s, to_s)
            }
            _ => {
                *motion = self.draw(to_s, rng);
                0.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};

    #[test]
    fn a_state_of_motion_is_small_and_still_users_stay() {
        assert!(size_of::<Motion>() <= 28, "{}", size_of::<Motion>());
        let area = Area { width_m: 200.0, depth_m: 100.0 }.check("radio.area").unwrap();
        let mut rng = Seed::new(Purpose::Test, 13).stream(Stream::Mobility);
        let mobility = Mobility::Still(area);
        let mut motion = Motion::default();
        assert_eq!(mobility.advance(&mut motion, 0.0, 5.0, &mut rng), 0.0);
        let drawn = motion.position();
        assert!((0.0..=200.0).contains(&drawn.x_m) && (0.0..=100.0).contains(&drawn.y_m));
        mobility.advance(&mut motion, 5.0, 500.0, &mut rng);
        assert_eq!(motion.position(), drawn);
    }

    #[test]
    fn a_user_of_other_ways_or_of_another_motion_is_drawn_anew() {
        let path = |x_m| {
            let ends = [(0.0, Position::default()), (1.0, Position { x_m, y_m: 0.0 })];
            recorded::RecordedPath::new(&ends).unwrap()
        };
        let recorded = |paths| Mobility::Recorded(RecordedPaths::new(paths).unwrap());
        let (one, two) = (recorded(vec![path(1.0)]), recorded(vec![path(1.0), path(2.0)]));
        let mut rng = Seed::new(Purpose::Test, 14).stream(Stream::Mobility);
        for _ in 0..20 {
            let mut motion = two.draw(0.0, &mut rng);
            one.advance(&mut motion, 0.0, 0.5, &mut rng);
            assert!(motion.position().x_m <= 1.0, "the only way ends there: {motion:?}");
        }
        let still = Mobility::Still(Area { width_m: 1.0, depth_m: 1.0 });
        let mut motion = still.draw(0.0, &mut rng);
        two.advance(&mut motion, 0.0, 0.5, &mut rng);
        assert!(matches!(motion, Motion::OnPath(_)));
    }

    #[test]
    fn recorded_ways_that_were_not_read_and_areas_of_no_size_are_refused() {
        let area = Area { width_m: 1.0, depth_m: 0.0 }.check("radio.area").unwrap_err();
        assert_eq!(area.to_string(), "radio.area.depth_m = 0.0: a number from 1.0 to 100000.0");
        let config = MobilityConfig::Recorded(RecordedConfig { file: "walks.csv".into() });
        let area = Area { width_m: 1.0, depth_m: 1.0 };
        let error = config.validate("radio.mobility", area, None).unwrap_err().to_string();
        assert_eq!(error, "radio.mobility.recorded.file = walks.csv: the recorded ways were not read");
        let path = recorded::RecordedPath::new(&[
            (0.0, Position::default()),
            (1.0, Position { x_m: 0.5, y_m: 2.0 }),
        ]);
        let paths = RecordedPaths::new(path.into_iter().collect());
        let error = config.validate("radio.mobility", area, paths.as_ref()).unwrap_err().to_string();
        assert_eq!(
            error,
            "radio.mobility.recorded.file = walks.csv: ways inside the area of 1 m by 1 m; \
             way 0, counted from 0, leaves it at 0.5 m, 2 m"
        );
    }
}
