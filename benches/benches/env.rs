//! The environment alone: random legal actions on `tight`, resets, rows, masks and costs included, one thread.
//! `thoughtcache bench env` measures any scenario.
//!
//! `cargo bench -p thoughtcache-benches --bench env`; the unit of the throughput is one decision.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::RngExt;
use std::hint::black_box;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env};
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::vec_env::{StepBuffers, VecEnv};
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

criterion_group!(benches, vec_env);
criterion_main!(benches);
