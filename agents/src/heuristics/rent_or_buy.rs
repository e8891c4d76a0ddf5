//! *Rule.* Rents before it buys: a service runs elsewhere until what that has cost more than the edge, since its entry was
//! last here, reaches `ratio` times its load cost; the next batch loads it. The victim is the entry with the least
//! `GreedyDual` key `L + cost / size`, which is set at the load and at each hit.
//!
//! What a request costs more elsewhere is the saving of `value` at the present rate, in physical scenarios that of the
//! requests seen so far (`savings`), at least 0; what a load costs is the scenario's, or was seen with them.
//!
//! *State.* By cell: the rent paid for each absent service, `L`, and each resident entry's key; in physical scenarios the
//! saving and the load cost of each service. An exhausted window ends a
//! stay like an eviction does: the rent starts at 0.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries. In physical scenarios an estimate of every
//! placement.
//!
//! *Reference.* Ski rental: 2-competitive for one service at `ratio` 1 (Karlin et al., "Competitive snoopy caching", 1988);
//! victims after Young, "On-line file caching", 2002.

use super::cache_rule::{CacheRule, Choice, Scene, factory};
use super::greedy_dual::Credits;
use super::rule::{Entry, Parameter};
use super::savings::Savings;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::{ServiceId, bytes_to_gb};

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "rent-or-buy",
    "loads a service once running it elsewhere has cost as much as its load",
    &[Parameter {
        name: "ratio",
        description: "rent over load cost at which a service is loaded",
        default: 1.0,
        low: 0.0,
        high: 1000.0,
        grid: &[0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0],
    }],
    |name, scenario, values| factory(name, scenario, RentOrBuy::new(scenario, values[0])),
)];

#[derive(Clone, Debug)]
struct Cell {
    credits: Credits,
    rent: Vec<f64>,
}

#[derive(Clone, Debug)]
struct RentOrBuy {
    savings: Savings,
    /// Of the weights of each service, whoever else uses them.
    size_gb: Vec<f64>,
    /// Rent over load cost at which a service is loaded.
    ratio: f64,
    cells: Vec<Cell>,
}

impl RentOrBuy {
    fn new(scenario: &Scenario, ratio: f64) -> Self {
        let num_services = scenario.services.len();
        let cell = Cell { credits: Credits::new(num_services), rent: vec![0.0; num_services] };
        let size_gb = scenario.services.iter().map(|service| bytes_to_gb(service.bytes)).collect();
        let cells = vec![cell; scenario.num_cells as usize];
        Self { savings: Savings::new(scenario), size_gb, ratio, cells }
    }
}

impl CacheRule for RentOrBuy {
    fn begin_episode(&mut self) {
        self.savings.clear();
        for cell in &mut self.cells {
            cell.credits.clear();
            cell.rent.fill(0.0);
        }
    }

    fn meet(&mut self, observation: &DecisionObservation) {
        self.savings.observe(observation);
    }

    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.cells[scene.cell()].credits.key(service)
    }

    fn admits(&self, scene: Scene<'_>, _victims: &[ServiceId]) -> bool {
        let service = scene.service();
        let threshold = self.ratio * self.savings.load_cost(service);
        self.cells[scene.cell()].rent[service.index()] >= threshold
    }

    fn note(&mut self, scene: Scene<'_>, choice: Choice<'_>) {
        let service = scene.service();
        let Cell { credits, rent } = &mut self.cells[scene.cell()];
        let rent = &mut rent[service.index()];
        match choice {
            Choice::Forced if scene.observation.is_hit() => return,
            Choice::Forced | Choice::Refused => {
                let saving = self.savings.per_request(service, scene.rate(service)).max(0.0);
                *rent += f64::from(scene.observation.num_requests) * saving;
                return;
            }
            Choice::Load(victims) | Choice::Hit(victims) => credits.evict(victims),
        }
        *rent = 0.0;
        credits.touch(service, self.savings.load_cost(service) / self.size_gb[service.index()]);
    }
}
