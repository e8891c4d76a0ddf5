//! The air between users and cells: from places to bits per second.
//!
//! *Reading order.* Where users are ([`mobility`]) → what kind of place it is ([`site`]) → what a link loses: [`path_loss`] or
//! [`close_in`], [`line_of_sight`], [`shadowing`], [`blockage`], [`mod@absorption`], together [`large_scale`] → which cell serves
//! ([`association`]) → how the rest varies ([`rician`], [`fading`]) → bits per second ([`band`], [`link`]), or recorded ones
//! ([`recordings`], [`replay`], [`recorded_rates`]), compared with each other ([`rate_process`], [`rate_stats`]) → what else the radio is for ([`sensing`], [`features`]) → one user's state ([`user`]).
//!
//! *Assumptions.* Everything here is exogenous: it depends on when users ask for something, and on nothing that is decided. Linear
//! inside, decibels at the boundary and as types; draws and transcendental functions give the same bits on every platform.

pub mod mobility;
pub mod site;
pub mod path_loss;
pub mod close_in;
pub mod line_of_sight;
pub mod shadowing;
pub mod blockage;
pub mod absorption;
pub mod large_scale;
pub mod association;
pub mod rician;
pub mod fading;
pub mod band;
pub mod link;
pub mod replay;
pub mod recordings;
pub mod recorded_rates;
pub mod rate_process;
pub mod rate_stats;
pub mod sensing;
pub mod features;
pub mod user;

mod normal;
#[cfg(test)]
pub(crate) mod reference_tests;

use crate::edition::Edition;
use crate::invalid::Invalid;
use crate::random::{Seed, Stream};
use crate::units::{SPEED_OF_LIGHT_M_PER_S, UserId};
use absorption::{Atmosphere, AtmosphereConfig, absorption};
use association::{Association, AssociationConfig};
use band::{Band, BandConfig};
use blockage::{Blockage, BlockageConfig};
use fading::block::BlockFading;
use fading::{Fading, NoKeys};
use features::{FeatureLaw, FeaturesConfig};
use large_scale::{LargeScale, PathLossConfig};
use link::{Fade, LinkBudget, LinkConfig};
use mobility::{Area, Mobility, MobilityConfig};
use recorded_rates::{RadioFiles, RecordedRates, RecordedRatesConfig};
use sensing::{Sensing, SensingConfig};
use serde::{Deserialize, Serialize};
use user::Connection;

/// `[radio]`: the air between users and cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RadioConfig {
    /// Carrier, powers, antennas.
    pub band: BandConfig,
    /// The law of the path loss.
    pub path_loss: PathLossConfig,
    /// Where users are.
    pub area: Area,
    /// How users move.
    pub mobility: MobilityConfig,
    /// The air; a mild day at sea level when absent.
    pub atmosphere: Option<AtmosphereConfig>,
    /// Passers-by; nobody is in the way when absent.
    pub blockage: Option<BlockageConfig>,
    /// How fading counts; its mean over a slot when absent.
    #[serde(default)]
    pub fading: Fading,
    /// The gap to Shannon's rate and the interference of other cells.
    #[serde(default)]
    pub link: LinkConfig,
    /// Recorded throughput in place of the computed link.
    pub recorded_rates: Option<RecordedRatesConfig>,
    /// Which cell serves.
    #[serde(default)]
    pub association: AssociationConfig,
    /// What base stations see; nothing when absent.
    pub sensing: Option<SensingConfig>,
    /// What split placements send; needed where they are allowed.
    pub features: Option<FeaturesConfig>,
}

/// Everything about the radio, in SI units, with nothing left to check.
#[derive(Clone, Debug, PartialEq)]
pub struct RadioParameters {
    /// Carrier and both ends.
    pub band: Band,
    /// Losses of links.
    pub large_scale: LargeScale,
    /// Where users are.
    pub area: Area,
    /// How users move.
    pub mobility: Mobility,
    /// Passers-by.
    pub blockage: Option<Blockage>,
    /// How fading counts.
    pub fading: Fading,
    /// Budgets of links.
    pub link: LinkBudget,
    /// Recorded throughput in place of the computed link.
    pub recorded_rates: Option<RecordedRates>,
    /// Which cell serves.
    pub association: Association,
    /// What base stations see.
    pub sensing: Option<Sensing>,
    /// What split placements send: coarse, then fine.
    pub features: Option<[FeatureLaw; 2]>,
}

impl RadioConfig {
    /// Checks everything and converts to SI units, by the laws of the first edition. `table` is the path of this table, `radio` say;
    /// `files` are those that it names, where it names some.
    ///
    /// # Errors
    /// The first value that cannot be meant.
    pub fn validate(&self, table: &str, files: Option<&RadioFiles>) -> Result<RadioParameters, Invalid> {
        self.validate_in(Edition::First, table, files)
    }

    /// As [`validate`](Self::validate), by the laws of an edition.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn validate_in(
        &self,
        edition: Edition,
        table: &str,
        files: Option<&RadioFiles>,
    ) -> Result<RadioParameters, Invalid> {
        let at = |key: &str| format!("{table}.{key}");
        self.refuse_unread_tables(table)?;
        let band = self.band.validate(&at("band"))?;
        let air = match &self.atmosphere {
            Some(config) => config.validate(&at("atmosphere"))?,
            None => Atmosphere::default(),
        };
        let gamma_db_per_km = absorption(&at("band"), band.carrier_hz, air)?.total_db_per_km();
        let area = self.area.check(&at("area"))?;
        Ok(RadioParameters {
            large_scale: self.path_loss.validate(&at("path_loss"), band.carrier_hz, gamma_db_per_km)?,
            mobility: self.mobility.validate(
                &at("mobility"),
                area,
                files.and_then(|files| files.ways.as_ref()),
            )?,
            blockage: self.blockage.map(|config| config.validate(&at("blockage"))).transpose()?,
            fading: self.fading,
            link: self.link.validate(&at("link"), &band, edition)?,
            recorded_rates: self
                .recorded_rates
                .as_ref()
                .map(|config| {
                    let traces = files.and_then(|files| files.throughput.as_ref());
                    config.validate(&at("recorded_rates"), traces)
                })
                .transpose()?,
            association: self.association.validate(&at("association"), edition)?,
            sensing: self
                .sensing
                .map(|config| config.validate(&at("sensing"), &band, edition))
                .transpose()?,
            features: self.features.map(|config| config.validate(&at("features"))).transpose()?,
            area,
            band,
        })
    }

    /// Refuses tables about computed rates where rates are recorded.
    fn refuse_unread_tables(&self, table: &str) -> Result<(), Invalid> {
        if self.recorded_rates.is_none() {
            return Ok(());
        }
        let is_typed =
            [("link", self.link != LinkConfig::default()), ("fading", self.fading != Fading::default())];
        match is_typed.into_iter().find(|(_, is_typed)| *is_typed) {
            Some((key, _)) => {
                let allowed = "no such table with recorded_rates: recorded rates are not computed";
                Err(Invalid::new(format!("{table}.{key}"), "a table", allowed))
            }
            None => Ok(()),
        }
    }
}

impl RadioParameters {
    /// Length of a wave, m.
    pub fn wavelength_m(&self) -> f64 {
        SPEED_OF_LIGHT_M_PER_S / self.band.carrier_hz
    }

    /// The share of the time that sensing leaves for communication.
    pub fn communication_share(&self) -> f64 {
        self.sensing.map_or(1.0, |sensing| sensing.communication_share())
    }

    /// The fading of a connection: its mean, or with `waves` its value after `walked_m` metres.
    pub fn fade(&self, connection: &Connection, waves: Option<(&BlockFading, f64)>) -> Fade {
        let straight_share = connection.straight_share;
        match waves {
            None => Fade::Mean { straight_share },
            Some((waves, walked_m)) => {
                Fade::Instant { power: waves.power(walked_m / self.wavelength_m(), straight_share) }
            }
        }
    }

    /// The waves of a user whose fading holds for a slot; `None` where the mean of fading counts.
    pub fn waves(&self, seed: Seed, user: UserId) -> Option<BlockFading> {
        (self.fading == Fading::Block(NoKeys {}))
            .then(|| BlockFading::draw(&mut seed.stream_at(Stream::Fading, u64::from(user.0), 0)))
    }

    /// Downlink and uplink rates of a user who has walked so many metres, in a span of so many seconds from a time on and a
    /// part of it, bit/s: recorded ones where the scenario has them, else those of the connection.
    pub fn user_rates_bits_per_s(
        &self,
        connection: &Connection,
        (seed, user): (Seed, UserId),
        walked_m: f64,
        span_s: (f64, f64),
        time_share: f64,
    ) -> [f64; 2] {
        if let Some(recorded) = &self.recorded_rates {
            return recorded.rates_bits_per_s((seed, user), span_s, time_share);
        }
        let waves = self.waves(seed, user);
        self.rates_bits_per_s(connection, waves.as_ref().map(|waves| (waves, walked_m)), time_share)
    }

    /// Downlink and uplink rates of a connection in a part of the time, bit/s. `waves`: see [`fade`](Self::fade).
    pub fn rates_bits_per_s(
        &self,
        connection: &Connection,
        waves: Option<(&BlockFading, f64)>,
        time_share: f64,
    ) -> [f64; 2] {
        let fade = self.fade(connection, waves);
        let link = &self.link;
        let down = link.downlink_sinr(connection.gain, connection.gain_of_others);
        let up = link.uplink_sinr(connection.gain);
        [(down, link.downlink_efficiency), (up, link.uplink_efficiency)]
            .map(|(sinr, efficiency)| link.rate_bits_per_s(sinr, efficiency, fade, time_share))
    }

    /// Quality of sensing the user of a connection, who has walked so many metres, 0 to 1; 0 where base stations do not sense, without
    /// a line of sight, and when somebody stands in it.
    pub fn sensing_quality(
        &self,
        connection: &Connection,
        (seed, user): (Seed, UserId),
        walked_m: f64,
    ) -> f64 {
        let is_clear = connection.is_los && !connection.is_blocked;
        self.sensing.filter(|_| is_clear).map_or(0.0, |sensing| {
            let clutter = sensing.draw_clutter(|| {
                let piece = walked_m / self.large_scale.site.shadowing(true).decorrelation_m;
                let link = u64::from(connection.cell.0) << 32 | u64::from(user.0);
                seed.stream_at(Stream::Clutter, link, piece as u32)
            });
            sensing.quality(connection.distance_m, clutter)
        })
    }
}

/// A street at 28 GHz, for tests.
#[cfg(test)]
pub(crate) fn example_street() -> RadioConfig {
    use mobility::gauss_markov::GaussMarkovConfig;
    RadioConfig {
        band: BandConfig::of(band::BandName::Millimetre),
        path_loss: PathLossConfig::Umi(large_scale::HeightsConfig::default()),
        area: Area { width_m: 200.0, depth_m: 200.0 },
        mobility: MobilityConfig::GaussMarkov(GaussMarkovConfig { mean_speed_m_per_s: 1.2, memory_s: 30.0 }),
        atmosphere: None,
        blockage: Some(BlockageConfig {
            density_per_m2: 0.05,
            speed_m_per_s: 1.0,
            reach_m: 5.0,
            mean_duration_s: 0.5,
            loss_db: 15.0,
        }),
        fading: Fading::default(),
        link: LinkConfig::default(),
        recorded_rates: None,
        association: AssociationConfig::default(),
        sensing: Some(SensingConfig {
            time_ratio: 0.1,
            processing_interval_ms: 1.0,
            cross_section_m2: 1.0,
            range_error_m: 0.1,
        }),
        features: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREET: &str = r#"
        [band]
        name = "28ghz"
        [path_loss.umi]
        [area]
        width_m = 200.0
        depth_m = 200.0
        [mobility.gauss_markov]
        mean_speed_m_per_s = 1.2
        memory_s = 30.0
        [blockage]
        density_per_m2 = 0.05
        speed_m_per_s = 1.0
        reach_m = 5.0
        mean_duration_s = 0.5
        loss_db = 15.0
        [sensing]
        time_ratio = 0.1
        processing_interval_ms = 1.0
        cross_section_m2 = 1.0
        range_error_m = 0.1
    "#;

    #[test]
    fn a_street_is_a_few_lines_of_toml_and_comes_back_as_it_was() {
        let config: RadioConfig = toml::from_str(STREET).unwrap();
        assert_eq!(config, example_street());
        let again: RadioConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
        let parameters = config.validate("radio", None).unwrap();
        assert!((parameters.wavelength_m() - 0.010_706_9).abs() < 1e-7);
    }

    #[test]
    fn an_office_at_140_ghz_needs_the_close_in_model() {
        let office = STREET.replace("28ghz", "140ghz").replace("path_loss.umi", "path_loss.inh_open");
        let config: RadioConfig = toml::from_str(&office).unwrap();
        assert_eq!(
            config.validate("radio", None).unwrap_err().to_string(),
            "radio.band.carrier_ghz = 140: a number from 0.5 to 100 with this path loss; \
             [radio.path_loss.close_in] goes beyond"
        );
        let office = office.replace("path_loss.inh_open]", "path_loss.close_in]\nsite = \"inh_open\"");
        let config: RadioConfig = toml::from_str(&office).unwrap();
        config.validate("radio", None).unwrap();
    }

    #[test]
    fn in_the_second_edition_clutter_belongs_to_a_piece_of_the_way() {
        use crate::random::Purpose;
        let [first, second] = [Edition::First, Edition::Second]
            .map(|edition| example_street().validate_in(edition, "radio", None).unwrap());
        let mut rng = Seed::new(Purpose::Test, 3).stream(Stream::Channel);
        let mut radios = user::UserRadios::new(1, 1);
        let seen = radios.advance(UserId(0), &[mobility::Position::default()], 0.0, &mut rng, &second);
        let seen = Connection { is_los: true, is_blocked: false, ..seen };
        let quality = |radio: &RadioParameters, walked_m, run| {
            radio.sensing_quality(&seen, (Seed::new(Purpose::Test, run), UserId(0)), walked_m)
        };
        // The shadow of a street decorrelates over 10 m.
        assert_eq!(quality(&second, 1.0, 1), quality(&second, 9.9, 1));
        assert_ne!(quality(&second, 9.9, 1), quality(&second, 10.1, 1));
        assert_ne!(quality(&second, 1.0, 1), quality(&second, 1.0, 2));
        assert_eq!(quality(&first, 1.0, 1), quality(&first, 10.1, 2));
        for is_hidden in [Connection { is_los: false, ..seen }, Connection { is_blocked: true, ..seen }] {
            let place = (Seed::new(Purpose::Test, 1), UserId(0));
            assert_eq!(second.sensing_quality(&is_hidden, place, 1.0), 0.0);
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_refused_wherever_it_stands() {
        for (place, key) in [
            ("[area]", "height_m = 3.0"),
            ("[path_loss.umi]", "height_m = 3.0"),
            ("[blockage]", "height_m = 3.0"),
            ("name = \"28ghz\"", "height_m = 3.0"),
        ] {
            let text = STREET.replace(place, &format!("{place}\n{key}"));
            assert!(
                toml::from_str::<RadioConfig>(&text).unwrap_err().to_string().contains("height_m"),
                "{place}"
            );
        }
    }

    #[test]
    fn block_fading_is_one_power_and_its_mean_rate_is_the_ergodic_one() {
        use crate::random::{Purpose, Seed, Stream};
        let parameters = example_street().validate("radio", None).unwrap();
        let mut rng = Seed::new(Purpose::Test, 41).stream(Stream::Channel);
        let connection = Connection {
            cell: crate::units::CellId(0),
            handover_from: None,
            gain: crate::units::Decibel(-90.0).to_linear(),
            gain_of_others: 0.0,
            straight_share: 0.7,
            distance_m: 50.0,
            is_los: true,
            is_blocked: false,
            moved_m: 0.0,
            num_clamped: 0,
        };
        let [_, mean] = parameters.rates_bits_per_s(&connection, None, 1.0);
        let n = 4_000;
        let sum: f64 = (0..n)
            .map(|_| {
                let waves = BlockFading::draw(&mut rng);
                parameters.rates_bits_per_s(&connection, Some((&waves, 3.0)), 1.0)[1]
            })
            .sum();
        assert!((sum / f64::from(n) / mean - 1.0).abs() < 0.03, "{} {mean}", sum / f64::from(n));
    }

    #[test]
    fn the_ends_of_every_range_give_finite_rates_over_any_time() {
        use crate::random::{Purpose, Seed, Stream};
        use crate::units::UserId;
        let waypoint = |min: &str, max: &str, pause: &str| {
            format!(
                "random_waypoint]\nmin_speed_m_per_s = {min}\nmax_speed_m_per_s = {max}\npause_s = {pause}"
            )
        };
        let gauss = |speed: &str, memory: &str| {
            format!("gauss_markov]\nmean_speed_m_per_s = {speed}\nmemory_s = {memory}")
        };
        let walks = [
            "still]".to_owned(),
            waypoint("0.001", "0.001", "0"),
            waypoint("0.001", "100", "100000"),
            waypoint("100", "100", "0"),
            gauss("0.001", "0.001"),
            gauss("100", "0.001"),
            gauss("0.001", "100000"),
            gauss("100", "100000"),
        ];
        let bands = [
            ("7ghz", "uma"),
            ("28ghz\"\ndevice_power_dbm = -30\nbandwidth_mhz = 100000\nbase_gain_db = -10 #", "umi"),
            ("28ghz\"\nbase_power_dbm = 60\nbandwidth_mhz = 0.001\nbase_gain_db = 60 #", "inh_mixed"),
            (
                "140ghz\"\ncarrier_ghz = 556.9 #",
                "close_in]\nsite = \"uma\"\nexponent_nlos = 6\nsigma_nlos_db = 20 #",
            ),
        ];
        let cells = [mobility::Position::default(), mobility::Position { x_m: 1e5, y_m: 1e5 }];
        for (side_m, walk) in [("1.0", &walks), ("100000.0", &walks)]
            .iter()
            .flat_map(|(side, walks)| walks.iter().map(move |walk| (*side, walk)))
        {
            for (band, law) in bands {
                let street = STREET
                    .replace("200.0", side_m)
                    .replace("28ghz", band)
                    .replace("path_loss.umi]", &format!("path_loss.{law}]"))
                    .replace(
                        "gauss_markov]\n        mean_speed_m_per_s = 1.2\n        memory_s = 30.0",
                        walk,
                    );
                assert!(street.contains(walk.as_str()) && street.contains(band) && street.contains(law));
                let config: RadioConfig = toml::from_str(&street).unwrap();
                let parameters = config.validate("radio", None).unwrap();
                let mut radios = user::UserRadios::new(4, 2);
                let mut rng = Seed::new(Purpose::Test, 42).stream(Stream::Channel);
                for now_s in [0.0, 0.0, 1e-9, 1.0, 1e3, 1e9] {
                    for id in 0..4 {
                        let connection = radios.advance(UserId(id), &cells, now_s, &mut rng, &parameters);
                        let place = radios.user(UserId(id)).position();
                        let side: f64 = side_m.parse().unwrap();
                        assert!(
                            (0.0..=side).contains(&place.x_m) && (0.0..=side).contains(&place.y_m),
                            "{walk}"
                        );
                        let rates = parameters.rates_bits_per_s(&connection, None, 1.0);
                        let sensing = parameters.sensing_quality(
                            &connection,
                            (Seed::new(Purpose::Test, 1), UserId(id)),
                            connection.moved_m,
                        );
                        assert!(
                            rates.iter().all(|rate| (0.0..1e13).contains(rate)),
                            "{walk} {band}: {rates:?}"
                        );
                        assert!(
                            (0.0..=1.0).contains(&sensing) && connection.moved_m.is_finite(),
                            "{walk} {band}"
                        );
                    }
                }
            }
        }
    }
}
