//! What a user says about PPO; the names are those of Stable-Baselines3 and its Zoo.

use super::config::{
    ConfigError, NOT_NEGATIVE, POSITIVE, check, check_net_arch, is_not_negative, is_positive,
};
use super::schedule::Schedule;
use crate::net_policy::Activation;
use serde::{Deserialize, Serialize};

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
    /// What becomes of the step size: `constant`, or `linear` to 0 at the end of the budget.
    pub learning_rate_schedule: Schedule,
    /// What Adam adds to the root of the squared gradient, above 0. 1e-5 is the custom of PPO.
    pub adam_eps: f64,
    /// Widths of the hidden layers, at most 8, of the actor and of the critic alike; each net has a trunk of its own.
    pub net_arch: Vec<usize>,
    /// What follows a hidden layer: `tanh` or `relu`.
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
    pub fn validate(&self) -> Result<(), ConfigError> {
        const COUNT: &str = "a whole number from 1 to 1000000";
        const SHARE: &str = "a number from 0 to 1";
        let is_count = |count: usize| (1..=1_000_000).contains(&count);
        let is_share = |number: f64| (0.0..=1.0).contains(&number);
        let rollout = self.n_envs.saturating_mul(self.n_steps);
        check("ppo.n_envs", self.n_envs, is_count(self.n_envs), COUNT)?;
        check("ppo.n_steps", self.n_steps, is_count(self.n_steps), COUNT)?;
        let rollout_limit = format!("n_envs * n_steps up to {MAX_ROLLOUT}");
        check("ppo.n_steps", self.n_steps, rollout <= MAX_ROLLOUT, rollout_limit)?;
        let is_batch = (1..=rollout).contains(&self.batch_size);
        let allowed = format!("1 to n_envs * n_steps = {rollout}");
        check("ppo.batch_size", self.batch_size, is_batch, allowed)?;
        check("ppo.n_epochs", self.n_epochs, is_count(self.n_epochs), COUNT)?;
        check("ppo.gamma", self.gamma, is_share(self.gamma), SHARE)?;
        check("ppo.gae_lambda", self.gae_lambda, is_share(self.gae_lambda), SHARE)?;
        check("ppo.clip_range", self.clip_range, is_positive(self.clip_range), POSITIVE)?;
        if let Some(range) = self.clip_range_vf {
            check("ppo.clip_range_vf", range, is_positive(range), POSITIVE)?;
        }
        check("ppo.ent_coef", self.ent_coef, is_not_negative(self.ent_coef), NOT_NEGATIVE)?;
        check("ppo.vf_coef", self.vf_coef, is_not_negative(self.vf_coef), NOT_NEGATIVE)?;
        check("ppo.max_grad_norm", self.max_grad_norm, is_positive(self.max_grad_norm), POSITIVE)?;
        if let Some(kl) = self.target_kl {
            check("ppo.target_kl", kl, is_positive(kl), POSITIVE)?;
        }
        check("ppo.learning_rate", self.learning_rate, is_positive(self.learning_rate), POSITIVE)?;
        check("ppo.adam_eps", self.adam_eps, is_positive(self.adam_eps), POSITIVE)?;
        check_net_arch("ppo.net_arch", &self.net_arch)?;
        check("ppo.reward_scale", self.reward_scale, is_positive(self.reward_scale), POSITIVE)?;
        let is_threads = (1..=1024).contains(&self.torch_threads);
        check("ppo.torch_threads", self.torch_threads, is_threads, "a whole number from 1 to 1024")
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
            ("gamma = nan", "ppo.gamma is NaN; allowed: a number from 0 to 1"),
            ("gae_lambda = 1.01", "ppo.gae_lambda is 1.01; allowed: a number from 0 to 1"),
            ("batch_size = 4097", "ppo.batch_size is 4097; allowed: 1 to n_envs * n_steps = 4096"),
            ("n_envs = 0", "ppo.n_envs is 0; allowed: a whole number from 1 to 1000000"),
            ("n_envs = 1000\nn_steps = 4001", "ppo.n_steps is 4001; allowed: n_envs * n_steps up to 4000000"),
            ("clip_range = 0.0", "ppo.clip_range is 0; allowed: a number above 0, at most 1e12"),
            ("clip_range_vf = -1.0", "ppo.clip_range_vf is -1; allowed: a number above 0, at most 1e12"),
            ("ent_coef = -0.1", "ppo.ent_coef is -0.1; allowed: a number from 0 to 1e12"),
            ("max_grad_norm = inf", "ppo.max_grad_norm is inf; allowed: a number above 0, at most 1e12"),
            (
                "net_arch = [8, 8, 8, 8, 8, 8, 8, 8, 8]",
                "ppo.net_arch is 9 layers; allowed: at most 8 hidden layers",
            ),
            ("net_arch = [8, 8, 8, 8, 8, 8, 8, 8]", "accepted"),
            ("net_arch = [64, 0]", "ppo.net_arch is 0; allowed: widths from 1 to 4096"),
            ("torch_threads = 0", "ppo.torch_threads is 0; allowed: a whole number from 1 to 1024"),
            ("gamma = 0.0\nent_coef = 0.0\nnet_arch = []", "accepted"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), expected);
        }
    }
}
