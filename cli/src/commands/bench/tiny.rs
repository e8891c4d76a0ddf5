//! `bench tiny`: learners against the exact optimum of worlds that are small enough to know it.

#[cfg(feature = "torch")]
mod learn;

use crate::args::within;
use crate::console::{Console, Verdict};
use crate::policies::TOLERANCE;
use crate::scenario_file::ScenarioText;
use crate::sheet;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::{ExactMdp, Instance, read_csv};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::text::Override;

/// The worlds without a name on the line.
const SHIPPED: [&str; 3] = ["tiny-unit3", "tiny-unit4", "tiny-drift4"];
/// The discount of the optimum that is told, unless a table says another.
const GAMMA: f64 = 0.95;
/// How far what is computed may be from what is recorded.
const RECORDED_TOLERANCE: f64 = 1e-6;

/// The help of `--instances`.
const INSTANCES: &str = "Worlds from a table instead, with the columns instance, n_models, sizes, load_cost, local_cost, \
                         cloud_cost, popularity_by_phase, phase_stay_prob, capacity, and what is known of them";

/// Train learners on tiny worlds and compare them, greedy, with the exact optimum
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache bench tiny
  thoughtcache bench tiny tiny-drift4 --seeds 10
  thoughtcache bench tiny --instances tiny_mdp_optimum.csv --exact-only

Exits with 1 when a learner costs more than --at-most percent above the optimum, or when a table's optimum is another.")]
pub(super) struct Args {
    /// Shipped tiny scenarios or TOML files [default: tiny-unit3 tiny-unit4 tiny-drift4]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    #[arg(help = INSTANCES, long, value_name = "FILE", conflicts_with = "scenarios")]
    instances: Option<PathBuf>,
    /// A shipped agent or a TOML file [may be repeated; default: ppo-tiny dqn-tiny]
    #[arg(long = "agent", value_name = "AGENT")]
    agents: Vec<String>,
    /// Training runs of each agent in each world: the numbers 1, 2 ...
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// Decisions of a training run; a multiple of the agent's `n_envs`
    #[arg(long, value_name = "N", default_value_t = 204_800)]
    decisions: u64,
    /// Slots that each trained policy plays, always with its best action
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    slots: u32,
    /// Exit with 1 when a policy costs more than this many percent above the optimum
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = within(0.0, 1000.0, "percent"))]
    at_most: f64,
    /// Train nothing: optima only
    #[arg(long)]
    exact_only: bool,
}

/// A world to be trained in, and the same with an episode of all the slots that are played.
struct World {
    scenario: Arc<Scenario>,
    long: Arc<Scenario>,
    known: Option<Instance>,
}

#[derive(Serialize)]
struct Solved {
    world: String,
    sets: usize,
    states: usize,
    /// Bounds of the least average cost a slot.
    average_cost: [f64; 2],
    gamma: f64,
    /// From an empty memory on.
    discounted_cost: f64,
    /// What a table says otherwise.
    contradictions: Vec<String>,
    /// What the optimal plan paid in the slots that were played, by chance more or less than its average.
    optimal_played: Option<f64>,
    learned: Vec<Learned>,
}

#[derive(Serialize)]
struct Learned {
    agent: String,
    seed: u64,
    cost: f64,
    gap_percent: f64,
    /// Mean cost per slot above the optimal plan in the same slots.
    paired_percent: Option<f64>,
}

impl Solved {
    fn cost(&self) -> f64 {
        f64::midpoint(self.average_cost[0], self.average_cost[1])
    }
}

impl Args {
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        let mut worlds = Vec::new();
        for world in self.worlds()? {
            let mut solved = solve(&world)?;
            if !self.exact_only {
                self.learn(console, &world, &mut solved)?;
            }
            worlds.push(solved);
        }
        let report = json!({
            "at_most_percent": self.at_most,
            "decisions": self.decisions,
            "slots": self.slots,
            "worlds": worlds,
        });
        sheet::show(console, &report)?;
        Ok(judge(console, &worlds, self.at_most))
    }

    fn worlds(&self) -> Result<Vec<World>> {
        let slots = self.slots.to_string();
        if let Some(path) = &self.instances {
            let file = path.display().to_string();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read the table {file}"))?;
            let instances = read_csv(&text).with_context(|| file.clone())?;
            let world = |instance: Instance| {
                let long = instance.scenario_with_horizon(self.slots).with_context(|| file.clone())?;
                let scenario = instance.scenario().with_context(|| file.clone())?;
                Ok(World { scenario, long, known: Some(instance) })
            };
            return instances.into_iter().map(world).collect();
        }
        let shipped = || SHIPPED.map(str::to_owned).to_vec();
        let names = if self.scenarios.is_empty() { shipped() } else { self.scenarios.clone() };
        let world = |name: String| {
            let text = ScenarioText::find(&name)?;
            let horizon = Override { key: "horizon_slots".into(), value: slots.clone() };
            let scenario = text.load(&[])?.scenario;
            Ok(World { scenario, long: text.load(&[horizon])?.scenario, known: None })
        };
        names.into_iter().map(world).collect()
    }

    /// Trains every agent with every seed, and compares what they pay with the optimum.
    #[cfg(feature = "torch")]
    fn learn(&self, console: Console, world: &World, solved: &mut Solved) -> Result<()> {
        let default = || vec!["ppo-tiny".to_owned(), "dqn-tiny".to_owned()];
        let agents = if self.agents.is_empty() { default() } else { self.agents.clone() };
        let Self { seeds, decisions, slots, .. } = *self;
        let training = learn::Training { agents: &agents, seeds, decisions, slots };
        for (trained, cost) in learn::learn(console, &training, &world.scenario, &world.long)? {
            let above = |best: f64| 100.0 * (cost / best - 1.0);
            match trained {
                None => solved.optimal_played = Some(cost),
                Some((agent, seed)) => {
                    let (gap_percent, paired_percent) =
                        (above(solved.cost()), solved.optimal_played.map(above));
                    solved.learned.push(Learned { agent, seed, cost, gap_percent, paired_percent });
                }
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "torch"))]
    fn learn(&self, _: Console, _: &World, _: &mut Solved) -> Result<()> {
        let Self { agents: _, seeds: _, decisions: _, .. } = self;
        anyhow::bail!("{}; --exact-only trains nothing", crate::commands::train::no_learners())
    }
}

fn solve(world: &World) -> Result<Solved> {
    let mdp = ExactMdp::new(&world.scenario)?;
    let average = mdp.average(TOLERANCE)?;
    let gamma = world.known.as_ref().and_then(|known| known.opt_discounted).map_or(GAMMA, |(gamma, _)| gamma);
    let discounted_cost = mdp.discounted(gamma, TOLERANCE)?.value;
    let mut contradictions = Vec::new();
    if let Some(known) = &world.known {
        let mut compare = |what: &str, got: f64, recorded: Option<f64>| {
            if let Some(recorded) = recorded.filter(|recorded| (recorded - got).abs() > RECORDED_TOLERANCE) {
                contradictions.push(format!("{what}: {got:.9}, the table says {recorded}"));
            }
        };
        compare("least average cost", average.cost(), known.opt_average_cost);
        compare("least discounted cost", discounted_cost, known.opt_discounted.map(|(_, cost)| cost));
        compare("sets that fit", mdp.sets().len() as f64, known.num_feasible_sets.map(|count| count as f64));
    }
    Ok(Solved {
        world: world.scenario.name.clone(),
        sets: mdp.sets().len(),
        states: mdp.num_states(),
        average_cost: [average.lower, average.upper],
        gamma,
        discounted_cost,
        contradictions,
        optimal_played: None,
        learned: Vec::new(),
    })
}

/// Says which optima are contradicted, and which policies cost more than `at_most` percent above them.
fn judge(console: Console, worlds: &[Solved], at_most: f64) -> Verdict {
    let mut verdict = Verdict::Done;
    for solved in worlds {
        let world = &solved.world;
        for contradiction in &solved.contradictions {
            console.warn(&format!("{world}: {contradiction}"));
            verdict = Verdict::Failed;
        }
        for Learned { agent, seed, gap_percent, .. } in &solved.learned {
            if *gap_percent > at_most {
                console.warn(&format!(
                    "{world}: {agent}, seed {seed}: {gap_percent:.3} % above the optimum, at most {at_most} % are allowed"
                ));
                verdict = Verdict::Failed;
            }
        }
    }
    verdict
}
