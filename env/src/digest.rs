//! A 64-bit digest of a sequence of words, to compare two runs by one number. It is no cryptographic hash.

/// One round: cheap, and every input bit reaches every output bit after two rounds.
pub const fn mix(hash: u64, word: u64) -> u64 {
    let x = (hash ^ word).wrapping_add(0xA076_1D64_78BD_642F).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ (x >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(29)
}

/// The digest of bytes and of how many they are.
pub fn of_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash =
        words.iter().fold(mix(0, bytes.len() as u64), |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, &byte| mix(hash, u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_word_count() {
        assert_ne!(mix(mix(0, 1), 2), mix(mix(0, 2), 1));
        assert_ne!(mix(mix(0, 1), 2), mix(mix(0, 1), 3));
        assert_ne!(mix(0, 0), mix(mix(0, 0), 0));
    }
}
