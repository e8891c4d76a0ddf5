//! Optima that a person can compute, recorded ones, those of an independent model, and policies that play.

#[cfg(feature = "torch")]
mod learning;
mod naive;

use super::*;
use crate::evaluate::{Contender, Hooks, PolicyKind, Protocol, evaluate};
use crate::heuristics::Prepared;
use approx::assert_abs_diff_eq;
use std::sync::Arc;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::scenario::{Scenario, shipped};
use thoughtcache_env::text::Override;
use thoughtcache_env::units::ServiceId;

const FINE: f64 = 1e-9;

pub(super) fn world(name: &str, overrides: &[(&str, &str)]) -> Arc<Scenario> {
    let overrides: Vec<Override> =
        overrides.iter().map(|(k, v)| Override { key: (*k).into(), value: (*v).into() }).collect();
    let text = shipped::text(name).unwrap();
    let loaded = Scenario::load(name, text, &overrides, |_| Err("none".into()));
    Arc::new(loaded.unwrap_or_else(|error| panic!("{error}")).1)
}

fn mdp(scenario: &Arc<Scenario>) -> ExactMdp {
    ExactMdp::new(scenario).unwrap_or_else(|error| panic!("{error}"))
}

/// The position of a placement without victims.
fn position(mdp: &ExactMdp, situation: &Situation<'_>, placement: Placement) -> Option<usize> {
    let at = mdp.scenario().placements.iter().position(|&p| p == placement)?;
    situation.choices.iter().position(|choice| choice.action.index() == at)
}

/// All to the cloud.
fn all_cloud(mdp: &ExactMdp) -> Plan {
    mdp.plan(|situation| position(mdp, situation, Placement::Cloud).unwrap())
}

/// Loads every miss, the least numbered victims first.
fn always_load(mdp: &ExactMdp) -> Plan {
    let cloud = |situation: &Situation<'_>| position(mdp, situation, Placement::Cloud);
    mdp.plan(|situation| (0..situation.choices.len()).find(|&at| Some(at) != cloud(situation)).unwrap())
}

/// The mean cost per slot of a contender over one test episode of so many slots.
pub(super) fn played(name: &str, slots: u32, contenders: &[Contender]) -> Vec<f64> {
    let protocol = Protocol::test(world(name, &[("horizon_slots", &slots.to_string())]), 0, 1);
    let evaluation = evaluate(contenders, &protocol, Hooks::default()).unwrap();
    evaluation.policies.iter().map(|policy| policy.episodes[0].cost_per_slot()).collect()
}

pub(super) fn optimal(name: &str) -> (f64, Contender) {
    let mdp = Arc::new(mdp(&world(name, &[])));
    let average = mdp.average(FINE).unwrap();
    let policy = ExactPolicy::new(OPTIMAL, Arc::clone(&mdp), average.plan.clone()).unwrap();
    (average.cost(), Contender::new(OPTIMAL, PolicyKind::Bound, move || Box::new(policy.clone())))
}

#[test]
fn keeping_the_favourites_is_what_one_computes_by_hand() {
    // .6 * 1 + .4 * 3, and .7 * 1 + .3 * 3.
    for (name, cost, sets) in [("tiny-unit3", 1.8, 4), ("tiny-unit4", 1.6, 11)] {
        let mdp = mdp(&world(name, &[]));
        let average = mdp.average(FINE).unwrap();
        assert!(average.lower <= cost + FINE && cost - FINE <= average.upper, "{name}: {average:?}");
        assert_abs_diff_eq!(average.cost(), cost, epsilon = 1e-8);
        assert_eq!(mdp.sets().len(), sets);
        assert_abs_diff_eq!(mdp.average_cost_of(&all_cloud(&mdp)).unwrap(), 3.0, epsilon = 1e-12);
        assert_abs_diff_eq!(mdp.average_cost_of(&average.plan).unwrap(), cost, epsilon = 1e-9);
    }
    // Room for one, every miss is loaded: hits have probability .36 + .09 + .01, a miss costs 5.
    let mdp = mdp(&world("tiny-unit3", &[]));
    let cost = 0.46 + 0.54 * 5.0;
    assert_abs_diff_eq!(mdp.average_cost_of(&always_load(&mdp)).unwrap(), cost, epsilon = 1e-12);
}

#[test]
fn the_shipped_worlds_have_their_recorded_optima() {
    let recorded = [
        ("tiny-unit3", 39.870_967_742, 1.8),
        ("tiny-unit4", 39.303_019_785, 1.6),
        ("tiny-drift4", 39.168_514_068, 1.778_082_192),
    ];
    for (name, discounted, average) in recorded {
        let mdp = mdp(&world(name, &[]));
        let solved = mdp.discounted(0.95, FINE).unwrap();
        assert_abs_diff_eq!(solved.value, discounted, epsilon = 1e-6);
        assert!(solved.error_bound <= FINE);
        assert_abs_diff_eq!(mdp.average(FINE).unwrap().cost(), average, epsilon = 1e-6);
        // What is best under this discount is best in the long run, too: learners may discount.
        assert_abs_diff_eq!(mdp.average_cost_of(&solved.plan).unwrap(), average, epsilon = 1e-6);
    }
}

#[test]
fn every_column_of_the_recorded_table_is_reproduced() {
    let text = include_str!("../../../../../env/tests/reference/tiny_mdp_optimum.csv");
    for instance in read_csv(text).unwrap() {
        let (name, mdp) = (&instance.name, mdp(&instance.scenario().unwrap()));
        let (gamma, discounted) = instance.opt_discounted.unwrap();
        assert_eq!(gamma, 0.95);
        assert_abs_diff_eq!(mdp.discounted(gamma, FINE).unwrap().value, discounted, epsilon = 1e-6);
        assert_abs_diff_eq!(
            mdp.average(FINE).unwrap().cost(),
            instance.opt_average_cost.unwrap(),
            epsilon = 1e-6
        );
        assert_eq!(mdp.sets().len(), instance.num_feasible_sets.unwrap(), "{name}");
        let all_cloud = mdp.average_cost_of(&all_cloud(&mdp)).unwrap();
        assert_abs_diff_eq!(all_cloud, instance.all_cloud_cost.unwrap(), epsilon = 1e-6);
    }
}

#[test]
fn least_recently_used_pays_what_was_recorded_of_it() {
    // Columns lru_always_load_avg_mc2e6 and lfu_always_load_avg_mc2e6 of the same table, means of two million slots.
    let recorded =
        [("tiny-unit3", 3.1559, 3.1559), ("tiny-unit4", 2.6783, 2.4675), ("tiny-drift4", 2.9909, 2.9909)];
    for (name, lru, lfu) in recorded {
        let contender = |rule: &str| {
            let prepared = Prepared::new(rule, &world(name, &[])).unwrap();
            Contender::new(rule, PolicyKind::Heuristic, move || prepared.instance())
        };
        let costs = played(name, 400_000, &[contender("lru"), contender("lfu")]);
        // A slot's cost deviates by 2 from its mean, 400,000 slots by .0032, neighbours that resemble each other by some more.
        assert_abs_diff_eq!(costs[0], lru, epsilon = 0.025);
        assert_abs_diff_eq!(costs[1], lfu, epsilon = 0.025);
    }
}

#[test]
fn the_optimal_plan_plays_what_it_promises() {
    for name in ["tiny-unit3", "tiny-unit4", "tiny-drift4"] {
        let (cost, contender) = optimal(name);
        assert_abs_diff_eq!(played(name, 400_000, &[contender])[0], cost, epsilon = 0.015);
    }
}

#[test]
fn several_victims_are_chosen_one_after_another() {
    // a and b of 1 in a memory of 2, or c of 2. c costs 100 in the cloud: it is worth both of the others.
    let row = "big,3,\"[1,1,2]\",\"[1,1,2]\",\"[1,1,1]\",\"[9,9,100]\",\"[[0.3,0.3,0.4]]\",1.0,2";
    let head = "instance,n_models,sizes,load_cost,local_cost,cloud_cost,popularity_by_phase,phase_stay_prob,capacity";
    let instance = &read_csv(&format!("{head}\n{row}\n")).unwrap()[0];
    let mdp = mdp(&instance.scenario().unwrap());
    assert_eq!(mdp.sets().len(), 5, "nothing, a, b, a and b, c");
    for Situation { resident, chosen, choices, service, .. } in mdp.situations() {
        if !chosen.is_empty() {
            assert_eq!((resident.len(), chosen.len(), choices.len()), (2, 1, 1), "only the other is left");
            assert_eq!(service, ServiceId(2));
        }
    }
    let twice = always_load(&mdp);
    let cost = mdp.average_cost_of(&twice).unwrap();
    let naive = naive::Model::of(instance);
    assert!(cost >= naive.average() - 1e-9);
    assert_abs_diff_eq!(mdp.average(FINE).unwrap().cost(), naive.average(), epsilon = 1e-6);
    let policy = ExactPolicy::new("plan", Arc::new(mdp.clone()), twice).unwrap();
    let contender = Contender::new("plan", PolicyKind::Bound, move || Box::new(policy.clone()));
    let scenario = instance.scenario_with_horizon(200_000).unwrap();
    let evaluation = evaluate(&[contender], &Protocol::test(scenario, 0, 1), Hooks::default()).unwrap();
    let episode = &evaluation.policies[0].episodes[0];
    assert!(episode.decisions > u64::from(episode.slots), "some requests took two decisions");
    assert_abs_diff_eq!(episode.cost_per_slot(), cost, epsilon = 0.02);
}

#[test]
fn a_rule_that_settles_in_one_of_several_ways_pays_their_mean() {
    // Whatever is asked for first stays for ever: with probability .6 the cost is 1.8, with .3 it is 2.4, with .1 2.8.
    let mdp = mdp(&world("tiny-unit3", &[]));
    let plan = mdp.plan(|situation| {
        let is_first = situation.resident.is_empty() || situation.resident.contains(situation.service);
        let placement = if is_first { Placement::Edge } else { Placement::Cloud };
        position(&mdp, situation, placement).unwrap()
    });
    let expected = 0.6 * 1.8 + 0.3 * 2.4 + 0.1 * 2.8;
    assert_abs_diff_eq!(mdp.average_cost_of(&plan).unwrap(), expected, epsilon = 1e-12);
}

#[test]
fn phases_that_alternate_have_an_optimum_too() {
    let mdp = mdp(&world("tiny-drift4", &[("workload.phased.stay_prob", "0.0")]));
    let average = mdp.average(FINE).unwrap();
    assert!(average.upper - average.lower <= FINE);
    // Neither favourite is worth two loads in two slots: one of them is kept, .4 of the requests are for it.
    assert_abs_diff_eq!(average.cost(), 0.4 + 0.6 * 3.0, epsilon = 1e-6);
}

#[test]
fn a_rule_without_the_phase_and_without_memory_costs_a_fifth_more() {
    // Every rule that decides by memory and request alone: load or not, for each resident and each other request.
    let mdp = mdp(&world("tiny-drift4", &[]));
    let mut least = f64::INFINITY;
    for rule in 0_u32..1 << 12 {
        let loads =
            |resident: u32, asked: u32| rule >> (3 * resident + asked - u32::from(asked > resident)) & 1 == 1;
        let plan = mdp.plan(|situation| {
            let resident = (0..4).find(|&service| situation.resident.contains(ServiceId(service)));
            let asked = situation.service.0;
            let is_edge = resident.is_none_or(|resident| resident == asked || loads(resident, asked));
            let cloud = position(&mdp, situation, Placement::Cloud).unwrap();
            if is_edge { 1 - cloud } else { cloud }
        });
        least = least.min(mdp.average_cost_of(&plan).unwrap());
    }
    let gap = least / mdp.average(FINE).unwrap().cost() - 1.0;
    println!("the best rule without the phase costs {least:.6}, {:.2} % more", 100.0 * gap);
    assert!(gap > 0.2, "{gap}");
}

#[test]
fn worlds_that_are_not_tiny_are_told_why() {
    let refused = |name: &str, overrides: &[(&str, &str)]| {
        ExactMdp::new(&world(name, overrides)).unwrap_err().to_string()
    };
    let services = |count: usize| {
        let list = vec!["{ model = \"unit\" }"; count].join(", ");
        let row = vec![(1.0 / count as f64).to_string(); count].join(", ");
        (format!("[{list}]"), format!("[[{row}]]"))
    };
    let crowd = |count: usize| {
        let (services, popularity) = services(count);
        refused(
            "tiny-unit3",
            &[
                ("services", &services),
                ("workload.phased.popularity", &popularity),
                ("cell.memory_gb", "40.0"),
            ],
        )
    };
    let window = [("models.0.window_tokens", "2000")];
    let priced = [window[0], ("cost.accuracy_weight", "2.5")];
    let blind = world("tiny-drift4", &[("observation.popularity_phase", "false")]);
    let hidden = mdp(&blind);
    let plan = all_cloud(&hidden);
    insta::assert_snapshot!(
        [
            refused("tight", &[]),
            refused("tiny-unit3", &window),
            refused("tiny-unit3", &priced),
            crowd(24),
            crowd(65),
            ExactPolicy::new(OPTIMAL, Arc::new(hidden.clone()), plan).unwrap_err().to_string(),
            hidden.discounted(1.0, FINE).unwrap_err().to_string(),
        ]
        .join("\n")
    );
}

#[test]
fn a_table_that_cannot_be_read_says_where() {
    let head = "instance,n_models,sizes,load_cost,local_cost,cloud_cost,popularity_by_phase,phase_stay_prob,capacity";
    let good = "x,2,\"[1, 1]\",\"[4, 4]\",\"[1, 1]\",\"[3, 3]\",\"[[0.5, 0.5]]\",1.0,1";
    let read = |head: &str, row: &str| read_csv(&format!("{head}\n\n{row}\n"));
    assert_eq!(read(head, good).unwrap()[0].sizes, [1.0, 1.0]);
    let world = |row: &str| read(head, row).unwrap()[0].scenario().unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            read("instance,n_models", good).unwrap_err().to_string(),
            read(head, &good.replace("[4, 4]", "[4]")).unwrap_err().to_string(),
            read(head, &good.replace("x,2", "x,two")).unwrap_err().to_string(),
            world(&good.replace("[3, 3]", "[3, -3]")),
            world(&good.replace(",1.0,1", ",0.5,1")),
            world(&good.replace("[[0.5, 0.5]]", "[[0.5, 0.6]]")),
        ]
        .join("\n")
    );
}
