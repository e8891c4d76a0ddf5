//! The requests of an episode: everything about it that no decision changes.

use crate::heuristics::elsewhere;
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::request::RequestFacts;
use thoughtcache_env::random::Seed;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;
use thoughtcache_env::workload::users::Visit;
use thoughtcache_env::world::Pending;

/// One batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    /// The slot in which it is decided.
    pub(super) slot: u64,
    /// The service that it asks for.
    pub(super) service: ServiceId,
    /// The users whose requests it brings; one of all users where they share a context.
    pub(super) visits: Vec<Visit>,
    /// The length of the thought of a request, as a multiple of its service's mean.
    pub(super) length: f64,
    /// In physical scenarios the numbers of its request that no decision changes; the others are as if the cell was empty.
    pub(super) facts: Option<RequestFacts>,
}

/// All batches of an episode.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trajectory {
    /// The slots of the episode.
    pub(super) slots: u32,
    /// By cell, in the order of decision.
    pub(super) cells: Vec<Vec<Asked>>,
}

impl Trajectory {
    /// The batches of the episode at these coordinates.
    ///
    /// # Panics
    /// When the environment refuses an action that its mask allows.
    pub(super) fn of(scenario: &Arc<Scenario>, seed: Seed) -> Self {
        let mut env = DecisionEnv::new(Arc::clone(scenario));
        env.reset(seed);
        let mut cells = vec![Vec::new(); scenario.num_cells as usize];
        // The slot, and its requests so far.
        let mut in_slot = (0, 0);
        loop {
            let world = env.world();
            // After an episode without a request its first decision is shown, which is not taken.
            if let (Pending::Batch(batch), false) = (world.pending(), world.is_over()) {
                if in_slot.0 != world.slot() {
                    in_slot = (world.slot(), 0);
                }
                cells[batch.cell.index()].push(Asked {
                    slot: world.slot(),
                    service: batch.service,
                    visits: world.visits().to_vec(),
                    length: world.thought_length(),
                    facts: world.requests().get(in_slot.1).copied(),
                });
                in_slot.1 += 1;
            }
            let action = elsewhere(env.observation());
            if env.step(&action).expect("a legal action").end.is_end() {
                return Self { slots: env.world().horizon_slots(), cells };
            }
        }
    }
}
