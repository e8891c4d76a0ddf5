//! Plays policies over the same episodes and keeps what happened.
//!
//! Frozen trajectories: every policy meets the same seeds, so the same requests; each episode has its own environment, its
//! own copy of the policy and the policy's own random stream. Episodes run in parallel and are kept in order: no bit of a
//! result depends on the number of threads. A recorded scenario has one test episode, the whole test part of the recording,
//! whatever number is asked for.

use crate::checkpoint::Algorithm;
use crate::policy::Policy;
use rayon::prelude::*;
use serde::Serialize;
use std::sync::Arc;
use thiserror::Error;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::digest::mix;
use thoughtcache_env::gym::api::{Counters, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::space::Decision;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::Scenario;

/// A policy of the decision environment, of any kind.
pub type AnyPolicy = Box<dyn Policy<DecisionEnv> + Send>;

/// Nanoseconds from an arbitrary origin. Only the program reads a clock, and no result but `decide_us` depends on it.
pub type Clock<'a> = &'a (dyn Fn() -> u64 + Sync);

/// Where a policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// A rule.
    Heuristic,
    /// What no policy can beat: it knows more than a policy may.
    Bound,
    /// What knows the true future, and can be beaten all the same.
    Reference,
    /// A policy of another program.
    Custom,
    /// A network trained by proximal policy optimisation.
    Ppo,
    /// A network trained by deep Q-learning.
    Dqn,
}

impl PolicyKind {
    /// The name in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heuristic => "heuristic",
            Self::Bound => "bound",
            Self::Reference => "reference",
            Self::Custom => "custom",
            Self::Ppo => "ppo",
            Self::Dqn => "dqn",
        }
    }

    /// Whether it decides by what can be known; a bound or a reference knows more.
    pub const fn is_policy(self) -> bool {
        !matches!(self, Self::Bound | Self::Reference)
    }

    /// Whether a learner made it.
    pub const fn is_learned(self) -> bool {
        matches!(self, Self::Ppo | Self::Dqn)
    }
}

impl From<Algorithm> for PolicyKind {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ppo => Self::Ppo,
            Algorithm::Dqn => Self::Dqn,
        }
    }
}

/// A policy that takes part: its name in tables, and how to make a fresh copy for an episode.
pub struct Contender {
    /// The name in tables.
    pub name: String,
    /// Where it comes from.
    pub kind: PolicyKind,
    make: Box<dyn Fn() -> AnyPolicy + Send + Sync>,
}

impl Contender {
    /// A contender whose copies `make` makes.
    pub fn new(
        name: impl Into<String>,
        kind: PolicyKind,
        make: impl Fn() -> AnyPolicy + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), kind, make: Box::new(make) }
    }

    /// A fresh copy.
    pub fn make(&self) -> AnyPolicy {
        (self.make)()
    }
}

/// Which episodes are played.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The world of the episodes.
    pub scenario: Arc<Scenario>,
    /// The coordinates of the episodes: purpose, run number and lane.
    pub seed: Seed,
    /// How many episodes each policy plays.
    pub episodes: u64,
}

impl Protocol {
    /// `episodes` test episodes of the run number `run` (`--seed`); one for a recorded scenario.
    pub fn test(scenario: Arc<Scenario>, run: u64, episodes: u64) -> Self {
        let episodes = if scenario.is_recorded() { 1 } else { episodes };
        Self { scenario, seed: Seed::new(Purpose::Test, run), episodes }
    }

    /// `episodes` validation episodes; a recorded scenario starts each at a random place of its validation part.
    pub fn validation(scenario: Arc<Scenario>, run: u64, episodes: u64) -> Self {
        Self { scenario, seed: Seed::new(Purpose::Validate, run), episodes }
    }
}

/// What happened in one episode.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeResult {
    /// The costs of all decisions by component.
    pub cost: CostBreakdown,
    /// The counters of the episode.
    pub counters: Counters,
    /// Requests by placement, in the order of [`Placement::ALL`].
    pub placed: [u64; Placement::ALL.len()],
    /// The slots of the episode: its horizon.
    pub slots: u32,
    /// The decisions taken.
    pub decisions: u64,
    /// The cost of each slot; a decision's cost belongs to the slot of its batch.
    pub slot_costs: Vec<f64>,
    /// A digest of all requests: equal for two policies that met the same world.
    pub fingerprint: u64,
    /// A digest of actions, rewards, passed slots and requests.
    pub trajectory_hash: u64,
    /// Nanoseconds spent deciding, where a clock was given.
    pub decide_ns: Option<u64>,
}

impl EpisodeResult {
    /// Total cost divided by the slots of the episode.
    pub fn cost_per_slot(&self) -> f64 {
        self.cost.total() / f64::from(self.slots)
    }
}

/// The episodes of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The contender's name.
    pub name: String,
    /// Where it comes from.
    pub kind: PolicyKind,
    /// Its episodes, in order.
    pub episodes: Vec<EpisodeResult>,
}

impl Evaluated {
    /// A digest of all episodes.
    pub fn trajectory_hash(&self) -> u64 {
        self.episodes.iter().fold(0, |hash, episode| mix(hash, episode.trajectory_hash))
    }
}

/// The results of several policies over the same episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The scenario's name.
    pub scenario: String,
    /// Whether its requests are a recording.
    pub is_recorded: bool,
    /// The run number of the seeds.
    pub seed: u64,
    /// How many episodes each policy played.
    pub episodes: u64,
    /// The slots of an episode.
    pub slots: u32,
    /// One entry per contender, in the order in which they were given.
    pub policies: Vec<Evaluated>,
}

impl Evaluation {
    /// A digest of everything that happened; the order and the names of the policies do not matter.
    pub fn trajectory_hash(&self) -> u64 {
        let mut hashes: Vec<u64> = self.policies.iter().map(Evaluated::trajectory_hash).collect();
        hashes.sort_unstable();
        hashes.into_iter().fold(0, mix)
    }
}

/// Why an evaluation ends without a result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvaluateError {
    /// There is nothing to play.
    #[error("0 episodes show nothing; at least 1 is needed")]
    NoEpisodes,
    /// The caller has asked to stop.
    #[error("stopped before all episodes were played")]
    Stopped,
    /// An action was refused, or a cost is not a finite number: the policy, the episode and what happened.
    #[error("{0}")]
    Failed(String),
}

/// What the caller gives to an evaluation besides policies and episodes. The default measures nothing, hears of nothing and
/// never stops.
#[derive(Clone, Copy)]
pub struct Hooks<'a> {
    /// The clock that measures the time per decision.
    pub clock: Option<Clock<'a>>,
    /// Is called after each episode, from any thread.
    pub played: &'a (dyn Fn() + Sync),
    /// Says whether to stop; asked before each decision, from any thread.
    pub should_stop: &'a (dyn Fn() -> bool + Sync),
}

impl Default for Hooks<'_> {
    fn default() -> Self {
        Self { clock: None, played: &|| {}, should_stop: &|| false }
    }
}

/// Plays every contender over every episode.
///
/// # Errors
/// When there is no episode, the hooks say to stop, a policy takes an illegal action, or a cost is not a finite number; the
/// first of the list when there are several.
pub fn evaluate(
    contenders: &[Contender],
    protocol: &Protocol,
    hooks: Hooks<'_>,
) -> Result<Evaluation, EvaluateError> {
    if protocol.episodes == 0 {
        return Err(EvaluateError::NoEpisodes);
    }
    let env = DecisionEnv::new(Arc::clone(&protocol.scenario));
    let jobs: Vec<(&Contender, u64)> = contenders
        .iter()
        .flat_map(|contender| (0..protocol.episodes).map(move |episode| (contender, episode)))
        .collect();
    let results: Vec<Result<EpisodeResult, EvaluateError>> = jobs
        .into_par_iter()
        .with_max_len(1)
        .map(|(contender, episode)| {
            play(env.clone(), &contender.name, contender.make().as_mut(), protocol, episode, hooks)
        })
        .collect();
    let mut results = results.into_iter();
    let mut policies = Vec::with_capacity(contenders.len());
    for contender in contenders {
        let episodes: Result<Vec<EpisodeResult>, EvaluateError> =
            results.by_ref().take(protocol.episodes as usize).collect();
        policies.push(Evaluated { name: contender.name.clone(), kind: contender.kind, episodes: episodes? });
    }
    let slots =
        policies.first().and_then(|policy| policy.episodes.first()).map_or(0, |episode| episode.slots);
    Ok(Evaluation {
        scenario: protocol.scenario.name.clone(),
        is_recorded: protocol.scenario.is_recorded(),
        seed: protocol.seed.run,
        episodes: protocol.episodes,
        slots,
        policies,
    })
}

/// Episodes of a policy, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// The costs of all decisions by component.
    pub cost: CostBreakdown,
    /// The counters of all episodes.
    pub counters: Counters,
    /// The slots of all episodes.
    pub slots: u64,
    /// The decisions taken.
    pub decisions: u64,
    /// The number of episodes.
    pub episodes: u64,
}

impl Totals {
    /// Total cost divided by all slots.
    pub fn cost_per_slot(&self) -> f64 {
        self.cost.total() / self.slots as f64
    }

    /// Adds an episode.
    pub(crate) fn add(&mut self, episode: &EpisodeResult) {
        self.cost += episode.cost;
        self.counters += episode.counters;
        self.slots += u64::from(episode.slots);
        self.decisions += episode.decisions;
        self.episodes += 1;
    }
}

/// Episodes whose results are in memory at a time while a policy is validated.
const CHUNK: u64 = 256;

/// Plays the validation episodes of a policy and adds them up, in the order of the episodes: the least
/// [`cost_per_slot`](Totals::cost_per_slot) decides which policy of a run is the best.
///
/// # Errors
/// As [`evaluate`].
pub fn validate(
    scenario: &Arc<Scenario>,
    run: u64,
    episodes: u64,
    make: &(dyn Fn() -> AnyPolicy + Sync),
    should_stop: &(dyn Fn() -> bool + Sync),
) -> Result<Totals, EvaluateError> {
    totals(&Protocol::validation(Arc::clone(scenario), run, episodes), make, should_stop)
}

/// Plays the episodes of a protocol with one policy and adds them up, in their order.
///
/// # Errors
/// As [`evaluate`].
pub(crate) fn totals(
    protocol: &Protocol,
    make: &(dyn Fn() -> AnyPolicy + Sync),
    should_stop: &(dyn Fn() -> bool + Sync),
) -> Result<Totals, EvaluateError> {
    let episodes = protocol.episodes;
    if episodes == 0 {
        return Err(EvaluateError::NoEpisodes);
    }
    let env = DecisionEnv::new(Arc::clone(&protocol.scenario));
    let hooks = Hooks { should_stop, ..Hooks::default() };
    let mut totals = Totals::default();
    while totals.episodes < episodes {
        let last = totals.episodes.saturating_add(CHUNK).min(episodes);
        let results: Vec<Result<EpisodeResult, EvaluateError>> = (totals.episodes..last)
            .into_par_iter()
            .map(|episode| {
                let mut policy = make();
                let name = policy.name().to_owned();
                play(env.clone(), &name, policy.as_mut(), protocol, episode, hooks)
            })
            .collect();
        for result in results {
            totals.add(&result?);
        }
    }
    Ok(totals)
}

/// Plays one episode.
fn play(
    mut env: DecisionEnv,
    name: &str,
    policy: &mut dyn Policy<DecisionEnv>,
    protocol: &Protocol,
    episode: u64,
    hooks: Hooks<'_>,
) -> Result<EpisodeResult, EvaluateError> {
    let seed = protocol.seed.with_episode(episode);
    let mut rng = seed.stream(Stream::Policy);
    env.reset(seed);
    policy.begin_episode();
    let slots = env.world().horizon_slots();
    let mut result = EpisodeResult {
        cost: CostBreakdown::default(),
        counters: Counters::default(),
        placed: [0; Placement::ALL.len()],
        slots,
        decisions: 0,
        slot_costs: vec![0.0; slots as usize],
        fingerprint: 0,
        trajectory_hash: 0,
        decide_ns: None,
    };
    let mut decide_ns = 0;
    loop {
        if (hooks.should_stop)() {
            return Err(EvaluateError::Stopped);
        }
        let slot = env.world().slot() as usize;
        let before = hooks.clock.map(|now| now());
        let action = policy.act_in(&env, &mut rng);
        if let (Some(now), Some(before)) = (hooks.clock, before) {
            decide_ns += now().saturating_sub(before);
        }
        let decision = env.observation().space().decode(action);
        let step = env.step(&action).map_err(|source| {
            let decision = result.decisions;
            EvaluateError::Failed(format!("{name}, episode {episode}, decision {decision}: {source}"))
        })?;
        result.decisions += 1;
        result.cost += step.info.cost;
        result.counters += step.info.counters;
        // A step that only chose a victim, or made room ahead, has served nobody.
        if let Some(Decision::Serve { placement, .. }) = decision {
            result.placed[placement.rank()] += step.info.counters.requests;
        }
        if let Some(cost) = result.slot_costs.get_mut(slot) {
            *cost += step.info.cost.total();
        }
        result.trajectory_hash = step.digest(result.trajectory_hash, action);
        if step.end.is_end() {
            break;
        }
    }
    // A cost that is not finite stays so in the sum.
    let costs = CostBreakdown::NAMES.into_iter().zip(result.cost.components());
    if let Some((component, value)) = costs.into_iter().find(|(_, value)| !value.is_finite()) {
        return Err(EvaluateError::Failed(format!(
            "{name}, episode {episode}: its {component} cost is {value}, not a finite number"
        )));
    }
    result.fingerprint = env.world().exogenous_fingerprint();
    result.trajectory_hash = mix(result.trajectory_hash, result.fingerprint);
    result.decide_ns = hooks.clock.map(|_| decide_ns);
    (hooks.played)();
    Ok(result)
}

#[cfg(test)]
mod tests;
