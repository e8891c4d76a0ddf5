//! Recorded traces against the counts that libCacheSim's own tests expect, and against those of its version 0.3.5.

use super::super::arc::Arc;
use super::super::cache::replay;
use super::super::{ENTRIES, Kind, ObjectTrace, Sizes, Tally};
use super::run;
use std::fs::{File, read_to_string};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/libcachesim");
const MIB: u64 = 1 << 20;

/// A recorded trace; says that it is not there.
fn recorded(name: &str) -> Option<ObjectTrace> {
    let Ok(file) = File::open(format!("{FOLDER}/{name}.oracleGeneral.bin.gz")) else {
        println!("skipped: {FOLDER}/{name}.oracleGeneral.bin.gz is not there");
        return None;
    };
    Some(ObjectTrace::read(flate2::read::GzDecoder::new(file), Sizes::Recorded).unwrap())
}

/// The rows of a table of counts.
fn rows(table: &str) -> Vec<Vec<String>> {
    let text = read_to_string(format!("{FOLDER}/{table}.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Our name of a rule of libCacheSim.
fn name(theirs: &str) -> String {
    if theirs == "Belady" { "min".to_owned() } else { theirs.to_lowercase() }
}

#[test]
fn sized_objects_are_missed_as_often_as_in_libcachesims_own_tests() {
    let Some(trace) = recorded("cloudPhysicsIO") else { return };
    assert_eq!((trace.len(), trace.num_objects(), trace.bytes()), (113_872, 48_974, 4_368_040_448));
    let exact = ["LRU", "FIFO", "LFU", "Sieve", "GDSF", "Belady"];
    let mut compared = 0;
    for row in rows("libcachesim_golden_cloudphysics") {
        let (capacity, expected) = (
            row[1].parse().unwrap(),
            Tally { misses: row[3].parse().unwrap(), miss_bytes: row[5].parse().unwrap() },
        );
        if exact.contains(&row[0].as_str()) {
            assert_eq!(run(&name(&row[0]), &trace, capacity), expected, "{row:?}");
        } else if row[0] == "ARC" {
            // libCacheSim's target moves by bytes where ours moves by objects, and by nothing else do they differ.
            let theirs = Arc::new(&trace, capacity).with_page(1.0);
            assert_eq!(replay(&trace, capacity, theirs), expected, "{row:?}");
        } else {
            continue;
        }
        compared += 1;
    }
    assert_eq!(compared, 21);
    // The same tests at the capacities that the table leaves out (`test/test_evictionAlgo.c`).
    for (rule, misses) in [
        ("lru", [89_783, 83_572, 72_494, 72_104, 71_972]),
        ("fifo", [89_386, 84_387, 72_498, 72_228, 72_182]),
        ("lfu", [86_720, 78_578, 69_945, 66_221, 64_445]),
        ("sieve", [86_720, 78_578, 69_945, 66_221, 64_445]),
        ("gdsf", [84_750, 74_853, 67_919, 64_180, 61_029]),
        ("min", [70_724, 65_481, 59_645, 57_599, 50_873]),
    ] {
        let counted = [256, 384, 640, 768, 896].map(|mebibytes| run(rule, &trace, mebibytes * MIB).misses);
        assert_eq!(counted, misses, "{rule}");
    }
}

#[test]
fn gentd26_is_missed_as_often_as_in_libcachesim() {
    let Some(trace) = recorded("gentd26_unit") else { return };
    let mut compared = 0;
    for row in rows("libcachesim_0.3.5_results").iter().filter(|row| row[0] == "gentd26_unit") {
        if row[3] == "Clock" {
            continue;
        }
        let misses = run(&name(&row[3]), &trace, row[4].parse().unwrap()).misses;
        // libCacheSim looks at 64 objects drawn at random, with repetition; our rule looks at all.
        let allowed = if row[3] == "Hyperbolic" { 10 } else { 0 };
        assert!(misses.abs_diff(row[5].parse().unwrap()) <= allowed, "{row:?}: {misses}");
        compared += 1;
    }
    assert_eq!(compared, 18);
}

#[test]
fn gentd26_has_the_optimum_of_the_table_and_no_rule_beats_it() {
    let Some(trace) = recorded("gentd26_unit") else { return };
    let mut compared = 0;
    for row in rows("offline_bounds_gentd26") {
        let (slots, optimum): (u64, f64) = (row[1].parse().unwrap(), row[4].parse().unwrap());
        assert_eq!(run("bound", &trace, slots).misses as f64, optimum, "{row:?}");
        assert_eq!(run("min-bypass", &trace, slots).misses as f64, optimum, "{row:?}");
        let flow = super::super::flow::misses(&trace, slots);
        let gap = 1.0 - flow.misses as f64 / optimum;
        assert!((0.0..0.05).contains(&gap), "{slots}: {flow:?} is too far below {optimum}");
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[test]
fn no_rule_beats_the_bound_on_sized_objects_and_lru_gets_better_with_room() {
    let Some(trace) = recorded("cloudPhysicsIO") else { return };
    let capacities = [MIB, 64 * MIB, 512 * MIB, 1024 * MIB, 4096 * MIB];
    for capacity in capacities {
        let bound = run("bound", &trace, capacity);
        for entry in ENTRIES.iter().filter(|entry| entry.kind != Kind::Bound) {
            let tally = (entry.replay)(&trace, capacity);
            assert!(
                tally.misses >= bound.misses && tally.miss_bytes >= bound.miss_bytes,
                "{} {tally:?} {bound:?}",
                entry.name
            );
        }
    }
    // With room for everything the bound is exact: each object is missed once.
    assert_eq!(run("bound", &trace, 4096 * MIB).misses, 48_974);
    // BeladySize of libCacheSim misses 56,514 times in 512 MiB: the bound is close below.
    assert!((56_300..56_514).contains(&run("bound", &trace, 512 * MIB).misses));
    let lru = capacities.map(|capacity| run("lru", &trace, capacity).misses);
    assert!(lru.is_sorted_by(|small, large| small >= large), "{lru:?}");
}
