//! Where a policy serves, by how good the link of the user is.
//!
//! Requests of several episodes are sorted by the uplink rate that they find and cut into bins of equally many; each bin is a
//! stack of shares. Below it: of those that leave the device, the share that sends features and not raw data.

use super::episode_sheet::{allowed, percent, words};
use crate::plot::{Area, Axis, Key, Mark, Panel, Place, colors, sheet};
use crate::table::grouped;
use anyhow::{Context, Result};
use std::sync::Arc;
use thoughtcache_agents::evaluate::Contender;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::Scenario;

const WIDTH: u32 = 900;
/// Bins of equally many requests.
const BINS: usize = 10;
const MEGA: f64 = 1e6;
const PLACE: Place = Place { left: 80, right: 16 };
/// Placements that send features to another place.
const SPLITS: [Placement; 4] = [
    Placement::SplitEdgeCoarse,
    Placement::SplitEdgeFine,
    Placement::SplitCloudCoarse,
    Placement::SplitCloudFine,
];

/// See the [module](self).
pub(super) struct Placements {
    scenario: Arc<Scenario>,
    policy: String,
    seed: u64,
    episodes: u64,
    /// The uplink rate that a request found, bit/s, and where it was served; slowest first.
    requests: Vec<(f64, Placement)>,
}

/// Requests of nearly the same rate.
struct Bin {
    /// From the slowest to the fastest of them, Mbit/s.
    rates: [f64; 2],
    /// In the order of [`Placement::rank`].
    shares: [f64; Placement::ALL.len()],
}

impl Bin {
    fn share(&self, of: &[Placement]) -> f64 {
        of.iter().map(|placement| self.shares[placement.rank()]).sum()
    }

    /// Of what leaves the device: what sends features.
    fn split_share(&self) -> Option<f64> {
        let left = 1.0 - self.share(&[Placement::Device]);
        (left > 0.0).then(|| self.share(&SPLITS) / left)
    }
}

impl Placements {
    /// Plays the first test episodes of a run number; `None` in a scenario without a radio.
    ///
    /// # Errors
    /// When an action of the policy is refused.
    pub(super) fn play(
        scenario: &Arc<Scenario>,
        contender: &Contender,
        run: u64,
        episodes: u64,
    ) -> Result<Option<Self>> {
        if scenario.physical().is_none() {
            return Ok(None);
        }
        let (mut env, mut policy) = (DecisionEnv::new(Arc::clone(scenario)), contender.make());
        let mut requests = Vec::new();
        for episode in 0..episodes {
            let seed = Seed::new(Purpose::Test, run).with_episode(episode);
            let mut rng = seed.stream(Stream::Policy);
            env.reset(seed);
            policy.begin_episode();
            loop {
                let uplink_bps = env.observation().request.as_ref().map(|request| request.link.uplink_bps);
                let action = policy.act_in(&env, &mut rng);
                let decision = env.observation().space().decode(action);
                let step = env.step(&action).with_context(|| {
                    format!("{}, episode {episode}, slot {}", contender.name, env.world().slot())
                })?;
                if let (Some(uplink_bps), Some(Decision::Serve { placement, .. })) = (uplink_bps, decision)
                    && step.info.counters.requests > 0
                {
                    requests.push((uplink_bps, placement));
                }
                if step.end.is_end() {
                    break;
                }
            }
        }
        requests.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (scenario, policy) = (Arc::clone(scenario), contender.name.clone());
        Ok(Some(Self { scenario, policy, seed: run, episodes, requests }))
    }

    fn bins(&self) -> Vec<Bin> {
        let size = self.requests.len().div_ceil(BINS).max(1);
        self.requests.chunks(size).map(bin).collect()
    }
}

fn bin(requests: &[(f64, Placement)]) -> Bin {
    let mut shares = [0.0; Placement::ALL.len()];
    for (_, placement) in requests {
        shares[placement.rank()] += 1.0 / requests.len() as f64;
    }
    let rate = |request: Option<&(f64, Placement)>| request.map_or(0.0, |(rate, _)| rate / MEGA);
    Bin { rates: [rate(requests.first()), rate(requests.last())], shares }
}

/// Draws both panels; the same requests give the same bytes.
pub(super) fn draw(placements: &Placements) -> Result<String> {
    let title = format!("{}: where {} serves", placements.scenario.name, placements.policy);
    let bins = placements.bins();
    let subtitle = format!(
        "{} requests of {} episodes, {} groups by the uplink that they find; seed {}",
        grouped(placements.requests.len() as u64),
        placements.episodes,
        bins.len(),
        placements.seed
    );
    sheet([&title, &subtitle], (WIDTH, &[340, 220]), |rows| {
        let [by_rate, features] = rows else { return Ok(()) };
        shares(by_rate, placements, &bins)?;
        split(features, &bins)
    })
}

fn rates(bins: &[Bin]) -> Axis {
    let slowest = bins.first().map_or(1.0, |bin| bin.rates[0]);
    let fastest = bins.last().map_or(10.0, |bin| bin.rates[1]);
    Axis::log("uplink rate that a request finds, Mbit/s", slowest, fastest.max(1.001 * slowest))
}

fn shares(area: &Area<'_>, placements: &Placements, bins: &[Bin]) -> Result<()> {
    let total = placements.requests.len().max(1) as f64;
    let keys: Vec<Key> = allowed(&placements.scenario)
        .into_iter()
        .map(|placement| {
            let here = placements.requests.iter().filter(|(_, chosen)| *chosen == placement).count();
            let label = format!("{} {}", words(placement), percent(here as f64 / total));
            Mark::Fill.key(label, colors::PLACEMENTS[placement.rank()])
        })
        .collect();
    let y = Axis::linear("share of the requests", 0.0, 1.0);
    let panel = Panel::new(area, ("Requests by placement", &keys), (rates(bins), y), PLACE)?;
    for (number, bin) in bins.iter().enumerate() {
        // A bin reaches to where the next one begins.
        let end = bins.get(number + 1).map_or(bin.rates[1], |next| next.rates[0]);
        let mut low = 0.0;
        for (share, color) in bin.shares.into_iter().zip(colors::PLACEMENTS) {
            panel.bar([bin.rates[0], end], [low, low + share], color)?;
            low += share;
        }
    }
    Ok(())
}

fn split(area: &Area<'_>, bins: &[Bin]) -> Result<()> {
    let points: Vec<(f64, f64)> = bins
        .iter()
        .filter_map(|bin| Some(((bin.rates[0] * bin.rates[1]).sqrt(), bin.split_share()?)))
        .collect();
    let y = Axis::linear("share that is split", 0.0, 1.0);
    let title = "Of those that leave the device: features instead of raw data";
    let panel = Panel::new(area, (title, &[]), (rates(bins), y), PLACE)?;
    panel.line(points.iter().copied(), colors::BLUE, 3)?;
    points.into_iter().try_for_each(|point| panel.dot(point, 4, colors::BLUE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_counts_what_leaves_the_device_and_what_of_it_is_split() {
        let of = |placements: &[Placement]| {
            bin(&placements.iter().map(|&placement| (2e6, placement)).collect::<Vec<_>>())
        };
        let mixed = of(&[Placement::Device, Placement::Edge, Placement::Cloud, Placement::SplitEdgeCoarse]);
        assert!((mixed.split_share().unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(mixed.rates, [2.0, 2.0]);
        assert_eq!(of(&[Placement::Device]).split_share(), None);
    }
}
