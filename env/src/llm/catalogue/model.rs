//! A language model: what it occupies and what one token takes.
//!
//! Models: a decoder-only transformer, dense or mixture of experts.
//!
//! Equation:
//! ```text
//! s      = N * bytes_per_weight                  weights in memory
//! W      = N_active * bytes_per_weight           weights that one token reads
//! experts = (N - N_active) / (1 - k/E)           parameters of all experts; the rest is read by every pass
//! kv     = 2 L n_kv d_head * bytes_per_number    context of one token in memory
//! ```
//! Symbols: `N` parameters, `N_active` those that work on one token, `L` layers, `n_kv` KV heads, `d_head` their dimension,
//! `E` experts of a layer of which `k` work on a token.
//!
//! Assumptions: keys and values keep 16 bits where only weights are quantised. Every layer keeps its whole context: the
//! sliding windows of some models (Gemma 2, Mistral) are not modelled. A batch of a mixture of experts reads the experts of
//! one token (MODEL 5), although its requests seldom agree on them; in the second edition those that its tokens choose, where
//! the file says how many there are (`llm/inference.rs`).
//!
//! Source: MODEL 1 and 5; the numbers of each model name theirs.

use crate::invalid::{Invalid, Range, name, number};
use serde::{Deserialize, Serialize};

/// The most layers, heads and dimensions.
const MAX_SHAPE: u32 = 1_000_000;

/// A model as its file says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueModel {
    /// The name that scenarios refer to.
    pub name: String,
    /// Where the numbers were read: paper or model card.
    pub source: String,
    /// All parameters, in billions, above 0.
    pub total_parameters_b: f64,
    /// Parameters that work on one token, in billions; all of them when absent.
    pub active_parameters_b: Option<f64>,
    /// Experts of a layer, at least 2, where a token uses some of several.
    pub experts: Option<u32>,
    /// Those of them that work on a token, at least 1 and fewer than all; both keys or neither.
    pub experts_per_token: Option<u32>,
    /// Transformer layers, at least 1.
    pub layers: u32,
    /// Width of the residual stream, at least 1.
    pub width: u32,
    /// Attention heads, a multiple of `kv_heads`.
    pub heads: u32,
    /// Heads whose keys and values are kept, at least 1.
    pub kv_heads: u32,
    /// Dimension of a head, at least 1.
    pub head_dimension: u32,
    /// Bytes of a weight in memory, 0.125 to 8: 2 for fp16, 1 for int8, 0.5625 for 4 bits with a scale for every 32 weights.
    pub bytes_per_weight: f64,
    /// Bytes of a number in the kept context, 0.125 to 8; 2 when absent.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub kv_bytes_per_number: f64,
    /// Context window in tokens, at least 1.
    pub window_tokens: f64,
    /// In which numbers it computes.
    #[serde(default)]
    pub arithmetic: Arithmetic,
    /// Accuracy on MMLU, 0 to 1, as its source reports it: how good the model is without context.
    pub mmlu_accuracy: Option<f64>,
}

fn two() -> f64 {
    2.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_two(value: &f64) -> bool {
    *value == 2.0
}

/// In which numbers a model computes: it decides which peak of a device counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// 16-bit floating point, whatever the weights are kept in.
    #[default]
    Fp16,
    /// 8-bit integers, as neural processors and quantised kernels do; at the 16-bit peak where a device has no other.
    Int8,
}

/// A validated model, in SI units.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The name in scenarios and tables.
    pub name: String,
    /// Where its numbers were read.
    pub source: String,
    total_parameters: f64,
    /// Parameters that work on one token.
    pub active_parameters: f64,
    /// The share of a layer's experts that works on a token; 1 where there is but one.
    routed_share: f64,
    /// Transformer layers.
    pub layers: f64,
    /// Width of the residual stream.
    pub width: f64,
    bytes_per_weight: f64,
    /// Bytes that one token of context occupies.
    pub kv_bytes_per_token: f64,
    /// Context window in tokens.
    pub window_tokens: f64,
    /// In which numbers it computes.
    pub arithmetic: Arithmetic,
    /// Accuracy on MMLU, 0 to 1, where its source reports one.
    pub mmlu_accuracy: Option<f64>,
}

impl CatalogueModel {
    /// Checks every number; `place` is where the model stands, `models[3]` say.
    ///
    /// # Errors
    /// The first value that cannot be meant.
    pub fn validate(&self, place: &str) -> Result<Model, Invalid> {
        let key = |field: &str| format!("{place}.{field}");
        name(key("name"), &self.name)?;
        name(key("source"), &self.source)?;
        let total = number(key("total_parameters_b"), self.total_parameters_b, Range::Between(1e-6, 1e6))?;
        let active = self.active_parameters_b.map_or(Ok(total), |active| {
            number(key("active_parameters_b"), active, Range::Between(1e-6, total))
        })?;
        let shape = [
            ("layers", self.layers),
            ("width", self.width),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_dimension", self.head_dimension),
        ];
        for (field, value) in shape {
            if !(1..=MAX_SHAPE).contains(&value) {
                let allowed = format!("a whole number from 1 to {MAX_SHAPE}");
                return Err(Invalid::new(key(field), value, allowed));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let allowed = format!("a number that divides the {} heads", self.heads);
            return Err(Invalid::new(key("kv_heads"), self.kv_heads, allowed));
        }
        let kv_bytes =
            number(key("kv_bytes_per_number"), self.kv_bytes_per_number, Range::Between(0.125, 8.0))?;
        let kv_numbers =
            2.0 * f64::from(self.layers) * f64::from(self.kv_heads) * f64::from(self.head_dimension);
        Ok(Model {
            name: self.name.clone(),
            source: self.source.clone(),
            total_parameters: 1e9 * total,
            active_parameters: 1e9 * active,
            routed_share: self.routed_share(place, active, total)?,
            layers: f64::from(self.layers),
            width: f64::from(self.width),
            bytes_per_weight: weight_bytes(&key("bytes_per_weight"), self.bytes_per_weight)?,
            kv_bytes_per_token: kv_numbers * kv_bytes,
            window_tokens: number(key("window_tokens"), self.window_tokens, Range::Between(1.0, 1e9))?,
            arithmetic: self.arithmetic,
            mmlu_accuracy: self
                .mmlu_accuracy
                .map(|accuracy| number(key("mmlu_accuracy"), accuracy, Range::Share))
                .transpose()?,
        })
    }
}

impl CatalogueModel {
    /// The share of a layer's experts that works on a token, where `active` of `total` parameters do.
    fn routed_share(&self, place: &str, active: f64, total: f64) -> Result<f64, Invalid> {
        let (used, experts) = match (self.experts_per_token, self.experts) {
            (None, None) => return Ok(1.0),
            (used, experts) => (used.unwrap_or(0), experts.unwrap_or(0)),
        };
        let share = f64::from(used) / f64::from(experts);
        let allowed = "a whole number from 1 on, less than `experts`, and no greater part of them than the active parameters are of all";
        let is_sparse = (1..experts).contains(&used) && share <= active / total;
        Invalid::unless(is_sparse, format!("{place}.experts_per_token"), used, allowed)?;
        Ok(share)
    }
}

fn weight_bytes(key: &str, bytes: f64) -> Result<f64, Invalid> {
    number(key, bytes, Range::Between(0.125, 8.0))
}

impl Model {
    /// Bytes of all its weights, rounded to a whole byte.
    pub fn weight_bytes(&self) -> u64 {
        (self.total_parameters * self.bytes_per_weight).round() as u64
    }

    /// Bytes of the weights that one token reads.
    pub fn active_weight_bytes(&self) -> f64 {
        self.active_parameters * self.bytes_per_weight
    }

    /// Bytes of the weights that every pass reads, bytes of those of all experts, and the logarithm of the share of experts that do not
    /// work on a token; all are read by every pass where there are no experts.
    pub fn read_bytes(&self) -> (f64, f64, f64) {
        let idle_share = 1.0 - self.routed_share;
        if idle_share == 0.0 {
            return (self.active_weight_bytes(), 0.0, 0.0);
        }
        let experts = (self.total_parameters - self.active_parameters) / idle_share;
        let dense = self.total_parameters - experts;
        (dense * self.bytes_per_weight, experts * self.bytes_per_weight, libm::log(idle_share))
    }

    /// Returns the model with a shorter context window; `key` names the setting in errors.
    ///
    /// # Errors
    /// Fewer than 2 tokens, or more than the model's window.
    pub fn with_window_tokens(self, key: &str, tokens: f64) -> Result<Self, Invalid> {
        let window_tokens = number(key, tokens, Range::Between(2.0, self.window_tokens))?;
        Ok(Self { window_tokens, ..self })
    }

    /// Returns the model with weights of another number format; `key` names the setting in errors.
    ///
    /// # Errors
    /// When the bytes are not 0.125 to 8.
    pub fn with_bytes_per_weight(self, key: &str, bytes: f64) -> Result<Self, Invalid> {
        Ok(Self { bytes_per_weight: weight_bytes(key, bytes)?, ..self })
    }
}
