//! Exact percentiles of very many integers in constant memory, by looking at them several times.
//!
//! *Rule.* The first pass counts values in buckets that are exact below 2,048 and have 11 leading bits above. The bucket
//! that holds a wanted rank is cut into at most 65,536 equal parts, which the next pass counts, and so on until a part
//! is one value: two passes for values below 2^27, at most five for any.
//!
//! *State.* 56,320 counters and 65,536 for each rank.

/// The ranks that are wanted, percent.
const PERCENTS: [u64; 3] = [50, 90, 99];
/// Values below 2 to the power of this have a bucket each in the first pass, larger ones keep so many leading bits.
const LEADING_BITS: u32 = 11;
const EXACT: u64 = 1 << LEADING_BITS;
/// Buckets of values with the same number of bits.
const PER_LENGTH: u64 = EXACT / 2;
const NUM_BUCKETS: usize = (EXACT + (64 - LEADING_BITS as u64) * PER_LENGTH) as usize;
/// A pass after the first splits a bucket by so many bits.
const BITS_PER_PASS: u32 = 16;

/// Finds the values at three ranks: [`add`](Self::add) every value, [`end_pass`](Self::end_pass), and all of it again
/// while that says so.
#[derive(Debug)]
pub(super) struct Quantiles {
    buckets: Vec<u64>,
    num_values: u64,
    max: u64,
    /// Empty in the first pass.
    searches: Vec<Search>,
}

/// The search for one rank within `low .. low + 2^bits`.
#[derive(Debug)]
struct Search {
    /// How many values of the range are at or below the wanted one.
    rank: u64,
    low: u64,
    bits: u32,
    counts: Vec<u64>,
}

/// The values found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

impl Quantiles {
    pub(super) fn new() -> Self {
        Self { buckets: vec![0; NUM_BUCKETS], num_values: 0, max: 0, searches: Vec::new() }
    }

    /// Takes a value of the running pass.
    pub(super) fn add(&mut self, value: u64) {
        if self.searches.is_empty() {
            self.buckets[bucket(value)] += 1;
            self.num_values += 1;
            self.max = self.max.max(value);
        }
        for search in &mut self.searches {
            search.add(value);
        }
    }

    /// Ends a pass; says whether another one is needed.
    pub(super) fn end_pass(&mut self) -> bool {
        if self.num_values == 0 {
            return false;
        }
        if self.searches.is_empty() {
            self.searches = PERCENTS
                .map(|percent| {
                    // Nearest rank; 128 bits, so that no count overflows.
                    let rank =
                        (u128::from(self.num_values) * u128::from(percent)).div_ceil(100).max(1) as u64;
                    let (bucket, rank) = holder(&self.buckets, rank);
                    let (low, bits) = range(bucket);
                    Search { rank, low, bits, counts: Vec::new() }
                })
                .into();
        } else {
            self.searches.iter_mut().for_each(Search::narrow);
        }
        for search in &mut self.searches {
            search.counts = vec![0; if search.bits == 0 { 0 } else { 1 << search.bits.min(BITS_PER_PASS) }];
        }
        self.searches.iter().any(|search| search.bits > 0)
    }

    /// What was found after the last pass; `None` without values.
    pub(super) fn found(&self) -> Option<Found> {
        let [p50, p90, p99] = &self.searches[..] else { return None };
        Some(Found { p50: p50.low, p90: p90.low, p99: p99.low, max: self.max })
    }
}

impl Search {
    /// Bits that are left below one part of the running pass.
    fn part_bits(&self) -> u32 {
        self.bits.saturating_sub(BITS_PER_PASS)
    }

    fn add(&mut self, value: u64) {
        if self.bits > 0
            && let Some(offset) = value.checked_sub(self.low)
            && offset >> self.bits == 0
        {
            let part = offset >> self.part_bits();
            self.counts[part as usize] += 1;
        }
    }

    fn narrow(&mut self) {
        if self.bits > 0 {
            let (part, rank) = holder(&self.counts, self.rank);
            self.rank = rank;
            self.low += (part as u64) << self.part_bits();
            self.bits = self.part_bits();
        }
    }
}

/// The counter that holds the value of a rank, and the rank within it.
fn holder(counts: &[u64], mut rank: u64) -> (usize, u64) {
    for (index, count) in counts.iter().enumerate() {
        if rank <= *count {
            return (index, rank);
        }
        rank -= count;
    }
    // Every pass sees the same values, so that a rank is always met; the last one stands in otherwise.
    (counts.len().saturating_sub(1), 1)
}

fn bucket(value: u64) -> usize {
    if value < EXACT {
        return value as usize;
    }
    let shift = u64::BITS - value.leading_zeros() - LEADING_BITS;
    let place = EXACT + u64::from(shift - 1) * PER_LENGTH + ((value >> shift) - PER_LENGTH);
    place as usize
}

/// The least value of a bucket, and the bits of its width.
fn range(bucket: usize) -> (u64, u32) {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return (bucket, 0);
    }
    let shift = ((bucket - EXACT) / PER_LENGTH) as u32 + 1;
    (((bucket - EXACT) % PER_LENGTH + PER_LENGTH) << shift, shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[u64]) -> (Option<Found>, u32) {
        let (mut quantiles, mut passes) = (Quantiles::new(), 0);
        loop {
            for value in values {
                quantiles.add(*value);
            }
            passes += 1;
            if !quantiles.end_pass() {
                return (quantiles.found(), passes);
            }
        }
    }

    #[test]
    fn they_are_those_of_the_sorted_values_however_large_they_are() {
        let mut state = 7_u64;
        for bits in [5, 12, 20, 27, 33, 50, 64] {
            for len in [1, 2, 99, 100, 101, 1_000] {
                let mut values: Vec<u64> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state ^ (state >> 29)) >> (64 - bits)
                    })
                    .collect();
                let (found, passes) = found(&values);
                values.sort_unstable();
                let rank = |percent: usize| values[(len * percent).div_ceil(100).max(1) - 1];
                let expected = Found { p50: rank(50), p90: rank(90), p99: rank(99), max: values[len - 1] };
                assert_eq!(found, Some(expected), "{bits} bits, {len} values");
                assert!(passes <= if bits <= 27 { 2 } else { 5 }, "{passes} passes for {bits} bits");
            }
        }
        assert_eq!(found(&[]), (None, 1));
        assert_eq!(found(&[u64::MAX]).0.unwrap().p50, u64::MAX);
    }

    #[test]
    fn every_value_lies_in_the_range_of_its_bucket() {
        for value in (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX])
        {
            let (low, bits) = range(bucket(value));
            assert!(low <= value && (value - low) >> bits == 0, "{value}");
        }
        assert_eq!(bucket(u64::MAX), NUM_BUCKETS - 1);
    }
}
