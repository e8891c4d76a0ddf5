//! Counters of a played world: requests, hits, loads.

use serde::{Deserialize, Serialize};

/// Counts of one step, or of many when added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests decided.
    pub requests: u64,
    /// Requests served at the edge.
    pub edge_requests: u64,
    /// Requests served by an entry that was resident before their batch.
    pub hits: u64,
    /// Loads of weights; an entry that finds its weights in memory (`memory.shared_weights`) comes without one.
    pub loads: u64,
    /// Entries evicted to free memory (a refresh is not an eviction).
    pub evictions: u64,
    /// Entries that left, or contexts that were cleared, because a context window was exhausted.
    pub refreshes: u64,
    /// Bytes of weights loaded.
    pub loaded_bytes: u64,
    /// Answers that came after their deadline; physical scenarios only.
    pub late: u64,
}

impl Counters {
    /// The names of the counts, in the order of [`counts`](Self::counts).
    pub const NAMES: [&'static str; 8] =
        ["requests", "edge_requests", "hits", "loads", "evictions", "refreshes", "loaded_bytes", "late"];

    /// The counts, in the order of [`NAMES`](Self::NAMES).
    pub const fn counts(&self) -> [u64; 8] {
        let Self { requests, edge_requests, hits, loads, evictions, refreshes, loaded_bytes, late } = *self;
        [requests, edge_requests, hits, loads, evictions, refreshes, loaded_bytes, late]
    }
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.edge_requests += other.edge_requests;
        self.hits += other.hits;
        self.loads += other.loads;
        self.evictions += other.evictions;
        self.refreshes += other.refreshes;
        // A sum of sizes near the limit of a scenario stays at the top instead of starting again from 0.
        self.loaded_bytes = self.loaded_bytes.saturating_add(other.loaded_bytes);
        self.late += other.late;
    }
}
