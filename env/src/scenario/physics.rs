//! The physical part of a scenario as meant: everything that a request's price needs, in SI units.
//!
//! `world/prices.rs` puts the numbers of one request together with these; `placement/pipeline.rs` prices it.

use super::config::{GranularityConfig, ModelConfig, ScenarioConfig, WorkloadConfig};
use super::files::PhysicalFiles;
use super::physical::{AccuracyConfig, DemandsConfig, PhysicalConfig, WeightsConfig};
use super::validate::{MAX_USERS, SessionsWorld, logarithmic};
use crate::edition::Edition;
use crate::invalid::{Invalid, Range, SUM_TOLERANCE, between, count, length, name, number, present};
use crate::llm::catalogue::{Catalogue, Device, Model};
use crate::llm::cloud_cache::CloudCacheConfig;
use crate::llm::flight::Flight;
use crate::llm::inference::Server;
use crate::llm::loading::LoadPath;
use crate::llm::quality::AccuracyLaw;
use crate::placement::Placement;
use crate::placement::pipeline::SiteView;
use crate::placement::request::RequestFacts;
use crate::radio::RadioParameters;
use crate::radio::features::Features;
use crate::radio::mobility::Position;
use crate::radio::sensing::Modality;
use crate::thought::{ContextLaw, Refresh};
use crate::twin::TwinLaw;
use crate::units::{ModelId, ServiceId, bytes_to_gb};
use crate::workload::sessions::SessionsModel;
use serde::Serialize;

/// The most pairs of a user and a cell: each keeps the state of its link and a twin, 20 bytes.
const MAX_LINKS: u64 = 20_000_000;

/// A model at one site, and how good it is.
#[derive(Clone, Debug)]
struct ModelSite {
    server: Server,
    law: AccuracyLaw,
    alignment_quality: f64,
    prompt_token_price: f64,
    output_token_price: f64,
}

impl ModelSite {
    fn view(&self, modality_quality: f64) -> SiteView<'_> {
        SiteView {
            server: &self.server,
            law: &self.law,
            modality_quality,
            alignment_quality: self.alignment_quality,
            prompt_token_price: self.prompt_token_price,
            output_token_price: self.output_token_price,
        }
    }
}

/// A class of devices that users carry.
#[derive(Clone, Debug)]
pub struct DeviceClass {
    /// The name in tables and observations.
    pub name: String,
    /// Users up to this share of all carry this class or one before it.
    up_to_share: f64,
    /// By service, for the tokens of a thought differ.
    sites: Vec<ModelSite>,
}

/// What a request of a service asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Demands {
    /// The kind of data that its sensors record.
    pub modality: Modality,
    /// Bits of its sensor data.
    pub sensor_bits: f64,
    /// What it sends of them in a coarse and in a fine split.
    pub(crate) features: [Features; 2],
    pub(crate) perception_flop: f64,
    /// Seconds after which its answer is late.
    pub deadline_s: f64,
    #[serde(skip)]
    edge: ModelSite,
    #[serde(skip)]
    cloud: ModelSite,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Physical {
    /// The kinds of data that rows tell apart.
    pub modalities: &'static [Modality],
    /// GPUs of a cell.
    pub gpus: f64,
    /// The most requests of one service that run together; in the second edition of one model.
    pub max_batch: u32,
    pub(crate) edition: Edition,
    /// By model, on the GPUs of the cell.
    pub(crate) servers: Vec<Server>,
    /// Nothing is in flight at a cell.
    pub(crate) nothing: Flight,
    /// By service.
    models: Vec<ModelId>,
    pub(crate) server_device: Device,
    /// The way of weights into GPU memory.
    pub path: LoadPath,
    /// Bytes of the weights of each model.
    pub model_bytes: Vec<u64>,
    /// The classes of devices.
    pub classes: Vec<DeviceClass>,
    demands: Vec<Demands>,
    /// How many users there are.
    pub num_users: u32,
    /// Seconds of a slot.
    pub slot_s: f64,
    /// The laws of conversations.
    pub sessions: SessionsModel,
    mean_output_tokens: f64,
    /// The air between users and cells.
    pub radio: RadioParameters,
    /// Transmit powers of both ends.
    pub(crate) device_w: f64,
    pub(crate) base_w: f64,
    /// Where the base stations stand.
    pub cells: Vec<Position>,
    pub(crate) backhaul_bps: f64,
    pub(crate) core_delay_s: f64,
    /// How pictures of users go stale.
    pub twin: TwinLaw,
    /// Hidden tokens that a turn adds for each that is said.
    hidden_ratio: f64,
    /// What the cloud keeps of conversations; `None` where it computes all prompts anew.
    pub cloud_cache: Option<CloudCacheConfig>,
    /// Whether device and cloud are sent the context of a request.
    pub carries_context: bool,
    pub(crate) weights: WeightsConfig,
}

impl Physical {
    /// The class of a user's device: users are spread over the classes by their number, so that every episode has the same
    /// shares.
    pub fn class_of(&self, user: crate::units::UserId) -> usize {
        // Multiples of the golden ratio fill the unit interval evenly, whatever the number of users.
        let place = (f64::from(user.0) * 0.618_033_988_749_894_9).fract();
        let last = self.classes.len() - 1;
        self.classes[..last].iter().position(|class| place < class.up_to_share).unwrap_or(last)
    }

    /// The place of a service's model among those of a cell.
    pub(crate) fn model_of(&self, service: ServiceId) -> usize {
        self.models[service.index()].index()
    }

    /// What requests of a service ask for.
    pub fn demands(&self, service: ServiceId) -> &Demands {
        &self.demands[service.index()]
    }

    /// Whether requests of a service may be served there: a split keeps perception apart from grounding, and has no place where there is
    /// nothing to perceive.
    pub fn offers(&self, service: ServiceId, placement: Placement) -> bool {
        !placement.is_split() || self.demands(service).modality != Modality::Text
    }

    /// How a request lets the context grow by which it is served at the edge: by its service's law, in the second edition by what is said.
    pub fn context_law(&self, law: ContextLaw, facts: &RequestFacts) -> ContextLaw {
        self.said_law(law, facts.new_tokens + facts.output_tokens, facts.said_tokens)
    }

    /// [`context_law`](Self::context_law) of a request with so many new tokens and tokens of its answer, after so many others.
    pub(crate) fn said_law(&self, law: ContextLaw, more_tokens: f64, said_tokens: f64) -> ContextLaw {
        let request_tokens = (1.0 + self.hidden_ratio) * more_tokens;
        let said_tokens = if self.carries_context { said_tokens } else { 0.0 };
        self.edition.pick(law, ContextLaw { request_tokens, said_tokens, ..law })
    }

    /// Tokens of an answer on average, as far as the window allows.
    pub fn expected_output_tokens(&self, service: ServiceId) -> f64 {
        let window_tokens = f64::from(self.sessions.window_tokens[service.index()]);
        self.mean_output_tokens.min(window_tokens / 2.0)
    }

    /// What a device of a class brings to requests of a service.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn device(&self, class: usize, service: ServiceId) -> SiteView<'_> {
        self.classes[class].sites[service.index()].view(self.demands(service).modality.quality())
    }

    /// What a cell's edge server brings to requests of a service.
    pub fn edge(&self, service: ServiceId) -> SiteView<'_> {
        let demands = self.demands(service);
        demands.edge.view(demands.modality.quality())
    }

    /// What the cloud brings to requests of a service.
    pub fn cloud(&self, service: ServiceId) -> SiteView<'_> {
        let demands = self.demands(service);
        demands.cloud.view(demands.modality.quality())
    }
}

impl ScenarioConfig {
    /// The physical part; `models` are those of the catalogue behind the entries of `[[models]]`.
    pub(super) fn physical(
        &self,
        config: &PhysicalConfig,
        catalogue: &Catalogue,
        models: &[Model],
        files: &PhysicalFiles,
    ) -> Result<Physical, Invalid> {
        let edition = Edition::validate(config.edition)?;
        let num_users = count("physical.users", config.users, MAX_USERS)?;
        config.weights.check()?;
        let server = &config.server;
        let server_device = catalogue.device("physical.server.device", &server.device)?.clone();
        let gpus = count("physical.server.gpus", server.gpus, 1024)?;
        let links = u64::from(config.users) * u64::from(self.cell.count);
        let (cells, most) = (self.cell.count, MAX_LINKS / u64::from(self.cell.count).max(1));
        let allowed = format!("at most {most} at {cells} cells: a link is kept for each user and cell");
        Invalid::unless(links <= MAX_LINKS, "physical.users", config.users, allowed)?;
        let held = f64::from(gpus) * bytes_to_gb(server_device.memory_bytes);
        let allowed = format!("at most {held}, the memory of {gpus} {}", server.device);
        Invalid::unless(self.cell.memory_gb <= held, "cell.memory_gb", self.cell.memory_gb, allowed)?;
        let radio = config.radio.validate_in(edition, "physical.radio", Some(&files.radio))?;
        let granted_bytes =
            edition.pick(server_device.memory_bytes as f64, 1e9 * self.cell.memory_gb / f64::from(gpus));
        let parts = Parts {
            config,
            edition,
            catalogue,
            models,
            server_device: &server_device,
            gpus: (gpus, granted_bytes),
            radio: &radio,
        };
        let demands: Vec<Demands> = (0..self.services.len())
            .map(|index| self.demands(&parts, index))
            .collect::<Result<_, Invalid>>()?;
        let cloud = &config.cloud;
        let own_model = |index: usize| self.model_index(index).map(ModelId::from_index);
        let own_models = (0..self.services.len()).map(own_model).collect::<Result<Vec<_>, Invalid>>()?;
        let server = |index: usize| {
            let service = own_models.iter().position(|model| model.index() == index);
            // Nobody asks a model without a service.
            service.map_or_else(
                || Server::new(&server_device, &models[index], 1),
                |service| demands[service].edge.server,
            )
        };
        let servers = (0..models.len()).map(server).collect();
        let sessions = self.sessions(config, models)?;
        Ok(Physical {
            modalities: Modality::of_edition(edition),
            gpus: f64::from(gpus),
            max_batch: count("physical.server.max_batch", config.server.max_batch, 1024)?,
            edition,
            servers,
            nothing: Flight::new(models.len()),
            models: own_models,
            path: config.loading.validate("physical.loading")?,
            model_bytes: models.iter().map(Model::weight_bytes).collect(),
            classes: self.classes(&parts)?,
            demands,
            num_users,
            slot_s: self.slot_s,
            mean_output_tokens: sessions.output_tokens.mean(),
            sessions,
            cells: self.sites(config, radio.area, files)?,
            device_w: radio.band.device.power.to_w(),
            base_w: radio.band.base.power.to_w(),
            radio,
            backhaul_bps: 1e9
                * between("physical.cloud", "backhaul_gbit_per_s", cloud.backhaul_gbit_per_s, 1e-6, 1e6)?,
            core_delay_s: 1e-3 * between("physical.cloud", "core_delay_ms", cloud.core_delay_ms, 0.0, 1e6)?,
            twin: config.twin.validate("physical.twin", self.slot_s)?,
            hidden_ratio: self.hidden_ratio(edition)?,
            cloud_cache: config.cloud_cache(edition)?,
            carries_context: config.carries_context,
            weights: config.weights.clone(),
            server_device,
        })
    }

    /// Hidden tokens for each that is said; what the second edition does not have is refused.
    fn hidden_ratio(&self, edition: Edition) -> Result<f64, Invalid> {
        let (key, typed) = ("thought.hidden_ratio", self.thought.hidden_ratio);
        let is_second = edition == Edition::Second;
        Invalid::unless(
            is_second || typed.is_none(),
            key,
            typed.unwrap_or(0.0),
            "physical.edition = 2, or no such key",
        )?;
        let is_cleared = !is_second || self.memory.refresh == Refresh::Clear;
        let allowed = "\"clear\", because of physical.edition = 2: who is being answered stays";
        Invalid::unless(is_cleared, "memory.refresh", "\"evict\"", allowed)?;
        between("thought", "hidden_ratio", typed.unwrap_or(0.0), 0.0, 100.0)
    }

    /// The models of the catalogue behind the entries of `[[models]]`, as the scenario serves them; keys that only an abstract
    /// scenario reads are refused.
    pub(super) fn catalogue_models(&self, catalogue: &Catalogue) -> Result<Vec<Model>, Invalid> {
        self.refuse_abstract_keys()?;
        let known = |(index, typed): (usize, &ModelConfig)| {
            let key = |field: &str| format!("models[{index}].{field}");
            let allowed = "a model of the catalogue, because of [physical]";
            let named = present(key("catalogue"), typed.catalogue.as_ref(), allowed)?;
            let mut model = catalogue.model(&key("catalogue"), named)?.clone();
            if let Some(bytes) = typed.bytes_per_weight {
                model = model.with_bytes_per_weight(&key("bytes_per_weight"), bytes)?;
            }
            if let Some(tokens) = typed.window_tokens {
                model = model.with_window_tokens(&key("window_tokens"), tokens)?;
            }
            Ok(model)
        };
        self.models.iter().enumerate().map(known).collect()
    }

    /// How good the answers of a service's own model are, and how well it aligns.
    pub(super) fn edge_quality(
        &self,
        index: usize,
        thought_tokens: f64,
    ) -> Result<(AccuracyLaw, f64), Invalid> {
        let model = self.model_index(index)?;
        let key = format!("models[{model}].quality");
        let allowed = "a table of how good its answers are, because of [physical]";
        present(&key, self.models[model].quality, allowed)?.validate(&key, thought_tokens)
    }

    /// Keys that only an abstract scenario reads.
    fn refuse_abstract_keys(&self) -> Result<(), Invalid> {
        let refuse = |key: &str, value: String| {
            Err(Invalid::new(key, value, "no such key, or no [physical], which says all that it would say"))
        };
        if self.cost.is_some() {
            return refuse("cost", "a table".into());
        }
        if self.quality.is_some() {
            return refuse("quality", "a table".into());
        }
        let users = self.context.as_ref().and_then(|context| context.users);
        let mut numbers = vec![
            ("context.users".to_owned(), users.map(f64::from)),
            ("cell.compute_tflop_per_s".to_owned(), self.cell.compute_tflop_per_s),
            ("cell.compute_budget_tflop_per_slot".to_owned(), self.cell.compute_budget_tflop_per_slot),
        ];
        for (index, model) in self.models.iter().enumerate() {
            let key = |field: &str| format!("models[{index}].{field}");
            numbers.extend([
                (key("memory_gb"), model.memory_gb),
                (key("active_parameters_b"), model.active_parameters_b),
                (key("kv_bytes_per_token"), model.kv_bytes_per_token),
            ]);
        }
        for (index, service) in self.services.iter().enumerate() {
            let key = |field: &str| format!("services[{index}].{field}");
            numbers.extend([
                (key("alpha"), service.alpha),
                (key("load_s"), service.load_s),
                (key("load_cost"), service.load_cost),
                (key("edge_per_request"), service.edge_per_request),
                (key("cloud_per_request"), service.cloud_per_request),
            ]);
        }
        if let Some((key, Some(value))) = numbers.iter().find(|(_, typed)| typed.is_some()) {
            return refuse(key, value.to_string());
        }
        let is_per_request = self.decision.granularity == GranularityConfig::Request;
        let allowed = "\"request\": users of a physical scenario are at different places";
        Invalid::unless(is_per_request, "decision.granularity", "\"service\"", allowed)
    }

    fn demands(&self, parts: &Parts<'_>, index: usize) -> Result<Demands, Invalid> {
        let service = &self.services[index];
        let place = format!("services[{index}].demands");
        let allowed = "a table of what a request asks for, because of [physical]";
        let typed = present(&place, service.demands.as_ref(), allowed)?;
        let [sensor_bits, perception_flop] = self.perceived(parts.edition, &place, typed)?;
        let is_split = self.decision.placements.iter().any(|placement| placement.is_split());
        let features = match (&parts.radio.features, is_split) {
            (Some(laws), _) => laws.map(|law| law.of(sensor_bits)),
            (None, false) => [Features { bits: 0.0, quality: 0.0 }; 2],
            (None, true) => {
                let allowed = "a table of what a split sends, because decision.placements has one";
                return Err(Invalid::new("physical.radio.features", "absent", allowed));
            }
        };
        let thought_tokens = self.thought_tokens(index)?;
        let model_index = self.model_index(index)?;
        let model = &parts.models[model_index];
        let (law, alignment_quality) = self.edge_quality(index, thought_tokens)?;
        let Some(server) = Server::fitting(parts.server_device, model, parts.gpus, model.window_tokens)
            .map(|server| server.of_edition(parts.edition, model))
        else {
            let bytes = model.weight_bytes() as f64 + model.kv_bytes_per_token * model.window_tokens;
            let has = bytes_to_gb(parts.server_device.memory_bytes);
            let allowed = format!(
                "enough GPUs of {has} GB for {}, which needs {:.1} GB with a full window on a power of two of them",
                self.models[model_index].name,
                bytes / 1e9
            );
            return Err(Invalid::new("physical.server.gpus", parts.gpus.0, allowed));
        };
        let edge =
            ModelSite { server, law, alignment_quality, prompt_token_price: 0.0, output_token_price: 0.0 };
        Ok(Demands {
            modality: typed.modality,
            sensor_bits,
            features,
            perception_flop,
            deadline_s: between(&place, "deadline_s", typed.deadline_s, 1e-6, 1e9)?,
            edge,
            cloud: parts.cloud(thought_tokens)?,
        })
    }

    /// Bits of the sensor data of a request, and operations that perception takes: none where it is text.
    fn perceived(&self, edition: Edition, place: &str, typed: &DemandsConfig) -> Result<[f64; 2], Invalid> {
        let numbers =
            [("sensor_kbit", typed.sensor_kbit, 1e-6), ("perception_gflop", typed.perception_gflop, 0.0)];
        if typed.modality != Modality::Text {
            let allowed = "a number, because of its modality: only text needs no sensor";
            let [kbit, gflop] = numbers.map(|(key, value, low)| {
                between(place, key, present(format!("{place}.{key}"), value, allowed)?, low, 1e9)
            });
            return Ok([1e3 * kbit?, 1e9 * gflop?]);
        }
        let key = format!("{place}.modality");
        let allowed =
            "physical.edition = 2, or what a sensor sees: image, video, infrared, depth, audio, imu";
        Invalid::unless(edition == Edition::Second, &key, "\"text\"", allowed)?;
        let elsewhere = |placement: &Placement| !placement.needs_residency() && !placement.is_split();
        let allowed =
            "cloud or device among decision.placements: text is not split, and no request may be stuck";
        Invalid::unless(self.decision.placements.iter().any(elsewhere), &key, "\"text\"", allowed)?;
        for (key, value, _) in numbers {
            let allowed = "no such key with modality = \"text\": there is nothing to perceive";
            Invalid::unless(value.is_none(), format!("{place}.{key}"), value.unwrap_or(0.0), allowed)?;
        }
        Ok([0.0; 2])
    }

    fn classes(&self, parts: &Parts<'_>) -> Result<Vec<DeviceClass>, Invalid> {
        let typed = &parts.config.devices;
        length("physical.devices", typed.len(), "classes", 64)?;
        let mut classes = Vec::with_capacity(typed.len());
        let mut up_to_share = 0.0;
        for (index, class) in typed.iter().enumerate() {
            let key = |field: &str| format!("physical.devices[{index}].{field}");
            name(key("name"), &class.name)?;
            let is_new = typed[..index].iter().all(|earlier| earlier.name != class.name);
            Invalid::unless(is_new, key("name"), format!("{:?}", class.name), "each name once")?;
            up_to_share += number(key("share"), class.share, Range::Between(1e-6, 1.0))?;
            let device = parts.catalogue.device(&key("device"), &class.device)?;
            let model = parts.catalogue.model(&key("model"), &class.model)?;
            let granted = (1, device.memory_bytes as f64);
            let Some(server) = Server::fitting(device, model, granted, 0.0)
                .map(|server| server.of_edition(parts.edition, model))
            else {
                let (needs, has) = (bytes_to_gb(model.weight_bytes()), bytes_to_gb(device.memory_bytes));
                let value = format!("{:?}", class.model);
                let allowed =
                    format!("a model of at most {has} GB, the memory of the device; this one has {needs}");
                return Err(Invalid::new(key("model"), value, allowed));
            };
            let sites = (0..self.services.len())
                .map(|service| {
                    let thought_tokens = self.thought_tokens(service)?;
                    let (law, alignment_quality) = class.quality.validate(&key("quality"), thought_tokens)?;
                    Ok(ModelSite {
                        server,
                        law,
                        alignment_quality,
                        prompt_token_price: 0.0,
                        output_token_price: 0.0,
                    })
                })
                .collect::<Result<_, Invalid>>()?;
            classes.push(DeviceClass { name: class.name.clone(), up_to_share, sites });
        }
        let (value, allowed) = (format!("a sum of {up_to_share}"), "shares that sum to 1 over all classes");
        Invalid::unless((up_to_share - 1.0).abs() <= SUM_TOLERANCE, "physical.devices", value, allowed)?;
        Ok(classes)
    }

    fn sessions(&self, config: &PhysicalConfig, models: &[Model]) -> Result<SessionsModel, Invalid> {
        let WorkloadConfig::Sessions(sessions) = &self.workload else {
            let allowed = "[workload.sessions]: with [physical] requests come from users who say something";
            return Err(Invalid::new("workload", "another table", allowed));
        };
        let window_tokens: Vec<f64> = (0..self.services.len())
            .map(|index| Ok(models[self.model_index(index)?].window_tokens))
            .collect::<Result<_, Invalid>>()?;
        let world =
            SessionsWorld { num_users: config.users, slot_s: self.slot_s, window_tokens: &window_tokens };
        sessions.validate(&world)
    }

    /// Keys that only a physical scenario reads.
    pub(super) fn refuse_physical_keys(&self) -> Result<(), Invalid> {
        let allowed = "no such key, or [physical]: abstract scenarios do not read it";
        let mut typed = Vec::new();
        for (index, model) in self.models.iter().enumerate() {
            let key = |field: &str| format!("models[{index}].{field}");
            typed.push((key("catalogue"), model.catalogue.as_ref().map(|named| format!("{named:?}"))));
            typed.push((key("bytes_per_weight"), model.bytes_per_weight.map(|bytes| bytes.to_string())));
            typed.push((key("quality"), model.quality.map(|_| "a table".to_owned())));
        }
        for (index, service) in self.services.iter().enumerate() {
            let table = service.demands.as_ref().map(|_| "a table".to_owned());
            typed.push((format!("services[{index}].demands"), table));
        }
        match typed.into_iter().find_map(|(key, value)| Some((key, value?))) {
            Some((key, value)) => Err(Invalid::new(key, value, allowed)),
            None => Ok(()),
        }
    }
}

/// What several parts are made of.
struct Parts<'a> {
    edition: Edition,
    radio: &'a RadioParameters,
    config: &'a PhysicalConfig,
    catalogue: &'a Catalogue,
    models: &'a [Model],
    server_device: &'a Device,
    /// How many a cell has, and the bytes that each grants.
    gpus: (u32, f64),
}

impl PhysicalConfig {
    /// The cache of the cloud; without a conversation that travels it would find nothing.
    fn cloud_cache(&self, edition: Edition) -> Result<Option<CloudCacheConfig>, Invalid> {
        let Some(cache) = self.cloud.cache else { return Ok(None) };
        let key = "physical.cloud.cache";
        let allowed = "physical.edition = 2 and physical.carries_context = true, or no such key";
        Invalid::unless(edition == Edition::Second && self.carries_context, key, "a table", allowed)?;
        cache.check(key)?;
        Ok(Some(cache))
    }
}

impl Parts<'_> {
    fn cloud(&self, thought_tokens: f64) -> Result<ModelSite, Invalid> {
        let typed = &self.config.cloud;
        let device = self.catalogue.device("physical.cloud.device", &typed.device)?;
        let model = self.catalogue.model("physical.cloud.model", &typed.model)?;
        let gpus = count("physical.cloud.gpus", typed.gpus, 64)?;
        let key = "physical.cloud.gpus";
        Invalid::unless(gpus.is_power_of_two(), key, gpus, "a power of two")?;
        let needs = bytes_to_gb(model.weight_bytes());
        let is_held = model.weight_bytes() <= u64::from(gpus) * device.memory_bytes;
        Invalid::unless(is_held, key, gpus, format!("enough of them to hold the {needs} GB of the model"))?;
        let (law, alignment_quality) = typed.quality.validate("physical.cloud.quality", thought_tokens)?;
        let price =
            |key: &str, typed: f64| Ok::<_, Invalid>(1e-6 * between("physical.cloud", key, typed, 0.0, 1e9)?);
        let (prompt, output) =
            (typed.currency_per_million_prompt_tokens, typed.currency_per_million_output_tokens);
        Ok(ModelSite {
            server: Server::new(device, model, gpus).of_edition(self.edition, model),
            law,
            alignment_quality,
            prompt_token_price: price("currency_per_million_prompt_tokens", prompt)?,
            output_token_price: price("currency_per_million_output_tokens", output)?,
        })
    }
}

impl AccuracyConfig {
    fn validate(&self, place: &str, thought_tokens: f64) -> Result<(AccuracyLaw, f64), Invalid> {
        let numbers = [self.base, self.gain, self.exponent, self.max_accuracy];
        let law = logarithmic(place, numbers, thought_tokens)?;
        Ok((law, number(format!("{place}.alignment"), self.alignment, Range::Share)?))
    }
}

impl WeightsConfig {
    fn check(&self) -> Result<(), Invalid> {
        let weights = [
            ("cost_per_s", self.cost_per_s),
            ("cost_per_j", self.cost_per_j),
            ("cost_per_quality", self.cost_per_quality),
            ("cost_per_currency", self.cost_per_currency),
            ("cost_per_missed_deadline", self.cost_per_missed_deadline),
            ("cost_per_store_gb", self.cost_per_store_gb),
        ];
        weights.into_iter().try_for_each(|(key, value)| {
            number(format!("physical.weights.{key}"), value, Range::NonNegative).map(|_| ())
        })
    }
}
