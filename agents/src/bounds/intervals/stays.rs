//! The best stays of one copy of weights in the memory of a cell, under prices on that memory.
//!
//! Models: the requests that the copy could serve, in order. A stay begins with the load for one of them and ends with another; those
//! outside all stays are served elsewhere.
//!
//! Equation, backwards over the requests `a`, with `f = 0` before the first load and `f = 1` after it; `P(i, j)` the price of the weights
//! from decision `i` up to `j`:
//! ```text
//! V_f(a) = min( e_a + V_f(a+1),  min over b >= a of S_f(a, b) + P(n_a, l_b) + sum of e over b+1 .. next(l_b) + V_1(next(l_b)) )
//! ```
//! Symbols: `e` cost elsewhere; `n_a` the decision of request `a`; `l_b` the first decision at which weights that served `b` may be gone;
//! `next(l)` the first request from decision `l` on; `S_f(a, b)` the cost of a stay: the load, holding, and the cheapest ways through all
//! requests from `a` to `b`, context by context ([`chain`](super::chain)). `S` does not depend on prices and is found once.

use super::ask::{Ask, Pricing};
use super::chain::Chain;
use std::collections::BTreeMap;
use thoughtcache_env::llm::loading::{Loading, Tier};
use thoughtcache_env::thought::Refresh;
use thoughtcache_env::units::ServiceId;

/// The decisions of a cell, and what they are about.
pub(super) struct Scene<'a> {
    pricing: Pricing<'a>,
    /// Slot and time of each decision, in seconds since the episode began.
    decisions: Vec<(u32, f64)>,
    /// Slots of the episode.
    slots: u32,
}

/// The end of a stay that serves some request last.
#[derive(Clone, Copy)]
struct Leave {
    /// The first decision at which the weights may be gone.
    decision: usize,
    /// The first request from there on.
    next: usize,
    /// The slot up to which they are held.
    slot: u32,
}

/// All stays that one copy of weights could have.
pub(super) struct Stays {
    asks: Vec<Ask>,
    /// What the weights take of the memory.
    pub(super) share: f64,
    /// By request: the cost elsewhere of it and all after it.
    elsewhere: Vec<f64>,
    /// By request that a stay may end with.
    leaves: Vec<Leave>,
    /// Before the first load and after it, by the request that a stay begins with: its cost up to each request from there.
    costs: [Vec<Vec<f64>>; 2],
}

/// The best stays.
pub(super) struct Course {
    /// Their cost and that of all other requests, prices included.
    pub(super) cost: f64,
    /// From which decision to which one, exclusive, the weights are there.
    pub(super) stays: Vec<(usize, usize)>,
    /// Slot and cost of each request, prices of memory not included.
    pub(super) costs: Vec<(u32, f64)>,
}

impl Stays {
    /// The stays of a copy that could serve these requests, at least one.
    fn new(scene: &Scene<'_>, asks: Vec<Ask>) -> Self {
        let scenario = scene.pricing.scenario;
        let service = scenario.service(asks[0].facts.service);
        let mut elsewhere = vec![0.0; asks.len() + 1];
        for (at, ask) in asks.iter().enumerate().rev() {
            let [unseen, seen] = scene.pricing.elsewhere(ask, ask.seen_at_best);
            elsewhere[at] = elsewhere[at + 1] + unseen.min(seen);
        }
        let leaves: Vec<Leave> = asks.iter().map(|ask| scene.leave(ask, &asks)).collect();
        // Weights that another copy of the model has brought near are not far the first time.
        let users = scenario.services.iter().filter(|other| other.model == service.model).count();
        let is_near_at_first = users > 1 && !scenario.has_shared_weights;
        let costs = [is_near_at_first, true].map(|is_near| {
            (0..asks.len()).map(|from| scene.stay_costs(&asks[from..], &leaves[from..], is_near)).collect()
        });
        let share = service.bytes as f64 / scenario.capacity_bytes as f64;
        Self { asks, share, elsewhere, leaves, costs }
    }

    /// The cost of serving everything elsewhere.
    pub(super) fn cost_elsewhere(&self) -> f64 {
        self.elsewhere[0]
    }

    /// The decisions of the requests inside the stays of a course.
    pub(super) fn inside(&self, course: &Course) -> impl Iterator<Item = usize> {
        let decisions = self.asks.iter().map(|ask| ask.decision);
        decisions.filter(|at| course.stays.iter().any(|(from, until)| (from..until).contains(&at)))
    }

    /// The stays of least cost.
    pub(super) fn best(&self, prices: &[f64]) -> Course {
        let mut sums = Vec::with_capacity(prices.len() + 1);
        sums.push(0.0);
        for (at, price) in prices.iter().enumerate() {
            sums.push(sums[at] + self.share * price);
        }
        let count = self.asks.len();
        let [mut before, mut after] = [(); 2].map(|()| vec![0.0; count + 1]);
        // The last request of the best stay that begins with each request; none where it goes elsewhere.
        let [mut first, mut later] = [(); 2].map(|()| vec![None; count]);
        for from in (0..count).rev() {
            let begin = sums[self.asks[from].decision];
            let own = self.elsewhere[from] - self.elsewhere[from + 1];
            (after[from], later[from]) = (own + after[from + 1], None);
            (before[from], first[from]) = (own + before[from + 1], None);
            for (last, leave) in (from..).zip(&self.leaves[from..]) {
                let rest = sums[leave.decision] - begin + self.elsewhere[last + 1]
                    - self.elsewhere[leave.next]
                    + after[leave.next];
                let [far, near] = [0, 1].map(|f: usize| self.costs[f][from][last - from] + rest);
                if far < before[from] {
                    (before[from], first[from]) = (far, Some(last));
                }
                if near < after[from] {
                    (after[from], later[from]) = (near, Some(last));
                }
            }
        }
        let mut course = Course { cost: before[0], stays: Vec::new(), costs: Vec::new() };
        let (mut at, mut was_loaded) = (0, false);
        while at < count {
            let last = if was_loaded { later[at] } else { first[at] };
            let mut next = at + 1;
            let mut inside = 0;
            if let Some(last) = last {
                let costs = &self.costs[usize::from(was_loaded)][at][..=last - at];
                let steps = std::iter::once(costs[0]).chain(costs.windows(2).map(|pair| pair[1] - pair[0]));
                course.costs.extend(self.asks[at..].iter().map(|ask| ask.slot).zip(steps));
                course.stays.push((self.asks[at].decision, self.leaves[last].decision));
                (next, inside, was_loaded) = (self.leaves[last].next, costs.len(), true);
            }
            for outside in at + inside..next {
                let own = self.elsewhere[outside] - self.elsewhere[outside + 1];
                course.costs.push((self.asks[outside].slot, own));
            }
            at = next;
        }
        course
    }
}

impl<'a> Scene<'a> {
    /// The decisions about these requests.
    pub(super) fn new(pricing: Pricing<'a>, asks: &[Ask], slots: u32) -> Self {
        let time = |ask: &Ask| f64::from(ask.slot) * pricing.law.slot_s + ask.facts.arrival_s;
        let decisions = asks.iter().map(|ask| (ask.slot, time(ask))).collect();
        Self { pricing, decisions, slots }
    }

    /// The stays of all copies of weights that these requests could be served by.
    pub(super) fn copies(&self, asks: &[Ask]) -> Vec<Stays> {
        let scenario = self.pricing.scenario;
        let mut by_copy: BTreeMap<_, Vec<Ask>> = BTreeMap::new();
        for ask in asks {
            let service = ask.facts.service;
            let model = scenario.service(service).model;
            let copy = if scenario.has_shared_weights { model.index() } else { service.index() };
            by_copy.entry(copy).or_default().push(ask.clone());
        }
        by_copy.into_values().map(|asks| Stays::new(self, asks)).collect()
    }

    /// The end of a stay that serves this request of the copy's last. A pin holds the entry until the request is done, unless its
    /// context may be exhausted and take it away.
    fn leave(&self, ask: &Ask, asks: &[Ask]) -> Leave {
        let mut decision = ask.decision + 1;
        if self.pricing.scenario.refresh == Refresh::Evict {
            let next = asks.partition_point(|ask| ask.decision < decision);
            return Leave { decision, next, slot: ask.slot };
        }
        let until_s = self.decisions[ask.decision].1 + self.pricing.least_latency_s(ask);
        decision += self.decisions[decision..].iter().take_while(|(_, now_s)| *now_s < until_s).count();
        let next = asks.partition_point(|ask| ask.decision < decision);
        // Nobody leaves between two decisions; with loads ahead every slot opens with one.
        let mut slot = self.decisions.get(decision).map_or(self.slots, |(slot, _)| *slot);
        if self.pricing.scenario.has_prefetch {
            slot = slot.min((until_s / self.pricing.law.slot_s).floor() as u32).max(ask.slot);
        }
        Leave { decision, next, slot }
    }

    /// The costs of the stays that begin with the first of these requests and end with each of them.
    fn stay_costs(&self, asks: &[Ask], leaves: &[Leave], is_near: bool) -> Vec<f64> {
        let Pricing { scenario, law } = self.pricing;
        let (loader, begin) = (asks[0].facts.service, asks[0].slot);
        let (mut loading, mut sum) = self.load(loader, is_near);
        let holding = law.holding_cost(scenario.service(loader).bytes);
        let mut chains: BTreeMap<_, Chain> = BTreeMap::new();
        let mut slot = begin;
        let mut costs = Vec::with_capacity(asks.len());
        for (at, (ask, leave)) in asks.iter().zip(leaves).enumerate() {
            loading.advance(f64::from(ask.slot - slot) * law.slot_s);
            slot = ask.slot;
            // Weights that were loaded ahead may be there, and may serve another request first.
            let load_s = if scenario.has_prefetch { 0.0 } else { loading.seconds_left(loader) };
            let user = scenario.num_users.map(|_| ask.facts.user);
            let chain = chains.entry((ask.facts.service, user)).or_default();
            sum -= chain.least();
            chain.add(&self.pricing, ask, at == 0 && !scenario.has_prefetch, load_s);
            sum += chain.least();
            costs.push(sum + holding * f64::from(leave.slot - begin));
        }
        costs
    }

    /// Weights at the begin of their way, and its cost: from where an episode finds them, or from the nearest place that can hold them.
    fn load(&self, service: ServiceId, is_near: bool) -> (Loading, f64) {
        let Pricing { scenario, law } = self.pricing;
        let (bytes, model) = (scenario.service(service).bytes, scenario.service(service).model);
        let mut loading = Loading::default();
        loading.begin_anew(&law.path, &law.model_bytes);
        if is_near {
            loading.begin(&law.path, &law.model_bytes, service, model, bytes);
        }
        let store_bytes = if loading.tier(model) == Tier::Remote { bytes } else { 0 };
        let seconds = loading.begin(&law.path, &law.model_bytes, service, model, bytes);
        (loading, law.load_cost(seconds, store_bytes))
    }
}
