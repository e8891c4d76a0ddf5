//! Exact counts on the sequence of `tiny-requests.txt`.

use super::{cache_world, misses};

/// The sequence: model numbers, a is 0.
fn sequence() -> Vec<u32> {
    let lines = include_str!("tiny-requests.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| line.bytes().filter(u8::is_ascii_lowercase).map(|c| u32::from(c - b'a'))).collect()
}

#[test]
fn misses_of_equal_sizes_are_exact_at_every_capacity() {
    let expected: [(&str, [u64; 6]); 4] = [
        ("fifo", [33, 28, 22, 17, 8, 6]),
        ("lru", [33, 24, 18, 15, 11, 6]),
        ("lfu", [33, 27, 19, 11, 9, 6]),
        ("gdsf", [33, 25, 17, 12, 10, 6]),
    ];
    for (rule, expected) in expected {
        let got =
            [1, 2, 3, 4, 5, 6].map(|capacity| misses(rule, &cache_world(&sequence(), &[1; 6], capacity)));
        assert_eq!(got, expected, "{rule}");
    }
}

#[test]
fn misses_of_different_sizes_are_exact_when_several_entries_have_to_go() {
    let sizes = [4, 3, 2, 1, 5, 3];
    let expected: [(&str, [u64; 11]); 4] = [
        ("fifo", [31, 30, 28, 22, 22, 18, 18, 18, 12, 11, 11]),
        ("lru", [31, 29, 26, 21, 19, 16, 16, 15, 14, 13, 11]),
        ("lfu", [31, 28, 26, 21, 21, 17, 17, 14, 13, 13, 10]),
        ("gdsf", [31, 28, 26, 21, 20, 17, 14, 14, 12, 12, 10]),
    ];
    for (rule, expected) in expected {
        let capacities = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let got = capacities.map(|capacity| misses(rule, &cache_world(&sequence(), &sizes, capacity)));
        assert_eq!(got, expected, "{rule}");
    }
}

#[test]
fn what_is_larger_than_the_memory_is_served_elsewhere_for_ever() {
    // Only d (1 GB) fits: 4 requests, of which 3 hit; the other 32 never do.
    let scenario = cache_world(&sequence(), &[4, 3, 2, 1, 5, 3], 1);
    for rule in ["fifo", "lru", "lfu", "gdsf", "least-aot", "static"] {
        let requests_for_d = sequence().iter().filter(|&&model| model == 3).count() as u64;
        assert_eq!(misses(rule, &scenario), 36 - (requests_for_d - 1), "{rule}");
    }
}

#[test]
fn misses_of_lru_do_not_grow_with_capacity_though_those_of_fifo_may() {
    // Belady's anomaly: FIFO misses 9 times with three places and 10 times with four.
    let anomaly: Vec<u32> = b"abcdabeabcde".iter().map(|letter| u32::from(letter - b'a')).collect();
    let misses_at = |rule, capacity| misses(rule, &cache_world(&anomaly, &[1; 5], capacity));
    assert_eq!((misses_at("fifo", 3), misses_at("fifo", 4)), (9, 10));
    let lru: Vec<u64> = (1..=5).map(|capacity| misses_at("lru", capacity)).collect();
    assert_eq!(lru, [12, 12, 10, 8, 5]);
}

#[test]
fn a_static_set_keeps_what_is_asked_for_most() {
    // a 9, f 7, b 6, c 5, d 5, e 4: with three places a, f and b stay, each missed once.
    let scenario = cache_world(&sequence(), &[1; 6], 3);
    let count = |model: u32| sequence().iter().filter(|&&m| m == model).count() as u64;
    let kept = count(0) + count(1) + count(5);
    assert_eq!(misses("static", &scenario), 36 - kept + 3);
}
