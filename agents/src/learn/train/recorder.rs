//! For tests: small runs, and an observer that writes everything down.

use super::*;
use crate::learn::agent::Metrics;
use crate::learn::dqn_config::DqnConfig;
use crate::learn::ppo_config::PpoConfig;
use crate::net_policy::Scratch;
use std::error::Error;
use std::sync::Arc;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;

/// What an observer can hear.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    WarmStart(WarmStartReport),
    Update(u64, Metrics),
    Episode(u64, Episode),
    Validation(u64, Mlp),
    Checkpoint(TrainerState),
}

/// Writes everything down, and stops the run after so many steps or in the validation after so many.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) heard: Vec<Heard>,
    pub(crate) steps_left: Option<u64>,
    pub(crate) validations_left: Option<u64>,
}

impl Recorder {
    pub(crate) fn stopping_after(steps: u64) -> Self {
        Self { steps_left: Some(steps), ..Self::default() }
    }

    pub(crate) fn stopping_in_validation(number: u64) -> Self {
        Self { validations_left: Some(number), ..Self::default() }
    }

    /// Every state that was kept, with what was heard after it.
    pub(crate) fn checkpoints(&self) -> Vec<(&TrainerState, &[Heard])> {
        let kept = |(at, heard): (usize, &'_ Heard)| match heard {
            Heard::Checkpoint(_) => Some(at),
            _ => None,
        };
        let places = self.heard.iter().enumerate().filter_map(kept);
        places
            .map(|at| match &self.heard[at] {
                Heard::Checkpoint(state) => (state, &self.heard[at + 1..]),
                _ => unreachable!("places of checkpoints only"),
            })
            .collect()
    }

    /// Everything but the checkpoints.
    pub(crate) fn but_checkpoints(&self) -> Vec<Heard> {
        self.heard.iter().filter(|heard| !matches!(heard, Heard::Checkpoint(_))).cloned().collect()
    }

    pub(crate) fn last_state(&self) -> TrainerState {
        self.checkpoints().last().unwrap().0.clone()
    }
}

impl Observer for Recorder {
    fn on_update(&mut self, decisions: u64, metrics: &Metrics) {
        self.heard.push(Heard::Update(decisions, metrics.clone()));
    }
    fn on_warm_start(&mut self, report: &WarmStartReport) {
        self.heard.push(Heard::WarmStart(report.clone()));
    }
    fn on_episode(&mut self, decisions: u64, episode: &Episode) {
        self.heard.push(Heard::Episode(decisions, *episode));
    }
    fn checkpoint(&mut self, state: &TrainerState) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.heard.push(Heard::Checkpoint(state.clone()));
        Ok(())
    }
    fn should_stop(&mut self) -> bool {
        match &mut self.steps_left {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
    fn validate(
        &mut self,
        policy: &Mlp,
        decisions: u64,
    ) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        match &mut self.validations_left {
            None => {}
            Some(0) => {
                self.steps_left = Some(0);
                return Ok(None);
            }
            Some(left) => *left -= 1,
        }
        self.heard.push(Heard::Validation(decisions, policy.clone()));
        // Any number of the policy alone: sometimes better than before, sometimes worse.
        let mut out = vec![0.0; policy.num_actions()];
        policy.logits(&vec![0.5; policy.num_entries()], &mut Scratch::default(), &mut out);
        Ok(Some(out.iter().map(|&logit| (f64::from(logit) * 1e4).fract()).sum()))
    }
}

pub(crate) fn ppo() -> AgentConfig {
    AgentConfig::from(PpoConfig {
        n_envs: 4,
        n_steps: 8,
        batch_size: 12,
        n_epochs: 2,
        clip_range_vf: Some(0.5),
        target_kl: Some(0.05),
        learning_rate: 1e-2,
        reward_scale: 1.0,
        net_arch: vec![8],
        ..PpoConfig::default()
    })
}

pub(crate) fn dqn() -> AgentConfig {
    AgentConfig::from(DqnConfig {
        n_envs: 4,
        n_steps: 3,
        buffer_size: 100,
        batch_size: 9,
        learning_starts: 30,
        train_freq: 6,
        target_update_interval: 20,
        tau: 0.5,
        exploration_fraction: 0.5,
        learning_rate: 1e-2,
        reward_scale: 1.0,
        net_arch: vec![8],
        ..DqnConfig::default()
    })
}

/// `tight` with episodes of two slots.
pub(crate) fn tight() -> DecisionEnv {
    let short = [Override { key: "horizon_slots".into(), value: "2".into() }];
    let text = shipped::text("tight").unwrap();
    let (_, scenario) = Scenario::load("tight", text, &short, |path| Err(path.into())).unwrap();
    DecisionEnv::new(Arc::new(scenario))
}

/// Checkpoints fall into rollouts of 32 decisions, into windows of three, and between validations.
pub(crate) const SETTINGS: TrainSettings =
    TrainSettings { budget: 204, eval_freq: 48, checkpoint_freq: 20, run: 1 };

pub(crate) type Outcome = Result<(Trained, Recorder), TrainError>;

pub(crate) fn run<E: Env<Action = ActionId> + Clone + Send>(
    config: &AgentConfig,
    env: &E,
    settings: TrainSettings,
    mut recorder: Recorder,
) -> Outcome {
    let trained = train(config, |_| env.clone(), settings, &mut recorder)?;
    Ok((trained, recorder))
}

pub(crate) fn go_on<E: Env<Action = ActionId> + Clone + Send>(
    config: &AgentConfig,
    env: &E,
    settings: TrainSettings,
    mut recorder: Recorder,
    state: &TrainerState,
) -> Outcome {
    let (trainer, replay) = (&state.trainer, state.replay.as_deref());
    let ended = resume(config, |_| env.clone(), settings, &mut recorder, trainer, replay)?;
    Ok((ended, recorder))
}
