//! MODEL 5's examples, and answers that a person can compute.

use super::*;
use crate::llm::catalogue::{Catalogue, CatalogueModel, DeviceConfig};
use approx::assert_relative_eq;

/// MODEL 5's examples: eta .7, mfu .5, no step time.
fn example(device: &str) -> Device {
    let device = Catalogue::shipped().device("device", device).unwrap().clone();
    Device { constants: ServingConstants::normative(0.0, 0.7, 0.5), ..device }
}

fn model(name: &str) -> Model {
    Catalogue::shipped().model("model", name).unwrap().clone()
}

#[test]
fn eight_billion_parameters_decode_and_prefill_as_fast_as_the_model_page_says() {
    let tokens = Tokens { prompt: 1000.0, reused: 0.0, output: 100.0 };
    for (device, tokens_per_s) in [("h100-sxm", 144.0), ("a100-80gb", 87.0), ("l4", 13.0)] {
        let served = Server::new(&example(device), &model("llama-3.1-8b"), 1).serve(&tokens, 1);
        assert_relative_eq!(100.0 / served.decode_s, tokens_per_s, max_relative = 0.02);
    }
    for (device, first_s) in [("h100-sxm", 0.032), ("l4", 0.265), ("phone-flagship", 4.0)] {
        let served = Server::new(&example(device), &model("llama-3.1-8b"), 1).serve(&tokens, 1);
        // The attention, which the round figures leave out, adds two percent.
        assert_relative_eq!(served.prefill_s, first_s, max_relative = 0.04);
    }
}

/// A device of 1 TFLOP/s, 1 GB/s, 10 GB; half of the former and all of the latter is reached.
fn plain(constants: ServingConstants) -> Device {
    let config = DeviceConfig {
        name: "plain".into(),
        source: "a test".into(),
        constants_source: "a test".into(),
        peak_fp16_tflop_per_s: 1.0,
        peak_int8_tflop_per_s: Some(4.0),
        memory_gb: 10.0,
        bandwidth_gb_per_s: 1.0,
        power_idle_w: 10.0,
        power_busy_w: 30.0,
        mfu: 0.5,
        eta: 1.0,
        t_step_ms: 0.0,
        link_gb_per_s: None,
        sync_us: 0.0,
        t_sequence_ms: 0.0,
    };
    Device { constants, ..config.validate("devices[0]").unwrap() }
}

/// 1 B parameters of 2 bytes; 2 L d = 100; 400 bytes of context a token.
fn small() -> CatalogueModel {
    CatalogueModel {
        name: "small".into(),
        source: "a test".into(),
        total_parameters_b: 1.0,
        active_parameters_b: None,
        experts: None,
        experts_per_token: None,
        layers: 5,
        width: 10,
        heads: 4,
        kv_heads: 2,
        head_dimension: 10,
        bytes_per_weight: 2.0,
        kv_bytes_per_number: 2.0,
        window_tokens: 1000.0,
        arithmetic: crate::llm::catalogue::Arithmetic::Fp16,
        mmlu_accuracy: None,
    }
}

const PLAIN: ServingConstants = ServingConstants::normative(0.25, 1.0, 0.5);

#[test]
fn a_prompt_that_is_half_in_memory_computes_its_other_half() {
    let server = Server::new(&plain(PLAIN), &small().validate("m").unwrap(), 1);
    let tokens = Tokens { prompt: 200.0, reused: 100.0, output: 0.0 };
    // 3 x (2e9 * 100 + 100 * (200^2 - 100^2)) = 3 x (2e11 + 3e6) at 5e11 per second, and the step.
    let half = server.serve(&tokens, 3);
    assert_relative_eq!(half.prefill_s, 0.25 + 3.0 * 200_003e6 / 5e11, max_relative = 1e-12);
    assert_relative_eq!(half.flop, 3.0 * 200_003e6, max_relative = 1e-12);
    assert_eq!((half.decode_s, half.gpu_s), (0.0, half.prefill_s));
    let whole = server.serve(&Tokens { reused: 0.0, ..tokens }, 3);
    assert!(whole.prefill_s > 1.9 * half.prefill_s - 0.25);
}

#[test]
fn decoding_reads_weights_once_and_contexts_once_each() {
    let server = Server::new(&plain(PLAIN), &small().validate("m").unwrap(), 1);
    let tokens = Tokens { prompt: 100.0, reused: 100.0, output: 50.0 };
    // 2e9 + 8 * 400 * 125 bytes at 1e9 a second, 50 times, and 50 steps.
    let read_s = (2e9 + 8.0 * 400.0 * 125.0) / 1e9;
    assert_relative_eq!(server.serve(&tokens, 8).decode_s, 50.0 * (0.25 + read_s), max_relative = 1e-12);
    // 1,000 requests are more than the arithmetic can follow: 2e9 * 1000 / 5e11 = 4 s a token against 2.05.
    assert_relative_eq!(server.serve(&tokens, 1000).decode_s, 50.0 * (0.25 + 4.0), max_relative = 1e-12);
}

#[test]
fn four_gpus_share_the_work_and_are_all_busy() {
    let (device, model) = (plain(PLAIN), small().validate("m").unwrap());
    let tokens = Tokens { prompt: 100.0, reused: 0.0, output: 10.0 };
    let one = Server::new(&device, &model, 1).serve(&tokens, 2);
    let four = Server::new(&device, &model, 4).serve(&tokens, 2);
    assert_relative_eq!(four.prefill_s - 0.25, (one.prefill_s - 0.25) / 4.0, max_relative = 1e-12);
    assert_relative_eq!(four.decode_s - 2.5, (one.decode_s - 2.5) / 4.0, max_relative = 1e-12);
    assert_relative_eq!(four.gpu_s, 4.0 * (four.prefill_s + four.decode_s), max_relative = 1e-12);
    assert_eq!(four.flop, one.flop);
}

#[test]
fn gpus_that_share_a_model_talk_and_the_host_sees_every_sequence() {
    let constants = ServingConstants { link_bytes_per_s: 1e6, sync_s: 1e-3, t_sequence_s: 1e-2, ..PLAIN };
    let model = small().validate("m").unwrap();
    let tokens = Tokens { prompt: 100.0, reused: 0.0, output: 10.0 };
    let extra = |gpus: u32, batch: u32| {
        let with = Server::new(&plain(constants), &model, gpus).serve(&tokens, batch);
        let without = Server::new(&plain(PLAIN), &model, gpus).serve(&tokens, batch);
        (with.prefill_s - without.prefill_s, with.decode_s - without.decode_s)
    };
    // Alone: three sequences for a pass, and for ten.
    let (prefill_s, decode_s) = extra(1, 3);
    assert_relative_eq!(prefill_s, 0.03, max_relative = 1e-9);
    assert_relative_eq!(decode_s, 0.3, max_relative = 1e-9);
    // Four: 10 exchanges at two doublings, and 10 * 1.5 * 2 * 10 = 300 bytes a token at 1e6 a second.
    let (prefill_s, decode_s) = extra(4, 3);
    assert_relative_eq!(prefill_s, 0.03 + 0.02 + 3.0 * 100.0 * 300e-6, max_relative = 1e-9);
    assert_relative_eq!(decode_s, 0.3 + 0.2 + 3.0 * 10.0 * 300e-6, max_relative = 1e-9);
}

#[test]
fn integers_use_their_own_peak() {
    let tokens = Tokens { prompt: 100.0, reused: 0.0, output: 0.0 };
    let device = plain(ServingConstants::normative(0.0, 1.0, 0.5));
    let config = CatalogueModel { arithmetic: crate::llm::catalogue::Arithmetic::Int8, ..small() };
    let fast = Server::new(&device, &config.validate("m").unwrap(), 1).serve(&tokens, 1);
    let slow = Server::new(&device, &small().validate("m").unwrap(), 1).serve(&tokens, 1);
    assert_relative_eq!(slow.prefill_s, 4.0 * fast.prefill_s, max_relative = 1e-12);
}

#[test]
fn the_least_power_of_two_that_holds_the_model_is_taken_or_none() {
    assert_eq!(least_parallel(80.0, 80.0, 8), Some(1));
    assert_eq!(least_parallel(81.0, 80.0, 8), Some(2));
    assert_eq!(least_parallel(400.0, 80.0, 8), Some(8), "five would do, eight is the next power of two");
    assert_eq!(least_parallel(400.0, 80.0, 7), None, "four are too few and eight are not there");
    assert_eq!(least_parallel(1.0, 80.0, 0), None);
    assert_eq!(least_parallel(f64::INFINITY, 80.0, u32::MAX), None);
    // 141 GB of Llama-3.1-70B need two H100; with 200,000 tokens of context (66 GB) they need four.
    let (device, model) = (example("h100-sxm"), model("llama-3.1-70b"));
    let gpus = |tokens: f64, gpus: u32, granted_gb: f64| {
        Server::fitting(&device, &model, (gpus, 1e9 * granted_gb), tokens).map(|server| server.num_gpus)
    };
    assert_eq!((gpus(0.0, 8, 80.0), gpus(2e5, 8, 80.0), gpus(2e5, 2, 80.0)), (Some(2.0), Some(4.0), None));
    // With 40 GB of each for models, twice as many; with 10 GB all that are there, and what does not fit stays out.
    assert_eq!(
        (gpus(0.0, 8, 40.0), gpus(2e5, 8, 40.0), gpus(0.0, 7, 10.0)),
        (Some(4.0), Some(8.0), Some(4.0))
    );
}

#[test]
fn a_batch_of_mixtral_reads_the_experts_that_its_tokens_choose() {
    let (device, mixtral) = (plain(PLAIN), model("mixtral-8x7b"));
    let [first, second] = [Edition::First, Edition::Second]
        .map(|edition| Server::new(&device, &mixtral, 1).of_edition(edition, &mixtral));
    let tokens = Tokens { prompt: 0.0, reused: 0.0, output: 1.0 };
    // Billions of parameters of 2 bytes at 1 GB/s, half a token of context a sequence apart.
    let read_b = |server: &Server, batch: f64| {
        let context_s = 1e-9 * batch * 0.5 * mixtral.kv_bytes_per_token;
        (server.decode_work(&tokens, batch).read_s - context_s) / 2.0
    };
    for (batch, parameters_b) in [(1.0, 12.9), (2.0, 21.3), (4.0, 32.4), (8.0, 42.2), (16.0, 46.3)] {
        assert!((read_b(&second, batch) - parameters_b).abs() < 0.06, "{batch}: {}", read_b(&second, batch));
        assert_relative_eq!(read_b(&first, batch), 12.88, max_relative = 1e-12);
    }
    // A dense model reads all of its weights, whatever the batch.
    let dense = model("llama-3.1-8b");
    let [one, other] = [Edition::First, Edition::Second]
        .map(|edition| Server::new(&device, &dense, 1).of_edition(edition, &dense));
    assert_eq!(one.decode_work(&tokens, 8.0), other.decode_work(&tokens, 8.0));
}

#[test]
fn in_the_second_edition_a_short_prompt_takes_as_long_as_reading_the_model() {
    let (device, model) = (plain(PLAIN), small().validate("m").unwrap());
    let server = Server::new(&device, &model, 1).of_edition(Edition::Second, &model);
    // 100 tokens kept of 110: 10 x 2e9 operations and 100 (110^2 - 100^2) at .5 TFLOP/s take .04 s; 2e9 bytes of weights at 1 GB/s
    // take 2 s.
    let hit = server.serve(&Tokens { prompt: 110.0, reused: 100.0, output: 0.0 }, 1);
    assert_relative_eq!(hit.prefill_s, 0.25 + 2.0, max_relative = 1e-12);
    // 1,000 tokens: 2e12 operations and 100 x 1e6, 4.0002 s.
    let miss = server.serve(&Tokens { prompt: 1000.0, reused: 0.0, output: 0.0 }, 1);
    assert_relative_eq!(miss.prefill_s, 0.25 + 4.0002, max_relative = 1e-12);
}

#[test]
fn experts_that_cannot_be_are_refused() {
    let refused = |experts, experts_per_token, active_parameters_b| {
        let config = CatalogueModel { active_parameters_b, experts, experts_per_token, ..small() };
        config.validate("models[0]").unwrap_err().to_string()
    };
    let message = refused(Some(8), Some(8), None);
    assert!(
        message.starts_with("models[0].experts_per_token = 8: a whole number from 1 on, less than"),
        "{message}"
    );
    // One in two hundred cannot be a quarter of all.
    for (experts, used, active) in
        [(Some(8), None, None), (None, Some(2), None), (Some(8), Some(2), Some(0.005))]
    {
        assert!(refused(experts, used, active).starts_with("models[0].experts_per_token = "));
    }
}

#[test]
fn context_leaves_room_for_what_is_new() {
    assert_eq!(context_tokens(300.0, 1000.0, 100.0, 200.0), 300.0);
    assert_eq!(context_tokens(900.0, 1000.0, 100.0, 200.0), 700.0);
    assert_eq!(context_tokens(900.0, 1000.0, 900.0, 200.0), 0.0, "the window is full without it");
}

#[test]
fn a_batch_costs_less_than_its_requests_one_by_one() {
    let server = Server::new(&example("l4"), &model("llama-3.1-8b"), 1);
    let tokens = Tokens { prompt: 500.0, reused: 0.0, output: 200.0 };
    let (one, eight) = (server.serve(&tokens, 1), server.serve(&tokens, 8));
    assert!(eight.gpu_s < 2.0 * one.gpu_s && eight.gpu_s > one.gpu_s);
    assert_relative_eq!(server.dynamic_j(2.0), 2.0 * (72.0 - 16.0), max_relative = 1e-12);
}
