//! *Rule.* `min` knows the future: it evicts the object whose next request is farthest away, and loads every object that fits.
//! `min-bypass` evicts the same, but serves a newcomer elsewhere when its own next request is the farthest.
//!
//! With objects of one size no rule that must load has fewer misses than `min`, and none at all fewer than `min-bypass`
//! (`optimum`). With several sizes both are heuristics: a rule that looks at sizes can beat them.
//!
//! *State.* The next request of each resident object.
//!
//! *Cost per request.* O(log residents).
//!
//! *Reference.* Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::ranking::Ranking;
use super::trace::{NEVER, ObjectTrace};

pub(super) const ENTRY: Entry = Entry {
    name: "min",
    description: "evicts the object that is asked for again last; loads whatever fits",
    kind: Kind::Offline,
    replay: |trace, capacity| replay(trace, capacity, Min::new(trace, false)),
};

pub(super) const BYPASS: Entry = Entry {
    name: "min-bypass",
    description: "min that serves a newcomer elsewhere when it is itself asked for again last",
    kind: Kind::Offline,
    replay: |trace, capacity| replay(trace, capacity, Min::new(trace, true)),
};

struct Min {
    next: Vec<u32>,
    may_bypass: bool,
    /// Requests from the next one to the end of time: the farthest is least.
    order: Ranking<u32>,
}

impl Min {
    fn new(trace: &ObjectTrace, may_bypass: bool) -> Self {
        Self { next: trace.next_requests(), may_bypass, order: Ranking::new(trace.num_objects()) }
    }

    fn key(&self, access: Access) -> u32 {
        NEVER - self.next[access.at as usize]
    }
}

impl ObjectRule for Min {
    fn hit(&mut self, access: Access) {
        self.order.set(access.object, self.key(access));
    }

    fn evict(&mut self, newcomer: Access) -> Option<u32> {
        let (farthest, _) = self.order.first()?;
        if self.may_bypass && self.key(newcomer) <= farthest {
            return None;
        }
        self.order.pop().map(|(_, victim)| victim)
    }

    fn insert(&mut self, access: Access) {
        self.order.set(access.object, self.key(access));
    }
}
