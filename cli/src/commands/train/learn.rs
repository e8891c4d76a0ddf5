//! One start of a training run: a new one, from an empty folder, or one that goes on from a checkpoint.

mod health;
mod kept;
mod log;
mod log_state;
mod logs;
mod validation;
mod watch;

use crate::clock::human;
use crate::console::{Console, Verdict, pasted, shown};
use crate::experiment::{Experiment, ExperimentArgs};
use crate::interrupt::{Stop, StopReason};
use crate::libtorch;
use crate::metrics_log::METRICS_FILE;
use crate::run_dir::checkpoints::BEST;
use crate::run_dir::{CONFIG_FILE, Provenance, RunDir};
use crate::scenario_files;
use crate::table::grouped;
use crate::text_file;
use anyhow::{Context, Result, bail};
use kept::Kept;
use log::RunLog;
use log_state::{Inputs, LogState};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thoughtcache_agents::checkpoint::sha256;
use thoughtcache_agents::heuristics::registry::Prepared;
use thoughtcache_agents::learn::train::{TrainError, TrainSettings, Trained, resume, train_after};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use validation::relative;
use watch::Watch;

/// Options that may differ at every start of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) time_limit: Option<Duration>,
    /// Whether the end of standard input ends the run in good order.
    pub(super) ends_with_input: bool,
}

impl Terms {
    /// The request to end the run.
    fn listen(&self) -> Result<Stop> {
        let stop = Stop::listen(self.time_limit)?;
        if self.ends_with_input {
            stop.press_at_end_of_input();
        }
        Ok(stop)
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
    let stop = terms.listen()?;
    let folder = match out {
        Some(out) => RunDir::create(out),
        None => RunDir::create_numbered(experiment.name()),
    }?;
    let config = format!(
        "# Resolved: every value that the run used. It repeats the run, to the last bit on one machine type:\n\
         #   thoughtcache train --config {}\n\n{}",
        pasted(&folder.path(CONFIG_FILE)),
        experiment.to_toml()?
    );
    let inputs = inputs(experiment, &config)?;
    // A folder with a config is a run that can be resumed.
    folder.write(CONFIG_FILE, &config)?;
    let provenance = Provenance::at_start(libtorch::version(), inputs.recording_sha256.clone());
    let start = Start { experiment, folder: &folder, inputs, kept: None, provenance };
    console.note(&format!("{}: {}", folder.root().display(), start.what()));
    start.run(console, &stop)
}

/// Goes on with a run: from the checkpoint that is named, else from the newest.
///
/// # Errors
/// When there is no such run, or its files are not those that it wrote.
pub(super) fn go_on(console: Console, root: &Path, from: Option<&str>, terms: Terms) -> Result<Verdict> {
    let stop = terms.listen()?;
    let folder = RunDir::open(root)?;
    let place = root.display();
    let experiment = ExperimentArgs::new(folder.path(CONFIG_FILE), Vec::new(), None).load_for(console)?;
    let kept = kept::read(&folder, from)?;
    let config = text_file::read(&folder.path(CONFIG_FILE), CONFIG_FILE)?;
    let inputs = inputs(&experiment, &config)?;
    let resumed = |decisions: u64, has_state: bool| {
        let recording = inputs.recording_sha256.clone();
        Provenance::at_resume(root, decisions, libtorch::version(), recording).with_state(has_state)
    };
    let is_done = Provenance::is_of_a_done_run(root);
    let is_finished = match &kept {
        Some(kept) => {
            check_inputs(&kept.log.inputs, &inputs, root)?;
            kept.decisions >= experiment.decisions && !kept.log.seen.must_validate
        }
        // `done` is said of a run whose folder keeps only some of its files, too.
        None => is_done,
    };
    if is_finished {
        folder.checkpoints().recover()?;
        if !is_done {
            // It was killed or failed between its last checkpoint and its end.
            if let Err(error) = folder.checkpoints().retain(experiment.keep_checkpoints) {
                console.warn(&format!("{error:#}; remove it by hand"));
            }
            resumed(experiment.decisions, true).at_end("done").write(root)?;
        }
        let text = format!(
            "{} is finished: all of its {} decisions are taken; to train longer, begin a new run: \
             thoughtcache train --config {} --set decisions=N\n",
            shown(root),
            grouped(experiment.decisions),
            pasted(&folder.path(CONFIG_FILE))
        );
        tell(console, &folder, experiment.decisions, text)?;
        return Ok(Verdict::Done);
    }
    let from_decisions = kept.as_ref().map_or(0, |kept| kept.decisions);
    let how = if kept.is_some() {
        format!("going on after {}", grouped(from_decisions))
    } else {
        check_nothing_is_lost(&folder)?;
        "it was ended before its first checkpoint and begins again".to_owned()
    };
    let provenance = resumed(from_decisions, kept.is_some());
    let start = Start { experiment: &experiment, folder: &folder, inputs, kept, provenance };
    console.note(&format!("{place}: {}; {how}", start.what()));
    start.run(console, &stop)
}

/// A run without a state begins again in its folder, which replaces what is there: fine when it was killed before its first
/// checkpoint, and not when its state is gone. Where it is not known whether it had one, a best policy is reason enough to
/// leave the folder alone, in whatever condition it is.
fn check_nothing_is_lost(folder: &RunDir) -> Result<()> {
    let provenance = Provenance::read(folder.root());
    let has_state = provenance.and_then(|provenance| provenance.has_state);
    let (what, replaced) = match (has_state, folder.checkpoints().is_there(BEST)) {
        (Some(false), _) | (None, false) => return Ok(()),
        (_, true) => ("a best policy and no", "it"),
        (Some(true), false) => ("lost the", "its logs"),
    };
    bail!(
        "{} has {what} state to go on from (checkpoints/last): beginning again would replace {replaced}; to train it anew, \
         type: thoughtcache train --config {}",
        folder.root().display(),
        pasted(&folder.path(CONFIG_FILE))
    )
}

/// Says of a run that it has nothing left to do, or nothing yet; all of its decisions are taken, or none.
fn tell(console: Console, folder: &RunDir, decisions: u64, text: String) -> Result<()> {
    let run = folder.root().display().to_string();
    let ended = json!({ "run": run, "decisions": decisions, "interrupted": decisions == 0 });
    console.result(&ended, || text)
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
    let changed = if kept.config_sha256 != now.config_sha256 {
        format!(
            "{root}/{CONFIG_FILE} is not what the run was trained with so far: it was changed, or another version of this \
             program wrote it; put it back"
        )
    } else if kept.recording_sha256 != now.recording_sha256 {
        format!(
            "a file that the scenario of {root} names is not the one that the run was trained with so far; put that one back"
        )
    } else {
        return Ok(());
    };
    bail!("{changed}, or begin a new run: thoughtcache train --config {again}")
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
            scenario.scenario.name,
            grouped(*decisions)
        )
    }

    fn run(self, console: Console, stop: &Stop) -> Result<Verdict> {
        let Self { experiment, folder, inputs, kept, provenance } = self;
        // Loading takes nothing from the time of the run.
        let stop = &stop.restarted();
        let logs: Option<(u64, LogState)> = kept.as_ref().map(|kept| (kept.decisions, kept.log.clone()));
        let from = kept.as_ref().map(|kept| (kept.decisions, kept.place.clone()));
        let at_start = provenance.clone();
        // Each of these may be the last before a kill: from the first on, the run goes on from this state, and what is left
        // of later moments is forgotten and cut off by then.
        let prepare = move || {
            let (checkpoints, mut decisions) = (folder.checkpoints(), 0);
            if let Some((from, place)) = from {
                decisions = from;
                kept::make_last(&checkpoints, &place)?;
            }
            checkpoints.recover()?;
            checkpoints.forget_after(decisions)?;
            at_start.write(folder.root())
        };
        let nothing_learnt = |what: &str, reason: StopReason| {
            let (place, again) = (folder.root().display(), pasted(folder.root()));
            let text = format!("{place}: {what}; to begin it again: thoughtcache train --resume {again}\n");
            tell(console, folder, 0, text)?;
            Ok(reason.verdict())
        };
        let watch = Watch::begin(console, experiment, folder, stop.clone(), inputs, logs, prepare)?;
        let Some(mut watch) = watch else {
            let reason = stop.reason().unwrap_or(StopReason::Interrupted);
            provenance.with_state(false).at_end(reason.name()).write(folder.root())?;
            let what = "stopped while least-aot played the validation episodes: nothing has been learnt yet";
            return nothing_learnt(what, reason);
        };
        let place = folder.root().display();
        let scenario = &experiment.scenario.scenario;
        let env = DecisionEnv::new(Arc::clone(scenario));
        let settings = TrainSettings {
            budget: experiment.decisions,
            eval_freq: experiment.eval_every_decisions,
            checkpoint_freq: experiment.checkpoint_every(),
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
        let provenance = provenance.with_state(watch.has_kept);
        // What went wrong with the files comes first: it is why the run was stopped.
        let log = watch.end(trained.as_ref().ok());
        let noted = provenance.at_end(if log.is_ok() { ending } else { "failed" }).write(folder.root());
        let log = log?;
        if let (Some(reason), Err(error @ TrainError::StoppedInWarmStart)) = (stopped, &trained) {
            return nothing_learnt(&error.to_string(), reason);
        }
        let trained = trained.with_context(|| format!("{place}: training stopped"))?;
        // After what went wrong before: a full disk hinders this file too, and it is not the one to look at.
        noted?;
        let (document, text) = finished(experiment, folder, &trained, &log, stopped)?;
        console.result(&document, || text)?;
        Ok(stopped.map_or(Verdict::Done, StopReason::verdict))
    }
}

/// What a run says at its end, as a document and as a text.
fn finished(
    experiment: &Experiment,
    folder: &RunDir,
    trained: &Trained,
    log: &RunLog,
    stopped: Option<StopReason>,
) -> Result<(Value, String)> {
    let (run, typed) = (folder.root().display(), pasted(folder.root()));
    let (algorithm, best) = (experiment.agent.algorithm(), trained.best.as_ref());
    let checkpoint = folder.path("checkpoints/best").display().to_string();
    let (training_s, decisions_per_s) = (log.training.elapsed_s(), log.decisions_per_s());
    let baseline = log.seen.baseline_cost;
    let relative = best.and_then(|best| relative(best.score, baseline));
    let health = health::of(&folder.path(METRICS_FILE), algorithm, experiment.decisions)?;
    let document = json!({
        "run": run.to_string(),
        "experiment": experiment.name(),
        "algorithm": algorithm.name(),
        "scenario": experiment.scenario.scenario.name,
        "seed": experiment.seed,
        "decisions": trained.decisions,
        // Whether it can be resumed.
        "interrupted": !trained.is_complete,
        // `interrupted` or `time limit`.
        "stopped_by": stopped.map(StopReason::name),
        // Exploring, stepping and learning; validation left out.
        "training_s": training_s,
        "decisions_per_s": decisions_per_s,
        // Mean cost per slot on the validation episodes; nothing of these when no policy was validated yet.
        "best_cost": best.map(|best| best.score),
        "best_decisions": best.map(|best| best.decisions),
        "least_aot_cost": baseline,
        // To least-aot on the same episodes; negative is cheaper. Nothing where least-aot costs nothing.
        "relative": relative,
        "checkpoint": best.map(|_| &checkpoint),
        "trajectory_hash": format!("{:016x}", trained.trajectory_hash),
        "health": health,
    });
    let how = match stopped {
        Some(StopReason::TimeLimit) => "stopped at its time limit",
        Some(StopReason::Interrupted) => "stopped",
        None => "trained",
    };
    let (mut best_lines, mut next) = (
        "  best        none yet: the run was stopped before its first validation ended\n".to_owned(),
        Vec::new(),
    );
    if !trained.is_complete {
        next.push(format!("  thoughtcache train --resume {typed}\n"));
    }
    if let Some(best) = best {
        let relative = relative.map_or_else(
            || "nothing to compare it with: least-aot costs nothing".to_owned(),
            |relative| format!("{:+.1} % vs least-aot", 100.0 * relative),
        );
        best_lines = format!(
            "  best        {:.6} per slot after {} decisions, {relative} ({baseline:.6}),\n\
             \x20             on validation episodes: what a policy is worth, compare says\n\
             \x20 checkpoint  {checkpoint}\n",
            best.score,
            grouped(best.decisions),
        );
        next.push(format!("  thoughtcache compare {typed}\n"));
    }
    let text = format!(
        "{how} {run}: {decisions} decisions in {time} ({rate} a second, validation left out)\n\
         {best_lines}\
         \x20 logs        {run}/metrics.jsonl, eval.csv, tensorboard/\n\
         {health}\
         next:\n\
         {next}\
         \x20 tensorboard --logdir {typed}/tensorboard\n",
        decisions = grouped(trained.decisions),
        time = human(Duration::from_secs_f64(training_s)),
        rate = grouped(decisions_per_s as u64),
        health = health::text(&health),
        next = next.concat(),
    );
    Ok((document, text))
}
