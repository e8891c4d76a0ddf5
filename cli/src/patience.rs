//! A line now and then for work that takes long: a bar is not seen where standard error is a file, and stands still while one
//! episode takes minutes.

use crate::clock::{Stopwatch, human};
use crate::console::Console;
use crate::table::grouped;
use indicatif::ProgressBar;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// When the first line comes; each later one comes after twice the time.
const FIRST: Duration = Duration::from_secs(10);

/// Says how far a bar has come, until it is dropped.
pub(crate) struct Patience {
    _until_dropped: Sender<()>,
}

impl Patience {
    /// For a bar that counts `unit`, in the plural. Where the bar is drawn, only for times in which it stands still.
    pub(crate) fn with(console: Console, bar: &ProgressBar, unit: &'static str) -> Self {
        let (is_drawn, drawn) = (console.shows_progress(), bar.clone());
        Self::after(FIRST, bar, unit, is_drawn, move |line| drawn.suspend(|| console.note(line)))
    }

    fn after(
        first: Duration,
        bar: &ProgressBar,
        unit: &'static str,
        is_drawn: bool,
        say: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        let (bar, since) = (bar.clone(), Stopwatch::start());
        thread::spawn(move || {
            let (mut wait, mut before) = (first, bar.position());
            while receiver.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let (done, total) = (bar.position(), bar.length().unwrap_or_default());
                if !is_drawn || done == before {
                    say(&line(done, total, unit, since.elapsed()));
                }
                (wait, before) = (since.elapsed(), done);
            }
        });
        Self { _until_dropped: sender }
    }
}

/// How far work has come after a time, and when it will be done.
fn line(done: u64, total: u64, unit: &str, elapsed: Duration) -> String {
    let forecast = if done == 0 {
        "none has ended yet".to_owned()
    } else {
        let left_s = elapsed.as_secs_f64() * total.saturating_sub(done) as f64 / done as f64;
        format!("about {} left", human(Duration::try_from_secs_f64(left_s).unwrap_or(Duration::MAX)))
    };
    format!("  {} of {} {unit} after {}; {forecast}", grouped(done), grouped(total), human(elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_follows_from_what_is_done() {
        let seconds = Duration::from_secs;
        assert_eq!(
            line(0, 4_000, "episodes", seconds(10)),
            "  0 of 4,000 episodes after 10 s; none has ended yet"
        );
        // 100 in 20 s are 5 a second: 3,900 more take 780 s.
        assert_eq!(
            line(100, 4_000, "episodes", seconds(20)),
            "  100 of 4,000 episodes after 20 s; about 13 min 00 s left"
        );
    }

    #[test]
    fn lines_come_until_the_work_is_done_and_where_a_bar_is_drawn_only_while_it_stands() {
        let bar = ProgressBar::hidden();
        bar.set_length(4);
        let start = |is_drawn| {
            let (sender, lines) = mpsc::channel();
            let say = move |line: &str| drop(sender.send(line.to_owned()));
            (Patience::after(Duration::from_millis(1), &bar, "episodes", is_drawn, say), lines)
        };
        let (patience, lines) = start(true);
        assert!(lines.recv().unwrap().starts_with("  0 of 4 episodes after 0.0 s; none has ended yet"));
        drop(patience);
        while lines.recv().is_ok() {} // the thread ends, and its end of the channel with it
        let (_patience, lines) = start(false);
        bar.inc(1);
        assert!((0..9).any(|_| lines.recv().unwrap().starts_with("  1 of 4 episodes")));
    }
}
