//! How PPO imitates a rule: the actor learns what the rule did, the critic what it was worth.

use super::{PolicyData, PpoAgent, Trained, ValueData, shuffle};
use crate::learn::adam::{Adam, clip_global_norm};
use crate::learn::agent::{AgentError, Metrics};
use crate::learn::imitation_loss::actor_loss;
use crate::learn::threads::use_torch_threads;
use tch::Tensor;

impl PpoAgent {
    /// Learns from a rollout that the rule played, as an update does, but for the loss of the actor.
    pub(super) fn learn_from_rule(&mut self) -> Result<Metrics, AgentError> {
        use_torch_threads(self.config.torch_threads);
        self.updates += 1;
        let (values, targets) = self.judged();
        let policy_data = PolicyData::new(&self.rollout, &targets);
        let mut value_data = ValueData::new(&self.rollout, &targets, &values);
        let learning_rate = self.config.learning_rate;
        let mut order: Vec<i64> = (0..self.rollout.len() as i64).collect();
        let (mut losses, mut value_losses, mut minibatches) = (0.0, 0.0, 0.0);
        for _ in 0..self.config.n_epochs {
            shuffle(&mut order, &mut self.shuffling);
            for indices in order.chunks(self.config.batch_size) {
                let (config, actor, critic) = (&self.config, &mut self.actor, &mut self.critic);
                let index = Tensor::from_slice(indices);
                let logits = actor.net.forward(&policy_data.rows.index_select(0, &index));
                let illegal = policy_data.all.illegal.index_select(0, &index);
                let loss = actor_loss(&logits, &illegal, &policy_data.all.actions.index_select(0, &index));
                let mut actor_gradient = actor.net.gradient(&loss);
                let (value_loss, mut critic_gradient) = value_data.gradient(&mut critic.net, indices, config);
                let loss = AgentError::check_finite("warm_start/loss", loss.double_value(&[]), self.updates)?;
                AgentError::check_finite("warm_start/value_loss", value_loss, self.updates)?;
                // Each by its own length: how far a critic is off must not slow the actor down here.
                for gradient in [&mut actor_gradient, &mut critic_gradient] {
                    let norm = clip_global_norm(&mut [gradient], config.max_grad_norm);
                    AgentError::check_finite("warm_start/grad_norm", norm, self.updates)?;
                }
                for (Trained { net, adam }, gradient) in [(actor, actor_gradient), (critic, critic_gradient)]
                {
                    if !adam.step(net.flat_mut(), &gradient, learning_rate) {
                        AgentError::check_finite("a net after a step", f64::NAN, self.updates)?;
                    }
                }
                losses += loss;
                value_losses += value_loss;
                minibatches += 1.0;
            }
        }
        self.rollout.clear();
        let mut metrics = Metrics::default();
        metrics.push("warm_start/loss", losses / minibatches);
        metrics.push("warm_start/value_loss", value_losses / minibatches);
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
