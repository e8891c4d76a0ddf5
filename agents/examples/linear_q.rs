//! A learner of one's own: linear Q-learning against a vector environment, without libtorch. Trains on `tight` in seconds
//! and is cheaper than every rule of the registry.
//!
//! ```text
//! cargo run --release -p thoughtcache-agents --no-default-features --example linear_q
//! ```
//!
//! The value of an action is a weighted sum of the entries of a row. Each step moves the weights of the action taken towards
//! `reward + gamma^slots * max over legal actions of the next row`, by a share of the error (normalised least squares).
#![allow(clippy::print_stdout, reason = "an example shows what came of it")]

use std::error::Error;
use std::sync::Arc;
use thoughtcache_agents::heuristics::registry;
use thoughtcache_agents::net_policy::best_legal;
use thoughtcache_agents::rand::RngExt;
use thoughtcache_agents::{Comparison, Contender, Hooks, Policy, PolicyKind, Prepared, Protocol, evaluate};
use thoughtcache_env::gym::api::{ActionId, Rows};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;

const LANES: usize = 16;
const GAMMA: f32 = 0.9;
/// Share of the error that a step corrects at the beginning; it falls to 0 with the budget.
const STEP_SIZE: f32 = 1.0;
/// Share of random actions at the beginning; it falls to 0 with the budget.
const EXPLORATION: f64 = 0.3;

/// One weight for each action and entry, and one for each action alone.
#[derive(Clone)]
struct LinearQ {
    weights: Vec<Vec<f32>>,
}

impl LinearQ {
    fn values(&self, row: &[f32]) -> Vec<f32> {
        let value = |weights: &Vec<f32>| {
            weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>() + weights[row.len()]
        };
        self.weights.iter().map(value).collect()
    }

    fn best(&self, row: &[f32], legal: &[bool]) -> usize {
        best_legal(&self.values(row), legal).expect("at least one action is legal")
    }

    fn learn(&mut self, row: &[f32], action: usize, target: f32, step_size: f32) {
        let error = target - self.values(row)[action];
        let length = 1.0 + row.iter().map(|x| x * x).sum::<f32>();
        let change = step_size * error / length;
        let weights = &mut self.weights[action];
        weights.iter_mut().zip(row.iter().chain([&1.0])).for_each(|(w, x)| *w += change * x);
    }
}

impl Policy<DecisionEnv> for LinearQ {
    fn name(&self) -> &'static str {
        "linear-q"
    }

    fn act(&mut self, seen: &DecisionObservation, _: &mut SimRng) -> ActionId {
        let mut row = vec![0.0; self.weights[0].len() - 1];
        let mut legal = vec![false; self.weights.len()];
        seen.encode(&mut row);
        seen.mask(&mut legal);
        ActionId::from_index(self.best(&row, &legal))
    }
}

fn train(scenario: &Arc<Scenario>, steps: u32) -> Result<LinearQ, Box<dyn Error>> {
    let seed = Seed::new(Purpose::Train, 1);
    let mut rng = seed.stream(Stream::Policy);
    let mut envs = VecEnv::new(vec![DecisionEnv::new(Arc::clone(scenario)); LANES], seed);
    let mut now = StepBuffers::new(LANES, envs.spec());
    let weights = vec![vec![0.0; envs.spec().num_entries() + 1]; envs.spec().num_actions()];
    let mut learner = LinearQ { weights };
    let rows = now.rows();
    envs.observe_into(rows.observations, rows.masks)?;
    for step in 0..steps {
        let left = 1.0 - f64::from(step) / f64::from(steps);
        let before = now.observations.clone();
        let mut actions = [ActionId(0); LANES];
        for (lane, action) in actions.iter_mut().enumerate() {
            let legal = now.masks.row(lane).to_vec();
            let random: Vec<usize> = (0..legal.len()).filter(|&action| legal[action]).collect();
            let explores = rng.random::<f64>() < EXPLORATION * left;
            let mut any = || random[rng.random_range(0..random.len())];
            let chosen = if explores { any() } else { learner.best(&before.row(lane).to_vec(), &legal) };
            *action = ActionId::from_index(chosen);
        }
        envs.step_into(&actions, now.rows())?;
        for (lane, action) in actions.into_iter().enumerate() {
            // The episodes of `tight` are cut by a clock: what would have followed the last row counts.
            let is_cut = now.truncated[lane];
            let next = if is_cut { now.final_observations.row(lane) } else { now.observations.row(lane) };
            let legal = if is_cut { now.final_masks.row(lane) } else { now.masks.row(lane) };
            let (next, legal) = (next.to_vec(), legal.to_vec());
            let future = learner.values(&next)[learner.best(&next, &legal)];
            let discount = GAMMA.powi(now.slots_elapsed[lane].cast_signed());
            let target = now.rewards[lane] as f32 + discount * future;
            learner.learn(&before.row(lane).to_vec(), action.index(), target, STEP_SIZE * left as f32);
        }
    }
    Ok(learner)
}

/// Trains for `steps` steps of all lanes, and plays `episodes` test episodes with the learner and with every rule.
pub(crate) fn compare(steps: u32, episodes: u64) -> Result<Comparison, Box<dyn Error>> {
    let scenario = Arc::new(Scenario::shipped("tight"));
    let learner = train(&scenario, steps)?;
    let mut contenders =
        vec![Contender::new("linear-q", PolicyKind::Custom, move || Box::new(learner.clone()))];
    for name in registry::names(&scenario) {
        let rule = Prepared::new(&name, &scenario)?;
        contenders.push(Contender::new(name, PolicyKind::Heuristic, move || rule.instance()));
    }
    let played = evaluate(&contenders, &Protocol::test(scenario, 0, episodes), Hooks::default())?;
    Ok(Comparison::new(&played, "least-aot")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    for row in compare(40_000, 20)?.policies {
        println!("{:16} {:.4} per slot", row.summary.name, row.summary.mean_cost);
    }
    Ok(())
}
