//! The world of LLM agents served at the edge of a 6G network, and the environments that learners play in it.
//!
//! ```
//! use std::sync::Arc;
//! use thoughtcache_env::{DecisionEnv, Env, EnvError, Placement, Purpose, Scenario, Seed};
//!
//! let mut env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
//! env.reset(Seed::new(Purpose::Test, 0));
//! let mut cost = 0.0;
//! loop {
//!     let seen = env.observation();
//!     let action = seen.place(Placement::Edge).or(seen.place(Placement::Cloud)).expect("one is legal");
//!     let step = env.step(&action)?;
//!     cost -= step.reward;
//!     if step.end.is_end() {
//!         break;
//!     }
//! }
//! assert!(cost > 0.0);
//! # Ok::<(), EnvError>(())
//! ```
//!
//! The modules are listed from the ground up; a module imports only from those before it. The ground: units, random
//! numbers, digests, messages, ranges and errors, texts, counters, costs. The parts of the world: the air (`radio`), who asks for
//! what (`workload`), models and devices (`llm`), what context is worth (`thought`), what a cell knows of its users (`twin`). Then
//! where a request runs and what it takes (`placement`), what a file says and means (`scenario`), what is in memory (`cache`), and
//! the order of events (`world`). `gym` is the view of learners, and knows nothing of them.

pub mod units;
pub mod random;
pub mod digest;
pub mod message;
pub mod invalid;
pub mod edition;
pub mod text;
pub mod counters;
pub mod cost;
pub(crate) mod kept;
pub mod csv;

pub mod radio;
pub mod workload;
pub mod llm;
pub mod thought;
pub mod twin;

pub mod placement;
pub mod scenario;
pub mod cache;
pub mod world;

pub mod gym;

pub use cost::CostBreakdown;
pub use gym::api::{ActionId, Counters, End, Entry, Env, EnvError, EnvSpec, Step, StepInfo};
pub use gym::decision_env::DecisionEnv;
pub use gym::observation::DecisionObservation;
pub use gym::step_rows::StepBuffers;
pub use gym::vec_env::VecEnv;
pub use invalid::Invalid;
pub use placement::Placement;
/// The random numbers of [`Seed::stream`] implement the traits of this version of `rand`.
pub use rand;
pub use random::{Purpose, Seed, SimRng, Stream};
pub use scenario::{Scenario, ScenarioConfig};
pub use text::{ConfigError, Override};
pub use units::{CellId, ModelId, ServiceId, UserId};

/// Keeps the README's example compiling and running.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
