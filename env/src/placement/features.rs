//! Task-oriented communication: only what the task needs goes over the air.
//!
//! Models: the device turns sensor data into features and sends a share of their bits; the fewer, the less is understood.
//!
//! Equation:
//! ```text
//! feature_bits = ratio * sensor_bits
//! quality      = 1 - exp(-feature_bits / bits_0)
//! ```
//! Symbols: `ratio` of the bits that are kept, `bits_0` the bits at which 63 % of the meaning has arrived.
//!
//! Assumptions: the law and its form are *ours*: each further bit tells less than the one before, and endless bits tell all.
//! A request without sensor data loses nothing.
//!
//! Source: MODEL 4; the idea is S0's, arXiv 2401.07764.

use serde::Serialize;

/// What a request sends where perception and grounding are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Features {
    /// Bits over the uplink.
    pub bits: f64,
    /// The share of the meaning that arrives, 0 to 1.
    pub quality: f64,
}

impl Features {
    /// The features that keep a share of the sensor's bits; `scale_bits` above 0 is the law's `bits_0`.
    pub fn new(ratio: f64, sensor_bits: f64, scale_bits: f64) -> Self {
        let bits = ratio * sensor_bits;
        let quality = if sensor_bits > 0.0 { -libm::expm1(-bits / scale_bits) } else { 1.0 };
        Self { bits, quality }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn a_scale_of_bits_tells_63_percent_and_ten_tell_nearly_all() {
        let features = Features::new(0.1, 2e6, 2e5);
        assert_eq!(features.bits, 2e5);
        assert_relative_eq!(features.quality, 0.632_120_558_828_557_7, max_relative = 1e-12);
        assert!(Features::new(1.0, 2e6, 2e5).quality > 0.9999);
        let nothing = Features::new(0.1, 0.0, 2e5);
        assert_eq!((nothing.bits, nothing.quality), (0.0, 1.0), "nothing to tell is told in full");
    }
}
