//! One slot, batch by batch: what is asked, what is in memory, what is done, what it costs.

mod words;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::sync::Arc;
use thoughtcache_agents::policy::Policy;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{ActionId, Counters, Env, StepInfo};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::thought::{Refresh, Thought};
use thoughtcache_env::units::{CellId, ServiceId, bytes_to_gb};
use thoughtcache_env::workload::arrivals::Batch;
use thoughtcache_env::world::Pending;

/// A slot of a test episode.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    slot: u64,
    seed: u64,
    policy: String,
    /// Per cell, before the first decision.
    memory: Vec<Memory>,
    /// What each cell loads ahead of its requests, where the scenario asks for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ahead: Vec<Ahead>,
    batches: Vec<Told>,
    cost: Cost,
    /// What an entry's fresh context loses when the slot ends: the least and the greatest over the services, in tokens.
    fade_tokens: [f64; 2],
}

/// The memory of one cell.
#[derive(Debug, Serialize)]
struct Memory {
    cell: u32,
    free_gb: f64,
    capacity_gb: f64,
    resident: Vec<Entry>,
}

/// A resident entry.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    service: String,
    model: String,
    memory_gb: f64,
    /// What its context takes, where context takes room.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_gb: Option<f64>,
    #[serde(flatten)]
    context: Tokens,
}

/// `K` and `kappa`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Tokens {
    context_tokens: f64,
    age_tokens: f64,
}

/// Why the edge was out of the question; the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Obstacle {
    /// The scenario's placements leave the edge out.
    NotAllowed,
    /// The entry is larger than the whole memory of the cell.
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

/// What a cell did before its requests were decided.
#[derive(Debug, Serialize)]
struct Ahead {
    cell: u32,
    /// The actions by name; several when victims are chosen one by one.
    actions: Vec<String>,
    /// The entry that was loaded; absent when nothing was.
    loaded: Option<Entry>,
    evicted: Vec<Entry>,
    cost: Cost,
}

/// One batch and what became of it.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts of a step, told one by one")]
struct Told {
    cell: u32,
    service: String,
    model: String,
    memory_gb: f64,
    requests: u32,
    /// How many users ask, where each has a context of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<usize>,
    /// Its context, of all users together, when its entry was resident before.
    before: Option<Tokens>,
    free_gb: f64,
    /// What the edge needs beyond what is free, where a resident entry can need any: room for its context.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_gb: Option<f64>,
    /// The weights are in memory for another service's entry.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    finds_weights: bool,
    /// Why the mask ruled out the edge; absent when it did not.
    edge_obstacle: Option<Obstacle>,
    /// The actions by name; several when victims are chosen one by one.
    actions: Vec<String>,
    is_served_at_edge: bool,
    is_loaded: bool,
    evicted: Vec<Entry>,
    /// Its context with the thoughts of this batch; absent when it went to the cloud.
    after: Option<Tokens>,
    /// The window was exhausted and the entry dropped, or its context cleared.
    is_refreshed: bool,
    /// How many contexts were cleared, where exhaustion clears them.
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared: Option<u64>,
    cost: Cost,
}

/// Costs by component, those that are not 0.
#[derive(Debug, Serialize)]
struct Cost {
    total: f64,
    components: Vec<(&'static str, f64)>,
}

impl From<CostBreakdown> for Cost {
    fn from(cost: CostBreakdown) -> Self {
        let components =
            CostBreakdown::NAMES.into_iter().zip(cost.components()).filter(|(_, cost)| *cost != 0.0);
        Self { total: cost.total(), components: components.collect() }
    }
}

/// Plays an episode up to a slot, and that slot batch by batch.
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
    };
    teller.env.reset(seed);
    teller.policy.begin_episode();
    let horizon = u64::from(teller.env.world().horizon_slots());
    ensure!(
        slot < horizon,
        "--slot {slot}: an episode of {} has the slots 0 to {}",
        scenario.name(),
        horizon - 1
    );
    while !teller.is_over && teller.env.world().slot() < slot {
        teller.act()?;
    }
    let memory = (0..scenario.num_cells()).map(|cell| teller.memory(CellId(cell))).collect();
    let (mut ahead, mut batches, mut cost) = (Vec::new(), Vec::new(), CostBreakdown::default());
    while !teller.is_over && teller.env.world().slot() == slot {
        cost += match teller.env.world().pending() {
            Pending::Prefetch(cell) => {
                let (told, cost) = teller.decide_ahead(cell)?;
                ahead.push(told);
                cost
            }
            Pending::Batch(batch) => {
                let (told, cost) = teller.decide(batch)?;
                batches.push(told);
                cost
            }
        };
    }
    let fade = scenario.services().iter().map(|service| service.fade_tokens);
    Ok(Story {
        slot,
        seed: run,
        policy: teller.policy.name().to_owned(),
        memory,
        ahead,
        batches,
        cost: cost.into(),
        fade_tokens: [fade.clone().fold(f64::INFINITY, f64::min), fade.fold(0.0, f64::max)],
    })
}

struct Teller<'a> {
    env: DecisionEnv,
    rng: SimRng,
    policy: &'a mut dyn Policy<DecisionEnv>,
    is_over: bool,
}

impl Teller<'_> {
    fn scenario(&self) -> &Arc<Scenario> {
        self.env.world().scenario()
    }

    fn entry(&self, cell: CellId, id: ServiceId) -> Entry {
        let service = self.scenario().service(id);
        let cache = self.env.world().cell(cell).cache();
        Entry {
            service: service.name.clone(),
            model: self.scenario().model_name(service.model).to_owned(),
            memory_gb: bytes_to_gb(service.bytes),
            context_gb: self.scenario().has_kv().then(|| bytes_to_gb(cache.context_bytes()[id.index()])),
            context: tokens(cache.thoughts()[id.index()]),
        }
    }

    fn resident(&self, cell: CellId) -> Vec<ServiceId> {
        let ids = (0..self.scenario().services().len()).map(ServiceId::from_index);
        ids.filter(|&id| self.env.world().cell(cell).cache().is_resident(id)).collect()
    }

    fn memory(&self, cell: CellId) -> Memory {
        let cache = self.env.world().cell(cell).cache();
        Memory {
            cell: cell.0,
            free_gb: bytes_to_gb(cache.free_bytes()),
            capacity_gb: bytes_to_gb(cache.capacity_bytes()),
            resident: self.resident(cell).into_iter().map(|id| self.entry(cell, id)).collect(),
        }
    }

    /// Why the pending batch cannot be served at the edge; `None` when it can.
    fn edge_obstacle(&self, batch: Batch) -> Option<Obstacle> {
        if self.env.observation().place(Placement::Edge).is_some() {
            return None;
        }
        let scenario = self.scenario();
        let service = scenario.service(batch.service);
        let cell = self.env.world().cell(batch.cell);
        let flop = f64::from(batch.num_requests) * service.request_flop;
        let budget = scenario.compute_budget_flop().unwrap_or(f64::INFINITY);
        let needed_bytes = cell.cache().free_bytes().saturating_add(self.env.world().missing_bytes());
        Some(if !scenario.placements().contains(&Placement::Edge) {
            Obstacle::NotAllowed
        } else if needed_bytes > cell.cache().capacity_bytes() {
            Obstacle::LargerThanMemory
        } else if flop > budget {
            Obstacle::LargerThanCompute
        } else if cell.spent_flop() + flop > budget {
            Obstacle::ComputeSpent
        } else if cell.held().get(batch.service.index()) == Some(&true) {
            Obstacle::Held
        } else {
            Obstacle::TooLittleMayLeave
        })
    }

    /// One step of the policy: the action's number, and what happened.
    fn act(&mut self) -> Result<(ActionId, StepInfo)> {
        let action = self.policy.act(self.env.observation(), &mut self.rng);
        let step = self.env.step(&action).with_context(|| format!("policy {}", self.policy.name()))?;
        self.is_over = step.end.is_end();
        Ok((action, step.info))
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

    /// The resident entries of a cell with their contexts.
    fn entries(&self, cell: CellId) -> Vec<(ServiceId, Entry)> {
        self.resident(cell).into_iter().map(|id| (id, self.entry(cell, id))).collect()
    }

    /// Decides what the cell loads before its requests are decided.
    fn decide_ahead(&mut self, cell: CellId) -> Result<(Ahead, CostBreakdown)> {
        let before = self.entries(cell);
        let (actions, info) = self.finish()?;
        let now = self.resident(cell);
        let is_new = |id: &ServiceId| !before.iter().any(|(old, _)| old == id);
        let loaded = now.iter().copied().find(is_new).map(|id| self.entry(cell, id));
        let left = before.into_iter().filter(|(id, _)| !now.contains(id));
        let evicted = left.map(|(_, entry)| entry).collect();
        Ok((Ahead { cell: cell.0, actions, loaded, evicted, cost: info.cost.into() }, info.cost))
    }

    /// Decides the pending batch.
    fn decide(&mut self, batch: Batch) -> Result<(Told, CostBreakdown)> {
        let cell = batch.cell;
        let own = self.entry(cell, batch.service);
        let resident = self.entries(cell);
        let was_resident = resident.iter().any(|(id, _)| *id == batch.service);
        let world = self.env.world();
        let free_gb = bytes_to_gb(world.cell(cell).cache().free_bytes());
        let missing_bytes = world.missing_bytes();
        let missing_gb = (world.scenario().has_kv() && missing_bytes > 0).then(|| bytes_to_gb(missing_bytes));
        let finds_weights = !was_resident && world.cell(cell).cache().marginal_bytes(batch.service) == 0;
        let users = world.scenario().num_users().map(|_| world.visits().len());
        let edge_obstacle = self.edge_obstacle(batch);
        let (actions, info) = self.finish()?;
        let Counters { edge_requests, loads, refreshes, .. } = info.counters;
        let cache = self.env.world().cell(cell).cache();
        let evicted = resident
            .into_iter()
            .filter(|(id, _)| *id != batch.service && !cache.is_resident(*id))
            .map(|(_, entry)| entry)
            .collect();
        let before = was_resident.then_some(own.context);
        let after = (edge_requests > 0).then(|| {
            let delta_tokens =
                f64::from(batch.num_requests) * self.scenario().service(batch.service).request_tokens;
            let Tokens { context_tokens, age_tokens } = before.unwrap_or_else(|| tokens(Thought::default()));
            let zeta = self.scenario().consensus_factor();
            Tokens {
                context_tokens: context_tokens + delta_tokens,
                age_tokens: age_tokens + zeta * delta_tokens,
            }
        });
        let told = Told {
            cell: cell.0,
            service: own.service,
            model: own.model,
            memory_gb: own.memory_gb,
            requests: batch.num_requests,
            users,
            before,
            free_gb,
            missing_gb,
            finds_weights,
            edge_obstacle,
            actions,
            is_served_at_edge: edge_requests > 0,
            is_loaded: loads > 0,
            evicted,
            after,
            is_refreshed: refreshes > 0,
            cleared: (refreshes > 0 && self.scenario().refresh() == Refresh::Clear).then_some(refreshes),
            cost: info.cost.into(),
        };
        Ok((told, info.cost))
    }
}

fn tokens(thought: Thought) -> Tokens {
    Tokens { context_tokens: thought.context_tokens, age_tokens: thought.age_tokens }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario_file;
    use thoughtcache_env::gym::observation::DecisionObservation;
    use thoughtcache_env::scenario::text::Override;

    /// At the edge where that is possible, victims by least age of thought.
    struct Edge;

    impl Policy<DecisionEnv> for Edge {
        fn name(&self) -> &'static str {
            "edge"
        }

        fn act(&mut self, observation: &DecisionObservation, _: &mut SimRng) -> ActionId {
            let ahead = (0..20).rev().find_map(|index| observation.load(ServiceId(index)));
            let edge = || observation.place(Placement::Edge).or_else(|| observation.place(Placement::Cloud));
            ahead.or_else(edge).unwrap()
        }
    }

    #[test]
    fn what_is_loaded_ahead_is_told_before_the_batches() {
        let overrides = [Override { key: "decision.prefetch".into(), value: "true".into() }];
        let scenario = scenario_file::load("tight", &overrides).unwrap().scenario;
        let story = tell(&scenario, &mut Edge, 0, 30).unwrap();
        let [ahead] = story.ahead.as_slice() else { panic!("one cell: {:?}", story.ahead) };
        let loaded = ahead.loaded.as_ref().unwrap();
        assert!(!story.memory[0].resident.iter().any(|entry| entry.service == loaded.service));
        assert_eq!(ahead.actions[0], format!("load.{}", loaded.service.rsplit_once('-').unwrap().1));
        let freed_gb: f64 = ahead.evicted.iter().map(|entry| entry.memory_gb).sum();
        let left_gb = story.memory[0].free_gb + freed_gb - loaded.memory_gb;
        assert!((story.batches[0].free_gb - left_gb).abs() < 1e-6);
        let sum: f64 = story.batches.iter().map(|batch| batch.cost.total).sum();
        assert!((story.cost.total - sum - ahead.cost.total).abs() < 1e-12 && ahead.cost.total > 0.0);
        assert!(story.text().contains("Before its requests, the cell evicts "), "{}", story.text());
    }

    fn told(slot: u64) -> Story {
        tell(&Arc::new(Scenario::shipped("tight")), &mut Edge, 0, slot).unwrap()
    }

    #[test]
    fn the_costs_of_the_batches_add_up_to_the_cost_of_the_slot() {
        let story = told(30);
        let sum: f64 = story.batches.iter().map(|batch| batch.cost.total).sum();
        assert!((story.cost.total - sum).abs() < 1e-12 && sum > 0.0);
    }

    #[test]
    fn what_is_loaded_and_evicted_adds_up_from_slot_to_slot() {
        let (now, next) = (told(30), told(31));
        let mut free_gb = now.memory[0].free_gb;
        for batch in &now.batches {
            assert!((batch.free_gb - free_gb).abs() < 1e-6, "{batch:?}");
            free_gb += batch.evicted.iter().map(|entry| entry.memory_gb).sum::<f64>();
            free_gb -= if batch.is_loaded { batch.memory_gb } else { 0.0 };
            free_gb += if batch.is_refreshed { batch.memory_gb } else { 0.0 };
        }
        assert!((next.memory[0].free_gb - free_gb).abs() < 1e-6);
    }

    #[test]
    fn what_a_batch_leaves_behind_is_there_one_fading_later() {
        let (now, next) = (told(30), told(31));
        for entry in &next.memory[0].resident {
            let Some(batch) = now.batches.iter().find(|batch| batch.service == entry.service) else {
                continue;
            };
            let after = batch.after.unwrap();
            assert_eq!(entry.context.context_tokens, after.context_tokens);
            assert_eq!(entry.context.age_tokens, (after.age_tokens - 120.0).max(0.0));
        }
    }

    /// The batches of a slot of `tight` with these values changed, of each that was refused the edge the reason.
    fn obstacles(changes: &[(&str, &str)]) -> (Vec<Told>, Vec<Obstacle>, String) {
        let changes: Vec<Override> =
            changes.iter().map(|&(key, value)| Override { key: key.into(), value: value.into() }).collect();
        let scenario = scenario_file::load("tight", &changes).unwrap().scenario;
        let story = tell(&scenario, &mut Edge, 0, 30).unwrap();
        let text = story.text();
        let obstacles = story.batches.iter().filter_map(|batch| batch.edge_obstacle).collect();
        (story.batches, obstacles, text)
    }

    #[test]
    fn an_edge_that_the_scenario_leaves_out_is_given_as_the_reason() {
        let (batches, obstacles, text) = obstacles(&[("decision.placements", "[\"cloud\"]")]);
        assert_eq!(obstacles, vec![Obstacle::NotAllowed; batches.len()]);
        assert!(text.contains("The scenario does not allow the edge: to the cloud."), "{text}");
        assert!(!text.contains("may leave"), "{text}");
    }

    #[test]
    fn a_model_larger_than_the_memory_is_told_from_one_that_finds_no_room() {
        // 200 GB hold one entry of 130 GB and none of 348 GB.
        let (batches, _, text) = obstacles(&[("cell.memory_gb", "200")]);
        let mut seen = (0, 0);
        for batch in &batches {
            match batch.edge_obstacle {
                Some(Obstacle::LargerThanMemory) => {
                    assert_eq!(batch.memory_gb, 348.0);
                    seen.0 += 1;
                }
                Some(obstacle) => {
                    assert_eq!((obstacle, batch.memory_gb), (Obstacle::TooLittleMayLeave, 130.0));
                    seen.1 += 1;
                }
                None => assert_eq!(batch.memory_gb, 130.0),
            }
        }
        assert!(seen.0 > 0 && seen.1 > 0, "{seen:?}");
        assert!(text.contains("It is larger than the memory: to the cloud."), "{text}");
    }

    #[test]
    fn compute_that_never_suffices_is_told_from_compute_that_is_spent() {
        // 2 x 100e9 x 200 = 40 TFLOP a request, 100 TFLOP a slot: two requests fit, and a third does not.
        let (batches, _, text) = obstacles(&[
            ("cell.memory_gb", "9600"),
            ("cell.compute_budget_tflop_per_slot", "100"),
            ("models.0.active_parameters_b", "100"),
            ("models.1.active_parameters_b", "100"),
        ]);
        let mut served = 0;
        for batch in &batches {
            let expected = match batch.requests {
                3.. => Some(Obstacle::LargerThanCompute),
                requests if served + requests > 2 => Some(Obstacle::ComputeSpent),
                _ => None,
            };
            assert_eq!(batch.edge_obstacle, expected, "{batch:?}");
            served += if expected.is_none() { batch.requests } else { 0 };
        }
        assert_eq!(served, 2);
        assert!(text.contains("It takes more compute than a slot has: to the cloud."), "{text}");
        assert!(text.contains("Too little of the slot's compute is left: to the cloud."), "{text}");
    }

    #[test]
    fn shared_weights_context_that_takes_room_and_users_are_told() {
        let (batches, _, text) = obstacles(&[
            ("memory.shared_weights", "true"),
            ("memory.kv", "true"),
            ("models.0.kv_bytes_per_token", "2e6"),
            ("models.1.kv_bytes_per_token", "4e6"),
            ("context.scope", "\"user\""),
            ("context.users", "3"),
        ]);
        // Both models are in memory after 30 slots: what is absent finds its weights there.
        assert!(batches.iter().all(|batch| batch.before.is_some() != batch.finds_weights));
        assert!(batches.iter().all(|batch| batch.users.is_some_and(|users| (1..=3).contains(&users))));
        assert!(text.contains("it is not in memory, but its weights are."), "{text}");
        assert!(text.contains(" that are there, serve at the edge; it now has K = "), "{text}");
        assert!(text.contains("is asked once by one user; it is "), "{text}");
        assert!(text.contains(" GB  "), "{text}");
    }

    #[test]
    fn a_slot_beyond_the_horizon_is_refused() {
        let error = tell(&Arc::new(Scenario::shipped("tight")), &mut Edge, 0, 200).unwrap_err().to_string();
        assert_eq!(error, "--slot 200: an episode of tight has the slots 0 to 199");
    }
}
