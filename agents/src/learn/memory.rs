//! How much memory a training run will need, before anything is allocated.
//!
//! Counted are the arrays that grow with a setting; the program itself with libtorch, the scenario and the worlds of the
//! lanes (a few kilobytes each) come on top. What an update and what a checkpoint need for a moment is never needed at the
//! same time.

use super::config::{AgentConfig, LearnerConfig};
use super::dqn_config::DqnConfig;
use super::ppo_config::PpoConfig;
use super::{replay, rollout};
use thoughtcache_env::gym::api::{EnvSpec, StepInfo};

/// One use of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryItem {
    /// What for.
    pub name: &'static str,
    /// What to change to need less.
    pub setting: &'static str,
    /// How much.
    pub bytes: u64,
    /// Whether it is needed for moments only, and not together with others of this kind.
    pub is_brief: bool,
}

/// What a run will need; see the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryForecast {
    /// The uses, in the order in which a run comes to them.
    pub items: Vec<MemoryItem>,
    state_bytes: u64,
}

impl MemoryForecast {
    /// The greatest amount at any moment: all that is kept and the largest of what is brief.
    pub fn total_bytes(&self) -> u64 {
        let kept = self.items.iter().filter(|item| !item.is_brief).map(|item| item.bytes);
        let brief = self.items.iter().filter(|item| item.is_brief).map(|item| item.bytes);
        kept.fold(brief.max().unwrap_or(0), u64::saturating_add)
    }

    /// The largest use.
    pub fn largest(&self) -> Option<&MemoryItem> {
        self.items.iter().max_by_key(|item| item.bytes)
    }

    /// The forecast of a run that keeps its last state in memory to go back to.
    #[must_use]
    pub fn with_rollback(mut self) -> Self {
        self.keep("state to go back to", "on_nan", self.state_bytes);
        self
    }

    fn keep(&mut self, name: &'static str, setting: &'static str, bytes: u64) {
        self.items.push(MemoryItem { name, setting, bytes, is_brief: false });
    }

    fn need_briefly(&mut self, name: &'static str, setting: &'static str, bytes: u64) {
        self.items.push(MemoryItem { name, setting, bytes, is_brief: true });
    }
}

const F32: u64 = size_of::<f32>() as u64;
const F64: u64 = size_of::<f64>() as u64;

impl AgentConfig {
    /// What a run of this learner needs, in environments with this spec, for `budget` decisions of all lanes together.
    /// Numbers beyond all memory stay at the greatest one.
    pub fn memory_bytes(&self, spec: &EnvSpec, budget: u64) -> MemoryForecast {
        match &self.learner {
            LearnerConfig::Ppo(config) => ppo(config, spec),
            LearnerConfig::Dqn(config) => dqn(config, spec, budget),
        }
    }
}

/// The numbers of a trunk with heads of so many outputs together.
fn num_parameters(inputs: usize, hidden: &[usize], outputs: usize) -> u64 {
    let widths: Vec<u64> =
        [inputs].iter().chain(hidden).chain([&outputs]).map(|&width| width as u64).collect();
    widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
}

/// A step's rows, masks and numbers, a lane.
fn step_bytes(spec: &EnvSpec) -> u64 {
    let (entries, actions) = (spec.num_entries() as u64, spec.num_actions() as u64);
    2 * F32 * entries + 2 * actions + F64 + 6 + size_of::<StepInfo>() as u64
}

/// The net and its optimiser (parameters, mean, square), and for a moment the gradient in pieces and as one, and the
/// numbers after a step with their intermediates.
fn net_bytes(parameters: u64) -> u64 {
    F32 * parameters * (3 + 7)
}

/// What a forward pass of `rows` leaves at its widest place, two layers and the sums between them.
fn widest_bytes(hidden: &[usize], outputs: usize, rows: u64) -> u64 {
    let widest = hidden.iter().copied().max().unwrap_or(0);
    let layers = if hidden.len() > 1 { 3 } else { 2 };
    (F32 * rows).saturating_mul((layers * widest + outputs) as u64)
}

/// What a pass forwards and backwards holds of a batch: the gathered rows, sums and outputs of every layer and their
/// gradients.
fn learning_bytes(spec: &EnvSpec, hidden: &[usize], rows: u64) -> u64 {
    let (entries, actions) = (spec.num_entries() as u64, spec.num_actions() as u64);
    let widths: u64 = hidden.iter().map(|&width| width as u64).sum();
    (F32 * rows).saturating_mul(entries + 4 * widths + 8 * actions)
}

fn ppo(config: &PpoConfig, spec: &EnvSpec) -> MemoryForecast {
    let (entries, actions) = (spec.num_entries(), spec.num_actions());
    let (lanes, steps) = (config.n_envs as u64, config.n_steps as u64);
    let decisions = lanes.saturating_mul(steps);
    let parameters =
        num_parameters(entries, &config.net_arch, actions) + num_parameters(entries, &config.net_arch, 1);
    let stored = rollout::bytes(config.n_steps, config.n_envs, entries, actions);
    let scratch = F32 * (entries + 2 * actions) as u64 + actions as u64;
    // Values, next values, advantages and returns, wide and narrow, and the order of the decisions.
    let targets = decisions.saturating_mul(5 * F64 + 4 * F32 + 8);
    let judged = widest_bytes(&config.net_arch, 1, decisions.saturating_add(lanes));
    let batch = 2 * learning_bytes(spec, &config.net_arch, (config.batch_size as u64).min(decisions));
    // Copied once into the state and once into its bytes.
    let trainer = stored.saturating_add(3 * F32 * parameters);

    let mut forecast = MemoryForecast { items: Vec::new(), state_bytes: trainer };
    forecast.keep("lanes", "ppo.n_envs", lanes.saturating_mul(step_bytes(spec) + scratch));
    forecast.keep("rollout", "ppo.n_steps", stored);
    forecast.keep("nets", "ppo.net_arch", net_bytes(parameters));
    forecast.need_briefly("update", "ppo.n_steps", targets.saturating_add(judged.max(batch)));
    forecast.need_briefly("checkpoint", "ppo.n_steps", trainer.saturating_mul(2));
    forecast
}

fn dqn(config: &DqnConfig, spec: &EnvSpec, budget: u64) -> MemoryForecast {
    let (entries, actions) = (spec.num_entries(), spec.num_actions());
    let lanes = config.n_envs as u64;
    let outputs = actions + usize::from(config.dueling);
    let parameters = num_parameters(entries, &config.net_arch, outputs);
    let capacity = config.buffer_size.min(usize::try_from(budget).unwrap_or(usize::MAX));
    let ring = replay::bytes(capacity, entries, actions);
    let scratch = 2 * F32 * entries as u64;
    let window = (config.n_steps as u64).saturating_mul(F32 * entries as u64 + 3 * F64);
    let batch = config.batch_size as u64;
    let gathered = replay::bytes(config.batch_size, entries, actions);

    let mut forecast = MemoryForecast { items: Vec::new(), state_bytes: ring };
    forecast.keep(
        "lanes",
        "dqn.n_envs",
        lanes.saturating_mul((step_bytes(spec) + scratch).saturating_add(window)),
    );
    forecast.keep("replay buffer", "dqn.buffer_size", ring);
    // The target net is one copy more.
    forecast.keep("nets", "dqn.net_arch", net_bytes(parameters) + F32 * parameters);
    let learning = learning_bytes(spec, &config.net_arch, batch.saturating_mul(3));
    forecast.need_briefly("update", "dqn.batch_size", gathered.saturating_mul(2).saturating_add(learning));
    // The state and its bytes; of the two large arrays of rows, each is freed when it is copied.
    forecast.need_briefly("checkpoint", "dqn.buffer_size", ring.saturating_add(ring / 2));
    forecast
}

#[cfg(test)]
mod tests;
