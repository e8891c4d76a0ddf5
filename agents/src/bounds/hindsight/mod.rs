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
//! - Where thoughts vary in length (`thought.cv`), windows are never full: the context of a run is then at most as fresh as that of the bound.
//!   If in addition a quality table falls with fresh context, answers at the edge cost no accuracy.
//! - Refusals do not last (`decision.hold`) where users have contexts of their own or services are loaded ahead.
//!
//! What is kept exactly: when decisions come; loads, context and its fading, windows and their two kinds of refresh; entries that
//! served may not leave before the slot ends (granularity `service`); refusals that last, but for the cases above.
//!
//! Reference: Held, Wolfe, Crowder, "Validation of subgradient optimization", Mathematical Programming 6 (1974).

mod programme;

#[cfg(test)]
mod tests;

use super::Bound;
use super::ascent::{Ascent, Point, Prices as _, beyond};
use super::trajectory::Trajectory;
use programme::{Prices, Programme};
use thoughtcache_env::scenario::Scenario;

impl Bound {
    /// The bound of a trajectory of an abstract scenario.
    pub(super) fn of_services(scenario: &Scenario, trajectory: &Trajectory, ascent: Ascent) -> Self {
        let programmes = Programme::all(scenario, trajectory);
        let free = point(Prices::zero(trajectory, scenario.compute_budget_flop.is_some()), &programmes);
        let elsewhere: f64 = programmes.iter().map(Programme::cost_elsewhere).sum();
        let best = ascent.climb(free, elsewhere, |prices| point(prices, &programmes));
        Self { cost: best.bound, slot_costs: slot_costs(&best, trajectory, &programmes) }
    }
}

/// Takes the best course of every service under these prices.
fn point(prices: Prices, programmes: &[Programme<'_>]) -> Point<Prices> {
    let courses: Vec<_> = programmes.iter().map(|one| (one, one.best(&prices))).collect();
    let cost: f64 = courses.iter().map(|(_, course)| course.cost).sum();
    let of_cell = |(cell, prices): (usize, &Vec<f64>)| {
        let own = courses.iter().filter(|(programme, _)| programme.cell == cell);
        let stays = own.flat_map(|(programme, course)| {
            course.stays.iter().map(|&(from, until)| (from, until, programme.weights_share))
        });
        beyond(prices.len(), stays)
    };
    let memory = prices.memory.iter().enumerate().map(of_cell).collect();
    let mut compute: Vec<Vec<f64>> = prices.compute.iter().map(|prices| vec![-1.0; prices.len()]).collect();
    for (programme, course) in &courses {
        for &(slot, share) in &course.served {
            compute[programme.cell][slot as usize] += share;
        }
    }
    let excess = Prices { memory, compute };
    Point { bound: cost - prices.all().sum::<f64>(), prices, excess }
}

/// The parts of the slots: the costs of the courses there, and the prices of what they take beyond what there is.
fn slot_costs(best: &Point<Prices>, trajectory: &Trajectory, programmes: &[Programme<'_>]) -> Vec<f64> {
    let mut costs = vec![0.0; trajectory.slots as usize];
    let courses = programmes.iter().flat_map(|programme| programme.best(&best.prices).costs);
    let Prices { memory, compute } = &best.prices;
    let memory = memory.iter().flatten().zip(best.excess.memory.iter().flatten());
    let asked = trajectory.cells.iter().flatten().map(|asked| asked.slot);
    let of_memory = asked.zip(memory).map(|(slot, (price, excess))| (slot, price * excess));
    let of_compute = compute.iter().zip(&best.excess.compute).flat_map(|(prices, excesses)| {
        (0..).zip(prices.iter().zip(excesses)).map(|(slot, (price, excess))| (slot, price * excess))
    });
    for (slot, cost) in courses.chain(of_memory).chain(of_compute) {
        costs[slot as usize] += cost;
    }
    costs
}
