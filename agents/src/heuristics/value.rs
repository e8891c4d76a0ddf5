//! The saving of a resident entry.
//!
//! Equation, for a service asked for `ew` times per slot:
//! ```text
//! kbar   = max( zeta k, zeta w/2 (1 - fade / (zeta k ew)) )                       mean age of thought over a window
//! saving = l_cloud - l_edge - compute - w_acc c(kbar)                             per request, against the cloud
//! value  = ew saving - load ew k / w                                              per slot
//! ```
//! Symbols: `k` tokens that a request adds; `w` context window; `zeta` consensus factor; `fade` tokens lost per slot; `c` the
//! service's unit accuracy cost at that age; `load` cost of one load, due again each time the window is exhausted, after
//! `w / k` requests, and never where exhaustion only clears the context. Where each of `n` users has a context, one grows
//! with `ew / n` requests per slot, and a load is due after `n w / k`. With P1's quality law and no price on compute this is
//! `ew (l_cloud - l_edge - w_acc (1-alpha) / (kbar ln(1/beta))) - lambda s ew k / w`.
//!
//! Assumptions: requests come evenly, the context grows from nothing to the window and fades all the while; an entry that is
//! asked for too rarely to stay fresh is judged by a single request's thoughts.

use thoughtcache_env::scenario::{Prices, Scenario, Service};
use thoughtcache_env::thought::Refresh;
use thoughtcache_env::units::ServiceId;

/// The values of all services of a scenario.
#[derive(Clone, Debug)]
pub(super) struct EdgeValue {
    services: Vec<Service>,
    prices: Prices,
    refresh: Refresh,
    zeta: f64,
    /// Contexts that share the requests of a service.
    num_contexts: f64,
}

impl EdgeValue {
    /// With the prices and services of this scenario.
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            services: scenario.services.clone(),
            prices: scenario.prices,
            refresh: scenario.refresh,
            zeta: scenario.consensus_factor,
            num_contexts: f64::from(scenario.num_users.unwrap_or(1)),
        }
    }

    /// Mean age of thought over the life of an entry, tokens.
    fn mean_age_tokens(&self, service: &Service, rate: f64) -> f64 {
        let fresh_tokens = self.zeta * service.request_tokens;
        let steady =
            self.zeta * service.window_tokens / 2.0 * (1.0 - service.fade_tokens / (fresh_tokens * rate));
        // A rate of 0 makes `steady` minus infinity, or no number where nothing fades: both mean "not fresh".
        fresh_tokens.max(steady)
    }

    /// What a request saves when the edge serves it instead of the cloud, loads left out; may be negative.
    pub(super) fn saving_per_request(&self, service: ServiceId, rate: f64) -> f64 {
        let (prices, service) = (&self.prices, &self.services[service.index()]);
        let age = self.mean_age_tokens(service, rate / self.num_contexts);
        let accuracy = prices.accuracy_weight * service.quality.unit_cost(age, age);
        let edge = service.edge_per_request + service.request_flop * prices.per_flop;
        service.cloud_per_request - edge - accuracy
    }

    /// Returns the cost of a load.
    pub(super) fn load_cost(&self, service: ServiceId) -> f64 {
        self.services[service.index()].load_cost
    }

    /// What the entry saves per slot, its reloads paid; may be negative.
    pub(super) fn per_slot(&self, service: ServiceId, rate: f64) -> f64 {
        let Service { load_cost, request_tokens, window_tokens, .. } = self.services[service.index()];
        let reload = match self.refresh {
            Refresh::Evict => load_cost * request_tokens / window_tokens / self.num_contexts,
            Refresh::Clear => 0.0,
        };
        rate * self.saving_per_request(service, rate) - reload * rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Service 1 of `tight`: LLaMA-65B, alpha .694911, window 2,000, 200 tokens a request, load 1.3e-3.
    const SMALL: ServiceId = ServiceId(1);

    #[test]
    fn two_requests_a_slot_keep_the_context_at_seven_tenths_of_half_a_window() {
        let value = EdgeValue::new(&Scenario::shipped("tight"));
        // kbar = 1000 (1 - 120 / 400) = 700; accuracy 2.5 * .305089 / (700 ln 2) = .0015719426
        let saving = 0.0075 - 0.0001 - 2.5 * 0.305_089 / (700.0 * std::f64::consts::LN_2);
        assert_relative_eq!(value.saving_per_request(SMALL, 2.0), saving, max_relative = 1e-12);
        // A reload after every ten requests: 1.3e-3 / 10 a request.
        assert_relative_eq!(value.per_slot(SMALL, 2.0), 2.0 * saving - 2.0 * 1.3e-4, max_relative = 1e-12);
    }

    #[test]
    fn an_entry_that_is_hardly_asked_for_is_judged_by_one_request() {
        let value = EdgeValue::new(&Scenario::shipped("tight"));
        let lone = 0.0075 - 0.0001 - 2.5 * 0.305_089 / (200.0 * std::f64::consts::LN_2);
        for rate in [0.0, 0.1, 0.6] {
            assert_relative_eq!(value.saving_per_request(SMALL, rate), lone, max_relative = 1e-12);
        }
        assert_eq!(value.per_slot(SMALL, 0.0), 0.0);
    }
}
