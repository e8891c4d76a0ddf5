//! `train --seeds`: one experiment with several seeds, each a run in a folder of its own, several at a time.
//!
//! ```text
//! OUT/experiment.toml    the resolved experiment
//! OUT/seeds.toml         its seeds
//! OUT/seed-N/            the run with seed N
//! ```
//! Each run is a child of this program and ends with the bytes that it has when it is trained alone. Its standard input is a
//! pipe that this program holds: when this program ends in any way, the child ends in good order and can go on. The same
//! command, or `train --resume OUT`, leaves finished runs alone and goes on with the others.

use super::learn::Terms;
use crate::clock::Stopwatch;
use crate::console::{Console, Verdict, pasted};
use crate::experiment::{Experiment, ExperimentArgs};
use crate::interrupt::{Stop, StopReason};
use crate::machine::{self, Machine};
use crate::patience::Patience;
use crate::progress;
use crate::run_dir::{CONFIG_FILE, Provenance, RunDir, check_name, write_whole};
use crate::table::{Align, Column, Table, grouped};
use crate::tensorboard::EVENTS_FOLDER;
use crate::text_file;
use crate::world::differences;
use anyhow::{Context, Result, anyhow, bail, ensure};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
#[cfg(unix)]
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The resolved experiment in the folder of all runs.
pub(super) const EXPERIMENT_FILE: &str = "experiment.toml";
/// Their seeds; written last, so that a folder that has it is complete.
const SEEDS_FILE: &str = "seeds.toml";
/// How often children are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Looks between two readings of how far the runs are.
const LOOKS_PER_READING: u32 = 20;
/// How long a run's folder may be held by a child of an earlier start that is still saving.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after Ctrl-C the children's input is closed.
const GRACE: Duration = Duration::from_secs(1);
/// Free memory that the next run needs, as a multiple of what the largest running one occupies.
const ROOM: f64 = 1.25;
/// How long a run that logs nothing may take to load: a longer one does not hold up the next.
const LOADS: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
struct SeedsFile {
    seeds: Vec<u64>,
}

/// The runs of one experiment.
struct Runs {
    root: PathBuf,
    experiment: Experiment,
    seeds: Vec<u64>,
    /// The folder, locked.
    _folder: RunDir,
}

/// Whether a folder is one of several seeds.
pub(super) fn is_folder_of_seeds(folder: &Path) -> bool {
    folder.join(EXPERIMENT_FILE).is_file()
}

/// Trains an experiment with these seeds, in `runs/EXPERIMENT` unless another folder is named; goes on where runs of the same
/// experiment are in it.
///
/// # Errors
/// When the folder holds something else, or a run could not come to its end; the first of them with its seed.
pub(super) fn begin(
    console: Console,
    experiment: &ExperimentArgs,
    seeds: &[u64],
    out: Option<&Path>,
    terms: Terms,
    jobs: Option<usize>,
) -> Result<Verdict> {
    let experiment = experiment.load_for(console)?;
    let root = out.map_or_else(|| Path::new("runs").join(experiment.name()), Path::to_owned);
    check_name(&root)?;
    fs::create_dir_all(&root).with_context(|| format!("cannot make the folder {}", root.display()))?;
    let folder = RunDir::lock(&root)?;
    let text =
        format!("# Resolved: every value of the runs below but their seeds.\n\n{}", experiment.to_toml()?);
    let path = root.join(EXPERIMENT_FILE);
    if path.is_file() {
        let parse =
            |text: &str| toml::from_str::<toml::Table>(text).with_context(|| path.display().to_string());
        let (old, new) = (parse(&text_file::read(&path, EXPERIMENT_FILE)?)?, parse(&text)?);
        ensure!(
            old == new,
            "{} holds runs of another experiment ({}); name another folder with --out",
            root.display(),
            differences(&old, &new)
        );
    } else {
        let is_ours = |name: &str| name.strip_suffix(".new").is_some_and(|name| name == EXPERIMENT_FILE);
        let mut entries = fs::read_dir(&root).with_context(|| root.display().to_string())?;
        ensure!(
            entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_ours))),
            "{} is not empty and holds no {EXPERIMENT_FILE}: name another folder with --out, or remove that one",
            root.display()
        );
        write_whole(&path, text.as_bytes())?;
    }
    let mut all = if root.join(SEEDS_FILE).is_file() { known_seeds(&root)? } else { Vec::new() };
    all.extend_from_slice(seeds);
    all.sort_unstable();
    all.dedup();
    let text = toml::to_string(&SeedsFile { seeds: all }).context("cannot write the seeds as TOML")?;
    let head =
        format!("# To go on with those that are unfinished: thoughtcache train --resume {}\n", pasted(&root));
    write_whole(&root.join(SEEDS_FILE), (head + &text).as_bytes())?;
    Runs { root, experiment, seeds: seeds.to_vec(), _folder: folder }.train(console, terms, jobs)
}

/// Goes on with the runs of a folder that are unfinished.
///
/// # Errors
/// As [`begin`].
pub(super) fn go_on(console: Console, root: &Path, terms: Terms, jobs: Option<usize>) -> Result<Verdict> {
    let folder = RunDir::lock(root)?;
    let seeds = known_seeds(root)?;
    let experiment = ExperimentArgs::new(root.join(EXPERIMENT_FILE), Vec::new(), None).load()?;
    Runs { root: root.to_owned(), experiment, seeds, _folder: folder }.train(console, terms, jobs)
}

fn known_seeds(root: &Path) -> Result<Vec<u64>> {
    let path = root.join(SEEDS_FILE);
    ensure!(
        path.is_file(),
        "{root}: the command that made it was ended before it noted its seeds in {SEEDS_FILE}; to train them, type: thoughtcache \
         train --config {config} --out {root} --seeds 1..10, say",
        root = pasted(root),
        config = pasted(&root.join(EXPERIMENT_FILE)),
    );
    let text = text_file::read(&path, SEEDS_FILE)?;
    let file: SeedsFile = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(file.seeds)
}

/// A run that is being trained.
struct Worker {
    seed: u64,
    child: Child,
    /// Closed when the child is to end in good order.
    input: Option<ChildStdin>,
    complaints: JoinHandle<String>,
    since: Stopwatch,
    /// The folder of its event files, and how many there were at the start.
    events: (PathBuf, usize),
}

impl Worker {
    /// Whether the child may still be loading: until it has an event file of its own, which it makes before its first step, or for
    /// [`LOADS`]. The most memory that it has occupied, where the system tells.
    fn occupied(&self) -> (bool, Option<u64>) {
        let (events, before) = &self.events;
        let is_loading = num_files(events) <= *before && self.since.elapsed() <= LOADS;
        (is_loading, machine::peak_resident_bytes_of(&self.child.id().to_string()))
    }
}

/// The number of files in a folder, 0 where there is none.
fn num_files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// How the runs ended.
#[derive(Default)]
struct Outcome {
    failed: Vec<(u64, String)>,
    is_interrupted: bool,
}

impl Runs {
    fn run(&self, seed: u64) -> PathBuf {
        self.root.join(format!("seed-{seed}"))
    }

    fn is_done(&self, seed: u64) -> bool {
        Provenance::is_of_a_done_run(&self.run(seed))
    }

    fn train(&self, console: Console, terms: Terms, jobs: Option<usize>) -> Result<Verdict> {
        let stop = Stop::listen(terms.time_limit)?;
        let cores = Machine::this().cores;
        let jobs = jobs.unwrap_or(cores / self.experiment.agent.torch_threads()).max(1);
        let threads = (cores / jobs).max(1);
        let unfinished: Vec<u64> = self.seeds.iter().copied().filter(|&seed| !self.is_done(seed)).collect();
        console.note(&format!(
            "{}: {}, {} seeds, {} to train, at most {jobs} at a time",
            self.root.display(),
            self.experiment.name(),
            self.seeds.len(),
            unfinished.len()
        ));
        let total = self.experiment.decisions.saturating_mul(self.seeds.len() as u64);
        let bar = progress::bar(console, total, "decisions");
        let patience = Patience::with(console, &bar, "decisions");
        let outcome = self.work(console, unfinished.into(), terms, &stop, (jobs, threads), &bar);
        drop(patience);
        bar.finish_and_clear();
        let Outcome { failed, is_interrupted } = outcome?;
        if let Some((seed, message)) = failed.first() {
            let more = if failed.len() > 1 {
                format!(" (and {} more seeds)", failed.len() - 1)
            } else {
                String::new()
            };
            bail!(
                "seed {seed}: {message}{more}; to go on with what is unfinished, type: thoughtcache train --resume {}",
                pasted(&self.root)
            );
        }
        let trained = Trained::of(self, is_interrupted)?;
        console.result(&trained, || trained.text(&self.root))?;
        Ok(if is_interrupted { Verdict::Interrupted } else { Verdict::Done })
    }

    /// Keeps children at work until all are done, or until they are asked to end.
    fn work(
        &self,
        console: Console,
        mut waiting: VecDeque<u64>,
        terms: Terms,
        stop: &Stop,
        (jobs, threads): (usize, usize),
        bar: &ProgressBar,
    ) -> Result<Outcome> {
        let (mut workers, mut outcome) = (Vec::<Worker>::new(), Outcome::default());
        let (since, mut looks, mut asked) = (Stopwatch::start(), 0_u32, None);
        loop {
            let mut at = 0;
            while at < workers.len() {
                let Some(status) = workers[at].child.try_wait().context("cannot wait for a child")? else {
                    at += 1;
                    continue;
                };
                let Worker { seed, complaints, .. } = workers.swap_remove(at);
                let said = complaints.join().unwrap_or_default();
                let is_stopped = is_asked_to_end(status);
                outcome.is_interrupted |= is_stopped;
                let warnings = said.lines().filter_map(|line| line.strip_prefix("warning: "));
                for warning in warnings.filter(|_| status.success() || is_stopped) {
                    bar.suspend(|| console.warn(&format!("seed {seed}: {warning}")));
                }
                if !status.success() && !is_stopped {
                    let said = said.trim().trim_start_matches("error: ");
                    let message =
                        if said.is_empty() { format!("it ended with {status}") } else { said.into() };
                    bar.suspend(|| console.warn(&format!("seed {seed}: {message}")));
                    outcome.failed.push((seed, message));
                }
            }
            match stop.reason() {
                None => {}
                // Children have a limit of their own.
                Some(StopReason::TimeLimit) => waiting.clear(),
                Some(StopReason::Interrupted) => {
                    waiting.clear();
                    outcome.is_interrupted = true;
                    // The terminal tells them, too, and what is told twice ends them at once.
                    if asked.get_or_insert_with(Stopwatch::start).elapsed() > GRACE {
                        for worker in &mut workers {
                            worker.input = None;
                        }
                    }
                }
            }
            if workers.is_empty() && waiting.is_empty() {
                return Ok(outcome);
            }
            let is_held = |seed: u64| self.run(seed).is_dir() && RunDir::lock(&self.run(seed)).is_err();
            if workers.len() < jobs
                && has_room(
                    &workers.iter().map(Worker::occupied).collect::<Vec<_>>(),
                    machine::available_bytes(),
                )
            {
                let free = waiting.iter().position(|&seed| since.elapsed() > PATIENCE || !is_held(seed));
                if let Some(seed) = free.and_then(|at| waiting.remove(at)) {
                    match self.start(seed, terms, since.elapsed(), threads) {
                        Ok(worker) => workers.push(worker),
                        // The others go on.
                        Err(error) => {
                            let message = format!("{error:#}");
                            bar.suspend(|| console.warn(&format!("seed {seed}: {message}")));
                            outcome.failed.push((seed, message));
                        }
                    }
                }
            }
            if looks.is_multiple_of(LOOKS_PER_READING) {
                let taken = self.seeds.iter().map(|&seed| self.decisions(seed)).sum();
                let done = self.seeds.iter().filter(|&&seed| self.is_done(seed)).count();
                bar.set_position(taken);
                bar.set_message(format!(
                    "{done} of {} seeds done, {} at work",
                    self.seeds.len(),
                    workers.len()
                ));
            }
            looks = looks.wrapping_add(1);
            thread::sleep(LOOK);
        }
    }

    /// Starts the child that trains with a seed: a new run, or one that goes on.
    fn start(&self, seed: u64, terms: Terms, elapsed: Duration, threads: usize) -> Result<Worker> {
        let run = self.run(seed);
        // One word each: a folder may be called `-h`.
        let option = |name: &str, path: &Path| {
            let mut word = OsString::from(name);
            word.push(path);
            word
        };
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        command.args(["train", "--quiet", "--end-with-input"]);
        if run.join(CONFIG_FILE).is_file() {
            command.arg(option("--resume=", &run));
        } else {
            command.arg(option("--config=", &self.root.join(EXPERIMENT_FILE))).arg(option("--out=", &run));
            command.args(["--seed", &seed.to_string()]);
        }
        if let Some(limit) = terms.time_limit {
            let left = limit.saturating_sub(elapsed).as_secs().max(1);
            command.args(["--time-limit", &format!("{left}s")]);
        }
        command.env("RAYON_NUM_THREADS", threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start the run of seed {seed}"))?;
        let mut pipe = child.stderr.take().ok_or_else(|| anyhow!("a child has no standard error"))?;
        let complaints = thread::spawn(move || {
            let mut said = Vec::new();
            let _ = pipe.read_to_end(&mut said); // what was said until then counts
            String::from_utf8_lossy(&said).into_owned()
        });
        let events = run.join(EVENTS_FOLDER);
        let before = num_files(&events);
        let (input, since) = (child.stdin.take(), Stopwatch::start());
        Ok(Worker { seed, child, input, complaints, since, events: (events, before) })
    }

    /// How far a run is, by the last validation in its log.
    fn decisions(&self, seed: u64) -> u64 {
        self.validations(seed).last().map_or(0, |validation| validation.decisions)
    }

    fn validations(&self, seed: u64) -> Vec<Validation> {
        let text = fs::read_to_string(self.run(seed).join("eval.csv")).unwrap_or_default();
        text.lines().filter_map(Validation::read).collect()
    }
}

/// Whether a child ended because it was asked to: in good order, or by the signal itself before it listened.
fn is_asked_to_end(status: ExitStatus) -> bool {
    #[cfg(unix)]
    if let Some(SIGINT | SIGTERM) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return true;
    }
    status.code() == Some(Verdict::Interrupted.exit_code().into())
}

/// Whether `free` bytes hold one more run beside those that load (`true`) or occupy so many bytes: never while one is loading, and
/// always where the system does not tell.
fn has_room(running: &[(bool, Option<u64>)], free: Option<u64>) -> bool {
    let largest = running.iter().filter_map(|(_, bytes)| *bytes).max();
    let is_loading = running.iter().any(|(is_loading, _)| *is_loading);
    !is_loading && largest.zip(free).is_none_or(|(largest, free)| free as f64 >= ROOM * largest as f64)
}

/// A line of `eval.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Validation {
    decisions: u64,
    cost: f64,
    relative: Option<f64>,
}

impl Validation {
    /// `None` for the header, and for half a line.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(',');
        let decisions = fields.next()?.parse().ok()?;
        let cost = fields.next()?.parse().ok()?;
        // Empty where least-aot costs nothing.
        let relative = fields.next()?;
        let relative = (!relative.is_empty()).then(|| relative.parse()).transpose().ok()?;
        Some(Self { decisions, cost, relative })
    }
}

/// The document at the end of all runs.
#[derive(Serialize)]
struct Trained {
    runs: String,
    experiment: String,
    /// Whether some can go on.
    interrupted: bool,
    seeds: Vec<TrainedSeed>,
}

#[derive(Serialize)]
struct TrainedSeed {
    seed: u64,
    run: String,
    is_done: bool,
    /// Decisions up to the last validation.
    decisions: u64,
    /// The least validation cost, after so many decisions; absent before the first validation.
    best_cost: Option<f64>,
    best_decisions: Option<u64>,
    /// To least-aot on the same episodes; negative is cheaper.
    relative: Option<f64>,
}

impl Trained {
    fn of(runs: &Runs, is_interrupted: bool) -> Result<Self> {
        let seed = |&seed: &u64| {
            let validations = runs.validations(seed);
            let best = validations.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
            if let Some(Validation { cost, .. }) = best.filter(|best| !best.cost.is_finite()) {
                bail!("seed {seed}: its best validation cost is {cost}, not a finite number");
            }
            Ok(TrainedSeed {
                seed,
                run: runs.run(seed).display().to_string(),
                is_done: runs.is_done(seed),
                decisions: validations.last().map_or(0, |last| last.decisions),
                best_cost: best.map(|best| best.cost),
                best_decisions: best.map(|best| best.decisions),
                relative: best.and_then(|best| best.relative),
            })
        };
        Ok(Self {
            runs: runs.root.display().to_string(),
            experiment: runs.experiment.name().to_owned(),
            interrupted: is_interrupted || runs.seeds.iter().any(|&seed| !runs.is_done(seed)),
            seeds: runs.seeds.iter().map(seed).collect::<Result<_>>()?,
        })
    }

    fn text(&self, root: &Path) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let cost = |seed: &TrainedSeed| or_dash(seed.best_cost.map(|cost| format!("{cost:.6}")));
        let relative =
            |seed: &TrainedSeed| or_dash(seed.relative.map(|rel| format!("{:+.1} %", 100.0 * rel)));
        let columns: [Column<'_, TrainedSeed>; 5] = [
            ("seed", Align::Right, &|seed| seed.seed.to_string()),
            ("best cost", Align::Right, &cost),
            ("vs least-aot", Align::Right, &relative),
            ("after", Align::Right, &|seed| or_dash(seed.best_decisions.map(grouped))),
            ("", Align::Left, &|seed| if seed.is_done { String::new() } else { "unfinished".into() }),
        ];
        let table = Table::of(&columns, &self.seeds);
        let done = self.seeds.iter().filter(|seed| seed.is_done).count();
        let root = pasted(root);
        let resume =
            if self.interrupted { format!("  thoughtcache train --resume {root}\n") } else { String::new() };
        format!(
            "{done} of {} seeds of {} are trained, in {}; costs per slot on validation episodes\n\n{}\nnext:\n{resume}  thoughtcache compare {root}\n",
            self.seeds.len(),
            self.experiment,
            self.runs,
            table.text(2),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_child_that_a_signal_ended_before_it_listened_was_asked_to_end() {
        use std::os::unix::process::ExitStatusExt;
        // As the system tells it: the number of a signal, or the exit code above eight bits.
        for (status, is_asked) in
            [(SIGINT, true), (SIGTERM, true), (130 << 8, true), (9, false), (2 << 8, false), (0, false)]
        {
            assert_eq!(is_asked_to_end(ExitStatus::from_raw(status)), is_asked, "{status}");
        }
    }

    #[test]
    fn one_more_run_starts_when_the_others_have_loaded_and_memory_holds_it() {
        assert!(has_room(&[], Some(0)), "the first run starts anyway");
        assert!(!has_room(&[(false, Some(400)), (true, None)], Some(9_999)), "one is still loading");
        assert!(has_room(&[(false, Some(400)), (false, Some(100))], Some(500)), "1.25 times the largest");
        assert!(!has_room(&[(false, Some(400)), (false, Some(100))], Some(499)));
        assert!(has_room(&[(false, None)], Some(0)) && has_room(&[(false, Some(400))], None), "untold");
    }

    #[test]
    fn a_line_of_a_validation_is_read_and_half_of_one_is_not() {
        let read = Validation::read("50016,0.125,-0.25,0.1,0.007").unwrap();
        assert_eq!(read, Validation { decisions: 50_016, cost: 0.125, relative: Some(-0.25) });
        for line in ["decisions,mean_cost,relative_to_least_aot,hit_ratio", "50016,0.12", ""] {
            assert_eq!(Validation::read(line), None, "{line}");
        }
    }
}
