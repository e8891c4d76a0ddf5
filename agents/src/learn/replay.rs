//! The replay buffer of a learner of action values: a ring of transitions, sampled uniformly.
//!
//! Everything lies in flat arrays that are reserved once. A transition of 191 entries and 22 actions takes 1.6 kB, so
//! 100,000 of them take 160 MB; memory is touched only as the ring fills.

use super::state::{StateDict, StateError};
use rand::RngExt;
use thoughtcache_env::random::SimRng;

/// A transition of one or more steps: `reward + discount * (value of next_row)` is what it teaches about `action` in `row`.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The row in which the decision was taken.
    pub row: &'a [f32],
    /// The action taken.
    pub action: u32,
    /// The discounted sum of the rewards, as they are to be learnt.
    pub reward: f32,
    /// The discount of the next row's value; 0 if there is no future.
    pub discount: f32,
    /// The row that followed.
    pub next_row: &'a [f32],
    /// The legal actions of that row.
    pub next_legal: &'a [bool],
}

/// A ring of transitions.
#[derive(Debug)]
pub struct Replay {
    capacity: usize,
    num_entries: usize,
    num_actions: usize,
    len: usize,
    /// Where the next transition goes once the ring is full: the place of the oldest.
    next: usize,
    rows: Vec<f32>,
    next_rows: Vec<f32>,
    next_legal: Vec<bool>,
    actions: Vec<u32>,
    rewards: Vec<f32>,
    discounts: Vec<f32>,
}

/// Transitions side by side, used again and again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// `size x entries`: the rows in which the decisions were taken.
    pub rows: Vec<f32>,
    /// The actions taken.
    pub actions: Vec<i64>,
    /// Their rewards.
    pub rewards: Vec<f32>,
    /// The discounts of the next rows' values.
    pub discounts: Vec<f32>,
    /// `size x entries`: the rows that followed.
    pub next_rows: Vec<f32>,
    /// `size x actions`: what was **not** legal in those rows.
    pub next_illegal: Vec<bool>,
}

impl Replay {
    /// An empty ring for `capacity` transitions (at least 1).
    ///
    /// # Errors
    /// When the machine does not give the memory.
    pub fn new(capacity: usize, num_entries: usize, num_actions: usize) -> Result<Self, String> {
        let refused = || {
            let bytes = bytes(capacity, num_entries, num_actions);
            format!(
                "a replay buffer of {capacity} transitions needs {bytes} bytes, more than this machine gives; \
                 lower buffer_size"
            )
        };
        Ok(Self {
            capacity,
            num_entries,
            num_actions,
            len: 0,
            next: 0,
            rows: reserve(capacity, num_entries).ok_or_else(refused)?,
            next_rows: reserve(capacity, num_entries).ok_or_else(refused)?,
            next_legal: reserve(capacity, num_actions).ok_or_else(refused)?,
            actions: reserve(capacity, 1).ok_or_else(refused)?,
            rewards: reserve(capacity, 1).ok_or_else(refused)?,
            discounts: reserve(capacity, 1).ok_or_else(refused)?,
        })
    }

    /// How many transitions can be remembered.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many transitions are remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Remembers a transition; a full ring forgets its oldest.
    pub fn push(&mut self, transition: &Transition<'_>) {
        let at = self.next;
        put(&mut self.rows, at, transition.row);
        put(&mut self.next_rows, at, transition.next_row);
        put(&mut self.next_legal, at, transition.next_legal);
        put(&mut self.actions, at, &[transition.action]);
        put(&mut self.rewards, at, &[transition.reward]);
        put(&mut self.discounts, at, &[transition.discount]);
        self.len = self.len.max(at + 1);
        self.next = (at + 1) % self.capacity;
    }

    /// Draws `size` transitions, each remembered one as likely as any other, with replacement.
    ///
    /// # Panics
    /// When nothing is remembered.
    pub fn sample(&self, size: usize, rng: &mut SimRng, batch: &mut Batch) {
        assert!(!self.is_empty(), "a sample of an empty replay buffer");
        batch.clear();
        for _ in 0..size {
            let at = rng.random_range(0..self.len);
            batch.rows.extend_from_slice(&self.rows[at * self.num_entries..][..self.num_entries]);
            batch.next_rows.extend_from_slice(&self.next_rows[at * self.num_entries..][..self.num_entries]);
            let legal = &self.next_legal[at * self.num_actions..][..self.num_actions];
            batch.next_illegal.extend(legal.iter().map(|legal| !legal));
            batch.actions.push(i64::from(self.actions[at]));
            batch.rewards.push(self.rewards[at]);
            batch.discounts.push(self.discounts[at]);
        }
    }
}

impl Replay {
    /// Everything that is remembered; the part of the ring that is still empty takes no room.
    pub fn save(&self) -> StateDict {
        let (len, entries, actions) = (self.len, self.num_entries, self.num_actions);
        let mut state = StateDict::default();
        state.put_value("next", self.next as u64);
        state.put("rows", &[len, entries], &self.rows);
        state.put("next_rows", &[len, entries], &self.next_rows);
        state.put("next_legal", &[len, actions], &self.next_legal);
        state.put_list("actions", &self.actions);
        state.put_list("rewards", &self.rewards);
        state.put_list("discounts", &self.discounts);
        state
    }

    /// Goes on from what [`save`](Self::save) gave.
    ///
    /// # Errors
    /// When it is not what this ring can remember; what the ring remembers after an error means nothing.
    pub fn load(&mut self, mut state: StateDict) -> Result<(), StateError> {
        let (entries, num_actions) = (self.num_entries, self.num_actions);
        // Each array is copied into the memory that is reserved, and freed, before the next one is taken: a ring never
        // grows, and a large one is not held twice.
        let (len, rows) = state.take_rows::<f32>("rows", &[entries])?;
        let next: u64 = state.take_value("next")?;
        if len > self.capacity {
            let reason = format!("has {len} transitions, where {} are remembered", self.capacity);
            return Err(state.refuse("rows", &reason));
        }
        let next = usize::try_from(next).ok().filter(|&next| next <= len && next < self.capacity);
        let Some(next) = next else {
            return Err(state.refuse("next", &format!("is no place of a ring of {len} transitions")));
        };
        state.check_finite("rows", &rows)?;
        fill(&mut self.rows, rows);
        fill(&mut self.next_rows, state.take_finite("next_rows", &[len, entries])?);
        fill(&mut self.next_legal, state.take("next_legal", &[len, num_actions])?);
        fill(&mut self.actions, state.take("actions", &[len])?);
        fill(&mut self.rewards, state.take_finite("rewards", &[len])?);
        fill(&mut self.discounts, state.take_finite("discounts", &[len])?);
        state.finish()?;
        state.check_actions(&self.actions, num_actions)?;
        (self.len, self.next) = (len, next);
        Ok(())
    }
}

/// The bytes of a full ring.
fn bytes(capacity: usize, num_entries: usize, num_actions: usize) -> u64 {
    let numbers = 2 * num_entries as u64 + 3;
    (capacity as u64).saturating_mul(4 * numbers + num_actions as u64)
}

#[expect(clippy::needless_pass_by_value, reason = "what has been copied is freed here")]
fn fill<T: Copy>(memory: &mut Vec<T>, values: Vec<T>) {
    memory.clear();
    memory.extend_from_slice(&values);
}

impl Batch {
    fn clear(&mut self) {
        self.rows.clear();
        self.actions.clear();
        self.rewards.clear();
        self.discounts.clear();
        self.next_rows.clear();
        self.next_illegal.clear();
    }
}

/// Room for `count x width` numbers, without touching it.
pub(super) fn reserve<T>(count: usize, width: usize) -> Option<Vec<T>> {
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(count.checked_mul(width)?).ok()?;
    Some(numbers)
}

/// Writes row number `at`: behind the last one while the ring fills, over an old one afterwards.
fn put<T: Copy>(rows: &mut Vec<T>, at: usize, row: &[T]) {
    let start = at * row.len();
    if start == rows.len() {
        rows.extend_from_slice(row);
    } else {
        rows[start..start + row.len()].copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thoughtcache_env::random::{Purpose, Seed, Stream};

    fn rng() -> SimRng {
        Seed::new(Purpose::Train, 5).stream(Stream::Replay)
    }

    fn filled(capacity: usize, count: u32) -> Replay {
        let mut replay = Replay::new(capacity, 2, 2).unwrap();
        for number in 0..count {
            let value = number as f32;
            replay.push(&Transition {
                row: &[value, value + 0.5],
                action: number,
                reward: -value,
                discount: value / 8.0,
                next_row: &[value + 1.0, value + 1.5],
                next_legal: &[number.is_multiple_of(2), true],
            });
        }
        replay
    }

    #[test]
    fn what_is_drawn_belongs_together() {
        let mut batch = Batch::default();
        filled(8, 20).sample(64, &mut rng(), &mut batch);
        for index in 0..64 {
            let number = batch.actions[index];
            let value = number as f32;
            assert_eq!(batch.rows[2 * index..][..2], [value, value + 0.5]);
            assert_eq!(batch.next_rows[2 * index..][..2], [value + 1.0, value + 1.5]);
            assert_eq!((batch.rewards[index], batch.discounts[index]), (-value, value / 8.0));
            assert_eq!(batch.next_illegal[2 * index..][..2], [number % 2 == 1, false]);
        }
    }

    #[test]
    fn a_full_ring_forgets_the_oldest() {
        let mut batch = Batch::default();
        let replay = filled(8, 20);
        assert_eq!(replay.len(), 8);
        replay.sample(400, &mut rng(), &mut batch);
        let mut drawn = batch.actions.clone();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [12, 13, 14, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn every_transition_is_as_likely_as_any_other() {
        // 8,000 draws of 8: 1,000 each, standard deviation 30; five of them on either side.
        let mut batch = Batch::default();
        filled(8, 8).sample(8_000, &mut rng(), &mut batch);
        for number in 0..8 {
            let count = batch.actions.iter().filter(|&&action| action == number).count();
            assert!((850..1150).contains(&count), "{number}: {count}");
        }
    }

    #[test]
    fn the_same_generator_draws_the_same_batch() {
        let (mut first, mut second) = (Batch::default(), Batch::default());
        let replay = filled(8, 5);
        replay.sample(16, &mut rng(), &mut first);
        replay.sample(16, &mut rng(), &mut second);
        assert_eq!(first, second);
    }

    #[test]
    fn a_buffer_beyond_all_memory_is_an_error() {
        let error = Replay::new(usize::MAX / 64, 191, 22).unwrap_err();
        assert!(error.ends_with("more than this machine gives; lower buffer_size"), "{error}");
    }
}
