//! What a run says of its own health at its end, read from `metrics.jsonl`: so it covers every start of the run.
//!
//! Each line has a number, whether it is as it should be, and if not, what to look at. `docs/metrics.md` explains them.

use crate::metrics_log::DECISIONS;
use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader};
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

/// The numbers of a run that its health depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Signs {
    ratio_error: Option<f64>,
    explained_variance: Option<f64>,
    dead_units: Option<f64>,
    /// The least entropy in the first half of the budget.
    early_entropy: Option<f64>,
    last_entropy: Option<f64>,
}

/// Looks at the log of a run.
///
/// # Errors
/// When it cannot be read.
pub(super) fn of(metrics: &Path, algorithm: Algorithm, budget: u64) -> Result<Vec<Finding>> {
    let context = || format!("cannot read {}", metrics.display());
    let mut signs = Signs::default();
    for line in BufReader::new(File::open(metrics).with_context(context)?).lines() {
        let line: Map<String, Value> =
            serde_json::from_str(&line.with_context(context)?).with_context(context)?;
        signs.see(&line, budget);
    }
    Ok(signs.findings(algorithm))
}

impl Signs {
    fn see(&mut self, line: &Map<String, Value>, budget: u64) {
        let value = |tag: &str| line.get(tag).and_then(Value::as_f64);
        let decisions = line.get(DECISIONS).and_then(Value::as_u64).unwrap_or(0);
        if let Some(error) = value("train/first_ratio_error") {
            self.ratio_error = Some(self.ratio_error.map_or(error, |worst| worst.max(error)));
        }
        self.explained_variance = value("train/explained_variance").or(self.explained_variance);
        self.dead_units = value("train/dead_units").or(self.dead_units);
        if let Some(entropy) = value("train/entropy_loss").map(|loss| -loss) {
            self.last_entropy = Some(entropy);
            if decisions <= budget / 2 {
                self.early_entropy = Some(self.early_entropy.map_or(entropy, |least| least.min(entropy)));
            }
        }
    }

    fn findings(&self, algorithm: Algorithm) -> Vec<Finding> {
        let mut findings =
            vec![finding("empty masks", Some(0.0), true, "none: a learner that meets one ends the run")];
        if algorithm == Algorithm::Ppo {
            let error = self.ratio_error;
            findings.push(match error {
                Some(error) if error > RATIO_ERROR => finding(
                    "ratio at the first epoch",
                    Some(error),
                    false,
                    format!("{error:.1e} from 1, {RATIO_ERROR:.0e} is the most: acting and learning disagree; please report it"),
                ),
                Some(error) => {
                    finding("ratio at the first epoch", Some(error), true, format!("within {error:.1e} of 1"))
                }
                None => finding("ratio at the first epoch", None, true, "no update"),
            });
            findings.push(match self.explained_variance {
                Some(share) if share < EXPLAINED_VARIANCE => finding(
                    "explained variance",
                    Some(share),
                    false,
                    format!("{share:.2} at the end: the values say little about returns; try more decisions, a larger \
                             vf_coef or n_steps, or a smaller gamma"),
                ),
                Some(share) => finding("explained variance", Some(share), true, format!("{share:.2} at the end")),
                None => finding("explained variance", None, true, "no update"),
            });
            findings.push(match (self.early_entropy, self.last_entropy) {
                (Some(least), _) if least < ENTROPY => finding(
                    "entropy",
                    Some(least),
                    false,
                    format!("{least:.1e} nats in the first half: the policy stopped exploring; try a larger ent_coef or a \
                             smaller learning_rate"),
                ),
                (_, Some(last)) => finding("entropy", Some(last), true, format!("{last:.3} nats at the end")),
                (_, None) => finding("entropy", None, true, "no update"),
            });
        }
        if let Some(share) = self.dead_units {
            let percent = 100.0 * share;
            findings.push(if share > DEAD_UNITS {
                let text = format!("{percent:.0} % at the end: try a smaller learning_rate, activation = \"tanh\" or a larger net_arch");
                finding("dead units", Some(share), false, text)
            } else {
                finding("dead units", Some(share), true, format!("{percent:.0} % at the end"))
            });
        }
        findings
    }
}

fn finding(name: &'static str, value: Option<f64>, is_ok: bool, text: impl Into<String>) -> Finding {
    Finding { name, value, is_ok, text: text.into() }
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
