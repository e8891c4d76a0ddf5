//! *Rule.* `rollout(RULE)` tries every action that is in question on drawn futures before it takes one: after the action the
//! rule beneath plays on for some slots, and the action of the least mean cost is taken.
//!
//! ```text
//! d(a)   = cost(a, future) - cost(own, future)            own: what the rule itself would do
//! taken  = argmin over a of mean d(a), where mean d(a) + se(a) < 0; else own
//! ```
//! `mean` and `se`, the standard error, are over futures. Every action meets the same futures, so that only what it changes
//! counts. A future is the environment after [`reseed_future`](Env::reseed_future), without an end: nothing that the observation
//! hides is looked at. In question are the rule's own action; of the placements that need residency and of those that need none
//! the cheapest by the current estimate (all, where placements have no prices); and, where somebody has to leave, each of the
//! residents that are asked for least per byte.
//!
//! `lookahead(RULE)` does the same with the true future, which is one: it knows what nobody can know. It is a reference and no
//! policy, and it is no bound either: it looks some slots ahead, one decision at a time.
//!
//! *State.* That of the rule beneath, which sees every decision.
//!
//! *Cost per decision.* `samples * actions * slots * decisions per slot` decisions of the rule and steps of the world.
//!
//! *Reference.* Tesauro and Galperin, "On-line policy improvement using Monte-Carlo search", NIPS 1996; Bertsekas and Castanon,
//! "Rollout algorithms for stochastic scheduling problems", J. Heuristics 5 (1999); one future for all actions: common random
//! numbers.

use super::registry::PolicyError;
use super::rule::{BoxedRule, Factory};
use crate::policy::Policy;
use crate::stats::mean_and_error;
use rand::RngExt;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::message::{did_you_mean, shown};
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::units::ServiceId;

/// The name before the bracket of a policy that looks into drawn futures.
pub const ROLLOUT: &str = "rollout";
/// The name before the bracket of a reference that looks into the true one.
pub const LOOKAHEAD: &str = "lookahead";

/// Residents, and services to load ahead, that are in question at most.
const MOST_SERVICES: usize = 6;

/// A number that may follow the rule's name in the brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it means, in a few words.
    pub description: &'static str,
    /// The number where none is typed.
    pub default: u32,
    /// The greatest; the least is 1.
    pub most: u32,
}

/// The slots that are played on.
pub const SLOTS: Setting =
    Setting { name: "slots", description: "slots that each future is played on", default: 20, most: 10_000 };
/// The futures of a decision.
pub const SAMPLES: Setting = Setting {
    name: "samples",
    description: "futures that each action is tried on",
    default: 16,
    most: 10_000,
};

/// What stands around the name of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Drawn futures; `None` for the true one.
    samples: Option<u32>,
    slots: u32,
}

impl Ahead {
    /// Whether the true future is looked at.
    pub(super) const fn knows_the_future(self) -> bool {
        self.samples.is_none()
    }
}

/// Takes a policy's name apart: the rule beneath, and how far it looks ahead; the name itself where it does not.
///
/// # Errors
/// Brackets of another form, behind another name, or with settings that do not exist or are out of range.
pub(super) fn split(name: &str) -> Result<(&str, Option<Ahead>), PolicyError> {
    let refuse = |message: String| Err(PolicyError::new(&shown(name), message));
    let example = "as in rollout(density) or rollout(density, samples=16, slots=20)";
    let Some((outer, rest)) = name.split_once('(') else {
        if [ROLLOUT, LOOKAHEAD].contains(&name) {
            return refuse(format!("{name} looks ahead for a rule in brackets, {example}"));
        }
        return Ok((name, None));
    };
    let outer = outer.trim();
    if ![ROLLOUT, LOOKAHEAD].contains(&outer) {
        let meant = did_you_mean(outer, [ROLLOUT, LOOKAHEAD]);
        let outer = shown(outer);
        return refuse(format!(
            "nothing called \"{outer}\" looks ahead for a rule{meant}; {ROLLOUT} and {LOOKAHEAD} do"
        ));
    }
    let Some(inner) = rest.trim_end().strip_suffix(')').filter(|inner| !inner.contains(['(', ')'])) else {
        return refuse(format!("\"{}\": one rule in brackets, {example}", shown(name)));
    };
    let mut parts = inner.split(',').map(str::trim);
    let rule = parts.next().unwrap_or_default();
    let allowed: &[Setting] = if outer == ROLLOUT { &[SAMPLES, SLOTS] } else { &[SLOTS] };
    let mut typed = vec![None; allowed.len()];
    for part in parts {
        let (key, value) = part.split_once('=').map_or((part, ""), |(key, value)| (key.trim(), value.trim()));
        let Some(place) = allowed.iter().position(|setting| setting.name == key) else {
            let names: Vec<&str> = allowed.iter().map(|setting| setting.name).collect();
            let meant = did_you_mean(key, names.iter().copied());
            let (key, names) = (shown(key), names.join(" and "));
            return refuse(format!("{outer} has no setting \"{key}\"{meant}; it has {names}"));
        };
        let Setting { name: setting, most, .. } = allowed[place];
        match value.parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) && typed[place].is_none() => {
                typed[place] = Some(number);
            }
            Ok(_) if typed[place].is_some() => {
                return refuse(format!("{outer}: {setting} stands there twice"));
            }
            _ => {
                return refuse(format!(
                    "{outer}: {setting}={}: a whole number from 1 to {most}",
                    shown(value)
                ));
            }
        }
    }
    let number = |setting: Setting| {
        let place = allowed.iter().position(|one| *one == setting)?;
        Some(typed[place].unwrap_or(setting.default))
    };
    let ahead = Ahead { samples: number(SAMPLES), slots: number(SLOTS).unwrap_or(SLOTS.default) };
    Ok((rule, Some(ahead)))
}

/// Looks ahead for the instances of a rule.
pub(super) fn above(name: &str, ahead: Ahead, rule: Factory) -> Factory {
    let name = name.to_owned();
    Box::new(move || Box::new(LookAhead { name: name.clone(), ahead, rule: rule() }))
}

/// See the [module](self).
#[derive(Clone)]
struct LookAhead {
    name: String,
    ahead: Ahead,
    rule: BoxedRule,
}

impl LookAhead {
    /// The cost of each action on one future, which the rule plays on.
    fn costs(&self, future: &DecisionEnv, actions: &[ActionId], rng: &SimRng) -> Vec<f64> {
        let last_slot = future.world().slot() + u64::from(self.ahead.slots);
        let cost = |&action: &ActionId| {
            let (mut env, mut rule, mut rng) = (future.clone(), self.rule.clone(), rng.clone());
            let (mut action, mut cost) = (action, 0.0);
            loop {
                let step = env.step(&action).expect("a rule takes what is legal");
                cost += step.info.cost.total();
                if step.end.is_end() || env.world().slot() > last_slot {
                    return cost;
                }
                action = rule.act(env.observation(), &mut rng);
            }
        };
        actions.iter().map(cost).collect()
    }
}

impl Policy<DecisionEnv> for LookAhead {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin_episode(&mut self) {
        self.rule.begin_episode();
    }

    /// The decision of the rule beneath: without an environment there is no future to look into.
    fn act(&mut self, observation: &DecisionObservation, rng: &mut SimRng) -> ActionId {
        self.rule.act(observation, rng)
    }

    fn act_in(&mut self, env: &DecisionEnv, rng: &mut SimRng) -> ActionId {
        let observation = env.observation();
        let own = self.rule.act(observation, rng);
        // A decision has an address, whatever was drawn for the one before.
        let decision = Seed::new(Purpose::Train, rng.random());
        let actions = in_question(observation, own);
        if actions.len() == 1 || !env.is_running() {
            return own;
        }
        let mut excess: Vec<Vec<f64>> = vec![Vec::new(); actions.len()];
        for sample in 0..self.ahead.samples.unwrap_or(1) {
            let seed = decision.with_episode(u64::from(sample));
            let mut future = env.clone();
            if !self.ahead.knows_the_future() {
                future.reseed_future(seed);
                future.forget_end();
            }
            let costs = self.costs(&future, &actions, &seed.stream(Stream::Policy));
            excess.iter_mut().zip(&costs).for_each(|(excess, cost)| excess.push(cost - costs[0]));
        }
        let judged = actions.iter().zip(&excess).filter_map(|(action, excess)| {
            let (mean, error) = mean_and_error(excess);
            (mean + error < 0.0).then_some((mean, *action))
        });
        judged.min_by(|one, other| one.0.total_cmp(&other.0)).map_or(own, |(_, action)| action)
    }
}

/// The actions that are in question, the rule's own first.
fn in_question(observation: &DecisionObservation, own: ActionId) -> Vec<ActionId> {
    let space = observation.space();
    let mut actions = vec![own];
    let mut add = |action: Option<ActionId>| {
        if let Some(action) = action.filter(|action| !actions.contains(action)) {
            actions.push(action);
        }
    };
    let rate = |service: ServiceId| observation.demand[service.index()].request_rate;
    let services = || (0..observation.residency.len()).map(ServiceId::from_index);
    if observation.is_prefetch && observation.fixed_placement.is_none() {
        add(observation.pass());
        let mut asked: Vec<ServiceId> = services().filter(|&one| observation.load(one).is_some()).collect();
        asked.sort_by(|&one, &other| rate(other).total_cmp(&rate(one)));
        asked.iter().take(MOST_SERVICES).for_each(|&service| add(observation.load(service)));
        return actions;
    }
    let legal =
        || space.placements().iter().copied().filter(|&placement| observation.place(placement).is_some());
    let price = |placement: Placement| observation.estimate(placement).map(|(_, cost)| cost.total());
    let cheapest = |needs_residency: bool| {
        let of_kind = legal().filter(|placement| placement.needs_residency() == needs_residency);
        of_kind
            .min_by(|&one, &other| price(one).partial_cmp(&price(other)).unwrap_or(std::cmp::Ordering::Equal))
    };
    add(cheapest(false).and_then(|placement| observation.place(placement)));
    let own_place = space.decode(own).and_then(|decision| match decision {
        Decision::Serve { placement, .. } if placement.needs_residency() => Some(placement),
        _ => None,
    });
    let Some(edge) = own_place.or_else(|| cheapest(true)) else { return actions };
    if observation.missing_bytes == 0 {
        add(observation.place(edge));
        return actions;
    }
    let worth = |service: ServiceId| rate(service) / observation.bytes[service.index()].max(1) as f64;
    let mut victims: Vec<ServiceId> =
        services().filter(|&one| observation.evict(edge, one).is_some()).collect();
    victims.sort_by(|&one, &other| worth(one).total_cmp(&worth(other)));
    victims.iter().take(MOST_SERVICES).for_each(|&victim| add(observation.evict(edge, victim)));
    actions
}
