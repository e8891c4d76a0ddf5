//! Learners find the optimum in seconds.

use super::{optimal, played, world};
use crate::evaluate::{Contender, PolicyKind, validate};
use crate::learn::config::AgentConfig;
use crate::learn::train::{Observer, TrainSettings, train};
use crate::net_policy::{Mlp, NetPolicy};
use std::error::Error;
use std::sync::Arc;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::scenario::Scenario;

struct Validation(Arc<Scenario>);

impl Observer for Validation {
    fn validate(&mut self, policy: &Mlp, _: u64) -> Result<Option<f64>, Box<dyn Error + Send + Sync>> {
        let policy = NetPolicy::new("candidate", Arc::new(policy.clone()));
        let totals = validate(&self.0, 0, 20, &|| Box::new(policy.clone()), &|| false)?;
        Ok(Some(totals.cost_per_slot()))
    }
}

#[test]
fn ppo_and_dqn_play_the_smallest_world_as_well_as_it_can_be_played() {
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/agents");
    let (cost, best) = optimal("tiny-unit3");
    for (agent, kind) in [("ppo-tiny", PolicyKind::Ppo), ("dqn-tiny", PolicyKind::Dqn)] {
        let text = std::fs::read_to_string(format!("{FOLDER}/{agent}.toml")).unwrap();
        let config: AgentConfig = toml::from_str(&text).unwrap();
        let scenario = world("tiny-unit3", &[]);
        let env = DecisionEnv::new(Arc::clone(&scenario));
        let settings = TrainSettings { budget: 40_960, eval_freq: 10_240, checkpoint_freq: 0, run: 1 };
        let trained = train(&config, |_| env.clone(), settings, &mut Validation(scenario)).unwrap();
        let policy = NetPolicy::new(agent, Arc::new(trained.best.unwrap().policy));
        let learnt = Contender::new(agent, kind, move || Box::new(policy.clone()));
        let costs = played("tiny-unit3", 100_000, &[learnt]);
        assert!(costs[0] < 1.01 * cost, "{agent}: {} against {cost}", costs[0]);
    }
    let again = played("tiny-unit3", 100_000, &[best])[0];
    assert!((again / cost - 1.0).abs() < 0.01, "the episode itself is a fair one: {again}");
}
