//! Every rule against a naive sibling that keeps nothing but a log of what happened and works out each decision from it.
//!
//! The siblings share no code with the rules: formulas are written out with the numbers of `tight`.

use super::super::registry::{Prepared, names};
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::units::ServiceId;

/// One batch of the past.
struct Event {
    cell: u32,
    service: usize,
    requests: u32,
    was_resident: bool,
    at_edge: bool,
    victims: Vec<usize>,
    /// The edge was legal.
    could_load: bool,
    /// What a request would have saved at the edge, at the rate of that moment.
    saving: f64,
}

/// What is known when a batch is decided.
struct View<'a> {
    log: &'a [Event],
    observation: &'a DecisionObservation,
    /// Margin or ratio.
    parameter: f64,
    /// The members of the static set.
    static_set: &'a [bool],
}

const ALPHA: [f64; 20] = [
    0.430_789, 0.694_911, 0.427_484, 0.615_42, 0.647_959, 0.456_434, 0.475_153, 0.4491, 0.342_781, 0.491_586,
    0.396_541, 0.402_858, 0.373_893, 0.377_546, 0.625_531, 0.469_194, 0.402_368, 0.536_361, 0.541_709,
    0.558_743,
];

fn gb(service: usize) -> f64 {
    if [0, 4, 5, 9, 12, 16, 17, 18].contains(&service) { 348.0 } else { 130.0 }
}

fn window(service: usize) -> f64 {
    if gb(service) > 200.0 { 8000.0 } else { 2000.0 }
}

fn saving(service: usize, rate: f64) -> f64 {
    let age = (window(service) / 2.0 * (1.0 - 120.0 / (200.0 * rate))).max(200.0);
    0.0075 - 0.0001 - 2.5 * (1.0 - ALPHA[service]) / (age * f64::ln(2.0))
}

fn value(service: usize, rate: f64) -> f64 {
    rate * saving(service, rate) - 1e-5 * gb(service) * rate * 200.0 / window(service)
}

impl View<'_> {
    fn rate(&self, service: usize) -> f64 {
        self.observation.demand[service].request_rate
    }

    /// The batches of this service at this cell that its present entry served: from the last load on.
    fn stay(&self, service: usize) -> Vec<(usize, &Event)> {
        let own = |event: &&Event| {
            event.cell == self.observation.cell.0 && event.service == service && event.at_edge
        };
        let mut stay: Vec<(usize, &Event)> =
            self.log.iter().enumerate().rev().filter(|(_, event)| own(event)).collect();
        let load = stay.iter().position(|(_, event)| !event.was_resident).expect("it was loaded once");
        stay.truncate(load + 1);
        stay
    }

    fn requests(&self, service: usize) -> f64 {
        self.stay(service).iter().map(|(_, event)| f64::from(event.requests)).sum()
    }

    fn last_access(&self, service: usize) -> usize {
        self.stay(service)[0].0
    }

    fn loaded_at(&self, service: usize) -> usize {
        self.stay(service).last().expect("a stay begins").0
    }

    /// Keys and inflation of a greedy-dual rule, by replaying the whole log of this cell.
    fn greedy_dual(&self, counts: bool, has_admission: bool) -> (f64, Vec<f64>) {
        let (mut inflation, mut keys, mut count) = (0.0_f64, vec![0.0; 20], vec![0.0; 20]);
        for event in self.log.iter().filter(|event| event.cell == self.observation.cell.0) {
            let requests = if counts { f64::from(event.requests) } else { 1.0 };
            if !event.at_edge {
                if has_admission && event.could_load {
                    let size = gb(event.service);
                    inflation += requests * (1e-5 * size) / size;
                }
                continue;
            }
            for &victim in &event.victims {
                inflation = inflation.max(keys[victim]);
            }
            if !event.was_resident || !counts {
                count[event.service] = 0.0;
            }
            count[event.service] += requests;
            let size = gb(event.service);
            keys[event.service] = inflation + count[event.service] * (1e-5 * size) / size;
        }
        (inflation, keys)
    }

    /// Rent paid for the batch's service since its entry was last here.
    fn rent(&self) -> f64 {
        let mut rent = 0.0;
        for event in self.log.iter().filter(|event| {
            event.cell == self.observation.cell.0 && event.service == self.observation.service.index()
        }) {
            if event.at_edge {
                rent = 0.0;
            } else {
                rent += f64::from(event.requests) * event.saving.max(0.0);
            }
        }
        rent
    }

    /// Resident entries that may leave, in the order in which this rule evicts them.
    fn order(&self, rule: &str) -> Vec<usize> {
        let rank = |service: usize| -> f64 {
            match rule.trim_end_matches("-admit") {
                "fifo" => self.loaded_at(service) as f64,
                "lru" => self.last_access(service) as f64,
                "lfu" => self.requests(service),
                "gdsf" => self.greedy_dual(true, rule == "gdsf-admit").1[service],
                "rent-or-buy" => self.greedy_dual(false, false).1[service],
                "least-aot" => self.observation.thoughts[service].age_tokens,
                "most-aot" => -self.observation.thoughts[service].age_tokens,
                "density" => self.rate(service) / (gb(service) * 1e9),
                "worth" => value(service, self.rate(service)) / (gb(service) * 1e9),
                _ => 0.0,
            }
        };
        let evictable = |&s: &usize| {
            self.observation.residency[s].is_resident && !self.observation.residency[s].is_protected
        };
        let mut order: Vec<(f64, usize, usize)> =
            (0..20).filter(evictable).map(|s| (rank(s), self.last_access(s), s)).collect();
        order.sort_by(|a, b| a.partial_cmp(b).unwrap());
        order.into_iter().map(|(_, _, service)| service).collect()
    }

    /// What the rule evicts for this batch; `None` when it serves the batch in the cloud.
    fn decide(&self, rule: &str) -> Option<Vec<usize>> {
        let own = self.observation.service.index();
        let resident: Vec<usize> = (0..20).filter(|&s| self.observation.residency[s].is_resident).collect();
        if rule == "cloud-only" {
            return None;
        }
        if resident.contains(&own) {
            return Some(Vec::new());
        }
        let mut free = 960.0 - resident.iter().map(|&s| gb(s)).sum::<f64>();
        let mut victims = Vec::new();
        for service in self.order(rule) {
            if free >= gb(own) {
                break;
            }
            free += gb(service);
            victims.push(service);
        }
        if free < gb(own) {
            return None;
        }
        let rates = |of: &[usize]| of.iter().map(|&s| self.rate(s)).sum::<f64>();
        let admitted = match rule {
            "static" => self.static_set[own],
            "rent-or-buy" => self.rent() >= self.parameter * 1e-5 * gb(own),
            "worth" => {
                let own = value(own, self.rate(own));
                let leaving: f64 = victims.iter().map(|&s| value(s, self.rate(s)).max(0.0)).sum();
                own > 0.0 && own > self.parameter * leaving
            }
            "least-aot-admit" => {
                victims.is_empty() || self.rate(own) * resident.len() as f64 > rates(&resident)
            }
            "gdsf-admit" => {
                let (inflation, keys) = self.greedy_dual(true, true);
                let newcomer =
                    inflation + f64::from(self.observation.num_requests) * (1e-5 * gb(own)) / gb(own);
                victims.iter().all(|&victim| keys[victim] <= newcomer)
            }
            _ if rule == "density" || rule.ends_with("-admit") => {
                victims.is_empty() || self.rate(own) > self.parameter * rates(&victims)
            }
            _ => true,
        };
        admitted.then_some(victims)
    }
}

/// The best set at the mean rates of fifty training episodes, of all the sets there are.
fn static_set(scenario: &Arc<Scenario>) -> Vec<bool> {
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let mut requests = [0.0; 20];
    for episode in 0..50 {
        env.reset(Seed::new(Purpose::Train, 0).with_episode(episode));
        loop {
            let observation = env.observation();
            requests[observation.service.index()] += f64::from(observation.num_requests);
            let cloud = observation.place(Placement::Cloud).unwrap();
            if env.step(&cloud).unwrap().end.is_end() {
                break;
            }
        }
    }
    let values: Vec<f64> = (0..20).map(|service| value(service, requests[service] / 10_000.0)).collect();
    let members = |bits: u32| (0..20_usize).filter(move |&service| bits >> service & 1 == 1);
    let fits = |bits: &u32| members(*bits).map(gb).sum::<f64>() <= 960.0;
    let worth = |bits: u32| members(bits).map(|service| values[service]).sum::<f64>();
    let best = (0..1_u32 << 20).filter(fits).max_by(|&a, &b| worth(a).total_cmp(&worth(b))).unwrap();
    (0..20).map(|service| best >> service & 1 == 1).collect()
}

fn tight(num_cells: u32) -> Arc<Scenario> {
    let text = shipped::text("tight").unwrap().replace("count = 1", &format!("count = {num_cells}"));
    Arc::new(Scenario::load("tight", &text, &[], |_| Err("none".into())).unwrap().1)
}

/// Plays an episode, holding every action and every eviction against the naive sibling; how often it evicted twice or more.
fn compare(rule: &str, parameter: f64, scenario: &Arc<Scenario>, static_set: &[bool], seed: Seed) -> usize {
    let prepared = Prepared::new(rule, scenario).unwrap();
    let given: Vec<(&str, f64)> =
        prepared.entry().parameters.iter().map(|known| (known.name, parameter)).collect();
    let mut policy = Prepared::with_parameters(rule, scenario, &given).unwrap().instance();
    let mut rng = seed.stream(Stream::Policy);
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    env.reset(seed);
    policy.begin_episode();
    let mut log: Vec<Event> = Vec::new();
    let mut multiple = 0;
    loop {
        let before = env.observation().clone();
        let own = before.service.index();
        let view = View { log: &log, observation: &before, parameter, static_set };
        let decision = view.decide(rule);
        let victims = decision.clone().unwrap_or_default();
        multiple += usize::from(victims.len() > 1);
        let is_plain = victims.is_empty() || rule.starts_with("least-aot");
        let mut end = false;
        for place in 0..if is_plain { 1 } else { victims.len() } {
            let observation = env.observation();
            assert_eq!(observation.fixed_placement.is_some(), place > 0);
            let expected: Option<ActionId> = match (&decision, is_plain) {
                (None, _) => observation.place(Placement::Cloud),
                (Some(_), true) => observation.place(Placement::Edge),
                (Some(victims), false) => {
                    observation.evict(Placement::Edge, ServiceId::from_index(victims[place]))
                }
            };
            let action = policy.act(observation, &mut rng);
            assert_eq!(
                Some(action),
                expected,
                "{rule}, batch {} of {seed:?}, victims {victims:?}",
                log.len()
            );
            end = env.step(&action).unwrap().end.is_end();
        }
        let cache = &env.world().cell(before.cell).cache;
        for service in (0..20).filter(|&service| service != own) {
            let stays = before.residency[service].is_resident && !victims.contains(&service);
            assert_eq!(
                cache.residency()[service].is_resident,
                stays,
                "{rule}: the world evicts what the rule means"
            );
        }
        log.push(Event {
            cell: before.cell.0,
            service: own,
            requests: before.num_requests,
            was_resident: before.residency[own].is_resident,
            at_edge: decision.is_some(),
            could_load: before.place(Placement::Edge).is_some(),
            saving: saving(own, before.demand[own].request_rate),
            victims,
        });
        if end {
            return multiple;
        }
    }
}

#[test]
fn every_rule_decides_like_its_naive_sibling_thousands_of_times() {
    let one_cell = tight(1);
    let set = static_set(&one_cell);
    for rule in names(&one_cell).iter().map(String::as_str).filter(|rule| *rule != "random") {
        let mut multiple = 0;
        for (episode, parameter) in [(0, 1.0), (1, 0.5)] {
            let seed = Seed::new(Purpose::Test, 11).with_episode(episode);
            multiple += compare(rule, parameter, &one_cell, &set, seed);
        }
        let evicts = !["cloud-only", "static"].contains(&rule);
        assert_eq!(
            multiple > 10,
            evicts,
            "{rule} evicted several for one in {multiple} of some 5,000 batches"
        );
    }
}

#[test]
fn every_cell_has_a_memory_of_its_own() {
    let scenario = tight(2);
    for rule in names(&scenario).iter().filter(|rule| !["random", "static"].contains(&rule.as_str())) {
        compare(rule, 1.0, &scenario, &[], Seed::new(Purpose::Test, 12));
    }
}

#[test]
fn random_takes_every_legal_action_equally_often_and_no_other() {
    let scenario = tight(1);
    let mut policy = Prepared::new("random", &scenario).unwrap().instance();
    let mut env = DecisionEnv::new(Arc::clone(&scenario));
    let seed = Seed::new(Purpose::Test, 13);
    let mut rng = seed.stream(Stream::Policy);
    env.reset(seed);
    // Far enough for the memory to be full.
    while env.observation().missing_bytes == 0 || env.observation().place(Placement::Edge).is_none() {
        let action = policy.act(env.observation(), &mut rng);
        env.step(&action).unwrap();
    }
    let legal = env.observation().legal.iter().filter(|&&is_legal| is_legal).count();
    let mut counts = vec![0_u32; env.spec().num_actions()];
    for _ in 0..10_000 * legal {
        counts[policy.act(env.observation(), &mut rng).index()] += 1;
    }
    for (index, &count) in counts.iter().enumerate() {
        let is_legal = env.observation().legal[index];
        // Six standard deviations of a count with mean 10,000 are at most 600.
        assert!(if is_legal { count.abs_diff(10_000) < 600 } else { count == 0 }, "{index}: {count}");
    }
}
