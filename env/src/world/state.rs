//! The state of a world, kept and taken back.
//!
//! A checksum shows damage, not where bytes come from. So indices and lengths are looked at before anything changes, numbers
//! are read as finite ones, and everything that follows from the rest is computed again: a state that is accepted can be
//! played on, whoever wrote it.

use super::serving::ServingState;
use super::{Cell, Now, World};
use crate::units::CellId;
use crate::workload::arrivals::Batch;
use crate::workload::users::num_requests;
use serde::{Deserialize, Serialize};

/// The most batches that are counted: as many as a 64-bit float counts.
const MOST_BATCHES: u64 = 1 << 53;

/// See the [module](self).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WorldState {
    serving: ServingState,
    now: Now,
}

impl World {
    /// The state of this moment.
    pub(crate) fn state(&self) -> WorldState {
        WorldState { serving: self.serving.state(), now: self.now.clone() }
    }

    /// Whether a decision is pending in a state.
    pub(crate) fn has_begun_in(&self, state: &WorldState) -> bool {
        state.now.next < self.num_prefetches + state.now.batches.len()
    }

    /// Comes back to a state that was [completed](Self::complete).
    pub(crate) fn restore(&mut self, state: WorldState) {
        self.serving.restore(state.serving);
        self.now = state.now;
        let decided = self.now.next.saturating_sub(self.num_prefetches);
        self.requests_before = num_requests(&self.now.batches[..decided]);
        self.meet();
    }

    /// Looks at indices and lengths, and computes what follows from the rest.
    ///
    /// # Errors
    /// The part that does not fit this world.
    pub(crate) fn complete(&self, state: &mut WorldState) -> Result<(), &'static str> {
        let WorldState { serving, now } = state;
        self.serving.check(serving, &now.batches)?;
        if now.slot > u64::from(u32::MAX) || now.batches_served > MOST_BATCHES {
            return Err("it is older than can be counted");
        }
        if now.next > self.num_prefetches + now.batches.len() {
            return Err("it has taken more decisions than its slot has");
        }
        let (services, cells) = (self.scenario.services.len(), self.now.cells.len());
        // One request at a time, and in a world of phases one a slot.
        let is_phased = self.scenario.phases().is_some();
        let most = if is_phased || self.scenario.is_per_request { 1 } else { u32::MAX };
        let is_batch = |batch: &Batch| {
            batch.cell.index() < cells
                && batch.service.index() < services
                && (1..=most).contains(&batch.num_requests)
        };
        let requests = num_requests(&now.batches);
        if !now.batches.iter().all(is_batch)
            || requests > u32::MAX as usize
            || (is_phased && now.batches.len() > 1)
        {
            return Err("its slot has batches that do not exist");
        }
        if !now.users.complete(&self.now.users, requests) {
            return Err("its users are not those of its requests");
        }
        if !now.lengths.complete(&self.now.lengths, requests) {
            return Err("its thoughts are not those of its requests");
        }
        if now.cells.len() != cells {
            return Err("its cells are others");
        }
        let (slot, num_users) = (now.slot, self.scenario.num_users.unwrap_or(0));
        let complete = |cell: &mut Cell, own: &Cell, in_flight: &[u64]| {
            cell.demand.iter_mut().for_each(|demand| demand.pending_requests = 0);
            cell.demand.len() == services
                && cell.held.len() == own.held.len()
                && cell.cache.complete(&own.cache, in_flight)
                && cell.known.fits(&own.known, &cell.cache, num_users, slot)
        };
        for (index, (cell, own)) in now.cells.iter_mut().zip(&self.now.cells).enumerate() {
            let in_flight = self.serving.in_flight(serving, CellId::from_index(index));
            if !complete(cell, own, &in_flight) {
                return Err("its cells hold more than they can");
            }
        }
        for batch in &now.batches[now.next.saturating_sub(self.num_prefetches)..] {
            let demand = &mut now.cells[batch.cell.index()].demand[batch.service.index()];
            demand.pending_requests += batch.num_requests;
        }
        Ok(())
    }
}
