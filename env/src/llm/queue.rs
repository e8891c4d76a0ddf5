//! The work that waits at a cell.
//!
//! Models: all GPUs of a cell as one server that works off what it has taken on, in order.
//!
//! Equation:
//! ```text
//! backlog <- backlog + busy seconds * tp          a batch on tp GPUs
//! waiting  = backlog / gpus
//! backlog <- max(0, backlog - gpus * slot_s)      once a slot
//! ```
//! Symbols: `backlog` in GPU-seconds, `gpus` of the cell.
//!
//! Assumptions: GPUs share the work without loss, whatever the parallelism of a batch: fluid, not packed.
//!
//! Source: MODEL 5.

use serde::{Deserialize, Serialize};

/// The work that a cell has taken on and not yet done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backlog {
    /// GPU-seconds that are not yet done.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub gpu_s: f64,
}

impl Backlog {
    /// Takes on work: busy seconds times GPUs.
    pub fn add(&mut self, gpu_s: f64) {
        self.gpu_s += gpu_s;
    }

    /// Seconds that new work waits at a cell with so many GPUs.
    pub fn waiting_s(&self, gpus: f64) -> f64 {
        self.gpu_s / gpus
    }

    /// Works for so many seconds.
    pub fn drain(&mut self, gpus: f64, seconds: f64) {
        self.gpu_s = (self.gpu_s - gpus * seconds).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_gpus_work_off_four_gpu_seconds_a_second_and_never_less_than_nothing() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.waiting_s(4.0), 0.0);
        backlog.add(3.0 * 2.0);
        assert_eq!(backlog.waiting_s(4.0), 1.5);
        backlog.drain(4.0, 1.0);
        assert_eq!((backlog.gpu_s, backlog.waiting_s(4.0)), (2.0, 0.5));
        backlog.drain(4.0, 1.0);
        assert_eq!(backlog, Backlog::default());
    }
}
