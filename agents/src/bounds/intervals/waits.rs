//! Pairs of requests of which one waits for the other.
//!
//! Models: a request that is served at the edge leaves work, and whoever comes later waits for what the GPUs have not done of it by then.
//!
//! Equation, for requests `n` before `m` of a cell, `x` 1 where one is served at the edge:
//! ```text
//! seconds that m waits >= x_m sum over n of x_n r_nm / gpus,       r_nm = max(0, g_n - gpus * slot_s * (slots from n to m))
//! x_n x_m >= x_n + x_m - 1
//! ```
//! Symbols: `g_n` the least work of `n` in GPU-seconds.
//!
//! In the second edition there is no queue to wait in, and `r = 0`.
//!
//! The second line makes a price of it that `n` and `m` pay each for itself: with any `theta_nm` from 0 to the cost `w_nm` of those
//! seconds, the run costs at least `sum theta_nm (x_n + x_m - 1)` more than without waits.
//!
//! Proof of the first line: between two slots a backlog shrinks by at most `gpus * slot_s`, and by that at most once, so that it is no less
//! than the sum of what is left of each request's work. A batch waits for all that came before its first request: `n` counts for `m` where
//! it came before the first request of `m`'s service in `m`'s slot. Seconds of load and backlog pass together: whoever waits for
//! weights may not wait for anything else, so `x_m` counts only where the weights are there, in the relaxed problem; in the run it then
//! waits for the backlog at least.

use super::ask::{Ask, Pricing};
use thoughtcache_env::llm::queue::Backlog;

/// A request waits for another if both are served at the edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wait {
    /// The decision about the request whose work it is.
    pub(super) worker: usize,
    /// The decision about the request that waits.
    pub(super) waiter: usize,
    /// What the wait costs at least.
    pub(super) cost: f64,
}

/// All waits between the requests of a cell, in order of decision.
pub(super) fn waits(pricing: &Pricing<'_>, asks: &[Ask]) -> Vec<Wait> {
    let law = pricing.law;
    if law.answers_together() {
        return Vec::new();
    }
    let works: Vec<f64> = asks.iter().map(|ask| pricing.least_gpu_s(ask)).collect();
    let greatest = works.iter().copied().fold(0.0, f64::max);
    let mut waits = Vec::new();
    for ask in asks {
        for worker in (0..ask.batch_begins).rev() {
            let slots = f64::from(ask.slot - asks[worker].slot);
            let left = |gpu_s: f64| {
                let mut backlog = Backlog { gpu_s };
                backlog.drain(law.gpus, slots * law.slot_s);
                backlog.waiting_s(law.gpus)
            };
            if left(greatest) == 0.0 {
                break;
            }
            let cost = law.time_cost(left(works[worker]));
            if cost > 0.0 {
                waits.push(Wait { worker, waiter: ask.decision, cost });
            }
        }
    }
    waits
}
