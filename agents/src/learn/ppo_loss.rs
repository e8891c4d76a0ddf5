//! The losses of PPO, on one screen, and the numbers one watches.
//!
//! # Target
//! ```text
//! ratio = exp(log pi(a|s) - log pi_old(a|s))
//! policy loss  = - mean min(ratio * A, clip(ratio, 1 - c, 1 + c) * A) - ent_coef * mean H(pi(.|s))
//! value loss   = mean (V - G)^2,  with clip_range_vf  mean max((V - G)^2, (V_old + clip(V - V_old, -c_v, c_v) - G)^2)
//! approx_kl    = mean (ratio - 1 - log ratio)        never negative, and 0 only when nothing moved
//! ```
//! # Reference
//! Schulman et al., arXiv 1707.06347; the value clipping of the `baselines` library; the estimator of the divergence by
//! Schulman (joschu.net/blog/kl-approx.html, k3).

use super::categorical;
use tch::{Kind, Reduction, Tensor, no_grad_guard};

/// A minibatch as the actor needs it.
#[derive(Debug)]
pub struct PolicyBatch {
    /// `rows x actions`: what was illegal.
    pub illegal: Tensor,
    /// The actions.
    pub actions: Tensor,
    /// The logarithms of the probabilities with which it was done.
    pub old_log_probs: Tensor,
    /// By how much it was better than expected.
    pub advantages: Tensor,
}

/// The loss of the actor and what it consists of.
#[derive(Debug)]
pub struct PolicyLoss {
    /// The loss that is differentiated.
    pub loss: Tensor,
    /// The clipped surrogate with its sign turned.
    pub policy_gradient_loss: f64,
    /// Minus the mean entropy in nats, unweighted.
    pub entropy_loss: f64,
    /// The mean divergence from the old policy, in nats.
    pub approx_kl: f64,
    /// The share of rows whose ratio lies outside the clip range.
    pub clip_fraction: f64,
    /// The greatest distance of a ratio from 1.
    pub ratio_error: f64,
}

/// The loss of the actor with these logits.
pub fn policy_loss(logits: &Tensor, batch: &PolicyBatch, clip_range: f64, ent_coef: f64) -> PolicyLoss {
    let log_probs = categorical::log_probs(logits, &batch.illegal);
    let chosen = log_probs.gather(1, &batch.actions.unsqueeze(1), false).squeeze_dim(1);
    let log_ratio = chosen - &batch.old_log_probs;
    let ratio = log_ratio.exp();
    let clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range);
    let surrogate = (&ratio * &batch.advantages).minimum(&(clipped * &batch.advantages));
    let policy_gradient_loss = -surrogate.mean(Kind::Float);
    let entropy = categorical::entropy(&log_probs).mean(Kind::Float);
    let loss = &policy_gradient_loss - &entropy * ent_coef;

    let _guard = no_grad_guard();
    let distance = &ratio - 1.0;
    PolicyLoss {
        policy_gradient_loss: policy_gradient_loss.double_value(&[]),
        entropy_loss: -entropy.double_value(&[]),
        approx_kl: (&distance - log_ratio).mean(Kind::Float).double_value(&[]),
        clip_fraction: distance.abs().gt(clip_range).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]),
        ratio_error: distance.abs().max().double_value(&[]),
        loss,
    }
}

/// The loss of the critic, unweighted: all three are one number a row.
pub fn value_loss(values: &Tensor, old_values: &Tensor, returns: &Tensor, clip_range: Option<f64>) -> Tensor {
    match clip_range {
        None => values.mse_loss(returns, Reduction::Mean),
        Some(range) => {
            let clipped = old_values + (values - old_values).clamp(-range, range);
            (values - returns).square().maximum(&(clipped - returns).square()).mean(Kind::Float)
        }
    }
}

/// Advantages with mean 0 and deviation 1; those of a minibatch of one row stay as they are, for one number has no
/// deviation.
pub fn normalised(advantages: &Tensor) -> Tensor {
    if advantages.numel() < 2 {
        return advantages.shallow_clone();
    }
    (advantages - advantages.mean(Kind::Float)) / (advantages.std(true) + 1e-8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::tensor_rows::to_vec;
    use approx::assert_abs_diff_eq;

    /// One row with two legal actions at probability one half each; action 0 was taken with probability `1 / (2 ratio)`.
    fn gradient_at(ratio: f64, advantage: f64) -> f32 {
        let logits = Tensor::from_slice(&[0.0_f32, 0.0]).view([1, 2]).set_requires_grad(true);
        let loss = policy_loss(&logits, &batch(ratio, advantage), 0.2, 0.0);
        to_vec::<f32>(&Tensor::run_backward(&[&loss.loss], &[&logits], false, false)[0])[0]
    }

    fn batch(ratio: f64, advantage: f64) -> PolicyBatch {
        PolicyBatch {
            illegal: Tensor::from_slice(&[false, false]).view([1, 2]),
            actions: Tensor::from_slice(&[0_i64]),
            old_log_probs: Tensor::from_slice(&[(0.5 / ratio).ln() as f32]),
            advantages: Tensor::from_slice(&[advantage as f32]),
        }
    }

    #[test]
    fn the_gradient_vanishes_outside_the_clip_on_the_winning_side_only() {
        // d(-ratio A)/dlogit_0 = -ratio A (1 - p_0) = -ratio A / 2. It is cut where the ratio has already gone the way the
        // advantage points; on the other side the policy must be able to come back.
        let cases = [
            (1.3, 2.0, 0.0),
            (0.7, -2.0, 0.0),
            (1.3, -2.0, 1.3),
            (0.7, 2.0, -0.7),
            (1.1, 2.0, -1.1),
            (1.0, 2.0, -1.0),
        ];
        for (ratio, advantage, expected) in cases {
            assert_abs_diff_eq!(gradient_at(ratio, advantage), expected, epsilon = 1e-5);
        }
    }

    #[test]
    fn the_numbers_one_watches_are_those_of_their_formulas() {
        let logits = Tensor::from_slice(&[0.0_f32, 0.0]).view([1, 2]);
        let loss = policy_loss(&logits, &batch(1.5, 2.0), 0.2, 0.1);
        assert_abs_diff_eq!(loss.policy_gradient_loss, -1.2 * 2.0, epsilon = 1e-5);
        assert_abs_diff_eq!(loss.entropy_loss, -std::f64::consts::LN_2, epsilon = 1e-6);
        assert_abs_diff_eq!(loss.loss.double_value(&[]), -2.4 - 0.1 * std::f64::consts::LN_2, epsilon = 1e-5);
        assert_abs_diff_eq!(loss.approx_kl, 0.5 - 1.5_f64.ln(), epsilon = 1e-5);
        assert_abs_diff_eq!(loss.ratio_error, 0.5, epsilon = 1e-5);
        assert_eq!(loss.clip_fraction, 1.0);
    }

    #[test]
    fn values_are_clipped_by_the_worse_of_two_errors() {
        let tensor = |values: &[f32]| Tensor::from_slice(values);
        let (new, old, target) = (tensor(&[3.0, 1.5]), tensor(&[1.0, 1.0]), tensor(&[4.0, 4.0]));
        // Unclipped: errors 1 and 2.5, mean of the squares 3.625.
        assert_abs_diff_eq!(value_loss(&new, &old, &target, None).double_value(&[]), 3.625, epsilon = 1e-6);
        // Clipped by 1: the first value becomes 2, error 2, the worse one; the second is untouched: (4 + 6.25) / 2.
        assert_abs_diff_eq!(
            value_loss(&new, &old, &target, Some(1.0)).double_value(&[]),
            5.125,
            epsilon = 1e-6
        );
        // A value that ran past its range towards the target gets no gradient.
        let value = tensor(&[3.0]).set_requires_grad(true);
        let loss = value_loss(&value, &tensor(&[1.0]), &tensor(&[4.0]), Some(1.0));
        assert_eq!(to_vec::<f32>(&Tensor::run_backward(&[&loss], &[&value], false, false)[0]), [0.0]);
    }

    #[test]
    fn advantages_are_normalised_but_for_a_single_one() {
        let got = to_vec::<f32>(&normalised(&Tensor::from_slice(&[1.0_f32, 3.0])));
        assert_abs_diff_eq!(got[0], -std::f32::consts::FRAC_1_SQRT_2, epsilon = 1e-6);
        assert_abs_diff_eq!(got[1], std::f32::consts::FRAC_1_SQRT_2, epsilon = 1e-6);
        assert_eq!(to_vec::<f32>(&normalised(&Tensor::from_slice(&[7.0_f32]))), [7.0]);
        assert_eq!(to_vec::<f32>(&normalised(&Tensor::from_slice(&[7.0_f32, 7.0]))), [0.0, 0.0]);
    }
}
