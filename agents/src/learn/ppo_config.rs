//! Settings of PPO, named as in Stable-Baselines3 and its Zoo.

use super::ranges::{check_counts, check_net_arch, check_numbers};
use super::schedule::Schedule;
use crate::net_policy::Activation;
use serde::{Deserialize, Serialize};
use thoughtcache_env::invalid::{Invalid, Range};

/// The most decisions of an update: their rows are kept in memory.
const MAX_ROLLOUT: usize = 4_000_000;

/// Masked PPO. The defaults are the settings that worked on `tight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Copies of the environment that are played together, at least 1. More lanes make a steadier gradient.
    pub n_envs: usize,
    /// Decisions per lane between two updates, at least 1. An update learns from `n_envs * n_steps` decisions.
    pub n_steps: usize,
    /// Decisions per minibatch, 1 to `n_envs * n_steps`; the last minibatch of an epoch may be smaller.
    pub batch_size: usize,
    /// Passes over the decisions of an update, at least 1.
    pub n_epochs: usize,
    /// Discount **per slot**, 0 to 1. What a cache decision causes shows within some ten slots: 0.99 learns much slower.
    pub gamma: f64,
    /// Weight of later decisions in the advantage, 0 to 1; counts decisions, not slots.
    pub gae_lambda: f64,
    /// How far the probability ratio may move before its gradient is cut, above 0. 0.2 is the paper's.
    pub clip_range: f64,
    /// How far a value may move from the old one, above 0, in scaled reward; absent: no value clipping (it brings nothing
    /// with a critic of its own).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_range_vf: Option<f64>,
    /// Whether advantages are shifted and scaled to mean 0 and deviation 1 in every minibatch.
    pub normalize_advantage: bool,
    /// Weight of the entropy in the loss, at least 0. A little keeps rare services explored.
    pub ent_coef: f64,
    /// Weight of the value loss (the mean squared error), at least 0.
    pub vf_coef: f64,
    /// Greatest length of the gradient of both nets together, above 0.
    pub max_grad_norm: f64,
    /// Mean KL divergence from the old policy; an update ends when a minibatch exceeds 1.5 times it. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_kl: Option<f64>,
    /// Step size of Adam at the beginning, above 0.
    pub learning_rate: f64,
    /// Schedule of the step size: `constant`, or `linear` to 0 at the end of the budget.
    pub learning_rate_schedule: Schedule,
    /// Adam's epsilon, added to the root of the mean squared gradient, above 0; 1e-5 is customary for PPO.
    pub adam_eps: f64,
    /// Widths of the hidden layers, at most 8, of the actor and of the critic alike; each net has a trunk of its own.
    pub net_arch: Vec<usize>,
    /// Activation of the hidden layers: `tanh` or `relu`.
    pub activation: Activation,
    /// Rewards are multiplied by it before anything is learnt, above 0. Costs of `tight` are a few hundredths a decision;
    /// 30 brings values near 1.
    pub reward_scale: f64,
    /// Entries that the nets must not see, by the last parts of their names (`age` hides `service.3.age`): blind agents.
    pub ignore_entries: Vec<String>,
    /// Threads inside one operation of libtorch, at least 1. Actor and critic have a thread each anyway; more than 1 changes
    /// the last bits and is slower for nets of this size.
    pub torch_threads: usize,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            n_envs: 32,
            n_steps: 128,
            batch_size: 512,
            n_epochs: 4,
            gamma: 0.9,
            gae_lambda: 0.95,
            clip_range: 0.2,
            clip_range_vf: None,
            normalize_advantage: true,
            ent_coef: 0.003,
            vf_coef: 0.5,
            max_grad_norm: 0.5,
            target_kl: None,
            learning_rate: 6e-4,
            learning_rate_schedule: Schedule::Linear,
            adam_eps: 1e-5,
            net_arch: vec![128, 128],
            activation: Activation::Tanh,
            reward_scale: 30.0,
            ignore_entries: Vec::new(),
            torch_threads: 1,
        }
    }
}

impl PpoConfig {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// The first field that is out of its range, or contradicts another.
    pub fn validate(&self) -> Result<(), Invalid> {
        let rollout = self.n_envs.saturating_mul(self.n_steps);
        let counts = [
            ("n_envs", self.n_envs, 1_000_000),
            ("n_steps", self.n_steps, 1_000_000),
            ("n_epochs", self.n_epochs, 1_000_000),
            ("torch_threads", self.torch_threads, 1024),
        ];
        let numbers = [
            ("gamma", self.gamma, Range::Share),
            ("gae_lambda", self.gae_lambda, Range::Share),
            ("clip_range", self.clip_range, Range::Positive),
            ("clip_range_vf", self.clip_range_vf.unwrap_or(1.0), Range::Positive),
            ("ent_coef", self.ent_coef, Range::NonNegative),
            ("vf_coef", self.vf_coef, Range::NonNegative),
            ("max_grad_norm", self.max_grad_norm, Range::Positive),
            ("target_kl", self.target_kl.unwrap_or(1.0), Range::Positive),
            ("learning_rate", self.learning_rate, Range::Positive),
            ("adam_eps", self.adam_eps, Range::Positive),
            ("reward_scale", self.reward_scale, Range::Positive),
        ];
        check_counts("ppo", &counts)?;
        let allowed = format!("n_envs * n_steps up to {MAX_ROLLOUT}");
        Invalid::unless(rollout <= MAX_ROLLOUT, "ppo.n_steps", self.n_steps, allowed)?;
        let is_batch = (1..=rollout).contains(&self.batch_size);
        let allowed = format!("1 to n_envs * n_steps = {rollout}");
        Invalid::unless(is_batch, "ppo.batch_size", self.batch_size, allowed)?;
        check_numbers("ppo", &numbers)?;
        check_net_arch("ppo.net_arch", &self.net_arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_survive_toml() {
        let config = PpoConfig::default();
        config.validate().unwrap();
        assert_eq!(toml::from_str::<PpoConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(toml::from_str::<PpoConfig>("").unwrap(), config);
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let error = toml::from_str::<PpoConfig>("gama = 0.9").unwrap_err().to_string();
        assert!(error.contains("unknown field `gama`"), "{error}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_key_value_and_range() {
        let message = |text: &str| match toml::from_str::<PpoConfig>(text).unwrap().validate() {
            Ok(()) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        let cases = [
            ("gamma = nan", "ppo.gamma = NaN: a number from 0 to 1"),
            ("gae_lambda = 1.01", "ppo.gae_lambda = 1.01: a number from 0 to 1"),
            ("batch_size = 4097", "ppo.batch_size = 4097: 1 to n_envs * n_steps = 4096"),
            ("n_envs = 0", "ppo.n_envs = 0: a whole number from 1 to 1000000"),
            ("n_envs = 1000\nn_steps = 4001", "ppo.n_steps = 4001: n_envs * n_steps up to 4000000"),
            ("clip_range = 0.0", "ppo.clip_range = 0.0: a number above 0, at most 1e12"),
            ("clip_range_vf = -1.0", "ppo.clip_range_vf = -1.0: a number above 0, at most 1e12"),
            ("ent_coef = -0.1", "ppo.ent_coef = -0.1: a number from 0 to 1e12"),
            ("max_grad_norm = inf", "ppo.max_grad_norm = inf: a number above 0, at most 1e12"),
            ("net_arch = [8, 8, 8, 8, 8, 8, 8, 8, 8]", "ppo.net_arch = 9 layers: at most 8 hidden layers"),
            ("net_arch = [8, 8, 8, 8, 8, 8, 8, 8]", "accepted"),
            ("net_arch = [64, 0]", "ppo.net_arch = 0: widths from 1 to 4096"),
            ("torch_threads = 0", "ppo.torch_threads = 0: a whole number from 1 to 1024"),
            ("gamma = 0.0\nent_coef = 0.0\nnet_arch = []", "accepted"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), expected);
        }
    }
}
