//! All laws of sessions together, and the means that follow from them.

use super::laws::{GapTime, Tokens, Tools, Turns};
use super::starts::{Starts, UserClass};

/// Validated laws of sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionsModel {
    /// Seconds of a slot.
    pub slot_s: f64,
    /// The classes of users; the first begins with user 0.
    pub users: Vec<UserClass>,
    /// When sessions start.
    pub starts: Starts,
    /// Exponent of Zipf's law over the services' ranks.
    pub zipf_exponent: f64,
    /// Slots between deals of the ranks.
    pub reshuffle_slots: Option<u32>,
    /// Context windows by service, tokens; at least 2.
    pub window_tokens: Vec<u32>,
    /// How many turns.
    pub turns: Turns,
    /// From one turn to the next.
    pub think_time: GapTime,
    /// The tokens that the user says in a turn.
    pub new_tokens: Tokens,
    /// The tokens that the model answers to a request.
    pub output_tokens: Tokens,
    /// Turns with several calls; none without.
    pub tools: Option<Tools>,
}

impl SessionsModel {
    /// Mean requests of a slot in the long run.
    pub fn requests_per_slot(&self) -> f64 {
        self.starts.per_slot * self.turns.mean() * (1.0 + self.mean_tool_calls())
    }

    fn mean_tool_calls(&self) -> f64 {
        self.tools.as_ref().map_or(0.0, Tools::mean_calls)
    }

    /// Mean number of sessions between two turns, and between two calls of a turn.
    pub(crate) fn live_by_kind(&self) -> [f64; 2] {
        let per_s = self.starts.per_slot / self.slot_s;
        let tool_s = self.tools.map_or(0.0, |tools| tools.time.mean_s());
        [
            per_s * (self.turns.mean() - 1.0) * self.think_time.mean_s(),
            per_s * self.turns.mean() * self.mean_tool_calls() * tool_s,
        ]
    }

    /// The slot of a time: the last that has begun.
    pub(super) fn slot_of(&self, time_s: f64) -> u64 {
        let slot = (time_s / self.slot_s) as u64;
        // A quotient may be rounded down below a whole number.
        let next = slot.saturating_add(1);
        if next as f64 * self.slot_s <= time_s { next } else { slot }
    }
}
