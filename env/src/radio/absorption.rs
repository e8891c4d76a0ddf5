//! Attenuation by oxygen and water vapour, line by line.
//!
//! *Models.* What the air itself takes from a wave: little below 50 GHz, 15 dB/km at 60 GHz, windows and peaks above 100 GHz.
//!
//! *Equation.*
//!
//! ```text
//! gamma = 0.1820 f (N_oxygen(f) + N_water(f))                                  dB/km
//! N_oxygen = sum_i S_i F_i + N_D        N_water = sum_i S_i F_i
//! S_i = a1 1e-7 p theta^3 exp(a2 (1 - theta))                                  oxygen
//!     = b1 1e-1 e theta^3.5 exp(b2 (1 - theta))                                water vapour
//! F_i = f/f_i ((D - delta (f_i - f)) / ((f_i - f)^2 + D^2) + (D - delta (f_i + f)) / ((f_i + f)^2 + D^2))
//! D   = a3 1e-4 (p theta^(0.8 - a4) + 1.1 e theta),  then sqrt(D^2 + 2.25e-6)   oxygen
//!     = b3 1e-4 (p theta^b4 + b5 e theta^b6),
//!       then 0.535 D + sqrt(0.217 D^2 + 2.1316e-12 f_i^2 / theta)              water vapour
//! delta = (a5 + a6 theta) 1e-4 (p + e) theta^0.8                                oxygen, 0 for water vapour
//! N_D = f p theta^2 (6.14e-5 / (d (1 + (f/d)^2)) + 1.4e-12 p theta^1.5 / (1 + 1.9e-5 f^1.5))
//! d   = 5.6e-4 (p + e) theta^0.8        theta = 300 / T        e = rho T / 216.7
//! ```
//!
//! *Symbols.* f: frequency, GHz; p: pressure of dry air, hPa; e: partial pressure of water vapour, hPa; T: temperature, K; rho:
//! water vapour, g/m3; `f_i`: centre of a line, GHz; S, F, D, delta: strength, shape, width and interference of a line; `N_D`: the
//! dry continuum.
//!
//! *Assumptions.* One homogeneous air along a link of street length. 1 to 1000 GHz.
//!
//! *Source.* Recommendation ITU-R P.676-12, Annex 1. The lines stand in `env/data/p676_lines.csv`, written by
//! `env/data/p676_lines.py`.

use crate::invalid::{Invalid, between};
use serde::{Deserialize, Serialize};

const LINES: &str = include_str!("../../data/p676_lines.csv");

/// The air.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atmosphere {
    /// Pressure of the dry part, hPa.
    pub dry_pressure_hpa: f64,
    /// Temperature, K.
    pub temperature_k: f64,
    /// Water vapour, g/m3.
    pub vapour_g_per_m3: f64,
}

impl Default for Atmosphere {
    /// A mild day at sea level: 1013.25 hPa, 15 degrees Celsius, 7.5 g/m3.
    fn default() -> Self {
        Self { dry_pressure_hpa: 1013.25, temperature_k: 288.15, vapour_g_per_m3: 7.5 }
    }
}

/// `[radio.atmosphere]`: the air, where it is not a mild day at sea level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtmosphereConfig {
    /// Pressure of dry air in hPa, 100 to 1200 (1013.25).
    pub dry_pressure_hpa: f64,
    /// Temperature in degrees Celsius, -60 to 60 (15).
    pub temperature_c: f64,
    /// Water vapour in g/m3, 0 to 60 (7.5).
    pub vapour_g_per_m3: f64,
}

impl AtmosphereConfig {
    /// Checks the numbers and converts to kelvin.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str) -> Result<Atmosphere, Invalid> {
        Ok(Atmosphere {
            dry_pressure_hpa: between(table, "dry_pressure_hpa", self.dry_pressure_hpa, 100.0, 1200.0)?,
            temperature_k: 273.15 + between(table, "temperature_c", self.temperature_c, -60.0, 60.0)?,
            vapour_g_per_m3: between(table, "vapour_g_per_m3", self.vapour_g_per_m3, 0.0, 60.0)?,
        })
    }
}

/// Specific attenuation of the two gases, dB/km.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Absorption {
    /// Oxygen, with the dry continuum.
    pub oxygen_db_per_km: f64,
    /// Water vapour.
    pub water_db_per_km: f64,
}

impl Absorption {
    /// Both gases.
    pub fn total_db_per_km(self) -> f64 {
        self.oxygen_db_per_km + self.water_db_per_km
    }
}

/// Attenuation at a carrier. Takes some microseconds: once for a scenario, not once for a link.
///
/// # Errors
/// A carrier outside 1 to 1000 GHz; `table` is the path of its table in messages.
pub fn absorption(table: &str, carrier_hz: f64, air: Atmosphere) -> Result<Absorption, Invalid> {
    let f = between(table, "carrier_ghz", carrier_hz / 1e9, 1.0, 1000.0)?;
    let p = air.dry_pressure_hpa;
    let theta = 300.0 / air.temperature_k;
    let e = air.vapour_g_per_m3 * air.temperature_k / 216.7;
    let (mut oxygen, mut water) = (0.0, 0.0);
    for line in LINES.lines().skip(1) {
        let mut values = line.split(',');
        let gas = values.next();
        let mut numbers = [0.0; 7];
        for (number, text) in numbers.iter_mut().zip(values) {
            *number = text.parse().expect("the table of lines is part of the program");
        }
        let [centre, c1, c2, c3, c4, c5, c6] = numbers;
        if gas == Some("oxygen") {
            let strength = c1 * 1e-7 * p * theta * theta * theta * libm::exp(c2 * (1.0 - theta));
            let width = c3 * 1e-4 * (p * libm::pow(theta, 0.8 - c4) + 1.1 * e * theta);
            let width = (width * width + 2.25e-6).sqrt();
            let delta = (c5 + c6 * theta) * 1e-4 * (p + e) * libm::pow(theta, 0.8);
            oxygen += strength * shape(f, centre, width, delta);
        } else {
            let strength = c1 * 0.1 * e * libm::pow(theta, 3.5) * libm::exp(c2 * (1.0 - theta));
            let width = c3 * 1e-4 * (p * libm::pow(theta, c4) + c5 * e * libm::pow(theta, c6));
            let width = 0.535 * width + (0.217 * width * width + 2.1316e-12 * centre * centre / theta).sqrt();
            water += strength * shape(f, centre, width, 0.0);
        }
    }
    let d = 5.6e-4 * (p + e) * libm::pow(theta, 0.8);
    let continuum = f
        * p
        * theta
        * theta
        * (6.14e-5 / (d * (1.0 + (f / d) * (f / d)))
            + 1.4e-12 * p * libm::pow(theta, 1.5) / (1.0 + 1.9e-5 * libm::pow(f, 1.5)));
    Ok(Absorption {
        oxygen_db_per_km: 0.1820 * f * (oxygen + continuum),
        water_db_per_km: 0.1820 * f * water,
    })
}

/// The shape of a line at `centre`, of a width and an interference, at `f`.
fn shape(f: f64, centre: f64, width: f64, delta: f64) -> f64 {
    let side = |offset: f64| (width - delta * offset) / (offset * offset + width * width);
    f / centre * (side(centre - f) + side(centre + f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::Table;

    #[test]
    fn both_gases_are_met_within_a_thousandth_at_every_row_of_the_reference() {
        let table = Table::open("itu_p676_gamma.csv");
        let mut num_rows = 0;
        for row in table.rows() {
            let air = Atmosphere {
                dry_pressure_hpa: row.number("pressure_hpa_dry"),
                temperature_k: row.number("temp_k"),
                vapour_g_per_m3: row.number("rho_g_m3"),
            };
            let gamma = absorption("radio", row.number("freq_ghz") * 1e9, air).unwrap();
            for (ours, column) in [
                (gamma.oxygen_db_per_km, "gamma_oxygen_db_km"),
                (gamma.water_db_per_km, "gamma_water_db_km"),
                (gamma.total_db_per_km(), "gamma_total_db_km"),
            ] {
                let theirs = row.number(column);
                assert!((ours - theirs).abs() <= 1e-3 * theirs, "{ours} {theirs} {row:?}");
            }
            num_rows += 1;
        }
        assert_eq!(num_rows, 27);
    }

    #[test]
    fn a_mild_day_takes_what_the_specification_says() {
        for (ghz, db_per_km) in
            [(60.0, 14.78), (100.0, 0.458), (140.0, 0.923), (220.0, 2.487), (300.0, 5.247)]
        {
            let gamma = absorption("radio", ghz * 1e9, Atmosphere::default()).unwrap().total_db_per_km();
            assert!((gamma / db_per_km - 1.0).abs() < 2e-3, "{ghz} GHz: {gamma}");
        }
    }

    #[test]
    fn all_44_lines_of_oxygen_and_35_of_water_are_there() {
        let count = |gas: &str| LINES.lines().filter(|line| line.starts_with(gas)).count();
        assert_eq!((count("oxygen"), count("water")), (44, 35));
    }

    #[test]
    fn what_the_recommendation_does_not_cover_is_refused() {
        let air = AtmosphereConfig { dry_pressure_hpa: 1013.25, temperature_c: 15.0, vapour_g_per_m3: -1.0 };
        let error = air.validate("radio.atmosphere").unwrap_err().to_string();
        assert_eq!(error, "radio.atmosphere.vapour_g_per_m3 = -1.0: a number from 0.0 to 60.0");
        let error = absorption("radio.band", 0.5e9, Atmosphere::default()).unwrap_err().to_string();
        assert_eq!(error, "radio.band.carrier_ghz = 0.5: a number from 1.0 to 1000.0");
    }
}
