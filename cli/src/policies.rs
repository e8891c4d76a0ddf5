//! From names on the command line to policies: a heuristic by its name, a run or a checkpoint by its folder.

use crate::console::Console;
use crate::run_dir::checkpoints::{BEST, Checkpoints};
use crate::run_dir::{CONFIG_FILE, PROVENANCE_FILE, Provenance};
use crate::text_file;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thoughtcache_agents::bounds::exact::{ExactMdp, ExactPolicy, OPTIMAL};
use thoughtcache_agents::checkpoint::{Checkpoint, CheckpointError, POLICY_FILE};
use thoughtcache_agents::compare::SeedGroup;
use thoughtcache_agents::evaluate::{AnyPolicy, Contender, PolicyKind};
use thoughtcache_agents::heuristics::{Prepared, registry};
use thoughtcache_agents::net_policy::{Mlp, NetPolicy};
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::message::one_line;
use thoughtcache_env::scenario::Scenario;
use toml::{Table, Value};

/// Whether this is the name of a heuristic.
pub(crate) fn is_heuristic(name: &str) -> bool {
    registry::entry(name).is_ok()
}

/// How far apart the bounds of an optimum may be.
pub(crate) const TOLERANCE: f64 = 1e-9;

/// Whether this is the name of a bound.
pub(crate) fn is_bound(name: &str) -> bool {
    name == OPTIMAL
}

/// The checkpoint behind a name; `None` for a heuristic or a bound.
///
/// # Errors
/// When the name is neither of these nor a folder with a policy.
pub(crate) fn checkpoint(name: &str) -> Result<Option<PathBuf>> {
    if is_heuristic(name) || is_bound(name) { Ok(None) } else { find(Path::new(name)).map(Some) }
}

/// The folder of the run that a checkpoint lies in, where it has one with a config.
pub(crate) fn run_of(place: &Path) -> Option<PathBuf> {
    let is_run = |folder: &&Path| folder.join(CONFIG_FILE).is_file();
    let typed = place.ancestors().take(3).filter(|folder| !folder.as_os_str().is_empty()).find(is_run);
    // What was typed may begin below the run's folder.
    let whole = || Some(fs::canonicalize(place).ok()?.ancestors().take(3).find(is_run)?.to_owned());
    typed.map(Path::to_owned).or_else(whole)
}

/// The names, each folder of training runs (`DIR/seed-1`, `DIR/seed-2` ...) replaced by the runs in it that are finished; where
/// none is, by those that have a policy. Says which runs are left out, or that the policies are unfinished.
pub(crate) fn expand(console: Console, names: &[String]) -> Vec<String> {
    let mut expanded = Vec::new();
    for name in names {
        let folder = Path::new(name);
        let is_policy = is_heuristic(name) || is_bound(name) || find(folder).is_ok();
        let mut runs = if is_policy { Vec::new() } else { runs_in(folder) };
        if runs.is_empty() {
            expanded.push(name.clone());
            continue;
        }
        // Seed 2 before seed 10.
        runs.sort_by_key(|run| (run.len(), run.clone()));
        let (playable, bare): (Vec<String>, Vec<String>) =
            runs.into_iter().partition(|run| find(Path::new(run)).is_ok());
        let (done, unfinished): (Vec<String>, Vec<String>) =
            playable.into_iter().partition(|run| is_done(Path::new(run)));
        let listed = |runs: &[String]| runs.iter().map(|run| one_line(run)).collect::<Vec<_>>().join(", ");
        if !bare.is_empty() {
            console.note(&format!("left out, without a policy yet: {}", listed(&bare)));
        }
        let said = if done.is_empty() {
            "unfinished, with the best policy so far"
        } else {
            "left out, unfinished (named themselves, they play)"
        };
        if !unfinished.is_empty() {
            console.note(&format!("{said}: {}", listed(&unfinished)));
        }
        expanded.extend(if done.is_empty() { unfinished } else { done });
    }
    expanded
}

/// Whether a run has come to its end. A run that has no provenance at all counts as finished.
fn is_done(run: &Path) -> bool {
    Provenance::is_of_a_done_run(run) || !run.join(PROVENANCE_FILE).exists()
}

/// The folders in this one that have the config of a run.
fn runs_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let runs = entries.filter(|path| path.join(CONFIG_FILE).is_file());
    runs.filter_map(|path| path.to_str().map(str::to_owned)).collect()
}

/// The runs among the policies whose configs differ in their seed alone, where there are several: `names` as they were
/// typed, each once, with the contender of each.
///
/// # Errors
/// When a config cannot be read, or two runs of one configuration have one seed.
pub fn seed_groups(names: &[String], contenders: &[Contender]) -> Result<Vec<SeedGroup>> {
    let mut groups: Vec<(Table, SeedGroup)> = Vec::new();
    for (name, contender) in names.iter().zip(contenders) {
        let Some(place) = checkpoint(name)? else { continue };
        let Some(run) = run_of(&place) else { continue };
        let path = run.join(CONFIG_FILE);
        let text = text_file::read(&path, CONFIG_FILE)?;
        let mut config: Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let Some(seed) = config.remove("seed").and_then(|seed| seed.as_integer()) else { continue };
        let called =
            config.get("name").and_then(Value::as_str).map_or_else(|| display_name(&place), one_line);
        // `best` and `last` of one run are two policies, and so are worlds that it was trained on and others.
        let checkpoint = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        config.insert("checkpoint".into(), checkpoint.into());
        let member = (seed as u64, contender.name.clone());
        match groups.iter_mut().find(|(known, _)| *known == config) {
            None => groups.push((config, SeedGroup { name: called, members: vec![member] })),
            Some((_, group)) => {
                if let Some((seed, other)) = group.members.iter().find(|(seed, _)| *seed == member.0) {
                    bail!(
                        "{other} and {} are the same training run (seed {seed}): name one of them, or compare runs with \
                         --by-run",
                        contender.name
                    );
                }
                group.members.push(member);
            }
        }
    }
    let mut groups: Vec<SeedGroup> = groups.into_iter().map(|(_, group)| group).collect();
    groups.retain(|group| group.members.len() > 1);
    for at in 0..groups.len() {
        let first = groups[at].members[0].1.clone();
        let count = groups[at].members.len();
        let plain = format!("{} ({count} seeds)", groups[at].name);
        let is_taken = groups[..at].iter().any(|earlier| earlier.name == plain);
        groups[at].name =
            if is_taken { format!("{} ({count} seeds: {first} ...)", groups[at].name) } else { plain };
    }
    Ok(groups)
}

/// The name of the row of a policy: its own, or that of the group of seeds that it belongs to. `names` as they were typed, each once,
/// with the contender of each; another name is a row by itself.
pub fn row<'a>(
    name: &'a str,
    names: &[String],
    contenders: &'a [Contender],
    groups: &'a [SeedGroup],
) -> &'a str {
    let at = names.iter().position(|typed| typed == name);
    let policy = at.and_then(|at| contenders.get(at)).map_or(name, |contender| contender.name.as_str());
    let is_member = |group: &&SeedGroup| group.members.iter().any(|(_, member)| member == policy);
    groups.iter().find(is_member).map_or(policy, |group| group.name.as_str())
}

/// Finds policies for a scenario, each name once, in the order in which they were typed.
///
/// # Errors
/// When a name is neither a heuristic nor the folder of a run, or a policy does not fit the scenario.
pub fn load(names: &[String], scenario: &Arc<Scenario>) -> Result<Vec<Contender>> {
    let env = DecisionEnv::new(Arc::clone(scenario));
    let mut typed: Vec<&String> = Vec::new();
    let mut contenders: Vec<Contender> = Vec::new();
    for name in names {
        if typed.contains(&name) {
            continue;
        }
        typed.push(name);
        let mut contender = if is_heuristic(name) {
            heuristic(name, scenario)?
        } else if is_bound(name) {
            optimal(scenario).with_context(|| format!("{OPTIMAL} plays tiny worlds only"))?
        } else {
            trained(Path::new(name), &env)?
        };
        if contenders.iter().any(|earlier| earlier.name == contender.name) {
            // Two runs in folders of one name: tell them apart by what was typed.
            contender.name = one_line(name);
        }
        contenders.push(contender);
    }
    Ok(contenders)
}

fn heuristic(name: &str, scenario: &Arc<Scenario>) -> Result<Contender> {
    let prepared = Prepared::new(name, scenario)?;
    let kind = if prepared.knows_the_future() { PolicyKind::Reference } else { PolicyKind::Heuristic };
    Ok(Contender::new(name, kind, move || -> AnyPolicy { prepared.instance() }))
}

/// The plan of the least average cost.
///
/// # Errors
/// When the scenario is not tiny, or does not show the phase that the plan decides by.
pub(crate) fn optimal(scenario: &Arc<Scenario>) -> Result<Contender> {
    let mdp = Arc::new(ExactMdp::new(scenario)?);
    let policy = ExactPolicy::new(OPTIMAL, Arc::clone(&mdp), mdp.average(TOLERANCE)?.plan)?;
    Ok(Contender::new(OPTIMAL, PolicyKind::Bound, move || -> AnyPolicy { Box::new(policy.clone()) }))
}

/// The policy of a folder; named as such when it was trained on another scenario.
fn trained(folder: &Path, env: &DecisionEnv) -> Result<Contender> {
    let place = find(folder)?;
    let checkpoint = read(&place)?;
    checkpoint.check_spec(env.spec()).with_context(|| folder.display().to_string())?;
    let meta = checkpoint.meta();
    let mut name = one_line(&display_name(&place));
    if meta.trained_on != env.spec().id {
        name = format!("{name} (trained on {})", one_line(&meta.trained_on));
    }
    let net: Arc<Mlp> = Arc::new(checkpoint.net().clone());
    let policy = NetPolicy::new(name.clone(), net);
    let make = move || -> AnyPolicy { Box::new(policy.clone()) };
    Ok(Contender::new(name, meta.algorithm.into(), make))
}

/// The checkpoint that a folder keeps.
fn find(folder: &Path) -> Result<PathBuf> {
    if !folder.is_dir() {
        let name = folder.to_string_lossy();
        if folder.exists() {
            bail!("{name} is a file; name the folder of a run, or of one of its checkpoints");
        }
        let is_path = folder.components().count() > 1;
        let Some(mistake) = registry::entry(&name).err().filter(|_| !is_path) else {
            bail!(
                "no folder {name}; name a run (its folder holds checkpoints/best/{POLICY_FILE}) or a heuristic"
            );
        };
        return Err(mistake).context(format!("\"{name}\" is neither a heuristic nor the folder of a run"));
    }
    // It is a checkpoint, a run, or a reference run.
    let places = [Some(folder.to_owned()), Checkpoints::of(folder).find(BEST), Some(folder.join(BEST))];
    match places.into_iter().flatten().find(|place| place.join(POLICY_FILE).is_file()) {
        Some(place) => Ok(place),
        None => bail!(
            "{} holds no policy: a run has checkpoints/best/{POLICY_FILE}, a checkpoint has {POLICY_FILE}",
            folder.display()
        ),
    }
}

/// Reads and verifies a checkpoint's policy.
///
/// # Errors
/// When a file is missing or its bytes are not those that were written.
pub(crate) fn read(place: &Path) -> Result<Checkpoint> {
    Checkpoint::load(place).map_err(|error| match error {
        CheckpointError::Read { .. } => error.into(),
        error => anyhow::Error::new(error).context(place.display().to_string()),
    })
}

/// Returns the name of a checkpoint in tables: the run's folder, with `@last` for another checkpoint than the best.
fn display_name(place: &Path) -> String {
    let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
    let mut names = place.iter().rev().map(|name| name.to_string_lossy().into_owned());
    let last = names.next().unwrap_or_default();
    let mut above = names.next().unwrap_or_default();
    let is_in_run = above == "checkpoints";
    if is_in_run {
        above = names.next().unwrap_or_default();
    }
    // What a crash has left beside its place (`.best.new`) is called like what it is.
    let beside =
        last.strip_prefix('.').and_then(|name| name.strip_suffix(".new").or(name.strip_suffix(".old")));
    match beside.unwrap_or(&last) {
        BEST if !above.is_empty() => above,
        checkpoint if is_in_run => format!("{above}@{checkpoint}"),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_called_like_their_run() {
        let name = |path: &str| display_name(Path::new(path));
        assert_eq!(name("/none/runs/tight-ppo/checkpoints/best"), "tight-ppo");
        assert_eq!(name("/none/runs/tight-ppo/checkpoints/.best.new"), "tight-ppo");
        assert_eq!(name("/none/runs/tight-ppo/best"), "tight-ppo");
        assert_eq!(name("/none/runs/tight-ppo/checkpoints/last"), "tight-ppo@last");
        assert_eq!(name("/none/policies/mine"), "mine");
    }

    #[test]
    fn what_is_neither_a_rule_nor_a_run_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy");
        fs::write(&file, "").unwrap();
        let message = |path: &Path| format!("{:#}", find(path).unwrap_err());
        assert!(message(Path::new("least_aot")).contains("did you mean least-aot?"));
        assert!(message(Path::new("runs/absent")).starts_with("no folder runs/absent;"));
        assert!(
            message(folder.path()).contains("holds no policy: a run has checkpoints/best/policy.safetensors")
        );
        assert!(message(&file).contains("is a file; name the folder of a run"));
    }

    #[test]
    fn a_name_that_is_typed_twice_plays_once() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let names = ["lru", "fifo", "lru"].map(str::to_owned);
        let contenders = load(&names, &scenario).unwrap();
        assert_eq!(contenders.iter().map(|contender| &contender.name).collect::<Vec<_>>(), ["lru", "fifo"]);
    }
}
