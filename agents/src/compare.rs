//! Policies side by side: costs, differences to a baseline, and in words who is cheaper.
//!
//! A difference counts only when its whole paired 95 % interval lies on one side of 0.

use crate::evaluate::{Evaluated, Evaluation, PolicyKind};
use crate::metrics::{self, Summary};
use crate::stats::Estimate;
use rayon::prelude::*;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt;
use thiserror::Error;

/// A 64-bit digest; written as 16 hexadecimal digits, because JSON's numbers are too short for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash64(pub u64);

impl fmt::Display for Hash64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Hash64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One policy of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its figures.
    pub summary: Summary,
    /// What it costs more than the baseline, as a share of the baseline's cost; `None` when the baseline costs nothing.
    pub relative: Option<Estimate>,
    /// The share of episodes (slots, when there is one episode) in which it is cheaper than the baseline.
    pub share_cheaper: f64,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Row", 8)?;
        row.serialize_field("name", &self.summary.name)?;
        row.serialize_field("kind", &self.summary.kind)?;
        row.serialize_field("mean_cost", &self.summary.mean_cost)?;
        row.serialize_field("ci95", &self.summary.ci95)?;
        row.serialize_field("relative", &self.relative)?;
        row.serialize_field("hit_ratio", &self.summary.hit_ratio)?;
        row.serialize_field("cost", &self.summary.cost)?;
        row.serialize_field("decide_us", &self.summary.decide_us)?;
        row.end()
    }
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
    /// One row per policy, cheapest first.
    pub policies: Vec<Row>,
    /// A digest of everything that happened.
    pub trajectory_hash: Hash64,
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

    fn is_dearer(&self) -> bool {
        self.relative.is_some_and(|relative| relative.is_above_zero())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relative {
            Some(relative) => write!(f, "{} ({relative})", self.other),
            None => write!(f, "{} (which costs nothing)", self.other),
        }
    }
}

/// Who is cheaper than whom, intervals included; its text is one line per learned policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// There is nobody to compare with.
    Alone,
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
    let dearer = list(Difference::is_dearer);
    let unclear = list(|difference| !difference.is_cheaper() && !difference.is_dearer());
    write!(f, "{name} is cheaper than {cheaper} of {} heuristics", differences.len())?;
    if !unclear.is_empty() {
        write!(f, "; no clear difference to {}", unclear.join(", "))?;
    }
    if !dearer.is_empty() {
        write!(f, "; DEARER than {}", dearer.join(", "))?;
    }
    Ok(())
}

/// Why policies cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError {
    /// The baseline did not play.
    #[error("baseline {name:?} is not among the compared policies; they are {}", played.join(", "))]
    UnknownBaseline {
        /// What was asked for.
        name: String,
        /// The names of those who played.
        played: Vec<String>,
    },
    /// Two policies have one name.
    #[error("two policies are called {name:?}; each name once")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The policies did not play the same episodes.
    #[error(
        "{policy} played {found} episodes, {baseline} played {expected}; compare what was played together"
    )]
    Episodes {
        /// The policy.
        policy: String,
        /// Its episodes.
        found: usize,
        /// The baseline.
        baseline: String,
        /// Its episodes.
        expected: usize,
    },
    /// The policies did not meet the same requests.
    #[error(
        "{policy} met other requests than {baseline} in episode {episode}; \
         only policies that played the same seeds of the same scenario can be compared"
    )]
    DifferentWorlds {
        /// The policy.
        policy: String,
        /// The baseline.
        baseline: String,
        /// The first episode that differs, from 0.
        episode: usize,
    },
}

impl Comparison {
    /// Compares what was played with the policy called `baseline`.
    ///
    /// # Errors
    /// When the baseline did not play, a name occurs twice, or the policies did not meet the same requests.
    pub fn new(evaluation: &Evaluation, baseline: &str) -> Result<Self, CompareError> {
        let policies = &evaluation.policies;
        let Some(base) = policies.iter().find(|policy| policy.name == baseline) else {
            let played = policies.iter().map(|policy| policy.name.clone()).collect();
            return Err(CompareError::UnknownBaseline { name: baseline.to_owned(), played });
        };
        for (index, policy) in policies.iter().enumerate() {
            if policies[..index].iter().any(|earlier| earlier.name == policy.name) {
                return Err(CompareError::DuplicateName { name: policy.name.clone() });
            }
            same_world(policy, base)?;
        }
        let mut rows: Vec<(&Evaluated, Row)> = policies
            .par_iter()
            .map(|policy| {
                let relative = metrics::relative_cost(policy, base);
                let share_cheaper = metrics::share_cheaper(policy, base);
                (policy, Row { summary: Summary::of(policy), relative, share_cheaper })
            })
            .collect();
        rows.sort_by(|(_, a), (_, b)| a.summary.mean_cost.total_cmp(&b.summary.mean_cost));
        let by_cost: Vec<&Evaluated> = rows.iter().map(|(policy, _)| *policy).collect();
        Ok(Self {
            scenario: evaluation.scenario.clone(),
            baseline: baseline.to_owned(),
            episodes: evaluation.episodes,
            seed: evaluation.seed,
            trajectory_hash: Hash64(evaluation.trajectory_hash()),
            is_recorded: evaluation.is_recorded,
            slots: evaluation.slots,
            verdict: verdict(&by_cost),
            policies: rows.into_iter().map(|(_, row)| row).collect(),
        })
    }
}

fn same_world(policy: &Evaluated, baseline: &Evaluated) -> Result<(), CompareError> {
    let (found, expected) = (policy.episodes.len(), baseline.episodes.len());
    if found != expected {
        let (policy, baseline) = (policy.name.clone(), baseline.name.clone());
        return Err(CompareError::Episodes { policy, found, baseline, expected });
    }
    let met = |(a, b): (&crate::evaluate::EpisodeResult, &crate::evaluate::EpisodeResult)| {
        (a.fingerprint, a.slots) != (b.fingerprint, b.slots)
    };
    match policy.episodes.iter().zip(&baseline.episodes).position(met) {
        Some(episode) => Err(CompareError::DifferentWorlds {
            policy: policy.name.clone(),
            baseline: baseline.name.clone(),
            episode,
        }),
        None => Ok(()),
    }
}

/// The verdict on policies in the order of their costs; bounds are no policies.
fn verdict(played: &[&Evaluated]) -> Verdict {
    let by_cost: Vec<&Evaluated> =
        played.iter().copied().filter(|policy| policy.kind != PolicyKind::Bound).collect();
    let (learned, heuristics): (Vec<&Evaluated>, Vec<&Evaluated>) =
        by_cost.iter().partition(|policy| policy.kind.is_learned());
    let difference = |policy: &Evaluated, other: &Evaluated| Difference {
        other: other.name.clone(),
        relative: metrics::relative_cost(policy, other),
    };
    if learned.is_empty() || heuristics.is_empty() {
        return match by_cost.as_slice() {
            [first, second, ..] => {
                Verdict::Cheapest { name: first.name.clone(), next: difference(first, second) }
            }
            _ => Verdict::Alone,
        };
    }
    let against = |policy: &&Evaluated| {
        let differences = heuristics.par_iter().map(|heuristic| difference(policy, heuristic)).collect();
        (policy.name.clone(), differences)
    };
    Verdict::Learned(learned.iter().map(against).collect())
}

#[cfg(test)]
mod tests;
