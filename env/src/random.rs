//! Randomness with coordinates.
//!
//! A random number in this project is addressed, not drawn from the air: its generator is keyed by *what it is for*
//! ([`Purpose`]), the run, the lane (one copy of an environment), the episode and the [`Stream`]. The key is the plain
//! concatenation of those numbers, so two different addresses can never collide and no arithmetic on seeds exists.
//! Streams that belong to the world never see an action: two policies on one [`Seed`] meet the same requests.

use rand::rngs::ChaCha8Rng;
use rand::{SeedableRng, TryRng};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::convert::Infallible;

/// The generator behind every draw: `ChaCha8`, portable and the same on every machine. A clone draws the same numbers.
#[derive(Debug)]
pub struct SimRng(ChaCha8Rng);

impl SimRng {
    /// See [`Seed::stream_at`].
    #[inline]
    fn go_to(&mut self, item: u64, place: u32) {
        self.0.set_stream(item.checked_add(1).expect("fewer items than integers"));
        self.0.set_word_pos(u128::from(place) * WORDS_PER_PLACE);
    }
}

impl Clone for SimRng {
    fn clone(&self) -> Self {
        Self(ChaCha8Rng::deserialize_state(&self.0.serialize_state()))
    }
}

/// The state as bytes: a generator that is read back draws the same numbers.
impl Serialize for SimRng {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_state().as_slice().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SimRng {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        let length = bytes.len();
        let state = bytes
            .try_into()
            .map_err(|_| D::Error::custom(format!("{length} bytes are not the state of a generator")))?;
        Ok(Self(ChaCha8Rng::deserialize_state(&state)))
    }
}

impl TryRng for SimRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

/// Why an episode is played. Training, validation and test episodes are disjoint whatever numbers a user types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Episodes that a learner learns from.
    Train,
    /// Episodes that choose a checkpoint or tune a parameter.
    Validate,
    /// Episodes that are reported.
    Test,
}

impl Purpose {
    /// All, in the order in which a person meets them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validate, Self::Test];

    /// The name in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validate => "validate",
            Self::Test => "test",
        }
    }
}

/// What a sequence of draws is used for; each has its own generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Where users move.
    Mobility,
    /// Line of sight, shadowing, blockage, fading.
    Channel,
    /// Which requests arrive, and their order within a slot.
    Arrivals,
    /// Which service has which popularity rank; where a recorded episode starts.
    Popularity,
    /// Prompt and output lengths.
    Tokens,
    /// What a policy does.
    Policy,
    /// The first weights of a network.
    Initialisation,
    /// Minibatches, and draws from a replay buffer.
    Replay,
    /// Resamples of a bootstrap interval.
    Bootstrap,
    /// Which user a request comes from.
    Users,
    /// The waves of a user whose fading holds for a slot.
    Fading,
    /// How long a request's thought is.
    Thoughts,
    /// What echoes around a user where base stations sense.
    Clutter,
}

/// Words of 32 bits between two places of an item.
const WORDS_PER_PLACE: u128 = 64;

/// The coordinates of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seed {
    /// What the episode is for.
    pub purpose: Purpose,
    /// The number that the user types as `--seed`.
    pub run: u64,
    /// The copy of the environment, from 0.
    pub lane: u32,
    /// The episode of this lane, from 0.
    pub episode: u64,
}

impl Seed {
    /// The first episode of lane 0.
    pub const fn new(purpose: Purpose, run: u64) -> Self {
        Self { purpose, run, lane: 0, episode: 0 }
    }

    /// Returns the seed of the same run and another lane.
    #[must_use]
    pub const fn with_lane(self, lane: u32) -> Self {
        Self { lane, ..self }
    }

    /// Returns the seed of the same lane and another episode.
    #[must_use]
    pub const fn with_episode(self, episode: u64) -> Self {
        Self { episode, ..self }
    }

    /// The generator of one place of one item of a stream: the same numbers whatever was drawn before. Places are 256 bytes
    /// apart, no item meets another, and none meets [`stream`](Self::stream) itself.
    ///
    /// # Panics
    /// For the item 2^64 - 1.
    pub fn stream_at(&self, stream: Stream, item: u64, place: u32) -> SimRng {
        let mut rng = self.stream(stream);
        rng.go_to(item, place);
        rng
    }

    /// The generator of one stream at these coordinates.
    pub fn stream(&self, stream: Stream) -> SimRng {
        let mut key = [0_u8; 32];
        key[0..8].copy_from_slice(&self.run.to_le_bytes());
        key[8..16].copy_from_slice(&self.episode.to_le_bytes());
        key[16..20].copy_from_slice(&self.lane.to_le_bytes());
        key[20] = self.purpose as u8;
        key[21] = stream as u8;
        key[24..32].copy_from_slice(b"thought1");
        SimRng(ChaCha8Rng::from_seed(key))
    }
}

/// A generator that goes from address to address in one stream, because to make one is more work than to draw a few numbers.
#[derive(Clone, Debug)]
pub(crate) struct Addressed {
    stream: Stream,
    seed: Seed,
    rng: SimRng,
}

impl Addressed {
    /// Nowhere yet.
    pub(crate) fn new(stream: Stream) -> Self {
        let seed = Seed::new(Purpose::Train, 0);
        Self { stream, seed, rng: seed.stream(stream) }
    }

    /// The numbers of [`Seed::stream_at`], from the first one on.
    #[inline]
    pub(crate) fn at(&mut self, seed: Seed, item: u64, place: u32) -> &mut SimRng {
        if self.seed != seed {
            (self.seed, self.rng) = (seed, seed.stream(self.stream));
        }
        self.rng.go_to(item, place);
        &mut self.rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn first_draws_of_every_stream_are_pinned() {
        let seed = Seed::new(Purpose::Train, 7).with_lane(3).with_episode(11);
        let draws: Vec<u64> = [
            Stream::Mobility,
            Stream::Channel,
            Stream::Arrivals,
            Stream::Popularity,
            Stream::Tokens,
            Stream::Policy,
            Stream::Initialisation,
            Stream::Replay,
            Stream::Bootstrap,
            Stream::Users,
            Stream::Fading,
            Stream::Thoughts,
            Stream::Clutter,
        ]
        .into_iter()
        .map(|stream| seed.stream(stream).next_u64())
        .collect();
        insta::assert_debug_snapshot!(draws);
    }

    #[test]
    fn items_and_places_are_addressed_and_apart() {
        let seed = Seed::new(Purpose::Train, 1);
        let first = |item, place| seed.stream_at(Stream::Tokens, item, place).next_u64();
        let all = [(0, 0), (1, 0), (0, 1), (7, 3), (7, 4)].map(|(item, place)| first(item, place));
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one));
            assert_ne!(*one, seed.stream(Stream::Tokens).next_u64());
        }
        assert_eq!(first(7, 3), all[3]);
        let mut run = seed.stream_at(Stream::Tokens, 7, 3);
        for _ in 0..32 {
            run.next_u64();
        }
        assert_eq!(run.next_u64(), all[4], "a place is 32 numbers of 64 bits");
    }

    #[test]
    fn a_generator_that_goes_to_an_address_draws_what_one_made_for_it_draws() {
        let mut addressed = Addressed::new(Stream::Tokens);
        for (run, item, place, drawn) in
            [(0, 3, 0, 5), (0, 3, 1, 0), (7, 3, 1, 40), (7, 4, 1, 1), (0, 3, 0, 33)]
        {
            let seed = Seed::new(Purpose::Train, run);
            let mut made = seed.stream_at(Stream::Tokens, item, place);
            let gone = addressed.at(seed, item, place);
            for _ in 0..drawn {
                assert_eq!(gone.next_u64(), made.next_u64(), "{run} {item} {place}");
            }
            assert_eq!(gone.next_u32(), made.next_u32(), "an odd number of words is left");
        }
    }

    #[test]
    fn every_coordinate_changes_the_draws() {
        let base = Seed::new(Purpose::Train, 1);
        let first = |seed: Seed| seed.stream(Stream::Arrivals).next_u64();
        let neighbours = [
            Seed::new(Purpose::Validate, 1),
            Seed::new(Purpose::Test, 1),
            Seed::new(Purpose::Train, 2),
            base.with_lane(1),
            base.with_episode(1),
        ];
        for neighbour in neighbours {
            assert_ne!(first(base), first(neighbour), "{neighbour:?}");
        }
        assert_ne!(first(base), base.stream(Stream::Policy).next_u64());
    }

    #[test]
    fn a_clone_draws_the_same_numbers_from_anywhere() {
        let mut rng = Seed::new(Purpose::Train, 1).stream(Stream::Policy);
        for drawn in 0..40 {
            let mut copy = rng.clone();
            assert_eq!(copy.next_u32(), rng.next_u32(), "after {drawn} words");
            assert_eq!(copy.next_u64(), rng.next_u64());
        }
    }

    #[test]
    fn a_large_run_number_of_one_purpose_never_meets_another_purpose() {
        // An offset scheme ("evaluation = seed + 1,000,000") would collide here.
        let train = Seed::new(Purpose::Train, 1_000_003);
        let test = Seed::new(Purpose::Test, 3);
        assert_ne!(train.stream(Stream::Arrivals).next_u64(), test.stream(Stream::Arrivals).next_u64());
    }
}
