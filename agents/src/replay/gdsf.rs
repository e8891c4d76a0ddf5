//! *Rule.* Greedy dual, size and frequency: `gdsf` evicts the object with the least key `L + count * cost / size`; `L` becomes
//! the key of what was evicted. Among equals the object that was asked for longest ago leaves.
//!
//! *State.* `L`, each resident object's key (set at its load and at each hit) and its requests since the load, which counts.
//!
//! *Cost per request.* O(log residents).
//!
//! *Reference.* Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy", HPL-98-69,
//! 1998. `cost` is the same for all objects, so the rule counts misses, not bytes.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::ranking::Ranking;
use super::trace::ObjectTrace;
use crate::heuristics::Inflation;

pub(super) const ENTRY: Entry = Entry {
    name: "gdsf",
    description: "evicts the least of inflation + count / size",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Gdsf::new(trace)),
};

/// What a miss costs. Any number above 0 means the same rule; this one rounds keys, and so breaks ties, as libCacheSim does.
const COST: f64 = 1e6;

struct Gdsf {
    inflation: Inflation,
    counts: Vec<u32>,
    /// Key and last request.
    order: Ranking<(f64, u32)>,
}

impl Gdsf {
    fn new(trace: &ObjectTrace) -> Self {
        let num_objects = trace.num_objects();
        Self {
            inflation: Inflation::default(),
            counts: vec![0; num_objects],
            order: Ranking::new(num_objects),
        }
    }

    fn rank(&mut self, access: Access) {
        let worth = f64::from(self.counts[access.object as usize]) * COST / f64::from(access.size);
        self.order.set(access.object, (self.inflation.key(worth), access.at));
    }
}

impl ObjectRule for Gdsf {
    fn hit(&mut self, access: Access) {
        self.counts[access.object as usize] += 1;
        self.rank(access);
    }

    fn evict(&mut self, _: Access) -> Option<u32> {
        let ((key, _), victim) = self.order.pop()?;
        self.inflation.raise(key);
        Some(victim)
    }

    fn insert(&mut self, access: Access) {
        self.counts[access.object as usize] = 1;
        self.rank(access);
    }
}
