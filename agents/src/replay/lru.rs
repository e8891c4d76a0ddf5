//! *Rule.* `lru` evicts the object that was asked for longest ago.
//!
//! *State.* A list of the resident objects in the order of their last requests.
//!
//! *Cost per request.* O(1).
//!
//! *Reference.* Mattson et al., "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::lists::Lists;

pub(super) const ENTRY: Entry = Entry {
    name: "lru",
    description: "evicts the object that was asked for longest ago",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Lru { stack: Lists::new(trace.num_objects()) }),
};

struct Lru {
    stack: Lists<1>,
}

impl ObjectRule for Lru {
    fn hit(&mut self, access: Access) {
        self.stack.remove(access.object);
        self.stack.push_front(0, access.object);
    }

    fn evict(&mut self, _: Access) -> Option<u32> {
        self.stack.pop_back(0)
    }

    fn insert(&mut self, access: Access) {
        self.stack.push_front(0, access.object);
    }
}
