//! Value iteration on the table of a tiny world, and the long-run cost of any rule that decides by the situation alone.

use super::table::{ExactMdp, Next, Situation};
use thiserror::Error;

/// The most sweeps over all situations.
const MAX_SWEEPS: u64 = 1_000_000;
/// How far a damped sweep of relative value iteration moves.
const DAMPING: f64 = 0.5;
/// The most states between slots for which the cost of a rule is worked out: their matrix is squared again and again.
const MAX_CHAIN: usize = 500;
/// After so many doublings of the time span nothing changes any more.
const MAX_DOUBLINGS: u32 = 60;

/// One decision for every situation and phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Position among the choices of a node, by node and phase.
    pub(super) choice: Vec<usize>,
}

/// The discounted optimum.
#[derive(Clone, Debug, PartialEq)]
pub struct Discounted {
    /// The least expected cost from an empty memory on, before the first request is drawn, each phase as likely as the others.
    pub value: f64,
    /// The cost by the phase of the first slot.
    pub by_phase: Vec<f64>,
    /// How far the values can be from the exact ones.
    pub error_bound: f64,
    /// The plan that attains it.
    pub plan: Plan,
}

/// The optimum of the average cost per slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    /// No policy costs less per slot in the long run.
    pub lower: f64,
    /// The plan costs no more.
    pub upper: f64,
    /// The plan that attains it.
    pub plan: Plan,
}

impl Average {
    /// The middle of the bounds.
    pub fn cost(&self) -> f64 {
        f64::midpoint(self.lower, self.upper)
    }
}

/// Why there is no solution: what was asked for, and what is possible.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SolveError(String);

impl SolveError {
    fn not_converged(lower: f64, upper: f64, tolerance: f64) -> Self {
        Self(format!(
            "after {MAX_SWEEPS} sweeps the optimum lies between {lower} and {upper}, further apart than {tolerance}"
        ))
    }
}

/// The least and the greatest of `after - before`.
fn span(before: &[f64], after: &[f64]) -> (f64, f64) {
    let changes = before.iter().zip(after).map(|(before, after)| after - before);
    changes
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), change| (low.min(change), high.max(change)))
}

impl ExactMdp {
    /// The least expected discounted cost; `gamma` per slot, `error_bound` at most `tolerance`.
    ///
    /// # Errors
    /// [`SolveError`]: `gamma` is not below 1, or the tolerance is finer than rounding allows.
    pub fn discounted(&self, gamma: f64, tolerance: f64) -> Result<Discounted, SolveError> {
        if !(0.0..1.0).contains(&gamma) {
            return Err(SolveError(format!("gamma = {gamma}: a number from 0 to 1, below 1")));
        }
        let mut sweep = Sweep::new(self);
        let mut values = vec![0.0; self.sets.len() * self.num_phases()];
        let (mut lower, mut upper) = (0.0, f64::INFINITY);
        for _ in 0..MAX_SWEEPS {
            let (low, high) = span(&values, sweep.run(&values, gamma));
            values.copy_from_slice(&sweep.after);
            // Bounds of MacQueen and Porteus: the fixed point lies between these two shifts of the present values.
            let shift = |change: f64| gamma / (1.0 - gamma) * change;
            let error_bound = (shift(high) - shift(low)) / 2.0;
            (lower, upper) = (values[0] + shift(low), values[0] + shift(high));
            if error_bound <= tolerance {
                let middle = f64::midpoint(shift(low), shift(high));
                let by_phase: Vec<f64> = values[..self.num_phases()].iter().map(|w| w + middle).collect();
                let value = by_phase.iter().sum::<f64>() / by_phase.len() as f64;
                return Ok(Discounted { value, by_phase, error_bound, plan: sweep.plan() });
            }
        }
        Err(SolveError::not_converged(lower, upper, tolerance))
    }

    /// The least average cost per slot; `upper - lower` at most `tolerance`.
    ///
    /// # Errors
    /// [`SolveError`]: the tolerance is finer than rounding allows.
    pub fn average(&self, tolerance: f64) -> Result<Average, SolveError> {
        let mut sweep = Sweep::new(self);
        let mut values = vec![0.0; self.sets.len() * self.num_phases()];
        let (mut lower, mut upper) = (0.0, f64::INFINITY);
        for _ in 0..MAX_SWEEPS {
            let (low, high) = span(&values, sweep.run(&values, 1.0));
            (lower, upper) = (low.max(lower), high.min(upper));
            if high - low <= tolerance {
                return Ok(Average { lower: low, upper: high, plan: sweep.plan() });
            }
            for (value, after) in values.iter_mut().zip(&sweep.after) {
                *value += DAMPING * (after - *value);
            }
            let origin = values[0];
            for value in &mut values {
                *value -= origin;
            }
        }
        Err(SolveError::not_converged(lower, upper, tolerance))
    }

    /// The plan of a rule that decides by the situation alone; `choose` gives a position among the choices.
    ///
    /// # Panics
    /// When there is no such position.
    pub fn plan(&self, mut choose: impl FnMut(&Situation<'_>) -> usize) -> Plan {
        let mut position = |situation: Situation<'_>| {
            let (position, choices) = (choose(&situation), situation.choices.len());
            assert!(position < choices, "{position} is no position among {choices} choices");
            position
        };
        Plan { choice: self.situations().map(&mut position).collect() }
    }

    /// What a plan costs per slot in the long run, from an empty memory on, each phase of the first slot as likely as the
    /// others. Exact but for rounding, also where the plan settles in one of several ways.
    ///
    /// ```text
    /// mean over 2 n slots = (mean over n slots + P^n * mean over n slots) / 2,      n = 1, 2, 4, 8 ...
    /// ```
    /// # Errors
    /// [`SolveError`]: there are too many pairs of resident set and phase.
    pub fn average_cost_of(&self, plan: &Plan) -> Result<f64, SolveError> {
        let (phases, states) = (self.num_phases(), self.sets.len() * self.num_phases());
        if states > MAX_CHAIN {
            return Err(SolveError(format!(
                "the cost of a rule is worked out for at most {MAX_CHAIN} pairs of resident set and phase; there are {states}"
            )));
        }
        let (mut matrix, mut mean) = (vec![0.0; states * states], vec![0.0; states]);
        for state in 0..states {
            let (set, phase) = (state / phases, state % phases);
            for (first, &probability) in self.first[set].iter().zip(self.model.popularity(phase)) {
                let Some(first) = *first else { continue };
                let (cost, next) = self.follow(plan, first, phase);
                mean[state] += probability * cost;
                for to in 0..phases {
                    matrix[state * states + next * phases + to] +=
                        probability * self.model.transition_prob(phase, to);
                }
            }
        }
        for _ in 0..MAX_DOUBLINGS {
            let later = matrix.chunks_exact(states).map(|row| dot(row, &mean));
            let twice: Vec<f64> = later.zip(&mean).map(|(later, now)| f64::midpoint(later, *now)).collect();
            let (low, high) = span(&mean, &twice);
            mean = twice;
            if low == 0.0 && high == 0.0 {
                break;
            }
            matrix = squared(&matrix, states);
        }
        Ok(mean[..phases].iter().sum::<f64>() / phases as f64)
    }

    /// What a plan pays in the slot that begins at this node, and the set that it leaves.
    fn follow(&self, plan: &Plan, mut node: usize, phase: usize) -> (f64, usize) {
        let mut cost = 0.0;
        loop {
            let choice = self.nodes[node].choices[plan.choice[node * self.num_phases() + phase]];
            cost += choice.cost;
            match choice.next {
                Next::SameSlot(next) => node = next,
                Next::NextSlot(set) => return (cost, set),
            }
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The square of a stochastic matrix, whose rows sum to 1 again.
fn squared(matrix: &[f64], states: usize) -> Vec<f64> {
    let mut square = vec![0.0; states * states];
    for (row, out) in matrix.chunks_exact(states).zip(square.chunks_exact_mut(states)) {
        for (&weight, from) in row.iter().zip(matrix.chunks_exact(states)) {
            if weight > 0.0 {
                for (out, from) in out.iter_mut().zip(from) {
                    *out += weight * from;
                }
            }
        }
        let sum: f64 = out.iter().sum();
        for out in out {
            *out /= sum;
        }
    }
    square
}

/// The memory of one application of the optimality equations.
struct Sweep<'a> {
    mdp: &'a ExactMdp,
    /// What is to come after a slot, by set and phase.
    expected: Vec<f64>,
    /// The value of each node, by node and phase.
    within: Vec<f64>,
    choice: Vec<usize>,
    after: Vec<f64>,
}

impl<'a> Sweep<'a> {
    fn new(mdp: &'a ExactMdp) -> Self {
        let (between, within) = (mdp.sets.len() * mdp.num_phases(), mdp.nodes.len() * mdp.num_phases());
        Self {
            mdp,
            expected: vec![0.0; between],
            within: vec![0.0; within],
            choice: vec![0; within],
            after: vec![0.0; between],
        }
    }

    /// Applies the equations to the values between slots.
    fn run(&mut self, values: &[f64], gamma: f64) -> &[f64] {
        let Self { mdp, expected, within, choice, after } = self;
        let phases = mdp.num_phases();
        for (expected, values) in expected.chunks_exact_mut(phases).zip(values.chunks_exact(phases)) {
            for (phase, expected) in expected.iter_mut().enumerate() {
                let next = values.iter().enumerate().map(|(to, w)| mdp.model.transition_prob(phase, to) * w);
                *expected = gamma * next.sum::<f64>();
            }
        }
        // What follows a node within its slot stands before it.
        for (number, node) in mdp.nodes.iter().enumerate() {
            for phase in 0..phases {
                let (mut best, mut position) = (f64::INFINITY, 0);
                for (at, of) in node.choices.iter().enumerate() {
                    let to_come = match of.next {
                        Next::SameSlot(next) => within[next * phases + phase],
                        Next::NextSlot(set) => expected[set * phases + phase],
                    };
                    if of.cost + to_come < best {
                        (best, position) = (of.cost + to_come, at);
                    }
                }
                within[number * phases + phase] = best;
                choice[number * phases + phase] = position;
            }
        }
        for (first, after) in mdp.first.iter().zip(after.chunks_exact_mut(phases)) {
            for (phase, after) in after.iter_mut().enumerate() {
                let requests = first.iter().zip(mdp.model.popularity(phase));
                *after = requests
                    .map(|(node, probability)| {
                        node.map_or(0.0, |node| probability * within[node * phases + phase])
                    })
                    .sum();
            }
        }
        &self.after
    }

    /// The best decisions of the last run.
    fn plan(&self) -> Plan {
        Plan { choice: self.choice.clone() }
    }
}
