//! Every rule against a naive sibling that keeps nothing but a log of requests and works out each victim from it, and against
//! the optimum that trying everything finds.
//!
//! The siblings share no code with the rules; only ARC, whose state is its definition, is written out again with plain lists.

use super::super::{ENTRIES, Kind, ObjectTrace, Tally, flow, optimum};
use super::{run, trace};
use proptest::collection::vec;
use proptest::prelude::*;

/// One request of the past: who, and whether it was loaded or hit.
struct Event {
    object: u64,
    is_load: bool,
}

/// What a naive rule may look at.
struct View<'a> {
    requests: &'a [(u64, u32)],
    now: usize,
    log: &'a [Event],
    resident: &'a [(u64, u32)],
    inflation: f64,
    keys: &'a dyn Fn(u64) -> f64,
}

impl View<'_> {
    /// Requests that the present stay of an object served, the load first.
    fn stay(&self, object: u64) -> Vec<usize> {
        let load = self.log.iter().rposition(|event| event.object == object && event.is_load).unwrap();
        (load..self.log.len()).filter(|&at| self.log[at].object == object).collect()
    }

    fn next(&self, object: u64, after: usize) -> usize {
        let rest = &self.requests[after + 1..];
        rest.iter()
            .position(|request| request.0 == object)
            .map_or(usize::MAX, |distance| after + 1 + distance)
    }

    /// What leaves first is least.
    fn rank(&self, rule: &str, object: u64, size: u32) -> (f64, usize) {
        let stay = self.stay(object);
        let (load, last) = (stay[0], stay[stay.len() - 1]);
        match rule {
            "fifo" => (0.0, load),
            "lru" => (0.0, last),
            "lru-2" if stay.len() == 1 => (0.0, load),
            "lru-2" => (1.0, stay[stay.len() - 2]),
            "lfu" => (stay.len() as f64, last),
            "gdsf" => ((self.keys)(object), last),
            "hyperbolic" => (stay.len() as f64 / f64::from(size) / (self.now - load) as f64, last),
            "min" | "min-bypass" => (-(self.next(object, self.now) as f64), last),
            other => panic!("{other} has no rank"),
        }
    }
}

/// Replays by looking at the whole log for each victim.
fn naive(rule: &str, requests: &[(u64, u32)], capacity: u64) -> Tally {
    let mut log: Vec<Event> = Vec::new();
    let mut resident: Vec<(u64, u32)> = Vec::new();
    let mut keys: Vec<(u64, f64)> = Vec::new();
    let mut inflation = 0.0_f64;
    let mut tally = Tally::default();
    'requests: for (now, &(object, size)) in requests.iter().enumerate() {
        let set_key = |keys: &mut Vec<(u64, f64)>, count: usize, size: u32, inflation: f64| {
            keys.retain(|(other, _)| *other != object);
            keys.push((object, inflation + count as f64 * 1e6 / f64::from(size)));
        };
        if let Some(&(_, held)) = resident.iter().find(|(other, _)| *other == object) {
            log.push(Event { object, is_load: false });
            let load = log.iter().rposition(|event| event.object == object && event.is_load).unwrap();
            let count = log[load..].iter().filter(|event| event.object == object).count();
            set_key(&mut keys, count, held, inflation);
            continue;
        }
        tally.misses += 1;
        tally.miss_bytes += u64::from(size);
        let free = |resident: &[(u64, u32)]| {
            capacity - resident.iter().map(|(_, size)| u64::from(*size)).sum::<u64>()
        };
        let fits = u64::from(size) <= capacity;
        while fits && free(&resident) < u64::from(size) {
            let key = |object: u64| keys.iter().find(|(other, _)| *other == object).unwrap().1;
            let view = View { requests, now, log: &log, resident: &resident, inflation, keys: &key };
            let ranked = view.resident.iter().map(|&(object, size)| (view.rank(rule, object, size), object));
            let (_, victim) = ranked.min_by(|a, b| a.partial_cmp(b).unwrap()).unwrap();
            if rule == "min-bypass" && view.next(object, now) >= view.next(victim, now) {
                log.push(Event { object: u64::MAX, is_load: false });
                continue 'requests;
            }
            inflation = view.inflation.max(key(victim));
            resident.retain(|(other, _)| *other != victim);
        }
        // What is served elsewhere takes its place in the log, but no object's.
        log.push(Event { object: if fits { object } else { u64::MAX }, is_load: fits });
        if fits {
            resident.push((object, size));
            set_key(&mut keys, 1, size, inflation);
        }
    }
    tally
}

/// SIEVE on a plain vector, newest first.
fn naive_sieve(requests: &[(u64, u32)], capacity: u64) -> u64 {
    let mut queue: Vec<(u64, u32, bool)> = Vec::new();
    let (mut hand, mut misses) = (None::<u64>, 0);
    for &(object, size) in requests {
        if let Some(entry) = queue.iter_mut().find(|entry| entry.0 == object) {
            entry.2 = true;
            continue;
        }
        misses += 1;
        if u64::from(size) > capacity {
            continue;
        }
        while queue.iter().map(|entry| u64::from(entry.1)).sum::<u64>() + u64::from(size) > capacity {
            let start = hand.and_then(|object| queue.iter().position(|entry| entry.0 == object));
            let mut at = start.unwrap_or(queue.len() - 1);
            while queue[at].2 {
                queue[at].2 = false;
                at = if at == 0 { queue.len() - 1 } else { at - 1 };
            }
            hand = if at == 0 { None } else { Some(queue[at - 1].0) };
            queue.remove(at);
        }
        queue.insert(0, (object, size, false));
    }
    misses
}

/// ARC as figure 4 of its paper has it, for objects of one size; most recent first.
fn naive_arc(requests: &[(u64, u32)], c: usize) -> u64 {
    let [mut t1, mut t2, mut b1, mut b2]: [Vec<u64>; 4] = Default::default();
    let (mut p, mut misses) = (0.0_f64, 0);
    let replace =
        |t1: &mut Vec<u64>, t2: &mut Vec<u64>, b1: &mut Vec<u64>, b2: &mut Vec<u64>, p: f64, in_b2| {
            let is_once = !t1.is_empty() && (t1.len() as f64 > p || in_b2 && t1.len() as f64 == p);
            if is_once { b1.insert(0, t1.pop().unwrap()) } else { b2.insert(0, t2.pop().unwrap()) }
        };
    for &(x, _) in requests {
        if t1.contains(&x) || t2.contains(&x) {
            t1.retain(|&y| y != x);
            t2.retain(|&y| y != x);
            t2.insert(0, x);
            continue;
        }
        misses += 1;
        if b1.contains(&x) || b2.contains(&x) {
            let in_b2 = b2.contains(&x);
            let (once, often) = (b1.len() as f64, b2.len() as f64);
            p = if in_b2 {
                (p - (once / often).max(1.0)).max(0.0)
            } else {
                (p + (often / once).max(1.0)).min(c as f64)
            };
            replace(&mut t1, &mut t2, &mut b1, &mut b2, p, in_b2);
            b1.retain(|&y| y != x);
            b2.retain(|&y| y != x);
            t2.insert(0, x);
            continue;
        }
        if t1.len() + b1.len() == c {
            if t1.len() < c {
                b1.pop();
                replace(&mut t1, &mut t2, &mut b1, &mut b2, p, false);
            } else {
                t1.pop();
            }
        } else if t1.len() + t2.len() + b1.len() + b2.len() >= c {
            if t1.len() + t2.len() + b1.len() + b2.len() == 2 * c {
                b2.pop();
            }
            replace(&mut t1, &mut t2, &mut b1, &mut b2, p, false);
        }
        t1.insert(0, x);
    }
    misses
}

/// The fewest misses and the fewest bytes of misses of all ways to decide, each object with the size of its load.
fn brute(requests: &[(u64, u32)], resident: &[(u64, u32)], capacity: u64) -> (u64, u64) {
    let Some((&(object, size), rest)) = requests.split_first() else { return (0, 0) };
    let cost = u64::from(resident.iter().all(|(other, _)| *other != object));
    let (mut misses, mut bytes) = (u64::MAX, u64::MAX);
    // What is resident afterwards is any part of what was, with the newcomer or without it.
    let mut candidates = resident.to_vec();
    if cost == 1 {
        candidates.push((object, size));
    }
    for choice in 0..1_u32 << candidates.len() {
        let kept: Vec<(u64, u32)> = candidates
            .iter()
            .enumerate()
            .filter(|(at, _)| choice >> at & 1 == 1)
            .map(|(_, kept)| *kept)
            .collect();
        if kept.iter().map(|(_, size)| u64::from(*size)).sum::<u64>() <= capacity {
            let (later, later_bytes) = brute(rest, &kept, capacity);
            misses = misses.min(cost + later);
            bytes = bytes.min(cost * u64::from(size) + later_bytes);
        }
    }
    (misses, bytes)
}

/// Requests for few objects; sizes belong to the objects unless they change.
fn requests(
    length: usize,
    objects: u64,
    largest: u32,
    change: bool,
) -> impl Strategy<Value = Vec<(u64, u32)>> {
    let sizes = vec(1..=largest, objects as usize);
    (sizes, vec((0..objects, 1..=largest), 1..=length)).prop_map(move |(sizes, requests)| {
        let size = |(object, size): (u64, u32)| if change { size } else { sizes[object as usize] };
        requests.into_iter().map(|request| (request.0, size(request))).collect()
    })
}

fn rules() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().filter(|entry| entry.kind != Kind::Bound).map(|entry| entry.name)
}

fn read(requests: &[(u64, u32)]) -> ObjectTrace {
    trace(requests.iter().copied())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_rule_decides_like_its_naive_sibling(
        requests in prop_oneof![requests(120, 12, 1, false), requests(120, 12, 9, false), requests(120, 12, 9, true)],
        capacity in 1_u64..30,
    ) {
        let trace = read(&requests);
        for rule in rules().filter(|rule| !["sieve", "arc"].contains(rule)) {
            prop_assert_eq!(run(rule, &trace, capacity), naive(rule, &requests, capacity), "{}", rule);
        }
        prop_assert_eq!(run("sieve", &trace, capacity).misses, naive_sieve(&requests, capacity));
    }

    #[test]
    fn arc_decides_as_its_paper_on_objects_of_one_size(requests in requests(200, 12, 1, false), slots in 1_usize..9) {
        let trace = read(&requests);
        prop_assert_eq!(run("arc", &trace, slots as u64).misses, naive_arc(&requests, slots));
    }

    #[test]
    fn lru_and_min_do_not_miss_more_with_more_room(requests in requests(200, 12, 1, false)) {
        let trace = read(&requests);
        for rule in ["lru", "min", "min-bypass", "bound"] {
            let misses: Vec<u64> = (1..13).map(|slots| run(rule, &trace, slots).misses).collect();
            prop_assert!(misses.is_sorted_by(|small, large| small >= large), "{} {:?}", rule, misses);
        }
    }

    #[test]
    fn the_optimum_is_that_of_all_decisions_and_of_min_with_bypass(requests in requests(9, 4, 1, false), slots in 1_u64..4) {
        let trace = read(&requests);
        let best = brute(&requests, &[], slots).0;
        prop_assert_eq!(optimum::misses(&trace, slots), best);
        prop_assert_eq!(run("min-bypass", &trace, slots).misses, best);
        prop_assert!(flow::misses(&trace, slots).misses <= best);
    }

    #[test]
    fn the_flow_bound_is_below_the_optimum_of_sized_objects(
        requests in prop_oneof![requests(8, 4, 6, false), requests(8, 4, 6, true)],
        capacity in 1_u64..12,
    ) {
        let trace = read(&requests);
        let (misses, bytes) = brute(&requests, &[], capacity);
        let bound = flow::misses(&trace, capacity);
        prop_assert!(bound.misses <= misses && bound.miss_bytes <= bytes, "{:?} {} {}", bound, misses, bytes);
        for rule in rules() {
            let tally = run(rule, &trace, capacity);
            prop_assert!(tally.misses >= misses && tally.miss_bytes >= bytes, "{} {:?}", rule, tally);
        }
    }

    #[test]
    fn no_rule_beats_the_bound(requests in requests(150, 20, 9, true), capacity in 1_u64..60) {
        let trace = read(&requests);
        let bound = run("bound", &trace, capacity);
        for rule in rules() {
            let tally = run(rule, &trace, capacity);
            prop_assert!(tally.misses >= bound.misses && tally.miss_bytes >= bound.miss_bytes, "{} {:?}", rule, tally);
        }
    }
}
