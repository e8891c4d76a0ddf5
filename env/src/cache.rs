//! The memory of one edge server: which entries are resident, and what may leave.
//!
//! Models: GPU memory of fixed size, filled with the weights of resident entries.
//!
//! Invariants, kept by every method: the bytes of all resident entries and the free bytes add up to the capacity; an entry
//! that is not resident has no thoughts and is not protected.

use crate::gym::api::Counters;
use crate::thought::Thought;
use crate::units::ServiceId;
use serde::{Deserialize, Serialize};

/// Whether a service's entry is in memory, and whether it may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residency {
    /// The weights are in memory.
    pub is_resident: bool,
    /// Served earlier in this slot: may not be evicted before the slot ends.
    pub is_protected: bool,
}

/// The memory of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cache {
    capacity_bytes: u64,
    free_bytes: u64,
    protected_bytes: u64,
    /// Weights of each service's entry.
    bytes: Vec<u64>,
    residency: Vec<Residency>,
    thoughts: Vec<Thought>,
    /// When each entry last served, in batches since the episode began; breaks ties between equal ages.
    last_served: Vec<u64>,
    /// Whether an entry that has served stays until the slot ends.
    protects_served: bool,
}

impl Cache {
    /// An empty memory for entries of these sizes.
    pub(crate) fn new(capacity_bytes: u64, bytes: Vec<u64>) -> Self {
        let services = bytes.len();
        Self {
            capacity_bytes,
            free_bytes: capacity_bytes,
            protected_bytes: 0,
            bytes,
            residency: vec![Residency::default(); services],
            thoughts: vec![Thought::default(); services],
            last_served: vec![0; services],
            protects_served: true,
        }
    }

    /// The same memory for requests that are decided one by one: an entry is needed only while it serves, which takes no
    /// time here, so that it may leave for the next request.
    pub(crate) fn without_protection(self) -> Self {
        Self { protects_served: false, ..self }
    }

    /// Whether another memory has this one's size, entries and protection.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.capacity_bytes == other.capacity_bytes
            && self.bytes == other.bytes
            && self.protects_served == other.protects_served
    }

    /// Empties the memory.
    pub(crate) fn clear(&mut self) {
        self.free_bytes = self.capacity_bytes;
        self.protected_bytes = 0;
        self.residency.fill(Residency::default());
        self.thoughts.fill(Thought::default());
        self.last_served.fill(0);
    }

    /// Size of the memory.
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Bytes that hold nothing.
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// Bytes of entries that may leave now.
    pub fn evictable_bytes(&self) -> u64 {
        self.capacity_bytes - self.free_bytes - self.protected_bytes
    }

    /// Residency by service.
    pub fn residency(&self) -> &[Residency] {
        &self.residency
    }

    /// Thoughts by service; zero for entries that are not resident.
    pub fn thoughts(&self) -> &[Thought] {
        &self.thoughts
    }

    /// Whether the service's entry is in memory.
    pub fn is_resident(&self, service: ServiceId) -> bool {
        self.residency[service.index()].is_resident
    }

    /// Whether the service's entry is in memory and may leave.
    pub fn is_evictable(&self, service: ServiceId) -> bool {
        let residency = self.residency[service.index()];
        residency.is_resident && !residency.is_protected
    }

    /// Bytes that loading this service would add: 0 when it is resident.
    pub fn marginal_bytes(&self, service: ServiceId) -> u64 {
        if self.is_resident(service) { 0 } else { self.bytes[service.index()] }
    }

    /// Bytes that evicting this service would free: 0 unless it may leave.
    pub fn freed_bytes(&self, service: ServiceId) -> u64 {
        if self.is_evictable(service) { self.bytes[service.index()] } else { 0 }
    }

    /// The evictable entry with the least age of thought that `spare` does not spare; among equals the one that served
    /// longest ago, then the lowest id.
    pub(crate) fn least_age_victim(&self, spare: impl Fn(ServiceId) -> bool) -> Option<ServiceId> {
        let mut best: Option<usize> = None;
        for index in 0..self.bytes.len() {
            let service = ServiceId::from_index(index);
            if !self.is_evictable(service) || spare(service) {
                continue;
            }
            let key = |i: usize| (self.thoughts[i].age_tokens, self.last_served[i]);
            if best.is_none_or(|champion| key(index) < key(champion)) {
                best = Some(index);
            }
        }
        best.map(ServiceId::from_index)
    }

    /// Loads an entry: the `victims` leave, then entries by least age of thought until it fits.
    pub(crate) fn bring_in(&mut self, service: ServiceId, victims: &[ServiceId], counters: &mut Counters) {
        let bytes = self.marginal_bytes(service);
        for &victim in victims {
            assert!(self.is_evictable(victim), "a victim may leave");
            self.evict(victim);
            counters.evictions += 1;
        }
        while self.free_bytes < bytes {
            let victim = self.least_age_victim(|_| false).expect("enough bytes can be freed");
            self.evict(victim);
            counters.evictions += 1;
        }
        self.load(service);
        counters.loads += 1;
        counters.loaded_bytes += bytes;
    }

    /// Brings an entry in, without thoughts.
    pub(crate) fn load(&mut self, service: ServiceId) {
        let bytes = self.bytes[service.index()];
        assert!(!self.is_resident(service) && bytes <= self.free_bytes, "a load never exceeds the memory");
        self.free_bytes -= bytes;
        self.residency[service.index()].is_resident = true;
    }

    /// Drops an entry and its thoughts.
    pub(crate) fn evict(&mut self, service: ServiceId) {
        let index = service.index();
        assert!(self.residency[index].is_resident, "only a resident entry is evicted");
        self.free_bytes += self.bytes[index];
        if self.residency[index].is_protected {
            self.protected_bytes -= self.bytes[index];
        }
        self.residency[index] = Residency::default();
        self.thoughts[index] = Thought::default();
    }

    /// Notes that a resident entry serves batch number `now`: it gains `delta_tokens`, and stays until the slot ends
    /// where that is the rule. Returns its thoughts before and after.
    pub(crate) fn serve(
        &mut self,
        service: ServiceId,
        delta_tokens: f64,
        zeta: f64,
        now: u64,
    ) -> (Thought, Thought) {
        let index = service.index();
        if self.protects_served && !self.residency[index].is_protected {
            self.residency[index].is_protected = true;
            self.protected_bytes += self.bytes[index];
        }
        self.last_served[index] = now;
        let before = self.thoughts[index];
        self.thoughts[index].add(delta_tokens, zeta);
        (before, self.thoughts[index])
    }

    /// Ends a slot: thoughts fade, nothing is protected any more.
    pub(crate) fn end_slot(&mut self, fade_tokens: &[f64]) {
        for (thought, &fade) in self.thoughts.iter_mut().zip(fade_tokens) {
            thought.fade(fade);
        }
        for residency in &mut self.residency {
            residency.is_protected = false;
        }
        self.protected_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ServiceId = ServiceId(0);
    const B: ServiceId = ServiceId(1);
    const C: ServiceId = ServiceId(2);

    #[test]
    fn bytes_are_conserved_through_load_serve_and_evict() {
        let mut cache = Cache::new(10, vec![4, 6, 5]);
        cache.load(A);
        cache.load(B);
        assert_eq!((cache.free_bytes(), cache.evictable_bytes()), (0, 10));
        cache.serve(A, 200.0, 1.0, 1);
        assert_eq!((cache.evictable_bytes(), cache.freed_bytes(A), cache.freed_bytes(B)), (6, 0, 6));
        assert_eq!((cache.marginal_bytes(A), cache.marginal_bytes(C)), (0, 5));
        cache.evict(A);
        assert_eq!((cache.free_bytes(), cache.evictable_bytes()), (4, 6));
        assert_eq!(cache.thoughts()[0], Thought::default(), "eviction throws the thoughts away");
    }

    #[test]
    fn the_victim_is_the_least_age_then_the_least_recently_served_then_the_lowest_id() {
        let mut cache = Cache::new(10, vec![1, 1, 1]);
        for (service, age, batch) in [(A, 300.0, 1), (B, 200.0, 3), (C, 200.0, 2)] {
            cache.load(service);
            cache.serve(service, age, 1.0, batch);
        }
        assert_eq!(cache.least_age_victim(|_| false), None, "all served in this slot");
        cache.end_slot(&[0.0; 3]);
        assert_eq!(cache.least_age_victim(|_| false), Some(C));
        assert_eq!(cache.least_age_victim(|service| service == C), Some(B));
        cache.end_slot(&[1000.0; 3]);
        assert_eq!(cache.least_age_victim(|_| false), Some(A), "all faded to zero: A served longest ago");
    }
}
