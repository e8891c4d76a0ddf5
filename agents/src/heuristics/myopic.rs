//! *Rule.* `myopic` keeps nothing: each request is served by the cheapest placement that needs no residency, as estimated
//! before the answer's length is known. `<rule>+myopic` puts the same choice beneath a rule about a cache: the rule says
//! whether a service is loaded and who leaves for it, the estimate says where the request is served.
//!
//! ```text
//! hit                                the cheapest legal placement of all
//! miss, the rule loads               the cheapest legal one that needs residency, with the rule's victims
//! miss, the rule refuses or cannot   the cheapest legal one that needs none
//! ```
//! Ties go to the placement that the scenario names first. Where several entries have to leave, the placement is chosen with
//! the first of them. A hit that is cheaper elsewhere makes nobody leave; the rule counts it as an access all the same, since
//! the service was asked for while its entry was there.
//!
//! The placement does not overrule the rule where a load does not pay at once. On a first request it hardly ever does: the
//! request waits for the weights, seconds where the cloud would have answered, and what the load is good for comes with later
//! requests, which an estimate of this one knows nothing of. A wrapper that could refuse would be `myopic` under another
//! name. Whether a load pays in the long run is the business of the rule: `density`, `worth` and the `-admit` variants decide
//! it, and `amortised` compares the extra cost of the load with what the coming requests will save.
//!
//! *State.* That of the rule beneath, which sees every decision.
//!
//! *Cost per decision.* That of the rule, and one estimate for each legal placement that is in question.
//!
//! *Reference.* Ours; with the rule alone and `myopic` alone it tells apart what caching gains and what placement gains.

use super::cache_rule::elsewhere;
use super::rule::{Entry, Factory, Kind, copies};
use crate::policy::Policy;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::SimRng;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "myopic",
    description: "nothing is kept; the cheapest placement that needs no residency",
    kind: Kind::Priced,
    parameters: &[],
    prepare: |_, _, _| copies(Alone),
}];

/// The cheapest legal placement that `is_allowed`, by the current estimate.
fn cheapest(
    observation: &DecisionObservation,
    is_allowed: impl Fn(Placement) -> bool,
) -> Option<(Placement, ActionId)> {
    let placements = observation.space().placements().iter().copied().filter(|&p| is_allowed(p));
    let priced = placements.filter_map(|placement| {
        let action = observation.place(placement)?;
        let (_, cost) = observation.estimate(placement)?;
        Some((cost.total(), placement, action))
    });
    priced.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, placement, action)| (placement, action))
}

#[derive(Clone, Copy, Debug)]
struct Alone;

impl Policy<DecisionEnv> for Alone {
    fn name(&self) -> &'static str {
        ENTRIES[0].name
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        let choice = cheapest(observation, |placement| !placement.needs_residency());
        choice.map_or_else(|| elsewhere(observation), |(_, action)| action)
    }
}

/// A rule about a cache, and the cheapest placement for what it decides, in worlds whose placements have prices.
#[derive(Clone, Debug)]
pub struct CheapestPlacement<P> {
    name: String,
    rule: P,
}

impl<P: Policy<DecisionEnv>> CheapestPlacement<P> {
    /// Puts the choice of the placement beneath a rule; the policy has this name in tables.
    pub fn new(name: impl Into<String>, rule: P) -> Self {
        Self { name: name.into(), rule }
    }
}

/// Puts the choice of the placement beneath the instances of a rule.
pub(super) fn beneath(name: &str, rule: Factory) -> Factory {
    let name = name.to_owned();
    Box::new(move || Box::new(CheapestPlacement::new(name.clone(), rule())))
}

impl<P: Policy<DecisionEnv>> Policy<DecisionEnv> for CheapestPlacement<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin_episode(&mut self) {
        self.rule.begin_episode();
    }

    fn act(&mut self, observation: &DecisionObservation, rng: &mut SimRng) -> ActionId {
        let decided = self.rule.act(observation, rng);
        let is_open = observation.fixed_placement.is_none() && !observation.is_prefetch;
        let decision = observation.space().decode(decided).filter(|_| is_open);
        let Some(Decision::Serve { placement, victim }) = decision else { return decided };
        let needs_residency = placement.needs_residency();
        let is_allowed =
            |placement: Placement| observation.is_hit() || placement.needs_residency() == needs_residency;
        let Some((placement, plain)) = cheapest(observation, is_allowed) else { return decided };
        victim.and_then(|victim| observation.evict(placement, victim)).unwrap_or(plain)
    }
}
