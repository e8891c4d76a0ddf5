//! `thoughtcache verify resume`: a run's config, trained again, killed at random moments and resumed, against the run that
//! was not.
//!
//! A kill is SIGKILL: nothing of the program runs after it. Moments are drawn over what is left of the run, counted from
//! when it goes on; one in six is drawn over the start of the program instead. A run that ends before its kill begins a
//! new round, until all kills have been made; every round is compared.

use crate::args::whole;
use crate::console::{Console, Verdict};
use anyhow::Result;
use std::path::PathBuf;

/// Kill a repetition of a run at random moments, resume it, and compare every byte
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  thoughtcache verify resume runs/tight-ppo-1
  thoughtcache verify resume runs/tight-dqn-1 --decisions 50000 --kills 10

The run itself is what is compared with, if it is finished and was made by this program on this machine; else its config is
trained once more without a kill.")]
pub(crate) struct Args {
    /// The folder of a run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Number of kills
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    kills: u32,
    /// Decisions of the repetition [default: the run's own]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    decisions: Option<u64>,
    /// Decisions between two checkpoints of the run that is killed [default: a twentieth of the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole(1, i64::MAX as u64))]
    checkpoint_every: Option<u64>,
    /// Fail unless at least this many kills interrupted the writing of a checkpoint
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    in_checkpoint: u32,
    /// The seed of the moments of the kills
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0, value_parser = whole(0, u64::MAX))]
    seed: u64,
}

impl Args {
    /// Does what was typed.
    #[cfg(not(feature = "torch"))]
    pub(super) fn run(self, _: Console) -> Result<Verdict> {
        anyhow::bail!(crate::commands::train::NO_TORCH)
    }

    /// Does what was typed.
    #[cfg(feature = "torch")]
    pub(super) fn run(self, console: Console) -> Result<Verdict> {
        proof::run(&self, console)
    }
}

#[cfg(feature = "torch")]
mod proof {
    use super::super::child::{Begin, Ended, Moment, Scratch};
    use super::super::comparison::{self, Row};
    use super::Args;
    use crate::console::{Console, Verdict};
    use crate::experiment::{Experiment, ExperimentArgs};
    use crate::progress;
    use crate::run_dir::checkpoints::Checkpoints;
    use crate::run_dir::{CONFIG_FILE, Provenance, check_is_run};
    use crate::table::grouped;
    use anyhow::{Context, Result, ensure};
    use rand::RngExt;
    use serde::Serialize;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};

    /// One kill in so many is drawn over the start of the program.
    const AT_START: u32 = 6;
    /// How long a program may take to start.
    const START_S: f64 = 0.5;
    /// Rounds without a kill in a row before the proof is given up.
    const PATIENCE: u32 = 20;

    /// What is said at the end.
    #[derive(Serialize)]
    struct Proof {
        run: String,
        decisions: u64,
        /// Whether the run itself is what was compared with.
        is_run_compared: bool,
        kills: u32,
        /// Kills that left a half-written checkpoint.
        kills_in_checkpoint: u32,
        /// How many of those were asked for.
        needed_in_checkpoint: u32,
        /// Kills before the run's first checkpoint.
        kills_before_checkpoint: u32,
        rounds: u32,
        is_equal: bool,
        /// Of the last round, or of the first that differs.
        compared: Vec<Row>,
    }

    pub(super) fn run(args: &Args, console: Console) -> Result<Verdict> {
        check_is_run(&args.run)?;
        let place = args.run.display().to_string();
        let mut arguments = ExperimentArgs::new(args.run.join(CONFIG_FILE), Vec::new(), None);
        if let Some(decisions) = args.decisions {
            arguments.set("decisions", &decisions.to_string());
        }
        let mut experiment = arguments.load_for(console)?;
        let scratch = Scratch::new()?;
        let is_run_compared = args.decisions.is_none() && is_repeatable(&args.run, &experiment);
        let unbroken = if is_run_compared {
            args.run.clone()
        } else {
            let unbroken = scratch.path("unbroken");
            let bar = progress::spinner(console, format!("{place}: training without a kill"));
            let config = scratch.write("unbroken.toml", &experiment)?;
            scratch.train(&unbroken, Begin::New(&config), None, None)?;
            bar.finish_and_clear();
            unbroken
        };
        experiment.checkpoint_every_decisions =
            args.checkpoint_every.unwrap_or_else(|| (experiment.decisions / 20).max(1));
        let mut campaign = Campaign {
            config: scratch.write("config.toml", &experiment)?,
            decisions: experiment.decisions,
            duration_s: duration_s(&unbroken)?,
            rng: Seed::new(Purpose::Test, args.seed).stream(Stream::Arrivals),
            kills: 0,
            in_checkpoint: 0,
            before_checkpoint: 0,
        };
        let mut compared = Vec::new();
        let (mut rounds, mut idle) = (0, 0);
        while campaign.kills < args.kills && compared.iter().all(|row: &Row| row.is_equal) {
            rounds += 1;
            let before = campaign.kills;
            let bar = progress::spinner(
                console,
                format!("{place}: round {rounds}, {before} of {} kills so far", args.kills),
            );
            let broken = scratch.path(&format!("round-{rounds}"));
            campaign.round(&scratch, &broken, args.kills)?;
            bar.finish_and_clear();
            compared = comparison::compare(&unbroken, &broken)?;
            fs::remove_dir_all(&broken).with_context(|| format!("cannot remove {}", broken.display()))?;
            idle = if campaign.kills > before { 0 } else { idle + 1 };
            ensure!(
                idle < PATIENCE,
                "the run is too short to be killed: {PATIENCE} repetitions ended first; give it more --decisions"
            );
        }
        let proof = Proof {
            run: place,
            decisions: experiment.decisions,
            is_run_compared,
            kills: campaign.kills,
            kills_in_checkpoint: campaign.in_checkpoint,
            needed_in_checkpoint: args.in_checkpoint,
            kills_before_checkpoint: campaign.before_checkpoint,
            rounds,
            is_equal: compared.iter().all(|row| row.is_equal),
            compared,
        };
        console.result(&proof, || proof.text())?;
        Ok(if proof.is_equal && proof.is_hard_enough() { Verdict::Done } else { Verdict::Failed })
    }

    impl Proof {
        /// Whether as many kills as were asked for fell into the middle of a checkpoint.
        fn is_hard_enough(&self) -> bool {
            self.kills_in_checkpoint >= self.needed_in_checkpoint
        }

        fn verdict(&self) -> String {
            match (self.is_equal, self.is_hard_enough()) {
                (false, _) => "NOT EQUAL".to_owned(),
                (true, true) => "everything is equal".to_owned(),
                (true, false) => format!(
                    "everything is equal, but TOO FEW KILLS fell into the middle of a checkpoint: {} of {}; take more --kills, \
                     or a smaller --checkpoint-every",
                    self.kills_in_checkpoint, self.needed_in_checkpoint
                ),
            }
        }

        fn text(&self) -> String {
            let with =
                if self.is_run_compared { "the run itself" } else { "a repetition that was not killed" };
            let runs = if self.rounds == 1 { "1 run".to_owned() } else { format!("{} runs", self.rounds) };
            format!(
                "{}: {} decisions, killed {} times in {runs}: {} in the middle of a checkpoint, {} before the first one\n\
                 compared with {with}:\n{}{}\n",
                self.run,
                grouped(self.decisions),
                self.kills,
                self.kills_in_checkpoint,
                self.kills_before_checkpoint,
                comparison::text(&self.compared),
                self.verdict()
            )
        }
    }

    /// Whether a run is finished, and was made by this program on this machine.
    fn is_repeatable(run: &Path, experiment: &Experiment) -> bool {
        let last = Checkpoints::of(run).find("last").and_then(|place| crate::policies::read(&place).ok());
        last.is_some_and(|last| last.meta().decisions == experiment.decisions)
            && Provenance::read(run).is_some_and(|provenance| provenance.is_done_here())
    }

    /// How long a run took, from its log.
    fn duration_s(run: &Path) -> Result<f64> {
        let path = run.join("metrics.jsonl");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let last = text.lines().rev().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line.get("time/time_elapsed")?.as_f64()
        });
        last.with_context(|| format!("{} does not say how long the run took", path.display()))
    }

    struct Campaign {
        config: PathBuf,
        decisions: u64,
        duration_s: f64,
        rng: SimRng,
        kills: u32,
        in_checkpoint: u32,
        before_checkpoint: u32,
    }

    impl Campaign {
        /// One run, killed and resumed until it ends.
        fn round(&mut self, scratch: &Scratch, run: &Path, kills: u32) -> Result<()> {
            loop {
                let is_there = run.join(CONFIG_FILE).is_file();
                if !is_there && run.exists() {
                    // Killed before the folder was a run's.
                    fs::remove_dir_all(run).with_context(|| format!("cannot remove {}", run.display()))?;
                }
                let config = self.config.clone();
                if Provenance::is_of_a_done_run(run) {
                    return Ok(()); // killed when everything was done
                }
                let begin = if is_there { Begin::Resume } else { Begin::New(&config) };
                let moment = (self.kills < kills).then(|| self.moment(run));
                if scratch.train(run, begin, None, moment)? == Ended::Done {
                    return Ok(());
                }
                self.kills += 1;
                let checkpoints = Checkpoints::of(run);
                self.in_checkpoint += u32::from(checkpoints.is_untidy());
                self.before_checkpoint += u32::from(checkpoints.find("last").is_none());
            }
        }

        /// When to kill next.
        fn moment(&mut self, run: &Path) -> Moment {
            let is_at_start = self.rng.random_range(0..AT_START) == 0;
            let share: f64 = self.rng.random();
            let last = Checkpoints::of(run).find("last").and_then(|place| crate::policies::read(&place).ok());
            let done = last.map_or(0, |last| last.meta().decisions) as f64 / self.decisions as f64;
            let span_s = if is_at_start { START_S } else { (1.0 - done) * self.duration_s };
            Moment { is_at_start, after: Duration::from_secs_f64(share * span_s) }
        }
    }
}
