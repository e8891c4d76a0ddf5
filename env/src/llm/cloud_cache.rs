//! What the cloud still has of a conversation: a prompt that begins like the one before is neither computed again nor paid in full.
//!
//! Models: the prompt cache of a cloud provider, which keeps what it has computed for some minutes after it was last used.
//!
//! Equation:
//! ```text
//! n_hit = min(S, S')  while t <= t' + keeps, else 0        S', t': said by the end of the last turn that the cloud served, and when
//! price = p (n_in - n_hit + rho n_hit)
//! ```
//! Symbols: `S` tokens of the conversation before the request, `n_in` its prompt, `p` the price of a token, `rho` the price of a token that is
//! there as a share of it.
//!
//! Assumptions: one conversation of a user at a time, that of their last service; where another site serves the first turn of a new one, the
//! cloud has nothing for it. The whole text is sent all the same. A client that goes away and comes back pays in full.
//!
//! Source: MODEL 9.1; providers price cached tokens at a tenth and keep them for some minutes (prompt caching, 2024).

use crate::invalid::{Invalid, between};
use crate::units::ServiceId;
use serde::{Deserialize, Serialize};

/// `[physical.cloud] cache`: what a token costs that the cloud still has, and how long it has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudCacheConfig {
    /// The price of a token of a prompt that is still there, as a share of that of another one, 0 to 1.
    pub price_ratio: f64,
    /// Seconds for which a conversation is kept after a turn, above 0, at most 1e6.
    pub keeps_s: f64,
}

impl CloudCacheConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first number out of its range.
    pub(crate) fn check(&self, table: &str) -> Result<(), Invalid> {
        between(table, "price_ratio", self.price_ratio, 0.0, 1.0)?;
        between(table, "keeps_s", self.keeps_s, 1e-6, 1e6)?;
        Ok(())
    }
}

/// What the cloud has of a user's last conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudContext {
    service: ServiceId,
    #[serde(deserialize_with = "crate::kept::amount")]
    tokens: f32,
    /// Seconds since the episode began.
    #[serde(deserialize_with = "crate::kept::amount")]
    until_s: f32,
}

impl CloudContext {
    /// A turn that was asked for now leaves so many tokens, kept for so long.
    pub(crate) fn keep(&mut self, service: ServiceId, tokens: f64, until_s: f64) {
        *self = Self { service, tokens: tokens as f32, until_s: until_s as f32 };
    }

    /// The tokens of a conversation with a service, which has brought so many, that are still there.
    pub(crate) fn hit_tokens(&self, service: ServiceId, said_tokens: f64, now_s: f64) -> f64 {
        let is_there = self.service == service && now_s <= f64::from(self.until_s);
        if is_there { said_tokens.min(f64::from(self.tokens)) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_there_for_its_own_service_until_its_time_is_over() {
        let (mut cloud, own, other) = (CloudContext::default(), ServiceId(2), ServiceId(1));
        assert_eq!(cloud.hit_tokens(ServiceId(0), 100.0, 0.0), 0.0);
        cloud.keep(own, 300.0, 310.0);
        assert_eq!(cloud.hit_tokens(own, 300.0, 310.0), 300.0);
        // A turn that was served elsewhere is not there; of a new conversation there is nothing.
        assert_eq!(cloud.hit_tokens(own, 700.0, 20.0), 300.0);
        assert_eq!(cloud.hit_tokens(own, 0.0, 20.0), 0.0);
        assert_eq!((cloud.hit_tokens(other, 300.0, 20.0), cloud.hit_tokens(own, 300.0, 311.0)), (0.0, 0.0));
    }
}
