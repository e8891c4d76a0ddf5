//! One slot of a test episode, decision by decision: what is asked, what is in memory, what is done, what it costs.

use crate::sheet::joined;
use anyhow::{Context, Result, ensure};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use thoughtcache_agents::policy::Policy;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{ActionId, Counters, Env, StepInfo};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::Stage;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::thought::{Refresh, Thought};
use thoughtcache_env::units::{CellId, Decibel, ModelId, ServiceId, bytes_to_gb};
use thoughtcache_env::workload::arrivals::Batch;
use thoughtcache_env::world::{Pending, World};

/// A slot of a test episode.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    slot: u64,
    seed: u64,
    policy: String,
    /// The slot of the next request where this one has none; memory is shown as it is then.
    next_slot: Option<u64>,
    /// By cell, before the first decision.
    memory: Vec<Value>,
    /// The entries of all cells, before the first decision.
    resident: Vec<Entry>,
    /// What each cell loads before its requests are decided, where the scenario asks for it.
    ahead: Vec<Ahead>,
    /// Batches of requests in the order in which they are decided.
    batches: Vec<Told>,
    cost: Cost,
    /// What keeping the memory costs until the next request; absent where it is free.
    holding: Option<Holding>,
    /// What an entry's fresh context loses when the slot ends: the least and the greatest over the services.
    fade_tokens: [f64; 2],
    /// Handovers in the episode so far, in physical scenarios.
    handovers: Option<u64>,
    /// The same for each kilometre that users have walked, and the share that goes back to a cell left at most 5 s before.
    handovers_per_km: Option<f64>,
    handovers_back_share: Option<f64>,
    /// Links in the episode so far that were longer or shorter than the path loss is valid for.
    clamped_links: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Holding {
    slots: u32,
    cost: f64,
}

/// A resident entry.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    cell: u32,
    service: String,
    model: String,
    memory_gb: f64,
    /// Bytes of its context, where context takes room.
    context_memory_gb: Option<f64>,
    #[serde(flatten)]
    context: Thought,
}

/// Why the edge was out of the question; the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Obstacle {
    /// The scenario's placements leave the edge out.
    NotAllowed,
    /// The entry is larger than the memory of the cell.
    LargerThanMemory,
    /// The batch needs more compute than the cell may spend in a slot.
    LargerThanCompute,
    /// Earlier batches of the slot left too little of its compute.
    ComputeSpent,
    /// An earlier request of the service went elsewhere in this slot, and the scenario makes a refusal last.
    Held,
    /// Too much of the memory has served in this slot, and stays until it ends.
    TooLittleMayLeave,
}

/// The loads of a cell before its requests were decided.
#[derive(Debug, Serialize)]
struct Ahead {
    cell: u32,
    actions: Vec<String>,
    /// The service whose entry was loaded.
    loaded: Option<String>,
    evicted: Vec<String>,
    cost: Cost,
}

/// A batch of requests, and what became of it.
#[derive(Debug, Serialize)]
struct Told {
    cell: u32,
    service: String,
    model: String,
    requests: u32,
    /// How many users ask, where each has a context of its own.
    users: Option<usize>,
    memory_gb: f64,
    free_gb: f64,
    /// What has to leave for the context of an entry that is resident.
    missing_gb: Option<f64>,
    /// Whether the weights are in memory for another service's entry.
    finds_weights: bool,
    /// The context of all users together, where the entry was resident.
    before: Option<Thought>,
    /// Why the batch could not be served at the edge.
    edge_obstacle: Option<Obstacle>,
    /// By name; several where victims are chosen one by one.
    actions: Vec<String>,
    is_loaded: bool,
    /// Services whose entries left.
    evicted: Vec<String>,
    /// The context with the thoughts of this batch; absent where it was not served at the edge.
    after: Option<Thought>,
    /// Whether the window was exhausted: the entry left, or contexts were cleared.
    is_refreshed: bool,
    /// How many contexts were cleared.
    cleared: Option<u64>,
    #[serde(flatten)]
    met: Option<Value>,
    #[serde(flatten)]
    served: Option<Value>,
    cost: Cost,
}

/// A cost: the total, and the components that are not 0.
#[derive(Clone, Copy, Debug)]
struct Cost(CostBreakdown);

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let components = CostBreakdown::NAMES.into_iter().zip(self.0.components());
        let paid = components.filter(|(_, cost)| *cost != 0.0);
        serializer.collect_map(std::iter::once(("total", self.0.total())).chain(paid))
    }
}

/// Plays an episode up to a slot, and that slot decision by decision.
///
/// # Errors
/// When the episode has no such slot, or the policy is refused.
pub(super) fn tell(
    scenario: &Arc<Scenario>,
    policy: &mut dyn Policy<DecisionEnv>,
    run: u64,
    slot: u64,
) -> Result<Story> {
    let seed = Seed::new(Purpose::Test, run);
    let mut teller = Teller {
        env: DecisionEnv::new(Arc::clone(scenario)),
        rng: seed.stream(Stream::Policy),
        policy,
        is_over: false,
        holding: Holding { slots: 0, cost: 0.0 },
    };
    teller.env.reset(seed);
    teller.policy.begin_episode();
    let horizon = u64::from(teller.env.world().horizon_slots());
    ensure!(
        slot < horizon,
        "--slot {slot}: an episode of {} has the slots 0 to {}",
        scenario.name,
        horizon - 1
    );
    while !teller.is_over && teller.env.world().slot() < slot {
        teller.act()?;
    }
    let next_slot = Some(teller.env.world().slot()).filter(|&next| next != slot);
    teller.holding = Holding { slots: 0, cost: 0.0 };
    let cells = || (0..scenario.num_cells).map(CellId);
    let memory = cells().map(|cell| memory(teller.env.world(), cell)).collect();
    let resident = cells().flat_map(|cell| teller.entries(cell)).map(|(_, entry)| entry).collect();
    let (mut ahead, mut batches, mut cost) = (Vec::new(), Vec::new(), CostBreakdown::default());
    while !teller.is_over && teller.env.world().slot() == slot {
        match teller.env.world().pending() {
            Pending::Prefetch(cell) => {
                ahead.push(teller.decide_ahead(cell)?);
                cost += ahead.last().map(|told: &Ahead| told.cost.0).unwrap_or_default();
            }
            Pending::Batch(batch) => {
                batches.push(teller.decide(batch)?);
                cost += batches.last().map(|told: &Told| told.cost.0).unwrap_or_default();
            }
        }
    }
    cost.holding += teller.holding.cost;
    let fade = scenario.services.iter().map(|service| service.fade_tokens);
    Ok(Story {
        slot,
        seed: run,
        policy: teller.policy.name().to_owned(),
        next_slot,
        memory,
        resident,
        ahead,
        batches,
        cost: Cost(cost),
        handovers: teller.env.world().handovers(),
        handovers_per_km: teller.env.world().handover_rates().map(|[per_km, _]| per_km),
        handovers_back_share: teller.env.world().handover_rates().map(|[_, back]| back),
        clamped_links: teller.env.world().clamped_links(),
        holding: Some(teller.holding).filter(|holding| holding.cost > 0.0),
        fade_tokens: [fade.clone().fold(f64::INFINITY, f64::min), fade.fold(0.0, f64::max)],
    })
}

/// The memory of a cell, and in physical scenarios its work and the weights nearby.
fn memory(world: &World, cell: CellId) -> Value {
    let (scenario, cache) = (world.scenario(), &world.cell(cell).cache);
    let loading = world.station(cell).map(|station| &station.loading);
    let on = |tier: Tier| -> Vec<&str> {
        let models: BTreeSet<ModelId> = scenario.services.iter().map(|service| service.model).collect();
        let here = models.into_iter().filter(|&id| loading.is_some_and(|loading| loading.tier(id) == tier));
        here.map(|model| scenario.model_name(model)).collect()
    };
    let services = scenario.services.iter().enumerate();
    let flying = services.filter(|(index, _)| {
        loading.is_some_and(|loading| loading.seconds_left(ServiceId::from_index(*index)) > 0.0)
    });
    json!({
        "cell": cell.0,
        "capacity_gb": bytes_to_gb(cache.capacity_bytes()),
        "free_gb": bytes_to_gb(cache.free_bytes()),
        // Until the GPUs have done their work.
        "backlog_s": loading.map(|_| world.backlog_s(cell)),
        // Services whose weights are on their way, and models whose weights are in host memory or on NVMe only.
        "loading": flying.map(|(_, service)| &service.name).collect::<Vec<_>>(),
        "host": on(Tier::Host),
        "nvme": on(Tier::Nvme),
    })
}

struct Teller<'a> {
    env: DecisionEnv,
    rng: SimRng,
    policy: &'a mut dyn Policy<DecisionEnv>,
    is_over: bool,
    /// What slots that ended have cost whatever was decided.
    holding: Holding,
}

impl Teller<'_> {
    fn scenario(&self) -> &Arc<Scenario> {
        self.env.world().scenario()
    }

    /// The resident entries of a cell with their contexts.
    fn entries(&self, cell: CellId) -> Vec<(ServiceId, Entry)> {
        let cache = &self.env.world().cell(cell).cache;
        let ids = (0..self.scenario().services.len()).map(ServiceId::from_index);
        let entry = |id: ServiceId| {
            let service = self.scenario().service(id);
            Entry {
                cell: cell.0,
                service: service.name.clone(),
                model: self.scenario().model_name(service.model).to_owned(),
                memory_gb: bytes_to_gb(service.bytes),
                context_memory_gb: self
                    .scenario()
                    .has_kv
                    .then(|| bytes_to_gb(cache.context_bytes()[id.index()])),
                context: cache.thoughts()[id.index()],
            }
        };
        ids.filter(|&id| cache.is_resident(id)).map(|id| (id, entry(id))).collect()
    }

    /// The services that were resident and are no more.
    fn left(&self, cell: CellId, before: &[(ServiceId, Entry)]) -> Vec<String> {
        let cache = &self.env.world().cell(cell).cache;
        let left = before.iter().filter(|(id, _)| !cache.is_resident(*id));
        left.map(|(_, entry)| entry.service.clone()).collect()
    }

    /// Why the pending batch cannot be served at the edge; `None` when it can.
    fn edge_obstacle(&self, batch: Batch) -> Option<Obstacle> {
        if self.env.observation().place(Placement::Edge).is_some() {
            return None;
        }
        let scenario = self.scenario();
        let cell = self.env.world().cell(batch.cell);
        let flop = self.env.world().pending_flop();
        let budget = scenario.compute_budget_flop.unwrap_or(f64::INFINITY);
        let needed_bytes = cell.cache.free_bytes().saturating_add(self.env.world().missing_bytes());
        Some(if !scenario.placements.contains(&Placement::Edge) {
            Obstacle::NotAllowed
        } else if needed_bytes > cell.cache.capacity_bytes() {
            Obstacle::LargerThanMemory
        } else if flop > budget {
            Obstacle::LargerThanCompute
        } else if cell.spent_flop + flop > budget {
            Obstacle::ComputeSpent
        } else if cell.held.get(batch.service.index()) == Some(&true) {
            Obstacle::Held
        } else {
            Obstacle::TooLittleMayLeave
        })
    }

    /// Takes one step of the policy: the action's number, and what happened.
    fn act(&mut self) -> Result<(ActionId, StepInfo)> {
        let action = self.policy.act_in(&self.env, &mut self.rng);
        let step = self.env.step(&action).with_context(|| format!("policy {}", self.policy.name()))?;
        self.is_over = step.end.is_end();
        self.holding.slots += step.slots_elapsed;
        self.holding.cost += step.info.cost.holding;
        let cost = CostBreakdown { holding: 0.0, ..step.info.cost };
        Ok((action, StepInfo { cost, ..step.info }))
    }

    /// Takes the pending decision, however many steps it takes: the names of the actions, and what happened.
    fn finish(&mut self) -> Result<(Vec<String>, StepInfo)> {
        let mut actions = Vec::new();
        loop {
            let (action, info) = self.act()?;
            actions.push(self.env.spec().actions[action.index()].clone());
            if self.is_over || self.env.observation().fixed_placement.is_none() {
                return Ok((actions, info));
            }
        }
    }

    /// Decides what the cell loads before its requests are decided.
    fn decide_ahead(&mut self, cell: CellId) -> Result<Ahead> {
        let before = self.entries(cell);
        let (actions, info) = self.finish()?;
        let now = self.entries(cell);
        let loaded = now.iter().find(|(id, _)| !before.iter().any(|(old, _)| old == id));
        Ok(Ahead {
            cell: cell.0,
            actions,
            loaded: loaded.map(|(_, entry)| entry.service.clone()),
            evicted: self.left(cell, &before),
            cost: Cost(info.cost),
        })
    }

    /// Decides the pending batch.
    fn decide(&mut self, batch: Batch) -> Result<Told> {
        let cell = batch.cell;
        let mut resident = self.entries(cell);
        let own = resident.iter().position(|(id, _)| *id == batch.service);
        let before = own.map(|at| resident.remove(at).1.context);
        let world = self.env.world();
        let free_gb = bytes_to_gb(world.cell(cell).cache.free_bytes());
        let missing_bytes = world.missing_bytes();
        let missing_gb = (world.scenario().has_kv && missing_bytes > 0).then(|| bytes_to_gb(missing_bytes));
        let finds_weights = before.is_none() && world.cell(cell).cache.marginal_bytes(batch.service) == 0;
        let users = world.scenario().num_users.map(|_| world.visits().len());
        let edge_obstacle = self.edge_obstacle(batch);
        let met = met(&self.env);
        let length = world.thought_length();
        let (actions, info) = self.finish()?;
        let Counters { edge_requests, loads, refreshes, .. } = info.counters;
        let scenario = self.scenario();
        let service = scenario.service(batch.service);
        let after = (edge_requests > 0).then(|| {
            let new_tokens = f64::from(batch.num_requests) * length * service.request_tokens;
            let Thought { context_tokens, age_tokens } = before.unwrap_or_default();
            Thought {
                context_tokens: context_tokens + new_tokens,
                age_tokens: age_tokens + scenario.consensus_factor * new_tokens,
            }
        });
        Ok(Told {
            cell: cell.0,
            service: service.name.clone(),
            model: scenario.model_name(service.model).to_owned(),
            requests: batch.num_requests,
            users,
            memory_gb: bytes_to_gb(service.bytes),
            free_gb,
            missing_gb,
            finds_weights,
            before,
            edge_obstacle,
            is_loaded: loads > 0,
            evicted: self.left(cell, &resident),
            after,
            is_refreshed: refreshes > 0,
            cleared: (refreshes > 0 && scenario.refresh == Refresh::Clear).then_some(refreshes),
            served: served(self.env.world(), actions.first(), batch.service),
            met,
            actions,
            cost: Cost(info.cost),
        })
    }
}

/// The pending request of a physical scenario before it is decided: who asks from where, and the options.
fn met(env: &DecisionEnv) -> Option<Value> {
    let (world, observation) = (env.world(), env.observation());
    let (request, physical) = (world.facts()?, world.scenario().physical()?);
    let demands = physical.demands(request.service);
    let place = world.position(request.user)?;
    let legal = world.scenario().placements.iter().filter(|&&placement| world.can_serve(placement));
    let option = |&placement: &Placement| {
        let (bill, cost) = observation.estimate(placement)?;
        Some(json!({
            "placement": placement,
            "latency_s": bill.latency_s,
            "first_token_s": bill.first_token_s,
            "quality": bill.quality,
            "joules": bill.joules,
            "money": bill.money,
            "is_late": physical.is_late(&bill, request.service),
            "cost": Cost(cost),
        }))
    };
    Some(json!({
        "device": physical.classes[request.class as usize].name,
        "request": request,
        "place": {
            "east_m": place.x_m.round(),
            "north_m": place.y_m.round(),
            // From the foot of the base station.
            "distance_m": place.distance_m(*physical.cells.get(observation.cell.index())?).round(),
        },
        "radio": radio(world),
        "modality": demands.modality.name(),
        "sensor_bits": demands.sensor_bits,
        "deadline_s": demands.deadline_s,
        "expected_output_tokens": observation.request?.output_tokens,
        "weights_are_in": observation.station.tiers.get(request.service.index())?,
        // How much the user's twin, at its age, improves the answer: a factor of its quality.
        "twin_factor": physical.twin.grounding(request.twin_age_slots),
        // The legal placements, with the expected length of the answer.
        "options": legal.filter_map(option).collect::<Vec<_>>(),
    }))
}

/// What the link's rates of the pending request are made of; `None` where they are recorded.
fn radio(world: &World) -> Option<Value> {
    let (connection, radio) = (world.connection()?, &world.scenario().physical()?.radio);
    if radio.recorded_rates.is_some() {
        return None;
    }
    let db = |ratio: f64| Decibel::from_linear(ratio).0;
    let (gain, share) = (connection.gain, connection.straight_share);
    Some(json!({
        // Path loss, shadow, passers-by, air and antennas.
        "gain_db": db(gain),
        // Signal over noise and interference, averaged over fading.
        "downlink_sinr_db": db(radio.link.downlink_sinr(gain, connection.gain_of_others)),
        "uplink_sinr_db": db(radio.link.uplink_sinr(gain)),
        // Power of the direct path over scattered power; absent without a line of sight.
        "rician_k_db": connection.is_los.then(|| db(share / (1.0 - share))),
    }))
}

/// The bill of a request of a physical scenario; `action` is the name of what was chosen first.
fn served(world: &World, action: Option<&String>, service: ServiceId) -> Option<Value> {
    let (bill, physical) = (world.last_bill()?, world.scenario().physical()?);
    let name = action?.split(' ').next()?;
    let lines = Stage::ALL.into_iter().map(|stage| (stage, bill.line(stage)));
    let paid = lines.filter(|(_, line)| line.seconds != 0.0 || line.money != 0.0);
    let stages = paid.map(|(stage, line)| joined(json!({ "stage": stage.name() }), json!(line)));
    let served = json!({
        "placement": Placement::ALL.into_iter().find(|placement| placement.name() == name)?,
        "stages": stages.collect::<Vec<_>>(),
    });
    let is_late = json!({ "is_late": physical.is_late(&bill, service) });
    Some(joined(joined(served, json!(bill)), is_late))
}

#[cfg(test)]
mod tests;
