//! Ctrl-C: the first one asks a run to end in good order, the second one ends the program at once.

use crate::console::{Verdict, say};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether Ctrl-C was pressed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on; once per program.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub(crate) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let pressed = Arc::clone(&interrupt.0);
        ctrlc::set_handler(move || {
            if pressed.swap(true, Ordering::Relaxed) {
                std::process::exit(Verdict::Interrupted.exit_code().into());
            }
            say("\nCtrl-C: finishing this step and saving; once more to end at once");
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(interrupt)
    }

    /// Whether the run should end.
    pub(crate) fn is_pressed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
