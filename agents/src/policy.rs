//! A policy maps an observation to an action. One that looks ahead asks the environment, too.

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

    /// Decides in an environment: whoever plays an episode calls this. A policy that looks ahead plays on with copies of it;
    /// before it does so it draws another future for them ([`Env::reseed_future`]), since a policy may know no more than the
    /// observations tell.
    fn act_in(&mut self, env: &E, rng: &mut SimRng) -> E::Action {
        self.act(env.observation(), rng)
    }
}

impl<E: Env, P: Policy<E> + ?Sized> Policy<E> for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn begin_episode(&mut self) {
        (**self).begin_episode();
    }

    fn act(&mut self, observation: &E::Observation, rng: &mut SimRng) -> E::Action {
        (**self).act(observation, rng)
    }

    fn act_in(&mut self, env: &E, rng: &mut SimRng) -> E::Action {
        (**self).act_in(env, rng)
    }
}
