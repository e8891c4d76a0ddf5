//! Serving a batch: what leaves memory for it, what it costs, and what it leaves behind.

use super::physics::Physics;
use super::{Cell, Outcome};
use crate::cache::Cache;
use crate::counters::Counters;
use crate::edition::Edition;
use crate::placement::pipeline::{Stage, StageBill, price};
use crate::placement::request::RequestFacts;
use crate::placement::{Payload, Placement, Site};
use crate::scenario::Scenario;
use crate::units::{CellId, ServiceId};
use crate::workload::arrivals::Batch;
use crate::workload::users::Visit;

/// A service that has to be resident at a cell.
pub(super) struct Incoming<'a> {
    pub(super) cell: CellId,
    pub(super) service: ServiceId,
    /// The services that leave first.
    pub(super) victims: &'a [ServiceId],
    /// Bytes that have to be free.
    pub(super) needed_bytes: u64,
}

/// A batch that is served.
pub(super) struct Job<'a> {
    pub(super) batch: Batch,
    /// The users whose requests it brings.
    pub(super) visits: &'a [Visit],
    /// Batches served at the edge in this episode, this one included.
    pub(super) number: u64,
    /// The length of its thoughts, as a multiple of the mean.
    pub(super) length: f64,
    /// The entry that serves it at the edge.
    pub(super) incoming: Incoming<'a>,
}

/// The cost of a batch in the cloud of an abstract scenario.
pub(super) fn cloud_cost(scenario: &Scenario, batch: Batch) -> f64 {
    f64::from(batch.num_requests) * scenario.service(batch.service).cloud_per_request
}

/// Makes an entry of an abstract scenario resident; returns the cost of its load.
pub(super) fn bring_in(
    scenario: &Scenario,
    incoming: &Incoming<'_>,
    cache: &mut Cache,
    counters: &mut Counters,
) -> f64 {
    let &Incoming { service, victims, needed_bytes, .. } = incoming;
    cache.bring_in(service, victims, needed_bytes, counters);
    if counters.loads > 0 { scenario.service(service).load_cost } else { 0.0 }
}

/// Serves a batch of an abstract scenario at the edge.
pub(super) fn at_edge(scenario: &Scenario, job: &Job<'_>, cell: &mut Cell, outcome: &mut Outcome) {
    let Outcome { cost, counters } = outcome;
    cost.switching = bring_in(scenario, &job.incoming, &mut cell.cache, counters);
    let service = scenario.service(job.batch.service);
    let law = scenario.context_law(job.batch.service).of_length(job.length);
    let request_flop = job.length * service.request_flop;
    let (prices, window) = (scenario.prices, service.window_tokens);
    counters.refreshes =
        cell.cache.serve(job.batch.service, job.visits, &law, job.number, |visit, before, after| {
            let unit = service.quality.unit_cost(before.fresh_tokens(window), after.fresh_tokens(window));
            cost.accuracy += f64::from(visit.num_requests) * prices.accuracy_weight * unit;
        });
    let requests = f64::from(job.batch.num_requests);
    cost.transmission = requests * service.edge_per_request;
    cost.compute = requests * request_flop * prices.per_flop;
    cell.spent_flop += requests * request_flop;
}

impl Physics {
    /// Serves the pending request: the cell takes on its work, keeps what was said, and refreshes its user's twin.
    pub(super) fn serve(
        &mut self,
        placement: Placement,
        job: &Job<'_>,
        cache: &mut Cache,
        outcome: &mut Outcome,
    ) {
        let mut facts = self.facts.expect("a request is pending");
        let (cell, service, is_at_edge) = (job.batch.cell, job.batch.service, placement.needs_residency());
        if is_at_edge {
            outcome.cost.switching = self.bring_in(&job.incoming, cache, &mut outcome.counters);
            facts.load_s = self.station(cell).loading.seconds_left(service);
        }
        let bill = price(placement, &self.view(cell, facts));
        outcome.cost += self.law.cost(&bill, service);
        // Rarely a newcomer makes others come in time: then nobody is late through it.
        outcome.counters.late = self.law.num_late(&bill, service).max(0.0) as u64;
        self.keep_air_busy(cell, placement, &bill);
        self.hear_in_cloud(&facts, placement.sites().grounding == Site::Cloud);
        if placement.payload() != Payload::Nothing {
            self.refresh_twin(cell, facts.user);
        }
        if is_at_edge {
            let until_s = self.now_s + bill.latency_s;
            if until_s > self.now_s {
                cache.pin(service);
            }
            let station = &mut self.now.stations[cell.index()];
            if let Some(joined) = &bill.joined {
                station.join(joined, &self.law);
                cache.begin(service, job.number);
            } else {
                station.work(service, self.now_s, (&bill, facts.output_tokens), &self.law);
                let law = self.scenario.context_law(service);
                outcome.counters.refreshes = cache.serve(service, job.visits, &law, job.number, |_, _, _| ());
            }
            if !cache.is_resident(service) {
                self.evicted(cell, service, cache);
            }
        }
        outcome.counters.refreshes += std::mem::take(&mut self.now.num_cleared);
        self.last_bill = Some(bill);
    }

    /// Second edition: what is sent from a device to its cell keeps others from the air until it is there.
    fn keep_air_busy(&mut self, cell: CellId, placement: Placement, bill: &StageBill) {
        let is_queued = self.law.edition == Edition::Second && placement.payload() != Payload::Nothing;
        if is_queued {
            let perceived = if placement.is_split() { bill.line(Stage::Perceive).seconds } else { 0.0 };
            self.now.stations[cell.index()].air_free_s =
                self.now_s + perceived + bill.line(Stage::Uplink).seconds;
        }
    }

    /// Makes an entry resident, and begins its load where its weights are absent; returns the cost of the load, waiting
    /// apart.
    pub(super) fn bring_in(
        &mut self,
        incoming: &Incoming<'_>,
        cache: &mut Cache,
        counters: &mut Counters,
    ) -> f64 {
        let &Incoming { cell, service, victims, needed_bytes } = incoming;
        let evictions_before = counters.evictions;
        // Nobody leaves where there is room, and nothing is allocated then.
        let residents: Vec<ServiceId> = if victims.is_empty() && needed_bytes <= cache.free_bytes() {
            Vec::new()
        } else {
            cache.residents().collect()
        };
        let was_resident = cache.is_resident(service);
        cache.bring_in(service, victims, needed_bytes, counters);
        if !was_resident {
            cache.pin(service);
        }
        if counters.evictions > evictions_before {
            for victim in residents {
                if !cache.is_resident(victim) {
                    self.evicted(cell, victim, cache);
                }
            }
        }
        if was_resident {
            return 0.0;
        }
        self.load(cell, service, counters.loaded_bytes)
    }

    /// See [`World::input_cost`](super::World::input_cost).
    pub(super) fn input_cost(&self) -> f64 {
        let Some(facts) = self.facts else { return 0.0 };
        let view = self.law.view(RequestFacts { twin_age_slots: None, cloud_tokens: 0.0, ..facts });
        let elsewhere =
            self.scenario.placements.iter().filter(|placement| {
                !placement.needs_residency() && self.law.offers(facts.service, **placement)
            });
        let cost = |&placement: &Placement| self.law.cost(&price(placement, &view), facts.service).total();
        elsewhere.map(cost).fold(f64::INFINITY, f64::min)
    }
}
