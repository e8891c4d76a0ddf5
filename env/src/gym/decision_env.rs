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
use super::observation::{DecisionObservation, KnownUser, Layout};
use super::physical_rows::StationView;
use super::snapshot::{DigestedSpec, Snapshot, SnapshotError};
use super::space::{ActionSpace, Decision};
use crate::placement::Placement;
use crate::random::Seed;
use crate::scenario::Scenario;
use crate::thought::Thought;
use crate::units::{CellId, ServiceId};
use crate::workload::arrivals::Batch;
use crate::world::{Outcome, Pending, World, WorldState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The cell that an observation shows before the first episode.
const FIRST_CELL: CellId = CellId(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Ended,
    Running,
    /// Not one request came before the horizon.
    Forced,
}

/// Everything that changes from step to step.
#[derive(Serialize, Deserialize)]
struct State {
    /// The digest of the scenario: what things cost is no part of the state, and must be the same.
    scenario: u64,
    world: WorldState,
    /// The actions that were taken for the pending decision.
    choices: Vec<ActionId>,
    phase: Phase,
}

/// The environment of a scenario.
#[derive(Clone, Debug)]
pub struct DecisionEnv {
    world: World,
    spec: Arc<DigestedSpec>,
    observation: DecisionObservation,
    /// The service that was chosen to be loaded, where bytes must be freed for it first.
    ahead: Option<ServiceId>,
    victims: Vec<ServiceId>,
    phase: Phase,
    tells_input_costs: bool,
}

impl DecisionEnv {
    /// The environment of a scenario, before its first episode: call [`Env::reset`] first.
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let num_services = scenario.services.len();
        let layout = Arc::new(Layout::new(&scenario));
        let space = Arc::new(ActionSpace::new(&scenario.placements, num_services, scenario.has_prefetch));
        let spec = Arc::new(DigestedSpec::new(EnvSpec {
            id: scenario.name.clone(),
            entries: layout.entries(),
            actions: space.names(),
        }));
        let bytes = scenario.services.iter().map(|service| service.bytes).collect();
        let world = World::new(scenario);
        let cell = world.cell(FIRST_CELL);
        let observation = DecisionObservation {
            legal: vec![false; space.len()],
            layout,
            space,
            cell: FIRST_CELL,
            capacity_bytes: cell.cache.capacity_bytes(),
            free_bytes: cell.cache.free_bytes(),
            residency: cell.cache.residency().to_vec(),
            thoughts: cell.cache.thoughts().to_vec(),
            demand: cell.demand.clone(),
            bytes,
            held: cell.held.clone(),
            is_prefetch: false,
            context_bytes: cell.cache.context_bytes().to_vec(),
            sizes: Arc::new(cell.cache.sizes.clone()),
            mean_thought: Thought::default(),
            service: ServiceId(0),
            num_requests: 0,
            fixed_placement: None,
            missing_bytes: 0,
            visits: Vec::new(),
            known_users: Vec::new(),
            thought_length: 1.0,
            compute_left: 1.0,
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

    /// Whether a decision is awaited: not before the first reset, and not after an end.
    pub fn is_running(&self) -> bool {
        self.phase != Phase::Ended
    }

    /// The spec with its digest, for snapshots that hold more than this environment.
    pub fn digested_spec(&self) -> &DigestedSpec {
        &self.spec
    }

    /// The world behind the decisions, to look at.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Lets the running episode go on for ever. No observation tells when an episode is cut, so a policy that looks ahead must
    /// not see it either; an episode without a single request keeps its forced end.
    pub fn forget_end(&mut self) {
        self.world.forget_end();
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
        self.observe();
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

    /// Shows the pending decision.
    fn observe(&mut self) {
        let pending = self.world.pending();
        self.show(pending);
        for &victim in &self.victims {
            // A victim cannot be chosen twice.
            self.observation.residency[victim.index()].is_protected = true;
        }
        let missing_bytes = self.missing_bytes();
        self.observation.missing_bytes = missing_bytes;
        if missing_bytes > 0 && !self.observation.sizes.is_plain() {
            // An entry that frees nothing for this service may not leave for it.
            let cache = &self.world.cell(pending.cell()).cache;
            cache.protect_from(self.observation.service, &mut self.observation.residency);
        }
        self.mark_legal(pending);
    }

    /// Writes everything that is known of the pending decision and its cell, choices apart.
    fn show(&mut self, pending: Pending) {
        let (world, observation) = (&self.world, &mut self.observation);
        let cell = world.cell(pending.cell());
        let cache = &cell.cache;
        observation.cell = pending.cell();
        observation.free_bytes = cache.free_bytes();
        observation.residency.copy_from_slice(cache.residency());
        observation.thoughts.copy_from_slice(cache.thoughts());
        observation.demand.copy_from_slice(&cell.demand);
        observation.held.copy_from_slice(&cell.held);
        (observation.is_prefetch, observation.service, observation.num_requests) = match pending {
            Pending::Batch(Batch { service, num_requests, .. }) => (false, service, num_requests),
            Pending::Prefetch(_) => (true, self.ahead.unwrap_or(ServiceId(0)), 0),
        };
        observation.mean_thought = world.mean_thought();
        if !observation.sizes.is_plain() {
            observation.context_bytes.copy_from_slice(cache.context_bytes());
            cache.all_entry_bytes(&mut observation.bytes);
        }
        observation.thought_length = world.thought_length();
        observation.compute_left = world.compute_left();
        if world.scenario().remembers_users() {
            observation.visits.clear();
            observation.visits.extend_from_slice(world.visits());
            observation.known_users.clear();
            observation.known_users.extend(cell.known.iter().map(|(service, user, slot)| KnownUser {
                service,
                user,
                age_tokens: cache.thought_of(service, user).age_tokens,
                slots_ago: u32::try_from(world.slot() - slot).unwrap_or(u32::MAX),
            }));
        }
        if world.scenario().shows_popularity_phase {
            observation.popularity_phase = world.popularity_phase();
        }
        if world.scenario().physical().is_some() {
            let memory = (&*observation.residency, &*observation.bytes);
            observation.station.look(world, observation.cell, &observation.layout.models, memory);
            observation.request = world.expected_facts();
        }
    }

    /// Marks the legal actions.
    fn mark_legal(&mut self, pending: Pending) {
        let forced = (self.phase == Phase::Forced).then(|| self.refuge());
        let (world, observation) = (&self.world, &mut self.observation);
        let only = forced.or(observation.fixed_placement);
        let is_served_anywhere = matches!(pending, Pending::Batch(_));
        let is_served_at_edge = world.can_serve_at_edge();
        let placements = observation.space.placements();
        let (places, rest) = observation.legal.split_at_mut(placements.len());
        for (legal, &placement) in places.iter_mut().zip(placements) {
            *legal = match only {
                Some(only) => placement == only,
                None if !world.scenario().offers(observation.service, placement) => false,
                None if placement.needs_residency() => is_served_at_edge,
                None => is_served_anywhere,
            };
        }
        let (evictions, ahead) = rest.split_at_mut(observation.space.num_evictions());
        if let [pass, loads @ ..] = ahead {
            *pass = observation.is_prefetch && observation.fixed_placement.is_none();
            for (index, legal) in loads.iter_mut().enumerate() {
                *legal = *pass && world.can_prefetch(ServiceId::from_index(index));
            }
        }
        if observation.missing_bytes == 0 {
            // Nobody has to leave.
            evictions.fill(false);
            return;
        }
        let resident = placements.iter().zip(&*places).filter(|(p, _)| p.needs_residency());
        for (block, (_, &is_legal)) in evictions.chunks_exact_mut(observation.residency.len()).zip(resident) {
            for (legal, residency) in block.iter_mut().zip(&observation.residency) {
                *legal = is_legal && residency.is_resident && !residency.is_protected;
            }
        }
    }

    /// Forgets the choices of a decision that is over.
    fn forget_choices(&mut self) {
        self.ahead = None;
        self.victims.clear();
        self.observation.fixed_placement = None;
    }

    /// The placement of the forced step: the first that needs no residency.
    fn refuge(&self) -> Placement {
        let mut placements = self.observation.space.placements().iter().copied();
        placements
            .find(|&placement| !placement.needs_residency() && self.observation.offers(placement))
            .expect("a validated scenario has one")
    }

    /// Takes an action; returns the decision once it leaves nothing to be chosen. Else more victims have to be named.
    fn choose(&mut self, action: ActionId) -> Result<Option<Decision>, EnvError> {
        if self.phase == Phase::Ended {
            return Err(EnvError::NotRunning);
        }
        let is_legal = self.observation.legal.get(action.index()).copied().unwrap_or(false);
        let Some(decision) = self.observation.space.decode(action).filter(|_| is_legal) else {
            return Err(EnvError::refuse(&self.spec, action, &self.observation.legal));
        };
        match decision {
            Decision::Serve { placement, victim: Some(victim) } => {
                self.observation.fixed_placement = Some(placement);
                self.victims.push(victim);
            }
            Decision::Load(service) => {
                self.ahead = Some(service);
                self.observation.service = service;
                self.observation.fixed_placement = self.observation.space.ahead();
            }
            Decision::Serve { victim: None, .. } | Decision::Pass => return Ok(Some(decision)),
        }
        if self.missing_bytes() == 0 {
            return Ok(Some(decision));
        }
        self.observe();
        Ok(None)
    }

    /// The actions that were taken for the pending decision.
    fn choices(&self) -> Vec<ActionId> {
        let DecisionObservation { space, fixed_placement, .. } = &self.observation;
        let ahead = self.ahead.and_then(|service| space.load(service));
        let victims = self.victims.iter().filter_map(|&victim| space.evict((*fixed_placement)?, victim));
        ahead.into_iter().chain(victims).collect()
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
        self.observe();
    }

    fn step(&mut self, action: &ActionId) -> Result<Step, EnvError> {
        let cell = self.observation.cell;
        let Some(decision) = self.choose(*action)? else {
            return Ok(self.told(Step::running(0.0, 0), cell));
        };
        if self.phase == Phase::Forced {
            self.phase = Phase::Ended;
            self.observe();
            return Ok(self.told(Step::truncated(0.0, self.world.slot() as u32), cell));
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
        self.observe();
        let info = StepInfo { cost, counters: outcome.counters, input_cost, ..StepInfo::default() };
        let step = Step { reward: -cost.total(), end, slots_elapsed: elapsed.slots, info };
        Ok(self.told(step, cell))
    }

    fn observation(&self) -> &DecisionObservation {
        &self.observation
    }

    fn snapshot(&self) -> Snapshot {
        let state = State {
            scenario: self.world.scenario().digest,
            world: self.world.state(),
            choices: self.choices(),
            phase: self.phase,
        };
        Snapshot::of(&self.spec, &state)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let mut state: State = snapshot.state(&self.spec)?;
        if state.scenario != self.world.scenario().digest {
            return Err(SnapshotError::foreign(&self.spec, "its scenario is another"));
        }
        self.world.complete(&mut state.world).map_err(SnapshotError::damaged)?;
        let has_begun = self.world.has_begun_in(&state.world);
        if !has_begun && state.phase != Phase::Ended {
            return Err(SnapshotError::damaged("its episode is running without a decision"));
        }
        if !has_begun {
            let tells_input_costs = self.tells_input_costs;
            *self = Self { tells_input_costs, ..Self::new(Arc::clone(self.world.scenario())) };
            return Ok(());
        }
        let before = (!state.choices.is_empty()).then(|| self.clone());
        self.world.restore(state.world);
        self.forget_choices();
        self.phase = state.phase;
        self.observe();
        for action in state.choices {
            if !matches!(self.choose(action), Ok(None)) {
                *self = before.expect("there are choices");
                return Err(SnapshotError::damaged(
                    "it is in the middle of a decision that nobody has begun",
                ));
            }
        }
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
