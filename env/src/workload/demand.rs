//! The memory that a cell has of its requests: how many are undecided, and how often each service is asked for.
//!
//! Equation: `rate <- 0.9 rate + 0.1 R`, once per slot, `R` the requests of the slot. Nothing here depends on an action but
//! the count of undecided requests.

use serde::{Deserialize, Serialize};

/// The weight of the present slot in the estimated request rate.
const RATE_WEIGHT: f64 = 0.1;

/// One service at one cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// Requests of this slot that are not decided yet.
    pub pending_requests: u32,
    /// Slots since the last slot with a request: 0 in a slot with one; the age of the episode before the first.
    pub recency_slots: u32,
    /// Estimated requests per slot.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub request_rate: f64,
}

impl Demand {
    /// Before the first slot.
    pub(crate) const NONE: Self = Self { pending_requests: 0, recency_slots: 0, request_rate: 0.0 };

    /// A slot begins without a request, as far as is known yet.
    pub(crate) fn begin_slot(&mut self) {
        self.pending_requests = 0;
        self.recency_slots = self.recency_slots.saturating_add(1);
        self.request_rate *= 1.0 - RATE_WEIGHT;
    }

    /// The slot that has begun brings requests: all at once, or a few at a time.
    pub(crate) fn arrive(&mut self, num_requests: u32) {
        self.pending_requests += num_requests;
        self.recency_slots = 0;
        self.request_rate += RATE_WEIGHT * f64::from(num_requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_weighs_the_present_slot_by_a_tenth() {
        let mut demand = Demand::NONE;
        demand.begin_slot();
        demand.arrive(10);
        assert_eq!((demand.request_rate, demand.recency_slots, demand.pending_requests), (1.0, 0, 10));
        demand.begin_slot();
        assert_eq!((demand.request_rate, demand.recency_slots, demand.pending_requests), (0.9, 1, 0));
    }
}
