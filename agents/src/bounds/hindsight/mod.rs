//! A lower bound of the cost of a trajectory, whatever policy decides: also one that knows the future.
//!
//! Models: the requests of an episode of an abstract scenario, which no decision changes. Memory and compute are what services
//! compete for. Under a price on both, services no longer depend on each other, and the best that each can do is found
//! exactly (`programme.rs`).
//!
//! Equation, for prices `mu >= 0` of memory after decision `n` of a cell, and `nu >= 0` of compute in slot `t` of a cell:
//! ```text
//! L(mu, nu) = sum over services of min over its courses of [ cost + sum_n mu_n W y_n + sum_t nu_t F x_t ]
//!             - sum_n mu_n M - sum_t nu_t B
//! ```
//! Symbols: `W` bytes of the service's weights; `y_n` 1 while it is resident just after decision `n`; `M` bytes of the memory;
//! `F x_t` floating-point operations that it takes at the edge in slot `t`; `B` those of the compute budget. A course says for
//! every batch of the service whether it is served at the edge, and for every time between two batches whether the entry stays.
//!
//! Proof that `L <= cost of every run`: a run keeps `sum W y_n <= M` after *every* decision (within a slot one entry may leave
//! and another come) and `sum F x_t <= B` in every slot. So what `L` adds to its cost, `sum_n mu_n (sum W y_n - M) + sum_t nu_t
//! (sum F x_t - B)`, is at most 0, and each service's course in the run costs at least the least of its courses. Every price
//! gives a bound; subgradient ascent looks for the greatest ([`Bound::of`]).
//!
//! What is relaxed:
//! - Services share a memory at a price instead of a memory of fixed size.
//! - Bytes of contexts (`memory.kv`) are not counted.
//! - Where users have contexts of their own, or entries share weights (`memory.shared_weights`), weights take no memory and
//!   loads cost nothing, so that each user has a course of their own.
//! - Loads ahead of a slot (`decision.prefetch`) need no memory before the service's own batch.
//! - Refusals do not last (`decision.hold`) where users have contexts of their own or services are loaded ahead.
//!
//! What is kept exactly: when decisions come; loads, context and its fading, windows and their two kinds of refresh; entries that
//! served may not leave before the slot ends (granularity `service`); refusals that last, but for the cases above.
//!
//! Reference: Held, Wolfe, Crowder, "Validation of subgradient optimization", Mathematical Programming 6 (1974).

mod programme;
mod trajectory;

#[cfg(test)]
mod tests;

use programme::{Prices, Programme};
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::random::Seed;
use thoughtcache_env::scenario::Scenario;
pub use trajectory::Trajectory;

/// Steps without a better bound after which the goal comes nearer.
const PATIENCE: u32 = 10;
/// How far the goal lies at first on the way from the first bound to the cost of serving everything elsewhere.
const GOAL: f64 = 0.2;

/// What weights that fill the memory exactly may seem to take beyond it.
const ROUNDING: f64 = 1e-12;

/// A lower bound of the cost of one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// No run of the episode costs less in total.
    pub cost: f64,
    /// The parts of the slots, which add up to it. A run may cost less in a slot.
    pub slot_costs: Vec<f64>,
}

/// Why there is no bound.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BoundError {
    /// The scenario is physical.
    #[error(
        "{scenario} is a physical scenario; abstract ones have a bound: paper, tight, tight-request, tiny-* and trace-* with abstract costs"
    )]
    Physical {
        /// The scenario's name.
        scenario: String,
    },
    /// Thoughts have lengths of their own.
    #[error(
        "{scenario} has thought.cv = {cv}: there is a bound where all thoughts of a service are alike, with thought.cv = 0"
    )]
    VaryingThoughts {
        /// The scenario's name.
        scenario: String,
        /// Their coefficient of variation.
        cv: String,
    },
}

/// How the prices are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// How often prices move.
    pub steps: u32,
}

impl Default for Ascent {
    fn default() -> Self {
        Self { steps: 250 }
    }
}

impl Bound {
    /// Whether a scenario has this bound.
    ///
    /// # Errors
    /// [`BoundError`]: the scenario is physical, or its thoughts vary.
    pub fn check(scenario: &Scenario) -> Result<(), BoundError> {
        if scenario.physical().is_some() {
            return Err(BoundError::Physical { scenario: scenario.name.clone() });
        }
        if scenario.thought_cv > 0.0 {
            let (scenario, cv) = (scenario.name.clone(), scenario.thought_cv.to_string());
            return Err(BoundError::VaryingThoughts { scenario, cv });
        }
        Ok(())
    }

    /// The bound of the episode at these coordinates.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn of(scenario: &Arc<Scenario>, seed: Seed, ascent: Ascent) -> Result<Self, BoundError> {
        Self::check(scenario)?;
        Ok(Self::of_trajectory(scenario, &Trajectory::of(scenario, seed), ascent))
    }

    /// The bound of a trajectory of an abstract scenario.
    pub(crate) fn of_trajectory(scenario: &Scenario, trajectory: &Trajectory, ascent: Ascent) -> Self {
        let programmes = Programme::all(scenario, trajectory);
        let mut best =
            Point::new(Prices::zero(trajectory, scenario.compute_budget_flop.is_some()), &programmes);
        let elsewhere: f64 = programmes.iter().map(Programme::cost_elsewhere).sum();
        let (mut goal, mut waited) = (GOAL * (elsewhere - best.bound), 0);
        let mut point = best.clone();
        for _ in 0..ascent.steps {
            let Some(prices) = point.ahead(best.bound + goal) else { break };
            point = Point::new(prices, &programmes);
            if point.bound > best.bound {
                (best, waited) = (point.clone(), 0);
                continue;
            }
            waited += 1;
            if waited == PATIENCE {
                (goal, waited) = (goal / 2.0, 0);
                point = best.clone();
            }
        }
        Self { cost: best.bound, slot_costs: best.slot_costs(trajectory, &programmes) }
    }
}

/// Prices, and what they give.
#[derive(Clone)]
struct Point {
    prices: Prices,
    bound: f64,
    /// What the best courses take beyond what there is: the direction in which the bound rises.
    excess: Prices,
}

impl Point {
    /// Takes the best course of every service under these prices.
    fn new(prices: Prices, programmes: &[Programme<'_>]) -> Self {
        let mut excess = prices.clone();
        excess.memory.iter_mut().for_each(|cell| cell.fill(0.0));
        excess.compute.iter_mut().for_each(|cell| cell.fill(-1.0));
        let mut cost = 0.0;
        for programme in programmes {
            let course = programme.best(&prices);
            cost += course.cost;
            let memory = &mut excess.memory[programme.cell];
            for &(from, until) in &course.stays {
                memory[from] += programme.weights_share;
                if let Some(end) = memory.get_mut(until) {
                    *end -= programme.weights_share;
                }
            }
            for &(slot, share) in &course.served {
                excess.compute[programme.cell][slot as usize] += share;
            }
        }
        for memory in &mut excess.memory {
            let mut taken = 0.0;
            for excess in memory {
                taken += *excess;
                *excess = taken - 1.0;
            }
        }
        Self { bound: cost - prices.all().sum::<f64>(), prices, excess }
    }

    /// The parts of the slots: the costs of the courses there, and the prices of what they take beyond what there is.
    fn slot_costs(&self, trajectory: &Trajectory, programmes: &[Programme<'_>]) -> Vec<f64> {
        let mut costs = vec![0.0; trajectory.slots as usize];
        let courses = programmes.iter().flat_map(|programme| programme.best(&self.prices).costs);
        let Prices { memory, compute } = &self.prices;
        let memory = memory.iter().flatten().zip(self.excess.memory.iter().flatten());
        let asked = trajectory.cells.iter().flatten().map(|asked| asked.slot);
        let of_memory = asked.zip(memory).map(|(slot, (price, excess))| (slot, price * excess));
        let of_compute = compute.iter().zip(&self.excess.compute).flat_map(|(prices, excesses)| {
            (0..).zip(prices.iter().zip(excesses)).map(|(slot, (price, excess))| (slot, price * excess))
        });
        for (slot, cost) in courses.chain(of_memory).chain(of_compute) {
            costs[slot as usize] += cost;
        }
        costs
    }

    /// Prices in the direction of a greater bound, so far that it would be `goal` if it rose in a straight line; `None` where
    /// there is no such direction.
    fn ahead(&self, goal: f64) -> Option<Prices> {
        let mut square = 0.0;
        for (price, excess) in self.prices.all().zip(self.excess.all()) {
            if *price > 0.0 || *excess > ROUNDING {
                square += excess * excess;
            }
        }
        if square == 0.0 {
            return None;
        }
        let length = (goal - self.bound) / square;
        let mut prices = self.prices.clone();
        for (price, excess) in prices.all_mut().zip(self.excess.all()) {
            *price = (*price + length * excess).max(0.0);
        }
        Some(prices)
    }
}
