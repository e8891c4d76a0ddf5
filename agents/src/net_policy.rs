//! A trained network that acts: always the legal action with the greatest logit or action value.
//!
//! *Rule*: the greedy choice among the legal actions; the lowest number of equals.
//! *State*: none between decisions.
//! *Cost per decision*: one pass through the network ([`Mlp`]), without allocation.

mod mlp;

pub use mlp::{Activation, Dense, Mlp, NetError, Scratch};

use crate::policy::Policy;
use std::sync::Arc;
use thoughtcache_env::gym::api::{ActionId, Env, Rows};
use thoughtcache_env::random::SimRng;

/// The legal action with the greatest number; the lowest of equals. `None` when nothing is legal.
pub fn best_legal(numbers: &[f32], legal: &[bool]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, (number, &is_legal)) in numbers.iter().zip(legal).enumerate() {
        if is_legal && best.is_none_or(|best| *number > numbers[best]) {
            best = Some(index);
        }
    }
    best
}

/// In how many rows the best legal action is the one that was taken: numbers and flags row after row, one action a row.
pub fn num_agreeing(numbers: &[f32], legal: &[bool], actions: &[ActionId]) -> usize {
    let width = (legal.len() / actions.len().max(1)).max(1);
    let rows = numbers.chunks_exact(width).zip(legal.chunks_exact(width)).zip(actions);
    rows.filter(|((numbers, legal), action)| best_legal(numbers, legal) == Some(action.index())).count()
}

/// A trained network as a policy: always the legal action with the greatest logit or action value.
///
/// Copies share their weights.
#[derive(Clone, Debug)]
pub struct NetPolicy {
    name: String,
    net: Arc<Mlp>,
    scratch: Scratch,
    row: Vec<f32>,
    legal: Vec<bool>,
    logits: Vec<f32>,
}

impl NetPolicy {
    /// A policy with this name in tables.
    pub fn new(name: impl Into<String>, net: Arc<Mlp>) -> Self {
        let (entries, actions) = (net.num_entries(), net.num_actions());
        let (row, legal, logits) = (vec![0.0; entries], vec![false; actions], vec![0.0; actions]);
        Self { name: name.into(), net, scratch: Scratch::default(), row, legal, logits }
    }

    /// The weights.
    pub fn net(&self) -> &Arc<Mlp> {
        &self.net
    }

    /// The logits or action values of a row.
    ///
    /// # Panics
    /// When the row has the wrong length.
    pub fn logits(&mut self, row: &[f32]) -> &[f32] {
        self.net.logits(row, &mut self.scratch, &mut self.logits);
        &self.logits
    }

    /// The legal action with the greatest logit, the lowest of equals.
    ///
    /// # Panics
    /// When the row or the mask has the wrong length, or nothing is legal.
    pub fn greedy(&mut self, row: &[f32], legal: &[bool]) -> ActionId {
        assert_eq!(legal.len(), self.net.num_actions(), "one flag per action");
        let best = best_legal(self.logits(row), legal).expect("at least one action is legal");
        ActionId::from_index(best)
    }
}

impl<E> Policy<E> for NetPolicy
where
    E: Env<Action = ActionId>,
    E::Observation: Rows,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn act(&mut self, observation: &E::Observation, _rng: &mut SimRng) -> ActionId {
        observation.encode(&mut self.row);
        observation.mask(&mut self.legal);
        self.net.logits(&self.row, &mut self.scratch, &mut self.logits);
        ActionId::from_index(best_legal(&self.logits, &self.legal).expect("at least one action is legal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::anchors::{TableWorld, probes};
    use thoughtcache_env::random::{Purpose, Seed, Stream};

    #[test]
    fn rows_agree_where_the_best_legal_action_was_taken() {
        // Best legal: 1 (2 is not legal), then 0.
        let (numbers, legal) = ([1.0, 2.0, 3.0, 9.0, 2.0, 3.0], [true, true, false, true, true, true]);
        assert_eq!(num_agreeing(&numbers, &legal, &[ActionId(1), ActionId(0)]), 2);
        assert_eq!(num_agreeing(&numbers, &legal, &[ActionId(2), ActionId(0)]), 1);
    }

    #[test]
    fn the_lowest_of_equal_legal_actions_is_taken() {
        assert_eq!(best_legal(&[9.0, 3.0, 3.0], &[false, true, true]), Some(1));
        assert_eq!(best_legal(&[-3.0, -2.0], &[true, true]), Some(1));
        assert_eq!(best_legal(&[1.0], &[false]), None);
        assert_eq!(best_legal(&[f32::NEG_INFINITY, 5.0], &[true, false]), Some(0));
    }

    #[test]
    fn the_policy_sees_the_mask_of_its_world() {
        let mut world = probes::illegal_action().env();
        // Prefers action 2 everywhere, then action 1.
        let net = Mlp::new(
            vec![],
            Dense::new("head", 1, 3, vec![0.0; 3], vec![0.0, 1.0, 2.0]).unwrap(),
            None,
            Activation::Tanh,
            vec![],
        )
        .unwrap();
        let mut policy = NetPolicy::new("fixed", Arc::new(net));
        let mut rng = Seed::new(Purpose::Test, 0).stream(Stream::Policy);
        for episode in 0..20 {
            world.reset(Seed::new(Purpose::Test, 0).with_episode(episode));
            let expected = if world.observation().row == [1.0] { 1 } else { 2 };
            let action = Policy::<TableWorld>::act(&mut policy, world.observation(), &mut rng);
            assert_eq!(action, ActionId(expected));
            assert_eq!(policy.greedy(&[0.0], &[true, true, false]), ActionId(1));
        }
    }
}
