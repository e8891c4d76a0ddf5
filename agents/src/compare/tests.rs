use super::*;
use crate::metrics::tests::evaluated;
use approx::assert_relative_eq;
use serde_json::Value;

fn evaluation(policies: Vec<Evaluated>) -> Evaluation {
    let episodes = policies.first().map_or(0, |policy| policy.episodes.len() as u64);
    Evaluation { scenario: "toy".into(), is_recorded: false, seed: 5, episodes, slots: 2, policies }
}

fn heuristic(name: &str, costs: &[f64]) -> Evaluated {
    evaluated(name, PolicyKind::Heuristic, costs)
}

fn ppo(name: &str, costs: &[f64]) -> Evaluated {
    evaluated(name, PolicyKind::Ppo, costs)
}

#[test]
fn the_document_has_exactly_the_promised_keys() {
    let played = evaluation(vec![heuristic("lru", &[4.0, 8.0]), ppo("net", &[2.0, 4.0])]);
    let comparison = Comparison::new(&played, "lru").unwrap();
    let document = serde_json::to_value(&comparison).unwrap();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&document), ["baseline", "episodes", "policies", "scenario", "seed", "trajectory_hash"]);
    let net = &document["policies"][0];
    assert_eq!(
        keys(net),
        ["ci95", "cost", "decide_us", "hit_ratio", "kind", "mean_cost", "name", "relative"]
    );
    assert_eq!(keys(&net["relative"]), ["ci95", "mean"]);
    assert_eq!(
        keys(&net["cost"]),
        ["accuracy", "cloud", "compute", "deadline", "holding", "switching", "transmission"]
    );
    assert_eq!((&net["name"], &net["kind"]), (&Value::from("net"), &Value::from("ppo")));
    assert_eq!(net["relative"], serde_json::json!({ "mean": -0.5, "ci95": [-0.5, -0.5] }));
    assert_eq!((&net["mean_cost"], &net["decide_us"]), (&Value::from(1.5), &Value::from(2.0)));
    assert_eq!(document["trajectory_hash"].as_str().unwrap().len(), 16);
}

#[test]
fn rows_are_sorted_by_cost_and_differ_from_the_baseline_in_pairs() {
    let played = evaluation(vec![
        heuristic("dear", &[4.0, 12.0]),
        heuristic("base", &[2.0, 6.0]),
        heuristic("cheap", &[1.0, 3.0]),
    ]);
    let comparison = Comparison::new(&played, "base").unwrap();
    let names: Vec<&str> = comparison.policies.iter().map(|row| row.summary.name.as_str()).collect();
    assert_eq!(names, ["cheap", "base", "dear"]);
    // Costs of the two episodes differ threefold, but the ratio to the baseline is the same in each: paired intervals have
    // no width, unpaired ones would.
    for (row, ratio) in comparison.policies.iter().zip([-0.5, 0.0, 1.0]) {
        let relative = row.relative.unwrap();
        assert_relative_eq!(relative.mean, ratio);
        assert_relative_eq!(relative.ci95.low, ratio, epsilon = 1e-12);
        assert_relative_eq!(relative.ci95.high, ratio, epsilon = 1e-12);
    }
}

#[test]
fn the_hash_depends_on_what_happened_and_not_on_order_or_names() {
    let hash = |policies: Vec<Evaluated>| evaluation(policies).trajectory_hash();
    let base = hash(vec![heuristic("a", &[1.0]), heuristic("b", &[2.0])]);
    assert_eq!(base, hash(vec![heuristic("c", &[2.0]), heuristic("d", &[1.0])]));
    assert_ne!(base, hash(vec![heuristic("a", &[1.0]), heuristic("b", &[3.0])]));
    assert_ne!(hash(vec![heuristic("a", &[1.0, 2.0])]), hash(vec![heuristic("a", &[2.0, 1.0])]));
}

#[test]
fn mistakes_say_what_is_allowed() {
    let played = evaluation(vec![heuristic("lru", &[1.0, 2.0]), heuristic("fifo", &[1.0, 2.0])]);
    let mut messages = vec![Comparison::new(&played, "lfu").unwrap_err().to_string()];
    let mut twice = played.clone();
    twice.policies[1].name = "lru".into();
    messages.push(Comparison::new(&twice, "lru").unwrap_err().to_string());
    let mut fewer = played.clone();
    fewer.policies[1].episodes.pop();
    messages.push(Comparison::new(&fewer, "lru").unwrap_err().to_string());
    let mut elsewhere = played;
    elsewhere.policies[1].episodes[1].fingerprint = 8;
    messages.push(Comparison::new(&elsewhere, "lru").unwrap_err().to_string());
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn the_verdict_says_who_is_cheaper_and_who_is_not() {
    let clear = [1.0, 2.0, 1.5, 1.2, 1.7, 1.1];
    let scaled = |factor: f64| clear.map(|cost| cost * factor);
    let noisy = [1.5, 1.6, 1.4, 1.3, 1.8, 0.9];
    let verdict = |policies: Vec<Evaluated>| {
        let baseline = policies[0].name.clone();
        Comparison::new(&evaluation(policies), &baseline).unwrap().verdict.to_string()
    };
    let texts = [
        verdict(vec![heuristic("lru", &scaled(2.0)), heuristic("worth", &scaled(1.5)), ppo("net", &clear)]),
        verdict(vec![
            heuristic("lru", &scaled(2.0)),
            heuristic("even", &noisy),
            heuristic("oracle", &scaled(0.8)),
            ppo("net", &clear),
            evaluated("other", PolicyKind::Dqn, &scaled(0.5)),
        ]),
        verdict(vec![heuristic("lru", &clear), ppo("net", &scaled(0.9))]),
        verdict(vec![heuristic("lru", &clear), heuristic("fifo", &scaled(1.1))]),
        verdict(vec![heuristic("lru", &clear), heuristic("fifo", &noisy)]),
        verdict(vec![heuristic("lru", &clear)]),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn a_baseline_that_costs_nothing_has_no_relative_figures_and_breaks_nothing() {
    let played = evaluation(vec![heuristic("free", &[0.0, 0.0]), ppo("net", &[2.0, 4.0])]);
    let comparison = Comparison::new(&played, "free").unwrap();
    assert_eq!(comparison.policies[1].relative, None);
    assert!(serde_json::to_value(&comparison).unwrap()["policies"][1]["relative"].is_null());
    assert!(comparison.verdict.to_string().contains("free (which costs nothing)"));
}

#[test]
fn one_episode_is_compared_slot_by_slot() {
    let series = |name: &str, factor: f64| {
        let mut policy = heuristic(name, &[60.0]);
        policy.episodes[0].slots = 60;
        policy.episodes[0].slot_costs = (0..60).map(|slot| factor * f64::from(slot % 7)).collect();
        policy
    };
    let comparison = Comparison::new(&evaluation(vec![series("a", 1.0), series("b", 2.0)]), "a").unwrap();
    let relative = comparison.policies[1].relative.unwrap();
    assert_relative_eq!(relative.mean, 1.0, epsilon = 1e-12);
    assert_relative_eq!(relative.ci95.low, 1.0, epsilon = 1e-9);
    // The cost itself varies from slot to slot, and its interval says so.
    let ci95 = comparison.policies[0].summary.ci95;
    assert!(ci95.high > ci95.low);
}
