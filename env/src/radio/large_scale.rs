//! The large-scale gain of a link: everything but fading.
//!
//! *Models.* What a link loses on average over some wavelengths: path loss, shadowing, blockage and the air, less the antennas.
//!
//! *Equation.* `gain = 10^-((PL + S + blockage + gamma d3 - antennas) / 10)`.
//!
//! *Symbols.* PL: path loss, dB; S: shadowing, dB; gamma: absorption, dB/m; d3: distance in space, m; antennas: both gains, dB.
//!
//! *Assumptions.* Path loss is the standard's up to 100 GHz ([`path_loss`](crate::radio::`path_loss`)), the close-in model's beyond
//! ([`close_in`](crate::radio::`close_in`)); the air is counted with both (ours; a few hundredths of a decibel in a street below 50
//! GHz). View, shadow and K of a link change with the metres that the user walks, not with time.
//!
//! *Source.* The parts name theirs.

use crate::invalid::Invalid;
use crate::radio::close_in::CloseInConfig;
use crate::radio::line_of_sight::{LineOfSight, los_prob};
use crate::radio::path_loss::{PathLoss, Separation};
use crate::radio::rician::Rician;
use crate::radio::shadowing::{Shadowing, correlation_over};
use crate::radio::site::Site;
use crate::units::Decibel;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// `[radio.path_loss.umi]`, `.uma`, `.inh_open`, `.inh_mixed` or `.close_in`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PathLossConfig {
    /// Street canyon, base stations 10 m high, 0.5 to 100 GHz.
    Umi(HeightsConfig),
    /// Base stations on roofs, 25 m high, 0.5 to 100 GHz.
    Uma(HeightsConfig),
    /// Open office, 0.5 to 100 GHz.
    InhOpen(HeightsConfig),
    /// Offices and corridors, 0.5 to 100 GHz.
    InhMixed(HeightsConfig),
    /// Above 100 GHz.
    CloseIn(CloseInConfig),
}

/// The heights of both ends, where they are not the usual ones of the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeightsConfig {
    /// Height of base stations in m: 10 (`umi`), 25 (`uma`), 0.5 to 10 in offices (3).
    pub base_height_m: Option<f64>,
    /// Height of users' devices in m: 1.5 to 22.5 (1.5), 0.5 to 10 in offices (1).
    pub user_height_m: Option<f64>,
}

impl PathLossConfig {
    /// Checks the numbers for a carrier and for air of `absorption_db_per_km`.
    ///
    /// # Errors
    /// What the standard, or the close-in model, does not cover.
    pub fn validate(
        &self,
        table: &str,
        carrier_hz: f64,
        absorption_db_per_km: f64,
    ) -> Result<LargeScale, Invalid> {
        let (site, name, heights) = match self {
            Self::Umi(heights) => (Site::UmiStreetCanyon, "umi", *heights),
            Self::Uma(heights) => (Site::Uma, "uma", *heights),
            Self::InhOpen(heights) => (Site::InhOpen, "inh_open", *heights),
            Self::InhMixed(heights) => (Site::InhMixed, "inh_mixed", *heights),
            Self::CloseIn(config) => (config.site, "close_in", HeightsConfig::default()),
        };
        let table = format!("{table}.{name}");
        let base_height_m = heights.base_height_m.unwrap_or(site.base_height_m());
        let user_height_m = heights.user_height_m.unwrap_or(site.user_height_m());
        let path_loss = match self {
            Self::CloseIn(config) => config.validate(&table, carrier_hz, base_height_m, user_height_m)?,
            _ => PathLoss::new(&table, site, carrier_hz, base_height_m, user_height_m)?,
        };
        Ok(LargeScale { path_loss, site, user_height_m, absorption_db_per_m: absorption_db_per_km / 1e3 })
    }
}

/// Large-scale gains at one site and carrier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LargeScale {
    path_loss: PathLoss,
    /// The kind of site.
    pub site: Site,
    user_height_m: f64,
    absorption_db_per_m: f64,
}

/// The state of the link of one user to one cell; 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkState {
    shadowing: Shadowing,
    view: LineOfSight,
    rician: Rician,
    /// Whether the view was clear when the link was last looked at.
    pub is_los: bool,
    /// Whether, when the time to trigger began, the cell was clearly better than the one that serves; only while a user is looked at.
    #[serde(skip)]
    pub(crate) was_better: bool,
}

/// Correlations over a way, the same for all links of a user; that of a shadow is computed when a link first needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Walk {
    moved_m: f64,
    view: f64,
    /// Without a line of sight, and with one.
    shadowing: [Option<f64>; 2],
}

impl LargeScale {
    /// The correlations that are left after some metres.
    pub fn walk(&self, moved_m: f64) -> Walk {
        let view = correlation_over(moved_m, self.site.los_decorrelation_m());
        Walk { moved_m, view, shadowing: [None; 2] }
    }

    /// A distance on the map, within the validity of the path loss.
    pub fn separation(&self, d2d_m: f64) -> Separation {
        self.path_loss.separation(d2d_m)
    }

    fn is_los(&self, link: &LinkState, separation: Separation) -> bool {
        link.view.is_clear(self.los_prob(separation))
    }

    /// A link that nothing is known of.
    pub fn draw(&self, separation: Separation, rng: &mut impl Rng) -> LinkState {
        let mut link = LinkState {
            shadowing: Shadowing::draw(rng),
            view: LineOfSight::draw(rng),
            rician: Rician::draw(rng),
            is_los: false,
            was_better: false,
        };
        link.is_los = self.is_los(&link, separation);
        link
    }

    /// Walks on to a new distance. Two words of the generator, three where the view is drawn anew.
    pub fn advance(&self, link: &mut LinkState, walk: &mut Walk, separation: Separation, rng: &mut impl Rng) {
        let decorrelation_m = || self.site.shadowing(link.is_los).decorrelation_m;
        let rho = *walk.shadowing[usize::from(link.is_los)]
            .get_or_insert_with(|| correlation_over(walk.moved_m, decorrelation_m()));
        link.shadowing.advance(rho, rng);
        if link.view.advance(walk.view, rng) {
            link.rician = Rician::draw(rng);
        }
        link.is_los = self.is_los(link, separation);
    }

    /// The loss of the link, antennas and blockage apart.
    pub fn loss(&self, link: &LinkState, separation: Separation) -> Decibel {
        let shadow = link.shadowing.loss(self.shadowing_sigma(link.is_los));
        self.path_loss.loss(separation, link.is_los) + shadow + self.air(separation)
    }

    /// The median loss of the links of one state of the view: without shadow, with the air.
    pub fn median_loss(&self, separation: Separation, is_los: bool) -> Decibel {
        self.path_loss.loss(separation, is_los) + self.air(separation)
    }

    /// Standard deviation of the loss around its median.
    pub fn shadowing_sigma(&self, is_los: bool) -> Decibel {
        self.path_loss.sigma(is_los)
    }

    /// The probability of a clear view.
    pub fn los_prob(&self, separation: Separation) -> f64 {
        los_prob(self.site, separation.d2d_m, self.user_height_m)
    }

    /// Where the clear path begins to lose more with every metre, m on the map; `None` where it never does.
    pub fn breakpoint_m(&self) -> Option<f64> {
        Some(self.path_loss.breakpoint_m).filter(|breakpoint_m| breakpoint_m.is_finite())
    }

    fn air(&self, separation: Separation) -> Decibel {
        Decibel(self.absorption_db_per_m * separation.d3d_m)
    }

    /// The straight share of the link's power.
    pub fn straight_share(&self, link: &LinkState) -> f64 {
        link.rician.straight_share(self.site.k_factor(), link.is_los)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::reference_tests::{mean, variance};
    use crate::random::{Purpose, Seed, Stream};

    fn street() -> LargeScale {
        let config = PathLossConfig::Umi(HeightsConfig::default());
        config.validate("radio.path_loss", 28e9, 0.1).unwrap()
    }

    #[test]
    fn links_at_100_m_have_the_views_losses_and_spreads_of_the_standard() {
        let large_scale = street();
        let separation = large_scale.separation(100.0);
        let mut rng = Seed::new(Purpose::Test, 21).stream(Stream::Channel);
        let mut walk = large_scale.walk(25.0);
        let links: Vec<LinkState> = (0..20_000)
            .map(|_| {
                let mut link = large_scale.draw(separation, &mut rng);
                large_scale.advance(&mut link, &mut walk, separation, &mut rng);
                link
            })
            .collect();
        let num_los = links.iter().filter(|link| link.is_los).count() as f64;
        // 0.18 + exp(-100/36) 0.82 = 0.23098; five standard errors are .015.
        assert!((num_los / 20_000.0 - 0.230_98).abs() < 0.015);
        for (is_los, path_db, sigma_db) in [(true, 103.376, 4.0), (false, 123.880, 7.82)] {
            let losses: Vec<f64> = links
                .iter()
                .filter(|link| link.is_los == is_los)
                .map(|link| large_scale.loss(link, separation).0)
                .collect();
            let bound = 5.0 * sigma_db / (losses.len() as f64).sqrt();
            // 0.1 dB/km over 100.4 m is 0.010 dB.
            assert!((mean(&losses) - path_db - 0.010).abs() < bound, "{is_los}: {}", mean(&losses));
            assert!((variance(&losses).sqrt() / sigma_db - 1.0).abs() < 0.06, "{is_los}");
        }
    }

    #[test]
    fn half_of_the_links_lose_more_than_the_median_and_the_view_has_its_probability() {
        let large_scale = street();
        let separation = large_scale.separation(100.0);
        assert!((large_scale.los_prob(separation) - 0.230_98).abs() < 1e-5);
        // d'BP = 4 (10 - 1) (1.5 - 1) 28e9 / c = 1681 m.
        assert!((large_scale.breakpoint_m().unwrap() - 1681.2).abs() < 0.1);
        let mut rng = Seed::new(Purpose::Test, 23).stream(Stream::Channel);
        let links: Vec<LinkState> = (0..10_000).map(|_| large_scale.draw(separation, &mut rng)).collect();
        for is_los in [true, false] {
            let median = large_scale.median_loss(separation, is_los);
            let of_view = links.iter().filter(|link| link.is_los == is_los);
            let above: Vec<bool> =
                of_view.map(|link| large_scale.loss(link, separation).0 > median.0).collect();
            let share = above.iter().filter(|&&is_above| is_above).count() as f64 / above.len() as f64;
            // Five standard errors.
            assert!((share - 0.5).abs() < 2.5 / (above.len() as f64).sqrt(), "{is_los}: {share}");
            assert_eq!(large_scale.shadowing_sigma(is_los).0, if is_los { 4.0 } else { 7.82 });
        }
    }

    #[test]
    fn only_clear_links_have_a_straight_path() {
        let large_scale = street();
        let mut rng = Seed::new(Purpose::Test, 22).stream(Stream::Channel);
        for _ in 0..100 {
            let link = large_scale.draw(large_scale.separation(60.0), &mut rng);
            assert_eq!(large_scale.straight_share(&link) > 0.0, link.is_los);
        }
        assert_eq!(size_of::<LinkState>(), 16);
    }

    #[test]
    fn messages_name_the_table_of_the_choice() {
        let heights = HeightsConfig { base_height_m: Some(12.0), user_height_m: None };
        let error = PathLossConfig::Uma(heights).validate("radio.path_loss", 7e9, 0.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "radio.path_loss.uma.base_height_m = 12.0: 25.0, the only height that the standard covers here"
        );
    }
}
