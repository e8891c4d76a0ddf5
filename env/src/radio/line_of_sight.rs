//! Whether a link has a line of sight, and how that changes as the user walks.
//!
//! *Models.* The probability of a clear view at a distance, and a state that stays the same over a correlation distance.
//!
//! *Equation.* With d the distance on the map in metres:
//!
//! ```text
//! UMi        1 up to 18 m, then 18/d + exp(-d/36) (1 - 18/d)
//! UMa        1 up to 18 m, then (18/d + exp(-d/63) (1 - 18/d)) (1 + 1.25 C (d/100)^3 exp(-d/150))
//!            C = 0 up to hUT = 13 m, then ((hUT - 13) / 10)^1.5
//! InH mixed  1 up to 1.2 m, exp(-(d-1.2)/4.7) up to 6.5 m, then 0.32 exp(-(d-6.5)/32.6)
//! InH open   1 up to 5 m, exp(-(d-5)/70.8) up to 49 m, then 0.54 exp(-(d-49)/211.7)
//! state      clear if u < Pr(d);  u is drawn anew with probability 1 - rho,  rho = exp(-moved / d_corr)
//! ```
//!
//! *Symbols.* hUT: height of the user, m; u: a uniform number that belongs to the link; moved: metres walked; `d_corr`: correlation
//! distance of the state, m.
//!
//! *Assumptions.* The rule of redrawing is ours. Keeping u rather than the state itself makes the probability right at every
//! place, not only at the place of the last draw, and one step over a way the same in law as many short ones.
//!
//! *Source.* 3GPP TR 38.901, Table 7.4.2-1.

use crate::radio::normal::uniform;
use crate::radio::site::Site;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The probability of a line of sight at a distance on the map of `d2d_m` metres, for a user `user_height_m` above ground
/// (1.5 to 23 m outdoors).
pub fn los_prob(site: Site, d2d_m: f64, user_height_m: f64) -> f64 {
    let canyon = |scale_m: f64| {
        let near = 18.0 / d2d_m;
        near + libm::exp(-d2d_m / scale_m) * (1.0 - near)
    };
    match site {
        Site::UmiStreetCanyon | Site::Uma if d2d_m <= 18.0 => 1.0,
        Site::UmiStreetCanyon => canyon(36.0),
        Site::Uma if user_height_m <= 13.0 => canyon(63.0),
        Site::Uma => {
            let above = (user_height_m - 13.0) / 10.0;
            let height_factor = above * above.sqrt();
            let hundreds = d2d_m / 100.0;
            let lift = 1.25 * height_factor * hundreds * hundreds * hundreds * libm::exp(-d2d_m / 150.0);
            (canyon(63.0) * (1.0 + lift)).min(1.0)
        }
        Site::InhMixed if d2d_m <= 1.2 => 1.0,
        Site::InhMixed if d2d_m < 6.5 => libm::exp(-(d2d_m - 1.2) / 4.7),
        Site::InhMixed => 0.32 * libm::exp(-(d2d_m - 6.5) / 32.6),
        Site::InhOpen if d2d_m <= 5.0 => 1.0,
        Site::InhOpen if d2d_m <= 49.0 => libm::exp(-(d2d_m - 5.0) / 70.8),
        Site::InhOpen => 0.54 * libm::exp(-(d2d_m - 49.0) / 211.7),
    }
}

/// The state of one link: how far up in probability its view is blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineOfSight {
    rank: f32,
}

impl LineOfSight {
    /// Below 1 after rounding, so that a probability of 1 is one.
    fn at(u: f64) -> Self {
        Self { rank: (u as f32).min(1.0 - f32::EPSILON) }
    }

    /// A link that nothing is known of.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self::at(uniform(rng))
    }

    /// Walks on; `rho` is the correlation over the metres walked. Tells whether the state was drawn anew. One word of the
    /// generator, whatever happens.
    pub fn advance(&mut self, rho: f64, rng: &mut impl Rng) -> bool {
        let u = uniform(rng);
        let redraws_below = 1.0 - rho;
        let is_redrawn = u < redraws_below;
        if is_redrawn {
            // Given that it is below, it is uniform up to there.
            *self = Self::at(u / redraws_below);
        }
        is_redrawn
    }

    /// Whether the view is clear where the probability of that is `prob`.
    pub fn is_clear(self, prob: f64) -> bool {
        f64::from(self.rank) < prob
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{Table, correlation};
    use crate::radio::shadowing::correlation_over;
    use crate::random::{Purpose, Seed, Stream};

    #[test]
    fn probabilities_are_those_of_every_row_of_the_reference() {
        let table = Table::open("tr38901_sionna.csv");
        for row in table.rows() {
            let site = Site::of_reference(row.text("scenario")).unwrap();
            let prob = los_prob(site, row.number("d2d_m"), row.number("h_ut_m"));
            assert!((prob - row.number("p_los")).abs() < 1e-6, "{prob} {row:?}");
        }
    }

    #[test]
    fn users_higher_up_than_13_m_see_roofs_more_often() {
        let low = los_prob(Site::Uma, 200.0, 13.0);
        assert_eq!(low, los_prob(Site::Uma, 200.0, 1.5));
        // C = 0.95^1.5 = 0.925945; 1 + 1.25 * 0.925945 * 8 * exp(-4/3) = 3.440763.
        let high = los_prob(Site::Uma, 200.0, 22.5);
        assert!((high / low - 3.440_763).abs() < 1e-5, "{}", high / low);
    }

    #[test]
    fn probabilities_are_probabilities_and_do_not_grow_with_distance() {
        for site in Site::ALL {
            let mut last = 1.0;
            for step in 0..5_000 {
                let prob = los_prob(site, f64::from(step), 1.5);
                // The two pieces of the open office meet 0.003 apart.
                assert!((0.0..=last + 0.003).contains(&prob), "{site:?} at {step} m: {prob}");
                last = prob;
            }
        }
    }

    #[test]
    fn the_state_has_the_probability_of_its_place_and_the_correlation_of_its_way() {
        // 20,000 links, walked 30 m in one step or in six; d_corr 50 m.
        let mut rng = Seed::new(Purpose::Test, 2).stream(Stream::Channel);
        let prob = 0.3;
        for (steps, metres) in [(1, 30.0), (6, 5.0)] {
            let pairs: Vec<(f64, f64)> = (0..20_000)
                .map(|_| {
                    let mut state = LineOfSight::draw(&mut rng);
                    let before = state.is_clear(prob);
                    for _ in 0..steps {
                        state.advance(correlation_over(metres, 50.0), &mut rng);
                    }
                    (f64::from(u8::from(before)), f64::from(u8::from(state.is_clear(prob))))
                })
                .collect();
            let share = pairs.iter().map(|pair| pair.1).sum::<f64>() / pairs.len() as f64;
            // Five standard errors: 5 sqrt(.21 / 20,000) = .016, and 5 / sqrt(20,000) = .035.
            assert!((share - prob).abs() < 0.016, "{steps} steps: {share}");
            assert!((correlation(&pairs) - libm::exp(-0.6)).abs() < 0.035, "{steps} steps");
        }
    }

    #[test]
    fn a_user_who_stands_still_keeps_the_view() {
        let mut rng = Seed::new(Purpose::Test, 3).stream(Stream::Channel);
        let mut state = LineOfSight::draw(&mut rng);
        let before = state;
        for _ in 0..1_000 {
            assert!(!state.advance(correlation_over(0.0, 50.0), &mut rng));
        }
        assert_eq!(state, before);
    }
}
