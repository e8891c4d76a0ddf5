use super::*;
use crate::edition::Edition;
use crate::radio::reference_tests::{correlation, mean, smirnov, smirnov_bound, variance};
use crate::radio::{RadioConfig, example_street};
use crate::random::{Purpose, Seed, SimRng, Stream};
use crate::units::Decibel;

const CELLS: [Position; 3] = [
    Position { x_m: 50.0, y_m: 50.0 },
    Position { x_m: 150.0, y_m: 50.0 },
    Position { x_m: 100.0, y_m: 150.0 },
];

fn street() -> RadioParameters {
    example_street().validate("radio", None).unwrap()
}

fn rng(run: u64) -> SimRng {
    Seed::new(Purpose::Test, run).stream(Stream::Channel)
}

#[test]
fn an_idle_user_among_seven_cells_takes_less_than_200_bytes() {
    assert!(UserRadios::bytes_per_user(7) < 200, "{}", UserRadios::bytes_per_user(7));
}

#[test]
fn one_long_idle_time_and_many_short_ones_have_the_same_law() {
    let parameters = street();
    let mut rng = rng(30);
    for total_s in [5.0, 600.0] {
        let n = 3_000;
        let runs = [1_u32, 25].map(|steps| {
            let mut radios = UserRadios::new(n, 3);
            (0..n)
                .map(|user| {
                    let user = UserId::from_index(user);
                    let first = radios.advance(user, &CELLS, 0.0, &mut rng, &parameters);
                    let mut last = first;
                    for step in 1..=steps {
                        let now_s = total_s * f64::from(step) / f64::from(steps);
                        last = radios.advance(user, &CELLS, now_s, &mut rng, &parameters);
                    }
                    (first, last)
                })
                .collect::<Vec<_>>()
        });
        let db = |gain: f64| Decibel::from_linear(gain).0;
        let values = |value: fn(&Connection) -> f64| {
            runs.each_ref().map(|run| run.iter().map(|(_, last)| value(last)).collect::<Vec<_>>())
        };
        let [once, often] = values(|last| Decibel::from_linear(last.gain + last.gain_of_others).0);
        assert!((mean(&once) - mean(&often)).abs() < 5.0 * (2.0 * variance(&once) / n as f64).sqrt());
        assert!(smirnov(once, often) < smirnov_bound(n, n), "{total_s} s: gains");
        let [once, often] = values(|last| f64::from(u8::from(last.is_blocked)));
        assert!((mean(&once) - mean(&often)).abs() < 5.0 * (0.5 / n as f64).sqrt(), "{total_s} s: blocked");
        let lag: [f64; 2] = runs.each_ref().map(|run| {
            let pairs: Vec<(f64, f64)> = run
                .iter()
                .map(|(first, last)| {
                    (db(first.gain + first.gain_of_others), db(last.gain + last.gain_of_others))
                })
                .collect();
            correlation(&pairs)
        });
        assert!((lag[0] - lag[1]).abs() < 0.1, "{total_s} s: {lag:?}");
    }
}

#[test]
fn a_user_who_stands_still_and_is_not_blocked_keeps_the_connection() {
    let mut config = example_street();
    config.mobility = crate::radio::mobility::MobilityConfig::Still(crate::radio::fading::NoKeys {});
    config.blockage = None;
    let parameters = config.validate("radio", None).unwrap();
    let (mut radios, mut rng) = (UserRadios::new(1, 3), rng(31));
    let first = radios.advance(UserId(0), &CELLS, 3.0, &mut rng, &parameters);
    let second = radios.advance(UserId(0), &CELLS, 500.0, &mut rng, &parameters);
    assert_eq!(first, second);
}

#[test]
fn handovers_are_told_and_rarer_with_more_hysteresis() {
    let handovers = |hysteresis_db| {
        let config = RadioConfig {
            association: crate::radio::association::AssociationConfig { hysteresis_db },
            ..example_street()
        };
        let parameters = config.validate("radio", None).unwrap();
        let (mut radios, mut rng) = (UserRadios::new(40, 3), rng(32));
        let mut count = 0;
        for user in 0..40 {
            let mut serving = None;
            for slot in 0..100 {
                let connection = radios.advance(UserId(user), &CELLS, f64::from(slot), &mut rng, &parameters);
                assert_eq!(connection.handover_from, serving.filter(|cell| *cell != connection.cell));
                serving = Some(connection.cell);
                count += u32::from(connection.handover_from.is_some());
            }
        }
        count
    };
    let (none, some, much) = (handovers(0.0), handovers(3.0), handovers(30.0));
    assert!(none > some && some > much && some > 0, "{none} {some} {much}");
}

/// What the cells lose, antennas apart: less is stronger.
fn losses_db(radios: &UserRadios, user: UserId, parameters: &RadioParameters) -> [f64; 3] {
    let from = user.index() * CELLS.len();
    let place = radios.user(user).position();
    std::array::from_fn(|index| {
        let separation = parameters.large_scale.separation(place.distance_m(CELLS[index]));
        parameters.large_scale.loss(&radios.links[from + index], separation).0
    })
}

#[test]
fn in_the_second_edition_a_neighbour_has_to_be_better_when_the_time_to_trigger_begins_and_when_it_ends() {
    let first = street();
    let second = example_street().validate_in(Edition::Second, "radio", None).unwrap();
    let (mut radios, mut rng) = (UserRadios::new(60, 3), rng(38));
    let (mut handovers, mut too_short, mut returns, mut walked_m) = (0, 0, 0, 0.0);
    for user in (0..60).map(UserId) {
        let mut serving = radios.advance(user, &CELLS, 0.0, &mut rng, &second).cell.index();
        let mut left: Option<(usize, f64)> = None;
        for look in 1..150 {
            let now_s = 0.9 * f64::from(look);
            // The same draws, without a time to trigger: at its begin and at its end.
            let (mut apart, mut same) = (radios.clone(), rng.clone());
            let losses = [now_s - 0.32, now_s].map(|at_s| {
                apart.advance(user, &CELLS, at_s, &mut same, &first);
                losses_db(&apart, user, &first)
            });
            let is_better = |when: usize, cell: usize| losses[when][serving] - losses[when][cell] > 3.0;
            let better = (0..3).filter(|&cell| is_better(0, cell) && is_better(1, cell));
            let expected = better.min_by(|&one, &other| losses[1][one].total_cmp(&losses[1][other]));
            too_short += u32::from(expected.is_none() && (0..3).any(|cell| is_better(1, cell)));
            let connection = radios.advance(user, &CELLS, now_s, &mut rng, &second);
            assert_eq!(connection.cell.index(), expected.unwrap_or(serving), "{user:?} at {now_s} s");
            walked_m += connection.moved_m;
            if let Some(cell) = expected {
                handovers += 1;
                returns += u64::from(left.is_some_and(|(back, at_s)| back == cell && now_s - at_s <= 5.0));
                left = Some((serving, now_s));
                serving = cell;
            }
        }
    }
    assert!(handovers > 100 && too_short > 20 && returns > 5, "{handovers} {too_short} {returns}");
    assert_eq!(radios.num_returns(), returns);
    approx::assert_relative_eq!(radios.walked_m(), walked_m, max_relative = 1e-9);
}

#[test]
fn who_asks_again_within_the_time_to_trigger_is_looked_at_as_before() {
    let second = example_street().validate_in(Edition::Second, "radio", None).unwrap();
    let (mut radios, mut rng) = (UserRadios::new(1, 3), rng(39));
    radios.advance(UserId(0), &CELLS, 1.0, &mut rng, &second);
    let place = radios.user(UserId(0)).position();
    let again = radios.advance(UserId(0), &CELLS, 1.0, &mut rng, &second);
    assert_eq!((again.moved_m, again.handover_from, radios.user(UserId(0)).position()), (0.0, None, place));
}

#[test]
fn without_hysteresis_the_strongest_cell_serves() {
    let config = RadioConfig {
        association: crate::radio::association::AssociationConfig { hysteresis_db: 0.0 },
        ..example_street()
    };
    let parameters = config.validate("radio", None).unwrap();
    let (mut radios, mut rng) = (UserRadios::new(1, 2), rng(33));
    for slot in 0..500 {
        let connection = radios.advance(UserId(0), &CELLS[..2], f64::from(slot), &mut rng, &parameters);
        assert!(connection.gain >= connection.gain_of_others);
    }
}

#[test]
fn states_that_are_written_and_read_go_on_alike() {
    let parameters = street();
    let (mut radios, mut first_rng) = (UserRadios::new(5, 3), rng(34));
    for user in 0..4 {
        radios.advance(UserId(user), &CELLS, 1.0, &mut first_rng, &parameters);
    }
    let bytes = postcard::to_stdvec(&radios).unwrap();
    let mut read: UserRadios = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(read, radios);
    for user in 0..5 {
        let mut second_rng = first_rng.clone();
        let ours = radios.advance(UserId(user), &CELLS, 9.0, &mut first_rng, &parameters);
        assert_eq!(read.advance(UserId(user), &CELLS, 9.0, &mut second_rng, &parameters), ours);
    }
}

#[test]
fn rates_fall_with_distance_and_the_uplink_is_the_slower_one() {
    let parameters = street();
    let mut rng = rng(35);
    let mean_rates = |distance_m: f64, rng: &mut SimRng| {
        let cells = [Position { x_m: 100.0 + distance_m, y_m: 100.0 }];
        let mut sums = [0.0; 2];
        let mut radios = UserRadios::new(500, 1);
        for user in 0..500 {
            let connection = radios.advance(UserId(user), &cells, 0.0, rng, &parameters);
            let [down, up] = parameters.rates_bits_per_s(&connection, None, 0.1);
            sums[0] += down / 500.0;
            sums[1] += up / 500.0;
        }
        sums
    };
    let [near, far] = [10.0, 400.0].map(|distance_m| mean_rates(distance_m, &mut rng));
    assert!(near[0] > far[0] && near[1] > far[1] && far[0] > far[1], "{near:?} {far:?}");
    // 400 MHz, at most 7.4 bit/s/Hz, a tenth of the time.
    assert!(near[0] <= 0.1 * 400e6 * 7.4);
}

#[test]
fn the_first_connections_of_a_street_are_pinned() {
    let parameters = street();
    let (mut radios, mut rng) = (UserRadios::new(1, 3), rng(36));
    let connections: Vec<String> = [0.0, 1.0, 60.0]
        .map(|now_s| {
            let connection = radios.advance(UserId(0), &CELLS, now_s, &mut rng, &parameters);
            let rates = parameters.rates_bits_per_s(&connection, None, 0.1);
            format!("{now_s} s: {connection:?} {rates:?}")
        })
        .into();
    insta::assert_snapshot!(connections.join("\n"));
}

/// Correlation of the downlink rates of neighbouring seconds, each user about its own mean.
fn lag_1(config: &RadioConfig) -> f64 {
    let parameters = config.validate("radio", None).unwrap();
    let (mut radios, mut rng) = (UserRadios::new(60, 3), rng(37));
    let (mut covariance, mut variance) = (0.0, 0.0);
    for user in 0..60 {
        let rates: Vec<f64> = (0..300)
            .map(|slot| {
                let connection = radios.advance(UserId(user), &CELLS, f64::from(slot), &mut rng, &parameters);
                parameters.rates_bits_per_s(&connection, None, 1.0)[0]
            })
            .collect();
        let centre = mean(&rates);
        covariance += rates.windows(2).map(|pair| (pair[0] - centre) * (pair[1] - centre)).sum::<f64>();
        variance += rates.iter().map(|rate| (rate - centre).powi(2)).sum::<f64>();
    }
    covariance / variance
}

#[test]
fn rates_of_neighbouring_seconds_are_as_alike_as_recorded_ones() {
    for config in [RadioConfig { blockage: None, ..example_street() }, example_street()] {
        let lag_1 = lag_1(&config);
        assert!((0.8..0.95).contains(&lag_1), "{lag_1}");
    }
}
