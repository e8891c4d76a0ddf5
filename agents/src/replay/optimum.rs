//! The fewest misses of any rule that may bypass, where all objects have one size.
//!
//! *Problem.* A hit at request `n` needs its object from its previous request `i` on: one place of the cache after each of the
//! requests `i .. n-1`. So a set of hits is possible exactly if at most `slots` of their intervals `[i, n)` hold after any
//! request, because between its requests an object may as well leave, and a newcomer outside the set is served elsewhere.
//! The optimum is the largest such set.
//!
//! *Rule.* Requests in order: the interval that ends here is a hit; the one that begins here joins; if that makes one too many,
//! the one that ends last leaves for good.
//!
//! *Why.* Where intervals are one too many after a request, at least one that holds there has to go. Of them the one that ends
//! last holds after every later request at which any other holds; so in any largest set it can be exchanged for the one that
//! went there.
//!
//! *Cost.* O(requests log requests).
//!
//! *Reference.* Faigle, Nawijn, "Note on scheduling intervals on-line", Discrete Applied Mathematics 58(1), 1995.

use super::trace::{NEVER, ObjectTrace};
use std::collections::BinaryHeap;

/// The fewest misses with places for `slots` objects.
pub(super) fn misses(trace: &ObjectTrace, slots: u64) -> u64 {
    let next = trace.next_requests();
    let (mut is_kept, mut num_kept, mut hits) = (vec![false; trace.num_objects()], 0, 0);
    // By their ends. Those that ended are behind all that hold, and are never looked at.
    let mut intervals: BinaryHeap<(u32, u32)> = BinaryHeap::new();
    for (&object, &end) in trace.objects.iter().zip(&next) {
        if std::mem::take(&mut is_kept[object as usize]) {
            num_kept -= 1;
            hits += 1;
        }
        if end == NEVER {
            continue;
        }
        is_kept[object as usize] = true;
        num_kept += 1;
        intervals.push((end, object));
        if num_kept > slots
            && let Some((_, last)) = intervals.pop()
        {
            is_kept[last as usize] = false;
            num_kept -= 1;
        }
    }
    trace.len() as u64 - hits
}
