//! PPO imitates a rule: the actor learns what the rule did, the critic what it was worth.

use super::data::{PolicyData, ValueData, minibatch};
use super::{PpoAgent, Trained, shuffle};
use crate::learn::adam::{Adam, clip_global_norm};
use crate::learn::agent::{AgentError, Metrics, check_finite};
use crate::learn::imitation_loss::actor_loss;
use crate::learn::net::Net;
use crate::learn::ppo_config::PpoConfig;
use crate::learn::threads::use_torch_threads;
use tch::Tensor;

impl PpoAgent {
    /// Learns from a rollout that the rule played, as an update does, but for the loss of the actor and the clipping: each
    /// net is clipped by its own length, so that an error of the critic does not slow the actor down.
    pub(super) fn learn_from_rule(&mut self) -> Result<Metrics, AgentError> {
        use_torch_threads(self.config.torch_threads);
        self.updates += 1;
        let (values, targets) = self.judged();
        let mut policy_data = PolicyData::new(&self.rollout, &targets);
        let mut value_data = ValueData::new(&self.rollout, &targets, &values);
        let mut order = targets.known.clone();
        let (mut losses, mut value_losses, mut minibatches) = (0.0, 0.0, 0.0_f64);
        for _ in 0..self.config.n_epochs {
            shuffle(&mut order, &mut self.shuffling);
            for indices in order.chunks(self.config.batch_size) {
                let (config, actor, critic) = (&self.config, &mut self.actor, &mut self.critic);
                let ((loss, mut actor_gradient), (value_loss, mut critic_gradient)) = rayon::join(
                    || policy_data.imitation_gradient(&mut actor.net, indices, config),
                    || value_data.gradient(&mut critic.net, indices, config),
                );
                let most = config.max_grad_norm;
                let norm = clip_global_norm(&mut [&mut actor_gradient], most)
                    .hypot(clip_global_norm(&mut [&mut critic_gradient], most));
                let numbers = [
                    ("warm_start/loss", loss),
                    ("warm_start/value_loss", value_loss),
                    ("warm_start/grad_norm", norm),
                ];
                let rate = config.learning_rate;
                check_finite(&numbers)
                    .and_then(|()| self.step([actor_gradient, critic_gradient], rate))
                    .map_err(|bad| self.not_finite(bad, minibatch(&policy_data, &value_data, indices)))?;
                losses += loss;
                value_losses += value_loss;
                minibatches += 1.0;
            }
        }
        self.rollout.clear();
        let mut metrics = Metrics::default();
        metrics.push("warm_start/loss", losses / minibatches.max(1.0));
        metrics.push("warm_start/value_loss", value_losses / minibatches.max(1.0));
        Ok(metrics)
    }

    /// Forgets everything of the imitation but what the nets have learnt.
    pub(super) fn forget_imitation(&mut self) {
        self.rollout.clear();
        (self.decisions, self.updates, self.epochs) = (0, 0, 0);
        for Trained { net, adam } in [&mut self.actor, &mut self.critic] {
            *adam = Adam::new(net.flat().numel(), self.config.adam_eps);
        }
    }
}

impl PolicyData {
    /// The loss of not doing what the rule did, and its gradient.
    fn imitation_gradient(&mut self, actor: &mut Net, indices: &[i64], config: &PpoConfig) -> (f64, Tensor) {
        use_torch_threads(config.torch_threads);
        let index = Tensor::from_slice(indices);
        let logits = actor.forward(&self.rows.index_select(0, &index));
        let illegal = self.all.illegal.index_select(0, &index);
        let loss = actor_loss(&logits, &illegal, &self.all.actions.index_select(0, &index));
        let gradient = actor.gradient(&loss);
        (loss.double_value(&[]), gradient)
    }
}
