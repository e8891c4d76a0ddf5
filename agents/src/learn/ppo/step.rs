//! One step of both nets on a minibatch, whatever it is to teach: a step in which a number is not finite is not taken.

use super::PpoAgent;
use crate::learn::adam::clip_global_norm;
use crate::learn::agent::AgentError;
use crate::learn::state::StateDict;
use tch::Tensor;

/// How the gradients of actor and critic are clipped to `max_grad_norm`; with the name of their length.
#[derive(Clone, Copy)]
pub(super) enum Clipping {
    /// Both taken as one vector.
    Together(&'static str),
    /// Each by its own length: how far a critic is off does not slow the actor down.
    Apart(&'static str),
}

/// What a minibatch would do.
pub(super) struct Proposal<'a> {
    /// Its losses by name.
    pub(super) losses: &'a [(&'static str, f64)],
    /// The gradients of actor and critic; `None` when no step is to be taken.
    pub(super) gradients: Option<[Tensor; 2]>,
    pub(super) clipping: Clipping,
    pub(super) learning_rate: f64,
}

/// What became of a minibatch.
pub(super) enum Outcome {
    /// It counts. With the length of the gradients before clipping, if a step was taken.
    Learnt(Option<f64>),
    /// Something in it is not a finite number, and nothing has changed.
    LeftOut,
}

impl PpoAgent {
    /// Takes the step that is proposed, unless a loss, the gradient or a parameter after the step is not a finite number:
    /// what happens then is up to the guard, who may ask for the batch.
    ///
    /// # Errors
    /// When the guard does not leave the minibatch out.
    pub(super) fn step(
        &mut self,
        proposal: Proposal,
        batch: impl FnOnce() -> StateDict,
    ) -> Result<Outcome, AgentError> {
        match self.try_step(proposal) {
            Ok(norm) => {
                self.nan_guard.accept();
                Ok(Outcome::Learnt(norm))
            }
            Err((quantity, value)) => {
                let error = AgentError::NotFinite { quantity, value, update: self.updates };
                self.nan_guard.leave_out(error, self.decisions, batch)?;
                Ok(Outcome::LeftOut)
            }
        }
    }

    /// The same; the error is the first quantity that is not finite.
    fn try_step(&mut self, proposal: Proposal) -> Result<Option<f64>, (&'static str, f64)> {
        let Proposal { losses, gradients, clipping, learning_rate } = proposal;
        if let Some(&loss) = losses.iter().find(|(_, value)| !value.is_finite()) {
            return Err(loss);
        }
        let Some([mut actor_gradient, mut critic_gradient]) = gradients else { return Ok(None) };
        let most = self.config.max_grad_norm;
        let (name, norm) = match clipping {
            Clipping::Together(name) => {
                (name, clip_global_norm(&mut [&mut actor_gradient, &mut critic_gradient], most))
            }
            Clipping::Apart(name) => {
                let actor_norm = clip_global_norm(&mut [&mut actor_gradient], most);
                (name, actor_norm.hypot(clip_global_norm(&mut [&mut critic_gradient], most)))
            }
        };
        if !norm.is_finite() {
            return Err((name, norm));
        }
        let (actor, critic) = (&mut self.actor, &mut self.critic);
        let (actor_step, critic_step) = {
            let (actor, critic) = (&mut *actor, &mut *critic);
            rayon::join(
                move || actor.adam.prepare(actor.net.flat(), &actor_gradient, learning_rate),
                move || critic.adam.prepare(critic.net.flat(), &critic_gradient, learning_rate),
            )
        };
        // Both are known before one is taken.
        let actor_step = actor_step.map_err(|sum| ("the actor after a step", sum))?;
        let critic_step = critic_step.map_err(|sum| ("the critic after a step", sum))?;
        actor.adam.take(actor.net.flat_mut(), actor_step);
        critic.adam.take(critic.net.flat_mut(), critic_step);
        Ok(Some(norm))
    }
}
