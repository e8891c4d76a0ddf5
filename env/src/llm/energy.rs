//! The energy of computing and of keeping memory.
//!
//! Models: a device draws its idle power always, and the rest only while it works; what it keeps in memory answers for its
//! share of the idle power.
//!
//! Equation:
//! ```text
//! E_dynamic = (P_busy - P_idle) * busy seconds, over all devices that work
//! E_holding = P_idle / memory * resident bytes * seconds
//! ```
//! Symbols: `P` watts of one device, `memory` its bytes.
//!
//! Assumptions: power at work does not depend on the kind of work. Idle power is owed by what is resident (MODEL 7), so that
//! an empty server is free: what it would draw anyway is nobody's decision. Radio's energy is airtime times power, and radio's.
//!
//! Source: MODEL 5 and 7.

use super::catalogue::Device;

/// Watts beyond idling of one device at work.
pub fn dynamic_w(device: &Device) -> f64 {
    device.power_busy_w - device.power_idle_w
}

/// Idle watts that so many resident bytes answer for.
pub fn holding_w(device: &Device, resident_bytes: u64) -> f64 {
    device.power_idle_w * (resident_bytes as f64 / device.memory_bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::catalogue::Catalogue;
    use approx::assert_relative_eq;

    #[test]
    fn half_a_memory_answers_for_half_the_idle_power() {
        let catalogue = Catalogue::shipped();
        for device in catalogue.devices {
            assert_relative_eq!(holding_w(&device, device.memory_bytes / 2), 0.5 * device.power_idle_w);
            assert_eq!(holding_w(&device, 0), 0.0);
            assert_eq!(dynamic_w(&device), device.power_busy_w - device.power_idle_w);
        }
    }
}
