//! Progress of a long download: a bar on a terminal, a line every ten per cent in a log.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock::{Stopwatch, human};

/// Says where a command stands, on stderr.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
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

/// How many bytes of a known total have arrived.
pub(crate) struct Progress {
    total_bytes: u64,
    display: Display,
}

enum Display {
    Bar(ProgressBar),
    Lines(Lines),
}

impl Progress {
    /// Begins at zero; `name` stands before the bar and before every line.
    pub(crate) fn start(name: &str, total_bytes: u64) -> Self {
        let display = if std::io::stderr().is_terminal() {
            Display::Bar(bar(name, total_bytes))
        } else {
            Display::Lines(Lines::new(name, total_bytes, Stopwatch::start()))
        };
        Self { total_bytes, display }
    }

    /// `done_bytes` have arrived; more than the total is shown as the total.
    pub(crate) fn set(&mut self, done_bytes: u64) {
        let done_bytes = done_bytes.min(self.total_bytes);
        match &mut self.display {
            Display::Bar(bar) => bar.set_position(done_bytes),
            Display::Lines(lines) => {
                if let Some(line) = lines.next(done_bytes, lines.stopwatch.elapsed()) {
                    say(&line);
                }
            }
        }
    }

    /// Leaves the last line to be read, whether or not everything arrived.
    pub(crate) fn end(self) {
        if let Display::Bar(bar) = self.display {
            bar.abandon();
        }
    }
}

fn bar(name: &str, total_bytes: u64) -> ProgressBar {
    let template = "{prefix} [{bar:30}] {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}, \
                    {decimal_bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template)
        .expect("the template is a constant, and the tests draw it")
        .progress_chars("=> ");
    let bar = ProgressBar::new(total_bytes).with_style(style).with_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// The lines of a log: one when a new tenth is reached, so eleven at most.
struct Lines {
    name: String,
    total_bytes: u64,
    next_tenth: u64,
    stopwatch: Stopwatch,
}

impl Lines {
    fn new(name: &str, total_bytes: u64, stopwatch: Stopwatch) -> Self {
        Self { name: name.to_owned(), total_bytes, next_tenth: 0, stopwatch }
    }

    fn next(&mut self, done_bytes: u64, elapsed: Duration) -> Option<String> {
        let tenth = (10 * done_bytes).checked_div(self.total_bytes)?;
        if tenth < self.next_tenth {
            return None;
        }
        self.next_tenth = tenth + 1;
        let mut line = format!(
            "{} {:>3} %  {} of {}",
            self.name,
            100 * done_bytes / self.total_bytes,
            size(done_bytes),
            size(self.total_bytes)
        );
        let bytes_per_s = done_bytes as f64 / elapsed.as_secs_f64();
        if done_bytes > 0 && bytes_per_s.is_finite() {
            let left_s = (self.total_bytes - done_bytes) as f64 / bytes_per_s;
            let time = match Duration::try_from_secs_f64(left_s) {
                Ok(Duration::ZERO) => format!("in {}", human(elapsed)),
                Ok(left) => format!("{} left", human(left)),
                Err(_) => "stalled".to_owned(),
            };
            let _ = write!(line, ", {}/s, {time}", size(bytes_per_s as u64)); // a String takes everything
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_ten() {
        let told = [0, 9_999, 10_000, 530_604_548, 999_999_999, 1_080_000_000].map(size);
        assert_eq!(told, ["0 B", "9999 B", "10 kB", "530 MB", "999 MB", "1.1 GB"]);
    }

    #[test]
    fn a_log_gets_one_line_when_a_new_tenth_is_reached() {
        let mut lines = Lines::new("libtorch", 1_000_000_000, Stopwatch::start());
        let mut at = |percent: u64, seconds| lines.next(percent * 10_000_000, Duration::from_secs(seconds));
        assert_eq!(at(0, 0).as_deref(), Some("libtorch   0 %  0 B of 1.0 GB"));
        assert_eq!(at(9, 1), None);
        assert_eq!(at(25, 5).as_deref(), Some("libtorch  25 %  250 MB of 1.0 GB, 50 MB/s, 15 s left"));
        assert_eq!(at(29, 6), None, "the tenth from 20 to 30 has had its line");
        assert_eq!(at(30, 6).as_deref(), Some("libtorch  30 %  300 MB of 1.0 GB, 50 MB/s, 14 s left"));
        assert_eq!(at(100, 20).as_deref(), Some("libtorch 100 %  1.0 GB of 1.0 GB, 50 MB/s, in 20 s"));
        assert_eq!(at(100, 21), None);
    }

    #[test]
    fn nothing_to_download_is_no_line() {
        assert_eq!(Lines::new("x", 0, Stopwatch::start()).next(0, Duration::ZERO), None);
    }

    #[test]
    fn the_bar_can_be_drawn() {
        let bar = bar("libtorch", 10);
        bar.set_position(5);
        assert_eq!(bar.position(), 5);
        bar.abandon();
    }
}
