//! *Rule.* Keeps one set of services per cell for ever and loads nothing else: the set that fits the memory and saves most
//! (`savings`, `knapsack`) at the mean request rates of the training part. A member that exhausts its window is loaded again at
//! its next request.
//!
//! *State.* None while it plays. Made ready once: rates from 10,000 slots of training episodes, or from the whole
//! training part of a recording. In physical scenarios what the edge would have saved on those requests, which found no
//! context there.
//!
//! *Cost per decision.* O(services).
//!
//! *Reference.* Static caching of the most valuable set, chosen from what was known before and not in hindsight; exact
//! knapsack after Nemhauser and Ullmann, 1969.

use super::cache_rule::{CacheRule, Scene, elsewhere, factory};
use super::knapsack::best_set;
use super::rule::Entry;
use super::savings::Savings;
use std::sync::Arc;
use thoughtcache_env::gym::api::Env;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::random::{Purpose, Seed};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;
use thoughtcache_env::workload::arrivals::ArrivalModel;

/// Slots of training episodes over which rates are measured.
const TRAINING_SLOTS: u32 = 10_000;

pub(super) const ENTRIES: &[Entry] = &[Entry::cache(
    "static",
    "keeps the set of services that saves most at the rates of the training part",
    &[],
    |name, scenario, _| {
        let (rates, savings) = training_part(scenario);
        let sets = rates.into_iter().map(|rates| {
            let rates = rates.into_iter().enumerate();
            let values: Vec<f64> =
                rates.map(|(i, rate)| savings.per_slot(ServiceId::from_index(i), rate)).collect();
            best_entries(scenario, &values)
        });
        factory(name, scenario, Static { sets: Arc::new(sets.collect()) })
    },
)];

/// The set of entries that fits and is worth most. Services that share weights are one thing: all of them that are worth
/// anything. Where context occupies memory, an entry has half a window of it for every user.
fn best_entries(scenario: &Scenario, values: &[f64]) -> Vec<bool> {
    let services = &scenario.services;
    let num_contexts = f64::from(scenario.num_users.unwrap_or(1));
    let (mut bytes, mut sums) = (vec![0_u64; services.len()], vec![0.0; services.len()]);
    let mut things = Vec::with_capacity(services.len());
    for (index, service) in services.iter().enumerate() {
        let with_model = services.iter().position(|other| other.model == service.model);
        let thing = with_model.filter(|_| scenario.has_shared_weights).unwrap_or(index);
        things.push(thing);
        if values[index] > 0.0 {
            let context = service.kv_bytes_per_token * service.window_tokens / 2.0 * num_contexts;
            bytes[thing] = bytes[thing].max(service.bytes).saturating_add(context as u64);
            sums[thing] += values[index];
        }
    }
    let taken = best_set(&bytes, &sums, scenario.capacity_bytes);
    things.iter().zip(values).map(|(&thing, &value)| taken[thing] && value > 0.0).collect()
}

/// Mean requests per slot in the training part, by cell and service, and what they save at the edge.
fn training_part(scenario: &Arc<Scenario>) -> (Vec<Vec<f64>>, Savings) {
    let mut savings = Savings::new(scenario);
    if let ArrivalModel::Recorded(parts) = &scenario.arrivals {
        let slots = parts[0].num_slots();
        let counts = parts[0].counts(0..slots).into_iter();
        return (vec![counts.map(|count| count as f64 / slots as f64).collect()], savings);
    }
    let mut counts = vec![vec![0_u64; scenario.services.len()]; scenario.num_cells as usize];
    let mut env = DecisionEnv::new(Arc::clone(scenario));
    let (mut slots, mut episode) = (0, 0);
    while slots < TRAINING_SLOTS {
        env.reset(Seed::new(Purpose::Train, 0).with_episode(episode));
        let mut is_running = true;
        while is_running && slots < TRAINING_SLOTS {
            let observation = env.observation();
            // An episode without a request shows one from beyond its horizon.
            if !env.world().is_over() && !observation.is_prefetch {
                counts[observation.cell.index()][observation.service.index()] +=
                    u64::from(observation.num_requests);
                savings.observe(observation);
            }
            let step = env.step(&elsewhere(observation)).expect("elsewhere is legal");
            slots += step.slots_elapsed;
            is_running = !step.end.is_end();
        }
        episode += 1;
    }
    let rate = |count: u64| count as f64 / f64::from(slots);
    let rates = counts.into_iter().map(|counts| counts.into_iter().map(rate).collect());
    (rates.collect(), savings)
}

#[derive(Clone, Debug)]
struct Static {
    sets: Arc<Vec<Vec<bool>>>,
}

impl CacheRule for Static {
    fn rank(&self, _scene: Scene<'_>, _service: ServiceId) -> f64 {
        0.0
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        // The set fits as a whole: only what another policy left behind could be in its way.
        victims.is_empty() && self.sets[scene.cell()][scene.service().index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_take_turns_at_the_top_are_all_asked_for_once_a_slot() {
        let (rates, _) = training_part(&Arc::new(Scenario::shipped("tight")));
        assert_eq!((rates.len(), rates[0].len()), (1, 20));
        let mean: f64 = rates[0].iter().sum::<f64>() / 20.0;
        // 200,000 requests: six standard deviations are .0134.
        assert!((mean - 1.0).abs() < 0.0135, "{mean}");
        assert!(rates[0].iter().all(|rate| (0.7..1.4).contains(rate)), "{rates:?}");
    }
}
