//! *Rule.* Commits to a few contexts, because a context pays only where nearly all turns of its user are served, and a cell can do
//! that for few. `commit` serves a request at the edge if its answer would find more than `thoughts` fresh thoughts there, its own
//! included, or if fewer than `users` contexts of the cell have anything fresh. `recent` is its twin with a memory in place of the age
//! of thought: the user was served here within `slots` slots, the request's own thought alone is as long as that, or fewer than `users`
//! users were served so lately. `long-thoughts` knows nothing but the length of the request's own thought. Everything else goes
//! elsewhere, also where the entry is there and has room.
//!
//! ```text
//! commit         edge iff  kappa + zeta X J k > thoughts * k  or  #(contexts with kappa > 0) < users
//! recent         edge iff  zeta X J k > thoughts * k  or  served <= slots slots ago  or  #(contexts served <= slots slots ago) < users
//! long-thoughts  edge iff  zeta X J k > thoughts * k
//! ```
//! `X J k` are the tokens of one request (`thought.cv`). A load that makes entries leave is made only for a service that is asked for more
//! often than they are together (`admission`); those leave first that have the least age of thought (`commit`), or that served longest ago.
//! Where users share contexts, an entry is the context of one user (`context`).
//!
//! *State.* The last batch that each resident entry served, for ties.
//!
//! *Cost per decision.* O(contexts at the cell).
//!
//! *Reference.* Ours.

use super::admission::exceeds;
use super::cache_rule::{CacheRule, Scene, factory};
use super::context::Contexts;
use super::rule::{Entry, Factory, Parameter};
use std::sync::Arc;
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::units::ServiceId;

const THOUGHTS: Parameter = Parameter {
    name: "thoughts",
    description: "fresh thoughts, the request's own included, above which the edge answers",
    default: 1.0,
    low: 0.0,
    high: 1e6,
    grid: &[0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 5.0, 1e6],
};
const USERS: Parameter = Parameter {
    name: "users",
    description: "as many contexts are built up whatever they hold",
    default: 4.0,
    low: 0.0,
    high: 1e6,
    grid: &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0],
};
const SLOTS: Parameter = Parameter {
    name: "slots",
    description: "slots for which a user counts as served lately",
    default: 6.0,
    low: 0.0,
    high: 1e6,
    grid: &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0],
};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::cache(
        "commit",
        "serves users whose contexts are fresh, and others only while few are",
        &[THOUGHTS, USERS],
        |name, scenario, values| prepare(name, scenario, Knowledge::Age, values[0], values[1]),
    ),
    Entry::cache(
        "recent",
        "commit without the age of thought: serves users who were served lately",
        &[THOUGHTS, USERS, SLOTS],
        |name, scenario, values| {
            prepare(name, scenario, Knowledge::Memory { slots: values[2] }, values[0], values[1])
        },
    ),
    Entry::cache(
        "long-thoughts",
        "serves requests whose own thought is long, and knows nothing of contexts",
        &[THOUGHTS],
        |name, scenario, values| prepare(name, scenario, Knowledge::Nothing, values[0], 0.0),
    ),
];

/// What the rule knows of contexts.
#[derive(Clone, Copy, Debug)]
enum Knowledge {
    Age,
    Memory { slots: f64 },
    Nothing,
}

#[derive(Clone, Debug)]
struct Commit {
    contexts: Contexts,
    knowledge: Knowledge,
    thoughts: f64,
    users: f64,
}

fn prepare(
    name: &'static str,
    scenario: &Arc<Scenario>,
    knowledge: Knowledge,
    thoughts: f64,
    users: f64,
) -> Factory {
    factory(name, scenario, Commit { contexts: Contexts::new(scenario), knowledge, thoughts, users })
}

impl CacheRule for Commit {
    fn rank(&self, scene: Scene<'_>, service: ServiceId) -> f64 {
        match self.knowledge {
            Knowledge::Age => scene.observation.thoughts[service.index()].age_tokens,
            Knowledge::Memory { .. } | Knowledge::Nothing => scene.stay(service).last_access as f64,
        }
    }

    fn wants(&self, scene: Scene<'_>) -> bool {
        let Self { contexts, knowledge, thoughts, users } = self;
        let own = || contexts.own(scene.observation);
        let all = || contexts.all(scene.observation).into_iter();
        let own_thoughts = contexts.request_thoughts(scene.observation);
        match *knowledge {
            Knowledge::Age => {
                let fresh = all().filter(|context| context.age_thoughts > 0.0).count();
                own_thoughts + own().map_or(0.0, |own| own.age_thoughts) > *thoughts
                    || (fresh as f64) < *users
            }
            Knowledge::Memory { slots } => {
                let is_recent = |slots_ago: u32| f64::from(slots_ago) <= slots;
                let recent = all().filter(|context| is_recent(context.slots_ago)).count();
                own_thoughts > *thoughts
                    || own().is_some_and(|own| is_recent(own.slots_ago))
                    || (recent as f64) < *users
            }
            Knowledge::Nothing => own_thoughts > *thoughts,
        }
    }

    fn admits(&self, scene: Scene<'_>, victims: &[ServiceId]) -> bool {
        exceeds(scene, victims, 1.0)
    }
}
