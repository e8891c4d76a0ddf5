//! Poisson requests whose intensity jumps between states: quiet hours and rushes.
//!
//! Models: a Markov-modulated Poisson process. A state multiplies all intensities of a cell; it lasts an exponential time,
//! then any other state follows, all alike. All services of a cell share its state (a rush fills the place, whatever people
//! ask for); cells have states of their own (ours).
//!
//! Equation, `f_i` the typed factors, `d_i` the mean durations in slots:
//! ```text
//! share of time in state i   p_i = d_i / sum_j d_j
//! factor of state i          f_i / sum_j p_j f_j               so that the long-run mean is the one that is typed
//! two states                 r = 1/d_1 + 1/d_2, v = variance of the intensity over the states, m its mean
//!   Var N                    m + 2 v (r - 1 + exp(-r)) / r^2                 N requests of a slot
//!   Cov(N_t, N_{t+1})        v (1 - exp(-r))^2 / r^2
//! ```
//! States change within slots; requests of a slot are Poisson with the integral of the intensity over it. An episode begins
//! in state i with probability `p_i`.
//!
//! Source: Fischer and Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook", Perform. Eval. 18 (1993).

use super::draw;
use crate::random::SimRng;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// A state of a modulated process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateConfig {
    /// How busy it is relative to the other states, 0 to 1e6; one of them is above 0.
    pub factor: f64,
    /// How many slots it lasts on average, 0.01 to 1e6; the length is exponential.
    pub mean_slots: f64,
}

/// Validated states.
#[derive(Clone, Debug, PartialEq)]
pub struct ModulatedModel {
    /// The factor of each state on the intensities; 1 on average over time.
    pub factors: Vec<f64>,
    /// How many slots each state lasts on average.
    pub mean_slots: Vec<f64>,
}

impl ModulatedModel {
    /// States with these rate factors, some above 0, and mean durations; at least two.
    pub(crate) fn new(mut factors: Vec<f64>, mean_slots: Vec<f64>) -> Self {
        let total: f64 = mean_slots.iter().sum();
        let mean: f64 = factors.iter().zip(&mean_slots).map(|(factor, slots)| factor * slots / total).sum();
        for factor in &mut factors {
            *factor /= mean;
        }
        Self { factors, mean_slots }
    }

    /// How many states there are.
    pub fn num_states(&self) -> usize {
        self.factors.len()
    }

    /// The state in which an episode begins.
    pub(crate) fn first_state(&self, rng: &mut SimRng) -> u32 {
        let left = rng.random::<f64>() * self.mean_slots.iter().sum::<f64>();
        draw::weighted(self.mean_slots.iter().copied(), left) as u32
    }

    /// Lets a slot pass: tells each stay with its length in slots and its factor, and returns the state at the end.
    pub(crate) fn pass_slot(&self, mut state: u32, rng: &mut SimRng, mut stay: impl FnMut(f64, f64)) -> u32 {
        let mut left = 1.0;
        loop {
            let index = state as usize;
            // What a state has lasted says nothing about how long it still will.
            let length = self.mean_slots[index] * draw::exponential(rng);
            stay(length.min(left), self.factors[index]);
            if length >= left {
                return state;
            }
            left -= length;
            let other = rng.random_range(0..self.num_states() as u32 - 1);
            state = if other < state { other } else { other + 1 };
        }
    }

    /// Lets a slot pass: the mean factor over it, and the state at its end.
    pub(crate) fn slot_factor(&self, state: u32, rng: &mut SimRng) -> (f64, u32) {
        let mut mean = 0.0;
        let state = self.pass_slot(state, rng, |length, factor| mean += length * factor);
        (mean, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};
    use approx::assert_relative_eq;

    #[test]
    fn factors_are_scaled_to_a_mean_of_one_over_time() {
        // A quarter of the time at 3, three quarters at 1: mean 1.5.
        let model = ModulatedModel::new(vec![3.0, 1.0], vec![10.0, 30.0]);
        assert_relative_eq!(model.factors[0], 2.0, max_relative = 1e-12);
        assert_relative_eq!(model.factors[1], 2.0 / 3.0, max_relative = 1e-12);
    }

    #[test]
    fn time_is_shared_as_the_durations_say_from_the_first_slot_on() {
        let model = ModulatedModel::new(vec![1.0, 0.0, 5.0], vec![2.0, 0.5, 7.5]);
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Popularity);
        let mut starts = [0.0; 3];
        let mut mean = 0.0;
        for _ in 0..40_000 {
            let state = model.first_state(&mut rng);
            starts[state as usize] += 1.0 / 40_000.0;
            mean += model.slot_factor(state, &mut rng).0 / 40_000.0;
        }
        for (share, expected) in starts.iter().zip([0.2, 0.05, 0.75_f64]) {
            assert!(
                (share - expected).abs() < 5.0 * (expected * (1.0 - expected) / 40_000.0).sqrt(),
                "{starts:?}"
            );
        }
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }

    #[test]
    fn a_slot_is_filled_by_its_stays() {
        let model = ModulatedModel::new(vec![1.0, 2.0], vec![0.2, 0.1]);
        let mut rng = Seed::new(Purpose::Test, 2).stream(Stream::Popularity);
        let (mut state, mut most) = (0, 0);
        for _ in 0..1000 {
            let (mut length, mut stays) = (0.0, 0);
            state = model.pass_slot(state, &mut rng, |stay, _| {
                length += stay;
                stays += 1;
            });
            assert_relative_eq!(length, 1.0, max_relative = 1e-12);
            most = most.max(stays);
        }
        assert!(most > 4, "states change within slots");
    }
}
