//! What the pending requests would cost outside the cell's memory, had nothing been decided before them.
//!
//! ```text
//! input cost = min over placements without residency of c0
//! ```
//! `c0` is the cost of the request, its answer as long as it was drawn, for a user whose twin the cell does not know; in abstract
//! scenarios the price of the cloud. It depends on demand, radio and devices alone, which nobody decides about: a learner may take
//! it off every reward without any policy becoming better or worse against another. What is left varies much less.
//!
//! Reference: baselines that depend on the input, Mao et al., "Variance Reduction for Reinforcement Learning in Input-Driven
//! Environments", ICLR 2019.

use super::World;
use crate::placement::Placement;
use crate::placement::pipeline::price;
use crate::placement::request::RequestFacts;

impl World {
    /// What the pending requests would cost outside the cell's memory, had nothing been decided before them: the least
    /// price without residency, for a user whose twin the cell does not know. 0 where no request is pending.
    pub fn input_cost(&self) -> f64 {
        let Some(batch) = self.pending_batch() else { return 0.0 };
        let (Some(physical), Some(facts)) = (self.scenario.physical(), self.facts) else {
            return self.cloud_cost(batch);
        };
        let request = RequestFacts { twin_age_slots: None, ..facts };
        let view = physical.view(&request);
        let elsewhere = self.scenario.placements().iter().filter(|placement| !placement.needs_residency());
        let cost = |&placement: &Placement| physical.cost(&price(placement, &view), request.service).total();
        elsewhere.map(cost).fold(f64::INFINITY, f64::min)
    }
}
