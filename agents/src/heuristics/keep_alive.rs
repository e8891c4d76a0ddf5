//! *Rule.* Keeps contexts alive: the context of a user who was served within `slots` slots is alive, and has a right to its place. A
//! request with a living context is served at the edge. Any other is served there if there is room beside the living: the
//! compute that the slot has left covers it after one mean request for each living context that was not served in this slot
//! yet, and no entry with a living context has to leave for its load. Victims are those that served longest ago.
//!
//! Contexts of abstract scenarios fade and leave no room when they go, so that to drop one is to withdraw its right to compute.
//! Where users share contexts, an entry is the context of one user (`context`).
//!
//! *State.* The last batch that each resident entry served.
//!
//! *Cost per decision.* O(contexts at the cell).
//!
//! *Reference.* The idle time after which Ollama and llama-swap unload a model, applied to contexts.

use super::cache_rule::{CacheRule, Scene, factory};
use super::context::{Context, Contexts};
use super::rule::{Entry, Parameter};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "keep-alive",
    "serves users who were served lately first, and others in what the slot has left",
    &[Parameter {
        name: "slots",
        description: "slots without service after which a context is given up",
        default: 6.0,
        low: 0.0,
        high: 1e6,
        grid: &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 48.0],
    }],
    |name, scenario, values| {
        let rule =
            KeepAlive { contexts: Contexts::new(scenario), scenario: Arc::clone(scenario), slots: values[0] };
        factory(name, scenario, rule)
    },
)];

#[derive(Clone, Debug)]
struct KeepAlive {
    contexts: Contexts,
    scenario: Arc<Scenario>,
    slots: f64,
}

impl KeepAlive {
    fn is_alive(&self, context: &Context) -> bool {
        f64::from(context.slots_ago) <= self.slots
    }

    /// The share of the compute budget that a mean request of a service takes; 0 where there is no budget.
    fn share(&self, service: ServiceId) -> f64 {
        let request_flop = self.scenario.service(service).request_flop;
        self.scenario.compute_budget_flop.map_or(0.0, |budget| request_flop / budget)
    }
}

impl CacheRule for KeepAlive {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        scene.stay(service).last_access as f64
    }

    fn wants(&self, scene: Scene<'_>) -> bool {
        let observation = scene.observation;
        if self.contexts.own(observation).is_some_and(|own| self.is_alive(&own)) {
            return true;
        }
        let all = self.contexts.all(observation);
        let waiting = all.iter().filter(|context| context.slots_ago > 0 && self.is_alive(context));
        let reserved: f64 = waiting.map(|context| self.share(context.service)).sum();
        let own =
            f64::from(observation.num_requests) * observation.thought_length * self.share(scene.service());
        reserved + own <= observation.compute_left
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        let all = self.contexts.all(scene.observation);
        all.iter().all(|context| !(victims.contains(&context.service) && self.is_alive(context)))
    }
}
