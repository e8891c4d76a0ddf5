//! Every situation of a tiny world, and what each decision in it costs and leads to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::gym::api::{ActionId, Env, EnvError};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::snapshot::{Snapshot, SnapshotError};
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;
use thoughtcache_env::workload::phased::PhasedModel;

/// The most services: a set of them is 64 bits.
const MAX_SERVICES: usize = 64;
/// The most situations (resident set, service, chosen victims), phases left out.
const MAX_SITUATIONS: usize = 20_000;

/// Services as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceSet(u64);

impl ServiceSet {
    /// Whether the service is one of them.
    pub const fn contains(self, service: ServiceId) -> bool {
        self.0 >> service.0 & 1 == 1
    }

    /// How many they are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn of(flags: impl Iterator<Item = bool>) -> Self {
        Self(flags.zip(0..).fold(0, |bits, (is_in, at): (bool, u32)| bits | u64::from(is_in) << at))
    }
}

/// Why a world has no exact optimum here.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NotTiny {
    /// It is of another kind, or too large.
    #[error("{scenario} is not tiny: {reason}")]
    World {
        /// The scenario.
        scenario: String,
        /// What it has, and what is needed.
        reason: String,
    },
    /// The environment refused.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The environment did not come back to a state of its own.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl NotTiny {
    fn world(scenario: &Scenario, reason: impl Into<String>) -> Self {
        Self::World { scenario: scenario.name.clone(), reason: reason.into() }
    }
}

/// What follows a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same request, with one more victim chosen: the number of a node.
    SameSlot(usize),
    /// The next slot: the number of a resident set.
    NextSlot(usize),
}

/// A decision in a situation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The action of the decision environment.
    pub action: ActionId,
    /// Its immediate cost.
    pub cost: f64,
    pub(super) next: Next,
}

/// What a memoryless rule decides by.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The set of resident models.
    pub resident: ServiceSet,
    /// The model of the request.
    pub service: ServiceId,
    /// Victims that are chosen already for this request.
    pub chosen: ServiceSet,
    /// The phase of the slot.
    pub phase: usize,
    /// The choices, in the order of the actions.
    pub choices: &'a [Choice],
}

/// How a situation is found.
pub(super) type Key = (ServiceSet, ServiceId, Option<Placement>, ServiceSet);

/// The key of what is observed.
pub(super) fn key(observation: &DecisionObservation) -> Key {
    let resident = ServiceSet::of(observation.residency.iter().map(|entry| entry.is_resident));
    // With one request a slot nothing is protected but the victims that are chosen.
    let chosen = ServiceSet::of(observation.residency.iter().map(|e| e.is_resident && e.is_protected));
    (resident, observation.service, observation.fixed_placement, chosen)
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) key: Key,
    pub(super) choices: Vec<Choice>,
}

/// A tiny world as a table.
#[derive(Clone, Debug)]
pub struct ExactMdp {
    scenario: Arc<Scenario>,
    pub(super) model: PhasedModel,
    /// The resident sets that can be reached from the empty one, which is the first.
    pub(super) sets: Vec<ServiceSet>,
    /// By set and service: the node where a request for it is decided; `None` for services that nobody ever asks for.
    pub(super) first: Vec<Vec<Option<usize>>>,
    /// What follows a node within its slot stands before it.
    pub(super) nodes: Vec<Node>,
    pub(super) node_of: BTreeMap<Key, usize>,
}

impl ExactMdp {
    /// Makes the table of a scenario by stepping its environment through every situation.
    ///
    /// # Errors
    /// [`NotTiny`]: the scenario is of another kind, or too large.
    pub fn new(scenario: &Arc<Scenario>) -> Result<Self, NotTiny> {
        let model = check(scenario)?.clone();
        let mut table = Self {
            scenario: Arc::clone(scenario),
            model,
            sets: Vec::new(),
            first: Vec::new(),
            nodes: Vec::new(),
            node_of: BTreeMap::new(),
        };
        let mut explorer = Explorer {
            env: DecisionEnv::new(Arc::clone(scenario)),
            set_of: BTreeMap::new(),
            open: VecDeque::new(),
        };
        explorer.env.reset(Seed::new(Purpose::Test, 0));
        explorer.arrive(&mut table);
        while let Some((set, snapshot)) = explorer.open.pop_front() {
            for service in (0..scenario.services.len()).map(ServiceId::from_index) {
                if !table.is_asked_for(service) {
                    continue;
                }
                explorer.env.restore(&snapshot)?;
                explorer.env.imagine(service, 0)?;
                let node = explorer.explore(&mut table)?;
                table.first[set][service.index()] = Some(node);
            }
        }
        Ok(table)
    }

    /// The world.
    pub fn scenario(&self) -> &Arc<Scenario> {
        &self.scenario
    }

    /// The resident sets that can be reached from an empty memory, which is the first.
    pub fn sets(&self) -> &[ServiceSet] {
        &self.sets
    }

    /// Situations that can be asked about: resident set, service, chosen victims and phase.
    pub fn num_states(&self) -> usize {
        self.nodes.len() * self.num_phases()
    }

    /// All situations; those of one node by phase.
    pub fn situations(&self) -> impl Iterator<Item = Situation<'_>> {
        self.nodes.iter().flat_map(|Node { key: (resident, service, _, chosen), choices }| {
            (0..self.num_phases()).map(move |phase| Situation {
                resident: *resident,
                service: *service,
                chosen: *chosen,
                phase,
                choices,
            })
        })
    }

    pub(super) fn num_phases(&self) -> usize {
        self.model.num_phases()
    }

    fn is_asked_for(&self, service: ServiceId) -> bool {
        (0..self.num_phases()).any(|phase| self.model.popularity(phase)[service.index()] > 0.0)
    }
}

/// The phases of a world of the right kind.
fn check(scenario: &Scenario) -> Result<&PhasedModel, NotTiny> {
    let refuse = |reason: String| Err(NotTiny::world(scenario, reason));
    let Some(model) = scenario.phases() else {
        return refuse("an exact optimum needs [workload.phased], one request a slot".to_owned());
    };
    let weight = scenario.prices.accuracy_weight;
    if weight > 0.0 {
        return refuse(format!(
            "an exact optimum needs cost.accuracy_weight = 0, it is {weight}: what context is worth is not part of its states"
        ));
    }
    if let Some(service) = scenario.services.iter().find(|service| service.window_tokens.is_finite()) {
        let (service, window_tokens) = (&service.name, service.window_tokens);
        return refuse(format!(
            "an exact optimum needs models without window_tokens, service {service} has {window_tokens}: how full a window \
             is, is not part of its states"
        ));
    }
    if scenario.has_kv {
        return refuse(
            "an exact optimum needs memory.kv = false: how much room contexts take, is not part of its states".to_owned(),
        );
    }
    if scenario.thought_cv > 0.0 {
        let cv = scenario.thought_cv;
        return refuse(format!(
            "an exact optimum needs thought.cv = 0, it is {cv}: how long a thought is, is not part of its states"
        ));
    }
    if scenario.services.len() > MAX_SERVICES {
        return refuse(format!("it has more than {MAX_SERVICES} services"));
    }
    Ok(model)
}

/// The environment, on its way through all situations.
struct Explorer {
    env: DecisionEnv,
    set_of: BTreeMap<ServiceSet, usize>,
    /// Sets whose requests have not been looked at yet, and how to come back to them.
    open: VecDeque<(usize, Snapshot)>,
}

impl Explorer {
    /// The number of the resident set of this moment, between two slots.
    fn arrive(&mut self, table: &mut ExactMdp) -> usize {
        let (resident, ..) = key(self.env.observation());
        *self.set_of.entry(resident).or_insert_with(|| {
            let number = table.sets.len();
            table.sets.push(resident);
            table.first.push(vec![None; table.scenario.services.len()]);
            self.open.push_back((number, self.env.snapshot()));
            number
        })
    }

    /// The number of the situation of this moment; tries every decision in it if it is new.
    fn explore(&mut self, table: &mut ExactMdp) -> Result<usize, NotTiny> {
        let key = key(self.env.observation());
        if let Some(&known) = table.node_of.get(&key) {
            return Ok(known);
        }
        let here = self.env.snapshot();
        let mut choices = Vec::new();
        for action in decisions(self.env.observation()) {
            self.env.restore(&here)?;
            let step = self.env.step(&action)?;
            let next = match step.slots_elapsed {
                0 if self.env.observation().service != key.1 => {
                    let reason = "a slot asks for more than one decision about more than one service";
                    return Err(NotTiny::world(&table.scenario, reason));
                }
                0 => Next::SameSlot(self.explore(table)?),
                1 => Next::NextSlot(self.arrive(table)),
                _ => return Err(NotTiny::world(&table.scenario, "a slot passed without a request")),
            };
            choices.push(Choice { action, cost: -step.reward, next });
        }
        if table.nodes.len() >= MAX_SITUATIONS {
            let reason = format!("it has more than {MAX_SITUATIONS} situations");
            return Err(NotTiny::world(&table.scenario, reason));
        }
        let number = table.nodes.len();
        table.nodes.push(Node { key, choices });
        table.node_of.insert(key, number);
        Ok(number)
    }
}

/// The legal actions, but for those that leave a victim to the age of thought.
fn decisions(observation: &DecisionObservation) -> Vec<ActionId> {
    let space = observation.space();
    let is_told = |action: &ActionId| match space.decode(*action) {
        Some(Decision::Serve { placement, victim: None }) => {
            !placement.needs_residency() || observation.missing_bytes == 0
        }
        decision => decision.is_some(),
    };
    let legal = (0..space.len()).filter(|&action| observation.legal[action]);
    legal.map(ActionId::from_index).filter(is_told).collect()
}
