//! The memory that a vector environment writes its steps into.

use super::api::{EnvSpec, StepInfo};

/// Where a step is written: one row or one number a lane, in lane order. Borrow it from [`StepBuffers`] or build it from
/// memory of your own.
#[derive(Debug)]
pub struct StepRows<'a> {
    /// `lanes x entries`: what is seen now; the first row of the next episode where one just ended.
    pub observations: &'a mut [f32],
    /// `lanes x actions`: what is legal now; with replaced actions the step reads here what was legal before it.
    pub masks: &'a mut [bool],
    /// Rewards of this step.
    pub rewards: &'a mut [f64],
    /// Whether the world reached a state without a future.
    pub terminated: &'a mut [bool],
    /// Whether a clock cut the episode.
    pub truncated: &'a mut [bool],
    /// Slots that passed.
    pub slots_elapsed: &'a mut [u32],
    /// Whether the action was illegal and another one was taken; see [`VecEnv::with_replaced_actions`](super::vec_env::VecEnv::with_replaced_actions).
    pub replaced: &'a mut [bool],
    /// `lanes x entries`: the last row of the episode that ended in this step; other lanes' rows are left alone.
    pub final_observations: &'a mut [f32],
    /// `lanes x actions`: what was legal in that last row; other lanes' rows are left alone. A target that takes the best
    /// next action needs it where a clock cut the episode.
    pub final_masks: &'a mut [bool],
    /// Named costs and counters of this step.
    pub infos: &'a mut [StepInfo],
}

/// Memory for [`StepRows`].
#[derive(Clone, Debug)]
pub struct StepBuffers {
    /// See [`StepRows::observations`].
    pub observations: ndarray::Array2<f32>,
    /// See [`StepRows::masks`].
    pub masks: ndarray::Array2<bool>,
    /// See [`StepRows::rewards`].
    pub rewards: Vec<f64>,
    /// See [`StepRows::terminated`].
    pub terminated: Vec<bool>,
    /// See [`StepRows::truncated`].
    pub truncated: Vec<bool>,
    /// See [`StepRows::slots_elapsed`].
    pub slots_elapsed: Vec<u32>,
    /// See [`StepRows::replaced`].
    pub replaced: Vec<bool>,
    /// See [`StepRows::final_observations`].
    pub final_observations: ndarray::Array2<f32>,
    /// See [`StepRows::final_masks`].
    pub final_masks: ndarray::Array2<bool>,
    /// See [`StepRows::infos`].
    pub infos: Vec<StepInfo>,
}

impl StepBuffers {
    /// Buffers for `lanes` copies of an environment with this spec.
    pub fn new(lanes: usize, spec: &EnvSpec) -> Self {
        Self {
            observations: ndarray::Array2::zeros((lanes, spec.num_entries())),
            masks: ndarray::Array2::from_elem((lanes, spec.num_actions()), false),
            rewards: vec![0.0; lanes],
            terminated: vec![false; lanes],
            truncated: vec![false; lanes],
            slots_elapsed: vec![0; lanes],
            replaced: vec![false; lanes],
            final_observations: ndarray::Array2::zeros((lanes, spec.num_entries())),
            final_masks: ndarray::Array2::from_elem((lanes, spec.num_actions()), false),
            infos: vec![StepInfo::default(); lanes],
        }
    }

    /// The buffers as rows to step into.
    pub fn rows(&mut self) -> StepRows<'_> {
        const CONTIGUOUS: &str = "buffers are made in standard layout";
        StepRows {
            observations: self.observations.as_slice_mut().expect(CONTIGUOUS),
            masks: self.masks.as_slice_mut().expect(CONTIGUOUS),
            rewards: &mut self.rewards,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
            slots_elapsed: &mut self.slots_elapsed,
            replaced: &mut self.replaced,
            final_observations: self.final_observations.as_slice_mut().expect(CONTIGUOUS),
            final_masks: self.final_masks.as_slice_mut().expect(CONTIGUOUS),
            infos: &mut self.infos,
        }
    }
}

impl<'a> StepRows<'a> {
    /// Takes the rows of the first `lanes` lanes; those of the others stay.
    pub(super) fn split_off(&mut self, lanes: usize, entries: usize, actions: usize) -> StepRows<'a> {
        #[expect(clippy::mut_mut, reason = "a borrowed slice is shortened in place")]
        fn cut<'a, T>(rows: &mut &'a mut [T], count: usize) -> &'a mut [T] {
            rows.split_off_mut(..count).expect("lengths are checked before")
        }
        StepRows {
            observations: cut(&mut self.observations, lanes * entries),
            masks: cut(&mut self.masks, lanes * actions),
            rewards: cut(&mut self.rewards, lanes),
            terminated: cut(&mut self.terminated, lanes),
            truncated: cut(&mut self.truncated, lanes),
            slots_elapsed: cut(&mut self.slots_elapsed, lanes),
            replaced: cut(&mut self.replaced, lanes),
            final_observations: cut(&mut self.final_observations, lanes * entries),
            final_masks: cut(&mut self.final_masks, lanes * actions),
            infos: cut(&mut self.infos, lanes),
        }
    }
}
