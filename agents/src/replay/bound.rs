//! *Rule.* `bound` is no rule but what none can beat, with or without bypass: the exact optimum where all objects have one size
//! (`optimum`), else a lower bound (`flow`), one for misses and one for their bytes.

use super::cache::{Entry, Kind, Tally};
use super::trace::ObjectTrace;
use super::{flow, optimum};

pub(super) const ENTRY: Entry = Entry {
    name: "bound",
    description: "what no rule can beat: the optimum with bypass where all sizes are equal, else a lower bound",
    kind: Kind::Bound,
    replay: misses,
};

fn misses(trace: &ObjectTrace, capacity: u64) -> Tally {
    let Some(size) = trace.uniform_size() else { return flow::misses(trace, capacity) };
    let misses = optimum::misses(trace, capacity / u64::from(size));
    Tally { misses, miss_bytes: misses * u64::from(size) }
}
