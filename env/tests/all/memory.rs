//! What occupies memory and whose context is whose: each option of `[memory]` and `[context]` by hand, then all of them
//! together against an independent account of what is where.

use crate::toy::{act, legal};
use approx::assert_relative_eq;
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Counters, Env, Step};
use thoughtcache_env::gym::check::{CheckSettings, check_env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::thought::Refresh;
use thoughtcache_env::units::ServiceId;

fn overrides(changes: &[(&str, &str)]) -> Vec<Override> {
    changes.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect()
}

/// Services a and b on one model of 6 GB with a window of 450 tokens, c on one of 5 GB with one of 1,000, in a memory of
/// 10 GB; a thought is 100 tokens, 50 fade in a slot. The episode has begun.
fn toy(slots: [&str; 10], changes: &[(&str, &str)]) -> DecisionEnv {
    let services =
        r#"[{ model = "a", alpha = 0.5 }, { model = "a", alpha = 0.5 }, { model = "c", alpha = 0.5 }]"#;
    let base = [("services", services), ("models.0.memory_gb", "6"), ("models.2.memory_gb", "5")];
    let mut env = crate::toy::toy(slots, &[&base, changes].concat());
    env.reset(crate::toy::train());
    env
}

/// 10 MB a token: 1 GB for each request.
const KV: [(&str, &str); 3] =
    [("memory.kv", "true"), ("models.0.kv_bytes_per_token", "1e7"), ("models.2.kv_bytes_per_token", "1e7")];

fn free_gb(env: &DecisionEnv) -> f64 {
    env.observation().free_bytes as f64 / 1e9
}

fn residents(env: &DecisionEnv) -> Vec<bool> {
    env.observation().residency.iter().map(|residency| residency.is_resident).collect()
}

fn entry(env: &DecisionEnv, name: &str) -> f32 {
    let mut row = vec![f32::NAN; env.spec().num_entries()];
    env.encode(&mut row);
    row[env.spec().entries.iter().position(|entry| entry.name == name).unwrap()]
}

#[test]
fn clearing_an_exhausted_context_keeps_the_weights() {
    // Window of a: 450 tokens. Two requests a slot: 200, 400, 600.
    let slots = ["aa", "aa", "aa", "ab", "b", "c", "a", "b", "a", "c"];
    let mut env = toy(slots, &[("memory.refresh", "\"clear\"")]);
    act(&mut env, "edge");
    act(&mut env, "edge");
    let step = act(&mut env, "edge");
    assert_eq!((step.info.counters.refreshes, step.info.counters.hits), (1, 2));
    assert_eq!((residents(&env), free_gb(&env)), (vec![true, false, false], 4.0));
    assert_eq!(
        (env.observation().thoughts[0].context_tokens, env.observation().thoughts[0].age_tokens),
        (0.0, 0.0)
    );
    // The next request is a hit that begins from nothing: 100 tokens.
    let step = act(&mut env, "edge");
    assert_eq!((step.info.counters.hits, step.info.counters.loads, step.info.cost.switching), (1, 0, 0.0));
    assert_relative_eq!(step.info.cost.accuracy, 1000.0 * 0.5 / (100.0 * 2.0_f64.ln()), max_relative = 1e-12);
}

#[test]
fn shared_weights_are_loaded_once_paid_once_and_leave_with_the_last_entry() {
    let slots = ["aabc", "c", "ab", "a", "b", "c", "a", "b", "a", "c"];
    let mut env = toy(slots, &[("memory.shared_weights", "true")]);
    assert_eq!(act(&mut env, "edge").info.cost.switching, 12.0);
    // b finds its weights in memory: nothing is loaded or paid, and it is no hit, for it has no context yet.
    assert_eq!((free_gb(&env), env.observation().missing_bytes, entry(&env, "batch.load")), (4.0, 0, 0.0));
    assert_eq!(env.observation().bytes, [6_000_000_000, 0, 5_000_000_000]);
    let Step { info, .. } = act(&mut env, "edge");
    assert_eq!((info.cost.switching, info.counters.loads, info.counters.loaded_bytes), (0.0, 0, 0));
    assert_eq!((info.counters.hits, info.counters.edge_requests), (0, 1));
    assert_eq!((residents(&env), free_gb(&env)), (vec![true, true, false], 4.0));
    assert_eq!(legal(&env), ["cloud"], "both have served: c finds no room in this slot");
    act(&mut env, "cloud");
    // c lacks 1 GB of its 5. Either of the two may be named; alone it frees nothing.
    assert_eq!(legal(&env), ["edge", "cloud", "edge evict 0", "edge evict 1"]);
    assert_eq!(env.observation().bytes, [3_000_000_000, 3_000_000_000, 5_000_000_000]);
    let step = act(&mut env, "edge evict 0");
    assert_eq!((step.info.counters.requests, env.observation().missing_bytes), (0, 1_000_000_000));
    assert_eq!(legal(&env), ["edge", "edge evict 1"]);
    let step = act(&mut env, "edge evict 1");
    assert_eq!((step.info.counters.evictions, step.info.cost.switching), (2, 10.0));
    assert_eq!((residents(&env), free_gb(&env)), (vec![false, false, true], 5.0));
}

#[test]
fn an_entry_that_shares_weights_with_a_protected_one_may_not_leave() {
    let slots = ["aab", "ac", "ab", "a", "b", "c", "a", "b", "a", "c"];
    let mut env = toy(slots, &[("memory.shared_weights", "true")]);
    act(&mut env, "edge");
    act(&mut env, "edge");
    act(&mut env, "edge");
    // a has served in this slot: b alone frees nothing, so c cannot be served here.
    assert_eq!((env.observation().service, legal(&env)), (ServiceId(2), vec!["cloud"]));
    assert!(env.observation().residency[1].is_protected, "shown as one that may not leave");
}

#[test]
fn the_weights_that_a_batch_needs_stay_when_the_entry_that_brought_them_leaves() {
    // A token of context takes 10 MB: a with 200 tokens holds 6 + 2 GB, and three requests for b leave 3 GB more.
    let slots = ["aa", "bbb", "a", "a", "b", "c", "a", "b", "a", "c"];
    let changes = [("memory.shared_weights", "true"), KV[0], KV[1], KV[2]];
    let mut env = toy(slots, &changes);
    act(&mut env, "edge");
    assert_eq!(free_gb(&env), 2.0);
    // b needs no weights and 3 GB of context, one more than there is: a's 2 GB of context, and no weights, may leave.
    assert_eq!(env.observation().missing_bytes, 1_000_000_000);
    assert_eq!(legal(&env), ["edge", "cloud", "edge evict 0"]);
    let step = act(&mut env, "edge");
    assert_eq!(
        (step.info.counters.evictions, step.info.counters.loads, step.info.cost.switching),
        (1, 0, 0.0)
    );
    assert_eq!((residents(&env), free_gb(&env)), (vec![false, true, false], 1.0));
}

#[test]
fn a_service_that_is_loaded_ahead_holds_the_weights_of_others_and_pays_only_for_what_is_loaded() {
    let slots = ["a", "bc", "ab", "a", "b", "c", "a", "b", "a", "c"];
    let mut env = toy(slots, &[("memory.shared_weights", "true"), ("decision.prefetch", "true")]);
    assert_eq!(act(&mut env, "load.0").info.cost.switching, 12.0);
    act(&mut env, "edge");
    // b finds a's weights: nothing is loaded or paid.
    let step = act(&mut env, "load.1");
    assert_eq!((step.info.cost.switching, step.info.counters.loads), (0.0, 0));
    assert_eq!((residents(&env), free_gb(&env)), (vec![true, true, false], 4.0));
    assert_eq!(act(&mut env, "edge").info.counters.hits, 1);
    // c lacks 1 GB, and b, which has served, keeps the weights that a could free with it.
    assert_eq!(legal(&env), ["cloud"]);
    act(&mut env, "cloud");
    assert_eq!(act(&mut env, "load.2").slots_elapsed, 0, "victims are asked for");
    assert_eq!(env.observation().missing_bytes, 1_000_000_000);
    let victims: Vec<&str> = legal(&env).into_iter().filter(|name| name.contains("evict")).collect();
    assert_eq!(victims.len(), 2);
}

#[test]
fn context_that_grows_needs_room_even_for_a_hit() {
    // a takes 6 GB and 1 GB for each request.
    let slots = ["a", "c", "aa", "aaaab", "b", "b", "a", "b", "a", "c"];
    let changes = [KV[0], KV[1], KV[2], ("models.2.memory_gb", "1")];
    let mut env = toy(slots, &changes);
    act(&mut env, "edge");
    assert_eq!(free_gb(&env), 3.0);
    act(&mut env, "edge");
    assert_eq!(free_gb(&env), 1.0, "c: 1 GB of weights, 1 GB of context");
    assert_eq!(env.observation().bytes, [7_000_000_000, 6_000_000_000, 2_000_000_000]);
    // Two more requests for a: 2 GB, and 1 is free.
    assert!(env.observation().is_hit());
    assert_eq!(
        (env.observation().missing_bytes, legal(&env)),
        (1_000_000_000, vec!["edge", "cloud", "edge evict 2"])
    );
    let step = act(&mut env, "edge evict 2");
    assert_eq!((step.info.counters.hits, step.info.counters.evictions, step.info.counters.loads), (2, 1, 0));
    assert_eq!(free_gb(&env), 1.0);
    // Four more would be 700 tokens of 450: the entry leaves, so its context needs no room.
    assert_eq!((env.observation().missing_bytes, legal(&env)), (0, vec!["edge", "cloud"]));
    assert_eq!(act(&mut env, "edge").info.counters.refreshes, 1);
    assert_eq!(free_gb(&env), 10.0);
}

#[test]
fn a_context_that_cannot_fit_beside_its_weights_is_served_elsewhere() {
    let slots = ["aaa", "a", "b", "a", "b", "c", "a", "b", "a", "c"];
    let changes = [KV[0], ("models.0.kv_bytes_per_token", "2e7"), KV[2]];
    let mut env = toy(slots, &changes);
    // 6 + 3 * 2 GB exceed 10.
    assert_eq!((env.observation().missing_bytes, legal(&env)), (2_000_000_000, vec!["cloud"]));
    act(&mut env, "cloud");
    assert_eq!(legal(&env), ["edge", "cloud"], "one request at a time fits");
}

#[test]
fn one_user_alone_costs_what_a_shared_context_costs_and_many_users_learn_less_from_each_other() {
    let play = |changes: &[(&str, &str)]| {
        let scenario = scenario("tight", changes);
        let mut env = DecisionEnv::new(scenario);
        env.reset(Seed::new(Purpose::Test, 2));
        let (mut accuracy, mut rewards, mut requests) = (0.0, Vec::new(), 0);
        loop {
            let action =
                env.observation().place(Placement::Edge).or(env.observation().place(Placement::Cloud));
            let step = env.step(&action.unwrap()).unwrap();
            accuracy += step.info.cost.accuracy;
            requests += step.info.counters.edge_requests;
            rewards.push(step.reward);
            if step.end.is_end() {
                return (rewards, accuracy / requests as f64, env.world().exogenous_fingerprint());
            }
        }
    };
    let users = |n: &'static str| play(&[("context.scope", "\"user\""), ("context.users", n)]);
    let (shared, one, many) = (play(&[]), users("1"), users("20"));
    assert_eq!(one.0, shared.0);
    assert!(many.1 > 1.5 * shared.1, "{} against {}", many.1, shared.1);
    assert_ne!(one.2, many.2, "users belong to the requests that are compared");
}

fn scenario(name: &str, changes: &[(&str, &str)]) -> Arc<Scenario> {
    let loaded = Scenario::load(name, shipped::text(name).unwrap(), &overrides(changes), |path| {
        Err(format!("no {path}"))
    });
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)
}

/// Every combination of the options, in a world that is full and has two cells.
fn combinations(more: &[(&'static str, &'static str)]) -> Vec<(String, Arc<Scenario>)> {
    let mut combinations = Vec::new();
    for granularity in ["\"service\"", "\"request\""] {
        for refresh in ["\"evict\"", "\"clear\""] {
            for shares in ["false", "true"] {
                for kv in [None, Some("3e6"), Some("3e7")] {
                    for users in [None, Some("3"), Some("40")] {
                        let mut changes = vec![
                            ("decision.granularity", granularity),
                            ("cell.count", "2"),
                            ("horizon_slots", "60"),
                            ("models.0.window_tokens", "900"),
                            ("models.1.window_tokens", "2000"),
                            ("memory.refresh", refresh),
                            ("memory.shared_weights", shares),
                        ];
                        changes.extend(more);
                        if shares == "true" {
                            // One copy of each model would fit for ever.
                            changes.push(("cell.memory_gb", "450"));
                        }
                        if let Some(bytes) = kv {
                            changes.push(("memory.kv", "true"));
                            changes.push(("models.0.kv_bytes_per_token", bytes));
                            changes.push(("models.1.kv_bytes_per_token", bytes));
                        }
                        if let Some(users) = users {
                            changes.extend([("context.scope", "\"user\""), ("context.users", users)]);
                        }
                        combinations.push((format!("{changes:?}"), scenario("tight", &changes)));
                    }
                }
            }
        }
    }
    combinations
}

/// `K` and `kappa` by user.
type Contexts = BTreeMap<u32, (f64, f64)>;

/// The naive account of one cell: a list of what is there.
#[derive(Clone, Default)]
struct Account {
    entries: BTreeMap<usize, Contexts>,
    served: BTreeSet<usize>,
}

impl Account {
    fn context_bytes(scenario: &Scenario, service: usize, contexts: &Contexts) -> u64 {
        let per_token = scenario.services[service].kv_bytes_per_token;
        contexts.values().map(|(tokens, _)| (tokens * per_token).ceil() as u64).sum()
    }

    /// Bytes of a set of entries: every model once or once an entry, and all contexts.
    fn bytes(&self, scenario: &Scenario) -> u64 {
        let mut models = BTreeSet::new();
        let mut bytes = 0;
        for (&service, contexts) in &self.entries {
            let Service { model, size } = Service::of(scenario, service);
            if !scenario.has_shared_weights || models.insert(model) {
                bytes += size;
            }
            bytes += Self::context_bytes(scenario, service, contexts);
        }
        bytes
    }

    /// The account after a batch: whoever leaves, the entry if it is not there yet, and its contexts.
    fn after(
        &self,
        scenario: &Scenario,
        leaving: &[usize],
        service: usize,
        visits: &[(u32, u32)],
    ) -> (Self, u64) {
        let mut after = self.clone();
        for victim in leaving {
            after.entries.remove(victim).expect("a victim was there");
        }
        let mut contexts = after.entries.remove(&service).unwrap_or_default();
        let law = scenario.context_law(ServiceId::from_index(service));
        let mut refreshes = 0;
        for &(user, requests) in visits {
            let context = contexts.entry(user).or_default();
            context.0 += f64::from(requests) * law.request_tokens;
            context.1 += f64::from(requests) * law.request_tokens;
            if context.0 > law.window_tokens {
                contexts.remove(&user);
                refreshes += 1;
            }
        }
        if refreshes > 0 && law.refresh == Refresh::Evict {
            refreshes = 1;
        } else {
            after.entries.insert(service, contexts);
        }
        if !scenario.is_per_request {
            after.served.insert(service);
        }
        (after, refreshes)
    }

    fn end_slot(&mut self) {
        self.served.clear();
        for (_, age) in self.entries.values_mut().flat_map(BTreeMap::values_mut) {
            *age = (*age - 120.0).max(0.0);
        }
    }

    /// Whom the rules allow to leave for a batch: not itself, nobody who has served, nobody who frees nothing.
    fn may_leave(&self, scenario: &Scenario, victim: usize, service: usize) -> bool {
        let model = |service: usize| Service::of(scenario, service).model;
        let contexts =
            self.entries.get(&victim).filter(|_| victim != service && !self.served.contains(&victim));
        contexts.is_some_and(|contexts| {
            let frees_weights = !scenario.has_shared_weights
                || model(victim) != model(service)
                    && self
                        .served
                        .iter()
                        .all(|&served| !self.entries.contains_key(&served) || model(served) != model(victim));
            frees_weights || Self::context_bytes(scenario, victim, contexts) > 0
        })
    }

    /// The most bytes that memory holds at the edge while this batch is served, when these leave first.
    fn peak(&self, scenario: &Scenario, leaving: &[usize], service: usize, visits: &[(u32, u32)]) -> u64 {
        let (after, _) = self.after(scenario, leaving, service, visits);
        let mut loaded = self.clone();
        for victim in leaving {
            loaded.entries.remove(victim);
        }
        loaded.entries.entry(service).or_default();
        after.bytes(scenario).max(loaded.bytes(scenario))
    }
}

struct Service {
    model: u32,
    size: u64,
}

impl Service {
    fn of(scenario: &Scenario, service: usize) -> Self {
        let service = &scenario.services[service];
        Self { model: service.model.0, size: service.bytes }
    }
}

/// Compares the mask with what the account allows.
fn check_mask(env: &DecisionEnv, account: &Account, chosen: &[usize], name: &str) {
    let (observation, scenario) = (env.observation(), env.world().scenario());
    let service = observation.service.index();
    let visits = visits(env);
    let others: Vec<usize> =
        (0..scenario.services.len()).filter(|&v| account.may_leave(scenario, v, service)).collect();
    let capacity = scenario.capacity_bytes;
    let fits = account.peak(scenario, &others, service, &visits) <= capacity;
    assert_eq!(observation.place(Placement::Edge).is_some(), fits, "{name}: edge");
    let missing = account.peak(scenario, chosen, service, &visits).saturating_sub(capacity);
    assert_eq!(observation.missing_bytes, missing, "{name}: missing bytes");
    for victim in 0..scenario.services.len() {
        let expected = fits && missing > 0 && others.contains(&victim) && !chosen.contains(&victim);
        let action = observation.evict(Placement::Edge, ServiceId::from_index(victim));
        assert_eq!(action.is_some(), expected, "{name}: evict {victim}");
    }
    let residents = observation.residency.iter().filter(|residency| residency.is_resident).count();
    assert_eq!(residents, account.entries.len(), "{name}");
}

fn visits(env: &DecisionEnv) -> Vec<(u32, u32)> {
    env.world().visits().iter().map(|visit| (visit.user.0, visit.num_requests)).collect()
}

/// Costs and counts of a served batch, from the account before and after it.
fn check_service(
    scenario: &Scenario,
    (before, after): (&Account, &Account),
    (service, visits): (usize, &[(u32, u32)]),
    step: &Step,
    refreshes: u64,
    name: &str,
) {
    let law = scenario.context_law(ServiceId::from_index(service));
    let mut accuracy = 0.0;
    for &(user, requests) in visits {
        let (_, age) = before.entries.get(&service).and_then(|c| c.get(&user)).copied().unwrap_or_default();
        let grown = age + f64::from(requests) * law.request_tokens;
        let window = law.window_tokens;
        let unit = scenario.services[service].quality.unit_cost(age.min(window), grown.min(window));
        accuracy += f64::from(requests) * 2.5 * unit;
    }
    assert_relative_eq!(step.info.cost.accuracy, accuracy, max_relative = 1e-9);
    let was_there = before.entries.contains_key(&service);
    let model = |service: usize| Service::of(scenario, service).model;
    let finds_weights = was_there
        || scenario.has_shared_weights && before.entries.keys().any(|&other| model(other) == model(service));
    let Counters { loads, loaded_bytes, hits, edge_requests, .. } = step.info.counters;
    assert_eq!(loads, u64::from(!finds_weights), "{name}");
    assert_eq!(loaded_bytes, if finds_weights { 0 } else { Service::of(scenario, service).size }, "{name}");
    assert_eq!(step.info.cost.switching > 0.0, !finds_weights, "{name}");
    assert_eq!(hits, if was_there { edge_requests } else { 0 }, "{name}");
    assert_eq!(step.info.counters.refreshes, refreshes, "{name}");
    assert!(after.bytes(scenario) <= scenario.capacity_bytes, "{name}: memory exceeded");
}

/// A copy that went through bytes shows the same and answers the same.
fn check_snapshot(env: &DecisionEnv, rng: &SimRng, name: &str) {
    let mut copy = DecisionEnv::new(Arc::clone(env.world().scenario()));
    copy.restore(&env.snapshot()).unwrap();
    let (mut original, mut rngs) = (env.clone(), [rng.clone(), rng.clone()]);
    for _ in 0..12 {
        let rows = [&original, &copy].map(|env| {
            let mut row = vec![0.0; env.spec().num_entries()];
            env.encode(&mut row);
            row
        });
        assert_eq!(rows[0], rows[1], "{name}");
        assert_eq!(original.observation().legal, copy.observation().legal, "{name}");
        let actions = [random_legal(&original, &mut rngs[0]), random_legal(&copy, &mut rngs[1])];
        let steps = [original.step(&actions[0]).unwrap(), copy.step(&actions[1]).unwrap()];
        assert_eq!(steps[0], steps[1], "{name}");
        if steps[0].end.is_end() {
            return;
        }
    }
}

fn random_legal(env: &DecisionEnv, rng: &mut SimRng) -> ActionId {
    let mask = &env.observation().legal;
    let legal: Vec<usize> = (0..mask.len()).filter(|&index| mask[index]).collect();
    ActionId::from_index(legal[rng.random_range(0..legal.len())])
}

#[test]
fn every_combination_of_options_keeps_the_contract_of_an_environment() {
    for prefetch in ["false", "true"] {
        for (name, scenario) in combinations(&[("decision.prefetch", prefetch)]) {
            let settings = CheckSettings { steps: 300, ..CheckSettings::default() };
            let checked = check_env(|| DecisionEnv::new(Arc::clone(&scenario)), settings);
            assert!(checked.is_ok(), "{name}: {checked:?}");
        }
    }
}

#[test]
fn random_decisions_under_every_combination_of_options_agree_with_a_naive_account() {
    let mut seen = Counters::default();
    let (mut several_victims, mut hits_with_victims) = (0, 0);
    for (number, (name, scenario)) in combinations(&[]).into_iter().enumerate() {
        let mut env = DecisionEnv::new(Arc::clone(&scenario));
        let mut rng = Seed::new(Purpose::Test, number as u64).stream(Stream::Policy);
        env.reset(Seed::new(Purpose::Train, number as u64));
        let mut accounts = vec![Account::default(); 2];
        let mut chosen: Vec<usize> = Vec::new();
        let (mut reward, mut cost) = (0.0, 0.0);
        for decision in 0.. {
            let cell = env.observation().cell;
            check_mask(&env, &accounts[cell.index()], &chosen, &name);
            if decision % 37 == 5 {
                check_snapshot(&env, &rng, &name);
            }
            let action = random_legal(&env, &mut rng);
            let decision = env.observation().space().decode(action).unwrap();
            let Decision::Serve { placement, victim } = decision else { panic!("nothing is loaded ahead") };
            chosen.extend(victim.map(ServiceId::index));
            let (service, visits) = (env.observation().service.index(), visits(&env));
            let was_resident: Vec<bool> = residents(&env);
            let step = env.step(&action).unwrap();
            reward += step.reward;
            cost += step.info.cost.total();
            seen += step.info.counters;
            if step.info.counters.requests == 0 {
                continue;
            }
            let account = &mut accounts[cell.index()];
            if placement == Placement::Edge {
                let now = &env.world().cell(cell).cache;
                let gone: Vec<usize> = (0..was_resident.len())
                    .filter(|&v| v != service && was_resident[v] && !now.residency()[v].is_resident)
                    .collect();
                assert_eq!(gone.len() as u64, step.info.counters.evictions, "{name}");
                assert!(chosen.iter().all(|victim| gone.contains(victim)), "{name}: a named victim stayed");
                assert!(
                    gone.iter().all(|&v| account.may_leave(&scenario, v, service)),
                    "{name}: a protected one left"
                );
                let (after, refreshes) = account.after(&scenario, &gone, service, &visits);
                check_service(&scenario, (account, &after), (service, &visits), &step, refreshes, &name);
                several_victims += u32::from(gone.len() > 1);
                hits_with_victims += u32::from(was_resident[service] && !gone.is_empty());
                *account = after;
            }
            chosen.clear();
            for _ in 0..step.slots_elapsed {
                accounts.iter_mut().for_each(Account::end_slot);
            }
            for (account, index) in accounts.iter().zip(0..) {
                let cache = &env.world().cell(thoughtcache_env::units::CellId(index)).cache;
                assert_eq!(cache.free_bytes() + account.bytes(&scenario), scenario.capacity_bytes, "{name}");
                for (service, thought) in cache.thoughts().iter().enumerate() {
                    let contexts = account.entries.get(&service).into_iter().flat_map(BTreeMap::values);
                    let (tokens, age) = contexts.fold((0.0, 0.0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
                    assert_relative_eq!(thought.context_tokens, tokens, max_relative = 1e-9);
                    assert_relative_eq!(thought.age_tokens, age, max_relative = 1e-9, epsilon = 1e-6);
                }
            }
            if step.end.is_end() {
                break;
            }
        }
        assert!((reward + cost).abs() <= 1e-9 * cost, "{name}: {reward} against {cost}");
    }
    assert!(seen.refreshes > 100 && seen.evictions > 1000, "{seen:?}");
    assert!(several_victims > 100 && hits_with_victims > 100, "{several_victims} {hits_with_victims}");
}
