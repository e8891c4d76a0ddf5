//! A set of numbers that takes little memory when they are dense, and never more than a fixed amount.
//!
//! *State.* A bit for each number below [`DENSE`], as far as the largest one met; an open-addressing table of 8 bytes an
//! entry for the others. At most 32 MiB each.

/// Numbers below this take a bit each.
pub(super) const DENSE: u64 = 1 << 28;
/// The most numbers from [`DENSE`] on.
pub(super) const MAX_SCATTERED: usize = 1 << 21;
/// The fewest places of the table.
const MIN_PLACES: usize = 1 << 10;
/// No number of the table is 0: those are dense.
const FREE: u64 = 0;

/// A set of numbers.
#[derive(Debug, Default)]
pub(super) struct IdSet {
    dense: Vec<u64>,
    /// A power of two of places, or none; at least half of them free.
    scattered: Vec<u64>,
    num_scattered: usize,
}

/// The set is full: more than [`MAX_SCATTERED`] numbers from [`DENSE`] on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl IdSet {
    /// Whether the number is in the set.
    pub(super) fn contains(&self, id: u64) -> bool {
        if id < DENSE {
            self.dense.get((id / 64) as usize).is_some_and(|bits| bits >> (id % 64) & 1 == 1)
        } else {
            !self.scattered.is_empty() && self.scattered[place(&self.scattered, id)] == id
        }
    }

    /// Adds a number; says whether it is new.
    pub(super) fn insert(&mut self, id: u64) -> Result<bool, Full> {
        if id < DENSE {
            let (word, bit) = ((id / 64) as usize, 1 << (id % 64));
            if word >= self.dense.len() {
                self.dense.resize((word + 1).next_power_of_two(), 0);
            }
            let is_new = self.dense[word] & bit == 0;
            self.dense[word] |= bit;
            return Ok(is_new);
        }
        if self.contains(id) {
            return Ok(false);
        }
        if self.num_scattered == MAX_SCATTERED {
            return Err(Full);
        }
        if 2 * (self.num_scattered + 1) > self.scattered.len() {
            let larger = vec![FREE; (2 * self.scattered.len()).max(MIN_PLACES)];
            for id in std::mem::replace(&mut self.scattered, larger) {
                if id != FREE {
                    let place = place(&self.scattered, id);
                    self.scattered[place] = id;
                }
            }
        }
        let place = place(&self.scattered, id);
        self.scattered[place] = id;
        self.num_scattered += 1;
        Ok(true)
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.num_scattered + self.dense.iter().map(|bits| bits.count_ones() as usize).sum::<usize>()
    }
}

/// Where a number is, or where it would be put.
fn place(table: &[u64], id: u64) -> usize {
    // The finaliser of SplitMix64: every bit of the number reaches every bit of the place.
    let mut hash = id;
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let mut place = hash as usize & (table.len() - 1);
    while table[place] != FREE && table[place] != id {
        place = (place + 1) & (table.len() - 1);
    }
    place
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn dense_and_scattered_numbers_are_found_again_and_nothing_else_is() {
        let mut set = IdSet::default();
        let ids = [0, 63, 64, 1_000, DENSE - 1, DENSE, DENSE + 1, u64::MAX, u64::MAX - 1];
        for id in ids {
            assert!(!set.contains(id), "{id}");
            assert_eq!(set.insert(id), Ok(true));
            assert_eq!(set.insert(id), Ok(false));
            assert!(set.contains(id), "{id}");
        }
        assert!(!set.contains(1) && !set.contains(DENSE + 2));
        assert_eq!(set.len(), ids.len());
    }

    #[test]
    fn it_agrees_with_a_set_of_the_library_while_its_table_grows() {
        let (mut set, mut known) = (IdSet::default(), BTreeSet::new());
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = if state >> 63 == 0 { state >> 50 } else { state | DENSE };
            assert_eq!(set.insert(id), Ok(known.insert(id)));
        }
        assert_eq!(set.len(), known.len());
    }

    #[test]
    fn more_scattered_numbers_than_there_is_room_for_are_refused() {
        let mut set = IdSet::default();
        for id in 0..MAX_SCATTERED as u64 {
            assert_eq!(set.insert(DENSE + id * 977), Ok(true));
        }
        assert_eq!(set.insert(u64::MAX), Err(Full));
        assert_eq!(set.insert(DENSE), Ok(false), "what is there is still found");
        assert_eq!(set.insert(5), Ok(true), "dense numbers have their own room");
    }
}
