//! Masked proximal policy optimisation.
//!
//! # Idea
//! Play `n_steps` decisions in every lane with the present policy, judge each decision by how much better it was than the
//! critic expected, and make good ones likelier for a few passes over the data, but never by more than a clipped ratio.
//!
//! # Target
//! The losses are in [`ppo_loss`](super::ppo_loss), the advantages in [`gae`](super::gae), what is reported in
//! [`ppo_metrics`](super::ppo_metrics).
//!
//! # Deviations from the paper
//! Discounting counts slots, not decisions. Illegal actions have probability 0 ([`categorical`]). Actor
//! and critic share nothing, so each computes on a thread of its own and the bits do not depend on how many threads there
//! are; only the clipping of the gradient looks at both. Advantages are normalised per minibatch, the step size falls to 0.
//!
//! # Reference
//! Schulman et al., arXiv 1707.06347, with the details of Huang et al., "The 37 implementation details of PPO" (2022).

use super::adam::{Adam, clip_global_norm};
use super::agent::{Agent, AgentError, Metrics, Named, check_finite};
use super::config::{hide, ignored_columns};
use super::dead_units::dead_units;
use super::net::{HeadSpec, Net, NetSpec, Parameter};
use super::ppo_config::PpoConfig;
use super::ppo_metrics::{Sums, explained_variance};
use super::rollout::{Rollout, Targets};
use super::state::{AgentState, StateDict, StateError};
use super::threads::use_torch_threads;
use super::{categorical, tensor_rows};
use crate::net_policy::{Mlp, num_agreeing};
use rand::RngExt;
use tch::{Tensor, no_grad_guard};
use thoughtcache_env::gym::api::{ActionId, EnvSpec};
use thoughtcache_env::gym::vec_env::StepBuffers;
use thoughtcache_env::invalid::Invalid;
use thoughtcache_env::random::{Seed, SimRng, Stream};

mod data;
mod imitation;
mod state;

use data::{PolicyData, ValueData, minibatch, seen};

/// A net and its optimiser.
#[derive(Debug)]
struct Trained {
    net: Net,
    adam: Adam,
}

impl Trained {
    fn new(name: &str, head: HeadSpec, spec: &EnvSpec, config: &PpoConfig, rng: &mut SimRng) -> Self {
        let shape = NetSpec {
            name: name.into(),
            inputs: spec.num_entries(),
            hidden: config.net_arch.clone(),
            activation: config.activation,
            heads: vec![head],
        };
        let net = Net::new(shape, rng);
        let adam = Adam::new(net.flat().numel(), config.adam_eps);
        Self { net, adam }
    }
}

/// The learner.
#[derive(Debug)]
pub struct PpoAgent {
    config: PpoConfig,
    num_actions: usize,
    budget: u64,
    decisions: u64,
    updates: u64,
    epochs: u64,
    hidden_columns: Vec<usize>,
    actor: Trained,
    critic: Trained,
    rollout: Rollout,
    logits: Vec<f32>,
    log_probs: Vec<f32>,
    acting: Vec<SimRng>,
    shuffling: SimRng,
}

impl PpoAgent {
    /// A learner for `config.n_envs` lanes of an environment with this spec, for `budget` decisions of all lanes together.
    ///
    /// # Errors
    /// When the configuration cannot be meant, or asks for more memory than there is.
    pub fn new(config: &PpoConfig, spec: &EnvSpec, budget: u64, seed: Seed) -> Result<Self, Invalid> {
        config.validate()?;
        let hidden_columns = ignored_columns("ppo.ignore_entries", &config.ignore_entries, spec)?;
        let (entries, actions, lanes) = (spec.num_entries(), spec.num_actions(), config.n_envs);
        let rollout = Rollout::new(config.n_steps, lanes, entries, actions, hidden_columns.clone())
            .map_err(|error| no_room(config, &error))?;
        let mut first_weights = seed.stream(Stream::Initialisation);
        let logits = HeadSpec::new("logits", actions, 0.01);
        let value = HeadSpec::new("value", 1, 1.0);
        Ok(Self {
            num_actions: actions,
            budget,
            decisions: 0,
            updates: 0,
            epochs: 0,
            actor: Trained::new("actor", logits, spec, config, &mut first_weights),
            critic: Trained::new("critic", value, spec, config, &mut first_weights),
            rollout,
            hidden_columns,
            logits: vec![0.0; lanes * actions],
            log_probs: vec![0.0; lanes],
            acting: (0..lanes).map(|lane| seed.with_lane(lane as u32).stream(Stream::Policy)).collect(),
            shuffling: seed.stream(Stream::Replay),
            config: config.clone(),
        })
    }

    /// The critic's value of a row, in unscaled reward.
    ///
    /// # Panics
    /// When the row has the wrong length.
    pub fn value(&self, row: &[f32]) -> f64 {
        let _guard = no_grad_guard();
        let mut row = row.to_vec();
        hide(&mut row, self.critic.net.spec().inputs, &self.hidden_columns);
        let value = self.critic.net.forward(&Tensor::from_slice(&row).view([1, -1]));
        value.double_value(&[0, 0]) / self.config.reward_scale
    }

    /// The parameters of actor and critic by name.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = self.actor.net.parameters();
        parameters.extend(self.critic.net.parameters());
        parameters
    }

    /// Begins a step of the rollout with what the lanes see, and computes the logits; gives the rows as the actor sees them.
    fn look(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        num_chosen: usize,
    ) -> Result<Tensor, AgentError> {
        let lanes = self.config.n_envs;
        AgentError::check_len("observations", observations.len(), lanes * self.actor.net.spec().inputs)?;
        AgentError::check_len("masks", masks.len(), self.logits.len())?;
        AgentError::check_len("actions", num_chosen, lanes)?;
        use_torch_threads(self.config.torch_threads);
        let _guard = no_grad_guard();
        let rows = self.rollout.begin_step(observations, masks);
        tensor_rows::read(&self.actor.net.forward(&rows).contiguous(), 0, &mut self.logits);
        Ok(rows)
    }

    fn is_time(&self) -> bool {
        self.rollout.steps() == self.config.n_steps
            || (self.decisions >= self.budget && !self.rollout.is_empty())
    }

    /// The critic's values of the rollout's rows, and what follows from them and from those of its final rows.
    fn judged(&self) -> (Vec<f32>, Targets) {
        let _guard = no_grad_guard();
        let evaluate =
            |rows: Tensor| tensor_rows::to_vec::<f32>(&self.critic.net.forward(&rows).contiguous());
        let mut values = evaluate(self.rollout.rows_with_next());
        let final_values = self.rollout.final_rows().map(evaluate).unwrap_or_default();
        let (gamma, lambda) = (self.config.gamma, self.config.gae_lambda);
        let targets = self.rollout.targets(&widen(&values), &widen(&final_values), gamma, lambda);
        values.truncate(self.rollout.len());
        (values, targets)
    }

    /// Learns from a whole rollout.
    fn learn(&mut self) -> Result<Metrics, AgentError> {
        use_torch_threads(self.config.torch_threads);
        let learning_rate = self.learning_rate();
        self.updates += 1;
        let (values, targets) = self.judged();
        let mut policy_data = PolicyData::new(&self.rollout, &targets);
        let mut value_data = ValueData::new(&self.rollout, &targets, &values);

        let mut sums = Sums::default();
        let mut order = targets.known.clone();
        let mut is_stopped = false;
        for _ in 0..self.config.n_epochs {
            shuffle(&mut order, &mut self.shuffling);
            for indices in order.chunks(self.config.batch_size) {
                let (config, actor, critic) = (&self.config, &mut self.actor, &mut self.critic);
                let ((policy, mut actor_gradient), (value_loss, mut critic_gradient)) = rayon::join(
                    || policy_data.gradient(&mut actor.net, indices, config),
                    || value_data.gradient(&mut critic.net, indices, config),
                );
                let failed = |bad| self.not_finite(bad, minibatch(&policy_data, &value_data, indices));
                let losses = [
                    ("train/policy_gradient_loss", policy.policy_gradient_loss),
                    ("train/entropy_loss", policy.entropy_loss),
                    ("train/value_loss", value_loss),
                    ("train/approx_kl", policy.approx_kl),
                ];
                check_finite(&losses).map_err(failed)?;
                is_stopped = config.target_kl.is_some_and(|target| policy.approx_kl > 1.5 * target);
                if is_stopped {
                    sums.add(config, &policy, value_loss, None);
                    break;
                }
                let norm =
                    clip_global_norm(&mut [&mut actor_gradient, &mut critic_gradient], config.max_grad_norm);
                check_finite(&[("train/grad_norm", norm)]).map_err(failed)?;
                sums.add(config, &policy, value_loss, Some(norm));
                let stepped = self.step([actor_gradient, critic_gradient], learning_rate);
                stepped.map_err(|bad| self.not_finite(bad, minibatch(&policy_data, &value_data, indices)))?;
            }
            self.epochs += 1;
            if is_stopped {
                break;
            }
        }
        let dead = dead_units(&[&self.actor.net, &self.critic.net], &self.rollout.observations());
        self.rollout.clear();
        let (said, returns): (Vec<f64>, Vec<f64>) = targets
            .known
            .iter()
            .map(|&at| (f64::from(values[at as usize]), targets.returns[at as usize]))
            .unzip();
        let explained = explained_variance(&said, &returns);
        let mut metrics = sums.metrics(explained, learning_rate, self.epochs);
        metrics.push("train/dead_units", dead);
        Ok(metrics)
    }

    /// Moves both nets against their gradients, or neither: the error is what would not be finite after it.
    fn step(
        &mut self,
        [actor_gradient, critic_gradient]: [Tensor; 2],
        learning_rate: f64,
    ) -> Result<(), Named> {
        let (actor, critic) = (&mut self.actor, &mut self.critic);
        let (actor_step, critic_step) = {
            // A tensor may be moved to another thread, but not be shared with one.
            let (actor, critic) = (&mut *actor, &mut *critic);
            rayon::join(
                move || actor.adam.prepare(actor.net.flat(), &actor_gradient, learning_rate),
                move || critic.adam.prepare(critic.net.flat(), &critic_gradient, learning_rate),
            )
        };
        let actor_step = actor_step.map_err(|sum| ("the actor after a step", sum))?;
        let critic_step = critic_step.map_err(|sum| ("the critic after a step", sum))?;
        actor.adam.take(actor.net.flat_mut(), actor_step);
        critic.adam.take(critic.net.flat_mut(), critic_step);
        Ok(())
    }

    fn not_finite(&self, (quantity, value): Named, batch: StateDict) -> AgentError {
        AgentError::NotFinite { quantity, value, update: self.updates, batch: batch.into_bytes() }
    }

    /// The step size of an update: that of the progress before its rollout, so that the first update has all of it and the
    /// last one still has some.
    fn learning_rate(&self) -> f64 {
        let before = self.decisions - self.rollout.len() as u64;
        self.config.learning_rate_schedule.value(self.config.learning_rate, before, self.budget)
    }
}

impl Agent for PpoAgent {
    fn explore(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        actions: &mut [ActionId],
    ) -> Result<(), AgentError> {
        let lanes = self.config.n_envs;
        let rows = self.look(observations, masks, actions.len())?;
        for (lane, action) in actions.iter_mut().enumerate() {
            let logits = &self.logits[lane * self.num_actions..][..self.num_actions];
            let legal = &masks[lane * self.num_actions..][..self.num_actions];
            let Some((chosen, log_prob)) = categorical::sample(logits, legal, &mut self.acting[lane]) else {
                let bad = logits.iter().zip(legal).find(|(logit, legal)| **legal && !logit.is_finite());
                let Some((&logit, _)) = bad else { return Err(AgentError::no_legal_action(lane)) };
                let batch = seen(&rows, masks, &self.logits, lanes);
                return Err(self.not_finite(("a logit", f64::from(logit)), batch));
            };
            *action = ActionId::from_index(chosen);
            self.log_probs[lane] = log_prob as f32;
        }
        Ok(())
    }

    fn record(&mut self, actions: &[ActionId], step: &StepBuffers) -> Result<(), AgentError> {
        AgentError::check_len("actions", actions.len(), self.config.n_envs)?;
        AgentError::check_len("rewards", step.rewards.len(), self.config.n_envs)?;
        AgentError::check_rewards(&step.rewards, self.config.reward_scale)?;
        let rewards = step.rewards.iter().map(|reward| reward * self.config.reward_scale);
        self.rollout.end_step(actions, &self.log_probs, rewards, step);
        self.decisions += self.config.n_envs as u64;
        Ok(())
    }

    fn update(&mut self) -> Result<Option<Metrics>, AgentError> {
        if !self.is_time() {
            return Ok(None);
        }
        // On a thread of the pool, so that the joins inside cost no hand-over.
        rayon::scope(|_| self.learn()).map(Some)
    }

    fn demonstrate(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        actions: &[ActionId],
    ) -> Result<usize, AgentError> {
        let _rows = self.look(observations, masks, actions.len())?;
        self.log_probs.fill(0.0);
        Ok(num_agreeing(&self.logits, masks, actions))
    }

    fn imitate(&mut self) -> Result<Option<Metrics>, AgentError> {
        if self.rollout.steps() < self.config.n_steps {
            return Ok(None);
        }
        rayon::scope(|_| self.learn_from_rule()).map(Some)
    }

    fn begin_learning(&mut self) {
        self.forget_imitation();
    }

    fn policy(&self) -> Result<Mlp, AgentError> {
        Ok(self.actor.net.to_mlp(0, None, self.hidden_columns.clone())?)
    }

    fn decisions(&self) -> u64 {
        self.decisions
    }

    fn save(&self) -> AgentState {
        self.to_state()
    }

    fn load(&mut self, state: AgentState) -> Result<(), StateError> {
        self.take_state(state)
    }
}

/// Returns what the user is told when the rollout does not fit.
fn no_room(config: &PpoConfig, error: &str) -> Invalid {
    Invalid::new("ppo.n_steps", config.n_steps, format!("what fits into memory ({error})"))
}

fn widen(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&number| f64::from(number)).collect()
}

/// A random order, each equally likely (Fisher and Yates).
fn shuffle(order: &mut [i64], rng: &mut SimRng) {
    for last in (1..order.len()).rev() {
        order.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests;
