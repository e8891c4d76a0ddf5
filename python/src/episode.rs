//! What an episode of a lane has come to: the `statistics` of its end.

use serde::{Deserialize, Serialize};
use thoughtcache_env::cost::CostBreakdown;
use thoughtcache_env::gym::api::{Counters, StepInfo};

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
    replaced: u64,
}

impl Episode {
    /// An episode that begins, of so many slots.
    pub(crate) fn of(slots: u32) -> Self {
        Self { slots: slots.into(), ..Self::default() }
    }

    /// Adds a step.
    pub(crate) fn add(&mut self, info: &StepInfo, is_replaced: bool) {
        self.cost += info.cost;
        self.counters += info.counters;
        self.decisions += 1;
        self.replaced += u64::from(is_replaced);
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

    /// The figures, in the order of their names.
    pub(crate) fn totals(&self) -> [f64; STATISTICS] {
        let cost = self.cost.total();
        let counts = self.counters.counts().map(|count| count as f64);
        let last = [self.slots, self.decisions, self.replaced].map(|count| count as f64);
        let all = [cost / self.slots.max(1) as f64, cost].into_iter().chain(self.cost.components());
        let mut totals = [0.0; STATISTICS];
        for (total, figure) in totals.iter_mut().zip(all.chain(counts).chain(last)) {
            *total = figure;
        }
        totals
    }
}
