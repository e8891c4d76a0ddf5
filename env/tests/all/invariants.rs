//! What holds in every scenario whatever is decided: random play over the shipped scenarios and their variants.

use rand::RngExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, End, Env};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::scenario::shipped;
use thoughtcache_env::text::Override;
use thoughtcache_env::units::{CellId, ServiceId};

fn scenario(name: &str, overrides: &[(&str, &str)]) -> Arc<Scenario> {
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let loaded =
        Scenario::load(name, shipped::text(name).unwrap(), &overrides, |path| Err(format!("no {path}")));
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)
}

/// Every law of arrivals, in place of a scenario's own; the means are those of `tight`.
const ARRIVALS: [&[(&str, &str)]; 6] = [
    &[
        ("workload.poisson.mean_requests_per_service", "1"),
        ("workload.poisson.diurnal.period_slots", "50"),
        ("workload.poisson.diurnal.amplitude", "0.9"),
    ],
    &[
        ("workload.gamma.mean_requests_per_service", "1"),
        ("workload.gamma.zipf_exponent", "1"),
        ("workload.gamma.cv", "4"),
    ],
    &[
        ("workload.gamma.mean_requests_per_service", "0.02"),
        ("workload.gamma.zipf_exponent", "1"),
        ("workload.gamma.reshuffle_slots", "25"),
        ("workload.gamma.cv", "0.5"),
        ("workload.gamma.diurnal.period_slots", "50"),
        ("workload.gamma.diurnal.amplitude", "1"),
        ("cell.count", "3"),
    ],
    &[
        ("workload.weibull.mean_requests_per_service", "1"),
        ("workload.weibull.zipf_exponent", "1"),
        ("workload.weibull.reshuffle_slots", "25"),
        ("workload.weibull.cv", "4"),
        ("decision.granularity", "request"),
    ],
    &[
        ("workload.modulated.mean_requests_per_service", "1"),
        ("workload.modulated.zipf_exponent", "1"),
        ("workload.modulated.reshuffle_slots", "25"),
        (
            "workload.modulated.states",
            "[{ factor = 0.2, mean_slots = 30 }, { factor = 5, mean_slots = 6 }, { factor = 0, mean_slots = 4 }]",
        ),
    ],
    &[
        ("workload.modulated.mean_requests_per_service", "0.1"),
        ("workload.modulated.zipf_exponent", "1"),
        ("workload.modulated.states", "[{ factor = 0.2, mean_slots = 30 }, { factor = 5, mean_slots = 6 }]"),
        ("workload.modulated.diurnal.period_slots", "50"),
        ("workload.modulated.diurnal.amplitude", "0.5"),
        ("cell.count", "2"),
    ],
];

/// One variant for every choice that a scenario without a recording has.
fn variants() -> Vec<(String, Arc<Scenario>)> {
    let changes: [&[(&str, &str)]; 23] = [
        &[],
        &[("cell.count", "3")],
        &[("cell.memory_gb", "400")],
        &[
            ("cell.compute_budget_tflop_per_slot", "200"),
            ("models.0.active_parameters_b", "65"),
            ("models.1.active_parameters_b", "174"),
        ],
        &[
            ("cost.compute_weight", "0.01"),
            ("cell.compute_tflop_per_s", "1000"),
            ("models.0.active_parameters_b", "65"),
            ("models.1.active_parameters_b", "174"),
        ],
        &[("workload.poisson.mean_requests_per_service", "0.01")],
        &[("workload.poisson.zipf_exponent", "0.3")],
        &[("cost.switching.per_load.weight", "0.002")],
        &[("thought.paths", "3")],
        &[("thought.consensus_factor", "0.5")],
        &[("thought.vanishing_thoughts_per_slot", "2")],
        &[("decision.placements", "[\"cloud\", \"edge\"]")],
        &[("decision.granularity", "request")],
        &[("decision.granularity", "request"), ("decision.hold", "true")],
        &[("decision.granularity", "request"), ("decision.hold", "true"), ("cell.count", "2")],
        &[("decision.prefetch", "true")],
        &[("decision.prefetch", "true"), ("cell.count", "3")],
        &[("decision.granularity", "request"), ("decision.hold", "true"), ("decision.prefetch", "true")],
        &[("memory.refresh", "\"clear\"")],
        &[("memory.shared_weights", "true"), ("cell.memory_gb", "400")],
        &[
            ("memory.kv", "true"),
            ("models.0.kv_bytes_per_token", "2.6e7"),
            ("models.1.kv_bytes_per_token", "4.7e7"),
        ],
        &[("context.scope", "\"user\""), ("context.users", "5")],
        &[("context.scope", "\"user\""), ("context.users", "50")],
    ];
    let mut variants = Vec::new();
    for name in ["tight", "paper"] {
        for change in changes.into_iter().chain(ARRIVALS) {
            variants.push((format!("{name} {change:?}"), scenario(name, change)));
        }
    }
    variants.push(("tight, logarithmic quality".into(), logarithmic()));
    let tiny: [(&str, &[(&str, &str)]); 5] = [
        ("tiny-unit3", &[]),
        ("tiny-unit4", &[]),
        ("tiny-drift4", &[]),
        ("tiny-drift4", &[("workload.phased.stay_prob", "0.5")]),
        ("tiny-drift4", &[("services.1.load_cost", "1"), ("services.0.cloud_per_request", "2")]),
    ];
    variants.extend(tiny.map(|(name, change)| (format!("{name} {change:?}"), scenario(name, change))));
    variants.extend(crate::street::variants());
    variants
}

/// `tight` with P3's quality law for `TriviaQA`; it reads no alpha.
fn logarithmic() -> Arc<Scenario> {
    let law = "[quality.logarithmic]\nbase = 0.643\ngain = 0.037\nexponent = 0.23\nmax_accuracy = 0.9";
    let text = shipped::text("tight").unwrap().replace("[quality.linear]\nbeta = 0.5", law);
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("alpha = ")).collect();
    let overrides = [Override { key: "cost.accuracy_weight".into(), value: "0.01".into() }];
    let loaded =
        Scenario::load("logarithmic", &text.join("\n"), &overrides, |path| Err(format!("no {path}")));
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)
}

fn random_legal(mask: &[bool], rng: &mut SimRng) -> ActionId {
    let legal: Vec<usize> = (0..mask.len()).filter(|&index| mask[index]).collect();
    ActionId::from_index(legal[rng.random_range(0..legal.len())])
}

#[test]
fn random_play_breaks_no_invariant() {
    for (name, scenario) in variants() {
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
        let mut row = vec![0.0; env.spec().num_entries()];
        for episode in 0..3 {
            env.reset(Seed::new(Purpose::Train, 5).with_episode(episode));
            let (mut reward, mut cost) = (0.0, 0.0);
            loop {
                env.encode(&mut row);
                for (value, entry) in row.iter().zip(&env.spec().entries) {
                    assert!((entry.low..=entry.high).contains(value), "{name}: {} = {value}", entry.name);
                }
                let cell = env.observation().cell;
                let protected = env.world().cell(cell).cache.residency().to_vec();
                let action = random_legal(&env.observation().legal, &mut rng);
                let step = env.step(&action).unwrap();
                reward += step.reward;
                cost += step.info.cost.total();
                assert!(step.info.cost.components().iter().all(|c| c.is_finite() && *c >= 0.0), "{name}");
                check_memory(&env, &scenario, &name);
                // A window that is exhausted may take the entry away that has just served.
                if step.info.counters.evictions > 0 && step.info.counters.refreshes == 0 {
                    let now = env.world().cell(cell).cache.residency();
                    for (before, after) in protected.iter().zip(now) {
                        assert!(!before.is_protected || after.is_resident, "{name}: a protected entry left");
                    }
                }
                assert!(step.info.counters.hits <= step.info.counters.edge_requests, "{name}");
                if step.end.is_end() {
                    assert_eq!(step.end, End::Truncated);
                    break;
                }
            }
            assert!((reward + cost).abs() <= 1e-9 * cost, "{name}: {reward} against {cost}");
        }
    }
}

/// What `check_env` looks at, over so many decisions in every variant.
fn contract(steps: u64) {
    for (name, scenario) in variants() {
        let settings = CheckSettings { steps, ..CheckSettings::default() };
        let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), settings);
        assert!(checked.as_ref().is_ok_and(|checked| checked.steps >= steps), "{name}: {checked:?}");
    }
}

#[test]
fn every_variant_keeps_the_contract() {
    contract(1_000);
}

#[test]
#[ignore = "minutes: cargo xtask proofs"]
fn every_variant_keeps_the_contract_over_a_million_decisions() {
    contract(1_000_000);
}

fn check_memory(env: &DecisionEnv, scenario: &Scenario, name: &str) {
    for cell in (0..scenario.num_cells).map(CellId) {
        let cache = &env.world().cell(cell).cache;
        let mut models = BTreeSet::new();
        let weights: u64 = (0..scenario.services.len())
            .map(ServiceId::from_index)
            .filter(|&service| cache.is_resident(service))
            .map(|service| scenario.service(service))
            .filter(|service| models.insert(service.model) || !scenario.has_shared_weights)
            .map(|service| service.bytes)
            .sum();
        let used = weights + cache.context_bytes().iter().sum::<u64>();
        assert_eq!(used + cache.free_bytes(), scenario.capacity_bytes, "{name}");
        for (thought, service) in cache.thoughts().iter().zip(&scenario.services) {
            assert!(thought.age_tokens >= 0.0 && thought.age_tokens <= thought.context_tokens, "{name}");
            let windows = service.window_tokens * f64::from(scenario.num_users.unwrap_or(1));
            assert!(thought.context_tokens <= windows, "{name}: an exhausted entry stayed");
        }
    }
}

#[test]
fn two_policies_on_one_seed_meet_the_same_requests() {
    for (name, scenario) in variants() {
        let play = |policy_run: u64| {
            let mut env = DecisionEnv::new(Arc::clone(&scenario));
            let mut rng = Seed::new(Purpose::Test, policy_run).stream(Stream::Policy);
            env.reset(Seed::new(Purpose::Train, 5));
            let mut actions = Vec::new();
            while env.world().slot() < 60 {
                let action = random_legal(&env.observation().legal, &mut rng);
                actions.push(action);
                if env.step(&action).unwrap().end.is_end() {
                    break;
                }
            }
            (env.world().exogenous_fingerprint(), actions)
        };
        let ((one, one_actions), (other, other_actions)) = (play(1), play(2));
        assert_eq!(one, other, "{name}");
        assert_ne!(one_actions, other_actions, "{name}: the policies did differ");
    }
}

/// Plays random legal actions in all lanes, and digests what happened.
fn random_play(mut vec_env: VecEnv<DecisionEnv>, steps: usize) -> u64 {
    let mut buffers = StepBuffers::new(vec_env.num_lanes(), vec_env.spec());
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).unwrap();
    let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Policy);
    for _ in 0..steps {
        let masks = buffers.masks.rows().into_iter();
        let actions: Vec<ActionId> =
            masks.map(|mask| random_legal(mask.as_slice().unwrap(), &mut rng)).collect();
        vec_env.step_into(&actions, buffers.rows()).unwrap();
    }
    vec_env.trajectory_hash()
}

#[test]
fn every_option_changes_what_happens() {
    let digest = |scenario: &Arc<Scenario>| {
        random_play(VecEnv::new(DecisionEnv::lanes(scenario, 2), Seed::new(Purpose::Train, 5)), 1500)
    };
    let all: Vec<(String, u64)> =
        variants().into_iter().map(|(name, scenario)| (name, digest(&scenario))).collect();
    for (index, (name, hash)) in all.iter().enumerate() {
        for (other, other_hash) in &all[..index] {
            assert_ne!(hash, other_hash, "{name} and {other} played alike");
        }
    }
}

#[test]
fn play_has_the_same_bits_on_one_two_and_eight_threads_as_it_had_before() {
    let played = ["tight", "street", "city"].map(|name| {
        let play = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let envs = DecisionEnv::lanes(&Arc::new(Scenario::shipped(name)), 24);
                let vec_env = VecEnv::new(envs, Seed::new(Purpose::Train, 1)).with_lanes_per_chunk(3);
                format!("{name} {:016x}", random_play(vec_env, 3000))
            })
        };
        let alone = play(1);
        assert_eq!(play(2), alone);
        assert_eq!(play(8), alone);
        alone
    });
    insta::assert_snapshot!(played.join("\n"));
}

/// Rewards of an episode in which always the first legal action is taken.
fn rewards(env: &mut DecisionEnv, seed: Seed) -> Vec<f64> {
    env.reset(seed);
    let mut mask = vec![false; env.spec().num_actions()];
    let mut rewards = Vec::new();
    loop {
        env.mask(&mut mask);
        let action = ActionId::from_index(mask.iter().position(|&is_legal| is_legal).unwrap());
        let step = env.step(&action).unwrap();
        rewards.push(step.reward);
        if step.end.is_end() {
            return rewards;
        }
    }
}

#[test]
fn an_episode_begins_with_users_of_whom_nothing_is_known_whatever_came_before() {
    let few = scenario("street", &[]);
    let seed = Seed::new(Purpose::Test, 1);
    let expected = rewards(&mut DecisionEnv::new(Arc::clone(&few)), seed.with_episode(1));
    // Few are known at the end of an episode among a million, and all among fifty.
    let mut played = DecisionEnv::new(Arc::clone(&few));
    rewards(&mut played, seed);
    let mut taken_back = DecisionEnv::new(Arc::clone(&few));
    taken_back.restore(&played.snapshot()).unwrap();
    assert_eq!(rewards(&mut played, seed.with_episode(1)), expected);
    assert_eq!(rewards(&mut taken_back, seed.with_episode(1)), expected);
    let rate = "0.000375";
    let many = scenario(
        "street",
        &[("physical.users", "1000000"), ("workload.sessions.sessions_per_user_hour", rate)],
    );
    let expected = rewards(&mut DecisionEnv::new(Arc::clone(&many)), seed.with_episode(1));
    let mut played = DecisionEnv::new(many);
    rewards(&mut played, seed);
    assert_eq!(rewards(&mut played, seed.with_episode(1)), expected);
}
