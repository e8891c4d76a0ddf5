//! The popularity of services, and its drift.
//!
//! Models: Zipf's law over popularity ranks; a permutation says which service has which rank and is dealt anew now and then.
//!
//! Equation: `intensity(rank) = mean * n * rank^-z / sum_r r^-z`, rank 1 to n.
//! Symbols: `z` Zipf exponent; `mean` requests per service and slot averaged over services; `n` services.
//!
//! Nobody is told the ranking; requests tell of it. Given the requests `a_s` for each service since the ranks were dealt, it has
//! the probability `P(ranking) ~ prod_s intensity(rank of s)^a_s`: another future draws one from it (`Ranking::redraw`).
//!
//! Assumptions: all cells share one ranking (ours).

use crate::random::SimRng;
use crate::units::ServiceId;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// Intensities by popularity rank, most popular first: Zipf's law scaled to `mean` requests per service and slot.
pub fn zipf_intensities(services: usize, exponent: f64, mean: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=services).map(|rank| libm::pow(rank as f64, -exponent)).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum * mean * services as f64).collect()
}

/// Exchanges of two ranks that are tried for each service when a ranking is drawn from what is known of it.
const EXCHANGES: usize = 20;

/// The present ranking: position = rank from 0, value = service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ranking {
    pub(crate) services: Vec<ServiceId>,
    reshuffle_slots: Option<u32>,
    /// By service: requests since the ranks were dealt.
    pub(crate) asked: Vec<u32>,
}

impl Ranking {
    pub(crate) fn new(services: usize, reshuffle_slots: Option<u32>) -> Self {
        Self {
            services: (0..services).map(ServiceId::from_index).collect(),
            reshuffle_slots,
            asked: vec![0; services],
        }
    }

    /// Deals the ranks at the start of an episode.
    pub(crate) fn deal(&mut self, rng: &mut SimRng) {
        self.services.sort_unstable();
        self.services.shuffle(rng);
        self.asked.fill(0);
    }

    /// Deals them anew when this slot is due.
    pub(crate) fn drift(&mut self, slot: u64, rng: &mut SimRng) {
        if let Some(period) = self.reshuffle_slots
            && slot > 0
            && slot.is_multiple_of(u64::from(period))
        {
            self.services.shuffle(rng);
            self.asked.fill(0);
        }
    }

    /// Draws a ranking from all that are possible, each as likely as the requests since the last deal make it: by Metropolis'
    /// algorithm, which begins at the order of the counts and knows nothing of the true ranking. `intensities` by rank.
    ///
    /// Source: Metropolis et al., "Equation of state calculations by fast computing machines", J. Chem. Phys. 21 (1953).
    pub(crate) fn redraw(&mut self, intensities: &[f64], rng: &mut SimRng) {
        let Self { services, asked, .. } = self;
        services.sort_unstable();
        services.shuffle(rng);
        let count = |service: ServiceId| asked[service.index()];
        services.sort_by_key(|&service| std::cmp::Reverse(count(service)));
        let logs: Vec<f64> = intensities.iter().map(|&intensity| libm::log(intensity)).collect();
        let ranks = services.len();
        for _ in 0..EXCHANGES * ranks {
            let (one, other) = (rng.random_range(0..ranks), rng.random_range(0..ranks));
            let more = f64::from(count(services[other])) - f64::from(count(services[one]));
            let gain = (logs[one] - logs[other]) * more;
            if gain >= 0.0 || rng.random::<f64>() < libm::exp(gain) {
                services.swap(one, other);
            }
        }
    }

    /// Whether another ranking is one of the same services, dealt as often.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        let sorted = |ranking: &Self| {
            let mut services = ranking.services.clone();
            services.sort_unstable();
            services
        };
        self.reshuffle_slots == other.reshuffle_slots
            && self.asked.len() == other.asked.len()
            && sorted(self) == sorted(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, Stream};
    use approx::assert_relative_eq;

    #[test]
    fn three_ranks_of_zipf_one_share_eleven_sixths() {
        // 1 + 1/2 + 1/3 = 11/6; mean 1 over 3 services: 18/11, 9/11, 6/11
        let intensities = zipf_intensities(3, 1.0, 1.0);
        for (got, expected) in intensities.iter().zip([18.0 / 11.0, 9.0 / 11.0, 6.0 / 11.0]) {
            assert_relative_eq!(*got, expected, max_relative = 1e-12);
        }
        assert_eq!(zipf_intensities(4, 0.0, 2.0), [2.0; 4]);
    }

    #[test]
    fn ranks_are_dealt_at_the_period_and_only_then() {
        let mut rng = Seed::new(Purpose::Test, 1).stream(Stream::Popularity);
        let mut ranking = Ranking::new(20, Some(25));
        ranking.deal(&mut rng);
        let first = ranking.services.clone();
        for slot in 0..25 {
            ranking.drift(slot, &mut rng);
            assert_eq!(ranking.services, first);
        }
        ranking.drift(25, &mut rng);
        assert_ne!(ranking.services, first);
    }

    #[test]
    fn a_ranking_is_drawn_as_likely_as_its_requests_make_it_and_knows_nothing_of_the_true_one() {
        // Two services, intensities 2 and 1; 3 requests for the first and 1 for the second: 2^3 : 2^1, so 8 of 10 have it first.
        let mut rng = Seed::new(Purpose::Test, 3).stream(Stream::Popularity);
        for truth in [[0, 1], [1, 0]] {
            let first = (0..10_000).filter(|_| {
                let services = truth.map(ServiceId).into();
                let mut ranking = Ranking { services, reshuffle_slots: None, asked: vec![3, 1] };
                ranking.redraw(&[2.0, 1.0], &mut rng);
                ranking.services[0] == ServiceId(0)
            });
            let share = first.count() as f64 / 1e4;
            // Five standard errors of a share of .8.
            assert!((share - 0.8).abs() < 0.02, "{truth:?}: {share}");
        }
    }

    #[test]
    fn the_ranks_of_an_episode_do_not_depend_on_the_episode_before() {
        let deal = |ranking: &mut Ranking| {
            ranking.deal(&mut Seed::new(Purpose::Test, 2).stream(Stream::Popularity));
            ranking.services.clone()
        };
        let mut used = Ranking::new(10, None);
        used.deal(&mut Seed::new(Purpose::Test, 99).stream(Stream::Popularity));
        assert_eq!(deal(&mut used), deal(&mut Ranking::new(10, None)));
    }
}
