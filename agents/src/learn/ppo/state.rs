//! A PPO learner as a state and back.

use super::{PpoAgent, Trained};
use crate::learn::state::{AgentState, StateDict, StateError, put_reserved, take_generators, take_reserved};
use crate::learn::tensor_rows;

impl PpoAgent {
    /// The learner as it is now.
    pub(super) fn to_state(&self) -> AgentState {
        let mut trainer = StateDict::default();
        trainer.put_list("counts", &[self.decisions, self.updates, self.epochs]);
        trainer.put_all("actor", self.actor.save());
        trainer.put_all("critic", self.critic.save());
        trainer.put_all("rollout", self.rollout.save());
        trainer.put_object("rng.acting", &self.acting);
        trainer.put_object("rng.shuffling", &self.shuffling);
        put_reserved(&mut trainer);
        AgentState { trainer, replay: None }
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// When it is of another form, or has numbers that no learner of this configuration could compute with.
    pub(super) fn take_state(&mut self, state: AgentState) -> Result<(), StateError> {
        if state.replay.is_some() {
            return Err(StateError("the state has a replay buffer, which PPO does not have".into()));
        }
        let mut state = state.trainer;
        let counts = state.take_counts("counts", &[3])?;
        (self.decisions, self.updates, self.epochs) = (counts[0], counts[1], counts[2]);
        self.actor.load(state.take_all("actor"))?;
        self.critic.load(state.take_all("critic"))?;
        // The last update of a run leaves nothing behind, however short its rollout was.
        let steps = self.decisions / self.config.n_envs as u64;
        let open = if self.decisions < self.budget { steps % self.config.n_steps as u64 } else { 0 };
        self.rollout.load(state.take_all("rollout"), open as usize)?;
        self.acting = take_generators(&mut state, "rng.acting", self.config.n_envs)?;
        self.shuffling = state.take_object("rng.shuffling")?;
        take_reserved(&mut state)?;
        state.finish()
    }
}

impl Trained {
    fn save(&self) -> StateDict {
        let mut state = StateDict::default();
        state.put_list("parameters", &tensor_rows::to_vec::<f32>(self.net.flat()));
        state.put_all("adam", self.adam.save());
        state
    }

    fn load(&mut self, mut state: StateDict) -> Result<(), StateError> {
        let parameters: Vec<f32> = state.take_finite("parameters", &[self.net.flat().numel()])?;
        tensor_rows::write(self.net.flat_mut(), 0, &parameters);
        self.adam.load(state.take_all("adam"))?;
        state.finish()
    }
}
