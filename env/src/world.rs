//! The world: slots, and the decisions in them. Read this file for the order of events.
//!
//! ```text
//! open slot      popularity drifts, requests arrive, rates are estimated        workload
//!                physical: whoever asks moves and is connected                    radio
//! prefetch       where the scenario has it: each cell may load one service         cache, cost
//! decisions      one batch after another: evictions, load, service, refresh     cache, thought, llm, cost
//! close slot     thoughts fade, nothing is protected any more                   cache, thought
//!                physical: backlogs drain, loads advance, memory costs            llm, cost
//! ```
//! What happens in *open slot* never depends on a decision: two policies on one seed see the same requests, and
//! [`World::exogenous_fingerprint`] shows it. The world ends nowhere; the horizon only says when an episode is cut.

mod edge;
mod input_cost;
pub(crate) mod physics;
mod placed;
mod state;

use crate::cache::{Cache, Protection, Sizes};
use crate::cost::CostBreakdown;
use crate::counters::Counters;
use crate::digest::mix;
use crate::placement::Placement;
use crate::placement::request::RequestFacts;
use crate::random::Seed;
use crate::scenario::Scenario;
use crate::thought::Thought;
use crate::thought::contexts::Visit;
use crate::units::{CellId, ServiceId};
use crate::workload::arrivals::{Arrivals, Batch};
use crate::workload::demand::Demand;
use crate::workload::users::Users;
use physics::Physics;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(crate) use state::{Misfit, WorldState};

/// One base station with its edge server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    cache: Cache,
    demand: Vec<Demand>,
    spent_flop: f64,
    /// By service: a refusal of this slot forbids to load it. Empty where refusals do not last.
    held: Vec<bool>,
}

impl Cell {
    /// The server's memory.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What is asked for here, by service.
    pub fn demand(&self) -> &[Demand] {
        &self.demand
    }

    /// Floating-point operations spent in this slot.
    pub fn spent_flop(&self) -> f64 {
        self.spent_flop
    }

    /// By service: whether a refusal of this slot forbids to load it; empty in scenarios without `decision.hold`.
    pub fn held(&self) -> &[bool] {
        &self.held
    }

    fn is_held(&self, service: ServiceId) -> bool {
        self.held.get(service.index()).copied().unwrap_or(false)
    }
}

/// What is to be decided next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Whether this cell loads a service ahead of the slot's requests.
    Prefetch(CellId),
    /// Where this batch is served.
    Batch(Batch),
}

impl Pending {
    /// The cell that it is about.
    pub const fn cell(self) -> CellId {
        match self {
            Self::Prefetch(cell) | Self::Batch(Batch { cell, .. }) => cell,
        }
    }
}

/// What serving a batch cost, and what was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The cost by component.
    pub cost: CostBreakdown,
    /// The counts.
    pub counters: Counters,
}

/// The state of everything.
#[derive(Clone, Debug)]
pub struct World {
    scenario: Arc<Scenario>,
    arrivals: Arrivals,
    /// Who asks; absent where all users of a service share its context.
    users: Option<Users>,
    /// Whose requests the pending batch brings, and how many requests the slot had before it.
    visits: Vec<Visit>,
    requests_before: usize,
    /// Bytes that serving the pending batch at the edge would add.
    needed_bytes: u64,
    /// The context that a request of the pending batch finds, on average; nothing at a prefetch decision.
    found: Thought,
    /// All that the price of the pending request depends on; absent at a prefetch decision and in abstract scenarios.
    facts: Option<RequestFacts>,
    cells: Vec<Cell>,
    fade_tokens: Vec<f64>,
    horizon_slots: u32,
    slot: u64,
    batches: Vec<Batch>,
    /// Prefetch decisions of a slot: one a cell, or none.
    num_prefetches: usize,
    /// Decisions of this slot that were taken; prefetch decisions come first.
    next: usize,
    batches_served: u64,
    fingerprint: u64,
    /// Sessions, radio and what cells work on; absent in abstract scenarios.
    physics: Option<Physics>,
    /// The last served request, and where; absent before it, and in abstract scenarios.
    last_served: Option<(Placement, RequestFacts)>,
}

/// What passed until the next decision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Elapsed {
    /// Slots; 0 within a slot.
    pub slots: u32,
    /// What those slots cost whatever was decided.
    pub cost: CostBreakdown,
}

impl World {
    /// The world of a scenario, before its first episode.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let num_services = scenario.services().len();
        let num_users = scenario.num_users();
        let cache = Cache::new(scenario.capacity_bytes(), Sizes::new(&scenario), num_users.is_some());
        let protection = match (scenario.physical(), scenario.is_per_request()) {
            (Some(_), _) => Protection::Pins,
            (None, true) => Protection::Nothing,
            (None, false) => Protection::UntilSlotEnds,
        };
        let cell = Cell {
            cache: cache.with_protection(protection).dropping_faded(scenario.drops_faded()),
            demand: vec![Demand::NONE; num_services],
            spent_flop: 0.0,
            held: if scenario.has_hold() { vec![false; num_services] } else { Vec::new() },
        };
        let arrivals = Arrivals::new(
            scenario.arrivals().clone(),
            scenario.num_cells(),
            num_services,
            scenario.is_per_request(),
        );
        let num_prefetches = if scenario.has_prefetch() { scenario.num_cells() as usize } else { 0 };
        Self {
            arrivals,
            users: num_users.map(Users::new),
            visits: Vec::new(),
            requests_before: 0,
            needed_bytes: 0,
            found: Thought::default(),
            facts: None,
            cells: vec![cell; scenario.num_cells() as usize],
            fade_tokens: scenario.services().iter().map(|service| service.fade_tokens).collect(),
            horizon_slots: scenario.horizon_slots(),
            slot: 0,
            batches: Vec::new(),
            num_prefetches,
            next: num_prefetches,
            batches_served: 0,
            fingerprint: 0,
            physics: scenario.physical().map(|physical| Physics::new(&scenario, physical)),
            last_served: None,
            scenario,
        }
    }

    /// Begins an episode with empty memories and advances to its first decision; returns the empty slots before it.
    pub fn begin_episode(&mut self, seed: Seed) -> u32 {
        self.horizon_slots =
            self.arrivals.begin_episode(seed).unwrap_or_else(|| self.scenario.horizon_slots());
        if let Some(users) = &mut self.users {
            users.reseed(seed);
        }
        if let (Some(physics), Some(physical)) = (&mut self.physics, self.scenario.physical()) {
            physics.begin_episode(seed, physical);
        }
        self.last_served = None;
        for cell in &mut self.cells {
            cell.cache.clear();
            cell.demand.fill(Demand::NONE);
        }
        (self.slot, self.batches_served, self.fingerprint) = (0, 0, 0);
        self.open_slot();
        let mut skipped = 0;
        while !self.has_begun() {
            // Nothing is in memory yet, so that these slots cost nothing.
            self.close_slot();
            self.open_slot();
            skipped += 1;
        }
        self.meet();
        skipped
    }

    /// Draws what has not happened yet anew; the requests of the present slot stay.
    pub(crate) fn reseed_future(&mut self, seed: Seed) {
        self.arrivals.reseed_future(seed);
        if let Some(users) = &mut self.users {
            users.reseed(seed);
        }
        if let Some(physics) = &mut self.physics {
            physics.reseed_future(seed, self.slot);
        }
    }

    /// Whether a decision is pending: always, once an episode has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.next < self.num_prefetches + self.batches.len()
    }

    /// What is to be decided.
    pub fn pending(&self) -> Pending {
        match self.next.checked_sub(self.num_prefetches) {
            Some(batch) => Pending::Batch(self.batches[batch]),
            None => Pending::Prefetch(CellId::from_index(self.next)),
        }
    }

    /// Batches of this slot that are not decided yet, the pending one first.
    pub fn undecided(&self) -> &[Batch] {
        &self.batches[self.next.saturating_sub(self.num_prefetches)..]
    }

    /// The batch to be decided, where it is one.
    fn pending_batch(&self) -> Option<Batch> {
        self.next.checked_sub(self.num_prefetches).map(|batch| self.batches[batch])
    }

    /// The present slot, from 0.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// Slots of the running episode.
    pub fn horizon_slots(&self) -> u32 {
        self.horizon_slots
    }

    /// Whether the horizon is reached.
    pub fn is_over(&self) -> bool {
        self.slot >= u64::from(self.horizon_slots)
    }

    /// The scenario that is played.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// One cell.
    pub fn cell(&self, cell: CellId) -> &Cell {
        &self.cells[cell.index()]
    }

    /// The popularity phase of the present slot, where requests have phases.
    pub fn popularity_phase(&self) -> Option<u32> {
        self.arrivals.phase()
    }

    /// Replaces the request of the present slot by one for this service, in this phase, and sets the clock back to slot 0;
    /// memory stays as it is. `false`, and nothing has changed, where requests have no phases, the service or the phase
    /// does not exist, no episode has begun, or a slot begins with prefetch decisions: what was loaded ahead in it would
    /// belong to another request.
    pub(crate) fn imagine(&mut self, service: ServiceId, phase: u32) -> bool {
        let exists = self.has_begun() && service.index() < self.scenario.services().len();
        if !exists || self.num_prefetches > 0 || !self.arrivals.set_phase(phase) {
            return false;
        }
        // One request a slot: it is the pending one, and nothing has been served yet.
        let replaced = std::mem::replace(&mut self.batches[0].service, service);
        let demand = &mut self.cells[self.batches[0].cell.index()].demand;
        demand[replaced.index()].pending_requests = 0;
        demand[service.index()].pending_requests = self.batches[0].num_requests;
        self.slot = 0;
        self.meet();
        true
    }

    /// A digest of all requests so far: equal for two policies on one seed.
    pub fn exogenous_fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether the cell of a prefetch decision can load this service: it is absent, and enough bytes can be freed.
    pub fn can_prefetch(&self, service: ServiceId) -> bool {
        let Pending::Prefetch(cell) = self.pending() else { return false };
        let cache = &self.cells[cell.index()].cache;
        !cache.is_resident(service) && self.missing_bytes_ahead(service) <= cache.evictable_bytes_for(service)
    }

    /// Loads a service ahead of the slot's requests: evicts the `victims`, then by least age of thought until it fits.
    ///
    /// # Panics
    /// When [`can_prefetch`](Self::can_prefetch) says no, or a victim may not leave.
    pub fn prefetch(&mut self, service: ServiceId, victims: &[ServiceId]) -> Outcome {
        assert!(self.can_prefetch(service), "only what is absent and fits is loaded ahead");
        let mut outcome = Outcome::default();
        let cell = self.pending().cell();
        let cache = &mut self.cells[cell.index()].cache;
        let bytes = cache.marginal_bytes(service);
        if self.physics.is_some() {
            let now_s = self.slot as f64 * self.scenario.slot_s();
            outcome.cost.switching =
                self.bring_in(cell, service, victims, bytes, now_s, &mut outcome.counters);
            return outcome;
        }
        cache.bring_in(service, victims, bytes, &mut outcome.counters);
        if outcome.counters.loads > 0 {
            outcome.cost.switching = self.scenario.service(service).load_cost;
        }
        outcome
    }

    /// Whether the pending batch can be served there: at the edge when enough bytes can be freed, the compute budget of the
    /// slot holds and no refusal forbids the load; elsewhere always. Nothing is served at a prefetch decision.
    pub fn can_serve(&self, placement: Placement) -> bool {
        self.pending_batch().is_some() && (!placement.needs_residency() || self.can_serve_at_edge())
    }

    /// [`can_serve`](Self::can_serve) of every placement that needs the service's entry at the cell.
    pub(crate) fn can_serve_at_edge(&self) -> bool {
        let Some(batch) = self.pending_batch() else { return false };
        let cell = &self.cells[batch.cell.index()];
        let flop = f64::from(batch.num_requests) * self.scenario.service(batch.service).request_flop;
        let within_budget =
            self.scenario.compute_budget_flop().is_none_or(|budget| cell.spent_flop + flop <= budget);
        let may_load = !cell.is_held(batch.service) || cell.cache.is_resident(batch.service);
        within_budget && may_load && self.missing_bytes() <= cell.cache.evictable_bytes_for(batch.service)
    }

    /// Serves the pending batch: evicts the `victims`, then by least age of thought until the batch fits, loads, serves.
    ///
    /// # Panics
    /// When [`can_serve`](Self::can_serve) says no, or a victim may not leave.
    pub fn serve(&mut self, placement: Placement, victims: &[ServiceId]) -> Outcome {
        let batch = self.pending_batch().expect("a batch is pending");
        let outcome = if self.physics.is_some() {
            self.serve_placed(batch, placement, victims)
        } else if placement.needs_residency() {
            self.serve_at_edge(batch, victims)
        } else {
            let cloud = self.cloud_cost(batch);
            let requests = u64::from(batch.num_requests);
            Outcome {
                cost: CostBreakdown { cloud, ..CostBreakdown::default() },
                counters: Counters { requests, ..Counters::default() },
            }
        };
        let cell = &mut self.cells[batch.cell.index()];
        cell.demand[batch.service.index()].pending_requests -= batch.num_requests;
        if !placement.needs_residency()
            && !cell.cache.is_resident(batch.service)
            && let Some(held) = cell.held.get_mut(batch.service.index())
        {
            *held = true;
        }
        outcome
    }

    /// What the cloud of an abstract scenario takes for a batch.
    fn cloud_cost(&self, batch: Batch) -> f64 {
        f64::from(batch.num_requests) * self.scenario.service(batch.service).cloud_per_request
    }

    /// Moves to the next decision; returns what passed until then.
    pub fn advance(&mut self) -> Elapsed {
        self.requests_before += self.pending_batch().map_or(0, |batch| batch.num_requests as usize);
        self.next += 1;
        let mut elapsed = Elapsed::default();
        while !self.has_begun() {
            elapsed.cost += self.close_slot();
            self.open_slot();
            elapsed.slots += 1;
        }
        self.meet();
        elapsed
    }

    fn open_slot(&mut self) {
        (self.next, self.requests_before) = (0, 0);
        self.batches.clear();
        match (&mut self.physics, self.scenario.physical()) {
            (Some(physics), Some(physical)) => physics.draw(self.slot, physical, &mut self.batches),
            _ => self.batches.extend_from_slice(self.arrivals.draw(self.slot)),
        }
        for cell in &mut self.cells {
            cell.spent_flop = 0.0;
            cell.held.fill(false);
            for demand in &mut cell.demand {
                demand.begin_slot();
            }
        }
        self.fingerprint = mix(self.fingerprint, self.slot);
        for batch in &self.batches {
            self.cells[batch.cell.index()].demand[batch.service.index()].arrive(batch.num_requests);
            let place = u64::from(batch.cell.0) << 32 | u64::from(batch.service.0);
            self.fingerprint = mix(mix(self.fingerprint, place), u64::from(batch.num_requests));
        }
        if let Some(physics) = &self.physics {
            self.fingerprint = physics.fingerprint(self.fingerprint);
        }
        if let Some(users) = &mut self.users {
            let known = self.physics.as_ref().map(Physics::askers).or_else(|| self.arrivals.users());
            for user in users.draw(&self.batches, known) {
                self.fingerprint = mix(self.fingerprint, u64::from(user.0));
            }
        }
    }

    /// Ends a slot; returns what it cost whatever was decided.
    fn close_slot(&mut self) -> CostBreakdown {
        let mut cost = CostBreakdown::default();
        for (index, cell) in self.cells.iter_mut().enumerate() {
            cell.cache.end_slot(&self.fade_tokens);
            if let (Some(physics), Some(physical)) = (&mut self.physics, self.scenario.physical()) {
                physics.end_slot(CellId::from_index(index), physical);
                let resident_bytes = cell.cache.capacity_bytes() - cell.cache.free_bytes();
                cost.holding += physical.holding_cost(resident_bytes);
            }
        }
        self.slot += 1;
        cost
    }
}
