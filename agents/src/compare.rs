//! Policies side by side: costs, differences to a baseline, and in words who is cheaper.
//!
//! A difference counts only when its whole paired 95 % interval lies on one side of 0.

use crate::evaluate::{EpisodeResult, Evaluated, Evaluation, PolicyKind};
use crate::metrics::{self, Summary};
use crate::stats::{self, Estimate, Interval};
use rayon::prelude::*;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt;
use thiserror::Error;

/// One policy of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its figures.
    pub summary: Summary,
    /// What it costs more than the baseline, as a share of the baseline's cost; `None` when the baseline costs nothing.
    pub relative: Option<Estimate>,
    /// The share of episodes (slots, when there is one episode) in which it is cheaper than the baseline.
    pub share_cheaper: f64,
    /// The training seeds behind it; none where it is one policy.
    pub seeds: Vec<SeedRow>,
    /// Its distance to the bound, where there is one.
    pub distance: Option<Distance>,
}

/// How far a policy is from a lower bound of the cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Cost per slot above the bound.
    pub regret: Estimate,
    /// The share of the baseline's regret that it closes; `None` where the baseline has none.
    pub closed: Option<Estimate>,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Row", 12)?;
        row.serialize_field("name", &self.summary.name)?;
        row.serialize_field("kind", &self.summary.kind)?;
        row.serialize_field("mean_cost", &self.summary.mean_cost)?;
        row.serialize_field("ci95", &self.summary.ci95)?;
        row.serialize_field("relative", &self.relative)?;
        row.serialize_field("hit_ratio", &self.summary.hit_ratio)?;
        row.serialize_field("cost", &self.summary.cost)?;
        row.serialize_field("decide_us", &self.summary.decide_us)?;
        if let Some(Distance { regret, closed }) = &self.distance {
            row.serialize_field("regret", regret)?;
            row.serialize_field("closed", closed)?;
        }
        if !self.seeds.is_empty() {
            row.serialize_field("seeds", &self.seeds)?;
        }
        let without_relative = self.relative.is_none().then_some(NO_RELATIVE);
        let without_closed =
            self.distance.is_some_and(|distance| distance.closed.is_none()).then_some(NO_CLOSED);
        let why =
            self.summary.null_because.as_deref().into_iter().chain(without_relative).chain(without_closed);
        let why: Vec<&str> = why.collect();
        if !why.is_empty() {
            row.serialize_field("null_because", &why.join("; "))?;
        }
        row.end()
    }
}

/// Why no share of a regret is closed.
const NO_CLOSED: &str = "the baseline costs as little as the bound, or the interval of its regret reaches 0";

/// What a policy may lie below a bound by rounding, as a share of it.
const ROUNDING: f64 = 1e-9;

/// Why a relative difference is `null`.
const NO_RELATIVE: &str =
    "the baseline costs nothing in these episodes, or in so many of them that the interval has no end";

/// Training runs of one configuration that differ in their seed alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedGroup {
    /// The name of their row.
    pub name: String,
    /// Each training seed and the name of the policy that it made; at least two.
    pub members: Vec<(u64, String)>,
}

/// One training seed of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedRow {
    /// The training seed.
    pub seed: u64,
    /// The name of its policy.
    pub name: String,
    /// Cost per slot.
    pub mean_cost: f64,
    /// Its 95 % interval over episodes.
    pub ci95: Interval,
    /// What it costs more than the baseline, as a share of the baseline's cost, with its interval over episodes.
    pub relative: Option<Estimate>,
}

/// Policies side by side, cheapest first; serialised as `compare --json` promises.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// The policy that differences refer to.
    pub baseline: String,
    /// Episodes that each policy played.
    pub episodes: u64,
    /// The run number of the seeds.
    pub seed: u64,
    /// No policy costs less in these episodes, not even one that knows the future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<BoundRow>,
    /// One row per policy, cheapest first.
    pub policies: Vec<Row>,
    /// A digest of everything that happened, 16 hexadecimal digits: JSON's numbers are too short for it.
    pub trajectory_hash: String,
    /// Whether the requests were a recording.
    #[serde(skip)]
    pub is_recorded: bool,
    /// Slots of an episode.
    #[serde(skip)]
    pub slots: u32,
    /// Who is cheaper than whom.
    #[serde(skip)]
    pub verdict: Verdict,
}

/// The lower bound of the episodes of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BoundRow {
    /// Per slot.
    pub mean_cost: f64,
    /// Its 95 % interval over episodes.
    pub ci95: Interval,
    /// What it costs more than the baseline, as a share of the baseline's cost.
    pub relative: Option<Estimate>,
}

/// The difference of one policy to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The other policy.
    pub other: String,
    /// What the first costs more, as a share of the other's cost; `None` when the other costs nothing.
    pub relative: Option<Estimate>,
}

impl Difference {
    fn is_cheaper(&self) -> bool {
        self.relative.is_some_and(|relative| relative.is_below_zero())
    }

    fn is_more_expensive(&self) -> bool {
        self.relative.is_some_and(|relative| relative.is_above_zero())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relative {
            Some(relative) => write!(f, "{} ({relative})", self.other),
            None => write!(f, "{} (which costs nothing in these episodes, or in many of them)", self.other),
        }
    }
}

/// Who is cheaper than whom, intervals included; its text is one line per learned policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// There is nobody to compare with.
    Alone,
    /// There was no request.
    NobodyAsked,
    /// No learned policy against heuristics: the cheapest against the next.
    Cheapest {
        /// The cheapest policy.
        name: String,
        /// Its difference to the next.
        next: Difference,
    },
    /// Each learned policy, cheapest first, with its differences to all heuristics, cheapest first.
    Learned(Vec<(String, Vec<Difference>)>),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => write!(f, "one policy, nothing to compare it with"),
            Self::NobodyAsked => {
                write!(f, "nobody asked: without a request there is nothing to compare; play more episodes")
            }
            Self::Cheapest { name, next } if next.is_cheaper() => {
                write!(f, "{name} is the cheapest, interval included; the next: {next}")
            }
            Self::Cheapest { name, next } => {
                write!(f, "{name} has the lowest mean, but no clear difference to {next}")
            }
            Self::Learned(policies) => {
                for (index, (name, differences)) in policies.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    write_learned(f, name, differences)?;
                }
                Ok(())
            }
        }
    }
}

fn write_learned(f: &mut fmt::Formatter<'_>, name: &str, differences: &[Difference]) -> fmt::Result {
    let cheaper = differences.iter().filter(|difference| difference.is_cheaper()).count();
    if cheaper == differences.len() {
        return match differences {
            [only] => write!(f, "{name} is cheaper than {only}, interval included"),
            [best, ..] => {
                write!(
                    f,
                    "{name} is cheaper than every heuristic, intervals included; the best of them: {best}"
                )
            }
            [] => write!(f, "{name} met no heuristic"),
        };
    }
    let list = |chosen: fn(&Difference) -> bool| -> Vec<String> {
        differences.iter().filter(|difference| chosen(difference)).map(Difference::to_string).collect()
    };
    let more_expensive = list(Difference::is_more_expensive);
    let unclear = list(|difference| !difference.is_cheaper() && !difference.is_more_expensive());
    write!(f, "{name} is cheaper than {cheaper} of {} heuristics", differences.len())?;
    if !unclear.is_empty() {
        write!(f, "; no clear difference to {}", unclear.join(", "))?;
    }
    if !more_expensive.is_empty() {
        write!(f, "; more expensive than {}", more_expensive.join(", "))?;
    }
    Ok(())
}

/// Why policies cannot be compared: who, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CompareError(String);

/// The parts of one row: the policy of each training seed, or the only policy.
struct Contestant<'a> {
    name: &'a str,
    seeds: Vec<&'a Evaluated>,
}

impl Contestant<'_> {
    fn kind(&self) -> PolicyKind {
        self.seeds[0].kind
    }
}

impl Comparison {
    /// Compares what was played with the policy called `baseline`, a row a policy.
    ///
    /// # Errors
    /// When the baseline did not play, a name occurs twice, the policies did not meet the same requests, or a figure is not a
    /// finite number.
    pub fn new(evaluation: &Evaluation, baseline: &str) -> Result<Self, CompareError> {
        Self::of_groups(evaluation, &[], baseline)
    }

    /// The same with one row for each group of training seeds; `baseline` may be a group. Members that did not play are left
    /// out.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_groups(
        evaluation: &Evaluation,
        groups: &[SeedGroup],
        baseline: &str,
    ) -> Result<Self, CompareError> {
        let contestants = contestants(&evaluation.policies, groups);
        let Some(base) = contestants.iter().find(|contestant| contestant.name == baseline) else {
            let played: Vec<&str> = contestants.iter().map(|contestant| contestant.name).collect();
            return Err(CompareError(format!(
                "baseline {baseline:?} is not among the compared policies; they are {}",
                played.join(", ")
            )));
        };
        for (index, Contestant { name, seeds }) in contestants.iter().enumerate() {
            if contestants[..index].iter().any(|earlier| earlier.name == *name) {
                return Err(CompareError(format!("two policies are called {name:?}; each name once")));
            }
            seeds.iter().try_for_each(|policy| same_world(policy, base.seeds[0]))?;
        }
        let rows = contestants.par_iter().map(|contestant| row(contestant, base, groups));
        let rows: Result<Vec<Row>, CompareError> = rows.collect();
        let mut rows: Vec<(&Contestant<'_>, Row)> = contestants.iter().zip(rows?).collect();
        rows.sort_by(|(_, a), (_, b)| a.summary.mean_cost.total_cmp(&b.summary.mean_cost));
        let by_cost: Vec<&Contestant<'_>> = rows.iter().map(|(contestant, _)| *contestant).collect();
        Ok(Self {
            scenario: evaluation.scenario.clone(),
            baseline: baseline.to_owned(),
            episodes: evaluation.episodes,
            seed: evaluation.seed,
            trajectory_hash: format!("{:016x}", evaluation.trajectory_hash()),
            is_recorded: evaluation.is_recorded,
            slots: evaluation.slots,
            verdict: verdict(&by_cost),
            bound: None,
            policies: rows.into_iter().map(|(_, row)| row).collect(),
        })
    }
}

impl Comparison {
    /// The same with the distance of every policy to a lower bound: `bounds` by episode and slot.
    ///
    /// # Errors
    /// When there are not as many bounds as episodes, or a policy costs less than one of them: then it is no bound.
    pub fn with_bounds(mut self, evaluation: &Evaluation, bounds: &[Vec<f64>]) -> Result<Self, CompareError> {
        for policy in &evaluation.policies {
            if policy.episodes.len() != bounds.len() {
                let (episodes, bounds) = (policy.episodes.len(), bounds.len());
                return Err(CompareError(format!(
                    "{bounds} bounds for {episodes} episodes; one each is needed"
                )));
            }
            let mut pairs = policy.episodes.iter().zip(bounds);
            let is_beaten = |(episode, bound): (&EpisodeResult, &Vec<f64>)| {
                episode.cost_per_slot() < stats::mean(bound) * (1.0 - ROUNDING)
            };
            if let Some(episode) = pairs.position(is_beaten) {
                let (name, bound) = (&policy.name, stats::mean(&bounds[episode]));
                return Err(CompareError(format!(
                    "{name} costs less than {bound}, the bound of episode {episode}: this is a mistake of the program; please report it, or \
                     delete runs/bounds if another version of the program has found the bound"
                )));
            }
        }
        let played = |row: &Row| -> Vec<&Evaluated> {
            let is_own = |name: &str| match &row.seeds[..] {
                [] => name == row.summary.name,
                seeds => seeds.iter().any(|seed| seed.name == name),
            };
            evaluation.policies.iter().filter(|policy| is_own(&policy.name)).collect()
        };
        let base = self.policies.iter().find(|row| row.summary.name == self.baseline);
        let base = base.map(played).unwrap_or_default();
        self.policies.par_iter_mut().for_each(|row| {
            let own = played(row);
            let regret = metrics::regret(&own, bounds);
            let closed = metrics::closed(&own, &base, bounds);
            row.distance = Some(Distance { regret, closed });
        });
        let Estimate { mean: mean_cost, ci95 } = metrics::mean_bound(bounds);
        self.bound = Some(BoundRow { mean_cost, ci95, relative: metrics::relative_bound(bounds, &base) });
        Ok(self)
    }
}

/// Returns the rows of the table: each group where its first member stands, and every other policy by itself.
fn contestants<'a>(played: &'a [Evaluated], groups: &'a [SeedGroup]) -> Vec<Contestant<'a>> {
    let mut contestants: Vec<Contestant<'a>> = Vec::new();
    for policy in played {
        let is_member = |(_, name): &(u64, String)| *name == policy.name;
        let Some(group) = groups.iter().find(|group| group.members.iter().any(is_member)) else {
            contestants.push(Contestant { name: &policy.name, seeds: vec![policy] });
            continue;
        };
        match contestants.iter_mut().find(|contestant| contestant.name == group.name) {
            Some(contestant) => contestant.seeds.push(policy),
            None => contestants.push(Contestant { name: &group.name, seeds: vec![policy] }),
        }
    }
    contestants
}

fn row(
    contestant: &Contestant<'_>,
    base: &Contestant<'_>,
    groups: &[SeedGroup],
) -> Result<Row, CompareError> {
    let Contestant { name, seeds } = contestant;
    let summary = Summary::of_seeds(name, seeds);
    if let Some(figure) = summary.not_finite() {
        return Err(CompareError(format!("{name}: its {figure} is not a finite number over these episodes")));
    }
    let members = groups.iter().find(|group| group.name == *name).map_or(&[][..], |group| &group.members);
    let seed_row = |policy: &&Evaluated| {
        let (seed, name) = members.iter().find(|(_, name)| *name == policy.name)?;
        let Summary { mean_cost, ci95, .. } = Summary::of(policy);
        let relative = metrics::relative_cost(&[policy], &base.seeds);
        Some(SeedRow { seed: *seed, name: name.clone(), mean_cost, ci95, relative })
    };
    let mut seed_rows: Vec<SeedRow> = seeds.iter().filter_map(seed_row).collect();
    seed_rows.sort_by_key(|row| row.seed);
    Ok(Row {
        relative: metrics::relative_cost(seeds, &base.seeds),
        share_cheaper: metrics::share_cheaper(seeds, &base.seeds),
        distance: None,
        seeds: seed_rows,
        summary,
    })
}

fn same_world(policy: &Evaluated, baseline: &Evaluated) -> Result<(), CompareError> {
    let (found, expected) = (policy.episodes.len(), baseline.episodes.len());
    if found != expected {
        return Err(CompareError(format!(
            "{} played {found} episodes, {} played {expected}; compare what was played together",
            policy.name, baseline.name
        )));
    }
    let mut pairs = policy.episodes.iter().zip(&baseline.episodes);
    match pairs.position(|(a, b)| (a.fingerprint, a.slots) != (b.fingerprint, b.slots)) {
        Some(episode) => Err(CompareError(format!(
            "{} met other requests than {} in episode {episode}; only policies that played the same seeds of the same \
             scenario can be compared",
            policy.name, baseline.name
        ))),
        None => Ok(()),
    }
}

/// The verdict on policies in the order of their costs; bounds and references are no policies.
fn verdict(played: &[&Contestant<'_>]) -> Verdict {
    let requests = played.iter().flat_map(|contestant| &contestant.seeds).flat_map(|policy| &policy.episodes);
    if requests.map(|episode| episode.counters.requests).sum::<u64>() == 0 {
        return Verdict::NobodyAsked;
    }
    let by_cost = played.iter().copied().filter(|policy| policy.kind().is_policy());
    let by_cost: Vec<&Contestant<'_>> = by_cost.collect();
    let (learned, heuristics): (Vec<&Contestant<'_>>, Vec<&Contestant<'_>>) =
        by_cost.iter().partition(|policy| policy.kind().is_learned());
    let difference = |policy: &Contestant<'_>, other: &Contestant<'_>| Difference {
        other: other.name.to_owned(),
        relative: metrics::relative_cost(&policy.seeds, &other.seeds),
    };
    if learned.is_empty() || heuristics.is_empty() {
        return match by_cost.as_slice() {
            [first, second, ..] => {
                Verdict::Cheapest { name: first.name.to_owned(), next: difference(first, second) }
            }
            _ => Verdict::Alone,
        };
    }
    let against = |policy: &&Contestant<'_>| {
        let differences = heuristics.par_iter().map(|heuristic| difference(policy, heuristic)).collect();
        (policy.name.to_owned(), differences)
    };
    Verdict::Learned(learned.iter().map(against).collect())
}

#[cfg(test)]
mod tests;
