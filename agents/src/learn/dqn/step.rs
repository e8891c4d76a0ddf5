//! One gradient step, in learning and imitating alike: a step in which a number is not finite is not taken.

use super::DqnAgent;
use super::report::transitions;
use crate::learn::adam::clip_global_norm;
use crate::learn::agent::AgentError;

/// What the loss and the length of its gradient are called.
const NAMES: [&str; 2] = ["train/loss", "train/grad_norm"];
/// The same while a rule is imitated.
const IMITATION_NAMES: [&str; 2] = ["warm_start/loss", "warm_start/grad_norm"];

impl DqnAgent {
    /// One gradient step on a batch of the replay buffer, with the margin while a rule is imitated; adds its loss, error, mean
    /// value and gradient length to `sums`, unless the batch had to be left out.
    ///
    /// # Errors
    /// When a number is not finite and the guard does not leave the batch out.
    pub(super) fn learn(
        &mut self,
        is_imitating: bool,
        learning_rate: f64,
        sums: &mut [f64; 4],
    ) -> Result<(), AgentError> {
        let Some(mut lesson) = self.lesson(is_imitating) else { return Ok(()) };
        let update = self.updates + 1;
        let norm = clip_global_norm(&mut [&mut lesson.gradient], self.config.max_grad_norm);
        let names = if is_imitating { IMITATION_NAMES } else { NAMES };
        let mut bad = names.into_iter().zip([lesson.loss, norm]).find(|(_, value)| !value.is_finite());
        if bad.is_none() {
            let online = &mut self.nets[0].online;
            match self.adam.prepare(online.flat(), &lesson.gradient, learning_rate) {
                Ok(step) => self.adam.take(online.flat_mut(), step),
                Err(sum) => bad = Some(("the net after a step", sum)),
            }
        }
        if let Some((quantity, value)) = bad {
            let error = AgentError::NotFinite { quantity, value, update };
            let (batches, entries) = (&self.batches, self.num_entries);
            return self.nan_guard.leave_out(error, self.decisions, || transitions(batches, entries));
        }
        self.nan_guard.accept();
        self.updates = update;
        for (sum, value) in sums.iter_mut().zip([lesson.loss, lesson.td_error, lesson.mean_value, norm]) {
            *sum += value;
        }
        Ok(())
    }
}
