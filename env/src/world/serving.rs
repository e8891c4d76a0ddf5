//! Everything that abstract and physical scenarios do differently; no other file of the world asks which one is played.
//!
//! *Abstract*: requests are counts, served at once, at the scenario's own prices. *Physical*: requests come from users in
//! sessions, pass radio and servers, and are priced stage by stage.

use super::physics::{Physics, PhysicsState};
use super::serve::{self, Incoming, Job};
use super::{Cell, Outcome};
use crate::cache::{Cache, Protection};
use crate::counters::Counters;
use crate::placement::Placement;
use crate::random::{Seed, SimRng, Stream};
use crate::scenario::Scenario;
use crate::thought::Thought;
use crate::units::{CellId, ServiceId, UserId};
use crate::workload::arrivals::{Arrivals, ArrivalsState, Batch};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The slot that a new future begins in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    /// Its number.
    pub(super) slot: u64,
    /// Its batches that were decided.
    pub(super) decided: usize,
    /// The same with the pending one, whose requests a policy sees.
    pub(super) seen: usize,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) enum Serving {
    Abstract(Box<Arrivals>),
    Physical(Box<Physics>),
}

/// The state of a [`Serving`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum ServingState {
    Abstract(Box<ArrivalsState>),
    Physical(Box<PhysicsState>),
}

impl Serving {
    pub(super) fn new(scenario: &Arc<Scenario>) -> Self {
        match scenario.physical() {
            Some(physical) => Self::Physical(Box::new(Physics::new(scenario, physical))),
            None => Self::Abstract(Box::new(Arrivals::new(
                scenario.arrivals.clone(),
                scenario.num_cells,
                scenario.services.len(),
                scenario.is_per_request,
            ))),
        }
    }

    /// The rule by which entries are kept from leaving: serving takes time in physical scenarios only.
    pub(super) fn protection(&self, is_per_request: bool) -> Protection {
        match self {
            Self::Physical(_) => Protection::Pins,
            Self::Abstract(_) if is_per_request => Protection::Nothing,
            Self::Abstract(_) => Protection::UntilSlotEnds,
        }
    }

    /// The counts of requests; `None` in physical scenarios.
    pub(super) fn arrivals(&self) -> Option<&Arrivals> {
        match self {
            Self::Abstract(arrivals) => Some(arrivals),
            Self::Physical(_) => None,
        }
    }

    /// Radio, sessions and servers; `None` in abstract scenarios.
    pub(super) fn physics(&self) -> Option<&Physics> {
        match self {
            Self::Abstract(_) => None,
            Self::Physical(physics) => Some(physics),
        }
    }

    /// Begins an episode; returns its length in slots: `horizon_slots`, unless a recording decides it.
    pub(super) fn begin_episode(&mut self, seed: Seed, horizon_slots: u32) -> u32 {
        match self {
            Self::Abstract(arrivals) => arrivals.begin_episode(seed, horizon_slots),
            Self::Physical(physics) => {
                physics.begin_episode(seed);
                horizon_slots
            }
        }
    }

    /// Draws a new future, and everything of the present that nobody is told; the `batches` that nobody has seen may come in
    /// another order.
    pub(super) fn reseed_future(
        &mut self,
        scenario: &Scenario,
        seed: Seed,
        present: Present,
        batches: &mut [Batch],
    ) {
        match self {
            Self::Abstract(arrivals) => {
                arrivals.reseed_future(seed, !scenario.shows_popularity_phase);
                let mut rng = seed.stream_at(Stream::Arrivals, 0, 0);
                let unseen = &mut batches[present.seen..];
                for of_cell in unseen.chunk_by_mut(|one, next| one.cell == next.cell) {
                    of_cell.sort_unstable_by_key(|batch| batch.service);
                    of_cell.shuffle(&mut rng);
                }
            }
            Self::Physical(physics) => physics.reseed_future(seed, present, batches),
        }
    }

    /// The user of a request that nobody has seen, by its service and its number in the slot; `None` where any is as likely as
    /// the others.
    pub(super) fn redraw_user(&self, service: ServiceId, request: usize, rng: &mut SimRng) -> Option<UserId> {
        match self {
            Self::Abstract(arrivals) => arrivals.draw_user(service, rng),
            Self::Physical(physics) => physics.askers().nth(request),
        }
    }

    /// Puts the present slot into another popularity phase; `false` where there is no such phase.
    pub(super) fn set_phase(&mut self, phase: u32) -> bool {
        match self {
            Self::Abstract(arrivals) => arrivals.set_phase(phase),
            Self::Physical(_) => false,
        }
    }

    /// Draws the batches of a slot, in the order of decision.
    pub(super) fn draw(&mut self, slot: u64, batches: &mut Vec<Batch>) {
        match self {
            Self::Abstract(arrivals) => batches.extend_from_slice(arrivals.draw(slot)),
            Self::Physical(physics) => physics.draw(slot, batches),
        }
    }

    /// The users of the slot's requests, in the order of its batches; `false`, and none, where nobody knows them.
    pub(super) fn askers(&self, users: &mut Vec<UserId>) -> bool {
        match self {
            Self::Abstract(arrivals) => match arrivals.users() {
                Some(recorded) => users.extend_from_slice(recorded),
                None => return false,
            },
            Self::Physical(physics) => users.extend(physics.askers()),
        }
        true
    }

    /// Adds what the slot brought, batches apart, to a digest.
    pub(super) fn fingerprint(&self, digest: u64) -> u64 {
        match self {
            Self::Abstract(_) => digest,
            Self::Physical(physics) => physics.fingerprint(digest),
        }
    }

    /// Comes to a decision at a cell, about a request of the slot or about a prefetch: entries whose work is done may leave.
    pub(super) fn reach(&mut self, slot: u64, request: Option<usize>, cell: CellId, cache: &mut Cache) {
        if let Self::Physical(physics) = self {
            physics.reach(slot, request, cell, cache);
        }
    }

    /// Notes what the pending request finds at its cell, where its context is `found`.
    pub(super) fn find(&mut self, request: usize, cell: CellId, cache: &Cache, found: Thought) {
        if let Self::Physical(physics) = self {
            physics.find(request, cell, cache, found);
        }
    }

    /// Makes an entry resident; returns the cost of its load, waiting apart.
    pub(super) fn bring_in(
        &mut self,
        scenario: &Scenario,
        incoming: &Incoming<'_>,
        cache: &mut Cache,
        counters: &mut Counters,
    ) -> f64 {
        match self {
            Self::Abstract(_) => serve::bring_in(scenario, incoming, cache, counters),
            Self::Physical(physics) => physics.bring_in(incoming, cache, counters),
        }
    }

    /// Whether a cell takes the pending batch on, memory and compute apart: it does not while too many requests are in flight there.
    pub(super) fn has_room(&self, cell: CellId) -> bool {
        self.physics().is_none_or(|physics| physics.has_room(cell))
    }

    /// Serves a batch and adds its costs and counts.
    pub(super) fn serve(
        &mut self,
        scenario: &Scenario,
        placement: Placement,
        job: &Job<'_>,
        cell: &mut Cell,
        outcome: &mut Outcome,
    ) {
        match self {
            Self::Abstract(_) if placement.needs_residency() => {
                serve::at_edge(scenario, job, cell, outcome);
            }
            Self::Abstract(_) => outcome.cost.cloud = serve::cloud_cost(scenario, job.batch),
            Self::Physical(physics) => physics.serve(placement, job, &mut cell.cache, outcome),
        }
    }

    /// The least cost of the pending batch outside the cell's memory; see [`input_cost`](super::World::input_cost).
    pub(super) fn input_cost(&self, scenario: &Scenario, batch: Batch) -> f64 {
        match self {
            Self::Abstract(_) => serve::cloud_cost(scenario, batch),
            Self::Physical(physics) => physics.input_cost(),
        }
    }

    /// The last moment of a slot at a cell: what is answered by then is kept before thoughts fade.
    pub(super) fn end_answers(&mut self, slot: u64, cell: CellId, cache: &mut Cache) {
        if let Self::Physical(physics) = self {
            physics.end_answers(slot, cell, cache);
        }
    }

    /// By service: the requests in flight at a cell of a state that fits; none in abstract scenarios.
    pub(super) fn in_flight(&self, state: &ServingState, cell: CellId) -> Vec<u64> {
        match (self, state) {
            (Self::Physical(physics), ServingState::Physical(state)) => physics.in_flight(state, cell),
            _ => Vec::new(),
        }
    }

    /// Room that a served request needs beside its weights, where it is told now: in the second edition that of a full window.
    pub(super) fn window_bytes(&self, service: ServiceId, cache: &Cache) -> Option<u64> {
        let law = &self.physics()?.law;
        law.edition.pick(None, Some(cache.window_bytes(service)))
    }

    /// A slot passes at a cell; returns the cost of what is in its memory.
    pub(super) fn end_slot(&mut self, cell: CellId, cache: &Cache) -> f64 {
        match self {
            Self::Abstract(_) => 0.0,
            Self::Physical(physics) => physics.end_slot(cell, cache),
        }
    }

    pub(super) fn state(&self) -> ServingState {
        match self {
            Self::Abstract(arrivals) => ServingState::Abstract(Box::new(arrivals.state().clone())),
            Self::Physical(physics) => ServingState::Physical(Box::new(physics.state())),
        }
    }

    /// Whether a state fits: no index of it is out of bounds, and its numbers can be computed with.
    ///
    /// # Errors
    /// The part that does not fit.
    pub(super) fn check(&self, state: &ServingState, batches: &[Batch]) -> Result<(), &'static str> {
        match (self, state) {
            (Self::Abstract(arrivals), ServingState::Abstract(state)) => arrivals.check(state),
            (Self::Physical(physics), ServingState::Physical(state)) => physics.check(state, batches),
            _ => Err("one of them is physical, the other is abstract"),
        }
    }

    /// Comes back to a state that fits.
    pub(super) fn restore(&mut self, state: ServingState) {
        match (self, state) {
            (Self::Abstract(arrivals), ServingState::Abstract(state)) => arrivals.restore(*state),
            (Self::Physical(physics), ServingState::Physical(state)) => physics.restore(*state),
            _ => {}
        }
    }
}
