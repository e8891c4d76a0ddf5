//! Policies, learners, evaluation and statistics for the worlds of `thoughtcache-env`.
//!
//! # A tour
//! A world is a scenario; an environment plays it. Every choice goes through a mask, and a policy that is a rule reads the
//! observation by name:
//! ```
//! use std::sync::Arc;
//! use thoughtcache_agents::Policy;
//! use thoughtcache_env::gym::api::{ActionId, Env};
//! use thoughtcache_env::gym::decision_env::DecisionEnv;
//! use thoughtcache_env::gym::observation::DecisionObservation;
//! use thoughtcache_env::placement::Placement;
//! use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
//! use thoughtcache_env::scenario::Scenario;
//!
//! /// Serves at the edge what is there already, and everything else in the cloud.
//! struct HitsOnly;
//!
//! impl Policy<DecisionEnv> for HitsOnly {
//!     fn name(&self) -> &str {
//!         "hits-only"
//!     }
//!     fn act(&mut self, seen: &DecisionObservation, _: &mut SimRng) -> ActionId {
//!         let place = if seen.is_hit() { Placement::Edge } else { Placement::Cloud };
//!         seen.place(place).or_else(|| seen.place(Placement::Cloud)).expect("the cloud is always legal here")
//!     }
//! }
//!
//! let mut env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
//! let seed = Seed::new(Purpose::Test, 0);
//! let (mut policy, mut draws) = (HitsOnly, seed.stream(Stream::Policy));
//! env.reset(seed);
//! let mut cost = 0.0;
//! loop {
//!     let action = policy.act(env.observation(), &mut draws);
//!     let step = env.step(&action).unwrap();
//!     cost -= step.reward;
//!     if step.end.is_end() {
//!         break;
//!     }
//! }
//! assert!(cost > 0.0);
//! ```
//! An environment can be kept and gone back to, with its true future or with another one:
//! ```
//! # use std::sync::Arc;
//! # use thoughtcache_env::gym::api::{ActionId, Env};
//! # use thoughtcache_env::gym::decision_env::DecisionEnv;
//! # use thoughtcache_env::random::{Purpose, Seed};
//! # use thoughtcache_env::scenario::Scenario;
//! let mut env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
//! env.reset(Seed::new(Purpose::Train, 1));
//! let here = env.snapshot();
//! let cloud = ActionId(1);
//! let first = env.step(&cloud).unwrap();
//! env.restore(&here).unwrap();
//! assert_eq!(env.step(&cloud).unwrap(), first);
//! env.restore(&here).unwrap();
//! env.reseed_future(Seed::new(Purpose::Validate, 7)); // the present stays, what follows is drawn anew
//! ```
//! Rules of the registry and policies of your own are compared on the same episodes:
//! ```
//! # use std::sync::Arc;
//! # use thoughtcache_env::scenario::Scenario;
//! use thoughtcache_agents::{Contender, Hooks, PolicyKind, Prepared, Protocol, evaluate};
//!
//! let scenario = Arc::new(Scenario::shipped("tight"));
//! let contenders: Vec<Contender> = ["least-aot", "density"]
//!     .map(|name| {
//!         let rule = Prepared::new(name, &scenario).unwrap();
//!         Contender::new(name, PolicyKind::Heuristic, move || rule.instance())
//!     })
//!     .into();
//! let results = evaluate(&contenders, &Protocol::test(scenario, 0, 4), Hooks::default()).unwrap();
//! let cost = |at: usize| results.policies[at].episodes.iter().map(|e| e.cost.total()).sum::<f64>();
//! assert!(cost(1) < cost(0));
//! ```
//! An environment or a policy of your own keeps its contract when
//! [`check_env`](thoughtcache_env::gym::check::check_env) and [`check_policy`](check::check_policy) say so, and a learner when
//! [`check_agent`](learn::check::check_agent) does. Three programs are in `examples/`: a rule of one's own, a learner of one's
//! own, and a trained policy. Learners train with `learn::train` (feature `torch`); their frozen
//! policies ([`net_policy`], [`checkpoint`]) need no torch.

pub mod bounds;
pub mod check;
pub mod checkpoint;
pub mod compare;
pub mod evaluate;
pub mod heuristics;
pub mod learn;
pub mod metrics;
pub mod net_policy;
pub mod policy;
pub mod replay;
pub mod stats;
#[cfg(test)]
mod tests;
pub mod tune;

pub use checkpoint::{Algorithm, Checkpoint};
pub use compare::Comparison;
pub use evaluate::{Contender, Hooks, PolicyKind, Protocol, Totals, evaluate, validate};
pub use heuristics::{
    BoxedPolicy, CachePolicy, CacheRule, CheapestPlacement, Choice, Prepared, Scene, elsewhere,
};
pub use net_policy::{Mlp, NetPolicy};
pub use policy::Policy;
pub use rand;
