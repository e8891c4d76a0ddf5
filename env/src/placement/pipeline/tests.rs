//! One request in all placements, with numbers that a person can follow, and what moves when a number moves.

use super::*;
use crate::llm::catalogue::{Catalogue, Source};
use crate::llm::quality::AccuracyTable;
use crate::placement::request::UserLink;
use approx::assert_relative_eq;

/// 1 B parameters of 2 bytes, 2 L d = 100, 400 bytes of context a token.
const MODEL: &str = r#"[[models]]
name = "small"
source = "a test"
total_parameters_b = 1.0
layers = 5
width = 10
heads = 4
kv_heads = 2
head_dimension = 10
bytes_per_weight = 2.0
window_tokens = 1000.0
"#;

/// Devices that reach 1, 100 and 1,000 times 1 TFLOP/s and 1 GB/s, at 10, 100 and 1,000 watts.
fn devices() -> String {
    let device = |name: &str, times: f64| {
        format!(
            "[[devices]]\nname = \"{name}\"\nsource = \"a test\"\nconstants_source = \"a test\"\n\
             peak_fp16_tflop_per_s = {times:?}\nmemory_gb = 10.0\nbandwidth_gb_per_s = {times:?}\n\
             power_idle_w = 1.0\npower_busy_w = {:?}\nmfu = 1.0\neta = 1.0\nt_step_ms = 0.0\n\n",
            1.0 + 10.0 * times.sqrt()
        )
    };
    [device("phone", 1.0), device("server", 100.0), device("cloud", 10_000.0)].concat()
}

struct World {
    servers: [Server; 3],
    laws: [AccuracyLaw; 3],
}

impl World {
    fn new() -> Self {
        let catalogue = Catalogue::parse(
            Source { file: "models.toml", text: MODEL },
            Source { file: "devices.toml", text: &devices() },
        )
        .unwrap();
        let server = |name: &str, gpus: u32| {
            Server::new(catalogue.device("device", name).unwrap(), &catalogue.models[0], gpus)
        };
        let law = |without: f64, with: f64| {
            AccuracyLaw::Table(AccuracyTable::new(&[0.0, 10.0], &[without, with], 100.0).unwrap())
        };
        Self {
            servers: [server("phone", 1), server("server", 2), server("cloud", 1)],
            laws: [law(0.4, 0.5), law(0.5, 0.9), law(0.8, 1.0)],
        }
    }

    fn request(&self) -> RequestView<'_> {
        let site = |index: usize, modality: f64, alignment: f64, price: f64| SiteView {
            server: &self.servers[index],
            law: &self.laws[index],
            modality_quality: modality,
            alignment_quality: alignment,
            prompt_token_price: price,
            output_token_price: 4.0 * price,
        };
        RequestView {
            device: site(0, 0.5, 0.8, 0.0),
            edge: site(1, 0.6, 0.9, 0.0),
            cloud: site(2, 0.7, 1.0, 0.01),
            facts: RequestFacts {
                link: UserLink {
                    uplink_bps: 1e6,
                    downlink_bps: 1e7,
                    sensing_quality: 0.5,
                    ..UserLink::default()
                },
                new_tokens: 50.0,
                output_tokens: 100.0,
                kept_tokens: 500.0,
                fresh_tokens: 250.0,
                edge_batch: 1,
                backlog_s: 0.3,
                load_s: 0.1,
                ..RequestFacts::default()
            },
            uplink_w: 0.2,
            downlink_w: 2.0,
            backhaul_bps: 1e9,
            backhaul_delay_s: 0.02,
            sensor_bits: 8e6,
            coarse: Features { bits: 2e5, quality: 0.6 },
            fine: Features { bits: 1e6, quality: 0.9 },
            perception_flop: 1e12,
            token_bits: 32.0,
            carried_tokens: 0.0,
            twin_factor: 0.7,
            cached_price_ratio: 0.1,
            joining: None,
        }
    }
}

fn seconds(bill: &StageBill) -> [f64; Stage::COUNT] {
    Stage::ALL.map(|stage| bill.line(stage).seconds)
}

fn assert_all(found: [f64; Stage::COUNT], expected: [f64; Stage::COUNT]) {
    for ((found, expected), stage) in found.into_iter().zip(expected).zip(Stage::ALL) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
            "{}: {found} {expected}",
            stage.name()
        );
    }
}

#[test]
fn the_device_does_all_itself_with_its_own_model_and_no_context() {
    let world = World::new();
    let bill = price(Placement::Device, &world.request());
    // 1e12 operations at 1e12; 2e9 * 50 + 100 * 50^2 of them; 2e9 + 400 * 100 bytes at 1e9, 100 times; a pass over 100 tokens.
    let prefill_s = 0.1 + 2.5e-7;
    let decode_s = 100.0 * (2.0 + 4e-5);
    let align_s = 0.2 + 1e-6;
    assert_all(seconds(&bill), [1.0, 0.0, 0.0, 0.0, 0.0, prefill_s, decode_s, align_s, 0.0, 0.0]);
    assert_relative_eq!(bill.latency_s, 1.0 + prefill_s + decode_s + align_s, max_relative = 1e-12);
    assert_relative_eq!(bill.first_token_s, 1.0 + prefill_s, max_relative = 1e-12);
    assert_relative_eq!(bill.token_s, decode_s / 100.0, max_relative = 1e-12);
    assert_relative_eq!(bill.joules, 10.0 * bill.latency_s, max_relative = 1e-12);
    assert_eq!((bill.device_joules, bill.money, bill.edge_gpu_s), (bill.joules, 0.0, 0.0));
    // No sensing by the cell, no context, no twin: .5 * .4 * .8.
    assert_relative_eq!(bill.quality, 0.16, max_relative = 1e-12);
}

#[test]
fn the_edge_has_the_context_and_the_twin_but_needs_the_raw_data() {
    let world = World::new();
    let bill = price(Placement::Edge, &world.request());
    // Two GPUs: 2e14 operations and 2e11 bytes a second. Of the prompt of 550 tokens 500 are in memory.
    let prefill_s = (2e9 * 50.0 + 100.0 * (550.0_f64.powi(2) - 500.0_f64.powi(2))) / 2e14;
    let decode_s = 100.0 * (2e9 + 400.0 * 600.0) / 2e11;
    let align_s = (2e9 * 100.0 + 1e6) / 2e14;
    let uplink_s = (8e6 + 32.0 * 50.0) / 1e6;
    let downlink_s = 3200.0 / 1e7;
    let expected = [5e-3, uplink_s, 0.0, 0.1, 0.2, prefill_s, decode_s, align_s, 0.0, downlink_s];
    assert_all(seconds(&bill), expected);
    assert_relative_eq!(bill.first_token_s, 5e-3 + uplink_s + 0.3 + prefill_s + 3.2e-6, max_relative = 1e-12);
    let gpu_s = 2.0 * (5e-3 + prefill_s + decode_s + align_s);
    assert_relative_eq!(bill.edge_gpu_s, gpu_s, max_relative = 1e-12);
    let radio_j = [0.2 * uplink_s, 2.0 * downlink_s];
    assert_relative_eq!(bill.joules, 100.0 * gpu_s + radio_j[0] + radio_j[1], max_relative = 1e-12);
    assert_relative_eq!(bill.device_joules, radio_j[0], max_relative = 1e-12);
    // A quarter of the way from .5 to .9 at 250 of 1,000 fresh tokens: .6; (1 - .4 * .5) * .6 * .7 * .9.
    assert_relative_eq!(bill.quality, 0.8 * 0.6 * 0.7 * 0.9, max_relative = 1e-12);
}

#[test]
fn a_split_sends_features_and_aligns_on_the_device() {
    let world = World::new();
    let request = world.request();
    let [coarse, fine] = [Placement::SplitEdgeCoarse, Placement::SplitEdgeFine].map(|p| price(p, &request));
    assert_relative_eq!(coarse.line(Stage::Uplink).seconds, (2e5 + 1600.0) / 1e6, max_relative = 1e-12);
    assert_relative_eq!(fine.line(Stage::Uplink).seconds, (1e6 + 1600.0) / 1e6, max_relative = 1e-12);
    for bill in [&coarse, &fine] {
        assert_eq!(bill.line(Stage::Perceive).seconds, 1.0, "on the device");
        assert_relative_eq!(bill.line(Stage::Align).seconds, 0.2 + 1e-6, max_relative = 1e-12);
        assert_eq!(bill.line(Stage::Decode), price(Placement::Edge, &request).line(Stage::Decode));
    }
    // (1 - .5 * .5) * .6 * .7 * features * .8.
    assert_relative_eq!(coarse.quality, 0.75 * 0.6 * 0.7 * 0.6 * 0.8, max_relative = 1e-12);
    assert_relative_eq!(fine.quality, 0.75 * 0.6 * 0.7 * 0.9 * 0.8, max_relative = 1e-12);
    let device_j = 10.0 * (1.0 + 0.2 + 1e-6) + 0.2 * (2e5 + 1600.0) / 1e6;
    assert_relative_eq!(coarse.device_joules, device_j, max_relative = 1e-12);
}

#[test]
fn the_cloud_is_far_and_paid_by_the_token_and_waits_for_nobody() {
    let world = World::new();
    let bill = price(Placement::Cloud, &world.request());
    assert_relative_eq!(
        bill.line(Stage::BackhaulUp).seconds,
        0.02 + (8e6 + 1600.0) / 1e9,
        max_relative = 1e-12
    );
    assert_relative_eq!(bill.line(Stage::BackhaulDown).seconds, 0.02 + 3200.0 / 1e9, max_relative = 1e-12);
    assert_eq!(
        (bill.line(Stage::Load).seconds, bill.line(Stage::Wait).seconds, bill.edge_gpu_s),
        (0.0, 0.0, 0.0)
    );
    // 50 tokens of a prompt and 100 to align at .01, 100 of an answer at .04.
    assert_relative_eq!(bill.money, 0.5 + 4.0 + 1.0, max_relative = 1e-12);
    assert_relative_eq!(bill.quality, (1.0 - 0.3 * 0.5) * 0.8 * 0.7, max_relative = 1e-12);
    let first_s = bill.line(Stage::Perceive).seconds
        + bill.line(Stage::Uplink).seconds
        + bill.line(Stage::BackhaulUp).seconds
        + bill.line(Stage::Prefill).seconds
        + 0.02
        + 32.0 / 1e9
        + 32.0 / 1e7;
    assert_relative_eq!(bill.first_token_s, first_s, max_relative = 1e-12);
    let split = price(Placement::SplitCloudFine, &world.request());
    assert_relative_eq!(split.money, 0.5 + 4.0, max_relative = 1e-12);
    assert_relative_eq!(split.quality, 0.75 * 0.8 * 0.7 * 0.9 * 0.8, max_relative = 1e-12);
}

#[test]
fn a_context_that_is_carried_along_travels_is_computed_again_and_helps() {
    let world = World::new();
    let request = RequestView { carried_tokens: 250.0, ..world.request() };
    let (with, without) = (price(Placement::Cloud, &request), price(Placement::Cloud, &world.request()));
    let more_s = with.line(Stage::Uplink).seconds - without.line(Stage::Uplink).seconds;
    assert_relative_eq!(more_s, 32.0 * 250.0 / 1e6, max_relative = 1e-9);
    assert!(with.line(Stage::Prefill).seconds > 5.0 * without.line(Stage::Prefill).seconds);
    assert_relative_eq!(with.money - without.money, 250.0 * 0.01, max_relative = 1e-9);
    assert_relative_eq!(with.quality / without.quality, 0.85 / 0.8, max_relative = 1e-12);
    assert_eq!(price(Placement::Edge, &request), price(Placement::Edge, &world.request()), "it is there");
}

#[test]
fn the_requests_of_a_batch_pay_its_gpu_time_together() {
    let world = World::new();
    let bills: Vec<StageBill> = (1..=4)
        .map(|edge_batch| {
            let mut request = world.request();
            request.facts.edge_batch = edge_batch;
            price(Placement::SplitEdgeFine, &request)
        })
        .collect();
    let together: f64 = bills.iter().map(|bill| bill.edge_gpu_s).sum();
    let tokens = world.request().tokens_at(Site::Edge);
    assert_relative_eq!(together, world.servers[1].serve(&tokens, 4).gpu_s, max_relative = 1e-12);
    assert!(bills[3].edge_gpu_s < 0.1 * bills[0].edge_gpu_s, "the weights are read once");
    assert!(bills[3].latency_s > bills[0].latency_s);
}

#[test]
fn load_and_backlog_pass_together() {
    let world = World::new();
    let waits = |load_s: f64, backlog_s: f64| {
        let mut request = world.request();
        (request.facts.backlog_s, request.facts.load_s) = (backlog_s, load_s);
        let bill = price(Placement::Edge, &request);
        [Stage::Load, Stage::Wait].map(|stage| bill.line(stage).seconds)
    };
    assert_eq!(waits(2.0, 0.5), [2.0, 0.0]);
    assert_eq!(waits(0.5, 2.0), [0.5, 1.5]);
}

#[test]
fn every_number_of_a_request_changes_the_bill_of_a_placement() {
    let world = World::new();
    let plain = world.request();
    let changes: [fn(&mut RequestView<'_>); 22] = [
        |request| request.facts.link.uplink_bps *= 2.0,
        |request| request.facts.link.downlink_bps *= 2.0,
        |request| request.uplink_w *= 2.0,
        |request| request.downlink_w *= 2.0,
        |request| request.backhaul_bps *= 2.0,
        |request| request.backhaul_delay_s *= 2.0,
        |request| request.sensor_bits *= 2.0,
        |request| request.coarse.bits *= 2.0,
        |request| request.coarse.quality *= 1.1,
        |request| request.fine.bits *= 2.0,
        |request| request.fine.quality *= 1.1,
        |request| request.perception_flop *= 2.0,
        |request| request.token_bits *= 2.0,
        |request| request.facts.new_tokens *= 2.0,
        |request| request.facts.output_tokens *= 2.0,
        |request| request.facts.kept_tokens += 100.0,
        |request| request.facts.fresh_tokens *= 2.0,
        |request| request.facts.edge_batch += 1,
        |request| request.facts.backlog_s *= 2.0,
        |request| request.facts.load_s *= 4.0,
        |request| request.facts.link.sensing_quality *= 0.5,
        |request| request.twin_factor *= 0.5,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = plain;
        change(&mut other);
        let differs = |placement: &Placement| price(*placement, &other) != price(*placement, &plain);
        assert!(Placement::ALL.iter().any(differs), "change {index}");
    }
}

#[test]
fn sums_are_those_of_the_stages_and_qualities_are_shares() {
    let world = World::new();
    for placement in Placement::ALL {
        let bill = price(placement, &world.request());
        let sum =
            |of: fn(&StageLine) -> f64| -> f64 { Stage::ALL.iter().map(|&stage| of(bill.line(stage))).sum() };
        assert_eq!(bill.latency_s, sum(|line| line.seconds));
        assert_eq!(bill.joules, sum(|line| line.joules));
        assert_eq!(bill.money, sum(|line| line.money));
        assert!((0.0..=1.0).contains(&bill.quality) && bill.first_token_s <= bill.latency_s);
        assert!(bill.device_joules <= bill.joules);
    }
}
