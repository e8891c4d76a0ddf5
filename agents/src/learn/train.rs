//! The loop of a run: explore, step, record, learn, and now and then validate.
//!
//! Nothing here knows files or clocks: an [`Observer`] hears what happens, keeps what has to be kept and says how good a
//! policy is. The budget is exact, and the same seed and configuration give the same bytes. So does a run that was stopped
//! and resumed, as often as one likes: when it validates and what it keeps depends on its decisions alone.
//!
//! ```text
//! a step:  explore, step the lanes, record, learn -> on_episode*, on_update?
//!          then, where eval_freq says so and at the end: validate
//!          then, where checkpoint_freq says so and at the end: checkpoint
//! stopped: checkpoint, unless the last step has just done it; a run that is stopped while it validates begins that validation
//!          again when it goes on
//! ```

use super::agent::Agent;
use super::config::{AgentConfig, LearnerConfig, WarmStartConfig};
use super::dqn::DqnAgent;
use super::input_baseline::InputBaseline;
use super::observer::count_episodes;
use super::ppo::PpoAgent;
use super::run_print::RunPrint;
use super::warm_start::{self, Teacher};
use crate::net_policy::Mlp;
use std::error::Error;
use thoughtcache_env::gym::api::{ActionId, Env, EnvSpec};
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::invalid::Invalid;
use thoughtcache_env::random::{Purpose, Seed};

mod run_state;

pub use super::observer::{Episode, Observer, TrainerState, WarmStartReport};
pub use super::train_error::TrainError;

/// Settings of a run that its learner does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TrainSettings {
    /// Decisions of all lanes together; a multiple of the number of lanes.
    pub budget: u64,
    /// Decisions between two validations; 0: only at the end, where there is always one.
    pub eval_freq: u64,
    /// Decisions between two checkpoints; 0: only when the run ends or is stopped, when there is always one. What a run
    /// makes does not depend on it.
    pub checkpoint_freq: u64,
    /// The number of the run, `--seed`.
    pub run: u64,
}

/// The best policy of a run so far.
#[derive(Clone, Debug)]
pub struct Best {
    /// The policy.
    pub policy: Mlp,
    /// Its mean cost in validation.
    pub score: f64,
    /// The decisions after which it was the learner's policy.
    pub decisions: u64,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The policy with the least validation cost, the earliest of equals; `None` when the observer stopped the run before a
    /// policy was validated.
    pub best: Option<Best>,
    /// The policy at the end.
    pub last: Mlp,
    /// The decisions taken: the budget, unless the observer stopped the run.
    pub decisions: u64,
    /// Whether nothing is left to do: the budget is spent and the last policy is validated.
    pub is_complete: bool,
    /// A digest of all that happened in the lanes.
    pub trajectory_hash: u64,
}

impl AgentConfig {
    /// Makes the learner for environments with this spec.
    ///
    /// # Errors
    /// When the configuration cannot be meant.
    pub fn build(&self, spec: &EnvSpec, budget: u64, seed: Seed) -> Result<Box<dyn Agent>, Invalid> {
        Ok(match &self.learner {
            LearnerConfig::Ppo(config) => Box::new(PpoAgent::new(config, spec, budget, seed)?),
            LearnerConfig::Dqn(config) => Box::new(DqnAgent::new(config, spec, budget, seed)?),
        })
    }
}

/// Trains a learner on copies of an environment; `make_env` makes the copy of a lane.
///
/// # Errors
/// [`TrainError`]: a value that cannot be meant, an environment or a learner that fails, a policy that cannot be
/// validated, a state that cannot be kept. A warm start needs its rule: see [`train_after`].
pub fn train<E: Env<Action = ActionId> + Clone + Send>(
    config: &AgentConfig,
    make_env: impl FnMut(usize) -> E,
    settings: TrainSettings,
    observer: &mut impl Observer,
) -> Result<Trained, TrainError> {
    train_after(config, make_env, |_| None, settings, observer)
}

/// Trains a learner that may begin with a warm start; `make_teacher` makes an instance of the rule of this name.
///
/// # Errors
/// As [`train`], and when the configuration names a rule that `make_teacher` does not know.
pub fn train_after<E: Env<Action = ActionId> + Clone + Send>(
    config: &AgentConfig,
    mut make_env: impl FnMut(usize) -> E,
    mut make_teacher: impl FnMut(&str) -> Option<Teacher<E>>,
    settings: TrainSettings,
    observer: &mut impl Observer,
) -> Result<Trained, TrainError> {
    let mut run = Run::new(config, &mut make_env, settings)?;
    if let Some(WarmStartConfig { policy, .. }) = &config.warm_start {
        let (lanes, agent) = (config.num_lanes(), run.agent.as_mut());
        let teachers: Option<Vec<Teacher<E>>> = (0..lanes).map(|_| make_teacher(policy)).collect();
        let mut teachers = teachers.ok_or_else(|| {
            Invalid::new("warm_start", format!("\"{policy}\""), "a rule that plays in this environment")
        })?;
        let envs = (0..lanes).map(&mut make_env).collect();
        warm_start::imitate(agent, config, envs, &mut teachers, settings.run, observer)?;
        // What was learnt so far is not lost when the run is ended before its first checkpoint.
        run.checkpoint(observer)?;
    }
    run.go_on(observer)
}

/// Goes on with a run from a state that its [`Observer::checkpoint`] was given: what follows is what would have followed.
/// `trainer` and `replay` are [`TrainerState::trainer`] and [`TrainerState::replay`]; everything else is as it was at the
/// beginning of the run, but for `checkpoint_freq`, which may be another.
///
/// # Errors
/// As [`train`], and [`TrainError::State`] when the state is damaged, of another run, or that of a complete one.
pub fn resume<E: Env<Action = ActionId> + Clone + Send>(
    config: &AgentConfig,
    make_env: impl FnMut(usize) -> E,
    settings: TrainSettings,
    observer: &mut impl Observer,
    trainer: &[u8],
    replay: Option<&[u8]>,
) -> Result<Trained, TrainError> {
    let mut run = Run::new(config, make_env, settings)?;
    run.restore(trainer, replay)?;
    // A state that waits for its validation is kept again after it.
    run.kept_after = Some(run.decisions).filter(|_| !run.must_validate);
    run.go_on(observer)
}

/// A run between two steps.
struct Run<E> {
    settings: TrainSettings,
    print: RunPrint,
    agent: Box<dyn Agent>,
    vec_env: VecEnv<E>,
    input_baseline: InputBaseline,
    buffers: StepBuffers,
    actions: Vec<ActionId>,
    /// Sums over the episodes that are being played.
    episodes: Vec<Episode>,
    best: Option<Best>,
    decisions: u64,
    /// Whether the next thing to do is to validate the policy of this moment.
    must_validate: bool,
    /// The decisions after which the observer has kept the run last.
    kept_after: Option<u64>,
}

impl<E: Env<Action = ActionId> + Clone + Send> Run<E> {
    fn new(
        config: &AgentConfig,
        make_env: impl FnMut(usize) -> E,
        settings: TrainSettings,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let lanes = config.num_lanes();
        let TrainSettings { budget, eval_freq, run, .. } = settings;
        check_budget(budget, lanes as u64)?;
        let seed = Seed::new(Purpose::Train, run);
        let mut envs: Vec<E> = (0..lanes).map(make_env).collect();
        let input_baseline = InputBaseline::new(config.input_baseline, &mut envs)?;
        let vec_env = VecEnv::new(envs, seed);
        let agent = config.build(vec_env.spec(), budget, seed)?;
        Ok(Self {
            settings,
            print: RunPrint::new(config, budget, eval_freq, run, vec_env.spec()),
            agent,
            buffers: StepBuffers::new(lanes, vec_env.spec()),
            vec_env,
            input_baseline,
            actions: vec![ActionId::default(); lanes],
            episodes: vec![Episode::default(); lanes],
            best: None,
            decisions: 0,
            must_validate: false,
            kept_after: None,
        })
    }

    fn go_on(mut self, observer: &mut impl Observer) -> Result<Trained, TrainError> {
        let rows = self.buffers.rows();
        let seen = self.vec_env.observe_into(rows.observations, rows.masks);
        seen.map_err(|source| self.failed(source))?;
        while !self.is_complete() {
            if observer.should_stop() {
                if self.kept_after != Some(self.decisions) {
                    self.checkpoint(observer)?;
                }
                break;
            }
            self.step(observer)?;
        }
        let is_complete = self.is_complete();
        if self.best.is_none() && !self.must_validate {
            // The run was stopped early. The state that was kept does not know of this validation.
            self.validate(observer)?;
        }
        let last = self.policy()?;
        let trajectory_hash = self.vec_env.trajectory_hash();
        Ok(Trained { best: self.best, last, decisions: self.decisions, is_complete, trajectory_hash })
    }

    fn is_complete(&self) -> bool {
        self.decisions == self.settings.budget && !self.must_validate
    }

    /// One decision a lane, and what is due after it. A validation that was stopped stays due.
    fn step(&mut self, observer: &mut impl Observer) -> Result<(), TrainError> {
        if !self.must_validate {
            self.decide(observer)?;
            self.must_validate = self.is_due(self.settings.eval_freq);
        }
        if self.must_validate && !self.validate(observer)? {
            return Ok(());
        }
        if self.is_due(self.settings.checkpoint_freq) {
            self.checkpoint(observer)?;
        }
        Ok(())
    }

    /// One decision a lane, and an update if there is enough to learn from.
    fn decide(&mut self, observer: &mut impl Observer) -> Result<(), TrainError> {
        let now = self.buffers.rows();
        let explored = self.agent.explore(now.observations, now.masks, &mut self.actions);
        explored.map_err(|source| self.failed(source))?;
        let stepped = self.vec_env.step_into(&self.actions, self.buffers.rows());
        stepped.map_err(|source| self.failed(source))?;
        self.decisions += self.actions.len() as u64;
        let decisions = self.decisions;
        let agent = self.agent.as_mut();
        let recorded = self.input_baseline.record(agent, &self.actions, &mut self.buffers);
        let learnt = recorded.and_then(|()| self.agent.update());
        let learnt = learnt.map_err(|source| self.failed(source))?;
        count_episodes(&mut self.episodes, &self.buffers, |episode| observer.on_episode(decisions, episode));
        if let Some(metrics) = learnt {
            observer.on_update(decisions, &metrics);
        }
        Ok(())
    }

    /// Whether something that happens every `freq` decisions, and at the end, is due after this step.
    fn is_due(&self, freq: u64) -> bool {
        let lanes = self.actions.len() as u64;
        self.decisions == self.settings.budget || is_mark(self.decisions, freq, lanes)
    }

    fn checkpoint(&mut self, observer: &mut impl Observer) -> Result<(), TrainError> {
        let (decisions, state) = (self.decisions, self.state()?);
        observer.checkpoint(&state).map_err(|source| {
            TrainError::failed(format!("checkpoint after {decisions} decisions"), source)
        })?;
        self.kept_after = Some(decisions);
        Ok(())
    }

    fn failed(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> TrainError {
        TrainError::failed(format!("after {} decisions", self.decisions), source)
    }

    fn policy(&self) -> Result<Mlp, TrainError> {
        self.agent.policy().map_err(|source| self.failed(source))
    }

    /// Freezes and validates the policy of this moment, and keeps it if it is better than the best before. Returns whether
    /// the validation came to its end.
    fn validate(&mut self, observer: &mut impl Observer) -> Result<bool, TrainError> {
        let (policy, decisions) = (self.policy()?, self.decisions);
        let score = match observer.validate(&policy, decisions) {
            Ok(None) => return Ok(false),
            Ok(Some(score)) if score.is_nan() => Err("the mean cost is NaN".into()),
            Ok(Some(score)) => Ok(score),
            Err(source) => Err(source),
        };
        let score = score.map_err(|source| {
            TrainError::failed(format!("validation after {decisions} decisions"), source)
        })?;
        if self.best.as_ref().is_none_or(|best| score < best.score) {
            self.best = Some(Best { policy, score, decisions });
        }
        self.must_validate = false;
        Ok(true)
    }
}

/// Whether the step that led to `decisions` has passed a multiple of `freq`; never for 0.
fn is_mark(decisions: u64, freq: u64, lanes: u64) -> bool {
    freq > 0 && decisions / freq > decisions.saturating_sub(lanes) / freq
}

fn check_budget(budget: u64, lanes: u64) -> Result<(), Invalid> {
    if budget > 0 && budget.is_multiple_of(lanes) {
        return Ok(());
    }
    let below = budget / lanes * lanes;
    let nearest = match (below, below.checked_add(lanes)) {
        (0, _) => format!("the least is {lanes}"),
        (below, Some(above)) => format!("the nearest are {below} and {above}"),
        (below, None) => format!("the greatest is {below}"),
    };
    Err(Invalid::new("decisions", budget, format!("multiples of n_envs = {lanes}; {nearest}")))
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod nan_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod tests;
