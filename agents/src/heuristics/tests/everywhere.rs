//! What holds for every rule in every shipped world, and in worlds with several cells.

use super::super::registry::{self, Prepared, names};
use super::{play, play_with, street};
use std::sync::Arc;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::thought::Refresh;

fn world(name: &str, overrides: &[(&str, &str)]) -> Arc<Scenario> {
    let overrides: Vec<Override> = overrides
        .iter()
        .map(|(key, value)| Override { key: (*key).into(), value: (*value).into() })
        .collect();
    let text = shipped::text(name).unwrap();
    Arc::new(Scenario::load(name, text, &overrides, |_| Err("no recording".into())).unwrap().1)
}

type Change = (&'static str, &'static str);
const CLEAR: Change = ("memory.refresh", "\"clear\"");
const SHARED: Change = ("memory.shared_weights", "true");
/// One copy of the larger model, and room for contexts.
const SMALL: Change = ("cell.memory_gb", "450");
const KV: [Change; 3] = [
    ("memory.kv", "true"),
    ("models.0.kv_bytes_per_token", "2.6e7"),
    ("models.1.kv_bytes_per_token", "1.2e7"),
];
/// The rules that are compared where users have contexts of their own; they play in every world.
const ABOUT_CONTEXTS: [&str; 5] = ["commit", "recent", "long-thoughts", "affinity", "keep-alive"];
const USERS: [Change; 2] = [("context.scope", "\"user\""), ("context.users", "6")];

fn worlds() -> Vec<Arc<Scenario>> {
    vec![
        world("tight", &[]),
        world("paper", &[]),
        world("tight-request", &[]),
        world("tight-aot", &[]),
        world("tight-aot", &[("cell.count", "2"), ("thought.cv", "0"), ("decision.prefetch", "true")]),
        world("tight-request", &[("decision.hold", "false"), ("cell.count", "2"), ("horizon_slots", "60")]),
        world("tight", &[("cell.count", "3"), ("horizon_slots", "60")]),
        world("tight", &[("decision.prefetch", "true"), ("cell.count", "2"), ("horizon_slots", "60")]),
        world("tight-request", &[("decision.prefetch", "true")]),
        // A compute budget that some batches exceed: hits, too, can be refused.
        world(
            "tight",
            &[
                ("cell.compute_budget_tflop_per_slot", "200"),
                ("models.0.active_parameters_b", "65"),
                ("models.1.active_parameters_b", "174"),
            ],
        ),
        // The larger model never fits.
        world("tight", &[("cell.memory_gb", "300")]),
        world("tight", &[("decision.placements", "[\"cloud\"]")]),
        world("tiny-unit4", &[]),
        world("tiny-drift4", &[]),
        // Hardly a request: some episodes have none.
        world("paper", &[("workload.poisson.mean_requests_per_service", "0.001"), ("horizon_slots", "50")]),
        world("tight", &[CLEAR, ("horizon_slots", "60")]),
        world("tight", &[SHARED, SMALL, ("horizon_slots", "60")]),
        world("tight", &[KV[0], KV[1], KV[2], ("horizon_slots", "60")]),
        world("tight", &[USERS[0], USERS[1], ("horizon_slots", "60")]),
        world("tight", &[CLEAR, SHARED, SMALL, KV[0], KV[1], KV[2], ("horizon_slots", "60")]),
        world("tight", &[SHARED, SMALL, KV[0], KV[1], KV[2], USERS[0], USERS[1], ("horizon_slots", "60")]),
        street(&[]),
        street(&[("decision.hold", "false"), ("decision.prefetch", "true"), ("physical.users", "200")]),
        // Many models never fit.
        street(&[("cell.memory_gb", "40"), ("decision.placements", "[\"edge\", \"device\"]")]),
        // Some episodes have no request.
        street(&[("physical.users", "1"), ("horizon_slots", "100")]),
    ]
}

#[test]
fn the_shipped_parameters_are_known_and_in_range() {
    for name in ["tight", "tight-request", "tight-aot", "paper"] {
        registry::check_parameters(&Scenario::shipped(name)).unwrap();
    }
}

#[test]
fn no_rule_violates_a_mask_in_any_world() {
    for scenario in worlds() {
        let listed = names(&scenario);
        let others = ABOUT_CONTEXTS.iter().map(|name| (*name).to_owned());
        let others: Vec<String> = others.filter(|name| !listed.contains(name)).collect();
        for name in listed.into_iter().chain(others) {
            let rule = Prepared::new(&name, &scenario).unwrap();
            for episode in 0..4 {
                let counters = play(&rule, &scenario, Seed::new(Purpose::Test, 3).with_episode(episode));
                assert!(counters.hits <= counters.edge_requests, "{name}");
                // An entry leaves as often as it came; where weights are shared, it may come without a load.
                let left = match scenario.refresh {
                    Refresh::Evict => counters.evictions + counters.refreshes,
                    Refresh::Clear => counters.evictions,
                };
                assert!(left <= counters.loads || scenario.has_shared_weights, "{name}");
            }
        }
    }
}

#[test]
fn every_rule_but_chance_plays_as_if_nothing_could_be_loaded_ahead() {
    let seed = Seed::new(Purpose::Test, 3);
    for name in ["tight", "tight-request"] {
        let (plain, ahead) = (world(name, &[]), world(name, &[("decision.prefetch", "true")]));
        for rule in names(&plain).into_iter().filter(|rule| rule != "random") {
            let of = |scenario| play(&Prepared::new(&rule, scenario).unwrap(), scenario, seed);
            assert_eq!(of(&plain), of(&ahead), "{rule} on {name}");
        }
    }
}

#[test]
fn an_episode_does_not_depend_on_the_one_before() {
    let scenario = world("tight", &[("cell.count", "2"), ("horizon_slots", "40")]);
    let (first, second) = (Seed::new(Purpose::Test, 0), Seed::new(Purpose::Test, 1));
    for name in names(&scenario) {
        let rule = Prepared::new(&name, &scenario).unwrap();
        let fresh = play(&rule, &scenario, second);
        // One instance for two episodes.
        let mut used = rule.instance();
        play_with(used.as_mut(), &scenario, first);
        assert_eq!(play_with(used.as_mut(), &scenario, second), fresh, "{name}");
    }
}

#[test]
fn admission_variants_load_less_than_the_rules_that_they_vary() {
    let scenario = world("tight", &[]);
    let loads = |name: &str| {
        play(&Prepared::new(name, &scenario).unwrap(), &scenario, Seed::new(Purpose::Test, 0)).loads
    };
    for name in ["fifo", "lru", "lfu", "gdsf", "least-aot", "most-aot"] {
        let (plain, admitting) = (loads(name), loads(&format!("{name}-admit")));
        assert!(0 < admitting && admitting < plain, "{name}: {admitting} of {plain}");
    }
}
