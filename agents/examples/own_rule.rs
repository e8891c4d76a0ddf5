//! A rule of one's own, compared with two rules of the registry on `tight`.
//!
//! ```text
//! cargo run --release -p thoughtcache-agents --no-default-features --example own_rule
//! ```
//!
//! The rule loads a service when more requests are expected for it than for the resident service that has to leave; it keeps
//! no state. `least-aot` loads every miss and evicts the entry with the least age of thought, `lru` the one that was not used
//! for the longest time.
#![allow(clippy::print_stdout, reason = "an example shows what came of it")]

use std::sync::Arc;
use thoughtcache_agents::{
    Comparison, Contender, Hooks, Policy, PolicyKind, Prepared, Protocol, elsewhere, evaluate,
};
use thoughtcache_env::gym::api::ActionId;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::gym::observation::DecisionObservation;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::random::SimRng;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;

struct MostRequested;

impl Policy<DecisionEnv> for MostRequested {
    fn name(&self) -> &'static str {
        "most-requested"
    }

    fn act(&mut self, seen: &DecisionObservation, _: &mut SimRng) -> ActionId {
        let rate = |service: ServiceId| seen.demand[service.index()].request_rate;
        let Some(edge) = seen.place(Placement::Edge) else { return elsewhere(seen) };
        if seen.is_hit() || seen.missing_bytes == 0 {
            return edge;
        }
        let services = (0..seen.num_services()).map(ServiceId::from_index);
        let may_leave = services.filter(|service| seen.evict(Placement::Edge, *service).is_some());
        let victim = may_leave.min_by(|a, b| rate(*a).total_cmp(&rate(*b)));
        let victim = victim.filter(|&victim| rate(victim) < rate(seen.service));
        victim.and_then(|victim| seen.evict(Placement::Edge, victim)).unwrap_or_else(|| elsewhere(seen))
    }
}

/// Plays `episodes` test episodes with each policy.
pub(crate) fn compare(episodes: u64) -> Comparison {
    let scenario = Arc::new(Scenario::shipped("tight"));
    let mut contenders =
        vec![Contender::new("most-requested", PolicyKind::Custom, || Box::new(MostRequested))];
    for name in ["least-aot", "lru"] {
        let rule = Prepared::new(name, &scenario).expect("a rule of the registry");
        contenders.push(Contender::new(name, PolicyKind::Heuristic, move || rule.instance()));
    }
    let played = evaluate(&contenders, &Protocol::test(scenario, 0, episodes), Hooks::default());
    Comparison::new(&played.expect("the policies keep to the mask"), "least-aot")
        .expect("least-aot has played")
}

fn main() {
    for row in compare(20).policies {
        println!("{:16} {:.4} per slot", row.summary.name, row.summary.mean_cost);
    }
}
