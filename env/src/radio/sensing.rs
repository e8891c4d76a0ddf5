//! Integrated sensing and communication: what the base station sees of a user by its own echo.
//!
//! *Models.* A part of the time goes to sensing; the echo tells the range, the better the stronger it is, and helps perception.
//!
//! *Equation.*
//!
//! ```text
//! SNR_s = phi T_cpi P G_t G_r lambda^2 sigma_rcs / ((4 pi)^3 d^4 N0)
//! 1 / SCNR = 1 / SNR_s + 1 / SCR                  SCR infinite in edition 1; sigma_rcs times 5 + 4 N(0,1) dB a m2 in edition 2
//! sigma_r = c / (4 pi B_rms sqrt(2 SCNR))         B_rms = B / sqrt(12)
//! q_s = share exp(-sigma_r / sigma_0), 0 without a line of sight or when blocked      share: 1, .12 in edition 2
//! q_perception = 1 - (1 - q_modality) (1 - q_s)
//! ```
//!
//! *Symbols.* phi: share of the time for sensing (communication keeps 1 - phi); `T_cpi`: coherent processing interval, s; P: power
//! of the base station, W; `G_t`, `G_r`: its antenna gain, out and back; lambda: wavelength, m; `sigma_rcs`: radar cross section, m2; d:
//! distance in space, m; N0: noise of the base station, W/Hz; `sigma_r`: range error (Cramer-Rao), m; B: bandwidth, Hz; `sigma_0`: range
//! error that matters, m; SCR: signal to clutter; share: what a perfect radar closes of the gap between a sensor and everything; q:
//! quality, 0 to 1.
//!
//! *Assumptions.* One echo, no self-interference. How the two qualities add up, and `sigma_0`, are ours. In edition 2 (ours, where
//! no source is named): what stands around a person echoes -5 dBsm (33 m2 of a street at -20 dB, the resolution cell at 100 m and 100
//! MHz), drawn anew for every cell and every piece of the user's way as long as a shadow's decorrelation distance; more power helps
//! against noise and not against clutter. A look lasts at least 50 ms at 7 GHz, and as many waves elsewhere, whatever is typed: 10 ms
//! tell 2.1 m/s apart, so that nobody who walks stands out from the street.
//!
//! *Source.* Radar equation and bound: Richards, "Fundamentals of Radar Signal Processing", sections 2.2 and 7.2. Modalities: Girdhar
//! et al., `ImageBind`, arXiv 2305.05665, as used by Xu et al., arXiv 2403.05826. SCR as a ratio of cross sections: Richards, section
//! 2.3.2. Share: radar beside cameras, Lin et al., `RCBEVDet`, arXiv 2403.16440: 51.9 to 56.8, 54.5 to 60.4, 60.5 to 63.9 and 63.6 to
//! 68.7 NDS on nuScenes, 9 to 14 % of what is missing to 100.

use crate::edition::Edition;
use crate::invalid::{Invalid, between};
use crate::radio::band::Band;
use crate::radio::normal::standard_normal;
use crate::units::{Decibel, SPEED_OF_LIGHT_M_PER_S};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// What a service perceives the world with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Still images.
    Image,
    /// Moving images.
    Video,
    /// Infrared images.
    Infrared,
    /// Depth images.
    Depth,
    /// Sound.
    Audio,
    /// Acceleration and rotation.
    Imu,
    /// What the user writes: no sensor, nothing to perceive, and nothing but the prompt to send. In the second edition only.
    Text,
}

impl Modality {
    /// All of them, those of sensors first.
    pub const ALL: [Self; 7] =
        [Self::Image, Self::Video, Self::Infrared, Self::Depth, Self::Audio, Self::Imu, Self::Text];

    /// Those of an edition.
    pub(crate) fn of_edition(edition: Edition) -> &'static [Self] {
        edition.pick(&Self::ALL[..Self::Text as usize], &Self::ALL)
    }

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Infrared => "infrared",
            Self::Depth => "depth",
            Self::Audio => "audio",
            Self::Imu => "imu",
            Self::Text => "text",
        }
    }

    /// The share of the surroundings that is perceived without the base station's help, 0 to 1.
    pub const fn quality(self) -> f64 {
        match self {
            Self::Image => 0.777,
            Self::Video => 0.500,
            Self::Infrared => 0.634,
            Self::Depth => 0.540,
            Self::Audio => 0.669,
            Self::Imu => 0.250,
            Self::Text => 1.0,
        }
    }
}

/// `[radio.sensing]`: base stations sense; they do not when the table is absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensingConfig {
    /// Share of the time for sensing, 0 to 1, below 1; communication keeps the rest.
    pub time_ratio: f64,
    /// Coherent processing interval in ms, 0.001 to 1000; in edition 2 at least 50 at 7 GHz, in proportion to the wavelength.
    pub processing_interval_ms: f64,
    /// Radar cross section of a user in m2, 1e-6 to 1000 (1 for a person).
    pub cross_section_m2: f64,
    /// Range error at which the quality has fallen to 1/e, in m, 1e-6 to 1000.
    pub range_error_m: f64,
}

/// What a perfect radar closes of the gap between a sensor and everything, in the second edition.
const RADAR_SHARE: f64 = 0.12;
/// Mean and standard deviation of the ratio of a cross section of 1 m2 to the clutter around it.
const CLUTTER: [Decibel; 2] = [Decibel(5.0), Decibel(4.0)];
/// The shortest look in waves of the carrier: 50 ms at 7 GHz.
const LEAST_WAVES: f64 = 0.05 * 7e9;

impl SensingConfig {
    /// Checks the numbers and puts them together with a band, by the law of an edition.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str, band: &Band, edition: Edition) -> Result<Sensing, Invalid> {
        let time_ratio = between(table, "time_ratio", self.time_ratio, 0.0, 0.999)?;
        let interval_s =
            1e-3 * between(table, "processing_interval_ms", self.processing_interval_ms, 1e-3, 1000.0)?;
        let interval_s = interval_s.max(edition.pick(0.0, LEAST_WAVES / band.carrier_hz));
        let cross_section_m2 = between(table, "cross_section_m2", self.cross_section_m2, 1e-6, 1000.0)?;
        let wavelength_m = SPEED_OF_LIGHT_M_PER_S / band.carrier_hz;
        let gain = band.base.gain.to_linear();
        let four_pi = 4.0 * std::f64::consts::PI;
        let energy_j = time_ratio * interval_s * band.base.power.to_w();
        let spread = four_pi * four_pi * four_pi * band.base.noise_w_per_hz();
        let rms_bandwidth_hz = band.bandwidth_hz / 12.0_f64.sqrt();
        Ok(Sensing {
            time_ratio,
            snr_at_1_m: energy_j * gain * gain * wavelength_m * wavelength_m * cross_section_m2 / spread,
            range_error_at_snr_1_m: SPEED_OF_LIGHT_M_PER_S / (four_pi * rms_bandwidth_hz * 2.0_f64.sqrt()),
            tolerance_m: between(table, "range_error_m", self.range_error_m, 1e-6, 1000.0)?,
            share: edition.pick(1.0, RADAR_SHARE),
            signal_to_clutter: edition.pick(None, Some(CLUTTER[0] + Decibel::from_linear(cross_section_m2))),
        })
    }
}

/// Ready to sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensing {
    time_ratio: f64,
    snr_at_1_m: f64,
    range_error_at_snr_1_m: f64,
    tolerance_m: f64,
    share: f64,
    /// On average; without clutter where absent.
    signal_to_clutter: Option<Decibel>,
}

impl Sensing {
    /// Share of the time that is left for communication.
    pub fn communication_share(&self) -> f64 {
        1.0 - self.time_ratio
    }

    /// Signal-to-noise ratio of the echo from a distance in space, linear.
    pub fn snr(&self, distance_m: f64) -> f64 {
        let square = distance_m * distance_m;
        self.snr_at_1_m / (square * square)
    }

    /// The power of the clutter over that of the echo, linear; `rng` is asked where there is clutter.
    pub fn draw_clutter<R: Rng>(&self, rng: impl FnOnce() -> R) -> f64 {
        self.signal_to_clutter.map_or(0.0, |mean| {
            let deviation = Decibel(CLUTTER[1].0 * standard_normal(&mut rng()));
            (-(mean + deviation)).to_linear()
        })
    }

    /// The power of the clutter over that of the echo in the median, linear.
    pub fn median_clutter(&self) -> f64 {
        self.signal_to_clutter.map_or(0.0, |mean| 1.0 / mean.to_linear())
    }

    /// Standard deviation of the range with some clutter, m; infinite without time for sensing.
    pub fn range_error_m(&self, distance_m: f64, clutter: f64) -> f64 {
        let snr = self.snr(distance_m);
        self.range_error_at_snr_1_m / (snr / (1.0 + snr * clutter)).sqrt()
    }

    /// Quality of sensing a user in a clear view, 0 to 1.
    pub fn quality(&self, distance_m: f64, clutter: f64) -> f64 {
        self.share * libm::exp(-self.range_error_m(distance_m, clutter) / self.tolerance_m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::quality::perception_quality;
    use crate::radio::band::BandName;
    use crate::radio::reference_tests::{mean, variance};
    use crate::random::{Purpose, Seed, Stream};

    fn config() -> SensingConfig {
        SensingConfig {
            time_ratio: 0.1,
            processing_interval_ms: 1.0,
            cross_section_m2: 1.0,
            range_error_m: 0.1,
        }
    }

    fn sensing(config: SensingConfig) -> Sensing {
        config.validate("radio.sensing", &BandName::Millimetre.band(), Edition::First).unwrap()
    }

    #[test]
    fn the_echo_of_a_person_at_100_m_is_what_one_adds_up_by_hand() {
        // In dB: -10 (time) - 30 (1 ms) + 3 (33 dBm) + 52 (antennas) - 39.407 (lambda^2) + 0 - 32.976 ((4 pi)^3) - 80 (d^4)
        // + 197 (N0 of -174 + 7 dBm/Hz) = 59.617.
        let snr = Decibel::from_linear(sensing(config()).snr(100.0));
        assert!((snr.0 - 59.617).abs() < 2e-3, "{snr:?}");
        // 299,792,458 / (4 pi 115.47 MHz sqrt(2)) / sqrt(10^5.9617) = 0.14609 / 956.7 m.
        let error_m = sensing(config()).range_error_m(100.0, 0.0);
        assert!((error_m - 1.527e-4).abs() < 1e-6, "{error_m}");
    }

    #[test]
    fn twice_the_distance_is_four_times_the_error() {
        let sensing = sensing(config());
        assert!((sensing.range_error_m(80.0, 0.0) / sensing.range_error_m(40.0, 0.0) - 4.0).abs() < 1e-12);
        assert!(sensing.quality(40.0, 0.0) > sensing.quality(400.0, 0.0));
    }

    /// As `street` has it: 100 MHz at 7 GHz, a metre matters.
    fn second() -> Sensing {
        let config = SensingConfig { range_error_m: 1.0, ..config() };
        let band = Band { bandwidth_hz: 100e6, ..BandName::Fr3.band() };
        config.validate("radio.sensing", &band, Edition::Second).unwrap()
    }

    #[test]
    fn in_the_second_edition_clutter_bounds_what_a_radar_sees_and_it_closes_a_tenth_of_the_gap() {
        // 299,792,458 / (4 pi 28.868 MHz sqrt(2)) = .5844 m at a ratio of 1; over sqrt(3.1623) at 5 dB: .3286 m.
        let clutter = Decibel(-5.0).to_linear();
        let error_m = second().range_error_m(20.0, clutter);
        assert!((error_m - 0.328_6).abs() < 1e-3, "{error_m}");
        assert!((second().quality(20.0, clutter) - 0.12 * (-0.3286_f64).exp()).abs() < 1e-4);
        // 1 / SCNR = 1 / SNR + 1 / SCR.
        let ratio = 1.0 / (1.0 / second().snr(300.0) + clutter);
        assert!((second().range_error_m(300.0, clutter) - 0.5844 / ratio.sqrt()).abs() < 1e-4);
        // A perfect view closes 12 %: of a camera's 22.3 %, 2.7.
        assert!((second().quality(1.0, 0.0) - 0.12).abs() < 1e-4);
        assert!((perception_quality(0.777, 0.12) - 0.803_76).abs() < 1e-9);
    }

    #[test]
    fn looks_of_the_second_edition_last_fifty_milliseconds_at_7_ghz() {
        let at = |interval_ms, edition| {
            let config = SensingConfig { processing_interval_ms: interval_ms, ..config() };
            config.validate("radio.sensing", &BandName::Fr3.band(), edition).unwrap().snr(100.0)
        };
        let ratio = |ms| at(ms, Edition::Second) / at(ms, Edition::First);
        assert!((ratio(10.0) - 5.0).abs() < 1e-12 && (ratio(60.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn clutter_has_its_mean_and_spread_and_grows_less_important_with_the_cross_section() {
        let mut rng = Seed::new(Purpose::Test, 9).stream(Stream::Clutter);
        let drawn: Vec<f64> =
            (0..10_000).map(|_| -Decibel::from_linear(second().draw_clutter(|| &mut rng)).0).collect();
        // Five standard errors: 5 * 4 / 100 = .2; of the variance, 5 sqrt(2 / 10,000) = 7 %.
        assert!((mean(&drawn) - 5.0).abs() < 0.2 && (variance(&drawn) / 16.0 - 1.0).abs() < 0.07);
        let config = SensingConfig { cross_section_m2: 10.0, ..config() };
        let large = config.validate("radio.sensing", &BandName::Fr3.band(), Edition::Second).unwrap();
        let ratio =
            |sensing: Sensing| sensing.draw_clutter(|| Seed::new(Purpose::Test, 9).stream(Stream::Clutter));
        assert!((ratio(second()) / ratio(large) - 10.0).abs() < 1e-9);
        assert_eq!(sensing(config).draw_clutter(|| -> crate::random::SimRng { panic!("not asked") }), 0.0);
    }

    #[test]
    fn without_time_for_sensing_nothing_is_seen() {
        let blind = sensing(SensingConfig { time_ratio: 0.0, ..config() });
        assert_eq!(blind.quality(10.0, 0.0), 0.0);
        assert_eq!(blind.communication_share(), 1.0);
    }

    #[test]
    fn perception_is_the_modality_or_the_echo() {
        assert_eq!(perception_quality(Modality::Image.quality(), 0.0), 0.777);
        assert_eq!(perception_quality(Modality::Imu.quality(), 1.0), 1.0);
        assert!((perception_quality(Modality::Video.quality(), 0.5) - 0.75).abs() < 1e-15);
        for &modality in Modality::of_edition(Edition::First) {
            assert!(perception_quality(modality.quality(), 0.3) > modality.quality());
        }
        assert_eq!(perception_quality(Modality::Text.quality(), 0.1), 1.0, "there is nothing to perceive");
    }

    #[test]
    fn a_station_that_only_senses_is_refused() {
        let config = SensingConfig { time_ratio: 1.0, ..config() };
        let error =
            config.validate("radio.sensing", &BandName::Fr3.band(), Edition::First).unwrap_err().to_string();
        assert_eq!(error, "radio.sensing.time_ratio = 1.0: a number from 0.0 to 0.999");
    }
}
