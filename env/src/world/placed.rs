//! Serving a request of a physical scenario in one of its placements: what it finds, what it costs, what it leaves behind.

use super::physics::{Physics, Station};
use super::{Cell, Outcome, World};
use crate::cost::CostBreakdown;
use crate::counters::Counters;
use crate::placement::pipeline::{StageBill, price};
use crate::placement::request::RequestFacts;
use crate::placement::{Payload, Placement};
use crate::radio::mobility::Position;
use crate::radio::user::Connection;
use crate::scenario::physics::Physical;
use crate::units::{CellId, ServiceId, UserId};
use crate::workload::arrivals::Batch;

impl World {
    /// What a cell of a physical scenario does beside keeping entries; `None` in abstract ones.
    pub fn station(&self, cell: CellId) -> Option<&Station> {
        self.physics.as_ref().map(|physics| physics.station(cell))
    }

    /// Seconds that the GPUs of a cell have to work on what was accepted; 0 in abstract scenarios.
    pub fn backlog_s(&self, cell: CellId) -> f64 {
        match (self.station(cell), self.scenario.physical()) {
            (Some(station), Some(physical)) => station.backlog().waiting_s(physical.num_gpus()),
            _ => 0.0,
        }
    }

    /// [`facts`](Self::facts) with the expected length of the answer in place of the one that was drawn.
    pub fn expected_facts(&self) -> Option<RequestFacts> {
        let physical = self.scenario.physical()?;
        let facts = self.facts()?;
        Some(RequestFacts { output_tokens: physical.expected_output_tokens(facts.service), ..facts })
    }

    /// What the last served request took, stage by stage; `None` before it and in abstract scenarios.
    pub fn last_bill(&self) -> Option<StageBill> {
        let (placement, facts) = self.last_served.as_ref()?;
        Some(price(*placement, &self.scenario.physical()?.view(facts)))
    }

    /// Users that moved to another cell since the episode began; `None` in abstract scenarios.
    pub fn handovers(&self) -> Option<u64> {
        self.physics.as_ref().map(Physics::handovers)
    }

    /// Links that were looked at since the episode began beyond the distances that the path loss is valid for, where it was
    /// taken at the nearest valid one; `None` in abstract scenarios.
    pub fn clamped_links(&self) -> Option<u64> {
        self.physics.as_ref().map(Physics::num_clamped)
    }

    /// How the user of the pending request is connected; `None` where none is pending, in abstract scenarios, and in a slot
    /// in which a state was restored.
    pub fn connection(&self) -> Option<&Connection> {
        self.pending_batch()?;
        self.physics.as_ref()?.connection(self.requests_before)
    }

    /// Bytes that a user of a physical scenario occupies who asks for nothing; `None` in abstract ones.
    pub fn idle_user_bytes(&self) -> Option<usize> {
        self.physics.as_ref().map(Physics::idle_user_bytes)
    }

    /// Where a user was when it last asked; `None` in abstract scenarios, and for users that there are not.
    pub fn position(&self, user: UserId) -> Option<Position> {
        self.physics.as_ref().and_then(|physics| physics.position(user))
    }

    /// All that the price of the pending request depends on, the length of its answer included; `None` at a prefetch decision
    /// and in abstract scenarios.
    pub fn facts(&self) -> Option<RequestFacts> {
        self.facts
    }

    /// Entries whose work is done may leave before the pending decision is taken.
    pub(super) fn release_idle(&mut self) {
        let cell = self.pending().cell();
        let is_batch = self.pending_batch().is_some();
        let (Some(physics), Some(physical)) = (&self.physics, self.scenario.physical()) else { return };
        let now_s = if is_batch {
            physics.arrival_s(self.slot, self.requests_before, physical)
        } else {
            self.slot as f64 * physical.slot_s()
        };
        physics.release(now_s, cell, &mut self.cells[cell.index()].cache);
    }

    pub(super) fn serve_placed(
        &mut self,
        batch: Batch,
        placement: Placement,
        victims: &[ServiceId],
    ) -> Outcome {
        assert!(self.can_serve(placement), "only what fits is served at the edge");
        let mut facts = self.facts().expect("a request of a physical scenario");
        let now_s = self.slot as f64 * self.scenario.slot_s() + facts.arrival_s;
        let mut cost = CostBreakdown::default();
        let mut counters = Counters { requests: 1, ..Counters::default() };
        if placement.needs_residency() {
            counters.edge_requests = 1;
            counters.hits = u64::from(self.cells[batch.cell.index()].cache.is_resident(batch.service));
            let needed_bytes = self.needed_bytes;
            let (cell, service) = (batch.cell, batch.service);
            cost.switching = self.bring_in(cell, service, victims, needed_bytes, now_s, &mut counters);
            facts.load_s = self.station(cell).map_or(0.0, |station| station.loading().seconds_left(service));
        }
        let physical = self.scenario.physical().expect("a physical scenario");
        let physics = self.physics.as_mut().expect("a physical scenario");
        let bill = price(placement, &physical.view(&facts));
        cost += physical.cost(&bill, batch.service);
        counters.late = u64::from(physical.is_late(&bill, batch.service));
        if placement.payload() != Payload::Nothing {
            physics.refresh_twin(batch.cell, facts.user, self.slot);
        }
        let until_s = now_s + bill.latency_s;
        if placement.needs_residency() {
            physics.work(batch.cell, batch.service, (bill.edge_gpu_s, until_s), physical);
            counters.refreshes = self.remember(batch, until_s > now_s);
        }
        self.last_served = Some((placement, facts));
        Outcome { cost, counters }
    }

    /// Makes an entry resident, and begins its load where its weights are absent; returns what that costs beside waiting.
    pub(super) fn bring_in(
        &mut self,
        cell: CellId,
        service: ServiceId,
        victims: &[ServiceId],
        needed_bytes: u64,
        now_s: f64,
        counters: &mut Counters,
    ) -> f64 {
        let scenario = &*self.scenario;
        let physical = scenario.physical().expect("a physical scenario");
        let cache = &mut self.cells[cell.index()].cache;
        let before = counters.evictions;
        // Who may have to leave: nobody where there is room, and nothing is allocated then.
        let residents: Vec<ServiceId> = if victims.is_empty() && needed_bytes <= cache.free_bytes() {
            Vec::new()
        } else {
            (0..scenario.services().len())
                .map(ServiceId::from_index)
                .filter(|&service| cache.is_resident(service))
                .collect()
        };
        let was_resident = cache.is_resident(service);
        cache.bring_in(service, victims, needed_bytes, counters);
        let bytes = counters.loaded_bytes;
        if !was_resident {
            cache.pin(service);
        }
        let left: Vec<ServiceId> = if counters.evictions > before {
            residents.into_iter().filter(|&service| !cache.is_resident(service)).collect()
        } else {
            Vec::new()
        };
        let physics = self.physics.as_mut().expect("a physical scenario");
        for victim in left {
            let weights_left = cache.marginal_bytes(victim) > 0;
            physics.evicted(cell, victim, weights_left, (scenario, physical));
        }
        if was_resident {
            return 0.0;
        }
        let (load_s, store_bytes) = physics.load((cell, service, bytes), now_s, (scenario, physical));
        if counters.loads > 0 { load_cost(physical, load_s, store_bytes, bytes) } else { 0.0 }
    }

    /// The entry keeps what was said, and stays while it works; returns the contexts that were refreshed.
    fn remember(&mut self, batch: Batch, is_busy: bool) -> u64 {
        self.batches_served += 1;
        let law = self.scenario.context_law(batch.service);
        let Cell { cache, .. } = &mut self.cells[batch.cell.index()];
        if is_busy {
            cache.pin(batch.service);
        }
        let refreshes = cache.serve(batch.service, &self.visits, &law, self.batches_served, |_, _, _| ());
        if !cache.is_resident(batch.service) {
            let physical = self.scenario.physical().expect("a physical scenario");
            let physics = self.physics.as_mut().expect("a physical scenario");
            let weights_left = cache.marginal_bytes(batch.service) > 0;
            physics.evicted(batch.cell, batch.service, weights_left, (&self.scenario, physical));
        }
        refreshes
    }
}

/// An entry on weights that are there already costs nothing to load.
fn load_cost(physical: &Physical, load_s: f64, store_bytes: u64, bytes: u64) -> f64 {
    if bytes > 0 { physical.load_cost(load_s, store_bytes) } else { 0.0 }
}
