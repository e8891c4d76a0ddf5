//! A rollout as the actor and the critic learn from it, minibatch by minibatch; and the batch of a number that is not finite.

use crate::learn::net::Net;
use crate::learn::ppo_config::PpoConfig;
use crate::learn::ppo_loss::{PolicyBatch, PolicyLoss, normalised, policy_loss, value_loss};
use crate::learn::rollout::{Rollout, Targets};
use crate::learn::state::StateDict;
use crate::learn::tensor_rows;
use crate::learn::threads::use_torch_threads;
use tch::Tensor;

/// The rollout as the actor learns from it. Actor and critic hold their own handles, for a handle must not be used by two
/// threads at a time.
pub(super) struct PolicyData {
    pub(super) rows: Tensor,
    pub(super) all: PolicyBatch,
}

impl PolicyData {
    pub(super) fn new(rollout: &Rollout, targets: &Targets) -> Self {
        let all = PolicyBatch {
            illegal: rollout.illegal(),
            actions: rollout.actions(),
            old_log_probs: rollout.log_probs(),
            advantages: narrow(&targets.advantages),
        };
        Self { rows: rollout.observations(), all }
    }

    /// The loss of the actor in a minibatch and its gradient.
    pub(super) fn gradient(
        &mut self,
        actor: &mut Net,
        indices: &[i64],
        config: &PpoConfig,
    ) -> (PolicyLoss, Tensor) {
        use_torch_threads(config.torch_threads);
        let index = Tensor::from_slice(indices);
        let advantages = self.all.advantages.index_select(0, &index);
        let batch = PolicyBatch {
            illegal: self.all.illegal.index_select(0, &index),
            actions: self.all.actions.index_select(0, &index),
            old_log_probs: self.all.old_log_probs.index_select(0, &index),
            advantages: if config.normalize_advantage { normalised(&advantages) } else { advantages },
        };
        let logits = actor.forward(&self.rows.index_select(0, &index));
        let loss = policy_loss(&logits, &batch, config.clip_range, config.ent_coef);
        let gradient = actor.gradient(&loss.loss);
        (loss, gradient)
    }
}

/// The rollout as the critic learns from it.
pub(super) struct ValueData {
    rows: Tensor,
    old_values: Tensor,
    returns: Tensor,
}

impl ValueData {
    pub(super) fn new(rollout: &Rollout, targets: &Targets, old_values: &[f32]) -> Self {
        let old_values = Tensor::from_slice(old_values);
        Self { rows: rollout.observations(), old_values, returns: narrow(&targets.returns) }
    }

    /// The loss of the critic in a minibatch and its gradient.
    pub(super) fn gradient(
        &mut self,
        critic: &mut Net,
        indices: &[i64],
        config: &PpoConfig,
    ) -> (f64, Tensor) {
        use_torch_threads(config.torch_threads);
        let index = Tensor::from_slice(indices);
        let values = critic.forward(&self.rows.index_select(0, &index)).squeeze_dim(1);
        let old_values = self.old_values.index_select(0, &index);
        let returns = self.returns.index_select(0, &index);
        let loss = value_loss(&values, &old_values, &returns, config.clip_range_vf);
        let gradient = critic.gradient(&(&loss * config.vf_coef));
        (loss.double_value(&[]), gradient)
    }
}

fn narrow(numbers: &[f64]) -> Tensor {
    Tensor::from_slice(&numbers.iter().map(|&number| number as f32).collect::<Vec<_>>())
}

/// What the actor saw and what it made of it.
pub(super) fn seen(rows: &Tensor, masks: &[bool], logits: &[f32], lanes: usize) -> StateDict {
    let mut batch = StateDict::default();
    let rows: Vec<f32> = tensor_rows::to_vec(&rows.contiguous());
    batch.put("rows", &[lanes, rows.len() / lanes], &rows);
    batch.put("legal", &[lanes, masks.len() / lanes], masks);
    batch.put("logits", &[lanes, logits.len() / lanes], logits);
    batch
}

/// The minibatch of an update.
pub(super) fn minibatch(policy: &PolicyData, value: &ValueData, indices: &[i64]) -> StateDict {
    let index = Tensor::from_slice(indices);
    let chosen = |tensor: &Tensor| tensor.index_select(0, &index);
    let len = indices.len();
    let mut batch = StateDict::default();
    let rows: Vec<f32> = tensor_rows::to_vec(&chosen(&policy.rows));
    batch.put("rows", &[len, rows.len() / len], &rows);
    let illegal: Vec<bool> = tensor_rows::to_vec(&chosen(&policy.all.illegal));
    batch.put("illegal", &[len, illegal.len() / len], &illegal);
    batch.put_list("actions", &tensor_rows::to_vec::<i64>(&chosen(&policy.all.actions)));
    for (name, numbers) in [
        ("old_log_probs", &policy.all.old_log_probs),
        ("advantages", &policy.all.advantages),
        ("old_values", &value.old_values),
        ("returns", &value.returns),
    ] {
        batch.put_list(name, &tensor_rows::to_vec::<f32>(&chosen(numbers)));
    }
    batch
}
