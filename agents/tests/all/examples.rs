//! The programs in `examples/`, each run as a reader would run it; the learner with a part of its budget.

#[allow(dead_code, reason = "the test has a main function of its own")]
#[path = "../../examples/linear_q.rs"]
mod linear_q;
#[allow(dead_code, reason = "the test has a main function of its own")]
#[path = "../../examples/load_policy.rs"]
mod load_policy;
#[allow(dead_code, reason = "the test has a main function of its own")]
#[path = "../../examples/own_rule.rs"]
mod own_rule;

use std::path::Path;
use thoughtcache_agents::Comparison;

/// The policies, cheapest first.
fn names(comparison: &Comparison) -> Vec<&str> {
    comparison.policies.iter().map(|row| row.summary.name.as_str()).collect()
}

#[test]
fn a_rule_of_ones_own_is_cheaper_than_rules_that_load_every_miss() {
    assert_eq!(names(&own_rule::compare(3))[0], "most-requested");
}

#[test]
fn a_linear_learner_is_cheaper_than_every_rule() {
    assert_eq!(names(&linear_q::compare(12_000, 3).unwrap())[0], "linear-q");
}

#[test]
fn the_policy_of_a_reference_run_is_loaded_and_is_cheaper_than_the_baseline() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runs/reference/tight-ppo");
    assert_eq!(names(&load_policy::compare(&run, 3).unwrap()), ["tight-ppo", "least-aot"]);
    let missing = load_policy::compare(Path::new("no/run"), 1).unwrap_err().to_string();
    assert_eq!(missing, "cannot read no/run/policy.safetensors");
}
