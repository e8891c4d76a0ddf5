//! The contract of [`Env`] as a test that anyone can run on an environment of their own.
//!
//! ```
//! use std::sync::Arc;
//! use thoughtcache_env::gym::check::{CheckSettings, check_env};
//! use thoughtcache_env::gym::decision_env::DecisionEnv;
//! use thoughtcache_env::scenario::Scenario;
//!
//! let scenario = Arc::new(Scenario::shipped("tight"));
//! let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), CheckSettings::default());
//! assert!(checked.unwrap().steps >= 2_000);
//! ```
//! It plays random legal actions and looks at every row, mask, reward and end; it asks for what is illegal, goes back to
//! snapshots, and plays everything twice. The first rule that does not hold is the result, with the place where it broke.

use super::api::{ActionId, Env, EnvError, Step};
use super::snapshot::Snapshot;
use crate::random::{Purpose, Seed, SimRng, Stream};
use rand::RngExt;
use std::fmt::Debug;
use thiserror::Error;

/// The length of the play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckSettings {
    /// Decisions of random play, at least; the last episode is played to its end, or to `max_episode_steps`.
    pub steps: u64,
    /// An episode that is longer is left unfinished.
    pub max_episode_steps: u64,
    /// The number of the run: other numbers, other episodes.
    pub run: u64,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self { steps: 2_000, max_episode_steps: 100_000, run: 0 }
    }
}

/// The play in which no rule was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Checked {
    /// Decisions.
    pub steps: u64,
    /// Episodes that came to their end.
    pub episodes: u64,
    /// Snapshots that were gone back to.
    pub restored: u64,
    /// The sum of all rewards.
    pub reward: f64,
}

/// A rule of the contract that does not hold.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{id}, episode {episode}, decision {step}: {rule}: {found}")]
pub struct Violation {
    /// The environment.
    pub id: String,
    /// The episode of the check, from 0.
    pub episode: u64,
    /// The decision of that episode, from 0.
    pub step: u64,
    /// The rule.
    pub rule: &'static str,
    /// The finding that breaks it.
    pub found: String,
}

/// Decisions from one snapshot to the next, and how far each is replayed.
const SNAPSHOT_EVERY: u64 = 97;
const REPLAYED: usize = 12;
/// Episodes that are compared with those of an instance that has never played.
const FRESH_INSTANCES: u64 = 8;
const FORGETS: &str = "an episode depends on its seed and on nothing that was played before";
/// How far reward and costs may differ, relative to their size.
const COST_TOLERANCE: f64 = 1e-9;

/// The place of the check.
struct Place {
    id: String,
    episode: u64,
    step: u64,
}

impl Place {
    fn expect(&self, holds: bool, rule: &'static str, found: &dyn Debug) -> Result<(), Violation> {
        if holds {
            return Ok(());
        }
        let (id, episode, step) = (self.id.clone(), self.episode, self.step);
        Err(Violation { id, episode, step, rule, found: format!("{found:?}") })
    }
}

/// The view of an environment at one moment.
#[derive(Clone, Debug, PartialEq)]
struct View {
    row: Vec<f32>,
    mask: Vec<bool>,
}

/// Plays an environment and looks at everything that [`Env`] promises.
///
/// # Errors
/// The first [`Violation`].
pub fn check_env<E: Env<Action = ActionId>>(
    mut make_env: impl FnMut() -> E,
    settings: CheckSettings,
) -> Result<Checked, Violation> {
    let (mut env, mut other) = (make_env(), make_env());
    let mut place = Place { id: env.spec().id.clone(), episode: 0, step: 0 };
    check_spec(&env, &place)?;
    let before = env.step(&ActionId(0));
    let is_refused = before == Err(EnvError::NotRunning);
    place.expect(is_refused, "a step before the first reset is refused as `NotRunning`", &before)?;

    let mut checked = Checked::default();
    let mut has_costs = false;
    let mut draws = Seed::new(Purpose::Test, settings.run).with_lane(u32::MAX).stream(Stream::Policy);
    while checked.steps < settings.steps {
        let seed = Seed::new(Purpose::Train, settings.run).with_episode(place.episode);
        place.step = 0;
        env.reset(seed);
        other.reset(seed);
        let mut view = look(&env, &place)?;
        let rule = "two instances show the same after a reset with one seed";
        same_view(&view, &look(&other, &place)?, rule, &place)?;
        if place.episode < FRESH_INSTANCES {
            let mut fresh = make_env();
            fresh.reset(seed);
            same_view(&view, &look(&fresh, &place)?, FORGETS, &place)?;
            place.expect(fresh.snapshot() == env.snapshot(), FORGETS, &"a fresh instance differs")?;
        }
        loop {
            refuses_what_is_illegal(&mut env, &view, &place)?;
            if checked.steps % SNAPSHOT_EVERY == 0 {
                comes_back(&mut env, &mut other, &view, &mut draws, &place)?;
                checked.restored += 1;
            }
            let action = random_legal(&view.mask, &mut draws);
            let step = take(&mut env, action, &place)?;
            let twin = take(&mut other, action, &place)?;
            place.expect(step == twin, "two instances answer one action alike", &(step, twin))?;
            check_step(&step, &mut has_costs, &place)?;
            checked.steps += 1;
            checked.reward += step.reward;
            place.step += 1;
            view = look(&env, &place)?;
            same_view(&view, &look(&other, &place)?, "two instances show the same after one action", &place)?;
            if step.end.is_end() {
                let after = env.step(&random_legal(&view.mask, &mut draws));
                let is_refused = after == Err(EnvError::NotRunning);
                place.expect(is_refused, "a step after the end is refused as `NotRunning`", &after)?;
                checked.episodes += 1;
                break;
            }
            if place.step >= settings.max_episode_steps {
                break;
            }
        }
        place.episode += 1;
    }
    Ok(checked)
}

fn check_spec<E: Env>(env: &E, place: &Place) -> Result<(), Violation> {
    let spec = env.spec();
    place.expect(!spec.id.is_empty(), "an environment has a name", &spec.id)?;
    place.expect(!spec.entries.is_empty(), "a row has entries", &spec.entries)?;
    place.expect(!spec.actions.is_empty(), "there are actions", &spec.actions)?;
    let names: Vec<&str> = spec.entries.iter().map(|entry| entry.name.as_str()).collect();
    unique(&names, "every entry has a name of its own", place)?;
    let actions: Vec<&str> = spec.actions.iter().map(String::as_str).collect();
    unique(&actions, "every action has a name of its own", place)?;
    for entry in &spec.entries {
        let is_interval = entry.low.is_finite() && entry.high.is_finite() && entry.low <= entry.high;
        place.expect(is_interval, "bounds are finite and in order", entry)?;
    }
    Ok(())
}

fn unique(names: &[&str], rule: &'static str, place: &Place) -> Result<(), Violation> {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1] || pair[0].is_empty());
    place.expect(twice.is_none(), rule, &twice)
}

/// Row and mask, looked at: every entry written and within its bounds, something legal.
fn look<E: Env>(env: &E, place: &Place) -> Result<View, Violation> {
    let spec = env.spec();
    let mut view = View { row: vec![f32::NAN; spec.num_entries()], mask: vec![false; spec.num_actions()] };
    env.encode(&mut view.row);
    env.mask(&mut view.mask);
    for (entry, &value) in spec.entries.iter().zip(&view.row) {
        let is_inside = (entry.low..=entry.high).contains(&value);
        place.expect(is_inside, "every entry lies within its bounds", &(entry, value))?;
    }
    // A mask that is only ever written with `true` would show here.
    let mut written_over = vec![true; view.mask.len()];
    env.mask(&mut written_over);
    place.expect(view.mask == written_over, "a mask is written whole", &view.mask)?;
    place.expect(view.mask.contains(&true), "at least one action is legal", &view.mask)?;
    Ok(view)
}

fn same_view(view: &View, other: &View, rule: &'static str, place: &Place) -> Result<(), Violation> {
    let differs = |at: &usize| view.row[*at] != other.row[*at];
    match (0..view.row.len()).find(differs) {
        Some(at) => place.expect(false, rule, &("entry", at, view.row[at], other.row[at])),
        None => place.expect(view == other, rule, &"the masks differ"),
    }
}

fn random_legal(mask: &[bool], draws: &mut SimRng) -> ActionId {
    let count = mask.iter().filter(|&&is_legal| is_legal).count();
    let rank = draws.random_range(0..count.max(1));
    ActionId::from_index((0..mask.len()).filter(|&at| mask[at]).nth(rank).unwrap_or(0))
}

fn take<E: Env<Action = ActionId>>(env: &mut E, action: ActionId, place: &Place) -> Result<Step, Violation> {
    let step = env.step(&action);
    place.expect(step.is_ok(), "a legal action is carried out", &(action, &step))?;
    Ok(step.unwrap_or_default())
}

fn check_step(step: &Step, has_costs: &mut bool, place: &Place) -> Result<(), Violation> {
    place.expect(step.reward.is_finite(), "a reward is a finite number", &step.reward)?;
    let costs = step.info.cost.components();
    let is_cost = |cost: &f64| cost.is_finite() && *cost >= 0.0;
    place.expect(costs.iter().all(is_cost), "costs are finite and not negative", &costs)?;
    // Probe worlds pay rewards without costs; where there are costs, they are what the reward is made of.
    let total = step.info.cost.total();
    *has_costs |= total > 0.0;
    let is_sum = (step.reward + total).abs() <= COST_TOLERANCE * total.max(1.0);
    place.expect(!*has_costs || is_sum, "a reward is minus the sum of the costs", &(step.reward, total))
}

/// Checks that illegal and unknown actions are refused and change nothing.
fn refuses_what_is_illegal<E: Env<Action = ActionId>>(
    env: &mut E,
    view: &View,
    place: &Place,
) -> Result<(), Violation> {
    let illegal = view.mask.iter().position(|is_legal| !is_legal);
    for action in illegal.into_iter().chain([view.mask.len()]).map(ActionId::from_index) {
        let answer = env.step(&action);
        let is_refusal =
            matches!(answer, Err(EnvError::IllegalAction { .. } | EnvError::UnknownAction { .. }));
        place.expect(is_refusal, "an illegal or unknown action is refused", &(action, &answer))?;
        same_view(view, &look(env, place)?, "a refused action changes nothing", place)?;
    }
    Ok(())
}

/// Plays on, goes back, and plays the same again, in this instance and in another one; then into another future.
fn comes_back<E: Env<Action = ActionId>>(
    env: &mut E,
    other: &mut E,
    view: &View,
    draws: &mut SimRng,
    place: &Place,
) -> Result<(), Violation> {
    let snapshot = env.snapshot();
    let kept = Snapshot::from_bytes(snapshot.as_bytes().to_vec());
    let future = play(env, None, draws, place)?;
    let restore = |env: &mut E, snapshot: &Snapshot| {
        let restored = env.restore(snapshot);
        place.expect(restored.is_ok(), "a snapshot is gone back to", &restored)?;
        same_view(view, &look(env, place)?, "a restored state shows what it showed", place)
    };
    for instance in [&mut *other, &mut *env] {
        restore(instance, &kept)?;
        let is_same = instance.snapshot() == snapshot;
        place.expect(is_same, "a restored state is the same state", &"its snapshot differs")?;
        let again = play(instance, Some(&future), draws, place)?;
        let alike = again.iter().zip(&future).take_while(|(again, first)| again == first).count();
        place.expect(again == future, "a restored state has the same future", &("decisions alike", alike))?;
        restore(instance, &kept)?;
    }

    let mut damaged = snapshot.as_bytes().to_vec();
    let at = damaged.len() / 2;
    damaged[at] ^= 0x10;
    let refused = env.restore(&Snapshot::from_bytes(damaged));
    place.expect(refused.is_err(), "a damaged snapshot is refused", &("changed byte", at))?;
    same_view(view, &look(env, place)?, "a refused snapshot changes nothing", place)?;

    let seed = Seed::new(Purpose::Validate, draws.random());
    let mut futures = Vec::new();
    for instance in [&mut *other, &mut *env] {
        instance.reseed_future(seed);
        same_view(view, &look(instance, place)?, "a new future leaves the present as it is", place)?;
        futures.push(play(instance, futures.first().map(Vec::as_slice), draws, place)?);
        restore(instance, &kept)?;
    }
    place.expect(futures[0] == futures[1], "one seed draws one future", &"two instances drew two")
}

/// Up to a dozen decisions: those that are given, or random ones; what each led to.
fn play<E: Env<Action = ActionId>>(
    env: &mut E,
    given: Option<&[(ActionId, Step, View)]>,
    draws: &mut SimRng,
    place: &Place,
) -> Result<Vec<(ActionId, Step, View)>, Violation> {
    let mut played = Vec::with_capacity(REPLAYED);
    while played.len() < given.map_or(REPLAYED, <[_]>::len) {
        let action = match given {
            Some(given) => given[played.len()].0,
            None => random_legal(&look(env, place)?.mask, draws),
        };
        let step = take(env, action, place)?;
        played.push((action, step, look(env, place)?));
        if step.end.is_end() {
            break;
        }
    }
    Ok(played)
}

#[cfg(test)]
mod tests;
