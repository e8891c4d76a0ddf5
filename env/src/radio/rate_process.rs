//! The rates of users who use the radio every second: what a phone that measures throughput would record.
//!
//! *Models.* Users who are alone in their cell and ask for something every second.
//!
//! *Equation.* Those of [`user`](crate::radio::user) and [`link`](crate::radio::link), second after second.
//!
//! *Symbols.* None of its own.
//!
//! *Assumptions.* Where a scenario replays recorded rates, these are its users' (and theirs are compared with themselves). A user has all the time that sensing leaves for communication; a recording has other users beside the phone.
//!
//! *Source.* Ours.

use crate::radio::RadioParameters;
use crate::radio::mobility::Position;
use crate::radio::replay::{ThroughputTrace, ThroughputTraces};
use crate::radio::user::UserRadios;
use crate::random::{Seed, Stream};
use crate::units::UserId;

/// Seconds from one value to the next.
const STEP_S: f64 = 1.0;

/// Simulates the traces of this many users over this many seconds, `user/0` first; `None` for no user, no second or no cell.
pub fn rate_process(
    radio: &RadioParameters,
    cells: &[Position],
    (num_users, seconds): (u32, u32),
    seed: Seed,
) -> Option<ThroughputTraces> {
    if cells.is_empty() {
        return None;
    }
    let mut radios = UserRadios::new(num_users as usize, cells.len());
    let traces = (0..num_users).map(|number| {
        let user = UserId(number);
        let mut rng = seed.stream_at(Stream::Channel, u64::from(number), 0);
        let samples: Vec<(f64, f64)> = (0..seconds)
            .map(|second| {
                let time_s = f64::from(second) * STEP_S;
                let connection = radios.advance(user, cells, time_s, &mut rng, radio);
                let walked_m = radios.user(user).walked_m;
                let (span_s, share) = ((time_s, STEP_S), radio.communication_share());
                let [downlink_bits_per_s, _] =
                    radio.user_rates_bits_per_s(&connection, (seed, user), walked_m, span_s, share);
                (time_s, downlink_bits_per_s)
            })
            .collect();
        ThroughputTrace::new(format!("user/{number}"), &samples, STEP_S)
    });
    ThroughputTraces::new(traces.collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::example_street;
    use crate::radio::mobility::MobilityConfig;
    use crate::radio::rate_stats::RateStats;
    use crate::random::Purpose;

    const MIDDLE: [Position; 1] = [Position { x_m: 100.0, y_m: 100.0 }];

    fn traces(config: &crate::radio::RadioConfig, size: (u32, u32)) -> Option<ThroughputTraces> {
        let radio = config.validate("radio", None).unwrap();
        rate_process(&radio, &MIDDLE, size, Seed::new(Purpose::Test, 5))
    }

    #[test]
    fn users_that_stand_still_with_nobody_in_the_way_have_a_rate_each_and_walkers_change_slowly() {
        let mut config = example_street();
        config.blockage = None;
        let walking = traces(&config, (30, 60)).unwrap();
        config.mobility = MobilityConfig::Still(crate::radio::fading::NoKeys {});
        let still = traces(&config, (30, 60)).unwrap();
        for trace in still.traces() {
            let rate = |second: f64| trace.mean_bits_per_s(second, 1.0);
            assert!((rate(0.0) - rate(59.0)).abs() <= 1e-6 * rate(0.0), "{}", trace.name);
        }
        let lag_1 = RateStats::new(walking.traces()).unwrap().lag_1.unwrap();
        assert!((0.5..1.0).contains(&lag_1), "{lag_1}");
        assert_eq!((walking.traces().len(), walking.traces()[29].duration_s()), (30, 60.0));
        assert_eq!(traces(&config, (30, 60)), Some(still));
    }

    #[test]
    fn no_user_no_second_and_no_cell_have_no_rates() {
        let config = example_street();
        assert!(traces(&config, (0, 60)).is_none() && traces(&config, (3, 0)).is_none());
        let radio = config.validate("radio", None).unwrap();
        assert!(rate_process(&radio, &[], (3, 60), Seed::new(Purpose::Test, 5)).is_none());
    }
}
