//! Rules on traces against counts of others, counts that a person can check, naive siblings, and what no rule can beat.

mod counts;
mod naive;
mod recorded;

use super::{ObjectTrace, Sizes, Tally, entry};

/// A trace of these requests: object and size.
fn trace(requests: impl IntoIterator<Item = (u64, u32)>) -> ObjectTrace {
    ObjectTrace::read(bytes(requests).as_slice(), Sizes::Recorded).unwrap()
}

/// The records of these requests, with a time and a next request that nobody reads.
fn bytes(requests: impl IntoIterator<Item = (u64, u32)>) -> Vec<u8> {
    let record = |(object, size): (u64, u32)| {
        [&7_u32.to_le_bytes()[..], &object.to_le_bytes(), &size.to_le_bytes(), &[0xff; 8]].concat()
    };
    requests.into_iter().flat_map(record).collect()
}

fn run(rule: &str, trace: &ObjectTrace, capacity: u64) -> Tally {
    (entry(rule).unwrap().replay)(trace, capacity)
}
