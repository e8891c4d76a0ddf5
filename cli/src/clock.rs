//! The only place where time is read. No result depends on it: times are reported, and kept under `time/`.

use jiff::{Span, SpanRelativeTo, Timestamp};
use std::time::{Duration, Instant, SystemTime};

/// A clock that can be stopped and started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    since: Option<Instant>,
    before: Duration,
}

impl Stopwatch {
    /// A running clock at 0.
    pub(crate) fn start() -> Self {
        Self { since: Some(now()), before: Duration::ZERO }
    }

    /// A running clock that has counted so many seconds before.
    pub(crate) fn resumed(before_s: f64) -> Self {
        Self { since: Some(now()), before: Duration::try_from_secs_f64(before_s).unwrap_or_default() }
    }

    /// Time does not count until [`resume`](Self::resume).
    pub(crate) fn pause(&mut self) {
        self.before = self.elapsed();
        self.since = None;
    }

    /// Time counts again.
    pub(crate) fn resume(&mut self) {
        self.before = self.elapsed();
        self.since = Some(now());
    }

    /// The time that has counted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| now() - since)
    }

    /// The time that has counted, in seconds.
    pub(crate) fn elapsed_s(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    /// Events a second; 0 before any time has counted.
    pub(crate) fn rate_per_s(&self, events: u64) -> f64 {
        let elapsed_s = self.elapsed_s();
        if elapsed_s > 0.0 { events as f64 / elapsed_s } else { 0.0 }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one clock that measures durations")]
fn now() -> Instant {
    Instant::now()
}

/// The present instant in UTC, `2026-11-22T07:30:00Z`.
pub(crate) fn utc_now() -> String {
    utc(since_1970().as_secs())
}

/// The present instant as TensorBoard keeps it.
pub(crate) fn seconds_since_1970() -> f64 {
    since_1970().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "this is the one clock that tells the date")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970 as a date.
fn utc(seconds: u64) -> String {
    Timestamp::from_second(seconds.cast_signed()).unwrap_or_default().to_string()
}

/// A duration for people: `0.8 s`, `48 s`, `3 min 05 s`, `2 h 10 min`, `23.0 days`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}

/// A duration as people type it: `90m`, `3600s`, `1h30m`, `2d`.
///
/// # Errors
/// The forms that are allowed.
pub(crate) fn parse_duration(typed: &str) -> Result<Duration, String> {
    let is_plain = typed.trim().chars().all(|letter| letter.is_ascii_digit() || "smhd".contains(letter))
        && !typed.contains("ms");
    let span: Option<Span> = typed.trim().parse().ok().filter(|_| is_plain);
    let time = span.and_then(|span| {
        Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?).ok()
    });
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| "it looks like 90m, 3600s, 1h30m or 2d, and is at least 1s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date -u -d @N
        let dates = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, expected) in dates {
            assert_eq!(utc(seconds), expected);
        }
    }

    #[test]
    fn a_paused_stopwatch_stands_still() {
        let mut stopwatch = Stopwatch::start();
        stopwatch.pause();
        let stood = stopwatch.elapsed();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(stopwatch.elapsed(), stood);
        stopwatch.resume();
        std::thread::sleep(Duration::from_millis(2));
        assert!(stopwatch.elapsed() > stood);
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        let texts = [0.84, 48.2, 185.0, 7_800.0, 216_000.0].map(|s| human(Duration::from_secs_f64(s)));
        assert_eq!(texts, ["0.8 s", "48 s", "3 min 05 s", "2 h 10 min", "2.5 days"]);
    }

    #[test]
    fn durations_are_typed_with_their_units() {
        for (typed, seconds) in
            [("90m", 5_400), ("3600s", 3_600), ("1h30m", 5_400), ("2d", 172_800), (" 1s ", 1)]
        {
            assert_eq!(parse_duration(typed), Ok(Duration::from_secs(seconds)), "{typed}");
        }
        for typed in [
            "",
            "90",
            "m",
            "0s",
            "500ms",
            "1s500ms",
            "1h30",
            "1.5h",
            "-1s",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(parse_duration(typed).is_err(), "{typed}");
        }
    }
}
