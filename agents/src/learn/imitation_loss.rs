//! The loss of imitating a rule, on one screen.
//!
//! # Target
//! ```text
//! actor    mean of -(1 - e) log pi(a*|s) - e mean over legal a of log pi(a|s)         e = 0.1
//! values   mean of max over a of (Q(s, a) + m [a != a*]) - Q(s, a*)                   m = 0.8
//! ```
//! `a*` is what the rule did. The actor keeps a tenth of its probability for the other legal actions: a policy that is
//! certain explores nothing, and PPO could not better the rule. The margin makes the rule's action the best one by `m`
//! (in scaled reward) wherever the rule has been, for no reward says how bad the actions are that it never takes; illegal
//! actions are pushed down with the others, which no choice ever shows.
//!
//! # Reference
//! Label smoothing: Szegedy et al., arXiv 1512.00567. Large margin: Hester et al., "Deep Q-learning from Demonstrations",
//! arXiv 1704.03732 (margin 0.8, weight 1).

use super::categorical;
use tch::{Kind, Tensor};

/// The probability that the actor keeps for all legal actions together.
const SMOOTHING: f64 = 0.1;
/// By how much the value of the rule's action is to exceed the others, in scaled reward.
const MARGIN: f64 = 0.8;

/// The loss of an actor with these logits (`rows x actions`); `actions` is what the rule did.
pub fn actor_loss(logits: &Tensor, illegal: &Tensor, actions: &Tensor) -> Tensor {
    let log_probs = categorical::log_probs(logits, illegal);
    let chosen = log_probs.gather(1, &actions.unsqueeze(1), false).squeeze_dim(1);
    let legal =
        illegal.logical_not().to_kind(Kind::Float).sum_dim_intlist([1_i64].as_slice(), false, Kind::Float);
    let sum = log_probs.masked_fill(illegal, 0.0).sum_dim_intlist([1_i64].as_slice(), false, Kind::Float);
    -(chosen * (1.0 - SMOOTHING) + sum / legal * SMOOTHING).mean(Kind::Float)
}

/// By how much the action values (`rows x actions`) miss the margin, in the mean.
pub fn margin_loss(values: &Tensor, actions: &Tensor) -> Tensor {
    let actions = actions.unsqueeze(1);
    let taken = values.gather(1, &actions, false);
    let raised = values + MARGIN;
    let best = raised.scatter(1, &actions, &taken).amax([1_i64].as_slice(), false);
    (best - taken.squeeze_dim(1)).mean(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn the_actor_is_drawn_to_the_rule_and_keeps_a_tenth_for_what_is_legal() {
        // Two legal actions with logits 0 and ln 3: probabilities 1/4 and 3/4; the third is illegal whatever its logit.
        let logits = Tensor::from_slice(&[0.0_f32, 3.0_f32.ln(), 50.0]).view([1, 3]);
        let illegal = Tensor::from_slice(&[false, false, true]).view([1, 3]);
        let loss = actor_loss(&logits, &illegal, &Tensor::from_slice(&[1_i64])).double_value(&[]);
        let (rare, likely) = (0.25_f64.ln(), 0.75_f64.ln());
        assert_abs_diff_eq!(loss, -(0.9 * likely + 0.1 * (rare + likely) / 2.0), epsilon = 1e-6);
        // The least loss has probabilities .95 and .05.
        let best =
            Tensor::from_slice(&[0.05_f32.ln(), 0.95_f32.ln(), 50.0]).view([1, 3]).set_requires_grad(true);
        actor_loss(&best, &illegal, &Tensor::from_slice(&[1_i64])).backward();
        assert_abs_diff_eq!(best.grad().abs().max().double_value(&[]), 0.0, epsilon = 1e-6);
    }

    #[test]
    fn the_only_legal_action_costs_nothing() {
        let logits = Tensor::from_slice(&[-4.0_f32, 9.0]).view([1, 2]);
        let illegal = Tensor::from_slice(&[false, true]).view([1, 2]);
        assert_eq!(actor_loss(&logits, &illegal, &Tensor::from_slice(&[0_i64])).double_value(&[]), 0.0);
    }

    #[test]
    fn the_margin_is_missed_by_what_another_action_comes_too_near() {
        let values = Tensor::from_slice(&[1.0_f32, 0.5, 0.0, 1.0, 0.0, 3.0]).view([2, 3]);
        // Row 1, action 0: 0.5 + 0.8 - 1 = 0.3; row 2, action 2: 1 + 0.8 < 3, so nothing.
        let loss = margin_loss(&values, &Tensor::from_slice(&[0_i64, 2]));
        assert_abs_diff_eq!(loss.double_value(&[]), 0.15, epsilon = 1e-6);
    }
}
