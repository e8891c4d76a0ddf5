//! *Rule.* Any legal action, each as likely as the others: a placement, a placement with a victim, or a load ahead
//! of the requests.
//!
//! *State.* None; one draw a decision from the policy's stream.
//!
//! *Cost per decision.* O(actions).
//!
//! *Reference.* The floor of every comparison; what is below it has learned something wrong.

use super::rule::{Entry, Kind, copies};
use crate::policy::Policy;
use rand::RngExt;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::SimRng;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    name: "random",
    description: "any legal action, each as likely as the others",
    kind: Kind::Chance,
    parameters: &[],
    prepare: |_, _, _| copies(Random),
}];

#[derive(Clone, Debug)]
struct Random;

impl Policy<DecisionEnv> for Random {
    fn name(&self) -> &'static str {
        ENTRIES[0].name
    }

    fn act(&mut self, observation: &DecisionObservation, rng: &mut SimRng) -> ActionId {
        let legal = || observation.legal.iter().enumerate().filter(|(_, is_legal)| **is_legal);
        let pick = rng.random_range(0..legal().count());
        let (index, _) = legal().nth(pick).expect("the pick is below the count");
        ActionId::from_index(index)
    }
}
