use super::*;
use rand::RngExt;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::SimRng;
use thoughtcache_env::scenario::shipped;
use thoughtcache_env::text::Override;

/// `tight` with short episodes.
fn short(overrides: &[(&str, &str)]) -> Arc<Scenario> {
    let overrides: Vec<Override> = std::iter::once(&("horizon_slots", "12"))
        .chain(overrides)
        .map(|(key, value)| Override { key: (*key).into(), value: (*value).into() })
        .collect();
    let text = shipped::text("tight").unwrap();
    let (_, scenario) = Scenario::load("tight", text, &overrides, |path| Err(path.into())).unwrap();
    Arc::new(scenario)
}

/// Serves where it is told, and in the cloud where it cannot.
struct Always(Placement);

impl Policy<DecisionEnv> for Always {
    fn name(&self) -> &'static str {
        "always"
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        observation.place(self.0).or_else(|| observation.place(Placement::Cloud)).unwrap()
    }
}

/// Draws a legal action.
struct Draw;

impl Policy<DecisionEnv> for Draw {
    fn name(&self) -> &'static str {
        "draw"
    }

    fn act(&mut self, observation: &DecisionObservation, rng: &mut SimRng) -> ActionId {
        let legal: Vec<usize> =
            (0..observation.legal.len()).filter(|&index| observation.legal[index]).collect();
        ActionId::from_index(legal[rng.random_range(0..legal.len())])
    }
}

/// Takes an action that does not exist.
struct Wild;

impl Policy<DecisionEnv> for Wild {
    fn name(&self) -> &'static str {
        "wild"
    }

    fn act(&mut self, _observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        ActionId(999)
    }
}

/// Remembers that it has played before.
struct OneUse {
    episodes: u32,
}

impl Policy<DecisionEnv> for OneUse {
    fn name(&self) -> &'static str {
        "one use"
    }

    fn begin_episode(&mut self) {
        self.episodes += 1;
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        assert_eq!(self.episodes, 1, "each episode has a copy of its own");
        observation.place(Placement::Cloud).unwrap()
    }
}

fn contenders() -> Vec<Contender> {
    let rule = PolicyKind::Heuristic;
    vec![
        Contender::new("edge", rule, || Box::new(Always(Placement::Edge))),
        Contender::new("cloud", rule, || Box::new(Always(Placement::Cloud))),
        Contender::new("draw", rule, || Box::new(Draw)),
    ]
}

fn play_all(scenario: &Arc<Scenario>, contenders: &[Contender], episodes: u64) -> Evaluation {
    let protocol = Protocol::test(Arc::clone(scenario), 3, episodes);
    evaluate(contenders, &protocol, Hooks::default()).unwrap()
}

#[test]
fn cloud_only_costs_its_price_for_each_request_and_hits_nothing() {
    let evaluation = play_all(&short(&[]), &contenders(), 4);
    for episode in &evaluation.policies[1].episodes {
        let price = 0.0075 * episode.counters.requests as f64;
        assert!((episode.cost.total() - price).abs() < 1e-12 && episode.cost.cloud > 0.0);
        assert_eq!((episode.counters.hits, episode.counters.loads, episode.slots), (0, 0, 12));
        assert!((episode.cost_per_slot() - price / 12.0).abs() < 1e-12);
    }
}

#[test]
fn requests_are_counted_where_they_were_served() {
    // `tight-request` asks again for more victims: a request that is decided in several steps counts once.
    let scenario = Arc::new(Scenario::shipped("tight-request"));
    let make = || -> AnyPolicy { Box::new(Always(Placement::Edge)) };
    let played = play_all(&scenario, &[Contender::new("edge", PolicyKind::Heuristic, make)], 1);
    let episode = &played.policies[0].episodes[0];
    let counters = episode.counters;
    assert_eq!(episode.placed[Placement::Edge.rank()], counters.edge_requests);
    assert_eq!(episode.placed[Placement::Cloud.rank()], counters.requests - counters.edge_requests);
    assert_eq!(episode.placed.iter().sum::<u64>(), counters.requests);
    assert!(counters.edge_requests > 100, "{counters:?}");
    for (rank, placement) in Placement::ALL.into_iter().enumerate() {
        assert_eq!(placement.rank(), rank);
    }
}

#[test]
fn every_policy_meets_the_same_world_and_every_episode_another() {
    let evaluation = play_all(&short(&[]), &contenders(), 4);
    let worlds = |policy: usize| -> Vec<u64> {
        evaluation.policies[policy].episodes.iter().map(|episode| episode.fingerprint).collect()
    };
    assert_eq!(worlds(0), worlds(1));
    assert_eq!(worlds(0), worlds(2));
    let mut all = worlds(0);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4);
    assert_ne!(evaluation.policies[0].trajectory_hash(), evaluation.policies[1].trajectory_hash());
}

#[test]
fn costs_are_booked_to_the_slot_of_their_batch() {
    // At 0.15 requests a slot most slots are empty: booking after the step would put costs into later slots.
    let scenario = short(&[("workload.poisson.mean_requests_per_service", "0.0075")]);
    let cloud = Contender::new("cloud", PolicyKind::Heuristic, || Box::new(Always(Placement::Cloud)));
    let evaluation = play_all(&scenario, &[cloud], 30);
    let mut empty_slots = 0;
    for (episode, result) in evaluation.policies[0].episodes.iter().enumerate() {
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        env.reset(Seed::new(Purpose::Test, 3).with_episode(episode as u64));
        let mut expected = vec![0.0; 12];
        let mut slot = env.world().slot();
        while !env.world().is_over() {
            expected[slot as usize] += 0.0075 * f64::from(env.observation().num_requests);
            let action = env.observation().place(Placement::Cloud).unwrap();
            slot += u64::from(env.step(&action).unwrap().slots_elapsed);
        }
        assert_eq!(result.slot_costs, expected);
        assert!((result.slot_costs.iter().sum::<f64>() - result.cost.total()).abs() < 1e-12);
        empty_slots += expected.iter().filter(|&&cost| cost == 0.0).count();
    }
    assert!(empty_slots > 200);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let scenario = short(&[]);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| play_all(&scenario, &contenders(), 9))
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(8));
    assert_eq!(one.trajectory_hash(), with(3).trajectory_hash());
}

#[test]
fn a_policy_that_draws_does_not_depend_on_who_else_plays() {
    let scenario = short(&[]);
    let together = play_all(&scenario, &contenders(), 3);
    let draw = Contender::new("draw", PolicyKind::Heuristic, || Box::new(Draw));
    assert_eq!(play_all(&scenario, &[draw], 3).policies[0], together.policies[2]);
}

#[test]
fn each_episode_has_a_copy_of_the_policy() {
    let one_use = Contender::new("one use", PolicyKind::Heuristic, || Box::new(OneUse { episodes: 0 }));
    assert_eq!(play_all(&short(&[]), &[one_use], 5).policies[0].episodes.len(), 5);
}

#[test]
fn an_action_that_is_refused_is_an_error_with_its_place() {
    let wild = [Contender::new("wild", PolicyKind::Ppo, || Box::new(Wild))];
    let scenario = short(&[]);
    let error = evaluate(&wild, &Protocol::test(Arc::clone(&scenario), 0, 3), Hooks::default()).unwrap_err();
    let expected = "wild, episode 0, decision 0: action 999 does not exist; tight has actions 0 to 21";
    assert_eq!(error.to_string(), expected);
    let error = validate(&scenario, 0, 3, &|| Box::new(Wild), &|| false).unwrap_err();
    assert_eq!(error.to_string(), expected);
    let none = evaluate(&wild, &Protocol::test(scenario, 0, 0), Hooks::default()).unwrap_err();
    assert_eq!(none, EvaluateError::NoEpisodes);
}

#[test]
fn the_clock_is_read_around_each_decision_and_every_episode_is_heard_of() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let (ticks, played) = (AtomicU64::new(0), AtomicU64::new(0));
    let clock = || ticks.fetch_add(7, Ordering::Relaxed);
    let count = || {
        played.fetch_add(1, Ordering::Relaxed);
    };
    let cloud = [Contender::new("cloud", PolicyKind::Heuristic, || Box::new(Always(Placement::Cloud)))];
    let protocol = Protocol::test(short(&[]), 3, 1);
    let evaluation =
        evaluate(&cloud, &protocol, Hooks { clock: Some(&clock), played: &count, ..Hooks::default() });
    let evaluation = evaluation.unwrap();
    let episode = &evaluation.policies[0].episodes[0];
    assert_eq!(episode.decide_ns, Some(7 * episode.decisions));
    assert_eq!(played.into_inner(), 1);
}

#[test]
fn validation_is_the_mean_cost_per_slot_of_validation_episodes() {
    let scenario = short(&[]);
    let make = || -> AnyPolicy { Box::new(Always(Placement::Edge)) };
    let score = validate(&scenario, 3, 5, &make, &|| false).unwrap().cost_per_slot();
    let edge = [Contender::new("edge", PolicyKind::Heuristic, make)];
    let mean = |protocol: Protocol| {
        let evaluation = evaluate(&edge, &protocol, Hooks::default()).unwrap();
        let costs: Vec<f64> =
            evaluation.policies[0].episodes.iter().map(EpisodeResult::cost_per_slot).collect();
        costs.iter().sum::<f64>() / 5.0
    };
    assert!((score - mean(Protocol::validation(Arc::clone(&scenario), 3, 5))).abs() < 1e-12);
    assert!((score - mean(Protocol::test(scenario, 3, 5))).abs() > 1e-6);
}

#[test]
fn an_evaluation_and_a_validation_end_soon_after_they_are_told_to() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let scenario = short(&[]);
    let make = || -> AnyPolicy { Box::new(Always(Placement::Cloud)) };
    let asked = AtomicU64::new(0);
    let should_stop = || asked.fetch_add(1, Ordering::Relaxed) >= 100;
    // Played to the end this would take years, and its results would not fit into memory.
    assert_eq!(validate(&scenario, 0, u64::MAX, &make, &should_stop), Err(EvaluateError::Stopped));
    let cloud = [Contender::new("cloud", PolicyKind::Heuristic, make)];
    let hooks = Hooks { should_stop: &should_stop, ..Hooks::default() };
    assert_eq!(evaluate(&cloud, &Protocol::test(scenario, 0, 500), hooks), Err(EvaluateError::Stopped));
    // A chunk of episodes and 500 episodes, each of which asks once more.
    assert!(asked.into_inner() <= 100 + CHUNK + 500);
}
