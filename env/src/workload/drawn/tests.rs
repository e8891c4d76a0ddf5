//! Counts against closed forms and against a process played the long way.

use super::*;
use crate::random::{Purpose, Seed};
use crate::units::ServiceId;
use crate::workload::arrivals::{ArrivalModel, Arrivals};

const SERVICES: usize = 3;

fn arrivals(
    process: Process,
    mean: f64,
    diurnal: Option<Diurnal>,
    num_cells: u32,
    per_request: bool,
) -> Arrivals {
    let model = DrawnModel::new(process, SERVICES, 1.0, mean, None, diurnal);
    Arrivals::new(ArrivalModel::Drawn(model), num_cells, SERVICES, per_request)
}

/// The requests of each service in each of many slots, at cell 0 of two, the services in order of rank.
fn counts(process: Process, mean: f64, diurnal: Option<Diurnal>, slots: u64) -> Vec<Vec<f64>> {
    let mut arrivals = arrivals(process, mean, diurnal, 2, false);
    arrivals.begin_episode(Seed::new(Purpose::Test, 1), 1);
    let ranks = arrivals.drawn().ranking.services.clone();
    (0..slots)
        .map(|slot| {
            let batches = arrivals.draw(slot);
            let of = |service: &ServiceId| {
                batches
                    .iter()
                    .filter(|batch| batch.cell == CellId(0) && batch.service == *service)
                    .map(|batch| f64::from(batch.num_requests))
                    .sum()
            };
            ranks.iter().map(of).collect()
        })
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Autocovariance at a lag; at 0 the variance.
fn covariance(values: &[f64], lag: usize) -> f64 {
    let mean = mean(values);
    let pairs = values.iter().zip(&values[lag..]);
    pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / (values.len() - lag) as f64
}

/// Counts of slots of a renewal process that is played on one line of time, gap by gap, after a long run-up.
fn naive_counts(law: GapLaw, intensity: f64, slots: usize) -> Vec<f64> {
    let mut rng = Seed::new(Purpose::Test, 9).stream(crate::random::Stream::Arrivals);
    let mut counts = vec![0.0; slots];
    let mut at = -500.0;
    while at < slots as f64 {
        if at >= 0.0 {
            counts[at as usize] += 1.0;
        }
        at += match law {
            GapLaw::Gamma { shape } => rand_distr::Gamma::new(shape, 1.0 / shape).unwrap().sample(&mut rng),
            GapLaw::Weibull { shape, scale } => {
                rand_distr::Weibull::new(scale, shape).unwrap().sample(&mut rng)
            }
        } / intensity;
    }
    counts
}

#[test]
fn counts_of_renewals_are_those_of_the_process_played_gap_by_gap() {
    for law in [GapLaw::gamma(0.5), GapLaw::gamma(2.5), GapLaw::weibull(0.5), GapLaw::weibull(2.5)] {
        let all = counts(Process::Renewal(law), 1.0, None, 40_000);
        for (rank, expected) in [18.0 / 11.0, 9.0 / 11.0, 6.0 / 11.0].into_iter().enumerate() {
            let counts: Vec<f64> = all.iter().map(|slot| slot[rank]).collect();
            // Long counts have the variance cv^2 times their mean.
            let error = (expected * law.cv().powi(2) / 40_000.0).sqrt();
            assert!((mean(&counts) - expected).abs() < 5.0 * error, "{law:?} rank {rank}: {}", mean(&counts));
            let naive = naive_counts(law, expected, 40_000);
            for (lag, tolerance) in [(0, 0.2), (1, 0.05)] {
                let (got, naive_got) = (covariance(&counts, lag), covariance(&naive, lag));
                let scale = covariance(&naive, 0);
                assert!(
                    (got - naive_got).abs() < tolerance * scale,
                    "{law:?} {rank} {lag}: {got} {naive_got}"
                );
            }
        }
    }
}

#[test]
fn modulated_counts_have_the_variance_and_the_autocorrelation_of_the_closed_form() {
    let model = ModulatedModel::new(vec![0.25, 3.25], vec![6.0, 2.0]);
    let (factors, share) = (model.factors.clone(), [0.75, 0.25]);
    let all = counts(Process::Modulated(model), 4.0, None, 60_000);
    for (rank, m) in [72.0 / 11.0, 36.0 / 11.0, 24.0 / 11.0].into_iter().enumerate() {
        let counts: Vec<f64> = all.iter().map(|slot| slot[rank]).collect();
        let r: f64 = 1.0 / 6.0 + 1.0 / 2.0;
        let v: f64 =
            m * m * (0..2).map(|state| share[state] * (factors[state] - 1.0_f64).powi(2)).sum::<f64>();
        let variance = m + 2.0 * v * (r - 1.0 + (-r).exp()) / (r * r);
        let lag_1 = v * (1.0 - (-r).exp()).powi(2) / (r * r);
        assert!((mean(&counts) / m - 1.0).abs() < 0.03, "rank {rank}: {}", mean(&counts));
        assert!((covariance(&counts, 0) / variance - 1.0).abs() < 0.04, "rank {rank}");
        assert!((covariance(&counts, 1) / lag_1 - 1.0).abs() < 0.06, "rank {rank}");
        // Decay from one lag to the next.
        let ratio = covariance(&counts, 2) / covariance(&counts, 1);
        assert!((ratio - (-r).exp()).abs() < 0.04, "rank {rank}: {ratio}");
    }
    // Services of a cell share its state: their intensities rise together.
    let (one, other): (Vec<f64>, Vec<f64>) = all.iter().map(|slot| (slot[0], slot[1])).unzip();
    let means = (mean(&one), mean(&other));
    let together = one.iter().zip(&other).map(|(a, b)| (a - means.0) * (b - means.1)).sum::<f64>();
    let correlation = together / one.len() as f64 / (covariance(&one, 0) * covariance(&other, 0)).sqrt();
    assert!(correlation > 0.6, "{correlation}");
}

#[test]
fn a_day_has_its_peak_its_trough_and_its_mean() {
    let day = Diurnal { period_slots: 20, amplitude: 0.8 };
    for process in [
        Process::Poisson,
        Process::Renewal(GapLaw::gamma(0.7)),
        Process::Modulated(ModulatedModel::new(vec![1.0, 2.0], vec![5.0, 5.0])),
    ] {
        let all = counts(process.clone(), 2.0, Some(day), 40_000);
        let totals: Vec<f64> = all.iter().map(|slot| slot.iter().sum()).collect();
        assert!((mean(&totals) / 6.0 - 1.0).abs() < 0.03, "{process:?}: {}", mean(&totals));
        let mut by_hour = vec![0.0; 20];
        for (slot, total) in totals.iter().enumerate() {
            by_hour[slot % 20] += total / 2000.0;
        }
        let (most, least) =
            (by_hour.iter().copied().fold(0.0, f64::max), by_hour.iter().copied().fold(9e9, f64::min));
        assert!((most / 10.8 - 1.0).abs() < 0.08 && (least - 1.2).abs() < 0.3, "{process:?}: {by_hour:?}");
    }
}

#[test]
fn an_episode_begins_at_any_time_of_the_day() {
    let mut arrivals =
        arrivals(Process::Poisson, 1.0, Some(Diurnal { period_slots: 20, amplitude: 0.8 }), 1, false);
    let phases: Vec<f64> = (0..400)
        .map(|episode| {
            arrivals.begin_episode(Seed::new(Purpose::Test, 1).with_episode(episode), 1);
            arrivals.drawn().day_phase
        })
        .collect();
    assert!((mean(&phases) - 0.5).abs() < 5.0 * (1.0 / 12.0 / 400.0_f64).sqrt());
    assert!(phases.iter().all(|phase| (0.0..1.0).contains(phase)));
}

#[test]
fn a_quiet_state_is_silent() {
    let model = ModulatedModel::new(vec![0.0, 1.0], vec![1e6, 1e6]);
    let mut arrivals = arrivals(Process::Modulated(model), 2.0, None, 64, false);
    arrivals.begin_episode(Seed::new(Purpose::Test, 3), 1);
    let states = arrivals.drawn().states.clone();
    let batches = arrivals.draw(0);
    for (cell, state) in states.iter().enumerate() {
        let is_busy = batches.iter().any(|batch| batch.cell.index() == cell);
        assert_eq!(is_busy, *state == 1, "cell {cell}");
    }
    assert!(states.contains(&0) && states.contains(&1), "cells have states of their own");
}

#[test]
fn a_state_of_another_process_or_of_more_states_is_refused() {
    let modulated = || Process::Modulated(ModulatedModel::new(vec![1.0, 2.0], vec![5.0, 5.0]));
    let begun = |process: Process| {
        let mut arrivals = arrivals(process, 1.0, None, 2, false);
        arrivals.begin_episode(Seed::new(Purpose::Test, 1), 1);
        arrivals
    };
    let gamma = begun(Process::Renewal(GapLaw::gamma(2.0)));
    let other = begun(modulated());
    assert_eq!(gamma.check(gamma.state()), Ok(()));
    assert_eq!(gamma.check(other.state()), Err("its requests come from another source"));
    let model = DrawnModel::new(modulated(), SERVICES, 1.0, 1.0, None, None);
    let mut state = other.drawn().clone();
    assert!(model.fits(other.drawn(), &state, 2) && !model.fits(other.drawn(), &state, 3));
    state.states[1] = 2;
    assert!(!model.fits(other.drawn(), &state, 2), "there are two states");
}

#[test]
fn one_by_one_requests_of_renewals_come_in_order_of_time_and_add_up_to_the_batches() {
    let process = || Process::Renewal(GapLaw::weibull(3.0));
    let (mut whole, mut single) =
        (arrivals(process(), 2.0, None, 2, false), arrivals(process(), 2.0, None, 2, true));
    for arrivals in [&mut whole, &mut single] {
        arrivals.begin_episode(Seed::new(Purpose::Train, 4), 1);
    }
    for slot in 0..200 {
        let singles = single.draw(slot).to_vec();
        let mut seen = Vec::new();
        for request in &singles {
            match seen
                .iter_mut()
                .find(|(cell, service, _)| (*cell, *service) == (request.cell, request.service))
            {
                Some((_, _, count)) => *count += 1,
                None => seen.push((request.cell, request.service, 1)),
            }
        }
        let batches: Vec<_> =
            whole.draw(slot).iter().map(|batch| (batch.cell, batch.service, batch.num_requests)).collect();
        assert_eq!(seen, batches, "slot {slot}");
    }
}
