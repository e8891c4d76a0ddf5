//! Plays an episode, and looks at one slot of it from before and after every decision.

use super::placed::Met;
use super::station::AtWork;
use super::{Ahead, Entry, Holding, Memory, Obstacle, Story, Tokens, Told, Ways};
use anyhow::{Context, Result, ensure};
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

/// Plays an episode up to a slot, and that slot batch by batch.
///
/// # Errors
/// When the episode has no such slot, or the policy is refused.
pub(in super::super) fn tell(
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
        scenario.name(),
        horizon - 1
    );
    while !teller.is_over && teller.env.world().slot() < slot {
        teller.act()?;
    }
    let next_slot = Some(teller.env.world().slot()).filter(|&next| next != slot);
    teller.holding = Holding { slots: 0, cost: 0.0 };
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
    cost.holding += teller.holding.cost;
    let fade = scenario.services().iter().map(|service| service.fade_tokens);
    Ok(Story {
        slot,
        seed: run,
        policy: teller.policy.name().to_owned(),
        next_slot,
        memory,
        ahead,
        batches,
        cost: cost.into(),
        ways: teller.ways(),
        holding: Some(teller.holding).filter(|holding| holding.cost > 0.0),
        fade_tokens: [fade.clone().fold(f64::INFINITY, f64::min), fade.fold(0.0, f64::max)],
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
    fn ways(&self) -> Option<Ways> {
        let world = self.env.world();
        Some(Ways { handovers: world.handovers()?, clamped_links: world.clamped_links()? })
    }

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
            at_work: AtWork::look(self.env.world(), cell),
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
        let met = Met::look(&self.env);
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
        let world = self.env.world();
        let placed =
            met.and_then(|met| Some(Box::new(met.served(world, actions.first()?, edge_requests > 0)?)));
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
            placed,
            cost: info.cost.into(),
        };
        Ok((told, info.cost))
    }
}

pub(super) fn tokens(thought: Thought) -> Tokens {
    Tokens { context_tokens: thought.context_tokens, age_tokens: thought.age_tokens }
}

#[cfg(test)]
mod tests;
