//! `thoughtcache verify resume`: a run's config, trained again, killed at random moments and resumed, against the run that
//! was not.
//!
//! A kill is SIGKILL: nothing of the program runs after it. Moments are drawn over what is left of the run, counted from
//! when it goes on; one in six is drawn over the start of the program instead. A run that ends before its kill begins a
//! new round, until all kills have been made; every round is compared.

use super::ResumeArgs;
use super::child::{Moment, Scratch};
use super::comparison::{self, Row};
use crate::console::{Console, Verdict};
use crate::experiment::{Experiment, ExperimentArgs};
use crate::interrupt::Stop;
use crate::metrics_log::METRICS_FILE;
use crate::progress;
use crate::run_dir::checkpoints::{Checkpoints, LAST};
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

/// The document at the end.
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

/// Kills, resumes and compares.
///
/// # Errors
/// When a run cannot come to its end, or is too short to be killed.
pub(super) fn run(args: &ResumeArgs, console: Console, stop: &Stop) -> Result<Verdict> {
    check_is_run(&args.run)?;
    let place = args.run.display().to_string();
    let arguments = ExperimentArgs::new(args.run.join(CONFIG_FILE), Vec::new(), None);
    let mut experiment = arguments.with_decisions(args.decisions).load_for(console)?;
    let scratch = Scratch::new(stop)?;
    let is_run_compared = args.decisions.is_none() && is_repeatable(&args.run, &experiment);
    let mut unbroken = args.run.clone();
    if !is_run_compared {
        unbroken = scratch.path("unbroken");
        let bar = progress::spinner(console, format!("{place}: training without a kill"));
        let config = scratch.write("unbroken.toml", &experiment)?;
        scratch.train(&unbroken, Some(&config), None, None)?;
        bar.finish_and_clear();
    }
    let every = args.checkpoint_every.unwrap_or_else(|| (experiment.decisions / 20).max(1));
    experiment.checkpoint_every_decisions = Some(every);
    let mut proof = Proof {
        run: place,
        decisions: experiment.decisions,
        is_run_compared,
        kills: 0,
        kills_in_checkpoint: 0,
        needed_in_checkpoint: args.in_checkpoint,
        kills_before_checkpoint: 0,
        rounds: 0,
        is_equal: true,
        compared: Vec::new(),
    };
    let mut killer = Killer {
        scratch: &scratch,
        config: scratch.write("config.toml", &experiment)?,
        kills: args.kills,
        duration_s: duration_s(&unbroken)?,
        rng: Seed::new(Purpose::Test, args.seed).stream(Stream::Arrivals),
    };
    let mut idle = 0;
    while proof.kills < args.kills && proof.is_equal {
        proof.rounds += 1;
        let (round, before) = (proof.rounds, proof.kills);
        let sentence = format!("{}: round {round}, {before} of {} kills so far", proof.run, args.kills);
        let bar = progress::spinner(console, sentence);
        let broken = scratch.path(&format!("round-{round}"));
        killer.round(&broken, &mut proof)?;
        bar.finish_and_clear();
        proof.compared = comparison::compare(&unbroken, &broken)?;
        proof.is_equal = proof.compared.iter().all(|row| row.is_equal);
        remove(&broken)?;
        idle = if proof.kills > before { 0 } else { idle + 1 };
        ensure!(
            idle < PATIENCE,
            "the run is too short to be killed: {PATIENCE} repetitions ended first; give it more --decisions"
        );
    }
    console.result(&proof, || proof.text())?;
    Ok(if proof.is_equal && proof.is_hard_enough() { Verdict::Done } else { Verdict::Failed })
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
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
        let with = if self.is_run_compared { "the run itself" } else { "a repetition that was not killed" };
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
    decisions_of(run) == Some(experiment.decisions)
        && Provenance::read(run).is_some_and(|provenance| provenance.is_done_here())
}

/// The decisions of a run's newest state, where it has one.
fn decisions_of(run: &Path) -> Option<u64> {
    let last = crate::policies::read(&Checkpoints::of(run).find(LAST)?).ok()?;
    Some(last.meta().decisions)
}

/// How long a run took, from its log.
fn duration_s(run: &Path) -> Result<f64> {
    let last = comparison::read(run, METRICS_FILE)?.lines().rev().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line.get("time/time_elapsed")?.as_f64()
    });
    last.with_context(|| format!("{} does not say how long the run took", run.join(METRICS_FILE).display()))
}

/// Kills runs of one config.
struct Killer<'a> {
    scratch: &'a Scratch<'a>,
    config: PathBuf,
    /// How many kills are made, in all rounds together.
    kills: u32,
    duration_s: f64,
    rng: SimRng,
}

impl Killer<'_> {
    /// One run, killed and resumed until it ends.
    fn round(&mut self, run: &Path, proof: &mut Proof) -> Result<()> {
        // A run may have been killed when everything was done.
        while !Provenance::is_of_a_done_run(run) {
            let is_there = run.join(CONFIG_FILE).is_file();
            if !is_there && run.exists() {
                remove(run)?; // killed before the folder was a run's
            }
            let config = (!is_there).then_some(self.config.as_path());
            let moment =
                (proof.kills < self.kills).then(|| moment(&mut self.rng, run, proof, self.duration_s));
            if !self.scratch.train(run, config, None, moment)? {
                return Ok(());
            }
            let checkpoints = Checkpoints::of(run);
            proof.kills += 1;
            proof.kills_in_checkpoint += u32::from(checkpoints.is_untidy());
            proof.kills_before_checkpoint += u32::from(checkpoints.find(LAST).is_none());
        }
        Ok(())
    }
}

/// When to kill next.
fn moment(rng: &mut SimRng, run: &Path, proof: &Proof, duration_s: f64) -> Moment {
    let is_at_start = rng.random_range(0..AT_START) == 0;
    let share: f64 = rng.random();
    let done = decisions_of(run).unwrap_or(0) as f64 / proof.decisions as f64;
    let span_s = if is_at_start { START_S } else { (1.0 - done) * duration_s };
    Moment { is_at_start, after: Duration::from_secs_f64(share * span_s) }
}
