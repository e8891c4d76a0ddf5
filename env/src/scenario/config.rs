//! What a scenario file says, as typed: human units, optional keys, nothing checked but the shape.
//!
//! [`Scenario`](super::Scenario) is what is meant. A choice is a table named after it, `[quality.linear]` say.

use super::physical::{AccuracyConfig, DemandsConfig, PhysicalConfig};
use super::sessions::SessionsConfig;
use crate::thought::Refresh;
use crate::workload::diurnal::Diurnal;
use crate::workload::modulated::StateConfig;
use crate::workload::rates::RateServicesConfig;
use crate::workload::trace::{SplitShares, TraceServicesConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioConfig {
    /// The name in tables and checkpoints.
    pub name: String,
    /// Slots of an episode, 1 to 1,000,000; a recorded test part is played whole whatever stands here.
    pub horizon_slots: u32,
    /// Seconds of a slot, 1e-6 to 86,400 (a day).
    pub slot_s: f64,
    /// The edge servers.
    pub cell: CellConfig,
    /// The catalogue of language models.
    pub models: Vec<ModelConfig>,
    /// The kinds of LLM agent that users ask for, each served by one model.
    pub services: Vec<ServiceConfig>,
    /// How context builds up and fades.
    pub thought: ThoughtConfig,
    /// What occupies memory, and what becomes of an entry whose window is full.
    pub memory: MemoryConfig,
    /// Whose the context is; all users of a service share it when absent.
    pub context: Option<ContextConfig>,
    /// How good an answer is; absent with `[physical]`, where models have their own `quality`.
    pub quality: Option<QualityConfig>,
    /// Who asks for what, and when.
    pub workload: WorkloadConfig,
    /// What is decided, and how finely.
    pub decision: DecisionConfig,
    /// What an observation shows beside the usual.
    #[serde(default, skip_serializing_if = "ObservationConfig::is_default")]
    pub observation: ObservationConfig,
    /// What things cost in an abstract scenario.
    pub cost: Option<CostConfig>,
    /// Radio, servers, cloud and devices of a physical scenario, and what seconds, joules, quality and money cost there.
    pub physical: Option<PhysicalConfig>,
    /// Parameters of the heuristics, by policy and name; tuned on validation episodes. `<rule>+myopic` has those of the rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, BTreeMap<String, f64>>,
}

/// All cells alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellConfig {
    /// How many cells there are, 1 to 1,000.
    pub count: u32,
    /// GPU memory of one cell in GB (1e9 bytes), above 0.
    pub memory_gb: f64,
    /// Compute of one cell in TFLOP/s; needed when `cost.compute_weight` is above 0.
    pub compute_tflop_per_s: Option<f64>,
    /// TFLOP that one cell may spend in a slot; what would exceed it is not served at the edge. No limit when absent.
    pub compute_budget_tflop_per_slot: Option<f64>,
}

/// A language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The name that services refer to.
    pub name: String,
    /// Weights in GPU memory, in GB (1e9 bytes), above 0; taken from the catalogue with `[physical]`.
    pub memory_gb: Option<f64>,
    /// The model of the catalogue (`configs/catalogue/models.toml`) that it is; needed with `[physical]`, and only there.
    pub catalogue: Option<String>,
    /// Bytes of a weight, 0.125 to 8, where they differ from the catalogue's; only with `[physical]`.
    pub bytes_per_weight: Option<f64>,
    /// How good its answers are; needed with `[physical]`, and only there.
    pub quality: Option<AccuracyConfig>,
    /// Context window in tokens, at least 1; without limit when absent, which needs a `cost.accuracy_weight` of 0.
    pub window_tokens: Option<f64>,
    /// Parameters that work on one token, in billions; needed where compute is priced or limited.
    pub active_parameters_b: Option<f64>,
    /// Bytes that one token of context occupies, 1 to 1e9 (2 x layers x KV heads x head dimension x bytes per number);
    /// needed with `memory.kv`.
    pub kv_bytes_per_token: Option<f64>,
}

/// A kind of LLM agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The name in tables; `service-N` when absent.
    pub name: Option<String>,
    /// The model that serves it.
    pub model: String,
    /// What its requests bring and need; needed with `[physical]`, and only there.
    pub demands: Option<DemandsConfig>,
    /// The alpha of `[quality.linear]`, between 0 and 1; needed there.
    pub alpha: Option<f64>,
    /// Tokens of one thought; `thought.tokens` when absent.
    pub thought_tokens: Option<f64>,
    /// Seconds of one load, for `[cost.switching.per_load_second]`; taken from the trace when absent.
    pub load_s: Option<f64>,
    /// Cost of one load, at least 0, for `[cost.switching.per_load]`; its weight when absent.
    pub load_cost: Option<f64>,
    /// Edge access per request, at least 0; `cost.edge_per_request` when absent.
    pub edge_per_request: Option<f64>,
    /// The cloud per request, at least 0; `cost.cloud_per_request` when absent.
    pub cloud_per_request: Option<f64>,
}

/// MODEL 3: thoughts and their age.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThoughtConfig {
    /// Tokens of one thought, above 0 (200 in P1 and P2); their mean with a `cv`.
    pub tokens: f64,
    /// Coefficient of variation (standard deviation by mean) of a request's thought, 0 to 10: its length is lognormal, known when
    /// the request is decided, and its tokens and operations follow it. Only with granularity `request`, without `[physical]`;
    /// 0, all thoughts of a service alike, when absent.
    pub cv: Option<f64>,
    /// Reasoning paths of a request (self-consistency), at least 1.
    pub paths: u32,
    /// The consensus factor zeta, 0 to 1 (1 in P1).
    pub consensus_factor: f64,
    /// Thoughts that fade in a slot, at least 0 (0.6 in P1).
    pub vanishing_thoughts_per_slot: f64,
    /// Hidden tokens that a turn adds to the context where it is served for each that is said, 0 to 100: reasoning, results of tools. Only with
    /// `physical.edition = 2`, where a turn adds what was said in place of `paths` thoughts; 0 when absent.
    pub hidden_ratio: Option<f64>,
}

/// What occupies memory, and what becomes of a full window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// What happens to an entry whose context has outgrown the window.
    pub refresh: Refresh,
    /// Whether entries on one model share one copy of its weights; each pays for its own when absent (P1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared_weights: bool,
    /// Whether context occupies memory: `K * kv_bytes_per_token` of its model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kv: bool,
}

/// Whose the context of an entry is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextConfig {
    /// Whose the context is.
    pub scope: ContextScopeConfig,
    /// How many users there are, 1 to 1,000,000, each as likely to ask; needed with scope `user`, but for a recording that
    /// names its users: there each request is its recorded user's, and nothing may stand here.
    pub users: Option<u32>,
    /// Whether a context that has faded to nothing is dropped when a slot ends, `K` and all; only with scope `user`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_faded: bool,
}

/// See [`ContextConfig::scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContextScopeConfig {
    /// The service's: its users improve one another's answers, and what one of them said may be seen through another's.
    Service,
    /// Each user's own: nobody sees or profits from another's.
    User,
}

/// MODEL 3: quality laws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum QualityConfig {
    /// P1 eq. 20: the cost falls with one over the age of thought; `alpha` stands with each service.
    Linear(LinearQualityConfig),
    /// P3: accuracy grows with the logarithm of the age of thought, counted in thoughts.
    Logarithmic(LogarithmicQualityConfig),
    /// P2: accuracy is read from a table, against the reasoning paths that are fresh in the context.
    Table(TableQualityConfig),
}

/// `[quality.linear]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearQualityConfig {
    /// The beta of P1 eq. 20, between 0 and 1.
    pub beta: f64,
}

/// `[quality.logarithmic]`: `A = min(max_accuracy, base + gain * log2(1 + (age / thought)^exponent))`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogarithmicQualityConfig {
    /// Accuracy without context, 0 to 1.
    pub base: f64,
    /// Accuracy gained per doubling, at least 0.
    pub gain: f64,
    /// How fast thoughts count, above 0.
    pub exponent: f64,
    /// The greatest accuracy, `base` to 1.
    pub max_accuracy: f64,
}

/// `[quality.table]`: straight lines between the knots, flat outside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableQualityConfig {
    /// Reasoning paths, 1 to 64 numbers that rise (0, 5, 10, 15, 20 in P2's Tables III and IV); a path is a thought, so that
    /// the age of thought over the tokens of one counts those that are fresh.
    pub paths: Vec<f64>,
    /// Accuracy at each of them, 0 to 1.
    pub accuracy: Vec<f64>,
}

/// Who asks for what, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum WorkloadConfig {
    /// Independent Poisson counts per service, cell and slot.
    Poisson(PoissonConfig),
    /// Gaps between requests of Gamma's law: more regular than Poisson's, or burstier.
    Gamma(RenewalConfig),
    /// Gaps between requests of Weibull's law.
    Weibull(RenewalConfig),
    /// Poisson counts whose intensity jumps between states: quiet hours and rushes.
    Modulated(ModulatedConfig),
    /// A recorded sequence of requests.
    Trace(TraceConfig),
    /// Requests drawn at the recorded rates of clients.
    Rates(RatesConfig),
    /// One request a slot, with a popularity that changes from phase to phase: worlds small enough for an exact optimum.
    Phased(PhasedConfig),
    /// Conversations of users with turns, think times and tool calls; only with `[physical]`.
    Sessions(SessionsConfig),
}

/// `[workload.phased]`; one cell only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhasedConfig {
    /// One list a phase, with the probability of a request for each service; each list sums to 1 within 1e-6.
    pub popularity: Vec<Vec<f64>>,
    /// Probability that a phase lasts another slot, 0 or more and below 1; any other phase follows it, all alike. Absent,
    /// or 1, where there is one phase.
    pub stay_prob: Option<f64>,
}

/// `[workload.poisson]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoissonConfig {
    /// Mean requests of one service in one slot at one cell, averaged over the services; above 0.
    pub mean_requests_per_service: f64,
    /// Exponent of Zipf's law of popularity, at least 0; 0 makes all services equally popular.
    pub zipf_exponent: f64,
    /// Slots after which the popularity ranks are dealt anew; they stay for the episode when absent.
    pub reshuffle_slots: Option<u32>,
    /// A day with busy and quiet times; all times are alike when absent.
    pub diurnal: Option<Diurnal>,
}

/// `[workload.gamma]`, `[workload.weibull]`: one process for every service and cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalConfig {
    /// As in `[workload.poisson]`.
    pub mean_requests_per_service: f64,
    /// As in `[workload.poisson]`.
    pub zipf_exponent: f64,
    /// As in `[workload.poisson]`.
    pub reshuffle_slots: Option<u32>,
    /// Coefficient of variation of the gaps (standard deviation by mean), 0.02 to 50; below 1 more regular than Poisson's,
    /// above 1 burstier.
    pub cv: f64,
    /// As in `[workload.poisson]`.
    pub diurnal: Option<Diurnal>,
}

/// `[workload.modulated]`: one chain of states for every cell, shared by its services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulatedConfig {
    /// As in `[workload.poisson]`; the mean over all states.
    pub mean_requests_per_service: f64,
    /// As in `[workload.poisson]`.
    pub zipf_exponent: f64,
    /// As in `[workload.poisson]`.
    pub reshuffle_slots: Option<u32>,
    /// The states, 2 to 100; any other state follows one that ends, all alike.
    pub states: Vec<StateConfig>,
    /// As in `[workload.poisson]`.
    pub diurnal: Option<Diurnal>,
}

/// `[workload.trace]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// A CSV of requests, plain or gzip: made by `thoughtcache trace import`, or by hand.
    pub path: String,
    /// The shares of the time for training and validation; tests get the rest.
    #[serde(default, skip_serializing_if = "SplitShares::is_default")]
    pub split: SplitShares,
    /// How a recorded request finds its service.
    pub services: TraceServicesConfig,
}

/// `[workload.rates]`; one cell only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesConfig {
    /// A CSV of rates, plain or gzip: made by `thoughtcache trace import --format servegen`, or by hand.
    pub path: String,
    /// The shares of the time for training and validation; tests get the rest.
    #[serde(default, skip_serializing_if = "SplitShares::is_default")]
    pub split: SplitShares,
    /// What the recorded rates are multiplied by, above 0: a smaller population below 1, as bursty as the recorded one.
    pub rate_scale: f64,
    /// Which clients belong to which service.
    pub services: RateServicesConfig,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionConfig {
    /// What one decision covers.
    pub granularity: GranularityConfig,
    /// Where a request may be served.
    pub placements: Vec<crate::placement::Placement>,
    /// Whether a refusal lasts: once a request of an absent service went elsewhere, loading that service at the cell is
    /// illegal until the slot ends. Only with granularity `request`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Whether each cell is asked once more, at the start of every slot: load one absent service now, or nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefetch: bool,
}

/// See [`DecisionConfig::granularity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GranularityConfig {
    /// All requests of one service at one cell in one slot together (P1, P2).
    Service,
    /// Each request on its own.
    Request,
}

/// What an observation shows beside the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObservationConfig {
    /// Whether the phase of `[workload.phased]` is seen.
    pub popularity_phase: bool,
}

impl ObservationConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// MODEL 7: the abstract costs of P1 and P2, in one cost unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostConfig {
    /// What a load costs; evictions are free.
    pub switching: SwitchingConfig,
    /// Edge access per request served there, at least 0; a service may have its own.
    pub edge_per_request: f64,
    /// The cloud per request served there, at least 0; a service may have its own.
    pub cloud_per_request: f64,
    /// Weight of the accuracy cost at the edge, at least 0.
    pub accuracy_weight: f64,
    /// Weight of a second of thinking at the edge, at least 0 (0 in `paper`: the papers print no coefficient).
    pub compute_weight: f64,
}

/// `[cost.switching.*]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SwitchingConfig {
    /// In proportion to the weights (P2's text).
    PerGb(SwitchingWeight),
    /// The same for every load (P1 eq. 21), but for services with a `load_cost` of their own.
    PerLoad(SwitchingWeight),
    /// In proportion to the seconds of the load, where they were recorded.
    PerLoadSecond(SwitchingWeight),
}

/// `weight = ...` of a switching cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchingWeight {
    /// Cost per unit, at least 0.
    pub weight: f64,
}
