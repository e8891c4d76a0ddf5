//! How DQN imitates a rule: the values of its actions are learnt as ever, and are to exceed those of the others.

use super::DqnAgent;
use crate::learn::adam::Adam;
use crate::learn::agent::{AgentError, Metrics};
use crate::learn::n_step::NStep;

impl DqnAgent {
    /// One round of gradient steps for every `train_freq` decisions that the rule has taken since the last.
    pub(super) fn learn_from_rule(&mut self) -> Result<Option<Metrics>, AgentError> {
        let due = self.decisions / self.config.train_freq;
        let is_full_enough = self.replay.len() >= self.config.batch_size.min(self.replay.capacity());
        if due == self.rounds || !is_full_enough {
            return Ok(None);
        }
        let [loss, td_error, ..] = self.learn_until(due, true, self.config.learning_rate)?;
        let mut metrics = Metrics::default();
        metrics.push("warm_start/loss", loss);
        metrics.push("warm_start/td_error", td_error);
        Ok(Some(metrics))
    }

    /// Forgets everything of the imitation but what the nets have learnt and the transitions of the rule, which are as good as
    /// any others.
    pub(super) fn forget_imitation(&mut self) {
        (self.decisions, self.rounds, self.target_updates, self.updates) = (0, 0, 0, 0);
        self.adam = Adam::new(self.nets[0].online.flat().numel(), self.config.adam_eps);
        let empty = NStep::new(self.config.n_steps, self.config.gamma, self.num_entries);
        self.n_steps.fill(empty);
        let nets = &mut self.nets[0];
        nets.target.follow(&nets.online, 1.0);
    }
}
