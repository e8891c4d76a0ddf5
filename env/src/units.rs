//! Units that cross boundaries, and the ids of what exists.
//!
//! Code computes in SI units and bytes; `GB` (1e9 bytes), milliseconds and megahertz exist in TOML and in tables only.
//! Powers are linear inside; [`Decibel`] and [`Dbm`] stand at the boundary.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Neg, Sub};

/// Bytes in a `GB` of a scenario file or a table: 1e9, never 2^30.
pub const BYTES_PER_GB: f64 = 1e9;

/// The speed of light in vacuum, m/s: exact by the definition of the metre. Printed standards round it to 3e8.
pub const SPEED_OF_LIGHT_M_PER_S: f64 = 299_792_458.0;

/// Logarithm of a decibel: `ln(10) / 10`.
const LN_PER_DB: f64 = std::f64::consts::LN_10 / 10.0;

/// A ratio of two powers, `10 lg(ratio)`: gains, losses, margins.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decibel(pub f64);

impl Decibel {
    /// The ratio in decibels; minus infinity for 0.
    pub fn from_linear(ratio: f64) -> Self {
        Self(10.0 * libm::log10(ratio))
    }

    /// The plain ratio of powers.
    pub fn to_linear(self) -> f64 {
        libm::exp(self.0 * LN_PER_DB)
    }
}

/// A power over one milliwatt, in decibels. Two of them cannot be added: add watts instead.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dbm(pub f64);

impl Dbm {
    /// A power in watts as decibels over a milliwatt; minus infinity for 0.
    pub fn from_w(power_w: f64) -> Self {
        Self(10.0 * libm::log10(power_w) + 30.0)
    }

    /// The power in watts.
    pub fn to_w(self) -> f64 {
        Decibel(self.0 - 30.0).to_linear()
    }
}

impl Add for Decibel {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Decibel {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Decibel {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Add<Decibel> for Dbm {
    type Output = Self;
    fn add(self, gain: Decibel) -> Self {
        Self(self.0 + gain.0)
    }
}

impl Sub<Decibel> for Dbm {
    type Output = Self;
    fn sub(self, loss: Decibel) -> Self {
        Self(self.0 - loss.0)
    }
}

impl Sub for Dbm {
    type Output = Decibel;
    fn sub(self, other: Self) -> Decibel {
        Decibel(self.0 - other.0)
    }
}

/// Converts a `_gb` number of a scenario file to bytes, rounded to a whole byte.
pub fn gb_to_bytes(gb: f64) -> u64 {
    (gb * BYTES_PER_GB).round() as u64
}

/// Converts bytes to `GB` for costs and tables.
pub fn bytes_to_gb(bytes: u64) -> f64 {
    bytes as f64 / BYTES_PER_GB
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in a list that holds one item an id.
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of a position.
            pub const fn from_index(index: usize) -> Self {
                Self(index as u32)
            }
        }
    };
}

id! {
    /// A cell: one base station with its edge server.
    CellId
}
id! {
    /// A service: one kind of LLM agent that users ask for.
    ServiceId
}
id! {
    /// A language model of the catalogue.
    ModelId
}
id! {
    /// A user: who asks.
    UserId
}

impl UserId {
    /// Everybody, where context is not private.
    pub const ALL: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gb_is_ten_to_the_nine_bytes() {
        assert_eq!(gb_to_bytes(130.0), 130_000_000_000);
        assert_eq!(bytes_to_gb(348_000_000_000), 348.0);
    }

    #[test]
    fn decibels_add_where_ratios_multiply() {
        assert_eq!(Decibel(3.0) + Decibel(7.0), Decibel(10.0));
        assert_eq!(-(Decibel(3.0) - Decibel(7.0)), Decibel(4.0));
        approx::assert_relative_eq!(Decibel(10.0).to_linear(), 10.0, max_relative = 1e-14);
        approx::assert_relative_eq!(Decibel::from_linear(0.001).0, -30.0, max_relative = 1e-14);
        // 23 dBm is 199.5 mW; 20 dB less is 3 dBm, 1.995 mW.
        approx::assert_relative_eq!(Dbm(23.0).to_w(), 0.199_526_231_496_888, max_relative = 1e-12);
        assert_eq!(Dbm(23.0) - Decibel(20.0), Dbm(3.0));
        assert_eq!(Dbm(23.0) - Dbm(3.0), Decibel(20.0));
        assert_eq!(Dbm(3.0) + Decibel(20.0), Dbm(23.0));
        approx::assert_relative_eq!(Dbm::from_w(0.2).0, 23.010_299_956_639_81, max_relative = 1e-14);
    }
}
