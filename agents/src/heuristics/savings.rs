//! Estimates of what a resident entry saves and of what a load costs.
//!
//! In abstract scenarios both stand in the scenario, and `value` has the formula. In physical ones they depend on links,
//! queues, contexts and stores, and are learnt from the requests that the rule has seen so far, of all cells together:
//! ```text
//! saving = min over placements without residency of c  -  min over those with residency of c'      per request
//! load   = min over those with residency of c          -  min over those with residency of c'      at a miss
//! value  = rate * saving                                                                           per slot
//! ```
//! Symbols: `c` the estimated cost of the request in a placement, its load included; `c'` the same once its weights are in
//! GPU memory.
//!
//! `saving` is a mean that forgets: the first `1/WEIGHT` requests of a service count alike, later ones push out the oldest.
//! `load` is what the last miss would have cost, for it depends on where the weights are now. A service that nobody has asked
//! for saves nothing and loads for nothing.
//!
//! Assumptions: the requests to come are like those that were seen. A request that misses finds no context, so that a service
//! has to prove itself without one, and is worth more once it has been resident for a while. Placements count whether they
//! are legal at that moment or not. Reloads of exhausted windows are left out.

use super::cache_rule::Scene;
use super::value::EdgeValue;
use std::sync::Arc;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;

/// The weight of a new request in the mean, once there were enough.
const WEIGHT: f64 = 0.05;

/// Sums over the requests of one service so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    num_requests: u64,
    saving: f64,
    load_cost: f64,
}

impl Seen {
    fn add_saving(&mut self, saving: f64) {
        self.num_requests += 1;
        self.saving += (saving - self.saving) * (1.0 / self.num_requests as f64).max(WEIGHT);
    }
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) enum Savings {
    /// By the formula of abstract prices.
    Known(Arc<EdgeValue>),
    /// From the requests seen so far, by service.
    Learnt(Vec<Seen>),
}

impl Savings {
    /// What is known before the first request of an episode.
    pub(super) fn new(scenario: &Scenario) -> Self {
        match scenario.physical() {
            None => Self::Known(Arc::new(EdgeValue::new(scenario))),
            Some(_) => Self::Learnt(vec![Seen::default(); scenario.services.len()]),
        }
    }

    /// Forgets what was learnt.
    pub(super) fn clear(&mut self) {
        if let Self::Learnt(services) = self {
            services.fill(Seen::default());
        }
    }

    /// Learns from the request of an observation; once a request.
    pub(super) fn observe(&mut self, observation: &DecisionObservation) {
        let Self::Learnt(services) = self else { return };
        let seen = &mut services[observation.service.index()];
        let (mut elsewhere, mut here, mut loaded) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        let placements = observation.space().placements().iter().copied();
        for placement in placements.filter(|&placement| observation.offers(placement)) {
            let Some((_, cost)) = observation.estimate(placement) else { return };
            if !placement.needs_residency() {
                elsewhere = elsewhere.min(cost.total());
                continue;
            }
            here = here.min(cost.total());
            if let Some((_, cost)) = observation.estimate_loaded(placement) {
                loaded = loaded.min(cost.total());
            }
        }
        if (elsewhere - loaded).is_finite() {
            seen.add_saving(elsewhere - loaded);
        }
        if !observation.is_hit() && (here - loaded).is_finite() {
            seen.load_cost = here - loaded;
        }
    }

    /// What a request saves when the edge serves it instead of what is best elsewhere, loads left out; may be negative.
    pub(super) fn per_request(&self, service: ServiceId, rate: f64) -> f64 {
        match self {
            Self::Known(value) => value.saving_per_request(service, rate),
            Self::Learnt(services) => services[service.index()].saving,
        }
    }

    /// What the entry saves per slot, its reloads paid; may be negative.
    pub(super) fn per_slot(&self, service: ServiceId, rate: f64) -> f64 {
        match self {
            Self::Known(value) => value.per_slot(service, rate),
            Self::Learnt(services) => rate * services[service.index()].saving,
        }
    }

    /// Returns the saving per slot at the rate of this moment.
    pub(super) fn value(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.per_slot(service, scene.rate(service))
    }

    /// What entries that have to leave save together; those that save nothing count as 0.
    pub(super) fn value_of_all(&self, scene: Scene<'_>, victims: &[ServiceId]) -> f64 {
        victims.iter().map(|&victim| self.value(scene, victim).max(0.0)).sum()
    }

    /// Returns the cost of a load.
    pub(super) fn load_cost(&self, service: ServiceId) -> f64 {
        match self {
            Self::Known(value) => value.load_cost(service),
            Self::Learnt(services) => services[service.index()].load_cost,
        }
    }
}
