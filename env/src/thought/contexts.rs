//! Private contexts: one for each user that an entry has served.
//!
//! Only users with a context take room, in order of their ids, so that every sum is the same on every machine.

use super::{ContextLaw, Thought};
use crate::units::UserId;
use crate::workload::users::Visit;
use serde::{Deserialize, Serialize};

/// The contexts of one entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserContexts {
    /// Ascending by user.
    by_user: Vec<(UserId, Thought)>,
}

impl UserContexts {
    /// Forgets all users.
    pub(crate) fn clear(&mut self) {
        self.by_user.clear();
    }

    /// All contexts.
    pub(crate) fn thoughts(&self) -> impl Iterator<Item = &Thought> {
        self.by_user.iter().map(|(_, thought)| thought)
    }

    /// The context of a user: empty when there is none.
    pub(crate) fn thought(&self, user: UserId) -> Thought {
        self.position(user).map_or_else(|_| Thought::default(), |place| self.by_user[place].1)
    }

    /// A user's requests leave thoughts behind; returns the context before and after.
    pub(crate) fn grow(&mut self, visit: Visit, law: &ContextLaw) -> (Thought, Thought) {
        let place = self.position(visit.user).unwrap_or_else(|place| {
            self.by_user.insert(place, (visit.user, Thought::default()));
            place
        });
        let thought = &mut self.by_user[place].1;
        let before = *thought;
        *thought = law.grown(before, visit.num_requests);
        (before, *thought)
    }

    /// Empties the contexts that have outgrown the window; returns how many.
    pub(crate) fn clear_exhausted(&mut self, window_tokens: f64) -> u64 {
        let before = self.by_user.len();
        self.by_user.retain(|(_, thought)| !thought.is_exhausted(window_tokens));
        (before - self.by_user.len()) as u64
    }

    /// How many users have a context.
    pub(crate) fn len(&self) -> usize {
        self.by_user.len()
    }

    /// A slot passes; where that is the rule, contexts of which nothing is fresh any more are dropped. Returns the
    /// [`total`](Self::total) of what is left.
    pub(crate) fn pass_slot(&mut self, fade_tokens: f64, drops_faded: bool) -> Thought {
        let mut total = Thought::default();
        self.by_user.retain_mut(|(_, thought)| {
            thought.fade(fade_tokens);
            let is_kept = !drops_faded || thought.age_tokens > 0.0;
            if is_kept {
                total.sum(*thought);
            }
            is_kept
        });
        total
    }

    /// The sum over all users.
    pub(crate) fn total(&self) -> Thought {
        let mut total = Thought::default();
        for thought in self.thoughts() {
            total.sum(*thought);
        }
        total
    }

    fn position(&self, user: UserId) -> Result<usize, usize> {
        self.by_user.binary_search_by_key(&user, |(user, _)| *user)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Refresh;
    use super::*;

    #[test]
    fn every_user_has_a_context_of_their_own() {
        let law = ContextLaw {
            request_tokens: 100.0,
            said_tokens: 0.0,
            consensus_factor: 1.0,
            window_tokens: 250.0,
            refresh: Refresh::Clear,
        };
        let mut contexts = UserContexts::default();
        let visit = |user, num_requests| Visit { user: UserId(user), num_requests };
        contexts.grow(visit(7, 2), &law);
        contexts.grow(visit(3, 1), &law);
        let (before, after) = contexts.grow(visit(7, 1), &law);
        assert_eq!((before.context_tokens, after.context_tokens), (200.0, 300.0));
        assert_eq!(contexts.total(), Thought { context_tokens: 400.0, age_tokens: 400.0 });
        let total = contexts.pass_slot(150.0, false);
        assert_eq!(total, contexts.total());
        // 100 faded to nothing, 300 to 150: not max(0, 400 - 150).
        assert_eq!(contexts.total(), Thought { context_tokens: 400.0, age_tokens: 150.0 });
        assert_eq!(contexts.clear_exhausted(250.0), 1);
        assert_eq!(contexts.thought(UserId(7)), Thought::default());
        assert_eq!(contexts.thought(UserId(3)).context_tokens, 100.0);
    }
}
