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
//! The second edition has a modality more, text, and after these what is in flight (`m` of a model; of the batch's own model once more):
//! ```text
//! cell.air = s/(1+s)   user.cloud = what the cloud still has of the conversation / w
//! model.m.answers = B/max_batch   model.m.waiting = s/(1+s)   model.m.token = s/(.05+s)   model.m.slack = s/(10+s)   batch.answers ...
//! ```
//! Rates read 0 at 100 kbit/s and 1 at 10 Gbit/s; `user.twin` is the factor of the twin's freshness. At a prefetch decision
//! everything about batch and user is 0.

use super::api::Entry;
use crate::cache::Residency;
use crate::edition::Edition;
use crate::llm::flight::{Flight, ModelLoad, Totals, backlog_s};
use crate::llm::loading::Tier;
use crate::placement::request::RequestFacts;
use crate::scenario::physics::Physical;
use crate::units::{CellId, ModelId, ServiceId};
use crate::world::World;
use std::sync::OnceLock;

/// Seconds of a deadline that read as one half.
const HALF_DEADLINE_S: f64 = 10.0;
/// Seconds of a token that read as one half.
const HALF_TOKEN_S: f64 = 0.05;

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
    /// The requests in flight, each answer as long as it can be expected to be; none in the first edition.
    pub flight: Flight,
    /// What they take, once somebody has asked.
    projected: OnceLock<Totals>,
    /// By model: its load; empty in the first edition.
    pub loads: Vec<ModelLoad>,
    /// Seconds until the uplink is free; 0 in the first edition.
    pub air_s: f64,
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
            self.model_tiers.resize(physical.model_bytes.len(), Tier::Remote);
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
        if physical.edition == Edition::First {
            self.backlog_s = world.backlog_s(cell);
            return;
        }
        let fleet = physical.fleet();
        self.flight.copy_from(&station.flight);
        self.flight.redraw(fleet.servers, |request, written| {
            let mean = physical.expected_output_tokens(request.service);
            // Of an answer that is longer than most, one token more is all that can be said.
            if written < mean { mean } else { written + 1.0 }
        });
        self.projected = OnceLock::new();
        self.flight.loads(&fleet, &mut self.loads);
        self.backlog_s = backlog_s(&fleet, &self.loads);
        self.air_s = world.air_s(cell);
    }

    /// The flight that a request joins as it can be expected to go on, and what it takes without it.
    pub(super) fn expected(&self, physical: &Physical) -> (&Flight, Totals) {
        let projected = self.projected.get_or_init(|| self.flight.projected(&physical.fleet()));
        (&self.flight, *projected)
    }
}

/// What the entries of a request are computed from.
struct Asked<'a> {
    request: &'a RequestFacts,
    physical: &'a Physical,
    of_service: &'a DemandEntries,
    tier: f32,
    loading: f32,
}

/// The name of an entry, and its value by the load of a model and the most answers that it writes at a time.
type Load = (&'static str, fn(&ModelLoad, f32) -> f32);

/// The name of an entry, and its value where something is asked for.
type Value = (&'static str, fn(&Asked<'_>) -> f32);

/// The entries of the batch after prompt and modality.
const BATCH: [Value; 5] = [
    ("payload", |asked| asked.of_service.payload),
    ("deadline", |asked| asked.of_service.deadline),
    ("together", |asked| asked.request.edge_batch as f32 / asked.physical.max_batch as f32),
    ("tier", |asked| asked.tier),
    ("loading", |asked| asked.loading),
];

/// The entries of the user after the class.
const USER: [Value; 6] = [
    ("uplink", |asked| decades(asked.request.link.uplink_bps, 1e5, 5.0)),
    ("downlink", |asked| decades(asked.request.link.downlink_bps, 1e5, 5.0)),
    ("los", |asked| f32::from(u8::from(asked.request.link.is_los))),
    ("blocked", |asked| f32::from(u8::from(asked.request.link.is_blocked))),
    ("sensing", |asked| asked.request.link.sensing_quality as f32),
    ("twin", |asked| asked.physical.twin.grounding(asked.request.twin_age_slots) as f32),
];

/// The entries of a model in the second edition.
const MODEL: [Load; 4] = [
    ("answers", |load, max_batch| (load.answers as f32 / max_batch).min(1.0)),
    ("waiting", |load, _| saturate(load.waiting_s)),
    ("token", |load, _| (load.token_s / (load.token_s + HALF_TOKEN_S)) as f32),
    ("slack", |load, _| {
        let slack_s = load.slack_s.max(0.0);
        (slack_s / (slack_s + HALF_DEADLINE_S)) as f32
    }),
];

/// Names and bounds, see the [module](self).
pub(super) fn entries(physical: &Physical, num_services: usize) -> Vec<Entry> {
    let services = |feature| (0..num_services).map(move |service| format!("service.{service}.{feature}"));
    let modalities = physical.modalities.iter().map(|modality| format!("batch.modality.{}", modality.name()));
    let classes = physical.classes.iter().map(|class| format!("user.class.{}", class.name));
    let names = services("tier")
        .chain(services("loading"))
        .chain(["batch.prompt".to_owned()])
        .chain(modalities)
        .chain(BATCH.map(|(name, _)| format!("batch.{name}")))
        .chain(classes)
        .chain(USER.map(|(name, _)| format!("user.{name}")))
        .chain(["cell.backlog".to_owned()]);
    let models = (0..physical.fleet().servers.len()).map(|model| format!("model.{model}"));
    let loaded = models.chain(["batch".to_owned()]);
    let loads = loaded.flat_map(|of| MODEL.map(|(name, _)| format!("{of}.{name}")));
    let in_flight = ["cell.air", "user.cloud"].map(str::to_owned).into_iter().chain(loads);
    let names = names.chain(in_flight.take(num_in_flight(physical)));
    names.map(|name| Entry::new(name, 0.0, 1.0)).collect()
}

/// How many entries there are.
pub(super) fn num_entries(physical: &Physical, num_services: usize) -> usize {
    let of_request = 1 + physical.modalities.len() + BATCH.len() + physical.classes.len() + USER.len();
    2 * num_services + of_request + 1 + num_in_flight(physical)
}

/// How many entries tell of requests in flight.
fn num_in_flight(physical: &Physical) -> usize {
    physical.edition.pick(0, 2 + MODEL.len() * (physical.fleet().servers.len() + 1))
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
    let (rest, in_flight) = rest.split_at_mut(rest.len() - num_in_flight(physical));
    let [prompt, rest @ .., backlog] = rest else { return };
    *backlog = saturate(station.backlog_s);
    if let [air, cloud, models @ ..] = in_flight {
        *air = saturate(station.air_s);
        let of_window = |request: &RequestFacts| {
            (request.cloud_tokens as f32 * inverse_window[request.service.index()]).min(1.0)
        };
        *cloud = request.map_or(0.0, of_window);
        let own = request.map(|request| &station.loads[physical.model_of(request.service)]);
        for (entries, load) in models.chunks_exact_mut(MODEL.len()).zip(station.loads.iter().chain(own)) {
            for (x, (_, value)) in entries.iter_mut().zip(MODEL) {
                *x = value(load, physical.max_batch as f32);
            }
        }
    }
    let Some(request) = request else { return };
    let own = request.service.index();
    *prompt = (request.new_tokens as f32 * inverse_window[own]).min(1.0);
    let (modalities, rest) = rest.split_at_mut(physical.modalities.len());
    modalities[physical.demands(request.service).modality as usize] = 1.0;
    let (batch, rest) = rest.split_at_mut(BATCH.len());
    let (classes, user) = rest.split_at_mut(physical.classes.len());
    classes[request.class as usize] = 1.0;
    let (of_service, tier, loading) = (&demand_entries[own], services[own], services[n + own]);
    let asked = Asked { request, physical, of_service, tier, loading };
    for (x, (_, value)) in batch.iter_mut().zip(BATCH).chain(user.iter_mut().zip(USER)) {
        *x = value(&asked);
    }
}
