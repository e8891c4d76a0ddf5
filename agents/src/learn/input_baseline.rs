//! Rewards without what they would have been whatever was decided before.
//!
//! ```text
//! learnt reward = reward + input cost = -(cost - input cost)
//! ```
//! The input cost of a decision ([`StepInfo::input_cost`]) depends on demand, radio and devices alone. Every policy gets the same
//! sum of them on the same episode, so the order of policies stays what it is; but most of what makes one reward differ from
//! the next is the request and not what was decided about it, and the gradient no longer has to average that away. What is
//! reported stays the true reward.
//!
//! Reference: Mao et al., "Variance Reduction for Reinforcement Learning in Input-Driven Environments", ICLR 2019.
//!
//! [`StepInfo::input_cost`]: thoughtcache_env::gym::api::StepInfo::input_cost

use super::agent::{Agent, AgentError};
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::vec_env::StepBuffers;
use thoughtcache_env::invalid::Invalid;

/// Whether the rewards of a run are learnt from without their input costs, and room for the true ones meanwhile.
#[derive(Debug)]
pub(super) struct InputBaseline {
    is_used: bool,
    rewards: Vec<f64>,
}

impl InputBaseline {
    /// Makes the environments of a run tell what is taken off.
    ///
    /// # Errors
    /// When it is to be used and one of them cannot.
    pub(super) fn new<E: Env>(is_used: bool, envs: &mut [E]) -> Result<Self, Invalid> {
        if is_used && let Some(env) = envs.iter_mut().find_map(|env| (!env.tell_input_costs()).then_some(env))
        {
            let allowed = format!("false in {}, which tells no input costs", env.spec().id);
            return Err(Invalid::new("input_baseline", true, allowed));
        }
        Ok(Self { is_used, rewards: Vec::new() })
    }

    /// Hands a step to the learner; afterwards its rewards are what they were.
    ///
    /// # Errors
    /// As [`Agent::record`].
    pub(super) fn record(
        &mut self,
        agent: &mut dyn Agent,
        actions: &[ActionId],
        step: &mut StepBuffers,
    ) -> Result<(), AgentError> {
        if !self.is_used {
            return agent.record(actions, step);
        }
        self.take_off(step);
        let outcome = agent.record(actions, step);
        step.rewards.clone_from(&self.rewards);
        outcome
    }

    /// Remembers the true rewards, and takes the input costs off those of the step.
    fn take_off(&mut self, step: &mut StepBuffers) {
        self.rewards.clone_from(&step.rewards);
        for (reward, info) in step.rewards.iter_mut().zip(&step.infos) {
            *reward += info.input_cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::config::AgentConfig;
    use crate::learn::fixtures::recorder::{self, Heard, Recorder};
    use crate::learn::ppo_config::PpoConfig;
    use crate::learn::train::{TrainSettings, train};
    use crate::tests::anchors::probes;
    use thoughtcache_env::gym::decision_env::DecisionEnv;

    #[test]
    fn what_is_learnt_is_the_cost_beyond_that_of_the_input() {
        let mut step = StepBuffers::new(2, recorder::tight().spec());
        step.rewards.copy_from_slice(&[-7.0, -0.5]);
        (step.infos[0].input_cost, step.infos[1].input_cost) = (5.0, 2.0);
        let mut baseline = InputBaseline { is_used: true, rewards: Vec::new() };
        baseline.take_off(&mut step);
        assert_eq!(step.rewards, [-2.0, 1.5]);
        assert_eq!(baseline.rewards, [-7.0, -0.5]);
    }

    /// The value loss of the first update, and the episodes before it.
    fn first_update(input_baseline: bool, env: &DecisionEnv) -> (f64, Vec<Heard>) {
        let (n_envs, n_steps, net_arch) = (4, 64, vec![8]);
        let learner = PpoConfig { n_envs, n_steps, batch_size: 64, net_arch, ..PpoConfig::default() };
        let config = AgentConfig { input_baseline, ..learner.into() };
        let settings = TrainSettings { budget: 256, run: 1, ..TrainSettings::default() };
        let mut recorder = Recorder::default();
        train(&config, |_| env.clone(), settings, &mut recorder).unwrap();
        let heard = recorder.heard.iter().position(|heard| matches!(heard, Heard::Update(..))).unwrap();
        let Heard::Update(_, metrics) = &recorder.heard[heard] else { unreachable!() };
        (metrics.value("train/value_loss").unwrap(), recorder.heard[..heard].to_vec())
    }

    #[test]
    fn the_learner_hears_what_is_left_and_everybody_else_the_truth() {
        let env = recorder::tight();
        let (plain, episodes) = first_update(false, &env);
        let (relative, same_episodes) = first_update(true, &env);
        assert!(!episodes.is_empty() && episodes == same_episodes);
        assert!(relative != plain);
    }

    #[test]
    fn a_world_that_cannot_tell_is_refused() {
        let config = AgentConfig { input_baseline: true, ..recorder::ppo() };
        let settings = TrainSettings { budget: 64, ..TrainSettings::default() };
        let error = train(&config, |_| probes::echo().env(), settings, &mut Recorder::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "input_baseline = true: false in probe-echo, which tells no input costs"
        );
    }
}
