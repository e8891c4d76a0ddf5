//! Requests to end a run in good order before its budget is spent: Ctrl-C, a signal of the system, a time limit.

use crate::clock::Stopwatch;
use crate::console::{Verdict, say};
use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Why a run ended before its budget was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.name())]
pub(crate) enum StopReason {
    /// Somebody asked.
    Interrupted,
    /// The time that it was given is over.
    TimeLimit,
}

impl StopReason {
    /// Its name in files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::TimeLimit => "time limit",
        }
    }

    /// How the program ends.
    pub(crate) const fn verdict(self) -> Verdict {
        match self {
            Self::Interrupted => Verdict::Interrupted,
            Self::TimeLimit => Verdict::Done,
        }
    }
}

/// Ctrl-C (or the system that asks to end: SIGTERM, SIGHUP) or the end of a time, whichever comes first.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    is_pressed: Arc<AtomicBool>,
    since: Stopwatch,
    limit: Option<Duration>,
}

impl Stop {
    /// Listens from now on; once per program. A limit counts from now. The first Ctrl-C asks a run to end in good order, the
    /// second one ends the program at once.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub(crate) fn listen(limit: Option<Duration>) -> Result<Self> {
        let stop = Self::after(limit);
        let is_pressed = Arc::clone(&stop.is_pressed);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for Ctrl-C")?;
        thread::spawn(move || {
            for _ in signals.forever() {
                if is_pressed.swap(true, Ordering::Relaxed) {
                    // Not `process::exit`: libtorch's destructors crash while its threads work.
                    exit(Verdict::Interrupted.exit_code().into());
                }
                say("\nCtrl-C: finishing this step and saving; once more to end at once");
            }
        });
        Ok(stop)
    }

    /// The same requests, with a limit that counts from now.
    pub(crate) fn restarted(&self) -> Self {
        Self { since: Stopwatch::start(), ..self.clone() }
    }

    fn after(limit: Option<Duration>) -> Self {
        Self { is_pressed: Arc::default(), since: Stopwatch::start(), limit }
    }

    /// Counts the end of standard input as Ctrl-C: it is a pipe that the program holds that started this one.
    pub(crate) fn press_at_end_of_input(&self) {
        let is_pressed = Arc::clone(&self.is_pressed);
        thread::spawn(move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink()); // an error is an end, too
            is_pressed.store(true, Ordering::Relaxed);
        });
    }

    /// Why the run should end, if it should.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        if self.is_pressed.load(Ordering::Relaxed) {
            return Some(StopReason::Interrupted);
        }
        let is_over = self.limit.is_some_and(|limit| self.since.elapsed() >= limit);
        is_over.then_some(StopReason::TimeLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_ends_a_run_and_ctrl_c_comes_first() {
        assert_eq!(Stop::after(None).reason(), None);
        assert_eq!(Stop::after(Some(Duration::from_secs(3_600))).reason(), None);
        let over = Stop::after(Some(Duration::ZERO));
        assert_eq!(over.reason(), Some(StopReason::TimeLimit));
        over.is_pressed.store(true, Ordering::Relaxed);
        assert_eq!(over.reason(), Some(StopReason::Interrupted));
    }
}
