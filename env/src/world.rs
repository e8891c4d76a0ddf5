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
//! The events of *open slot* never depend on a decision: two policies on one seed see the same requests, and
//! [`World::exogenous_fingerprint`] shows it. The world ends nowhere; the horizon only says when an episode is cut.
//!
//! Abstract and physical scenarios share this order. `serving.rs` holds everything that they do differently.

pub(crate) mod known;
mod meet;
mod physics;
mod prices;
mod serve;
mod serving;
mod state;
mod station;

use crate::cache::{Cache, Sizes};
use crate::cost::CostBreakdown;
use crate::counters::Counters;
use crate::digest::mix;
use crate::placement::Placement;
use crate::random::Seed;
use crate::scenario::Scenario;
use crate::thought::Thought;
use crate::units::{CellId, ServiceId};
use crate::workload::arrivals::Batch;
use crate::workload::demand::Demand;
use crate::workload::lengths::Lengths;
use crate::workload::users::{Users, Visit, num_requests};
use known::KnownUsers;
use serde::{Deserialize, Serialize};
use serve::Incoming;
use serving::{Present, Serving};
use std::sync::Arc;

pub(crate) use state::WorldState;
pub use station::Station;

/// One base station with its edge server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// The server's memory.
    pub cache: Cache,
    /// The requests that are known of each service.
    pub demand: Vec<Demand>,
    /// Floating-point operations spent in this slot.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub spent_flop: f64,
    /// By service: whether a refusal of this slot forbids to load it; empty in scenarios without `decision.hold`.
    pub held: Vec<bool>,
    /// The users whom its entries have served, in abstract scenarios where each has a context of their own.
    pub(crate) known: KnownUsers,
}

impl Cell {
    fn is_held(&self, service: ServiceId) -> bool {
        self.held.get(service.index()).copied().unwrap_or(false)
    }
}

/// The next decision.
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

/// The costs and counts of one decision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The cost by component.
    pub cost: CostBreakdown,
    /// The counts.
    pub counters: Counters,
}

/// Everything that changes while the world runs, apart from how requests come and are served.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Now {
    cells: Vec<Cell>,
    users: Users,
    lengths: Lengths,
    horizon_slots: u32,
    slot: u64,
    batches: Vec<Batch>,
    /// Decisions of this slot that were taken; prefetch decisions come first.
    next: usize,
    batches_served: u64,
    fingerprint: u64,
}

/// The state of everything.
#[derive(Clone, Debug)]
pub struct World {
    scenario: Arc<Scenario>,
    serving: Serving,
    now: Now,
    fade_tokens: Vec<f64>,
    /// Prefetch decisions of a slot: one a cell, or none.
    num_prefetches: usize,
    /// The users whose requests the pending batch brings.
    visits: Vec<Visit>,
    /// Requests of the slot before the pending batch.
    requests_before: usize,
    /// Bytes that serving the pending batch at the edge would add.
    needed_bytes: u64,
    /// The context that a request of the pending batch finds, on average; nothing at a prefetch decision.
    found: Thought,
    /// The length of the thought of a request of the pending batch, as a multiple of the mean.
    length: f64,
}

/// The slots that passed until the next decision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Elapsed {
    /// Slots; 0 within a slot.
    pub slots: u32,
    /// The cost of those slots, which does not depend on the decision before them.
    pub cost: CostBreakdown,
}

impl World {
    /// The world of a scenario, before its first episode.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let (num_services, num_cells) = (scenario.services.len(), scenario.num_cells as usize);
        let serving = Serving::new(&scenario);
        let cache = Cache::new(scenario.capacity_bytes, Sizes::new(&scenario), scenario.num_users.is_some());
        let cell = Cell {
            cache: cache.with_rules(serving.protection(scenario.is_per_request), scenario.drops_faded),
            demand: vec![Demand::NONE; num_services],
            spent_flop: 0.0,
            held: if scenario.has_hold { vec![false; num_services] } else { Vec::new() },
            known: KnownUsers::new(if scenario.remembers_users() { num_services } else { 0 }),
        };
        let num_prefetches = if scenario.has_prefetch { num_cells } else { 0 };
        let now = Now {
            cells: vec![cell; num_cells],
            users: Users::new(scenario.num_users),
            lengths: Lengths::new(scenario.thought_cv),
            horizon_slots: scenario.horizon_slots,
            slot: 0,
            batches: Vec::new(),
            next: num_prefetches,
            batches_served: 0,
            fingerprint: 0,
        };
        Self {
            serving,
            now,
            fade_tokens: scenario.services.iter().map(|service| service.fade_tokens).collect(),
            num_prefetches,
            visits: Vec::new(),
            requests_before: 0,
            needed_bytes: 0,
            found: Thought::default(),
            length: 1.0,
            scenario,
        }
    }

    /// Begins an episode with empty memories and advances to its first decision; returns the empty slots before it.
    pub fn begin_episode(&mut self, seed: Seed) -> u32 {
        let now = &mut self.now;
        now.horizon_slots = self.serving.begin_episode(seed, self.scenario.horizon_slots);
        now.users.reseed(seed);
        now.lengths.reseed(seed);
        for cell in &mut now.cells {
            cell.cache.clear();
            cell.demand.fill(Demand::NONE);
            cell.known.clear();
        }
        (now.slot, now.batches_served, now.fingerprint) = (0, 0, 0);
        self.open_slot();
        let mut skipped = 0;
        while !self.has_begun() {
            // Nothing is in memory yet: these slots cost nothing.
            self.close_slot();
            self.open_slot();
            skipped += 1;
        }
        self.meet();
        skipped
    }

    /// Draws a new future, and everything of the present that nobody is told: the order of the undecided batches of a cell, the users
    /// of their requests and the lengths of their thoughts, the lengths of answers that are not at their end, and what the coming
    /// requests depend on. The number of undecided requests of each service stays, and so does the pending request, its answer apart.
    pub(crate) fn reseed_future(&mut self, seed: Seed) {
        let is_pending = self.has_begun();
        let decided = self.now.next.saturating_sub(self.num_prefetches);
        let has_batch = is_pending && self.now.next >= self.num_prefetches;
        let Now { users, lengths, batches, slot, .. } = &mut self.now;
        let present = Present { slot: *slot, decided, seen: decided + usize::from(has_batch) };
        self.serving.reseed_future(&self.scenario, seed, present, batches);
        let first = num_requests(&batches[..present.seen]);
        users.redraw(seed, batches, first, |service, request, rng| {
            self.serving.redraw_user(service, request, rng)
        });
        lengths.reseed_future(seed, first);
        if is_pending {
            self.meet();
        }
    }

    /// Whether a decision is pending: always, once an episode has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.now.next < self.num_prefetches + self.now.batches.len()
    }

    /// The next decision.
    pub fn pending(&self) -> Pending {
        match self.now.next.checked_sub(self.num_prefetches) {
            Some(batch) => Pending::Batch(self.now.batches[batch]),
            None => Pending::Prefetch(CellId::from_index(self.now.next)),
        }
    }

    /// The batch to be decided; `None` at a prefetch decision.
    fn pending_batch(&self) -> Option<Batch> {
        self.now.next.checked_sub(self.num_prefetches).map(|batch| self.now.batches[batch])
    }

    /// The present slot, from 0.
    pub fn slot(&self) -> u64 {
        self.now.slot
    }

    /// Lets the episode go on for ever: nobody who decides is told when it is cut.
    pub(crate) fn forget_end(&mut self) {
        self.now.horizon_slots = u32::MAX;
    }

    /// Slots of the running episode.
    pub fn horizon_slots(&self) -> u32 {
        self.now.horizon_slots
    }

    /// Whether the horizon is reached.
    pub fn is_over(&self) -> bool {
        self.now.slot >= u64::from(self.now.horizon_slots)
    }

    /// The scenario that is played.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// One cell.
    pub fn cell(&self, cell: CellId) -> &Cell {
        &self.now.cells[cell.index()]
    }

    /// The popularity phase of the present slot, where requests have phases.
    pub fn popularity_phase(&self) -> Option<u32> {
        self.serving.arrivals()?.phase()
    }

    /// Replaces the request of the present slot by one for this service, in this phase, and sets the clock back to slot 0;
    /// memory stays as it is. `false`, and nothing has changed, where requests have no phases, the service or the phase
    /// does not exist, no episode has begun, or a slot begins with prefetch decisions: a service that was loaded ahead in
    /// it would belong to another request.
    pub(crate) fn imagine(&mut self, service: ServiceId, phase: u32) -> bool {
        let exists = self.has_begun() && service.index() < self.scenario.services.len();
        if !exists || self.num_prefetches > 0 || !self.serving.set_phase(phase) {
            return false;
        }
        // One request a slot: it is the pending one, and nothing has been served yet.
        let batch = &mut self.now.batches[0];
        let replaced = std::mem::replace(&mut batch.service, service);
        let demand = &mut self.now.cells[batch.cell.index()].demand;
        demand[replaced.index()].pending_requests = 0;
        demand[service.index()].pending_requests = batch.num_requests;
        self.now.slot = 0;
        self.now.cells.iter_mut().for_each(|cell| cell.known.end_at(0));
        self.meet();
        true
    }

    /// A digest of all requests so far: equal for two policies on one seed.
    pub fn exogenous_fingerprint(&self) -> u64 {
        self.now.fingerprint
    }

    /// Whether the cell of a prefetch decision can load this service: it is absent, and enough bytes can be freed.
    pub fn can_prefetch(&self, service: ServiceId) -> bool {
        let Pending::Prefetch(cell) = self.pending() else { return false };
        let cache = &self.cell(cell).cache;
        !cache.is_resident(service) && self.missing_bytes_ahead(service) <= cache.evictable_bytes_for(service)
    }

    /// Loads a service ahead of the slot's requests: evicts the `victims`, then by least age of thought until it fits.
    ///
    /// # Panics
    /// When [`can_prefetch`](Self::can_prefetch) says no, or a victim may not leave.
    pub fn prefetch(&mut self, service: ServiceId, victims: &[ServiceId]) -> Outcome {
        assert!(self.can_prefetch(service), "only what is absent and fits is loaded ahead");
        let cell = self.pending().cell();
        let Cell { cache, known, .. } = &mut self.now.cells[cell.index()];
        let incoming = Incoming { cell, service, victims, needed_bytes: cache.marginal_bytes(service) };
        let mut outcome = Outcome::default();
        outcome.cost.switching =
            self.serving.bring_in(&self.scenario, &incoming, cache, &mut outcome.counters);
        known.forget_absent(cache);
        outcome
    }

    /// Whether the pending batch can be served there: at the edge when enough bytes can be freed, the compute budget of the
    /// slot holds, no refusal forbids the load and not too many requests are in flight; elsewhere always; text is never split. Nothing is served at a prefetch decision.
    pub fn can_serve(&self, placement: Placement) -> bool {
        self.pending_batch().is_some_and(|batch| self.scenario.offers(batch.service, placement))
            && (!placement.needs_residency() || self.can_serve_at_edge())
    }

    /// [`can_serve`](Self::can_serve) of every placement that needs the service's entry at the cell.
    pub(crate) fn can_serve_at_edge(&self) -> bool {
        let Some(batch) = self.pending_batch() else { return false };
        let cell = self.cell(batch.cell);
        let budget_flop = self.scenario.compute_budget_flop;
        let within_budget = budget_flop.is_none_or(|budget| cell.spent_flop + self.pending_flop() <= budget);
        let may_load = !cell.is_held(batch.service) || cell.cache.is_resident(batch.service);
        within_budget
            && may_load
            && self.serving.has_room(batch.cell)
            && self.missing_bytes() <= cell.cache.evictable_bytes_for(batch.service)
    }

    /// Serves the pending batch: evicts the `victims`, then by least age of thought until the batch fits, loads, serves.
    ///
    /// # Panics
    /// When [`can_serve`](Self::can_serve) says no, or a victim may not leave.
    pub fn serve(&mut self, placement: Placement, victims: &[ServiceId]) -> Outcome {
        assert!(self.can_serve(placement), "only what fits is served at the edge");
        let batch = self.pending_batch().expect("a batch is pending");
        let Self { scenario, serving, now, visits, length, .. } = self;
        let cell = &mut now.cells[batch.cell.index()];
        let requests = u64::from(batch.num_requests);
        let counters = Counters { requests, ..Counters::default() };
        let mut outcome = Outcome { counters, ..Outcome::default() };
        if placement.needs_residency() {
            now.batches_served += 1;
            outcome.counters.edge_requests = requests;
            if cell.cache.is_resident(batch.service) {
                outcome.counters.hits = requests;
            }
        }
        let Batch { cell: at, service, .. } = batch;
        let job = serve::Job {
            batch,
            visits,
            number: now.batches_served,
            length: *length,
            incoming: Incoming { cell: at, service, victims, needed_bytes: self.needed_bytes },
        };
        serving.serve(scenario, placement, &job, cell, &mut outcome);
        if placement.needs_residency() {
            for visit in &*visits {
                cell.known.note(service, visit.user, now.slot);
            }
            cell.known.forget_absent(&cell.cache);
        }
        cell.demand[service.index()].pending_requests -= batch.num_requests;
        if !placement.needs_residency()
            && !cell.cache.is_resident(service)
            && let Some(held) = cell.held.get_mut(service.index())
        {
            *held = true;
        }
        outcome
    }

    /// The least cost of the pending requests outside the cell's memory, had nothing been decided before them: for a user
    /// whose twin the cell does not know. 0 where no request is pending.
    ///
    /// ```text
    /// input cost = min over placements without residency of c0
    /// ```
    /// `c0` is the cost of the request, its answer as long as it was drawn; in abstract scenarios the price of the cloud. It
    /// depends on demand, radio and devices alone, which no decision changes: a learner may take it off every reward without
    /// any policy becoming better or worse against another. The rest of the reward varies much less.
    ///
    /// Reference: baselines that depend on the input, Mao et al., "Variance Reduction for Reinforcement Learning in
    /// Input-Driven Environments", ICLR 2019.
    pub fn input_cost(&self) -> f64 {
        self.pending_batch().map_or(0.0, |batch| self.serving.input_cost(&self.scenario, batch))
    }

    /// Moves to the next decision; returns the slots that passed until then.
    pub fn advance(&mut self) -> Elapsed {
        self.requests_before += self.pending_batch().map_or(0, |batch| batch.num_requests as usize);
        self.now.next += 1;
        let mut elapsed = Elapsed::default();
        while !self.has_begun() {
            elapsed.cost.holding += self.close_slot();
            self.open_slot();
            elapsed.slots += 1;
        }
        self.meet();
        elapsed
    }

    fn open_slot(&mut self) {
        self.requests_before = 0;
        let Now { cells, users, lengths, batches, next, fingerprint, slot, .. } = &mut self.now;
        *next = 0;
        batches.clear();
        self.serving.draw(*slot, batches);
        for cell in cells.iter_mut() {
            cell.spent_flop = 0.0;
            cell.held.fill(false);
            for demand in &mut cell.demand {
                demand.begin_slot();
            }
        }
        let mut digest = mix(*fingerprint, *slot);
        for batch in &*batches {
            cells[batch.cell.index()].demand[batch.service.index()].arrive(batch.num_requests);
            let place = u64::from(batch.cell.0) << 32 | u64::from(batch.service.0);
            digest = mix(mix(digest, place), u64::from(batch.num_requests));
        }
        digest = self.serving.fingerprint(digest);
        for user in users.draw(batches, |known| self.serving.askers(known)) {
            digest = mix(digest, u64::from(user.0));
        }
        for length in lengths.draw(num_requests(batches)) {
            digest = mix(digest, length.to_bits());
        }
        *fingerprint = digest;
    }

    /// Ends a slot; returns the cost of what was kept in memory.
    fn close_slot(&mut self) -> f64 {
        let mut holding = 0.0;
        for (index, cell) in self.now.cells.iter_mut().enumerate() {
            self.serving.end_answers(self.now.slot, CellId::from_index(index), &mut cell.cache);
            cell.cache.end_slot(&self.fade_tokens);
            holding += self.serving.end_slot(CellId::from_index(index), &cell.cache);
        }
        self.now.slot += 1;
        holding
    }
}
