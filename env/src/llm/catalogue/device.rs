//! A device that models run on: how fast, how large, how hungry, and how near to its peaks it was measured to work.
//!
//! Source: MODEL 1 and 5; the numbers of each device name theirs.

use super::model::Arithmetic;
use crate::invalid::{Invalid, Range, name, number};
use crate::units::{bytes_to_gb, gb_to_bytes};
use serde::{Deserialize, Serialize};

/// A device as its file says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The name that scenarios refer to.
    pub name: String,
    /// Where the peaks were read.
    pub source: String,
    /// Where mfu, eta and the times below come from.
    pub constants_source: String,
    /// Dense peak at 16 bits in TFLOP/s (1e12), above 0.
    pub peak_fp16_tflop_per_s: f64,
    /// Dense peak at 8-bit integers in TOP/s; as at 16 bits when absent.
    pub peak_int8_tflop_per_s: Option<f64>,
    /// Memory that weights and contexts may use, in GB (1e9 bytes), above 0.
    pub memory_gb: f64,
    /// Memory bandwidth in GB/s, above 0.
    pub bandwidth_gb_per_s: f64,
    /// Watts without work, at least 0.
    pub power_idle_w: f64,
    /// Watts at work, at least `power_idle_w`.
    pub power_busy_w: f64,
    /// Share of the peak that is reached, above 0 and at most 1.
    pub mfu: f64,
    /// Share of the memory bandwidth that is reached, above 0 and at most 1.
    pub eta: f64,
    /// Milliseconds that every pass through a model takes whatever it computes, at least 0.
    pub t_step_ms: f64,
    /// Bandwidth between devices that work on one model together, in GB/s; without limit when absent.
    pub link_gb_per_s: Option<f64>,
    /// Microseconds of one exchange between such devices, for each doubling of their number, at least 0.
    #[serde(default)]
    pub sync_us: f64,
    /// Milliseconds that every request of a batch adds to a pass, at least 0.
    #[serde(default)]
    pub t_sequence_ms: f64,
}

/// How near to its peaks a device works, and what it takes beside: fitted to measurements (`llm/fit.rs`) or assumed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServingConstants {
    /// Seconds of every pass through a model.
    pub t_step_s: f64,
    /// Share of the memory bandwidth that is reached.
    pub eta: f64,
    /// Share of the peak that is reached.
    pub mfu: f64,
    /// Bytes per second between devices that work on one model together; may be infinite.
    pub link_bytes_per_s: f64,
    /// Seconds of one exchange between such devices, for each doubling of their number.
    pub sync_s: f64,
    /// Seconds that every request of a batch adds to a pass.
    pub t_sequence_s: f64,
}

impl ServingConstants {
    /// MODEL 5 without the terms that are ours.
    pub const fn normative(t_step_s: f64, eta: f64, mfu: f64) -> Self {
        Self { t_step_s, eta, mfu, link_bytes_per_s: f64::INFINITY, sync_s: 0.0, t_sequence_s: 0.0 }
    }
}

/// A validated device, in SI units.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The name in scenarios and tables.
    pub name: String,
    /// Where its peaks were read.
    pub source: String,
    /// Where its serving constants come from.
    pub constants_source: String,
    /// Dense peak at 16 bits.
    pub peak_fp16_flop_per_s: f64,
    /// Dense peak at 8-bit integers, where it is another one.
    pub peak_int8_flop_per_s: Option<f64>,
    /// Memory of one device.
    pub memory_bytes: u64,
    /// Memory bandwidth of one device.
    pub bandwidth_bytes_per_s: f64,
    /// Watts without work.
    pub power_idle_w: f64,
    /// Watts at work.
    pub power_busy_w: f64,
    /// How near to its peaks it works.
    pub constants: ServingConstants,
}

impl DeviceConfig {
    /// Checks every number; `place` is where the device stands, `devices[3]` say.
    ///
    /// # Errors
    /// The first value that cannot be meant.
    pub fn validate(&self, place: &str) -> Result<Device, Invalid> {
        let key = |field: &str| format!("{place}.{field}");
        let at_least_0 =
            |field: &str, value: f64, high: f64| number(key(field), value, Range::Between(0.0, high));
        let above_0 =
            |field: &str, value: f64, high: f64| number(key(field), value, Range::Between(1e-6, high));
        name(key("name"), &self.name)?;
        name(key("source"), &self.source)?;
        name(key("constants_source"), &self.constants_source)?;
        let idle_w = at_least_0("power_idle_w", self.power_idle_w, 1e6)?;
        let link = self.link_gb_per_s.map(|link| above_0("link_gb_per_s", link, 1e9)).transpose()?;
        let int8 = self
            .peak_int8_tflop_per_s
            .map(|tflop| Ok(1e12 * above_0("peak_int8_tflop_per_s", tflop, 1e9)?))
            .transpose()?;
        Ok(Device {
            name: self.name.clone(),
            source: self.source.clone(),
            constants_source: self.constants_source.clone(),
            peak_fp16_flop_per_s: 1e12 * above_0("peak_fp16_tflop_per_s", self.peak_fp16_tflop_per_s, 1e9)?,
            peak_int8_flop_per_s: int8,
            memory_bytes: gb_to_bytes(above_0("memory_gb", self.memory_gb, 1e6)?),
            bandwidth_bytes_per_s: 1e9 * above_0("bandwidth_gb_per_s", self.bandwidth_gb_per_s, 1e9)?,
            power_idle_w: idle_w,
            power_busy_w: number(key("power_busy_w"), self.power_busy_w, Range::Between(idle_w, 1e6))?,
            constants: ServingConstants {
                t_step_s: 1e-3 * at_least_0("t_step_ms", self.t_step_ms, 1e6)?,
                eta: number(key("eta"), self.eta, Range::Between(1e-6, 1.0))?,
                mfu: number(key("mfu"), self.mfu, Range::Between(1e-6, 1.0))?,
                link_bytes_per_s: link.map_or(f64::INFINITY, |link| 1e9 * link),
                sync_s: 1e-6 * at_least_0("sync_us", self.sync_us, 1e9)?,
                t_sequence_s: 1e-3 * at_least_0("t_sequence_ms", self.t_sequence_ms, 1e6)?,
            },
        })
    }
}

impl Device {
    /// Dense peak in FLOP/s for a model that computes in these numbers.
    pub fn peak_flop_per_s(&self, arithmetic: Arithmetic) -> f64 {
        match arithmetic {
            Arithmetic::Fp16 => self.peak_fp16_flop_per_s,
            Arithmetic::Int8 => self.peak_int8_flop_per_s.unwrap_or(self.peak_fp16_flop_per_s),
        }
    }
}

impl From<&Device> for DeviceConfig {
    fn from(device: &Device) -> Self {
        let constants = &device.constants;
        let link = constants.link_bytes_per_s;
        Self {
            name: device.name.clone(),
            source: device.source.clone(),
            constants_source: device.constants_source.clone(),
            peak_fp16_tflop_per_s: device.peak_fp16_flop_per_s / 1e12,
            peak_int8_tflop_per_s: device.peak_int8_flop_per_s.map(|peak| peak / 1e12),
            memory_gb: bytes_to_gb(device.memory_bytes),
            bandwidth_gb_per_s: device.bandwidth_bytes_per_s / 1e9,
            power_idle_w: device.power_idle_w,
            power_busy_w: device.power_busy_w,
            mfu: constants.mfu,
            eta: constants.eta,
            t_step_ms: constants.t_step_s * 1e3,
            link_gb_per_s: link.is_finite().then_some(link / 1e9),
            sync_us: constants.sync_s * 1e6,
            t_sequence_ms: constants.t_sequence_s * 1e3,
        }
    }
}
