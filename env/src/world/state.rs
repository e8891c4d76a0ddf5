//! The state of a world, kept and taken back.
//!
//! A checksum shows damage, not whether a state is possible: a file can be made up with the right one. So every field is
//! looked at before anything changes: lengths and indices, numbers that must be finite, and sums against what they sum. What
//! is accepted can be played on.

use super::physics::{Physics, PhysicsState};
use super::{Cell, World};
use crate::workload::arrivals::{ArrivalsState, Batch};
use crate::workload::users::{Users, num_requests};
use serde::{Deserialize, Serialize};

/// The most batches that are counted: as many as a 64-bit float counts.
const MOST_BATCHES: u64 = 1 << 53;
/// How far a sum of floating-point operations may be from the same in another order.
const SUM_TOLERANCE: f64 = 1e-9;

/// What changes while the world runs; everything else stands in the scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WorldState {
    arrivals: ArrivalsState,
    users: Option<Users>,
    cells: Vec<Cell>,
    horizon_slots: u32,
    slot: u64,
    batches: Vec<Batch>,
    next: usize,
    batches_served: u64,
    fingerprint: u64,
    #[serde(default)]
    physics: Option<PhysicsState>,
}

/// Why a state is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is another world's; what differs.
    Foreign(String),
    /// No world can be in it; what is impossible.
    Impossible(String),
}

fn impossible(reason: impl Into<String>) -> Misfit {
    Misfit::Impossible(reason.into())
}

/// Requests of the present slot at one cell, by service.
struct Requests {
    decided: Vec<u64>,
    pending: Vec<u64>,
}

impl WorldState {
    /// Whether the horizon is reached.
    pub(crate) fn is_over(&self) -> bool {
        self.slot >= u64::from(self.horizon_slots)
    }
}

impl World {
    /// The state of this moment.
    pub(crate) fn state(&self) -> WorldState {
        WorldState {
            arrivals: self.arrivals.state().clone(),
            users: self.users.clone(),
            cells: self.cells.clone(),
            horizon_slots: self.horizon_slots,
            slot: self.slot,
            batches: self.batches.clone(),
            next: self.next,
            batches_served: self.batches_served,
            fingerprint: self.fingerprint,
            physics: self.physics.as_ref().map(Physics::state),
        }
    }

    /// Comes back to a state that [`check`](Self::check) has accepted.
    pub(crate) fn restore(&mut self, state: WorldState) {
        self.arrivals.restore(state.arrivals);
        self.users = state.users;
        self.cells = state.cells;
        self.horizon_slots = state.horizon_slots;
        self.slot = state.slot;
        self.batches = state.batches;
        self.next = state.next;
        self.batches_served = state.batches_served;
        self.fingerprint = state.fingerprint;
        self.last_served = None;
        if let (Some(physics), Some(state)) = (&mut self.physics, state.physics) {
            physics.restore(state);
        }
        self.requests_before = num_requests(self.decided_of(&self.batches, self.next));
        self.meet();
    }

    /// Whether this world can be in a state.
    ///
    /// # Errors
    /// What shows that it is another world's, or that none can be in it.
    pub(crate) fn check(&self, state: &WorldState) -> Result<(), Misfit> {
        self.check_size(state)?;
        self.arrivals.check(&state.arrivals).map_err(impossible)?;
        self.check_clock(state)?;
        self.check_batches(state)?;
        Self::check_users(state)?;
        self.check_physics(state)?;
        for (index, cell) in state.cells.iter().enumerate() {
            let requests = self.requests_at(index, state);
            self.check_cell(cell, state, &requests)
                .and_then(|()| match (&self.physics, &state.physics) {
                    (Some(_), Some(kept)) => {
                        Physics::check_pins(index, kept, &cell.cache, &requests.decided, &self.scenario)
                    }
                    _ => Ok(()),
                })
                .map_err(|reason| impossible(format!("cell {index}: {reason}")))?;
        }
        Ok(())
    }

    /// Whether an episode has begun in a state that [`check`](Self::check) has accepted.
    pub(crate) fn is_begun_in(&self, state: &WorldState) -> bool {
        state.next < self.num_prefetches + state.batches.len()
    }

    /// The batches that come before decision `next` of their slot.
    fn decided_of<'a>(&self, batches: &'a [Batch], next: usize) -> &'a [Batch] {
        &batches[..next.saturating_sub(self.num_prefetches)]
    }

    fn check_size(&self, state: &WorldState) -> Result<(), Misfit> {
        let services = self.scenario.services().len();
        let fits = |(cell, own): (&Cell, &Cell)| {
            cell.cache.is_alike(&own.cache)
                && cell.demand.len() == services
                && cell.held.len() == own.held.len()
        };
        if state.cells.len() != self.cells.len() || !state.cells.iter().zip(&self.cells).all(fits) {
            return Err(Misfit::Foreign("its cells or the sizes of its entries are others".into()));
        }
        let count = |users: &Option<Users>| users.as_ref().map(Users::count);
        if count(&state.users) != count(&self.users) {
            return Err(Misfit::Foreign("its users are others".into()));
        }
        Ok(())
    }

    fn check_clock(&self, state: &WorldState) -> Result<(), Misfit> {
        let usual = self.scenario.horizon_slots();
        if !self.arrivals.is_horizon(state.horizon_slots, usual) {
            let slots = state.horizon_slots;
            return Err(impossible(format!("its episode has {slots} slots, which no episode here has")));
        }
        if state.slot > u64::from(u32::MAX) {
            return Err(impossible(format!("it is in slot {}, more than can be counted", state.slot)));
        }
        if state.batches_served > MOST_BATCHES {
            let served = state.batches_served;
            return Err(impossible(format!("it has served {served} batches, more than can be counted")));
        }
        Ok(())
    }

    fn check_batches(&self, state: &WorldState) -> Result<(), Misfit> {
        let services = self.scenario.services().len();
        let (decisions, batches) = (self.num_prefetches + state.batches.len(), &state.batches);
        // Something is always pending, but before the first episode.
        if state.next > decisions || (state.next == decisions && !batches.is_empty()) {
            return Err(impossible(format!("{} of {decisions} decisions are taken", state.next)));
        }
        if self.scenario.phases().is_some() && batches.len() > 1 {
            return Err(impossible(format!("its slot has {} requests, 1 is possible", batches.len())));
        }
        let mut is_met = vec![false; self.cells.len() * services];
        for (index, batch) in batches.iter().enumerate() {
            let Batch { cell, service, num_requests } = *batch;
            if cell.index() >= self.cells.len() || service.index() >= services {
                let (cell, service) = (cell.0, service.0);
                return Err(impossible(format!(
                    "batch {index} is for service {service} at cell {cell}: one of them does not exist"
                )));
            }
            let is_single = self.scenario.is_per_request() || self.scenario.phases().is_some();
            if num_requests == 0 || (is_single && num_requests != 1) {
                return Err(impossible(format!("batch {index} has {num_requests} requests")));
            }
            let place = cell.index() * services + service.index();
            if std::mem::replace(&mut is_met[place], true) && !self.scenario.is_per_request() {
                let service = service.0;
                return Err(impossible(format!("batch {index} is the second one for service {service}")));
            }
        }
        Ok(())
    }

    fn check_users(state: &WorldState) -> Result<(), Misfit> {
        let Some(users) = &state.users else { return Ok(()) };
        let requests = num_requests(&state.batches);
        if users.of_slot().len() != requests {
            let users = users.of_slot().len();
            return Err(impossible(format!("its slot has {users} users for {requests} requests")));
        }
        match users.of_slot().iter().find(|user| user.0 >= users.count()) {
            Some(user) => {
                Err(impossible(format!("user {} asks, there are {}, counted from 0", user.0, users.count())))
            }
            None => Ok(()),
        }
    }

    fn check_physics(&self, state: &WorldState) -> Result<(), Misfit> {
        match (&self.physics, &state.physics, self.scenario.physical()) {
            (None, None, _) => Ok(()),
            (Some(physics), Some(kept), Some(physical)) => {
                let slots = if self.is_begun_in(state) { state.slot + 1 } else { 0 };
                physics.check(kept, slots, &state.batches, physical).map_err(impossible)?;
                match &state.users {
                    Some(users) if !kept.askers().eq(users.of_slot().iter().copied()) => {
                        Err(impossible("its requests are of other users than those who ask"))
                    }
                    _ => Ok(()),
                }
            }
            _ => Err(Misfit::Foreign("one of them is physical, the other is abstract".into())),
        }
    }

    fn requests_at(&self, cell: usize, state: &WorldState) -> Requests {
        let services = self.scenario.services().len();
        let mut requests = Requests { decided: vec![0; services], pending: vec![0; services] };
        let decided = self.decided_of(&state.batches, state.next).len();
        for (index, batch) in state.batches.iter().enumerate().filter(|(_, batch)| batch.cell.index() == cell)
        {
            let counts = if index < decided { &mut requests.decided } else { &mut requests.pending };
            counts[batch.service.index()] += u64::from(batch.num_requests);
        }
        requests
    }

    fn check_cell(&self, cell: &Cell, state: &WorldState, requests: &Requests) -> Result<(), String> {
        let services = self.scenario.services();
        let num_users = self.scenario.num_users().unwrap_or(0);
        let window_tokens = |index: usize| services[index].window_tokens;
        cell.cache.check(window_tokens, num_users, state.batches_served)?;
        let most = requests.decided.iter().zip(services);
        let most: f64 = most.map(|(&requests, service)| requests as f64 * service.request_flop).sum();
        let budget = self.scenario.compute_budget_flop().unwrap_or(f64::INFINITY);
        let most = budget.min(most * (1.0 + SUM_TOLERANCE));
        if !(0.0..=most).contains(&cell.spent_flop) {
            return Err(format!("{:e} operations are spent, {most:e} can be", cell.spent_flop));
        }
        for index in 0..services.len() {
            self.check_service(cell, state, requests, index)
                .map_err(|reason| format!("service {index}: {reason}"))?;
        }
        Ok(())
    }

    fn check_service(
        &self,
        cell: &Cell,
        state: &WorldState,
        requests: &Requests,
        index: usize,
    ) -> Result<(), String> {
        let (demand, residency) = (cell.demand[index], cell.cache.residency()[index]);
        let (decided, pending) = (requests.decided[index], requests.pending[index]);
        if u64::from(demand.pending_requests) != pending {
            let counted = demand.pending_requests;
            return Err(format!("{counted} requests are counted as undecided, {pending} are"));
        }
        if !(0.0..=f64::from(u32::MAX)).contains(&demand.request_rate) {
            let rate = demand.request_rate;
            return Err(format!("its request rate is {rate}, expected a finite number of at least 0"));
        }
        // A situation that was imagined in a world of phases says nothing about the slots before it.
        let (recency, is_asked) = (demand.recency_slots, decided + pending > 0);
        let is_counted = self.scenario.phases().is_none() && self.is_begun_in(state);
        if is_counted && ((recency == 0) != is_asked || u64::from(recency) > state.slot + 1) {
            let requests = decided + pending;
            return Err(format!(
                "its last request is {recency} slots ago, in slot {} with {requests} requests for it",
                state.slot
            ));
        }
        // In a physical scenario an entry stays while it loads or serves, over slots: see `check_pins`.
        if residency.is_protected && decided == 0 && self.physics.is_none() {
            return Err("it is protected and has not served in this slot".into());
        }
        if cell.held.get(index).is_some_and(|&is_held| is_held) && (decided == 0 || residency.is_resident) {
            return Err("it is held, and resident or never refused in this slot".into());
        }
        Ok(())
    }
}
