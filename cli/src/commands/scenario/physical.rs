//! The physical part of a scenario as a sheet of numbers: area, radio, servers, devices, models, services, weights.

mod words;

use super::describe::Price;
use crate::quantity::{number, percent};
use serde::Serialize;
use thoughtcache_env::llm::inference::Tokens;
use thoughtcache_env::llm::loading::Tier;
use thoughtcache_env::placement::pipeline::SiteView;
use thoughtcache_env::radio::band::Terminal;
use thoughtcache_env::scenario::physical::PhysicalConfig;
use thoughtcache_env::scenario::physics::Physical;
use thoughtcache_env::scenario::{Scenario, ScenarioConfig};
use thoughtcache_env::units::{ModelId, ServiceId, bytes_to_gb};

/// The request by which models are compared, in tokens.
const EXAMPLE: Tokens = Tokens { prompt: 1000.0, reused: 0.0, output: 200.0 };

/// What a person wants to know of a physical scenario; `settings` is what its file says.
#[derive(Serialize)]
pub(super) struct Sheet {
    settings: PhysicalConfig,
    users: u32,
    carrier_ghz: f64,
    bandwidth_mhz: f64,
    base_station: End,
    device: End,
    /// Where the base stations stand, to the east and to the north.
    sites_m: Vec<[f64; 2]>,
    /// The share of the time that a passer-by is in the way of a user.
    blocked_share: f64,
    models: Vec<EdgeModel>,
    elsewhere: Vec<Elsewhere>,
    services: Vec<Demand>,
    /// What a slot costs while the whole memory of a cell is full.
    holding_cost_per_slot: f64,
}

/// One end of a link.
#[derive(Serialize)]
struct End {
    power_dbm: f64,
    power_w: f64,
    gain_db: f64,
    noise_figure_db: f64,
}

impl From<Terminal> for End {
    fn from(Terminal { power, gain, noise_figure }: Terminal) -> Self {
        Self { power_dbm: power.0, power_w: power.to_w(), gain_db: gain.0, noise_figure_db: noise_figure.0 }
    }
}

/// How a model does at a site.
#[derive(Serialize)]
struct Speed {
    gpus: f64,
    /// Of the answer, while nothing else runs.
    tokens_per_s: f64,
    /// Accuracy without context.
    accuracy: f64,
    /// How well it aligns an answer with what its user wants.
    alignment: f64,
}

impl Speed {
    fn new(site: &SiteView<'_>) -> Self {
        let served = site.server.serve(&EXAMPLE, 1);
        Self {
            gpus: site.server.num_gpus(),
            tokens_per_s: EXAMPLE.output / served.decode_s,
            accuracy: site.law.accuracy(0.0),
            alignment: site.alignment_quality,
        }
    }
}

/// A model that cells can hold.
#[derive(Serialize)]
struct EdgeModel {
    name: String,
    services: usize,
    memory_gb: f64,
    window_tokens: f64,
    /// What a context takes that fills the window, where context takes room.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_context_gb: Option<f64>,
    #[serde(flatten)]
    speed: Speed,
    /// Accuracy with a window full of fresh context.
    accuracy_with_full_context: f64,
    /// Seconds from each tier into GPU memory.
    load_s: LoadTimes,
}

#[derive(Serialize)]
struct LoadTimes {
    host: f64,
    nvme: f64,
    store: f64,
}

/// A model that answers outside the cell.
#[derive(Serialize)]
struct Elsewhere {
    /// The class of devices, or `cloud`.
    site: String,
    /// The share of users that carry such a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    hardware: String,
    model: String,
    #[serde(flatten)]
    speed: Speed,
}

/// What a service asks for.
#[derive(Serialize)]
struct Demand {
    name: String,
    model: String,
    modality: &'static str,
    /// How much of what is there the sensor shows, without the cell's help.
    perception: f64,
    sensor_bits: f64,
    perception_gflop: f64,
    /// The share of the meaning that coarse and fine features carry, where splits are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<[f64; 2]>,
    deadline_s: f64,
}

impl Sheet {
    /// What the components of a cost are made of.
    pub(super) const COMPONENTS: [(&'static str, &'static str); 7] = [
        ("switching", "waiting for weights, the energy of their load, what the store sends"),
        ("transmission", "time and energy of radio and backhaul"),
        ("compute", "time in the queue, time and energy of perception, prefill, decode and alignment"),
        ("accuracy", "what the answer's quality lacks to 1"),
        ("cloud", "money"),
        ("holding", "energy that keeps memory, slot by slot"),
        ("deadline", "late answers"),
    ];

    /// `None` for abstract scenarios.
    pub(super) fn new(config: &ScenarioConfig, scenario: &Scenario) -> Option<Self> {
        let (settings, physical) = (config.physical.clone()?, scenario.physical()?);
        let (radio, path) = (physical.radio(), physical.load_path());
        let services = || (0..scenario.services().len()).map(ServiceId::from_index);
        let first_of = |model| services().find(|&service| scenario.service(service).model == model);
        let models = config.models.iter().enumerate().filter_map(|(index, typed)| {
            let id = ModelId::from_index(index);
            let (shape, site) = (scenario.model(id), physical.edge(first_of(id)?));
            let bytes = shape.kv_bytes_per_token * shape.window_tokens;
            Some(EdgeModel {
                name: typed.name.clone(),
                services: services().filter(|&service| scenario.service(service).model == id).count(),
                memory_gb: bytes_to_gb(shape.bytes),
                window_tokens: shape.window_tokens,
                full_context_gb: scenario.has_kv().then(|| bytes_to_gb(bytes.ceil() as u64)),
                speed: Speed::new(&site),
                accuracy_with_full_context: site.law.accuracy(shape.window_tokens),
                load_s: LoadTimes {
                    host: path.load_s(Tier::Host, shape.bytes),
                    nvme: path.load_s(Tier::Nvme, shape.bytes),
                    store: path.load_s(Tier::Remote, shape.bytes),
                },
            })
        });
        Some(Self {
            users: physical.num_users(),
            carrier_ghz: radio.band.carrier_hz / 1e9,
            bandwidth_mhz: radio.band.bandwidth_hz / 1e6,
            base_station: radio.band.base.into(),
            device: radio.band.device.into(),
            sites_m: physical.cells().iter().map(|place| [place.x_m, place.y_m]).collect(),
            blocked_share: radio.blockage.map_or(0.0, |blockage| blockage.prob()),
            models: models.collect(),
            elsewhere: elsewhere(&settings, physical),
            services: services().filter_map(|id| demand(config, scenario, physical, id)).collect(),
            holding_cost_per_slot: physical.holding_cost(scenario.capacity_bytes()),
            settings,
        })
    }

    /// What things cost.
    pub(super) fn prices(&self) -> Vec<Price> {
        let weights = &self.settings.weights;
        let rows = [
            ("time", weights.cost_per_s, "per s until the answer is complete"),
            ("energy", weights.cost_per_j, "per J of device, network, cell and cloud"),
            ("quality", weights.cost_per_quality, "x (1 - quality) of the answer"),
            ("money", weights.cost_per_currency, "per unit of currency"),
            ("deadline", weights.cost_per_missed_deadline, "per late answer"),
            ("store", weights.cost_per_store_gb, "per GB of weights from outside the cell"),
            ("holding", self.holding_cost_per_slot, "per slot with a full memory, at the price of energy"),
        ];
        rows.map(|(component, amount, per)| Price { component, amount: number(amount), per: per.to_owned() })
            .into()
    }

    /// The share of the time that is left for communication, in words.
    fn sensing_share(&self) -> Option<String> {
        self.settings.radio.sensing.map(|sensing| percent(sensing.time_ratio))
    }
}

fn elsewhere(settings: &PhysicalConfig, physical: &Physical) -> Vec<Elsewhere> {
    let service = ServiceId(0);
    let devices = settings.devices.iter().enumerate().map(|(class, typed)| Elsewhere {
        site: typed.name.clone(),
        share: Some(typed.share),
        hardware: typed.device.clone(),
        model: typed.model.clone(),
        speed: Speed::new(&physical.device(class, service)),
    });
    let cloud = Elsewhere {
        site: "cloud".to_owned(),
        share: None,
        hardware: settings.cloud.device.clone(),
        model: settings.cloud.model.clone(),
        speed: Speed::new(&physical.cloud(service)),
    };
    devices.chain([cloud]).collect()
}

fn demand(
    config: &ScenarioConfig,
    scenario: &Scenario,
    physical: &Physical,
    id: ServiceId,
) -> Option<Demand> {
    let (service, demands) = (scenario.service(id), physical.demands(id));
    let typed = config.services.get(id.index())?.demands.as_ref()?;
    let laws = physical.radio().features;
    Some(Demand {
        name: service.name.clone(),
        model: scenario.model_name(service.model).to_owned(),
        modality: demands.modality.name(),
        perception: demands.modality.quality(),
        sensor_bits: demands.sensor_bits,
        perception_gflop: typed.perception_gflop,
        features: laws.map(|laws| laws.map(|law| law.of(demands.sensor_bits).quality)),
        deadline_s: demands.deadline_s,
    })
}
