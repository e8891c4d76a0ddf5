//! The physical part of a scenario as typed: radio, servers, cloud, devices, and what seconds, joules, quality and money cost.
//!
//! A scenario has either `[cost]` or `[physical]`. Models and devices are named after those of the catalogue
//! (`configs/catalogue/`, and the scenario's own in `[physical.catalogue]`); [`Physical`](super::physics::Physical) is what is meant.

use crate::llm::catalogue::CatalogueConfig;
use crate::llm::cloud_cache::CloudCacheConfig;
use crate::llm::loading::LoadPathConfig;
use crate::radio::RadioConfig;
use crate::radio::sensing::Modality;
use crate::twin::TwinConfig;
use serde::{Deserialize, Serialize};

/// `[physical]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhysicalConfig {
    /// The laws that are played, 1 or 2; 1 when absent. `docs/model.md` says which are those of the second edition.
    pub edition: Option<u32>,
    /// How many users there are, 1 to 1,000,000.
    pub users: u32,
    /// Where the base stations stand.
    #[serde(default)]
    pub sites: SitesConfig,
    /// The links between users and cells.
    pub radio: RadioConfig,
    /// The edge server of a cell; its memory is `cell.memory_gb`.
    pub server: ServerConfig,
    /// The way of weights into its memory.
    pub loading: LoadPathConfig,
    /// The cloud.
    pub cloud: CloudConfig,
    /// The kinds of devices that users carry.
    pub devices: Vec<DeviceClassConfig>,
    /// How well a cell knows the state of its users.
    pub twin: TwinConfig,
    /// Whether device and cloud are sent the context of a request, as text that they compute again, or know nothing of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carries_context: bool,
    /// What seconds, joules, quality, money and deadlines cost.
    pub weights: WeightsConfig,
    /// Models and devices of one's own.
    #[serde(default, skip_serializing_if = "CatalogueConfig::is_empty")]
    pub catalogue: CatalogueConfig,
}

/// Where the base stations of the cells stand, in the area of `[physical.radio.area]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SitesConfig {
    /// One in the middle of the area; one cell only.
    Middle(MiddleConfig),
    /// Hexagons around the middle of the area, ring by ring.
    Hexagons(HexagonsConfig),
    /// At these places, one a cell.
    Places(PlacesConfig),
    /// At the places of a file, one a cell.
    File(SitesFileConfig),
}

impl Default for SitesConfig {
    fn default() -> Self {
        Self::Middle(MiddleConfig {})
    }
}

/// `[physical.sites.middle]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiddleConfig {}

/// `[physical.sites.hexagons]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HexagonsConfig {
    /// Metres between neighbours, 1 to 100,000.
    pub distance_m: f64,
}

/// `[physical.sites.places]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacesConfig {
    /// Metres to the east and to the north of the area's south-west corner, one pair a cell.
    pub at_m: Vec<[f64; 2]>,
}

/// `[physical.sites.file]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SitesFileConfig {
    /// A shipped file (`city.csv`), or the path of one: columns `name,x_m,y_m`, a line for each cell, metres to the east and to the
    /// north of the area's south-west corner.
    pub path: String,
}

/// `[physical.server]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The kind of GPU, a device of the catalogue.
    pub device: String,
    /// How many GPUs a cell has, 1 to 1,024. A model runs on the least power of two of them that holds it; in edition 2 each grants
    /// an equal part of `cell.memory_gb`.
    pub gpus: u32,
    /// The most requests of one service that run together, 1 to 1,024.
    pub max_batch: u32,
}

/// `[physical.cloud]`: the model of all services, no memory limit, a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudConfig {
    /// The kind of GPU, a device of the catalogue.
    pub device: String,
    /// The model that answers every request there, a model of the catalogue.
    pub model: String,
    /// GPUs that work on one request, a power of two, 1 to 64.
    pub gpus: u32,
    /// How good its answers are.
    pub quality: AccuracyConfig,
    /// The core network between cell and cloud, one way, in milliseconds, at least 0.
    pub core_delay_ms: f64,
    /// Bandwidth between cell and cloud in Gbit/s, above 0.
    pub backhaul_gbit_per_s: f64,
    /// Price of a million tokens of prompts, at least 0.
    pub currency_per_million_prompt_tokens: f64,
    /// Price of a million tokens of answers, at least 0.
    pub currency_per_million_output_tokens: f64,
    /// What it charges for a conversation that it still has, and for how long it has it. Only with `physical.edition = 2` and
    /// `physical.carries_context`; it computes all prompts anew when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CloudCacheConfig>,
}

/// `[[physical.devices]]`: a class of devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceClassConfig {
    /// The name in tables and observations.
    pub name: String,
    /// The share of users that carry one, above 0; the shares of all classes sum to 1 within 1e-6.
    pub share: f64,
    /// A device of the catalogue.
    pub device: String,
    /// The small model that it carries, a model of the catalogue that fits its memory.
    pub model: String,
    /// How good the answers of that model are.
    pub quality: AccuracyConfig,
}

/// How accurate a model is: `A = min(max_accuracy, base + gain * log2(1 + (age / thought)^exponent))` (P3), and how well it
/// aligns an answer with what its user wants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyConfig {
    /// Accuracy without context, 0 to 1.
    pub base: f64,
    /// Accuracy gained per doubling, at least 0.
    pub gain: f64,
    /// How fast thoughts count, above 0.
    pub exponent: f64,
    /// The greatest accuracy, `base` to 1.
    pub max_accuracy: f64,
    /// Share of answers that it aligns well, 0 to 1.
    pub alignment: f64,
}

/// `[physical.weights]`: what things cost, in the scenario's own cost unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsConfig {
    /// Cost of a second until an answer is complete, at least 0.
    pub cost_per_s: f64,
    /// Cost of a joule, at least 0.
    pub cost_per_j: f64,
    /// Cost of the whole quality of an answer, `w (1 - q)`, at least 0.
    pub cost_per_quality: f64,
    /// Cost of a unit of currency, at least 0.
    pub cost_per_currency: f64,
    /// Cost of an answer after its deadline, at least 0.
    pub cost_per_missed_deadline: f64,
    /// Cost of a gigabyte of weights from a store outside the cell, at least 0.
    pub cost_per_store_gb: f64,
}

/// What a service of a physical scenario asks for, in `[[services]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemandsConfig {
    /// What its sensors see: `image`, `video`, `infrared`, `depth`, `audio` or `imu`; in edition 2 `text`, too, which needs no sensor.
    pub modality: Modality,
    /// Sensor data of a request in kilobits, above 0; absent with `text`.
    pub sensor_kbit: Option<f64>,
    /// GFLOP that perception takes, at least 0; absent with `text`.
    pub perception_gflop: Option<f64>,
    /// Seconds after which an answer is late, above 0.
    pub deadline_s: f64,
}
