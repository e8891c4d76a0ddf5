//! The same worlds, modelled a second time from their numbers alone: lists of kept models instead of an environment. It may
//! throw away more than it must, which never pays.

use super::super::{ExactMdp, Instance, read_csv};
use super::FINE;
use approx::assert_relative_eq;
use rand::RngExt;
use std::fmt::Write as _;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};

/// Kept models by phase: `values[phase][set]`.
pub(super) struct Model {
    instance: Instance,
    sets: Vec<Vec<usize>>,
}

impl Model {
    pub(super) fn of(instance: &Instance) -> Self {
        let models = instance.sizes.len();
        let sets = (0_usize..1 << models)
            .map(|bits| (0..models).filter(|model| bits >> model & 1 == 1).collect::<Vec<_>>())
            .filter(|set| set.iter().map(|&model| instance.sizes[model]).sum::<f64>() <= instance.capacity);
        Self { instance: instance.clone(), sets: sets.collect() }
    }

    /// What can be done about a request: the cost, and the set that is left.
    fn decisions(&self, set: usize, model: usize) -> Vec<(f64, usize)> {
        let (instance, kept) = (&self.instance, &self.sets[set]);
        let mut all = vec![(instance.cloud_cost[model], set)];
        if kept.contains(&model) {
            all.push((instance.local_cost[model], set));
            return all;
        }
        for (number, other) in self.sets.iter().enumerate() {
            let is_rest = other.iter().all(|m| *m == model || kept.contains(m));
            if is_rest && other.contains(&model) {
                all.push((instance.load_cost[model] + instance.local_cost[model], number));
            }
        }
        all
    }

    fn chance(&self, from: usize, to: usize) -> f64 {
        let phases = self.instance.popularity_by_phase.len();
        match (phases, from == to) {
            (1, _) => 1.0,
            (_, true) => self.instance.phase_stay_prob,
            _ => (1.0 - self.instance.phase_stay_prob) / (phases - 1) as f64,
        }
    }

    fn sweep(&self, values: &[Vec<f64>], gamma: f64) -> Vec<Vec<f64>> {
        let phases = values.len();
        let to_come = |phase: usize, set: usize| -> f64 {
            (0..phases).map(|next| self.chance(phase, next) * values[next][set]).sum()
        };
        let cost = |phase: usize, set: usize, model: usize| {
            let costs =
                self.decisions(set, model).into_iter().map(|(c, next)| c + gamma * to_come(phase, next));
            costs.fold(f64::INFINITY, f64::min)
        };
        let mean = |phase: usize, set: usize| -> f64 {
            let popularity = self.instance.popularity_by_phase[phase].iter().enumerate();
            popularity.map(|(model, probability)| probability * cost(phase, set, model)).sum()
        };
        (0..phases).map(|phase| (0..self.sets.len()).map(|set| mean(phase, set)).collect()).collect()
    }

    fn zero(&self) -> Vec<Vec<f64>> {
        vec![vec![0.0; self.sets.len()]; self.instance.popularity_by_phase.len()]
    }

    /// From no model on, by the phase of the first slot.
    fn discounted(&self, gamma: f64) -> Vec<f64> {
        let mut values = self.zero();
        for _ in 0..400 {
            values = self.sweep(&values, gamma);
        }
        values.iter().map(|by_set| by_set[0]).collect()
    }

    pub(super) fn average(&self) -> f64 {
        let mut values = self.zero();
        for _ in 0..4_000 {
            let next = self.sweep(&values, 1.0);
            let change = next[0][0] - values[0][0];
            let halfway = |old: &Vec<f64>, new: &Vec<f64>| -> Vec<f64> {
                old.iter().zip(new).map(|(old, new)| f64::midpoint(*old, new - change)).collect()
            };
            values = values.iter().zip(&next).map(|(old, new)| halfway(old, new)).collect();
        }
        let next = self.sweep(&values, 1.0);
        next[0][0] - values[0][0]
    }
}

/// A world of 2 to 4 models and 1 to 3 phases with costs and sizes of their own, as a line of the table.
fn random_row(number: usize, rng: &mut SimRng) -> String {
    let models = rng.random_range(2..=4);
    let phases = rng.random_range(1..=3);
    let list = |rng: &mut SimRng, low: f64, high: f64| -> Vec<f64> {
        (0..models).map(|_| rng.random_range(low..high)).collect()
    };
    let sizes: Vec<u32> = (0..models).map(|_| rng.random_range(1..=3)).collect();
    let (load, local, cloud) = (list(rng, 0.0, 6.0), list(rng, 0.0, 2.0), list(rng, 1.0, 5.0));
    let popularity: Vec<Vec<f64>> = (0..phases)
        .map(|_| {
            let weights = list(rng, 0.02, 1.0);
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / sum).collect()
        })
        .collect();
    let stay = if phases == 1 { 1.0 } else { rng.random_range(0.0..0.95) };
    let capacity = rng.random_range(1..=5);
    format!(
        "r{number},{models},\"{sizes:?}\",\"{load:?}\",\"{local:?}\",\"{cloud:?}\",\"{popularity:?}\",{stay:?},{capacity}"
    )
}

#[test]
fn forty_other_worlds_have_the_optima_of_the_second_model() {
    let mut rng = Seed::new(Purpose::Test, 7).stream(Stream::Arrivals);
    let mut table = String::from(
        "instance,n_models,sizes,load_cost,local_cost,cloud_cost,popularity_by_phase,phase_stay_prob,capacity\n",
    );
    for number in 0..40 {
        writeln!(table, "{}", random_row(number, &mut rng)).unwrap();
    }
    let mut several_victims = 0;
    for instance in read_csv(&table).unwrap() {
        let mdp = ExactMdp::new(&instance.scenario().unwrap()).unwrap();
        let naive = Model::of(&instance);
        let name = &instance.name;
        assert_eq!(mdp.sets().len(), naive.sets.len(), "{name}");
        for (got, expected) in mdp.discounted(0.9, FINE).unwrap().by_phase.iter().zip(naive.discounted(0.9)) {
            assert_relative_eq!(*got, expected, max_relative = 1e-7);
        }
        assert_relative_eq!(mdp.average(FINE).unwrap().cost(), naive.average(), max_relative = 1e-7);
        several_victims += u32::from(mdp.nodes.iter().any(|node| node.key.2.is_some()));
    }
    assert!(several_victims > 5, "{several_victims} worlds ask for a second victim");
}

/// The long-run cost of a table of decisions, by letting time pass.
fn long_run(model: &Model, loads: impl Fn(usize, usize, usize) -> bool) -> f64 {
    let phases = model.instance.popularity_by_phase.len();
    let mut now = model.zero();
    for by_set in &mut now {
        by_set[0] = 1.0 / phases as f64;
    }
    let (mut total, mut slots) = (0.0, 0.0);
    for slot in 0..3_000 {
        let mut next = model.zero();
        let mut paid = 0.0;
        for (phase, by_set) in now.iter().enumerate() {
            for (set, chance) in by_set.iter().enumerate() {
                for (asked, probability) in model.instance.popularity_by_phase[phase].iter().enumerate() {
                    let weight = chance * probability;
                    let decisions = model.decisions(set, asked);
                    let at_edge = model.sets[set].contains(&asked) || loads(set, asked, phase);
                    // The first is the cloud; with room for one model there is one way to the edge.
                    let (cost, left) = decisions[usize::from(at_edge)];
                    paid += weight * cost;
                    for (to, next) in next.iter_mut().enumerate() {
                        next[left] += weight * model.chance(phase, to);
                    }
                }
            }
        }
        if slot >= 1_000 {
            total += paid;
            slots += 1.0;
        }
        now = next;
    }
    total / slots
}

#[test]
fn no_table_of_decisions_is_cheaper_and_one_is_as_cheap() {
    // Two models, room for one, two phases: four misses in each phase, 256 tables.
    let table = "instance,n_models,sizes,load_cost,local_cost,cloud_cost,popularity_by_phase,phase_stay_prob,capacity\n\
                 two,2,\"[1, 1]\",\"[1.5, 0.7]\",\"[0.2, 0.4]\",\"[1.1, 2.0]\",\"[[0.9, 0.1], [0.2, 0.8]]\",0.8,1\n";
    let instance = &read_csv(table).unwrap()[0];
    let model = Model::of(instance);
    assert_eq!(model.sets, [vec![], vec![0], vec![1]]);
    let cost = |rule: u32| {
        // Misses: nothing and 0, nothing and 1, [0] and 1, [1] and 0.
        long_run(&model, |set, asked, phase| {
            rule >> (4 * phase + if set == 0 { asked } else { 1 + set }) & 1 == 1
        })
    };
    let least = (0..256).map(cost).fold(f64::INFINITY, f64::min);
    let mdp = ExactMdp::new(&instance.scenario().unwrap()).unwrap();
    assert_relative_eq!(mdp.average(FINE).unwrap().cost(), least, max_relative = 1e-7);
}
