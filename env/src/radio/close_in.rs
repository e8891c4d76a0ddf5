//! Path loss above 100 GHz: the close-in reference model.
//!
//! *Models.* Free space for the first metre, then one exponent for all distances, with and without a line of sight.
//!
//! *Equation.* `PL = 32.4 + 20 lg f + 10 n lg d`, shadowing and absorption apart.
//!
//! *Symbols.* f: carrier, GHz; d: distance in space, m, at least 1; n: path loss exponent. 32.4 dB + 20 lg f is the loss of the
//! first metre in free space, `20 lg(4 pi f / c)` (32.448 with more digits; the standards print 32.4).
//!
//! *Assumptions.* Exponent and spread do not depend on frequency (measured alike from 28 to 142 GHz). Distances below 1 m are
//! clamped and told. 100 to 1000 GHz.
//!
//! *Source.* Model: S. Sun et al., IEEE Trans. Vehicular Technology 65 (2016). Defaults, omnidirectional: offices at 140 GHz,
//! Xing, Rappaport, Ghosh, IEEE Communications Letters 25 (2021), arXiv 2103.00385; streets at 142 GHz, Xing, Rappaport, IEEE
//! Communications Letters 25 (2021), arXiv 2109.13404.

use crate::invalid::{Invalid, between};
use crate::radio::path_loss::{Line, PathLoss, carrier_key};
use crate::radio::site::Site;
use crate::units::Decibel;
use serde::{Deserialize, Serialize};

/// `[radio.path_loss.close_in]`: above 100 GHz. Numbers that are left out are measured ones, of offices or streets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseInConfig {
    /// The kind of site, for its line of sight, correlation distances and K factor: `umi`, `uma`, `inh_open`, `inh_mixed`.
    pub site: Site,
    /// Path loss exponent with a line of sight, 1 to 6 (1.74 in offices, 1.94 in streets).
    pub exponent_los: Option<f64>,
    /// Path loss exponent without, 1 to 6 (2.83 in offices, 2.87 in streets).
    pub exponent_nlos: Option<f64>,
    /// Standard deviation of shadowing with a line of sight in dB, 0 to 20 (3.62 and 2.66).
    pub sigma_los_db: Option<f64>,
    /// Standard deviation without in dB, 0 to 20 (6.07 and 8.2).
    pub sigma_nlos_db: Option<f64>,
}

impl CloseInConfig {
    /// Checks the numbers. `table` is the path of this table in messages.
    ///
    /// # Errors
    /// The first number out of its range, a carrier outside 100 to 1000 GHz.
    pub fn validate(
        &self,
        table: &str,
        carrier_hz: f64,
        base_height_m: f64,
        user_height_m: f64,
    ) -> Result<PathLoss, Invalid> {
        let [clear_exponent, clear_sigma_db, blind_exponent, blind_sigma_db] =
            if self.site.is_indoor() { [1.74, 3.62, 2.83, 6.07] } else { [1.94, 2.66, 2.87, 8.2] };
        let exponent = |key: &str, typed: Option<f64>, default: f64| {
            between(table, key, typed.unwrap_or(default), 1.0, 6.0)
        };
        let sigma = |key: &str, typed: Option<f64>, default: f64| {
            between(table, key, typed.unwrap_or(default), 0.0, 20.0).map(Decibel)
        };
        let gigahertz = carrier_hz / 1e9;
        if !(100.0..=1000.0).contains(&gigahertz) {
            let allowed = format!("a number from 100 to 1000 with [{table}]");
            return Err(Invalid::new(carrier_key(table), gigahertz, allowed));
        }
        let law = |exponent: f64| Line {
            constant_db: 32.4 + 20.0 * libm::log10(gigahertz),
            slope_db: 10.0 * exponent,
        };
        let los = law(exponent("exponent_los", self.exponent_los, clear_exponent)?);
        let sigma_los = sigma("sigma_los_db", self.sigma_los_db, clear_sigma_db)?;
        Ok(PathLoss {
            valid_m: [0.0, f64::INFINITY],
            height_difference_m: base_height_m - user_height_m,
            breakpoint_m: f64::INFINITY,
            near: los,
            far: los,
            nlos: law(exponent("exponent_nlos", self.exponent_nlos, blind_exponent)?),
            is_nlos_worse: false,
            sigmas: [sigma("sigma_nlos_db", self.sigma_nlos_db, blind_sigma_db)?, sigma_los],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::Table;

    fn config() -> CloseInConfig {
        CloseInConfig {
            site: Site::InhOpen,
            exponent_los: Some(2.0),
            exponent_nlos: None,
            sigma_los_db: None,
            sigma_nlos_db: None,
        }
    }

    #[test]
    fn an_exponent_of_2_is_free_space() {
        let table = Table::open("free_space.csv");
        let mut num_rows = 0;
        for row in table.rows().filter(|row| row.number("freq_ghz") >= 100.0) {
            let model = config().validate("close_in", row.number("freq_ghz") * 1e9, 1.0, 1.0).unwrap();
            let loss = model.loss(model.separation(row.number("dist_m")), true).0;
            // 32.4 is 0.0478 dB less than the first metre at 1 GHz.
            assert!((loss + 0.047_8 - row.number("fspl_db")).abs() < 1e-4, "{loss} {row:?}");
            num_rows += 1;
        }
        assert!(num_rows >= 4);
    }

    #[test]
    fn ten_times_the_distance_costs_ten_exponents() {
        let model = config().validate("close_in", 140e9, 1.0, 1.0).unwrap();
        let at = |d: f64| model.loss(model.separation(d), false).0;
        approx::assert_relative_eq!(at(20.0) - at(2.0), 28.3, max_relative = 1e-12);
        assert_eq!(model.sigma(false), Decibel(6.07));
        assert!(model.separation(0.5).is_clamped && at(0.5) == at(1.0));
    }

    #[test]
    fn carriers_of_the_standard_and_odd_exponents_are_refused() {
        let error = config().validate("radio.path_loss.close_in", 28e9, 3.0, 1.0).unwrap_err().to_string();
        assert_eq!(
            error,
            "radio.band.carrier_ghz = 28: a number from 100 to 1000 with [radio.path_loss.close_in]"
        );
        let odd = CloseInConfig { exponent_nlos: Some(0.5), ..config() };
        let error = odd.validate("radio.path_loss.close_in", 140e9, 3.0, 1.0).unwrap_err().to_string();
        assert_eq!(error, "radio.path_loss.close_in.exponent_nlos = 0.5: a number from 1.0 to 6.0");
    }
}
