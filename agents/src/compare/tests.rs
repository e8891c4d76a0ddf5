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
        heuristic("expensive", &[4.0, 12.0]),
        heuristic("base", &[2.0, 6.0]),
        heuristic("cheap", &[1.0, 3.0]),
    ]);
    let comparison = Comparison::new(&played, "base").unwrap();
    let names: Vec<&str> = comparison.policies.iter().map(|row| row.summary.name.as_str()).collect();
    assert_eq!(names, ["cheap", "base", "expensive"]);
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
    assert!(comparison.verdict.to_string().contains("free (which costs nothing in these episodes"));
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

#[test]
fn training_seeds_of_one_configuration_are_one_row_with_an_interval_over_seeds_and_episodes() {
    let base = [4.0, 8.0, 6.0, 2.0];
    let scaled = |factor: f64| base.map(|cost| factor * cost);
    let played = evaluation(vec![
        heuristic("lru", &base),
        ppo("seed-2", &scaled(0.6)),
        ppo("seed-1", &scaled(0.4)),
        ppo("alone", &scaled(0.9)),
    ]);
    let members = vec![(2, "seed-2".to_owned()), (1, "seed-1".to_owned())];
    let groups = [SeedGroup { name: "net (2 seeds)".into(), members }];
    let comparison = Comparison::of_groups(&played, &groups, "lru").unwrap();
    let names: Vec<&str> = comparison.policies.iter().map(|row| row.summary.name.as_str()).collect();
    assert_eq!(names, ["net (2 seeds)", "alone", "lru"]);
    let net = &comparison.policies[0];
    assert_relative_eq!(net.relative.unwrap().mean, -0.5);
    assert_relative_eq!(net.summary.mean_cost, 1.25);
    // Each seed is certain about itself, and two of them say little about the next: 0.1 sqrt(2) t(1) / t(inf).
    let reach = 0.1 * 2.0_f64.sqrt() * 12.706 / 1.96;
    assert_relative_eq!(net.relative.unwrap().ci95.low, -0.5 - reach, epsilon = 1e-9);
    let seeds: Vec<(u64, f64)> = net.seeds.iter().map(|row| (row.seed, row.relative.unwrap().mean)).collect();
    assert_eq!(seeds.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), [1, 2]);
    assert_relative_eq!(seeds[0].1, -0.6);
    assert_relative_eq!(net.seeds[0].relative.unwrap().ci95.high, -0.6, epsilon = 1e-12);
    let document = serde_json::to_value(&comparison).unwrap();
    assert_eq!(document["policies"][0]["seeds"][1]["name"], "seed-2");
    assert!(document["policies"][1].get("seeds").is_none());
    assert!(comparison.verdict.to_string().contains("net (2 seeds) is cheaper than 0 of 1 heuristics"));
    // A group may be the baseline: its seeds are chance too.
    let turned = Comparison::of_groups(&played, &groups, "net (2 seeds)").unwrap();
    let alone = turned.policies[1].relative.unwrap();
    assert_relative_eq!(alone.mean, 0.8, epsilon = 1e-12);
    assert!(alone.ci95.low < 0.0 && alone.ci95.high > 1.5, "{alone}");
}

#[test]
fn no_figure_that_is_not_finite_is_told_and_no_request_is_said() {
    let endless = evaluation(vec![heuristic("lru", &[f64::MAX, f64::MAX]), heuristic("fifo", &[1.0, 2.0])]);
    let message = Comparison::new(&endless, "fifo").unwrap_err().to_string();
    assert_eq!(message, "lru: its mean_cost is not a finite number over these episodes");

    let mut quiet = evaluation(vec![heuristic("lru", &[0.0, 0.0]), heuristic("fifo", &[0.0, 0.0])]);
    for episode in quiet.policies.iter_mut().flat_map(|policy| &mut policy.episodes) {
        episode.counters.requests = 0;
    }
    let comparison = Comparison::new(&quiet, "lru").unwrap();
    assert!(comparison.verdict.to_string().starts_with("nobody asked"));
    let row = &serde_json::to_value(&comparison).unwrap()["policies"][1];
    assert!(row["hit_ratio"].is_null() && row["relative"].is_null());
    let why = row["null_because"].as_str().unwrap();
    assert!(why.starts_with("nobody asked: ") && why.contains("; the baseline costs nothing"), "{why}");

    // Three of four episodes cost the baseline nothing: a third of the resamples would divide by 0.
    let sparse = evaluation(vec![heuristic("lru", &[0.0, 0.0, 0.0, 4.0]), heuristic("fifo", &[1.0; 4])]);
    let comparison = Comparison::new(&sparse, "lru").unwrap();
    assert_eq!(comparison.policies[1].relative, None);
    assert!(!serde_json::to_string(&comparison).unwrap().contains("\"ci95\":[null"));
}

#[test]
fn regret_is_what_lies_above_the_bound_and_what_is_closed_is_a_share_of_the_baselines() {
    // Costs per slot of 3 and 5, 2 and 4; bounds 1 and 2: regrets of 2.5 and 1.5 on average, of which 1 is closed.
    let played = evaluation(vec![heuristic("base", &[6.0, 10.0]), ppo("net", &[4.0, 8.0])]);
    let comparison = Comparison::new(&played, "base")
        .unwrap()
        .with_bounds(&played, &[vec![1.0; 2], vec![2.0; 2]])
        .unwrap();
    let bound = comparison.bound.as_ref().unwrap();
    assert_relative_eq!(bound.mean_cost, 1.5);
    assert_relative_eq!(bound.relative.unwrap().mean, 1.5 / 4.0 - 1.0);
    let distance = |at: usize| comparison.policies[at].distance.unwrap();
    assert_relative_eq!(distance(0).regret.mean, 1.5);
    assert_relative_eq!(distance(1).regret.mean, 2.5);
    assert_relative_eq!(distance(0).closed.unwrap().mean, 0.4);
    // 1 of 2 in the first episode, 1 of 3 in the second: resamples of one episode alone are the ends.
    let ci95 = distance(0).closed.unwrap().ci95;
    assert_relative_eq!(ci95.low, 1.0 / 3.0);
    assert_relative_eq!(ci95.high, 0.5);
    assert_eq!(distance(1).closed.unwrap().mean, 0.0);
    let document = serde_json::to_value(&comparison).unwrap();
    assert_eq!(document["bound"]["mean_cost"], 1.5);
    assert_eq!(document["policies"][0]["regret"]["mean"], 1.5);
}

#[test]
fn the_slots_of_an_only_episode_have_its_bound_each() {
    let played = evaluation(vec![heuristic("base", &[8.0]), ppo("net", &[4.0])]);
    let bounds = [vec![1.5, -1.0]];
    let comparison = Comparison::new(&played, "base").unwrap().with_bounds(&played, &bounds).unwrap();
    let Distance { regret, closed } = comparison.policies[0].distance.unwrap();
    // Costs of 8 and 0, 4 and 0 in the two slots: regrets of 7.5 and 3.5 together.
    assert_relative_eq!(regret.mean, 1.75);
    assert_relative_eq!(closed.unwrap().mean, 4.0 / 7.5);
}

#[test]
fn a_bound_that_somebody_beats_is_refused() {
    let played = evaluation(vec![heuristic("base", &[6.0, 10.0])]);
    let with = |bounds: &[f64]| {
        let bounds: Vec<Vec<f64>> = bounds.iter().map(|&bound| vec![bound; 2]).collect();
        Comparison::new(&played, "base").unwrap().with_bounds(&played, &bounds)
    };
    let error = with(&[3.0, 5.1]).unwrap_err().to_string();
    assert!(error.starts_with("base costs less than 5.1, the bound of episode 1"), "{error}");
    assert_eq!(with(&[3.0]).unwrap_err().to_string(), "1 bounds for 2 episodes; one each is needed");
    assert!(with(&[3.0, 5.0]).is_ok());
}

#[test]
fn where_the_baseline_has_no_clear_regret_nothing_is_closed_and_the_document_says_so() {
    let played = evaluation(vec![heuristic("base", &[2.0, 4.0]), ppo("net", &[2.0, 5.0])]);
    let bounds = [vec![1.0; 2], vec![2.0 - 1e-13; 2]];
    let comparison = Comparison::new(&played, "base").unwrap().with_bounds(&played, &bounds).unwrap();
    let document = serde_json::to_value(&comparison).unwrap();
    assert_eq!(document["policies"][0]["regret"]["mean"], 0.0, "rounding is no regret");
    assert_eq!(document["policies"][1]["closed"], Value::Null);
    assert!(document["policies"][1]["null_because"].as_str().unwrap().contains("as little as the bound"));
}
