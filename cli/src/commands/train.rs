//! `thoughtcache train`: an experiment becomes a run folder with a checkpoint; a run that was ended goes on.

#[cfg(feature = "torch")]
mod learn;
#[cfg(feature = "torch")]
mod seeds;

use crate::args::whole;
use crate::clock::parse_duration;
use crate::console::{Console, Verdict};
use crate::scenario_file::Setting;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// The refusal of a build without learners.
#[cfg(not(feature = "torch"))]
pub(crate) fn no_learners() -> anyhow::Error {
    let how = crate::libtorch::HOW_TO_TRAIN;
    anyhow::anyhow!("this program was built without its learners; everything but training works; {how}")
}

/// Train a policy, or continue a run that was interrupted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache train --config configs/experiments/tight-ppo.toml
  thoughtcache train --config configs/experiments/tight-ppo.toml --seed 2 --set decisions=200000
  thoughtcache train --config configs/experiments/tight-dqn.toml --time-limit 90m
  thoughtcache train --config configs/experiments/tight-ppo.toml --seeds 1..10
  thoughtcache train --resume runs/tight-dqn-1
  thoughtcache train --config runs/tight-ppo-1/config.toml --out runs/again

The last one repeats a run, to the last bit.
A run that was ended in any way, killed even, goes on with --resume and ends with the same bytes as one that was never
ended. Ctrl-C ends a run in good order: it finishes the step, keeps its state and its logs, and says how to go on.")]
pub(crate) struct Args {
    /// An experiment (configs/experiments/*.toml), or the config.toml of a run, which is repeated
    #[arg(long, value_name = "FILE", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Change one value: scenario.KEY=VALUE, agent.ppo.KEY=VALUE or KEY=VALUE, as in `--set agent.ppo.learning_rate=1e-4`
    /// [may be repeated]
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
    /// The seed of the run [default: the experiment's]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(0, i64::MAX as u64))]
    seed: Option<u64>,
    /// Train with each of these seeds, several at a time: 1..10 (both ends included), 1,2,5 [in a folder each, OUT/seed-N; OUT
    /// is runs/EXPERIMENT unless --out names it; the same command again goes on with those that are unfinished]
    #[arg(long, value_name = "SEEDS", conflicts_with = "seed", value_parser = seeds_of)]
    seeds: Option<Seeds>,
    /// With several seeds: train at most so many at a time [default: as many as there are cores for]
    #[arg(long, value_name = "N", value_parser = whole(1, 1_024))]
    jobs: Option<u64>,
    /// End in good order when standard input ends: of children
    #[arg(long, hide = true)]
    end_with_input: bool,
    /// The run's folder, new or empty [default: runs/EXPERIMENT-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run in this folder with its own config
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
    /// The checkpoint that --resume continues from, `last` or `step-N` [default: the newest]
    #[arg(long, value_name = "NAME", requires = "resume")]
    from: Option<String>,
    /// End the run after this time, as Ctrl-C does, with its state kept: 90m, 3600s, 1h30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    time_limit: Option<Duration>,
}

/// `--seeds`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seeds(Vec<u64>);

/// The most seeds of one command.
const MAX_SEEDS: u64 = 1_000;

/// Reads `1..10`, both ends included, and `1,2,5`.
fn seeds_of(typed: &str) -> Result<Seeds, String> {
    let allowed = "seeds look like 1..10 (both ends included) or 1,2,5";
    let number = |typed: &str| typed.trim().parse::<u64>().ok().filter(|&seed| i64::try_from(seed).is_ok());
    let mut seeds: Vec<u64> = Vec::new();
    for part in typed.split(',') {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        let (Some(first), Some(last)) = (number(first), number(last.trim_start_matches('='))) else {
            return Err(allowed.into());
        };
        if first > last || last - first >= MAX_SEEDS {
            return Err(format!("{part}: from the smaller to the larger seed, at most {MAX_SEEDS} of them"));
        }
        seeds.extend(first..=last);
    }
    if let Some(twice) = (1..seeds.len()).find(|&index| seeds[..index].contains(&seeds[index])) {
        return Err(format!("the seed {} stands there twice", seeds[twice]));
    }
    Ok(Seeds(seeds))
}

impl Args {
    /// Does what was typed.
    #[cfg(not(feature = "torch"))]
    pub(crate) fn run(self, _: Console) -> Result<Verdict> {
        Err(no_learners())
    }

    /// Does what was typed.
    #[cfg(feature = "torch")]
    pub(crate) fn run(self, console: Console) -> Result<Verdict> {
        use crate::experiment::ExperimentArgs;

        let terms = learn::Terms { time_limit: self.time_limit, ends_with_input: self.end_with_input };
        let jobs = self.jobs.map(|jobs| jobs as usize);
        let is_several =
            self.seeds.is_some() || self.resume.as_deref().is_some_and(seeds::is_folder_of_seeds);
        anyhow::ensure!(jobs.is_none() || is_several, "--jobs is for several seeds: give --seeds 1..10, say");
        if let Some(run) = &self.resume {
            self.check_nothing_changes(run)?;
            if is_several {
                anyhow::ensure!(
                    self.from.is_none(),
                    "--from is for one run: name it, as {}/seed-1",
                    run.display()
                );
                return seeds::go_on(console, run, terms, jobs);
            }
            return learn::go_on(console, run, self.from.as_deref(), terms);
        }
        // clap has seen to it that one of the two is there.
        let config = self.config.unwrap_or_default();
        let experiment = ExperimentArgs::new(config, self.settings, self.seed);
        if let Some(Seeds(seeds)) = &self.seeds {
            return seeds::begin(console, &experiment, seeds, self.out.as_deref(), terms, jobs);
        }
        learn::begin(console, &experiment, self.out.as_deref(), terms)
    }

    /// A run that goes on is the run that it was.
    #[cfg(feature = "torch")]
    fn check_nothing_changes(&self, run: &std::path::Path) -> Result<()> {
        let typed = [
            ("--config", "", self.config.is_some()),
            ("--set", " --set ...", !self.settings.is_empty()),
            ("--seed", " --seed ...", self.seed.is_some()),
            ("--seeds", " --seeds ...", self.seeds.is_some()),
            ("--out", " --out ...", self.out.is_some()),
        ];
        let Some((option, again, _)) = typed.into_iter().find(|(.., is_typed)| *is_typed) else {
            return Ok(());
        };
        let file =
            if seeds::is_folder_of_seeds(run) { seeds::EXPERIMENT_FILE } else { crate::run_dir::CONFIG_FILE };
        let config = crate::console::pasted(&run.join(file));
        anyhow::bail!(
            "{option} cannot be given with --resume: a run goes on with the config that it has; only --from, --time-limit, \
             --json and --quiet can. For another run, type: thoughtcache train --config {config}{again}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_ranges_with_both_ends_and_lists() {
        let read = |typed: &str| seeds_of(typed).map(|Seeds(seeds)| seeds);
        assert_eq!(read("1..4").unwrap(), [1, 2, 3, 4]);
        assert_eq!(read("1,2,5").unwrap(), [1, 2, 5]);
        assert_eq!(read("7..7, 1..2").unwrap(), [7, 1, 2]);
        for typed in ["", "1..", "..3", "a", "1;2", "-1", "1,,2", "9223372036854775808"] {
            assert!(read(typed).unwrap_err().starts_with("seeds look like 1..10"), "{typed}");
        }
        assert!(read("4..1").unwrap_err().starts_with("4..1: from the smaller"));
        assert!(read("1..1001").is_err() && read("1..1000").is_ok());
        assert_eq!(read("1..3,2").unwrap_err(), "the seed 2 stands there twice");
    }
}
