//! The loss of DQN, on one screen.
//!
//! # Target
//! With the n-step reward and discount of [`n_step`](super::n_step) (which hold `gamma ^ slots_elapsed` and the bootstrap):
//! ```text
//! b      = argmax over legal b' of Q_online(s', b')          double_q = true   (van Hasselt et al. 2016)
//! b      = argmax over legal b' of Q_target(s', b')          double_q = false
//! target = reward + discount * Q_target(s', b)
//! loss   = mean of huber(Q_online(s, a) - target)            huber(e) = e^2 / 2 where |e| <= 1, |e| - 1/2 beyond
//! Q      = V + A - mean over all actions of A                dueling = true    (Wang et al. 2016)
//! ```
//! # Reference
//! van Hasselt, Guez, Silver, arXiv 1509.06461; Wang et al., arXiv 1511.06581.

use super::imitation_loss::margin_loss;
use super::net::Net;
use super::replay::Batch;
use tch::{Kind, Reduction, Tensor, no_grad_guard};

/// The action values of `rows x entries`; with a second head, the first one's outputs are advantages.
pub fn action_values(net: &Net, rows: &Tensor) -> Tensor {
    let features = net.features(rows);
    let outputs = net.head(0, &features);
    if net.spec().heads.len() == 1 {
        return outputs;
    }
    let centre = outputs.mean_dim(1, true, Kind::Float);
    net.head(1, &features) + outputs - centre
}

/// `reward + discount * Q_target(s', b)`, where b is the best legal action by the values of `chooser`.
fn targets(
    rewards: &Tensor,
    discounts: &Tensor,
    chooser: &Tensor,
    next_target: &Tensor,
    next_illegal: &Tensor,
) -> Tensor {
    // The least finite number, not minus infinity: a row after termination may forget its mask, and 0 * infinity is NaN.
    let best = chooser.masked_fill(next_illegal, f64::from(f32::MIN)).argmax(1, true);
    rewards + discounts * next_target.gather(1, &best, false).squeeze_dim(1)
}

/// Huber's loss of the values of the actions taken.
fn huber(taken: &Tensor, targets: &Tensor) -> Tensor {
    taken.huber_loss(targets, Reduction::Mean, 1.0)
}

/// The loss of a batch and its metrics: means over the transitions.
#[derive(Debug)]
pub struct Lesson {
    /// The loss.
    pub loss: f64,
    /// The absolute error of the values.
    pub td_error: f64,
    /// The values of the actions taken.
    pub mean_value: f64,
    /// The gradient of the loss, in the order of the flat parameters.
    pub gradient: Tensor,
}

/// One thread's handles on the online net and on the target net.
#[derive(Debug)]
pub struct Nets {
    /// The network that learns and acts.
    pub online: Net,
    /// The target network, which values the future.
    pub target: Net,
}

impl Nets {
    /// Handles for another thread, on the same parameters.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self { online: self.online.twin(), target: self.target.twin() }
    }

    /// The lesson of a batch; `None` of an empty one. Where a rule played and is imitated, its actions are to have the greatest
    /// values ([`margin_loss`]).
    pub fn lesson(&mut self, batch: &Batch, double_q: bool, is_imitating: bool) -> Option<Lesson> {
        let size = batch.actions.len() as i64;
        if size == 0 {
            return None;
        }
        let matrix = |numbers: &[f32]| Tensor::from_slice(numbers).view([size, -1]);
        let targets = {
            let _guard = no_grad_guard();
            let next_rows = matrix(&batch.next_rows);
            let next_target = action_values(&self.target, &next_rows);
            let next_online = double_q.then(|| action_values(&self.online, &next_rows));
            targets(
                &Tensor::from_slice(&batch.rewards),
                &Tensor::from_slice(&batch.discounts),
                next_online.as_ref().unwrap_or(&next_target),
                &next_target,
                &Tensor::from_slice(&batch.next_illegal).view([size, -1]),
            )
        };
        let actions = Tensor::from_slice(&batch.actions);
        let values = action_values(&self.online, &matrix(&batch.rows));
        let taken = values.gather(1, &actions.unsqueeze(1), false).squeeze_dim(1);
        let mut loss = huber(&taken, &targets);
        if is_imitating {
            loss += margin_loss(&values, &actions);
        }
        let gradient = self.online.gradient(&loss);
        let taken = taken.detach();
        Some(Lesson {
            loss: loss.double_value(&[]),
            td_error: (&taken - targets).abs().mean(Kind::Float).double_value(&[]),
            mean_value: taken.mean(Kind::Float).double_value(&[]),
            gradient,
        })
    }
}

impl Lesson {
    /// The lesson of two batches together, of `size` and of `other_size` transitions.
    #[must_use]
    pub fn joined(self, size: usize, other: Self, other_size: usize) -> Self {
        let share = size as f64 / (size + other_size) as f64;
        let mean = |one: f64, two: f64| share * one + (1.0 - share) * two;
        Self {
            loss: mean(self.loss, other.loss),
            td_error: mean(self.td_error, other.td_error),
            mean_value: mean(self.mean_value, other.mean_value),
            gradient: self.gradient * share + other.gradient * (1.0 - share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::net::{HeadSpec, NetSpec};
    use crate::learn::tensor_rows;
    use crate::net_policy::Activation;
    use approx::assert_abs_diff_eq;

    fn matrix(numbers: &[f32], columns: i64) -> Tensor {
        Tensor::from_slice(numbers).view([-1, columns])
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor_rows::to_vec(&tensor.detach().contiguous())
    }

    /// Without hidden layers: the parameters are those of the heads, weights before biases.
    fn net(entries: usize, heads: &[(&str, usize)], parameters: &[f32]) -> Net {
        let heads = heads.iter().map(|&(name, outputs)| HeadSpec::new(name, outputs, 1.0)).collect();
        let shape = NetSpec {
            name: "dqn".into(),
            inputs: entries,
            hidden: vec![],
            activation: Activation::Relu,
            heads,
        };
        Net::from_flat(shape, parameters)
    }

    #[test]
    fn double_q_lets_the_online_net_choose_and_the_target_net_value() {
        let (rewards, discounts) = (Tensor::from_slice(&[1.0_f32]), Tensor::from_slice(&[0.5_f32]));
        let (online, target) = (matrix(&[1.0, 5.0, 3.0], 3), matrix(&[10.0, 20.0, 40.0], 3));
        let legal = Tensor::from_slice(&[false; 3]).view([1, 3]);
        // The online net likes action 1, which the target net values at 20; the target net itself likes action 2, at 40.
        assert_eq!(numbers(&targets(&rewards, &discounts, &online, &target, &legal)), [11.0]);
        assert_eq!(numbers(&targets(&rewards, &discounts, &target, &target, &legal)), [21.0]);
    }

    #[test]
    fn an_illegal_next_action_has_no_say_however_great_its_value() {
        let (rewards, discounts) = (Tensor::from_slice(&[1.0_f32; 2]), Tensor::from_slice(&[0.5_f32; 2]));
        let values = matrix(&[4.0, 1e30, 6.0, -8.0, -9.0, 1e30], 3);
        let illegal = Tensor::from_slice(&[false, true, false, false, false, true]).view([2, 3]);
        // Rows: the best legal one is 6; all legal ones are negative and the best is -8 (masking by 0 would give 0).
        assert_eq!(numbers(&targets(&rewards, &discounts, &values, &values, &illegal)), [4.0, -3.0]);
    }

    #[test]
    fn without_a_future_the_target_is_the_reward_even_if_the_mask_is_forgotten() {
        let (rewards, discounts) = (Tensor::from_slice(&[1.25_f32]), Tensor::from_slice(&[0.0_f32]));
        let values = matrix(&[3.0, 4.0], 2);
        let illegal = Tensor::from_slice(&[true, true]).view([1, 2]);
        assert_eq!(numbers(&targets(&rewards, &discounts, &values, &values, &illegal)), [1.25]);
    }

    #[test]
    fn hubers_loss_is_quadratic_up_to_one_and_linear_beyond() {
        let loss = huber(&Tensor::from_slice(&[0.5_f32, 3.0]), &Tensor::from_slice(&[0.0_f32, 0.0]));
        // Errors 0.5 and 3: (0.125 + 2.5) / 2; a squared loss would give 2.3125 or 4.625.
        assert_abs_diff_eq!(loss.double_value(&[]), 1.3125, epsilon = 1e-6);
    }

    #[test]
    fn a_dueling_net_adds_its_value_to_centred_advantages() {
        // A = (x, 3 x), V = 10 x: at x = 2 the mean of A is 4, so Q = 20 + (2 - 4, 6 - 4).
        let net = net(1, &[("advantage", 2), ("value", 1)], &[1.0, 3.0, 0.0, 0.0, 10.0, 0.0]);
        assert_eq!(numbers(&action_values(&net, &matrix(&[2.0], 1))), [18.0, 22.0]);
    }

    /// Values by bias alone: the online net says (0, 0.5, 0.3), the target net (0.1, 0.2, 0.4).
    fn nets() -> Nets {
        let net = |biases: [f32; 3]| net(1, &[("q", 3)], &[&[0.0; 3][..], &biases].concat());
        Nets { online: net([0.0, 0.5, 0.3]), target: net([0.1, 0.2, 0.4]) }
    }

    fn batch(actions: &[i64], rewards: &[f32]) -> Batch {
        let size = actions.len();
        Batch {
            rows: vec![0.0; size],
            actions: actions.to_vec(),
            rewards: rewards.to_vec(),
            discounts: vec![1.0; size],
            next_rows: vec![0.0; size],
            next_illegal: vec![false; 3 * size],
        }
    }

    #[test]
    fn a_lesson_uses_the_nets_that_double_q_names_and_moves_the_taken_action_alone() {
        // Double: the online net's choice 1 is worth 0.2, so the error is -0.2. Plain: choice 2 is worth 0.4.
        for (double_q, target) in [(true, 0.2), (false, 0.4)] {
            let lesson = nets().lesson(&batch(&[0], &[0.0]), double_q, false).unwrap();
            assert_abs_diff_eq!(lesson.loss, target * target / 2.0, epsilon = 1e-6);
            assert_abs_diff_eq!(lesson.td_error, target, epsilon = 1e-6);
            assert_abs_diff_eq!(lesson.mean_value, 0.0, epsilon = 1e-6);
            // The derivative of e^2 / 2 by the bias of action 0 is e; the row is 0, so weights do not move.
            let gradient = numbers(&lesson.gradient);
            assert_eq!(gradient[..3], [0.0; 3]);
            assert_abs_diff_eq!(f64::from(gradient[3]), -target, epsilon = 1e-6);
            assert_eq!(gradient[4..], [0.0; 2]);
        }
    }

    #[test]
    fn two_halves_of_a_batch_teach_what_the_whole_teaches() {
        let (mut nets, actions, rewards) = (nets(), [0, 1, 2, 0, 1], [0.0, 0.5, -0.25, 3.0, 1.0]);
        let whole = nets.lesson(&batch(&actions, &rewards), true, false).unwrap();
        let first = nets.twin().lesson(&batch(&actions[..2], &rewards[..2]), true, false).unwrap();
        let second = nets.lesson(&batch(&actions[2..], &rewards[2..]), true, false).unwrap();
        let joined = first.joined(2, second, 3);
        assert_abs_diff_eq!(joined.loss, whole.loss, epsilon = 1e-6);
        assert_abs_diff_eq!(joined.td_error, whole.td_error, epsilon = 1e-6);
        assert_abs_diff_eq!(joined.mean_value, whole.mean_value, epsilon = 1e-6);
        for (joined, whole) in numbers(&joined.gradient).into_iter().zip(numbers(&whole.gradient)) {
            assert_abs_diff_eq!(joined, whole, epsilon = 1e-6);
        }
        assert!(nets.lesson(&Batch::default(), true, false).is_none());
    }
}
