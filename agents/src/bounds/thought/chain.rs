//! A finite Markov decision process over contexts, its least average cost, and the average cost of any rule.
//!
//! Equations, `h` the relative cost to come, `e` the events of a slot, `c` the choices in one:
//! ```text
//! (Lh)(s) = sum_e Pr(e) min_c [ cost(s, e, c) + h(next(s, e, c)) ]        min (Lh - h) <= optimum <= max (Lh - h)
//! ```
//! Each sweep moves `h` half of the way to `Lh`, so that a periodic chain does no harm. The cost of a rule is that of the states that
//! it is in in the long run, from the first state on.
//!
//! Assumption: from every state the optimum is the same, as it is where the first state can be come back to.
//!
//! Reference: Puterman, "Markov Decision Processes", 1994, section 8.5.

use std::collections::BTreeMap;
use std::mem;
use thoughtcache_env::thought::Thought;

/// What is in memory: a context, or nothing.
pub type Contexts = Vec<Option<Thought>>;

/// Bounds of the optimum are at most this share of it apart, unless [`MAX_SWEEPS`] come first.
const TOLERANCE: f64 = 1e-7;
/// A distribution over states is at rest when a step moves so much of it.
const REST: f64 = 1e-9;
const MAX_SWEEPS: u32 = 200_000;
/// The share of the way that a sweep goes.
const DAMPING: f64 = 0.5;

/// A choice: its cost, and the number of the state that follows.
type Choice = (f64, usize);

/// Something that can happen in a slot.
#[derive(Clone, Debug)]
struct Event {
    prob: f64,
    choices: Vec<Choice>,
}

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Chain {
    states: Vec<Contexts>,
    events: Vec<Vec<Event>>,
}

/// A state as a key: the bits of its numbers.
fn key(contexts: &Contexts) -> Vec<Option<[u64; 2]>> {
    let bits = |thought: Thought| [thought.context_tokens, thought.age_tokens].map(f64::to_bits);
    contexts.iter().map(|context| context.map(bits)).collect()
}

impl Chain {
    /// All that can be reached from `start`. `slot` gives the events of a slot: the probability of each, and its choices with their
    /// costs and what they leave. Every state has the same events, and every event a choice.
    pub fn explore(
        start: Contexts,
        mut slot: impl FnMut(&Contexts) -> Vec<(f64, Vec<(f64, Contexts)>)>,
    ) -> Self {
        let mut numbers = BTreeMap::from([(key(&start), 0)]);
        let (mut states, mut events) = (vec![start], Vec::new());
        while let Some(state) = states.get(events.len()) {
            let happens = slot(state);
            let mut number = |contexts: Contexts| {
                *numbers.entry(key(&contexts)).or_insert_with(|| {
                    states.push(contexts);
                    states.len() - 1
                })
            };
            let event = |(prob, choices): (f64, Vec<(f64, Contexts)>)| Event {
                prob,
                choices: choices.into_iter().map(|(cost, next)| (cost, number(next))).collect(),
            };
            events.push(happens.into_iter().map(event).collect());
        }
        Self { states, events }
    }

    /// How many states there are.
    pub fn num_states(&self) -> usize {
        self.states.len()
    }

    /// Bounds of the least average cost per slot: no policy costs less than the first, and some policy at most the second.
    pub fn optimum(&self) -> [f64; 2] {
        let (mut values, mut after) = (vec![0.0; self.states.len()], vec![0.0; self.states.len()]);
        let [mut lower, mut upper] = [f64::NEG_INFINITY, f64::INFINITY];
        for _ in 0..MAX_SWEEPS {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for ((events, after), value) in self.events.iter().zip(&mut after).zip(&values) {
                let best = |event: &Event| {
                    let costs = event.choices.iter().map(|&(cost, next)| cost + values[next]);
                    event.prob * costs.fold(f64::INFINITY, f64::min)
                };
                let change = events.iter().map(best).sum::<f64>() - value;
                (low, high) = (low.min(change), high.max(change));
                *after = value + DAMPING * change;
            }
            (lower, upper) = (lower.max(low), upper.min(high));
            if upper - lower <= TOLERANCE * upper.abs() {
                break;
            }
            let origin = after[0];
            for value in &mut after {
                *value -= origin;
            }
            mem::swap(&mut values, &mut after);
        }
        [lower, upper]
    }

    /// The average cost per slot of a rule, from the first state on. `rule` gives the probability of each choice by the state and the
    /// number of the event.
    pub fn cost_of(&self, mut rule: impl FnMut(&Contexts, usize) -> Vec<f64>) -> f64 {
        let mut costs = Vec::with_capacity(self.states.len());
        let mut moves = Vec::with_capacity(self.states.len());
        for (state, events) in self.states.iter().zip(&self.events) {
            let (mut cost, mut next) = (0.0, Vec::new());
            for (number, event) in events.iter().enumerate() {
                for (&(price, to), share) in event.choices.iter().zip(rule(state, number)) {
                    if share > 0.0 {
                        cost += event.prob * share * price;
                        next.push((to, event.prob * share));
                    }
                }
            }
            costs.push(cost);
            moves.push(next);
        }
        let mut now = vec![0.0; self.states.len()];
        now[0] = 1.0;
        for _ in 0..MAX_SWEEPS {
            let mut later: Vec<f64> = now.iter().map(|share| (1.0 - DAMPING) * share).collect();
            for (share, moves) in now.iter().zip(&moves).filter(|(share, _)| **share > 0.0) {
                for &(to, prob) in moves {
                    later[to] += DAMPING * share * prob;
                }
            }
            let change: f64 = now.iter().zip(&later).map(|(now, later)| (now - later).abs()).sum();
            now = later;
            if change <= REST {
                break;
            }
        }
        now.iter().zip(&costs).map(|(share, cost)| share * cost).sum()
    }
}
