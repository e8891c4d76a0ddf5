//! Thoughts: the context that an agent has built up, and how fresh it is.
//!
//! Models: the context of a resident entry. Every request served there adds thoughts; the *age of thought* is the part of
//! them that is still fresh. Large age = much fresh context. With `context.scope = "user"` an entry has one context for each
//! user that it served ([`contexts`]); else all users share one.
//!
//! Equation:
//! ```text
//! K     <- K + delta                        P1 eq. 18
//! kappa <- kappa + zeta * delta             P1 eq. 19 (arrivals)
//! second edition: K, kappa <- max(K, S), max(kappa, S) first; delta = (1 + r) (n_new + n_out)       MODEL 9.1, 9.2
//! K > w after a batch: the context is exhausted and refreshed
//! kappa <- max(0, kappa - fade)             P1 eq. 19, P2 eq. 13 (once a slot)
//! ```
//! Symbols: `K` context tokens; `kappa` age tokens; `delta` tokens added by a batch; `zeta` consensus factor; `fade`
//! tokens lost in a slot; `w` the model's window; `S` what the request brings along of the conversation so far, `r` hidden tokens for each that
//! is said (`thought.hidden_ratio`). All in tokens.
//!
//! Assumptions: eviction loses both, and a load starts from nothing; thoughts are counted in tokens throughout, so that the
//! cost coefficients of the papers are consistent (ours).
//!
//! Source: P1 arXiv 2403.05826; P2 arXiv 2501.14205.

pub mod contexts;

use serde::{Deserialize, Serialize};

/// One context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thought {
    /// `K`: tokens in the context window.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub context_tokens: f64,
    /// `kappa`, the age of thought: tokens that are still fresh.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub age_tokens: f64,
}

/// The fate of an entry when a context of it has outgrown the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refresh {
    /// The entry leaves the memory with all it has (P1).
    Evict,
    /// That context is emptied; the weights, and the contexts of other users, stay.
    Clear,
}

/// How the contexts of one service grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContextLaw {
    /// Tokens that one request adds.
    pub request_tokens: f64,
    /// Tokens that it brings along, fresh, whether the context had them or not; 0 where nothing travels.
    pub said_tokens: f64,
    /// The share of them that counts as fresh (zeta).
    pub consensus_factor: f64,
    /// The window `w`.
    pub window_tokens: f64,
    /// The rule beyond it.
    pub refresh: Refresh,
}

impl ContextLaw {
    /// The law of a request whose thought is `length` times as long as the mean.
    #[must_use]
    pub fn of_length(self, length: f64) -> Self {
        Self { request_tokens: length * self.request_tokens, ..self }
    }

    /// The context after `num_requests` more requests, before it is refreshed.
    pub fn grown(&self, mut thought: Thought, num_requests: u32) -> Thought {
        thought.context_tokens = thought.context_tokens.max(self.said_tokens);
        thought.age_tokens = thought.age_tokens.max(self.said_tokens);
        thought.add(f64::from(num_requests) * self.request_tokens, self.consensus_factor);
        thought
    }
}

impl Thought {
    /// A batch leaves `delta_tokens` behind, of which `zeta` count as fresh.
    pub(crate) fn add(&mut self, delta_tokens: f64, zeta: f64) {
        self.context_tokens += delta_tokens;
        self.age_tokens += zeta * delta_tokens;
    }

    /// Adds both numbers of another context.
    pub(crate) fn sum(&mut self, other: Self) {
        self.context_tokens += other.context_tokens;
        self.age_tokens += other.age_tokens;
    }

    /// A slot passes.
    pub fn fade(&mut self, fade_tokens: f64) {
        self.age_tokens = (self.age_tokens - fade_tokens).max(0.0);
    }

    /// Whether the context has outgrown the window.
    pub fn is_exhausted(&self, window_tokens: f64) -> bool {
        self.context_tokens > window_tokens
    }

    /// The fresh tokens that fit the window; the quality of an answer depends on them.
    pub fn fresh_tokens(&self, window_tokens: f64) -> f64 {
        self.age_tokens.min(window_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thoughts_and_a_slot_leave_what_one_computes_by_hand() {
        let mut thought = Thought::default();
        thought.add(400.0, 0.5);
        assert_eq!(thought, Thought { context_tokens: 400.0, age_tokens: 200.0 });
        thought.fade(120.0);
        assert_eq!(thought, Thought { context_tokens: 400.0, age_tokens: 80.0 });
        thought.fade(120.0);
        assert_eq!(thought.age_tokens, 0.0, "the age never goes below zero, the context does not fade");
        assert_eq!(thought.context_tokens, 400.0);
    }

    #[test]
    fn a_full_window_is_not_yet_exhausted() {
        let thought = Thought { context_tokens: 2000.0, age_tokens: 2500.0 };
        assert!(!thought.is_exhausted(2000.0));
        assert!(thought.is_exhausted(1999.0));
        assert_eq!(thought.fresh_tokens(2000.0), 2000.0);
    }

    #[test]
    fn a_law_adds_requests_times_tokens_of_which_zeta_are_fresh() {
        let refresh = Refresh::Clear;
        let law = ContextLaw {
            request_tokens: 200.0,
            said_tokens: 0.0,
            consensus_factor: 0.5,
            window_tokens: 1000.0,
            refresh,
        };
        let before = Thought { context_tokens: 100.0, age_tokens: 40.0 };
        assert_eq!(law.grown(before, 3), Thought { context_tokens: 700.0, age_tokens: 340.0 });
        // What travels is there, and fresh, wherever the turns before were served.
        let law = ContextLaw { said_tokens: 90.0, ..law };
        assert_eq!(law.grown(before, 1), Thought { context_tokens: 300.0, age_tokens: 190.0 });
        assert_eq!(law.grown(Thought::default(), 1), Thought { context_tokens: 290.0, age_tokens: 190.0 });
    }
}
