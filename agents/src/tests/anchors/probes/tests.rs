//! The answers a second time, and the worlds themselves.

use super::*;
use std::collections::BTreeSet;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::random::{Purpose, Seed};

#[test]
fn the_answers_are_what_value_iteration_finds() {
    for probe in probe_registry() {
        let world = probe.env();
        let derived = world.action_values(probe.gamma, 400);
        for (state, values) in world.states().iter().zip(derived) {
            let found = probe.answers.iter().any(|answer| {
                answer.row == state.row
                    && answer.action_values.iter().zip(&values).all(|(stated, derived)| {
                        match (stated, derived) {
                            (Some(stated), Some(derived)) => (stated - derived).abs() < 1e-9,
                            (None, None) => true,
                            _ => false,
                        }
                    })
            });
            assert!(found, "{}: row {:?} has values {values:?}", probe.name, state.row);
        }
    }
}

#[test]
fn states_that_look_alike_have_one_value_unless_the_probe_is_for_action_values() {
    for probe in probe_registry() {
        let alike = probe.answers.iter().any(|one| {
            probe.answers.iter().any(|other| one.row == other.row && one.state_value() != other.state_value())
        });
        assert_eq!(alike, probe.audience == Audience::ActionValues, "{}", probe.name);
    }
}

#[test]
fn every_probe_has_its_own_name_and_every_start_is_met() {
    let names: BTreeSet<&str> = probe_registry().iter().map(|probe| probe.name).collect();
    assert_eq!(names.len(), probe_registry().len());
    let mut world = echo().env();
    let mut met = BTreeSet::new();
    for episode in 0..50 {
        world.reset(Seed::new(Purpose::Train, 1).with_episode(episode));
        met.insert(world.observation().row.iter().position(|&entry| entry == 1.0));
    }
    assert_eq!(met.len(), 3);
}

#[test]
fn a_per_step_discount_would_give_other_answers() {
    // The sibling's answer is 0.5 for each of the three worlds.
    let values = [0, 1, 3].map(|slots| discount_over_slots(slots).answers[0].state_value());
    assert_eq!(values, [1.0, 0.5, 0.125]);
}

#[test]
fn the_truncated_loop_is_cut_after_ten_steps_and_looks_the_same_all_along() {
    let mut world = truncation().env();
    world.reset(Seed::new(Purpose::Train, 0));
    for step in 1..=10 {
        let end = world.step(&ActionId(0)).unwrap().end;
        assert_eq!(end, if step == 10 { End::Truncated } else { End::No });
        assert_eq!(world.observation().row, [0.0]);
    }
}

#[test]
fn the_illegal_action_is_refused_and_changes_nothing() {
    let mut world = illegal_action().env();
    let illegal_seed = (0..50)
        .map(|episode| Seed::new(Purpose::Train, 0).with_episode(episode))
        .find(|&seed| {
            world.reset(seed);
            world.observation().row == [1.0]
        })
        .unwrap();
    world.reset(illegal_seed);
    assert!(world.step(&ActionId(2)).is_err());
    assert_eq!(world.step(&ActionId(1)).unwrap().reward, 0.0);
}

#[test]
fn an_answer_knows_its_mask_its_value_and_its_best_actions() {
    let answer = Answer { row: vec![0.0], action_values: vec![Some(1.0), None, Some(2.0), Some(2.0)] };
    assert_eq!(answer.legal(), [true, false, true, true]);
    assert_eq!(answer.state_value(), 2.0);
    assert_eq!([0, 1, 2, 3, 4].map(|action| answer.is_best(action)), [false, false, true, true, false]);
}
