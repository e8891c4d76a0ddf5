//! Progress of a long download: a bar on a terminal, a line every ten per cent in a log.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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
            Display::Lines(Lines { name: name.to_owned(), total_bytes, next_tenth: 0 })
        };
        Self { total_bytes, display }
    }

    /// `done_bytes` have arrived; more than the total is shown as the total.
    pub(crate) fn set(&mut self, done_bytes: u64) {
        let done_bytes = done_bytes.min(self.total_bytes);
        match &mut self.display {
            Display::Bar(bar) => bar.set_position(done_bytes),
            Display::Lines(lines) => {
                if let Some(line) = lines.next(done_bytes) {
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
}

impl Lines {
    fn next(&mut self, done_bytes: u64) -> Option<String> {
        let tenth = (10 * done_bytes).checked_div(self.total_bytes)?;
        if tenth < self.next_tenth {
            return None;
        }
        self.next_tenth = tenth + 1;
        let percent = 100 * done_bytes / self.total_bytes;
        let (done, total) = (size(done_bytes), size(self.total_bytes));
        Some(format!("{} {percent:>3} %  {done} of {total}", self.name))
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
        let mut lines = lines(1_000_000_000);
        let mut at = |percent: u64| lines.next(percent * 10_000_000);
        assert_eq!(at(0).as_deref(), Some("libtorch   0 %  0 B of 1.0 GB"));
        assert_eq!(at(9), None);
        assert_eq!(at(25).as_deref(), Some("libtorch  25 %  250 MB of 1.0 GB"));
        assert_eq!(at(29), None, "the tenth from 20 to 30 has had its line");
        assert_eq!(at(30).as_deref(), Some("libtorch  30 %  300 MB of 1.0 GB"));
        assert_eq!(at(100).as_deref(), Some("libtorch 100 %  1.0 GB of 1.0 GB"));
        assert_eq!(at(100), None);
    }

    #[test]
    fn nothing_to_download_is_no_line() {
        assert_eq!(lines(0).next(0), None);
    }

    fn lines(total_bytes: u64) -> Lines {
        Lines { name: "libtorch".to_owned(), total_bytes, next_tenth: 0 }
    }

    #[test]
    fn the_bar_can_be_drawn() {
        let bar = bar("libtorch", 10);
        bar.set_position(5);
        assert_eq!(bar.position(), 5);
        bar.abandon();
    }
}
