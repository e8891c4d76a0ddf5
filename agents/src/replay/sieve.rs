//! *Rule.* `sieve` evicts the first object without a mark that a hand finds on its way from the oldest load to the newest. The
//! hand takes away the marks that it passes, begins again at the oldest, and stays before the object that it evicted. A hit
//! sets a mark and moves nothing.
//!
//! *State.* A list of the resident objects in the order of their loads, a mark for each, and the hand.
//!
//! *Cost per request.* O(1) amortised: each step of the hand over a mark takes one away.
//!
//! *Reference.* Zhang et al., "SIEVE is simpler than LRU", NSDI 2024.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::lists::Lists;
use super::trace::ObjectTrace;

pub(super) const ENTRY: Entry = Entry {
    name: "sieve",
    description: "a hand evicts the first object that was not asked for since it last passed, and stays there",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Sieve::new(trace)),
};

struct Sieve {
    queue: Lists<1>,
    is_marked: Vec<bool>,
    /// The next object to look at; `None` is the oldest.
    hand: Option<u32>,
}

impl Sieve {
    fn new(trace: &ObjectTrace) -> Self {
        let num_objects = trace.num_objects();
        Self { queue: Lists::new(num_objects), is_marked: vec![false; num_objects], hand: None }
    }
}

impl ObjectRule for Sieve {
    fn hit(&mut self, access: Access) {
        self.is_marked[access.object as usize] = true;
    }

    fn evict(&mut self, _: Access) -> Option<u32> {
        loop {
            let object = self.hand.or_else(|| self.queue.back(0))?;
            self.hand = self.queue.before(object);
            if !std::mem::take(&mut self.is_marked[object as usize]) {
                self.queue.remove(object);
                return Some(object);
            }
        }
    }

    fn insert(&mut self, access: Access) {
        self.queue.push_front(0, access.object);
    }
}
