//! *Rule.* `hyperbolic` evicts the object with the least `count / (size * age)`: requests since its load, which counts, for
//! each byte and each request that came since. Among equals the object that was asked for longest ago leaves.
//!
//! *State.* Count and load of each resident object, grouped by `count / size`: within a group the oldest load is least.
//!
//! *Cost per request.* O(log residents) for a hit; an eviction looks at the oldest object of each group, of which there are nearly as
//! many as objects where all sizes differ.
//!
//! *Reference.* Blankstein, Sen, Freedman, "Hyperbolic caching", USENIX ATC 2017. The paper and libCacheSim look at a sample
//! of 64 objects, and libCacheSim leaves the size out; here all objects are looked at.

use super::cache::{Access, Entry, Kind, ObjectRule, replay};
use super::trace::ObjectTrace;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    name: "hyperbolic",
    description: "evicts the least of count / (size * age)",
    kind: Kind::Online,
    replay: |trace, capacity| replay(trace, capacity, Hyperbolic::new(trace)),
};

/// What is known of a resident object.
#[derive(Clone, Copy, Default)]
struct Known {
    count: u32,
    size: u32,
    loaded_at: u32,
    last: u32,
}

impl Known {
    fn worth(self) -> f64 {
        f64::from(self.count) / f64::from(self.size)
    }
}

struct Hyperbolic {
    known: Vec<Known>,
    /// Load and object, by the bits of `count / size`, which are in the order of the positive numbers.
    groups: BTreeMap<u64, BTreeSet<(u32, u32)>>,
}

impl Hyperbolic {
    fn new(trace: &ObjectTrace) -> Self {
        Self { known: vec![Known::default(); trace.num_objects()], groups: BTreeMap::new() }
    }

    fn join(&mut self, object: u32) {
        let known = self.known[object as usize];
        self.groups.entry(known.worth().to_bits()).or_default().insert((known.loaded_at, object));
    }

    fn leave(&mut self, object: u32) {
        let known = self.known[object as usize];
        let group = known.worth().to_bits();
        if let Some(objects) = self.groups.get_mut(&group) {
            objects.remove(&(known.loaded_at, object));
            if objects.is_empty() {
                self.groups.remove(&group);
            }
        }
    }
}

impl ObjectRule for Hyperbolic {
    fn hit(&mut self, access: Access) {
        self.leave(access.object);
        let known = &mut self.known[access.object as usize];
        known.count += 1;
        known.last = access.at;
        self.join(access.object);
    }

    fn evict(&mut self, newcomer: Access) -> Option<u32> {
        let oldest = self.groups.values().filter_map(|objects| objects.first());
        let ranked = oldest.map(|&(loaded_at, object)| {
            let known = self.known[object as usize];
            (known.worth() / f64::from(newcomer.at - loaded_at), known.last, object)
        });
        let (.., victim) = ranked.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
        self.leave(victim);
        Some(victim)
    }

    fn insert(&mut self, Access { at, object, size }: Access) {
        self.known[object as usize] = Known { count: 1, size, loaded_at: at, last: at };
        self.join(object);
    }
}
