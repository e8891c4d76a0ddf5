use super::*;
use thoughtcache_agents::compare::Comparison;
use thoughtcache_agents::evaluate::{EpisodeResult, Evaluated, Evaluation, PolicyKind};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::Counters;

/// A policy that pays so much per slot of ten, a tenth of it for loads and the rest in the cloud.
fn policy(name: &str, kind: PolicyKind, costs: &[f64]) -> Evaluated {
    let episode = |&cost: &f64| EpisodeResult {
        cost: CostBreakdown { switching: cost, cloud: 9.0 * cost, ..CostBreakdown::default() },
        counters: Counters {
            requests: 200,
            edge_requests: 100,
            hits: 90,
            loads: 10,
            loaded_bytes: 1_300_000_000_000,
            ..Counters::default()
        },
        placed: [0, 0, 0, 100, 0, 0, 100],
        slots: 10,
        decisions: 100,
        slot_costs: vec![cost; 10],
        fingerprint: 1,
        trajectory_hash: cost.to_bits(),
        decide_ns: Some(140_000),
    };
    Evaluated { name: name.into(), kind, episodes: costs.iter().map(episode).collect() }
}

fn comparison(is_recorded: bool) -> Comparison {
    let costs: &[f64] = if is_recorded { &[0.15] } else { &[0.15, 0.16, 0.14, 0.15, 0.17] };
    let scaled = |factor: f64| costs.iter().map(|cost| factor * cost).collect::<Vec<f64>>();
    let policies = vec![
        policy("least-aot", PolicyKind::Heuristic, costs),
        policy("worth", PolicyKind::Heuristic, &scaled(0.7)),
        policy("tight-ppo", PolicyKind::Ppo, &scaled(0.67)),
    ];
    let episodes = costs.len() as u64;
    let evaluation =
        Evaluation { scenario: "tight".into(), is_recorded, seed: 0, episodes, slots: 10, policies };
    Comparison::new(&evaluation, "least-aot").unwrap()
}

#[test]
fn the_text_fits_a_terminal_and_ends_with_who_won() {
    let text = comparison::text(&comparison(false), false);
    assert!(text.lines().all(|line| line.chars().count() <= 100 || line.contains("is cheaper than")));
    insta::assert_snapshot!(text);
}

#[test]
fn recorded_requests_are_described_as_one_run() {
    insta::assert_snapshot!(comparison::text(&comparison(true), false));
}

#[test]
fn colours_mark_learned_policies_and_change_no_letter() {
    let plain = comparison::text(&comparison(false), false);
    let painted = comparison::text(&comparison(false), true);
    assert!(painted.contains("\u{1b}[1mtight-ppo"));
    assert!(!painted.contains("\u{1b}[1mworth"));
    let stripped =
        ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m"].iter().fold(painted, |text, code| text.replace(code, ""));
    assert_eq!(stripped, plain);
}

#[test]
fn documents_and_data_hold_the_same_figures() {
    let compared = [Compared { value: None, comparison: comparison(false) }];
    insta::assert_snapshot!(markdown(&compared, None));
    insta::assert_snapshot!(csv(&compared, None));
}

#[test]
fn a_sweep_marks_the_cheapest_of_each_column() {
    let swept = |value: &str| Compared { value: Some(value.into()), comparison: comparison(false) };
    let compared = [swept("480"), swept("960")];
    insta::assert_snapshot!(matrix(&compared, "scenario.cell.memory_gb"));
    assert_eq!(csv(&compared, Some("scenario.cell.memory_gb")).lines().count(), 7);
}
