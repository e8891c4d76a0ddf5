//! The decision environment: one step is one decision about one batch, or about what a cell loads ahead of its requests.
//!
//! Most decisions are a single step. When the batch needs memory and the chosen victim frees too little, the same batch is
//! asked again with its placement fixed (`slots_elapsed` = 0, reward 0); nothing is evicted before the last choice, then
//! evictions, load and service happen together.
//!
//! Where the scenario has prefetch decisions, each slot begins with one a cell: `pass`, or `load.i`. When bytes must be freed
//! for i, the same decision is asked again with i fixed, and victims are named as for a batch.
//!
//! The reward is minus the cost of the decision. After `horizon_slots` the episode is truncated, never terminated: the last
//! observation is the first pending decision of the next non-empty slot, in which nothing is executed. An episode without
//! a single request has one forced step, whose only legal action is the first placement that needs no residency.

use super::api::{ActionId, End, Env, EnvError, EnvSpec, Step, StepInfo};
use super::observation::{DecisionObservation, Layout};
use super::physical_rows::StationView;
use super::snapshot::{DigestedSpec, Snapshot, SnapshotError};
use super::space::{ActionSpace, Decision};
use crate::placement::Placement;
use crate::random::Seed;
use crate::scenario::Scenario;
use crate::thought::Thought;
use crate::units::{CellId, ServiceId};
use crate::workload::arrivals::Batch;
use crate::world::{Misfit, Outcome, Pending, World, WorldState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What an observation shows before the first episode.
const FIRST_CELL: CellId = CellId(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Ended,
    Running,
    /// Not one request came before the horizon.
    Forced,
}

/// What changes from step to step.
#[derive(Serialize, Deserialize)]
struct State {
    /// The digest of the scenario: what things cost is no part of the state, and must be the same.
    scenario: u64,
    world: WorldState,
    ahead: Option<ServiceId>,
    victims: Vec<ServiceId>,
    fixed_placement: Option<Placement>,
    phase: Phase,
}

impl State {
    /// Whether it is in the middle of a decision.
    fn has_choices(&self) -> bool {
        self.ahead.is_some() || !self.victims.is_empty() || self.fixed_placement.is_some()
    }
}

/// The environment of a scenario.
#[derive(Clone, Debug)]
pub struct DecisionEnv {
    world: World,
    spec: Arc<DigestedSpec>,
    observation: DecisionObservation,
    /// What was chosen to be loaded, where bytes must be freed for it first.
    ahead: Option<ServiceId>,
    victims: Vec<ServiceId>,
    phase: Phase,
    tells_input_costs: bool,
}

impl DecisionEnv {
    /// The environment of a scenario, before its first episode: call [`Env::reset`] first.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let num_services = scenario.services().len();
        let layout = Arc::new(Layout::new(&scenario));
        let space = Arc::new(ActionSpace::new(scenario.placements(), num_services, scenario.has_prefetch()));
        let spec = Arc::new(DigestedSpec::new(EnvSpec {
            id: scenario.name().to_owned(),
            entries: layout.entries(),
            actions: space.names(),
        }));
        let bytes = scenario.services().iter().map(|service| service.bytes).collect();
        let world = World::new(scenario);
        let cell = world.cell(FIRST_CELL);
        let observation = DecisionObservation {
            legal: vec![false; space.len()],
            layout,
            space,
            cell: FIRST_CELL,
            capacity_bytes: cell.cache().capacity_bytes(),
            free_bytes: cell.cache().free_bytes(),
            residency: cell.cache().residency().to_vec(),
            thoughts: cell.cache().thoughts().to_vec(),
            demand: cell.demand().to_vec(),
            bytes,
            held: cell.held().to_vec(),
            is_prefetch: false,
            context_bytes: cell.cache().context_bytes().to_vec(),
            sizes: Arc::new(cell.cache().sizes().clone()),
            mean_thought: Thought::default(),
            service: ServiceId(0),
            num_requests: 0,
            fixed_placement: None,
            missing_bytes: 0,
            popularity_phase: None,
            station: StationView::default(),
            request: None,
        };
        Self {
            world,
            spec,
            observation,
            ahead: None,
            victims: Vec::new(),
            phase: Phase::Ended,
            tells_input_costs: false,
        }
    }

    /// `num_lanes` copies, for a vector environment.
    pub fn lanes(scenario: &Arc<Scenario>, num_lanes: usize) -> Vec<Self> {
        vec![Self::new(Arc::clone(scenario)); num_lanes]
    }

    /// The world behind the decisions, to look at.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Replaces the request of the present slot by one for this service in this popularity phase, as if the episode had just
    /// begun with the memory as it is; victims that were chosen for the pending request are forgotten. What follows is drawn
    /// as before. For exact solutions, which have to ask about every situation of a world.
    ///
    /// # Errors
    /// Where requests have no phases, the service or the phase does not exist, no episode has begun, or slots begin with
    /// prefetch decisions; the state is unchanged then.
    pub fn imagine(&mut self, service: ServiceId, phase: u32) -> Result<(), EnvError> {
        if !self.world.imagine(service, phase) {
            let what = format!("a request for service {} in phase {phase}", service.0);
            return Err(EnvError::Unimaginable { id: self.spec.id.clone(), what });
        }
        self.forget_choices();
        self.phase = Phase::Running;
        self.look();
        Ok(())
    }

    /// Bytes that the present choices leave to be freed.
    fn missing_bytes(&self) -> u64 {
        let missing_bytes = match self.ahead {
            Some(service) => self.world.missing_bytes_ahead(service),
            None => self.world.missing_bytes(),
        };
        if self.victims.is_empty() {
            return missing_bytes;
        }
        missing_bytes.saturating_sub(self.world.freed_bytes(&self.victims, self.observation.service))
    }

    /// The step with the cell that was decided for and the one that is shown now.
    fn told(&self, mut step: Step, cell: CellId) -> Step {
        (step.info.cell, step.info.next_cell) = (cell, self.observation.cell);
        step
    }

    /// Shows the pending decision; `only` leaves one placement legal (the forced step).
    fn observe(&mut self, only: Option<Placement>) {
        let pending = self.world.pending();
        let cell = self.world.cell(pending.cell());
        let cache = cell.cache();
        let observation = &mut self.observation;
        observation.cell = pending.cell();
        observation.free_bytes = cache.free_bytes();
        observation.residency.copy_from_slice(cache.residency());
        observation.thoughts.copy_from_slice(cache.thoughts());
        observation.demand.copy_from_slice(cell.demand());
        observation.held.copy_from_slice(cell.held());
        (observation.is_prefetch, observation.service, observation.num_requests) = match pending {
            Pending::Batch(Batch { service, num_requests, .. }) => (false, service, num_requests),
            Pending::Prefetch(_) => (true, self.ahead.unwrap_or(ServiceId(0)), 0),
        };
        observation.mean_thought = match (pending, observation.layout.has_user_contexts()) {
            (Pending::Batch(_), true) => self.world.mean_thought(),
            (Pending::Batch(Batch { service, .. }), false) => cache.thoughts()[service.index()],
            (Pending::Prefetch(_), _) => Thought::default(),
        };
        let is_plain = observation.sizes.is_plain();
        if !is_plain {
            observation.weigh(cache);
        }
        if self.world.scenario().shows_popularity_phase() {
            observation.popularity_phase = self.world.popularity_phase();
        }
        if self.world.scenario().physical().is_some() {
            let memory = (&*observation.residency, &*observation.bytes);
            observation.station.look(&self.world, pending.cell(), observation.layout.models(), memory);
            observation.request = self.world.expected_facts();
        }
        for &victim in &self.victims {
            // What is chosen already cannot be chosen again.
            observation.residency[victim.index()].is_protected = true;
        }
        let fixed = observation.fixed_placement;
        let missing_bytes = self.missing_bytes();
        let observation = &mut self.observation;
        observation.missing_bytes = missing_bytes;
        if missing_bytes > 0 && !is_plain {
            // What frees nothing for this service may not leave for it.
            cache.protect_from(observation.service, &mut observation.residency);
        }
        let is_served_anywhere = matches!(pending, Pending::Batch(_));
        let is_served_at_edge = self.world.can_serve_at_edge();
        let (places, rest) = observation.legal.split_at_mut(observation.space.placements().len());
        for (legal, &placement) in places.iter_mut().zip(observation.space.placements()) {
            *legal = match (only, fixed) {
                (Some(forced), _) => placement == forced,
                (None, Some(fixed)) => placement == fixed,
                (None, None) if placement.needs_residency() => is_served_at_edge,
                (None, None) => is_served_anywhere,
            };
        }
        let num_services = observation.residency.len();
        let (evictions, ahead) = rest.split_at_mut(observation.space.num_evictions());
        if let [pass, loads @ ..] = ahead {
            *pass = observation.is_prefetch && fixed.is_none();
            for (index, legal) in loads.iter_mut().enumerate() {
                *legal = *pass && self.world.can_prefetch(ServiceId::from_index(index));
            }
        }
        if missing_bytes == 0 {
            // Nobody has to leave.
            evictions.fill(false);
            return;
        }
        let resident =
            observation.space.placements().iter().zip(&*places).filter(|(p, _)| p.needs_residency());
        for (block, (_, &is_legal)) in evictions.chunks_exact_mut(num_services).zip(resident) {
            for (legal, residency) in block.iter_mut().zip(&observation.residency) {
                *legal = is_legal && residency.is_resident && !residency.is_protected;
            }
        }
    }

    /// What was chosen for one decision says nothing about the next.
    fn forget_choices(&mut self) {
        self.ahead = None;
        self.victims.clear();
        self.observation.fixed_placement = None;
    }

    /// Shows what is pending in the present phase.
    fn look(&mut self) {
        let only = (self.phase == Phase::Forced).then(|| self.refuge());
        self.observe(only);
    }

    /// The placement of the forced step: the first that needs no residency.
    fn refuge(&self) -> Placement {
        let mut placements = self.observation.space.placements().iter().copied();
        placements.find(|placement| !placement.needs_residency()).expect("a validated scenario has one")
    }

    /// Takes what is to be loaded ahead; whether it fits as things are.
    fn choose_ahead(&mut self, service: ServiceId) -> bool {
        self.ahead = Some(service);
        self.observation.service = service;
        self.observation.fixed_placement = self.observation.space.ahead();
        self.missing_bytes() == 0
    }

    /// Makes the choices of a decision that was kept in its middle, as they were made: each has to be legal, and to leave
    /// something to be chosen.
    fn choose_again(
        &mut self,
        ahead: Option<ServiceId>,
        fixed: Option<Placement>,
        victims: &[ServiceId],
    ) -> Result<(), SnapshotError> {
        let refused =
            || SnapshotError::damaged("it is in the middle of a decision that nobody can have begun");
        if self.phase != Phase::Running {
            return Err(refused());
        }
        self.forget_choices();
        self.observe(None);
        let space = Arc::clone(&self.observation.space);
        let is_legal = |env: &Self, action: Option<ActionId>| {
            action.is_some_and(|action| env.observation.legal[action.index()])
        };
        if let Some(service) = ahead {
            if !is_legal(self, space.load(service)) || self.choose_ahead(service) {
                return Err(refused());
            }
            self.observe(None);
        }
        for &victim in victims {
            let placement = fixed.ok_or_else(refused)?;
            if !is_legal(self, space.evict(placement, victim)) || self.choose(placement, victim) {
                return Err(refused());
            }
            self.observe(None);
        }
        if self.observation.fixed_placement == fixed { Ok(()) } else { Err(refused()) }
    }

    /// Takes one more victim for the pending decision; whether enough are chosen now.
    fn choose(&mut self, placement: Placement, victim: ServiceId) -> bool {
        self.observation.fixed_placement = Some(placement);
        self.victims.push(victim);
        self.missing_bytes() == 0
    }
}

impl Env for DecisionEnv {
    type Observation = DecisionObservation;
    type Action = ActionId;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Seed) {
        self.world.begin_episode(seed);
        self.forget_choices();
        self.phase = if self.world.is_over() { Phase::Forced } else { Phase::Running };
        self.look();
    }

    fn step(&mut self, action: &ActionId) -> Result<Step, EnvError> {
        if self.phase == Phase::Ended {
            return Err(EnvError::NotRunning);
        }
        let is_legal = self.observation.legal.get(action.index()).copied().unwrap_or(false);
        let decision = self.observation.space.decode(*action).filter(|_| is_legal);
        let Some(decision) = decision else {
            return Err(EnvError::refuse(&self.spec, *action, &self.observation.legal));
        };
        let cell = self.observation.cell;
        if self.phase == Phase::Forced {
            self.phase = Phase::Ended;
            self.observe(None);
            return Ok(self.told(Step::truncated(0.0, self.world.slot() as u32), cell));
        }
        let is_complete = match decision {
            Decision::Serve { placement, victim: Some(victim) } => self.choose(placement, victim),
            Decision::Load(service) => self.choose_ahead(service),
            Decision::Serve { victim: None, .. } | Decision::Pass => true,
        };
        if !is_complete {
            self.observe(None);
            return Ok(self.told(Step::running(0.0, 0), cell));
        }
        let input_cost = if self.tells_input_costs { self.world.input_cost() } else { 0.0 };
        let outcome = match (decision, self.ahead) {
            (_, Some(service)) => self.world.prefetch(service, &self.victims),
            (Decision::Serve { placement, .. }, None) => self.world.serve(placement, &self.victims),
            (Decision::Pass | Decision::Load(_), None) => Outcome::default(),
        };
        self.forget_choices();
        let elapsed = self.world.advance();
        let mut cost = outcome.cost;
        cost += elapsed.cost;
        let end = if self.world.is_over() { End::Truncated } else { End::No };
        if end.is_end() {
            self.phase = Phase::Ended;
        }
        self.observe(None);
        let info = StepInfo { cost, counters: outcome.counters, input_cost, ..StepInfo::default() };
        let step = Step { reward: -cost.total(), end, slots_elapsed: elapsed.slots, info };
        Ok(self.told(step, cell))
    }

    fn observation(&self) -> &DecisionObservation {
        &self.observation
    }

    fn snapshot(&self) -> Snapshot {
        let state = State {
            scenario: self.world.scenario().digest(),
            world: self.world.state(),
            ahead: self.ahead,
            victims: self.victims.clone(),
            fixed_placement: self.observation.fixed_placement,
            phase: self.phase,
        };
        Snapshot::of(&self.spec, &state)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let state: State = snapshot.state(&self.spec)?;
        if state.scenario != self.world.scenario().digest() {
            return Err(SnapshotError::foreign(&self.spec, "its scenario is another"));
        }
        self.world.check(&state.world).map_err(|misfit| match misfit {
            Misfit::Foreign(difference) => SnapshotError::foreign(&self.spec, difference),
            Misfit::Impossible(reason) => SnapshotError::damaged(reason),
        })?;
        let is_begun = self.world.is_begun_in(&state.world);
        let is_over = state.world.is_over();
        let is_possible = match state.phase {
            Phase::Running => is_begun && !is_over,
            Phase::Forced => is_begun && is_over,
            Phase::Ended => !is_begun || is_over,
        };
        if !is_possible {
            let phase = format!("{:?}", state.phase).to_lowercase();
            return Err(SnapshotError::damaged(format!(
                "its episode is {phase} at another moment than it can be"
            )));
        }
        if state.has_choices() {
            let mut chosen = self.clone();
            chosen.world.restore(state.world);
            chosen.phase = state.phase;
            chosen.choose_again(state.ahead, state.fixed_placement, &state.victims)?;
            *self = chosen;
            return Ok(());
        }
        if !is_begun {
            let tells_input_costs = self.tells_input_costs;
            *self = Self { tells_input_costs, ..Self::new(Arc::clone(self.world.scenario())) };
            return Ok(());
        }
        self.world.restore(state.world);
        self.forget_choices();
        self.phase = state.phase;
        self.look();
        Ok(())
    }

    fn tell_input_costs(&mut self) -> bool {
        self.tells_input_costs = true;
        true
    }

    fn reseed_future(&mut self, seed: Seed) {
        self.world.reseed_future(seed);
    }
}

#[cfg(test)]
mod tests;
