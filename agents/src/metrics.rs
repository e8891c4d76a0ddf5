//! The figures of a table, as formulas over what happened.
//!
//! | figure | formula, sums over all episodes of a policy |
//! |---|---|
//! | cost per slot, of each component too | `sum of costs / sum of slots` |
//! | hit ratio | `hits / requests`; a hit is served by an entry that was resident before its batch |
//! | edge ratio | `requests served at the edge / requests` |
//! | ratio of a placement | `requests served there / requests` |
//! | late ratio | `requests whose answer came after their deadline / requests`; 0 in abstract scenarios |
//! | loads, evictions, refreshes, loaded GB per slot | `count / sum of slots` |
//! | regret | `cost per slot - bound per slot`, paired by episode; the bound is that of [`crate::bounds`] |
//! | closed | `(cost of the baseline - cost) / (cost of the baseline - bound)`, paired; none where the baseline has no clear regret |
//! | time per decision | `time spent deciding / decisions` |
//!
//! A learner with several training seeds is one policy here: its sums are over all episodes of all seeds.
//!
//! Intervals: over seeds and episodes where there are several seeds; over episodes where there are several, else over the slots of the only one, in blocks ([`crate::stats`]).

use crate::evaluate::{EpisodeResult, Evaluated, PolicyKind, Totals};
use crate::stats::{self, Estimate, Interval, Resampling};
use serde::Serialize;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::units::bytes_to_gb;

/// The figures of one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The name in tables.
    pub name: String,
    /// Where the policy comes from.
    pub kind: PolicyKind,
    /// Cost per slot.
    pub mean_cost: f64,
    /// Its 95 % bootstrap interval.
    pub ci95: Interval,
    /// Interquartile mean over the episodes' costs per slot.
    pub iqm_cost: f64,
    /// `None` without a request.
    pub hit_ratio: Option<f64>,
    /// `None` without a request.
    pub edge_ratio: Option<f64>,
    /// By placement, in the order of [`Placement::ALL`]; `None` without a request.
    #[serde(skip)]
    pub placement_ratios: Option<[f64; Placement::ALL.len()]>,
    /// `None` without a request.
    #[serde(skip)]
    pub late_ratio: Option<f64>,
    /// Costs per slot by component.
    pub cost: CostBreakdown,
    /// Loads per slot.
    pub loads_per_slot: f64,
    /// Evictions per slot.
    pub evictions_per_slot: f64,
    /// Entries dropped per slot because their context window was exhausted.
    pub refreshes_per_slot: f64,
    /// Weights loaded per slot, in GB (1e9 bytes).
    pub loaded_gb_per_slot: f64,
    /// Decisions per slot.
    pub decisions_per_slot: f64,
    /// Mean microseconds per decision, where a clock was given.
    pub decide_us: Option<f64>,
    /// Why ratios are `null`, where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null_because: Option<String>,
}

impl Summary {
    /// The figures of a policy.
    pub fn of(policy: &Evaluated) -> Self {
        Self::of_seeds(&policy.name, &[policy])
    }

    /// The figures of the training seeds of one policy, at least one, under the name of all.
    pub fn of_seeds(name: &str, seeds: &[&Evaluated]) -> Self {
        let episodes: Vec<&EpisodeResult> = seeds.iter().flat_map(|seed| &seed.episodes).collect();
        let mut totals = Totals::default();
        let mut placed = [0_u64; Placement::ALL.len()];
        let mut decide_ns = Some(0);
        for episode in &episodes {
            totals.add(episode);
            for (sum, part) in placed.iter_mut().zip(episode.placed) {
                *sum += part;
            }
            decide_ns = decide_ns.zip(episode.decide_ns).map(|(sum, ns)| sum + ns);
        }
        let Totals { cost, counters, slots, decisions, .. } = totals;
        let per_slot = |count: f64| count / slots as f64;
        let ratio = |part: u64| (counters.requests > 0).then(|| part as f64 / counters.requests as f64);
        let costs: Vec<f64> = episodes.iter().map(|episode| episode.cost_per_slot()).collect();
        Self {
            name: name.to_owned(),
            kind: seeds.first().map_or(PolicyKind::Heuristic, |seed| seed.kind),
            mean_cost: per_slot(cost.total()),
            ci95: mean_interval(&rows(seeds), is_series(seeds)),
            iqm_cost: stats::interquartile_mean(&costs),
            hit_ratio: ratio(counters.hits),
            edge_ratio: ratio(counters.edge_requests),
            placement_ratios: (counters.requests > 0)
                .then(|| placed.map(|part| part as f64 / counters.requests as f64)),
            late_ratio: ratio(counters.late),
            cost: cost.map(per_slot),
            loads_per_slot: per_slot(counters.loads as f64),
            evictions_per_slot: per_slot(counters.evictions as f64),
            refreshes_per_slot: per_slot(counters.refreshes as f64),
            loaded_gb_per_slot: per_slot(bytes_to_gb(counters.loaded_bytes)),
            decisions_per_slot: per_slot(decisions as f64),
            decide_us: decide_ns.filter(|_| decisions > 0).map(|ns| ns as f64 / 1e3 / decisions as f64),
            null_because: (counters.requests == 0).then(|| NOBODY_ASKED.to_owned()),
        }
    }

    /// The first figure that is not a finite number.
    pub fn not_finite(&self) -> Option<&'static str> {
        let figures = [
            ("mean_cost", self.mean_cost),
            ("ci95", self.ci95.low),
            ("ci95", self.ci95.high),
            ("iqm_cost", self.iqm_cost),
            ("loads_per_slot", self.loads_per_slot),
            ("loaded_gb_per_slot", self.loaded_gb_per_slot),
        ];
        figures
            .into_iter()
            .chain(CostBreakdown::NAMES.into_iter().zip(self.cost.components()))
            .find(|(_, figure)| !figure.is_finite())
            .map(|(name, _)| name)
    }
}

/// Why ratios of requests are `null`.
const NOBODY_ASKED: &str = "nobody asked: there was no request in these episodes";

/// The observations behind a policy's interval: one cost per slot and episode, or one per slot of the only episode.
pub(crate) fn samples(policy: &Evaluated) -> Vec<f64> {
    match policy.episodes.as_slice() {
        [only] => only.slot_costs.clone(),
        episodes => episodes.iter().map(EpisodeResult::cost_per_slot).collect(),
    }
}

/// The samples of each seed: a row a seed.
fn rows(seeds: &[&Evaluated]) -> Vec<Vec<f64>> {
    seeds.iter().map(|seed| samples(seed)).collect()
}

/// Whether samples are the slots of one episode.
fn is_series(seeds: &[&Evaluated]) -> bool {
    seeds.iter().any(|seed| seed.episodes.len() == 1)
}

fn mean_interval(rows: &[Vec<f64>], is_series: bool) -> Interval {
    match rows {
        [samples] if is_series => stats::mean_interval(samples, Resampling::for_series(samples)),
        [samples] => stats::mean_interval(samples, Resampling::Independent),
        rows => stats::crossed_mean_interval(rows, is_series),
    }
}

/// What `policy` costs more than `other`, as a share of `other`'s cost, paired by episode, or by slot of the only episode.
/// Both have a part for each training seed, one where there are no seeds.
/// `None` when `other` costs nothing, or they did not play equally many episodes.
pub fn relative_cost(policy: &[&Evaluated], other: &[&Evaluated]) -> Option<Estimate> {
    relative(&rows(policy), &rows(other), is_series(policy))
}

fn relative(policy: &[Vec<f64>], other: &[Vec<f64>], is_series: bool) -> Option<Estimate> {
    match (policy, other) {
        ([costs], [baseline]) if is_series => stats::relative_difference_of_series(costs, baseline),
        ([costs], [baseline]) => stats::relative_difference(costs, baseline, Resampling::Independent),
        (rows, baseline) => stats::crossed_relative_difference(rows, baseline, is_series),
    }
}

/// A bound for each sample: one per slot and episode, or one per slot of the only episode. `bounds` by episode and slot.
fn bound_samples(bounds: &[Vec<f64>]) -> Vec<f64> {
    match bounds {
        [only] => only.clone(),
        episodes => episodes.iter().map(|slots| stats::mean(slots)).collect(),
    }
}

/// What the samples of each seed lie above the bound.
fn above(seeds: &[&Evaluated], bounds: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let (mut rows, bounds) = (rows(seeds), bound_samples(bounds));
    for row in &mut rows {
        row.iter_mut().zip(&bounds).for_each(|(cost, bound)| *cost -= bound);
    }
    rows
}

/// The mean of bounds per slot, with its interval.
pub fn mean_bound(bounds: &[Vec<f64>]) -> Estimate {
    let samples = bound_samples(bounds);
    Estimate { mean: stats::mean(&samples), ci95: mean_interval(&[samples], bounds.len() == 1) }
}

/// What the bound costs more than the baseline, as [`relative_cost`].
pub fn relative_bound(bounds: &[Vec<f64>], baseline: &[&Evaluated]) -> Option<Estimate> {
    relative(&[bound_samples(bounds)], &rows(baseline), is_series(baseline))
}

/// The regret of a policy: its cost per slot above the bound, with its interval. `bounds` by episode and slot.
pub fn regret(policy: &[&Evaluated], bounds: &[Vec<f64>]) -> Estimate {
    let rows = above(policy, bounds);
    let nothing = ROUNDING * stats::mean(&self::rows(policy).concat()).abs();
    let shown = |number: f64| if number.abs() <= nothing { 0.0 } else { number };
    let Interval { low, high } = mean_interval(&rows, is_series(policy));
    let mean = shown(stats::mean(&rows.concat()));
    Estimate { mean, ci95: Interval { low: shown(low), high: shown(high) } }
}

/// The share of a cost that is rounding where it is added up in another order.
const ROUNDING: f64 = 1e-9;

/// The share of the baseline's regret that a policy closes, `(baseline - policy) / (baseline - bound)`, paired as
/// [`relative_cost`] is. `None` where the interval of the baseline's regret reaches 0: a share of nothing is no number.
pub fn closed(policy: &[&Evaluated], baseline: &[&Evaluated], bounds: &[Vec<f64>]) -> Option<Estimate> {
    if regret(baseline, bounds).ci95.low <= 0.0 {
        return None;
    }
    let more = relative(&above(policy, bounds), &above(baseline, bounds), is_series(policy))?;
    let Interval { low, high } = more.ci95;
    let less = |share: f64| 0.0 - share; // no -0
    Some(Estimate { mean: less(more.mean), ci95: Interval { low: less(high), high: less(low) } })
}

/// The share of episodes (of slots, when there is one episode) in which `policy` is cheaper than `other`, over all pairs of
/// their seeds; equals count half.
pub fn share_cheaper(policy: &[&Evaluated], other: &[&Evaluated]) -> f64 {
    let (policy, other) = (rows(policy), rows(other));
    let pairs = policy.iter().flat_map(|row| other.iter().map(move |others| stats::share_below(row, others)));
    stats::mean(&pairs.collect::<Vec<f64>>())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use thoughtcache_env::gym::api::Counters;

    /// A policy with one total cost per episode of two slots, all of it in the cloud in the first slot.
    pub(crate) fn evaluated(name: &str, kind: PolicyKind, costs: &[f64]) -> Evaluated {
        let episode = |&cost: &f64| EpisodeResult {
            cost: CostBreakdown { cloud: cost, ..CostBreakdown::default() },
            counters: Counters {
                requests: 4,
                edge_requests: 2,
                hits: 1,
                loads: 1,
                late: 1,
                ..Counters::default()
            },
            placed: [0, 0, 0, 2, 0, 0, 2],
            slots: 2,
            decisions: 3,
            slot_costs: vec![cost, 0.0],
            fingerprint: 7,
            trajectory_hash: cost.to_bits(),
            decide_ns: Some(6_000),
        };
        Evaluated { name: name.into(), kind, episodes: costs.iter().map(episode).collect() }
    }

    #[test]
    fn figures_are_the_sums_that_a_person_computes() {
        // Three episodes of two slots: cost 6 + 2 + 4 over 6 slots; 12 requests; 9 decisions in 18 us.
        let summary = Summary::of(&evaluated("rule", PolicyKind::Heuristic, &[6.0, 2.0, 4.0]));
        assert_relative_eq!(summary.mean_cost, 2.0);
        assert_relative_eq!(summary.cost.cloud, 2.0);
        assert_relative_eq!(summary.iqm_cost, 2.0);
        assert_eq!((summary.hit_ratio, summary.edge_ratio), (Some(0.25), Some(0.5)));
        assert_eq!(summary.placement_ratios, Some([0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.5]));
        assert_eq!(summary.late_ratio, Some(0.25));
        assert_relative_eq!(summary.loads_per_slot, 0.5);
        assert_relative_eq!(summary.decisions_per_slot, 1.5);
        assert_relative_eq!(summary.decide_us.unwrap(), 2.0);
        assert!(summary.ci95.low < 2.0 && summary.ci95.high > 2.0);
    }

    #[test]
    fn without_requests_or_clock_there_is_no_ratio_and_no_time() {
        let mut policy = evaluated("rule", PolicyKind::Heuristic, &[1.0, 2.0]);
        policy.episodes[1].decide_ns = None;
        for episode in &mut policy.episodes {
            episode.counters = Counters::default();
        }
        let summary = Summary::of(&policy);
        assert_eq!((summary.hit_ratio, summary.edge_ratio, summary.decide_us), (None, None, None));
        assert_eq!(summary.null_because.as_deref(), Some(NOBODY_ASKED));
    }

    #[test]
    fn one_episode_is_judged_by_its_slots_and_several_by_their_costs() {
        let one = evaluated("rule", PolicyKind::Heuristic, &[6.0]);
        assert_eq!(samples(&one), [6.0, 0.0]);
        let two = evaluated("rule", PolicyKind::Heuristic, &[6.0, 2.0]);
        assert_eq!(samples(&two), [3.0, 1.0]);
    }

    #[test]
    fn shares_are_paired_by_episode() {
        // Cheaper in the first, equal in the second, more expensive in the third and fourth: 1.5 of 4, although both sum to 10.
        let policy = evaluated("a", PolicyKind::Ppo, &[1.0, 2.0, 3.0, 4.0]);
        let other = evaluated("b", PolicyKind::Heuristic, &[5.0, 2.0, 2.0, 1.0]);
        assert_eq!(share_cheaper(&[&policy], &[&other]), 0.375);
        assert_relative_eq!(relative_cost(&[&policy], &[&other]).unwrap().mean, 0.0);
    }
}
