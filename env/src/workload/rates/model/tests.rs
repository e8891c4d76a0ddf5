//! Drawn requests against the recorded rates.

use super::super::tests::recording;
use super::*;
use crate::random::{Purpose, Seed, Stream};
use crate::units::CellId;
use std::fmt::Write;

fn rng(run: u64) -> SimRng {
    Seed::new(Purpose::Test, run).stream(Stream::Arrivals)
}

/// Ten periods of a minute: client 0 asks all the time, 1 in the second half, 2 (of another class) little.
fn ten_periods() -> ClientRates {
    let mut rates: Vec<(u32, u32, f64)> = (0..10).map(|period| (0, period, 2.0)).collect();
    rates.extend((5..10).map(|period| (1, period, 3.0)));
    rates.extend((0..10).map(|period| (2, period, 0.5)));
    recording(&rates)
}

const TOP: RateServicesConfig = RateServicesConfig::TopClients(TopClientsConfig { model: None });

/// The requests of each service in a slot.
fn draw(
    model: &RatesModel,
    part: TracePart,
    slot: usize,
    renewals: &mut Vec<Renewal>,
    rng: &mut SimRng,
) -> Vec<u32> {
    let services = model.service_names.len();
    let mut sheet = Sheet::new(services, 1, true);
    model.draw(part, slot, renewals, rng, &mut sheet);
    sheet.write_timed(CellId(0));
    let mut counts = vec![0; services];
    sheet.batches.iter().for_each(|batch| counts[batch.service.index()] += 1);
    counts
}

#[test]
fn services_are_the_clients_or_classes_that_ask_most_in_the_training_part() {
    let recording = ten_periods();
    // Training is the first six minutes: client a of large 720, b of large 180, a of small 180.
    let model = RatesModel::new(&recording, &TOP, 2, 1.0, (30.0, SplitShares::default())).unwrap();
    assert_eq!(model.service_names, ["large/a", "large/b"]);
    assert_eq!(model.outside_requests, 300);
    let model = RatesModel::new(
        &recording,
        &RateServicesConfig::TopModels(TopModelsConfig {}),
        2,
        1.0,
        (30.0, SplitShares::default()),
    )
    .unwrap();
    assert_eq!(
        (&model.service_names[..], model.outside_requests),
        (&["large".to_owned(), "small".to_owned()][..], 0)
    );
    let only = |model: &str| RateServicesConfig::TopClients(TopClientsConfig { model: Some(model.into()) });
    let model = RatesModel::new(&recording, &only("small"), 1, 1.0, (30.0, SplitShares::default())).unwrap();
    assert_eq!((&model.service_names[..], model.outside_requests), (&["small/a".to_owned()][..], 2100));
    for (map, services, expected) in [
        (
            only("huge"),
            1,
            "1 models were asked for as services, but the training part of the recording names 0",
        ),
        (TOP, 4, "4 models were asked for as services, but the training part of the recording names 3"),
    ] {
        let error = RatesModel::new(&recording, &map, services, 1.0, (30.0, SplitShares::default()))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn means_are_the_recorded_ones_and_a_slot_may_cover_several_periods_or_a_part_of_one() {
    let recording = ten_periods();
    for slot_s in [20.0, 50.0, 60.0, 100.0] {
        let model = RatesModel::new(&recording, &TOP, 3, 0.5, (slot_s, SplitShares::default())).unwrap();
        let total: f64 = TracePart::ALL
            .iter()
            .map(|part| model.mean_requests(*part) * model.split.slots(*part).len() as f64)
            .sum();
        // Half of 1,200 + 900 + 300.
        assert!((total - 1200.0).abs() < 1e-9, "{slot_s}: {total}");
    }
    let model = RatesModel::new(&recording, &TOP, 3, 1.0, (50.0, SplitShares::default())).unwrap();
    // The slot from 250 to 300 s, and the one from 300 on, where b begins.
    assert_eq!((model.slot_mean(5), model.slot_mean(6)), (125.0, 275.0));
    assert_eq!(model.greatest_mean(), 275.0);
}

#[test]
fn drawn_requests_have_the_mean_of_every_slot_however_bursty_they_are() {
    let model = RatesModel::new(&ten_periods(), &TOP, 3, 0.2, (50.0, SplitShares::default())).unwrap();
    let mut sums = vec![[0.0; 3]; model.split.num_slots()];
    let mut squares = sums.clone();
    let runs = 3000;
    let mut rng = rng(1);
    for _ in 0..runs {
        for part in TracePart::ALL {
            let (slots, mut renewals) = (model.split.slots(part), Vec::new());
            for slot in 0..slots.len() {
                let counts = draw(&model, part, slot, &mut renewals, &mut rng);
                for (service, count) in counts.iter().enumerate() {
                    sums[slots.start + slot][service] += f64::from(*count) / f64::from(runs);
                    squares[slots.start + slot][service] += f64::from(*count).powi(2) / f64::from(runs);
                }
            }
        }
    }
    for slot in 0..sums.len() {
        for (service, rate) in [(0, 0.4), (1, if slot < 6 { 0.0 } else { 0.6 }), (2, 0.1)] {
            let service = model
                .service_names
                .iter()
                .position(|name| *name == ["large/a", "large/b", "small/a"][service])
                .unwrap();
            let (mean, expected) = (sums[slot][service], rate * 50.0);
            let error = ((squares[slot][service] - mean * mean) / f64::from(runs)).sqrt();
            assert!((mean - expected).abs() <= 5.0 * error, "slot {slot} service {service}: {mean}");
            // Bursty: of cv 2, and so more variable than Poisson's.
            assert!(expected == 0.0 || squares[slot][service] - mean * mean > 1.5 * mean, "{slot} {service}");
        }
    }
}

#[test]
fn gaps_go_on_over_the_ends_of_slots_and_not_over_those_of_periods() {
    // Nearly regular: 0.1 a second, gaps of 10 s. Slots of 4 s: never two requests in one, never none in four.
    let mut table = "model,client,start_s,rate_per_s,iat_cv,family\n".to_owned();
    for period in 0..10 {
        writeln!(table, "m,c,{},0.1,0.001,gamma", 600 * period).unwrap();
    }
    let recording = ClientRates::read(table.as_bytes()).unwrap();
    let model = RatesModel::new(&recording, &TOP, 1, 1.0, (4.0, SplitShares::default())).unwrap();
    let (mut renewals, mut rng) = (Vec::new(), rng(2));
    let counts: Vec<u32> =
        (0..150).map(|slot| draw(&model, TracePart::Train, slot, &mut renewals, &mut rng)[0]).collect();
    assert!(counts.windows(4).all(|slots| (1..=2).contains(&slots.iter().sum::<u32>())), "{counts:?}");
    assert_eq!(counts.iter().sum::<u32>(), 60);
}
