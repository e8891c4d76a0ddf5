//! *Rule.* Greedy dual, size and frequency: `gdsf` loads whatever it can and evicts the entry with the least key
//! `L + count * cost / size`; `L` becomes the key of what was evicted. `gdsf-admit` does not load a newcomer when the key of a
//! victim is larger than its own; the newcomer then counts as loaded and evicted at once, so `L` becomes its key and the
//! residents age.
//!
//! *State.* `L`, each resident entry's key (set at its load and at each hit) and its requests since the load, those of the
//! loading batch included; in physical scenarios what the last miss of each service would have paid for its load.
//!
//! *Cost per decision.* O(services); a load that evicts sorts the resident entries. In physical scenarios an estimate of every
//! placement.
//!
//! *Reference.* Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy", HPL-98-69,
//! 1998. `cost` is the scenario's cost of the load, or what was seen of it (`savings`), `size` bytes of weights.

use super::cache_rule::{CacheRule, Choice, Scene, factory};
use super::greedy_dual::Credits;
use super::rule::Entry;
use super::savings::Savings;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::{ServiceId, bytes_to_gb};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache(
        "gdsf",
        "evicts the least of inflation + count * load cost / size",
        &[],
        |name, scenario, _| factory(name, scenario, Gdsf::new(scenario, false)),
    ),
    Entry::cache(
        "gdsf-admit",
        "gdsf that does not load when a victim's key is larger",
        &[],
        |name, scenario, _| factory(name, scenario, Gdsf::new(scenario, true)),
    ),
];

#[derive(Clone, Debug)]
struct Gdsf {
    savings: Savings,
    /// Of the weights of each service, whoever else uses them.
    size_gb: Vec<f64>,
    has_admission: bool,
    cells: Vec<Credits>,
}

impl Gdsf {
    fn new(scenario: &Scenario, has_admission: bool) -> Self {
        Self {
            savings: Savings::new(scenario),
            size_gb: scenario.services.iter().map(|service| bytes_to_gb(service.bytes)).collect(),
            has_admission,
            cells: vec![Credits::new(scenario.services.len()); scenario.num_cells as usize],
        }
    }

    fn worth(&self, scene: Scene<'_>, num_requests: u64) -> f64 {
        let service = scene.service();
        num_requests as f64 * self.savings.load_cost(service) / self.size_gb[service.index()]
    }

    /// The key that the batch's service would get if it were loaded for it.
    fn newcomer_key(&self, scene: Scene<'_>) -> f64 {
        let worth = self.worth(scene, u64::from(scene.observation.num_requests));
        self.cells[scene.cell()].fresh_key(worth)
    }
}

impl CacheRule for Gdsf {
    fn begin_episode(&mut self) {
        self.cells.iter_mut().for_each(Credits::clear);
        self.savings.clear();
    }

    fn meet(&mut self, observation: &DecisionObservation) {
        self.savings.observe(observation);
    }

    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        self.cells[scene.cell()].key(service)
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        // Victims are in ascending order of their keys: the last one's is the largest.
        let largest = victims.last().map(|&victim| self.rank(scene, victim));
        !self.has_admission || largest.is_none_or(|key| key <= self.newcomer_key(scene))
    }

    fn note(&mut self, scene: Scene<'_>, choice: Choice<'_>) {
        let (cell, service) = (scene.cell(), scene.service());
        match choice {
            Choice::Forced => return,
            Choice::Refused => {
                let key = self.newcomer_key(scene);
                self.cells[cell].raise(key);
                return;
            }
            Choice::Load(victims) | Choice::Hit(victims) => self.cells[cell].evict(victims),
        }
        let worth = self.worth(scene, scene.stay(service).num_requests);
        self.cells[cell].touch(service, worth);
    }
}
