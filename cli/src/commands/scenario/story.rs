//! One slot, batch by batch: what is asked, what is in memory, what is done, what it costs.

mod placed;
mod station;
mod teller;
mod words;

use placed::Placed;
use serde::Serialize;
use station::AtWork;
use thoughtcache_env::cost::CostBreakdown;

pub(super) use teller::tell;

/// A slot of a test episode.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    slot: u64,
    seed: u64,
    policy: String,
    /// The slot of the next request, where nobody asks for anything in this one: then memory is as it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_slot: Option<u64>,
    /// Per cell, before the first decision.
    memory: Vec<Memory>,
    /// What each cell loads ahead of its requests, where the scenario asks for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ahead: Vec<Ahead>,
    batches: Vec<Told>,
    cost: Cost,
    /// What users' ways have done in the episode so far, in physical scenarios.
    #[serde(skip_serializing_if = "Option::is_none")]
    ways: Option<Ways>,
    /// What keeping memory costs until the next request, where it costs anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    holding: Option<Holding>,
    /// What an entry's fresh context loses when the slot ends: the least and the greatest over the services, in tokens.
    fade_tokens: [f64; 2],
}

/// What the ways of users have done.
#[derive(Debug, Serialize)]
struct Ways {
    handovers: u64,
    /// Links beyond the distances that the path loss is valid for.
    clamped_links: u64,
}

/// What it costs to keep what is resident until the next request.
#[derive(Debug, Serialize)]
struct Holding {
    slots: u32,
    cost: f64,
}

/// The memory of one cell.
#[derive(Debug, Serialize)]
struct Memory {
    cell: u32,
    free_gb: f64,
    capacity_gb: f64,
    resident: Vec<Entry>,
    /// What the cell does beside keeping entries, in physical scenarios.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_work: Option<AtWork>,
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
    /// Who asks from where, the options, and the bill, in physical scenarios.
    #[serde(skip_serializing_if = "Option::is_none")]
    placed: Option<Box<Placed>>,
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
