//! Random worlds in which all users of a service share a context.
//!
//! Models: one batch a slot, of one of two or three services with fixed popularity; the edge has room for one or two entries of equal
//! size. A batch of a resident service is served there or in the cloud; a batch of an absent one can be loaded, in place of any
//! entry where there is no room.
//!
//! What is drawn: popularity, requests in a batch, alpha, windows of 3 to 6 thoughts, the share of a thought that fades in a slot, the
//! prices of the cloud, of a load and of accuracy around the papers', and whether an exhausted window evicts the entry or clears it.
//!
//! The blind policies decide by the resident set and the request. The best of them is looked for by changing one decision at a time
//! until no change helps, from three starts; what is found may cost more than the best, so the gap to the optimum is told too large
//! rather than too small.

use super::{Chain, Contexts, Law};
use rand::RngExt;
use rayon::prelude::*;
use thoughtcache_env::llm::quality::QualityLaw;
use thoughtcache_env::random::{Purpose, Seed, Stream};
use thoughtcache_env::scenario::Scenario;
use thoughtcache_env::thought::{Refresh, Thought};
use thoughtcache_env::units::ServiceId;

/// P1's parameter of the quality law that its services share.
const BETA: f64 = 0.5;
/// Tokens of a thought in the papers.
const THOUGHT_TOKENS: f64 = 200.0;

/// Differences below this share of a cost are rounding.
const NOISE: f64 = 1e-7;

/// See the file's head.
#[derive(Clone, Debug)]
pub struct SharedContexts {
    chain: Chain,
    num_services: usize,
    room: usize,
}

/// What seeing contexts is worth in one world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The cost of the best blind rule that was found, per slot.
    pub blind: f64,
    /// No sighted policy costs less.
    pub sighted: f64,
}

impl Gap {
    /// What the blind rule costs more, as a share of its cost.
    pub fn share(&self) -> f64 {
        (1.0 - self.sighted / self.blind).max(0.0)
    }
}

/// The gaps of the first `count` worlds.
pub fn gaps(count: u64) -> Vec<Gap> {
    let gap = |number| {
        let world = SharedContexts::draw(number);
        Gap { blind: world.blind(), sighted: world.sighted() }
    };
    (0..count).into_par_iter().map(gap).collect()
}

/// A rule's choice for each set of residents and each service that is asked for.
type Rule = Vec<usize>;

/// What a policy can do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Cloud,
    Edge,
    /// At the edge, in place of this service.
    Instead(usize),
}

/// What can be done with a batch of `service`, given who is resident.
fn acts(is_resident: &[bool], service: usize, room: usize) -> Vec<Act> {
    let residents = || (0..is_resident.len()).filter(|&other| is_resident[other]);
    if is_resident[service] || residents().count() < room {
        return vec![Act::Cloud, Act::Edge];
    }
    std::iter::once(Act::Cloud).chain(residents().map(Act::Instead)).collect()
}

fn residents(contexts: &Contexts) -> Vec<bool> {
    contexts.iter().map(Option::is_some).collect()
}

impl SharedContexts {
    /// The world of this number.
    pub fn draw(number: u64) -> Self {
        let mut rng = Seed::new(Purpose::Test, 0).with_episode(number).stream(Stream::Popularity);
        let mut draw = |low: f64, high: f64| rng.random_range(low..high);
        let num_services = if draw(0.0, 1.0) < 0.5 { 2 } else { 3 };
        let room = if num_services == 3 && draw(0.0, 1.0) < 0.5 { 2 } else { 1 };
        let refresh = if draw(0.0, 1.0) < 0.5 { Refresh::Evict } else { Refresh::Clear };
        let fade_tokens = THOUGHT_TOKENS * 0.2 * draw(0.0, 4.0).floor();
        let accuracy_share = draw(0.25, 2.0);
        let cloud_share = draw(0.5, 2.0);
        let load_cost = draw(0.0, 0.01);
        let shipped = Scenario::shipped("tight");
        let services: Vec<(Law, u32, f64)> = (0..num_services)
            .map(|_| {
                let mut law = Law::of(&shipped, ServiceId(0));
                law.service.quality = QualityLaw::linear(draw(0.3, 0.7), BETA);
                law.service.fade_tokens = fade_tokens;
                law.service.load_cost = load_cost;
                law.service.cloud_per_request *= cloud_share;
                law.accuracy_weight *= accuracy_share;
                law.context.window_tokens = THOUGHT_TOKENS * draw(3.0, 7.0).floor();
                law.context.refresh = refresh;
                (law, draw(1.0, 4.0) as u32, draw(0.1, 1.0))
            })
            .collect();
        let all: f64 = services.iter().map(|(_, _, weight)| weight).sum();
        let slot = |contexts: &Contexts| {
            let event = |(asked, (law, num_requests, weight)): (usize, &(Law, u32, f64))| {
                let choice = |act: Act| {
                    let mut after = contexts.clone();
                    let requests = f64::from(*num_requests);
                    let cost = if act == Act::Cloud {
                        requests * law.service.cloud_per_request
                    } else {
                        if let Act::Instead(victim) = act {
                            after[victim] = None;
                        }
                        let load = if after[asked].is_some() { 0.0 } else { law.service.load_cost };
                        let (accuracy, kept) = law.serve(after[asked].unwrap_or_default(), *num_requests);
                        after[asked] = kept;
                        load + requests * law.service.edge_per_request + accuracy
                    };
                    for (context, (law, ..)) in after.iter_mut().zip(&services) {
                        *context = context.map(|thought| law.faded(thought));
                    }
                    (cost, after)
                };
                let acts = acts(&residents(contexts), asked, room);
                (weight / all, acts.into_iter().map(choice).collect())
            };
            services.iter().enumerate().map(event).collect()
        };
        let chain = Chain::explore(vec![None::<Thought>; num_services], slot);
        Self { chain, num_services, room }
    }

    /// How many states there are.
    pub fn num_states(&self) -> usize {
        self.chain.num_states()
    }

    /// No policy that sees all contexts costs less per slot.
    pub fn sighted(&self) -> f64 {
        self.chain.optimum()[0]
    }

    /// The cost per slot of the best blind rule that is found.
    pub fn blind(&self) -> f64 {
        let at_edge = |_: &[bool], _: usize| 1;
        let hits = |is_resident: &[bool], asked: usize| usize::from(is_resident[asked]);
        let starts = [self.rule(|_, _| 0), self.rule(at_edge), self.rule(hits)];
        let ends = starts.map(|start| self.improved(start));
        ends.into_iter().fold(f64::INFINITY, f64::min)
    }

    /// How many services it has.
    #[cfg(test)]
    pub(super) fn num_services(&self) -> usize {
        self.num_services
    }

    /// As [`blind`](Self::blind), by trying every rule; for two services with room for one.
    #[cfg(test)]
    pub(super) fn blind_of_all(&self) -> f64 {
        let seen: Vec<usize> = self.sets().flat_map(|(set, _)| [2 * set, 2 * set + 1]).collect();
        let rules = (0..1_u32 << seen.len()).map(|bits| {
            let mut rule = vec![0; self.num_services << self.num_services];
            for (bit, &at) in seen.iter().enumerate() {
                rule[at] = (bits >> bit & 1) as usize;
            }
            self.cost_of(&rule)
        });
        rules.fold(f64::INFINITY, f64::min)
    }

    /// The sets of residents, by number, and who is in them; those without room for all are left out.
    fn sets(&self) -> impl Iterator<Item = (usize, Vec<bool>)> {
        let sets = 0..1_usize << self.num_services;
        let members = |set: usize| (0..self.num_services).map(|service| set >> service & 1 == 1).collect();
        sets.filter(|set| set.count_ones() as usize <= self.room).map(move |set| (set, members(set)))
    }

    fn rule(&self, choose: impl Fn(&[bool], usize) -> usize) -> Rule {
        let mut rule = vec![0; self.num_services << self.num_services];
        for (set, is_resident) in self.sets() {
            for asked in 0..self.num_services {
                rule[set * self.num_services + asked] = choose(&is_resident, asked);
            }
        }
        rule
    }

    fn cost_of(&self, rule: &Rule) -> f64 {
        self.chain.cost_of(|contexts, asked| {
            let is_resident = residents(contexts);
            let set: usize =
                is_resident.iter().enumerate().map(|(bit, &is_in)| usize::from(is_in) << bit).sum();
            let mut shares = vec![0.0; acts(&is_resident, asked, self.room).len()];
            shares[rule[set * self.num_services + asked]] = 1.0;
            shares
        })
    }

    /// The cost of a rule after every change of one decision that helps.
    fn improved(&self, mut rule: Rule) -> f64 {
        let mut best = self.cost_of(&rule);
        loop {
            let before = best;
            for (set, is_resident) in self.sets() {
                for asked in 0..self.num_services {
                    let at = set * self.num_services + asked;
                    for other in 0..acts(&is_resident, asked, self.room).len() {
                        let kept = rule[at];
                        rule[at] = other;
                        let cost = if other == kept { best } else { self.cost_of(&rule) };
                        if cost < best * (1.0 - NOISE) {
                            best = cost;
                        } else {
                            rule[at] = kept;
                        }
                    }
                }
            }
            if best >= before {
                return best;
            }
        }
    }
}
