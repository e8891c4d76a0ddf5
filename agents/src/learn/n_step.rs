//! n-step transitions out of single steps.
//!
//! With rewards `r_k` and elapsed slots `n_k`, the transition that begins at decision t and is closed h decisions later says
//! ```text
//! reward   = r_t + gamma^n_t r_(t+1) + gamma^(n_t + n_(t+1)) r_(t+2) + ...        h terms
//! discount = gamma^(n_t + ... + n_(t+h-1)) * bootstrap
//! ```
//! so that `reward + discount * (best value of the row h decisions later)` is its target. `h` is `n_steps`, or less where the
//! episode ends before: then all open transitions are closed with the final row, and bootstrap is 0 if the world
//! terminated, 1 if a clock cut the episode. No reward of the next episode ever enters.

use super::gae::discount;
use super::replay::Transition;
use super::state::{StateDict, StateError};
use thoughtcache_env::gym::api::End;

/// What followed one decision of one lane.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The row in which the decision was taken.
    pub row: &'a [f32],
    /// The action taken.
    pub action: u32,
    /// Its reward, as the learner sees it.
    pub reward: f64,
    /// The slots that passed.
    pub slots_elapsed: u32,
    /// Whether the episode ended with it.
    pub end: End,
    /// The row that followed: after an end the final row of the episode, never the first of the next.
    pub next_row: &'a [f32],
    /// The legal actions of that row.
    pub next_legal: &'a [bool],
}

/// A transition that is not yet closed.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    action: u32,
    reward: f64,
    discount: f64,
}

/// The open transitions of one lane.
#[derive(Clone, Debug)]
pub struct NStep {
    gamma: f64,
    num_entries: usize,
    /// A ring of at most `n_steps` open transitions; the oldest stands at `first`.
    open: Vec<Open>,
    rows: Vec<f32>,
    first: usize,
    len: usize,
}

impl NStep {
    /// No open transition; `n_steps` at least 1, `gamma` per slot.
    ///
    /// # Panics
    /// When `n_steps` is 0.
    pub fn new(n_steps: usize, gamma: f64, num_entries: usize) -> Self {
        assert!(n_steps > 0, "a transition spans at least one step");
        let open = vec![Open::default(); n_steps];
        Self { gamma, num_entries, open, rows: vec![0.0; n_steps * num_entries], first: 0, len: 0 }
    }

    /// Adds a step, and hands every transition that it closes to `closed`, the oldest first.
    pub fn push(&mut self, outcome: &Outcome<'_>, mut closed: impl FnMut(&Transition<'_>)) {
        let n_steps = self.open.len();
        let newest = (self.first + self.len) % n_steps;
        self.open[newest] = Open { action: outcome.action, reward: 0.0, discount: 1.0 };
        self.rows[newest * self.num_entries..][..self.num_entries].copy_from_slice(outcome.row);
        self.len += 1;
        let discount = discount(self.gamma, outcome.slots_elapsed);
        for back in 0..self.len {
            let open = &mut self.open[(self.first + back) % n_steps];
            open.reward += open.discount * outcome.reward;
            open.discount *= discount;
        }
        while self.len == n_steps || (outcome.end.is_end() && self.len > 0) {
            let Open { action, reward, discount } = self.open[self.first];
            closed(&Transition {
                row: &self.rows[self.first * self.num_entries..][..self.num_entries],
                action,
                reward: reward as f32,
                discount: (discount * outcome.end.bootstrap()) as f32,
                next_row: outcome.next_row,
                next_legal: outcome.next_legal,
            });
            self.first = (self.first + 1) % n_steps;
            self.len -= 1;
        }
    }
}

/// Returns the open transitions of all lanes, the oldest of each first.
pub fn save(lanes: &[NStep]) -> StateDict {
    let lens: Vec<u64> = lanes.iter().map(|lane| lane.len as u64).collect();
    let (mut actions, mut rewards, mut discounts, mut rows) = (vec![], vec![], vec![], vec![]);
    for lane in lanes {
        for back in 0..lane.len {
            let at = (lane.first + back) % lane.open.len();
            let Open { action, reward, discount } = lane.open[at];
            actions.push(action);
            rewards.push(reward);
            discounts.push(discount);
            rows.extend_from_slice(&lane.rows[at * lane.num_entries..][..lane.num_entries]);
        }
    }
    let entries = lanes.first().map_or(0, |lane| lane.num_entries);
    let mut state = StateDict::default();
    state.put_list("lens", &lens);
    state.put_list("actions", &actions);
    state.put_list("rewards", &rewards);
    state.put_list("discounts", &discounts);
    state.put("rows", &[actions.len(), entries], &rows);
    state
}

/// Goes on from what [`save`] gave; `num_actions` bounds the actions.
///
/// # Errors
/// When it is not what these lanes can have left open.
pub fn load(lanes: &mut [NStep], mut state: StateDict, num_actions: usize) -> Result<(), StateError> {
    let lens: Vec<u64> = state.take("lens", &[lanes.len()])?;
    let mut total = 0;
    for (number, (lane, &len)) in lanes.iter().zip(&lens).enumerate() {
        let most = lane.open.len() - 1;
        if len > most as u64 {
            let reason = format!("has {len} open transitions of lane {number}, where at most {most} can be");
            return Err(state.refuse("lens", &reason));
        }
        total += len as usize;
    }
    let entries = lanes.first().map_or(0, |lane| lane.num_entries);
    let actions: Vec<u32> = state.take("actions", &[total])?;
    state.check_actions(&actions, num_actions)?;
    let rewards: Vec<f64> = state.take_finite("rewards", &[total])?;
    let discounts: Vec<f64> = state.take_finite("discounts", &[total])?;
    let rows: Vec<f32> = state.take_finite("rows", &[total, entries])?;
    state.finish()?;
    let mut at = 0;
    for (lane, len) in lanes.iter_mut().zip(lens) {
        (lane.first, lane.len) = (0, len as usize);
        for slot in 0..lane.len {
            let (action, reward, discount) = (actions[at], rewards[at], discounts[at]);
            lane.open[slot] = Open { action, reward, discount };
            lane.rows[slot * entries..][..entries].copy_from_slice(&rows[at * entries..][..entries]);
            at += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row, reward, discount, next row of each closed transition.
    type Closed = Vec<(f32, f32, f32, f32)>;

    /// Plays steps from row 1 on: rewards 1, 2, 3, ... over these slots with these ends; the final row of an ended step is
    /// 100 more than the next row would be.
    fn play(n_steps: usize, steps: &[(u32, End)]) -> Closed {
        let mut n_step = NStep::new(n_steps, 0.1, 1);
        let mut closed = Vec::new();
        for (at, &(slots_elapsed, end)) in steps.iter().enumerate() {
            let now = 1.0 + at as f32;
            let next_row = [now + if end.is_end() { 101.0 } else { 1.0 }];
            let outcome = Outcome {
                row: &[now],
                action: at as u32,
                reward: f64::from(now),
                slots_elapsed,
                end,
                next_row: &next_row,
                next_legal: &[true],
            };
            n_step.push(&outcome, |transition| {
                assert_eq!(
                    transition.action as f32 + 1.0,
                    transition.row[0],
                    "row and action belong together"
                );
                closed.push((
                    transition.row[0],
                    transition.reward,
                    transition.discount,
                    transition.next_row[0],
                ));
            });
        }
        closed
    }

    fn assert_close(got: &Closed, expected: &Closed) {
        assert_eq!(got.len(), expected.len(), "{got:?}");
        for (got, expected) in got.iter().zip(expected) {
            assert_eq!((got.0, got.3), (expected.0, expected.3), "{got:?}");
            approx::assert_relative_eq!(got.1, expected.1, max_relative = 1e-6);
            approx::assert_relative_eq!(got.2, expected.2, max_relative = 1e-6);
        }
    }

    #[test]
    fn the_digits_spell_the_rewards() {
        // gamma 0.1, rewards 1 2 3 4 over 0, 0, 1, 3 slots, four steps: 1 + 2 + 3 + 0.4 = 6.4, discount 0.1^4.
        // A discount per step would give 1.234.
        let elapsed = [(0, End::No), (0, End::No), (1, End::No), (3, End::No)];
        assert_close(&play(4, &elapsed), &vec![(1.0, 6.4, 1e-4, 5.0)]);
        // One slot a step spells 1.23, 2.34, 3.45.
        let steady = [(1, End::No); 5];
        let expected = vec![(1.0, 1.23, 1e-3, 4.0), (2.0, 2.34, 1e-3, 5.0), (3.0, 3.45, 1e-3, 6.0)];
        assert_close(&play(3, &steady), &expected);
    }

    #[test]
    fn one_step_transitions_are_the_steps_themselves() {
        let expected = vec![(1.0, 1.0, 1.0, 2.0), (2.0, 2.0, 0.1, 3.0), (3.0, 3.0, 1e-3, 4.0)];
        assert_close(&play(1, &[(0, End::No), (1, End::No), (3, End::No)]), &expected);
    }

    #[test]
    fn an_end_closes_all_tails_and_only_truncation_keeps_the_bootstrap() {
        for (end, bootstrap) in [(End::Terminated, 0.0), (End::Truncated, 1.0)] {
            // Two steps of one slot, then the end, then a new episode of two steps: nothing crosses.
            let steps = [(1, End::No), (1, end), (1, End::No), (2, end)];
            let expected = vec![
                (1.0, 1.2, 0.01 * bootstrap, 103.0),
                (2.0, 2.0, 0.1 * bootstrap, 103.0),
                (3.0, 3.4, 1e-3 * bootstrap, 105.0),
                (4.0, 4.0, 0.01 * bootstrap, 105.0),
            ];
            assert_close(&play(3, &steps), &expected);
        }
    }

    #[test]
    fn an_end_that_comes_with_the_last_step_of_a_full_window_closes_each_transition_once() {
        let steps = [(1, End::No), (1, End::No), (1, End::Terminated)];
        let expected = vec![(1.0, 1.23, 0.0, 104.0), (2.0, 2.3, 0.0, 104.0), (3.0, 3.0, 0.0, 104.0)];
        assert_close(&play(3, &steps), &expected);
        assert_close(
            &play(2, &steps),
            &vec![(1.0, 1.2, 0.01, 3.0), (2.0, 2.3, 0.0, 104.0), (3.0, 3.0, 0.0, 104.0)],
        );
    }

    #[test]
    fn a_discount_of_nothing_still_counts_steps_of_the_same_slot() {
        // gamma 0: 0^0 = 1 within a slot, 0 beyond.
        let mut n_step = NStep::new(3, 0.0, 1);
        let mut rewards = Vec::new();
        for (reward, slots_elapsed) in [(1.0, 0), (2.0, 1), (4.0, 1)] {
            let outcome = Outcome {
                row: &[0.0],
                action: 0,
                reward,
                slots_elapsed,
                end: End::No,
                next_row: &[0.0],
                next_legal: &[true],
            };
            n_step.push(&outcome, |transition| rewards.push((transition.reward, transition.discount)));
        }
        assert_eq!(rewards, [(3.0, 0.0)]);
    }
}
