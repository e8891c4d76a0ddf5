//! What it is worth to see the age of thought: exact optima of small caches whose contexts grow and fade.
//!
//! Models: an edge with contexts ([`Contexts`]), shared per service or private to users, as a finite Markov decision process
//! ([`Chain`]). How a context grows, fades and is refreshed, and what an answer costs, are the laws of the program
//! ([`ContextLaw`], [`QualityLaw`](thoughtcache_env::llm::quality::QualityLaw)); they are not written a second time.
//!
//! Three kinds of policies:
//! - **sighted**: sees every `K` and `kappa`. The optimum over all of these is found by relative value iteration.
//! - **with memory**: sees no `K` and no `kappa`, but remembers what it decided. Under these laws `K` and `kappa` are functions of
//!   the requests that were served, so it can compute them: its optimum is the sighted one, where the tokens of a request are known.
//! - **blind**: decides by the resident set and the request alone, and remembers nothing.
//!
//! Reading order: `chain` (the optimum, and the cost of any rule), `two_users` (the case of which the page about the age of thought
//! tells), `shared` (random worlds in which all users of a service share a context).

mod chain;
mod shared;
mod two_users;

pub use chain::{Chain, Contexts};
pub use shared::{Gap, SharedContexts, gaps};
pub use two_users::TwoUsers;

use thoughtcache_env::scenario::{Scenario, Service};
use thoughtcache_env::thought::{ContextLaw, Refresh, Thought};
use thoughtcache_env::units::ServiceId;

/// One service with its laws and prices.
#[derive(Clone, Debug)]
struct Law {
    service: Service,
    context: ContextLaw,
    accuracy_weight: f64,
}

impl Law {
    fn of(scenario: &Scenario, service: ServiceId) -> Self {
        Self {
            service: scenario.service(service).clone(),
            context: scenario.context_law(service),
            accuracy_weight: scenario.prices.accuracy_weight,
        }
    }

    /// Serves a batch at the edge: the accuracy cost of all its requests, and the context that it leaves; `None` where the entry is
    /// evicted with an exhausted window.
    fn serve(&self, before: Thought, num_requests: u32) -> (f64, Option<Thought>) {
        let window = self.context.window_tokens;
        let after = self.context.grown(before, num_requests);
        let unit = self.service.quality.unit_cost(before.fresh_tokens(window), after.fresh_tokens(window));
        let kept = match self.context.refresh {
            _ if !after.is_exhausted(window) => Some(after),
            Refresh::Clear => Some(Thought::default()),
            Refresh::Evict => None,
        };
        (f64::from(num_requests) * self.accuracy_weight * unit, kept)
    }

    /// The context at the end of the slot.
    fn faded(&self, mut thought: Thought) -> Thought {
        thought.fade(self.service.fade_tokens);
        thought
    }
}

#[cfg(test)]
mod tests;
