//! `thoughtcache evaluate`: what policies cost on test episodes, each by itself.

use super::compare::PlayArgs;
use crate::clock::Stopwatch;
use crate::console::{Console, Verdict};
use crate::patience::Patience;
use crate::report::comparison::played;
use crate::report::summary::evaluation_text;
use crate::{policies, progress};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use thoughtcache_agents::evaluate::{self, Evaluation, Hooks};
use thoughtcache_agents::metrics::Summary;

/// Play policies on test episodes and report costs, hits and time per decision
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache evaluate runs/reference/tight-ppo
  thoughtcache evaluate runs/reference/street-ppo amortised+myopic
  thoughtcache evaluate lru worth --scenario tight --episodes 100 --json")]
pub(crate) struct Args {
    /// Heuristics by name, runs or checkpoints by folder
    #[arg(required = true, value_name = "POLICY|RUN")]
    policies: Vec<String>,
    #[command(flatten)]
    play: PlayArgs,
}

impl Args {
    /// Does what was typed.
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        let names = policies::expand(console, &self.policies);
        let world = self.play.world(&names)?;
        let scenario = self.play.load(console, &world, &names)?;
        let contenders = policies::load(&names, &scenario)?;
        let protocol = self.play.protocol(console, scenario);
        let bar = progress::bar(console, contenders.len() as u64 * protocol.episodes, "episodes");
        let _patience = Patience::with(console, &bar, "episodes");
        let clock = Stopwatch::start();
        let now = || clock.elapsed().as_nanos() as u64;
        let hooks = Hooks { clock: Some(&now), played: &|| bar.inc(1), ..Hooks::default() };
        let evaluation = evaluate::evaluate(&contenders, &protocol, hooks)?;
        bar.finish_and_clear();
        let summaries = summaries(&evaluation)?;
        let document = document(&evaluation, &summaries);
        let trajectory_hash = hash(&evaluation);
        console.result(&document, || {
            let heading = played(
                &evaluation.scenario,
                evaluation.is_recorded,
                evaluation.episodes,
                evaluation.slots,
                evaluation.seed,
            );
            let rows: Vec<&Summary> = summaries.iter().collect();
            evaluation_text(&heading, &rows, &trajectory_hash)
        })?;
        Ok(Verdict::Done)
    }
}

/// The figures of the policies.
///
/// # Errors
/// When one is not a finite number.
pub(crate) fn summaries(evaluation: &Evaluation) -> Result<Vec<Summary>> {
    let summaries: Vec<Summary> = evaluation.policies.iter().map(Summary::of).collect();
    if let Some((name, figure)) =
        summaries.iter().find_map(|summary| Some((&summary.name, summary.not_finite()?)))
    {
        bail!("{name}: its {figure} is not a finite number over these episodes");
    }
    Ok(summaries)
}

/// What `--json` prints.
pub(crate) fn document(evaluation: &Evaluation, summaries: &[Summary]) -> Value {
    json!({
        "scenario": evaluation.scenario,
        "episodes": evaluation.episodes,
        "seed": evaluation.seed,
        "policies": summaries,
        "trajectory_hash": hash(evaluation),
    })
}

fn hash(evaluation: &Evaluation) -> String {
    format!("{:016x}", evaluation.trajectory_hash())
}
