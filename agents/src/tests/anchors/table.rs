//! A world that is a table: numbered states, a row of numbers for each, and what every legal action leads to.
//!
//! Nothing is random but the state in which an episode begins, so the value of every action can be written down.

use rand::RngExt;
use thoughtcache_env::gym::api::{ActionId, End, Entry, Env, EnvError, EnvSpec, Rows, Step};
use thoughtcache_env::gym::snapshot::{DigestedSpec, Snapshot, SnapshotError};
use thoughtcache_env::random::{Seed, Stream};

/// What one action does in one state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// What it pays.
    pub(crate) reward: f64,
    /// The slots that pass.
    pub(crate) slots_elapsed: u32,
    /// Whether the episode ends with it, and how.
    pub(crate) end: End,
    /// The state that follows; after an end, the state that the final row shows.
    pub(crate) next: usize,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TableState {
    /// What a learner sees. Two states may look alike.
    pub(crate) row: Vec<f32>,
    /// One outcome per action; `None` where the action is illegal.
    pub(crate) outcomes: Vec<Option<Outcome>>,
}

impl Rows for TableState {
    fn encode(&self, row: &mut [f32]) {
        row.copy_from_slice(&self.row);
    }

    fn mask(&self, legal: &mut [bool]) {
        for (legal, outcome) in legal.iter_mut().zip(&self.outcomes) {
            *legal = outcome.is_some();
        }
    }
}

/// The world of a table.
#[derive(Clone, Debug)]
pub(crate) struct TableWorld {
    spec: DigestedSpec,
    states: Vec<TableState>,
    starts: Vec<usize>,
    now: usize,
    is_running: bool,
}

impl TableWorld {
    /// A world with these states, whose episodes begin in one of `starts`, each as often as the others.
    ///
    /// # Panics
    /// When the table is not one: no start, a number of a state that does not exist, rows or outcomes of different
    /// lengths, or a state without a legal action.
    pub(crate) fn new(id: &str, states: Vec<TableState>, starts: Vec<usize>) -> Self {
        assert!(!starts.is_empty(), "{id}: an episode begins somewhere");
        assert!(starts.iter().all(|&start| start < states.len()), "{id}: a start that does not exist");
        let (num_entries, num_actions) = (states[0].row.len(), states[0].outcomes.len());
        for (index, state) in states.iter().enumerate() {
            assert_eq!(state.row.len(), num_entries, "{id}: row of state {index}");
            assert_eq!(state.outcomes.len(), num_actions, "{id}: outcomes of state {index}");
            assert!(state.outcomes.iter().any(Option::is_some), "{id}: state {index} has no legal action");
            let exists = |outcome: &Outcome| outcome.next < states.len();
            assert!(state.outcomes.iter().flatten().all(exists), "{id}: state {index} leads nowhere");
        }
        let spec = DigestedSpec::new(EnvSpec {
            id: id.to_owned(),
            entries: (0..num_entries).map(|entry| Entry::new(format!("entry.{entry}"), -1.0, 1.0)).collect(),
            actions: (0..num_actions).map(|action| format!("action.{action}")).collect(),
        });
        Self { spec, now: starts[0], states, starts, is_running: false }
    }

    /// The lines of the table.
    pub(crate) fn states(&self) -> &[TableState] {
        &self.states
    }

    /// The value of every action by value iteration (`None` where illegal): the fixed point of
    /// `q(s, a) = reward + gamma ^ slots_elapsed * bootstrap * max over legal b of q(next, b)`.
    ///
    /// `sweeps` bounds the error by `gamma ^ sweeps` times the greatest value where every cycle takes time.
    pub(crate) fn action_values(&self, gamma: f64, sweeps: usize) -> Vec<Vec<Option<f64>>> {
        let mut state_values = vec![0.0; self.states.len()];
        let value_of = |outcome: &Outcome, state_values: &[f64]| {
            let discount = gamma.powf(f64::from(outcome.slots_elapsed)) * outcome.end.bootstrap();
            outcome.reward + discount * state_values[outcome.next]
        };
        for _ in 0..sweeps {
            let before = state_values.clone();
            for (value, state) in state_values.iter_mut().zip(&self.states) {
                let values = state.outcomes.iter().flatten().map(|outcome| value_of(outcome, &before));
                *value = values.fold(f64::NEG_INFINITY, f64::max);
            }
        }
        let row_of = |state: &TableState| {
            state.outcomes.iter().map(|outcome| Some(value_of(outcome.as_ref()?, &state_values))).collect()
        };
        self.states.iter().map(row_of).collect()
    }
}

impl Env for TableWorld {
    type Observation = TableState;
    type Action = ActionId;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seed: Seed) {
        let draw = seed.stream(Stream::Arrivals).random_range(0..self.starts.len());
        self.now = self.starts[draw];
        self.is_running = true;
    }

    fn step(&mut self, action: &ActionId) -> Result<Step, EnvError> {
        if !self.is_running {
            return Err(EnvError::NotRunning);
        }
        let state = &self.states[self.now];
        let Some(outcome) = state.outcomes.get(action.index()).copied().flatten() else {
            let legal: Vec<bool> = state.outcomes.iter().map(Option::is_some).collect();
            return Err(EnvError::refuse(&self.spec, *action, &legal));
        };
        self.now = outcome.next;
        self.is_running = !outcome.end.is_end();
        Ok(Step { end: outcome.end, ..Step::running(outcome.reward, outcome.slots_elapsed) })
    }

    fn observation(&self) -> &TableState {
        &self.states[self.now]
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.spec, &(self.now, self.is_running))
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let (now, is_running): (usize, bool) = snapshot.state(&self.spec)?;
        if now >= self.states.len() {
            return Err(SnapshotError::foreign(&self.spec, "it has more states"));
        }
        (self.now, self.is_running) = (now, is_running);
        Ok(())
    }

    /// Nothing of the future is random.
    fn reseed_future(&mut self, _: Seed) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_env::random::Purpose;

    fn outcome(reward: f64, slots_elapsed: u32, end: End, next: usize) -> Outcome {
        Outcome { reward, slots_elapsed, end, next }
    }

    /// 0 -(1, two slots)-> 1 -(2, terminates)-> 0; action 1 is illegal in state 0 and is cut in state 1.
    fn two_states() -> TableWorld {
        let states = vec![
            TableState { row: vec![0.0], outcomes: vec![Some(outcome(1.0, 2, End::No, 1)), None] },
            TableState {
                row: vec![1.0],
                outcomes: vec![
                    Some(outcome(2.0, 1, End::Terminated, 0)),
                    Some(outcome(0.0, 1, End::Truncated, 0)),
                ],
            },
        ];
        TableWorld::new("two", states, vec![0])
    }

    #[test]
    fn a_step_follows_the_table_and_an_end_stops_it() {
        let mut world = two_states();
        assert_eq!(world.step(&ActionId(0)).unwrap_err(), EnvError::NotRunning);
        world.reset(Seed::new(Purpose::Train, 0));
        let refused = world.step(&ActionId(1)).unwrap_err().to_string();
        assert_eq!(refused, "action 1 (action.1) is illegal here; the mask allows 0");
        assert_eq!(world.step(&ActionId(0)).unwrap(), Step::running(1.0, 2));
        let unknown = world.step(&ActionId(2)).unwrap_err().to_string();
        assert_eq!(unknown, "action 2 does not exist; two has actions 0 to 1");
        assert_eq!(world.step(&ActionId(0)).unwrap(), Step::terminated(2.0, 1));
        assert_eq!(world.observation().row, [0.0], "the final row is that of the next state");
        assert_eq!(world.step(&ActionId(0)).unwrap_err(), EnvError::NotRunning);
    }

    #[test]
    fn value_iteration_discounts_by_slots_and_bootstraps_unless_terminated() {
        // q(1, stop) = 2; v(0) = 1 + 0.5^2 v(1); q(1, cut) = 0.5 v(0); v(1) = 2, so v(0) = 1.5 and q(1, cut) = 0.75.
        let values = two_states().action_values(0.5, 50);
        assert_eq!(values, [vec![Some(1.5), None], vec![Some(2.0), Some(0.75)]]);
    }
}
