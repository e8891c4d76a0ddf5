//! Carriers and what transmits on them.
//!
//! *Models.* A carrier, its bandwidth, and power, antenna gain and noise figure of base station and device: three shipped bands.
//!
//! *Equation.* Thermal noise `N0 = -174 dBm/Hz + noise figure`.
//!
//! *Symbols.* All numbers stand in the table below with their units; gains are those of a beam that points at the other end.
//!
//! | | 7 GHz (FR3) | 28 GHz | 140 GHz |
//! |---|---|---|---|
//! | bandwidth, MHz | 200 | 400 | 1000 |
//! | base station: power dBm, gain dBi, noise figure dB | 33, 24, 5 | 33, 26, 7 | 23, 32, 10 |
//! | device: power dBm, gain dBi, noise figure dB | 23, 0, 7 | 23, 11, 10 | 15, 17, 13 |
//!
//! *Assumptions.* Beams always point; each transmits at full power over the whole bandwidth.
//!
//! *Source.* Powers and noise figures at 7 and 28 GHz: Report ITU-R M.2412, Table 5 (dense urban, micro layer; 4 and 30 GHz).
//! Gains: elements of 8 dBi (base station) and 5 dBi (device above 6 GHz) there, times arrays of 40, 64, 256 and 1, 4, 16 of them.
//! Bandwidths: 28 GHz TS 38.104 FR2; 140 GHz Xing, Kanhere, Ju, Rappaport, arXiv 2203.09029; 7 GHz and all other numbers at 140
//! GHz are ours, in the range of published prototypes.

use crate::invalid::{Invalid, between};
use crate::units::{Dbm, Decibel};
use serde::{Deserialize, Serialize};

/// Thermal noise in a hertz at 290 K.
pub const THERMAL_NOISE_DBM_PER_HZ: Dbm = Dbm(-174.0);

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Terminal {
    /// Transmit power.
    pub power: Dbm,
    /// Antenna gain over an isotropic antenna.
    pub gain: Decibel,
    /// Noise figure of the receiver.
    pub noise_figure: Decibel,
}

impl Terminal {
    /// Noise power in a hertz, W.
    pub fn noise_w_per_hz(&self) -> f64 {
        (THERMAL_NOISE_DBM_PER_HZ + self.noise_figure).to_w()
    }
}

/// A carrier and both ends of its links.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Carrier frequency.
    pub carrier_hz: f64,
    /// Bandwidth.
    pub bandwidth_hz: f64,
    /// The base station.
    pub base: Terminal,
    /// The user's device.
    pub device: Terminal,
}

/// A shipped band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BandName {
    /// 7 GHz, FR3.
    #[serde(rename = "7ghz")]
    Fr3,
    /// 28 GHz.
    #[serde(rename = "28ghz")]
    Millimetre,
    /// 140 GHz.
    #[serde(rename = "140ghz")]
    SubTerahertz,
}

impl BandName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fr3, Self::Millimetre, Self::SubTerahertz];

    /// Its numbers.
    pub const fn band(self) -> Band {
        let (carrier_ghz, bandwidth_mhz, base, device) = match self {
            Self::Fr3 => (7.0, 200.0, (33.0, 24.0, 5.0), (23.0, 0.0, 7.0)),
            Self::Millimetre => (28.0, 400.0, (33.0, 26.0, 7.0), (23.0, 11.0, 10.0)),
            Self::SubTerahertz => (140.0, 1000.0, (23.0, 32.0, 10.0), (15.0, 17.0, 13.0)),
        };
        Band {
            carrier_hz: carrier_ghz * 1e9,
            bandwidth_hz: bandwidth_mhz * 1e6,
            base: Terminal { power: Dbm(base.0), gain: Decibel(base.1), noise_figure: Decibel(base.2) },
            device: Terminal {
                power: Dbm(device.0),
                gain: Decibel(device.1),
                noise_figure: Decibel(device.2),
            },
        }
    }
}

/// `[radio.band]`: a shipped band, and what is different here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandConfig {
    /// `7ghz`, `28ghz` or `140ghz`: where the numbers below come from when they are absent.
    pub name: BandName,
    /// Carrier in GHz, 0.5 to 1000.
    pub carrier_ghz: Option<f64>,
    /// Bandwidth in MHz, 0.001 to 100,000.
    pub bandwidth_mhz: Option<f64>,
    /// Transmit power of a base station in dBm, -30 to 60.
    pub base_power_dbm: Option<f64>,
    /// Antenna gain of a base station in dBi, -10 to 60.
    pub base_gain_db: Option<f64>,
    /// Noise figure of a base station in dB, 0 to 30.
    pub base_noise_figure_db: Option<f64>,
    /// Transmit power of a device in dBm, -30 to 60.
    pub device_power_dbm: Option<f64>,
    /// Antenna gain of a device in dBi, -10 to 60.
    pub device_gain_db: Option<f64>,
    /// Noise figure of a device in dB, 0 to 30.
    pub device_noise_figure_db: Option<f64>,
}

impl BandConfig {
    /// A shipped band as it is.
    pub const fn of(name: BandName) -> Self {
        Self {
            name,
            carrier_ghz: None,
            bandwidth_mhz: None,
            base_power_dbm: None,
            base_gain_db: None,
            base_noise_figure_db: None,
            device_power_dbm: None,
            device_gain_db: None,
            device_noise_figure_db: None,
        }
    }

    /// Checks the numbers and converts to SI units.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str) -> Result<Band, Invalid> {
        let default = self.name.band();
        let number = |key: &str, typed: Option<f64>, default: f64, low: f64, high: f64| {
            between(table, key, typed.unwrap_or(default), low, high)
        };
        let terminal = |end: &str, [power, gain, noise]: [Option<f64>; 3], shipped: Terminal| {
            let key = |what: &str| format!("{end}_{what}");
            Ok::<_, Invalid>(Terminal {
                power: Dbm(number(&key("power_dbm"), power, shipped.power.0, -30.0, 60.0)?),
                gain: Decibel(number(&key("gain_db"), gain, shipped.gain.0, -10.0, 60.0)?),
                noise_figure: Decibel(number(
                    &key("noise_figure_db"),
                    noise,
                    shipped.noise_figure.0,
                    0.0,
                    30.0,
                )?),
            })
        };
        let base = [self.base_power_dbm, self.base_gain_db, self.base_noise_figure_db];
        let device = [self.device_power_dbm, self.device_gain_db, self.device_noise_figure_db];
        let bandwidth_mhz = self.bandwidth_mhz.unwrap_or(default.bandwidth_hz / 1e6);
        Ok(Band {
            carrier_hz: 1e9 * number("carrier_ghz", self.carrier_ghz, default.carrier_hz / 1e9, 0.5, 1000.0)?,
            bandwidth_hz: 1e6 * between(table, "bandwidth_mhz", bandwidth_mhz, 1e-3, 1e5)?,
            base: terminal("base", base, default.base)?,
            device: terminal("device", device, default.device)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_bands_are_valid_and_can_be_changed_one_number_at_a_time() {
        for name in BandName::ALL {
            let shipped = BandConfig::of(name);
            assert_eq!(shipped.validate("radio.band").unwrap(), name.band());
            let changed = BandConfig { device_gain_db: Some(3.0), ..shipped }.validate("radio.band").unwrap();
            assert_eq!(changed.device.gain, Decibel(3.0));
            assert_eq!(changed.base, name.band().base);
        }
    }

    #[test]
    fn noise_in_400_mhz_at_a_figure_of_10_db_is_minus_78_dbm() {
        let noise_w = BandName::Millimetre.band().device.noise_w_per_hz() * 400e6;
        // -174 + 10 + 86.02.
        assert!((Dbm::from_w(noise_w).0 + 77.979_4).abs() < 1e-4);
    }

    #[test]
    fn a_power_of_a_kilowatt_is_refused_with_its_key() {
        let config = BandConfig { base_power_dbm: Some(61.0), ..BandConfig::of(BandName::Fr3) };
        let error = config.validate("radio.band").unwrap_err().to_string();
        assert_eq!(error, "radio.band.base_power_dbm = 61.0: a number from -30.0 to 60.0");
    }
}
