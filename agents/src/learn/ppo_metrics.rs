//! Metrics of an update of PPO, named as in Stable-Baselines3, with their formulas.
//!
//! `train/dead_units` is that of [`dead_units`](super::dead_units), after the update. Means are over the minibatches of all epochs of
//! the update.
//!
//! | metric | formula |
//! |---|---|
//! | `train/approx_kl` | mean of `ratio - 1 - ln ratio`, nats |
//! | `train/clip_fraction` | share of decisions with `abs(ratio - 1) > clip_range` |
//! | `train/entropy_loss` | minus the mean entropy over legal actions, nats |
//! | `train/explained_variance` | `1 - Var(G - V) / Var(G)` with the values before the update; 0 where returns do not vary or their squares are no finite numbers |
//! | `train/first_ratio_error` | greatest `abs(ratio - 1)` before the first step of the update; above 1e-5 acting and learning disagree |
//! | `train/grad_norm` | mean length of the gradient of both nets together, before clipping |
//! | `train/learning_rate` | the step size of the update |
//! | `train/loss` | `policy_gradient_loss + ent_coef * entropy_loss + vf_coef * value_loss` |
//! | `train/n_updates` | epochs so far |
//! | `train/policy_gradient_loss` | mean of the clipped surrogate, sign turned |
//! | `train/value_loss` | mean squared error of the critic, in scaled reward |

use super::agent::Metrics;
use super::ppo_config::PpoConfig;
use super::ppo_loss::PolicyLoss;

/// The share of the returns' variance that the values explain; 0 when the returns do not vary or are too large to square.
pub(super) fn explained_variance(values: &[f64], returns: &[f64]) -> f64 {
    let variance = |numbers: &mut dyn Iterator<Item = f64>| {
        let (count, sum, squares) =
            numbers.fold((0.0, 0.0, 0.0), |(count, sum, squares), x| (count + 1.0, sum + x, squares + x * x));
        let mean: f64 = sum / count;
        (squares / count - mean * mean).max(0.0)
    };
    let total = variance(&mut returns.iter().copied());
    let left = variance(&mut returns.iter().zip(values).map(|(returned, value)| returned - value));
    let explained = if total > 0.0 { 1.0 - left / total } else { 0.0 };
    if explained.is_finite() { explained } else { 0.0 }
}

/// Sums over the minibatches of one update.
#[derive(Debug, Default)]
pub(super) struct Sums {
    minibatches: f64,
    steps: f64,
    policy_gradient_loss: f64,
    entropy_loss: f64,
    value_loss: f64,
    loss: f64,
    approx_kl: f64,
    clip_fraction: f64,
    grad_norm: f64,
    first_ratio_error: Option<f64>,
}

impl Sums {
    pub(super) fn add(
        &mut self,
        config: &PpoConfig,
        policy: &PolicyLoss,
        value_loss: f64,
        norm: Option<f64>,
    ) {
        self.minibatches += 1.0;
        self.policy_gradient_loss += policy.policy_gradient_loss;
        self.entropy_loss += policy.entropy_loss;
        self.value_loss += value_loss;
        self.loss +=
            policy.policy_gradient_loss + config.ent_coef * policy.entropy_loss + config.vf_coef * value_loss;
        self.approx_kl += policy.approx_kl;
        self.clip_fraction += policy.clip_fraction;
        self.first_ratio_error.get_or_insert(policy.ratio_error);
        if let Some(norm) = norm {
            self.steps += 1.0;
            self.grad_norm += norm;
        }
    }

    /// Means over the minibatches, named as in Stable-Baselines3.
    pub(super) fn metrics(&self, explained_variance: f64, learning_rate: f64, epochs: u64) -> Metrics {
        let minibatches = self.minibatches.max(1.0);
        let mut metrics = Metrics::default();
        metrics.push("train/approx_kl", self.approx_kl / minibatches);
        metrics.push("train/clip_fraction", self.clip_fraction / minibatches);
        metrics.push("train/entropy_loss", self.entropy_loss / minibatches);
        metrics.push("train/explained_variance", explained_variance);
        metrics.push("train/first_ratio_error", self.first_ratio_error.unwrap_or(0.0));
        metrics.push("train/grad_norm", if self.steps > 0.0 { self.grad_norm / self.steps } else { 0.0 });
        metrics.push("train/learning_rate", learning_rate);
        metrics.push("train/loss", self.loss / minibatches);
        metrics.push("train/n_updates", epochs as f64);
        metrics.push("train/policy_gradient_loss", self.policy_gradient_loss / minibatches);
        metrics.push("train/value_loss", self.value_loss / minibatches);
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    #[test]
    fn explained_variance_is_one_for_a_prophet_and_zero_for_the_mean() {
        let returns = [1.0, 2.0, 3.0];
        approx::assert_abs_diff_eq!(explained_variance(&returns, &returns), 1.0, epsilon = 1e-12);
        approx::assert_abs_diff_eq!(explained_variance(&[2.0; 3], &returns), 0.0, epsilon = 1e-12);
        assert_eq!(explained_variance(&returns, &[5.0; 3]), 0.0);
    }

    #[test]
    fn minibatches_are_averaged_and_one_without_a_step_has_no_gradient() {
        let policy = |value: f64| PolicyLoss {
            loss: Tensor::from(0.0),
            policy_gradient_loss: value,
            entropy_loss: -value,
            approx_kl: value,
            clip_fraction: value,
            ratio_error: value,
        };
        let config = PpoConfig { ent_coef: 0.5, vf_coef: 0.25, ..PpoConfig::default() };
        let mut sums = Sums::default();
        sums.add(&config, &policy(1.0), 8.0, Some(6.0));
        sums.add(&config, &policy(3.0), 16.0, None);
        let metrics = sums.metrics(0.75, 1e-3, 4);
        let expected = [
            ("train/approx_kl", 2.0),
            ("train/clip_fraction", 2.0),
            ("train/entropy_loss", -2.0),
            ("train/explained_variance", 0.75),
            ("train/first_ratio_error", 1.0),
            ("train/grad_norm", 6.0),
            ("train/learning_rate", 1e-3),
            // (1 - 0.5 + 2 + 3 - 1.5 + 4) / 2
            ("train/loss", 4.0),
            ("train/n_updates", 4.0),
            ("train/policy_gradient_loss", 2.0),
            ("train/value_loss", 12.0),
        ];
        assert_eq!(metrics.iter().collect::<Vec<_>>(), expected);
    }
}
