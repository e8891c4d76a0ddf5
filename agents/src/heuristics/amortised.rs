//! *Rule.* Buys a load that pays within `horizon_slots`: a service is loaded when what it saves in that time, less what the
//! entries that have to leave for it would have saved, exceeds what its load costs. The entry that saves least per byte
//! leaves first. What is saved per slot is that of `savings`, the load's cost that of the request which would wait for it;
//! victims that save nothing count as 0.
//!
//! ```text
//! horizon_slots * (value(i) - sum of max(0, value(victim))) > load(i)
//! ```
//! The long-sighted sibling of a placement by price: one request alone hardly ever pays for a load.
//!
//! *State.* In physical scenarios the mean saving of each service and the cost of its load; the last batch that each resident
//! entry served, for ties. Rates are the observation's.
//!
//! *Cost per decision.* O(services); a miss that needs memory sorts the resident entries. In physical scenarios an estimate of
//! every placement.
//!
//! *Reference.* Ours; a fixed planning horizon for the purchase that `rent-or-buy` decides by the past.

use super::cache_rule::{CacheRule, Scene, factory};
use super::rule::{Entry, Parameter};
use super::savings::Savings;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::units::ServiceId;

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "amortised",
    "loads what pays for its load within a horizon, its victims' savings deducted",
    &[Parameter {
        name: "horizon_slots",
        description: "slots within which a load has to pay",
        default: 50.0,
        low: 0.0,
        high: 1e6,
        grid: &[5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0],
    }],
    |name, scenario, values| {
        factory(name, scenario, Amortised { savings: Savings::new(scenario), horizon_slots: values[0] })
    },
)];

#[derive(Clone, Debug)]
struct Amortised {
    savings: Savings,
    horizon_slots: f64,
}

impl CacheRule for Amortised {
    fn begin_episode(&mut self) {
        self.savings.clear();
    }

    fn meet(&mut self, observation: &DecisionObservation) {
        self.savings.observe(observation);
    }

    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.savings.value(scene, service) / scene.bytes(service)
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        let leaving = self.savings.value_of_all(scene, victims);
        let gain = self.savings.value(scene, scene.service()) - leaving;
        self.horizon_slots * gain > self.savings.load_cost(scene.service())
    }
}
