//! The parts of a user's radio that are drawn most often, one thread. `thoughtcache bench radio` measures whole users.
//!
//! `cargo bench -p thoughtcache-benches --bench radio`

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::hint::black_box;
use thoughtcache_env::radio::fading::block::BlockFading;
use thoughtcache_env::radio::fading::ergodic::ErgodicRate;

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("radio");
    group.bench_function("one ergodic mean", |bencher| {
        let table = ErgodicRate::shared();
        let mut snr = 0.01;
        bencher.iter(|| {
            snr = if snr > 1e5 { 0.01 } else { snr * 1.37 };
            table.log2_mean(black_box(snr), black_box(0.83))
        });
    });
    group.bench_function("one value of block fading", |bencher| {
        let waves = BlockFading::draw(&mut ChaCha8Rng::from_seed([1; 32]));
        let mut way = 0.0;
        bencher.iter(|| {
            way += 0.37;
            waves.power(black_box(way), 0.83)
        });
    });
    group.bench_function("a fresh generator and its first block", |bencher| {
        let mut visit = 0_u64;
        bencher.iter(|| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&visit.to_le_bytes());
            visit += 1;
            rand::Rng::next_u64(&mut ChaCha8Rng::from_seed(key))
        });
    });
    group.finish();
}

criterion_group!(benches, parts);
criterion_main!(benches);
