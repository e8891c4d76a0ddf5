//! How PPO imitates a rule: the actor learns what the rule did, the critic what it was worth.

use super::minibatch::{PolicyData, ValueData, minibatch};
use super::step::{Clipping, Outcome, Proposal};
use super::{PpoAgent, Trained, shuffle};
use crate::learn::adam::Adam;
use crate::learn::agent::{AgentError, Metrics};
use crate::learn::threads::use_torch_threads;

impl PpoAgent {
    /// Learns from a rollout that the rule played, as an update does, but for the loss of the actor. What a loss says of an
    /// update whose minibatches were all left out is 0.
    pub(super) fn learn_from_rule(&mut self) -> Result<Metrics, AgentError> {
        use_torch_threads(self.config.torch_threads);
        self.updates += 1;
        let (values, targets) = self.judged();
        let mut policy_data = PolicyData::new(&self.rollout, &targets);
        let mut value_data = ValueData::new(&self.rollout, &targets, &values);
        let learning_rate = self.config.learning_rate * self.nan_guard.learning_rate_factor();
        let mut order = targets.known.clone();
        let (mut losses, mut value_losses, mut minibatches) = (0.0, 0.0, 0.0_f64);
        for _ in 0..self.config.n_epochs {
            shuffle(&mut order, &mut self.shuffling);
            for indices in order.chunks(self.config.batch_size) {
                let (config, actor, critic) = (&self.config, &mut self.actor, &mut self.critic);
                let ((loss, actor_gradient), (value_loss, critic_gradient)) = rayon::join(
                    || policy_data.imitation_gradient(&mut actor.net, indices, config),
                    || value_data.gradient(&mut critic.net, indices, config),
                );
                let proposal = Proposal {
                    losses: &[("warm_start/loss", loss), ("warm_start/value_loss", value_loss)],
                    gradients: Some([actor_gradient, critic_gradient]),
                    clipping: Clipping::Apart("warm_start/grad_norm"),
                    learning_rate,
                };
                let batch = || minibatch(&policy_data, &value_data, indices);
                if let Outcome::Learnt(_) = self.step(proposal, batch)? {
                    losses += loss;
                    value_losses += value_loss;
                    minibatches += 1.0;
                }
            }
        }
        self.rollout.clear();
        let mut metrics = Metrics::default();
        metrics.push("warm_start/loss", losses / minibatches.max(1.0));
        metrics.push("warm_start/value_loss", value_losses / minibatches.max(1.0));
        Ok(metrics)
    }

    /// Forgets everything of the imitation but what the nets have learnt and what the guard counts.
    pub(super) fn forget_imitation(&mut self) {
        self.rollout.clear();
        (self.decisions, self.updates, self.epochs) = (0, 0, 0);
        for Trained { net, adam } in [&mut self.actor, &mut self.critic] {
            *adam = Adam::new(net.flat().numel(), self.config.adam_eps);
        }
    }
}
