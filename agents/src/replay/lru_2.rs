//! *Rule.* `lru-2` evicts the object whose last request but one is longest ago. Objects that were asked for once since their
//! load come first, the one that was loaded longest ago before the others.
//!
//! *State.* The last two requests of each resident object. An eviction throws them away: the paper's retained information
//! period is 0.
//!
//! *Cost per request.* O(log residents).
//!
//! *Reference.* O'Neil, O'Neil, Weikum, "The LRU-K page replacement algorithm for database disk buffering", SIGMOD 1993.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::ranking::Ranking;
use super::trace::ObjectTrace;

pub(super) const ENTRY: Entry = Entry {
    name: "lru-2",
    description: "evicts the object whose last request but one is longest ago; first those asked for once since their load",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Lru2::new(trace)),
};

struct Lru2 {
    last: Vec<u32>,
    /// Last request but one, counted from 1 (0 where there is none), then the load.
    order: Ranking<(u32, u32)>,
}

impl Lru2 {
    fn new(trace: &ObjectTrace) -> Self {
        Self { last: vec![0; trace.num_objects()], order: Ranking::new(trace.num_objects()) }
    }
}

impl ObjectRule for Lru2 {
    fn hit(&mut self, access: Access) {
        let before = std::mem::replace(&mut self.last[access.object as usize], access.at);
        self.order.set(access.object, (before + 1, 0));
    }

    fn evict(&mut self, _: Access) -> Option<u32> {
        self.order.pop().map(|(_, victim)| victim)
    }

    fn insert(&mut self, access: Access) {
        self.last[access.object as usize] = access.at;
        self.order.set(access.object, (0, access.at));
    }
}
