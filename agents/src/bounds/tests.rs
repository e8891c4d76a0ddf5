//! What both ways of finding a bound have to pass: on small worlds no bound lies above the optimum, on shipped ones no rule costs less.

use super::clairvoyant::{self, Optimum};
use super::trajectory::Trajectory;
use super::*;
use crate::evaluate::{Contender, Hooks, PolicyKind, Protocol, evaluate};
use crate::heuristics::{Prepared, registry};
use approx::assert_relative_eq;
use rand::RngExt;
use thoughtcache_env::random::{Purpose, SimRng, Stream};

/// Rounding, as a share of the costs.
pub(super) const ROUNDING: f64 = 1e-9;

/// A maker of small worlds, and which of their episodes are solved.
pub(super) struct Maker {
    /// The run whose draws make the worlds.
    pub(super) run: u64,
    pub(super) world: fn(&mut SimRng) -> Arc<Scenario>,
    /// The longest run of an episode that is solved.
    pub(super) most_decisions: usize,
}

/// A small world, the optimum of an episode, and the bound as a share of it.
pub(super) struct Solved {
    pub(super) scenario: Arc<Scenario>,
    pub(super) seed: Seed,
    pub(super) optimum: Optimum,
    pub(super) share: f64,
}

impl Maker {
    /// So many small worlds with an episode of 2 to 7 requests each, whose bound lies below its optimum.
    pub(super) fn solved(&self, count: usize) -> Vec<Solved> {
        let mut rng = Seed::new(Purpose::Test, self.run).stream(Stream::Policy);
        let mut found = Vec::new();
        while found.len() < count {
            let (scenario, run) = ((self.world)(&mut rng), rng.random_range(0..1_000_000));
            let seed = Seed::new(Purpose::Test, run);
            let cells = Trajectory::of(&scenario, seed).cells;
            let requests: usize = cells.iter().flatten().map(|asked| asked.visits.len()).sum();
            // Loads ahead are decisions, too.
            let most = if scenario.has_prefetch { 4 } else { 7 };
            if !(2..=most).contains(&requests) {
                continue;
            }
            let Some(optimum) = clairvoyant::optimum(&scenario, seed, self.most_decisions) else { continue };
            let bound = Bound::of(&scenario, seed, Ascent::default());
            assert!(
                bound.cost <= optimum.cost * (1.0 + ROUNDING),
                "{bound:?} above {optimum:?} in {scenario:?}"
            );
            let by_slot: f64 = bound.slot_costs.iter().sum();
            assert_relative_eq!(by_slot, bound.cost, max_relative = ROUNDING, epsilon = 1e-15);
            let share = bound.cost / optimum.cost;
            found.push(Solved { scenario, seed, optimum, share });
        }
        found
    }
}

/// The tenth percentile and the median.
pub(super) fn tenth_and_median(mut shares: Vec<f64>) -> [f64; 2] {
    shares.sort_by(f64::total_cmp);
    [0.1, 0.5].map(|share| shares[(share * shares.len() as f64) as usize])
}

#[test]
fn no_policy_of_the_registry_costs_less_than_the_bound() {
    let worlds =
        [("paper", 2), ("tight", 2), ("tight-request", 2), ("street", 2), ("office-140ghz", 2), ("city", 1)];
    for (name, count) in worlds {
        let scenario = Arc::new(Scenario::shipped(name));
        let contenders: Vec<Contender> = registry::names(&scenario)
            .into_iter()
            .map(|name| {
                let rule = Prepared::new(&name, &scenario).unwrap();
                Contender::new(name, PolicyKind::Heuristic, move || rule.instance())
            })
            .collect();
        let protocol = Protocol::test(Arc::clone(&scenario), 0, count);
        let results = evaluate(&contenders, &protocol, Hooks::default()).unwrap();
        for episode in 0..count {
            let seed = protocol.seed.with_episode(episode);
            let bound = Bound::of(&scenario, seed, Ascent { steps: 60 }).cost;
            for policy in &results.policies {
                let cost = policy.episodes[episode as usize].cost.total();
                assert!(bound <= cost * (1.0 + ROUNDING), "{name}: {bound} above {cost} of {}", policy.name);
            }
        }
    }
}
