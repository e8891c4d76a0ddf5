//! All laws of sessions together, and the means that follow from them.

use super::Next;
use super::laws::{GapTime, Tokens, Tools, Turns};
use super::starts::{Starts, UserClass};
use crate::random::SimRng;
use crate::units::ServiceId;
use crate::workload::draw;
use rand::RngExt;

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
    /// Draws the tokens of an answer to a prompt with so many new ones.
    pub(crate) fn draw_output(&self, service: ServiceId, new_tokens: u32, rng: &mut SimRng) -> u32 {
        self.output_tokens.draw(self.window_tokens[service.index()].saturating_sub(new_tokens), rng)
    }

    /// What follows a request that was this call of this turn, and after which nothing has come for `silent_s` seconds: each as
    /// likely as the silence makes it, and the whole time to the next request.
    ///
    /// ```text
    /// call ~ c S_tool(silent)    turn ~ (1 - c) t S_think(silent)    end ~ (1 - c) (1 - t)
    /// ```
    /// `c`, `t` the probabilities of another call and of another turn, `S` those of a longer time.
    pub(super) fn redraw_next(&self, turn: u32, call: u32, silent_s: f64, rng: &mut SimRng) -> (Next, f64) {
        let call_prob = self.tools.as_ref().map_or(0.0, |tools| tools.call_prob(call));
        let more_prob = self.turns.more_prob(turn + 1);
        let tool = self.tools.as_ref().map(|tools| tools.time);
        let weights = [
            call_prob * tool.map_or(0.0, |time| time.prob_above(silent_s)),
            (1.0 - call_prob) * more_prob * self.think_time.prob_above(silent_s),
            (1.0 - call_prob) * (1.0 - more_prob),
        ];
        let left = rng.random::<f64>() * weights.iter().sum::<f64>();
        let next = [Next::Call, Next::Turn, Next::End][draw::weighted(weights, left)];
        let gap_s = match next {
            Next::End => 0.0,
            Next::Turn => self.think_time.above(silent_s, rng),
            Next::Call => tool.unwrap_or(self.think_time).above(silent_s, rng),
        };
        (next, gap_s)
    }

    /// A time after which hardly any session that goes on has not come back: one in a thousand.
    pub(super) fn longest_s(&self) -> f64 {
        let tool_s = self.tools.as_ref().map_or(0.0, |tools| tools.time.longest_s());
        self.think_time.longest_s().max(tool_s)
    }

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
