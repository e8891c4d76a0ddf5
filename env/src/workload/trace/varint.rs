//! Integers of one to ten bytes, LEB128: seven bits a byte, lowest first, the top bit set on every byte but the last;
//! the shortest form only.

/// The most bytes that an integer of 64 bits takes.
pub(super) const MAX_BYTES: u32 = 10;
/// The most bytes that an integer of 32 bits takes.
pub(super) const MAX_BYTES_U32: u32 = 5;

/// Why bytes are no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end inside it.
    Ends,
    /// It does not fit in 64 bits.
    TooLarge,
    /// A shorter form exists.
    NotShortest,
}

/// Appends an integer.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes an integer off the front.
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else { return Err(Fault::Ends) };
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return if byte == 0 && shift > 0 { Err(Fault::NotShortest) } else { Ok(value) };
        }
    }
    Err(Fault::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_the_lengths_that_a_person_computes() {
        let mut bytes = Vec::new();
        for (value, expected) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (1 << 21, &[0x80, 0x80, 0x80, 1]),
        ] {
            bytes.clear();
            put(&mut bytes, value);
            assert_eq!(bytes, expected);
            assert_eq!(take(&mut &bytes[..]), Ok(value));
        }
        bytes.clear();
        put(&mut bytes, u64::MAX);
        assert_eq!(bytes.len(), MAX_BYTES as usize);
        assert_eq!(take(&mut &bytes[..]), Ok(u64::MAX));
        bytes.clear();
        put(&mut bytes, u64::from(u32::MAX));
        assert_eq!(bytes.len(), MAX_BYTES_U32 as usize);
    }

    #[test]
    fn integers_that_are_cut_too_long_or_padded_are_refused() {
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        for (bytes, fault) in [
            (&[0x80][..], Fault::Ends),
            (&too_large, Fault::TooLarge),
            (&[0x80; 11], Fault::TooLarge),
            (&[0x81, 0], Fault::NotShortest),
        ] {
            assert_eq!(take(&mut &bytes[..]), Err(fault));
        }
    }
}
