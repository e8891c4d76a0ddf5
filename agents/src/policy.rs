//! A policy maps an observation to an action.

use thoughtcache_env::gym::api::Env;
use thoughtcache_env::random::SimRng;

/// A rule or a trained network that decides in environments of kind `E`.
///
/// A policy may keep state of an episode (an access order, say); evaluation gives each episode a policy of its own.
pub trait Policy<E: Env> {
    /// The name in tables and on the command line.
    fn name(&self) -> &str;

    /// Forgets the episode before.
    fn begin_episode(&mut self) {}

    /// Decides. Every random draw comes from `rng`, which the world never shares.
    fn act(&mut self, observation: &E::Observation, rng: &mut SimRng) -> E::Action;
}
