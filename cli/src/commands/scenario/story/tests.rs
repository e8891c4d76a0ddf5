use super::*;
use crate::scenario_file;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::text::Override;

/// At the edge where that is possible, victims by least age of thought.
struct Edge;

impl Policy<DecisionEnv> for Edge {
    fn name(&self) -> &'static str {
        "edge"
    }

    fn act(&mut self, observation: &DecisionObservation, _: &mut SimRng) -> ActionId {
        let ahead = (0..20).rev().find_map(|index| observation.load(ServiceId(index)));
        let edge = || observation.place(Placement::Edge).or_else(|| observation.place(Placement::Cloud));
        ahead.or_else(edge).unwrap()
    }
}

#[test]
fn what_is_loaded_ahead_is_told_before_the_batches() {
    let overrides = [Override { key: "decision.prefetch".into(), value: "true".into() }];
    let scenario = scenario_file::load("tight", &overrides).unwrap().scenario;
    let story = tell(&scenario, &mut Edge, 0, 30).unwrap();
    let [ahead] = story.ahead.as_slice() else { panic!("one cell: {:?}", story.ahead) };
    let loaded = ahead.loaded.as_ref().unwrap();
    assert!(!story.resident.iter().any(|entry| entry.service == *loaded));
    assert_eq!(ahead.actions[0], format!("load.{}", loaded.rsplit_once('-').unwrap().1));
    let freed_gb: f64 = ahead.evicted.iter().map(|service| gb(&scenario, service)).sum();
    let left_gb = free_gb(&story) + freed_gb - gb(&scenario, loaded);
    assert!((story.batches[0].free_gb - left_gb).abs() < 1e-6);
    let sum: f64 = story.batches.iter().map(|batch| batch.cost.0.total()).sum();
    let ahead_cost = ahead.cost.0.total();
    assert!((story.cost.0.total() - sum - ahead_cost).abs() < 1e-12 && ahead_cost > 0.0);
}

/// What is free of the memory of the first cell before the first decision.
fn free_gb(story: &Story) -> f64 {
    story.memory[0]["free_gb"].as_f64().unwrap()
}

/// The weights of a service.
fn gb(scenario: &Scenario, service: &str) -> f64 {
    bytes_to_gb(scenario.services.iter().find(|known| known.name == service).unwrap().bytes)
}

fn told(slot: u64) -> Story {
    tell(&Arc::new(Scenario::shipped("tight")), &mut Edge, 0, slot).unwrap()
}

#[test]
fn the_costs_of_the_batches_add_up_to_the_cost_of_the_slot() {
    let story = told(30);
    let sum: f64 = story.batches.iter().map(|batch| batch.cost.0.total()).sum();
    assert!((story.cost.0.total() - sum).abs() < 1e-12 && sum > 0.0);
}

#[test]
fn what_is_loaded_and_evicted_adds_up_from_slot_to_slot() {
    let scenario = Scenario::shipped("tight");
    let (now, next) = (told(30), told(31));
    let mut left_gb = free_gb(&now);
    for batch in &now.batches {
        assert!((batch.free_gb - left_gb).abs() < 1e-6, "{batch:?}");
        left_gb += batch.evicted.iter().map(|service| gb(&scenario, service)).sum::<f64>();
        left_gb -= if batch.is_loaded { batch.memory_gb } else { 0.0 };
        left_gb += if batch.is_refreshed { batch.memory_gb } else { 0.0 };
    }
    assert!((free_gb(&next) - left_gb).abs() < 1e-6);
}

#[test]
fn what_a_batch_leaves_behind_is_there_one_fading_later() {
    let (now, next) = (told(30), told(31));
    let mut checked = 0;
    for entry in &next.resident {
        let Some(batch) = now.batches.iter().find(|batch| batch.service == entry.service) else {
            continue;
        };
        let after = batch.after.unwrap();
        assert_eq!(entry.context.context_tokens, after.context_tokens);
        assert_eq!(entry.context.age_tokens, (after.age_tokens - 120.0).max(0.0));
        checked += 1;
    }
    assert!(checked > 0);
}

/// The batches of a slot of `tight` with these values changed, of each that was refused the edge the reason.
fn obstacles(changes: &[(&str, &str)]) -> (Vec<Told>, Vec<Obstacle>, String) {
    let changes: Vec<Override> =
        changes.iter().map(|&(key, value)| Override { key: key.into(), value: value.into() }).collect();
    let scenario = scenario_file::load("tight", &changes).unwrap().scenario;
    let story = tell(&scenario, &mut Edge, 0, 30).unwrap();
    let text = crate::sheet::text(&story).unwrap();
    let obstacles = story.batches.iter().filter_map(|batch| batch.edge_obstacle).collect();
    (story.batches, obstacles, text)
}

#[test]
fn an_edge_that_the_scenario_leaves_out_is_given_as_the_reason() {
    let (batches, obstacles, text) = obstacles(&[("decision.placements", "[\"cloud\"]")]);
    assert_eq!(obstacles, vec![Obstacle::NotAllowed; batches.len()]);
    assert!(text.contains("not_allowed") && !text.contains("may_leave"), "{text}");
}

#[test]
fn a_model_larger_than_the_memory_is_told_from_one_that_finds_no_room() {
    // 200 GB hold one entry of 130 GB and none of 348 GB.
    let (batches, _, text) = obstacles(&[("cell.memory_gb", "200")]);
    let mut seen = (0, 0);
    for batch in &batches {
        match batch.edge_obstacle {
            Some(Obstacle::LargerThanMemory) => {
                assert_eq!(batch.memory_gb, 348.0);
                seen.0 += 1;
            }
            Some(obstacle) => {
                assert_eq!((obstacle, batch.memory_gb), (Obstacle::TooLittleMayLeave, 130.0));
                seen.1 += 1;
            }
            None => assert_eq!(batch.memory_gb, 130.0),
        }
    }
    assert!(seen.0 > 0 && seen.1 > 0, "{seen:?}");
    assert!(text.contains("larger_than_memory"), "{text}");
}

#[test]
fn compute_that_never_suffices_is_told_from_compute_that_is_spent() {
    // 2 x 100e9 x 200 = 40 TFLOP a request, 100 TFLOP a slot: two requests fit, and a third does not.
    let (batches, _, text) = obstacles(&[
        ("cell.memory_gb", "9600"),
        ("cell.compute_budget_tflop_per_slot", "100"),
        ("models.0.active_parameters_b", "100"),
        ("models.1.active_parameters_b", "100"),
    ]);
    let mut served = 0;
    for batch in &batches {
        let expected = match batch.requests {
            3.. => Some(Obstacle::LargerThanCompute),
            requests if served + requests > 2 => Some(Obstacle::ComputeSpent),
            _ => None,
        };
        assert_eq!(batch.edge_obstacle, expected, "{batch:?}");
        served += if expected.is_none() { batch.requests } else { 0 };
    }
    assert_eq!(served, 2);
    assert!(text.contains("larger_than_compute") && text.contains("compute_spent"), "{text}");
}

#[test]
fn shared_weights_context_that_takes_room_and_users_are_told() {
    let (batches, _, text) = obstacles(&[
        ("memory.shared_weights", "true"),
        ("memory.kv", "true"),
        ("models.0.kv_bytes_per_token", "2e6"),
        ("models.1.kv_bytes_per_token", "4e6"),
        ("context.scope", "\"user\""),
        ("context.users", "3"),
    ]);
    // Both models are in memory after 30 slots: what is absent finds its weights there.
    assert!(batches.iter().all(|batch| batch.before.is_some() != batch.finds_weights));
    assert!(batches.iter().all(|batch| batch.users.is_some_and(|users| (1..=3).contains(&users))));
    for heading in ["finds weights", "users", "after", "context"] {
        assert!(text.contains(heading), "{heading}: {text}");
    }
}

#[test]
fn a_slot_beyond_the_horizon_is_refused() {
    let error = tell(&Arc::new(Scenario::shipped("tight")), &mut Edge, 0, 200).unwrap_err().to_string();
    assert_eq!(error, "--slot 200: an episode of tight has the slots 0 to 199");
}
