//! A rollout in the making, as a state and back.

use super::Rollout;
use crate::learn::state::{StateDict, StateError};
use crate::learn::tensor_rows;
use thoughtcache_env::gym::api::End;
use thoughtcache_env::units::CellId;

impl Rollout {
    /// Returns the complete steps; the rows after the last one are those that the next step begins with.
    pub fn save(&self) -> StateDict {
        let mut state = StateDict::default();
        let (len, entries, actions) = (self.len(), self.num_entries, self.num_actions);
        state.put("observations", &[len, entries], &tensor_rows::to_vec::<f32>(&self.observations()));
        state.put("illegal", &[len, actions], &tensor_rows::to_vec::<bool>(&self.illegal()));
        state.put_list("actions", &tensor_rows::to_vec::<i64>(&self.actions()));
        state.put_list("log_probs", &tensor_rows::to_vec::<f32>(&self.log_probs()));
        state.put_list("rewards", &self.rewards);
        state.put_list("slots_elapsed", &self.slots_elapsed);
        state.put_list("ends", &self.ends.iter().map(|&end| end as u8).collect::<Vec<u8>>());
        let numbers = |cells: &[CellId]| cells.iter().map(|cell| cell.0).collect::<Vec<u32>>();
        state.put_list("cells", &numbers(&self.cells));
        state.put_list("final_cells", &numbers(&self.final_cells));
        state.put("final_rows", &[self.final_of.len(), entries], &self.final_rows);
        state
    }

    /// Goes on from what [`save`](Self::save) gave: `steps` complete steps.
    ///
    /// # Errors
    /// When it is not that of so many steps of this rollout.
    pub fn load(&mut self, mut state: StateDict, steps: usize) -> Result<(), StateError> {
        let (entries, num_actions) = (self.num_entries, self.num_actions);
        let len = steps.saturating_mul(self.num_lanes);
        if len >= self.actions.numel() {
            return Err(state.refuse("actions", &format!("are those of {steps} steps, a whole rollout")));
        }
        let observations: Vec<f32> = state.take_finite("observations", &[len, entries])?;
        let illegal: Vec<bool> = state.take("illegal", &[len, num_actions])?;
        let actions: Vec<i64> = state.take("actions", &[len])?;
        state.check_actions(&actions, num_actions)?;
        let log_probs: Vec<f32> = state.take_finite("log_probs", &[len])?;
        let rewards: Vec<f64> = state.take_finite("rewards", &[len])?;
        let slots_elapsed: Vec<u32> = state.take("slots_elapsed", &[len])?;
        let ends: Vec<u8> = state.take("ends", &[len])?;
        let ends: Option<Vec<End>> = ends.into_iter().map(end_of).collect();
        let ends = ends.ok_or_else(|| state.refuse("ends", "has a byte that is no end"))?;
        let cells: Vec<u32> = state.take("cells", &[len])?;
        let final_of: Vec<usize> = (0..len).filter(|&at| ends[at] == End::Truncated).collect();
        let final_rows: Vec<f32> = state.take_finite("final_rows", &[final_of.len(), entries])?;
        let final_cells: Vec<u32> = state.take("final_cells", &[final_of.len()])?;
        state.finish()?;

        tensor_rows::write(&mut self.observations, 0, &observations);
        tensor_rows::write(&mut self.illegal, 0, &illegal);
        tensor_rows::write(&mut self.actions, 0, &actions);
        tensor_rows::write(&mut self.log_probs, 0, &log_probs);
        self.clear();
        self.steps = steps;
        self.rewards.extend(rewards);
        self.slots_elapsed.extend(slots_elapsed);
        self.ends.extend(ends);
        self.cells.extend(cells.into_iter().map(CellId));
        self.final_cells.extend(final_cells.into_iter().map(CellId));
        (self.final_rows, self.final_of) = (final_rows, final_of);
        Ok(())
    }
}

/// The end that a state holds as this byte.
fn end_of(byte: u8) -> Option<End> {
    [End::No, End::Terminated, End::Truncated].into_iter().find(|&end| end as u8 == byte)
}
