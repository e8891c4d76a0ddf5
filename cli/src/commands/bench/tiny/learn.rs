//! The learners of `bench tiny`: trained in a world, then played greedily beside the optimal plan.

use super::{Args, Learned, Solved, World};
use crate::console::Console;
use crate::table::grouped;
use crate::{experiment, policies, progress};
use anyhow::{Context, Result};
use std::error::Error;
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::OPTIMAL;
use thoughtcache_agents::evaluate::{
    AnyPolicy, Contender, EpisodeResult, Hooks, Protocol, evaluate, validate,
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

impl Args {
    /// Trains every agent with every seed, and lets all play the same slots.
    pub(super) fn learn(&self, console: Console, world: &World, solved: &mut Solved) -> Result<()> {
        let default = || vec!["ppo-tiny".to_owned(), "dqn-tiny".to_owned()];
        let agents = if self.agents.is_empty() { default() } else { self.agents.clone() };
        let mut contenders: Vec<Contender> = policies::optimal(&world.scenario).into_iter().collect();
        let mut runs = Vec::new();
        for agent in &agents {
            let config = experiment::agent(agent)?;
            for seed in 1..=self.seeds {
                let name = format!("{agent} {seed}");
                contenders.push(trained(console, &name, &config, world, self.decisions, seed)?);
                runs.push((agent, seed));
            }
        }
        let spinner =
            progress::spinner(console, format!("{}: {} slots", solved.world, grouped(self.slots.into())));
        let evaluation =
            evaluate(&contenders, &Protocol::test(Arc::clone(&world.long), 0, 1), Hooks::default())?;
        spinner.finish_and_clear();
        let mut costs = evaluation.policies.iter().map(|policy| {
            (policy.name.as_str(), policy.episodes.iter().map(EpisodeResult::cost_per_slot).sum::<f64>())
        });
        if evaluation.policies.first().is_some_and(|policy| policy.name == OPTIMAL) {
            solved.optimal_played = costs.next().map(|(_, cost)| cost);
        }
        for ((agent, seed), (_, cost)) in runs.into_iter().zip(costs) {
            let above = |best: f64| 100.0 * (cost / best - 1.0);
            solved.learned.push(Learned {
                agent: agent.clone(),
                seed,
                cost,
                gap_percent: above(solved.cost()),
                paired_percent: solved.optimal_played.map(above),
            });
        }
        Ok(())
    }
}

/// Trains one agent in one world; its best policy.
fn trained(
    console: Console,
    name: &str,
    config: &AgentConfig,
    world: &World,
    decisions: u64,
    seed: u64,
) -> Result<Contender> {
    let bar = progress::bar(console, decisions, "decisions");
    bar.set_message(format!("{}: {name}", world.scenario.name()));
    let mut watch = Watch { bar, scenario: Arc::clone(&world.scenario) };
    let env = DecisionEnv::new(Arc::clone(&world.scenario));
    let settings = TrainSettings {
        budget: decisions,
        eval_freq: decisions / VALIDATIONS,
        checkpoint_freq: 0,
        run: seed,
    };
    let trained = train(config, |_| env.clone(), settings, &mut watch)
        .with_context(|| format!("{}: {name}", world.scenario.name()))?;
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
