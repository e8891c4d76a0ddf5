//! What the registry lists: a rule with its name, its parameters, and how to make it ready for a scenario.

use crate::policy::Policy;
use std::sync::Arc;
use thoughtcache_env::gym::decision_env::DecisionEnv;
use thoughtcache_env::placement::Placement;
use thoughtcache_env::scenario::Scenario;

/// A policy of the decision environment that can move to another thread.
pub type BoxedPolicy = Box<dyn Policy<DecisionEnv> + Send>;

/// A policy whose memory can be copied: whoever looks ahead plays on with a copy.
pub(super) trait Rule: Policy<DecisionEnv> {
    /// The same policy, with the same memory.
    fn copy(&self) -> BoxedRule;
}

/// A [`Rule`] that can move to another thread.
pub(super) type BoxedRule = Box<dyn Rule + Send>;

impl<P: Policy<DecisionEnv> + Clone + Send + 'static> Rule for P {
    fn copy(&self) -> BoxedRule {
        Box::new(self.clone())
    }
}

impl Clone for BoxedRule {
    fn clone(&self) -> Self {
        (**self).copy()
    }
}

/// Makes instances of a rule that has been made ready.
pub(super) type Factory = Box<dyn Fn() -> BoxedRule + Send + Sync>;

/// Makes a rule of this name ready for a scenario, with one value per parameter.
type Prepare = fn(&'static str, &Arc<Scenario>, &[f64]) -> Factory;

/// A number that a rule can be tuned by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The key in `[policies.<rule>]`.
    pub name: &'static str,
    /// What it means, in a few words.
    pub description: &'static str,
    /// The value where the scenario gives none.
    pub default: f64,
    /// The least value.
    pub low: f64,
    /// The greatest value.
    pub high: f64,
    /// The values that tuning tries.
    pub grid: &'static [f64],
}

/// What follows the name of a rule about a cache when its placements are the cheapest ones.
pub const MYOPIC: &str = "+myopic";

/// What a rule decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it takes whatever is legal.
    Chance,
    /// What a cell keeps; its placements may be the cheapest ones ([`MYOPIC`]).
    Cache,
    /// Nothing: one placement for everything.
    Constant(Placement),
    /// Where requests are served, by price.
    Priced,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in tables and on the command line.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// What it decides about.
    pub kind: Kind,
    /// Its parameters, which `tune` searches over.
    pub parameters: &'static [Parameter],
    pub(super) prepare: Prepare,
}

impl Entry {
    /// A rule about a cache.
    pub(super) const fn cache(
        name: &'static str,
        description: &'static str,
        parameters: &'static [Parameter],
        prepare: Prepare,
    ) -> Self {
        Self { name, description, kind: Kind::Cache, parameters, prepare }
    }
}

/// Makes copies of a policy, each with a memory of its own.
pub(super) fn copies(policy: impl Policy<DecisionEnv> + Clone + Send + Sync + 'static) -> Factory {
    Box::new(move || Box::new(policy.clone()))
}
