//! The rollout of a policy-gradient learner: `steps x lanes` decisions between two updates, and what followed them.
//!
//! Rows go straight into tensor memory, written once. Block `t` of the observations is what the lanes saw before step `t`;
//! one block more than there are steps holds what they saw after the last one. Final rows of episodes that were cut are
//! kept apart, because the block after such a step already shows the next episode.

use super::config::hide;
use super::gae::{self, Cells, Outcomes};
use super::replay::reserve;
use super::tensor_rows;
use tch::{Device, Kind, Tensor};
use thoughtcache_env::gym::api::{ActionId, End};
use thoughtcache_env::gym::vec_env::StepBuffers;
use thoughtcache_env::units::CellId;

mod state;

/// Storage of a rollout.
#[derive(Debug)]
pub struct Rollout {
    num_lanes: usize,
    num_entries: usize,
    num_actions: usize,
    hidden_columns: Vec<usize>,
    steps: usize,
    observations: Tensor,
    illegal: Tensor,
    actions: Tensor,
    log_probs: Tensor,
    rewards: Vec<f64>,
    slots_elapsed: Vec<u32>,
    ends: Vec<End>,
    /// Of each decision; of each final row; and by lane, of the rows after the last step.
    cells: Vec<CellId>,
    final_cells: Vec<CellId>,
    last_cells: Vec<CellId>,
    final_rows: Vec<f32>,
    final_of: Vec<usize>,
    row: Vec<f32>,
    mask: Vec<bool>,
}

/// Advantages and targets of a rollout, one a decision, in the order of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// By how much the action was better than the critic expected; 0 where it is not known.
    pub advantages: Vec<f64>,
    /// The target of the critic; its own prediction where the target is not known.
    pub returns: Vec<f64>,
    /// The positions of the decisions to learn from: those of which it is known how their cell went on.
    pub known: Vec<i64>,
}

impl Rollout {
    /// Storage for `max_steps` steps of `num_lanes` lanes; `hidden_columns` of a row are stored as 0.
    ///
    /// # Errors
    /// When the machine does not give the memory.
    pub fn new(
        max_steps: usize,
        num_lanes: usize,
        num_entries: usize,
        num_actions: usize,
        hidden_columns: Vec<usize>,
    ) -> Result<Self, String> {
        let refused = || {
            let bytes = bytes(max_steps, num_lanes, num_entries, num_actions);
            format!(
                "a rollout of {max_steps} steps of {num_lanes} lanes needs {bytes} bytes, more than this machine \
                 gives; lower n_steps"
            )
        };
        let decisions = max_steps.checked_mul(num_lanes).ok_or_else(refused)?;
        let rows = decisions.checked_add(num_lanes).ok_or_else(refused)?;
        Ok(Self {
            num_lanes,
            num_entries,
            num_actions,
            hidden_columns,
            steps: 0,
            observations: zeros([rows, num_entries], Kind::Float).ok_or_else(refused)?,
            illegal: zeros([decisions, num_actions], Kind::Bool).ok_or_else(refused)?,
            actions: zeros([decisions], Kind::Int64).ok_or_else(refused)?,
            log_probs: zeros([decisions], Kind::Float).ok_or_else(refused)?,
            rewards: reserve(decisions, 1).ok_or_else(refused)?,
            slots_elapsed: reserve(decisions, 1).ok_or_else(refused)?,
            ends: reserve(decisions, 1).ok_or_else(refused)?,
            cells: reserve(decisions, 1).ok_or_else(refused)?,
            final_cells: Vec::new(),
            last_cells: vec![CellId::default(); num_lanes],
            final_rows: Vec::new(),
            final_of: Vec::new(),
            row: vec![0.0; num_lanes * num_entries],
            mask: vec![false; num_lanes * num_actions],
        })
    }

    /// The complete steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The complete decisions.
    pub fn len(&self) -> usize {
        self.steps * self.num_lanes
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// Begins the next step: what the lanes see and may do. Gives the rows as the net is to see them.
    pub fn begin_step(&mut self, observations: &[f32], masks: &[bool]) -> Tensor {
        self.write_block(self.steps, observations);
        self.mask.iter_mut().zip(masks).for_each(|(illegal, legal)| *illegal = !legal);
        let first = self.len();
        tensor_rows::write(&mut self.illegal, first * self.num_actions, &self.mask);
        self.observations.narrow(0, first as i64, self.num_lanes as i64)
    }

    /// Completes the step that [`begin_step`](Self::begin_step) began; `rewards` are those to be learnt from.
    pub fn end_step(
        &mut self,
        actions: &[ActionId],
        log_probs: &[f32],
        rewards: impl Iterator<Item = f64>,
        step: &StepBuffers,
    ) {
        let first = self.len();
        let indices: Vec<i64> = actions.iter().map(|action| i64::from(action.0)).collect();
        tensor_rows::write(&mut self.actions, first, &indices);
        tensor_rows::write(&mut self.log_probs, first, log_probs);
        self.rewards.extend(rewards);
        self.slots_elapsed.extend_from_slice(&step.slots_elapsed);
        for lane in 0..self.num_lanes {
            let end = End::from_flags(step.terminated[lane], step.truncated[lane]);
            self.ends.push(end);
            let info = &step.infos[lane];
            self.cells.push(info.cell);
            self.last_cells[lane] = info.next_cell;
            if end == End::Truncated {
                let kept = self.final_rows.len();
                self.final_rows.extend(step.final_observations.row(lane));
                hide(&mut self.final_rows[kept..], self.num_entries, &self.hidden_columns);
                self.final_of.push(first + lane);
                self.final_cells.push(info.next_cell);
            }
        }
        self.steps += 1;
        self.write_block(self.steps, step.observations.as_slice().unwrap_or_default());
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.steps = 0;
        self.rewards.clear();
        self.slots_elapsed.clear();
        self.ends.clear();
        self.cells.clear();
        self.final_cells.clear();
        self.final_rows.clear();
        self.final_of.clear();
    }

    /// The rows before every decision and, at the end, those after the last step: what the critic has to value.
    pub fn rows_with_next(&self) -> Tensor {
        self.observations.narrow(0, 0, (self.len() + self.num_lanes) as i64)
    }

    /// The final rows of episodes that were cut by a clock, if there are any.
    pub fn final_rows(&self) -> Option<Tensor> {
        let count = self.final_of.len() as i64;
        (count > 0).then(|| Tensor::from_slice(&self.final_rows).view([count, self.num_entries as i64]))
    }

    /// The rows before every decision.
    pub fn observations(&self) -> Tensor {
        self.observations.narrow(0, 0, self.len() as i64)
    }

    /// Which actions were illegal at every decision.
    pub fn illegal(&self) -> Tensor {
        self.illegal.narrow(0, 0, self.len() as i64)
    }

    /// The action.
    pub fn actions(&self) -> Tensor {
        self.actions.narrow(0, 0, self.len() as i64)
    }

    /// The logarithms of the probabilities with which it was done.
    pub fn log_probs(&self) -> Tensor {
        self.log_probs.narrow(0, 0, self.len() as i64)
    }

    /// Advantages and returns from the values of [`rows_with_next`](Self::rows_with_next) and of
    /// [`final_rows`](Self::final_rows), with the discount `gamma` per slot.
    ///
    /// # Panics
    /// When there are not as many values as rows.
    pub fn targets(&self, values: &[f64], final_values: &[f64], gamma: f64, lambda: f64) -> Targets {
        assert_eq!(values.len(), self.len() + self.num_lanes, "one value for every row");
        assert_eq!(final_values.len(), self.final_of.len(), "one value for every final row");
        let mut next_values = values[self.num_lanes..].to_vec();
        for (&at, &value) in self.final_of.iter().zip(final_values) {
            next_values[at] = value;
        }
        let values = &values[..self.len()];
        let advantages = gae::advantages(
            &Outcomes {
                num_lanes: self.num_lanes,
                rewards: &self.rewards,
                slots_elapsed: &self.slots_elapsed,
                ends: &self.ends,
                cells: &self.cells_and_next(),
                values,
                next_values: &next_values,
            },
            gamma,
            lambda,
        );
        let known =
            (0..advantages.len()).filter(|&at| advantages[at].is_some()).map(|at| at as i64).collect();
        let advantages: Vec<f64> = advantages.into_iter().map(Option::unwrap_or_default).collect();
        let returns = advantages.iter().zip(values).map(|(advantage, value)| advantage + value).collect();
        Targets { advantages, returns, known }
    }

    fn cells_and_next(&self) -> Vec<Cells> {
        let following = self.cells.iter().skip(self.num_lanes).chain(&self.last_cells);
        let mut cells: Vec<Cells> =
            self.cells.iter().zip(following).map(|(&now, &next)| Cells { now, next }).collect();
        for (&at, &next) in self.final_of.iter().zip(&self.final_cells) {
            cells[at].next = next;
        }
        cells
    }

    fn write_block(&mut self, block: usize, observations: &[f32]) {
        let start = block * self.num_lanes * self.num_entries;
        if self.hidden_columns.is_empty() {
            tensor_rows::write(&mut self.observations, start, observations);
            return;
        }
        self.row.copy_from_slice(observations);
        hide(&mut self.row, self.num_entries, &self.hidden_columns);
        tensor_rows::write(&mut self.observations, start, &self.row);
    }
}

/// The bytes of everything that is kept of each decision and of the rows after the last step.
fn bytes(steps: usize, lanes: usize, entries: usize, actions: usize) -> u64 {
    let row = (entries as u64).saturating_mul(size_of::<f32>() as u64);
    let numbers = size_of::<i64>()
        + size_of::<f32>()
        + size_of::<f64>()
        + size_of::<u32>()
        + size_of::<End>()
        + size_of::<CellId>();
    let decision = row.saturating_add(actions as u64).saturating_add(numbers as u64);
    let lane = decision.saturating_mul(steps as u64).saturating_add(row);
    lane.saturating_mul(lanes as u64)
}

/// Tensor memory, if libtorch can count it and the machine gives it.
fn zeros<const N: usize>(shape: [usize; N], kind: Kind) -> Option<Tensor> {
    let elements = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))?;
    i64::try_from(elements.checked_mul(kind.elt_size_in_bytes())?).ok()?;
    Tensor::f_zeros(shape.map(|size| size as i64), (kind, Device::Cpu)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use thoughtcache_env::gym::api::{Entry, EnvSpec};

    fn spec() -> EnvSpec {
        let entries = vec![Entry::new("a", 0.0, 9.0), Entry::new("b", 0.0, 9.0)];
        EnvSpec { id: "toy".into(), entries, actions: vec!["x".into(), "y".into()] }
    }

    /// One lane: rewards 1, 2, 3 over 0, 1 and 3 slots; step 1 ends as told, its final row is (8, 8).
    fn rollout(end: End, hidden: &[usize]) -> Rollout {
        let mut rollout = Rollout::new(4, 1, 2, 2, hidden.to_vec()).unwrap();
        let mut step = StepBuffers::new(1, &spec());
        for (at, slots) in [0_u32, 1, 3].into_iter().enumerate() {
            let seen = [at as f32, 5.0];
            let _ = rollout.begin_step(&seen, &[true, at == 0]);
            step.slots_elapsed[0] = slots;
            step.terminated[0] = at == 1 && end == End::Terminated;
            step.truncated[0] = at == 1 && end == End::Truncated;
            step.observations.fill(at as f32 + 1.0);
            step.final_observations.fill(8.0);
            let reward = at as f64 + 1.0;
            rollout.end_step(&[ActionId(0)], &[-0.5], [reward].into_iter(), &step);
        }
        rollout
    }

    #[test]
    fn the_value_of_the_final_row_counts_after_a_truncation_and_that_of_the_new_episode_never() {
        // gamma = 0.1, lambda = 1, V = 0 but for the final row (40), the first row of the new episode (V_2 = 0) and the row
        // after the last step (5000): G_2 = 3 + 0.001 * 5000 = 8; G_1 = 2 + 0.1 * 40 = 6; G_0 = 1 + 6 = 7.
        let cut = rollout(End::Truncated, &[]);
        let targets = cut.targets(&[0.0, 0.0, 0.0, 5000.0], &[40.0], 0.1, 1.0);
        for (got, expected) in targets.returns.iter().zip([7.0, 6.0, 8.0]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-9);
        }
        let dead = rollout(End::Terminated, &[]);
        let targets = dead.targets(&[0.0, 0.0, 0.0, 5000.0], &[], 0.1, 1.0);
        for (got, expected) in targets.returns.iter().zip([3.0, 2.0, 8.0]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-9);
        }
    }

    #[test]
    fn the_last_decision_for_a_cell_whose_next_row_is_not_there_is_not_learnt_from() {
        let mut rollout = Rollout::new(4, 1, 2, 2, vec![]).unwrap();
        let mut step = StepBuffers::new(1, &spec());
        // Cells 0, 1, 1; the row after them is one of cell 1.
        for (now, next) in [(0, 1), (1, 1), (1, 1)] {
            let _ = rollout.begin_step(&[0.0, 0.0], &[true, true]);
            step.slots_elapsed[0] = 1;
            (step.infos[0].cell, step.infos[0].next_cell) = (CellId(now), CellId(next));
            rollout.end_step(&[ActionId(0)], &[-0.5], [1.0].into_iter(), &step);
        }
        let targets = rollout.targets(&[5.0, 2.0, 3.0, 4.0], &[], 0.1, 0.0);
        assert_eq!(targets.known, [1, 2]);
        for (got, expected) in targets.returns.iter().zip([5.0, 1.3, 1.4]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
        }
    }

    #[test]
    fn a_return_is_the_advantage_and_the_value() {
        let targets = rollout(End::No, &[]).targets(&[1.0, 2.0, 4.0, 0.0], &[], 0.1, 0.0);
        for at in 0..3 {
            let value = [1.0, 2.0, 4.0][at];
            assert_abs_diff_eq!(targets.returns[at], targets.advantages[at] + value, epsilon = 1e-12);
        }
        // delta_0 = 1 + 1 * 2 - 1, delta_1 = 2 + 0.1 * 4 - 2, delta_2 = 3 + 0 - 4.
        for (got, expected) in targets.advantages.iter().zip([2.0, 0.4, -1.0]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
        }
    }

    #[test]
    fn rows_masks_actions_and_final_rows_come_back_in_their_order() {
        let rollout = rollout(End::Truncated, &[]);
        let rows = tensor_rows::to_vec::<f32>(&rollout.rows_with_next());
        assert_eq!(rows, [0.0, 5.0, 1.0, 5.0, 2.0, 5.0, 3.0, 3.0]);
        assert_eq!(tensor_rows::to_vec::<f32>(&rollout.final_rows().unwrap()), [8.0, 8.0]);
        let illegal = tensor_rows::to_vec::<bool>(&rollout.illegal());
        assert_eq!(illegal, [false, false, false, true, false, true]);
        assert_eq!(tensor_rows::to_vec::<i64>(&rollout.actions()), [0, 0, 0]);
        assert_eq!(rollout.len(), 3);
    }

    #[test]
    fn hidden_columns_are_zero_in_every_row_the_net_can_see() {
        let mut rollout = rollout(End::Truncated, &[1]);
        assert_eq!(
            tensor_rows::to_vec::<f32>(&rollout.rows_with_next()),
            [0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0]
        );
        assert_eq!(tensor_rows::to_vec::<f32>(&rollout.final_rows().unwrap()), [8.0, 0.0]);
        rollout.clear();
        assert!(rollout.is_empty() && rollout.final_rows().is_none());
        assert_eq!(tensor_rows::to_vec::<f32>(&rollout.begin_step(&[7.0, 7.0], &[true, true])), [7.0, 0.0]);
    }

    #[test]
    fn a_rollout_beyond_all_memory_is_an_error_that_counts_the_bytes() {
        // 3 steps of 2 lanes, 191 entries and 22 actions: 6 decisions of 764 + 22 + 8 + 4 + 8 + 4 + 1 + 4 bytes and 2 rows.
        assert_eq!(bytes(3, 2, 191, 22), 6 * 815 + 2 * 764);
        // 2^44 rows are counted without overflow, and no address space has room for their 13 petabytes; 2^60 overflow.
        for steps in [1 << 44, 1 << 60] {
            let error = Rollout::new(steps, 1, 191, 22, vec![]).unwrap_err();
            assert!(error.starts_with(&format!("a rollout of {steps} steps of 1 lanes needs ")), "{error}");
            assert!(error.ends_with("more than this machine gives; lower n_steps"), "{error}");
        }
    }
}
