//! What happens in one episode, slot by slot.

use crate::picture;
use anyhow::{Context, Result};
use std::sync::Arc;
use thoughtcache_agents::evaluate::Contender;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{Counters, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::{CellId, ServiceId, bytes_to_gb};
use thoughtcache_env::world::{Pending, World};

/// See the [module](self).
pub(super) struct Episode {
    pub(super) scenario: Arc<Scenario>,
    pub(super) policy: String,
    pub(super) seed: u64,
    pub(super) cell: CellId,
    /// How often each service was asked for at the cell.
    pub(super) requests: Vec<u64>,
    pub(super) slots: Vec<Slot>,
    /// Requests of physical scenarios, in order.
    pub(super) answers: Vec<Answer>,
    pub(super) cost: CostBreakdown,
    pub(super) counters: Counters,
    /// The first decision of the second half of the slots, drawn; none where nobody asks then.
    pub(super) halfway: Option<String>,
}

/// A slot: its beginning at the cell, and what all cells decided in it.
#[derive(Clone, Default)]
pub(super) struct Slot {
    pub(super) cost: CostBreakdown,
    /// Requests by placement, in the order of [`Placement::ALL`].
    pub(super) placed: [u32; Placement::ALL.len()],
    pub(super) memory: Memory,
}

/// The memory of the cell when a slot begins.
#[derive(Clone, Default)]
pub(super) struct Memory {
    pub(super) weights_gb: f64,
    pub(super) contexts_gb: f64,
    /// Seconds that the GPUs have to work.
    pub(super) backlog_s: f64,
    /// By service.
    pub(super) entries: Vec<Entry>,
}

/// Where a service is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Entry {
    Absent,
    /// Its weights are on their way.
    Loading,
    /// With so many fresh tokens in all its contexts.
    Resident {
        age_tokens: f64,
    },
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) slot: u64,
    pub(super) latency_s: f64,
    pub(super) placement: Placement,
    pub(super) is_late: bool,
}

impl Memory {
    fn look(world: &World, cell: CellId) -> Self {
        let cache = &world.cell(cell).cache;
        let station = world.station(cell);
        let entries = (0..world.scenario().services.len()).map(ServiceId::from_index).map(|service| {
            if !cache.is_resident(service) {
                Entry::Absent
            } else if station.is_some_and(|station| station.loading.seconds_left(service) > 0.0) {
                Entry::Loading
            } else {
                Entry::Resident { age_tokens: cache.thoughts()[service.index()].age_tokens }
            }
        });
        let contexts: u64 = cache.context_bytes().iter().sum();
        Self {
            weights_gb: bytes_to_gb(cache.capacity_bytes() - cache.free_bytes() - contexts),
            contexts_gb: bytes_to_gb(contexts),
            backlog_s: world.backlog_s(cell),
            entries: entries.collect(),
        }
    }
}

impl Episode {
    pub(super) fn is_physical(&self) -> bool {
        self.scenario.physical().is_some()
    }

    /// Plays the first test episode of a run number.
    ///
    /// # Errors
    /// When an action of the policy is refused.
    pub(super) fn play(
        scenario: &Arc<Scenario>,
        contender: &Contender,
        run: u64,
        cell: CellId,
    ) -> Result<Self> {
        let seed = Seed::new(Purpose::Test, run);
        let (mut env, mut policy) = (DecisionEnv::new(Arc::clone(scenario)), contender.make());
        let mut rng = seed.stream(Stream::Policy);
        env.reset(seed);
        policy.begin_episode();
        let mut played = Self {
            scenario: Arc::clone(scenario),
            policy: contender.name.clone(),
            seed: run,
            cell,
            requests: vec![0; scenario.services.len()],
            slots: vec![Slot::default(); env.world().horizon_slots() as usize],
            answers: Vec::new(),
            cost: CostBreakdown::default(),
            counters: Counters::default(),
            halfway: None,
        };
        // Slots whose beginning has been looked at.
        let mut looked_at = 0;
        loop {
            let slot = env.world().slot();
            looked_at = played.remember(env.world(), looked_at, slot);
            if played.halfway.is_none() && slot >= played.slots.len() as u64 / 2 {
                played.halfway = Some(picture::draw(&env)?);
            }
            let batch = match env.world().pending() {
                Pending::Batch(batch) => Some(batch),
                Pending::Prefetch(_) => None,
            };
            let action = policy.act_in(&env, &mut rng);
            let decision = env.observation().space().decode(action);
            let step = env.step(&action).with_context(|| format!("{}, slot {slot}", contender.name))?;
            played.cost += step.info.cost;
            played.counters += step.info.counters;
            if let Some(batch) = batch.filter(|batch| batch.cell == cell) {
                played.requests[batch.service.index()] += step.info.counters.requests;
            }
            if let Some(at) = played.slots.get_mut(slot as usize) {
                at.cost += step.info.cost;
                if let Some(Decision::Serve { placement, .. }) = decision {
                    let served = step.info.counters.requests;
                    at.placed[placement.rank()] += served as u32;
                    if let (Some(bill), true) = (env.world().last_bill(), served > 0) {
                        let (latency_s, is_late) = (bill.latency_s, step.info.counters.late > 0);
                        played.answers.push(Answer { slot, latency_s, placement, is_late });
                    }
                }
            }
            if step.end.is_end() {
                break;
            }
        }
        let end = played.slots.len() as u64;
        played.remember(env.world(), looked_at, end);
        Ok(played)
    }

    /// The memory of all slots that have begun since the last look; nothing is loaded or evicted in slots without requests.
    fn remember(&mut self, world: &World, before: usize, slot: u64) -> usize {
        let now = (slot as usize + 1).min(self.slots.len());
        if now > before {
            let memory = Memory::look(world, self.cell);
            for earlier in &mut self.slots[before..now] {
                earlier.memory = memory.clone();
            }
        }
        now.max(before)
    }
}
