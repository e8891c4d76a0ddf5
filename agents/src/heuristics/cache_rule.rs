//! The decision that all cache rules share. A rule of your own is a [`CacheRule`]; [`CachePolicy`] makes a policy of it.
//!
//! ```text
//! edge illegal (cannot fit now)               -> elsewhere
//! the rule does not want the batch            -> elsewhere
//! hit                                         -> edge
//! miss                                        -> admitted -> edge;  refused -> elsewhere
//! edge                                        -> evicting entries by least rank until the batch fits, and no others
//! ```
//! A hit needs victims only where context occupies memory (`memory.kv`). Where entries share weights, an entry whose leaving
//! would free nothing in the end is not among the victims. Ties between ranks go to the entry whose last access is oldest.
//! Where several entries have to leave, the environment asks for the same batch again and the policy names one victim after
//! another: the order is that of the rule, not the world's own. *Elsewhere* is the first legal placement that needs no
//! residency.
//!
//! Where a scenario asks each cell what to load ahead of its requests, every rule of this folder but `random` passes: the rules
//! of the literature load on demand. [`elsewhere`] is the one place that says so.

use super::rule::{Factory, copies};
use super::state::{History, Stay};
use crate::policy::Policy;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::SimRng;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;

/// The state of the cell that a rule decides from.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The decision.
    pub observation: &'a DecisionObservation,
    history: &'a History,
}

impl Scene<'_> {
    /// Number of the cell.
    pub fn cell(&self) -> usize {
        self.observation.cell.index()
    }

    /// The service that the batch asks for.
    pub fn service(&self) -> ServiceId {
        self.observation.service
    }

    /// Requests per slot, as estimated.
    pub fn rate(&self, service: ServiceId) -> f64 {
        self.observation.demand[service.index()].request_rate
    }

    /// Bytes that a service's entry stands for.
    pub fn bytes(&self, service: ServiceId) -> f64 {
        self.observation.bytes[service.index()] as f64
    }

    /// Returns the history of a resident entry since its load.
    pub fn stay(&self, service: ServiceId) -> Stay {
        self.history.stay(self.observation.cell, service)
    }
}

/// What was decided about a batch.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'a> {
    /// Served by its resident entry; these leave for its context, in this order.
    Hit(&'a [ServiceId]),
    /// Loaded; these leave for it, in this order.
    Load(&'a [ServiceId]),
    /// Served elsewhere although the edge was legal.
    Refused,
    /// The edge was illegal.
    Forced,
}

/// A rule: whom to evict, and whether to load at all.
pub trait CacheRule {
    /// Forgets the episode before.
    fn begin_episode(&mut self) {}

    /// Learns from a batch that is about to be decided.
    fn meet(&mut self, _observation: &DecisionObservation) {}

    /// Resident entries leave in ascending order of this number.
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64;

    /// Returns whether the batch is served at the edge where its entry is there, and may be loaded where it is not.
    fn wants(&self, _scene: Scene<'_>) -> bool {
        true
    }

    /// Returns whether the service of the batch is loaded, where these entries would have to leave for it (none if it fits).
    fn admits(&self, _scene: Scene<'_>, _victims: &[ServiceId]) -> bool {
        true
    }

    /// Learns what was decided. Ranks of other entries must not change before the next batch.
    fn note(&mut self, _scene: Scene<'_>, _choice: Choice<'_>) {}
}

/// The first legal placement that needs residency.
pub(super) fn edge(observation: &DecisionObservation) -> Option<(Placement, ActionId)> {
    legal_placement(observation, true)
}

/// The action for "not here": the first legal placement that needs no residency; at a prefetch decision "load nothing".
pub fn elsewhere(observation: &DecisionObservation) -> ActionId {
    if let Some(pass) = observation.pass() {
        return pass;
    }
    let first_legal = || observation.legal.iter().position(|&is_legal| is_legal).map(ActionId::from_index);
    legal_placement(observation, false)
        .map(|(_, action)| action)
        .or_else(first_legal)
        .expect("no mask row is empty")
}

fn legal_placement(
    observation: &DecisionObservation,
    needs_residency: bool,
) -> Option<(Placement, ActionId)> {
    let placements = observation.space().placements().iter();
    placements
        .filter(|placement| placement.needs_residency() == needs_residency)
        .find_map(|&placement| Some((placement, observation.place(placement)?)))
}

/// A rule as a policy.
#[derive(Clone, Debug)]
pub struct CachePolicy<R> {
    name: &'static str,
    rule: R,
    history: History,
    /// Who leaves for the pending batch, and how many of them have been named.
    victims: Vec<ServiceId>,
    named: usize,
}

impl<R: CacheRule> CachePolicy<R> {
    /// The policy of a rule in worlds of this scenario.
    pub fn new(name: &'static str, scenario: &Scenario, rule: R) -> Self {
        let history = History::new(scenario.num_cells as usize, scenario.services.len());
        Self { name, rule, history, victims: Vec::new(), named: 0 }
    }

    /// Fills `victims` with the entries that have to leave, in order.
    fn choose_victims(&mut self, observation: &DecisionObservation) {
        let Self { rule, history, victims, .. } = self;
        victims.clear();
        if observation.missing_bytes == 0 {
            return;
        }
        let scene = Scene { observation, history };
        let residency = observation.residency.iter().enumerate();
        let mut ranked: Vec<(f64, u64, ServiceId)> = residency
            .filter(|(_, residency)| residency.is_resident && !residency.is_protected)
            .map(|(index, _)| {
                let service = ServiceId::from_index(index);
                (rule.rank(scene, service), scene.stay(service).last_access, service)
            })
            .collect();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut freed_bytes = 0;
        for (_, _, service) in ranked {
            if freed_bytes >= observation.missing_bytes {
                break;
            }
            victims.push(service);
            freed_bytes = observation.freed_bytes(victims);
        }
        if observation.shares_weights() {
            for victim in victims.clone() {
                let others: Vec<ServiceId> =
                    victims.iter().copied().filter(|&other| other != victim).collect();
                if observation.freed_bytes(&others) == freed_bytes {
                    *victims = others;
                }
            }
        }
    }

    /// Names the next victim, if there is one to name.
    fn evict_next(
        &mut self,
        observation: &DecisionObservation,
        edge: Placement,
        plain: ActionId,
    ) -> ActionId {
        let victim = self.victims.get(self.named).copied();
        self.named += 1;
        victim.and_then(|victim| observation.evict(edge, victim)).unwrap_or(plain)
    }
}

impl<R: CacheRule> Policy<DecisionEnv> for CachePolicy<R> {
    fn name(&self) -> &str {
        self.name
    }

    fn begin_episode(&mut self) {
        self.history.clear();
        self.rule.begin_episode();
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        if observation.is_prefetch {
            return elsewhere(observation);
        }
        let edge = edge(observation);
        if let (Some(_), Some((edge, plain))) = (observation.fixed_placement, edge) {
            return self.evict_next(observation, edge, plain);
        }
        self.history.observe(observation);
        self.rule.meet(observation);
        self.victims.clear();
        self.named = 0;
        let Some((edge, plain)) = edge else {
            self.rule.note(Scene { observation, history: &self.history }, Choice::Forced);
            return elsewhere(observation);
        };
        let is_hit = observation.is_hit();
        self.choose_victims(observation);
        let Self { rule, history, victims, .. } = self;
        let scene = Scene { observation, history };
        let admits = rule.wants(scene) && (is_hit || rule.admits(scene, victims));
        if admits {
            history.serve(observation);
        }
        let choice = match (is_hit, admits) {
            (true, true) => Choice::Hit(victims),
            (false, true) => Choice::Load(victims),
            (_, false) => Choice::Refused,
        };
        rule.note(Scene { observation, history }, choice);
        if admits { self.evict_next(observation, edge, plain) } else { elsewhere(observation) }
    }
}

/// Makes policies of a rule, each with a memory of its own.
pub(super) fn factory<R>(name: &'static str, scenario: &Scenario, rule: R) -> Factory
where
    R: CacheRule + Clone + Send + Sync + 'static,
{
    copies(CachePolicy::new(name, scenario, rule))
}
