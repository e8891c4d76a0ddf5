//! The only clock of xtask: how long a step took, for people to read.

use std::time::{Duration, Instant};

/// Runs from its creation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "shown to people, never part of a result")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// `0.4 s`, `59 s`, `12 min 05 s`.
pub(crate) fn human(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_to_what_a_person_wants_to_know() {
        let told = [0.04, 9.44, 9.96, 59.4, 59.6, 725.0].map(|s| human(Duration::from_secs_f64(s)));
        assert_eq!(told, ["0.0 s", "9.4 s", "10 s", "59 s", "1 min 00 s", "12 min 05 s"]);
    }
}
