//! The learners of `bench tiny`: trained in a world, then played greedily beside the optimal plan.

use crate::console::Console;
use crate::table::grouped;
use crate::{experiment, policies, progress};
use anyhow::{Context, Result};
use std::error::Error;
use std::sync::Arc;
use thoughtcache_agents::evaluate::{
    AnyPolicy, Contender, EpisodeResult, Evaluated, Hooks, Protocol, evaluate, validate,
};
use thoughtcache_agents::learn::agent::Metrics;
use thoughtcache_agents::learn::config::AgentConfig;
use thoughtcache_agents::learn::train::{Observer, TrainSettings, train};
use thoughtcache_agents::net_policy::{Mlp, NetPolicy};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

/// Validations of a run; the cheapest decides which policy plays.
const VALIDATIONS: u64 = 10;
/// Episodes of a validation.
const EPISODES: u64 = 20;

/// The learner of a world, its budget, and the length of its test.
pub(super) struct Training<'a> {
    pub(super) agents: &'a [String],
    /// Seeds 1 to this number.
    pub(super) seeds: u64,
    pub(super) decisions: u64,
    pub(super) slots: u32,
}

/// The cost per slot of one policy, and who it is: the agent and its seed, nobody for the optimal plan.
pub(super) type Played = (Option<(String, u64)>, f64);

/// Trains every agent with every seed, and lets all play the slots of `long`, beside the optimal plan where there is one.
///
/// # Errors
/// When an agent cannot be found or trained.
pub(super) fn learn(
    console: Console,
    training: &Training<'_>,
    scenario: &Arc<Scenario>,
    long: &Arc<Scenario>,
) -> Result<Vec<Played>> {
    let mut contenders: Vec<Contender> = policies::optimal(scenario).into_iter().collect();
    let mut names: Vec<Option<(String, u64)>> = contenders.iter().map(|_| None).collect();
    for agent in training.agents {
        let config = experiment::agent(agent)?;
        for seed in 1..=training.seeds {
            let name = format!("{agent} {seed}");
            contenders.push(trained(console, &name, &config, scenario, training.decisions, seed)?);
            names.push(Some((agent.clone(), seed)));
        }
    }
    let slots = grouped(training.slots.into());
    let spinner = progress::spinner(console, format!("{}: {slots} slots", scenario.name));
    let evaluation = evaluate(&contenders, &Protocol::test(Arc::clone(long), 0, 1), Hooks::default())?;
    spinner.finish_and_clear();
    let cost = |policy: &Evaluated| policy.episodes.iter().map(EpisodeResult::cost_per_slot).sum();
    Ok(names.into_iter().zip(evaluation.policies.iter().map(cost)).collect())
}

/// Trains one agent in one world; its best policy.
fn trained(
    console: Console,
    name: &str,
    config: &AgentConfig,
    scenario: &Arc<Scenario>,
    decisions: u64,
    seed: u64,
) -> Result<Contender> {
    let bar = progress::bar(console, decisions, "decisions");
    bar.set_message(format!("{}: {name}", scenario.name));
    let mut watch = Watch { bar, scenario: Arc::clone(scenario) };
    let env = DecisionEnv::new(Arc::clone(scenario));
    let settings = TrainSettings {
        budget: decisions,
        eval_freq: decisions / VALIDATIONS,
        checkpoint_freq: 0,
        run: seed,
    };
    let trained = train(config, |_| env.clone(), settings, &mut watch)
        .with_context(|| format!("{}: {name}", scenario.name))?;
    watch.bar.finish_and_clear();
    let best = trained.best.context("a run that nobody stops has a best policy")?;
    let policy = NetPolicy::new(name, Arc::new(best.policy));
    let make = move || -> AnyPolicy { Box::new(policy.clone()) };
    Ok(Contender::new(name, config.algorithm().into(), make))
}

struct Watch {
    bar: indicatif::ProgressBar,
    scenario: Arc<Scenario>,
}

impl Observer for Watch {
    fn on_update(&mut self, decisions: u64, _: &Metrics) {
        self.bar.set_position(decisions);
    }

    fn validate(&mut self, policy: &Mlp, _: u64) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        let policy = NetPolicy::new("candidate", Arc::new(policy.clone()));
        let totals = validate(&self.scenario, 0, EPISODES, &|| Box::new(policy.clone()), &|| false)?;
        Ok(Some(totals.cost_per_slot()))
    }
}
