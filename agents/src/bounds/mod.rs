//! What no policy can beat: exact optima of tiny worlds, and lower bounds of the cost of a trajectory in larger ones.

mod ascent;
pub mod clairvoyant;
pub mod exact;
pub mod hindsight;
pub mod intervals;
pub mod thought;
mod trajectory;

#[cfg(test)]
mod tests;

pub use ascent::Ascent;

use std::sync::Arc;
use thoughtcache_env::random::Seed;
use thoughtcache_env::scenario::Scenario;
use trajectory::Trajectory;

/// A lower bound of the cost of one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// No run of the episode costs less in total.
    pub cost: f64,
    /// The parts of the slots, which add up to it. A run may cost less in a slot.
    pub slot_costs: Vec<f64>,
}

impl Bound {
    /// The bound of the episode at these coordinates: by services in abstract scenarios ([`hindsight`]), by stays of weights in
    /// physical ones ([`intervals`]).
    pub fn of(scenario: &Arc<Scenario>, seed: Seed, ascent: Ascent) -> Self {
        let trajectory = Trajectory::of(scenario, seed);
        match scenario.physical() {
            None => Self::of_services(scenario, &trajectory, ascent),
            Some(law) => Self::of_stays(scenario, law, &trajectory, ascent),
        }
    }
}
