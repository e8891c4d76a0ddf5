//! The state of all lanes, kept and taken back: of as many lanes and in the mode that they were kept in, for the same actions
//! lead elsewhere in another one.

use super::{Autoreset, Lane, VecEnv};
use crate::gym::api::{ActionId, Env};
use crate::gym::snapshot::{Snapshot, SnapshotError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct VecState {
    autoreset: Autoreset,
    lanes: Vec<Lane<Snapshot>>,
}

impl<E: Env<Action = ActionId> + Send> VecEnv<E> {
    /// The state of all lanes, with the coordinates of their episodes, their digests and the mode.
    pub fn snapshot(&self) -> Snapshot {
        let lanes = self.lanes.iter().map(|lane| lane.with_env(lane.env.snapshot())).collect();
        Snapshot::of(&self.spec, &VecState { autoreset: self.autoreset(), lanes })
    }

    /// Comes back to a snapshot of as many lanes in the same mode.
    ///
    /// # Errors
    /// When it is damaged, of another environment, of another number of lanes or of another [`Autoreset`] mode; nothing has
    /// changed then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError>
    where
        E: Clone,
    {
        let state: VecState = snapshot.state(&self.spec)?;
        if state.lanes.len() != self.num_lanes() {
            let difference = format!("it has {} lanes, not {}", state.lanes.len(), self.num_lanes());
            return Err(SnapshotError::foreign(self.spec(), difference));
        }
        if state.autoreset != self.autoreset() {
            let (its, own) = (state.autoreset.name(), self.autoreset().name());
            let difference = format!("it was taken in autoreset mode {its}, not {own}");
            return Err(SnapshotError::foreign(self.spec(), difference));
        }
        let restored = |(lane, state): (&Lane<E>, &Lane<Snapshot>)| {
            let mut env = lane.env.clone();
            env.restore(&state.env)?;
            Ok(state.with_env(env))
        };
        self.lanes =
            self.lanes.iter().zip(&state.lanes).map(restored).collect::<Result<_, SnapshotError>>()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::StepBuffers;
    use super::super::tests::counters;
    use super::*;
    use crate::gym::decision_env::DecisionEnv;
    use crate::random::{Purpose, Seed};
    use crate::scenario::Scenario;
    use std::sync::Arc;

    const MODES: [Autoreset; 3] = [Autoreset::SameStep, Autoreset::NextStep, Autoreset::Disabled];

    fn lanes(mode: Autoreset) -> VecEnv<impl Env<Action = ActionId> + Clone + Send> {
        VecEnv::with_first_lane(counters(3), Seed::new(Purpose::Train, 1), 4).with_autoreset(mode)
    }

    #[test]
    fn a_snapshot_of_another_mode_is_refused_and_says_of_which() {
        for mode in MODES {
            for other in MODES {
                let outcome = lanes(other).restore(&lanes(mode).snapshot());
                assert_eq!(outcome.is_ok(), mode == other, "{mode:?} into {other:?}");
            }
        }
        let error = lanes(Autoreset::SameStep).restore(&lanes(Autoreset::NextStep).snapshot()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the snapshot belongs to another environment than counter: it was taken in autoreset mode next-step, not same-step"
        );
    }

    #[test]
    fn a_lane_with_a_damaged_state_is_refused_and_nothing_has_changed() {
        let mut vec_env = lanes(Autoreset::SameStep);
        let before = vec_env.snapshot();
        let mut state: VecState = before.state(&vec_env.spec).unwrap();
        state.lanes[1].env = Snapshot::from_bytes(vec![0; 40]);
        let error = vec_env.restore(&Snapshot::of(&vec_env.spec, &state)).unwrap_err();
        assert_eq!(error.to_string(), "the snapshot is damaged: it does not begin as a snapshot does");
        assert_eq!(vec_env.snapshot(), before, "nothing has changed");
    }

    #[test]
    fn coordinates_that_nobody_plays_are_played_on_without_a_panic() {
        let scenario = Arc::new(Scenario::shipped("tiny-unit3"));
        let mut vec_env = VecEnv::new(DecisionEnv::lanes(&scenario, 4), Seed::new(Purpose::Train, 1));
        let mut state: VecState = vec_env.snapshot().state(&vec_env.spec).unwrap();
        state.lanes[0].seed.lane = u32::MAX;
        state.lanes[1].seed.episode = u64::MAX;
        vec_env.restore(&Snapshot::of(&vec_env.spec, &state)).unwrap();
        let mut buffers = StepBuffers::new(vec_env.num_lanes(), &vec_env.spec);
        for _ in 0..1_100 {
            vec_env.step_into(&[ActionId(1); 4], buffers.rows()).unwrap();
        }
    }
}
