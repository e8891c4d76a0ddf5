//! The clock of a measurement, the circumstances it depends on, and the criterion that the user stated.

use crate::clock::Stopwatch;
use crate::console::{Console, Verdict};
use crate::machine::{Machine, load_average, thread_cpu_s};
use serde_json::{Value, json};

/// What a measurement depends on: the machine, and its load over 1, 5 and 15 minutes when the measurement began.
pub(super) fn circumstances() -> Value {
    json!({ "machine": Machine::this(), "load_average": load_average() })
}

/// Counts the processor time of this thread, so that other programs count for nothing; the time of the wall where the system
/// does not tell.
pub(super) struct BusyClock {
    wall: Stopwatch,
    cpu_s: Option<f64>,
}

impl BusyClock {
    pub(super) fn start() -> Self {
        Self { wall: Stopwatch::start(), cpu_s: thread_cpu_s() }
    }

    pub(super) fn wall_s(&self) -> f64 {
        self.wall.elapsed_s()
    }

    pub(super) fn busy_s(&self) -> f64 {
        match (self.cpu_s, thread_cpu_s()) {
            (Some(before), Some(now)) => now - before,
            _ => self.wall_s(),
        }
    }
}

/// A criterion that the user stated; says so when it does not hold.
pub(super) fn judge(console: Console, what: &str, rate: f64, at_least: Option<f64>) -> Verdict {
    match at_least {
        Some(least) if rate < least => {
            console.warn(&format!("{what}: {rate:.0} decisions/s, --at-least {least:.0} was stated"));
            Verdict::Failed
        }
        _ => Verdict::Done,
    }
}
