//! What a scenario file says about sessions: see [`crate::workload::sessions`] for what it means.
//!
//! Where defaults come from. Turns and the length of a prompt: LMSYS-Chat-1M, arXiv 2309.11998, table 1 (2.0 turns, 69.5
//! tokens a prompt, 214.5 a response). Output tokens: Azure LLM inference trace 2023, conversation (19,366 requests, mean 211,
//! coefficient of variation .77: the same as LMSYS's within 2 %). Think time and the variation of what is added: the 773
//! requests of Mooncake's synthetic conversation trace that go on with the whole prompt of an earlier one follow it after
//! 106 s on average, coefficient of variation 1.17; what they add varies by 1.4. Tool loops and how often a user comes: ours.

use crate::workload::diurnal::Diurnal;
use crate::workload::modulated::StateConfig;
use serde::{Deserialize, Serialize};

/// `[workload.sessions]`: conversations with turns, think times and tool calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// Sessions that a user starts in an hour, averaged over the users; above 0, at most 3,600.
    pub sessions_per_user_hour: f64,
    /// Exponent of Zipf's law of the services' popularity, 0 to 10; 0 makes all services equally popular.
    pub zipf_exponent: f64,
    /// Slots after which the popularity ranks are dealt anew; they stay for the episode when absent.
    pub reshuffle_slots: Option<u32>,
    /// The law by which sessions start, over all users together.
    #[serde(default)]
    pub starts: StartsConfig,
    /// A day with busy and quiet times; all times are alike when absent.
    pub diurnal: Option<Diurnal>,
    /// Classes of users who start more or fewer sessions than others, in order of the users' numbers; all users are alike
    /// when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_mix: Vec<UserClassConfig>,
    /// Turns of a session.
    #[serde(default)]
    pub turns: TurnsConfig,
    /// From one turn to the next, from arrival to arrival.
    #[serde(default = "think_time")]
    pub think_time: TimeConfig,
    /// Tokens that a user adds in a turn.
    #[serde(default = "new_tokens")]
    pub new_tokens: TokensConfig,
    /// Tokens of an answer.
    #[serde(default = "output_tokens")]
    pub output_tokens: TokensConfig,
    /// Turns in which the model calls tools; none when absent.
    pub tools: Option<ToolsConfig>,
}

/// The law of the starts of sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum StartsConfig {
    /// Independent starts: many users who do not know of each other.
    Poisson(PoissonStartsConfig),
    /// Gaps of Gamma's law.
    Gamma(RenewalStartsConfig),
    /// Gaps of Weibull's law.
    Weibull(RenewalStartsConfig),
    /// Poisson with an intensity that jumps between states.
    Modulated(ModulatedStartsConfig),
}

impl Default for StartsConfig {
    fn default() -> Self {
        Self::Poisson(PoissonStartsConfig {})
    }
}

/// `[workload.sessions.starts.poisson]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoissonStartsConfig {}

/// `[workload.sessions.starts.gamma]`, `[workload.sessions.starts.weibull]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalStartsConfig {
    /// Coefficient of variation of the gaps (standard deviation by mean), 0.02 to 50.
    pub cv: f64,
}

/// `[workload.sessions.starts.modulated]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModulatedStartsConfig {
    /// The states, 2 to 100; any other state follows one that ends, all alike.
    pub states: Vec<StateConfig>,
}

/// Users who are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserClassConfig {
    /// The share of the users who belong to it, above 0; the shares sum to 1 within 1e-6.
    pub share: f64,
    /// How many sessions one of them starts relative to one of another class, 0 to 1e6; above 0 in one of the classes.
    pub activity: f64,
}

/// How many turns a session has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum TurnsConfig {
    /// Another turn follows with the same probability after each.
    Geometric(GeometricTurnsConfig),
    /// As counted somewhere.
    Empirical(EmpiricalTurnsConfig),
}

impl Default for TurnsConfig {
    fn default() -> Self {
        Self::Geometric(GeometricTurnsConfig { mean: 2.0 })
    }
}

/// `[workload.sessions.turns.geometric]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeometricTurnsConfig {
    /// Mean number of turns, 1 to 1,000.
    pub mean: f64,
}

/// `[workload.sessions.turns.empirical]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpiricalTurnsConfig {
    /// The shares of sessions with 1, 2, 3 ... turns, at most 1,000 of them; they sum to 1 within 1e-6.
    pub shares: Vec<f64>,
}

/// The law of a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum TimeConfig {
    /// Exponential.
    Exponential(ExponentialTimeConfig),
    /// Lognormal.
    Lognormal(LognormalTimeConfig),
}

/// An exponential time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentialTimeConfig {
    /// Mean in seconds, 1e-3 to 1e5.
    pub mean_s: f64,
}

/// A lognormal time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LognormalTimeConfig {
    /// Mean in seconds, 1e-3 to 1e5.
    pub mean_s: f64,
    /// Coefficient of variation (standard deviation by mean), 0.01 to 20.
    pub cv: f64,
}

/// A lognormal number of tokens, rounded and clipped to the window of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensConfig {
    /// Mean before clipping, 1 to 1e7.
    pub mean: f64,
    /// Coefficient of variation before clipping (standard deviation by mean), 0 to 20.
    pub cv: f64,
}

/// `[workload.sessions.tools]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolsConfig {
    /// The probability that a turn is a tool loop, above 0, at most 1.
    pub prob: f64,
    /// Mean calls of the model that follow the first one of such a turn, each after a tool has answered; geometric, 1 to
    /// 1,000.
    pub mean_calls: f64,
    /// From one call to the next, from arrival to arrival.
    pub time: TimeConfig,
    /// Tokens that a tool answers.
    pub result_tokens: TokensConfig,
}

fn think_time() -> TimeConfig {
    TimeConfig::Lognormal(LognormalTimeConfig { mean_s: 100.0, cv: 1.2 })
}

fn new_tokens() -> TokensConfig {
    TokensConfig { mean: 69.5, cv: 1.4 }
}

fn output_tokens() -> TokensConfig {
    TokensConfig { mean: 211.0, cv: 0.77 }
}
