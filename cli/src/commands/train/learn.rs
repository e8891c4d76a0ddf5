//! One start of a training run: a new one, from an empty folder, or one that goes on from a checkpoint.

use super::health::{self, Finding};
use super::kept::{self, Kept};
use super::log_state::{Inputs, LogState};
use super::validation::relative;
use super::watch::{BEST, Watch, Watched};
use crate::clock::human;
use crate::console::{Console, Verdict, pasted, shown};
use crate::experiment::{Experiment, ExperimentArgs};
use crate::interrupt::{Interrupt, Stop, StopReason};
use crate::libtorch;
use crate::run_dir::{CONFIG_FILE, Provenance, RunDir};
use crate::scenario_files;
use crate::table::grouped;
use crate::text_file;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thoughtcache_agents::checkpoint::sha256;
use thoughtcache_agents::heuristics::registry::Prepared;
use thoughtcache_agents::learn::train::{TrainError, TrainSettings, Trained, resume, train_after};
use thoughtcache_env::gym::decision_env::DecisionEnv;

/// What may be another at every start of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) time_limit: Option<Duration>,
    /// Whether the end of standard input ends the run in good order.
    pub(super) ends_with_input: bool,
}

impl Terms {
    /// What asks the run to end.
    fn listen(&self) -> Result<Interrupt> {
        let interrupt = Interrupt::listen()?;
        if self.ends_with_input {
            interrupt.press_at_end_of_input();
        }
        Ok(interrupt)
    }
}

/// Begins a run in a new folder.
///
/// # Errors
/// When the folder holds something, or the run cannot go on to its end.
pub(super) fn begin(
    console: Console,
    experiment: &ExperimentArgs,
    out: Option<&Path>,
    terms: Terms,
) -> Result<Verdict> {
    let experiment = &experiment.load_for(console)?;
    let interrupt = terms.listen()?;
    let folder = match out {
        Some(out) => RunDir::create(out),
        None => RunDir::create_numbered(&experiment.name),
    }?;
    let config = config(experiment, &folder)?;
    let inputs = inputs(experiment, &config)?;
    // A folder with a config is a run that can be resumed.
    folder.write(CONFIG_FILE, &config)?;
    let provenance = Provenance::at_start(libtorch::version(), recording(experiment));
    let start = Start { experiment, folder: &folder, inputs, kept: None, provenance };
    console.note(&format!("{}: {}", folder.root().display(), start.what()));
    start.run(console, &Stop::new(interrupt, terms.time_limit))
}

/// Goes on with a run: from the checkpoint that is named, else from the newest.
///
/// # Errors
/// When there is no such run, or its files are not those that it wrote.
pub(super) fn go_on(console: Console, root: &Path, from: Option<&str>, terms: Terms) -> Result<Verdict> {
    let interrupt = terms.listen()?;
    let folder = RunDir::open(root)?;
    let place = root.display();
    let experiment = ExperimentArgs::new(folder.path(CONFIG_FILE), Vec::new(), None).load_for(console)?;
    let kept = kept::read(&folder, from)?;
    let config = text_file::read(&folder.path(CONFIG_FILE), CONFIG_FILE)?;
    let inputs = inputs(&experiment, &config)?;
    match &kept {
        Some(kept) => {
            check_inputs(&kept.log.inputs, &inputs, root)?;
            if kept.decisions >= experiment.decisions && !kept.log.seen.must_validate {
                return finished(console, &experiment, &folder);
            }
        }
        // `done` is said of a run whose folder keeps only some of its files, too.
        None if Provenance::is_of_a_done_run(folder.root()) => {
            return finished(console, &experiment, &folder);
        }
        None => check_nothing_is_lost(&folder)?,
    }
    let from_decisions = kept.as_ref().map_or(0, |kept| kept.decisions);
    let provenance =
        Provenance::at_resume(folder.root(), from_decisions, libtorch::version(), recording(&experiment))
            .with_state(kept.is_some());
    let start = Start { experiment: &experiment, folder: &folder, inputs, kept, provenance };
    let what = start.what();
    console.note(&match start.kept {
        None => format!("{place}: {what}; it was ended before its first checkpoint and begins again"),
        Some(_) => format!("{place}: {what}; going on after {}", grouped(from_decisions)),
    });
    start.run(console, &Stop::new(interrupt, terms.time_limit))
}

/// A run without a state begins again in its folder, which replaces what is there: fine when it was killed before its first
/// checkpoint, and not when its state is gone. Where it is not known whether it had one, a best policy is reason enough to
/// leave the folder alone, in whatever condition it is.
fn check_nothing_is_lost(folder: &RunDir) -> Result<()> {
    let place = folder.root().display();
    let anew =
        format!("to train it anew, type: thoughtcache train --config {}", pasted(&folder.path(CONFIG_FILE)));
    let provenance = Provenance::read(folder.root());
    let has_state = provenance.and_then(|provenance| provenance.has_state());
    let has_best = folder.checkpoints().is_there(BEST);
    ensure!(
        has_state == Some(false) || !has_best,
        "{place} has a best policy and no state to go on from (checkpoints/last): beginning again would replace it; {anew}"
    );
    ensure!(
        has_state != Some(true),
        "{place} has lost the state to go on from (checkpoints/last): beginning again would replace its logs; {anew}"
    );
    Ok(())
}

/// Says that a run has nothing left to do, and ends one that was killed or failed between its last checkpoint and its end.
fn finished(console: Console, experiment: &Experiment, folder: &RunDir) -> Result<Verdict> {
    let checkpoints = folder.checkpoints();
    checkpoints.recover()?;
    if !Provenance::is_of_a_done_run(folder.root()) {
        if let Err(error) = checkpoints.retain(experiment.keep_checkpoints) {
            console.warn(&format!("{error:#}; remove it by hand"));
        }
        let recording = recording(experiment);
        Provenance::at_resume(folder.root(), experiment.decisions, libtorch::version(), recording)
            .with_state(true)
            .at_end("done")
            .write(folder.root())?;
    }
    let place = folder.root();
    let text = format!(
        "{} is finished: all of its {} decisions are taken; to train longer, begin a new run: \
         thoughtcache train --config {} --set decisions=N\n",
        shown(place),
        grouped(experiment.decisions),
        pasted(&folder.path(CONFIG_FILE))
    );
    let ended = serde_json::json!({
        "run": place.display().to_string(),
        "decisions": experiment.decisions,
        "interrupted": false,
    });
    console.result(&ended, || text)?;
    Ok(Verdict::Done)
}

/// The digest of what the scenario replays, as far as it can be read.
fn recording(experiment: &Experiment) -> Option<String> {
    scenario_files::sha256(&experiment.scenario.config).ok().flatten()
}

/// What makes a run the one that it is: its config but for comments, and the files that its scenario names.
fn inputs(experiment: &Experiment, config: &str) -> Result<Inputs> {
    let lines: Vec<&str> = config.lines().filter(|line| !line.starts_with('#')).collect();
    Ok(Inputs {
        config_sha256: sha256(lines.join("\n").as_bytes()),
        recording_sha256: scenario_files::sha256(&experiment.scenario.config)?,
    })
}

fn check_inputs(kept: &Inputs, now: &Inputs, root: &Path) -> Result<()> {
    let (again, root) = (pasted(&root.join(CONFIG_FILE)), root.display());
    ensure!(
        kept.config_sha256 == now.config_sha256,
        "{root}/{CONFIG_FILE} is not what the run was trained with so far: it was changed, or another version of this \
         program wrote it; put it back, or begin a new run: thoughtcache train --config {again}"
    );
    ensure!(
        kept.recording_sha256 == now.recording_sha256,
        "a file that the scenario of {root} names is not the one that the run was trained with so far; put that one back, \
         or begin a new run: thoughtcache train --config {again}"
    );
    Ok(())
}

fn config(experiment: &Experiment, folder: &RunDir) -> Result<String> {
    let head = "# Resolved: every value that the run used. It repeats the run, to the last bit on one machine type:\n";
    let place = folder.path(CONFIG_FILE);
    Ok(format!("{head}#   thoughtcache train --config {}\n\n{}", pasted(&place), experiment.to_toml()?))
}

/// One start, ready to run.
struct Start<'a> {
    experiment: &'a Experiment,
    folder: &'a RunDir,
    inputs: Inputs,
    kept: Option<Kept>,
    provenance: Provenance,
}

impl Start<'_> {
    fn what(&self) -> String {
        let Experiment { agent, decisions, seed, scenario, .. } = self.experiment;
        format!(
            "{} on {}, {} decisions, seed {seed}",
            agent.algorithm().name(),
            scenario.scenario.name(),
            grouped(*decisions)
        )
    }

    fn run(self, console: Console, stop: &Stop) -> Result<Verdict> {
        let Self { experiment, folder, inputs, kept, provenance } = self;
        let logs: Option<(u64, LogState)> = kept.as_ref().map(|kept| (kept.decisions, kept.log.clone()));
        let at_start = provenance.clone();
        let from_decisions = kept.as_ref().map_or(0, |kept| kept.decisions);
        let place = kept.as_ref().map(|kept| kept.place.clone());
        // Each of these may be the last before a kill: from the first on, the run goes on from this state, and what is left
        // of later moments is forgotten and cut off by then.
        let watch = Watch::begin(console, experiment, folder, stop.clone(), inputs, logs, move || {
            let checkpoints = folder.checkpoints();
            if let Some(place) = place {
                kept::make_last(&checkpoints, &place)?;
            }
            checkpoints.recover()?;
            checkpoints.forget_after(from_decisions)?;
            at_start.write(folder.root())
        })?;
        let place = folder.root().display();
        let Some(mut watch) = watch else {
            let reason = stop.reason().unwrap_or(StopReason::Interrupted);
            provenance.with_state(false).at_end(reason.name()).write(folder.root())?;
            let what = "stopped while least-aot played the validation episodes: nothing has been learnt yet";
            return nothing_learnt(console, folder, what, reason);
        };
        let scenario = &experiment.scenario.scenario;
        let env = DecisionEnv::new(Arc::clone(scenario));
        let settings = TrainSettings {
            budget: experiment.decisions,
            eval_freq: experiment.eval_every_decisions,
            checkpoint_freq: experiment.checkpoint_every_decisions,
            run: experiment.seed,
        };
        let trained = if let Some(Kept { trainer, replay, .. }) = kept {
            resume(&experiment.agent, |_| env.clone(), settings, &mut watch, &trainer, replay.as_deref())
        } else {
            let warm_start = experiment.agent.warm_start.as_ref();
            let teacher = warm_start.map(|warm| Prepared::new(&warm.policy, scenario)).transpose()?;
            let instance = |_: &str| teacher.as_ref().map(Prepared::instance);
            train_after(&experiment.agent, |_| env.clone(), instance, settings, &mut watch)
        };
        if let Err(error @ TrainError::State(_)) = trained {
            // Nothing of the run has been touched.
            return Err(error).with_context(|| format!("{place}: its checkpoint cannot be used"));
        }
        let batch = trained.as_ref().err().and_then(TrainError::offending_batch);
        if let Some((update, batch)) = batch {
            let place = folder.path(&format!("nan/update-{update}.safetensors"));
            fs::create_dir_all(folder.path("nan"))
                .and_then(|()| fs::write(&place, batch))
                .with_context(|| format!("cannot write {}", place.display()))?;
            console.warn(&format!("the batch that the run ends with is {}", place.display()));
        }
        let is_stopped = match &trained {
            Ok(trained) => !trained.is_complete,
            Err(error) => matches!(error, TrainError::StoppedInWarmStart),
        };
        // What ended first ended the run.
        let stopped = stop.reason().filter(|_| is_stopped);
        let ending = match (stopped, &trained) {
            (Some(reason), _) => reason.name(),
            (None, Ok(trained)) if trained.is_complete => "done",
            (None, _) => "failed",
        };
        let provenance = provenance.with_state(watch.has_kept());
        // What went wrong with the files comes first: it is why the run was stopped.
        let watched = watch.end(trained.as_ref().ok());
        let noted = provenance.at_end(if watched.is_ok() { ending } else { "failed" }).write(folder.root());
        let watched = watched?;
        if let (Some(reason), Err(error @ TrainError::StoppedInWarmStart)) = (stopped, &trained) {
            return nothing_learnt(console, folder, &error.to_string(), reason);
        }
        let trained = trained.with_context(|| format!("{place}: training stopped"))?;
        // After what went wrong before: a full disk hinders this file too, and it is not the one to look at.
        noted?;
        let finished = Finished::new(experiment, folder, &trained, &watched, stopped)?;
        console.result(&finished, || finished.text())?;
        Ok(stopped.map_or(Verdict::Done, StopReason::verdict))
    }
}

/// Says that a run was stopped before there was anything to keep.
fn nothing_learnt(console: Console, folder: &RunDir, what: &str, reason: StopReason) -> Result<Verdict> {
    let place = folder.root().display();
    let again = pasted(folder.root());
    let text = format!("{place}: {what}; to begin it again: thoughtcache train --resume {again}\n");
    let nothing = serde_json::json!({ "run": place.to_string(), "decisions": 0, "interrupted": true });
    console.result(&nothing, || text)?;
    Ok(reason.verdict())
}

/// What a run says at its end.
#[derive(Serialize)]
struct Finished {
    run: String,
    experiment: String,
    algorithm: &'static str,
    scenario: String,
    seed: u64,
    decisions: u64,
    /// Whether it can be resumed.
    interrupted: bool,
    /// `interrupted` or `time limit`.
    stopped_by: Option<&'static str>,
    /// Exploring, stepping and learning; validation left out.
    training_s: f64,
    decisions_per_s: f64,
    /// Mean cost per slot on the validation episodes; nothing of these when no policy was validated yet.
    best_cost: Option<f64>,
    best_decisions: Option<u64>,
    least_aot_cost: f64,
    /// To least-aot on the same episodes; negative is cheaper. Nothing where least-aot costs nothing.
    relative: Option<f64>,
    checkpoint: Option<String>,
    trajectory_hash: String,
    health: Vec<Finding>,
}

impl Finished {
    fn new(
        experiment: &Experiment,
        folder: &RunDir,
        trained: &Trained,
        watched: &Watched,
        stopped: Option<StopReason>,
    ) -> Result<Self> {
        let run = folder.root().display().to_string();
        let best = trained.best.as_ref();
        let algorithm = experiment.agent.algorithm();
        Ok(Self {
            checkpoint: best.map(|_| folder.path("checkpoints/best").display().to_string()),
            experiment: experiment.name.clone(),
            algorithm: algorithm.name(),
            scenario: experiment.scenario.scenario.name().to_owned(),
            seed: experiment.seed,
            decisions: trained.decisions,
            interrupted: !trained.is_complete,
            stopped_by: stopped.map(StopReason::name),
            training_s: watched.training_s,
            decisions_per_s: watched.decisions_per_s,
            best_cost: best.map(|best| best.score),
            best_decisions: best.map(|best| best.decisions),
            least_aot_cost: watched.least_aot_cost,
            relative: best.and_then(|best| relative(best.score, watched.least_aot_cost)),
            trajectory_hash: format!("{:016x}", trained.trajectory_hash),
            health: health::of(&folder.path("metrics.jsonl"), algorithm, experiment.decisions)?,
            run,
        })
    }

    fn text(&self) -> String {
        let how = match self.stopped_by {
            Some("time limit") => "stopped at its time limit",
            Some(_) => "stopped",
            None => "trained",
        };
        let time = human(Duration::from_secs_f64(self.training_s));
        let (run, typed) = (&self.run, pasted(Path::new(&self.run)));
        let resume =
            if self.interrupted { format!("  thoughtcache train --resume {typed}\n") } else { String::new() };
        let best = match (self.best_cost, self.best_decisions, &self.checkpoint) {
            (Some(cost), Some(decisions), Some(checkpoint)) => format!(
                "  best        {cost:.6} per slot after {decisions} decisions, {relative} ({baseline:.6}),\n\
                 \x20             on validation episodes: what a policy is worth, compare says\n\
                 \x20 checkpoint  {checkpoint}\n",
                decisions = grouped(decisions),
                relative = self.relative.map_or_else(
                    || "nothing to compare it with: least-aot costs nothing".to_owned(),
                    |relative| format!("{:+.1} % vs least-aot", 100.0 * relative)
                ),
                baseline = self.least_aot_cost,
            ),
            _ => "  best        none yet: the run was stopped before its first validation ended\n".to_owned(),
        };
        let compare = if self.best_cost.is_some() {
            format!("  thoughtcache compare {typed}\n")
        } else {
            String::new()
        };
        format!(
            "{how} {run}: {decisions} decisions in {time} ({rate} a second, validation left out)\n\
             {best}\
             \x20 logs        {run}/metrics.jsonl, eval.csv, tensorboard/\n\
             {health}\
             next:\n\
             {resume}\
             {compare}\
             \x20 tensorboard --logdir {typed}/tensorboard\n",
            decisions = grouped(self.decisions),
            rate = grouped(self.decisions_per_s as u64),
            health = health::text(&self.health),
        )
    }
}
