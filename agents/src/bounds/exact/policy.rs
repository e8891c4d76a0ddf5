//! A plan that plays: the bound as a policy of the decision environment.
//!
//! *Rule.* What the plan says for the resident set, the requested service, the victims chosen so far and the phase.
//! *State.* None.
//! *Cost per decision.* O(services) and a look into a table.

use super::solve::Plan;
use super::table::{ExactMdp, key};
use crate::policy::Policy;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::random::SimRng;

/// The name of the optimal plan as a policy.
pub const OPTIMAL: &str = "optimal";

/// The observation does not show the phase that a plan decides by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "a plan decides by the phase, which {scenario} does not show; set observation.popularity_phase = true"
)]
pub struct PhaseHidden {
    /// The scenario.
    pub scenario: String,
}

/// See the file's head.
#[derive(Clone, Debug)]
pub struct ExactPolicy {
    name: String,
    mdp: Arc<ExactMdp>,
    plan: Arc<Plan>,
}

impl ExactPolicy {
    /// A policy with this name in tables, for the world of `mdp`.
    ///
    /// # Errors
    /// [`PhaseHidden`]: there are several phases, and an observation shows none.
    pub fn new(name: impl Into<String>, mdp: Arc<ExactMdp>, plan: Plan) -> Result<Self, PhaseHidden> {
        if mdp.num_phases() > 1 && !mdp.scenario().shows_popularity_phase {
            return Err(PhaseHidden { scenario: mdp.scenario().name.clone() });
        }
        Ok(Self { name: name.into(), mdp, plan: Arc::new(plan) })
    }
}

impl Policy<DecisionEnv> for ExactPolicy {
    fn name(&self) -> &str {
        &self.name
    }

    fn act(&mut self, observation: &DecisionObservation, _rng: &mut SimRng) -> ActionId {
        let node = self.mdp.node_of.get(&key(observation));
        let node = *node.expect("the table knows every situation of its world");
        let phase = observation.popularity_phase.map_or(0, |phase| phase as usize);
        let position = self.plan.choice[node * self.mdp.num_phases() + phase];
        self.mdp.nodes[node].choices[position].action
    }
}
