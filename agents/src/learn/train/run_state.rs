//! A run as bytes, and back.
//!
//! | entry of `trainer.safetensors` | what |
//! |---|---|
//! | `run.print` | what makes the run this one, see [`RunPrint`] |
//! | `run.decisions` | the decisions of all lanes together |
//! | `run.lanes` | the snapshot of the environments |
//! | `run.must_validate` | only there, and true, when the run was stopped in the validation of this policy |
//! | `episodes.*` | what has been added up of the episodes that are being played, a row a lane |
//! | `best.*` | the best policy so far, if one has been validated, with its cost and decisions |
//! | `agent.*` | what the learner says |
//!
//! `replay.safetensors` has the learner's replay buffer, and the first two entries again: the two files belong together.

use super::{Best, Run};
use crate::checkpoint::{named_layers, net_to_state};
use crate::learn::agent::Agent;
use crate::learn::observer::{Episode, TrainerState};
use crate::learn::run_print::RunPrint;
use crate::learn::state::{AgentState, StateDict, StateError};
use crate::learn::train_error::TrainError;
use crate::net_policy::{Dense, Mlp};
use std::fmt::Display;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{ActionId, Counters, Env};
use thoughtcache_env::gym::snapshot::Snapshot;

impl<E: Env<Action = ActionId> + Clone + Send> Run<E> {
    /// The run as it is now.
    pub(super) fn state(&self) -> Result<TrainerState, TrainError> {
        let policy = self.policy()?;
        let AgentState { trainer: agent, replay } = self.agent.save();
        let mut trainer = self.head();
        trainer.put_list("run.lanes", self.vec_env.snapshot().as_bytes());
        if self.must_validate {
            trainer.put_value("run.must_validate", true);
        }
        put_episodes(&mut trainer, &self.episodes);
        if let Some(best) = &self.best {
            put_best(&mut trainer, best);
        }
        trainer.put_all("agent", agent);
        let replay = replay.map(|mut replay| {
            replay.put_all("run", self.head().take_all("run"));
            replay.into_bytes()
        });
        let (decisions, must_validate) = (self.decisions, self.must_validate);
        Ok(TrainerState { policy, decisions, must_validate, trainer: trainer.into_bytes(), replay })
    }

    /// The entries that every file of a state begins with.
    fn head(&self) -> StateDict {
        let mut head = StateDict::default();
        head.put_list("run.print", self.print.to_string().as_bytes());
        head.put_value("run.decisions", self.decisions);
        head
    }

    /// Comes back to a state. After an error the run means nothing.
    pub(super) fn restore(&mut self, trainer: &[u8], replay: Option<&[u8]>) -> Result<(), TrainError> {
        let mut state = StateDict::from_bytes(trainer)?;
        let decisions = self.check_head(&mut state)?;
        let lanes = self.actions.len();
        self.decisions = decisions;
        self.must_validate = state.has("run.must_validate") && state.take_value("run.must_validate")?;
        if self.is_complete() {
            let message = format!(
                "the run is complete: its state is that after all {decisions} decisions of the budget"
            );
            return Err(StateError(message).into());
        }
        let replay = replay.map(|bytes| -> Result<StateDict, StateError> {
            let mut replay = StateDict::from_bytes(bytes)?.at("replay.");
            let other = self.check_head(&mut replay)?;
            if other == decisions {
                return Ok(replay);
            }
            let reason = format!("is {other}, but that of the trainer is {decisions}");
            Err(replay.refuse("run.decisions", &reason))
        });
        let replay = replay.transpose()?;
        let snapshot = Snapshot::from_bytes(state.take_list("run.lanes")?);
        let own = self.vec_env.first_seed();
        self.vec_env
            .restore(&snapshot)
            .map_err(|error| StateError(format!("`run.lanes` of the state: {error}")))?;
        // The other lanes follow from the first one.
        if self.vec_env.first_seed().with_episode(0) != own.with_episode(0) {
            return Err(state.refuse("run.lanes", "has the lanes of another run").into());
        }
        self.episodes = take_episodes(state.take_all("episodes"), lanes)?;
        let agent = AgentState { trainer: state.take_all("agent"), replay };
        self.agent.load(agent)?;
        if self.agent.decisions() != decisions {
            let reason = format!("is {decisions}, but that of the learner is {}", self.agent.decisions());
            return Err(state.refuse("run.decisions", &reason).into());
        }
        let best = state.take_all("best");
        self.best = if best.is_empty() { None } else { Some(take_best(best, self.agent.as_ref())?) };
        Ok(state.finish()?)
    }

    /// Makes sure that the state is one of this run; gives its decisions.
    fn check_head(&self, state: &mut StateDict) -> Result<u64, StateError> {
        let saved = RunPrint::from_bytes(&state.take_list::<u8>("run.print")?)
            .ok_or_else(|| state.refuse("run.print", "is not what a run writes"))?;
        if let Some(difference) = self.print.difference_from(&saved) {
            return Err(StateError(format!("the state is of another run: {difference}")));
        }
        let decisions: u64 = state.take_value("run.decisions")?;
        if decisions > self.settings.budget || !decisions.is_multiple_of(self.actions.len() as u64) {
            let reason = format!("is {decisions}, which this run never reaches");
            return Err(state.refuse("run.decisions", &reason));
        }
        Ok(decisions)
    }
}

const NUM_COSTS: usize = CostBreakdown::NAMES.len();
const NUM_COUNTERS: usize = 8;

fn put_episodes(state: &mut StateDict, episodes: &[Episode]) {
    let lanes = episodes.len();
    let counts_of = |part: fn(&Episode) -> u64| episodes.iter().map(part).collect::<Vec<u64>>();
    let rewards: Vec<f64> = episodes.iter().map(|episode| episode.reward).collect();
    state.put_list("episodes.rewards", &rewards);
    state.put_list("episodes.decisions", &counts_of(|episode| episode.decisions));
    state.put_list("episodes.slots", &counts_of(|episode| episode.slots));
    let costs: Vec<f64> = episodes.iter().flat_map(|episode| episode.cost.components()).collect();
    state.put("episodes.costs", &[lanes, NUM_COSTS], &costs);
    let counters: Vec<u64> = episodes.iter().flat_map(|episode| counts(&episode.counters)).collect();
    state.put("episodes.counters", &[lanes, NUM_COUNTERS], &counters);
}

fn counts(counters: &Counters) -> [u64; NUM_COUNTERS] {
    let Counters { requests, edge_requests, hits, loads, evictions, refreshes, loaded_bytes, late } =
        *counters;
    [requests, edge_requests, hits, loads, evictions, refreshes, loaded_bytes, late]
}

fn take_episodes(mut state: StateDict, lanes: usize) -> Result<Vec<Episode>, StateError> {
    let rewards: Vec<f64> = state.take_finite("rewards", &[lanes])?;
    let decisions = state.take_counts("decisions", &[lanes])?;
    let slots = state.take_counts("slots", &[lanes])?;
    let costs: Vec<f64> = state.take_finite("costs", &[lanes, NUM_COSTS])?;
    let counters = state.take_counts("counters", &[lanes, NUM_COUNTERS])?;
    state.finish()?;
    let (costs, _) = costs.as_chunks::<NUM_COSTS>();
    let (counters, _) = counters.as_chunks::<NUM_COUNTERS>();
    let episode = |lane: usize| {
        let [requests, edge_requests, hits, loads, evictions, refreshes, loaded_bytes, late] = counters[lane];
        Episode {
            lane,
            reward: rewards[lane],
            decisions: decisions[lane],
            slots: slots[lane],
            cost: CostBreakdown::from_components(costs[lane]),
            counters: Counters {
                requests,
                edge_requests,
                hits,
                loads,
                evictions,
                refreshes,
                loaded_bytes,
                late,
            },
        }
    };
    Ok((0..lanes).map(episode).collect())
}

fn put_best(state: &mut StateDict, best: &Best) {
    state.put_value("best.score", best.score);
    state.put_value("best.decisions", best.decisions);
    state.put_all("best", net_to_state(&best.policy));
}

/// The best policy has the shape of the present one.
fn take_best(mut state: StateDict, agent: &dyn Agent) -> Result<Best, StateError> {
    let score: f64 = state.take_value("score")?;
    if !score.is_finite() {
        return Err(state.refuse("score", "is not finite; a mean cost is a number"));
    }
    let decisions: u64 = state.take_value("decisions")?;
    let like = agent.policy().map_err(|error| no_policy(&state, error))?;
    let mut layers = Vec::new();
    for (name, layer) in named_layers(&like) {
        let shape = [layer.outputs(), layer.inputs()];
        let weight: Vec<f32> = state.take_finite(&format!("{name}.weight"), &shape)?;
        let bias: Vec<f32> = state.take_finite(&format!("{name}.bias"), &[layer.outputs()])?;
        let layer = Dense::from_transposed(&name, layer.inputs(), layer.outputs(), &weight, bias);
        layers.push(layer.map_err(|error| no_policy(&state, error))?);
    }
    state.finish()?;
    let value = if like.value().is_some() { layers.pop() } else { None };
    let Some(head) = layers.pop() else { return Err(no_policy(&state, "it has no head")) };
    let policy = Mlp::new(layers, head, value, like.activation(), like.ignore().to_vec());
    Ok(Best { policy: policy.map_err(|error| no_policy(&state, error))?, score, decisions })
}

fn no_policy(state: &StateDict, error: impl Display) -> StateError {
    state.refuse("policy", &error.to_string())
}
