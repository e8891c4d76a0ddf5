//! The rules about contexts against naive siblings that keep a log of `tight-aot` and work out each decision from it.

use super::super::registry::Prepared;
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

/// One request of the past.
struct Event {
    slot: u64,
    service: usize,
    user: u32,
    /// Mean thoughts.
    length: f64,
    at_edge: bool,
    /// The entry was there, and the budget was not.
    was_turned_away: bool,
}

/// What a log says when a request is decided.
struct View<'a> {
    log: &'a [Event],
    now: &'a Event,
    resident: Option<usize>,
    rates: &'a [f64],
    /// In mean requests.
    budget_left: f64,
}

impl View<'_> {
    /// The requests that the present entry has served.
    fn stay(&self) -> impl Iterator<Item = &Event> {
        let served = self.log.iter().rev().filter(|event| event.at_edge);
        served.take_while(|event| Some(event.service) == self.resident)
    }

    /// Slots since the entry served a user.
    fn slots_ago(&self, user: u32) -> Option<u64> {
        self.stay().find(|event| event.user == user).map(|last| self.now.slot - last.slot)
    }

    /// Fresh thoughts of a user: 200 tokens for each mean thought served, 120 less a slot, none after 8,000 in the window.
    fn fresh(&self, user: u32) -> f64 {
        let mut served: Vec<&Event> = self.stay().filter(|event| event.user == user).collect();
        served.reverse();
        let (mut fresh, mut window, mut slot) = (0.0_f64, 0.0, 0);
        for event in served {
            for _ in slot..event.slot {
                fresh = (fresh - 120.0).max(0.0);
            }
            let tokens = 200.0 * event.length;
            (fresh, window, slot) = (fresh + tokens, window + tokens, event.slot);
            if window > 8000.0 {
                (fresh, window) = (0.0, 0.0);
            }
        }
        for _ in slot..self.now.slot {
            fresh = (fresh - 120.0).max(0.0);
        }
        fresh / 200.0
    }

    /// Whether the rule serves at the edge what the mask allows.
    fn decide(&self, rule: &str, [thoughts, users, slots]: [f64; 3]) -> bool {
        let (own, is_hit) = (self.now.length, self.resident == Some(self.now.service));
        let lately = |user| self.slots_ago(user).is_some_and(|ago| ago as f64 <= slots);
        let known = |user| is_hit && lately(user);
        let count = |is: &dyn Fn(u32) -> bool| (0..8).filter(|user| is(*user)).count() as f64;
        let wants = match rule {
            "commit" => {
                let kept = if is_hit { self.fresh(self.now.user) } else { 0.0 };
                kept + own > thoughts || count(&|user| self.fresh(user) > 0.0) < users
            }
            "recent" => own > thoughts || known(self.now.user) || count(&lately) < users,
            "long-thoughts" => own > thoughts,
            "affinity" => {
                let of_user = |event: &&Event| {
                    (event.service, event.user) == (self.now.service, self.now.user)
                        && (event.at_edge || event.was_turned_away)
                };
                self.log.iter().find(of_user).is_none_or(|first| first.at_edge)
            }
            "keep-alive" => {
                let waits = |user| lately(user) && self.slots_ago(user) != Some(0);
                known(self.now.user) || count(&waits) + own <= self.budget_left
            }
            _ => panic!("{rule} has no sibling"),
        };
        let is_better = match self.resident {
            Some(_) if !is_hit && rule == "keep-alive" => count(&lately) == 0.0,
            Some(resident) if !is_hit => self.rates[self.now.service] > self.rates[resident],
            _ => true,
        };
        wants && is_better
    }
}

fn world(cv: &str) -> Arc<Scenario> {
    let change = Override { key: "thought.cv".into(), value: cv.into() };
    let text = shipped::text("tight-aot").unwrap();
    Arc::new(Scenario::load("tight-aot", text, &[change], |_| Err("none".into())).unwrap().1)
}

#[test]
fn every_rule_about_contexts_decides_like_its_naive_sibling() {
    for cv in ["1", "0"] {
        let scenario = world(cv);
        let settings = [[1.0, 4.0, 6.0], [1.5, 1.0, 2.0]];
        for (rule, setting) in ["commit", "recent", "long-thoughts", "affinity", "keep-alive"]
            .into_iter()
            .flat_map(|rule| settings.map(|setting| (rule, setting)))
        {
            let [thoughts, users, slots] = setting;
            let named = [("thoughts", thoughts), ("users", users), ("slots", slots)];
            let entry = Prepared::new(rule, &scenario).unwrap().entry();
            let is_known = |name: &str| entry.parameters.iter().any(|parameter| parameter.name == name);
            let given: Vec<(&str, f64)> = named.into_iter().filter(|(name, _)| is_known(name)).collect();
            let mut policy = Prepared::with_parameters(rule, &scenario, &given).unwrap().instance();
            let seed = Seed::new(Purpose::Test, 21);
            let mut rng = seed.stream(Stream::Policy);
            let mut env = DecisionEnv::new(Arc::clone(&scenario));
            env.reset(seed);
            policy.begin_episode();
            let mut log: Vec<Event> = Vec::new();
            let mut counts = [0, 0];
            loop {
                let observation = env.observation();
                let service = observation.service.index();
                let (user, length) = (env.world().visits()[0].user.0, env.world().thought_length());
                let edge = observation.place(Placement::Edge);
                let resident = observation.residency.iter().position(|residency| residency.is_resident);
                let is_hit = resident == Some(service);
                let slot = env.world().slot();
                let spent: f64 = log
                    .iter()
                    .filter(|event| event.at_edge && event.slot == slot)
                    .map(|event| event.length)
                    .sum();
                let mut now = Event {
                    slot,
                    service,
                    user,
                    length,
                    at_edge: false,
                    was_turned_away: is_hit && edge.is_none(),
                };
                let rates: Vec<f64> = observation.demand.iter().map(|demand| demand.request_rate).collect();
                let budget_left = 350.0 / (2.0 * 0.174 * 200.0) - spent;
                let view = View { log: &log, now: &now, resident, rates: &rates, budget_left };
                let at_edge = edge.is_some() && view.decide(rule, setting);
                let expected = if at_edge { edge } else { observation.place(Placement::Cloud) };
                let mut action = policy.act(observation, &mut rng);
                let actions = &env.spec().actions;
                if at_edge && actions[action.index()].starts_with("edge evict") {
                    // The only victim there is.
                    action = edge.unwrap();
                }
                assert_eq!(Some(action), expected, "{rule} {setting:?}, cv {cv}, request {}", log.len());
                now.at_edge = at_edge;
                counts[usize::from(at_edge)] += 1;
                log.push(now);
                if env.step(&action).unwrap().end.is_end() {
                    break;
                }
            }
            let is_mixed = counts.iter().all(|&count| count > 100);
            // No thought is longer than the mean where all are alike.
            assert!(
                is_mixed || (rule, cv) == ("long-thoughts", "0"),
                "{rule} {setting:?}, cv {cv}: {counts:?}"
            );
        }
    }
}

#[test]
fn what_knows_the_age_of_thought_beats_what_remembers_and_that_beats_what_does_neither() {
    use crate::evaluate::validate;
    let scenario = world("1");
    let cost = |rule: &str| {
        let prepared = Prepared::new(rule, &scenario).unwrap();
        validate(&scenario, 1, 20, &|| prepared.instance(), &|| false).unwrap().cost_per_slot()
    };
    let [commit, recent, blind] = ["commit", "recent", "long-thoughts"].map(cost);
    assert!(commit < 0.94 * recent, "{commit} {recent}");
    assert!(recent < 0.94 * blind, "{recent} {blind}");
}
