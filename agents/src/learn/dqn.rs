//! DQN with masks: double, dueling, n-step.
//!
//! # Idea
//! A net learns what each action is worth (Mnih et al. 2015); the greedy policy takes the best **legal** one. Transitions of
//! all lanes go into one replay buffer, and a slowly moving copy of the net, the target net, says what the future is worth.
//!
//! # Target
//! `reward + discount * Q_target(s', best legal action)`; the loss is in [`dqn_loss`](super::dqn_loss), the n-step reward and
//! discount are in [`n_step`](super::n_step).
//!
//! # Deviations from the paper
//! Masks, in acting and in the target: an action that cannot be taken next has no say in what the present one is worth.
//! Adam, a clipped gradient and a target net that may follow smoothly (`tau`), as in Stable-Baselines3. Exploration chooses
//! among legal actions only. Intervals count decisions, not frames. A batch is learnt in two halves, each on a thread of its
//! own, whatever number of threads there is: the bits do not depend on it.
//!
//! # Reference
//! Mnih et al., Nature 518 (2015); double, dueling and n-step together: Hessel et al., arXiv 1710.02298.

use super::adam::{Adam, clip_global_norm};
use super::agent::{Agent, AgentError, Metrics, Named, check_finite};
use super::config::{hide, ignored_columns};
use super::dead_units::dead_units;
use super::dqn_config::DqnConfig;
use super::dqn_loss::{Nets, action_values};
use super::n_step::{NStep, Outcome};
use super::net::{HeadSpec, Net, NetSpec, Parameter};
use super::replay::{Batch, Replay};
use super::state::{AgentState, StateDict, StateError};
use super::tensor_rows;
use super::threads::use_torch_threads;
use crate::net_policy::{Mlp, best_legal, num_agreeing};
use rand::RngExt;
use tch::{Tensor, no_grad_guard};
use thoughtcache_env::gym::api::{ActionId, End, EnvSpec};
use thoughtcache_env::gym::vec_env::StepBuffers;
use thoughtcache_env::invalid::Invalid;
use thoughtcache_env::random::{Seed, SimRng, Stream};

mod imitation;
mod report;
mod state;

use report::{seen, transitions};

/// Gradient steps from one count of dead units to the next: a count costs a part of a step.
const DEAD_UNITS_EVERY: u64 = 100;

/// Names of the loss and of the norm of its gradient in the log.
const NAMES: [&str; 2] = ["train/loss", "train/grad_norm"];
/// Their names while a rule is imitated.
const IMITATION_NAMES: [&str; 2] = ["warm_start/loss", "warm_start/grad_norm"];

/// A learner of action values.
#[derive(Debug)]
pub struct DqnAgent {
    config: DqnConfig,
    budget: u64,
    num_actions: usize,
    num_entries: usize,
    hidden_columns: Vec<usize>,
    /// The same two nets twice: the second handles are for the second thread of an update.
    nets: [Nets; 2],
    adam: Adam,
    replay: Replay,
    n_steps: Vec<NStep>,
    acting: Vec<SimRng>,
    replay_rng: SimRng,
    /// The network's inputs when the lanes last chose.
    rows: Vec<f32>,
    /// The network's inputs after the chosen actions.
    next_rows: Vec<f32>,
    batches: [Batch; 2],
    decisions: u64,
    rounds: u64,
    target_updates: u64,
    updates: u64,
}

impl DqnAgent {
    /// A learner for `config.n_envs` lanes of an environment with this spec, for `budget` decisions of all lanes together.
    ///
    /// # Errors
    /// When the configuration cannot be meant, or asks for more memory than there is.
    pub fn new(config: &DqnConfig, spec: &EnvSpec, budget: u64, seed: Seed) -> Result<Self, Invalid> {
        config.validate()?;
        use_torch_threads(config.torch_threads);
        let hidden_columns = ignored_columns("dqn.ignore_entries", &config.ignore_entries, spec)?;
        let (num_entries, num_actions) = (spec.num_entries(), spec.num_actions());
        let capacity = config.buffer_size.min(usize::try_from(budget).unwrap_or(usize::MAX)).max(1);
        let replay = Replay::new(capacity, num_entries, num_actions).map_err(|error| {
            Invalid::new("dqn.buffer_size", config.buffer_size, format!("what fits into memory ({error})"))
        })?;
        let first = HeadSpec::new(if config.dueling { "advantage" } else { "q" }, num_actions, 0.01);
        let second = config.dueling.then(|| HeadSpec::new("value", 1, 0.01));
        let online = Net::new(
            NetSpec {
                name: "dqn".into(),
                inputs: num_entries,
                hidden: config.net_arch.clone(),
                activation: config.activation,
                heads: std::iter::once(first).chain(second).collect(),
            },
            &mut seed.stream(Stream::Initialisation),
        );
        let nets = Nets { target: online.duplicate(), online };
        let lanes = 0..config.n_envs as u32;
        Ok(Self {
            budget,
            num_actions,
            num_entries,
            hidden_columns,
            adam: Adam::new(nets.online.flat().numel(), config.adam_eps),
            nets: [nets.twin(), nets],
            replay,
            n_steps: vec![NStep::new(config.n_steps, config.gamma, num_entries); config.n_envs],
            acting: lanes.map(|lane| seed.with_lane(lane).stream(Stream::Policy)).collect(),
            replay_rng: seed.stream(Stream::Replay),
            rows: vec![0.0; config.n_envs * num_entries],
            next_rows: vec![0.0; config.n_envs * num_entries],
            batches: [Batch::default(), Batch::default()],
            decisions: 0,
            rounds: 0,
            target_updates: 0,
            updates: 0,
            config: config.clone(),
        })
    }

    /// Takes note of what the lanes see, as the net sees it.
    fn look(&mut self, observations: &[f32], masks: &[bool], num_chosen: usize) -> Result<(), AgentError> {
        let lanes = self.config.n_envs;
        AgentError::check_len("observations", observations.len(), lanes * self.num_entries)?;
        AgentError::check_len("masks", masks.len(), lanes * self.num_actions)?;
        AgentError::check_len("actions", num_chosen, lanes)?;
        use_torch_threads(self.config.torch_threads);
        self.rows.copy_from_slice(observations);
        hide(&mut self.rows, self.num_entries, &self.hidden_columns);
        Ok(())
    }

    /// The action values of rows (one after the other), lane by lane.
    fn values_of(&self, rows: &[f32]) -> Vec<f32> {
        let _guard = no_grad_guard();
        let rows = Tensor::from_slice(rows).view([-1, self.num_entries as i64]);
        tensor_rows::to_vec(&action_values(&self.nets[0].online, &rows).contiguous())
    }

    /// Returns the value of each action in a row, legal or not, in unscaled reward.
    ///
    /// # Panics
    /// When the row has the wrong length.
    pub fn action_values(&self, row: &[f32]) -> Vec<f64> {
        assert_eq!(row.len(), self.num_entries, "entries of a row");
        let mut row = row.to_vec();
        hide(&mut row, self.num_entries, &self.hidden_columns);
        let scaled = self.values_of(&row);
        scaled.into_iter().map(|value| f64::from(value) / self.config.reward_scale).collect()
    }

    /// The parameters of the online net by name.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.nets[0].online.parameters()
    }

    /// One gradient step on a batch of the replay buffer, with the margin while a rule is imitated; adds its loss, error, mean
    /// value and gradient length to `sums`. A batch without transitions teaches nothing.
    ///
    /// # Errors
    /// When a number is not finite: the step is not taken.
    fn learn(
        &mut self,
        is_imitating: bool,
        learning_rate: f64,
        sums: &mut [f64; 4],
    ) -> Result<(), AgentError> {
        let config = &self.config;
        let sizes = [config.batch_size.div_ceil(2), config.batch_size / 2];
        for (batch, size) in self.batches.iter_mut().zip(sizes) {
            self.replay.sample(size, &mut self.replay_rng, batch);
        }
        let [first, second] = &mut self.nets;
        let lesson = |nets: &mut Nets, batch: &Batch| {
            use_torch_threads(config.torch_threads);
            nets.lesson(batch, config.double_q, is_imitating)
        };
        let (lesson, other) =
            rayon::join(|| lesson(first, &self.batches[0]), || lesson(second, &self.batches[1]));
        let Some(lesson) = lesson else { return Ok(()) };
        let mut lesson = match other {
            Some(other) => lesson.joined(sizes[0], other, sizes[1]),
            None => lesson,
        };
        let norm = clip_global_norm(&mut [&mut lesson.gradient], config.max_grad_norm);
        let [loss_name, norm_name] = if is_imitating { IMITATION_NAMES } else { NAMES };
        let online = &mut self.nets[0].online;
        let step = check_finite(&[(loss_name, lesson.loss), (norm_name, norm)]).and_then(|()| {
            let step = self.adam.prepare(online.flat(), &lesson.gradient, learning_rate);
            step.map_err(|sum| ("the net after a step", sum))
        });
        let step = step
            .map_err(|bad| not_finite(bad, self.updates + 1, transitions(&self.batches, self.num_entries)))?;
        self.adam.take(online.flat_mut(), step);
        self.updates += 1;
        for (sum, value) in sums.iter_mut().zip([lesson.loss, lesson.td_error, lesson.mean_value, norm]) {
            *sum += value;
        }
        Ok(())
    }

    /// Learns until so many rounds of gradient steps are done, and moves the target net; returns the means of what
    /// [`learn`](Self::learn) adds up.
    fn learn_until(
        &mut self,
        rounds: u64,
        is_imitating: bool,
        learning_rate: f64,
    ) -> Result<[f64; 4], AgentError> {
        let before = self.updates;
        let mut sums = [0.0; 4];
        while self.rounds < rounds {
            for _ in 0..self.config.gradient_steps {
                self.learn(is_imitating, learning_rate, &mut sums)?;
            }
            self.rounds += 1;
        }
        self.follow();
        let count = (self.updates - before).max(1) as f64;
        Ok(sums.map(|sum| sum / count))
    }

    /// Moves the target net as often as has become due; several small moves at once are one greater move.
    fn follow(&mut self) {
        let due = self.decisions / self.config.target_update_interval;
        if due > self.target_updates {
            let nets = &mut self.nets[0];
            let moves = i32::try_from(due - self.target_updates).unwrap_or(i32::MAX);
            nets.target.follow(&nets.online, 1.0 - (1.0 - self.config.tau).powi(moves));
            self.target_updates = due;
        }
    }
}

impl Agent for DqnAgent {
    fn explore(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        actions: &mut [ActionId],
    ) -> Result<(), AgentError> {
        self.look(observations, masks, actions.len())?;
        let epsilon = self.config.epsilon(self.decisions, self.budget);
        let values = if epsilon < 1.0 { self.values_of(&self.rows) } else { vec![0.0; masks.len()] };
        for (lane, legal) in masks.chunks_exact(self.num_actions).enumerate() {
            let num_legal = legal.iter().filter(|&&legal| legal).count();
            let values = &values[lane * self.num_actions..][..self.num_actions];
            let best = best_legal(values, legal).ok_or_else(|| AgentError::no_legal_action(lane))?;
            let rng = &mut self.acting[lane];
            let chosen = if rng.random::<f64>() < epsilon {
                nth_legal(legal, rng.random_range(0..num_legal))
            } else {
                check_finite(&[("an action value", f64::from(values[best]))]).map_err(|bad| {
                    not_finite(bad, self.updates, seen(&self.rows, masks, self.num_entries))
                })?;
                best
            };
            actions[lane] = ActionId::from_index(chosen);
        }
        Ok(())
    }

    fn record(&mut self, actions: &[ActionId], step: &StepBuffers) -> Result<(), AgentError> {
        let (lanes, entries) = (self.config.n_envs, self.num_entries);
        AgentError::check_len("actions", actions.len(), lanes)?;
        AgentError::check_len("rewards", step.rewards.len(), lanes)?;
        AgentError::check_len("observations", step.observations.len(), lanes * entries)?;
        AgentError::check_len("masks", step.masks.len(), lanes * self.num_actions)?;
        AgentError::check_rewards(&step.rewards, self.config.reward_scale)?;
        let ends: Vec<End> = step
            .terminated
            .iter()
            .zip(&step.truncated)
            .map(|(&terminated, &truncated)| End::from_flags(terminated, truncated))
            .collect();
        for (lane, next_row) in self.next_rows.chunks_exact_mut(entries).enumerate() {
            let followed = if ends[lane].is_end() { &step.final_observations } else { &step.observations };
            next_row.iter_mut().zip(followed.row(lane)).for_each(|(number, &seen)| *number = seen);
        }
        hide(&mut self.next_rows, entries, &self.hidden_columns);
        let mut next_legal = vec![false; self.num_actions];
        for lane in 0..lanes {
            let followed = if ends[lane].is_end() { &step.final_masks } else { &step.masks };
            next_legal.iter_mut().zip(followed.row(lane)).for_each(|(flag, &legal)| *flag = legal);
            let outcome = Outcome {
                row: &self.rows[lane * entries..][..entries],
                action: actions[lane].0,
                reward: step.rewards[lane] * self.config.reward_scale,
                slots_elapsed: step.slots_elapsed[lane],
                end: ends[lane],
                next_row: &self.next_rows[lane * entries..][..entries],
                next_legal: &next_legal,
            };
            self.n_steps[lane].push(&outcome, |transition| self.replay.push(transition));
        }
        self.decisions += lanes as u64;
        Ok(())
    }

    fn update(&mut self) -> Result<Option<Metrics>, AgentError> {
        let due = self.decisions.saturating_sub(self.config.learning_starts) / self.config.train_freq;
        if due == self.rounds || self.replay.is_empty() {
            return Ok(None);
        }
        use_torch_threads(self.config.torch_threads);
        let schedule = self.config.learning_rate_schedule;
        let learning_rate = schedule.value(self.config.learning_rate, self.decisions, self.budget);
        let before = self.updates;
        let [loss, td_error, mean_value, norm] = self.learn_until(due, false, learning_rate)?;
        let mut metrics = Metrics::default();
        metrics.push("train/loss", loss);
        metrics.push("train/td_error", td_error);
        metrics.push("train/q_mean", mean_value);
        metrics.push("train/grad_norm", norm);
        metrics.push("train/learning_rate", learning_rate);
        metrics.push("train/n_updates", self.updates as f64);
        metrics.push("rollout/exploration_rate", self.config.epsilon(self.decisions, self.budget));
        // By the count of gradient steps alone, so that a run which is taken up again reports the same.
        if before == 0 || before / DEAD_UNITS_EVERY < self.updates / DEAD_UNITS_EVERY {
            let rows = Tensor::from_slice(&self.batches[0].rows).view([-1, self.num_entries as i64]);
            metrics.push("train/dead_units", dead_units(&[&self.nets[0].online], &rows));
        }
        Ok(Some(metrics))
    }

    fn demonstrate(
        &mut self,
        observations: &[f32],
        masks: &[bool],
        actions: &[ActionId],
    ) -> Result<usize, AgentError> {
        self.look(observations, masks, actions.len())?;
        Ok(num_agreeing(&self.values_of(&self.rows), masks, actions))
    }

    fn imitate(&mut self) -> Result<Option<Metrics>, AgentError> {
        use_torch_threads(self.config.torch_threads);
        self.learn_from_rule()
    }

    fn begin_learning(&mut self) {
        self.forget_imitation();
    }

    fn policy(&self) -> Result<Mlp, AgentError> {
        let value = self.config.dueling.then_some(1);
        Ok(self.nets[0].online.to_mlp(0, value, self.hidden_columns.clone())?)
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

fn not_finite((quantity, value): Named, update: u64, batch: StateDict) -> AgentError {
    AgentError::NotFinite { quantity, value, update, batch: batch.into_bytes() }
}

/// The legal action with `rank` legal ones before it.
///
/// # Panics
/// When there are not so many.
fn nth_legal(legal: &[bool], rank: usize) -> usize {
    let mut positions = (0..legal.len()).filter(|&action| legal[action]);
    positions.nth(rank).expect("the rank is below the number of legal actions")
}

#[cfg(test)]
mod tests;
