//! A lower bound of the cost of a physical trajectory, whatever policy decides: also one that knows the future.
//!
//! Models: the requests of an episode of a physical scenario, which no decision changes, and the copies of weights that compete for the
//! memory of a cell. Under a price on that memory copies no longer depend on each other, and the best stays of each in memory
//! are found exactly (`stays.rs`).
//!
//! Equation, for prices `mu >= 0` of the memory of a cell at decision `n`:
//! ```text
//! L(mu) = sum over copies of min over its stays of [ relaxed cost + sum_n mu_n W y_n ] - sum_n mu_n M
//! ```
//! Symbols: `W` bytes of the weights; `y_n` 1 while they are in memory at decision `n`: after what leaves for it has left and what it loads has
//! been let in, before its request is served; `M` bytes of the memory.
//!
//! Proof that `L <= cost of every run`. A run keeps `sum W y_n <= M` at *every* decision (within a slot one entry may leave and another
//! come, and a context that is exhausted may take its entry away only after the request is served), so `sum_n mu_n (sum W y_n - M)` is at most
//! 0 and may be added to its cost. Cut the time of each copy into residencies. Each begins with a load for a request that is served at the
//! edge, at decision `a`; let `b` be its last request at the edge. Then the run has the stay `(a, b)` of `stays.rs`, whose weights are
//! there from `a` until `b` at least, and its cost is no less than the relaxed cost of these stays:
//! - A request at the edge lies inside a stay. Its bill is one of those over which `ask.rs` takes the least, and each number that
//!   is replaced there is replaced by one that costs no more.
//! - Every other request costs at least its cheapest placement elsewhere.
//! - The first load of a copy comes from where an episode finds its weights: nothing has brought them nearer. Later ones come from no nearer
//!   than the nearest place that can hold them. Whoever is served before the weights are there waits for what is left of the load.
//! - Weights are held from `a` to `b`, and on until `b` is done, as whatever serves is pinned; they leave at a decision.
//!
//! What is relaxed, the greatest first (sizes are in `docs/bounds.md`):
//! - Copies share a memory at a price instead of a memory of fixed size.
//! - Nobody waits for the GPUs, and no answer is late because of that; batches are of the cheapest size.
//! - Contexts take no memory, and what is kept beyond what is fresh takes no time.
//! - A perception result reached the cell at every earlier request of the user that meets another context, or came before the stay.
//! - Contexts are neither exhausted nor evicted apart from their weights; loads ahead (`decision.prefetch`) need no memory and no time;
//!   refusals do not last (`decision.hold`).
//!
//! What is kept exactly: when decisions come; radio, devices and the cloud; growing and fading contexts, turn by turn; loads on
//! their way; pins, unless a context may be exhausted and take its entry away (`memory.refresh = "evict"`).
//!
//! Cells share nothing: prices are looked for at each alone.

mod ask;
mod chain;
mod stays;

#[cfg(test)]
mod tests;

use super::Bound;
use super::ascent::{Ascent, Point};
use super::trajectory::{Asked, Trajectory};
use ask::{Ask, Pricing};
use stays::{Scene, Stays};
use std::collections::BTreeMap;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::units::{ServiceId, UserId};

impl Bound {
    /// The bound of a trajectory of a physical scenario.
    pub(super) fn of_stays(
        scenario: &Scenario,
        law: &Physical,
        trajectory: &Trajectory,
        ascent: Ascent,
    ) -> Self {
        let mut bound = Self { cost: 0.0, slot_costs: vec![0.0; trajectory.slots as usize] };
        for asked in &trajectory.cells {
            let copies = copies(Pricing { scenario, law }, asked, trajectory.slots);
            let at = |prices| point(prices, &copies);
            let elsewhere = copies.iter().map(Stays::cost_elsewhere).sum();
            let best = ascent.climb(at(vec![0.0; asked.len()]), elsewhere, at);
            bound.cost += best.bound;
            let courses = copies.iter().flat_map(|copy| copy.best(&best.prices).costs);
            let memory = best.prices.iter().zip(&best.excess).zip(asked);
            let memory = memory.map(|((price, excess), asked)| (asked.slot as u32, price * excess));
            for (slot, cost) in courses.chain(memory) {
                bound.slot_costs[slot as usize] += cost;
            }
        }
        bound
    }
}

/// Takes the best stays of every copy under the prices of the whole memory at each decision.
fn point(prices: Vec<f64>, copies: &[Stays]) -> Point<Vec<f64>> {
    let mut excess = vec![0.0; prices.len()];
    let mut cost = 0.0;
    for copy in copies {
        let course = copy.best(&prices);
        cost += course.cost;
        for (from, until) in course.stays {
            excess[from] += copy.share;
            if let Some(end) = excess.get_mut(until) {
                *end -= copy.share;
            }
        }
    }
    let mut taken = 0.0;
    for excess in &mut excess {
        taken += *excess;
        *excess = taken - 1.0;
    }
    Point { bound: cost - prices.iter().sum::<f64>(), prices, excess }
}

/// The stays of all copies of weights that the requests of a cell could be served by.
fn copies(pricing: Pricing<'_>, asked: &[Asked], slots: u32) -> Vec<Stays> {
    let Pricing { scenario, law } = pricing;
    let mut scene = Scene { pricing, decisions: Vec::with_capacity(asked.len()), slots };
    let mut by_copy: BTreeMap<_, Vec<Ask>> = BTreeMap::new();
    // By user: the services that were asked for, and the slot in which each was last.
    let mut asked_before: BTreeMap<UserId, BTreeMap<ServiceId, u32>> = BTreeMap::new();
    let mut in_slot: BTreeMap<ServiceId, (u32, u32)> = BTreeMap::new();
    for (decision, asked) in asked.iter().enumerate() {
        let (service, slot) = (asked.service, asked.slot as u32);
        let facts = asked.facts.expect("a request of a physical scenario has numbers");
        scene.decisions.push((slot, f64::from(slot) * law.slot_s + facts.arrival_s));
        let counted = in_slot.entry(service).or_default();
        *counted = if counted.0 == slot { (slot, counted.1 + 1) } else { (slot, 1) };
        let before = asked_before.entry(facts.user).or_default();
        let seen_at_best = before.values().copied().max();
        // A context that users share knows nothing of each of them.
        let is_own = |other: ServiceId| scenario.num_users.is_some() && other == service;
        let seen_for_others =
            before.iter().filter(|(other, _)| !is_own(**other)).map(|(_, slot)| *slot).max();
        before.insert(service, slot);
        let model = scenario.service(service).model;
        let copy = if scenario.has_shared_weights { model.index() } else { service.index() };
        by_copy.entry(copy).or_default().push(Ask {
            decision,
            slot,
            facts,
            most_in_batch: counted.1,
            seen_at_best,
            seen_for_others,
        });
    }
    by_copy.into_values().map(|asks| Stays::new(&scene, asks)).collect()
}
