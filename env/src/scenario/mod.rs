//! One validated scenario: everything that the world needs, in SI units, with nothing left to check.
//!
//! [`ScenarioConfig`] is what a file says; [`Scenario`] is what is meant. Only [`Scenario::load`] and
//! [`ScenarioConfig::validate`] make one.

pub mod config;
pub mod files;
pub mod physical;
pub mod physics;
pub mod sessions;
pub mod shipped;
mod sites;
pub(crate) mod validate;

pub use config::ScenarioConfig;
pub use validate::SessionsWorld;

use crate::invalid::Invalid;
use crate::llm::quality::QualityLaw;
use crate::placement::Placement;
use crate::text::{ConfigError, Override, Texts};
use crate::thought::{ContextLaw, Refresh};
use crate::units::{ModelId, ServiceId};
use crate::workload::arrivals::ArrivalModel;
use crate::workload::phased::PhasedModel;
use crate::workload::rates::ClientRates;
use crate::workload::trace::Trace;
use files::{Files, OnlyRequests};
use physics::Physical;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The paths of choice tables: an override that names another variant replaces the whole table.
pub const CHOICES: [&str; 13] = [
    "quality",
    "workload",
    "workload.trace.services",
    "workload.rates.services",
    "workload.sessions.starts",
    "workload.sessions.turns",
    "workload.sessions.think_time",
    "workload.sessions.tools.time",
    "physical.sites",
    "physical.radio.mobility",
    "physical.radio.path_loss",
    "physical.radio.fading",
    "cost.switching",
];

/// One kind of LLM agent, ready for use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// The name in tables.
    pub name: String,
    /// The model behind it.
    pub model: ModelId,
    /// Bytes of its weights.
    pub bytes: u64,
    /// Bytes that one token of its context occupies; 0 where context occupies nothing.
    pub kv_bytes_per_token: f64,
    /// The context window in tokens; infinite without a limit.
    pub window_tokens: f64,
    /// Tokens that one request adds to the context: thought tokens times reasoning paths; the mean where lengths vary.
    pub request_tokens: f64,
    /// Tokens of one thought.
    pub thought_tokens: f64,
    /// Age of thought lost in a slot, in tokens.
    pub fade_tokens: f64,
    /// What a less than perfect answer costs.
    #[serde(skip)]
    pub quality: QualityLaw,
    /// Cost of one load.
    pub load_cost: f64,
    /// Floating-point operations that one request takes at the edge, the mean where lengths vary; 0 where compute is neither
    /// priced nor limited.
    pub request_flop: f64,
    /// Access per request served at the edge.
    pub edge_per_request: f64,
    /// Cost of a request served in the cloud.
    pub cloud_per_request: f64,
}

/// What a language model occupies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelShape {
    /// The name in tables.
    pub name: String,
    /// Bytes of its weights.
    pub bytes: u64,
    /// The context window in tokens; infinite without a limit.
    pub window_tokens: f64,
    /// Bytes that one token of context occupies; 0 where context occupies nothing.
    pub kv_bytes_per_token: f64,
}

/// Prices that are the same for all services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Prices {
    /// Weight of the unit accuracy cost at the edge.
    pub accuracy_weight: f64,
    /// Per floating-point operation at the edge.
    pub per_flop: f64,
}

/// The recording that a scenario names.
#[derive(Clone, Debug)]
pub enum Recording {
    /// It names none.
    None,
    /// Requests, for `[workload.trace]`.
    Requests(Box<Trace>),
    /// Rates, for `[workload.rates]`.
    Rates(ClientRates),
}

/// A validated scenario. What a caller changes in it afterwards is not checked, and [`digest`](Self::digest) does not follow.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a scenario that do not depend on each other")]
pub struct Scenario {
    /// The name in tables.
    pub name: String,
    /// A digest of everything that the scenario's file says: another value, another digest. Recordings count by the name
    /// of their file, base stations by their places too.
    pub digest: u64,
    /// Slots of an episode.
    pub horizon_slots: u32,
    /// Seconds of a slot.
    pub slot_s: f64,
    /// How many cells there are.
    pub num_cells: u32,
    /// GPU memory of one cell.
    pub capacity_bytes: u64,
    /// Floating-point operations that a cell may spend in a slot.
    pub compute_budget_flop: Option<f64>,
    /// All services, in order of their ids.
    pub services: Vec<Service>,
    models: Vec<ModelShape>,
    /// Coefficient of variation of the length of a request's thought; 0 where all thoughts of a service are alike.
    pub thought_cv: f64,
    /// The share of new thoughts that counts as fresh (zeta).
    pub consensus_factor: f64,
    /// What happens to an entry whose context has outgrown the window.
    pub refresh: Refresh,
    /// Whether entries on one model share one copy of its weights.
    pub has_shared_weights: bool,
    /// Whether context occupies memory.
    pub has_kv: bool,
    /// How many users there are, recorded or drawn, each with a context of their own at every service; `None` where all
    /// users of a service share one.
    pub num_users: Option<u32>,
    /// Prices that are the same for all services.
    pub prices: Prices,
    /// The allowed placements, in the order of their actions.
    pub placements: Vec<Placement>,
    /// Whether every request is decided on its own, and not with all others of its service in the slot.
    pub is_per_request: bool,
    /// Whether a refusal to load lasts until the slot ends.
    pub has_hold: bool,
    /// Whether every cell may load one service at the start of every slot, before the requests are decided.
    pub has_prefetch: bool,
    /// The source of requests.
    pub arrivals: ArrivalModel,
    /// Parameters of the heuristics, by policy and name.
    pub policies: BTreeMap<String, BTreeMap<String, f64>>,
    /// Recorded requests that no service covers: they are served elsewhere and do not appear.
    pub outside_requests: u64,
    /// Whether an observation shows the phase.
    pub shows_popularity_phase: bool,
    /// Whether a user's context that has faded to nothing is dropped when a slot ends.
    pub drops_faded: bool,
    physical: Option<Arc<Physical>>,
}

impl Scenario {
    /// Reads a scenario's text with the shipped ones that it inherits from, applies overrides and validates. `trace` is asked for the recording that the scenario
    /// names, if it names one; its error text is passed on.
    ///
    /// # Errors
    /// Every mistake in the text, an override or the recording, with its place.
    pub fn load(
        file: &str,
        text: &str,
        overrides: &[Override],
        trace: impl FnOnce(&str) -> Result<Trace, String>,
    ) -> Result<(ScenarioConfig, Self), ConfigError> {
        Self::load_with(file, text, overrides, &mut OnlyRequests(Some(trace)))
    }

    /// As [`load`](Self::load), with every file that a scenario may name, but for scenarios that it inherits from.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with<F: Files>(
        file: &str,
        text: &str,
        overrides: &[Override],
        files: &mut F,
    ) -> Result<(ScenarioConfig, Self), ConfigError> {
        Self::load_texts(&Texts::inheriting(file, text, shipped::base)?, overrides, files)
    }

    /// As [`load_with`](Self::load_with) for a text and those that it inherits from.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_texts<F: Files>(
        texts: &Texts,
        overrides: &[Override],
        files: &mut F,
    ) -> Result<(ScenarioConfig, Self), ConfigError> {
        let config: ScenarioConfig = texts.parse(overrides, &CHOICES)?;
        let located = |invalid: Invalid| texts.place(invalid);
        let refused = |key: &str, path: &str, why| located(Invalid::new(key, path, why));
        let recorded = match &config.workload {
            config::WorkloadConfig::Trace(workload) => Recording::Requests(Box::new(
                files
                    .requests(&workload.path)
                    .map_err(|why| refused("workload.trace.path", &workload.path, why))?,
            )),
            config::WorkloadConfig::Rates(workload) => Recording::Rates(
                files
                    .rates(&workload.path)
                    .map_err(|why| refused("workload.rates.path", &workload.path, why))?,
            ),
            config::WorkloadConfig::Poisson(_)
            | config::WorkloadConfig::Gamma(_)
            | config::WorkloadConfig::Weibull(_)
            | config::WorkloadConfig::Modulated(_)
            | config::WorkloadConfig::Phased(_)
            | config::WorkloadConfig::Sessions(_) => Recording::None,
        };
        let physical = config.physical_files(files).map_err(located)?;
        let scenario = config.validate(&recorded, &physical).map_err(located)?;
        Ok((config, scenario))
    }

    /// A shipped scenario that needs no recording, as it is.
    ///
    /// # Panics
    /// When no such scenario is shipped; names are known at compile time.
    pub fn shipped(name: &str) -> Self {
        let text = shipped::text(name).expect("a shipped scenario");
        let (_, scenario) = Self::load(name, text, &[], |path| Err(format!("{path} is not at hand")))
            .expect("shipped scenarios are valid");
        scenario
    }

    /// One service.
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.index()]
    }

    /// A model of the scenario.
    pub fn model(&self, id: ModelId) -> &ModelShape {
        &self.models[id.index()]
    }

    /// The name of a model.
    pub fn model_name(&self, id: ModelId) -> &str {
        &self.models[id.index()].name
    }

    /// How the contexts of a service grow; where lengths vary, through a request of mean length.
    pub fn context_law(&self, id: ServiceId) -> ContextLaw {
        let service = self.service(id);
        ContextLaw {
            request_tokens: service.request_tokens,
            said_tokens: 0.0,
            consensus_factor: self.consensus_factor,
            window_tokens: service.window_tokens,
            refresh: self.refresh,
        }
    }

    /// Radio, servers, cloud and devices; `None` in abstract scenarios.
    pub fn physical(&self) -> Option<&Arc<Physical>> {
        self.physical.as_ref()
    }

    /// Whether requests of a service may be served there, wherever there is room.
    pub fn offers(&self, service: ServiceId, placement: Placement) -> bool {
        self.physical.as_ref().is_none_or(|physical| physical.offers(service, placement))
    }

    /// Whether the requests, or their rates, are a recording, whose test part is one run.
    pub fn is_recorded(&self) -> bool {
        matches!(self.arrivals, ArrivalModel::Recorded(_) | ArrivalModel::Rates(_))
    }

    /// Whether each request is that of its recorded user: those of a recording that names them, where users have contexts of
    /// their own.
    pub fn has_recorded_users(&self) -> bool {
        match &self.arrivals {
            ArrivalModel::Recorded(parts) => parts[0].has_users(),
            _ => false,
        }
    }

    /// Whether cells remember the users whom their entries have served: in abstract scenarios where each has a context of their
    /// own.
    pub fn remembers_users(&self) -> bool {
        self.num_users.is_some() && self.physical.is_none()
    }

    /// The phases of its popularity, where it has any.
    pub fn phases(&self) -> Option<&PhasedModel> {
        match &self.arrivals {
            ArrivalModel::Phased(model) => Some(model),
            _ => None,
        }
    }
}
