//! Settings of DQN, named as in Stable-Baselines3 and its Zoo.
//!
//! Everything that happens every so often is counted in **decisions** (of all lanes together), so that a setting means the
//! same for any number of lanes.

use super::ranges::{check_counts, check_net_arch, check_numbers};
use super::schedule::Schedule;
use crate::net_policy::Activation;
use serde::{Deserialize, Serialize};
use thoughtcache_env::invalid::{Invalid, Range};

/// Masked DQN. The defaults are the settings that worked on `tight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DqnConfig {
    /// Copies of the environment that are played together, at least 1. They share one replay buffer.
    pub n_envs: usize,
    /// Discount **per slot**, 0 to 1. What a cache decision causes shows within some ten slots: 0.99 learns much slower.
    pub gamma: f64,
    /// Decisions that a transition spans before it is bootstrapped, 1 to 1000. A slot holds a dozen decisions, so a few of
    /// them bring the reward near sooner; many of them learn from what exploration did rather than from the best.
    pub n_steps: usize,
    /// Transitions remembered, 1 to 10,000,000; a transition of `tight` takes 1.6 kB. No more are reserved than the budget
    /// has decisions.
    pub buffer_size: usize,
    /// Transitions per gradient step, at least 1.
    pub batch_size: usize,
    /// Decisions before the first gradient step: a buffer that is nearly empty teaches a few decisions over and over.
    pub learning_starts: u64,
    /// Decisions from one round of gradient steps to the next, at least 1; rounds that fall into one step of the lanes are
    /// made up for after it.
    pub train_freq: u64,
    /// Gradient steps in a round, at least 1.
    pub gradient_steps: usize,
    /// Decisions from one update of the target net to the next, at least 1.
    pub target_update_interval: u64,
    /// How far the target net moves then, above 0, at most 1: 1 copies (hard), 0.005 with a short interval follows (soft).
    pub tau: f64,
    /// Whether the online net chooses the next action that the target net values: plain DQN overestimates.
    pub double_q: bool,
    /// Whether the net has a value head beside its head of advantages: what an observation is worth is learnt from all
    /// actions together.
    pub dueling: bool,
    /// Share of random actions at the first decision, 0 to 1.
    pub exploration_initial_eps: f64,
    /// Share of random actions once exploration has settled, 0 to 1.
    pub exploration_final_eps: f64,
    /// Part of the budget over which the share goes from the one to the other in a straight line, 0 to 1.
    pub exploration_fraction: f64,
    /// Greatest length of the gradient, above 0.
    pub max_grad_norm: f64,
    /// Step size of Adam at the beginning, above 0.
    pub learning_rate: f64,
    /// Schedule of the step size: `constant`, or `linear` to 0 at the end of the budget.
    pub learning_rate_schedule: Schedule,
    /// Adam's epsilon, added to the root of the mean squared gradient, above 0.
    pub adam_eps: f64,
    /// Widths of the hidden layers, at most 8 of them.
    pub net_arch: Vec<usize>,
    /// Activation of the hidden layers: `tanh` or `relu`.
    pub activation: Activation,
    /// Rewards are multiplied by it before anything is learnt, above 0. Huber's loss is quadratic up to an error of 1: costs
    /// of `tight` are a few hundredths a decision, and 30 brings values near 1.
    pub reward_scale: f64,
    /// Entries that the net must not see, by the last parts of their names (`age` hides `service.3.age`): blind agents.
    pub ignore_entries: Vec<String>,
    /// Threads inside one operation of libtorch, at least 1. More than 1 changes the last bits.
    pub torch_threads: usize,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self {
            n_envs: 32,
            gamma: 0.9,
            n_steps: 3,
            buffer_size: 100_000,
            batch_size: 256,
            learning_starts: 5_000,
            train_freq: 32,
            gradient_steps: 1,
            target_update_interval: 6_400,
            tau: 1.0,
            double_q: true,
            dueling: true,
            exploration_initial_eps: 1.0,
            exploration_final_eps: 0.02,
            exploration_fraction: 0.2,
            max_grad_norm: 10.0,
            learning_rate: 1e-3,
            learning_rate_schedule: Schedule::Linear,
            adam_eps: 1e-8,
            net_arch: vec![128, 128],
            activation: Activation::Relu,
            reward_scale: 30.0,
            ignore_entries: Vec::new(),
            torch_threads: 1,
        }
    }
}

impl DqnConfig {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// The first field that is out of its range, or contradicts another.
    pub fn validate(&self) -> Result<(), Invalid> {
        let counts = [
            ("n_envs", self.n_envs, 1_000_000),
            ("n_steps", self.n_steps, 1_000),
            ("buffer_size", self.buffer_size, 10_000_000),
            ("batch_size", self.batch_size, 1_000_000),
            ("gradient_steps", self.gradient_steps, 1_000_000),
            ("torch_threads", self.torch_threads, 1024),
        ];
        let numbers = [
            ("gamma", self.gamma, Range::Share),
            ("exploration_initial_eps", self.exploration_initial_eps, Range::Share),
            ("exploration_final_eps", self.exploration_final_eps, Range::Share),
            ("exploration_fraction", self.exploration_fraction, Range::Share),
            ("max_grad_norm", self.max_grad_norm, Range::Positive),
            ("learning_rate", self.learning_rate, Range::Positive),
            ("adam_eps", self.adam_eps, Range::Positive),
            ("reward_scale", self.reward_scale, Range::Positive),
        ];
        check_counts("dqn", &counts)?;
        for (key, interval) in
            [("dqn.train_freq", self.train_freq), ("dqn.target_update_interval", self.target_update_interval)]
        {
            Invalid::unless(interval > 0, key, interval, "a whole number of decisions, at least 1")?;
        }
        let is_tau = self.tau > 0.0 && self.tau <= 1.0;
        Invalid::unless(is_tau, "dqn.tau", format!("{:?}", self.tau), "a number above 0, at most 1")?;
        check_numbers("dqn", &numbers)?;
        let (initial, last) = (self.exploration_initial_eps, self.exploration_final_eps);
        let falls = format!("at most exploration_initial_eps = {initial}");
        Invalid::unless(last <= initial, "dqn.exploration_final_eps", last, falls)?;
        check_net_arch("dqn.net_arch", &self.net_arch)
    }

    /// The share of random actions after `decisions` of a budget of `budget`.
    pub fn epsilon(&self, decisions: u64, budget: u64) -> f64 {
        let span = self.exploration_fraction * budget as f64;
        let passed = if span > 0.0 { (decisions as f64 / span).min(1.0) } else { 1.0 };
        let (initial, last) = (self.exploration_initial_eps, self.exploration_final_eps);
        initial * (1.0 - passed) + last * passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_survive_toml() {
        let config = DqnConfig::default();
        config.validate().unwrap();
        assert_eq!(toml::from_str::<DqnConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(toml::from_str::<DqnConfig>("").unwrap(), config);
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let error = toml::from_str::<DqnConfig>("target_update = 5").unwrap_err().to_string();
        assert!(error.contains("unknown field `target_update`"), "{error}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_key_value_and_range() {
        let message = |text: &str| match toml::from_str::<DqnConfig>(text).unwrap().validate() {
            Ok(()) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        let cases = [
            ("gamma = nan", "dqn.gamma = NaN: a number from 0 to 1"),
            ("n_steps = 0", "dqn.n_steps = 0: a whole number from 1 to 1000"),
            ("buffer_size = 0", "dqn.buffer_size = 0: a whole number from 1 to 10000000"),
            ("train_freq = 0", "dqn.train_freq = 0: a whole number of decisions, at least 1"),
            ("tau = 0.0", "dqn.tau = 0.0: a number above 0, at most 1"),
            ("exploration_fraction = 1.5", "dqn.exploration_fraction = 1.5: a number from 0 to 1"),
            (
                "exploration_initial_eps = 0.1\nexploration_final_eps = 0.2",
                "dqn.exploration_final_eps = 0.2: at most exploration_initial_eps = 0.1",
            ),
            ("reward_scale = inf", "dqn.reward_scale = inf: a number above 0, at most 1e12"),
            ("net_arch = [8, 8, 8, 8, 8, 8, 8, 8, 8]", "dqn.net_arch = 9 layers: at most 8 hidden layers"),
            ("net_arch = [8, 8, 8, 8, 8, 8, 8, 8]", "accepted"),
            ("net_arch = [0]", "dqn.net_arch = 0: widths from 1 to 4096"),
            ("learning_starts = 0\ntau = 1.0\ngamma = 1.0\nnet_arch = []", "accepted"),
        ];
        for (text, expected) in cases {
            assert_eq!(message(text), expected);
        }
    }

    #[test]
    fn exploration_falls_in_a_straight_line_over_its_part_of_the_budget() {
        let config = DqnConfig {
            exploration_initial_eps: 1.0,
            exploration_final_eps: 0.2,
            exploration_fraction: 0.5,
            ..DqnConfig::default()
        };
        // A budget of 1,000: the line ends after 500.
        for (decisions, expected) in
            [(0, 1.0), (250, 0.6), (499, 0.2016), (500, 0.2), (1_000, 0.2), (2_000, 0.2)]
        {
            approx::assert_abs_diff_eq!(config.epsilon(decisions, 1_000), expected, epsilon = 1e-12);
        }
        let at_once = DqnConfig { exploration_fraction: 0.0, ..config };
        assert_eq!(at_once.epsilon(0, 1_000), 0.2);
    }
}
