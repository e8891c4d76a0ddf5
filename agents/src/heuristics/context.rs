//! Whose context is at the cell: what the rules about contexts look at.
//!
//! In abstract scenarios with `context.scope = "user"` these are the contexts of users. Elsewhere all users of a service count as one
//! user, whose context is the service's entry: it is here while the entry is, and it was served last when it was last asked for.

use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::scenario::{Scenario, Service};
use thoughtcache_env::units::ServiceId;

/// A context at the cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Context {
    pub(super) service: ServiceId,
    /// Its age of thought, as a multiple of the service's mean thought.
    pub(super) age_thoughts: f64,
    /// Slots since its user was last served here.
    pub(super) slots_ago: u32,
}

/// The view of a scenario's observations.
#[derive(Clone, Debug)]
pub(super) struct Contexts {
    has_users: bool,
    thought_tokens: Vec<f64>,
    /// By service: what a request of mean length adds to an age, as a multiple of the mean thought.
    added_thoughts: Vec<f64>,
}

impl Contexts {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let thought_tokens: Vec<f64> =
            scenario.services.iter().map(|service| service.thought_tokens).collect();
        let added =
            |(service, tokens): (&Service, &f64)| scenario.consensus_factor * service.request_tokens / tokens;
        let added_thoughts = scenario.services.iter().zip(&thought_tokens).map(added).collect();
        Self { has_users: scenario.remembers_users(), thought_tokens, added_thoughts }
    }

    /// All contexts at the cell.
    pub(super) fn all(&self, observation: &DecisionObservation) -> Vec<Context> {
        if self.has_users {
            let known = observation.known_users.iter();
            return known
                .map(|known| self.context(known.service, known.age_tokens, known.slots_ago))
                .collect();
        }
        let entries = observation.residency.iter().zip(&observation.thoughts).zip(&observation.demand);
        let residents = entries.enumerate().filter(|(_, ((residency, _), _))| residency.is_resident);
        residents
            .map(|(index, ((_, thought), demand))| {
                self.context(ServiceId::from_index(index), thought.age_tokens, demand.recency_slots)
            })
            .collect()
    }

    /// The context of the batch: the mean age that its requests find, and the user of it who was served last; `None` where the
    /// entry has served none of them.
    pub(super) fn own(&self, observation: &DecisionObservation) -> Option<Context> {
        let slots_ago = if self.has_users {
            let known = observation.visits.iter().filter_map(|visit| observation.known(visit.user));
            known.map(|known| known.slots_ago).min()?
        } else if observation.is_hit() {
            0
        } else {
            return None;
        };
        Some(self.context(observation.service, observation.mean_thought.age_tokens, slots_ago))
    }

    /// What one request of the batch adds to the age of its context, as a multiple of the service's mean thought.
    pub(super) fn request_thoughts(&self, observation: &DecisionObservation) -> f64 {
        observation.thought_length * self.added_thoughts[observation.service.index()]
    }

    fn context(&self, service: ServiceId, age_tokens: f64, slots_ago: u32) -> Context {
        Context { service, age_thoughts: age_tokens / self.thought_tokens[service.index()], slots_ago }
    }
}
