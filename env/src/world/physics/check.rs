//! Whether the state of a physical world is one that play can lead to.

use super::{LEAST_BPS, Physics, PhysicsState, Station};
use crate::cache::Cache;
use crate::placement::request::RequestFacts;
use crate::scenario::Scenario;
use crate::scenario::physics::Physical;
use crate::units::ServiceId;
use crate::workload::arrivals::Batch;

/// The most handovers, and the most links beyond valid distances, that a state may tell of.
const MOST_COUNTED: u64 = 1 << 53;

impl Physics {
    /// Whether a state fits.
    ///
    /// # Errors
    /// What does not.
    pub(in crate::world) fn check(
        &self,
        state: &PhysicsState,
        slots: u64,
        batches: &[Batch],
        physical: &Physical,
    ) -> Result<(), String> {
        self.sessions.check(&state.sessions, slots)?;
        let services = self.stations[0].served.len();
        if state.radios.num_users() != self.radios.num_users()
            || !state.radios.fits(&self.radios, slots as f64 * physical.slot_s(), physical.radio())
            || state.twins.len() != self.twins.len()
            || state.handovers.max(state.num_clamped) > MOST_COUNTED
            || !state.twins.iter().all(|twin| twin.is_possible(slots))
            || state.stations.len() != self.stations.len()
        {
            return Err("its users or its cells are others".into());
        }
        let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
        let is_sound = |station: &Station| {
            station.backlog.is_valid()
                && station.batch_waiting_s.len() == services
                && station.batch_waiting_s.iter().all(is_time)
                && station.loading.is_valid(physical.load_path(), physical.model_bytes(), services)
                && station.served.len() == services
                && station.busy_until_s.len() == services
                && station.busy_until_s.iter().all(is_time)
        };
        if !state.stations.iter().all(is_sound) {
            return Err("what its cells work on cannot be".into());
        }
        let is_known = |facts: &RequestFacts| {
            let numbers = [
                facts.arrival_s,
                facts.link.uplink_bps,
                facts.link.downlink_bps,
                facts.link.sensing_quality,
                facts.new_tokens,
                facts.output_tokens,
                facts.said_tokens,
            ];
            let most_tokens = f64::from(u32::MAX);
            facts.user.index() < self.radios.num_users()
                && facts.service.index() < services
                && facts.class as usize == physical.class_of(facts.user)
                && facts.arrival_s <= physical.slot_s()
                && facts.new_tokens.max(facts.output_tokens).max(facts.said_tokens) <= most_tokens
                && facts.link.time_share > 0.0
                && facts.link.time_share <= 1.0
                && facts.link.sensing_quality <= 1.0
                && numbers.iter().all(|number| number.is_finite() && *number >= 0.0)
                && facts.link.uplink_bps >= LEAST_BPS
                && facts.link.downlink_bps >= LEAST_BPS
        };
        let is_of = |(facts, batch): (&RequestFacts, &Batch)| facts.service == batch.service;
        if state.requests.len() != batches.len() || !state.requests.iter().zip(batches).all(is_of) {
            return Err("its requests are not those of its batches".into());
        }
        if !state.requests.iter().all(is_known) {
            return Err("its requests cannot be".into());
        }
        Ok(())
    }

    /// Whether the entries of a cell that are kept from leaving are those that load or serve there; `served` are the requests
    /// of each service that may have been served in this slot.
    pub(in crate::world) fn check_pins(
        cell: usize,
        state: &PhysicsState,
        cache: &Cache,
        served: &[u64],
        scenario: &Scenario,
    ) -> Result<(), String> {
        let station = &state.stations[cell];
        for (index, service) in scenario.services().iter().enumerate() {
            let id = ServiceId::from_index(index);
            let is_pinned = cache.residency()[index].is_protected;
            let is_loading = station.loading.is_loading_of(id, service.model);
            if (station.loading.is_loading(id) && !is_loading) || (is_loading && !is_pinned) {
                return Err(format!("service {index}: its weights are on their way, and it may leave"));
            }
            if is_pinned && !is_loading && station.busy_until_s[index] == 0.0 {
                return Err(format!("service {index}: it is protected, and neither loads nor serves"));
            }
            if u64::from(station.served[index]) > served[index] {
                return Err(format!("service {index}: it has served more requests than were decided"));
            }
        }
        Ok(())
    }
}
