//! The loop, with worlds of a few states and an observer that takes notes.

use super::*;
use crate::learn::agent::Metrics;
use crate::learn::dqn_config::DqnConfig;
use crate::learn::ppo_config::PpoConfig;
use crate::tests::anchors::{Probe, probes};
use std::error::Error;

/// Answers validations with these costs in turn (then with 9), and remembers what it heard.
#[derive(Default)]
struct Notes {
    costs: Vec<f64>,
    validated: Vec<u64>,
    updates: Vec<u64>,
    episodes: Vec<(u64, Episode)>,
    stop_after: Option<u64>,
}

impl Observer for Notes {
    fn on_update(&mut self, decisions: u64, _metrics: &Metrics) {
        self.updates.push(decisions);
    }
    fn on_episode(&mut self, decisions: u64, episode: &Episode) {
        self.episodes.push((decisions, *episode));
    }
    fn should_stop(&mut self) -> bool {
        self.stop_after.is_some_and(|after| self.updates.last().is_some_and(|&decisions| decisions >= after))
    }
    fn validate(
        &mut self,
        _policy: &Mlp,
        decisions: u64,
    ) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        self.validated.push(decisions);
        match self.costs.get(self.validated.len() - 1) {
            Some(cost) if cost.is_infinite() => Err("no validation episodes".into()),
            cost => Ok(Some(cost.copied().unwrap_or(9.0))),
        }
    }
}

fn ppo() -> AgentConfig {
    let tiny = PpoConfig { n_envs: 4, n_steps: 8, batch_size: 16, net_arch: vec![8], ..PpoConfig::default() };
    tiny.into()
}

fn dqn() -> AgentConfig {
    DqnConfig {
        n_envs: 4,
        buffer_size: 256,
        batch_size: 16,
        learning_starts: 32,
        net_arch: vec![8],
        ..DqnConfig::default()
    }
    .into()
}

fn run(
    config: &AgentConfig,
    probe: &Probe,
    settings: TrainSettings,
    notes: &mut Notes,
) -> Result<Trained, TrainError> {
    train(config, |_| probe.env(), settings, notes)
}

const SETTINGS: TrainSettings = TrainSettings { budget: 160, eval_freq: 0, checkpoint_freq: 0, run: 1 };

#[test]
fn the_budget_is_exact_or_refused_with_the_nearest_ones() {
    let refused = |budget| {
        let settings = TrainSettings { budget, ..SETTINGS };
        run(&ppo(), &probes::echo(), settings, &mut Notes::default()).unwrap_err().to_string()
    };
    assert_eq!(refused(161), "decisions = 161: multiples of n_envs = 4; the nearest are 160 and 164");
    assert_eq!(refused(3), "decisions = 3: multiples of n_envs = 4; the least is 4");
    assert_eq!(refused(0), "decisions = 0: multiples of n_envs = 4; the least is 4");
    let mut notes = Notes::default();
    let settings = TrainSettings { budget: 84, ..SETTINGS };
    let trained = run(&ppo(), &probes::echo(), settings, &mut notes).unwrap();
    assert_eq!(trained.decisions, 84);
    // Rollouts of 32 decisions, the last one of 20; validated once, at the end.
    assert_eq!(notes.updates, [32, 64, 84]);
    assert_eq!(notes.validated, [84]);
}

#[test]
fn the_same_seed_gives_the_same_policy_and_world_for_both_learners() {
    for config in [ppo(), dqn()] {
        let trained = |run_number| {
            let settings = TrainSettings { run: run_number, ..SETTINGS };
            let trained = run(&config, &probes::echo(), settings, &mut Notes::default()).unwrap();
            (trained.last, trained.trajectory_hash)
        };
        assert_eq!(trained(1), trained(1));
        assert_ne!(trained(1).0, trained(2).0);
        assert_ne!(trained(1).1, trained(2).1);
    }
}

#[test]
fn the_least_validation_cost_decides_and_the_earlier_of_equals_stays() {
    let mut notes = Notes { costs: vec![3.0, 1.0, 2.0, 1.0], ..Notes::default() };
    let settings = TrainSettings { eval_freq: 40, ..SETTINGS };
    let trained = run(&ppo(), &probes::echo(), settings, &mut notes).unwrap();
    assert_eq!(notes.validated, [40, 80, 120, 160]);
    let best = trained.best.unwrap();
    assert_eq!((best.decisions, best.score), (80, 1.0));
    assert_ne!(best.policy, trained.last);
}

#[test]
fn what_happens_between_two_validations_does_not_depend_on_them() {
    let last = |eval_freq| {
        let settings = TrainSettings { eval_freq, ..SETTINGS };
        run(&ppo(), &probes::echo(), settings, &mut Notes::default()).unwrap().last
    };
    assert_eq!(last(0), last(12));
}

#[test]
fn episodes_are_added_up_by_lane() {
    // Four lanes, episodes of ten decisions that pay 1 and take a slot each: a cost of -1 a slot.
    let mut notes = Notes::default();
    run(&ppo(), &probes::truncation(), SETTINGS, &mut notes).unwrap();
    assert_eq!(notes.episodes.len(), 16);
    for (index, (decisions, episode)) in notes.episodes.iter().enumerate() {
        assert_eq!(*decisions, 40 * (1 + index as u64 / 4));
        assert_eq!(episode.lane, index % 4);
        assert_eq!((episode.reward, episode.decisions, episode.slots), (10.0, 10, 10));
        assert_eq!(episode.cost_per_slot(), -1.0);
    }
}

#[test]
fn a_run_can_be_stopped_and_still_has_a_validated_policy() {
    let mut notes = Notes { stop_after: Some(64), ..Notes::default() };
    let trained = run(&ppo(), &probes::echo(), SETTINGS, &mut notes).unwrap();
    assert_eq!(trained.decisions, 64);
    assert_eq!((trained.best.unwrap().decisions, notes.validated), (64, vec![64]));
}

#[test]
fn a_validation_that_fails_ends_the_run_and_each_error_of_the_chain_says_its_own_part() {
    let messages = |cost| {
        let mut notes = Notes { costs: vec![cost], ..Notes::default() };
        let error = run(&ppo(), &probes::echo(), SETTINGS, &mut notes).unwrap_err();
        (error.to_string(), error.source().map(ToString::to_string))
    };
    let source = "no validation episodes".to_owned();
    assert_eq!(messages(f64::INFINITY), ("validation after 160 decisions".to_owned(), Some(source)));
    let source = "the mean cost is NaN".to_owned();
    assert_eq!(messages(f64::NAN), ("validation after 160 decisions".to_owned(), Some(source)));
}
