//! Two users, one served a slot.
//!
//! Models: both users ask once a slot, and each has a context at the edge, which serves one of them; the other one, or both, go to the
//! cloud. The smallest world in which a policy can commit to a user or thrash between them.
//!
//! Cost: in units of what a request costs more in the cloud than at the edge, above what both would cost at the edge with perfect
//! answers: 1 for each request in the cloud, and `w_acc c(kappa)` over that unit for the one that is served.
//!
//! Rules that see no context:
//! - **affinity**: always the same user. It has to know who asks.
//! - **blind**: does not know who asks, nor remembers anything. Both users are alike to it, so it has one parameter: the probability
//!   of serving anyone, either with half of it.

use super::{Chain, Contexts, Law};
use thoughtcache_env::llm::quality::QualityLaw;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::thought::Thought;
use thoughtcache_env::units::ServiceId;

/// P1's parameters of the quality law; the papers print neither.
const ALPHA: f64 = 0.5;
const BETA: f64 = 0.5;
/// A service of `tight` whose window has 2,000 tokens. Its thoughts of 200 tokens and the prices are those of P1 and P2.
const SERVICE: ServiceId = ServiceId(1);
/// The probabilities of serving anyone that are tried.
const STEPS: u32 = 20;

/// See the file's head.
#[derive(Clone, Debug)]
pub struct TwoUsers {
    law: Law,
    /// What the cloud costs more than the edge.
    unit: f64,
}

impl TwoUsers {
    /// The share of a thought that fades in a slot in P1.
    pub const PAPER_FADE: f64 = 0.6;

    /// With the parameters of the papers, alpha .5, a window of 2,000 tokens, and so many thoughts that fade in a slot.
    pub fn new(vanishing_thoughts_per_slot: f64) -> Self {
        let mut law = Law::of(&Scenario::shipped("tight"), SERVICE);
        law.service.quality = QualityLaw::linear(ALPHA, BETA);
        law.service.fade_tokens = vanishing_thoughts_per_slot * law.service.thought_tokens;
        let unit = law.service.cloud_per_request - law.service.edge_per_request;
        Self { law, unit }
    }

    /// The world of so many of the users, of whom at most one is served. The choices: serve the first, the second ..., nobody.
    fn chain(&self, users: usize) -> Chain {
        let slot = |contexts: &Contexts| {
            let all: Vec<Thought> = contexts.iter().copied().map(Option::unwrap_or_default).collect();
            let left = |all: Vec<Thought>| all.into_iter().map(|one| Some(self.law.faded(one))).collect();
            let serve = |user: usize| {
                let (cost, kept) = self.law.serve(all[user], 1);
                let mut after = all.clone();
                after[user] = kept.unwrap_or_default();
                ((users - 1) as f64 + cost / self.unit, left(after))
            };
            let nobody = (users as f64, left(all.clone()));
            vec![(1.0, (0..users).map(serve).chain([nobody]).collect())]
        };
        Chain::explore(vec![Some(Thought::default()); users], slot)
    }

    /// The least cost of a policy that sees both contexts.
    pub fn sighted(&self) -> f64 {
        let [lower, upper] = self.chain(2).optimum();
        f64::midpoint(lower, upper)
    }

    /// The cost of always serving the same user; the other one is always in the cloud.
    pub fn affinity(&self) -> f64 {
        1.0 + self.chain(1).cost_of(|_, _| vec![1.0, 0.0])
    }

    /// The cost of serving anyone with this probability, without knowing whom. Costs add up over users, and each of them is served with
    /// half of the probability whatever happened before: twice the cost of one.
    pub fn blind_with(&self, serving_prob: f64) -> f64 {
        2.0 * self.chain(1).cost_of(|_, _| vec![serving_prob / 2.0, 1.0 - serving_prob / 2.0])
    }

    /// The least cost of a blind policy, and its probability of serving anyone.
    pub fn blind(&self) -> (f64, f64) {
        let tried = (0..=STEPS).map(|step| f64::from(step) / f64::from(STEPS));
        let costs = tried.map(|serving_prob| (self.blind_with(serving_prob), serving_prob));
        costs.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default()
    }

    /// As [`blind_with`](Self::blind_with), in the world of both.
    #[cfg(test)]
    pub(super) fn blind_with_both(&self, serving_prob: f64) -> f64 {
        self.chain(2).cost_of(|_, _| vec![serving_prob / 2.0, serving_prob / 2.0, 1.0 - serving_prob])
    }
}
