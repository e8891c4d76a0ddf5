//! What the pending batch finds at its cell: whose requests it brings, their contexts, and the room that it needs.
//!
//! The batch's own weights and context never leave for it. With `memory.kv` a batch that is served by a resident entry may
//! need room, too: for the context that it leaves behind.

use super::{Pending, World};
use crate::placement::request::RequestFacts;
use crate::thought::Thought;
use crate::units::ServiceId;
use crate::workload::users::Visit;

impl World {
    /// Bytes that have to be freed before the pending batch can be served at the edge; 0 at a prefetch decision.
    pub fn missing_bytes(&self) -> u64 {
        self.needed_bytes.saturating_sub(self.cell(self.pending().cell()).cache.free_bytes())
    }

    /// Bytes that have to be freed before the cell of a prefetch decision can load this service; 0 at a batch.
    pub fn missing_bytes_ahead(&self, service: ServiceId) -> u64 {
        match self.pending() {
            Pending::Prefetch(cell) => {
                let cache = &self.cell(cell).cache;
                cache.marginal_bytes(service).saturating_sub(cache.free_bytes())
            }
            Pending::Batch(_) => 0,
        }
    }

    /// Bytes that are free at the cell of the pending decision once these residents have left together for this service.
    pub fn freed_bytes(&self, victims: &[ServiceId], service: ServiceId) -> u64 {
        self.cell(self.pending().cell()).cache.freed_bytes(victims, service)
    }

    /// The context that a request of the pending batch finds at the edge, on average over its requests: that of its user,
    /// or of its service where all users share one. Nothing at a prefetch decision.
    pub fn mean_thought(&self) -> Thought {
        self.found
    }

    /// The users whose requests the pending batch brings; none at a prefetch decision.
    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// The length of the thought of a request of the pending batch, as a multiple of its service's mean; 1 where all thoughts of
    /// a service are alike, and at a prefetch decision.
    pub fn thought_length(&self) -> f64 {
        self.length
    }

    /// Floating-point operations that the pending batch takes at the edge; 0 at a prefetch decision.
    pub fn pending_flop(&self) -> f64 {
        self.pending_batch().map_or(0.0, |batch| {
            f64::from(batch.num_requests) * (self.length * self.scenario.service(batch.service).request_flop)
        })
    }

    /// The share of the compute budget that the cell of the pending decision has left in this slot; 1 where there is none.
    pub fn compute_left(&self) -> f64 {
        let spent_flop = self.cell(self.pending().cell()).spent_flop;
        self.scenario.compute_budget_flop.map_or(1.0, |budget| (1.0 - spent_flop / budget).clamp(0.0, 1.0))
    }

    /// All numbers that the price of the pending request depends on, the length of its answer included; `None` at a prefetch
    /// decision and in abstract scenarios.
    pub fn facts(&self) -> Option<RequestFacts> {
        self.serving.physics()?.facts
    }

    /// [`facts`](Self::facts) with the expected length of the answer in place of the one that was drawn.
    pub fn expected_facts(&self) -> Option<RequestFacts> {
        let facts = self.facts()?;
        let output_tokens = self.scenario.physical()?.expected_output_tokens(facts.service);
        Some(RequestFacts { output_tokens, ..facts })
    }

    /// Looks at the pending decision: whose requests it is about, and what they need.
    pub(super) fn meet(&mut self) {
        (self.needed_bytes, self.found, self.length) = (0, Thought::default(), 1.0);
        self.visits.clear();
        let (pending, slot) = (self.pending(), self.now.slot);
        let request = matches!(pending, Pending::Batch(_)).then_some(self.requests_before);
        let cache = &mut self.now.cells[pending.cell().index()].cache;
        self.serving.reach(slot, request, pending.cell(), cache);
        let (Pending::Batch(batch), Some(request)) = (pending, request) else { return };
        self.now.users.visits(request, batch, &mut self.visits);
        self.length = self.now.lengths.of(request);
        self.needed_bytes = cache.marginal_bytes(batch.service);
        if self.scenario.has_kv {
            let law = self.scenario.context_law(batch.service).of_length(self.length);
            let of_window = self.serving.window_bytes(batch.service, cache);
            let growth_bytes =
                of_window.unwrap_or_else(|| cache.growth_bytes(batch.service, &self.visits, &law));
            self.needed_bytes = self.needed_bytes.saturating_add(growth_bytes);
        }
        self.found = cache.mean_thought(batch.service, &self.visits);
        self.serving.find(request, batch.cell, cache, self.found);
    }
}
