//! What a run says of its own health at its end, read from `metrics.jsonl`: so it covers every start of the run.
//!
//! Each line has a number, whether it is as it should be, and if not, what to look at. `docs/metrics.md` explains them.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use thoughtcache_agents::checkpoint::Algorithm;

/// Above this, acting and learning disagree about a policy.
const RATIO_ERROR: f64 = 1e-5;
/// Below this, a critic is no better than the mean return.
const EXPLAINED_VARIANCE: f64 = 0.1;
/// Above this share, a network is smaller than it looks.
const DEAD_UNITS: f64 = 0.5;
/// Below this many nats, a policy no longer explores.
const ENTROPY: f64 = 1e-3;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    /// Nothing where the run never logged it.
    pub(super) value: Option<f64>,
    pub(super) is_ok: bool,
    /// What was found, or what to look at.
    pub(super) text: String,
}

/// The numbers of a line that health depends on: a long run has many lines.
#[derive(Deserialize)]
struct Signs {
    decisions: u64,
    #[serde(rename = "train/first_ratio_error")]
    first_ratio_error: Option<f64>,
    #[serde(rename = "train/explained_variance")]
    explained_variance: Option<f64>,
    #[serde(rename = "train/entropy_loss")]
    entropy_loss: Option<f64>,
    #[serde(rename = "train/dead_units")]
    dead_units: Option<f64>,
}

/// Looks at the log of a run.
///
/// # Errors
/// When it cannot be read.
pub(super) fn of(metrics: &Path, algorithm: Algorithm, budget: u64) -> Result<Vec<Finding>> {
    let context = || format!("cannot read {}", metrics.display());
    let file = File::open(metrics).with_context(context)?;
    let signs = |line: io::Result<String>| -> Result<Signs> { Ok(serde_json::from_str(&line?)?) };
    let lines: Result<Vec<Signs>> = BufReader::new(file).lines().map(signs).collect();
    let lines = lines.with_context(context)?;
    let entropy = |line: &Signs| Some(-line.entropy_loss?);
    let early = lines.iter().filter(|line| line.decisions <= budget / 2).filter_map(entropy);
    let collapse = early.reduce(f64::min).filter(|&least| least < ENTROPY);
    let dead_units = lines.iter().filter_map(|line| line.dead_units).next_back();
    let mut findings = vec![finding("empty masks", Some(0.0), true, |_| {
        "none: a learner that meets one ends the run".to_owned()
    })];
    if algorithm == Algorithm::Ppo {
        let worst = lines.iter().filter_map(|line| line.first_ratio_error).reduce(f64::max);
        let is_ok = worst.is_none_or(|error| error <= RATIO_ERROR);
        findings.push(finding("ratio at the first epoch", worst, is_ok, |error| {
            if is_ok {
                return format!("within {error:.1e} of 1");
            }
            format!("{error:.1e} from 1, {RATIO_ERROR:.0e} is the most: acting and learning disagree; please report it")
        }));
        let explained = lines.iter().filter_map(|line| line.explained_variance).next_back();
        let is_ok = explained.is_none_or(|share| share >= EXPLAINED_VARIANCE);
        findings.push(finding("explained variance", explained, is_ok, |share| {
            let advice = ": the values say little about returns; try more decisions, a larger vf_coef or n_steps, or a \
                          smaller gamma";
            format!("{share:.2} at the end{}", if is_ok { "" } else { advice })
        }));
        let last = lines.iter().filter_map(entropy).next_back();
        findings.push(finding("entropy", collapse.or(last), collapse.is_none(), |nats| match collapse {
            Some(nats) => format!(
                "{nats:.1e} nats in the first half: the policy stopped exploring; try a larger ent_coef or a smaller \
                 learning_rate"
            ),
            None => format!("{nats:.3} nats at the end"),
        }));
    }
    if let Some(share) = dead_units {
        let is_ok = share <= DEAD_UNITS;
        findings.push(finding("dead units", dead_units, is_ok, |share| {
            let advice = ": try a smaller learning_rate, activation = \"tanh\" or a larger net_arch";
            format!("{:.0} % at the end{}", 100.0 * share, if is_ok { "" } else { advice })
        }));
    }
    Ok(findings)
}

fn finding(name: &'static str, value: Option<f64>, is_ok: bool, text: impl FnOnce(f64) -> String) -> Finding {
    Finding { name, value, is_ok, text: value.map_or_else(|| "no update".to_owned(), text) }
}

/// The findings for people: one line where all is well, else a line for each that is not.
pub(super) fn text(findings: &[Finding]) -> String {
    let line = |words: &str| format!("  health      {words}\n");
    let odd = findings.iter().filter(|finding| !finding.is_ok);
    let odd: Vec<String> =
        odd.map(|finding| line(&format!("LOOK AT {}: {}", finding.name, finding.text))).collect();
    if !odd.is_empty() {
        return odd.concat();
    }
    let all: Vec<String> =
        findings.iter().map(|finding| format!("{} {}", finding.name, short(&finding.text))).collect();
    line(&format!("ok: {}", all.join("; ")))
}

/// A finding without its explanation.
fn short(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(lines: &[&str], algorithm: Algorithm) -> Vec<Finding> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, lines.join("\n")).unwrap();
        of(&path, algorithm, 100).unwrap()
    }

    fn odd(lines: &[&str], algorithm: Algorithm) -> Vec<&'static str> {
        let findings = findings(lines, algorithm);
        findings.iter().filter(|finding| !finding.is_ok).map(|finding| finding.name).collect()
    }

    const WELL: &str = "{\"decisions\":10,\"train/first_ratio_error\":1e-7,\"train/explained_variance\":0.8,\
                        \"train/dead_units\":0.1,\"train/entropy_loss\":-1.5}";

    #[test]
    fn a_healthy_run_is_one_line() {
        let text = text(&findings(&[WELL], Algorithm::Ppo));
        assert_eq!(
            text,
            "  health      ok: empty masks none; ratio at the first epoch within 1.0e-7 of 1; explained variance 0.80 at \
             the end; entropy 1.500 nats at the end; dead units 10 % at the end\n"
        );
        assert_eq!(odd(&["{\"decisions\":10}"], Algorithm::Dqn), [""; 0]);
    }

    #[test]
    fn each_ill_has_its_line() {
        for (line, name) in [
            ("{\"decisions\":5,\"train/first_ratio_error\":2e-5}", "ratio at the first epoch"),
            ("{\"decisions\":50,\"train/explained_variance\":0.05}", "explained variance"),
            ("{\"decisions\":50,\"train/entropy_loss\":-1e-4}", "entropy"),
            ("{\"decisions\":50,\"train/dead_units\":0.6}", "dead units"),
        ] {
            assert_eq!(odd(&[WELL, line], Algorithm::Ppo), [name]);
        }
    }

    #[test]
    fn the_worst_ratio_counts_the_last_variance_counts_and_late_certainty_is_no_collapse() {
        let later = "{\"decisions\":90,\"train/entropy_loss\":-1e-6,\"train/explained_variance\":0.9}";
        let first = "{\"decisions\":5,\"train/explained_variance\":-3.0,\"train/first_ratio_error\":0.5}";
        assert_eq!(odd(&[first, WELL, later], Algorithm::Ppo), ["ratio at the first epoch"]);
    }
}
