//! A DQN learner as a state and back.

use super::DqnAgent;
use crate::learn::dqn_loss::Nets;
use crate::learn::n_step;
use crate::learn::state::{AgentState, StateDict, StateError, inside, take_generators};
use crate::learn::tensor_rows;

impl DqnAgent {
    /// The learner as it is now.
    pub(super) fn to_state(&self) -> AgentState {
        let Nets { online, target } = &self.nets[0];
        let mut trainer = StateDict::default();
        let counts = [self.decisions, self.rounds, self.target_updates, self.updates];
        trainer.put_list("counts", &counts);
        trainer.put_list("online.parameters", &tensor_rows::to_vec::<f32>(online.flat()));
        trainer.put_list("target.parameters", &tensor_rows::to_vec::<f32>(target.flat()));
        let mut optimiser = StateDict::default();
        self.adam.save(&mut optimiser);
        trainer.put_all("online", optimiser);
        let mut open = StateDict::default();
        n_step::save(&self.n_steps, &mut open);
        trainer.put_all("n_step", open);
        trainer.put_object("rng.acting", &self.acting);
        trainer.put_object("rng.replay", &self.replay_rng);
        self.nan_guard.save(&mut trainer);
        AgentState { trainer, replay: Some(self.replay.save()) }
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// When no learner of this configuration can have left it.
    pub(super) fn take_state(&mut self, state: AgentState) -> Result<(), StateError> {
        let Some(replay) = state.replay else {
            return Err(StateError::Replay("the state has no replay buffer, which DQN needs"));
        };
        let mut state = state.trainer;
        let counts: Vec<u64> = state.take("counts", &[4])?;
        let (decisions, rounds, target_updates, updates) = (counts[0], counts[1], counts[2], counts[3]);
        let due = decisions.saturating_sub(self.config.learning_starts) / self.config.train_freq;
        let fits = decisions.is_multiple_of(self.config.n_envs as u64)
            && decisions < self.budget
            && rounds <= due
            && target_updates <= decisions / self.config.target_update_interval
            && updates <= rounds.saturating_mul(self.config.gradient_steps as u64);
        if !fits {
            let reason =
                format!("is {counts:?} decisions, rounds, moves of the target and updates, which cannot be");
            return Err(StateError::value("counts", reason));
        }
        (self.decisions, self.rounds) = (decisions, rounds);
        (self.target_updates, self.updates) = (target_updates, updates);
        let Nets { online, target } = &mut self.nets[0];
        for (name, net) in [("online.parameters", online), ("target.parameters", target)] {
            let parameters: Vec<f32> = state.take_finite(name, &[net.flat().numel()])?;
            tensor_rows::write(net.flat_mut(), 0, &parameters);
        }
        let mut optimiser = state.take_all("online");
        inside("online", self.adam.load(&mut optimiser))?;
        inside("online", optimiser.finish())?;
        let steps = self.adam.steps();
        if steps != updates {
            let reason = format!("is {steps} after {updates} updates; each takes one step");
            return Err(StateError::value("online.adam.steps", reason));
        }
        let mut open = state.take_all("n_step");
        inside("n_step", n_step::load(&mut self.n_steps, &mut open, self.num_actions))?;
        inside("n_step", open.finish())?;
        self.acting = take_generators(&mut state, "rng.acting", self.config.n_envs)?;
        self.replay_rng = state.take_object("rng.replay")?;
        self.nan_guard.load(&mut state)?;
        state.finish()?;
        inside("replay", self.replay.load(replay))
    }
}
