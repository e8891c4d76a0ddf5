//! From what was typed to what is meant: ranges, contradictions, SI units.

pub use sessions::SessionsWorld;

use super::config::{
    ContextConfig, ContextScopeConfig, CostConfig, GranularityConfig, ModelConfig, PhasedConfig,
    QualityConfig, ScenarioConfig, ServiceConfig, SwitchingConfig, TableQualityConfig, TraceConfig,
    WorkloadConfig,
};
use super::files::PhysicalFiles;
use super::{ModelShape, Prices, Recording, Scenario, Service};
use crate::csv::RecordingError;
use crate::digest;
use crate::invalid::{
    Invalid, MAX_NUMBER, Range, count, distribution, length, name, number, optional, present,
};
use crate::llm::catalogue::{Catalogue, Model};
use crate::llm::quality::{AccuracyLaw, AccuracyTable, QualityLaw};
use crate::placement::Placement;
use crate::units::{ModelId, gb_to_bytes};
use crate::workload::arrivals::ArrivalModel;
use crate::workload::phased::PhasedModel;
use crate::workload::trace::{SlottedRequests, Trace, TraceServicesConfig};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most slots of an episode.
const MAX_HORIZON_SLOTS: u32 = 1_000_000;
/// The most cells, and the most services.
const MAX_COUNT: u32 = 1_000;
/// The most requests of one service that a slot may bring on average.
const MAX_INTENSITY: f64 = 1e6;
/// The most requests that a slot may bring on average where each is a decision of its own: some seconds of play.
const MAX_DECISIONS_PER_SLOT: f64 = 1e5;
/// The lengths of a slot in seconds: up to a day.
const SLOT_S: Range = Range::Between(1e-6, 86_400.0);
/// The greatest memory and the largest model, in GB.
const MAX_GB: f64 = 1e6;
/// Exponents of Zipf's law.
const ZIPF_EXPONENTS: Range = Range::Between(0.0, 10.0);
/// The most users.
pub(crate) const MAX_USERS: u32 = 1_000_000;
/// The most bytes that a token of context may occupy.
const MAX_KV_BYTES_PER_TOKEN: f64 = 1e9;
/// The greatest coefficient of variation of the length of a thought.
const MAX_CV: f64 = 10.0;
/// The most knots of a table of accuracies.
const MAX_KNOTS: usize = 64;
/// Fewer requests a slot, over all services and cells, would make the world wait for ever.
const MIN_TOTAL_INTENSITY: f64 = 1e-3;

fn reshuffle(key: &str, value: Option<u32>) -> Result<Option<u32>, Invalid> {
    value.map(|slots| count(key, slots, MAX_HORIZON_SLOTS)).transpose()
}

fn accuracy_table(table: &TableQualityConfig, thought_tokens: f64) -> Result<AccuracyTable, Invalid> {
    let knots = table.paths.len();
    length("quality.table.paths", knots, "numbers", MAX_KNOTS)?;
    let (value, allowed) =
        (format!("{} numbers", table.accuracy.len()), format!("{knots}, one for each of the paths"));
    Invalid::unless(table.accuracy.len() == knots, "quality.table.accuracy", value, allowed)?;
    for (index, (&paths, &accuracy)) in table.paths.iter().zip(&table.accuracy).enumerate() {
        let key = format!("quality.table.paths[{index}]");
        number(&key, paths, Range::NonNegative)?;
        if index > 0 && paths <= table.paths[index - 1] {
            let allowed = format!("more than the {:?} before it", table.paths[index - 1]);
            return Err(Invalid::new(key, format!("{paths:?}"), allowed));
        }
        number(format!("quality.table.accuracy[{index}]"), accuracy, Range::Share)?;
    }
    let allowed = "rising numbers, with an accuracy each";
    AccuracyTable::new(&table.paths, &table.accuracy, thought_tokens)
        .ok_or_else(|| Invalid::new("quality.table.paths", format!("{:?}", table.paths), allowed))
}

/// The law of accuracy with these numbers: base, gain, exponent and the greatest accuracy.
pub(super) fn logarithmic(
    table: &str,
    [base, gain, exponent, max_accuracy]: [f64; 4],
    thought_tokens: f64,
) -> Result<AccuracyLaw, Invalid> {
    let key = |field: &str| format!("{table}.{field}");
    Ok(AccuracyLaw::Logarithmic {
        base: number(key("base"), base, Range::Share)?,
        gain: number(key("gain"), gain, Range::NonNegative)?,
        exponent: number(key("exponent"), exponent, Range::Positive)?,
        max_accuracy: number(key("max_accuracy"), max_accuracy, Range::Between(base, 1.0))?,
        thought_tokens,
    })
}

/// Where requests come from.
struct Source {
    arrivals: ArrivalModel,
    /// Recorded seconds of a load, by service.
    load_s: Option<Vec<f64>>,
    /// Recorded requests that no service covers.
    outside_requests: u64,
}

impl From<ArrivalModel> for Source {
    fn from(arrivals: ArrivalModel) -> Self {
        Self { arrivals, load_s: None, outside_requests: 0 }
    }
}

impl ScenarioConfig {
    /// Checks everything and converts to SI units; `recording` is the one that the workload names, `files` are those of the
    /// physical part.
    ///
    /// # Errors
    /// The first value that cannot be meant.
    pub fn validate(&self, recording: &Recording, files: &PhysicalFiles) -> Result<Scenario, Invalid> {
        let written = toml::to_string(&self.without_folders())
            .map_err(|error| Invalid::new("name", &self.name, error.to_string()))?;
        let sites = files.sites.iter().flatten();
        let digest = sites.fold(digest::of_bytes(written.as_bytes()), |digest, site| {
            digest::mix(digest::mix(digest, site.place.x_m.to_bits()), site.place.y_m.to_bits())
        });
        let own = self.physical.as_ref().map(|physical| &physical.catalogue);
        let catalogue = own.map(|own| Catalogue::with(own, "physical.catalogue")).transpose()?;
        let known = catalogue.as_ref().map(|catalogue| self.catalogue_models(catalogue)).transpose()?;
        name("name", &self.name)?;
        let horizon_slots = count("horizon_slots", self.horizon_slots, MAX_HORIZON_SLOTS)?;
        let slot_s = number("slot_s", self.slot_s, SLOT_S)?;
        let num_cells = count("cell.count", self.cell.count, MAX_COUNT)?;
        let capacity_bytes =
            gb_to_bytes(number("cell.memory_gb", self.cell.memory_gb, Range::Between(1e-9, MAX_GB))?);
        let budget_tflop = self.cell.compute_budget_tflop_per_slot;
        let budget_tflop = optional("cell.compute_budget_tflop_per_slot", budget_tflop, Range::Positive)?;
        length("services", self.services.len(), "services", MAX_COUNT as usize)?;
        let Source { arrivals, load_s, outside_requests } = self.source(recording, num_cells)?;
        let cost = match &self.physical {
            Some(_) => None,
            None => Some(present("cost", self.cost.as_ref(), "[cost], or [physical]")?),
        };
        let models = self.model_shapes(known.as_deref(), cost)?;
        let services = self.services(&models, cost, load_s.as_deref())?;
        let physical = match (&self.physical, &catalogue, &known) {
            (Some(config), Some(catalogue), Some(known)) => {
                Some(Arc::new(self.physical(config, catalogue, known, files)?))
            }
            _ => self.refuse_physical_keys().map(|()| None)?,
        };
        let consensus_factor =
            number("thought.consensus_factor", self.thought.consensus_factor, Range::Share)?;
        let recorded = match recording {
            Recording::Requests(trace) => Some(&**trace),
            Recording::None | Recording::Rates(_) => None,
        };
        Ok(Scenario {
            name: self.name.clone(),
            digest,
            horizon_slots,
            slot_s,
            num_cells,
            capacity_bytes,
            compute_budget_flop: budget_tflop.map(|tflop| 1e12 * tflop),
            services,
            models,
            consensus_factor,
            refresh: self.memory.refresh,
            has_shared_weights: self.memory.shared_weights,
            has_kv: self.memory.kv,
            num_users: self.num_users(recorded)?,
            prices: cost.map_or(Ok(Prices::default()), |cost| self.prices(cost))?,
            placements: self.placements()?,
            is_per_request: self.is_per_request(),
            has_hold: self.hold()?,
            has_prefetch: self.prefetch()?,
            arrivals,
            policies: self.policies()?,
            outside_requests,
            shows_popularity_phase: self.shows_popularity_phase()?,
            drops_faded: self.drops_faded()?,
            thought_cv: self.thought_cv()?,
            physical,
        })
    }

    fn services(
        &self,
        models: &[ModelShape],
        cost: Option<&CostConfig>,
        recorded_load_s: Option<&[f64]>,
    ) -> Result<Vec<Service>, Invalid> {
        let paths = count("thought.paths", self.thought.paths, 1000)?;
        let vanishing = self.thought.vanishing_thoughts_per_slot;
        let vanishing = number("thought.vanishing_thoughts_per_slot", vanishing, Range::NonNegative)?;
        let service = |(index, typed): (usize, &ServiceConfig)| {
            if let Some(typed) = &typed.name {
                name(format!("services[{index}].name"), typed)?;
            }
            let model = self.model_index(index)?;
            let ModelShape { bytes, window_tokens, kv_bytes_per_token, .. } = models[model];
            let thought_tokens = self.thought_tokens(index)?;
            let service = Service {
                name: typed.name.clone().unwrap_or_else(|| format!("service-{index}")),
                model: ModelId::from_index(model),
                bytes,
                kv_bytes_per_token,
                window_tokens,
                request_tokens: thought_tokens * f64::from(paths),
                thought_tokens,
                fade_tokens: vanishing * thought_tokens,
                quality: self.quality_law(index, thought_tokens)?,
                load_cost: 0.0,
                request_flop: 0.0,
                edge_per_request: 0.0,
                cloud_per_request: 0.0,
            };
            match cost {
                Some(cost) => self.priced(service, index, cost, recorded_load_s),
                None => Ok(service),
            }
        };
        self.services.iter().enumerate().map(service).collect()
    }

    /// A service of an abstract scenario with its prices.
    fn priced(
        &self,
        service: Service,
        index: usize,
        cost: &CostConfig,
        recorded_load_s: Option<&[f64]>,
    ) -> Result<Service, Invalid> {
        let typed = &self.services[index];
        let model = service.model.index();
        let needs_flop = cost.compute_weight > 0.0 || self.cell.compute_budget_tflop_per_slot.is_some();
        let request_flop = if needs_flop {
            let key = format!("models[{model}].active_parameters_b");
            let allowed = "a number above 0, because compute is priced or limited";
            2e9 * present(key, self.models[model].active_parameters_b, allowed)?
                * service.thought_tokens
                * f64::from(self.thought.paths)
        } else {
            0.0
        };
        let price = |field: &str, of_all: f64, own: Option<f64>| {
            let of_all = number(format!("cost.{field}"), of_all, Range::NonNegative)?;
            let own = optional(format!("services[{index}].{field}"), own, Range::NonNegative)?;
            Ok::<_, Invalid>(own.unwrap_or(of_all))
        };
        Ok(Service {
            kv_bytes_per_token: self.kv_bytes_per_token(model)?,
            load_cost: self.load_cost(index, self.model_gb(model)?, cost, recorded_load_s)?,
            request_flop,
            edge_per_request: price("edge_per_request", cost.edge_per_request, typed.edge_per_request)?,
            cloud_per_request: price("cloud_per_request", cost.cloud_per_request, typed.cloud_per_request)?,
            ..service
        })
    }

    /// The place of the model that serves a service.
    pub(super) fn model_index(&self, index: usize) -> Result<usize, Invalid> {
        let service = &self.services[index];
        let found = self.models.iter().position(|model| model.name == service.model);
        found.ok_or_else(|| {
            let names = self.models.iter().map(|model| model.name.as_str());
            Invalid::unknown(format!("services[{index}].model"), &service.model, names)
        })
    }

    /// How much the lengths of thoughts vary.
    fn thought_cv(&self) -> Result<f64, Invalid> {
        let key = "thought.cv";
        let cv = optional(key, self.thought.cv, Range::Between(0.0, MAX_CV))?.unwrap_or(0.0);
        let allowed = "0, or no [physical]: its services draw the lengths of prompts and answers";
        Invalid::unless(cv == 0.0 || self.physical.is_none(), key, cv, allowed)?;
        let allowed =
            "0, or decision.granularity = \"request\": requests that are decided together have one length";
        Invalid::unless(cv == 0.0 || self.is_per_request(), key, cv, allowed)?;
        Ok(cv)
    }

    /// Tokens of a thought of a service.
    pub(super) fn thought_tokens(&self, index: usize) -> Result<f64, Invalid> {
        let default_tokens = number("thought.tokens", self.thought.tokens, Range::Positive)?;
        let key = format!("services[{index}].thought_tokens");
        let own_tokens = optional(key, self.services[index].thought_tokens, Range::Positive)?;
        Ok(own_tokens.unwrap_or(default_tokens))
    }

    /// What each model occupies: as the catalogue has it where it is `known` there, else as it is typed.
    fn model_shapes(
        &self,
        known: Option<&[Model]>,
        cost: Option<&CostConfig>,
    ) -> Result<Vec<ModelShape>, Invalid> {
        length("models", self.models.len(), "models", MAX_COUNT as usize)?;
        let shape = |(index, typed): (usize, &ModelConfig)| {
            let key = format!("models[{index}].name");
            name(&key, &typed.name)?;
            let is_new = self.models[..index].iter().all(|earlier| earlier.name != typed.name);
            Invalid::unless(is_new, key, &typed.name, "each name once")?;
            let (bytes, window_tokens, kv_bytes_per_token) = match (known.map(|known| &known[index]), cost) {
                (Some(model), _) => {
                    let kv_bytes = if self.memory.kv { model.kv_bytes_per_token } else { 0.0 };
                    (model.weight_bytes(), model.window_tokens, kv_bytes)
                }
                (None, cost) => {
                    let key = format!("models[{index}].active_parameters_b");
                    optional(key, typed.active_parameters_b, Range::Positive)?;
                    let window_tokens = self.window_tokens(index, cost)?;
                    let kv_bytes = typed.kv_bytes_per_token.map(|_| self.kv_bytes_per_token(index));
                    let kv_bytes = kv_bytes.transpose()?.unwrap_or(0.0);
                    (gb_to_bytes(self.model_gb(index)?), window_tokens, kv_bytes)
                }
            };
            Ok(ModelShape { name: typed.name.clone(), bytes, window_tokens, kv_bytes_per_token })
        };
        self.models.iter().enumerate().map(shape).collect()
    }

    fn model_gb(&self, index: usize) -> Result<f64, Invalid> {
        let key = format!("models[{index}].memory_gb");
        let allowed = "a number of GB above 0, because there is no [physical] with a catalogue";
        number(&key, present(&key, self.models[index].memory_gb, allowed)?, Range::Between(1e-9, MAX_GB))
    }

    /// The window of a model; infinite where none is typed and none is needed.
    fn window_tokens(&self, index: usize, cost: Option<&CostConfig>) -> Result<f64, Invalid> {
        let key = format!("models[{index}].window_tokens");
        let tokens = optional(&key, self.models[index].window_tokens, Range::Between(1.0, MAX_NUMBER))?;
        let is_needed = tokens.is_none() && cost.is_some_and(|cost| cost.accuracy_weight > 0.0);
        let allowed = "a number of tokens, because cost.accuracy_weight is above 0: the age of thought is \
                       counted and seen as a share of the window";
        Invalid::unless(!is_needed, key, "absent", allowed)?;
        Ok(tokens.unwrap_or(f64::INFINITY))
    }

    fn kv_bytes_per_token(&self, index: usize) -> Result<f64, Invalid> {
        let key = format!("models[{index}].kv_bytes_per_token");
        match (self.memory.kv, self.models[index].kv_bytes_per_token) {
            (false, None) => Ok(0.0),
            (false, Some(bytes)) => {
                let allowed = "no bytes, or memory.kv = true: nothing else reads them";
                Err(Invalid::new(key, format!("{bytes:?}"), allowed))
            }
            (true, bytes) => {
                let allowed = "a number of bytes, at least 1, because memory.kv is true";
                number(&key, present(&key, bytes, allowed)?, Range::Between(1.0, MAX_KV_BYTES_PER_TOKEN))
            }
        }
    }

    /// Whether every user has a context of their own.
    fn has_user_contexts(&self) -> bool {
        matches!(&self.context, Some(ContextConfig { scope: ContextScopeConfig::User, .. }))
    }

    /// How many users have contexts of their own: those of the recording where it names them, else as many as are typed.
    fn num_users(&self, trace: Option<&Trace>) -> Result<Option<u32>, Invalid> {
        if let Some(physical) = &self.physical {
            return Ok(self.has_user_contexts().then_some(physical.users));
        }
        let key = "context.users";
        let typed = self.context.as_ref().and_then(|context| context.users);
        let is_replayed = matches!(self.workload, WorkloadConfig::Trace(_));
        let recorded = trace.filter(|_| is_replayed).and_then(Trace::num_users);
        let allowed = match (self.has_user_contexts(), recorded, typed) {
            (false, _, None) => return Ok(None),
            (true, Some(recorded), None) => return Ok(Some(recorded)),
            (true, None, Some(users)) => return count(key, users, MAX_USERS).map(Some),
            (false, _, Some(_)) => {
                "no number, or context.scope = \"user\": users who share their context are not told apart"
                    .into()
            }
            (true, Some(recorded), Some(_)) => {
                format!("no number: the recording names the users of its requests, {recorded} of them")
            }
            (true, None, None) => {
                format!("a whole number from 1 to {MAX_USERS}, because context.scope is \"user\"")
            }
        };
        Err(Invalid::new(key, typed.map_or_else(|| "absent".to_owned(), |users| users.to_string()), allowed))
    }

    fn quality_law(&self, index: usize, thought_tokens: f64) -> Result<QualityLaw, Invalid> {
        if self.physical.is_some() {
            return self.edge_quality(index, thought_tokens).map(|(law, _)| QualityLaw::Accuracy(law));
        }
        let alpha_key = format!("services[{index}].alpha");
        let allowed = "[quality.linear], [quality.logarithmic] or [quality.table]";
        match (present("quality", self.quality.as_ref(), allowed)?, self.services[index].alpha) {
            (QualityConfig::Linear(linear), alpha) => {
                let allowed = "a number between 0 and 1, because of [quality.linear]";
                let alpha = number(&alpha_key, present(&alpha_key, alpha, allowed)?, Range::OpenShare)?;
                Ok(QualityLaw::linear(alpha, number("quality.linear.beta", linear.beta, Range::OpenShare)?))
            }
            (QualityConfig::Logarithmic(_), Some(alpha)) => {
                Err(Invalid::new(alpha_key, alpha, "no alpha: [quality.logarithmic] does not read it"))
            }
            (QualityConfig::Table(_), Some(alpha)) => {
                Err(Invalid::new(alpha_key, alpha, "no alpha: [quality.table] does not read it"))
            }
            (QualityConfig::Table(table), None) => {
                Ok(QualityLaw::Accuracy(AccuracyLaw::Table(accuracy_table(table, thought_tokens)?)))
            }
            (QualityConfig::Logarithmic(law), None) => {
                let numbers = [law.base, law.gain, law.exponent, law.max_accuracy];
                logarithmic("quality.logarithmic", numbers, thought_tokens).map(QualityLaw::Accuracy)
            }
        }
    }

    fn load_cost(
        &self,
        index: usize,
        memory_gb: f64,
        cost: &CostConfig,
        recorded_load_s: Option<&[f64]>,
    ) -> Result<f64, Invalid> {
        let load_key = format!("services[{index}].load_s");
        let typed_load_s = self.services[index].load_s;
        let cost_key = format!("services[{index}].load_cost");
        let typed_cost = self.services[index].load_cost;
        if let (Some(own), SwitchingConfig::PerGb(_) | SwitchingConfig::PerLoadSecond(_)) =
            (typed_cost, &cost.switching)
        {
            let allowed = "no load_cost: only [cost.switching.per_load] reads it";
            return Err(Invalid::new(cost_key, own, allowed));
        }
        let priced = |kind: &str, weight: f64| {
            if let Some(load_s) = typed_load_s {
                let allowed = format!("no load_s: [cost.switching.{kind}] does not read it");
                return Err(Invalid::new(&load_key, load_s, allowed));
            }
            number(format!("cost.switching.{kind}.weight"), weight, Range::NonNegative)
        };
        match &cost.switching {
            SwitchingConfig::PerGb(price) => Ok(priced("per_gb", price.weight)? * memory_gb),
            SwitchingConfig::PerLoad(price) => {
                let weight = priced("per_load", price.weight)?;
                Ok(optional(cost_key, typed_cost, Range::NonNegative)?.unwrap_or(weight))
            }
            SwitchingConfig::PerLoadSecond(price) => {
                let weight =
                    number("cost.switching.per_load_second.weight", price.weight, Range::NonNegative)?;
                let load_s =
                    typed_load_s.or_else(|| recorded_load_s.and_then(|load_s| load_s.get(index).copied()));
                let allowed = "seconds above 0, because no recording gives them";
                Ok(weight * number(&load_key, present(&load_key, load_s, allowed)?, Range::Positive)?)
            }
        }
    }

    fn prices(&self, cost: &CostConfig) -> Result<Prices, Invalid> {
        let compute_weight = number("cost.compute_weight", cost.compute_weight, Range::NonNegative)?;
        let key = "cell.compute_tflop_per_s";
        let per_flop = match (compute_weight > 0.0, self.cell.compute_tflop_per_s) {
            (false, None) => 0.0,
            (false, Some(speed)) => {
                let allowed = "no speed, or a cost.compute_weight above 0: nothing else reads it";
                return Err(Invalid::new(key, speed, allowed));
            }
            (true, speed) => {
                let speed = present(key, speed, "a number above 0, because cost.compute_weight is")?;
                compute_weight / (1e12 * number(key, speed, Range::Positive)?)
            }
        };
        let accuracy_weight = number("cost.accuracy_weight", cost.accuracy_weight, Range::NonNegative)?;
        Ok(Prices { accuracy_weight, per_flop })
    }

    fn drops_faded(&self) -> Result<bool, Invalid> {
        let drops_faded = self.context.as_ref().is_some_and(|context| context.drop_faded);
        let allowed = "false, or context.scope = \"user\": what users share is never dropped";
        Invalid::unless(!drops_faded || self.has_user_contexts(), "context.drop_faded", true, allowed)?;
        Ok(drops_faded)
    }

    fn placements(&self) -> Result<Vec<Placement>, Invalid> {
        let placements = &self.decision.placements;
        let key = "decision.placements";
        let names: Vec<&str> = placements.iter().map(|placement| placement.name()).collect();
        let listed = format!("[{}]", names.join(", "));
        let repeated = (1..placements.len()).any(|index| placements[..index].contains(&placements[index]));
        let is_stuck = repeated || placements.iter().all(|placement| placement.needs_residency());
        let allowed =
            "each placement once, among them one that needs no residency (cloud): no request may be stuck";
        Invalid::unless(!is_stuck, key, &listed, allowed)?;
        let is_abstract = |placement: &Placement| matches!(placement, Placement::Edge | Placement::Cloud);
        let has_prices = self.physical.is_some() || placements.iter().all(is_abstract);
        let allowed = "edge and cloud: [cost] has prices for no other placement";
        Invalid::unless(has_prices, key, &listed, allowed)?;
        Ok(placements.clone())
    }

    fn is_per_request(&self) -> bool {
        self.decision.granularity == GranularityConfig::Request
    }

    fn hold(&self) -> Result<bool, Invalid> {
        let allowed = "false, or decision.granularity = \"request\": a service that is decided once a slot is refused \
                       for the whole slot anyway";
        Invalid::unless(!self.decision.hold || self.is_per_request(), "decision.hold", true, allowed)?;
        Ok(self.decision.hold)
    }

    fn prefetch(&self) -> Result<bool, Invalid> {
        let prefetch = self.decision.prefetch;
        let has_edge = self.decision.placements.iter().any(|placement| placement.needs_residency());
        let allowed = "false, or \"edge\" among decision.placements: nothing else is served from memory";
        Invalid::unless(!prefetch || has_edge, "decision.prefetch", true, allowed)?;
        Ok(prefetch)
    }

    fn policies(&self) -> Result<BTreeMap<String, BTreeMap<String, f64>>, Invalid> {
        for (policy, parameters) in &self.policies {
            for (name, &value) in parameters {
                number(format!("policies.{policy}.{name}"), value, Range::NonNegative)?;
            }
        }
        Ok(self.policies.clone())
    }

    /// Where requests come from.
    fn source(&self, recording: &Recording, num_cells: u32) -> Result<Source, Invalid> {
        let one_cell = |allowed: &str| Invalid::unless(num_cells == 1, "cell.count", num_cells, allowed);
        match &self.workload {
            WorkloadConfig::Poisson(_)
            | WorkloadConfig::Gamma(_)
            | WorkloadConfig::Weibull(_)
            | WorkloadConfig::Modulated(_) => Ok(ArrivalModel::Drawn(self.drawn(num_cells)?).into()),
            WorkloadConfig::Trace(workload) => {
                one_cell("1, because a recording does not say at which cell its users are")?;
                let Recording::Requests(trace) = recording else {
                    let allowed = "a recording of requests that could be read";
                    return Err(Invalid::new("workload.trace.path", &workload.path, allowed));
                };
                self.recorded(trace, workload)
            }
            WorkloadConfig::Rates(workload) => {
                one_cell("1, because recorded rates do not say at which cell the clients are")?;
                let Recording::Rates(rates) = recording else {
                    let allowed = "a recording of rates that could be read";
                    return Err(Invalid::new("workload.rates.path", &workload.path, allowed));
                };
                let model = self.rates(rates, workload)?;
                let outside_requests = model.outside_requests;
                Ok(Source { outside_requests, ..ArrivalModel::Rates(Arc::new(model)).into() })
            }
            WorkloadConfig::Sessions(_) => {
                let allowed = "another workload, or [physical]: nothing else knows what users say";
                Invalid::unless(self.physical.is_some(), "workload.sessions", "a table", allowed)?;
                Ok(ArrivalModel::Sessions.into())
            }
            WorkloadConfig::Phased(phased) => {
                one_cell("1: [workload.phased] is one request a slot, at one cell")?;
                Ok(ArrivalModel::Phased(self.phased(phased)?).into())
            }
        }
    }

    fn phased(&self, workload: &PhasedConfig) -> Result<PhasedModel, Invalid> {
        let phases = workload.popularity.len();
        length("workload.phased.popularity", phases, "lists", MAX_COUNT as usize)?;
        for (phase, row) in workload.popularity.iter().enumerate() {
            let key = format!("workload.phased.popularity[{phase}]");
            let (value, services) = (format!("{} probabilities", row.len()), self.services.len());
            Invalid::unless(row.len() == services, &key, value, format!("{services}, one a service"))?;
            distribution(&key, row, "probabilities")?;
        }
        let key = "workload.phased.stay_prob";
        let stay_prob = match (phases, workload.stay_prob) {
            (1, None | Some(1.0)) => 1.0,
            (1, Some(other)) => return Err(Invalid::new(key, other, "1, or absent: there is one phase")),
            (_, stay_prob) => {
                let allowed = "a number from 0 to 1, below 1, because there are several phases";
                number(key, present(key, stay_prob, allowed)?, Range::BelowOne)?
            }
        };
        Ok(PhasedModel::new(workload.popularity.clone(), stay_prob))
    }

    fn shows_popularity_phase(&self) -> Result<bool, Invalid> {
        let shows = self.observation.popularity_phase;
        let has_phases = matches!(self.workload, WorkloadConfig::Phased(_));
        let allowed = "false: only [workload.phased] has phases";
        Invalid::unless(!shows || has_phases, "observation.popularity_phase", shows, allowed)?;
        Ok(shows)
    }

    fn recorded(
        &self,
        trace: &Trace,
        TraceConfig { path, split, services }: &TraceConfig,
    ) -> Result<Source, Invalid> {
        if let TraceServicesConfig::Drawn(drawn) = services {
            let key = |field: &str| format!("workload.trace.services.drawn.{field}");
            number(key("zipf_exponent"), drawn.zipf_exponent, ZIPF_EXPONENTS)?;
            reshuffle(&key("reshuffle_slots"), drawn.reshuffle_slots)?;
        }
        let refuse = |allowed: String| Invalid::new("workload.trace.path", path, allowed);
        let refused = |error: RecordingError| refuse(error.to_string());
        let split = trace.split(self.slot_s, *split).map_err(refused)?;
        let services = (services, self.services.len() as u32);
        let parts =
            SlottedRequests::parts(trace, split, services, self.has_user_contexts()).map_err(refused)?;
        if let Some(empty) = parts.iter().find(|part| part.num_requests() == 0) {
            let part = empty.part;
            return Err(refuse(format!("a recording with requests in every part; its {part} part has none")));
        }
        self.fits(parts[0].num_slots() as u64)?;
        Ok(Source {
            load_s: parts[0].models.iter().map(|model| trace.load_s((*model)?)).collect(),
            outside_requests: parts.iter().map(|part| part.outside_requests).sum(),
            arrivals: ArrivalModel::Recorded(Arc::new(parts)),
        })
    }

    /// Refuses a horizon beyond the slots of a recording's training part.
    fn fits(&self, train_slots: u64) -> Result<(), Invalid> {
        let allowed = format!("at most {train_slots}, the slots of the recording's training part");
        let is_inside = u64::from(self.horizon_slots) <= train_slots;
        Invalid::unless(is_inside, "horizon_slots", self.horizon_slots, allowed)
    }
}

mod drawn;
mod rates;
mod sessions;
#[cfg(test)]
mod tests;
