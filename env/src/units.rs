//! Units that cross boundaries, and the ids of what exists.
//!
//! Code computes in SI units and bytes; `GB` (1e9 bytes), milliseconds and megahertz exist in TOML and in tables only.

use serde::{Deserialize, Serialize};

/// Bytes in a `GB` of a scenario file or a table: 1e9, never 2^30.
pub const BYTES_PER_GB: f64 = 1e9;

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
}
