//! *Rule.* `lfu` evicts the object that was asked for least often since its load; among equals the one that was asked for
//! longest ago.
//!
//! *State.* Requests of each resident object since its load, which counts as the first. An eviction throws the count away.
//!
//! *Cost per request.* O(log residents).
//!
//! *Reference.* In-cache LFU, as in Breslau et al., "Web caching and Zipf-like distributions", INFOCOM 1999.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::ranking::Ranking;
use super::trace::ObjectTrace;

pub(super) const ENTRY: Entry = Entry {
    name: "lfu",
    description: "evicts the object that was asked for least often since its load",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Lfu::new(trace)),
};

struct Lfu {
    counts: Vec<u32>,
    /// Count and last request.
    order: Ranking<(u32, u32)>,
}

impl Lfu {
    fn new(trace: &ObjectTrace) -> Self {
        Self { counts: vec![0; trace.num_objects()], order: Ranking::new(trace.num_objects()) }
    }
}

impl ObjectRule for Lfu {
    fn hit(&mut self, access: Access) {
        let count = &mut self.counts[access.object as usize];
        *count += 1;
        self.order.set(access.object, (*count, access.at));
    }

    fn evict(&mut self, _: Access) -> Option<u32> {
        self.order.pop().map(|(_, victim)| victim)
    }

    fn insert(&mut self, access: Access) {
        self.counts[access.object as usize] = 1;
        self.order.set(access.object, (1, access.at));
    }
}
