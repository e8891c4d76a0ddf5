//! Generalised advantage estimation over slots (Schulman et al., arXiv 1506.02438).
//!
//! # Target
//! ```text
//! delta_t = r_t + gamma^n_t * V'_t - V_t             V'_t: V of what followed, 0 when the world terminated
//! A_t     = delta_t + gamma^n_t * lambda * A_t+1     the second term is cut at every end
//! G_t     = A_t + V_t                                the return that the critic learns
//! ```
//! `n_t` is `slots_elapsed` of step t. Discounting counts slots, `lambda` counts decisions: decisions of the same slot
//! (`n_t` = 0) are not discounted against each other.
//!
//! # Cells
//! What is decided for one cell changes nothing at another, so the decisions of each cell are a sequence of their own: `t+1`
//! is the next decision for the same cell, `n_t` the slots until then, and rewards of other cells are noise that does not
//! enter. The row after the last step, or after a cut, is a row of one cell; how the others go on is not known there, so that
//! the last decision for each of them says what its row was worth to the decision before it, and is not learnt from itself. With
//! one cell there is one sequence and nothing is left out.
//!
//! # Deviations
//! With `n_t` = 1 and one cell throughout this is the textbook. Costs of a slot that several cells cause (holding) count for
//! the cell that decided last in it. Everything is computed in f64.

use thoughtcache_env::gym::api::End;
use thoughtcache_env::units::CellId;

/// The discount of one step.
pub fn discount(gamma: f64, slots_elapsed: u32) -> f64 {
    gamma.powi(i32::try_from(slots_elapsed).unwrap_or(i32::MAX))
}

/// For which cell a step decided, and of which cell the row after it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// The cell of the decision.
    pub now: CellId,
    /// The cell of the row that followed: of the final row after an end.
    pub next: CellId,
}

/// What happened, `steps x lanes` numbers each, step by step.
#[derive(Clone, Copy, Debug)]
pub struct Outcomes<'a> {
    /// The number of lanes.
    pub num_lanes: usize,
    /// Rewards.
    pub rewards: &'a [f64],
    /// Slots that passed.
    pub slots_elapsed: &'a [u32],
    /// Whether and how the episode ended.
    pub ends: &'a [End],
    /// For whom was decided.
    pub cells: &'a [Cells],
    /// The critic's value of the row before the step.
    pub values: &'a [f64],
    /// The critic's value of the row after the step: the final row where an episode was cut, anything where it terminated.
    pub next_values: &'a [f64],
}

/// How a cell went on after a moment: its next row, what was better there than expected, and the slots until then.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Following {
    value: f64,
    advantage: f64,
    slots: u32,
}

impl Following {
    /// A row with this value, of which nothing more is known.
    const fn row(value: f64) -> Self {
        Self { value, advantage: 0.0, slots: 0 }
    }
}

/// How the cells of a lane went on after a moment.
#[derive(Clone, Debug, Default)]
struct Future {
    /// Cells that were met after that moment.
    met: Vec<(CellId, Following)>,
    /// All others, where it is known.
    rest: Option<Following>,
}

impl Future {
    /// What follows an end, or the last step of what is stored.
    fn begin(&mut self, end: End, next: CellId, next_value: f64) {
        self.met.clear();
        self.rest = (end == End::Terminated).then_some(Following::row(0.0));
        if end != End::Terminated {
            self.met.push((next, Following::row(next_value)));
        }
    }

    fn pass(&mut self, slots: u32) {
        for following in self.met.iter_mut().map(|(_, following)| following).chain(&mut self.rest) {
            following.slots = following.slots.saturating_add(slots);
        }
    }

    fn of(&self, cell: CellId) -> Option<Following> {
        self.met.iter().find(|(met, _)| *met == cell).map(|&(_, following)| following).or(self.rest)
    }

    fn meet(&mut self, cell: CellId, following: Following) {
        match self.met.iter_mut().find(|(met, _)| *met == cell) {
            Some((_, known)) => *known = following,
            None => self.met.push((cell, following)),
        }
    }
}

/// The advantage of every step, in the order of the outcomes; `None` where it is not known how the step's cell went on.
pub fn advantages(outcomes: &Outcomes<'_>, gamma: f64, lambda: f64) -> Vec<Option<f64>> {
    let Outcomes { num_lanes, rewards, slots_elapsed, ends, cells, values, next_values } = *outcomes;
    let mut advantages = vec![None; rewards.len()];
    let mut futures = vec![Future::default(); num_lanes];
    for at in (0..rewards.len()).rev() {
        let future = &mut futures[at % num_lanes];
        if ends[at].is_end() || at + num_lanes >= rewards.len() {
            future.begin(ends[at], cells[at].next, next_values[at]);
        }
        future.pass(slots_elapsed[at]);
        if let Some(Following { value, advantage, slots }) = future.of(cells[at].now) {
            let discount = discount(gamma, slots);
            let delta = rewards[at] + discount * value - values[at];
            advantages[at] = Some(delta + discount * lambda * advantage);
        }
        let advantage = advantages[at].unwrap_or_default();
        future.meet(cells[at].now, Following { value: values[at], advantage, slots: 0 });
    }
    advantages
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    fn known(outcomes: &Outcomes<'_>, gamma: f64, lambda: f64) -> Vec<f64> {
        advantages(outcomes, gamma, lambda)
            .into_iter()
            .map(|advantage| advantage.expect("one cell"))
            .collect()
    }

    /// One lane with the critic 0 everywhere.
    fn returns(rewards: &[f64], slots_elapsed: &[u32], ends: &[End], gamma: f64, lambda: f64) -> Vec<f64> {
        let zeros = vec![0.0; rewards.len()];
        let outcomes = Outcomes {
            num_lanes: 1,
            rewards,
            slots_elapsed,
            ends,
            cells: &vec![Cells::default(); rewards.len()],
            values: &zeros,
            next_values: &zeros,
        };
        known(&outcomes, gamma, lambda)
    }

    #[test]
    fn with_gamma_a_tenth_the_digits_spell_the_rewards_and_slots_shift_them() {
        // Elapsed 0, 0, 1, 3: 1 and 2 and 3 stand at the same digit, 4 one digit later, 5 four digits later.
        let spelled = returns(&[1.0, 2.0, 3.0, 4.0, 5.0], &[0, 0, 1, 3, 1], &[End::No; 5], 0.1, 1.0);
        let expected = [6.4005, 5.4005, 3.4005, 4.005, 5.0];
        for (got, expected) in spelled.iter().zip(expected) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
        }
        // The simpler sibling, a discount a step, spells 1.2345.
        let per_step = returns(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1; 5], &[End::No; 5], 0.1, 1.0);
        assert_abs_diff_eq!(per_step[0], 1.2345, epsilon = 1e-12);
    }

    #[test]
    fn lambda_counts_decisions_even_where_no_slot_passes() {
        // r = 1, 1, 1 in one slot with lambda 0.1: 1 + 0.1 + 0.01; lambda per slot would give 3.
        let mixed = returns(&[1.0; 3], &[0; 3], &[End::No; 3], 0.5, 0.1);
        assert_abs_diff_eq!(mixed[0], 1.11, epsilon = 1e-12);
    }

    #[test]
    fn truncated_and_terminated_differ_by_the_discounted_value_of_the_final_row() {
        let advantage = |end: End| {
            let outcomes = Outcomes {
                num_lanes: 1,
                rewards: &[1.0],
                slots_elapsed: &[3],
                ends: &[end],
                cells: &[Cells::default()],
                values: &[2.0],
                next_values: &[7.0],
            };
            known(&outcomes, 0.1, 0.95)[0]
        };
        assert_abs_diff_eq!(advantage(End::Terminated), -1.0, epsilon = 1e-12);
        assert_abs_diff_eq!(advantage(End::Truncated), -1.0 + 0.001 * 7.0, epsilon = 1e-12);
        assert_abs_diff_eq!(advantage(End::No), advantage(End::Truncated), epsilon = 1e-12);
    }

    #[test]
    fn a_constant_critic_gives_the_reward_and_the_lost_interest() {
        // V = 10, gamma 0.9: delta = r + (0.9^n - 1) * 10, that is 1, 1 - 1 = 0 and 1 - 2.71.
        let outcomes = Outcomes {
            num_lanes: 1,
            rewards: &[1.0; 3],
            slots_elapsed: &[0, 1, 3],
            ends: &[End::No; 3],
            cells: &[Cells::default(); 3],
            values: &[10.0; 3],
            next_values: &[10.0; 3],
        };
        let deltas = known(&outcomes, 0.9, 0.0);
        for (got, expected) in deltas.iter().zip([1.0, 0.0, -1.71]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
        }
    }

    #[test]
    fn every_end_cuts_the_trace() {
        for end in [End::Terminated, End::Truncated] {
            let cut = returns(&[1.0, 2.0, 3.0], &[1; 3], &[End::No, end, End::No], 0.1, 1.0);
            for (got, expected) in cut.iter().zip([1.2, 2.0, 3.0]) {
                assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
            }
        }
    }

    #[test]
    fn lanes_do_not_see_each_other() {
        let outcomes = Outcomes {
            num_lanes: 2,
            rewards: &[1.0, 5.0, 2.0, 6.0],
            slots_elapsed: &[1; 4],
            ends: &[End::No; 4],
            cells: &[Cells::default(); 4],
            values: &[0.0; 4],
            next_values: &[0.0; 4],
        };
        let got = known(&outcomes, 0.1, 1.0);
        for (got, expected) in got.iter().zip([1.2, 5.6, 2.0, 6.0]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
        }
    }

    /// Cells 0 1 0 1 0, a slot between all but the third and the fourth; the row after them is one of cell 1.
    fn two_cells(ends: [End; 5]) -> Vec<Option<f64>> {
        let cell = |now: u32, next: u32| Cells { now: CellId(now), next: CellId(next) };
        let outcomes = Outcomes {
            num_lanes: 1,
            rewards: &[1.0, 2.0, 3.0, 4.0, 5.0],
            slots_elapsed: &[1, 1, 0, 1, 1],
            ends: &ends,
            cells: &[cell(0, 1), cell(1, 0), cell(0, 1), cell(1, 0), cell(0, 1)],
            values: &[10.0, 20.0, 30.0, 40.0, 50.0],
            next_values: &[20.0, 30.0, 40.0, 50.0, 60.0],
        };
        advantages(&outcomes, 0.1, 0.5)
    }

    fn assert_known(got: &[Option<f64>], expected: &[Option<f64>]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert_eq!(got.is_some(), expected.is_some(), "{got:?} {expected:?}");
            assert_abs_diff_eq!(got.unwrap_or(0.0), expected.unwrap_or(0.0), epsilon = 1e-12);
        }
    }

    #[test]
    fn each_cell_is_a_sequence_of_its_own() {
        // Cell 1: its last decision at 3 sees the row after all steps, two slots later: 4 + .01 * 60 - 40 = -35.4; the one at 1
        // sees it a slot later: 2 + .1 * 40 - 20 + .1 * .5 * -35.4 = -15.77. Cell 0: how it goes on after 4 is not known; 2 sees
        // the row of 4 a slot later, 3 + .1 * 50 - 30 + 0 = -22; 0 sees that of 2 two slots later, 1 + .01 * 30 - 10 + .005 * -22.
        let got = two_cells([End::No; 5]);
        assert_known(&got, &[Some(-8.81), Some(-15.77), Some(-22.0), Some(-35.4), None]);
    }

    #[test]
    fn after_a_cut_one_cell_is_known_and_after_a_death_all_are() {
        // Cut after step 2, whose final row (40) is one of cell 1: 1 sees it a slot later, 2 is the last of cell 0.
        let cut = two_cells([End::No, End::No, End::Truncated, End::No, End::No]);
        assert_known(&cut[..3], &[Some(1.0 + 0.01 * 30.0 - 10.0), Some(2.0 + 0.1 * 40.0 - 20.0), None]);
        // Dead after step 2: nothing follows for either cell.
        let dead = two_cells([End::No, End::No, End::Terminated, End::No, End::No]);
        let first = 1.0 + 0.3 - 10.0 + 0.005 * -27.0;
        assert_known(&dead[..3], &[Some(first), Some(2.0 - 20.0), Some(3.0 - 30.0)]);
    }

    #[test]
    fn no_slot_discounts_nothing_even_when_gamma_is_zero() {
        assert_eq!([discount(0.0, 0), discount(0.0, 1), discount(0.9, 0)], [1.0, 0.0, 1.0]);
        assert_abs_diff_eq!(discount(0.5, 3), 0.125);
    }
}
