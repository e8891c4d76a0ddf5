//! What an episode of a lane has come to: the `statistics` of its end.
//!
//! The environment adds the steps up itself, in the thread that steps it: a sum over all lanes afterwards would wait for the memory
//! that other cores have just written.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{ActionId, Counters, Env, EnvError, Step, StepInfo};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::gym::snapshot::{Snapshot, SnapshotError};
use thoughtcache_env::gym::spec::EnvSpec;
use thoughtcache_env::random::Seed;
use thoughtcache_env::scenario::Scenario;

/// The figures of an episode.
pub(crate) const STATISTICS: usize = 2 + CostBreakdown::NAMES.len() + Counters::NAMES.len() + 3;

/// An episode so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Episode {
    cost: CostBreakdown,
    counters: Counters,
    /// Its horizon: what the judges divide by. Slots of decisions are fewer before the first one, and more after the end.
    slots: u64,
    decisions: u64,
}

impl Episode {
    /// An episode that begins, of so many slots.
    fn of(slots: u32) -> Self {
        Self { slots: slots.into(), ..Self::default() }
    }

    /// Adds a step.
    fn add(&mut self, info: &StepInfo) {
        self.cost += info.cost;
        self.counters += info.counters;
        self.decisions += 1;
    }

    /// Whether no decision has been taken yet.
    pub(crate) fn is_new(&self) -> bool {
        self.decisions == 0
    }

    /// The names of the figures.
    pub(crate) fn names() -> Vec<String> {
        let costs = CostBreakdown::NAMES.map(|name| format!("cost_{name}"));
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
        let last = own(&["slots", "decisions", "replaced_actions"]);
        [own(&["cost_per_slot", "cost"]), costs.into(), own(&Counters::NAMES), last].concat()
    }

    /// The figures, in the order of their names; `replaced` actions are those that were illegal.
    pub(crate) fn totals(&self, replaced: u64) -> [f64; STATISTICS] {
        let cost = self.cost.total();
        let counts = self.counters.counts().map(|count| count as f64);
        let last = [self.slots, self.decisions, replaced].map(|count| count as f64);
        let all = [cost / self.slots.max(1) as f64, cost].into_iter().chain(self.cost.components());
        let mut totals = [0.0; STATISTICS];
        for (total, figure) in totals.iter_mut().zip(all.chain(counts).chain(last)) {
            *total = figure;
        }
        totals
    }
}

/// An environment that adds up its episodes.
#[derive(Clone)]
pub(crate) struct Counted {
    pub(crate) env: DecisionEnv,
    /// The present episode.
    pub(crate) episode: Episode,
    /// The last one that came to an end.
    pub(crate) ended: Episode,
}

impl Counted {
    /// Copies of the scenario's environment.
    pub(crate) fn lanes(scenario: &Arc<Scenario>, count: usize) -> Vec<Self> {
        let [episode, ended] = [Episode::default(); 2];
        DecisionEnv::lanes(scenario, count).into_iter().map(|env| Self { env, episode, ended }).collect()
    }
}

impl Env for Counted {
    type Observation = DecisionObservation;
    type Action = ActionId;

    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn reset(&mut self, seed: Seed) {
        self.env.reset(seed);
        self.episode = Episode::of(self.env.world().horizon_slots());
    }

    fn step(&mut self, action: &ActionId) -> Result<Step, EnvError> {
        let step = self.env.step(action)?;
        self.episode.add(&step.info);
        if step.end.is_end() {
            self.ended = self.episode;
        }
        Ok(step)
    }

    fn observation(&self) -> &DecisionObservation {
        self.env.observation()
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.env.digested_spec(), &(self.env.snapshot(), self.episode))
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let (env, episode) = snapshot.state::<(Snapshot, Episode)>(self.env.digested_spec())?;
        self.env.restore(&env)?;
        self.episode = episode;
        Ok(())
    }

    fn reseed_future(&mut self, seed: Seed) {
        self.env.reseed_future(seed);
    }

    fn encode(&self, row: &mut [f32]) {
        self.env.encode(row);
    }

    fn mask(&self, legal: &mut [bool]) {
        self.env.mask(legal);
    }
}
