//! *Rule.* `fifo` evicts the object that was loaded longest ago.
//!
//! *State.* A list of the resident objects in the order of their loads.
//!
//! *Cost per request.* O(1).
//!
//! *Reference.* Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::lists::Lists;

pub(super) const ENTRY: Entry = Entry {
    name: "fifo",
    description: "evicts the object that was loaded longest ago",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Fifo { queue: Lists::new(trace.num_objects()) }),
};

struct Fifo {
    queue: Lists<1>,
}

impl ObjectRule for Fifo {
    fn hit(&mut self, _: Access) {}

    fn evict(&mut self, _: Access) -> Option<u32> {
        self.queue.pop_back(0)
    }

    fn insert(&mut self, access: Access) {
        self.queue.push_front(0, access.object);
    }
}
