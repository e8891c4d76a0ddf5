//! Whole training runs on `tight`, environment included and validation reduced to its end, per decision.
//!
//! `cargo bench -p thoughtcache-benches --bench learn`; `thoughtcache bench train` measures the same on a longer run.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::error::Error;
use std::sync::Arc;
use thoughtcache_agents::learn::config::AgentConfig;
use thoughtcache_agents::learn::dqn_config::DqnConfig;
use thoughtcache_agents::learn::ppo_config::PpoConfig;
use thoughtcache_agents::learn::train::{Observer, TrainSettings, train};
use thoughtcache_agents::net_policy::Mlp;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

struct Silent;

impl Observer for Silent {
    fn validate(
        &mut self,
        _policy: &Mlp,
        _decisions: u64,
    ) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        Ok(Some(0.0))
    }
}

fn learners(criterion: &mut Criterion) {
    let scenario = Arc::new(Scenario::shipped("tight"));
    let mut group = criterion.benchmark_group("tight");
    group.sample_size(10);
    for (name, config, budget) in [
        ("ppo", AgentConfig::from(PpoConfig::default()), 16_384),
        ("dqn", AgentConfig::from(DqnConfig::default()), 16_384),
    ] {
        group.throughput(Throughput::Elements(budget));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let settings = TrainSettings { budget, ..TrainSettings::default() };
                train(&config, |_| DecisionEnv::new(Arc::clone(&scenario)), settings, &mut Silent)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, learners);
criterion_main!(benches);
