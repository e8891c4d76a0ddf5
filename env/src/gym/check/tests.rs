//! A world that keeps the contract, and the same world with one fault at a time.

use super::*;
use crate::gym::api::{Entry, EnvSpec, Rows};
use crate::gym::snapshot::{DigestedSpec, SnapshotError};

/// A fault of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    OutOfBounds,
    EntryNotWritten,
    NothingLegal,
    IllegalIsCarriedOut,
    RefusalChangesTheState,
    RewardIsNotMinusCost,
    NegativeCost,
    ResetForgetsNothing,
    SnapshotForgetsTheDraws,
    StepAfterTheEnd,
    ReseedChangesThePresent,
    DamageIsAccepted,
    TwoEntriesOfOneName,
}

/// A walk on 0 to 9 whose steps are drawn; "back" is illegal at 0; cut after 20 steps.
#[derive(Clone, Debug)]
struct Walk {
    fault: Fault,
    spec: DigestedSpec,
    view: State,
    rng: SimRng,
    steps: u32,
    is_running: bool,
}

#[derive(Clone, Debug)]
struct State {
    place: u32,
    fault: Fault,
}

impl Rows for State {
    fn encode(&self, row: &mut [f32]) {
        row[0] = if self.fault == Fault::OutOfBounds { 1.5 * self.place as f32 } else { self.place as f32 };
        if self.fault != Fault::EntryNotWritten {
            row[1] = 1.0;
        }
    }
    fn mask(&self, legal: &mut [bool]) {
        let stuck = self.fault == Fault::NothingLegal && self.place == 5;
        legal.copy_from_slice(&[!stuck, !stuck && self.place > 0]);
    }
}

fn walk(fault: Fault) -> Walk {
    let second = if fault == Fault::TwoEntriesOfOneName { "place" } else { "one" };
    Walk {
        fault,
        spec: DigestedSpec::new(EnvSpec {
            id: "walk".into(),
            entries: vec![Entry::new("place", 0.0, 9.0), Entry::new(second, 0.0, 1.0)],
            actions: vec!["on".into(), "back".into()],
        }),
        view: State { place: 0, fault },
        rng: Seed::new(Purpose::Train, 0).stream(Stream::Arrivals),
        steps: 0,
        is_running: false,
    }
}

impl Env for Walk {
    type Observation = State;
    type Action = ActionId;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Seed) {
        if self.fault != Fault::ResetForgetsNothing || seed.episode == 0 {
            self.rng = seed.stream(Stream::Arrivals);
        }
        self.view.place = self.rng.random_range(0..3);
        self.steps = 0;
        self.is_running = true;
    }

    fn step(&mut self, action: &ActionId) -> Result<Step, EnvError> {
        if !self.is_running && self.fault != Fault::StepAfterTheEnd {
            return Err(EnvError::NotRunning);
        }
        let mut mask = [false; 2];
        self.view.mask(&mut mask);
        let is_legal = mask.get(action.index()).copied().unwrap_or(false);
        let is_let_through = self.fault == Fault::IllegalIsCarriedOut && action.0 == 1;
        if !is_legal && !is_let_through {
            if self.fault == Fault::RefusalChangesTheState {
                self.view.place += 1;
            }
            return Err(EnvError::refuse(&self.spec, *action, &mask));
        }
        let by = self.rng.random_range(1..4);
        self.view.place =
            if action.0 == 0 { (self.view.place + by).min(9) } else { self.view.place.saturating_sub(by) };
        self.steps += 1;
        let cost = f64::from(by);
        let mut step = Step::running(-cost, 1);
        step.info.cost.cloud = cost;
        match self.fault {
            Fault::RewardIsNotMinusCost => step.reward += 1e-6,
            Fault::NegativeCost => {
                step.info.cost.cloud = -cost;
                step.reward = cost;
            }
            _ => {}
        }
        if self.steps == 20 {
            step.end = crate::gym::api::End::Truncated;
            self.is_running = false;
        }
        Ok(step)
    }

    fn observation(&self) -> &State {
        &self.view
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.spec, &(self.view.place, self.steps, self.is_running, &self.rng))
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let state: Result<(u32, u32, bool, SimRng), _> = snapshot.state(&self.spec);
        if self.fault == Fault::DamageIsAccepted && state.is_err() {
            return Ok(());
        }
        let (place, steps, is_running, rng) = state?;
        (self.view.place, self.steps, self.is_running) = (place, steps, is_running);
        if self.fault != Fault::SnapshotForgetsTheDraws {
            self.rng = rng;
        }
        Ok(())
    }

    fn reseed_future(&mut self, seed: Seed) {
        if self.fault == Fault::ReseedChangesThePresent {
            self.view.place = 9 - self.view.place;
        }
        self.rng = seed.stream(Stream::Arrivals);
    }
}

fn check(fault: Fault) -> Result<Checked, Violation> {
    check_env(|| walk(fault), CheckSettings { steps: 500, ..CheckSettings::default() })
}

#[test]
fn a_world_that_keeps_the_contract_passes() {
    let checked = check(Fault::None).unwrap();
    assert_eq!((checked.steps, checked.episodes, checked.restored), (500, 25, 6));
    assert!(checked.reward < -500.0);
}

#[test]
fn every_fault_is_found_and_called_by_its_name() {
    let cases = [
        (Fault::OutOfBounds, "every entry lies within its bounds"),
        (Fault::EntryNotWritten, "every entry lies within its bounds"),
        (Fault::NothingLegal, "at least one action is legal"),
        (Fault::IllegalIsCarriedOut, "an illegal or unknown action is refused"),
        (Fault::RefusalChangesTheState, "a refused action changes nothing"),
        (Fault::RewardIsNotMinusCost, "a reward is minus the sum of the costs"),
        (Fault::NegativeCost, "costs are finite and not negative"),
        (Fault::ResetForgetsNothing, FORGETS),
        (Fault::SnapshotForgetsTheDraws, "a restored state is the same state"),
        (Fault::StepAfterTheEnd, "a step before the first reset is refused as `NotRunning`"),
        (Fault::ReseedChangesThePresent, "a new future leaves the present as it is"),
        (Fault::DamageIsAccepted, "a damaged snapshot is refused"),
        (Fault::TwoEntriesOfOneName, "every entry has a name of its own"),
    ];
    for (fault, rule) in cases {
        match check(fault) {
            Err(violation) => assert_eq!(violation.rule, rule, "{fault:?}: {violation}"),
            Ok(_) => panic!("{fault:?} was not found"),
        }
    }
}

#[test]
fn a_violation_says_what_where_and_what_should_hold() {
    assert_eq!(
        check(Fault::TwoEntriesOfOneName).unwrap_err().to_string(),
        "walk, episode 0, decision 0: every entry has a name of its own: Some([\"place\", \"place\"])"
    );
}
