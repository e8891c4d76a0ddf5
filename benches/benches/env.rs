//! The environment alone: random legal actions on `tight`, resets, rows, masks and costs included, one thread; and the price
//! of one request in the seven placements of split agents.
//!
//! `cargo bench -p thoughtcache-benches --bench env`; the unit of the throughput is one decision, or one placement.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::RngExt;
use std::hint::black_box;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
use thoughtcache_env::llm::catalogue::Catalogue;
use thoughtcache_env::llm::inference::Server;
use thoughtcache_env::llm::quality::AccuracyLaw;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::placement::pipeline::{RequestView, SiteView, price, price_all};
use thoughtcache_env::placement::request::{RequestFacts, UserLink};
use thoughtcache_env::radio::features::FeatureLaw;
use thoughtcache_env::random::{Purpose, Seed, SimRng, Stream};
use thoughtcache_env::scenario::Scenario;

const LANES: usize = 64;

fn choose(masks: &[bool], num_actions: usize, rng: &mut SimRng, actions: &mut [ActionId]) {
    for (mask, action) in masks.chunks_exact(num_actions).zip(actions) {
        let num_legal = mask.iter().filter(|&&legal| legal).count();
        let rank = rng.random_range(0..num_legal);
        let index = (0..num_actions).filter(|&index| mask[index]).nth(rank).expect("a mask is never empty");
        *action = ActionId::from_index(index);
    }
}

fn vec_env(criterion: &mut Criterion) {
    let scenario = Arc::new(Scenario::shipped("tight"));
    let mut vec_env = VecEnv::new(DecisionEnv::lanes(&scenario, LANES), Seed::new(Purpose::Test, 0))
        .with_lanes_per_chunk(LANES);
    let num_actions = vec_env.spec().num_actions();
    let mut buffers = StepBuffers::new(LANES, vec_env.spec());
    let rows = buffers.rows();
    vec_env.observe_into(rows.observations, rows.masks).expect("buffers fit");
    let mut rng = Seed::new(Purpose::Test, 0).stream(Stream::Policy);
    let mut actions = vec![ActionId::default(); LANES];
    let mut group = criterion.benchmark_group("tight");
    group.throughput(Throughput::Elements(LANES as u64));
    group.bench_function("64 lanes, one thread", |bencher| {
        bencher.iter(|| {
            let masks = buffers.masks.as_slice().expect("standard layout");
            choose(masks, num_actions, &mut rng, &mut actions);
            vec_env.step_into(&actions, buffers.rows()).expect("legal actions");
        });
    });
    group.throughput(Throughput::Elements(1));
    let mut env = DecisionEnv::new(scenario);
    env.reset(Seed::new(Purpose::Test, 0));
    let mut row = vec![0.0; env.spec().num_entries()];
    group.bench_function("encode one row", |bencher| bencher.iter(|| env.encode(black_box(&mut row))));
    group.finish();
}

fn placements(criterion: &mut Criterion) {
    let catalogue = Catalogue::shipped();
    let server = |device: &str, model: &str, gpus: u32| {
        let device = catalogue.device("device", device).expect("a shipped device");
        Server::new(device, catalogue.model("model", model).expect("a shipped model"), gpus)
    };
    let servers = [
        server("phone-flagship", "llama-3.2-1b-int4", 1),
        server("l40s", "llama-3.1-70b", 4),
        server("h200", "qwen2.5-72b", 2),
    ];
    let law = AccuracyLaw::Logarithmic {
        base: 0.4,
        gain: 0.05,
        exponent: 0.4,
        max_accuracy: 0.9,
        thought_tokens: 200.0,
    };
    let site = |index: usize| SiteView {
        server: &servers[index],
        law: &law,
        modality_quality: 0.7,
        alignment_quality: 0.9,
        prompt_token_price: 1e-6,
        output_token_price: 4e-6,
    };
    let request = RequestView {
        device: site(0),
        edge: site(1),
        cloud: site(2),
        facts: RequestFacts {
            link: UserLink {
                uplink_bps: 2e7,
                downlink_bps: 1e8,
                sensing_quality: 0.5,
                ..UserLink::default()
            },
            new_tokens: 200.0,
            output_tokens: 150.0,
            kept_tokens: 2000.0,
            fresh_tokens: 900.0,
            edge_batch: 3,
            backlog_s: 0.4,
            ..RequestFacts::default()
        },
        uplink_w: 0.2,
        downlink_w: 2.0,
        backhaul_bps: 1e9,
        backhaul_delay_s: 0.02,
        sensor_bits: 8e6,
        coarse: FeatureLaw { ratio: 0.05, enough_bits: 4e5 }.of(8e6),
        fine: FeatureLaw { ratio: 0.2, enough_bits: 4e5 }.of(8e6),
        perception_flop: 3e11,
        token_bits: 32.0,
        carried_tokens: 0.0,
        twin_factor: 0.8,
    };
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(Placement::ALL.len() as u64));
    group.bench_function("price a request in each placement", |bencher| {
        bencher.iter(|| -> f64 {
            let bills = Placement::ALL.iter().map(|&placement| price(placement, black_box(&request)));
            bills.map(|bill| bill.latency_s).sum()
        });
    });
    group.bench_function("price a request in all placements", |bencher| {
        bencher.iter(|| -> f64 { price_all(black_box(&request)).iter().map(|bill| bill.latency_s).sum() });
    });
    group.finish();
}

criterion_group!(benches, vec_env, placements);
criterion_main!(benches);
