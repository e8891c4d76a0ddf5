//! The state of all lanes, kept and taken back: of as many lanes and in the mode that they were kept in, for the same actions
//! lead elsewhere in another one.

use super::{Autoreset, Lane, VecEnv};
use crate::gym::api::{ActionId, Env};
use crate::gym::snapshot::{Snapshot, SnapshotError};
use crate::random::Seed;
use serde::{Deserialize, Serialize};

/// The most episodes of a lane: as many as a 64-bit float counts.
const MOST_EPISODES: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
struct VecState {
    autoreset: Autoreset,
    lanes: Vec<LaneState>,
}

#[derive(Serialize, Deserialize)]
struct LaneState {
    env: Snapshot,
    seed: Seed,
    hash: u64,
    has_ended: bool,
}

impl VecState {
    /// Whether lanes that were stepped together could be in this state.
    fn check(&self) -> Result<(), SnapshotError> {
        let Some(first) = self.lanes.first().map(|lane| lane.seed) else { return Ok(()) };
        for (index, LaneState { seed, has_ended, .. }) in self.lanes.iter().enumerate() {
            let lane = u64::from(first.lane) + index as u64;
            if (seed.purpose, seed.run, u64::from(seed.lane)) != (first.purpose, first.run, lane) {
                let reason = format!("lane {index} has the coordinates of another lane");
                return Err(SnapshotError::damaged(reason));
            }
            if seed.episode >= MOST_EPISODES {
                let reason = format!("lane {index} plays episode {}, more than can be counted", seed.episode);
                return Err(SnapshotError::damaged(reason));
            }
            if *has_ended && self.autoreset == Autoreset::SameStep {
                let reason = format!("lane {index} waits for its next episode, which none does in this mode");
                return Err(SnapshotError::damaged(reason));
            }
        }
        Ok(())
    }
}

impl<E: Env<Action = ActionId> + Send> VecEnv<E> {
    /// The state of all lanes, with the coordinates of their episodes, their digests and the mode.
    pub fn snapshot(&self) -> Snapshot {
        let state_of = |lane: &Lane<E>| LaneState {
            env: lane.env.snapshot(),
            seed: lane.seed,
            hash: lane.hash,
            has_ended: lane.has_ended,
        };
        let lanes = self.lanes.iter().map(state_of).collect();
        Snapshot::of(&self.spec, &VecState { autoreset: self.autoreset, lanes })
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
        if state.autoreset != self.autoreset {
            let (its, own) = (state.autoreset.name(), self.autoreset.name());
            let difference = format!("it was taken in autoreset mode {its}, not {own}");
            return Err(SnapshotError::foreign(self.spec(), difference));
        }
        state.check()?;
        let restored = |(lane, state): (&Lane<E>, &LaneState)| {
            let mut env = lane.env.clone();
            env.restore(&state.env)?;
            Ok(Lane { env, seed: state.seed, hash: state.hash, has_ended: state.has_ended })
        };
        self.lanes =
            self.lanes.iter().zip(&state.lanes).map(restored).collect::<Result<_, SnapshotError>>()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::counters;
    use super::*;
    use crate::random::Purpose;

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
    fn lanes_that_cannot_have_been_stepped_together_are_refused() {
        type Forge = fn(&mut VecState);
        let forgeries: [(Forge, &str); 7] = [
            (|state| state.lanes[1].seed.lane = 4, "lane 1 has the coordinates of another lane"),
            (|state| state.lanes[0].seed.lane = u32::MAX, "lane 1 has the coordinates of another lane"),
            (|state| state.lanes[2].seed.run = 2, "lane 2 has the coordinates of another lane"),
            (
                |state| state.lanes[2].seed.purpose = Purpose::Test,
                "lane 2 has the coordinates of another lane",
            ),
            (
                |state| state.lanes[0].seed.episode = u64::MAX,
                "lane 0 plays episode 18446744073709551615, more than can be counted",
            ),
            (
                |state| state.lanes[1].has_ended = true,
                "lane 1 waits for its next episode, which none does in this mode",
            ),
            (
                |state| state.lanes[1].env = Snapshot::from_bytes(vec![0; 40]),
                "it does not begin as a snapshot does",
            ),
        ];
        for (forge, expected) in forgeries {
            let mut vec_env = lanes(Autoreset::SameStep);
            let before = vec_env.snapshot();
            let mut state: VecState = before.state(&vec_env.spec).unwrap();
            forge(&mut state);
            let error = vec_env.restore(&Snapshot::of(&vec_env.spec, &state)).unwrap_err();
            assert_eq!(error.to_string(), format!("the snapshot is damaged: {expected}"));
            assert_eq!(vec_env.snapshot(), before, "nothing has changed");
        }
    }
}
