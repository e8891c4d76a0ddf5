//! A recorded request sequence against the miss counts of libCacheSim 0.3.5.

use super::{cache_world, misses};
use std::collections::BTreeMap;
use std::io::Read;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/libcachesim");

/// Objects in order of first appearance, from records of 24 bytes: u32 time, u64 object, u32 size, i64 next access.
fn sequence() -> Option<Vec<u32>> {
    let file = std::fs::File::open(format!("{FOLDER}/gentd26_unit.oracleGeneral.bin.gz")).ok()?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let mut number_of: BTreeMap<u64, u32> = BTreeMap::new();
    let records = bytes.chunks_exact(24).map(|record| {
        let object = u64::from_le_bytes(record[4..12].try_into().unwrap());
        let next = number_of.len() as u32;
        *number_of.entry(object).or_insert(next)
    });
    Some(records.collect())
}

#[test]
fn gentd26_misses_are_those_of_libcachesim() {
    let Some(sequence) = sequence() else {
        println!("skipped: {FOLDER} is not there");
        return;
    };
    let sizes = vec![1; sequence.iter().max().map_or(0, |&most| most as usize + 1)];
    let results = std::fs::read_to_string(format!("{FOLDER}/libcachesim_0.3.5_results.csv")).unwrap();
    let mut compared = 0;
    for line in results.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let rule = columns[3].to_lowercase();
        if columns[0] != "gentd26_unit" || !["lru", "fifo", "lfu"].contains(&rule.as_str()) {
            continue;
        }
        let scenario = cache_world(&sequence, &sizes, columns[4].parse().unwrap());
        assert_eq!(misses(&rule, &scenario), columns[5].parse::<u64>().unwrap(), "{line}");
        compared += 1;
    }
    assert_eq!(compared, 9);
    // Unit sizes and costs make GDSF count plus inflation; the counts are those of a separate script.
    for (capacity, expected) in [(1, 20_002), (4, 8_772), (16, 1_109)] {
        assert_eq!(misses("gdsf", &cache_world(&sequence, &sizes, capacity)), expected, "gdsf at {capacity}");
    }
}

#[test]
fn gentd26_misses_of_lru_do_not_grow_with_capacity() {
    let Some(sequence) = sequence() else {
        println!("skipped: {FOLDER} is not there");
        return;
    };
    let sizes = vec![1; sequence.iter().max().map_or(0, |&most| most as usize + 1)];
    let misses: Vec<u64> = [1, 2, 4, 8, 16, 32, 86]
        .iter()
        .map(|&capacity| misses("lru", &cache_world(&sequence, &sizes, capacity)))
        .collect();
    assert!(misses.windows(2).all(|pair| pair[1] <= pair[0]), "{misses:?}");
    assert_eq!(misses[6], 86, "with room for all, each model is missed once");
}
