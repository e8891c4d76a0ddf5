//! The price of a request in a physical scenario: its numbers put together with the scenario's, and its bill weighed.

use crate::cost::CostBreakdown;
use crate::edition::Edition;
use crate::llm::energy;
use crate::llm::flight::{Fleet, Flight, Totals};
use crate::placement::pipeline::{Joined, Joining, RequestView, Stage, StageBill};
use crate::placement::request::RequestFacts;
use crate::scenario::physics::Physical;
use crate::units::ServiceId;

/// Bits of a token as text: about four characters of a byte each.
const TOKEN_BITS: f64 = 32.0;

impl Physical {
    /// All numbers that the price of a request depends on.
    pub fn view(&self, facts: RequestFacts) -> RequestView<'_> {
        let demands = self.demands(facts.service);
        RequestView {
            facts,
            device: self.device(facts.class as usize, facts.service),
            edge: self.edge(facts.service),
            cloud: self.cloud(facts.service),
            uplink_w: self.device_w * facts.link.time_share,
            downlink_w: self.base_w * facts.link.time_share,
            backhaul_bps: self.backhaul_bps,
            backhaul_delay_s: self.core_delay_s,
            sensor_bits: demands.sensor_bits,
            coarse: demands.features[0],
            fine: demands.features[1],
            perception_flop: demands.perception_flop,
            token_bits: TOKEN_BITS,
            carried_tokens: if self.carries_context { facts.said_tokens } else { 0.0 },
            cached_price_ratio: self.cloud_cache.map_or(1.0, |cache| cache.price_ratio),
            twin_factor: self.twin.grounding(facts.twin_age_slots),
            joining: None,
        }
    }

    /// [`view`](Self::view) of a request that joins those in flight at its cell, which take `projected` without it; the first
    /// edition knows of none.
    pub fn view_in<'a>(
        &'a self,
        facts: RequestFacts,
        flight: &'a Flight,
        projected: Totals,
    ) -> RequestView<'a> {
        let (service, fleet) = (facts.service, self.fleet());
        let joining = self.edition.pick(None, Some(service)).map(|service| {
            let deadline_s = self.demands(service).deadline_s;
            Joining { flight, projected, fleet, model: self.model_of(service), deadline_s }
        });
        RequestView { joining, ..self.view(facts) }
    }

    /// [`view`](Self::view) of a request at a cell where nothing is in flight.
    pub fn view_alone(&self, facts: RequestFacts) -> RequestView<'_> {
        self.view_in(facts, &self.nothing, Totals::default())
    }

    /// Whether requests join a batch that is in flight: the second edition.
    pub fn answers_together(&self) -> bool {
        self.edition == Edition::Second
    }

    /// What a request that is alone pays at most for energy that others would share with it, were they there; 0 in the first edition.
    pub fn shared_energy_cost(&self, bill: &StageBill) -> f64 {
        let Some(Joined { request, added, .. }) = &bill.joined else { return 0.0 };
        let server = &self.servers[self.model_of(request.service)];
        let least_s = server.least_gpu_s(&request.tokens, f64::from(self.max_batch));
        self.weights.cost_per_j * server.dynamic_j((added.busy_gpu_s - least_s).max(0.0))
    }

    /// The models of a cell and the GPUs that they share.
    pub(crate) fn fleet(&self) -> Fleet<'_> {
        Fleet { servers: &self.servers, gpus: self.gpus, max_batch: self.max_batch as usize }
    }

    /// The cost of a served request by component: time and energy where they were spent. Loads cost extra, see
    /// [`load_cost`](Self::load_cost).
    pub fn cost(&self, bill: &StageBill, service: ServiceId) -> CostBreakdown {
        let weights = &self.weights;
        let mut cost = CostBreakdown {
            accuracy: weights.cost_per_quality * (1.0 - bill.quality),
            cloud: weights.cost_per_currency * bill.money,
            deadline: weights.cost_per_missed_deadline * self.num_late(bill, service),
            compute: bill.joined.map_or(0.0, |joined| self.time_cost(joined.others_s)),
            ..CostBreakdown::default()
        };
        for stage in Stage::ALL {
            let line = bill.line(stage);
            let price = self.time_cost(line.seconds) + weights.cost_per_j * line.joules;
            match stage {
                Stage::Load => cost.switching += price,
                Stage::Uplink | Stage::BackhaulUp | Stage::BackhaulDown | Stage::Downlink => {
                    cost.transmission += price;
                }
                Stage::Perceive | Stage::Wait | Stage::Prefill | Stage::Decode | Stage::Align => {
                    cost.compute += price;
                }
            }
        }
        cost
    }

    /// The cost of so many seconds until an answer is complete, its deadline apart.
    pub fn time_cost(&self, seconds: f64) -> f64 {
        self.weights.cost_per_s * seconds
    }

    /// Whether an answer comes after its deadline.
    pub fn is_late(&self, bill: &StageBill, service: ServiceId) -> bool {
        bill.latency_s > self.demands(service).deadline_s
    }

    /// How many answers come after their deadlines through a request: its own, and those in flight that wait for it; less than 0 where
    /// more of them come in time.
    pub fn num_late(&self, bill: &StageBill, service: ServiceId) -> f64 {
        bill.joined
            .map_or_else(|| f64::from(u8::from(self.is_late(bill, service))), |joined| joined.added.late)
    }

    /// The cost of a slot in which so many bytes are resident.
    pub fn holding_cost(&self, resident_bytes: u64) -> f64 {
        self.weights.cost_per_j * energy::holding_w(&self.server_device, resident_bytes) * self.slot_s
    }

    /// The cost of a load, apart from the time that requests wait for it.
    pub fn load_cost(&self, load_s: f64, store_bytes: u64) -> f64 {
        self.weights.cost_per_j * self.path.load_j(load_s)
            + 1e-9 * self.weights.cost_per_store_gb * store_bytes as f64
    }
}
