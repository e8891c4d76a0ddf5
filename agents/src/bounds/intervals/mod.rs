//! A lower bound of the cost of a physical trajectory, whatever policy decides: also one that knows the future.
//!
//! Models: the requests of an episode of a physical scenario, which no decision changes, and the copies of weights that compete for the
//! memory of a cell. Under a price on that memory copies no longer depend on each other, and the best stays of each in memory
//! are found exactly (`stays.rs`).
//!
//! Equation, for prices `mu >= 0` of the memory of a cell at decision `n`, and `0 <= theta <= w` of waits:
//! ```text
//! L(mu, theta) = sum over copies of min over its stays of [ relaxed cost + sum_n mu_n W y_n + sum_n x_n (theta of n) ]
//!                - sum_n mu_n M - sum theta
//! ```
//! Symbols: `W` bytes of the weights; `y_n` 1 while they are in memory at decision `n`: after what leaves for it has left and what it loads has
//! been let in, before its request is served; `M` bytes of the memory; `x_n` 1 where the request is served at the edge; `theta`, `w` of a
//! pair of requests as in `waits.rs`.
//!
//! Proof that `L <= cost of every run`. A run keeps `sum W y_n <= M` at *every* decision (within a slot one entry may leave and another
//! come, and a context that is exhausted may take its entry away only after the request is served), so `sum_n mu_n (sum W y_n - M)` is at most
//! 0 and may be added to its cost. Cut the time of each copy into residencies. Each begins with a load for a request that is served at the
//! edge, at decision `a`; let `b` be its last request at the edge. Then the run has the stay `(a, b)` of `stays.rs`, whose weights are
//! there from `a` until `b` at least, and its cost is no less than the relaxed cost of these stays and the waits of `waits.rs`:
//! - A request at the edge lies inside a stay. Its bill is one of those over which `ask.rs` takes the least, and each number that
//!   is replaced there is replaced by one that costs no more.
//! - Every other request costs at least its cheapest placement elsewhere.
//! - The first load of a copy comes from where an episode finds its weights: nothing has brought them nearer. Later ones come from no nearer
//!   than the nearest place that can hold them. Whoever is served before the weights are there waits for what is left of the load.
//! - Weights are held from `a` to `b`, and on until `b` is done, as whatever serves is pinned; they leave at a decision: one about a request, or the one that opens a slot where services are loaded ahead.
//!
//! What is relaxed (how much each makes is told in `docs/bounds.md`):
//! - Copies share a memory at a price instead of a memory of fixed size.
//! - Of waits for the GPUs only pairs count, at a price; no answer is late because of them. Batches are of the cheapest size.
//! - Contexts take no memory, and what is kept beyond what goes along takes no time.
//! - The cell saw a user at every earlier request that came before the stay or meets another context.
//! - Contexts are neither exhausted nor evicted apart from their weights; loads ahead (`decision.prefetch`) need no memory and no time;
//!   refusals do not last (`decision.hold`).
//!
//! What is kept exactly: when decisions come; radio, devices and the cloud; contexts that grow and fade, turn by turn; loads on
//! their way; pins, unless a context may be exhausted and take its entry away (`memory.refresh = "evict"`).
//!
//! Prices of memory are found by subgradient ascent, twice: without prices of waits, and with the whole cost of those between requests
//! that both lie inside the best stays so far. Looking further for prices of waits brought nothing on `street`.
//!
//! Cells share nothing: prices are looked for at each alone.

mod ask;
mod chain;
mod stays;
mod waits;

#[cfg(test)]
mod tests;

use super::Bound;
use super::ascent::{Ascent, Point, beyond};
use super::trajectory::{Asked, Trajectory};
use ask::{Ask, Pricing};
use stays::{Scene, Stays};
use std::collections::BTreeMap;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::units::{ServiceId, UserId};
use waits::waits;

impl Bound {
    /// The bound of a trajectory of a physical scenario.
    pub(super) fn of_stays(
        scenario: &Scenario,
        law: &Physical,
        trajectory: &Trajectory,
        ascent: Ascent,
    ) -> Self {
        let pricing = Pricing { scenario, law };
        let mut bound = Self { cost: 0.0, slot_costs: vec![0.0; trajectory.slots as usize] };
        for asked in &trajectory.cells {
            let mut asks = asks(asked);
            let scene = Scene::new(pricing, &asks, trajectory.slots);
            let climb = |prices, copies: &[Stays]| {
                let elsewhere = copies.iter().map(Stays::cost_elsewhere).sum();
                ascent.climb(point(prices, copies), elsewhere, |prices| point(prices, copies))
            };
            let mut copies = scene.copies(&asks);
            let mut best = climb(vec![0.0; asked.len()], &copies);

            let is_inside = inside(&copies, &best.prices);
            let mut waits = waits(&pricing, &asks);
            waits.retain(|wait| is_inside[wait.worker] && is_inside[wait.waiter]);
            for wait in &waits {
                asks[wait.worker].work_price += wait.cost;
                asks[wait.waiter].wait_price += wait.cost;
            }
            let priced = scene.copies(&asks);
            let mut with_waits = climb(best.prices.clone(), &priced);
            with_waits.bound -= waits.iter().map(|wait| wait.cost).sum::<f64>();
            if with_waits.bound > best.bound {
                (best, copies) = (with_waits, priced);
            } else {
                waits.clear();
            }

            bound.cost += best.bound;
            let courses = copies.iter().flat_map(|copy| copy.best(&best.prices).costs);
            let memory = best.prices.iter().zip(&best.excess).zip(&asks);
            let memory = memory.map(|((price, excess), ask)| (ask.slot, price * excess));
            let waits = waits.iter().map(|wait| (asks[wait.waiter].slot, -wait.cost));
            for (slot, cost) in courses.chain(memory).chain(waits) {
                bound.slot_costs[slot as usize] += cost;
            }
        }
        bound
    }
}

/// By decision: whether its request lies inside the best stays of its copy.
fn inside(copies: &[Stays], prices: &[f64]) -> Vec<bool> {
    let mut is_inside = vec![false; prices.len()];
    for copy in copies {
        for decision in copy.inside(&copy.best(prices)) {
            is_inside[decision] = true;
        }
    }
    is_inside
}

/// Takes the best stays of every copy under the prices of the whole memory at each decision.
fn point(prices: Vec<f64>, copies: &[Stays]) -> Point<Vec<f64>> {
    let courses: Vec<_> = copies.iter().map(|copy| (copy.share, copy.best(&prices))).collect();
    let cost: f64 = courses.iter().map(|(_, course)| course.cost).sum();
    let stays = courses
        .iter()
        .flat_map(|(share, course)| course.stays.iter().map(move |&(from, until)| (from, until, *share)));
    let excess = beyond(prices.len(), stays);
    Point { bound: cost - prices.iter().sum::<f64>(), prices, excess }
}

/// The requests of a cell, in order of decision.
fn asks(asked: &[Asked]) -> Vec<Ask> {
    // By user: the services that were asked for, and the slot in which each was last.
    let mut before: BTreeMap<UserId, BTreeMap<ServiceId, u32>> = BTreeMap::new();
    // By service: the slot in which it was last asked for, the first decision about it there, and how many there were.
    let mut batches: BTreeMap<ServiceId, (u32, usize, u32)> = BTreeMap::new();
    let ask = |(decision, asked): (usize, &Asked)| {
        let (service, slot) = (asked.service, asked.slot as u32);
        let facts = asked.facts.expect("a request of a physical scenario has numbers");
        let batch = batches.entry(service).or_insert((slot, decision, 0));
        if batch.0 != slot {
            *batch = (slot, decision, 0);
        }
        batch.2 += 1;
        let seen = before.entry(facts.user).or_default();
        let for_others = seen.iter().filter(|(other, _)| **other != service);
        let ask = Ask {
            decision,
            slot,
            facts,
            most_in_batch: batch.2,
            seen_at_best: seen.values().copied().max(),
            seen_for_others: for_others.map(|(_, slot)| *slot).max(),
            batch_begins: batch.1,
            work_price: 0.0,
            wait_price: 0.0,
        };
        seen.insert(service, slot);
        ask
    };
    asked.iter().enumerate().map(ask).collect()
}
