//! The least cost of one episode for somebody who knows all of it: every run is tried.
//!
//! Models: an episode at fixed coordinates as a tree. A node is a state of the environment, a branch a legal action; what follows is
//! known, because requests do not depend on actions. Branches that cost as much as the best run so far are cut, since no cost is
//! below 0.
//!
//! Cost: the number of actions to the power of the number of decisions. It is meant for a handful of requests: as the truth that
//! bounds are judged by.

use std::sync::Arc;
use thoughtcache_env::counters::Counters;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::Seed;
use thoughtcache_env::scenario::Scenario;

/// The best run of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// Its total cost.
    pub cost: f64,
    /// Its actions.
    pub actions: Vec<ActionId>,
    /// The counts of the run.
    pub counters: Counters,
}

/// Tries every run of the episode at these coordinates; `None` where a run has more than `most_decisions`.
///
/// # Panics
/// When the environment refuses an action that its mask allows.
pub fn optimum(scenario: &Arc<Scenario>, seed: Seed, most_decisions: usize) -> Option<Optimum> {
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    env.reset(seed);
    let best = Optimum { cost: f64::INFINITY, actions: Vec::new(), counters: Counters::default() };
    let mut search = Search { best, most_decisions, is_too_long: false };
    let root = Optimum { cost: 0.0, ..search.best.clone() };
    search.visit(&env, &root);
    (!search.is_too_long).then_some(search.best)
}

struct Search {
    best: Optimum,
    most_decisions: usize,
    is_too_long: bool,
}

impl Search {
    fn visit(&mut self, env: &DecisionEnv, so_far: &Optimum) {
        if so_far.actions.len() == self.most_decisions {
            self.is_too_long = true;
        }
        for (index, _) in env.observation().legal.iter().enumerate().filter(|(_, is_legal)| **is_legal) {
            if self.is_too_long {
                return;
            }
            let (action, mut next) = (ActionId::from_index(index), env.clone());
            let step = next.step(&action).expect("a legal action");
            let mut run = so_far.clone();
            run.cost -= step.reward;
            run.counters += step.info.counters;
            run.actions.push(action);
            if run.cost >= self.best.cost {
                continue;
            }
            if step.end.is_end() {
                self.best = run;
            } else {
                self.visit(&next, &run);
            }
        }
    }
}
