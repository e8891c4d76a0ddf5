//! Behaviour cloning: before it learns, a learner watches a rule and learns to do the same.
//!
//! # Idea
//! Where one refusal alone never pays, a learner that starts from chance ends at "always load" (MODEL section 2). A rule that
//! already refuses shows the way, and the learner betters it. The rule plays training episodes in lanes of its own, which no
//! later lane plays again; rewards teach the critic (or the action values) at the same time.
//!
//! # Reference
//! Pomerleau, "Efficient training of artificial neural networks for autonomous navigation", Neural Computation 3 (1991).

use super::agent::{Agent, AgentError};
use super::config::AgentConfig;
use super::input_baseline::InputBaseline;
use super::observer::{Observer, WarmStartReport};
use super::train_error::TrainError;
use crate::policy::Policy;
use thoughtcache_env::gym::api::{ActionId, Env, EnvError};
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};

/// A rule that can be watched.
pub type Teacher<E> = Box<dyn Policy<E> + Send>;

/// Lets one instance of a rule play in each of `envs` until as many decisions as `config` says have been watched, and lets the
/// agent learn to do the same.
///
/// # Errors
/// When an environment or the learner fails, or the observer stops the run, which leaves nothing to go on from.
///
/// # Panics
/// When there is not one teacher an environment.
pub(super) fn imitate<E: Env<Action = ActionId> + Send>(
    agent: &mut dyn Agent,
    config: &AgentConfig,
    mut envs: Vec<E>,
    teachers: &mut [Teacher<E>],
    run: u64,
    observer: &mut impl Observer,
) -> Result<(), TrainError> {
    let decisions = config.warm_start.as_ref().map_or(0, |warm_start| warm_start.decisions);
    let mut input_baseline = InputBaseline::new(config.input_baseline, &mut envs)?;
    assert_eq!(envs.len(), teachers.len(), "one teacher an environment");
    let lanes = envs.len();
    let place = "while the rule of the warm start was watched";
    let failed = |source: AgentError| TrainError::failed(place, source);
    let refused = |source: EnvError| TrainError::failed(place, source);
    // Lanes beyond those of the run: nothing that is watched is met again.
    let seed = |lane: usize| Seed::new(Purpose::Train, run).with_lane((lanes + lane) as u32);
    let mut vec_env = VecEnv::with_first_lane(envs, Seed::new(Purpose::Train, run), lanes as u32);
    let mut draws: Vec<SimRng> = (0..lanes).map(|lane| seed(lane).stream(Stream::Policy)).collect();
    let mut buffers = StepBuffers::new(lanes, vec_env.spec());
    let mut actions = vec![ActionId::default(); lanes];
    let (mut watched, mut same, mut counted) = (0, 0, 0);
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).map_err(refused)?;
    for teacher in teachers.iter_mut() {
        teacher.begin_episode();
    }
    while watched < decisions {
        if observer.should_stop() {
            return Err(TrainError::StoppedInWarmStart);
        }
        for (lane, action) in actions.iter_mut().enumerate() {
            *action = teachers[lane].act_in(vec_env.env(lane), &mut draws[lane]);
        }
        let rows = buffers.rows();
        same += agent.demonstrate(rows.observations, rows.masks, &actions).map_err(failed)?;
        vec_env.step_into(&actions, buffers.rows()).map_err(refused)?;
        watched += lanes as u64;
        counted += lanes;
        let learnt = input_baseline
            .record(agent, &actions, &mut buffers)
            .and_then(|()| agent.imitate())
            .map_err(failed)?;
        for (lane, teacher) in teachers.iter_mut().enumerate() {
            if buffers.terminated[lane] || buffers.truncated[lane] {
                teacher.begin_episode();
            }
        }
        if let Some(metrics) = learnt {
            let agreement = same as f64 / counted as f64;
            observer.on_warm_start(&WarmStartReport { decisions: watched, agreement, metrics });
            (same, counted) = (0, 0);
        }
    }
    agent.begin_learning();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Algorithm;
    use crate::evaluate::{Contender, Hooks, PolicyKind, Protocol, evaluate};
    use crate::heuristics::registry::Prepared;
    use crate::learn::config::WarmStartConfig;
    use crate::learn::dqn_config::DqnConfig;
    use crate::learn::ppo_config::PpoConfig;
    use crate::learn::train::{TrainSettings, Trained, train, train_after};
    use crate::net_policy::{Mlp, NetPolicy};
    use std::error::Error;
    use std::sync::Arc;
    use thoughtcache_env::gym::decision_env::DecisionEnv;
    use thoughtcache_env::scenario::Scenario;

    #[derive(Default)]
    struct Notes {
        reports: Vec<WarmStartReport>,
        stops: bool,
    }

    impl Observer for Notes {
        fn on_warm_start(&mut self, report: &WarmStartReport) {
            self.reports.push(report.clone());
        }
        fn should_stop(&mut self) -> bool {
            self.stops && !self.reports.is_empty()
        }
        fn validate(&mut self, _: &Mlp, _: u64) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
            Ok(Some(0.0))
        }
    }

    fn ppo() -> AgentConfig {
        PpoConfig { n_envs: 16, n_steps: 128, batch_size: 256, net_arch: vec![64], ..PpoConfig::default() }
            .into()
    }

    /// Learns nothing after the warm start.
    fn dqn() -> AgentConfig {
        let learning_starts = u64::MAX;
        DqnConfig { n_envs: 16, batch_size: 64, learning_starts, net_arch: vec![64], ..DqnConfig::default() }
            .into()
    }

    /// The replay buffer is no larger than the budget.
    fn settings(config: &AgentConfig) -> TrainSettings {
        let budget = if config.algorithm() == Algorithm::Dqn { 16_000 } else { 16 };
        TrainSettings { budget, run: 1, ..TrainSettings::default() }
    }

    /// A run that learns next to nothing after its warm start: what it knows, it knows from the rule.
    fn cloned(config: &AgentConfig, decisions: u64, notes: &mut Notes) -> Result<Trained, TrainError> {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let policy = "density".to_owned();
        let config =
            AgentConfig { warm_start: Some(WarmStartConfig { policy, decisions }), ..config.clone() };
        let rule = Prepared::new("density", &scenario).unwrap();
        let env = DecisionEnv::new(scenario);
        let settings = settings(&config);
        train_after(&config, |_| env.clone(), |_| Some(rule.instance()), settings, notes)
    }

    #[test]
    fn both_learners_do_as_the_rule_did() {
        let scenario = Arc::new(Scenario::shipped("tight"));
        let rule = Prepared::new("density", &scenario).unwrap();
        let mut contenders = vec![
            Contender::new("density", PolicyKind::Heuristic, move || rule.instance()),
            Contender::new("cloud-only", PolicyKind::Heuristic, {
                let rule = Prepared::new("cloud-only", &scenario).unwrap();
                move || rule.instance()
            }),
        ];
        for (name, config) in [("ppo", ppo()), ("dqn", dqn())] {
            let mut notes = Notes::default();
            let net = Arc::new(cloned(&config, 60_000, &mut notes).unwrap().last);
            contenders.push(Contender::new(name, config.algorithm().into(), move || {
                Box::new(NetPolicy::new(name, Arc::clone(&net)))
            }));
            let (first, last) = (&notes.reports[0], notes.reports.last().unwrap());
            assert!(first.agreement < 0.7, "{name}: {}", first.agreement);
            assert!(last.agreement > 0.85, "{name}: {}", last.agreement);
        }
        let protocol = Protocol::test(scenario, 7, 5);
        let evaluation = evaluate(&contenders, &protocol, Hooks::default()).unwrap();
        let cost = |at: usize| {
            let episodes = &evaluation.policies[at].episodes;
            episodes.iter().map(|episode| episode.cost.total()).sum::<f64>()
        };
        let (rule, elsewhere) = (cost(0), cost(1));
        for learner in [2, 3] {
            // Most of what the rule saves against serving nothing at the edge.
            let saved = (elsewhere - cost(learner)) / (elsewhere - rule);
            assert!(saved > 0.8, "{}: {saved}", evaluation.policies[learner].name);
        }
    }

    #[test]
    fn the_same_run_watches_the_same_and_a_run_begins_with_what_it_has_seen() {
        for config in [ppo(), dqn()] {
            let mut notes = Notes::default();
            let first = cloned(&config, 4_096, &mut notes).unwrap();
            assert!(first.last == cloned(&config, 4_096, &mut Notes::default()).unwrap().last);
            assert!(first.last != cloned(&config, 8_192, &mut Notes::default()).unwrap().last);
            let env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
            let settings = settings(&config);
            let cold = train(&config, |_| env.clone(), settings, &mut Notes::default()).unwrap();
            assert!(first.last != cold.last);
            assert_eq!(first.decisions, settings.budget, "what was watched is no part of the budget");
        }
    }

    #[test]
    fn what_is_watched_is_learnt_without_the_cost_of_the_input_where_that_is_asked_for() {
        for (config, loss) in [(ppo(), "warm_start/value_loss"), (dqn(), "warm_start/td_error")] {
            let first = |input_baseline: bool| {
                let mut notes = Notes::default();
                let config = AgentConfig { input_baseline, ..config.clone() };
                cloned(&config, 4_096, &mut notes).unwrap();
                let report = &notes.reports[0];
                (report.agreement, report.metrics.value(loss).unwrap())
            };
            let ((same, plain), (agreement, relative)) = (first(false), first(true));
            assert_eq!(agreement, same, "what the rule does is the same");
            assert!(relative < plain, "{loss}: {relative} {plain}");
        }
    }

    #[test]
    fn what_cannot_be_watched_is_an_error() {
        let mut notes = Notes { stops: true, ..Notes::default() };
        let stopped = cloned(&ppo(), 1_000_000, &mut notes).unwrap_err();
        assert!(matches!(stopped, TrainError::StoppedInWarmStart));
        assert_eq!(notes.reports.len(), 1);
        let env = DecisionEnv::new(Arc::new(Scenario::shipped("tight")));
        let settings = TrainSettings { budget: 16, run: 1, ..TrainSettings::default() };
        let warm_start = Some(WarmStartConfig { policy: "lru".into(), decisions: 5_000 });
        let config = AgentConfig { warm_start, ..ppo() };
        let error = train(&config, |_| env.clone(), settings, &mut Notes::default()).unwrap_err();
        assert_eq!(error.to_string(), "warm_start = \"lru\": a rule that plays in this environment");
    }
}
