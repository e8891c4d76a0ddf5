//! What the channel of a physical scenario is like: over distance, over all users and times, for one user, and over the map.
//!
//! Users are alone in their cell and ask for something every second, as in
//! [`rate_process`](thoughtcache_env::radio::rate_process).

use thoughtcache_env::radio::RadioParameters;
use thoughtcache_env::radio::link::Fade;
use thoughtcache_env::radio::mobility::Position;
use thoughtcache_env::radio::rician::straight_share;
use thoughtcache_env::radio::user::{Connection, UserRadios};
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::{Decibel, UserId};

/// Users and seconds behind the distribution of rates.
const USERS: u32 = 50;
const SECONDS: u32 = 400;
/// Seconds of one user, and users whose ways are drawn.
pub(super) const SHOWN_SECONDS: u32 = 300;
const WAYS: u32 = 6;
/// Places along the longer side of the map, and links drawn at each.
const PLACES: usize = 40;
const LINKS: u32 = 256;
/// Points of a law over distance, and of a distribution.
const POINTS: u32 = 120;
/// Items of the stream that belong to places of the map and not to users.
const FIRST_PLACE: u64 = 1 << 40;
/// How far beyond its breakpoint a path loss is drawn, and how far at most.
const BEYOND: f64 = 1.5;
const FARTHEST_M: f64 = 5_000.0;

/// Downlink and uplink.
pub(super) type Rates = [f64; 2];

/// See the [module](self).
pub(super) struct Channel<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) radio: &'a RadioParameters,
    pub(super) cells: &'a [Position],
    pub(super) seed: u64,
    pub(super) law: Law,
    /// Rates of the distribution from the least to the greatest, by direction, bit/s.
    pub(super) quantiles: [Vec<f64>; 2],
    pub(super) user: UserId,
    /// Ways of users, second by second, the shown user's first.
    pub(super) ways: Vec<Vec<Second>>,
    pub(super) map: Map,
}

/// A second of a user.
pub(super) struct Second {
    pub(super) link: Connection,
    pub(super) rates: Rates,
    pub(super) place: Position,
}

/// What depends on the distance on the map.
pub(super) struct Law {
    pub(super) breakpoint_m: Option<f64>,
    /// The longest way within the area.
    pub(super) diagonal_m: f64,
    /// Standard deviation of shadowing with a clear view and without.
    pub(super) sigma_db: [f64; 2],
    pub(super) at: Vec<AtDistance>,
}

/// A distance, and what is usual there: with a clear view, and without.
pub(super) struct AtDistance {
    pub(super) d2d_m: f64,
    pub(super) median_loss_db: [f64; 2],
    pub(super) los_prob: f64,
    pub(super) sensing_quality: f64,
    pub(super) median_rates: [Rates; 2],
}

/// The area from above.
pub(super) struct Map {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Mean uplink rates, row by row from the south, bit/s.
    pub(super) mean_uplink: Vec<f64>,
}

impl<'a> Channel<'a> {
    /// Returns `None` where the scenario has no radio.
    pub(super) fn look(scenario: &'a Scenario, run: u64, user: UserId) -> Option<Self> {
        let physical = scenario.physical()?;
        let (radio, cells) = (&physical.radio, &physical.cells);
        let seed = Seed::new(Purpose::Test, run);
        let num_users = physical.num_users;
        let walk = |user, seconds| walk(radio, cells, seed, user, seconds);
        let mut quantiles = [Vec::new(), Vec::new()];
        for second in (0..num_users.min(USERS)).flat_map(|id| walk(UserId(id), SECONDS)) {
            quantiles[0].push(second.rates[0]);
            quantiles[1].push(second.rates[1]);
        }
        let others = (0..num_users).map(UserId).filter(|&other| other != user);
        let shown = std::iter::once(user).chain(others.take(WAYS as usize - 1));
        Some(Self {
            scenario,
            radio,
            cells,
            seed: run,
            law: Law::of(radio),
            quantiles: quantiles.map(quantiles_of),
            user,
            ways: shown.map(|id| walk(id, SHOWN_SECONDS)).collect(),
            map: Map::of(radio, cells, seed),
        })
    }
}

/// [`POINTS`] quantiles from the least value to the greatest.
fn quantiles_of(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    (0..=POINTS).filter_map(|point| values.get(last * point as usize / POINTS as usize).copied()).collect()
}

impl Law {
    fn of(radio: &RadioParameters) -> Self {
        let law = &radio.large_scale;
        let diagonal_m = radio.area.width_m.hypot(radio.area.depth_m);
        let nearest_m: f64 = if law.site.is_indoor() { 1.0 } else { 10.0 };
        let breakpoint_m = law.breakpoint_m();
        let farthest_m = diagonal_m.max(BEYOND * breakpoint_m.unwrap_or(0.0)).min(FARTHEST_M);
        let span = farthest_m.max(2.0 * nearest_m) / nearest_m;
        let at = (0..=POINTS).map(|point| {
            let d2d_m = nearest_m * span.powf(f64::from(point) / f64::from(POINTS));
            let separation = law.separation(d2d_m);
            let views = [true, false];
            AtDistance {
                d2d_m,
                median_loss_db: views.map(|is_los| law.median_loss(separation, is_los).0),
                los_prob: law.los_prob(separation),
                sensing_quality: radio
                    .sensing
                    .map_or(0.0, |sensing| sensing.quality(separation.d3d_m, sensing.median_clutter())),
                median_rates: views.map(|is_los| {
                    let gain = radio.link.antennas - law.median_loss(separation, is_los);
                    median_rates(radio, gain, is_los)
                }),
            }
        });
        Self {
            breakpoint_m,
            diagonal_m,
            sigma_db: [true, false].map(|is_los| law.shadowing_sigma(is_los).0),
            at: at.collect(),
        }
    }
}

/// Rates of a link without shadow or passers-by, its K the usual one, no other cell on the air.
fn median_rates(radio: &RadioParameters, gain: Decibel, is_los: bool) -> Rates {
    let share = if is_los { straight_share(radio.large_scale.site.k_factor().mean) } else { 0.0 };
    let fade = Fade::Mean { straight_share: share };
    let gain = gain.to_linear();
    let link = &radio.link;
    [
        (link.downlink_sinr(gain, 0.0), link.downlink_efficiency),
        (link.uplink_sinr(gain), link.uplink_efficiency),
    ]
    .map(|(sinr, efficiency)| link.rate_bits_per_s(sinr, efficiency, fade, radio.communication_share()))
}

/// A user second by second.
fn walk(radio: &RadioParameters, cells: &[Position], seed: Seed, id: UserId, seconds: u32) -> Vec<Second> {
    let mut radios = UserRadios::new(1, cells.len());
    let mut rng = seed.stream_at(Stream::Channel, u64::from(id.0), 0);
    let waves = radio.waves(seed, id);
    let second = |second| {
        let link = radios.advance(UserId(0), cells, f64::from(second), &mut rng, radio);
        let user = radios.user(UserId(0));
        let waves = waves.as_ref().map(|waves| (waves, user.walked_m));
        let rates = radio.rates_bits_per_s(&link, waves, radio.communication_share());
        Second { link, rates, place: user.position() }
    };
    (0..seconds).map(second).collect()
}

impl Map {
    fn of(radio: &RadioParameters, cells: &[Position], seed: Seed) -> Self {
        let (width_m, depth_m) = (radio.area.width_m, radio.area.depth_m);
        let longer_m = width_m.max(depth_m);
        let places = |side_m: f64| ((PLACES as f64 * side_m / longer_m).round() as usize).max(1);
        let (columns, rows) = (places(width_m), places(depth_m));
        let mean = |index: usize| {
            let x_m = width_m * ((index % columns) as f64 + 0.5) / columns as f64;
            let y_m = depth_m * ((index / columns) as f64 + 0.5) / rows as f64;
            let mut rng = seed.stream_at(Stream::Channel, FIRST_PLACE + index as u64, 0);
            mean_uplink(radio, cells, Position { x_m, y_m }, &mut rng)
        };
        Self { columns, rows, mean_uplink: (0..columns * rows).map(mean).collect() }
    }
}

/// The mean over links that are drawn at a place, each to the strongest cell.
fn mean_uplink(radio: &RadioParameters, cells: &[Position], place: Position, rng: &mut SimRng) -> f64 {
    let law = &radio.large_scale;
    let mut sum = 0.0;
    for _ in 0..LINKS {
        let blockage = radio.blockage.filter(|blockage| blockage.draw(rng));
        let common = blockage.map_or(radio.link.antennas, |blockage| radio.link.antennas - blockage.loss);
        let (mut strongest, mut straight_share) = (0.0, 0.0);
        for cell in cells {
            let separation = law.separation(place.distance_m(*cell));
            let link = law.draw(separation, rng);
            let gain = (common - law.loss(&link, separation)).to_linear();
            if gain > strongest {
                (strongest, straight_share) = (gain, law.straight_share(&link));
            }
        }
        let (link, fade) = (&radio.link, Fade::Mean { straight_share });
        let sinr = link.uplink_sinr(strongest);
        sum += link.rate_bits_per_s(sinr, link.uplink_efficiency, fade, radio.communication_share());
    }
    sum / f64::from(LINKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_of_the_street_is_that_of_its_laws() {
        let scenario = Scenario::shipped("street");
        let channel = Channel::look(&scenario, 0, UserId(3)).unwrap();
        // 4 (10 - 1) (1.5 - 1) 7e9 / c = 420.3 m.
        assert!((channel.law.breakpoint_m.unwrap() - 420.3).abs() < 0.1);
        assert_eq!(channel.law.sigma_db, [4.0, 7.82]);
        let near = &channel.law.at[0];
        // At 10 m: d3 = sqrt(100 + 8.5^2) = 13.12 m; 32.4 + 21 lg 13.12 + 20 lg 7 = 72.78 dB, and a clear view is certain.
        assert!((near.d2d_m - 10.0).abs() < 1e-9 && (near.median_loss_db[0] - 72.78).abs() < 0.01);
        assert_eq!(near.los_prob, 1.0);
        for pair in channel.law.at.windows(2) {
            let [nearer, farther] = [&pair[0], &pair[1]];
            assert!(farther.median_loss_db[0] >= nearer.median_loss_db[0]);
            assert!(farther.median_rates[0][1] <= nearer.median_rates[0][1]);
            assert!(farther.median_rates[1][1] <= farther.median_rates[0][1]);
        }
        assert!(channel.quantiles.iter().all(|quantiles| quantiles.is_sorted() && quantiles.len() == 121));
        assert_eq!((channel.ways[0].len(), channel.ways.len()), (300, 6));
        // Near the cell the mean is far above that of a corner.
        let map = &channel.map;
        assert_eq!((map.columns, map.rows, map.mean_uplink.len()), (40, 40, 1600));
        let middle = map.mean_uplink[20 * 40 + 20];
        assert!(middle > 2.0 * map.mean_uplink[0], "{middle} {}", map.mean_uplink[0]);
    }

    #[test]
    fn an_abstract_scenario_has_no_channel() {
        assert!(Channel::look(&Scenario::shipped("tight"), 0, UserId(0)).is_none());
    }
}
