//! The only clock of xtask, and how times and sizes are told to people.

use std::time::{Duration, Instant};

/// The instant of a step's beginning.
#[expect(clippy::disallowed_methods, reason = "shown to people, never part of a result")]
pub(crate) fn start() -> Instant {
    Instant::now()
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

/// `531 MB`, `1.1 GB`: powers of ten, as disks and downloads are sold.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
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

    #[test]
    fn sizes_are_powers_of_ten() {
        let told = [0, 9_999, 10_000, 530_604_548, 999_999_999, 1_080_000_000].map(size);
        assert_eq!(told, ["0 B", "9999 B", "10 kB", "530 MB", "999 MB", "1.1 GB"]);
    }
}
