//! The best course of one service under prices, found exactly.
//!
//! Models: the batches of a service at a cell, in order. Before each, its entry is absent, refused for the rest of the slot, or
//! resident with a context. A batch is served at the edge (after a load where the entry is absent) or elsewhere; after
//! it, a resident entry stays until the next batch or leaves as soon as it may.
//!
//! Equation, forwards over the batches `j` of the service, decisions `n_j`; `P(a, b)` the price of its weights from decision `a` up to
//! `b`:
//! ```text
//! serve      V + load cost where absent + edge, accuracy and compute costs + nu F
//! elsewhere  V + cloud costs
//! stay       V + P(n_j, n_(j+1))         fading meanwhile
//! leave      V + P(n_j, n_j + 1); at granularity `service` up to the end of a slot in which the entry served
//! ```
//! An entry whose window is exhausted leaves at once where the refresh evicts.
//! Of the resident states with one `K`, those are kept that no other beats in both cost and age: more fresh context never
//! costs more later (`llm/quality.rs`), so the least cost is exact.

use crate::bounds::ascent;
use crate::bounds::trajectory::Trajectory;
use std::collections::BTreeMap;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::thought::{ContextLaw, Refresh, Thought};
use thoughtcache_env::units::ServiceId;

/// The price of a cell's whole memory and whole compute budget; of a part of them, that part of it.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    /// By cell, just after each decision.
    pub(super) memory: Vec<Vec<f64>>,
    /// By cell, in each slot; none where compute is not limited.
    pub(super) compute: Vec<Vec<f64>>,
}

/// One batch of the service.
struct Ask {
    decision: usize,
    slot: u64,
    num_requests: u32,
    /// The length of their thoughts, as a multiple of the mean.
    length: f64,
    /// The first decision of the cell after the slot.
    slot_end: usize,
}

/// The batches of a service at a cell, or those of one user among them.
pub(super) struct Programme<'a> {
    scenario: &'a Scenario,
    pub(super) cell: usize,
    service: ServiceId,
    law: ContextLaw,
    asks: Vec<Ask>,
    /// What the weights take of the memory; 0 where others may hold them.
    pub(super) weights_share: f64,
    /// What a request of mean length takes of the compute budget.
    request_share: f64,
    load_cost: f64,
    /// Whether more fresh context never costs more.
    is_monotone: bool,
    /// Whether windows may be full. Where thoughts vary, hardly two ways leave the same `K`, so that states would be too many to keep.
    has_windows: bool,
    /// Whether a batch that goes elsewhere forbids a load until the slot ends. A load ahead of the slot could have come before it,
    /// and where users have courses of their own the entry may be there for another user.
    refusals_last: bool,
    /// The price of accuracy; 0 where thoughts vary and more fresh context may cost more, as nothing would tell then which of many ways
    /// to keep.
    accuracy_weight: f64,
}

/// The best course: its cost, prices included, and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Course {
    pub(super) cost: f64,
    /// From which decision to which one, exclusive, the entry is resident.
    pub(super) stays: Vec<(usize, usize)>,
    /// Slot of each batch at the edge, and what it takes of the compute budget; none where that is not limited.
    pub(super) served: Vec<(u64, f64)>,
    /// Slot and cost of each batch, prices not included.
    pub(super) costs: Vec<(u64, f64)>,
}

/// A state before or after a batch, and the cheapest way there.
#[derive(Clone, Copy)]
struct Label {
    cost: f64,
    thought: Thought,
    /// The last step of that way.
    step: u32,
}

/// One batch on a way.
#[derive(Clone, Copy)]
struct Step {
    before: u32,
    /// The cost of the way up to here, prices included.
    cost: f64,
    is_served: bool,
    /// The decision up to which the entry is resident after this batch; that of the batch where it is not.
    until: usize,
}

const NO_STEP: u32 = u32::MAX;
const NOWHERE: Label =
    Label { cost: f64::INFINITY, thought: Thought { context_tokens: 0.0, age_tokens: 0.0 }, step: NO_STEP };

impl<'a> Programme<'a> {
    /// The programmes of all services, or of all users of each where each has a course of its own.
    pub(super) fn all(scenario: &'a Scenario, trajectory: &Trajectory) -> Vec<Self> {
        let is_split = scenario.num_users.is_some() || scenario.has_shared_weights;
        let mut programmes: Vec<Self> = Vec::new();
        let mut places = BTreeMap::new();
        for (cell, asked) in trajectory.cells.iter().enumerate() {
            let mut slot_end = vec![asked.len(); asked.len()];
            for at in (1..asked.len()).rev() {
                let is_last = asked[at].slot != asked[at - 1].slot;
                slot_end[at - 1] = if is_last { at } else { slot_end[at] };
            }
            for (decision, batch) in asked.iter().enumerate() {
                for visit in &batch.visits {
                    let place = *places.entry((cell, batch.service, visit.user)).or_insert_with(|| {
                        programmes.push(Self::new(scenario, cell, batch.service, is_split));
                        programmes.len() - 1
                    });
                    programmes[place].asks.push(Ask {
                        decision,
                        slot: batch.slot,
                        num_requests: visit.num_requests,
                        length: batch.length,
                        slot_end: slot_end[decision],
                    });
                }
            }
        }
        programmes
    }

    fn new(scenario: &'a Scenario, cell: usize, service: ServiceId, is_split: bool) -> Self {
        let of = scenario.service(service);
        let (has_windows, improves) = (scenario.thought_cv == 0.0, of.quality.improves_with_age());
        let (weights_share, load_cost) = if is_split {
            (0.0, 0.0)
        } else {
            (of.bytes as f64 / scenario.capacity_bytes as f64, of.load_cost)
        };
        Self {
            scenario,
            cell,
            service,
            law: scenario.context_law(service),
            asks: Vec::new(),
            weights_share,
            request_share: scenario.compute_budget_flop.map_or(0.0, |budget| of.request_flop / budget),
            load_cost,
            refusals_last: scenario.has_hold && !scenario.has_prefetch && scenario.num_users.is_none(),
            is_monotone: improves && !(scenario.drops_faded && has_windows),
            has_windows,
            accuracy_weight: if improves || has_windows { scenario.prices.accuracy_weight } else { 0.0 },
        }
    }

    /// The cost of serving nothing at the edge.
    pub(super) fn cost_elsewhere(&self) -> f64 {
        let requests: f64 = self.asks.iter().map(|ask| f64::from(ask.num_requests)).sum();
        requests * self.scenario.service(self.service).cloud_per_request
    }

    /// The course of least cost.
    pub(super) fn best(&self, prices: &Prices) -> Course {
        let [memory, compute] = [&prices.memory[self.cell], &prices.compute[self.cell]];
        let sums = self.sums(memory);
        let service = self.scenario.service(self.service);
        let fade_tokens = service.fade_tokens;
        let mut steps: Vec<Step> = Vec::new();
        let mut absent = Label { cost: 0.0, ..NOWHERE };
        let (mut refused, mut residents): (Label, Vec<Label>) = (NOWHERE, Vec::new());
        let mut next: Vec<Label> = Vec::new();
        for (at, ask) in self.asks.iter().enumerate() {
            let later = self.asks.get(at + 1);
            let requests = f64::from(ask.num_requests);
            let edge_cost = requests
                * (service.edge_per_request
                    + ask.length * service.request_flop * self.scenario.prices.per_flop
                    + ask.length
                        * self.request_share
                        * compute.get(ask.slot as usize).copied().unwrap_or(0.0));
            let cloud_cost = requests * service.cloud_per_request;
            let (mut absent_next, mut refused_next) = (NOWHERE, NOWHERE);
            next.clear();
            let mut take = |label: &mut Label, thought: Thought, step: Step| {
                if step.cost < label.cost {
                    *label = Label { cost: step.cost, thought, step: steps.len() as u32 };
                    steps.push(step);
                }
            };
            // Elsewhere, while it is absent.
            let pass = |label: Label| Step {
                before: label.step,
                cost: label.cost + cloud_cost,
                is_served: false,
                until: ask.decision,
            };
            let is_same_slot = later.is_some_and(|later| later.slot == ask.slot);
            let after = if self.refusals_last && is_same_slot { &mut refused_next } else { &mut absent_next };
            take(after, Thought::default(), pass(absent));
            take(after, Thought::default(), pass(refused));
            // At the edge after a load, and both ways while it is resident.
            let loaded = Label { cost: absent.cost + self.load_cost, ..absent };
            let candidates = std::iter::once((loaded, false)).chain(residents.iter().map(|one| (*one, true)));
            for (label, was_resident) in candidates {
                for is_served in [true, false] {
                    if !is_served && !was_resident {
                        continue;
                    }
                    let mut cost = label.cost + if is_served { edge_cost } else { cloud_cost };
                    let (mut thought, mut is_resident) = (label.thought, true);
                    if is_served {
                        let (accuracy_cost, left) = self.serve(thought, ask);
                        cost += accuracy_cost;
                        (thought, is_resident) = (left.unwrap_or_default(), left.is_some());
                    }
                    let step =
                        |price, until| Step { before: label.step, cost: cost + price, is_served, until };
                    if !is_resident {
                        take(&mut absent_next, Thought::default(), step(0.0, ask.decision));
                        continue;
                    }
                    let is_kept = is_served && !self.scenario.is_per_request;
                    let leaves = if is_kept { ask.slot_end } else { ask.decision + 1 };
                    let price = |until: usize| between(&sums, ask.decision, until);
                    take(&mut absent_next, Thought::default(), step(price(leaves), leaves));
                    if let Some(later) = later {
                        for _ in (ask.slot..later.slot).take_while(|_| fade_tokens > 0.0) {
                            thought.fade(fade_tokens);
                        }
                        if self.scenario.drops_faded && thought.age_tokens == 0.0 && later.slot > ask.slot {
                            thought = Thought::default();
                        }
                        let mut stayed = NOWHERE;
                        let until = later.decision;
                        take(&mut stayed, thought, step(price(until), until));
                        next.push(stayed);
                    }
                }
            }
            (absent, refused) = (absent_next, refused_next);
            std::mem::swap(&mut residents, &mut next);
            keep_the_best(&mut residents, self.is_monotone);
        }
        let last = if refused.cost < absent.cost { refused } else { absent };
        self.course(last, &steps, &sums, compute)
    }

    /// The prices of the weights before each decision, added up; none where weights take no memory.
    fn sums(&self, memory: &[f64]) -> Vec<f64> {
        let mut sums = Vec::new();
        if self.weights_share > 0.0 {
            sums.push(0.0);
            for price in memory {
                sums.push(sums[sums.len() - 1] + self.weights_share * price);
            }
        }
        sums
    }

    /// Serves a batch at the edge: its accuracy cost, and the context that it leaves; none where the entry leaves with it.
    fn serve(&self, before: Thought, ask: &Ask) -> (f64, Option<Thought>) {
        let (service, window) = (self.scenario.service(self.service), self.law.window_tokens);
        let mut after = self.law.of_length(ask.length).grown(before, ask.num_requests);
        let unit = service.quality.unit_cost(before.fresh_tokens(window), after.fresh_tokens(window));
        let cost = f64::from(ask.num_requests) * self.accuracy_weight * unit;
        // What decides nothing tells no states apart.
        if window.is_infinite() || !self.has_windows {
            after.context_tokens = 0.0;
        }
        if self.accuracy_weight == 0.0 {
            after.age_tokens = 0.0;
        }
        match self.law.refresh {
            _ if !after.is_exhausted(window) => (cost, Some(after)),
            Refresh::Clear => (cost, Some(Thought::default())),
            Refresh::Evict => (cost, None),
        }
    }

    /// Follows a way back. `sums` of the prices of the weights up to each decision.
    fn course(&self, last: Label, steps: &[Step], sums: &[f64], compute: &[f64]) -> Course {
        let mut course = Course { cost: last.cost, stays: Vec::new(), served: Vec::new(), costs: Vec::new() };
        let mut step = last.step;
        for ask in self.asks.iter().rev() {
            let Step { before, cost, is_served, until } = steps[step as usize];
            let mut own = cost - steps.get(before as usize).map_or(0.0, |before| before.cost);
            if until > ask.decision {
                course.stays.push((ask.decision, until));
                own -= between(sums, ask.decision, until);
            }
            if is_served && self.request_share > 0.0 {
                let share = f64::from(ask.num_requests) * ask.length * self.request_share;
                course.served.push((ask.slot, share));
                own -= share * compute[ask.slot as usize];
            }
            course.costs.push((ask.slot, own));
            step = before;
        }
        course
    }
}

/// The price of the weights from a decision up to another.
fn between(sums: &[f64], from: usize, until: usize) -> f64 {
    if sums.is_empty() { 0.0 } else { sums[until] - sums[from] }
}

/// Keeps, of the states with one number of context tokens, those that no other beats in both cost and age; where more age may
/// cost more, the cheapest of each age.
fn keep_the_best(labels: &mut Vec<Label>, is_monotone: bool) {
    labels.sort_unstable_by(|one, other| {
        let key = |label: &Label| {
            let Thought { context_tokens, age_tokens } = label.thought;
            let age = -age_tokens;
            if is_monotone { (context_tokens, label.cost, age) } else { (context_tokens, age, label.cost) }
        };
        key(one).partial_cmp(&key(other)).expect("costs and tokens are numbers")
    });
    let mut last: Option<Thought> = None;
    labels.retain(|label| {
        let is_beaten = last.is_some_and(|last| {
            last.context_tokens == label.thought.context_tokens
                && if is_monotone {
                    last.age_tokens >= label.thought.age_tokens
                } else {
                    last.age_tokens == label.thought.age_tokens
                }
        });
        if !is_beaten {
            last = Some(label.thought);
        }
        !is_beaten
    });
}

impl Prices {
    /// Nothing costs anything. Compute has no prices where it is not limited.
    pub(super) fn zero(trajectory: &Trajectory, is_compute_limited: bool) -> Self {
        let slots = if is_compute_limited { trajectory.slots as usize } else { 0 };
        Self {
            memory: trajectory.cells.iter().map(|asked| vec![0.0; asked.len()]).collect(),
            compute: vec![vec![0.0; slots]; trajectory.cells.len()],
        }
    }
}

impl ascent::Prices for Prices {
    fn all(&self) -> impl Iterator<Item = &f64> {
        self.memory.iter().chain(&self.compute).flatten()
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.memory.iter_mut().chain(&mut self.compute).flatten()
    }
}
