//! The contract of [`Agent`] as a test that anyone can run on a learner of their own.
//!
//! The learner learns in an environment, beside a twin that was made alike and a third one that takes over from a saved state
//! again and again: all three have to do the same. What is asked for wrongly has to be refused.

use super::agent::{Agent, AgentError};
use crate::net_policy::NetPolicy;
use crate::policy::Policy;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::gym::api::{ActionId, Env, Rows};
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed, Stream};

/// A rule of the contract that does not hold.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("after {decisions} decisions: {rule}: {found}")]
pub struct AgentViolation {
    /// The decisions of all lanes together that were taken before.
    pub decisions: u64,
    /// The condition that should hold.
    pub rule: &'static str,
    /// The value that was found.
    pub found: String,
}

/// Steps of all lanes between two saved states; no divisor of the usual rollouts.
const SAVED_EVERY: u64 = 37;

/// Lets a learner learn for `steps` steps of as many lanes as there are environments, and looks at everything that
/// [`Agent`] promises. Says how often it learnt.
///
/// `make_agent` makes a learner for these environments and for `steps` times their number of decisions; each call the same.
///
/// # Errors
/// The first [`AgentViolation`].
pub fn check_agent<E: Env<Action = ActionId> + Clone + Send>(
    mut make_agent: impl FnMut() -> Box<dyn Agent>,
    envs: Vec<E>,
    steps: u64,
) -> Result<u64, AgentViolation> {
    let mut vec_env = VecEnv::new(envs, Seed::new(Purpose::Train, 0));
    let lanes = vec_env.num_lanes();
    let num_actions = vec_env.spec().num_actions();
    let mut buffers = StepBuffers::new(lanes, vec_env.spec());
    let mut actions = [(); 3].map(|()| vec![ActionId::default(); lanes]);
    let (mut agent, mut twin, mut heir) = (make_agent(), make_agent(), make_agent());
    let mut check = Check { decisions: 0 };
    let rows = buffers.rows();
    check.ok("an environment shows its first rows", vec_env.observe_into(rows.observations, rows.masks))?;
    check.refusals(make_agent().as_mut(), &buffers)?;

    let mut updates = 0;
    for step in 0..steps {
        let rows = buffers.rows();
        let (observations, masks) = (&*rows.observations, &*rows.masks);
        for (agent, actions) in [&mut agent, &mut twin, &mut heir].into_iter().zip(&mut actions) {
            check.ok("a learner explores", agent.explore(observations, masks, actions))?;
        }
        for (lane, action) in actions[0].iter().enumerate() {
            let legal = &masks[lane * num_actions..][..num_actions];
            let is_legal = legal.get(action.index()).copied().unwrap_or(false);
            check.expect(is_legal, "exploring keeps to the mask", || {
                format!("lane {lane}: action {}", action.0)
            })?;
        }
        check.expect(actions[0] == actions[1], "two learners made alike explore alike", || {
            format!("{actions:?}")
        })?;
        check.expect(actions[0] == actions[2], "a restored learner explores as the saved one", || {
            format!("{actions:?}")
        })?;
        check.ok("a legal step is taken", vec_env.step_into(&actions[0], buffers.rows()))?;
        check.decisions += lanes as u64;
        let mut learnt = Vec::with_capacity(3);
        for agent in [&mut agent, &mut twin, &mut heir] {
            check.ok("what followed is recorded", agent.record(&actions[0], &buffers))?;
            learnt.push(check.ok("a learner learns", agent.update())?);
        }
        let is_alike = learnt[0] == learnt[1] && learnt[0] == learnt[2];
        check.expect(is_alike, "learners alike report alike", || format!("{learnt:?}"))?;
        check.expect(agent.decisions() == check.decisions, "decisions are counted", || {
            format!("{} instead of {}", agent.decisions(), check.decisions)
        })?;
        if let Some(metrics) = &learnt[0] {
            updates += 1;
            for (name, value) in metrics.iter() {
                let is_good =
                    value.is_finite() && ["train/", "rollout/"].iter().any(|path| name.starts_with(path));
                check
                    .expect(is_good, "metrics are finite and have a path", || format!("{name} is {value}"))?;
            }
        }
        if step % SAVED_EVERY == 0 {
            heir = make_agent();
            check.ok("a saved state is loaded", heir.load(agent.save()))?;
            check.expect(heir.save() == agent.save(), "a loaded state is the saved one", || {
                "it differs".into()
            })?;
            check.policies_are_alike(&[agent.as_ref(), twin.as_ref(), heir.as_ref()], &vec_env)?;
        }
    }
    check.expect(updates > 0, "a learner learns sooner or later", || format!("not in {steps} steps"))?;
    Ok(updates)
}

struct Check {
    decisions: u64,
}

impl Check {
    fn expect(
        &self,
        holds: bool,
        rule: &'static str,
        found: impl FnOnce() -> String,
    ) -> Result<(), AgentViolation> {
        if holds { Ok(()) } else { Err(AgentViolation { decisions: self.decisions, rule, found: found() }) }
    }

    fn ok<T, F: ToString>(&self, rule: &'static str, outcome: Result<T, F>) -> Result<T, AgentViolation> {
        let decisions = self.decisions;
        outcome.map_err(|error| AgentViolation { decisions, rule, found: error.to_string() })
    }

    /// Makes sure that what is asked for wrongly is refused, and changes nothing.
    fn refusals(&self, agent: &mut dyn Agent, buffers: &StepBuffers) -> Result<(), AgentViolation> {
        let before = agent.save();
        let rows = buffers.observations.as_slice().unwrap_or_default();
        let masks: Vec<bool> = buffers.masks.iter().copied().collect();
        let mut actions = vec![ActionId::default(); buffers.rewards.len()];
        let short = agent.explore(&rows[1..], &masks, &mut actions);
        let is_refused = |outcome: &Result<(), AgentError>| matches!(outcome, Err(AgentError::Refused(_)));
        self.expect(is_refused(&short), "a row too few is refused", || format!("{short:?}"))?;
        let mut bad = buffers.clone();
        bad.rewards[0] = f64::NAN;
        let nan = agent.record(&actions, &bad);
        self.expect(is_refused(&nan), "a reward that is no number is refused", || format!("{nan:?}"))?;
        self.expect(agent.save() == before, "what is refused changes nothing", || {
            "the state differs".into()
        })?;
        let nothing = agent.explore(rows, &vec![false; masks.len()], &mut actions);
        self.expect(is_refused(&nothing), "a mask that forbids everything is refused", || {
            format!("{nothing:?}")
        })
    }

    /// Frozen policies of learners alike are alike, and choose what is legal.
    fn policies_are_alike<E: Env<Action = ActionId> + Clone + Send>(
        &self,
        agents: &[&dyn Agent],
        vec_env: &VecEnv<E>,
    ) -> Result<(), AgentViolation> {
        let mut nets = Vec::with_capacity(agents.len());
        for agent in agents {
            nets.push(self.ok("a policy is frozen", agent.policy())?);
        }
        let is_alike = nets.iter().all(|net| *net == nets[0]);
        self.expect(is_alike, "learners alike have one policy", || "the nets differ".into())?;
        let mut policy = NetPolicy::new("frozen", Arc::new(nets.swap_remove(0)));
        let mut draws = Seed::new(Purpose::Test, 0).stream(Stream::Policy);
        let mut mask = vec![false; vec_env.spec().num_actions()];
        for lane in 0..vec_env.num_lanes() {
            let observation = vec_env.env(lane).observation();
            let action = Policy::<E>::act(&mut policy, observation, &mut draws);
            observation.mask(&mut mask);
            let is_legal = mask.get(action.index()).copied().unwrap_or(false);
            self.expect(is_legal, "a frozen policy keeps to the mask", || format!("action {}", action.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(feature = "torch")]
mod tests {
    use super::*;
    use crate::learn::config::AgentConfig;
    use crate::learn::dqn_config::DqnConfig;
    use crate::learn::ppo_config::PpoConfig;
    use crate::learn::state::{AgentState, StateError};
    use crate::net_policy::Mlp;
    use crate::tests::anchors::probes;
    use thoughtcache_env::gym::decision_env::DecisionEnv;
    use thoughtcache_env::scenario::Scenario;

    fn learners() -> [(&'static str, AgentConfig); 2] {
        let ppo =
            PpoConfig { n_envs: 4, n_steps: 16, batch_size: 24, net_arch: vec![16], ..PpoConfig::default() };
        let dqn = DqnConfig {
            n_envs: 4,
            batch_size: 16,
            buffer_size: 200,
            learning_starts: 64,
            net_arch: vec![16],
            ..DqnConfig::default()
        };
        [("ppo", ppo.into()), ("dqn", dqn.into())]
    }

    fn make<E: Env<Action = ActionId>>(config: &AgentConfig, env: &E, steps: u64) -> Box<dyn Agent> {
        config.build(env.spec(), 4 * steps, Seed::new(Purpose::Train, 1)).unwrap()
    }

    #[test]
    fn both_learners_keep_the_contract_in_the_probe_worlds_and_on_tight() {
        for (name, config) in learners() {
            for probe in probes::probe_registry() {
                let env = probe.env();
                let checked = check_agent(|| make(&config, &env, 60), vec![env.clone(); 4], 60);
                assert!(checked.as_ref().is_ok_and(|&updates| updates > 0), "{name}: {checked:?}");
            }
            let env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
            let checked = check_agent(|| make(&config, &env, 160), vec![env.clone(); 4], 160);
            assert!(checked.as_ref().is_ok_and(|&updates| updates > 0), "{name}: {checked:?}");
        }
    }

    /// A learner that does one thing wrong.
    struct Faulty {
        inner: Box<dyn Agent>,
        fault: &'static str,
        calls: u64,
    }

    impl Agent for Faulty {
        fn explore(
            &mut self,
            rows: &[f32],
            masks: &[bool],
            actions: &mut [ActionId],
        ) -> Result<(), AgentError> {
            self.inner.explore(rows, masks, actions)?;
            self.calls += 1;
            if self.fault == "breaks the mask" && self.calls == 20 {
                actions[1] = ActionId(1_000);
            }
            Ok(())
        }
        fn record(&mut self, actions: &[ActionId], step: &StepBuffers) -> Result<(), AgentError> {
            if self.fault == "swallows NaN" && !step.rewards[0].is_finite() {
                return Ok(());
            }
            self.inner.record(actions, step)
        }
        fn update(&mut self) -> Result<Option<super::super::agent::Metrics>, AgentError> {
            let metrics = self.inner.update()?;
            Ok(metrics.map(|mut metrics| {
                if self.fault == "reports nonsense" {
                    metrics.push("train/nonsense", f64::INFINITY);
                }
                metrics
            }))
        }
        fn demonstrate(
            &mut self,
            rows: &[f32],
            masks: &[bool],
            actions: &[ActionId],
        ) -> Result<usize, AgentError> {
            self.inner.demonstrate(rows, masks, actions)
        }
        fn imitate(&mut self) -> Result<Option<super::super::agent::Metrics>, AgentError> {
            self.inner.imitate()
        }
        fn begin_learning(&mut self) {
            self.inner.begin_learning();
        }
        fn policy(&self) -> Result<Mlp, AgentError> {
            self.inner.policy()
        }
        fn decisions(&self) -> u64 {
            self.inner.decisions()
        }
        fn save(&self) -> AgentState {
            self.inner.save()
        }
        fn load(&mut self, state: AgentState) -> Result<(), StateError> {
            if self.fault == "forgets what it loads" { Ok(()) } else { self.inner.load(state) }
        }
    }

    #[test]
    fn every_fault_is_found_and_called_by_its_name() {
        let (_, config) = &learners()[0];
        let env = probes::echo().env();
        for (fault, rule) in [
            ("breaks the mask", "exploring keeps to the mask"),
            ("swallows NaN", "a reward that is no number is refused"),
            ("reports nonsense", "metrics are finite and have a path"),
            ("forgets what it loads", "a loaded state is the saved one"),
        ] {
            let agent =
                || Box::new(Faulty { inner: make(config, &env, 60), fault, calls: 0 }) as Box<dyn Agent>;
            let violation = check_agent(agent, vec![env.clone(); 4], 60).unwrap_err();
            assert_eq!(violation.rule, rule, "{fault}: {violation}");
        }
    }
}
