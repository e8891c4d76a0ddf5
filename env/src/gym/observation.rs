//! The knowledge before a decision, by name, and the row of bounded numbers that learners see of it.
//!
//! Row (`n` services; one block of `n` entries per line, `service.0.*` first):
//! ```text
//! resident  protected  age = kappa/w  context = K/w  pending = R/(R+4)  rate = ew/(ew+1)  recency = 1/(1+slots)  load = bytes/G
//! ```
//! then the batch: one-hot service, `requests = R/(R+4)`, `new_tokens = min(1, R k/w)`, `is_fixed`, `missing = bytes/G`, and
//! resident, age, context, rate, recency and load of its own service once more; then `cell.free = bytes/G`. All lie in
//! `[0, 1]`. No absolute time, no horizon: the task goes on for ever.
//!
//! `load` is what loading the weights would add: 0 where they are in memory, be it for another service. `protected` is also
//! set for entries that would free nothing for a batch that lacks bytes. Where users have contexts of their own
//! (`context.scope = "user"`), a service's `age` and `context` are `x/(1+x)` of the sum `x` over its users, and the batch's
//! are the means over its requests of what their users have.
//!
//! Options of a scenario add entries after these, so that rows without them stay as they are: `decision.hold` one `held` per
//! service and one for the batch; `decision.prefetch` one `batch.is_prefetch`; `observation.popularity_phase` the one-hot
//! phase; a compute budget, thoughts that vary and users with contexts of their own those of `context_rows.rs`. At a prefetch decision the batch is the service that was chosen to be loaded, without requests; before the choice its
//! one-hot service and its other entries are 0. Physical scenarios add radio, servers and the request after all these
//! (`physical_rows.rs`).

use super::api::{ActionId, Entry, Rows};
use super::context_rows;
use super::physical_rows::{self, DemandEntries, StationView};
use super::space::ActionSpace;
use crate::cache::{Residency, Sizes};
use crate::cost::CostBreakdown;
use crate::llm::loading::Tier;
use crate::placement::Placement;
use crate::placement::pipeline::{StageBill, price};
use crate::placement::request::RequestFacts;
use crate::scenario::Scenario;
use crate::thought::Thought;
use crate::units::{CellId, ModelId, ServiceId, UserId};
use crate::workload::demand::Demand;
use crate::workload::phased::PhasedModel;
use crate::workload::users::Visit;
use std::sync::Arc;

/// Half-saturation of request counts in a row: 4 requests read as one half.
const HALF_REQUESTS: f32 = 4.0;
/// Entries per service.
const SERVICE_FEATURES: [&str; 8] =
    ["resident", "protected", "age", "context", "pending", "rate", "recency", "load"];
/// Entries of the batch beside the one-hot service and the cell.
const BATCH_FEATURES: [&str; 10] = [
    "requests",
    "new_tokens",
    "is_fixed",
    "missing",
    "resident",
    "age",
    "context",
    "rate",
    "recency",
    "load",
];

/// The constants of a scenario that rows are scaled by.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    num_services: usize,
    inverse_window: Vec<f32>,
    tokens_per_request: Vec<f32>,
    load_share: Vec<f32>,
    inverse_capacity: f64,
    has_hold: bool,
    has_prefetch: bool,
    /// Phases that are shown; 0 where none are.
    num_phases: usize,
    has_user_contexts: bool,
    /// Those of `context_rows.rs`.
    num_context_entries: usize,
    /// By service.
    pub(super) models: Vec<ModelId>,
    /// By service; empty in abstract scenarios.
    demand_entries: Vec<DemandEntries>,
    scenario: Arc<Scenario>,
}

impl Layout {
    pub(crate) fn new(scenario: &Arc<Scenario>) -> Self {
        let services = &scenario.services;
        let inverse_capacity = 1.0 / scenario.capacity_bytes as f64;
        Self {
            num_services: services.len(),
            inverse_window: services.iter().map(|service| (1.0 / service.window_tokens) as f32).collect(),
            tokens_per_request: services.iter().map(|service| service.request_tokens as f32).collect(),
            load_share: services
                .iter()
                .map(|service| (service.bytes as f64 * inverse_capacity).min(1.0) as f32)
                .collect(),
            inverse_capacity,
            has_hold: scenario.has_hold,
            has_prefetch: scenario.has_prefetch,
            num_phases: scenario
                .phases()
                .filter(|_| scenario.shows_popularity_phase)
                .map_or(0, PhasedModel::num_phases),
            has_user_contexts: scenario.num_users.is_some(),
            num_context_entries: context_rows::entries(scenario).len(),
            models: services.iter().map(|service| service.model).collect(),
            demand_entries: scenario
                .physical()
                .map_or_else(Vec::new, |physical| DemandEntries::of_services(physical, services.len())),
            scenario: Arc::clone(scenario),
        }
    }

    /// Entries that every scenario has.
    fn num_base_entries(&self) -> usize {
        (SERVICE_FEATURES.len() + 1) * self.num_services + BATCH_FEATURES.len() + 1
    }

    /// Names and bounds of a row.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.num_base_entries());
        let unit = |name: String| Entry::new(name, 0.0, 1.0);
        for feature in SERVICE_FEATURES {
            entries
                .extend((0..self.num_services).map(|service| unit(format!("service.{service}.{feature}"))));
        }
        entries.extend((0..self.num_services).map(|service| unit(format!("batch.service.{service}"))));
        entries.extend(BATCH_FEATURES.map(|feature| unit(format!("batch.{feature}"))));
        entries.push(unit("cell.free".into()));
        if self.has_hold {
            entries.extend((0..self.num_services).map(|service| unit(format!("service.{service}.held"))));
            entries.push(unit("batch.held".into()));
        }
        if self.has_prefetch {
            entries.push(unit("batch.is_prefetch".into()));
        }
        entries.extend((0..self.num_phases).map(|phase| unit(format!("phase.{phase}"))));
        entries.extend(context_rows::entries(&self.scenario));
        if let Some(physical) = self.scenario.physical() {
            entries.extend(physical_rows::entries(physical, self.num_services));
        }
        entries
    }
}

/// The context of a user at the cell, and when the entry that keeps it last served them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownUser {
    /// The service of the entry.
    pub service: ServiceId,
    /// The user.
    pub user: UserId,
    /// The age of their context; 0 also after a window that was full.
    pub age_tokens: f64,
    /// Slots since the entry served them: 0 in the same slot.
    pub slots_ago: u32,
}

/// The knowledge before a decision: the cell of the batch, the batch, and the legal actions.
#[derive(Clone, Debug)]
pub struct DecisionObservation {
    pub(crate) layout: Arc<Layout>,
    pub(crate) space: Arc<ActionSpace>,
    /// The cell where the batch arrived; everything below is about this cell.
    pub cell: CellId,
    /// Size of its memory.
    pub capacity_bytes: u64,
    /// Bytes of it that hold nothing.
    pub free_bytes: u64,
    /// By service: is it in memory; has it served in this slot, or would its leaving free nothing for a batch that lacks
    /// bytes: then it may not leave.
    pub residency: Vec<Residency>,
    /// By service: tokens in the context, and how many are fresh; summed over users where each has a context.
    pub thoughts: Vec<Thought>,
    /// By service: requests still undecided in this slot, estimated rate, slots since the last request.
    pub demand: Vec<Demand>,
    /// By service: bytes that its entry stands for. Of a resident entry its weights, an equal part of them where others use
    /// them too, and its context where that occupies memory; of an absent one the weights that would have to be loaded.
    /// Several victims together free [`freed_bytes`](Self::freed_bytes).
    pub bytes: Vec<u64>,
    /// By service: bytes that its context occupies; 0 without `memory.kv`.
    pub context_bytes: Vec<u64>,
    pub(crate) sizes: Arc<Sizes>,
    /// By service: a refusal of this slot forbids to load it; empty in scenarios without `decision.hold`.
    pub held: Vec<bool>,
    /// Whether this is no batch but the question which service to load ahead of the slot's requests.
    pub is_prefetch: bool,
    /// The service of the batch. At a prefetch decision the service that was chosen to be loaded; without meaning before
    /// the choice, while no placement is fixed.
    pub service: ServiceId,
    /// Requests in the batch; 0 at a prefetch decision.
    pub num_requests: u32,
    /// The context that a request of the batch finds at the edge, on average: its user's, or its service's where all users
    /// share one.
    pub mean_thought: Thought,
    /// The placement that earlier choices for this decision have fixed.
    pub fixed_placement: Option<Placement>,
    /// Bytes that still have to be freed before the batch can be served at the edge; 0 when it fits as things are.
    pub missing_bytes: u64,
    /// The users whose requests the batch brings, by id; empty at a prefetch decision, and where [`known_users`](Self::known_users)
    /// is.
    pub visits: Vec<Visit>,
    /// The users whom entries of the cell have served since they were loaded, by service and then by user; empty in physical
    /// scenarios, and where users share a context.
    pub known_users: Vec<KnownUser>,
    /// The length of the thought of a request of the batch as a multiple of its service's mean; 1 where all are alike.
    pub thought_length: f64,
    /// The share of the cell's compute budget that is left in this slot; 1 where there is none.
    pub compute_left: f64,
    /// The popularity phase of the slot, where the scenario shows it.
    pub popularity_phase: Option<u32>,
    /// The work of the cell beside keeping entries; empty in abstract scenarios.
    pub station: StationView,
    /// The numbers that the price of the request depends on, with the answer's expected length; `None` at a prefetch decision and in
    /// abstract scenarios.
    pub request: Option<RequestFacts>,
    /// By number of the action: whether it is legal.
    pub legal: Vec<bool>,
}

impl DecisionObservation {
    /// The action "serve there", if it is legal.
    pub fn place(&self, placement: Placement) -> Option<ActionId> {
        self.space.place(placement).filter(|action| self.legal[action.index()])
    }

    /// The action "serve there and evict that one", if it is legal.
    pub fn evict(&self, placement: Placement, victim: ServiceId) -> Option<ActionId> {
        self.space.evict(placement, victim).filter(|action| self.legal[action.index()])
    }

    /// The action "load nothing ahead of the requests", if it is legal.
    pub fn pass(&self) -> Option<ActionId> {
        self.space.pass().filter(|action| self.legal[action.index()])
    }

    /// The action "load that one ahead of the requests", if it is legal.
    pub fn load(&self, service: ServiceId) -> Option<ActionId> {
        self.space.load(service).filter(|action| self.legal[action.index()])
    }

    /// The bill and the cost of the request if it were served there, as far as can be known: with the expected length of the
    /// answer, and a load where its entry is absent. `None` at a prefetch decision and in abstract scenarios.
    pub fn estimate(&self, placement: Placement) -> Option<(StageBill, CostBreakdown)> {
        let (request, physical) = (self.request.as_ref()?, self.layout.scenario.physical()?);
        let (bill, mut cost) = self.bill(placement, request)?;
        // Weights that are there, or on their way for another entry, are not loaded again.
        if placement.needs_residency() && !self.is_hit() && self.bytes[request.service.index()] > 0 {
            cost.switching += physical.load_cost(request.load_s, self.store_bytes());
        }
        Some((bill, cost))
    }

    /// [`estimate`](Self::estimate) as if the weights were in GPU memory: neither waiting for them nor their load is paid.
    pub fn estimate_loaded(&self, placement: Placement) -> Option<(StageBill, CostBreakdown)> {
        self.bill(placement, &RequestFacts { load_s: 0.0, ..self.request? })
    }

    fn bill(&self, placement: Placement, request: &RequestFacts) -> Option<(StageBill, CostBreakdown)> {
        let physical = self.layout.scenario.physical()?;
        let (flight, projected) = self.station.expected(physical);
        let bill = price(placement, &physical.view_in(*request, flight, projected));
        let cost = physical.cost(&bill, request.service);
        Some((bill, cost))
    }

    /// Whether a request of the batch's service may be served there, wherever there is room.
    pub fn offers(&self, placement: Placement) -> bool {
        self.layout.scenario.offers(self.service, placement)
    }

    /// Bytes that would come from a store outside the cell if the service of the batch were loaded.
    fn store_bytes(&self) -> u64 {
        let own = self.service.index();
        if self.station.tiers.get(own) == Some(&Tier::Remote) { self.bytes[own] } else { 0 }
    }

    /// Whether this is a prefetch decision without a choice so far.
    fn is_open(&self) -> bool {
        self.is_prefetch && self.fixed_placement.is_none()
    }

    /// The numbers of the actions.
    pub fn space(&self) -> &ActionSpace {
        &self.space
    }

    /// Bytes that are free once these different resident entries have left together for the batch.
    pub fn freed_bytes(&self, victims: &[ServiceId]) -> u64 {
        self.sizes.freed_by(victims, self.service, &self.residency, &self.context_bytes)
    }

    /// Whether entries on one model share its weights, so that evicting one of them may free nothing.
    pub fn shares_weights(&self) -> bool {
        self.sizes.is_shared()
    }

    /// Whether the service of the batch is in memory; never at a prefetch decision.
    pub fn is_hit(&self) -> bool {
        !self.is_prefetch && self.residency[self.service.index()].is_resident
    }

    /// The blocks of [`SERVICE_FEATURES`].
    fn encode_services(&self, services: &mut [f32]) {
        let Layout { num_services: n, inverse_window, load_share, has_user_contexts, .. } = &*self.layout;
        let mut blocks = services.chunks_exact_mut(*n);
        let mut block = || blocks.next().expect("one block a feature");
        for ((x, protected), residency) in block().iter_mut().zip(block()).zip(&self.residency) {
            *x = flag(residency.is_resident);
            *protected = flag(residency.is_protected);
        }
        let (ages, contexts) = (block(), block());
        let of_services = ages.iter_mut().zip(&mut *contexts).zip(&self.thoughts).zip(inverse_window);
        for (((age, context), thought), &inverse) in of_services {
            *age = thought.age_tokens as f32 * inverse;
            *context = thought.context_tokens as f32 * inverse;
        }
        if *has_user_contexts {
            saturate_all(ages, 1.0);
            saturate_all(contexts, 1.0);
        } else {
            ages.iter_mut().chain(contexts).for_each(|x| *x = x.min(1.0));
        }
        let (pending, rates, recencies) = (block(), block(), block());
        let of_services = pending.iter_mut().zip(&mut *rates).zip(&mut *recencies).zip(&self.demand);
        for (((pending, rate), recency), demand) in of_services {
            *pending = demand.pending_requests as f32;
            *rate = demand.request_rate as f32;
            *recency = 1.0 + demand.recency_slots as f32;
        }
        for x in recencies {
            *x = 1.0 / *x;
        }
        saturate_all(pending, HALF_REQUESTS);
        saturate_all(rates, 1.0);
        let load = block();
        for ((x, residency), share) in load.iter_mut().zip(&self.residency).zip(load_share) {
            *x = if residency.is_resident { 0.0 } else { *share };
        }
        if self.sizes.is_shared() {
            // Weights that are there need no load.
            for (x, _) in load.iter_mut().zip(&self.bytes).filter(|(_, bytes)| **bytes == 0) {
                *x = 0.0;
            }
        }
    }

    /// What the cell knows of a user with the service of the batch; `None` where its entry has not served them.
    pub fn known(&self, user: UserId) -> Option<&KnownUser> {
        let key = |known: &KnownUser| (known.service, known.user);
        let place = self.known_users.binary_search_by_key(&(self.service, user), key).ok()?;
        Some(&self.known_users[place])
    }

    /// Writes the entries that options of the scenario add to a row.
    fn encode_options(&self, options: &mut [f32]) {
        let Layout {
            num_services,
            inverse_window,
            has_hold,
            has_prefetch,
            num_phases,
            num_context_entries,
            demand_entries,
            scenario,
            ..
        } = &*self.layout;
        let (n, own) = (*num_services, self.service.index());
        let options = match scenario.physical() {
            Some(physical) => {
                let own = physical_rows::num_entries(physical, n);
                let (options, rows) = options.split_at_mut(options.len() - own);
                let request = self.request.as_ref();
                physical_rows::encode(rows, physical, &self.station, request, inverse_window, demand_entries);
                options
            }
            None => options,
        };
        let (options, rows) = options.split_at_mut(options.len() - num_context_entries);
        context_rows::encode(rows, scenario, self);
        let (options, phases) = options.split_at_mut(options.len() - num_phases);
        for (phase, x) in (0..).zip(phases) {
            *x = flag(self.popularity_phase == Some(phase));
        }
        if *has_hold {
            for (x, &is_held) in options.iter_mut().zip(&self.held) {
                *x = flag(is_held);
            }
            options[n] = if self.is_open() { 0.0 } else { options[own] };
        }
        if *has_prefetch {
            options[if *has_hold { n + 1 } else { 0 }] = flag(self.is_prefetch);
        }
    }

    /// How many services there are.
    pub fn num_services(&self) -> usize {
        self.residency.len()
    }
}

fn flag(is_set: bool) -> f32 {
    f32::from(u8::from(is_set))
}

/// `x / (x + half)` of each entry: a loop over nothing but the entries divides several at once.
fn saturate_all(entries: &mut [f32], half: f32) {
    for x in entries {
        *x /= *x + half;
    }
}

/// `n / (n + 4)`.
pub(super) fn saturate(requests: u32) -> f32 {
    let requests = requests as f32;
    requests / (requests + HALF_REQUESTS)
}

impl Rows for DecisionObservation {
    fn encode(&self, row: &mut [f32]) {
        let Layout { num_services: n, inverse_window, tokens_per_request, inverse_capacity, .. } =
            &*self.layout;
        let n = *n;
        let (row, options) = row.split_at_mut(self.layout.num_base_entries());
        let (services, rest) = row.split_at_mut(SERVICE_FEATURES.len() * n);
        self.encode_services(services);

        let own = self.service.index();
        let (one_hot, rest) = rest.split_at_mut(n);
        one_hot.fill(0.0);
        one_hot[own] = flag(!self.is_open());
        let new_tokens = self.num_requests as f32
            * tokens_per_request[own]
            * inverse_window[own]
            * self.thought_length as f32;
        let of_window = |tokens: f64, inverse: f32| (tokens as f32 * inverse).min(1.0);
        let share = |bytes: u64| ((bytes as f64 * inverse_capacity) as f32).min(1.0);
        let feature = |index: usize| services[index * n + own];
        rest.copy_from_slice(&[
            saturate(self.num_requests),
            new_tokens.min(1.0),
            flag(self.fixed_placement.is_some()),
            share(self.missing_bytes),
            feature(0),
            of_window(self.mean_thought.age_tokens, inverse_window[own]),
            of_window(self.mean_thought.context_tokens, inverse_window[own]),
            feature(5),
            feature(6),
            feature(7),
            share(self.free_bytes),
        ]);
        if self.is_open() {
            // There is no batch: everything that would be about it is 0.
            rest[..BATCH_FEATURES.len()].fill(0.0);
        }
        self.encode_options(options);
    }

    fn mask(&self, legal: &mut [bool]) {
        legal.copy_from_slice(&self.legal);
    }
}
