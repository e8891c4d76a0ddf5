//! The radio alone: what a user costs who asks for something, one thread.
//!
//! `cargo bench -p thoughtcache-benches --bench radio`; the unit is one user in one slot, with a generator of its own, as the
//! world addresses it.

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::hint::black_box;
use thoughtcache_env::radio::fading::block::BlockFading;
use thoughtcache_env::radio::fading::ergodic::ErgodicRate;
use thoughtcache_env::radio::mobility::Position;
use thoughtcache_env::radio::user::UserRadios;
use thoughtcache_env::radio::{RadioConfig, RadioParameters};
use thoughtcache_env::units::UserId;

const NUM_USERS: usize = 1_000;

fn street() -> RadioParameters {
    let config: RadioConfig = toml::from_str(
        r#"
        band.name = "28ghz"
        path_loss.umi = {}
        area = { width_m = 400.0, depth_m = 400.0 }
        mobility.gauss_markov = { mean_speed_m_per_s = 1.2, memory_s = 30.0 }
        blockage = { density_per_m2 = 0.05, speed_m_per_s = 1.0, reach_m = 5.0, mean_duration_s = 0.5, loss_db = 15.0 }
        "#,
    )
    .expect("the text is valid");
    config.validate("radio", None).expect("the numbers are valid")
}

fn users(criterion: &mut Criterion) {
    let parameters = street();
    let mut group = criterion.benchmark_group("radio");
    for num_cells in [1, 7] {
        let cells: Vec<Position> =
            (0..num_cells).map(|cell| Position { x_m: 50.0 * f64::from(cell), y_m: 200.0 }).collect();
        let mut radios = UserRadios::new(NUM_USERS, cells.len());
        let mut visit = 0_u64;
        group.bench_function(format!("advance and rate a user, {num_cells} cells"), |bencher| {
            bencher.iter(|| {
                let user = visit % NUM_USERS as u64;
                let mut key = [0; 32];
                key[..8].copy_from_slice(&visit.to_le_bytes());
                let mut rng = ChaCha8Rng::from_seed(key);
                let now_s = (visit / NUM_USERS as u64) as f64;
                visit += 1;
                let user = UserId::from_index(user as usize);
                let connection = radios.advance(user, &cells, now_s, &mut rng, &parameters);
                parameters.rates_bits_per_s(&connection, None, 0.1)
            });
        });
    }
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

criterion_group!(benches, users);
criterion_main!(benches);
