//! *Rule.* A user stays where they were served last: at the edge iff the last request of this user to this service was served
//! there. A newcomer is served at the edge if the mask allows it; whom the entry has no room for stays elsewhere for good. A user of the
//! edge whom the mask turns away for once comes back. A load that makes entries leave is made only for a service that
//! is asked for more often than they are together (`admission`), and those leave first that served longest ago. Where users
//! share contexts, a service counts as one user.
//!
//! *State.* Whom the edge serves, by cell and service.
//!
//! *Cost per decision.* O(log users).
//!
//! *Reference.* Sticky sessions, as load balancers of model servers keep them for the sake of cached prompts.

use super::admission::exceeds;
use super::cache_rule::{CacheRule, Choice, Scene, factory};
use super::rule::Entry;
use std::collections::BTreeMap;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::units::{CellId, ServiceId, UserId};

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "affinity",
    "serves a user where their last request was served",
    &[],
    |name, scenario, _| factory(name, scenario, Affinity { homes: BTreeMap::new() }),
)];

#[derive(Clone, Debug)]
struct Affinity {
    /// Whether a user is served at the edge.
    homes: BTreeMap<(CellId, ServiceId, UserId), bool>,
}

/// The users whose requests the batch brings.
fn users(observation: &DecisionObservation) -> Vec<UserId> {
    match observation.request {
        Some(request) => vec![request.user],
        None if observation.visits.is_empty() => vec![UserId::ALL],
        None => observation.visits.iter().map(|visit| visit.user).collect(),
    }
}

impl CacheRule for Affinity {
    fn begin_episode(&mut self) {
        self.homes.clear();
    }

    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        scene.stay(service).last_access as f64
    }

    fn wants(&self, scene: Scene<'_>) -> bool {
        let key = |user| (scene.observation.cell, scene.service(), user);
        users(scene.observation).into_iter().any(|user| self.homes.get(&key(user)) != Some(&false))
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        exceeds(scene, victims, 1.0)
    }

    fn note(&mut self, scene: Scene<'_>, choice: Choice<'_>) {
        let is_served = matches!(choice, Choice::Hit(_) | Choice::Load(_));
        let is_turned_away = matches!(choice, Choice::Forced) && scene.observation.is_hit();
        if is_served || is_turned_away {
            for user in users(scene.observation) {
                self.homes.entry((scene.observation.cell, scene.service(), user)).or_insert(is_served);
            }
        }
    }
}
