use super::*;
use crate::units::UserId;

const A: ServiceId = ServiceId(0);
const B: ServiceId = ServiceId(1);
const C: ServiceId = ServiceId(2);

fn law(refresh: Refresh) -> ContextLaw {
    ContextLaw {
        request_tokens: 100.0,
        said_tokens: 0.0,
        consensus_factor: 1.0,
        window_tokens: 1000.0,
        refresh,
    }
}

/// One user asks once, and leaves `tokens` behind.
fn think(cache: &mut Cache, service: ServiceId, tokens: f64, now: u64) {
    let law = ContextLaw { request_tokens: tokens, ..law(Refresh::Evict) };
    cache.serve(service, &[Visit { user: UserId::ALL, num_requests: 1 }], &law, now, |_, _, _| {});
}

fn entry_bytes(cache: &Cache, service: ServiceId) -> u64 {
    let mut by_service = vec![0; cache.residency.len()];
    cache.all_entry_bytes(&mut by_service);
    by_service[service.index()]
}

#[test]
fn bytes_are_conserved_through_load_serve_and_evict() {
    let mut cache = Cache::new(10, Sizes::alone(vec![4, 6, 5]), false);
    cache.load(A);
    cache.load(B);
    assert_eq!((cache.free_bytes(), cache.evictable_bytes()), (0, 10));
    think(&mut cache, A, 200.0, 1);
    assert_eq!((cache.evictable_bytes(), cache.evictable_bytes_for(B)), (6, 0));
    assert_eq!([A, B].map(|victim| cache.is_evictable_for(victim, C)), [false, true]);
    assert_eq!(cache.freed_bytes(&[B], C), 6);
    assert_eq!((cache.marginal_bytes(A), cache.marginal_bytes(C)), (0, 5));
    cache.evict(A);
    assert_eq!((cache.free_bytes(), cache.evictable_bytes()), (4, 6));
    assert_eq!(cache.thoughts()[0], Thought::default(), "eviction throws the thoughts away");
}

#[test]
fn the_victim_is_the_least_age_then_the_least_recently_served_then_the_lowest_id() {
    let mut cache = Cache::new(10, Sizes::alone(vec![1, 1, 1]), false);
    for (service, age, batch) in [(A, 300.0, 1), (B, 200.0, 3), (C, 200.0, 2)] {
        cache.load(service);
        think(&mut cache, service, age, batch);
    }
    assert_eq!(cache.least_age_victim(|_| false), None, "all served in this slot");
    cache.end_slot(&[0.0; 3]);
    assert_eq!(cache.least_age_victim(|_| false), Some(C));
    assert_eq!(cache.least_age_victim(|service| service == C), Some(B));
    cache.end_slot(&[1000.0; 3]);
    assert_eq!(cache.least_age_victim(|_| false), Some(A), "all faded to zero: A served longest ago");
}

/// A and B share a copy of 6 bytes, C has one of 5; a memory of 12.
fn shared() -> Cache {
    Cache::new(12, Sizes::of(vec![0, 0, 1], vec![6, 5], vec![]), false)
}

#[test]
fn a_copy_is_loaded_once_and_leaves_with_its_last_entry() {
    let mut cache = shared();
    assert_eq!((cache.load(A), cache.marginal_bytes(B)), (6, 0));
    assert_eq!((cache.load(B), cache.free_bytes()), (0, 6));
    assert_eq!((entry_bytes(&cache, A), entry_bytes(&cache, C)), (3, 5), "half a copy each");
    cache.evict(A);
    assert_eq!((cache.free_bytes(), entry_bytes(&cache, B)), (6, 6), "B still uses the copy");
    cache.evict(B);
    assert_eq!(cache.free_bytes(), 12);
}

#[test]
fn entries_on_one_copy_free_it_together_or_not_at_all() {
    let mut cache = shared();
    cache.load(A);
    cache.load(B);
    assert_eq!([&[A][..], &[B], &[A, B], &[B, A]].map(|v| cache.freed_bytes(v, C)), [0, 0, 6, 6]);
    assert!(cache.is_evictable_for(A, C) && cache.is_evictable_for(B, C), "they may leave together");
    think(&mut cache, A, 100.0, 1);
    assert!(!cache.is_evictable_for(B, C), "A has to stay, so B frees nothing");
    assert_eq!((cache.evictable_bytes(), cache.evictable_bytes_for(C)), (0, 0));
}

#[test]
fn the_weights_of_a_batch_do_not_leave_with_the_last_other_entry_that_uses_them() {
    let mut cache = shared();
    cache.load(A);
    // For B, A's copy is needed: evicting A frees nothing.
    assert_eq!((cache.marginal_bytes(B), cache.evictable_bytes_for(B)), (0, 0));
    assert!(!cache.is_evictable_for(A, B) && cache.is_evictable_for(A, C));
    assert_eq!((cache.freed_bytes(&[A], B), cache.freed_bytes(&[A], C)), (0, 6));
}

#[test]
fn an_entry_whose_leaving_frees_nothing_in_the_end_stays() {
    // A and B on 6 bytes, C and D alone on 5 and 1: A is the least fresh, but only C has to leave for D.
    let sizes = Sizes::of(vec![0, 0, 1, 2], vec![6, 5, 1], vec![]);
    let mut cache = Cache::new(11, sizes, false);
    for (service, age) in [(A, 100.0), (C, 200.0), (B, 300.0)] {
        cache.load(service);
        think(&mut cache, service, age, 1);
    }
    cache.end_slot(&[0.0; 4]);
    assert_eq!(cache.make_room(ServiceId(3), 1), 1);
    assert_eq!([A, B, C].map(|service| cache.is_resident(service)), [true, true, false]);
    // Two more bytes than that: now A and B have to leave, too.
    assert_eq!(cache.make_room(ServiceId(3), 7), 2);
    assert_eq!(cache.free_bytes(), 11);
}

/// A of 4 bytes and B of 2, a byte for every 10 tokens; a memory of 40.
fn kv() -> Cache {
    Cache::new(40, Sizes::of(vec![], vec![4, 2], vec![0.1, 0.1]), false)
}

/// The bytes that a batch adds: weights and context.
fn needed_bytes(cache: &Cache, service: ServiceId, visits: &[Visit], law: &ContextLaw) -> u64 {
    cache.marginal_bytes(service) + cache.growth_bytes(service, visits, law)
}

fn visits(users: &[(u32, u32)]) -> Vec<Visit> {
    users.iter().map(|&(user, num_requests)| Visit { user: UserId(user), num_requests }).collect()
}

#[test]
fn context_takes_room_and_gives_it_back() {
    let mut cache = kv();
    let (once, law) = (visits(&[(0, 1)]), law(Refresh::Clear));
    assert_eq!(needed_bytes(&cache, A, &once, &law), 14, "4 of weights, 10 of context");
    cache.load(A);
    cache.serve(A, &once, &law, 1, |_, _, _| {});
    assert_eq!(
        (cache.free_bytes(), entry_bytes(&cache, A), needed_bytes(&cache, A, &once, &law)),
        (26, 14, 10)
    );
    assert_eq!(cache.evictable_bytes(), 0);
    cache.end_slot(&[0.0; 2]);
    assert_eq!((cache.evictable_bytes_for(B), cache.evictable_bytes_for(A)), (14, 0));
    assert!(!cache.is_evictable_for(A, A), "its own context does not make room for itself");
    cache.evict(A);
    assert_eq!(cache.free_bytes(), 40);
}

#[test]
fn a_batch_that_exhausts_the_window_needs_no_room_for_what_does_not_stay() {
    for (refresh, free_bytes) in [(Refresh::Clear, 36), (Refresh::Evict, 40)] {
        let mut cache = kv();
        cache.load(A);
        let law = law(refresh);
        cache.serve(A, &visits(&[(0, 2)]), &law, 1, |_, _, _| {});
        assert_eq!(cache.free_bytes(), 16);
        // 200 + 900 tokens exceed 1,000.
        assert_eq!(needed_bytes(&cache, A, &visits(&[(0, 9)]), &law), 0);
        assert_eq!(cache.serve(A, &visits(&[(0, 9)]), &law, 2, |_, _, _| {}), 1);
        assert_eq!((cache.free_bytes(), cache.is_resident(A)), (free_bytes, refresh == Refresh::Clear));
        assert_eq!(cache.thoughts()[0], Thought::default());
        cache.end_slot(&[0.0; 2]);
        assert_eq!(cache.evictable_bytes(), 40 - free_bytes);
    }
}

#[test]
fn private_contexts_are_exhausted_one_by_one() {
    let mut cache = Cache::new(1000, Sizes::of(vec![], vec![4], vec![0.1]), true);
    cache.load(A);
    let clear = law(Refresh::Clear);
    let mut seen = Vec::new();
    cache.serve(A, &visits(&[(1, 6), (2, 5)]), &clear, 1, |_, _, _| {});
    assert_eq!((cache.free_bytes(), cache.thoughts()[0].context_tokens), (1000 - 4 - 110, 1100.0));
    // User 1 exceeds 1,000 tokens and loses them; user 2 does not, and keeps 700; user 3 is new.
    let next = visits(&[(1, 5), (2, 2), (3, 1)]);
    assert_eq!(needed_bytes(&cache, A, &next, &clear), 0, "70 + 10 stay of 110");
    let note = |visit: Visit, before: Thought, after: Thought| {
        seen.push((visit.user.0, before.age_tokens, after.age_tokens));
    };
    assert_eq!(cache.serve(A, &next, &clear, 2, note), 1);
    assert_eq!(seen, [(1, 600.0, 1100.0), (2, 500.0, 700.0), (3, 0.0, 100.0)]);
    assert_eq!((cache.thoughts()[0].context_tokens, cache.free_bytes()), (800.0, 1000 - 4 - 80));
    // Three requests of user 2 and one of user 4: (3 * 700 + 0) / 4.
    assert_eq!(cache.mean_thought(A, &visits(&[(2, 3), (4, 1)])).context_tokens, 525.0);
    // With `evict` one exhausted context ends the entry for all.
    assert_eq!(cache.serve(A, &visits(&[(2, 4), (3, 1)]), &law(Refresh::Evict), 3, |_, _, _| {}), 1);
    assert_eq!((cache.is_resident(A), cache.free_bytes()), (false, 1000));
    cache.load(A);
    assert_eq!(cache.mean_thought(A, &visits(&[(3, 1)])), Thought::default(), "nothing is left of anybody's");
}
