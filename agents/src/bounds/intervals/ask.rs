//! A request of a physical trajectory, and the least that it can cost.
//!
//! Models: the bill of the environment (`placement/pipeline.rs`, weighed in `world/prices.rs`) with the best numbers wherever they depend on
//! decisions that are not looked at.
//!
//! Equation:
//! ```text
//! c_edge(kappa, K, seen, load) = min over placements at the edge, over batches n <= N of
//!     cost with kappa fresh tokens, min(K, carried) reused ones, the twin seen then, `load` seconds to wait for the weights, no backlog
//!     + work price + (wait price where load = 0)                                                              see `waits.rs`
//! c_elsewhere(seen)            = min over the other placements of cost with the twin seen then
//! ```
//! Symbols: `N` requests of its service in its slot up to this one, at most the greatest batch; `carried` tokens of context that go along
//! as text.
//!
//! Assumptions, each of which takes the least of what can be:
//! - Seconds of load and of the backlog, lateness and the age of the twin only add to a cost; fresh context only takes from it.
//! - Kept context that does not go along makes prompts longer (`prompt = max(K, carried) + new`), so `K` beyond `carried` is left out; up
//!   to there it spares computing and sending.
//! - Of two requests in a batch, the second adds no less work if its prompt is longer. That holds while a batch of two reads weights for
//!   longer than it computes, as every device of the catalogue does with .2 bytes a weight or more.
//! - In the second edition charges add up to what all requests take in the end, and each takes no less than alone: nobody reads, writes or
//!   sends faster in company. Only energy is shared, at most as in the greatest batch for all of its answer, and nobody waits for another (`r = 0`).
//! - A cloud that keeps conversations still has the whole of this one.
//! - The batch that it joins has at most `N` requests, as batches are of one service and slot; the cheapest size is taken.

use thoughtcache_env::placement::pipeline::{StageBill, price};
use thoughtcache_env::placement::request::RequestFacts;
use thoughtcache_env::placement::{Payload, Placement};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::thought::Thought;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Its number among the decisions of its cell.
    pub(super) decision: usize,
    pub(super) slot: u32,
    /// The numbers of the request that no decision changes; the others are as if the cell was empty.
    pub(super) facts: RequestFacts,
    /// Requests of its service in its slot at its cell up to this one: no batch that it joins is larger.
    pub(super) most_in_batch: u32,
    /// The slot of the latest request of its user at its cell before it: the cell may have seen the user then.
    pub(super) seen_at_best: Option<u32>,
    /// The same, among requests that meet another context.
    pub(super) seen_for_others: Option<u32>,
    /// The first request of its service in its slot, by decision: no batch that it joins began before.
    pub(super) batch_begins: usize,
    /// What others pay for at the edge when they wait for it.
    pub(super) work_price: f64,
    /// What it pays at the edge for waiting, unless it waits for its weights.
    pub(super) wait_price: f64,
}

/// What a way up to a request has left behind for it. More of each is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// The context of its user, or of its service where all users share one.
    pub(super) thought: Thought,
    /// The slot in which a perception result of its user last reached the cell.
    pub(super) seen: Option<u32>,
}

/// The prices of a physical scenario.
#[derive(Clone, Copy)]
pub(super) struct Pricing<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) law: &'a Physical,
}

impl Pricing<'_> {
    /// The least costs where no weights are needed at the cell: in placements that show it nothing of the user, and in those that do.
    pub(super) fn elsewhere(&self, ask: &Ask, seen: Option<u32>) -> [f64; 2] {
        let cloud_tokens = self.law.cloud_cache.map_or(0.0, |_| ask.facts.said_tokens);
        let facts = RequestFacts { twin_age_slots: age_slots(ask, seen), cloud_tokens, ..ask.facts };
        let mut least = [f64::INFINITY; 2];
        for placement in self.placements(ask, false) {
            let least = &mut least[usize::from(placement.payload() != Payload::Nothing)];
            *least = least.min(self.cost(&self.bill(placement, facts), ask));
        }
        least
    }

    /// The least cost at the edge, where the weights are there after `load_s`.
    pub(super) fn at_edge(&self, ask: &Ask, known: Known, load_s: f64) -> f64 {
        let window_tokens = self.scenario.service(ask.facts.service).window_tokens;
        let facts = RequestFacts {
            kept_tokens: self.reused_tokens(ask, known.thought.context_tokens),
            fresh_tokens: known.thought.fresh_tokens(window_tokens),
            twin_age_slots: age_slots(ask, known.seen),
            load_s,
            ..ask.facts
        };
        let least = self.least_at_edge(ask, facts, |bill| self.cost(bill, ask));
        least + ask.work_price + if load_s > 0.0 { 0.0 } else { ask.wait_price }
    }

    /// The fewest seconds until a request that is served at the edge is done.
    pub(super) fn least_latency_s(&self, ask: &Ask) -> f64 {
        self.least_at_edge(ask, self.quickest(ask), |bill| bill.latency_s)
    }

    /// The least work of a request that is served at the edge, in GPU-seconds.
    pub(super) fn least_gpu_s(&self, ask: &Ask) -> f64 {
        self.least_at_edge(ask, self.quickest(ask), |bill| bill.edge_gpu_s)
    }

    /// The least of some number of the bills at the edge.
    fn least_at_edge(&self, ask: &Ask, facts: RequestFacts, number: impl Fn(&StageBill) -> f64) -> f64 {
        let mut least = f64::INFINITY;
        for edge_batch in 1..=ask.most_in_batch.min(self.law.max_batch) {
            let facts = RequestFacts { edge_batch, ..facts };
            for placement in self.placements(ask, true) {
                least = least.min(number(&self.bill(placement, facts)));
            }
        }
        least
    }

    /// The placements that serve a request at the edge, or elsewhere.
    fn placements(&self, ask: &Ask, at_edge: bool) -> impl Iterator<Item = Placement> {
        let placements = self.scenario.placements.iter().copied();
        placements.filter(move |placement| {
            placement.needs_residency() == at_edge && self.law.offers(ask.facts.service, *placement)
        })
    }

    /// The numbers with which a request at the edge takes least time and work.
    fn quickest(&self, ask: &Ask) -> RequestFacts {
        RequestFacts { kept_tokens: self.reused_tokens(ask, f64::INFINITY), ..ask.facts }
    }

    fn reused_tokens(&self, ask: &Ask, kept_tokens: f64) -> f64 {
        kept_tokens.min(self.law.view(ask.facts).carried_tokens)
    }

    fn bill(&self, placement: Placement, facts: RequestFacts) -> StageBill {
        price(placement, &self.law.view_alone(facts))
    }

    fn cost(&self, bill: &StageBill, ask: &Ask) -> f64 {
        self.law.cost(bill, ask.facts.service).total() - self.law.shared_energy_cost(bill)
    }
}

/// Slots since a perception result reached the cell.
fn age_slots(ask: &Ask, seen: Option<u32>) -> Option<u32> {
    seen.map(|seen| ask.slot - seen)
}
