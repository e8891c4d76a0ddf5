//! Kinds of site: what the standard says about each, beside its path loss.
//!
//! *Models.* Urban street canyons and roofs, open and mixed offices: how widely shadowing spreads, over which distance it and
//! the line of sight change, and how much of a clear link's power comes straight.
//!
//! *Symbols.* sigma: standard deviation of shadowing, dB; decorrelation: the distance in metres after which a correlation has
//! fallen to 1/e; K: power of the straight path over that of all others, dB, normal with a mean and a standard deviation.
//!
//! *Assumptions.* Users stand outside (street) or in the same hall (office): no outdoor-to-indoor loss. The correlation
//! distance of the line of sight is that of the standard's spatially consistent states.
//!
//! *Source.* 3GPP TR 38.901, Tables 7.4.1-1 (sigma), 7.5-6 (decorrelation, K), 7.6.3.1-2 (correlation of LOS states).

use crate::units::Decibel;
use serde::{Deserialize, Serialize};

/// A kind of site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// Urban micro, street canyon: base stations on lamp posts, 10 m high.
    #[serde(rename = "umi")]
    UmiStreetCanyon,
    /// Urban macro: base stations on roofs, 25 m high.
    Uma,
    /// Indoor hotspot, an open office.
    InhOpen,
    /// Indoor hotspot, offices and corridors.
    InhMixed,
}

/// How shadowing spreads in one state of the line of sight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShadowingLaw {
    /// Standard deviation.
    pub sigma: Decibel,
    /// Metres after which the correlation is 1/e.
    pub decorrelation_m: f64,
}

/// How the Rician K factor of clear links is distributed: normal in decibels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KFactorLaw {
    /// Mean.
    pub mean: Decibel,
    /// Standard deviation.
    pub std: Decibel,
}

impl Site {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::UmiStreetCanyon, Self::Uma, Self::InhOpen, Self::InhMixed];

    /// Whether users and base station are in one hall.
    pub const fn is_indoor(self) -> bool {
        matches!(self, Self::InhOpen | Self::InhMixed)
    }

    /// Shadowing with or without a line of sight.
    pub const fn shadowing(self, is_los: bool) -> ShadowingLaw {
        let (sigma_db, decorrelation_m) = match (self, is_los) {
            (Self::UmiStreetCanyon, true) => (4.0, 10.0),
            (Self::UmiStreetCanyon, false) => (7.82, 13.0),
            (Self::Uma, true) => (4.0, 37.0),
            (Self::Uma, false) => (6.0, 50.0),
            (Self::InhOpen | Self::InhMixed, true) => (3.0, 10.0),
            (Self::InhOpen | Self::InhMixed, false) => (8.03, 6.0),
        };
        ShadowingLaw { sigma: Decibel(sigma_db), decorrelation_m }
    }

    /// The K factor of clear links; blocked ones are Rayleigh.
    pub const fn k_factor(self) -> KFactorLaw {
        let (mean_db, std_db) = match self {
            Self::UmiStreetCanyon => (9.0, 5.0),
            Self::Uma => (9.0, 3.5),
            Self::InhOpen | Self::InhMixed => (7.0, 4.0),
        };
        KFactorLaw { mean: Decibel(mean_db), std: Decibel(std_db) }
    }

    /// Metres after which the correlation of the line of sight is 1/e.
    pub const fn los_decorrelation_m(self) -> f64 {
        match self {
            Self::UmiStreetCanyon | Self::Uma => 50.0,
            Self::InhOpen | Self::InhMixed => 10.0,
        }
    }

    /// Usual height of the base station above ground, m (the standard's evaluation scenarios).
    pub const fn base_height_m(self) -> f64 {
        match self {
            Self::UmiStreetCanyon => 10.0,
            Self::Uma => 25.0,
            Self::InhOpen | Self::InhMixed => 3.0,
        }
    }

    /// Usual height of a user's device above ground, m.
    pub const fn user_height_m(self) -> f64 {
        if self.is_indoor() { 1.0 } else { 1.5 }
    }

    /// The name in reference tables.
    #[cfg(test)]
    pub(crate) fn of_reference(name: &str) -> Option<Self> {
        Some(match name {
            "UMi-SC" => Self::UmiStreetCanyon,
            "UMa" => Self::Uma,
            "InH-open" | "InH" => Self::InhOpen,
            "InH-mixed" => Self::InhMixed,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::Table;

    #[test]
    fn sigma_and_k_are_those_of_every_row_of_the_reference() {
        let table = Table::open("tr38901_sionna.csv");
        let mut num_rows = 0;
        for row in table.rows() {
            let site = Site::of_reference(row.text("scenario")).unwrap();
            assert_eq!(site.shadowing(true).sigma.0, row.number("sf_sigma_los_db"), "{row:?}");
            assert_eq!(site.shadowing(false).sigma.0, row.number("sf_sigma_nlos_db"), "{row:?}");
            assert_eq!(site.k_factor().mean.0, row.number("k_mu_db"), "{row:?}");
            assert_eq!(site.k_factor().std.0, row.number("k_sigma_db"), "{row:?}");
            num_rows += 1;
        }
        assert!(num_rows > 200);
    }
}
