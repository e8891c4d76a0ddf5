//! Exactly one request a slot, for a service whose popularity depends on a phase that comes and goes.
//!
//! Models: a population that asks for other things now than then. The smallest world with drift, small enough for its exact
//! optimum.
//!
//! Equation, phases `p` and `q` of `P`, `stay` the probability that a phase lasts another slot:
//! ```text
//! Pr(q | p)       = stay if q = p, else (1 - stay) / (P - 1)         from one slot to the next
//! Pr(service | q) = popularity[q][service]                           the request of a slot, in its own phase
//! ```
//! An episode begins in any phase, each as likely as the others: the long-run distribution of this chain.
//!
//! Assumptions (ours): a phase that ends is followed by any other, all alike. Nothing here depends on an action.

use super::draw;
use crate::random::SimRng;
use crate::units::ServiceId;
use rand::RngExt;

/// A validated source of one request a slot.
#[derive(Clone, Debug, PartialEq)]
pub struct PhasedModel {
    popularity: Vec<Vec<f64>>,
    stay_prob: f64,
}

impl PhasedModel {
    /// One row per phase, one probability per service; the arguments have been validated, and the rows sum to 1 but for
    /// rounding, which is taken away here.
    pub(crate) fn new(mut popularity: Vec<Vec<f64>>, stay_prob: f64) -> Self {
        for row in &mut popularity {
            let sum: f64 = row.iter().sum();
            for probability in row {
                *probability /= sum;
            }
        }
        Self { popularity, stay_prob }
    }

    /// How many phases there are, at least 1.
    pub fn num_phases(&self) -> usize {
        self.popularity.len()
    }

    /// The probability of a request for each service in this phase; they sum to 1.
    pub fn popularity(&self, phase: usize) -> &[f64] {
        &self.popularity[phase]
    }

    /// The probability that a slot in phase `from` is followed by one in phase `to`.
    pub fn transition_prob(&self, from: usize, to: usize) -> f64 {
        match self.num_phases() {
            1 => 1.0,
            _ if from == to => self.stay_prob,
            phases => (1.0 - self.stay_prob) / (phases - 1) as f64,
        }
    }

    /// The phase of the first slot.
    pub(crate) fn first_phase(&self, rng: &mut SimRng) -> u32 {
        rng.random_range(0..self.num_phases() as u32)
    }

    /// The phase of the next slot.
    pub(crate) fn next_phase(&self, phase: u32, rng: &mut SimRng) -> u32 {
        let others = self.num_phases() as u32 - 1;
        if others == 0 || rng.random::<f64>() < self.stay_prob {
            return phase;
        }
        let other = rng.random_range(0..others);
        if other < phase { other } else { other + 1 }
    }

    /// Learns from a slot's request how likely each phase is; a phase may have ended since the slot before, unless it is the
    /// first.
    ///
    /// ```text
    /// belief(q) <- sum_p belief(p) Pr(q | p) Pr(service | q), up to a common factor
    /// ```
    pub(crate) fn learn(&self, belief: &mut [f64], has_passed: bool, service: ServiceId) {
        let before = belief.to_vec();
        for (phase, share) in belief.iter_mut().enumerate() {
            if has_passed {
                let arrived =
                    before.iter().enumerate().map(|(from, b)| b * self.transition_prob(from, phase));
                *share = arrived.sum();
            }
            *share *= self.popularity[phase][service.index()];
        }
        let sum: f64 = belief.iter().sum();
        // A phase that was imagined may make the request impossible: then nothing is known.
        if sum > 0.0 {
            for share in belief {
                *share /= sum;
            }
        } else {
            belief.fill(1.0);
        }
    }

    /// The service that a slot in this phase asks for.
    pub(crate) fn request(&self, phase: u32, rng: &mut SimRng) -> ServiceId {
        let row = self.popularity[phase as usize].iter().copied();
        ServiceId::from_index(draw::weighted(row, rng.random()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};

    const DRAWS: u32 = 40_000;

    fn rng() -> SimRng {
        Seed::new(Purpose::Test, 1).stream(Stream::Popularity)
    }

    /// Whether a share of draws is what a probability makes likely: within five standard errors.
    fn is_near(count: u32, draws: u32, probability: f64) -> bool {
        let (share, draws) = (f64::from(count) / f64::from(draws), f64::from(draws));
        (share - probability).abs() <= 5.0 * (probability * (1.0 - probability) / draws).sqrt()
    }

    #[test]
    fn phases_follow_one_another_with_the_probabilities_that_are_told() {
        let model = PhasedModel::new(vec![vec![1.0]; 3], 0.7);
        let mut rng = rng();
        let (mut phase, mut followed, mut seen) = (model.first_phase(&mut rng), [[0; 3]; 3], [0; 3]);
        for _ in 0..DRAWS {
            let next = model.next_phase(phase, &mut rng);
            followed[phase as usize][next as usize] += 1;
            seen[phase as usize] += 1;
            phase = next;
        }
        for from in 0..3 {
            for to in 0..3 {
                let expected = [0.15, 0.7][usize::from(from == to)];
                assert!((model.transition_prob(from, to) - expected).abs() < 1e-15);
                assert!(is_near(followed[from][to], seen[from], expected), "{from} to {to}");
            }
        }
    }

    #[test]
    fn requests_have_the_popularity_of_the_phase_and_the_impossible_is_never_asked_for() {
        let model = PhasedModel::new(vec![vec![0.0, 0.25, 0.75, 0.0], vec![1.0, 0.0, 0.0, 0.0]], 0.5);
        let mut rng = rng();
        let mut counts = [0; 4];
        for _ in 0..DRAWS {
            counts[model.request(0, &mut rng).index()] += 1;
            assert_eq!(model.request(1, &mut rng), ServiceId(0));
        }
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!(is_near(counts[1], DRAWS, 0.25) && is_near(counts[2], DRAWS, 0.75), "{counts:?}");
    }

    #[test]
    fn a_phase_that_never_stays_always_gives_way_to_another() {
        let model = PhasedModel::new(vec![vec![1.0]; 2], 0.0);
        let mut rng = rng();
        assert_eq!((model.next_phase(0, &mut rng), model.next_phase(1, &mut rng)), (1, 0));
    }

    #[test]
    fn requests_tell_of_the_phase() {
        // Two phases, .5 each at first. The request has probability .8 in one and .2 in the other: .8 to .2. Each stays with .75, so
        // .65 to .35 before the next request, which has probability .2 and .8: .13 to .28.
        let model = PhasedModel::new(vec![vec![0.8, 0.2], vec![0.2, 0.8]], 0.75);
        let mut belief = vec![1.0, 1.0];
        model.learn(&mut belief, false, ServiceId(0));
        assert!((belief[0] - 0.8).abs() < 1e-12 && (belief[1] - 0.2).abs() < 1e-12, "{belief:?}");
        model.learn(&mut belief, true, ServiceId(1));
        assert!((belief[0] - 0.13 / 0.41).abs() < 1e-12, "{belief:?}");
    }

    #[test]
    fn rounding_of_the_typed_numbers_is_taken_away() {
        let model = PhasedModel::new(vec![vec![0.333_333, 0.333_333, 0.333_333]], 1.0);
        assert!((model.popularity(0).iter().sum::<f64>() - 1.0).abs() < 1e-15);
    }
}
