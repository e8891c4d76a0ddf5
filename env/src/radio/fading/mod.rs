//! Small-scale fading: what many paths of different length do to a power within a few wavelengths.
//!
//! Two ways to count it: its mean effect on the rate within a slot ([`ergodic`], the default), or its value at an instant
//! ([`block`]).

pub mod block;
pub mod ergodic;

use serde::{Deserialize, Serialize};

/// `[radio.fading.ergodic]` or `[radio.fading.block]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fading {
    /// The mean over a slot, which holds many coherence times (28 GHz, walking: some milliseconds each).
    Ergodic(NoKeys),
    /// One value for the whole slot: for slots shorter than a coherence time.
    Block(NoKeys),
}

/// A table without keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoKeys {}

impl Default for Fading {
    fn default() -> Self {
        Self::Ergodic(NoKeys {})
    }
}
