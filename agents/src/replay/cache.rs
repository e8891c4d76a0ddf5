//! The loop that all rules share: hit, or room is made and the object is loaded.
//!
//! ```text
//! resident              -> hit
//! size > capacity       -> miss, served elsewhere
//! else                  -> miss; while used + size > capacity: one victim leaves; the object is loaded
//! ```
//! A rule that may bypass names no victim where the newcomer itself is worth least; it is then served elsewhere. An object holds
//! the bytes that its request had when it was loaded.

use super::trace::ObjectTrace;

/// A request that a rule is told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    /// Its index in the trace.
    pub(super) at: u32,
    pub(super) object: u32,
    /// Bytes that the object holds while it is resident.
    pub(super) size: u32,
}

/// Which resident object leaves.
pub(super) trait ObjectRule {
    /// A resident object is asked for.
    fn hit(&mut self, access: Access);
    /// An object that is not resident, and would fit, is asked for; room is made next.
    fn miss(&mut self, _: Access) {}
    /// The object that leaves for this request; `None` serves the request elsewhere. Something is resident.
    fn evict(&mut self, newcomer: Access) -> Option<u32>;
    /// The object is loaded.
    fn insert(&mut self, access: Access);
}

/// What was counted, or is a lower bound of what can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were not served by a resident object.
    pub misses: u64,
    /// Their bytes.
    pub miss_bytes: u64,
}

/// What a row of the table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Knows the past.
    Online,
    /// Knows the future.
    Offline,
    /// What no rule can beat.
    Bound,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in tables and on the command line.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// Whether it knows the past alone, knows the future, or is a bound.
    pub kind: Kind,
    /// Replays a trace through an empty cache of so many bytes.
    pub replay: fn(&ObjectTrace, u64) -> Tally,
}

/// Replays a trace through an empty cache of `capacity` bytes.
pub(super) fn replay(trace: &ObjectTrace, capacity: u64, mut rule: impl ObjectRule) -> Tally {
    // Bytes that each object holds; 0 where it is not resident.
    let mut held = vec![0_u32; trace.num_objects()];
    let (mut used, mut tally) = (0_u64, Tally::default());
    'requests: for (at, (&object, &size)) in (0_u32..).zip(trace.objects.iter().zip(&trace.sizes)) {
        let here = held[object as usize];
        if here > 0 {
            rule.hit(Access { at, object, size: here });
            continue;
        }
        tally.misses += 1;
        tally.miss_bytes += u64::from(size);
        if u64::from(size) > capacity {
            continue;
        }
        let access = Access { at, object, size };
        rule.miss(access);
        while used + u64::from(size) > capacity {
            let Some(victim) = rule.evict(access) else { continue 'requests };
            used -= u64::from(std::mem::take(&mut held[victim as usize]));
        }
        used += u64::from(size);
        held[object as usize] = size;
        rule.insert(access);
    }
    tally
}
