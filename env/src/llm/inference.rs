//! How long a model takes to read a prompt and to write an answer, and how much of the hardware that occupies.
//!
//! Models: prefill limited by arithmetic, decoding limited by memory bandwidth or arithmetic (a roofline), with a constant
//! time for every pass through the model; tensor parallelism over a power of two of equal GPUs; requests in batches.
//!
//! Equation:
//! ```text
//! n_in    = c + n_new,  c = min(K, w - n_new - n_out),  n' = n_in - n_hit
//! prefill T_pre = t_step + max( W(B n') / (eta * bw * tp), B (2 N_active n' + 2 L d (n_in^2 - n_hit^2)) / (mfu * peak * tp) ) + X(n')
//! decode  T_dec = n_out * ( t_step + max( (W(B) + B kv(n_in + n_out/2)) / (eta * bw * tp), 2 N_active B / (mfu * peak * tp) ) + X(1) )
//! W(B)    = dense + experts (1 - (1 - k/E)^B)      experts = (total - active) / (1 - k/E),  dense = total - experts
//! X(n)    = 2 L ( t_sync log2(tp) + 2 (tp-1)/tp * 2 B n d / link ) + B t_sequence
//! ```
//! In the first edition W(B) = W(1) = `W_active`, and prefill reads nothing.
//!
//! Symbols: `K` tokens of context that are kept, `w` window, `n_hit` tokens that need not be computed again, `B` requests of
//! a batch, `L` layers, `d` width, `N_active` parameters and `W_active` bytes that one token uses, `E` experts of a layer of which `k`
//! work on a token, `kv(n)` bytes of `n` tokens of context, `tp` GPUs, `peak` and `bw` of one GPU; `t_step` seconds of a pass, `mfu`
//! and `eta` shares of the peaks that are reached; `t_sync`, `link`, `t_sequence` see below.
//!
//! Assumptions: tokens choose their experts independently and evenly (*ours*; trained routers are balanced, Shazeer et al., arXiv
//! 1701.06538); prefill does not wait for the keys and values of kept context. All requests of a batch are alike and start
//! together. A batch does not stop for another. `X` is *ours* and 0 unless a device has the constants for it: GPUs that share a model exchange activations of 2 bytes twice a layer by a ring
//! all-reduce, each at a latency that grows with the logarithm of their number; the host spends time on each sequence of a
//! batch. On the measured profile of Llama-2-70B it takes the held-out median error from 11 % to 2 % for a token and from
//! 16 % to 6 % for the prompt (`llm/fit.rs`); prompts of large batches on four and eight GPUs stay up to a half too fast.
//!
//! Source: MODEL 5. Ring all-reduce: Patarasuk and Yuan, J. Parallel Distrib. Comput. 69(2), 2009. Two all-reduces a layer:
//! Shoeybi et al., Megatron-LM, arXiv 1909.08053.

use super::catalogue::{Device, Model, ServingConstants};
use super::energy;
use crate::edition::Edition;
use serde::{Deserialize, Serialize};

/// Bytes of an activation that GPUs exchange.
const ACTIVATION_BYTES: f64 = 2.0;

/// The context that goes into a prompt: what is kept, as far as the window leaves room for it.
pub fn context_tokens(kept_tokens: f64, window_tokens: f64, new_tokens: f64, output_tokens: f64) -> f64 {
    kept_tokens.min(window_tokens - new_tokens - output_tokens).max(0.0)
}

/// One request in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// The whole prompt: context and what is new.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub prompt: f64,
    /// The part of the prompt whose keys and values are still in memory.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub reused: f64,
    /// The answer.
    #[serde(deserialize_with = "crate::kept::amount")]
    pub output: f64,
}

/// The work of one or several passes before any efficiency: the columns of the equation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Passes through the model.
    pub steps: f64,
    /// Seconds to read memory at full bandwidth.
    pub read_s: f64,
    /// Seconds to compute at the peak.
    pub compute_s: f64,
    /// Bytes that every GPU sends to the others.
    pub link_bytes: f64,
    /// Exchanges, each counted once a doubling of the GPUs.
    pub syncs: f64,
    /// Passes times requests of the batch.
    pub sequences: f64,
    /// Operations, over all GPUs.
    pub flop: f64,
}

impl Work {
    /// The time that it takes at this pace.
    pub fn seconds(&self, pace: &Pace) -> f64 {
        self.steps * pace.step_s
            + (self.read_s * pace.per_read).max(self.compute_s * pace.per_compute)
            + self.link_bytes * pace.s_per_link_byte
            + self.syncs * pace.sync_s
            + self.sequences * pace.sequence_s
    }

    /// Whether reading memory takes longer than computing.
    pub fn is_memory_bound(&self, pace: &Pace) -> bool {
        self.read_s * pace.per_read > self.compute_s * pace.per_compute
    }
}

/// The factors of the columns: serving constants, with those that divide turned over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    step_s: f64,
    per_read: f64,
    per_compute: f64,
    s_per_link_byte: f64,
    sync_s: f64,
    sequence_s: f64,
}

impl From<&ServingConstants> for Pace {
    fn from(constants: &ServingConstants) -> Self {
        Self {
            step_s: constants.t_step_s,
            per_read: 1.0 / constants.eta,
            per_compute: 1.0 / constants.mfu,
            s_per_link_byte: 1.0 / constants.link_bytes_per_s,
            sync_s: constants.sync_s,
            sequence_s: constants.t_sequence_s,
        }
    }
}

/// The time and the work of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Served {
    /// Seconds until the first token.
    pub prefill_s: f64,
    /// Seconds from the first token to the last.
    pub decode_s: f64,
    /// Busy time over all GPUs that worked.
    pub gpu_s: f64,
    /// Operations.
    pub flop: f64,
}

/// The least power of two of GPUs, at most `gpus`, whose memories together hold these bytes; `None` when all are too few.
pub fn least_parallel(bytes: f64, gpu_bytes: f64, gpus: u32) -> Option<u32> {
    let doublings = std::iter::successors(Some(1_u32), |parallel| parallel.checked_mul(2));
    doublings
        .take_while(|&parallel| parallel <= gpus)
        .find(|&parallel| bytes <= f64::from(parallel) * gpu_bytes)
}

/// A model that runs on some GPUs of one kind, with all that does not depend on a request multiplied out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    pace: Pace,
    /// How many GPUs it runs on.
    pub num_gpus: f64,
    active_parameters: f64,
    /// Read in every pass.
    dense_bytes: f64,
    /// Read by a batch that uses all experts.
    expert_bytes: f64,
    /// `ln(1 - k/E)`.
    ln_idle: f64,
    /// 1 where prefill reads memory, too.
    prefill_reads: f64,
    kv_bytes_per_token: f64,
    /// The context window of its model in tokens.
    pub window_tokens: f64,
    /// `2 L d`.
    attention_flop: f64,
    /// `2 L log2(tp)`.
    syncs_per_step: f64,
    /// `2 L * 2 (tp-1)/tp * 2 d`: bytes for one token.
    link_bytes_per_token: f64,
    /// At the peak of all GPUs.
    s_per_flop: f64,
    /// At the memory bandwidth of all GPUs.
    s_per_byte: f64,
    dynamic_w: f64,
}

impl Server {
    /// A model on `parallel` GPUs, at least 1.
    pub fn new(device: &Device, model: &Model, parallel: u32) -> Self {
        let gpus = f64::from(parallel);
        let exchanges = 2.0 * model.layers;
        let ring = 2.0 * (gpus - 1.0) / gpus;
        Self {
            pace: Pace::from(&device.constants),
            num_gpus: gpus,
            active_parameters: model.active_parameters,
            dense_bytes: model.active_weight_bytes(),
            expert_bytes: 0.0,
            ln_idle: 0.0,
            prefill_reads: 0.0,
            kv_bytes_per_token: model.kv_bytes_per_token,
            window_tokens: model.window_tokens,
            attention_flop: 2.0 * model.layers * model.width,
            syncs_per_step: exchanges * libm::log2(gpus),
            link_bytes_per_token: exchanges * ring * ACTIVATION_BYTES * model.width,
            s_per_flop: 1.0 / (device.peak_flop_per_s(model.arithmetic) * gpus),
            s_per_byte: 1.0 / (device.bandwidth_bytes_per_s * gpus),
            dynamic_w: energy::dynamic_w(device),
        }
    }

    /// A model on the least power of two of GPUs, at most `gpus`, that holds its weights and this many tokens of context where each
    /// grants `granted_bytes`, or on as many as there are; `None` when the memories of all can never hold them.
    pub fn fitting(
        device: &Device,
        model: &Model,
        (gpus, granted_bytes): (u32, f64),
        kv_tokens: f64,
    ) -> Option<Self> {
        let bytes = model.weight_bytes() as f64 + model.kv_bytes_per_token * kv_tokens;
        least_parallel(bytes, device.memory_bytes as f64, gpus)?;
        let parallel = least_parallel(bytes, granted_bytes, gpus).unwrap_or(1 << gpus.ilog2());
        Some(Self::new(device, model, parallel))
    }

    /// By the laws of an edition: in the second a batch of a mixture reads the experts that its tokens choose, and prefill reads
    /// memory, too.
    #[must_use]
    pub fn of_edition(self, edition: Edition, model: &Model) -> Self {
        let (dense_bytes, expert_bytes, ln_idle) = model.read_bytes();
        edition.pick(self, Self { dense_bytes, expert_bytes, ln_idle, prefill_reads: 1.0, ..self })
    }

    /// Bytes of weights that a pass over so many tokens reads.
    fn read_bytes(&self, tokens: f64) -> f64 {
        if self.expert_bytes == 0.0 {
            return self.dense_bytes;
        }
        self.dense_bytes - self.expert_bytes * libm::expm1(tokens * self.ln_idle)
    }

    /// Seconds that other work of so many operations takes on its GPUs.
    pub fn compute_s(&self, flop: f64) -> f64 {
        flop * self.s_per_flop * self.pace.per_compute
    }

    /// Joules that so much busy time over all GPUs takes beyond idling.
    pub fn dynamic_j(&self, gpu_s: f64) -> f64 {
        self.dynamic_w * gpu_s
    }

    /// The work of reading the prompts of a batch.
    pub fn prefill_work(&self, tokens: &Tokens, batch: f64) -> Work {
        let computed = tokens.prompt - tokens.reused;
        let pairs = tokens.prompt * tokens.prompt - tokens.reused * tokens.reused;
        let flop = batch * (2.0 * self.active_parameters * computed + self.attention_flop * pairs);
        let read_bytes = self.read_bytes(batch * computed);
        Work {
            steps: 1.0,
            read_s: self.prefill_reads * read_bytes * self.s_per_byte,
            compute_s: flop * self.s_per_flop,
            link_bytes: self.link_bytes_per_token * batch * computed,
            syncs: self.syncs_per_step,
            sequences: batch,
            flop,
        }
    }

    /// The work of writing the answers of a batch.
    pub fn decode_work(&self, tokens: &Tokens, batch: f64) -> Work {
        let steps = tokens.output;
        let mean_context = tokens.prompt + 0.5 * tokens.output;
        let read_bytes = self.read_bytes(batch) + batch * self.kv_bytes_per_token * mean_context;
        let flop = steps * 2.0 * self.active_parameters * batch;
        Work {
            steps,
            read_s: steps * read_bytes * self.s_per_byte,
            compute_s: flop * self.s_per_flop,
            link_bytes: self.link_bytes_per_token * batch * steps,
            syncs: self.syncs_per_step * steps,
            sequences: batch * steps,
            flop,
        }
    }

    /// Seconds of a pass that reads these prompts together.
    pub fn pass_s<'a>(&self, prompts: impl Iterator<Item = &'a Tokens>) -> f64 {
        let mut all = Work { steps: 1.0, syncs: self.syncs_per_step, ..Work::default() };
        let mut computed = 0.0;
        for tokens in prompts {
            let own = self.prefill_work(tokens, 1.0);
            all.compute_s += own.compute_s;
            all.link_bytes += own.link_bytes;
            all.sequences += own.sequences;
            computed += tokens.prompt - tokens.reused;
        }
        all.read_s = self.prefill_reads * self.read_bytes(computed) * self.s_per_byte;
        all.seconds(&self.pace)
    }

    /// Seconds of a step in which so many answers get a token each, whose contexts have these bytes together.
    pub fn token_s(&self, answers: f64, context_bytes: f64) -> f64 {
        let step = Work {
            steps: 1.0,
            read_s: (self.read_bytes(answers) + context_bytes) * self.s_per_byte,
            compute_s: 2.0 * self.active_parameters * answers * self.s_per_flop,
            link_bytes: self.link_bytes_per_token * answers,
            syncs: self.syncs_per_step,
            sequences: answers,
            flop: 0.0,
        };
        step.seconds(&self.pace)
    }

    /// The least busy time, over all GPUs, that a request takes in batches of at most `most`: what reads memory is read for all of them.
    pub fn least_gpu_s(&self, tokens: &Tokens, most: f64) -> f64 {
        let prefill = Work { steps: 0.0, read_s: 0.0, syncs: 0.0, ..self.prefill_work(tokens, 1.0) };
        (prefill.seconds(&self.pace) + tokens.output * self.token_s(most, 0.0) / most) * self.num_gpus
    }

    /// Bytes of the context of a request, on average while its answer is written.
    pub fn context_bytes(&self, tokens: &Tokens) -> f64 {
        self.kv_bytes_per_token * (tokens.prompt + 0.5 * tokens.output)
    }

    /// Returns the time and the work of a batch of `batch` equal requests; nothing where there is none.
    pub fn serve(&self, tokens: &Tokens, batch: u32) -> Served {
        if batch == 0 {
            return Served::default();
        }
        let batch = f64::from(batch);
        let (prefill, decode) = (self.prefill_work(tokens, batch), self.decode_work(tokens, batch));
        let (prefill_s, decode_s) = (prefill.seconds(&self.pace), decode.seconds(&self.pace));
        Served {
            prefill_s,
            decode_s,
            gpu_s: (prefill_s + decode_s) * self.num_gpus,
            flop: prefill.flop + decode.flop,
        }
    }
}

#[cfg(test)]
mod tests;
