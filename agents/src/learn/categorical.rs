//! The masked categorical distribution: what a policy is over numbered actions of which some are illegal.
//!
//! ```text
//! z_a = logit_a if legal, else -1e30        log p = z - logsumexp(z)        H = - sum p log p
//! ```
//! A finite number instead of minus infinity keeps gradients free of NaN; an illegal action has probability, entropy term
//! and gradient exactly 0 (Huang and Ontanon, arXiv 2006.14171).

use rand::RngExt;
use tch::{Kind, Tensor};
use thoughtcache_env::random::SimRng;

/// The logit of an illegal action. The least finite f32 would not do: the gradient of the entropy multiplies it by the
/// entropy's weight, and with a weight above 1 that is infinite, times a probability of 0.
const ILLEGAL: f64 = -1e30;

/// The logarithm of every action's probability: `rows x actions` from logits and a mask of the **illegal** ones.
pub fn log_probs(logits: &Tensor, illegal: &Tensor) -> Tensor {
    logits.masked_fill(illegal, ILLEGAL).log_softmax(-1, Kind::Float)
}

/// The entropy of every row of [`log_probs`], in nats.
pub fn entropy(log_probs: &Tensor) -> Tensor {
    -(log_probs.exp() * log_probs).sum_dim_intlist([-1_i64].as_slice(), false, Kind::Float)
}

/// A legal action drawn by inverting the distribution function, and the logarithm of its probability; one draw of `rng`
/// whatever the mask. `None` when nothing is legal or a legal logit is NaN or infinite.
pub fn sample(logits: &[f32], legal: &[bool], rng: &mut SimRng) -> Option<(usize, f64)> {
    let legal_logits = || logits.iter().zip(legal).enumerate().filter(|(_, (_, legal))| **legal);
    if !legal_logits().all(|(_, (logit, _))| logit.is_finite()) {
        return None;
    }
    let greatest = legal_logits().map(|(_, (logit, _))| f64::from(*logit)).fold(f64::NEG_INFINITY, f64::max);
    let weight = |logit: f32| (f64::from(logit) - greatest).exp();
    let total: f64 = legal_logits().map(|(_, (logit, _))| weight(*logit)).sum();
    let mut remaining = rng.random::<f64>() * total;
    let mut chosen = None;
    for (action, (logit, _)) in legal_logits() {
        let weight = weight(*logit);
        if weight > 0.0 {
            // Rounding may leave a crumb after the last action: it belongs to the last possible one.
            chosen = Some((action, f64::from(*logit) - greatest - total.ln()));
            remaining -= weight;
            if remaining < 0.0 {
                break;
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::tensor_rows::to_vec;
    use approx::assert_abs_diff_eq;
    use thoughtcache_env::random::{Purpose, Seed, Stream};

    fn rng() -> SimRng {
        Seed::new(Purpose::Train, 1).stream(Stream::Policy)
    }

    fn row(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([1, -1])
    }

    #[test]
    fn the_masked_entropy_is_that_of_the_legal_actions() {
        // Logits ln 1, ln 3 and a huge illegal one: p = 1/4, 3/4, 0.
        let illegal = Tensor::from_slice(&[false, false, true]).view([1, 3]);
        let log_probs = log_probs(&row(&[0.0, 3.0_f32.ln(), 50.0]), &illegal);
        let p = to_vec::<f32>(&log_probs.exp());
        assert_abs_diff_eq!(p[0], 0.25, epsilon = 1e-6);
        assert_abs_diff_eq!(p[1], 0.75, epsilon = 1e-6);
        assert_eq!(p[2], 0.0);
        let expected = -(0.25_f64 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln());
        assert_abs_diff_eq!(entropy(&log_probs).double_value(&[0]), expected, epsilon = 1e-6);
    }

    #[test]
    fn one_legal_action_has_log_probability_and_entropy_exactly_zero() {
        let illegal = Tensor::from_slice(&[true, false]).view([1, 2]);
        let log_probs = log_probs(&row(&[9.0, -80.0]), &illegal);
        assert_eq!(log_probs.double_value(&[0, 1]), 0.0);
        assert_eq!(entropy(&log_probs).double_value(&[0]), 0.0);
    }

    #[test]
    fn an_illegal_logit_gets_no_gradient_and_nothing_is_nan() {
        let logits = row(&[0.5, 100.0, -0.5]).set_requires_grad(true);
        let illegal = Tensor::from_slice(&[false, true, false]).view([1, 3]);
        let log_probs = log_probs(&logits, &illegal);
        let loss = entropy(&log_probs).sum(Kind::Float) + log_probs.get(0).get(0);
        let gradient = to_vec::<f32>(&Tensor::run_backward(&[&loss], &[&logits], false, false)[0]);
        assert!(gradient.iter().all(|number| number.is_finite()), "{gradient:?}");
        assert_eq!(gradient[1], 0.0);
        assert_ne!(gradient[0], 0.0);
    }

    #[test]
    fn draws_have_the_frequencies_of_the_distribution_and_never_hit_an_illegal_action() {
        let (logits, legal) = ([0.0, 3.0_f32.ln(), 50.0, 0.0], [true, true, false, true]);
        let mut counts = [0_u32; 4];
        let mut rng = rng();
        for _ in 0..50_000 {
            let (action, log_prob) = sample(&logits, &legal, &mut rng).unwrap();
            counts[action] += 1;
            let expected: f64 = if action == 1 { 0.6 } else { 0.2 };
            assert_abs_diff_eq!(log_prob, expected.ln(), epsilon = 1e-6);
        }
        // Four standard deviations of 50,000 draws are below 450.
        assert_eq!(counts[2], 0);
        for (action, expected) in [(0, 10_000), (1, 30_000), (3, 10_000)] {
            assert!(counts[action].abs_diff(expected) < 450, "{counts:?}");
        }
    }

    #[test]
    fn the_drawn_log_probability_is_that_of_the_tensor() {
        let (logits, legal) = ([0.3_f32, -1.7, 2.5, 0.0], [true, false, true, true]);
        let (action, drawn) = sample(&logits, &legal, &mut rng()).unwrap();
        let illegal = Tensor::from_slice(&legal).logical_not().view([1, 4]);
        let computed = log_probs(&row(&logits), &illegal).double_value(&[0, action as i64]);
        assert_abs_diff_eq!(drawn, computed, epsilon = 1e-6);
    }

    #[test]
    fn nothing_legal_and_nothing_finite_give_no_action() {
        assert_eq!(sample(&[0.0, 0.0], &[false, false], &mut rng()), None);
        assert_eq!(sample(&[f32::NAN, 0.0], &[true, true], &mut rng()), None);
        assert!(sample(&[f32::NAN, 0.0], &[false, true], &mut rng()).is_some());
    }
}
