//! Integrated sensing and communication: what the base station sees of a user by its own echo.
//!
//! *Models.* A part of the time goes to sensing; the echo tells the range, the better the stronger it is, and helps perception.
//!
//! *Equation.*
//!
//! ```text
//! SNR_s = phi T_cpi P G_t G_r lambda^2 sigma_rcs / ((4 pi)^3 d^4 N0)
//! sigma_r = c / (4 pi B_rms sqrt(2 SNR_s))        B_rms = B / sqrt(12)
//! q_s = exp(-sigma_r / sigma_0), 0 without a line of sight or when blocked
//! q_perception = 1 - (1 - q_modality) (1 - q_s)
//! ```
//!
//! *Symbols.* phi: share of the time for sensing (communication keeps 1 - phi); `T_cpi`: coherent processing interval, s; P: power
//! of the base station, W; `G_t`, `G_r`: its antenna gain, out and back; lambda: wavelength, m; `sigma_rcs`: radar cross section, m2; d:
//! distance in space, m; N0: noise of the base station, W/Hz; `sigma_r`: range error (Cramer-Rao), m; B: bandwidth, Hz; `sigma_0`: range
//! error that matters, m; q: quality, 0 to 1.
//!
//! *Assumptions.* One echo, no clutter, no self-interference. How the two qualities add up, and `sigma_0`, are ours.
//!
//! *Source.* Radar equation and bound: Richards, "Fundamentals of Radar Signal Processing", sections 2.2 and 7.2. Modalities: Girdhar
//! et al., `ImageBind`, arXiv 2305.05665, as used by Xu et al., arXiv 2403.05826.

use crate::invalid::{Invalid, between};
use crate::radio::band::Band;
use crate::units::SPEED_OF_LIGHT_M_PER_S;
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
}

impl Modality {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Image, Self::Video, Self::Infrared, Self::Depth, Self::Audio, Self::Imu];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Infrared => "infrared",
            Self::Depth => "depth",
            Self::Audio => "audio",
            Self::Imu => "imu",
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
        }
    }
}

/// `[radio.sensing]`: base stations sense; they do not when the table is absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensingConfig {
    /// Share of the time for sensing, 0 to 1, below 1; communication keeps the rest.
    pub time_ratio: f64,
    /// Coherent processing interval in ms, 0.001 to 1000.
    pub processing_interval_ms: f64,
    /// Radar cross section of a user in m2, 1e-6 to 1000 (1 for a person).
    pub cross_section_m2: f64,
    /// Range error at which the quality has fallen to 1/e, in m, 1e-6 to 1000.
    pub range_error_m: f64,
}

impl SensingConfig {
    /// Checks the numbers and puts them together with a band.
    ///
    /// # Errors
    /// The first number out of its range.
    pub fn validate(&self, table: &str, band: &Band) -> Result<Sensing, Invalid> {
        let time_ratio = between(table, "time_ratio", self.time_ratio, 0.0, 0.999)?;
        let interval_s =
            1e-3 * between(table, "processing_interval_ms", self.processing_interval_ms, 1e-3, 1000.0)?;
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

    /// Standard deviation of the range, m; infinite without time for sensing.
    pub fn range_error_m(&self, distance_m: f64) -> f64 {
        self.range_error_at_snr_1_m / self.snr(distance_m).sqrt()
    }

    /// Quality of sensing, 0 to 1; `is_clear`: a line of sight, and nobody in it.
    pub fn quality(&self, distance_m: f64, is_clear: bool) -> f64 {
        if is_clear { libm::exp(-self.range_error_m(distance_m) / self.tolerance_m) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::quality::perception_quality;
    use crate::radio::band::BandName;
    use crate::units::Decibel;

    fn config() -> SensingConfig {
        SensingConfig {
            time_ratio: 0.1,
            processing_interval_ms: 1.0,
            cross_section_m2: 1.0,
            range_error_m: 0.1,
        }
    }

    fn sensing(config: SensingConfig) -> Sensing {
        config.validate("radio.sensing", &BandName::Millimetre.band()).unwrap()
    }

    #[test]
    fn the_echo_of_a_person_at_100_m_is_what_one_adds_up_by_hand() {
        // In dB: -10 (time) - 30 (1 ms) + 3 (33 dBm) + 52 (antennas) - 39.407 (lambda^2) + 0 - 32.976 ((4 pi)^3) - 80 (d^4)
        // + 197 (N0 of -174 + 7 dBm/Hz) = 59.617.
        let snr = Decibel::from_linear(sensing(config()).snr(100.0));
        assert!((snr.0 - 59.617).abs() < 2e-3, "{snr:?}");
        // 299,792,458 / (4 pi 115.47 MHz sqrt(2)) / sqrt(10^5.9617) = 0.14609 / 956.7 m.
        let error_m = sensing(config()).range_error_m(100.0);
        assert!((error_m - 1.527e-4).abs() < 1e-6, "{error_m}");
    }

    #[test]
    fn twice_the_distance_is_four_times_the_error_and_a_wall_hides_everything() {
        let sensing = sensing(config());
        assert!((sensing.range_error_m(80.0) / sensing.range_error_m(40.0) - 4.0).abs() < 1e-12);
        assert_eq!(sensing.quality(40.0, false), 0.0);
        assert!(sensing.quality(40.0, true) > sensing.quality(400.0, true));
    }

    #[test]
    fn without_time_for_sensing_nothing_is_seen() {
        let blind = sensing(SensingConfig { time_ratio: 0.0, ..config() });
        assert_eq!(blind.quality(10.0, true), 0.0);
        assert_eq!(blind.communication_share(), 1.0);
    }

    #[test]
    fn perception_is_the_modality_or_the_echo() {
        assert_eq!(perception_quality(Modality::Image.quality(), 0.0), 0.777);
        assert_eq!(perception_quality(Modality::Imu.quality(), 1.0), 1.0);
        assert!((perception_quality(Modality::Video.quality(), 0.5) - 0.75).abs() < 1e-15);
        for modality in Modality::ALL {
            assert!(perception_quality(modality.quality(), 0.3) > modality.quality());
        }
    }

    #[test]
    fn a_station_that_only_senses_is_refused() {
        let config = SensingConfig { time_ratio: 1.0, ..config() };
        let error = config.validate("radio.sensing", &BandName::Fr3.band()).unwrap_err().to_string();
        assert_eq!(error, "radio.sensing.time_ratio = 1.0: a number from 0.0 to 0.999");
    }
}
