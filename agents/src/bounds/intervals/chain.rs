//! The requests that meet one context while weights stay.
//!
//! Models: those of a user at a service, or all of a service where users share a context. Each is served at the edge, elsewhere where the
//! cell sees the user, or elsewhere where it does not. A way through them matters to what follows by what is [known](Known) after it; of
//! all ways those are kept that no other beats in cost and in everything that is known, so that the least cost is exact.
//!
//! Assumptions: a context only grows and fades. An exhausted one is neither cleared nor taken away with its entry: that would leave less
//! behind, and less is never better (see [`ask`](super::ask)).
//!
//! In the second edition a context grows with the last token of an answer, which may come in any later slot, and after that of a later
//! request: all that was added is there at once and does not fade, on top of the longest conversation that was brought along. For an answer
//! brings `K <- max(K, S) + d`, and in whatever order answers end, `K <= max S + sum of d`.

use super::ask::{Ask, Known, Pricing};

/// The most ways that are kept. Beyond it the last one gets the best of what is known, which only lowers its cost.
const MOST_WAYS: usize = 64;

/// A way through the requests so far.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    cost: f64,
    known: Known,
}

/// All ways through the requests so far that may be part of the best one.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    ways: Vec<Way>,
    /// The slot of the last request.
    slot: u32,
    /// Second edition: the most tokens that a request so far has brought along.
    most_said_tokens: f64,
}

impl Chain {
    /// The least cost of the requests so far.
    pub(super) fn least(&self) -> f64 {
        self.ways.iter().map(|way| way.cost).reduce(f64::min).unwrap_or(0.0)
    }

    /// Adds the next request, whose weights are there after `load_s`. The one that loads them is served at the edge.
    pub(super) fn add(&mut self, pricing: &Pricing<'_>, ask: &Ask, is_loading: bool, load_s: f64) {
        if self.ways.is_empty() {
            let known = Known { seen: ask.seen_at_best, ..Known::default() };
            (self.ways, self.slot) = (vec![Way { cost: 0.0, known }], ask.slot);
        }
        let in_any_order = pricing.law.answers_together();
        let fade_tokens =
            if in_any_order { 0.0 } else { pricing.scenario.service(ask.facts.service).fade_tokens };
        let mut law = pricing.law.context_law(pricing.scenario.context_law(ask.facts.service), &ask.facts);
        let said_before = self.most_said_tokens;
        self.most_said_tokens = said_before.max(law.said_tokens);
        law.said_tokens = 0.0;
        let mut ways = Vec::with_capacity(3 * self.ways.len());
        for &Way { cost, mut known } in &self.ways {
            for _ in (self.slot..ask.slot).take_while(|_| fade_tokens > 0.0) {
                known.thought.fade(fade_tokens);
            }
            // A context that users share tells nothing of when this one was seen.
            let is_own = pricing.scenario.num_users.is_some();
            known.seen = if is_own { known.seen.max(ask.seen_for_others) } else { ask.seen_at_best };
            let now = Some(ask.slot);
            let mut thought = law.grown(known.thought, 1);
            if !pricing.law.carries_context {
                thought.context_tokens = 0.0; // it decides nothing, and tells no ways apart
            }
            let mut found = known;
            found.thought.context_tokens += said_before;
            found.thought.age_tokens += said_before;
            ways.push(Way {
                cost: cost + pricing.at_edge(ask, found, load_s),
                known: Known { thought, seen: now },
            });
            if !is_loading {
                let [unseen, seen] = pricing.elsewhere(ask, known.seen);
                ways.push(Way { cost: cost + seen, known: Known { seen: now, ..known } });
                ways.push(Way { cost: cost + unseen, known });
            }
        }
        (self.ways, self.slot) = (best(ways), ask.slot);
    }
}

/// The ways that no other beats.
fn best(mut ways: Vec<Way>) -> Vec<Way> {
    ways.retain(|way| way.cost.is_finite());
    ways.sort_by(|one, other| one.cost.total_cmp(&other.cost));
    let mut kept: Vec<Way> = Vec::new();
    for Way { cost, known } in ways {
        if kept.iter().any(|cheaper| joined(cheaper.known, known) == cheaper.known) {
            continue;
        }
        if kept.len() == MOST_WAYS {
            let last = &mut kept[MOST_WAYS - 1].known;
            *last = joined(*last, known);
        } else {
            kept.push(Way { cost, known });
        }
    }
    kept
}

/// The best of both.
fn joined(one: Known, other: Known) -> Known {
    let mut thought = one.thought;
    thought.context_tokens = thought.context_tokens.max(other.thought.context_tokens);
    thought.age_tokens = thought.age_tokens.max(other.thought.age_tokens);
    Known { thought, seen: one.seen.max(other.seen) }
}
