//! Names in order of first appearance, in little more memory than their bytes.

use std::hash::Hasher;

/// The most names that are told apart.
pub(super) const MAX_NAMES: usize = 1 << 24;
/// The longest name, bytes: its length is kept in one.
pub(super) const MAX_NAME_BYTES: usize = 64;
/// The fewest places of the table.
const MIN_PLACES: usize = 1 << 8;
const FREE: u32 = u32::MAX;

/// Numbers names from 0 in the order in which they are first met.
#[derive(Default)]
pub(super) struct Names {
    /// Length and bytes of each name; at most 65 times [`MAX_NAMES`], so that a place fits in 32 bits.
    text: Vec<u8>,
    /// Where each name begins in `text`.
    starts: Vec<u32>,
    /// Numbers of names by hash; a power of two of places, at least half of them free.
    table: Vec<u32>,
}

impl Names {
    /// The number of a name of 1 to [`MAX_NAME_BYTES`] bytes; `None` for one too many.
    pub(super) fn number(&mut self, name: &str) -> Option<u32> {
        if 2 * (self.len() + 1) > self.table.len() {
            self.grow();
        }
        let place = self.place(name.as_bytes());
        if self.table[place] != FREE {
            return Some(self.table[place]);
        }
        if self.len() == MAX_NAMES {
            return None;
        }
        let number = self.len() as u32;
        self.table[place] = number;
        self.starts.push(self.text.len() as u32);
        self.text.push(name.len() as u8);
        self.text.extend_from_slice(name.as_bytes());
        Some(number)
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// All names, in order.
    pub(super) fn into_names(self) -> Vec<String> {
        (0..self.len() as u32)
            .map(|number| String::from_utf8_lossy(self.bytes(number)).into_owned())
            .collect()
    }

    fn bytes(&self, number: u32) -> &[u8] {
        let start = self.starts[number as usize] as usize;
        &self.text[start + 1..start + 1 + usize::from(self.text[start])]
    }

    /// Where a name is in the table, or where it would be put.
    fn place(&self, name: &[u8]) -> usize {
        let mut hasher = Fnv::default();
        hasher.write(name);
        let mut place = hasher.finish() as usize & (self.table.len() - 1);
        while self.table[place] != FREE && self.bytes(self.table[place]) != name {
            place = (place + 1) & (self.table.len() - 1);
        }
        place
    }

    fn grow(&mut self) {
        self.table = vec![FREE; (2 * self.table.len()).max(MIN_PLACES)];
        for number in 0..self.len() as u32 {
            let place = self.place(self.bytes(number));
            self.table[place] = number;
        }
    }
}

/// FNV-1a of 64 bits, folded so that its high bits reach the low ones.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_as_they_appear_and_not_by_alphabet() {
        let mut names = Names::default();
        assert_eq!(["z", "a", "z", "m"].map(|name| names.number(name)), [0, 1, 0, 2].map(Some));
        assert_eq!(names.into_names(), ["z", "a", "m"]);
    }

    #[test]
    fn many_names_keep_their_numbers_while_the_table_grows() {
        let mut names = Names::default();
        for round in 0..2 {
            for number in 0..5_000 {
                assert_eq!(names.number(&format!("group-{number}")), Some(number), "round {round}");
            }
        }
        assert_eq!(names.number(&"x".repeat(MAX_NAME_BYTES)), Some(5_000));
        assert_eq!(names.len(), 5_001);
        assert_eq!(names.into_names()[4_999], "group-4999");
    }
}
