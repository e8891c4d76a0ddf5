//! From gains to bits per second.
//!
//! *Models.* The budget of a link in both directions, with interference of the other cells.
//!
//! *Equation.*
//!
//! ```text
//! rate = share B min(cap, efficiency E[log2(1 + SINR / gap)])                      edition 1
//! rate = share B efficiency E[min(cap, log2(1 + SINR / gap))]                      edition 2
//! downlink SINR = P_BS g / (N0_device B + load P_BS sum of g of the other cells)
//! uplink   SINR = P_device g / (N0_BS B rise)
//! ```
//!
//! *Symbols.* g: gain of a link, antennas included; B: bandwidth, Hz; share: part of the time; P: power, W; N0: noise with its
//! figure, W/Hz; load: part of the time that another cell transmits; rise: interference over thermal noise; gap: what codes lose
//! against Shannon; cap: bit/s/Hz of the highest modulation; efficiency: what pilots and control leave, of each direction; E: mean
//! over the fading within a slot.
//!
//! *Assumptions.* Users share time, so each transmits with full bandwidth and power. Interference does not fade and counts with
//! the full gain. The uplink's margin stands for users of other cells (ours). In edition 2 the modulation follows the fading within
//! a slot, so that good moments do not make up for the cap: Rayleigh fading at 25 dB carries 6.75 bit/s/Hz and not the cap's 7.40.
//!
//! *Source.* Goldsmith, "Wireless Communications", section 4.2; cap: 3GPP TS 38.214, Table 5.1.3.1-2 (256-QAM, rate 948/1024: 7.4
//! bit/s/Hz); efficiency: overheads of TS 38.306, section 4.1.2 (0.14 to 0.18).

use crate::edition::Edition;
use crate::invalid::{Invalid, between};
use crate::radio::band::Band;
use crate::radio::fading::ergodic::ErgodicRate;
use crate::units::Decibel;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `[radio.link]`: what codes and other cells cost; every number has a default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    /// What codes lose against Shannon in dB, 0 to 20 (3).
    pub gap_db: f64,
    /// The most bits per second and hertz, 0.001 to 100 (7.4).
    pub cap_bit_per_s_per_hz: f64,
    /// The part that pilots and control leave, 0 to 1 (0.85).
    pub efficiency_ratio: f64,
    /// The same of the uplink, where it is another one.
    pub uplink_efficiency_ratio: Option<f64>,
    /// The part of the time that each other cell transmits, 0 to 1 (0.5).
    pub load_ratio: f64,
    /// Interference over thermal noise at base stations in dB, 0 to 40 (3).
    pub interference_over_thermal_db: f64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            gap_db: 3.0,
            cap_bit_per_s_per_hz: 7.4,
            efficiency_ratio: 0.85,
            uplink_efficiency_ratio: None,
            load_ratio: 0.5,
            interference_over_thermal_db: 3.0,
        }
    }
}

impl LinkConfig {
    /// Checks the numbers and puts them together with a band, by the law of an edition.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str, band: &Band, edition: Edition) -> Result<LinkBudget, Invalid> {
        let gap = Decibel(between(table, "gap_db", self.gap_db, 0.0, 20.0)?);
        let load_ratio = between(table, "load_ratio", self.load_ratio, 0.0, 1.0)?;
        let rise_db = self.interference_over_thermal_db;
        let rise = Decibel(between(table, "interference_over_thermal_db", rise_db, 0.0, 40.0)?);
        let base_power_w = band.base.power.to_w();
        let downlink_noise_w = band.device.noise_w_per_hz() * band.bandwidth_hz;
        let uplink_noise_w = band.base.noise_w_per_hz() * band.bandwidth_hz * rise.to_linear();
        let cap = between(table, "cap_bit_per_s_per_hz", self.cap_bit_per_s_per_hz, 1e-3, 100.0)?;
        let down = between(table, "efficiency_ratio", self.efficiency_ratio, 0.0, 1.0)?;
        let up = self.uplink_efficiency_ratio.unwrap_or(down);
        Ok(LinkBudget {
            bandwidth_hz: band.bandwidth_hz,
            antennas: band.base.gain + band.device.gain,
            downlink_snr_per_gain: base_power_w / downlink_noise_w,
            interference_per_gain: load_ratio * base_power_w / downlink_noise_w,
            uplink_snr_per_gain: band.device.power.to_w() / uplink_noise_w,
            per_gap: (-gap).to_linear(),
            mean_cap: edition.pick(cap, f64::INFINITY),
            spectral: match edition {
                Edition::First => Arc::clone(ErgodicRate::shared()),
                Edition::Second => Arc::new(ErgodicRate::capped(cap)),
            },
            downlink_efficiency: down,
            uplink_efficiency: between(table, "uplink_efficiency_ratio", up, 0.0, 1.0)?,
        })
    }
}

/// The effect of fading on a signal-to-interference ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fade {
    /// The mean over a Rician channel of this straight share.
    Mean {
        /// K / (K + 1); 0 for Rayleigh.
        straight_share: f64,
    },
    /// This power, mean 1, now.
    Instant {
        /// Power of the fading.
        power: f64,
    },
}

/// The budget of all links of a band.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkBudget {
    bandwidth_hz: f64,
    /// Gain of both antennas.
    pub antennas: Decibel,
    downlink_snr_per_gain: f64,
    interference_per_gain: f64,
    uplink_snr_per_gain: f64,
    per_gap: f64,
    /// The most that is carried on average, bit/s/Hz.
    mean_cap: f64,
    /// What is carried before any efficiency, with the most that is carried at an instant.
    spectral: Arc<ErgodicRate>,
    /// The part that is left of the downlink.
    pub downlink_efficiency: f64,
    /// The part that is left of the uplink.
    pub uplink_efficiency: f64,
}

impl LinkBudget {
    /// Signal over noise and interference at the device, linear. Gains are linear, antennas included.
    pub fn downlink_sinr(&self, gain: f64, gain_of_others: f64) -> f64 {
        self.downlink_snr_per_gain * gain / (1.0 + self.interference_per_gain * gain_of_others)
    }

    /// Signal over noise and interference at the base station, linear.
    pub fn uplink_sinr(&self, gain: f64) -> f64 {
        self.uplink_snr_per_gain * gain
    }

    /// Bits per second in a part of the time, of a direction with this efficiency.
    pub fn rate_bits_per_s(&self, sinr: f64, efficiency: f64, fade: Fade, time_share: f64) -> f64 {
        let coded = sinr * self.per_gap;
        let carried = match fade {
            Fade::Mean { straight_share } => self.spectral.log2_mean(coded, straight_share),
            Fade::Instant { power } => libm::log2(1.0 + coded * power).min(self.spectral.cap),
        };
        time_share * self.bandwidth_hz * (efficiency * carried).min(self.mean_cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::band::BandName;

    fn budget(config: LinkConfig) -> LinkBudget {
        config.validate("radio.link", &BandName::Millimetre.band(), Edition::First).unwrap()
    }

    #[test]
    fn a_link_at_28_ghz_has_the_budget_that_one_adds_up_by_hand() {
        let budget = budget(LinkConfig::default());
        // 33 dBm + 37 dB of antennas - 120 dB = -50 dBm over -77.98 dBm of noise.
        let gain = (budget.antennas - Decibel(120.0)).to_linear();
        let snr = Decibel::from_linear(budget.downlink_sinr(gain, 0.0));
        assert!((snr.0 - 27.979_4).abs() < 1e-4);
        // 23 + 37 - 120 = -60 dBm over -174 + 7 + 86.02 + 3 = -77.98 dBm.
        let snr = Decibel::from_linear(budget.uplink_sinr(gain));
        assert!((snr.0 - 17.979_4).abs() < 1e-4);
    }

    #[test]
    fn another_cell_as_strong_as_ones_own_leaves_one_over_the_load() {
        let strong = Decibel(-60.0).to_linear();
        let sinr = budget(LinkConfig::default()).downlink_sinr(strong, strong);
        assert!((sinr - 2.0).abs() < 1e-3, "{sinr}");
        let idle = budget(LinkConfig { load_ratio: 0.0, ..LinkConfig::default() });
        assert_eq!(idle.downlink_sinr(strong, strong), idle.downlink_sinr(strong, 0.0));
    }

    #[test]
    fn a_rate_is_shannons_less_gap_and_overhead_up_to_the_cap() {
        let budget = budget(LinkConfig { gap_db: 0.0, efficiency_ratio: 0.5, ..LinkConfig::default() });
        let straight = Fade::Instant { power: 1.0 };
        // log2(1 + 7) = 3; half of it, of 400 MHz, in a quarter of the time.
        assert_eq!(budget.rate_bits_per_s(7.0, 0.5, straight, 0.25), 0.25 * 400e6 * 1.5);
        assert_eq!(budget.rate_bits_per_s(1e9, 0.5, straight, 1.0), 400e6 * 7.4);
        let rayleigh = budget.rate_bits_per_s(7.0, 0.5, Fade::Mean { straight_share: 0.0 }, 0.25);
        // exp(1/7) E1(1/7) / ln 2 = 2.52.
        assert!((rayleigh / (0.25 * 400e6 * 0.5) - 2.52).abs() < 0.05, "{rayleigh}");
    }

    #[test]
    fn in_the_second_edition_good_moments_do_not_make_up_for_the_cap() {
        let config = LinkConfig {
            gap_db: 0.0,
            efficiency_ratio: 0.5,
            uplink_efficiency_ratio: Some(0.2),
            ..LinkConfig::default()
        };
        let [first, second] = [Edition::First, Edition::Second]
            .map(|edition| config.validate("radio.link", &BandName::Millimetre.band(), edition).unwrap());
        let (sinr, rayleigh) = (Decibel(25.0).to_linear(), Fade::Mean { straight_share: 0.0 });
        // exp(1/g) (E1(1/g) - E1(2^7.4 / g)) / ln 2 = 6.75 with g = 316.2; without the cap 7.50.
        let [before, after] = [&first, &second].map(|link| link.rate_bits_per_s(sinr, 1.0, rayleigh, 1.0));
        assert!((before / 400e6 - 7.40).abs() < 0.005, "{before}");
        assert!((after / 400e6 - 6.75).abs() < 0.01, "{after}");
        // At an instant the cap is one of what is carried, before the efficiency: .2 x 7.4 and not .2 log2(1 + 1e9).
        let straight = Fade::Instant { power: 1.0 };
        assert_eq!((second.downlink_efficiency, second.uplink_efficiency), (0.5, 0.2));
        let rate = second.rate_bits_per_s(1e9, second.uplink_efficiency, straight, 1.0);
        assert!((rate / 400e6 - 0.2 * 7.4).abs() < 1e-12);
        // No fade, no difference, but for the table: 17 shares and 8 signals to the octave.
        let still = Fade::Mean { straight_share: 1.0 };
        assert!((second.rate_bits_per_s(7.0, 1.0, still, 1.0) / 400e6 - 3.0).abs() < 0.01);
        assert!((second.rate_bits_per_s(1e9, 1.0, still, 1.0) / 400e6 - 7.4).abs() < 1e-5);
    }

    #[test]
    fn a_load_above_1_is_refused() {
        let config = LinkConfig { load_ratio: 1.5, ..LinkConfig::default() };
        let error =
            config.validate("radio.link", &BandName::Fr3.band(), Edition::First).unwrap_err().to_string();
        assert_eq!(error, "radio.link.load_ratio = 1.5: a number from 0.0 to 1.0");
    }
}
