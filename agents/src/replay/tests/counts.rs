//! Counts on short traces that a person can work out, and traces that cannot be read.

use super::super::{ENTRIES, ObjectTrace, Sizes, TraceError, entry};
use super::{bytes, run, trace};

/// A trace of objects of size 1, a letter each.
fn letters(text: &str) -> ObjectTrace {
    trace(text.bytes().map(|letter| (u64::from(letter), 1)))
}

fn misses(rule: &str, text: &str, slots: u64) -> u64 {
    run(rule, &letters(text), slots).misses
}

#[test]
fn each_rule_evicts_what_its_name_says() {
    // Two places. `c` evicts a or b; the last letter asks for one of them.
    assert_eq!(misses("fifo", "abac", 2), 3);
    assert_eq!((misses("fifo", "abacb", 2), misses("fifo", "abaca", 2)), (3, 4), "a was loaded first");
    assert_eq!((misses("lru", "abacb", 2), misses("lru", "abaca", 2)), (4, 3), "b was asked for first");
    assert_eq!((misses("lfu", "aabbac", 2), misses("lfu", "aabbacb", 2)), (3, 4), "b has 2 requests, a 3");
    assert_eq!(
        (misses("lru-2", "aabbcb", 2), misses("lru-2", "aabbca", 2)),
        (3, 4),
        "a's last but one is older"
    );
    assert_eq!(misses("lru-2", "aabcb", 2), 4, "b was asked for once");
    assert_eq!((misses("sieve", "abacb", 2), misses("sieve", "abaca", 2)), (4, 3), "a has a mark");
    assert_eq!((misses("min", "abcab", 2), misses("min-bypass", "abcab", 2)), (4, 3), "c need not be loaded");
    assert_eq!(misses("bound", "abcab", 2), 3);
    // At the request of d: a has 2 requests in 5, b 2 in 3, c 1 in 1. LFU evicts c.
    assert_eq!((misses("hyperbolic", "aabbcdc", 3), misses("lfu", "aabbcdc", 3)), (4, 5));
}

#[test]
fn the_hand_of_sieve_stays_where_it_evicted() {
    // d comes in for b (a has a mark, which goes), and the hand stands before c: e evicts c, not a, which is older.
    assert_eq!((misses("sieve", "abcadea", 3), misses("sieve", "abcadec", 3)), (5, 6));
}

#[test]
fn arc_remembers_what_it_evicted() {
    // a is in T2; b leaves T1 for c and is remembered. Its return raises the target of T1 to one object: a leaves, not c.
    assert_eq!((misses("arc", "aabcbc", 2), misses("arc", "aabcba", 2)), (4, 5));
}

#[test]
fn sizes_decide_who_leaves_and_who_never_comes() {
    let sized =
        |rule: &str, requests: &[(u64, u32)], capacity| run(rule, &trace(requests.iter().copied()), capacity);
    // GDSF evicts the large one, LRU the older one.
    let requests = [(1, 1), (2, 8), (3, 2), (1, 1)];
    assert_eq!((sized("gdsf", &requests, 9).misses, sized("lru", &requests, 9).misses), (3, 4));
    // Keys 4/1 and 1/8: the hyperbolic rule agrees, and bytes are those of what was missed.
    assert_eq!(sized("hyperbolic", &requests, 9).miss_bytes, 11);
    // Larger than the cache: missed, and nothing leaves for it.
    for entry in &ENTRIES {
        assert_eq!(sized(entry.name, &[(1, 1), (2, 9), (1, 1), (2, 9)], 3).misses, 3, "{}", entry.name);
    }
    // An object keeps the size of its load: 2 grew to 9, still fits and still holds 1.
    assert_eq!(sized("lru", &[(1, 2), (2, 1), (2, 9), (1, 2)], 3).misses, 2);
}

#[test]
fn records_are_read_as_they_stand_and_damage_is_told() {
    let requests = [(u64::MAX, 5), (3, 0), (3, 7), (u64::MAX, 5)];
    let read = |bytes: &[u8], sizes| ObjectTrace::read_at_most(bytes, sizes, 4);
    let file = bytes(requests);
    let recorded = read(&file, Sizes::Recorded).unwrap();
    assert_eq!((recorded.len(), recorded.num_objects(), recorded.bytes(), recorded.num_empty), (3, 2, 17, 1));
    assert_eq!((recorded.uniform_size(), read(&file, Sizes::Unit).unwrap().uniform_size()), (None, Some(1)));
    let wrong = |bytes: &[u8]| read(bytes, Sizes::Recorded).unwrap_err();
    assert!(matches!(wrong(&file[..95]), TraceError::CutOff { record: 4, bytes: 23 }));
    assert!(matches!(wrong(b""), TraceError::Empty { records: 0 }));
    assert!(matches!(wrong(&bytes([(1, 0)])), TraceError::Empty { records: 1 }));
    assert!(matches!(wrong(&[&file[..], &file].concat()), TraceError::TooLong { most: 4 }));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_and_all() {
    let message = entry("seive").unwrap_err().to_string();
    assert!(message.contains("did you mean sieve?") && message.contains("min-bypass, bound"), "{message}");
}
