//! Numbers that come back from bytes: a checksum shows damage, not that they can be computed with.
//!
//! A field is read by one of these functions, `#[serde(deserialize_with = "crate::kept::amount")]` say.

use serde::de::{Deserialize, Deserializer, Error};

/// The greatest size of a number: products of a few stay finite.
const MOST: f64 = 1e30;

/// A number, or several.
pub(crate) trait Numbers {
    fn lie_from(&self, low: f64) -> bool;
}

impl Numbers for f64 {
    fn lie_from(&self, low: f64) -> bool {
        (low..=MOST).contains(self)
    }
}

impl Numbers for f32 {
    fn lie_from(&self, low: f64) -> bool {
        f64::from(*self).lie_from(low)
    }
}

impl<T: Numbers, const N: usize> Numbers for [T; N] {
    fn lie_from(&self, low: f64) -> bool {
        self.iter().all(|number| number.lie_from(low))
    }
}

impl<T: Numbers> Numbers for Vec<T> {
    fn lie_from(&self, low: f64) -> bool {
        self.iter().all(|number| number.lie_from(low))
    }
}

/// Whether a number is finite and at least 0.
pub(crate) fn is_amount(number: f64) -> bool {
    number.lie_from(0.0)
}

/// Reads finite numbers.
pub(crate) fn finite<'de, D: Deserializer<'de>, T: Numbers + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    read(from, -MOST)
}

/// Reads finite numbers of at least 0.
pub(crate) fn amount<'de, D: Deserializer<'de>, T: Numbers + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    read(from, 0.0)
}

fn read<'de, D: Deserializer<'de>, T: Numbers + Deserialize<'de>>(from: D, low: f64) -> Result<T, D::Error> {
    let numbers = T::deserialize(from)?;
    if numbers.lie_from(low) { Ok(numbers) } else { Err(D::Error::custom("a number is out of its range")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Kept {
        #[serde(deserialize_with = "amount")]
        _age: f64,
        #[serde(deserialize_with = "finite")]
        _place_m: [f32; 2],
    }

    #[test]
    fn numbers_that_cannot_be_computed_with_are_not_read() {
        let reads = |numbers: (f64, [f32; 2])| {
            postcard::from_bytes::<Kept>(&postcard::to_stdvec(&numbers).unwrap()).is_ok()
        };
        assert!(reads((0.0, [-1.0, 2.0])) && reads((1e30, [0.0, -1e29])));
        for age in [-1.0, -1e-300, 1e31, f64::INFINITY, f64::NAN] {
            assert!(!reads((age, [0.0, 0.0])), "{age}");
        }
        for x_m in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e31] {
            assert!(!reads((0.0, [0.0, x_m])), "{x_m}");
        }
    }
}
