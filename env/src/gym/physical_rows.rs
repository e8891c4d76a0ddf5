//! The entries that a physical scenario adds to the row of an observation.
//!
//! Blocks, in this order (`n` services, each one entry; all lie in `[0, 1]`):
//! ```text
//! service.i.tier    where its weights are: 0 GPU, 1/3 host memory, 2/3 NVMe, 1 remote     service.i.loading = s/(1+s), seconds left
//! batch.prompt = new/w   batch.modality.* one-hot   batch.payload = lg(bits/1e3)/6   batch.deadline = s/(s+10)
//! batch.together = batch/max_batch   batch.tier, batch.loading of its own service once more
//! user.class.* one-hot   user.uplink, user.downlink = lg(bps/1e5)/5   user.los   user.blocked   user.sensing   user.twin
//! cell.backlog = s/(1+s)
//! ```
//! Rates read 0 at 100 kbit/s and 1 at 10 Gbit/s; `user.twin` is the factor of the twin's freshness. At a prefetch decision
//! everything about batch and user is 0.

use super::api::Entry;
use crate::cache::Residency;
use crate::llm::loading::Tier;
use crate::placement::request::RequestFacts;
use crate::radio::sensing::Modality;
use crate::scenario::physics::Physical;
use crate::units::{CellId, ModelId, ServiceId};
use crate::world::World;

/// Seconds of a deadline that read as one half.
const HALF_DEADLINE_S: f64 = 10.0;

/// The view of a cell beside its memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StationView {
    /// By service: where its weights are.
    pub tiers: Vec<Tier>,
    /// By service: seconds until its weights are in GPU memory, where they are on their way; else 0.
    pub loading_s: Vec<f64>,
    /// Seconds that the GPUs have to work on what was accepted.
    pub backlog_s: f64,
    /// By model: where its weights are outside GPU memory.
    model_tiers: Vec<Tier>,
}

impl StationView {
    /// Notes how a cell of a physical scenario is: by service its model, whether its entry is in memory, and the bytes that
    /// the entry stands for.
    pub(super) fn look(
        &mut self,
        world: &World,
        cell: CellId,
        models: &[ModelId],
        (residency, bytes): (&[Residency], &[u64]),
    ) {
        let (Some(station), Some(physical)) = (world.station(cell), world.scenario().physical()) else {
            return;
        };
        let loading = &station.loading;
        if self.tiers.len() != models.len() {
            self.model_tiers.resize(physical.model_bytes().len(), Tier::Remote);
            self.tiers.resize(models.len(), Tier::Remote);
            self.loading_s.resize(models.len(), 0.0);
        }
        loading.tiers(&mut self.model_tiers);
        for (((tier, model), residency), &bytes) in
            self.tiers.iter_mut().zip(models).zip(residency).zip(bytes)
        {
            // Nothing has to be loaded for an absent entry whose weights another one has brought.
            let is_here = residency.is_resident || bytes == 0;
            let outside = self.model_tiers[model.index()];
            *tier = if is_here { Tier::Gpu } else { outside };
        }
        self.loading_s.fill(0.0);
        for (service, seconds_left) in loading.in_flight() {
            self.loading_s[service.index()] = seconds_left;
        }
        self.backlog_s = world.backlog_s(cell);
    }
}

/// Names and bounds, see the [module](self).
pub(super) fn entries(physical: &Physical, num_services: usize) -> Vec<Entry> {
    let unit = |name: String| Entry::new(name, 0.0, 1.0);
    let of_services = |feature: &'static str| {
        (0..num_services).map(move |service| Entry::new(format!("service.{service}.{feature}"), 0.0, 1.0))
    };
    let mut entries: Vec<Entry> = of_services("tier").chain(of_services("loading")).collect();
    entries.push(unit("batch.prompt".into()));
    entries.extend(Modality::ALL.map(|modality| unit(format!("batch.modality.{}", modality.name()))));
    entries.extend(
        ["payload", "deadline", "together", "tier", "loading"].map(|entry| unit(format!("batch.{entry}"))),
    );
    entries.extend(physical.classes().iter().map(|class| unit(format!("user.class.{}", class.name()))));
    entries.extend(
        ["uplink", "downlink", "los", "blocked", "sensing", "twin"]
            .map(|entry| unit(format!("user.{entry}"))),
    );
    entries.push(unit("cell.backlog".into()));
    entries
}

/// How many entries there are.
pub(super) fn num_entries(physical: &Physical, num_services: usize) -> usize {
    2 * num_services + Modality::ALL.len() + 6 + physical.classes().len() + 7
}

fn saturate(seconds: f64) -> f32 {
    (seconds / (seconds + 1.0)) as f32
}

/// `lg(value / low) / decades`, within 0 and 1.
fn decades(value: f64, low: f64, decades: f64) -> f32 {
    (libm::log10((value / low).max(1.0)) / decades).min(1.0) as f32
}

fn tier(tier: Tier) -> f32 {
    match tier {
        Tier::Gpu => 0.0,
        Tier::Host => 1.0 / 3.0,
        Tier::Nvme => 2.0 / 3.0,
        Tier::Remote => 1.0,
    }
}

/// Entries of a batch that depend on its service alone.
#[derive(Clone, Debug)]
pub(super) struct DemandEntries {
    payload: f32,
    deadline: f32,
}

impl DemandEntries {
    /// By service.
    pub(super) fn of_services(physical: &Physical, num_services: usize) -> Vec<Self> {
        let entries = |index| {
            let demands = physical.demands(ServiceId::from_index(index));
            Self {
                payload: decades(demands.sensor_bits, 1e3, 6.0),
                deadline: (demands.deadline_s / (demands.deadline_s + HALF_DEADLINE_S)) as f32,
            }
        };
        (0..num_services).map(entries).collect()
    }
}

/// Fills the entries; `request` is absent where nothing is asked for.
pub(super) fn encode(
    row: &mut [f32],
    physical: &Physical,
    station: &StationView,
    request: Option<&RequestFacts>,
    inverse_window: &[f32],
    demand_entries: &[DemandEntries],
) {
    let n = inverse_window.len();
    let (services, rest) = row.split_at_mut(2 * n);
    for (x, &at) in services.iter_mut().zip(&station.tiers) {
        *x = tier(at);
    }
    for (x, &left_s) in services[n..].iter_mut().zip(&station.loading_s) {
        // Divisions are slow, and hardly anything is on its way.
        *x = if left_s > 0.0 { saturate(left_s) } else { 0.0 };
    }
    rest.fill(0.0);
    rest[rest.len() - 1] = saturate(station.backlog_s);
    let Some(request) = request else { return };
    let own = request.service.index();
    let demands = physical.demands(request.service);
    let (batch, user) = rest.split_at_mut(Modality::ALL.len() + 6);
    batch[0] = (request.new_tokens as f32 * inverse_window[own]).min(1.0);
    batch[1 + demands.modality as usize] = 1.0;
    batch[1 + Modality::ALL.len()..].copy_from_slice(&[
        demand_entries[own].payload,
        demand_entries[own].deadline,
        request.edge_batch as f32 / physical.max_batch() as f32,
        services[own],
        services[n + own],
    ]);
    let classes = physical.classes().len();
    user[request.class as usize] = 1.0;
    let link = &request.link;
    user[classes..classes + 6].copy_from_slice(&[
        decades(link.uplink_bps, 1e5, 5.0),
        decades(link.downlink_bps, 1e5, 5.0),
        f32::from(u8::from(link.is_los)),
        f32::from(u8::from(link.is_blocked)),
        link.sensing_quality as f32,
        physical.twin().grounding(request.twin_age_slots) as f32,
    ]);
}
