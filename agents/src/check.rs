//! The contract of [`Policy`] as a test that anyone can run on a rule of their own.
//!
//! ```
//! use std::sync::Arc;
//! use thoughtcache_agents::check::check_policy;
//! use thoughtcache_agents::heuristics::registry::Prepared;
//! use thoughtcache_env::gym::check::CheckSettings;
//! use thoughtcache_env::gym::decision_env::DecisionEnv;
//! use thoughtcache_env::scenario::Scenario;
//!
//! let scenario = Arc::new(Scenario::shipped("tight"));
//! let rule = Prepared::new("density", &scenario).unwrap();
//! let env = || DecisionEnv::new(Arc::clone(&scenario));
//! check_policy(env, || rule.instance(), CheckSettings::default()).unwrap();
//! ```

use crate::policy::Policy;
use thoughtcache_env::gym::api::{ActionId, Env, EnvError};
use thoughtcache_env::gym::check::{CheckSettings, Violation};
use thoughtcache_env::random::{Purpose, Seed, Stream};

/// Lets a policy play, beside an instance that has never played before: every action has to be legal, and an episode must
/// depend on what is observed in it and on the draws alone. Returns the decisions played.
///
/// # Errors
/// The first [`Violation`].
pub fn check_policy<E: Env<Action = ActionId>>(
    mut make_env: impl FnMut() -> E,
    mut make_policy: impl FnMut() -> Box<dyn Policy<E> + Send>,
    settings: CheckSettings,
) -> Result<u64, Violation> {
    let mut env = make_env();
    let mut policy = make_policy();
    let (id, name) = (env.spec().id.clone(), policy.name().to_owned());
    let mut mask = vec![false; env.spec().num_actions()];
    let (mut played, mut episode) = (0, 0);
    while played < settings.steps {
        let seed = Seed::new(Purpose::Test, settings.run).with_episode(episode);
        let violated = |step: u64, rule: &'static str, found: String| {
            let id = format!("{name} in {id}");
            Violation { id, episode, step, rule, found }
        };
        let mut fresh = make_policy();
        if name.is_empty() || fresh.name() != name {
            let found = format!("\"{name}\" and \"{}\"", fresh.name());
            return Err(violated(0, "a policy has a name, the same for every instance", found));
        }
        env.reset(seed);
        policy.begin_episode();
        fresh.begin_episode();
        let (mut draws, mut fresh_draws) = (seed.stream(Stream::Policy), seed.stream(Stream::Policy));
        for step in 0..settings.max_episode_steps {
            let action = policy.act_in(&env, &mut draws);
            let twin = fresh.act_in(&env, &mut fresh_draws);
            if action != twin {
                let found = format!("action {} after other episodes, {} without them", action.0, twin.0);
                return Err(violated(step, "an episode does not depend on the one before", found));
            }
            env.mask(&mut mask);
            if !mask.get(action.index()).copied().unwrap_or(false) {
                let refused = EnvError::refuse(env.spec(), action, &mask).to_string();
                return Err(violated(step, "every action is legal", refused));
            }
            let outcome = env.step(&action);
            let outcome =
                outcome.map_err(|error| violated(step, "every action is legal", error.to_string()))?;
            played += 1;
            if outcome.end.is_end() {
                break;
            }
        }
        episode += 1;
    }
    Ok(played)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heuristics::registry::{self, Prepared};
    use crate::tests::anchors::probes;
    use std::sync::Arc;
    use thoughtcache_env::gym::check::check_env;
    use thoughtcache_env::gym::decision_env::DecisionEnv;
    use thoughtcache_env::random::SimRng;
    use thoughtcache_env::scenario::{Scenario, shipped};

    const SETTINGS: CheckSettings = CheckSettings { steps: 600, max_episode_steps: 400, run: 3 };

    #[test]
    fn every_rule_keeps_the_contract_in_every_scenario_that_needs_no_recording() {
        let shipped = shipped::names().filter(|name| !name.starts_with("trace-"));
        let shipped = shipped.map(|name| Arc::new(Scenario::shipped(name)));
        for scenario in shipped {
            for rule in registry::names(&scenario) {
                let rule = Prepared::new(&rule, &scenario).unwrap();
                let env = || DecisionEnv::new(Arc::clone(&scenario));
                let played = check_policy(env, || rule.instance(), SETTINGS);
                assert!(
                    played.as_ref().is_ok_and(|&played| played >= SETTINGS.steps),
                    "{}: {} {played:?}",
                    scenario.name,
                    rule.name()
                );
            }
        }
    }

    #[test]
    fn every_probe_world_keeps_the_contract_of_an_environment() {
        for probe in probes::probe_registry() {
            let checked = check_env(|| probe.env(), CheckSettings { steps: 300, ..SETTINGS });
            assert!(checked.is_ok(), "{checked:?}");
        }
    }

    /// Serves at the edge in every other episode, or whatever is legal or not.
    struct Faulty {
        counts_episodes: bool,
        episodes: u32,
    }

    impl Policy<DecisionEnv> for Faulty {
        fn name(&self) -> &'static str {
            "faulty"
        }
        fn begin_episode(&mut self) {
            self.episodes += 1;
        }
        fn act(&mut self, observation: &<DecisionEnv as Env>::Observation, _: &mut SimRng) -> ActionId {
            let legal = || (0..observation.legal.len()).filter(|&at| observation.legal[at]);
            let is_odd = self.counts_episodes && self.episodes.is_multiple_of(2);
            let choice = if self.counts_episodes {
                if is_odd { legal().next_back() } else { legal().next() }
            } else {
                Some(observation.legal.len() - 1)
            };
            ActionId::from_index(choice.unwrap_or(0))
        }
    }

    fn faulty(counts_episodes: bool) -> Violation {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let env = || DecisionEnv::new(Arc::clone(&scenario));
        let settings = CheckSettings { steps: 10_000, ..CheckSettings::default() };
        check_policy(env, || Box::new(Faulty { counts_episodes, episodes: 0 }), settings).unwrap_err()
    }

    #[test]
    fn a_policy_that_takes_what_is_illegal_is_found() {
        let violation = faulty(false);
        assert_eq!(violation.rule, "every action is legal");
        assert!(violation.found.contains("is illegal here; the mask allows"), "{violation}");
    }

    #[test]
    fn a_policy_that_remembers_the_episode_before_is_found() {
        let violation = faulty(true);
        assert_eq!(violation.rule, "an episode does not depend on the one before");
        assert!(violation.episode > 0, "{violation}");
    }
}
