//! Serving at the edge: what it needs, what may leave for it, and what it costs.
//!
//! The batch's own weights and context never leave for it. With `memory.kv` a batch that is served by a resident entry may
//! need room, too: for the context that it leaves behind.

use super::{Cell, Outcome, Pending, World};
use crate::cost::CostBreakdown;
use crate::counters::Counters;
use crate::placement::Placement;
use crate::thought::Thought;
use crate::thought::contexts::Visit;
use crate::units::{ServiceId, UserId};
use crate::workload::arrivals::Batch;

impl World {
    /// Bytes that have to be freed before the pending batch can be served at the edge; 0 at a prefetch decision.
    pub fn missing_bytes(&self) -> u64 {
        self.needed_bytes.saturating_sub(self.cells[self.pending().cell().index()].cache.free_bytes())
    }

    /// Bytes that have to be freed before the cell of a prefetch decision can load this service; 0 at a batch.
    pub fn missing_bytes_ahead(&self, service: ServiceId) -> u64 {
        match self.pending() {
            Pending::Prefetch(cell) => {
                let cache = &self.cells[cell.index()].cache;
                cache.marginal_bytes(service).saturating_sub(cache.free_bytes())
            }
            Pending::Batch(_) => 0,
        }
    }

    /// Bytes that are free at the cell of the pending decision once these residents have left together for this service.
    pub fn freed_bytes(&self, victims: &[ServiceId], service: ServiceId) -> u64 {
        self.cells[self.pending().cell().index()].cache.freed_bytes(victims, service)
    }

    /// The context that a request of the pending batch finds at the edge, on average over its requests: that of its user,
    /// or of its service where all users share one. Nothing at a prefetch decision.
    pub fn mean_thought(&self) -> Thought {
        self.found
    }

    /// Whose requests the pending batch brings; nobody's at a prefetch decision.
    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// Learns whose requests the pending batch brings, and what it needs.
    pub(super) fn meet(&mut self) {
        (self.needed_bytes, self.found, self.facts) = (0, Thought::default(), None);
        if self.has_begun() {
            self.release_idle();
        }
        let batch =
            self.next.checked_sub(self.num_prefetches).and_then(|batch| self.batches.get(batch).copied());
        let Some(batch) = batch else {
            self.visits.clear();
            return;
        };
        if let Some(users) = &self.users {
            users.visits(self.requests_before, batch, &mut self.visits);
        } else {
            self.visits.resize(1, Visit { user: UserId::ALL, num_requests: 0 });
            self.visits[0].num_requests = batch.num_requests;
        }
        let cache = &self.cells[batch.cell.index()].cache;
        self.needed_bytes = cache.marginal_bytes(batch.service);
        if self.scenario.has_kv() {
            let growth_bytes =
                cache.growth_bytes(batch.service, &self.visits, &self.scenario.context_law(batch.service));
            self.needed_bytes = self.needed_bytes.saturating_add(growth_bytes);
        }
        self.found = cache.mean_thought(batch.service, &self.visits);
        if let (Some(physics), Some(physical)) = (&self.physics, self.scenario.physical()) {
            let place = (self.slot, self.requests_before, batch.cell);
            self.facts = Some(physics.facts(place, cache, self.found, (&self.scenario, physical)));
        }
    }

    pub(super) fn serve_at_edge(&mut self, batch: Batch, victims: &[ServiceId]) -> Outcome {
        assert!(self.can_serve(Placement::Edge), "only what fits is served at the edge");
        let needed_bytes = self.needed_bytes;
        let service = self.scenario.service(batch.service);
        let law = self.scenario.context_law(batch.service);
        let prices = self.scenario.prices();
        let Cell { cache, spent_flop, .. } = &mut self.cells[batch.cell.index()];
        let requests = f64::from(batch.num_requests);
        let mut cost = CostBreakdown::default();
        let mut counters = Counters {
            requests: u64::from(batch.num_requests),
            edge_requests: u64::from(batch.num_requests),
            ..Counters::default()
        };
        if cache.is_resident(batch.service) {
            counters.hits = counters.requests;
        }
        cache.bring_in(batch.service, victims, needed_bytes, &mut counters);
        if counters.loads > 0 {
            cost.switching = service.load_cost;
        }
        self.batches_served += 1;
        let window = service.window_tokens;
        counters.refreshes =
            cache.serve(batch.service, &self.visits, &law, self.batches_served, |visit, before, after| {
                let unit = service.quality.unit_cost(before.fresh_tokens(window), after.fresh_tokens(window));
                cost.accuracy += f64::from(visit.num_requests) * prices.accuracy_weight * unit;
            });
        cost.transmission = requests * service.edge_per_request;
        cost.compute = requests * service.request_flop * prices.per_flop;
        *spent_flop += requests * service.request_flop;
        Outcome { cost, counters }
    }
}
