//! A DQN learner as a state and back.

use super::DqnAgent;
use crate::learn::dqn_loss::Nets;
use crate::learn::n_step;
use crate::learn::state::{AgentState, StateDict, StateError, put_reserved, take_generators, take_reserved};
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
        trainer.put_all("online.adam", self.adam.save());
        trainer.put_all("n_step", n_step::save(&self.n_steps));
        trainer.put_object("rng.acting", &self.acting);
        trainer.put_object("rng.replay", &self.replay_rng);
        put_reserved(&mut trainer);
        AgentState { trainer, replay: Some(self.replay.save()) }
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// When it is of another form, or has numbers that no learner of this configuration could compute with.
    pub(super) fn take_state(&mut self, state: AgentState) -> Result<(), StateError> {
        let Some(replay) = state.replay else {
            return Err(StateError("the state has no replay buffer, which DQN needs".into()));
        };
        let mut state = state.trainer;
        let counts = state.take_counts("counts", &[4])?;
        (self.decisions, self.rounds) = (counts[0], counts[1]);
        (self.target_updates, self.updates) = (counts[2], counts[3]);
        let Nets { online, target } = &mut self.nets[0];
        for (name, net) in [("online.parameters", online), ("target.parameters", target)] {
            let parameters: Vec<f32> = state.take_finite(name, &[net.flat().numel()])?;
            tensor_rows::write(net.flat_mut(), 0, &parameters);
        }
        self.adam.load(state.take_all("online.adam"))?;
        n_step::load(&mut self.n_steps, state.take_all("n_step"), self.num_actions)?;
        self.acting = take_generators(&mut state, "rng.acting", self.config.n_envs)?;
        self.replay_rng = state.take_object("rng.replay")?;
        take_reserved(&mut state)?;
        state.finish()?;
        self.replay.load(replay)
    }
}
