//! The probe worlds: each is as small as the one fault that it shows.
//!
//! Every action value in [`Answer`] is exact, and a test beside this file derives it a second time by value iteration.

use super::table::{Outcome, TableState, TableWorld};
use thoughtcache_env::gym::api::End;

/// Which learners a probe can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Every learner: states that look alike have equal values.
    Everyone,
    /// Learners of action values only: two states look alike and differ in their masks, which a state value cannot see.
    ActionValues,
}

/// The exact values of one state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// What the learner sees.
    pub(crate) row: Vec<f32>,
    /// The value of each action, `None` where it is illegal.
    pub(crate) action_values: Vec<Option<f64>>,
}

impl Answer {
    /// The mask of the state.
    pub(crate) fn legal(&self) -> Vec<bool> {
        self.action_values.iter().map(Option::is_some).collect()
    }

    /// The value of the state under the best policy.
    pub(crate) fn state_value(&self) -> f64 {
        self.action_values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether an action is legal and no other is better.
    pub(crate) fn is_best(&self, action: usize) -> bool {
        self.action_values.get(action).copied().flatten().is_some_and(|value| value >= self.state_value())
    }
}

/// A probe world with everything needed to judge a learner on it.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The name of the world.
    pub(crate) name: &'static str,
    /// What is wrong with a learner that fails here and passes the probes before.
    pub(crate) fault: &'static str,
    /// The discount per slot at which the answers hold.
    pub(crate) gamma: f64,
    /// Who can be judged.
    pub(crate) audience: Audience,
    /// What must be learnt.
    pub(crate) answers: Vec<Answer>,
    world: TableWorld,
}

impl Probe {
    /// A copy of the world.
    pub(crate) fn env(&self) -> TableWorld {
        self.world.clone()
    }
}

/// All probes, the simplest first.
pub(crate) fn probe_registry() -> Vec<Probe> {
    vec![
        constant_value(),
        observed_value(),
        discount_over_slots(0),
        discount_over_slots(1),
        discount_over_slots(3),
        rewarded_action(),
        echo(),
        termination(),
        truncation(),
        final_row(),
        illegal_action(),
        illegal_next_action(),
    ]
}

/// One state, one action, reward 1, the end. The value is 1.
///
/// Fails when the loss, the optimiser or the sign of the reward is wrong: nothing else is involved.
pub(crate) fn constant_value() -> Probe {
    let fault = "the value loss or the optimiser";
    probe("constant-value", fault, &[0], vec![state(&[0.0], &[(1.0, stop(1.0))])])
}

/// One step whose reward is the observation, -1 or +1. The values are -1 and +1.
///
/// Fails when rows and targets are paired wrongly, or when the row does not reach the network.
pub(crate) fn observed_value() -> Probe {
    let states = [-1.0_f32, 1.0].map(|sign| state(&[sign], &[(f64::from(sign), stop(f64::from(sign)))]));
    probe("observed-value", "the way of the row through the network", &[0, 1], states.to_vec())
}

/// Two steps: the first pays nothing and takes `slots_elapsed` slots, the second pays 1. With gamma 0.5 the values are
/// `0.5 ^ slots_elapsed` (1, 0.5 and 0.125 for 0, 1 and 3 slots) and 1.
///
/// Fails when the discount is per step (0.5 for each of them), or when the bootstrap is missing.
///
/// # Panics
/// For other numbers than 0, 1 and 3, the ones that have a name.
pub(crate) fn discount_over_slots(slots_elapsed: u32) -> Probe {
    let (name, value) = match slots_elapsed {
        0 => ("discount-over-0-slots", 1.0),
        1 => ("discount-over-1-slot", 0.5),
        3 => ("discount-over-3-slots", 0.125),
        other => panic!("the probe has 0, 1 or 3 slots, not {other}"),
    };
    let first = Outcome { slots_elapsed, ..go(0.0, 1) };
    let states = vec![state(&[0.0], &[(value, first)]), state(&[1.0], &[(1.0, stop(1.0))])];
    Probe { gamma: 0.5, ..probe(name, "the discount gamma ^ slots_elapsed, or the bootstrap", &[0], states) }
}

/// One step; action 0 pays -1, action 1 pays +1. The action values are -1 and +1, the best action is 1.
///
/// Fails when the advantage has the wrong sign, or when values and actions are paired wrongly.
pub(crate) fn rewarded_action() -> Probe {
    let states = vec![state(&[0.0], &[-1.0, 1.0].map(|pay| (pay, stop(pay))))];
    probe("rewarded-action", "the policy loss, or the choice of the action's value", &[0], states)
}

/// Echo: one step that pays +1 when the action is the observed one of three symbols, else -1.
///
/// Fails when the policy is the same for all rows, or when lanes get each other's actions.
pub(crate) fn echo() -> Probe {
    let echoed = |symbol: usize| {
        let row = [0, 1, 2].map(|entry| f32::from(u8::from(entry == symbol)));
        let pays = [0, 1, 2].map(|action| if action == symbol { 1.0 } else { -1.0 });
        state(&row, &pays.map(|pay| (pay, stop(pay))))
    };
    let fault = "rows, actions and rewards that belong to different decisions";
    probe("echo", fault, &[0, 1, 2], (0..3).map(echoed).collect())
}

/// Two steps that pay 1 each, then the world is over; the final row looks like the first. With gamma 0.9 the values are
/// 1.9 and 1.
///
/// Fails (towards 10) when a terminated episode is bootstrapped.
pub(crate) fn termination() -> Probe {
    let states = vec![state(&[-1.0], &[(1.9, go(1.0, 1))]), state(&[1.0], &[(1.0, stop(1.0))])];
    probe("termination", "a bootstrap beyond the end of the world", &[0], states)
}

/// A loop that pays 1 a slot, cut by a clock after 10 steps that the row does not show. With gamma 0.9 the value is 10.
///
/// Fails when truncation is treated as death: every tenth step would have no future, and one-step targets would settle at
/// `1 / (1 - 0.9 * 0.9) = 5.26`; the return from the start would be `10 (1 - 0.9^10) = 6.51`.
pub(crate) fn truncation() -> Probe {
    let position =
        |next: usize| state(&[0.0], &[(10.0, if next == 0 { cut(1.0, 0) } else { go(1.0, next) })]);
    let states = (1..=10).map(|next| position(next % 10)).collect();
    probe("truncation", "truncation treated as termination", &[0], states)
}

/// Episodes begin in A or B and are cut after one step, which takes a slot. B pays 1 and stays B, so it is worth 10 with
/// gamma 0.9; A pays nothing and leads to B, so it is worth 9.
///
/// Fails when the bootstrap takes the first row of the next episode for the final row of this one: A would be worth
/// 0.9 times the average of A and B, that is less than 8.2.
pub(crate) fn final_row() -> Probe {
    let states = vec![state(&[0.0], &[(9.0, cut(0.0, 1))]), state(&[1.0], &[(10.0, cut(1.0, 1))])];
    probe("final-row", "a bootstrap from the row after the reset instead of the final row", &[0, 1], states)
}

/// One step. In the first state action 2 is the best (it pays +1, the others -1 and 0); in the second it is illegal and
/// action 1 is the best (0). The illegal action would pay +10, but the world refuses it with an error.
///
/// Fails (with the world's error) when acting ignores the mask, in exploration or in the greedy choice.
pub(crate) fn illegal_action() -> Probe {
    let first = state(&[0.0], &[-1.0, 0.0, 1.0].map(|pay| (pay, stop(pay))));
    let second = last_illegal(&[1.0], &[-1.0, 0.0].map(|pay| (pay, stop(pay))));
    probe("illegal-action", "acting without the mask", &[0, 1], vec![first, second])
}

/// In the first state action 0 leads, one slot later, to a state where only action 0 is legal (pays 1, the end), and
/// action 1 pays 3 at once. A third state looks exactly like the second, but there action 1 is legal and pays 10: so every
/// learner of action values knows a true 10 for an action that the second state forbids. With gamma 0.9 the first state's
/// values are 0.9 and 3.
///
/// Fails when the target's maximum forgets the next mask: the first value becomes 9, and action 0 seems the best.
pub(crate) fn illegal_next_action() -> Probe {
    let states = vec![
        state(&[-1.0], &[(0.9, go(0.0, 1)), (3.0, stop(3.0))]),
        last_illegal(&[1.0], &[(1.0, stop(1.0))]),
        state(&[1.0], &[(1.0, stop(1.0)), (10.0, stop(10.0))]),
    ];
    let fault = "a target whose maximum ranges over illegal actions";
    Probe { audience: Audience::ActionValues, ..probe("illegal-next-action", fault, &[0, 2], states) }
}

/// A state of the table, and its exact values.
type Solved = (TableState, Answer);

/// A probe for everyone, with gamma 0.9: its states with their values, and those in which episodes begin.
fn probe(name: &'static str, fault: &'static str, starts: &[usize], solved: Vec<Solved>) -> Probe {
    let (states, mut answers): (Vec<TableState>, Vec<Answer>) = solved.into_iter().unzip();
    answers.dedup();
    let world = TableWorld::new(&format!("probe-{name}"), states, starts.to_vec());
    Probe { name, fault, gamma: 0.9, audience: Audience::Everyone, answers, world }
}

/// A state in which every action is legal: what each is worth and what it does.
fn state(row: &[f32], actions: &[(f64, Outcome)]) -> Solved {
    let (action_values, outcomes) = actions.iter().map(|&(value, does)| (Some(value), Some(does))).unzip();
    (TableState { row: row.to_vec(), outcomes }, Answer { row: row.to_vec(), action_values })
}

/// A state in which every action but the last is legal.
fn last_illegal(row: &[f32], actions: &[(f64, Outcome)]) -> Solved {
    let (mut state, mut answer) = state(row, actions);
    state.outcomes.push(None);
    answer.action_values.push(None);
    (state, answer)
}

/// A slot passes, and the episode goes on in state `next`.
fn go(reward: f64, next: usize) -> Outcome {
    Outcome { reward, slots_elapsed: 1, end: End::No, next }
}

/// A slot passes, and a clock cuts the episode in state `next`.
fn cut(reward: f64, next: usize) -> Outcome {
    Outcome { reward, slots_elapsed: 1, end: End::Truncated, next }
}

/// A slot passes, and the world is over; the final row is that of state 0.
fn stop(reward: f64) -> Outcome {
    Outcome { reward, slots_elapsed: 1, end: End::Terminated, next: 0 }
}

#[cfg(test)]
mod tests;
