//! Lower bounds of episodes, kept in `runs/bounds` so that they are found once: a file for each scenario and run number, a line for each
//! episode.
//!
//! A line counts only for the requests and prices that it was found for. Files are a convenience: one that cannot be read is found
//! anew, and where none can be written the bounds are told all the same.

use crate::console::Console;
use crate::run_dir::files::write_by_way_of;
use anyhow::{Context, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use thoughtcache_agents::bounds::{Ascent, Bound};
use thoughtcache_agents::evaluate::{EvaluateError, Evaluation, Hooks, Protocol};
use thoughtcache_env::digest::mix;

/// The columns, and the way of finding bounds: what another way has found does not count.
const HEAD: &str = concat!("episode,requests,steps_3,bound_by_slot,thoughtcache ", env!("CARGO_PKG_VERSION"));

/// The bounds of the episodes that were played, by episode and slot; the hooks hear of each.
///
/// # Errors
/// When the hooks say to stop, before an episode.
pub(crate) fn of_episodes(
    console: Console,
    protocol: &Protocol,
    evaluation: &Evaluation,
    hooks: Hooks<'_>,
) -> Result<Vec<Vec<f64>>, EvaluateError> {
    let Protocol { scenario, seed, .. } = protocol;
    let ascent = Ascent::default();
    let path = PathBuf::from(format!("runs/bounds/{:016x}-{}.csv", scenario.digest, seed.run));
    let kept = kept_in(&path);
    // A recording gives prices too, which the digest of a scenario does not tell.
    let prices = scenario
        .services
        .iter()
        .fold(0, |digest, service| mix(mix(digest, service.load_cost.to_bits()), service.bytes));
    let episodes = evaluation.policies.first().map_or(&[][..], |policy| &policy.episodes);
    let keys: Vec<Key> = (0..)
        .zip(episodes)
        .map(|(episode, played)| (episode, mix(prices, played.fingerprint), ascent.steps))
        .collect();
    let bounds: Result<Vec<Vec<f64>>, EvaluateError> = keys
        .par_iter()
        .with_max_len(1)
        .map(|key| {
            if (hooks.should_stop)() {
                return Err(EvaluateError::Stopped);
            }
            let bound = match kept.get(key).filter(|kept| kept.len() == evaluation.slots as usize) {
                Some(bound) => bound.clone(),
                None => Bound::of(scenario, seed.with_episode(key.0), ascent).slot_costs,
            };
            (hooks.played)();
            Ok(bound)
        })
        .collect();
    let bounds = bounds?;
    let found: BTreeMap<Key, Vec<f64>> = keys.into_iter().zip(bounds.iter().cloned()).collect();
    if found.iter().any(|(key, bound)| kept.get(key) != Some(bound))
        && let Err(error) = keep(&path, found)
    {
        console.note(&format!("the bounds are not kept: {error:#}"));
    }
    Ok(bounds)
}

/// The bounds in a file; none where there is no file.
fn kept_in(path: &Path) -> BTreeMap<Key, Vec<f64>> {
    fs::read_to_string(path).map(|text| read(&text)).unwrap_or_default()
}

/// Adds bounds to a file. Others may do so at the same time: each writes a file of its own and renames it.
fn keep(path: &Path, found: BTreeMap<Key, Vec<f64>>) -> Result<()> {
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut all = kept_in(path);
    all.extend(found);
    let own = path.with_extension(format!("csv.{}", std::process::id()));
    write_by_way_of(&own, path, text(&all).as_bytes())
}

/// The episode, the digest of its requests and prices, and the steps of the ascent.
type Key = (u64, u64, u32);

fn text(bounds: &BTreeMap<Key, Vec<f64>>) -> String {
    let mut text = format!("{HEAD}\n");
    for ((episode, requests, steps), bound) in bounds {
        let slots: Vec<String> = bound.iter().map(|cost| format!("{cost:?}")).collect();
        let _ = writeln!(text, "{episode},{requests:016x},{steps},{}", slots.join(" ")); // a String takes everything
    }
    text
}

/// The lines of a file that can be read, none where its columns are others.
fn read(text: &str) -> BTreeMap<Key, Vec<f64>> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return BTreeMap::new();
    }
    let line = |line: &str| {
        let mut fields = line.split(',');
        let episode = fields.next()?.parse().ok()?;
        let requests = u64::from_str_radix(fields.next()?, 16).ok()?;
        let steps = fields.next()?.parse().ok()?;
        let bound: Vec<f64> =
            fields.next()?.split(' ').map(|cost| cost.parse().ok()).collect::<Option<_>>()?;
        bound.iter().all(|cost| cost.is_finite()).then_some(((episode, requests, steps), bound))
    };
    lines.filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written_and_damaged_lines_are_left_out() {
        let bounds =
            BTreeMap::from([((0, 7, 250), vec![0.1 + 0.2, 1.0]), ((3, u64::MAX, 250), vec![1e-300, -2.0])]);
        assert_eq!(read(&text(&bounds)), bounds);
        let damaged = text(&bounds).replace("0.30000000000000004", "NaN");
        assert_eq!(read(&damaged).len(), 1);
        assert_eq!(read(&text(&bounds).replace("steps_3", "steps_0")), BTreeMap::new());
    }
}
