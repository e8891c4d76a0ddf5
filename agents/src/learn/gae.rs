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
//! # Deviations
//! With `n_t` = 1 throughout this is the textbook. Everything is computed in f64.

use thoughtcache_env::gym::api::End;

/// The discount of one step.
pub fn discount(gamma: f64, slots_elapsed: u32) -> f64 {
    gamma.powi(i32::try_from(slots_elapsed).unwrap_or(i32::MAX))
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
    /// The critic's value of the row before the step.
    pub values: &'a [f64],
    /// The critic's value of the row after the step: the final row where an episode was cut, anything where it terminated.
    pub next_values: &'a [f64],
}

/// The advantage of every step, in the order of the outcomes.
pub fn advantages(outcomes: &Outcomes<'_>, gamma: f64, lambda: f64) -> Vec<f64> {
    let Outcomes { num_lanes, rewards, slots_elapsed, ends, values, next_values } = *outcomes;
    let mut advantages = vec![0.0; rewards.len()];
    for at in (0..rewards.len()).rev() {
        let discount = discount(gamma, slots_elapsed[at]);
        let delta = rewards[at] + discount * ends[at].bootstrap() * next_values[at] - values[at];
        let following = match advantages.get(at + num_lanes) {
            Some(&next) if !ends[at].is_end() => discount * lambda * next,
            _ => 0.0,
        };
        advantages[at] = delta + following;
    }
    advantages
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    /// One lane with the critic 0 everywhere.
    fn returns(rewards: &[f64], slots_elapsed: &[u32], ends: &[End], gamma: f64, lambda: f64) -> Vec<f64> {
        let zeros = vec![0.0; rewards.len()];
        let outcomes =
            Outcomes { num_lanes: 1, rewards, slots_elapsed, ends, values: &zeros, next_values: &zeros };
        advantages(&outcomes, gamma, lambda)
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
                values: &[2.0],
                next_values: &[7.0],
            };
            advantages(&outcomes, 0.1, 0.95)[0]
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
            values: &[10.0; 3],
            next_values: &[10.0; 3],
        };
        let deltas = advantages(&outcomes, 0.9, 0.0);
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
            values: &[0.0; 4],
            next_values: &[0.0; 4],
        };
        let got = advantages(&outcomes, 0.1, 1.0);
        for (got, expected) in got.iter().zip([1.2, 5.6, 2.0, 6.0]) {
            assert_abs_diff_eq!(*got, expected, epsilon = 1e-12);
        }
    }

    #[test]
    fn no_slot_discounts_nothing_even_when_gamma_is_zero() {
        assert_eq!([discount(0.0, 0), discount(0.0, 1), discount(0.9, 0)], [1.0, 0.0, 1.0]);
        assert_abs_diff_eq!(discount(0.5, 3), 0.125);
    }
}
