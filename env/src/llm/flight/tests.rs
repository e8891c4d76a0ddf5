//! Answers in whole passes and tokens, and play that is compared with what was charged for it.

use super::*;
use crate::edition::Edition;
use crate::llm::catalogue::Catalogue;
use crate::random::{Purpose, Seed, Stream};
use approx::assert_relative_eq;
use rand::RngExt;

const TOKENS: Tokens = Tokens { prompt: 1000.0, reused: 0.0, output: 100.0 };
const TAIL_S: f64 = 0.5;

/// Llama-3.1-8B and Mistral-7B, each on one A100.
fn servers() -> Vec<Server> {
    let catalogue = Catalogue::shipped();
    let device = catalogue.device("device", "a100-80gb").unwrap();
    let server = |name: &str| {
        let model = catalogue.model("model", name).unwrap();
        Server::new(device, model, 1).of_edition(Edition::Second, model)
    };
    vec![server("llama-3.1-8b"), server("mistral-7b")]
}

fn fleet(servers: &[Server], gpus: f64, max_batch: usize) -> Fleet<'_> {
    Fleet { servers, gpus, max_batch }
}

/// A request that reaches its model a tenth of a second after it was made.
fn asked(asked_s: f64, service: u32) -> Request {
    let enters_s = asked_s + 0.1;
    Request {
        service: ServiceId(service),
        user: UserId(0),
        new_tokens: 100.0,
        said_tokens: 0.0,
        asked_s,
        enters_s,
        due_s: f64::INFINITY,
        tail_s: TAIL_S,
        tokens: TOKENS,
    }
}

/// Seconds of the pass that reads one prompt, and of a token of one answer and of each of two.
fn paces(server: &Server) -> (f64, f64, f64) {
    let bytes = server.context_bytes(&TOKENS);
    (server.pass_s([&TOKENS].into_iter()), server.token_s(1.0, bytes), server.token_s(2.0, 2.0 * bytes))
}

/// Accepts a request and returns what it adds.
fn accept(flight: &mut Flight, fleet: &Fleet<'_>, model: usize, request: Request) -> Added {
    let added = flight.added(fleet, flight.projected(fleet), model, request);
    flight.accept(model, request);
    added
}

#[test]
fn alone_a_request_takes_as_long_as_a_batch_of_one() {
    let servers = servers();
    let (fleet, served) = (fleet(&servers, 4.0, 16), servers[0].serve(&TOKENS, 1));
    let added = accept(&mut Flight::new(2), &fleet, 0, asked(3.0, 0));
    let busy_s = served.prefill_s + served.decode_s;
    assert_relative_eq!(added.complete_s, 3.1 + busy_s + TAIL_S, max_relative = 1e-12);
    assert_relative_eq!(added.totals.delay_s, 0.1 + busy_s + TAIL_S, max_relative = 1e-12);
    assert_relative_eq!(added.totals.busy_gpu_s, busy_s, max_relative = 1e-12);
    assert_eq!(added.totals.late, 0.0);
}

#[test]
fn who_comes_during_a_pass_is_read_in_the_next_and_both_are_answered_together() {
    let servers = servers();
    let fleet = fleet(&servers, 4.0, 16);
    let (pass_s, alone_s, both_s) = paces(&servers[0]);
    assert!(both_s > alone_s && both_s < 2.0 * alone_s, "two answers share the reading of the weights");
    let mut flight = Flight::new(2);
    let first = accept(&mut flight, &fleet, 0, asked(0.0, 0));
    let second = accept(&mut flight, &fleet, 0, asked(0.5 * pass_s, 0));
    let complete_s = 0.1 + 2.0 * pass_s + 100.0 * both_s + TAIL_S;
    assert_relative_eq!(second.complete_s, complete_s, max_relative = 1e-12);
    // It pays for its own time, and for what the first one waits longer.
    let delays_s = (complete_s - 0.5 * pass_s) + (complete_s - first.complete_s);
    assert_relative_eq!(second.totals.delay_s, delays_s, max_relative = 1e-12);
    // The weights are read once for both.
    let busy_s = 2.0 * pass_s + 100.0 * both_s - (pass_s + 100.0 * alone_s);
    assert_relative_eq!(second.totals.busy_gpu_s, busy_s, max_relative = 1e-9);
}

#[test]
fn an_answer_stops_while_the_model_reads_and_is_late_through_the_newcomer() {
    let servers = servers();
    let fleet = fleet(&servers, 4.0, 16);
    let (pass_s, alone_s, both_s) = paces(&servers[0]);
    let mut flight = Flight::new(2);
    let alone = accept(&mut flight.clone(), &fleet, 0, asked(0.0, 0)).complete_s;
    accept(&mut flight, &fleet, 0, Request { due_s: alone + 1e-9, ..asked(0.0, 0) });
    // The newcomer enters after 40 of 100 tokens; the other 60 are written together with its first 60.
    let enters_s = 0.1 + pass_s + 40.0 * alone_s;
    let second = accept(&mut flight, &fleet, 0, asked(enters_s - 0.1, 0));
    assert_eq!(second.totals.late, 1.0);
    let together_s = enters_s + pass_s + 60.0 * both_s;
    assert_relative_eq!(second.complete_s, together_s + 40.0 * alone_s + TAIL_S, max_relative = 1e-12);
    let mut ends = Vec::new();
    flight.play(&fleet, f64::INFINITY, |ended| ends.push((ended.request.asked_s, ended.complete_s)));
    assert_eq!(ends[0].0, 0.0);
    assert_relative_eq!(ends[0].1, together_s + TAIL_S, max_relative = 1e-12);
}

#[test]
fn answers_that_end_with_the_same_token_end_before_the_next_prompt_is_read() {
    let servers = servers();
    let fleet = fleet(&servers, 4.0, 2);
    let (pass_s, alone_s, both_s) = paces(&servers[0]);
    let mut flight = Flight::new(2);
    // The first one stops while the second is read: from then on they go together. The third has to wait for both.
    accept(&mut flight, &fleet, 0, asked(0.0, 0));
    accept(&mut flight, &fleet, 0, asked(0.5 * pass_s, 0));
    let third = accept(&mut flight, &fleet, 0, asked(pass_s, 0));
    let both_end_s = 0.1 + 2.0 * pass_s + 100.0 * both_s;
    assert_relative_eq!(
        third.complete_s,
        both_end_s + pass_s + 100.0 * alone_s + TAIL_S,
        max_relative = 1e-12
    );
    assert_relative_eq!(third.totals.delay_s, third.complete_s - pass_s, max_relative = 1e-12);
}

#[test]
fn a_full_batch_lets_nobody_in_before_somebody_leaves() {
    let servers = servers();
    let fleet = fleet(&servers, 4.0, 1);
    let (pass_s, alone_s, _) = paces(&servers[0]);
    let mut flight = Flight::new(2);
    let first = accept(&mut flight, &fleet, 0, asked(0.0, 0));
    let second = accept(&mut flight, &fleet, 0, asked(0.0, 0));
    assert_relative_eq!(second.complete_s - first.complete_s, pass_s + 100.0 * alone_s, max_relative = 1e-12);
    assert_relative_eq!(second.totals.delay_s, second.complete_s, max_relative = 1e-12); // the first one waits for nobody
}

#[test]
fn two_models_on_one_gpu_work_at_half_pace() {
    let servers = servers();
    let fleet = fleet(&servers, 1.0, 16);
    let mut flight = Flight::new(2);
    let alone = accept(&mut flight, &fleet, 0, asked(0.0, 0));
    let busy_s = alone.totals.busy_gpu_s;
    // Until its work is done, the other model has half of the GPU.
    let served = servers[1].serve(&TOKENS, 1);
    let other_s = served.prefill_s + served.decode_s;
    let second = accept(&mut flight, &fleet, 1, asked(0.0, 1));
    let shared_s = 2.0 * busy_s.min(other_s);
    let last_s = 0.1 + busy_s + other_s + TAIL_S;
    let own_s = if other_s < busy_s { 0.1 + shared_s + TAIL_S } else { last_s };
    assert_relative_eq!(second.complete_s, own_s, max_relative = 1e-9);
    assert_relative_eq!(second.totals.busy_gpu_s, other_s, max_relative = 1e-9);
}

#[test]
fn weights_that_are_still_loaded_hold_a_request_up_and_nobody_else() {
    let servers = servers();
    let fleet = fleet(&servers, 4.0, 16);
    let mut flight = Flight::new(2);
    let late = accept(&mut flight, &fleet, 0, Request { enters_s: 9.0, ..asked(0.0, 0) });
    let early = accept(&mut flight, &fleet, 0, asked(1.0, 0));
    assert!(early.complete_s < 9.0 && late.complete_s > 9.0);
    assert_relative_eq!(early.totals.delay_s, early.complete_s - 1.0, max_relative = 1e-12);
    assert_eq!(flight.requests(0).count(), 2);
    flight.play(&fleet, 8.0, |_| ());
    assert_eq!(flight.requests(0).map(|request| request.asked_s).collect::<Vec<_>>(), [0.0]);
    flight.play(&fleet, f64::INFINITY, |_| ());
    assert_eq!(flight.requests(0).count(), 0);
}

fn realise(realised: &mut Totals, Answered { request, complete_s, .. }: Answered<'_>) {
    realised.delay_s += complete_s - request.asked_s;
    realised.late += f64::from(u8::from(complete_s > request.due_s));
}

#[test]
fn charges_of_random_play_add_up_to_what_it_took() {
    let servers = servers();
    for (gpus, max_batch, per_s) in [(4.0, 16, 0.5), (1.0, 4, 0.6), (1.0, 64, 1.5)] {
        let fleet = fleet(&servers, gpus, max_batch);
        let mut rng = Seed::new(Purpose::Test, 0).stream(Stream::Policy);
        let (mut flight, mut charged, mut realised) = (Flight::new(2), Totals::default(), Totals::default());
        let mut now_s = 0.0;
        for _ in 0..1_000 {
            now_s += 2.0 * rng.random::<f64>() / per_s;
            flight.play(&fleet, now_s, |ended| realise(&mut realised, ended));
            let tokens = Tokens {
                prompt: 1.0 + 1_000.0 * rng.random::<f64>(),
                reused: 0.0,
                output: 1.0 + 400.0 * rng.random::<f64>().powi(3),
            };
            let model = rng.random_range(0..2);
            let (enters_s, due_s) = (now_s + rng.random::<f64>(), now_s + 8.0 * rng.random::<f64>());
            let request = Request { enters_s, due_s, tokens, ..asked(now_s, model as u32) };
            charged += accept(&mut flight, &fleet, model, request).totals;
        }
        flight.play(&fleet, f64::INFINITY, |ended| realise(&mut realised, ended));
        assert_relative_eq!(charged.delay_s, realised.delay_s, max_relative = 1e-9);
        assert_eq!(charged.late, realised.late);
        assert!(realised.late > 0.0 && realised.late < 1_000.0, "{realised:?}");
        assert_relative_eq!(charged.busy_gpu_s, flight.projected(&fleet).busy_gpu_s, max_relative = 1e-9);
    }
}

#[test]
fn another_future_has_other_answers_from_what_is_written_on() {
    let servers = servers();
    let fleet = fleet(&servers, 4.0, 16);
    let (pass_s, alone_s, _) = paces(&servers[0]);
    let mut flight = Flight::new(2);
    flight.accept(0, asked(0.0, 0));
    flight.play(&fleet, 0.1 + pass_s + 40.5 * alone_s, |_| ());
    let mut told = Vec::new();
    let mut other = Flight::default();
    other.copy_from(&flight);
    assert_eq!(other, flight);
    other.redraw(&servers, |_, written| {
        told.push(written);
        100.0
    });
    assert_relative_eq!(told[0], 40.5, max_relative = 1e-9);
    assert_relative_eq!(
        other.projected(&fleet).delay_s,
        flight.projected(&fleet).delay_s,
        max_relative = 1e-12
    );
    // Sixty tokens more, each at the pace of the longer context.
    other.redraw(&servers, |_, _| 160.0);
    let longer = Tokens { output: 160.0, ..TOKENS };
    let token_s = servers[0].token_s(1.0, servers[0].context_bytes(&longer));
    let delay_s = flight.now_s() + 119.5 * token_s + TAIL_S;
    assert_relative_eq!(other.projected(&fleet).delay_s, delay_s, max_relative = 1e-9);
    let mut loads = Vec::new();
    other.loads(&fleet, &mut loads);
    let load = loads[0];
    assert_eq!((load.requests, load.answers, load.waiting_s), (1, 1, 0.0));
    assert_relative_eq!(load.answering_s, 119.5 * token_s, max_relative = 1e-9);
    assert_relative_eq!(backlog_s(&fleet, &loads), 119.5 * token_s / 4.0, max_relative = 1e-9);
    flight.accept(0, asked(flight.now_s(), 0));
    flight.loads(&fleet, &mut loads);
    assert_relative_eq!(loads[0].waiting_s, pass_s, max_relative = 1e-12);
    assert_eq!((loads[0].requests, loads[1]), (2, ModelLoad::default()));
}
