//! The memory of one edge server: which entries are resident, and what may leave.
//!
//! Models: GPU memory of fixed size, filled with the weights of resident entries and, with `memory.kv`, their contexts.
//! With `memory.shared_weights` the entries on one model use one copy of its weights (`sizes.rs`).
//!
//! Invariants, kept by every method: the bytes of all copies in use, of all contexts and the free bytes add up to the
//! capacity; an entry that is not resident has no thoughts, occupies nothing and is not protected.

mod sizes;

pub(crate) use sizes::Sizes;

use crate::counters::Counters;
use crate::thought::contexts::UserContexts;
use crate::thought::{ContextLaw, Refresh, Thought};
use crate::units::{ServiceId, UserId};
use crate::workload::users::Visit;
use serde::{Deserialize, Serialize};

/// Whether a service's entry is in memory, and whether it may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residency {
    /// The weights are in memory, and the entry uses them.
    pub is_resident: bool,
    /// May not be evicted: it served earlier in this slot, or, in physical scenarios, it is loading or serving.
    pub is_protected: bool,
}

/// The rule that keeps an entry from leaving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Having served, until the slot ends (P1, P2: all requests of a service are decided together).
    #[default]
    UntilSlotEnds,
    /// Nothing: requests are decided one by one, and serving takes no time.
    Nothing,
    /// A pin, while the entry loads or serves: both take time.
    Pins,
}

/// The users of a copy of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    /// Resident entries that use it.
    holders: u32,
    /// The number of protected entries among them.
    pinned: u32,
}

/// The memory of one cell. Fields that follow from the others and the scenario are not kept in a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cache {
    #[serde(skip)]
    capacity_bytes: u64,
    #[serde(skip)]
    free_bytes: u64,
    /// Bytes that may not leave: contexts of protected entries, and copies that they use.
    #[serde(skip)]
    protected_bytes: u64,
    /// The sizes of the entries of this memory.
    #[serde(skip)]
    pub(crate) sizes: Sizes,
    /// By copy of weights.
    #[serde(skip)]
    uses: Vec<Use>,
    residency: Vec<Residency>,
    /// By service: the context, summed over users where each has one.
    thoughts: Vec<Thought>,
    /// By service: the context of each user; empty where all users share one.
    contexts: Vec<UserContexts>,
    /// By service: bytes that its contexts occupy, those of requests in flight included.
    #[serde(skip)]
    context_bytes: Vec<u64>,
    /// By service: bytes of them that are kept free for its requests in flight.
    #[serde(skip)]
    reserved_bytes: Vec<u64>,
    /// When each entry last served, in batches since the episode began; breaks ties between equal ages.
    last_served: Vec<u64>,
    #[serde(skip)]
    protection: Protection,
    /// Whether a context of a user that has faded to nothing is dropped when the slot ends.
    #[serde(skip)]
    drops_faded: bool,
}

impl Cache {
    /// An empty memory for entries of these sizes, whose contexts all users share or not.
    pub(crate) fn new(capacity_bytes: u64, sizes: Sizes, has_user_contexts: bool) -> Self {
        let services = sizes.num_services();
        let contexts = if has_user_contexts { services } else { 0 };
        Self {
            capacity_bytes,
            free_bytes: capacity_bytes,
            protected_bytes: 0,
            uses: vec![Use::default(); sizes.num_copies()],
            residency: vec![Residency::default(); services],
            thoughts: vec![Thought::default(); services],
            contexts: vec![UserContexts::default(); contexts],
            context_bytes: vec![0; services],
            reserved_bytes: vec![0; services],
            last_served: vec![0; services],
            protection: Protection::UntilSlotEnds,
            drops_faded: false,
            sizes,
        }
    }

    /// The same memory with another rule about what may leave, which keeps contexts that have faded to nothing or not.
    pub(crate) fn with_rules(self, protection: Protection, drops_faded: bool) -> Self {
        Self { protection, drops_faded, ..self }
    }

    /// Completes a memory that was kept, with so many requests of each service in flight: its size and rules are those of `own`, and what
    /// entries occupy is counted again. `false` where it has other entries, or more than the memory can hold.
    pub(crate) fn complete(&mut self, own: &Self, in_flight: &[u64]) -> bool {
        let mut kept = std::mem::replace(self, own.clone());
        self.clear();
        let services = self.residency.len();
        if [kept.residency.len(), kept.thoughts.len(), kept.last_served.len()] != [services; 3]
            || kept.contexts.len() != self.contexts.len()
        {
            return false;
        }
        let requests = |index: usize| in_flight.get(index).copied().unwrap_or(0);
        if (0..services).any(|index| requests(index) > 0 && !kept.residency[index].is_resident) {
            return false;
        }
        for (index, residency) in kept.residency.iter().enumerate().filter(|(_, kept)| kept.is_resident) {
            let service = ServiceId::from_index(index);
            if self.marginal_bytes(service) > self.free_bytes {
                return false;
            }
            self.load(service);
            self.thoughts[index] = kept.thoughts[index];
            if let Some(contexts) = kept.contexts.get_mut(index) {
                self.thoughts[index] = contexts.total();
                self.contexts[index] = std::mem::take(contexts);
            }
            let window_bytes = self.window_bytes(service);
            self.reserved_bytes[index] = window_bytes.saturating_mul(requests(index));
            let bytes = self.contexts_bytes(index);
            if bytes > self.free_bytes {
                return false;
            }
            self.occupy(index, bytes);
            let is_busy = residency.is_protected || requests(index) > 0;
            if is_busy && self.protection != Protection::Nothing {
                self.protect(index);
            }
        }
        self.last_served = kept.last_served;
        true
    }

    /// Empties the memory.
    pub(crate) fn clear(&mut self) {
        self.free_bytes = self.capacity_bytes;
        self.protected_bytes = 0;
        self.uses.fill(Use::default());
        self.residency.fill(Residency::default());
        self.thoughts.fill(Thought::default());
        self.contexts.iter_mut().for_each(UserContexts::clear);
        self.context_bytes.fill(0);
        self.reserved_bytes.fill(0);
        self.last_served.fill(0);
    }

    /// Size of the memory.
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Bytes that hold nothing.
    #[inline]
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// Bytes that may leave now.
    #[inline]
    pub fn evictable_bytes(&self) -> u64 {
        self.capacity_bytes - self.free_bytes - self.protected_bytes
    }

    /// Bytes that may leave now for a batch of this service: neither its own context nor the weights that it uses.
    #[inline]
    pub fn evictable_bytes_for(&self, service: ServiceId) -> u64 {
        let index = service.index();
        let copy = self.sizes.copy(index);
        let mut own = 0;
        if self.uses[copy].holders > 0 && self.uses[copy].pinned == 0 {
            own += self.sizes.copy_bytes(copy);
        }
        if !self.residency[index].is_protected {
            own += self.context_bytes[index];
        }
        self.evictable_bytes() - own
    }

    /// Residency by service.
    #[inline]
    pub fn residency(&self) -> &[Residency] {
        &self.residency
    }

    /// Thoughts by service, summed over users where each has a context; zero for entries that are not resident.
    #[inline]
    pub fn thoughts(&self) -> &[Thought] {
        &self.thoughts
    }

    /// Bytes by service that contexts occupy: 0 without `memory.kv`.
    pub fn context_bytes(&self) -> &[u64] {
        &self.context_bytes
    }

    /// The services whose entries are in memory, by id.
    pub fn residents(&self) -> impl Iterator<Item = ServiceId> {
        let residents = self.residency.iter().enumerate().filter(|(_, residency)| residency.is_resident);
        residents.map(|(index, _)| ServiceId::from_index(index))
    }

    /// Whether the service's entry is in memory.
    #[inline]
    pub fn is_resident(&self, service: ServiceId) -> bool {
        self.residency[service.index()].is_resident
    }

    /// Whether the service's entry is in memory and unprotected.
    #[inline]
    pub fn is_evictable(&self, service: ServiceId) -> bool {
        let residency = self.residency[service.index()];
        residency.is_resident && !residency.is_protected
    }

    /// Whether evicting this entry frees bytes for a batch of `service`, alone or with all others that use its weights.
    pub fn is_evictable_for(&self, victim: ServiceId, service: ServiceId) -> bool {
        self.is_evictable(victim) && self.frees_bytes_for(victim.index(), service)
    }

    /// [`is_evictable_for`](Self::is_evictable_for) of an entry that may leave.
    #[inline]
    fn frees_bytes_for(&self, victim: usize, service: ServiceId) -> bool {
        let copy = self.sizes.copy(victim);
        let frees_weights = copy != self.sizes.copy(service.index()) && self.uses[copy].pinned == 0;
        victim != service.index() && (frees_weights || self.context_bytes[victim] > 0)
    }

    /// Protects the residents that are not [evictable for](Self::is_evictable_for) a batch of `service`.
    pub(crate) fn protect_from(&self, service: ServiceId, residency: &mut [Residency]) {
        for (index, shown) in residency.iter_mut().enumerate() {
            shown.is_protected |= shown.is_resident && !self.frees_bytes_for(index, service);
        }
    }

    /// Bytes of weights that loading this service would add: 0 when a resident entry uses them.
    #[inline]
    pub fn marginal_bytes(&self, service: ServiceId) -> u64 {
        let copy = self.sizes.copy(service.index());
        if self.uses[copy].holders > 0 { 0 } else { self.sizes.copy_bytes(copy) }
    }

    /// Writes the bytes that each service's entry stands for: of a resident one its contexts and an equal part of the weights
    /// that it uses, of an absent one [`marginal_bytes`](Self::marginal_bytes).
    pub(crate) fn all_entry_bytes(&self, by_service: &mut [u64]) {
        let entries = by_service.iter_mut().zip(&self.residency).zip(&self.context_bytes);
        for (index, ((bytes, residency), &context_bytes)) in entries.enumerate() {
            let copy = self.sizes.copy(index);
            let (holders, weights) = (self.uses[copy].holders, self.sizes.copy_bytes(copy));
            // Divisions are slow, and most weights have one holder at most.
            let part = if holders > 1 { weights.div_ceil(u64::from(holders)) } else { weights };
            // What is absent has no contexts.
            *bytes = (if residency.is_resident || holders == 0 { part } else { 0 }) + context_bytes;
        }
    }

    /// Bytes that are free once these different resident entries have left together for a batch of `service`, whose
    /// weights stay.
    pub fn freed_bytes(&self, victims: &[ServiceId], service: ServiceId) -> u64 {
        self.sizes.freed_by(victims, service, &self.residency, &self.context_bytes)
    }

    /// Bytes that the contexts of this service's entry take more once these requests have been served there: those that
    /// remain then, refreshed where they were exhausted.
    pub(crate) fn growth_bytes(&self, service: ServiceId, visits: &[Visit], law: &ContextLaw) -> u64 {
        let now = self.context_bytes[service.index()];
        let bytes = |thought: Thought| self.sizes.context_bytes(service.index(), thought.context_tokens);
        let (mut more, mut less) = (0_u64, 0_u64);
        for &visit in visits {
            let before = self.thought_of(service, visit.user);
            let after = law.grown(before, visit.num_requests);
            less += bytes(before);
            if !after.is_exhausted(law.window_tokens) {
                more = more.saturating_add(bytes(after));
            } else if law.refresh == Refresh::Evict {
                return 0;
            }
        }
        (now - less).saturating_add(more).saturating_sub(now)
    }

    /// The context that a request of this user finds.
    pub(crate) fn thought_of(&self, service: ServiceId, user: UserId) -> Thought {
        match self.contexts.get(service.index()) {
            Some(contexts) => contexts.thought(user),
            None => self.thoughts[service.index()],
        }
    }

    /// The context that a request of a batch finds, on average over its requests.
    #[inline]
    pub fn mean_thought(&self, service: ServiceId, visits: &[Visit]) -> Thought {
        if self.contexts.is_empty() {
            return self.thoughts[service.index()];
        }
        let (mut sum, mut count) = (Thought::default(), 0.0);
        for &visit in visits {
            let (thought, requests) = (self.thought_of(service, visit.user), f64::from(visit.num_requests));
            sum.context_tokens += requests * thought.context_tokens;
            sum.age_tokens += requests * thought.age_tokens;
            count += requests;
        }
        Thought { context_tokens: sum.context_tokens / count, age_tokens: sum.age_tokens / count }
    }

    /// The evictable entry with the least age of thought that `spare` does not spare; among equals the one that served
    /// longest ago, then the lowest id.
    pub(crate) fn least_age_victim(&self, spare: impl Fn(ServiceId) -> bool) -> Option<ServiceId> {
        let services = (0..self.residency.len()).map(ServiceId::from_index);
        let evictable = services.filter(|&service| self.is_evictable(service) && !spare(service));
        let key = |id: &ServiceId| (self.thoughts[id.index()].age_tokens, self.last_served[id.index()]);
        evictable.min_by(|one, other| key(one).partial_cmp(&key(other)).expect("ages are numbers"))
    }

    /// Makes a service's entry resident, with `needed_bytes` free for what it adds: the `victims` leave, then entries by least
    /// age of thought. The entry holds weights that others have loaded before any of those leaves.
    #[inline]
    pub(crate) fn bring_in(
        &mut self,
        service: ServiceId,
        victims: &[ServiceId],
        needed_bytes: u64,
        counters: &mut Counters,
    ) {
        if !self.is_resident(service) && self.marginal_bytes(service) == 0 {
            self.load(service);
        }
        for &victim in victims {
            assert!(self.is_evictable(victim) && victim != service, "a victim may leave");
            self.evict(victim);
        }
        counters.evictions += victims.len() as u64 + self.make_room(service, needed_bytes);
        if !self.is_resident(service) {
            counters.loads += 1;
            counters.loaded_bytes += self.load(service);
        }
    }

    /// Evicts by least age of thought until `bytes` are free for a batch of `service`; returns how many entries left.
    /// Where entries share weights, an entry stays whose leaving would free nothing in the end.
    ///
    /// # Panics
    /// When fewer bytes can be freed.
    #[inline]
    pub(crate) fn make_room(&mut self, service: ServiceId, bytes: u64) -> u64 {
        if !self.sizes.is_shared() {
            let mut left = 0;
            while self.free_bytes < bytes {
                let victim =
                    self.least_age_victim(|victim| victim == service).expect("enough bytes can be freed");
                self.evict(victim);
                left += 1;
            }
            return left;
        }
        let mut victims = Vec::new();
        while self.free_bytes + self.freed_bytes(&victims, service) < bytes {
            let spare = |victim| victims.contains(&victim) || !self.is_evictable_for(victim, service);
            victims.push(self.least_age_victim(spare).expect("enough bytes can be freed"));
        }
        let freed_bytes = self.freed_bytes(&victims, service);
        for victim in victims.clone() {
            let others: Vec<ServiceId> = victims.iter().copied().filter(|&other| other != victim).collect();
            if self.freed_bytes(&others, service) == freed_bytes {
                victims = others;
            }
        }
        for &victim in &victims {
            self.evict(victim);
        }
        victims.len() as u64
    }

    /// Brings an entry in, without thoughts; returns the bytes of weights that were loaded for it.
    #[inline]
    pub(crate) fn load(&mut self, service: ServiceId) -> u64 {
        let bytes = self.marginal_bytes(service);
        assert!(!self.is_resident(service) && bytes <= self.free_bytes, "a load never exceeds the memory");
        self.free_bytes -= bytes;
        self.uses[self.sizes.copy(service.index())].holders += 1;
        self.residency[service.index()].is_resident = true;
        bytes
    }

    /// Drops an entry and its thoughts, and its weights if nobody else uses them.
    #[inline]
    pub(crate) fn evict(&mut self, service: ServiceId) {
        let index = service.index();
        assert!(self.residency[index].is_resident, "only a resident entry is evicted");
        let copy = self.sizes.copy(index);
        if self.residency[index].is_protected {
            self.release(index);
        }
        self.uses[copy].holders -= 1;
        if self.uses[copy].holders == 0 {
            self.free_bytes += self.sizes.copy_bytes(copy);
        }
        self.free_bytes += std::mem::take(&mut self.context_bytes[index]);
        self.residency[index] = Residency::default();
        self.thoughts[index] = Thought::default();
        if let Some(contexts) = self.contexts.get_mut(index) {
            contexts.clear();
        }
    }

    /// A resident entry serves batch number `now`: it stays until the slot ends where that is the rule, its contexts grow,
    /// and what is exhausted then is refreshed. `note` is told of each visit with the context before and after. Returns how
    /// many refreshes there were: contexts cleared, or one entry that left.
    #[inline]
    pub(crate) fn serve(
        &mut self,
        service: ServiceId,
        visits: &[Visit],
        law: &ContextLaw,
        now: u64,
        mut note: impl FnMut(Visit, Thought, Thought),
    ) -> u64 {
        let index = service.index();
        if self.protection == Protection::UntilSlotEnds {
            self.protect(index);
        }
        self.last_served[index] = now;
        let mut exhausted = 0;
        let mut bytes = self.context_bytes[index];
        for &visit in visits {
            let (before, after) = if let Some(contexts) = self.contexts.get_mut(index) {
                contexts.grow(visit, law)
            } else {
                let before = self.thoughts[index];
                self.thoughts[index] = law.grown(before, visit.num_requests);
                (before, self.thoughts[index])
            };
            exhausted += u64::from(after.is_exhausted(law.window_tokens));
            let size = |thought: Thought| self.sizes.context_bytes(index, thought.context_tokens);
            bytes = (bytes - size(before)).saturating_add(size(after));
            note(visit, before, after);
        }
        if exhausted > 0 && law.refresh == Refresh::Evict {
            self.evict(service);
            return 1;
        }
        match self.contexts.get_mut(index) {
            Some(contexts) => {
                if exhausted > 0 {
                    contexts.clear_exhausted(law.window_tokens);
                }
                self.thoughts[index] = contexts.total();
            }
            None if exhausted > 0 => self.thoughts[index] = Thought::default(),
            None => {}
        }
        if exhausted > 0 {
            self.settle(index);
        } else {
            self.occupy(index, bytes);
        }
        exhausted
    }

    /// Bytes of a full window of a service, where contexts occupy memory.
    pub(crate) fn window_bytes(&self, service: ServiceId) -> u64 {
        self.sizes.window_bytes(service.index())
    }

    /// A resident entry begins batch number `now`, a request that is in flight from now on: room for a full window is kept for it.
    pub(crate) fn begin(&mut self, service: ServiceId, now: u64) {
        let index = service.index();
        self.last_served[index] = now;
        let bytes = self.window_bytes(service);
        self.reserved_bytes[index] += bytes;
        self.occupy(index, self.context_bytes[index] + bytes);
    }

    /// A request that was in flight is answered: its room is given back, and the context of its user grows; returns how many were
    /// exhausted by that, and cleared.
    pub(crate) fn end(&mut self, service: ServiceId, user: UserId, law: &ContextLaw) -> u64 {
        let index = service.index();
        self.reserved_bytes[index] -= self.window_bytes(service);
        let visit = Visit { user, num_requests: 1 };
        let cleared = if let Some(contexts) = self.contexts.get_mut(index) {
            contexts.grow(visit, law);
            let cleared = contexts.clear_exhausted(law.window_tokens);
            self.thoughts[index] = contexts.total();
            cleared
        } else {
            let grown = law.grown(self.thoughts[index], 1);
            let is_exhausted = grown.is_exhausted(law.window_tokens);
            self.thoughts[index] = if is_exhausted { Thought::default() } else { grown };
            u64::from(is_exhausted)
        };
        self.settle(index);
        cleared
    }

    /// Whether entries stay for as long as they are pinned.
    pub(crate) fn has_pins(&self) -> bool {
        self.protection == Protection::Pins
    }

    /// A resident entry begins to load or to serve, and may not leave before that ends.
    pub(crate) fn pin(&mut self, service: ServiceId) {
        assert!(self.has_pins() && self.is_resident(service), "a pin holds an entry");
        self.protect(service.index());
    }

    /// An entry neither loads nor serves any more.
    pub(crate) fn unpin(&mut self, service: ServiceId) {
        if self.residency[service.index()].is_protected {
            self.release(service.index());
        }
    }

    fn release(&mut self, index: usize) {
        self.residency[index].is_protected = false;
        let copy = self.sizes.copy(index);
        self.uses[copy].pinned -= 1;
        if self.uses[copy].pinned == 0 {
            self.protected_bytes -= self.sizes.copy_bytes(copy);
        }
        self.protected_bytes -= self.context_bytes[index];
    }

    fn protect(&mut self, index: usize) {
        if self.residency[index].is_protected {
            return;
        }
        self.residency[index].is_protected = true;
        let copy = self.sizes.copy(index);
        if self.uses[copy].pinned == 0 {
            self.protected_bytes += self.sizes.copy_bytes(copy);
        }
        self.uses[copy].pinned += 1;
        self.protected_bytes += self.context_bytes[index];
    }

    /// Gives the contexts of an entry the room that they need now.
    fn settle(&mut self, index: usize) {
        if self.sizes.has_kv() {
            self.occupy(index, self.contexts_bytes(index));
        }
    }

    /// Bytes that the contexts of an entry need.
    fn contexts_bytes(&self, index: usize) -> u64 {
        let bytes = |thought: &Thought| self.sizes.context_bytes(index, thought.context_tokens);
        let grown = match self.contexts.get(index) {
            Some(contexts) => contexts.thoughts().map(bytes).fold(0, u64::saturating_add),
            None => bytes(&self.thoughts[index]),
        };
        grown.saturating_add(self.reserved_bytes[index])
    }

    /// The contexts of an entry take so many bytes from now on.
    fn occupy(&mut self, index: usize, after: u64) {
        let before = std::mem::replace(&mut self.context_bytes[index], after);
        assert!(after <= self.free_bytes + before, "a context never grows beyond the memory");
        self.free_bytes = self.free_bytes + before - after;
        if self.residency[index].is_protected {
            self.protected_bytes = self.protected_bytes + after - before;
        }
    }

    /// Ends a slot: thoughts fade, and nothing is protected any more but what is pinned.
    pub(crate) fn end_slot(&mut self, fade_tokens: &[f64]) {
        if self.contexts.is_empty() {
            for (thought, &fade) in self.thoughts.iter_mut().zip(fade_tokens) {
                thought.fade(fade);
            }
        } else {
            for (index, &fade) in fade_tokens.iter().enumerate() {
                let contexts = &mut self.contexts[index];
                let before = contexts.len();
                if before == 0 {
                    continue;
                }
                self.thoughts[index] = contexts.pass_slot(fade, self.drops_faded);
                if contexts.len() < before {
                    self.settle(index);
                }
            }
        }
        if self.has_pins() {
            return;
        }
        for residency in &mut self.residency {
            residency.is_protected = false;
        }
        for copy in &mut self.uses {
            copy.pinned = 0;
        }
        self.protected_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
